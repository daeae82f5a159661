"""allauth's OpenID Connect: what is believed of an answer, and what is kept of it."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider

from federation.identity.claims import Claims, is_within, of_oidc
from federation.identity.oidc.views import OidcAdapter


class OidcProvider(OpenIDConnectProvider):
    """`app` is of one service (`adapter.oidc_app`)."""

    package = "federation.identity.oidc"
    oauth2_adapter_class = OidcAdapter

    def get_default_scope(self) -> list[str]:
        return list(self.app.settings["asks_for"])

    def get_auth_params(self) -> dict[str, str]:
        params: dict[str, str] = super().get_auth_params()
        if "again" in self.request.GET:
            params["prompt"] = "login"
        return params

    def claims(self, data: Any) -> Claims:
        return of_oidc({**(data.get("id_token") or {}), **(data.get("userinfo") or {})})

    def extract_extra_data(self, data: Any) -> dict[str, Any]:
        return self.claims(data).as_json()

    def extract_common_fields(self, data: Any) -> dict[str, Any]:
        claims = self.claims(data)
        return {"email": claims.email, "name": claims.name}

    def extract_email_addresses(self, data: Any) -> list[EmailAddress]:
        """Verified only within the domains that the federation has given the service."""
        email = self.claims(data).email
        if not email:
            return []
        told = {**(data.get("id_token") or {}), **(data.get("userinfo") or {})}
        own = is_within(email.rpartition("@")[2], self.app.settings["scopes"])
        is_verified = own and told.get("email_verified", True) is True
        return [EmailAddress(email=email, verified=is_verified, primary=True)]


provider_classes = [OidcProvider]
