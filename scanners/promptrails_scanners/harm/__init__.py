"""What the harmful scanner knows: acts and their objects by category, and contexts in which they are harmless."""
