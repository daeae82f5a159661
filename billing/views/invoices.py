"""Who bills for the federation, what institutions say for their invoices, and issuing and reading one."""

from datetime import date

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.forms.invoices import InvoicingForm, IssuerForm
from billing.models import Invoice, Statement
from billing.operations.invoices import issue_invoice
from billing.policies import check_keep_accounts, check_tell_invoicing
from billing.views.statements import may_read
from federation.members.models import Institution
from federation.people.guards import freshly_confirmed, is_confirmed, signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def issuer(request: HttpRequest) -> HttpResponse:
    """To who keeps the accounts: an IBAN leads money somewhere, so that it is confirmed first."""
    user = signed_in(request)
    check_keep_accounts(user)
    form = IssuerForm(request.POST or None)
    is_sent = request.method == "POST" and form.is_valid() and is_confirmed(request, form)
    if is_sent and form.save(user):
        messages.success(request, _("Invoices are issued in this name from now on."))
        return redirect("issuer")
    return render(request, "billing/issuer.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def invoicing(request: HttpRequest, slug: str) -> HttpResponse:
    """What an institution says for the invoices that it receives."""
    user = signed_in(request)
    institution = get_object_or_404(Institution, slug=slug)
    if not may_read(user, institution):
        raise Http404
    check_tell_invoicing(user, institution)
    form = InvoicingForm(request.POST or None, institution=institution)
    if request.method == "POST" and form.is_valid() and form.save(user):
        messages.success(request, _("The next invoices say it."))
        return redirect("invoicing", slug)
    return render(request, "billing/invoicing.html", {"form": form, "institution": institution})


@require_POST
@login_required
@freshly_confirmed
def issue(request: HttpRequest, month: date, slug: str) -> HttpResponse:
    user = signed_in(request)
    statement = get_object_or_404(
        Statement.objects.for_user(user).select_related("institution", "period"),
        period__month=month,
        institution__slug=slug,
    )
    try:
        invoice = issue_invoice(by=user, statement=statement)
        messages.success(request, _("Invoice %(number)s is issued.") % {"number": invoice.number})
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    return redirect("statement", month, slug)


@require_safe
@login_required
def invoice_file(request: HttpRequest, month: date, slug: str) -> HttpResponse:
    """The invoice as it was issued: Factur-X, a PDF with its XML inside."""
    invoices = Invoice.objects.for_user(signed_in(request))
    invoice = get_object_or_404(
        invoices, statement__period__month=month, statement__institution__slug=slug
    )
    headers = {
        "Content-Disposition": f'attachment; filename="{invoice.number}_{slug}.pdf"',
        "Cache-Control": "no-store",
    }
    return HttpResponse(bytes(invoice.content), content_type="application/pdf", headers=headers)
