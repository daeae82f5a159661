"""Rules for guests: who sets them on which page, what is refused, and what reaches the router."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from federation.fleet.calendar import GuestHours, ceilings
from federation.fleet.enums import Days
from federation.fleet.models import Deployment, GuestRules
from federation.journal.models import AuditEvent
from routing.bridge.table import build_servers
from routing.core.table import GuestRules as InTable
from tests.support.factories import Cast
from tests.support.pages import signed_in_as


def address(deployment: Deployment) -> str:
    return f"/servers/{deployment.server_id}/guests/"


def filled(*lines: tuple[str, object, object, object], **fields: Any) -> dict[str, Any]:
    """Return what a browser sends."""
    sent = {"lowest_class": "1", "hours-TOTAL_FORMS": len(lines), "hours-INITIAL_FORMS": 0}
    for number, line in enumerate(lines):
        sent |= {
            f"hours-{number}-{name}": value
            for name, value in zip(("days", "start", "end", "most"), line, strict=True)
        }
    return sent | fields


def in_table(deployment: Deployment) -> InTable | None:
    return build_servers(1).servers[str(deployment.server_id)].guests


def test_an_it_department_rules_its_server_and_the_router_hears_of_it(
    cast: Cast, deployment: Deployment
) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    assert in_table(deployment) is None

    answer = browser.post(
        address(deployment),
        filled(
            ("working", 8, 18, 3),
            ("all", 0, 24, ""),
            lowest_class="3",
            blocked_institutions=[cast.orleans.pk],
            blocked_models=[deployment.version.model_id],
        ),
    )

    assert answer.status_code == 302
    rules = in_table(deployment)
    assert rules is not None
    assert rules.institutions == {str(cast.orleans.pk)}
    assert rules.models == {str(deployment.version.model_id)}
    assert rules.lowest_class == 3
    assert [rules.ceilings[hour] for hour in (7, 8, 17, 18, 5 * 24 + 10)] == [
        *(None, 3, 3, None, None)
    ]
    event = AuditEvent.objects.order_by("seq").last()
    assert event is not None
    assert event.verb == "fleet.set_guest_rules"
    page = browser.get(address(deployment)).content.decode()
    assert 'value="18"' in page


def test_rules_are_replaced_as_a_whole(cast: Cast, deployment: Deployment) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    browser.post(address(deployment), filled(("all", 0, 24, 0)))
    browser.post(address(deployment), filled())

    assert in_table(deployment) == InTable()
    assert GuestRules.objects.count() == 1


def test_rules_that_somebody_else_has_set_since_are_not_replaced(
    cast: Cast, deployment: Deployment
) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    form = browser.get(address(deployment)).context["rules"].form
    seen = form["seen"].value()

    browser.post(address(deployment), filled(seen=seen, blocked_institutions=[cast.orleans.pk]))
    answer = browser.post(address(deployment), filled(seen=seen, blocked_institutions=[]))

    assert answer.context["rules"].form.has_error("__all__", "changed_meanwhile")
    rules = in_table(deployment)
    assert rules is not None
    assert rules.institutions == {str(cast.orleans.pk)}


@pytest.mark.parametrize("who", ["rennes_user", "auditor", "reims_dsi", "orleans_user", "intruder"])
def test_nobody_else_rules(cast: Cast, deployment: Deployment, who: str) -> None:
    browser = signed_in_as(cast.people()[who])

    for answer in (browser.get(address(deployment)), browser.post(address(deployment), filled())):
        assert answer.status_code in (403, 404)
    assert not GuestRules.objects.exists()


@pytest.mark.parametrize(
    "sent",
    [
        filled(lowest_class="9"),
        filled(("all", 18, 8, 3)),
        filled(("all", 0, 25, 3)),
        filled(("someday", 0, 24, 3)),
        filled(("all", 0, 24, -1)),
        filled(("all", 0, 24, 10**9)),
        filled(blocked_institutions=["not an id"]),
    ],
)
def test_bad_rules_are_refused(cast: Cast, deployment: Deployment, sent: dict[str, Any]) -> None:
    answer = signed_in_as(cast.rennes_dsi).post(address(deployment), sent)

    assert answer.status_code == 200
    assert not GuestRules.objects.exists()


def test_what_is_wrong_with_a_line_is_said_above_the_form(
    cast: Cast, deployment: Deployment
) -> None:
    sent = filled(("all", 0, 24, ""), ("all", -1, 99, 3))

    page = signed_in_as(cast.rennes_dsi).post(address(deployment), sent).content.decode()

    assert page.count("data-focus") == 1
    assert 'href="#id_hours-1-start"' in page


def test_an_emptied_line_says_nothing(cast: Cast, deployment: Deployment) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    browser.post(address(deployment), filled(("all", 0, 24, 0)))

    answer = browser.post(address(deployment), filled(("all", "", "", "")))

    assert answer.status_code == 302
    assert in_table(deployment) == InTable()


def test_a_form_without_its_lines_is_refused(cast: Cast, deployment: Deployment) -> None:
    answer = signed_in_as(cast.rennes_dsi).post(address(deployment), {"lowest_class": "1"})

    assert answer.status_code == 200
    assert not GuestRules.objects.exists()


def test_the_servers_page_leads_to_the_rules_of_ones_own(
    cast: Cast, deployment: Deployment
) -> None:
    for who, leads in (("rennes_dsi", True), ("reims_dsi", False), ("rennes_user", False)):
        page = signed_in_as(cast.people()[who]).get("/servers/").content.decode()
        assert (address(deployment) in page) is leads


def test_where_several_lines_hold_the_lowest_does() -> None:
    week = ceilings([GuestHours(Days.ALL, 0, 24, 5), GuestHours(Days.SUNDAY, 10, 12, 1)])

    assert len(week) == 168
    assert (week[0], week[6 * 24 + 9], week[6 * 24 + 10], week[6 * 24 + 12]) == (5, 5, 1, 5)
    assert ceilings([]) == ()


@pytest.mark.parametrize("hours", [(8, 8), (-1, 3), (0, 25)])
def test_hours_that_are_none_are_refused(hours: tuple[int, int]) -> None:
    with pytest.raises(ValidationError):
        GuestHours(Days.ALL, *hours, 1)
