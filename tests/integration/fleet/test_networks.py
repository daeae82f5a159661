"""Private networks of a site: asked for, decided about, in force in the router's table, and ended."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.utils import timezone

from federation.fleet.enums import SiteGrantState
from federation.fleet.models import Deployment, SiteEgressGrant
from federation.fleet.operations.networks import Wish, ask_site_egress
from federation.fleet.tasks import follow_calendars
from federation.people.models import User
from routing.bridge.table import build_servers
from tests.support.factories import OPERATOR, Cast, make_site
from tests.support.pages import signed_in_as
from tests.support.post import deliver

NEW = "/servers/networks/new/"
NETWORK = "10.35.0.0/24"


def in_the_table(deployment: Deployment) -> tuple[tuple[str, int], ...]:
    row = build_servers(1).servers[str(deployment.server_id)]
    return tuple(grant for grant in row.grants if "/" in grant[0])


def wished(deployment: Deployment, **fields: str) -> dict[str, str]:
    site = str(deployment.server.site_id)
    whole = {
        "site": site,
        "network": NETWORK,
        "ports": "443, 8000-8001",
        "reason": "VPN",
        "until": "",
    }
    return {**whole, **fields}


def test_a_network_is_asked_for_allowed_and_withdrawn(cast: Cast, deployment: Deployment) -> None:
    member, federation = signed_in_as(cast.rennes_dsi), signed_in_as(cast.admin)
    page = member.post(NEW, wished(deployment)).headers["location"]
    (asked,) = deliver()
    assert asked.to == [cast.admin.email]
    assert "VPN" in asked.body
    assert in_the_table(deployment) == ()
    assert "networks/" in federation.get("/servers/approvals/").content.decode()

    federation.post(f"{page}allow/")
    assert in_the_table(deployment) == ((NETWORK, 443), (NETWORK, 8000), (NETWORK, 8001))
    (allowed,) = deliver()
    assert NETWORK in allowed.body
    assert allowed.to == [cast.rennes_dsi.email]
    assert deployment.server.name in member.get(page).content.decode()

    member.post(f"{page}withdraw/")
    assert in_the_table(deployment) == ()
    assert SiteEgressGrant.objects.get().ended_at is not None


def test_what_an_administrator_allows_is_in_force_at_once(
    cast: Cast, deployment: Deployment
) -> None:
    signed_in_as(cast.admin).post(NEW, wished(deployment))

    assert SiteEgressGrant.objects.get().decided_by == cast.admin
    assert len(in_the_table(deployment)) == 3


def test_a_network_is_of_its_site_alone(cast: Cast, deployment: Deployment) -> None:
    other = make_site(cast.rennes)
    ask_site_egress(by=OPERATOR, site=other, wish=Wish(NETWORK, (8000,), "VPN"))

    assert in_the_table(deployment) == ()


def test_a_declined_network_says_why(cast: Cast, deployment: Deployment) -> None:
    page = signed_in_as(cast.rennes_dsi).post(NEW, wished(deployment)).headers["location"]
    federation = signed_in_as(cast.admin)

    assert "id_answer_error" in federation.post(f"{page}decline/", {"answer": ""}).content.decode()
    federation.post(f"{page}decline/", {"answer": "name one machine"})

    assert SiteEgressGrant.objects.get().state == SiteGrantState.DECLINED
    assert "name one machine" in signed_in_as(cast.rennes_dsi).get(page).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("network", "127.0.0.0/16"),
        ("network", "169.254.0.0/16"),
        ("network", "169.254.169.254"),
        ("network", "224.0.0.0/24"),
        ("network", "8.8.8.0/24"),
        ("network", "10.0.0.0/8"),
        ("network", "fd00::/16"),
        ("network", "fe80::/64"),
        ("network", "::ffff:10.0.0.0/120"),
        ("network", "10.35.0.1/24"),
        ("network", "gpu.example.org"),
        ("ports", "0"),
        ("ports", "65536"),
        ("ports", "1-65535"),
        ("ports", "８０"),
        ("reason", ""),
        ("until", "2020-01-01"),
        ("until", "tomorrow"),
        ("site", "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_what_cannot_be_allowed_is_refused_beside_its_field(
    cast: Cast, deployment: Deployment, field: str, value: str
) -> None:
    page = signed_in_as(cast.admin).post(NEW, wished(deployment, **{field: value}))

    assert page.status_code == 200
    assert f'id="id_{field}_error"' in page.content.decode()
    assert not SiteEgressGrant.objects.exists()


def test_a_network_is_asked_for_once(cast: Cast, deployment: Deployment) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    for _ in range(2):
        browser.post(NEW, wished(deployment))

    assert SiteEgressGrant.objects.count() == 1


def test_no_other_institution_sees_or_touches_a_network(cast: Cast, deployment: Deployment) -> None:
    page = signed_in_as(cast.rennes_dsi).post(NEW, wished(deployment)).headers["location"]
    reims = signed_in_as(cast.reims_dsi)

    assert reims.get(page).status_code == 404
    assert NETWORK not in reims.get("/servers/networks/").content.decode()
    for step in ("allow", "decline", "withdraw"):
        assert reims.post(f"{page}{step}/", {"answer": "no"}).status_code == 404
    assert reims.post(NEW, wished(deployment)).status_code == 403
    assert signed_in_as(cast.rennes_user).get("/servers/networks/").status_code == 403
    assert signed_in_as(cast.rennes_dsi).post(f"{page}allow/").status_code == 403
    assert SiteEgressGrant.objects.get().state == SiteGrantState.ASKED


def test_a_network_ends_after_its_last_day(cast: Cast, deployment: Deployment) -> None:
    today = timezone.localdate()
    wish = Wish(NETWORK, (8000,), "VPN", until=today)
    ask_site_egress(by=OPERATOR, site=deployment.server.site, wish=wish)
    follow_calendars()
    assert in_the_table(deployment) == ((NETWORK, 8000),)

    SiteEgressGrant.objects.update(until=today - timedelta(days=1))
    assert in_the_table(deployment) == ()
    follow_calendars()
    assert SiteEgressGrant.objects.get().state == SiteGrantState.WITHDRAWN


def test_the_owner_is_told_of_an_end_that_was_not_its_own_doing(
    cast: Cast, deployment: Deployment
) -> None:
    def ended_by(person: User) -> list[EmailMessage]:
        wish = Wish(NETWORK, (8000,), "VPN")
        grant = ask_site_egress(by=OPERATOR, site=deployment.server.site, wish=wish)
        deliver()
        signed_in_as(person).post(f"/servers/networks/{grant.pk}/withdraw/")
        grant.refresh_from_db()
        assert grant.state == SiteGrantState.WITHDRAWN
        return deliver()

    assert ended_by(cast.rennes_dsi) == []
    [letter] = ended_by(cast.admin)
    assert letter.to == [cast.rennes_dsi.email]
    assert f"Le réseau {NETWORK} est fermé au routeur" in letter.subject
    assert deployment.server.site.name in letter.body
    assert f"/servers/networks/{SiteEgressGrant.objects.latest('created_at').pk}/" in letter.body


def test_the_owner_is_told_when_the_last_day_is_past(cast: Cast, deployment: Deployment) -> None:
    today = timezone.localdate()
    wish = Wish(NETWORK, (8000,), "VPN", until=today)
    ask_site_egress(by=OPERATOR, site=deployment.server.site, wish=wish)
    SiteEgressGrant.objects.update(until=today - timedelta(days=1))
    deliver()

    for _ in range(2):
        follow_calendars()

    assert [letter.to for letter in deliver()] == [[cast.rennes_dsi.email]]


def test_a_day_that_is_past_is_refused(cast: Cast, deployment: Deployment) -> None:
    wish = Wish(NETWORK, (8000,), "VPN", until=timezone.localdate() - timedelta(days=1))
    with pytest.raises(ValidationError):
        ask_site_egress(by=OPERATOR, site=deployment.server.site, wish=wish)
