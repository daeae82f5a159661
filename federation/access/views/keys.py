"""My keys: list, make, change, limit, replace, revoke. A key's text is only ever in one answer."""

from itertools import groupby
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from federation.access.clients import VARIABLE, client_files
from federation.access.enums import ENDPOINT_LABELS, TOLD_LABELS, in_words
from federation.access.forms import KeyForm
from federation.access.limit_forms import LimitsForm
from federation.access.models import ApiKey, scope_of
from federation.access.offer import Usable, first_way, usable_models
from federation.access.operations import revoke_key
from federation.access.policies import check_manage_application, check_set_limit
from federation.access.queries import (
    can_manage_application,
    can_set_limit,
    issuing_institutions,
    keys_to_list,
    overseen_institutions,
    suspended_institutions,
)
from federation.access.snippets import base_url, snippets
from federation.access.upkeep_forms import KeyChangeForm, ReplacementForm, RevocationForm
from federation.catalogue.models import AIModel
from federation.members.queries import has_accepted_charter
from federation.people.guards import signed_in
from routing.core.enums import Endpoint
from routing.upstream.credentials import Secret

PAGE = 50
LONGEST_ANSWER = 200
"""Tokens of the answer to a question that is asked from the page of a new key."""


@require_safe
@login_required
def keys(request: HttpRequest) -> HttpResponse:
    """The keys one may see, by application: those in use, or with `?ended` those that are over."""
    user, ended = signed_in(request), "ended" in request.GET
    listed = keys_to_list(user)
    usable = listed.usable()
    shown = listed.exclude(pk__in=usable.values("pk")) if ended else usable
    page = Paginator(shown, PAGE).get_page(request.GET.get("page"))
    groups = [
        (application, can_manage_application(user, application), list(group))
        for application, group in groupby(page, key=lambda key: key.application)
    ]
    context = {
        "groups": groups,
        "page": page,
        "ended": ended,
        "may_issue": bool(issuing_institutions(user)),
        "oversees": bool(overseen_institutions(user)),
        "suspended": suspended_institutions(user),
    }
    return render(request, "access/keys.html", context)


@require_safe
@login_required
def key_page(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """All that is known of a key, with calls and configuration files that leave a place for its text."""
    user = signed_in(request)
    key = get_object_or_404(keys_to_list(user), pk=key_id)
    models = usable_models(key)
    context = {
        "key": key,
        "may_manage": can_manage_application(user, key.application),
        "successor": key.successors.usable().first(),
        "endpoints": [ENDPOINT_LABELS.get(each, each) for each in key.endpoints],
        "data_class": in_words(key.labels),
        "tells": [TOLD_LABELS.get(each, each) for each in key.tells],
        "tried": AIModel.objects.filter(trials__in=key.trials.in_force()),
        **_to_use(models, _("YOUR_KEY"), ""),
    }
    return render(request, "access/key.html", context)


@require_safe
@login_required
def client_file(request: HttpRequest, key_id: UUID, client: str) -> HttpResponse:
    """A configuration file to save. Only a page that has just made a key knows its text: here its place is empty."""
    key = get_object_or_404(ApiKey.objects.for_user(signed_in(request)), pk=key_id)
    found = next((file for file in client_files(usable_models(key)) if file.client == client), None)
    if found is None:
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{found.name}"'}
    return HttpResponse(found.code, content_type="text/plain; charset=utf-8", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def new_key(request: HttpRequest) -> HttpResponse:
    """The form; the answer to it is the only page that ever shows the key, so it is kept nowhere."""
    user = signed_in(request)
    form = KeyForm(request.POST or None, by=user)
    if form.may_issue and not has_accepted_charter(user):
        return redirect(f"{reverse('charter')}?next={request.path}")
    if request.method == "POST" and not form.may_issue:
        raise PermissionDenied
    if request.method == "POST" and form.is_valid() and (made := form.issue()):
        return _shown_once(request, *made)
    context = {"form": form, "suspended": suspended_institutions(user)}
    return render(request, "access/new_key.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """Say anew how a key is served; its text stays, so that no software has to be touched."""
    user = signed_in(request)
    key = get_object_or_404(keys_to_list(user), pk=key_id)
    check_manage_application(user, key.application)
    form = KeyChangeForm(request.POST or None, by=user, key=key)
    if request.method == "POST" and form.is_valid() and form.change():
        messages.success(request, _("The key is changed. Routers go by it within a second."))
        return redirect("key", key_id)
    return render(request, "access/change.html", {"key": key, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def replace(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """A new key in the place of one, which works for a while yet; the answer alone shows the new one."""
    user = signed_in(request)
    key = get_object_or_404(keys_to_list(user), pk=key_id)
    check_manage_application(user, key.application)
    form = ReplacementForm(request.POST or None, by=user, key=key)
    if request.method == "POST" and form.is_valid() and (made := form.replace()):
        return _shown_once(request, *made)
    return render(request, "access/replace.html", {"key": key, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def revoke(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """Ask for the reason, then end the key for good."""
    user = signed_in(request)
    visible = ApiKey.objects.for_user(user).select_related(
        "application__institution", "application__owner"
    )
    key = get_object_or_404(visible, pk=key_id)
    check_manage_application(user, key.application)
    form = RevocationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            revoke_key(by=user, key=key, reason=form.cleaned_data["reason"])
        except ValidationError as refusal:
            form.add_error(None, refusal.messages)
        else:
            messages.success(request, _("The key “%(key)s” is revoked.") % {"key": key.name})
            return redirect("keys")
    return render(request, "access/revoke.html", {"key": key, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def limits(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """What bounds a key: its own limits and those that it shares; a form for each that one may set."""
    user = signed_in(request)
    visible = ApiKey.objects.for_user(user).select_related("application__institution")
    key = get_object_or_404(visible, pk=key_id)
    owners = (key, key.application, key.application.institution)
    sent = request.POST.get("of")
    forms = [
        LimitsForm(request.POST if scope_of(owner) == sent else None, by=user, owner=owner)
        for owner in owners
    ]
    changed = next((form for form in forms if form.is_bound), None)
    if changed is not None:
        check_set_limit(user, changed.owner)
        if changed.is_valid():
            with transaction.atomic():
                changed.save()
            messages.success(request, _("The limits are set. Routers go by them within a second."))
            return redirect("key_limits", key_id)
    context = {
        "key": key,
        "forms": [(form, can_set_limit(user, form.owner)) for form in forms],
        "changed": changed,
    }
    return render(request, "access/limits.html", context)


def _shown_once(request: HttpRequest, key: ApiKey, secret: Secret) -> HttpResponse:
    text = secret.reveal()
    models = usable_models(key)
    way = first_way(models)
    context = {
        "key": key,
        "text": text,
        "talks": way is not None and way[1] is Endpoint.CHAT,
        "longest_answer": LONGEST_ANSWER,
        **_to_use(models, text, text),
    }
    return render(request, "access/key_made.html", context)


def _to_use(models: list[Usable], in_calls: str, in_files: str) -> dict[str, object]:
    """Return what a page shows to use a key by, whose text stands in calls and in files as is said."""
    model, endpoint = first_way(models) or (None, None)
    return {
        "base_url": base_url(),
        "model": model,
        "has_models": bool(models),
        "snippets": snippets(model.slug, endpoint, in_calls) if model and endpoint else [],
        "files": client_files(models, in_files),
        "variable": VARIABLE,
    }
