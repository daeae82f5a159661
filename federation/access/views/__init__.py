"""The pages about keys and applications."""
