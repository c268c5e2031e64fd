"""Random cells: drawn as trees of their own, printed as LaTeX, read back, built, and compared with torch."""
