"""Pages about one's own account that allauth does not have: the first administrator's, and the language."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language

from federation.people.enums import Language
from federation.people.forms import FirstAdminForm
from federation.people.guards import sign_in
from federation.people.models import User
from federation.people.operations import choose_language as keep_language
from federation.people.queries import first_admin_link_is_usable
from federation.people.throttle import may_go_on, too_many


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def first_admin(request: HttpRequest, token: str) -> HttpResponse:
    """Open the first administrator's account by its one-time link, sign in, and go on to its second factor."""
    if not may_go_on(request, "first_admin"):
        return too_many(request)
    if not first_admin_link_is_usable(token):
        return render(request, "people/first_admin_gone.html", status=404)
    form = FirstAdminForm(request.POST or None)
    user = form.claim(token) if form.is_valid() else None
    if user:
        return sign_in(request, user, then=reverse("second_factor"))
    return render(request, "people/first_admin.html", {"form": form})


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Speak another language in this browser, and to this person from now on."""
    language = request.POST.get("language", "")
    user = request.user
    if isinstance(user, User) and language in Language.values and language != user.language:
        keep_language(by=user, language=language)
    return set_language(request)
