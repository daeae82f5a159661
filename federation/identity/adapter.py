"""What allauth asks of this project about services that vouch for people: which there are, and whom they let in."""

import base64
import binascii
from typing import Any

from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.httpkit import deserialize_request
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import Provider
from allauth.socialaccount.sessions import LoginSession
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import render
from django.utils.translation import get_language
from lxml import etree

from federation.identity.claims import Doubt
from federation.identity.enums import Protocol
from federation.identity.models import SignInService
from federation.identity.operations import service_secret
from federation.identity.places import doubt_about, service_named
from federation.identity.saml.views import FEDERATION, our_entity_id
from federation.identity.sessions import GuardedSession
from federation.identity.words import doubt_in_words
from federation.people.models import User
from federation.people.operations import note_sign_up

SAML, OIDC = "saml", "openid_connect"
LONGEST_ANSWER = 256 * 1024
"""Of a SAML answer in base 64; allauth keeps it in a session until the browser comes back."""
_ISSUER = "{urn:oasis:names:tc:SAML:2.0:assertion}Issuer"
_PROCONNECT_ASKS = ["openid", "given_name", "usual_name", "email", "uid", "siret", "idp_id"]


class SocialAdapter(DefaultSocialAccountAdapter):
    """Services are the register's rows; allauth's own table of apps stays empty."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Return the one service that is meant. Of SAML that is whom the browser was sent to, or who answers."""
        if provider == SAML and client_id == FEDERATION:
            found = _service(service_id=_entity_asked(request), protocol=Protocol.SAML)
            return [saml_app(found)] if found else []
        if not provider or provider == SAML:
            return []
        found = _service(slug=provider) or _service(service_id=provider)
        if found is None:
            return []
        return [saml_app(found) if found.protocol == Protocol.SAML else oidc_app(found)]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse, with the reason and the way out, what is not the service's to say."""
        service = service_named(sociallogin.account.provider)
        claims = sociallogin.account.extra_data
        doubt = claims["doubt"] or doubt_about(service, claims)
        if not doubt and not sociallogin.is_existing and not sociallogin.email_addresses:
            doubt = Doubt.NO_EMAIL
        if doubt:
            told = doubt_in_words(Doubt(doubt), service)
            page = render(
                request, "identity/refused.html", {"service": service, **told}, status=403
            )
            raise ImmediateHttpResponse(page)

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]
    ) -> User:
        user: User = sociallogin.user
        user.email = (data.get("email") or "").strip().lower()
        user.name = data.get("name") or user.email.partition("@")[0]
        user.language = (get_language() or settings.LANGUAGE_CODE)[:2]
        return user

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        user: User = super().save_user(request, sociallogin, form)
        note_sign_up(user=user)
        return user

    def can_authenticate_by_email(self, login: SocialLogin, email: str) -> bool:
        """A service leads into an account that is there by an address of its own domains alone, which it knows.

        And only when the federation has said whose people it vouches for: any identity federation of the world
        may have written a domain into the metadata of a provider of its own.
        """
        if service_named(login.account.provider).institution_id is None:
            return False
        return any(
            isinstance(each, EmailAddress) and each.verified and each.email == email
            for each in login.email_addresses
        )

    def get_requests_session(self) -> GuardedSession:
        return GuardedSession()

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Provider,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """What was wrong is in the log; the page says what to do."""


def saml_app(service: SignInService) -> SocialApp:
    return SocialApp(
        provider=SAML,
        provider_id=service.service_id,
        client_id=FEDERATION,
        name=service.name[:40],
        settings={
            "idp": {
                "metadata_url": "register:",
                "entity_id": service.service_id,
                "sso_url": service.url,
                "certificates": service.certificates,
            },
            "sp": {"entity_id": our_entity_id()},
            "advanced": {"allow_single_label_domains": True},
            "scopes": service.scopes,
        },
    )


def oidc_app(service: SignInService) -> SocialApp:
    asks_for = ["openid", "profile", "email"]
    if service.protocol == Protocol.PROCONNECT:
        asks_for = _PROCONNECT_ASKS
    return SocialApp(
        provider=OIDC,
        provider_id=service.slug,
        client_id=service.client_id,
        secret=service_secret(service).reveal(),
        name=service.name[:40],
        settings={
            "server_url": service.url,
            "issuer": service.service_id,
            "scopes": service.scopes,
            "asks_for": asks_for,
            "oauth_pkce_enabled": True,
            "auth_params": {"acr_values": "eidas1"}
            if service.protocol == Protocol.PROCONNECT
            else {},
        },
    )


def _service(**which: Any) -> SignInService | None:
    return SignInService.objects.usable().filter(**which).exclude(service_id="").first()


def _entity_asked(request: HttpRequest) -> str:
    """Return which provider a request is about: the one that is chosen, or the one that says to have answered.

    What answers say is not believed here: their signature is then checked with that provider's certificates alone.
    """
    if chosen := request.GET.get("entityID") or request.GET.get("idp"):
        return str(chosen)
    kept = LoginSession(request, "saml_acs_session", "saml-acs-session").store.get("request")
    answered = deserialize_request(kept, HttpRequest()) if kept else request
    return _issuer_of(answered.POST.get("SAMLResponse", ""))


def _issuer_of(text: str) -> str:
    if not 0 < len(text) <= LONGEST_ANSWER:
        return ""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(base64.b64decode(text, validate=False), parser)
    except (binascii.Error, ValueError, etree.XMLSyntaxError):
        return ""
    return (root.findtext(_ISSUER) or "").strip()
