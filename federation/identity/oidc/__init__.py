"""OpenID Connect, with ProConnect's signed answers about people."""
