"""What links look like: finding them in a text, who is behind them, and what speaks for harm."""
