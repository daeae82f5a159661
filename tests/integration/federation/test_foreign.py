"""Everybody before every route of the portal: what is another institution's is neither shown nor changed.

Rows that an institution keeps to itself bear a mark. Each route is asked with the rows of every institution
(`addresses`), by each of the cast and by a visitor: plainly, as a part of a page, and with a form. A route that is not
known here fails.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from typing import Any, cast
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Model
from django.http import HttpResponse, HttpResponseBase
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.models import BudgetRequest, Contest, UsageRecord
from federation.access.models import ApiKey, Application
from federation.catalogue.models import Proposal
from federation.catalogue.operations.proposals import propose_model
from federation.fleet.models import (
    Deployment,
    EgressGrant,
    EnergyProbe,
    InferenceServer,
    Maintenance,
    SiteEgressGrant,
    TechnicalForm,
)
from federation.members.enums import Choice
from federation.members.models import Agreement, Candidacy, Contact, Institution, Invitation, Team
from federation.members.operations.ballots import cast_vote
from federation.people.models import RoleGrant
from tests.integration.federation.addresses import (
    DEPARTMENTS,
    FEDERATION,
    MEMBERS,
    ONES_OWN,
    PASSKEYS,
    PUBLISHED,
    RECIPES,
    SECRETS,
    Target,
)
from tests.integration.federation.world import World, undone
from tests.support.calls import store_calls
from tests.support.factors import set_app, set_passkey
from tests.support.lifecycle import APERTUS
from tests.support.pages import signed_in_as
from tests.support.routes import Route, routes

pytestmark = pytest.mark.usefixtures("plain_static")

WAYS: tuple[tuple[str, dict[str, str]], ...] = (
    ("get", {}),
    ("get", {"HX-Request": "true"}),
    ("post", {}),
)
"""How a page is asked for; with the second's header its own script asks for a part of it."""


# What an institution keeps to itself


def mark(slug: str) -> str:
    return f"only-{slug}-knows"


def marked(world: World) -> None:
    """Put the mark of its institution into every text that others have no business with."""
    _mark_what_is_asked()
    _mark_what_serves()
    for asked in BudgetRequest.objects.select_related("asked_by"):
        _write(asked, reason=mark(asked.asked_by.name.partition("_")[0]))
    for team in Team.objects.all():
        _write(team, name=mark(team.institution.slug))
    for invitation in Invitation.objects.all():
        _write(invitation, email=f"{mark(slug_of(invitation))}@x.example")
    Candidacy.objects.update(motivation=mark("nantes"))
    Contact.objects.update(phone=mark("nantes"), function=mark("nantes"))
    Agreement.objects.update(signatory=mark("nantes"), remark=mark("nantes"))
    _mark_what_is_a_person_s(world)
    ballot, admin = world.ballot, world.cast.admin
    cast_vote(by=admin, ballot=ballot, choice=Choice.YES, comment=mark("committee"))
    for key in ApiKey.objects.all():
        asked_by = mark(key.application.institution.slug)
        store_calls(key, world.deployment, client_request_id=asked_by)


def _mark_what_is_a_person_s(world: World) -> None:
    cast = world.cast
    propose_model(by=cast.reims_dsi, slug="of-reims", facts=APERTUS, institution=cast.reims)
    for proposal in Proposal.objects.select_related("institution"):
        assert proposal.institution  # none is the federation's own
        _write(proposal, reason=mark(proposal.institution.slug))
    for slug, person in (("rennes", cast.rennes_dsi), ("reims", cast.reims_dsi)):
        set_app(person)
        set_passkey(person, mark(slug))


def _mark_what_is_asked() -> None:
    for application in Application.objects.all():
        _write(application, name=f"{application.name} {mark(application.institution.slug)}")
    for key in ApiKey.objects.all():
        _write(key, name=mark(key.application.institution.slug))
    for contest in Contest.objects.all():
        _write(contest, reason=mark(contest.institution.slug))


def _mark_what_serves() -> None:
    for form in TechnicalForm.objects.all():
        _write(form, slurm_note=mark(form.institution.slug), gpu_type=mark(form.institution.slug))
    for row in (*EgressGrant.objects.all(), *Maintenance.objects.all()):
        _write(row, reason=mark(row.server.institution.slug))
    for network in SiteEgressGrant.objects.all():
        _write(network, reason=mark(network.site.institution.slug))
    for probe in EnergyProbe.objects.all():
        _write(probe, metric=mark(probe.server.institution.slug))
    for server in InferenceServer.objects.all():
        _write(server, base_url=f"https://{mark(server.institution.slug)}.example.org")
    for deployment in Deployment.objects.all():
        _write(deployment, served_name=mark(deployment.server.institution.slug))


