"""SAML of a whole federation: one entity, one address for answers, whoever vouches."""
