"""Guards: what they do to a run, and what is known of them."""