def slug_of(invitation: Invitation) -> str:
    assert invitation.institution  # none of the register is to the federation
    return invitation.institution.slug


def _write(row: Model, **texts: str) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**texts)


def foreign_marks(who: str) -> list[str]:
    if who in FEDERATION:
        return []
    return [mark(slug) for slug in (*MEMBERS, "committee") if who not in MEMBERS.get(slug, ())]


# Asking


@pytest.fixture
def swept(world: World) -> World:
    marked(world)
    return world


@pytest.fixture
def browsers(swept: World) -> dict[str, Client]:
    people = swept.cast.people() | {"applicant": swept.candidacy.applicant}
    return {name: signed_in_as(person) for name, person in people.items()} | {"visitor": Client()}


@contextmanager
def writes() -> Iterator[list[str]]:
    """Yield what is written meanwhile, but sessions and what is counted against too many tries."""
    found: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        verb = sql.lstrip("( ").split(" ", 1)[0].upper()
        if verb in {"INSERT", "UPDATE", "DELETE", "COPY"} and not any(
            table in sql for table in ("session", "cache")
        ):
            found.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield found


def text_of(response: HttpResponseBase) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an answer for another kind of server is read whole
        body = b"".join(response) if response.streaming else cast(HttpResponse, response).content
    return body.decode(errors="replace")


def payload() -> dict[str, object]:
    """What is plausible in any of the forms."""
    tomorrow = timezone.localtime() + timedelta(days=1)
    return {
        **{
            "reason": "x",
            "name": "x",
            "key": "another-key",
            "email": "x@example.org",
            "role": "user",
        },
        **{"state": "suspended", "choice": "yes", "close": "1", "of": "key", "seen": ""},
        **{"address": "10.0.0.1", "port": "443", "setting": "round_robin", "hand_in": "1"},
        **{"closes_on": tomorrow.date().isoformat(), "starts_at": f"{tomorrow:%Y-%m-%dT%H:%M}"},
        **{"most": "1", "measure": "requests_per_minute", "overlap": "1", "confirm": "1"},
        **{"server_name": "x", "engine": "vllm", "base_url": "https://x.example.org"},
        **{"served_name": "x", "context_length": "4096", "modalities": "chat", "site_name": "x"},
        **{"network": "10.2.0.0/24", "ports": "443", "answer": "x"},
        **{"week-TOTAL_FORMS": "0", "week-INITIAL_FORMS": "0", "availability": "always"},
        **{"hours-TOTAL_FORMS": "0", "hours-INITIAL_FORMS": "0", "lowest_class": "1"},
    }


def is_refused(response: HttpResponseBase, who: str) -> bool:
    """A visitor is led to the sign-in, an account is told that there is nothing."""
    if who == "visitor":
        leads_to_sign_in = response.headers.get("Location", "").startswith(reverse("account_login"))
        return response.status_code in {403, 404, 405} or leads_to_sign_in
    return response.status_code in {403, 404, 405}


def asked(browser: Client, address: str) -> Iterator[tuple[str, HttpResponseBase, list[str]]]:
    """Ask in each way; yield how, what came, and what was written for it."""
    for method, headers in WAYS:
        data = payload() if method == "post" else None
        with writes() as written:
            response = getattr(browser, method)(address, data, headers=headers)
            yield f"{method} {headers}", response, written


def targets(world: World) -> Iterator[tuple[Route, Target]]:
    """Yield one row for each route and each circle of people who know of such a row."""
    for name, recipe in RECIPES.items():
        circles: dict[tuple[object, ...], Target] = {}
        for target in recipe(world):
            steps = frozenset(str(value) for value in target.address.values() if not _is_row(value))
            circles.setdefault((target.readers, target.writers, steps), target)
        for target in circles.values():
            yield routes()[name], target


def _is_row(value: object) -> bool:
    return isinstance(value, UUID | int)


def test_every_route_with_a_row_in_its_address_is_swept_here() -> None:
    with_rows = {route.name for route in routes().values() if route.parameters}

    assert with_rows == {*RECIPES, *PUBLISHED, *SECRETS}


