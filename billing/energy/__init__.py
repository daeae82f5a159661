"""Measured energy: windows of meters, shared out among the requests that they were used for."""
