"""From a request to the person behind it, for whoever needs an actor; and whether it is still that person."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import (
    get_reauthentication_flows,
    is_reauthentication_required,
)
from allauth.account.utils import perform_login
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from federation.people.models import User

View = Callable[..., HttpResponse]


def signed_in(request: HttpRequest) -> User:
    """Return the person signed in. Raises `PermissionDenied` for a visitor."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def must_confirm(request: HttpRequest) -> bool:
    """Whether the last sign-in or confirmation is older than `ACCOUNT_REAUTHENTICATION_TIMEOUT`."""
    if _confirms_elsewhere(request):  # allauth would not ask whom it cannot ask
        return bool(get_adapter().is_reauthentication_required(app="federation.people"))
    return bool(is_reauthentication_required(request, app="federation.people"))


def _confirms_elsewhere(request: HttpRequest) -> bool:
    """Whether somebody has neither a password nor a second factor here: their institution knows them."""
    return request.user.is_authenticated and not get_reauthentication_flows(request.user)


def confirm_first(request: HttpRequest, page: str) -> HttpResponse:
    """Ask for password or second factor, then lead to `page`. What was typed is not kept: it may be a secret."""
    if request.method == "POST":
        messages.info(request, _("Confirm that it is you, then do it once more."))
    way = "sign_in_again" if _confirms_elsewhere(request) else "account_reauthenticate"
    return redirect(f"{reverse(way)}?{urlencode({'next': page})}")


def freshly_confirmed(view: View) -> View:
    """Close a page that decides over secrets or the federation to a session that was left open."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if must_confirm(request):
            return confirm_first(request, request.get_full_path())
        return view(request, *args, **kwargs)

    return guarded


def is_confirmed(request: HttpRequest, form: BaseForm) -> bool:
    """Say whether what `form` holds may be written; otherwise it says what to do first, and keeps what was typed."""
    if not must_confirm(request):
        return True
    form.add_error(
        None,
        format_html(
            '{} <a href="{}" target="_blank" rel="noopener">{}</a>',
            _("This page was open for a while: confirm that it is you, then send it once more."),
            reverse("account_reauthenticate"),
            _("Confirm in another tab"),
        ),
    )
    return False


def sign_in(request: HttpRequest, user: User, *, then: str | None = None) -> HttpResponse:
    """Sign in somebody who has just chosen their password on the page behind `request`."""
    record_authentication(request, user, method="password", email=user.email)
    response: HttpResponse = perform_login(request, user, redirect_url=then)
    return response
