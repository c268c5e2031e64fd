"""The NumPy target: operations as text, statements, the module around them, and the validation of what was printed."""
