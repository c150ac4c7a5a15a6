"""What is known of models: limits, abilities and prices."""
