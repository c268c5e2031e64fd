"""HTML pages that need no network: one file each, with their styles, pictures and formulas inside."""
