"""What the prompt_injection scanner knows of attacks: phrases, and instructions inside documents."""
