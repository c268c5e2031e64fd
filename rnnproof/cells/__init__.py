"""The catalogue's cells as generated modules; what they have in common besides their mathematics is `support`.

They need NumPy alone. `rnnproof generate NAME` writes the same module with its support inside, to be copied anywhere.
"""
