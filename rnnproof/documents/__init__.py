"""What pages are made of: blocks, messages in two languages, and the writers for Markdown, LaTeX and the terminal."""
