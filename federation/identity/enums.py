"""What a sign-in service may be, and which of an institution's people come in by it."""

from django.db import models


class Protocol(models.TextChoices):
    SAML = "saml", "SAML"
    OIDC = "oidc", "OpenID Connect"
    PROCONNECT = "proconnect", "ProConnect"


STAFF = frozenset({"employee", "faculty", "staff", "researcher", "teacher", "emeritus"})
STUDENT = "student"
"""Of eduPersonAffiliation and Supann: who works at an institution, and who studies there."""
