"""Pages about second factors that allauth does not have: why one is asked for, another app, a passkey that stays."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.webauthn.views import LoginWebAuthnView, RemoveWebAuthnView
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from federation.people.factors import FACTORS, what_is_missing
from federation.people.guards import signed_in
from federation.people.models import User
from federation.people.throttle import may_go_on, too_many

WANTED = "second_factor_next"
"""In the session: the page that was asked for before the factor was."""


@require_safe
@never_cache
@login_required
def second_factor(request: HttpRequest) -> HttpResponse:
    """Say why a factor is asked for and how to come by one; lead on to the page wanted once it was shown."""
    user = signed_in(request)
    if wanted := _safe(request, request.GET.get("next", "")):
        request.session[WANTED] = wanted
    missing = what_is_missing(user, request.session)
    if missing is None:
        return redirect(request.session.pop(WANTED, "home"))
    request.session.setdefault(WANTED, reverse("home"))
    kinds = Authenticator.objects.filter(user=user, type__in=FACTORS).values_list("type", flat=True)
    context = {"missing": missing.value, "kinds": set(kinds), "back": request.path}
    return render(request, "people/second_factor.html", context)


def _safe(request: HttpRequest, address: str) -> str:
    """Return the address if it is one of the portal's own, else nothing."""
    is_own = url_has_allowed_host_and_scheme(
        address, {request.get_host()}, require_https=request.is_secure()
    )
    return address if is_own else ""


@method_decorator(never_cache, name="dispatch")
@method_decorator(login_required, name="dispatch")
@method_decorator(reauthentication_required(app="allauth.mfa"), name="dispatch")
class ReplaceTOTPView(ActivateTOTPView):
    """Another telephone: the new app takes the place of the former one in a single step."""

    template_name = "mfa/totp/activate_form.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self._held(request).exists():
            return redirect("mfa_activate_totp")
        response: HttpResponse = super(ActivateTOTPView, self).dispatch(request, *args, **kwargs)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "replaces": True}

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            self._held(self.request).delete()
            response: HttpResponse = super().form_valid(form)
        return response

    def _held(self, request: HttpRequest) -> Any:
        return Authenticator.objects.filter(user=signed_in(request), type=Authenticator.Type.TOTP)


@method_decorator(reauthentication_required(app="allauth.mfa"), name="dispatch")
class RemovePasskeyView(RemoveWebAuthnView):
    """allauth asks whether an app may go, and not whether a passkey may."""

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            User.objects.select_for_update(no_key=True).get(pk=signed_in(self.request).pk)
            if not get_adapter().can_delete_authenticator(self.get_object()):
                return self._refuse(form)
            response: HttpResponse = super().form_valid(form)
        return response

    def _refuse(self, form: Any) -> HttpResponse:
        refusal: ValidationError = get_adapter().validation_error("cannot_delete_authenticator")
        form.add_error(None, refusal)
        response: HttpResponse = self.render_to_response(self.get_context_data(form=form))
        return response


class PasskeyLoginView(LoginWebAuthnView):
    """What a passkey answers is kept in a session: anybody may ask for one, but not as often as they like."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_go_on(request, "passkey_begun", counts_reading=True):
            return too_many(request)
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response


log_in_with_passkey = PasskeyLoginView.as_view()
replace_totp = ReplaceTOTPView.as_view()
remove_passkey = RemovePasskeyView.as_view()
