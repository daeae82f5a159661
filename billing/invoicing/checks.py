"""Whether issued invoices are what their documents say, and their files what was issued."""

from collections.abc import Iterator

from django.db.models import CharField, F, Func

from billing.invoicing.bill import vat_on
from billing.models import Invoice, Note, Statement


def findings() -> list[str]:
    """Return a line for each thing that is wrong with them."""
    digest = Func("content", template="encode(sha256(%(expressions)s), 'hex')")
    digest.output_field = CharField()
    other_files = Invoice.objects.annotate(digest=digest).exclude(sha256=F("digest"))
    invoices = Invoice.objects.defer("content").select_related("statement")
    unlike = [
        each for each in invoices.prefetch_related("invoiced_notes__note") if _is_unlike(each)
    ]
    counted = (
        (other_files.count(), "invoices have a file that is not the one that was issued"),
        (len(unlike), "invoices are not what their statements and credit notes say"),
        (_gaps(), "years have a gap in the numbers of their invoices"),
    )
    return [f"{count} {text}" for count, text in counted if count]


def _is_unlike(invoice: Invoice) -> bool:
    sign = -1 if invoice.is_credit else 1
    documents = list(_documents(invoice))
    net = sign * sum(each.used_cents for each in documents)
    granted = sign * sum(each.granted_cents for each in documents)
    vat = invoice.total_cents - invoice.net_cents
    told = (invoice.net_cents, invoice.total_cents - invoice.due_cents)
    return told != (net, granted) or vat not in (0, vat_on(net))


def _documents(invoice: Invoice) -> Iterator[Statement | Note]:
    if invoice.statement:
        yield invoice.statement
    yield from (each.note for each in invoice.invoiced_notes.all())


def _gaps() -> int:
    """Return how many years have one."""
    numbers: dict[str, list[int]] = {}
    for number in Invoice.objects.values_list("number", flat=True):
        year, place = number.split("-")
        numbers.setdefault(year, []).append(int(place))
    return sum(sorted(found) != list(range(1, len(found) + 1)) for found in numbers.values())
