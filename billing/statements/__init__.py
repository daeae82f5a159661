"""What institutions are handed: statements, credit notes and adjustments, as pages and files."""
