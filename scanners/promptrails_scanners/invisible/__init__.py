"""Characters that are drawn as nothing, or that hide others, and where they have their use."""
