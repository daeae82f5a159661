"""The peers' policies, written from their sources with their defaults. None of their code is copied."""
