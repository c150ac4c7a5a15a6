"""What the scanners of personal data share: recognisers, labels, the tagger of names, vaults."""
