"""The demonstration federation: the seed's institutions, servers and models, and some 60 days of usage."""
