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
from billing.models import Invoice, Note, Statement
from billing.operations.invoices import issue_invoice
from billing.policies import check_keep_accounts, check_tell_invoicing
from billing.views.files import attached
from billing.views.notes import note_asked
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
    visible = Statement.objects.for_user(signed_in(request))
    statement = get_object_or_404(visible, period__month=month, institution__slug=slug)
    _issue(request, statement)
    return redirect("statement", month, slug)


@require_POST
@login_required
@freshly_confirmed
def issue_of_note(request: HttpRequest, number: str) -> HttpResponse:
    """The invoice or credit note of a note that stands in no invoice."""
    _issue(request, note_asked(request, number))
    return redirect("note", number)


@require_safe
@login_required
def invoice_file(request: HttpRequest, month: date, slug: str) -> HttpResponse:
    """A statement's invoice."""
    invoices = Invoice.objects.for_user(signed_in(request))
    statement = {"statement__period__month": month, "statement__institution__slug": slug}
    return _file(get_object_or_404(invoices, **statement), slug)


@require_safe
@login_required
def note_invoice_file(request: HttpRequest, number: str) -> HttpResponse:
    """What a note stands in: its own invoice or credit note, or its statement's invoice."""
    note = note_asked(request, number)
    invoices = Invoice.objects.for_user(signed_in(request))
    return _file(get_object_or_404(invoices, invoiced_notes__note=note), note.institution.slug)


def _issue(request: HttpRequest, source: Statement | Note) -> None:
    try:
        invoice = issue_invoice(by=signed_in(request), source=source)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
        return
    issued = (
        _("Credit note %(number)s is issued.")
        if invoice.is_credit
        else _("Invoice %(number)s is issued.")
    )
    messages.success(request, issued % {"number": invoice.number})


def _file(invoice: Invoice, slug: str) -> HttpResponse:
    """The file as it was issued: Factur-X, a PDF with its XML inside."""
    return attached(bytes(invoice.content), "pdf", f"{invoice.number}_{slug}")
