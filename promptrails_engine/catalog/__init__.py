"""Definitions in the store: making, finding and promoting versions of prompts and agents."""
