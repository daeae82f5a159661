"""Writes about servers, one verb per function: each checks its policy first and tells the journal last."""
