"""All keys of an institution, for its IT department: found by what they are, and revoked several at a time."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from federation.access.keyring import revoke_keys
from federation.access.queries import can_revoke_all, found_keys, overseen_institutions
from federation.access.upkeep_forms import KeySearchForm, RevocationForm
from federation.members.models import Institution
from federation.people.guards import signed_in
from federation.people.models import User

PAGE = 100


@require_http_methods(["GET", "HEAD"])
@login_required
def institutions(request: HttpRequest) -> HttpResponse:
    """Go to the keys of the institution that one oversees, or of the one that is chosen."""
    overseen = overseen_institutions(signed_in(request))
    if not overseen:
        raise PermissionDenied
    slugs = {one.slug for one in overseen}
    asked = request.GET.get("institution", "")
    return redirect("institution_keys", asked if asked in slugs else overseen[0].slug)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def institution_keys(request: HttpRequest, slug: str) -> HttpResponse:
    """The list, with what narrows it, and the form that revokes those that are ticked."""
    user = signed_in(request)
    overseen = overseen_institutions(user)
    known = Institution.objects.filter(pk__in=[one.pk for one in overseen])
    institution = get_object_or_404(known, slug=slug)
    search = KeySearchForm(request.GET)
    narrowed = search.cleaned_data if search.is_valid() else {}
    keys = found_keys(user, institution, narrowed.get("text", ""), narrowed.get("state", ""))
    revocation = RevocationForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and _revoke(request, user, institution, revocation):
        return redirect(request.get_full_path())
    context = {
        "institution": institution,
        "institutions": overseen,
        "search": search,
        "revocation": revocation,
        "page": Paginator(keys, PAGE).get_page(request.GET.get("page")),
        "may_revoke": can_revoke_all(user, institution),
        "query": request.GET.urlencode(),
    }
    return render(request, "access/institution.html", context)


def _revoke(
    request: HttpRequest, user: User, institution: Institution, form: RevocationForm
) -> bool:
    """Revoke what is ticked; whether that was done. What is not this institution's is passed over."""
    ticked = {pk for text in request.POST.getlist("key")[:PAGE] if (pk := _id(text))}
    if not form.is_valid():
        return False
    try:
        ended = revoke_keys(
            by=user, institution=institution, key_ids=ticked, reason=form.cleaned_data["reason"]
        )
    except ValidationError as refusal:
        form.add_error(None, refusal.messages)
        return False
    told = ngettext("%(count)s key is revoked.", "%(count)s keys are revoked.", len(ended))
    messages.success(request, told % {"count": len(ended)})
    return True


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
