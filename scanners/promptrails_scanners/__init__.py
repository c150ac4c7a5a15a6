"""Scanners of promptrails-engine."""
