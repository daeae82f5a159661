"""What we tell federations of ourselves; and the one seam by which allauth learns a provider's several certificates."""

from typing import Any

from allauth.socialaccount.providers.saml import utils
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import override
from django.views.decorators.http import require_safe

from federation.identity.claims import (
    DISPLAY_NAME,
    ESTABLISHMENT,
    GIVEN_NAME,
    MAIL,
    SCOPED_AFFILIATION,
    SURNAME,
    UID_ATTRIBUTES,
)

FEDERATION = "fer"
"""Stands in addresses in the place of allauth's organisations: all providers share it."""
REQUESTED = {
    UID_ATTRIBUTES[0]: ("subject-id", False),
    UID_ATTRIBUTES[2]: ("eduPersonPrincipalName", False),
    MAIL: ("mail", True),
    DISPLAY_NAME: ("displayName", False),
    GIVEN_NAME: ("givenName", False),
    SURNAME: ("sn", False),
    SCOPED_AFFILIATION: ("eduPersonScopedAffiliation", True),
    ESTABLISHMENT: ("supannEtablissement", False),
}
"""Attributes that we ask for, with their usual names, and whether we need them."""


def our_entity_id() -> str:
    return f"{settings.PUBLIC_URL}{reverse('saml_metadata', args=[FEDERATION])}"


@require_safe
def our_metadata(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """Our description for a federation's registry: the same whatever host it is asked by."""
    if organization_slug != FEDERATION:
        raise Http404
    names = {}
    for language, _label in settings.LANGUAGES:
        with override(language):
            names[language] = settings.SITE_NAME
    context = {
        "entity_id": our_entity_id(),
        "answers": f"{settings.PUBLIC_URL}{reverse('saml_acs', args=[FEDERATION])}",
        "discovery": f"{settings.PUBLIC_URL}{reverse('sign_in')}",
        "names": names,
        "public_url": settings.PUBLIC_URL,
        "requested": REQUESTED,
    }
    return render(
        request, "identity/metadata.xml", context, content_type="application/samlmetadata+xml"
    )


def no_logout(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """Who signs out here stays signed in at their institution: that is theirs."""
    raise Http404


def _as_read(idp: dict[str, Any]) -> dict[str, Any]:
    """Return what the register knows of a provider, as allauth keeps metadata that it has fetched."""
    return {
        "idp": {
            "entityId": idp["entity_id"],
            "x509certMulti": {"signing": idp["certificates"]},
            "singleSignOnService": {"url": idp["sso_url"]},
        }
    }


# A provider that changes its key has two certificates for a while; allauth takes one, unless it reads metadata itself.
utils.fetch_metadata_url_config = _as_read
