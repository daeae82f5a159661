"""allauth's SAML for every provider of a federation at once: each is looked up in the register when it is asked."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from allauth.socialaccount.providers.saml.utils import build_auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from federation.identity.claims import PERSISTENT, UID_ATTRIBUTES, Claims, is_within, of_saml

NOBODY = "-"
"""For an answer that names nobody: it is refused before it becomes an account."""


class FederationProvider(SAMLProvider):
    """`app` is of one service (`adapter.saml_app`); its settings hold that one's scopes."""

    package = "federation.identity.saml"

    def extract_uid(self, data: Any) -> str:
        attributes = data.get_attributes()
        for name in UID_ATTRIBUTES:
            if values := attributes.get(name):
                return str(values[0])
        if data.get_nameid_format() == PERSISTENT and data.get_nameid():
            return str(data.get_nameid())
        return NOBODY

    def claims(self, data: Any) -> Claims:
        uid = self.extract_uid(data)
        scopes = self.app.settings["scopes"]
        return of_saml(data.get_attributes(), scopes, "" if uid == NOBODY else uid)

    def extract_extra_data(self, data: Any) -> dict[str, Any]:
        return self.claims(data).as_json()

    def extract_common_fields(self, data: Any) -> dict[str, Any]:
        claims = self.claims(data)
        return {"email": claims.email, "name": claims.name}

    def extract_email_addresses(self, data: Any) -> list[EmailAddress]:
        """Of its own domains a provider knows who reads an address; any other is proved by a code."""
        email = self.claims(data).email
        if not email:
            return []
        own = is_within(email.rpartition("@")[2], self.app.settings["scopes"])
        return [EmailAddress(email=email, verified=own, primary=True)]

    def redirect(
        self,
        request: HttpRequest,
        process: str,
        next_url: str | None = None,
        data: Any = None,
        **kwargs: Any,
    ) -> HttpResponse:
        """Ask the provider; who confirms that it is them is asked anew, whatever session they have there."""
        auth = build_auth(request, self)
        address = auth.login(return_to="", force_authn="again" in request.GET)
        state_id = auth.get_last_request_id()
        self.stash_redirect_state(request, process, next_url, data, state_id=state_id, **kwargs)
        return HttpResponseRedirect(address)


provider_classes = [FederationProvider]
