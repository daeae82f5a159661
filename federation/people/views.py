"""Pages about one's own account that allauth does not have: the first administrator's, and the language."""

from allauth.account.forms import LoginForm
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language

from federation.people.enums import Language
from federation.people.forms import FirstAdminForm
from federation.people.models import User
from federation.people.operations import choose_language as keep_language
from federation.people.queries import first_admin_link_is_usable


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def first_admin(request: HttpRequest, token: str) -> HttpResponse:
    """Open the first administrator's account by its one-time link, and go on to protect it."""
    if not first_admin_link_is_usable(token):
        return render(request, "people/first_admin_gone.html", status=404)
    form = FirstAdminForm(request.POST or None)
    if form.is_valid() and form.claim(token):
        return _sign_in(request, form.cleaned_data["email"], form.cleaned_data["password"])
    return render(request, "people/first_admin.html", {"form": form})


def _sign_in(request: HttpRequest, email: str, password: str) -> HttpResponse:
    """Sign in as the sign-in page does, so that turning on one-time codes asks for no password again."""
    form = LoginForm({"login": email, "password": password}, request=request)
    if not form.is_valid():
        raise RuntimeError("an account that was opened this moment cannot sign in")
    response: HttpResponse = form.login(request, redirect_url=reverse("mfa_activate_totp"))
    messages.info(
        request, _("Your account is open. Protect it now: it decides for the federation.")
    )
    return response


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Speak another language in this browser, and to this person from now on."""
    language = request.POST.get("language", "")
    user = request.user
    if isinstance(user, User) and language in Language.values and language != user.language:
        keep_language(by=user, language=language)
    return set_language(request)
