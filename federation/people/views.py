"""Pages about one's own account that allauth does not have: the first administrator's, and the language."""

from allauth.account.utils import perform_login
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
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
    """Open the first administrator's account by its one-time link, and sign in."""
    if not first_admin_link_is_usable(token):
        return render(request, "people/first_admin_gone.html", status=404)
    form = FirstAdminForm(request.POST or None)
    user = form.claim(token) if form.is_valid() else None
    if user:
        response: HttpResponse = perform_login(request, user)
        messages.warning(
            request, _("Protect this account next: it decides for the whole federation.")
        )
        return response
    return render(request, "people/first_admin.html", {"form": form})


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Speak another language in this browser, and to this person from now on."""
    language = request.POST.get("language", "")
    user = request.user
    if isinstance(user, User) and language in Language.values and language != user.language:
        keep_language(by=user, language=language)
    return set_language(request)
