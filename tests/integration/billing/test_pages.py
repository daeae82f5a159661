"""Prices and accounts on pages: who sees and sets what, and that nothing that is past changes."""

import csv
from datetime import timedelta
from io import StringIO

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.enums import BudgetWindow, TransferReason
from billing.ledger.accounts import Holding, holdings
from billing.models import FeeVersion, PriceVersion, Transfer
from billing.operations.budgets import set_budget
from billing.operations.ledger import grant
from billing.operations.prices import Units, set_price
from federation.people.enums import Role
from federation.people.models import User
from routing.core.enums import BudgetUnit
from tests.integration.billing.conftest import Use
from tests.integration.dashboards.test_exports import whole
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_key,
    make_user,
    serve_model,
)
from tests.support.kept import Kept
from tests.support.pages import plain_static, queries_of, signed_in_as

__all__ = ["plain_static"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(plain_static: None, kept_cast: Kept[Cast]) -> Cast:
    return kept_cast.put_back()


@pytest.fixture
def finance(cast: Cast) -> User:
    return make_user("finance", Role.FINANCE)


def text_of(browser: Client, address: str) -> str:
    page = browser.get(address)
    assert page.status_code == 200, address
    return " ".join(page.content.decode().split())


def announce(browser: Client, name: str, **fields: str) -> str:
    asked = {"kind": "provisional", "day": "", "note": "", **fields}
    page = browser.post(f"/prices/of/{name}/", asked, follow=True)
    return " ".join(page.content.decode().split())


def test_a_price_in_euros_is_kept_in_nano_euros(cast: Cast, finance: User) -> None:
    serve_model(cast.rennes, "llama")
    browser = signed_in_as(finance)

    announce(browser, "llama", prompt_nano="0.15", completion_nano="0.625", note="bureau du 3 mars")

    price = PriceVersion.objects.get()
    assert (price.prompt_nano, price.cached_nano, price.completion_nano) == (150, None, 625)
    shown = text_of(signed_in_as(cast.orleans_user), "/prices/of/llama/")
    assert "0,625" in shown
    assert "bureau du 3 mars" in shown


def test_a_second_of_audio_and_an_image_have_their_price(
    cast: Cast, finance: User, use: Use
) -> None:
    served = serve_model(cast.rennes, "whisper")
    browser = signed_in_as(finance)
    assert "Seconde" not in text_of(browser, "/prices/")

    announce(browser, "whisper", audio_second_nano="0.0001", image_nano="0.000000001")

    price = PriceVersion.objects.get()
    assert (price.audio_second_nano, price.image_nano) == (100_000, 1)
    assert 'value="0.000000001"' in text_of(browser, "/prices/of/whisper/")
    PriceVersion.objects.bulk_create([
        PriceVersion(
            model=served.version.model,
            valid_from=timezone.now() - timedelta(days=2),
            audio_second_nano=100_000,
            image_nano=40_000_000,
        )
    ])  # fmt: skip
    key, _text = make_key(make_application(cast.orleans, owner=cast.orleans_user))
    nothing = {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0}
    use(key, served, audio_ms=3_600_500, images=2, **nothing)
    reader = signed_in_as(cast.orleans_user)
    for words in ("0,0001", "0,36", "0,04"):
        assert words in text_of(reader, "/prices/")
    for words in ("3 600,5", "0,44"):
        assert words in text_of(reader, "/usage/").replace("\u202f", " ")


@pytest.mark.parametrize(
    "fields",
    [
        {"audio_second_nano": "-0.1"},
        {"audio_second_nano": "0.0000000001"},
        {"image_nano": "1.1"},
        {"prompt_nano": "-1"},
        {"prompt_nano": "0.0001"},
        {"prompt_nano": "1000001"},
        {"prompt_nano": "NaN"},
        {"prompt_nano": "un euro"},
        {"cached_nano": "1"},
        {"prompt_nano": "1", "day": "2020-01-01"},
        {"prompt_nano": "1", "day": "31 février"},
        {"prompt_nano": "1", "kind": "free"},
        {"prompt_nano": "1", "note": "x" * 501},
        {},
    ],
)
def test_a_price_that_cannot_be_is_told_and_not_kept(
    cast: Cast, finance: User, fields: dict[str, str]
) -> None:
    serve_model(cast.rennes, "llama")

    shown = announce(signed_in_as(finance), "llama", **fields)

    assert not PriceVersion.objects.exists()
    assert "alert-danger" in shown or "invalid-feedback" in shown or "is-invalid" in shown


def test_members_read_prices_and_do_not_set_them(cast: Cast) -> None:
    serve_model(cast.rennes, "llama")
    browser = signed_in_as(cast.rennes_dsi)

    assert '<form method="post" class="card' not in text_of(browser, "/prices/of/llama/")
    assert (
        browser.post("/prices/of/llama/", {"prompt_nano": "1", "kind": "final"}).status_code == 403
    )
    assert browser.post("/prices/fees/", {"percent": "1"}).status_code == 403
    assert browser.get("/accounts/grants/new/").status_code == 403
    assert not PriceVersion.objects.exists()
    assert not FeeVersion.objects.exists()


def test_a_price_ahead_is_taken_back_from_its_page(cast: Cast, finance: User) -> None:
    model = serve_model(cast.rennes, "llama").version.model
    price = set_price(
        by=OPERATOR,
        model=model,
        units=Units(prompt_nano=1),
        valid_from=timezone.now() + timedelta(days=2),
    )
    browser, address = signed_in_as(finance), f"/prices/versions/{price.pk}/take-back/"
    assert address in text_of(browser, "/prices/of/llama/")

    browser.post(address)

    assert not PriceVersion.objects.exists()


def test_a_fee_of_one_institution_is_its_own_business(cast: Cast, finance: User) -> None:
    browser = signed_in_as(finance)
    asked = {"percent": "2.5", "day": "", "note": "convention 12"}

    browser.post("/prices/fees/", {**asked, "institution": str(cast.rennes.pk)})

    assert FeeVersion.objects.get().basis_points == 250
    assert "convention 12" in text_of(signed_in_as(cast.rennes_dsi), "/prices/fees/")
    assert "convention 12" not in text_of(signed_in_as(cast.orleans_user), "/prices/fees/")


def test_a_second_version_from_the_same_day_is_told_what_to_do(cast: Cast, finance: User) -> None:
    serve_model(cast.rennes, "llama")
    browser, day = signed_in_as(finance), f"{timezone.now() + timedelta(days=9):%Y-%m-%d}"
    for percent in ("2", "3"):
        fees = browser.post("/prices/fees/", {"percent": percent, "day": day}, follow=True)
    for price in ("1", "2"):
        prices = announce(browser, "llama", prompt_nano=price, day=day)

    assert "retirez-la d’abord" in fees.content.decode()
    assert "retirez-la d’abord" in prices
    assert FeeVersion.objects.count() == PriceVersion.objects.count() == 1


def charged(cast: Cast, use: Use) -> None:
    """Orléans asks Rennes for one million tokens at 1 € each."""
    served = serve_model(cast.rennes, "llama")
    PriceVersion.objects.create(
        model=served.version.model, valid_from=timezone.now() - timedelta(days=2), prompt_nano=1000
    )
    key, _text = make_key(make_application(cast.orleans, owner=cast.orleans_user))
    use(key, served, prompt_tokens=1_000_000, cached_tokens=0, completion_tokens=0)


def test_each_reads_the_accounts_of_its_own_institution(cast: Cast, use: Use) -> None:
    charged(cast, use)

    rennes = text_of(signed_in_as(cast.rennes_dsi), "/accounts/")
    assert "1,00" in rennes
    assert "Orléans" not in rennes
    assert signed_in_as(cast.orleans_user).get("/accounts/").status_code == 403
    admin = text_of(signed_in_as(cast.admin), "/accounts/")
    assert cast.orleans.name.split("'")[-1] in admin
    assert "\u22121,00" in admin


@pytest.mark.parametrize("address", ["/accounts/", "/accounts/months/", "/accounts/csv/"])
def test_pages_of_accounts_read_sums_and_no_transfer(cast: Cast, use: Use, address: str) -> None:
    """What they cost must not grow with the years."""
    charged(cast, use)

    for reader in (cast.admin, cast.rennes_dsi):
        browser = signed_in_as(reader)
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(address).status_code == 200
        asked = "".join(query["sql"] for query in captured)
        assert "billing_accountmonth" in asked
        assert "billing_transfer" not in asked
        assert "billing_usagecharge" not in asked


def test_the_newest_transfers_are_shown_and_the_page_says_that_there_are_more(
    cast: Cast, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged(cast, use)
    browser = signed_in_as(cast.admin)
    assert "choisissez un mois" not in text_of(browser, "/accounts/transfers/")

    monkeypatch.setattr("billing.views.accounts.MOST_SHOWN", 1)
    grant(by=OPERATOR, institution=cast.reims, amount_nano=10**9, reason="du code")

    shown = text_of(browser, "/accounts/transfers/")
    assert "du code" in shown
    assert "choisissez un mois" in shown
    assert shown.count("<tr>") == 2


def test_a_cost_stands_in_usage(cast: Cast, use: Use) -> None:
    charged(cast, use)

    shown = text_of(signed_in_as(cast.orleans_user), "/usage/")
    assert "1,00" in shown
    assert "dont 1,00 € facturés" in shown.replace("\u00a0", " ").replace("\u202f", " ")


def test_a_grant_and_its_reversal_stand_in_the_ledger(cast: Cast, finance: User) -> None:
    browser = signed_in_as(finance)
    asked = {"institution": str(cast.reims.pk), "amount": "1200.50", "reason": "un tiers-temps"}
    browser.post("/accounts/grants/new/", asked)
    given_ = Transfer.objects.get(reason=TransferReason.GRANT)
    assert given_.amount_nano == 1_200_500_000_000
    assert "un tiers-temps" in text_of(signed_in_as(cast.reims_dsi), "/accounts/transfers/")

    for _again in range(2):
        browser.post(f"/accounts/transfers/{given_.pk}/reverse/", {"reason": "doublon"})

    assert Transfer.objects.filter(reason=TransferReason.REVERSAL).count() == 1
    again = browser.get(f"/accounts/transfers/{given_.pk}/reverse/", follow=True)
    assert "C’est déjà annulé." in again.content.decode()
    assert "taken back" in text_of(browser, "/accounts/transfers/") or "annul" in text_of(
        browser, "/accounts/transfers/"
    )


def test_a_grant_pays_what_is_owed_and_is_not_to_be_received(cast: Cast, use: Use) -> None:
    charged(cast, use)
    grant(by=OPERATOR, institution=cast.orleans, amount_nano=5 * 10**9, reason="du code")

    reader = make_user("ours", Role.MEMBER_FINANCE, institution=cast.orleans)
    (own,) = holdings(reader)

    assert (own.owed_nano, own.granted_nano) == (10**9, 5 * 10**9)
    assert own.net_nano == 0


@pytest.mark.parametrize(
    ("owed", "earned", "granted", "net"),
    [(0, 23, -39, 23), (45, 51, 458, 51), (45, 51, 5, 11), (45, 0, 0, -45), (-3, 0, 5, 3)],
)
def test_the_net_position_is_the_statements(
    cast: Cast, owed: int, earned: int, granted: int, net: int
) -> None:
    """A closed month whose grants are booked, an open one that they pay whole, in part, not, and money back."""
    assert Holding(cast.orleans, owed, earned, granted, 0).net_nano == net


def test_nobody_reads_the_transfers_of_others(cast: Cast) -> None:
    grant(by=OPERATOR, institution=cast.reims, amount_nano=10**9, reason="du code")

    assert "du code" not in text_of(signed_in_as(cast.rennes_dsi), "/accounts/transfers/")


@pytest.mark.parametrize("month", ["", "2026-13-01", "x", "2026-02-01"])
def test_any_month_may_be_asked_for(cast: Cast, use: Use, month: str) -> None:
    charged(cast, use)

    assert signed_in_as(cast.admin).get("/accounts/", {"month": month}).status_code == 200


def test_the_price_list_takes_as_many_queries_for_many_models(cast: Cast) -> None:
    serve_model(cast.rennes, "llama")
    browser = signed_in_as(cast.rennes_user)
    few = queries_of(browser, "/prices/")
    for n in range(5):
        model = serve_model(cast.rennes, f"model-{n}").version.model
        set_price(by=OPERATOR, model=model, units=Units(prompt_nano=n))

    assert queries_of(browser, "/prices/") == few


def lines(who: User, address: str) -> list[dict[str, str]]:
    answer = signed_in_as(who).get(address, headers={"accept-language": "en"})
    assert isinstance(answer, StreamingHttpResponse)
    text = async_to_sync(whole)(answer)
    return list(csv.DictReader(StringIO(text.removeprefix("\ufeff"))))


def test_what_pages_show_of_money_is_had_as_files(cast: Cast, finance: User, use: Use) -> None:
    served = serve_model(cast.reims, "llama")
    begun = timezone.now() - timedelta(days=1)
    PriceVersion.objects.create(model=served.version.model, valid_from=begun, prompt_nano=150)
    key, _text = make_key(make_application(cast.rennes, cast.rennes_dsi))
    use(key, served, prompt_tokens=1000, cached_tokens=0)

    (price,) = lines(cast.orleans_user, "/prices/csv/")
    assert (price["model"], price["prompt_eur"], price["image_eur"]) == ("llama", "0.000000150", "")
    (transfer,) = lines(finance, "/accounts/transfers/csv/")
    assert (transfer["amount_eur"], transfer["reason"]) == ("0.000150000", "usage")
    told = {row["institution"]: row["net_eur"] for row in lines(finance, "/accounts/csv/")}
    assert told == {cast.rennes.name: "-0.000150000", cast.reims.name: "0.000150000"}
    assert [row["institution"] for row in lines(cast.reims_dsi, "/accounts/csv/")] == [
        cast.reims.name
    ]
    month = f"{timezone.localdate():%Y-%m}"
    assert lines(finance, f"/accounts/transfers/csv/?month={month}") == [transfer]
    assert signed_in_as(cast.orleans_user).get("/accounts/csv/").status_code == 403


def test_budgets_are_had_as_a_file(cast: Cast) -> None:
    set_budget(
        by=OPERATOR,
        owner=cast.rennes,
        unit=BudgetUnit.NANO_EUROS,
        most=5 * 10**9,
        window=BudgetWindow.MONTH,
    )

    (budget,) = lines(cast.rennes_dsi, "/budgets/csv/")
    assert (budget["most"], budget["spent"], budget["hard"]) == ("5.000000000", "0.000000000", "1")
    assert lines(cast.reims_dsi, "/budgets/csv/") == []
