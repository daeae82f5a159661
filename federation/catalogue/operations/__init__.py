"""Every write of the catalogue, by what it is about."""
