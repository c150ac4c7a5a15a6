"""What the no_refusal scanner knows of refusals."""
