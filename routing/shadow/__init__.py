"""A comparison of two entry points: the same requests to the old one and to this one, and what differs."""
