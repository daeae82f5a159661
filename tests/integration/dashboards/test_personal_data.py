"""The file of what is known of somebody: all of it, nothing of others, no secret; and the register of processing."""

import csv
import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from billing.models import BudgetRequest
from dashboards.personal.export import SECTIONS, pieces
from federation.access.models import ApiKey, Application
from federation.catalogue.models import Proposal
from federation.journal.models import AuditEvent
from federation.members.enums import Choice, ContactRole
from federation.members.models import Candidacy, Contact, Invitation, Vote
from federation.members.operations.ballots import cast_vote
from federation.people.enums import Forgotten, Role
from federation.people.letters import Letter
from federation.people.models import Forgetting, RoleGrant, User
from federation.people.operations import FORGETTINGS_KEPT, choose_language, note_forgotten
from federation.people.post import post
from federation.people.tasks import forget_ended_sessions
from tests.integration.federation.world import World, undone
from tests.support.calls import store_calls
from tests.support.factories import make_application, make_key
from tests.support.factors import set_app, sign_in_fully
from tests.support.kept import Kept
from tests.support.pages import queries_of, signed_in_as

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None, plain_static: None, run_dir: object, kept_world: Kept[World]) -> World:
    return kept_world.put_back()


def file_of(user: User, **options: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads("".join(pieces(user, timezone.now(), **options)))
    return read


def streamed(answer: Any) -> str:
    async def whole() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(whole)().decode()


def test_the_file_holds_every_kind_of_row_that_is_ones_own(world: World) -> None:
    person = world.cast.rennes_user
    set_app(person)
    UserSession.objects.create(user=person, session_key="1", ip="192.0.2.7", user_agent="Firefox")
    said = {"affiliations": ["staff"], "uais": [], "siret": "", "doubt": ""}
    SocialAccount.objects.create(
        user=person, provider=world.service.service_id, uid="camille@rennes", extra_data=said
    )
    store_calls(world.users_application.keys.get(), world.deployment, count=2)
    post(person, lambda: Letter("What it says", ("is sealed",)), topic="of-a-topic")
    Contact.objects.filter(pk=Contact.objects.latest("pk").pk).update(email=person.email)

    told = file_of(person)

    filled = {name for name in SECTIONS if told[name]}
    others = {"candidacies", "files", "managed_applications", "invitations_sent", "votes"}
    assert set(SECTIONS) - filled == others | {"invitations_received"}
    assert told["account"][0]["email"] == person.email
    assert [session["ip"] for session in told["sessions"]] == ["192.0.2.7"]
    assert [factor["type"] for factor in told["second_factors"]] == ["totp"]
    assert [(each["uid"], each["extra_data"]) for each in told["sign_in_services"]] == [
        ("camille@rennes", said)
    ]
    assert told["roles"][0]["at"] == "rennes"
    assert [used["requests"] for used in told["usage_by_month"]] == [2]
    assert told["waiting_mails"][0]["topic"] == "of-a-topic"
    assert told["cut"] == []


def test_a_candidate_a_voter_and_an_it_department_find_theirs(world: World) -> None:
    cast_vote(by=world.cast.admin, ballot=world.ballot, choice=Choice.YES, comment="why not")

    assert file_of(world.candidacy.applicant)["candidacies"]
    assert file_of(world.candidacy.applicant)["files"]
    assert file_of(world.cast.rennes_dsi)["invitations_sent"]
    assert file_of(world.cast.admin)["votes"][0]["comment"] == "why not"


OWNERS: dict[type[models.Model], Callable[[Any], User | None]] = {
    User: lambda row: row,
    EmailAddress: lambda row: row.user,
    UserSession: lambda row: row.user,
    Contact: lambda row: None,
    Candidacy: lambda row: row.applicant,
    Application: lambda row: row.owner,
    ApiKey: lambda row: row.application.owner,
    BudgetRequest: lambda row: row.asked_by,
    Invitation: lambda row: None,
    Proposal: lambda row: row.proposed_by,
    Vote: lambda row: row.voter,
}
"""Whose the texts of a row are; None where they are never the reader's to have."""
OF_THE_ROW = {"User.password", "Candidacy.slug", "Invitation.digest", "ApiKey.digest"}


def mark_all_but(person: User) -> int:
    """Write a mark into every text of everybody else; return how many."""
    count = 0
    for model, owner_of in OWNERS.items():
        for row in model._default_manager.all():
            if owner_of(row) == person:
                continue
            marks = {
                field.name: f"mark-{row.pk}@example.org"
                for field in model._meta.concrete_fields
                if isinstance(field, models.CharField | models.TextField)
                and not field.choices
                and (field.max_length or 1000) >= 100
                and f"{model.__name__}.{field.name}" not in OF_THE_ROW
                and getattr(row, field.name)
            }
            model._default_manager.filter(pk=row.pk).update(**marks)
            count += len(marks)
    return count


def test_nothing_of_anybody_else_is_in_the_file(world: World) -> None:
    for person in world.cast.people().values():
        if person.sees_everything:
            continue
        with undone():
            assert mark_all_but(person) > 20
            text = "".join(pieces(User.objects.get(pk=person.pk), timezone.now()))
            assert "mark-" not in text.lower(), person.name


def test_an_address_that_was_not_proved_opens_nothing_of_others(world: World) -> None:
    contact = Contact.objects.get(candidacy=world.candidacy, role=ContactRole.FINANCE)
    person = world.cast.intruder
    added = EmailAddress.objects.create(user=person, email=contact.email, verified=False)
    assert file_of(person)["contacts"] == []

    added.set_verified()

    assert [row["name"] for row in file_of(person)["contacts"]] == [contact.name]


def test_no_secret_and_no_digest_is_in_the_file(world: World) -> None:
    person = world.cast.rennes_user
    secret = set_app(person)
    RecoveryCodes.activate(person)
    key, text = make_key(make_application(world.cast.rennes, person))
    post(person, lambda: Letter("the-heading", ("the-content",)))

    whole = "".join(pieces(person, timezone.now()))

    secrets = [secret, text, key.digest, person.password, "the-heading", "the-content"]
    secrets += [str(a.data.get("secret") or a.data.get("seed")) for a in _factors(person)]
    for model in apps.get_models():
        hidden = [f.name for f in model._meta.concrete_fields if _is_secret(f.name)]
        for row in model._default_manager.values_list(*hidden) if hidden else ():
            secrets += [str(value) for value in row if value]
    assert len(secrets) > 20
    assert [each for each in secrets if each in whole] == []


def _factors(person: User) -> list[Authenticator]:
    return list(Authenticator.objects.filter(user=person))


def _is_secret(name: str) -> bool:
    return any(part in name for part in ("digest", "sealed", "ciphertext", "password"))


def test_more_rows_take_no_more_queries_and_the_file_is_bounded(world: World) -> None:
    person = world.cast.rennes_user

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            file_of(person)
        return len(captured)

    before = queries()
    for _n in range(5):
        make_key(make_application(world.cast.rennes, person))
        choose_language(by=person, language="en")

    assert queries() == before <= len(SECTIONS) + 3
    told = file_of(person, most=2)
    assert all(len(told[name]) <= 2 for name in SECTIONS)
    assert {"applications", "keys", "journal"} <= set(told["cut"])


def test_the_file_is_asked_for_with_a_fresh_confirmation_and_told_to_the_journal(
    world: World,
) -> None:
    person = world.cast.rennes_user
    stale = sign_in_fully(Client(), person, seconds_ago=601)
    asked = stale.post("/account/data/export/")
    assert asked.headers["Location"].endswith("?next=%2Faccount%2Fdata%2F")
    assert not AuditEvent.objects.filter(verb="people.export_data").exists()

    browser = signed_in_as(person)
    assert browser.get("/account/data/export/").status_code == 405
    answer = browser.post("/account/data/export/")

    assert answer.headers["Content-Disposition"].startswith('attachment; filename="my-data_')
    assert "no-store" in answer.headers["Cache-Control"]
    assert json.loads(streamed(answer))["account"][0]["email"] == person.email
    event = AuditEvent.objects.get(verb="people.export_data")
    assert (event.actor_pseudonym, event.object_id) == (person.pseudonym, str(person.pk))


def test_the_pages_in_french(world: World) -> None:
    browser = signed_in_as(world.cast.rennes_user)

    mine = browser.get("/account/data/", headers={"accept-language": "fr"}).content.decode()
    assert "Mes données" in mine
    assert 'href="/account/data/erase/"' in mine
    register = browser.get("/personal-data/").content.decode()
    assert "registre des traitements" in register
    assert "Ce qui a été oublié" not in register
    assert queries_of(browser, "/personal-data/") < 20


def test_periods_are_those_of_the_settings(world: World, settings: Settings) -> None:
    settings.RETENTION_MONTHS = 7
    page = signed_in_as(world.cast.rennes_user).get("/personal-data/").content.decode()

    assert "7\xa0mois entiers" in page
    assert "12\xa0mois" not in page


def test_the_officer_of_ones_institution_is_named_and_no_other(world: World) -> None:
    officer = Contact.objects.get(candidacy=world.candidacy, role=ContactRole.DPO)
    page = signed_in_as(world.cast.rennes_user).get("/personal-data/").content.decode()
    assert officer.email not in page
    assert "le vôtre vous dit qui" in page

    membership = world.candidacy.membership
    assert membership is not None
    RoleGrant.objects.create(
        user=world.cast.orleans_user, role=Role.USER, institution_id=membership.institution_id
    )
    page = signed_in_as(world.cast.orleans_user).get("/personal-data/").content.decode()
    assert officer.email in page


# What was forgotten


def test_a_run_leaves_word_which_administrators_and_auditors_read(world: World) -> None:
    ended = SessionStore()
    ended.create()
    Session.objects.filter(pk=ended.session_key).update(
        expire_date=timezone.now() - timedelta(days=1)
    )
    UserSession.objects.create(
        user=world.cast.rennes_user, session_key=ended.session_key, ip="192.0.2.7", user_agent="x"
    )
    forget_ended_sessions()
    run = Forgetting.objects.get(what=Forgotten.SESSIONS)
    assert run.removed == 1
    assert not UserSession.objects.exists()
    note_forgotten(what=Forgotten.COUNTERS, removed=3)

    for person in (world.cast.admin, world.cast.auditor):
        browser = signed_in_as(person)
        page = browser.get("/personal-data/", headers={"accept-language": "fr"})
        assert "Ce qui a été oublié" in page.content.decode()
        lines = streamed(browser.get("/personal-data/forgotten/csv/")).lstrip("\ufeff")
        rows = list(csv.DictReader(StringIO(lines), delimiter=";"))
        assert [(row["what"], row["removed"]) for row in rows] == [
            ("counters", "3"),
            ("sessions", "1"),
        ]
    for person in (world.cast.rennes_dsi, world.cast.rennes_user):
        assert not Forgetting.objects.for_user(person).exists()
        assert signed_in_as(person).get("/personal-data/forgotten/csv/").status_code == 403


def test_words_of_runs_are_themselves_forgotten() -> None:
    note_forgotten(what=Forgotten.USAGE, removed=1)
    Forgetting.objects.update(created_at=timezone.now() - FORGETTINGS_KEPT - timedelta(days=1))

    note_forgotten(what=Forgotten.USAGE, removed=2)

    assert [run.removed for run in Forgetting.objects.all()] == [2]
