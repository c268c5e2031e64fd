"""Running the trials of an experiment, keeping every result as it comes, and what it leaves for the pages."""
