"""Larger models instead of the small ones: classifiers and sentence models from folders, and models that are asked."""
