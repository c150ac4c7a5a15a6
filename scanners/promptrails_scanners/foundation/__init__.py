"""What the scanners share: views of a text, places in it, options, small models."""
