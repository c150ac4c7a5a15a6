"""How a long list of literal terms is looked for in one pass over a text."""