def test_rows_of_several_institutions_are_tried(swept: World) -> None:
    for name, recipe in RECIPES.items():
        assert recipe(swept), f"{name} is tried with nothing"
    tried = {frozenset(target.readers) for _route, target in targets(swept)}

    assert {MEMBERS["rennes"], MEMBERS["reims"], DEPARTMENTS["reims"]} <= tried


def test_what_is_anothers_is_neither_shown_nor_changed(
    swept: World, browsers: dict[str, Client]
) -> None:
    problems = []
    for route, target in targets(swept):
        address = reverse(route.name, kwargs=target.address)
        for who, browser in browsers.items():
            if who in FEDERATION | target.writers:
                continue
            for how, response, written in asked(browser, address):
                told = f"{who} {how} {route.name} {target.address}: {response.status_code}"
                if who not in target.readers and not is_refused(response, who):
                    problems.append(f"{told} is not refused")
                if written:
                    problems.append(f"{told} wrote {written[0][:80]}")
                body = text_of(response)
                problems += [f"{told} shows {each}" for each in foreign_marks(who) if each in body]

    assert problems == []


def test_a_passkey_is_its_owner_s_and_not_even_the_federation_s(
    swept: World, browsers: dict[str, Client]
) -> None:
    tried = product(PASSKEYS.all(), ("mfa_edit_webauthn", "mfa_remove_webauthn"), FEDERATION)
    for passkey, name, who in tried:
        for how, response, written in asked(browsers[who], reverse(name, args=[passkey.pk])):
            assert (response.status_code, written) == (404, []), f"{who} {how} {name}"


def test_an_auditor_reads_and_changes_nothing(swept: World, browsers: dict[str, Client]) -> None:
    problems = []
    for route, target in targets(swept):
        address = reverse(route.name, kwargs=target.address)
        for how, response, written in asked(browsers["auditor"], address):
            if written:
                told = f"{how} {route.name} {target.address}: {response.status_code}"
                problems.append(f"{told} wrote {written[0][:80]}")

    assert problems == []


def test_whoever_may_see_a_row_is_let_in(swept: World, browsers: dict[str, Client]) -> None:
    """Else the sweep would refuse everybody because an address is wrong, and show nothing."""
    closed = {
        name
        for name, recipe in RECIPES.items()
        if not any(is_let_in(name, target, browsers) for target in recipe(swept))
    }

    assert closed == set()


def is_let_in(name: str, target: Target, browsers: dict[str, Client]) -> bool:
    address = reverse(name, kwargs=target.address)
    for who in sorted(target.readers | target.writers | {"admin"}):
        with undone():
            answers = [browsers[who].get(address), browsers[who].post(address, payload())]
        if any(answer.status_code in {200, 204, 302} for answer in answers):
            return True
    return False


def references(world: World) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield, for each institution, its rows under the names that forms and addresses give them."""
    for slug in ("rennes", "reims", "orleans"):
        place = Institution.objects.get(slug=slug)
        applications = Application.objects.filter(institution=place)
        keys = ApiKey.objects.filter(application__in=applications)
        rows: dict[str, object] = {
            "at": slug,
            "slug": slug,
            "institution": place.pk,
            "application": applications.latest("pk").pk,
            "key": keys.latest("pk").pk,
            "id": UsageRecord.objects.filter(asking_institution_id=place.pk).latest("pk").pk,
            "account": RoleGrant.objects.filter(institution_id=place.pk).latest("pk").user_id,
        }
        for name, row in (
            ("team", Team.objects.filter(institution=place).first()),
            ("site", place.sites.first()),
            ("server", InferenceServer.objects.filter(site__institution=place).first()),
        ):
            rows |= {name: row.pk} if row else {}
        yield slug, {name: str(value) for name, value in rows.items()}


def test_pages_without_a_row_in_their_address_show_and_change_nothing_of_others(
    swept: World, browsers: dict[str, Client]
) -> None:
    problems = []
    plain = [route.name for route in routes().values() if not route.parameters]
    for name, (slug, named), (who, browser) in product(plain, references(swept), browsers.items()):
        if who in FEDERATION or who in MEMBERS[slug]:
            continue
        address = reverse(name)
        read = browser.get(address, named)
        body = text_of(read)
        with writes() as written:
            wrote = None if name in ONES_OWN else browser.post(address, {**payload(), **named})
        told = f"{who} {name} with rows of {slug}"
        body += text_of(wrote) if wrote else ""
        problems += [f"{told} shows {each}" for each in foreign_marks(who) if each in body]
        if written:
            problems.append(f"{told} wrote {written[0][:100]}")

    assert problems == []
