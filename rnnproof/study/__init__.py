"""One lecture's study: its claims, the experiments, the sweep engine that runs them, their figures and pages."""
