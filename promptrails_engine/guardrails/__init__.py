"""Scanners by name, and the guards that are made of them."""
