"""Executions that nobody runs: taken up here, one by one or by a worker."""
