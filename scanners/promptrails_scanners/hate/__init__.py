"""What the toxicity and bias scanners know of words: insults, threats, groups of people."""
