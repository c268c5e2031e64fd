"""A document written as Markdown, LaTeX, terminal text or HTML."""
