"""Pages to read, one file per page. A view fetches, calls, renders: no rule, no arithmetic."""
