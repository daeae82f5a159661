"""Budgets: what counts, how they stand, who is told, who asks for more."""
