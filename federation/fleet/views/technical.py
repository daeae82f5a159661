"""The technical form: begun, gone on with, handed in, changed later."""

from collections.abc import Mapping
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from federation.fleet.forms.declaration import Declaration
from federation.fleet.hints import firewall_hint, listed_ports
from federation.fleet.models import InferenceServer, TechnicalForm
from federation.fleet.operations.technical import discard_draft
from federation.fleet.policies import check_edit_form, check_fill_form
from federation.fleet.queries import drafts_of, lending_institutions
from federation.members.models import Institution
from federation.people.guards import confirm_first, is_confirmed, must_confirm, signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_server(request: HttpRequest) -> HttpResponse:
    """An empty form for one of the institutions whose servers one may offer, and the drafts that are kept."""
    user = signed_in(request)
    institutions = list(lending_institutions(user))
    if not institutions:
        raise PermissionDenied
    chosen = request.POST.get("institution") or request.GET.get("institution", "")
    named = [each for each in institutions if str(each.pk) == chosen] if chosen else institutions
    if not named:
        raise PermissionDenied
    institution = named[0]
    check_fill_form(user, institution)
    declaration = Declaration(
        request.POST if request.method == "POST" else None, by=user, institution=institution
    )
    if (answer := _written(request, declaration)) is not None:
        return answer
    context = {
        "institutions": institutions if len(institutions) > 1 else (),
        "drafts": drafts_of(user) if request.method != "POST" else (),
    }
    return _page(request, declaration, institution, context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def technical_form(request: HttpRequest, form_id: UUID) -> HttpResponse:
    """A form that is there: a draft to go on with, or what was declared of a server."""
    user = signed_in(request)
    visible = TechnicalForm.objects.for_user(user).select_related("institution", "server", "model")
    form = get_object_or_404(visible, pk=form_id)
    check_edit_form(user, form)
    if request.method != "POST" and form.server is not None and must_confirm(request):
        return confirm_first(request, request.get_full_path())
    declaration = Declaration(
        request.POST if request.method == "POST" else None,
        by=user,
        institution=form.institution,
        form=form,
    )
    if (answer := _written(request, declaration)) is not None:
        return answer
    return _page(request, declaration, form.institution, {})


@require_POST
@login_required
def discard(request: HttpRequest, form_id: UUID) -> HttpResponse:
    """Throw a draft away."""
    user = signed_in(request)
    form = get_object_or_404(TechnicalForm.objects.for_user(user), pk=form_id)
    try:
        discard_draft(by=user, form=form)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    else:
        messages.success(request, _("The draft is thrown away."))
    return redirect("new_server")


def _written(request: HttpRequest, declaration: Declaration) -> HttpResponse | None:
    """Return where to go once the form is written, None when it is to be shown."""
    if request.method != "POST" or not declaration.is_valid():
        return None
    if declaration.has_server and not is_confirmed(request, declaration.form):
        return None
    match declaration.save():
        case TechnicalForm() as draft:
            messages.success(request, _("The draft is kept. You can go on with it at any time."))
            return redirect("technical_form", draft.pk)
        case InferenceServer() as server:
            return redirect("server_report", server.pk)
    return None


def _page(
    request: HttpRequest,
    declaration: Declaration,
    institution: Institution,
    context: Mapping[str, object],
) -> HttpResponse:
    row = declaration.row
    whole = {
        "declaration": declaration,
        "form": declaration.form,
        "row": row,
        "number": declaration.seen or (row.number if row else None),
        "institution": institution,
        "firewall_hint": firewall_hint(),
        "listed_ports": listed_ports(),
        **context,
    }
    return render(request, "fleet/technical_form.html", whole)
