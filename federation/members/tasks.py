"""What the worker does for members by itself. Safe to run twice."""

from federation.members.operations import ballots


def close_due_ballots() -> None:
    """Count the ballots whose hour has come."""
    ballots.close_due_ballots()
