"""The catalogue's cells as modules that `rnnproof generate` wrote; each needs NumPy alone and can be copied out of here."""
