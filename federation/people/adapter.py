"""What allauth asks of this project: names, e-mails in the reader's language, who asks, sealed one-time secrets."""

import ipaddress
import time
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.core import context as current
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import MultiFernet
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language, gettext_lazy, override

from federation.people.enums import SERVICE_ACCOUNTS
from federation.people.factors import is_last_factor
from federation.people.language import remember_language
from federation.people.models import User
from federation.people.operations import note_sign_up
from federation.people.signup import SignupForm
from routing.upstream.credentials import load_keys


class AccountAdapter(DefaultAccountAdapter):
    """Anybody may open an account with an address that they prove to read; it gives no right by itself."""

    error_messages: ClassVar = {
        **DefaultAccountAdapter.error_messages,
        # By the windows of `login_failed` in the settings.
        "too_many_login_attempts": gettext_lazy(
            "Too many failed login attempts: try again in five minutes, or have a link to a new password sent."
        ),
    }

    def save_user(
        self, request: HttpRequest, user: User, form: SignupForm, commit: bool = True
    ) -> User:
        """Keep the name and the language with the account, tell the journal, and that a password was just chosen."""
        user.name = " ".join(form.cleaned_data["name"].split())
        user.language = (get_language() or settings.LANGUAGE_CODE)[:2]
        saved: User = super().save_user(request, user, form, commit)
        if commit:
            note_sign_up(user=saved)
            record_authentication(request, saved, method="password", email=saved.email)
        return saved

    def post_login(self, request: HttpRequest, user: User, **details: Any) -> HttpResponse:
        """Go on in the person's own language, whatever the sign-in page spoke."""
        response: HttpResponse = super().post_login(request, user, **details)
        remember_language(response, user.language)
        return response

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """A sign-in is an authentication as well: who has just given the password need not repeat it."""
        if not super().is_reauthentication_required(app=app, **kwargs):
            return False
        records = get_authentication_records(current.request, current.request.user)
        oldest = time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
        return not any(record["at"] > oldest for record in records)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Of an IPv4 address in IPv6's clothes, the former: all of these share one network, and are not one asker."""
        address = ipaddress.ip_address(super().get_client_ip(request))
        return str(getattr(address, "ipv4_mapped", None) or address)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count by account alone: the portal answers to several hosts, which must not multiply the attempts."""
        return str(credentials.get("email", "")).strip().lower()

    def send_mail(self, template_prefix: str, email: str, context: Mapping[str, Any]) -> None:
        """Write in the addressee's language, which need not be that of whoever caused the e-mail.

        At once, and not by way of the outbox: somebody waits for it before the screen, and who waits in vain asks for
        another one. A code or link that came hours later would open nothing any more.
        A program's account has an address that exists nowhere: nothing that opens it is ever sent.
        """
        if email.endswith(f"@{SERVICE_ACCOUNTS}"):
            return
        addressee = User.objects.filter(email__iexact=email).first()
        safe = {
            name: _at_public_address(value) if name.endswith("_url") else value
            for name, value in context.items()
        }
        with override(addressee.language if addressee else settings.LANGUAGE_CODE):
            super().send_mail(template_prefix, email, safe)


class MFAAdapter(DefaultMFAAdapter):
    """Keeps the secrets of one-time codes encrypted, and a last factor where a role demands one."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "cannot_delete_authenticator": gettext_lazy(
            "Your role demands a second factor, and this is the only one you have. Add another "
            "first, or replace the app: then this one may go."
        ),
    }

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        user: User = authenticator.user
        return not (user.needs_second_factor and is_last_factor(authenticator))

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys belong to the host; what devices show is the portal's name."""
        return {**super().get_public_key_credential_rp_entity(), "name": settings.SITE_NAME}

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def _cipher() -> MultiFernet:
    return MultiFernet(load_keys(settings.ENCRYPTION_KEY))


def _at_public_address(link: str) -> str:
    """Return a link of an e-mail on the portal's own address, whatever `Host` the request behind it named."""
    public = urlsplit(settings.PUBLIC_URL)
    return urlsplit(link)._replace(scheme=public.scheme, netloc=public.netloc).geturl()
