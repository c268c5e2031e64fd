"""Pages a person reads: blocks and messages, their writers, and the pages of cells, checks, notation and how it works."""
