"""Measurements of speed and of scheduling. Nothing of the product imports this."""
