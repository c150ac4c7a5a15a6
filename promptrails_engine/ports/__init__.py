"""What the core asks of adapters: one Protocol a port, and the plain data that passes through it."""
