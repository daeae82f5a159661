"""`/manage/api/usage`: a key tells what it has used and what is left to it, and nothing of any other."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from django.test import Client
from django.utils import timezone

from billing.enums import BudgetWindow
from billing.models import Holder, Owner, PriceVersion
from billing.operations.budgets import set_budget
from billing.periods import PARIS, paris_today
from federation.access.models import ApiKey
from federation.access.operations import revoke_key, set_limit
from federation.fleet.models import Deployment
from federation.members.enums import MembershipState
from federation.members.operations import change_membership_state
from routing.core.enums import BudgetUnit, Measure
from tests.support.calls import store_calls
from tests.support.factories import OPERATOR, Cast, make_application, make_key

ADDRESS = "/manage/api/usage"


class Held(NamedTuple):
    key: ApiKey
    text: str


@pytest.fixture
def held(cast: Cast, at_rennes: Deployment) -> Held:
    """A key of Orléans, with two calls at 1 € a million tokens, and another key's beside it."""
    begun = timezone.now() - timedelta(days=90)
    PriceVersion.objects.create(
        model=at_rennes.version.model, valid_from=begun, prompt_nano=1000, completion_nano=1000
    )
    key, text = make_key(make_application(cast.orleans, cast.orleans_user, "carnet"))
    other, _text = make_key(make_application(cast.orleans, cast.orleans_user, "autre"))
    usage: dict[str, Any] = {"prompt_tokens": 1000, "cached_tokens": 0, "completion_tokens": 500}
    store_calls(key, at_rennes, count=2, audio_ms=1500, images=3, **usage)
    store_calls(other, at_rennes, count=5, **usage)
    return Held(key, text)


def asked(text: str, query: str = "") -> tuple[int, dict[str, Any]]:
    answer = Client().get(f"{ADDRESS}{query}", headers={"authorization": f"Bearer {text}"})
    return answer.status_code, answer.json()


def test_a_key_tells_what_it_has_used(held: Held, at_rennes: Deployment) -> None:
    status, told = asked(held.text)

    assert status == 200
    assert (told["application"], told["institution"]) == (
        "carnet",
        held.key.application.institution.name,
    )
    total = told["total"]
    assert (total["requests"], total["prompt_tokens"], total["completion_tokens"]) == (
        2,
        2000,
        1000,
    )
    assert (total["audio_ms"], total["images"]) == (3000, 6)
    amounts = [Decimal(total[name]) for name in ("cost_eur", "billed_eur", "own_servers_eur")]
    assert amounts == [Decimal("0.003"), Decimal("0.003"), 0]
    models = told["models"]
    assert [each["model"] for each in models] == [at_rennes.version.model.slug]


def test_what_own_servers_answered_costs_and_is_not_billed(
    cast: Cast, at_rennes: Deployment
) -> None:
    begun = timezone.now() - timedelta(days=90)
    PriceVersion.objects.create(
        model=at_rennes.version.model, valid_from=begun, prompt_nano=1000, completion_nano=1000
    )
    key, text = make_key(make_application(cast.rennes, cast.rennes_user, "carnet"))
    store_calls(key, at_rennes, count=2, prompt_tokens=1000, cached_tokens=0, completion_tokens=500)
    unit, window = BudgetUnit.NANO_EUROS, BudgetWindow.LIFE
    set_budget(by=OPERATOR, owner=key, unit=unit, most=10**9, window=window, hard=False)

    _status, told = asked(text)

    for used in (told["total"], told["models"][0]["used"]):
        amounts = [Decimal(used[name]) for name in ("cost_eur", "billed_eur", "own_servers_eur")]
        assert amounts == [Decimal("0.003"), 0, Decimal("0.003")]
    assert told["budgets"][0]["used"] == 0


def test_a_period_is_its_days(held: Held, at_rennes: Deployment) -> None:
    day = paris_today() - timedelta(days=45)
    store_calls(held.key, at_rennes, at=datetime.combine(day, time(12), PARIS))

    _status, told = asked(held.text, f"?first={day}&last={day}")

    assert (told["first"], told["last"]) == (str(day), str(day))
    total = told["total"]
    assert total["requests"] == 1


def test_limits_stand_with_what_is_left(held: Held) -> None:
    set_limit(by=OPERATOR, owner=held.key, measure=Measure.REQUESTS_PER_DAY, most=100)

    _status, told = asked(held.text)

    assert told["remaining"] == [
        {"measure": "requests-per-day", "limit": 100, "remaining": None, "full_again_at": None}
    ]


