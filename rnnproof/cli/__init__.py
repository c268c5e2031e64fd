"""The command line: `rnnproof COMMAND`, see `main`."""
