"""What the router answers from its own knowledge: models, health."""
