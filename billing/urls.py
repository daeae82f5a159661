"""Prices, accounts, statements and budgets."""

from datetime import date

from django.urls import path, register_converter

from billing.views import (
    accounts,
    balance,
    budgets,
    contests,
    erasure,
    files,
    invoices,
    notes,
    prices,
    requests,
    sheets,
    statements,
    years,
)


class MonthConverter:
    """A month in an address, such as 2026-03."""

    regex = r"20\d\d-(?:0[1-9]|1[0-2])"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(f"{value}-01")

    def to_url(self, value: date) -> str:
        return f"{value:%Y-%m}"


class YearConverter:
    """A year in an address."""

    regex = r"20\d\d"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class NumberConverter:
    """The number of a document, such as 2026-00017."""

    regex = r"20\d\d-\d{5,9}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


TABLES = ("csv", "xlsx")
register_converter(MonthConverter, "month")
register_converter(YearConverter, "year")
register_converter(NumberConverter, "number")
urlpatterns = [
    path("account/data/erase/", erasure.erase, name="erase_my_data"),
    *(
        path(f"{each.address}csv/", sheets.sheet_csv, {"sheet": each}, name=f"{each.page}_csv")
        for each in sheets.SHEETS
    ),
    path("prices/", prices.prices, name="prices"),
    path("prices/csv/", sheets.prices_csv, name="prices_csv"),
    path("prices/fees/", prices.fees, name="fees"),
    path("prices/fees/<uuid:fee_id>/take-back/", prices.take_fee_back, name="take_fee_back"),
    path(
        "prices/versions/<uuid:price_id>/take-back/", prices.take_price_back, name="take_price_back"
    ),
    path("prices/of/<path:name>/", prices.price, name="price"),
    path("accounts/", accounts.accounts, name="accounts"),
    path("accounts/csv/", sheets.accounts_csv, name="accounts_csv"),
    path("accounts/transfers/csv/", sheets.transfers_csv, name="transfers_csv"),
    path("accounts/grants/new/", accounts.grant, name="grant"),
    path("accounts/issuer/", invoices.issuer, name="issuer"),
    path("accounts/invoicing/<slug:slug>/", invoices.invoicing, name="invoicing"),
    path("accounts/transfers/", accounts.transfers, name="transfers"),
    path(
        "accounts/transfers/<uuid:transfer_id>/reverse/",
        accounts.reverse_transfer,
        name="reverse_transfer",
    ),
    path("budgets/", budgets.budgets, name="budgets"),
    path("budgets/csv/", sheets.budgets_csv, name="budgets_csv"),
    path("budgets/new/", budgets.new_budget, name="new_budget"),
    path("budgets/<uuid:budget_id>/", budgets.budget, name="budget"),
    path("budgets/<uuid:budget_id>/end/", budgets.stop_budget, name="stop_budget"),
    path("budgets/<uuid:budget_id>/ask/", requests.ask, name="ask_for_more"),
    path("budgets/of-key/<uuid:key_id>/", budgets.of_key, name="key_budgets"),
    path(
        "budgets/of-application/<uuid:application_id>/",
        budgets.of_application,
        name="application_budgets",
    ),
    path("budgets/requests/", requests.requests, name="budget_requests"),
    path("budgets/requests/<uuid:request_id>/", requests.request_page, name="budget_request"),
    *(
        path(
            f"budgets/requests/<uuid:request_id>/{step}/",
            requests.decide,
            {"step": step},
            name=f"{step}_request",
        )
        for step in requests.STEPS
    ),
    path("accounts/months/", statements.statements, name="statements"),
    path("accounts/months/<month:month>/", statements.month_statements, name="month_statements"),
    path(
        "accounts/months/<month:month>/draft/",
        statements.move_month,
        {"step": "draft"},
        name="draft_month",
    ),
    path(
        "accounts/months/<month:month>/close/",
        statements.move_month,
        {"step": "close"},
        name="close_month",
    ),
    path("accounts/months/<month:month>/<slug:slug>/", statements.statement, name="statement"),
    *(
        path(
            f"accounts/months/<month:month>/<slug:slug>/{ending}/",
            statements.statement_file,
            {"ending": ending},
            name=f"statement_{ending}",
        )
        for ending in files.TYPES
    ),
    path("accounts/months/<month:month>/<slug:slug>/accept/", contests.accept, name="accept"),
    path(
        "accounts/months/<month:month>/<slug:slug>/contest/<slug:line_key>/",
        contests.new_contest,
        name="new_contest",
    ),
    path("accounts/contests/", contests.contests, name="contests"),
    path("accounts/contests/<uuid:contest_id>/", contests.contest, name="contest"),
    path(
        "accounts/contests/<uuid:contest_id>/take-back/",
        contests.take_contest_back,
        name="take_contest_back",
    ),
    path("accounts/notes/", notes.notes, name="notes"),
    path("accounts/notes/<number:number>/", notes.note, name="note"),
    *(
        path(
            f"accounts/notes/<number:number>/{ending}/",
            notes.note_file,
            {"ending": ending},
            name=f"note_{ending}",
        )
        for ending in files.TYPES
    ),
    path(
        "accounts/notes/<number:number>/facturx/", invoices.note_invoice_file, name="note_facturx"
    ),
    path(
        "accounts/notes/<number:number>/invoice/", invoices.issue_of_note, name="issue_note_invoice"
    ),
    path("accounts/years/", years.all_years, name="years"),
    path("accounts/years/<year:year>/", years.year_costs, name="year_costs"),
    path("accounts/years/<year:year>/post/", years.post_year, name="post_year"),
    *(
        path(
            f"accounts/years/<year:year>/{ending}/",
            years.year_file,
            {"ending": ending},
            name=f"year_{ending}",
        )
        for ending in TABLES
    ),
    path("accounts/balance/", balance.balance, name="balance"),
    *(
        path(
            f"accounts/balance/{ending}/",
            balance.balance_file,
            {"ending": ending},
            name=f"balance_{ending}",
        )
        for ending in TABLES
    ),
    path(
        "accounts/months/<month:month>/<slug:slug>/facturx/",
        invoices.invoice_file,
        name="statement_facturx",
    ),
    path(
        "accounts/months/<month:month>/<slug:slug>/invoice/",
        invoices.issue,
        name="issue_invoice",
    ),
]
