"""Every place in the register where something is sealed with `ENCRYPTION_KEY`, so that the key can be changed.

A test looks through all models: a new sealed column needs its line here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from django.db import models

from federation.fleet.models import (
    ClientCertificate,
    ConformityRun,
    TechnicalForm,
    UpstreamCredential,
)
from federation.identity.models import SignInService
from federation.people.models import Mail

Change = Callable[[str], str]


@dataclass(frozen=True)
class SealedPlace:
    """A kind of row with sealed texts. `changed` returns the fields to save once each text went through `change`."""

    name: str
    model: type[models.Model]
    fields: tuple[str, ...]
    changed: Callable[[models.Model, Change], Mapping[str, object]]


def column(name: str, model: type[models.Model], field: str) -> SealedPlace:
    """A column that holds one sealed text, or nothing."""

    def changed(row: models.Model, change: Change) -> Mapping[str, object]:
        text = getattr(row, field)
        return {field: change(text)} if text else {}

    return SealedPlace(name, model, (field,), changed)


def _secrets_of(row: models.Model, change: Change) -> Mapping[str, object]:
    """Authenticators keep theirs inside JSON: an app's secret, the seed of recovery codes. Passkeys have none."""
    data = getattr(row, "data")  # noqa: B009  # allauth publishes no types
    sealed = {name: change(data[name]) for name in ("secret", "seed") if name in data}
    return {"data": {**data, **sealed}} if sealed else {}


PLACES = (
    column("servers' access keys", UpstreamCredential, "ciphertext"),
    column("access keys in drafts", TechnicalForm, "sealed_key"),
    column("access keys that are being tried", ConformityRun, "sealed_key"),
    column("client certificates' keys", ClientCertificate, "ciphertext"),
    column("client certificates' keys in drafts", TechnicalForm, "sealed_client_key"),
    column("e-mails that wait", Mail, "sealed"),
    column("sign-in services' secrets", SignInService, "sealed_secret"),
    SealedPlace("second factors", Authenticator, ("data",), _secrets_of),
)
