"""What a text is about: words of a subject, and texts like the ones that were given."""
