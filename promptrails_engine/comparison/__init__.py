"""Two executions, step by step: where they part, and what differs there."""
