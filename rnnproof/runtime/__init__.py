"""What layers need around the generated cells, on NumPy alone: initialisers, constraints, clipping, optimisers, converters."""
