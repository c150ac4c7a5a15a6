"""Which language a text is in: by its script where that settles it, else by its runs of letters."""
