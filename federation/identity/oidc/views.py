"""allauth's OpenID Connect views, with answers about people that are signed (ProConnect) read as they are."""

import logging
from typing import Any, cast

from allauth.account.internal.decorators import login_not_required
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import Http404, HttpRequest, HttpResponse
from requests import RequestException

SIGNED = "application/jwt"
logger = logging.getLogger(__name__)


class OidcAdapter(OpenIDConnectOAuth2Adapter):
    @property
    def openid_config(self) -> dict[str, Any]:
        """What the provider says of itself: under the name by which the federation knows it, and no other."""
        told: dict[str, Any] = super().openid_config
        if told.get("issuer") != self.get_provider().app.settings["issuer"]:
            raise OAuth2Error("the issuer is another one than was set up")
        return told

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any
    ) -> Any:
        """What userinfo says is of the person that the id token names, or nothing is believed (OIDC Core 5.3.2)."""
        id_token = self._decode_id_token(app, kwargs["response"].get("id_token") or "")
        userinfo = self._fetch_user_info(token.token)
        if not id_token.get("sub") or userinfo.get("sub") != id_token["sub"]:
            raise OAuth2Error("userinfo is of somebody else")
        data = {"userinfo": userinfo, "id_token": id_token}
        return self.get_provider().sociallogin_from_response(request, data)

    def _fetch_user_info(self, access_token: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {access_token}"}
        with get_adapter().get_requests_session() as session:
            answer = session.get(self.profile_url, headers=headers)
            answer.raise_for_status()
        if answer.headers.get("content-type", "").partition(";")[0].strip() != SIGNED:
            found: dict[str, Any] = answer.json()
            return found
        return self._believed(answer.text)

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        """Always by its signature: the way to the provider is guarded, and still not the provider's word."""
        return self._believed(id_token)

    def _believed(self, text: str) -> dict[str, Any]:
        """Return what a signed text says. Raises `OAuth2Error` on one that is not the provider's, for us, and now."""
        try:
            told: dict[str, Any] = jwtkit.verify_and_decode(
                credential=text,
                keys_url=self.openid_config["jwks_uri"],
                issuer=self.openid_config["issuer"],
                audience=self.get_provider().app.client_id,
                lookup_kid=jwtkit.lookup_kid_jwk,
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise OAuth2Error("a signed answer lacks what it must have") from fault
        return told


@login_not_required
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    return _view(OAuth2LoginView, request, provider_id)


@login_not_required
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    return _view(OAuth2CallbackView, request, provider_id)


def _view(kind: Any, request: HttpRequest, provider_id: str) -> HttpResponse:
    adapter = OidcAdapter(request, provider_id)
    try:
        answer: HttpResponse = kind.adapter_view(adapter)(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except (OAuth2Error, RequestException) as trouble:
        logger.warning("%s cannot be asked: %s", provider_id, trouble)
        return cast(HttpResponse, render_authentication_error(request, adapter.get_provider()))
    return answer
