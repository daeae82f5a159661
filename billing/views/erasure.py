"""The page on which somebody has their account erased."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from billing.forms.erasure import ErasureForm
from billing.operations.erasure import erase_person
from federation.access.policies import check_erase
from federation.members.forms import tell_refusal
from federation.people.guards import freshly_confirmed, signed_in
from federation.people.models import User


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
@freshly_confirmed
def erase(request: HttpRequest) -> HttpResponse:
    """Say what goes and what stays, ask for the address, then erase and sign out."""
    user = signed_in(request)
    form = ErasureForm(request.POST or None, email=user.email)
    if request.method == "POST" and form.is_valid():
        try:
            erase_person(by=user, user=user)
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            logout(request)
            messages.success(
                request, _("Your account is erased. Nobody can sign in with it any more.")
            )
            return redirect("home")
    context = {"form": form, "obstacles": _obstacles(user), "months": settings.RETENTION_MONTHS}
    return render(request, "billing/erase.html", context)


def _obstacles(user: User) -> list[tuple[str, str]]:
    """Return what has to be done first, each a kind of obstacle and the sentence about it."""
    try:
        check_erase(user, user)
    except ValidationError as refusal:
        return [(each.code or "", each.messages[0]) for each in refusal.error_list]
    return []