def test_budgets_that_bound_it_stand_with_what_is_left(cast: Cast, held: Held) -> None:
    application = held.key.application
    person = Holder.of(cast.orleans_user, cast.orleans)
    other = ApiKey.objects.get(application__name="autre")
    owners: list[tuple[Owner, int]] = [
        *((held.key, 10), (application, 20), (person, 30), (cast.orleans, 40)),
        *((other, 50), (cast.reims, 60), (None, 70)),
    ]
    for owner, most in owners:
        set_budget(
            by=OPERATOR,
            owner=owner,
            unit=BudgetUnit.REQUESTS,
            most=most,
            window=BudgetWindow.LIFE,
            hard=False,
        )

    _status, told = asked(held.text)

    left = [(each["scope"], each["used"], each["remaining"]) for each in told["budgets"]]
    assert left == [
        *(("key", 2, 8), ("application", 2, 18)),
        *(("person", None, None), ("institution", 7, 33)),
    ]
    assert told["budgets"][0] == {
        **{"scope": "key", "unit": "requests", "window": "life", "hard": False},
        **{"limit": 10, "used": 2, "remaining": 8, "used_up": False, "renewed_at": None},
    }


@pytest.mark.parametrize(("most", "used_up"), [(7, True), (8, False)])
def test_of_a_persons_budget_a_key_tells_only_whether_it_is_used_up(
    cast: Cast, held: Held, most: int, used_up: bool
) -> None:
    set_budget(
        by=OPERATOR,
        owner=Holder.of(cast.orleans_user, cast.orleans),
        unit=BudgetUnit.REQUESTS,
        most=most,
        window=BudgetWindow.LIFE,
        hard=True,
        knowingly=True,
    )

    _status, told = asked(held.text)

    assert told["budgets"] == [
        {
            **{"scope": "person", "unit": "requests", "window": "life", "hard": True},
            **{"limit": None, "used": None, "remaining": None},
            **{"used_up": used_up, "renewed_at": None},
        }
    ]


@pytest.mark.parametrize(
    "query",
    [
        "?first=2026-02-30",
        "?first=yesterday",
        "?first=2026-03-02&last=2026-03-01",
        "?first=1999-01-01&last=1999-01-02",
        "?first=2024-01-01&last=2026-01-01",
    ],
)
def test_what_is_no_period_is_refused(held: Held, query: str) -> None:
    status, told = asked(held.text, query)

    assert status == 422
    assert told["detail"]


@pytest.mark.parametrize("text", ["", "x", "ilaas_live_nonsense", "é" * 20, "a" * 5000])
def test_what_is_no_key_is_refused(held: Held, text: str) -> None:
    answer = Client().get(
        ADDRESS, headers={"authorization": f"Bearer {text}".encode().decode("latin-1")}
    )

    assert answer.status_code == 401
    assert Client().get(ADDRESS).status_code == 401


def test_a_key_that_has_ended_is_refused(cast: Cast, held: Held) -> None:
    revoke_key(by=OPERATOR, key=held.key, reason="over")

    assert asked(held.text)[0] == 401


def test_a_key_of_a_suspended_member_is_refused(cast: Cast, held: Held) -> None:
    change_membership_state(
        by=OPERATOR,
        membership=cast.orleans.memberships.get(),
        state=MembershipState.SUSPENDED,
        reason="unpaid",
    )

    assert asked(held.text)[0] == 401


def test_a_key_is_held_to_its_networks(held: Held) -> None:
    ApiKey.objects.filter(pk=held.key.pk).update(networks=["192.0.2.0/24"])
    assert asked(held.text)[0] == 403

    ApiKey.objects.filter(pk=held.key.pk).update(networks=["127.0.0.0/8"])
    assert asked(held.text)[0] == 200


def test_keys_are_not_guessed(held: Held) -> None:
    answers = [asked(f"guess-{n}")[0] for n in range(25)]

    assert set(answers[:20]) == {401}
    assert answers[-1] == 429
    assert asked(held.text)[0] == 200


def test_the_interface_describes_itself(cast: Cast) -> None:
    told = Client().get("/manage/api/openapi.json").json()

    assert "/manage/api/usage" in told["paths"]
    assert Client().get("/manage/api/docs").status_code == 404
