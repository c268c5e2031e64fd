"""The pages that `rnnproof report` writes: cells, checks, claims, experiments, notation, how it works."""
