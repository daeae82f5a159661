"""Agreements: download, upload the signed copy, countersign, send back."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from federation.members.enums import AgreementState
from federation.members.forms import tell_refusal
from federation.members.forms.committee import ReasonForm, SignatureForm, UploadForm
from federation.members.models import Agreement, StoredFile
from federation.members.operations.agreements import (
    countersign_agreement,
    send_back_agreement,
    sign_agreement,
)
from federation.members.policies import check_countersign, check_sign
from federation.people.guards import signed_in


@require_safe
@login_required
@never_cache
def download(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A file as an attachment: whatever it holds, no browser opens it on this site."""
    file = get_object_or_404(StoredFile.objects.for_user(signed_in(request)), pk=pk)
    response = HttpResponse(bytes(file.content), content_type="application/pdf")
    disposition = content_disposition_header(as_attachment=True, filename=file.name)
    response.headers["Content-Disposition"] = disposition or "attachment"
    response.headers["Content-Security-Policy"] = "sandbox"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def sign(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Hand in the signed copy; the form stands on the candidacy's page, and here when it was refused."""
    user, agreement = signed_in(request), _seen(request, pk)
    check_sign(user, agreement)
    if agreement.state != AgreementState.DRAWN_UP:
        messages.info(
            request, _("A signed copy is in. To replace it, ask the federation to send it back.")
        )
        return redirect("candidacy", agreement.membership.candidacy.pk)
    form = SignatureForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            sign_agreement(
                by=user,
                agreement=agreement,
                upload=form.cleaned_data["file"],
                signatory=form.cleaned_data["signatory"],
                signatory_function=form.cleaned_data["signatory_function"],
            )
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            messages.success(request, _("The signed agreement is with the federation."))
            return redirect("candidacy", agreement.membership.candidacy.pk)
    return render(request, "members/sign.html", {"form": form, "agreement": agreement})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def countersign(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Hand in the copy with both signatures."""
    user, agreement = signed_in(request), _seen(request, pk)
    check_countersign(user, agreement)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            countersign_agreement(by=user, agreement=agreement, upload=form.cleaned_data["file"])
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            messages.success(request, _("The agreement bears both signatures."))
            return redirect("member", agreement.membership_id)
    return render(request, "members/countersign.html", {"form": form, "agreement": agreement})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def send_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for another signed copy, with the reason."""
    user, agreement = signed_in(request), _seen(request, pk)
    check_countersign(user, agreement)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            send_back_agreement(by=user, agreement=agreement, remark=form.cleaned_data["reason"])
        except ValidationError as refusal:
            tell_refusal(form, refusal)
        else:
            messages.success(request, _("The applicant is asked for another signed copy."))
            return redirect("member", agreement.membership_id)
    return render(request, "members/send_back.html", {"form": form, "agreement": agreement})


def _seen(request: HttpRequest, pk: UUID) -> Agreement:
    visible = Agreement.objects.for_user(signed_in(request)).live()
    return get_object_or_404(
        visible.select_related("membership__institution", "membership__candidacy"), pk=pk
    )
