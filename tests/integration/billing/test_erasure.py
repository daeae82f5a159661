"""Somebody is erased: what goes, what stays, who refuses, and that not one sum and no link of the chain changes."""

from contextlib import suppress
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, models, transaction
from django.test import Client

from billing.models import Budget, BudgetRequest, UsageRecord
from billing.operations import erasure
from billing.operations.erasure import FREE_TEXTS, erase_person
from billing.records import intake
from billing.records.checks import findings
from federation.access.models import ApiKey, Application
from federation.access.operations import add_manager, hand_over, revoke_key
from federation.journal.chain import verify
from federation.journal.models import AuditEvent
from federation.members.enums import Choice, InvitationState
from federation.members.models import Contact, Invitation, TeamPlace
from federation.members.operations.ballots import cast_vote
from federation.members.operations.invitations import invite
from federation.people.enums import Role
from federation.people.letters import Letter
from federation.people.models import Mail, RoleGrant, User
from federation.people.operations import close_account, grant_role
from federation.people.post import post
from tests.integration.billing.conftest import used
from tests.integration.billing.test_retention import assert_whole, told
from tests.integration.federation.crowd import at_once
from tests.integration.federation.world import World, undone
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_cast,
    make_key,
    make_user,
    serve_model,
)
from tests.support.factors import set_app, sign_in_fully
from tests.support.kept import Kept
from tests.support.load_feed import run_dir
from tests.support.pages import plain_static, signed_in_as

__all__ = ["plain_static", "run_dir"]

pytestmark = pytest.mark.django_db
NAME = "Camille Le Goff-Nguyên"
ADDRESS = "camille.legoff+ia@rennes.example"
PAGE = "/account/data/erase/"


@pytest.fixture
def world(db: None, plain_static: None, run_dir: object, kept_world: Kept[World]) -> World:
    """With somebody at Rennes whose name nobody else has."""
    world = kept_world.put_back()
    User.objects.filter(pk=world.cast.rennes_user.pk).update(name=NAME, email=ADDRESS)
    EmailAddress.objects.filter(user=world.cast.rennes_user).update(email=ADDRESS)
    world.cast.rennes_user.refresh_from_db()
    return world


def chain() -> int:
    """Return how many events the journal has. Raises when it is not whole."""
    count, _head = verify(AuditEvent.objects.order_by("seq"))
    return count


def free(user: User) -> User:
    """Take what keeps an account from being erased: its keys."""
    for key in ApiKey.objects.usable().filter(application__owner=user):
        revoke_key(by=OPERATOR, key=key, reason="the end")
    return user


def texts() -> list[tuple[str, str, Any]]:
    """Return every value of the database that is text, with its table and column."""
    found = []
    for model in apps.get_models():
        if not model._meta.managed or model._meta.proxy:
            continue
        columns = [
            field.attname
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.TextField | models.JSONField)
            or hasattr(field, "base_field")
        ]
        for row in model._default_manager.values(*columns) if columns else ():
            found += [(model._meta.label, name, str(value)) for name, value in row.items()]
    return found


def naming(*words: str) -> set[tuple[str, str]]:
    return {
        (table, column)
        for table, column, text in texts()
        if any(word.lower() in text.lower() for word in words)
    }


def write_name_everywhere(world: World) -> None:
    """In each free text that the register has a row of, among other words."""
    cast_vote(by=world.cast.admin, ballot=world.ballot, choice=Choice.YES)
    for model, names in FREE_TEXTS.items():
        row = model._default_manager.order_by("pk").first()
        assert row is not None, model
        for name in names:
            # An answer to what is not answered yet is refused by a constraint.
            with suppress(IntegrityError), transaction.atomic():
                rows = model._default_manager.filter(pk=row.pk)
                rows.update(**{name: f"for {NAME.upper()}, see <{ADDRESS}>"})


def test_no_text_of_the_database_names_who_was_erased(world: World) -> None:
    person = free(world.cast.rennes_user)
    ApiKey.objects.filter(revoked_reason="the end").update(revoked_reason=f"{NAME} left")
    write_name_everywhere(world)
    Contact.objects.filter(pk=Contact.objects.latest("pk").pk).update(email=ADDRESS, name=NAME)
    post(person, lambda: Letter("Something", (NAME,)))
    post(ADDRESS, lambda: Letter("Something", (NAME,)))
    invite(by=world.cast.reims_dsi, email=ADDRESS, role=Role.USER, institution=world.cast.reims)
    assert len(naming(NAME, ADDRESS)) > 15

    erased = erase_person(by=person, user=person)

    assert naming(NAME, ADDRESS, "Le Goff", "camille") == set()
    assert (erased.name, erased.is_active, erased.has_usable_password()) == ("–", False, False)
    assert erased.email == f"{erased.pseudonym.hex}@forgotten.invalid"


def test_a_second_address_goes_once_it_is_proved_and_no_sooner(world: World) -> None:
    person = free(world.cast.rennes_user)
    contact = Contact.objects.latest("pk")
    other = EmailAddress.objects.create(user=person, email=contact.email, verified=False)
    for verified in (False, True):
        EmailAddress.objects.filter(pk=other.pk).update(verified=verified)
        with undone():
            erase_person(by=person, user=person)
            assert Contact.objects.filter(email=contact.email).exists() is not verified


def test_what_is_not_theirs_keeps_every_letter(world: World) -> None:
    person = free(world.cast.rennes_user)
    for text in ("a Camille Le Goff-Nguyênne", "xcamille.legoff+ia@rennes.example"):
        world.application.description = text
        world.application.save()
        with undone():
            erase_person(by=person, user=person)
            assert Application.objects.get(pk=world.application.pk).description == text


def test_a_name_of_one_word_is_not_taken_out_of_texts(world: World) -> None:
    User.objects.filter(pk=world.cast.rennes_user.pk).update(name="Model")
    person = free(User.objects.get(pk=world.cast.rennes_user.pk))
    Application.objects.filter(pk=world.application.pk).update(description="A model, of mine")

    erase_person(by=person, user=person)

    assert Application.objects.get(pk=world.application.pk).description == "A model, of mine"


def test_what_could_open_the_account_and_what_it_had_is_gone(world: World) -> None:
    person = free(world.cast.rennes_user)
    set_app(person)
    SocialAccount.objects.create(
        user=person, provider=world.service.service_id, uid=ADDRESS, extra_data={}
    )
    browser = signed_in_as(person)
    assert browser.get("/account/sessions/").status_code == 200
    invite(by=world.cast.reims_dsi, email=ADDRESS, role=Role.USER, institution=world.cast.reims)
    add_manager(by=OPERATOR, application=world.application, manager=person)
    kept = UserSession.objects.create(
        user=person, session_key=browser.session.session_key, ip="192.0.2.7", user_agent="Firefox"
    )
    assert Session.objects.filter(pk=kept.session_key).exists()

    erase_person(by=person, user=person)

    kinds: tuple[Any, ...] = (
        *(EmailAddress, Authenticator, SocialAccount, UserSession, RoleGrant, TeamPlace),
    )
    for of_theirs in kinds:
        assert not of_theirs.objects.filter(user=person).exists(), of_theirs
    assert not Session.objects.filter(pk=kept.session_key).exists()
    assert not Mail.objects.filter(person=person).exists()
    assert not world.application.managers.exists()
    offered = Invitation.objects.get(institution=world.cast.reims, email__endswith=".invalid")
    assert offered.state == InvitationState.WITHDRAWN
    asked = BudgetRequest.objects.get(pk=world.asked.pk)
    assert Budget.objects.get(pk=asked.budget_id).ended_at is not None
    assert browser.get("/account/data/").status_code == 302


def test_sums_ledger_and_chain_are_the_same(kept_cast: Kept[Cast]) -> None:
    """I15: whoever goes, every sum stays."""
    cast = kept_cast.put_back()
    key, _text = make_key(make_application(cast.rennes, cast.rennes_user))
    intake.store([used(key, serve_model(cast.reims)) for _n in range(3)])
    free(cast.rennes_user)
    before, found, events = told(), findings(), chain()

    erase_person(by=cast.rennes_user, user=cast.rennes_user)

    assert told() == before
    assert_whole()
    assert findings() == found
    assert set(UsageRecord.objects.values_list("key_id", flat=True)) == {key.pk}
    assert chain() > events
    acts = AuditEvent.objects.filter(seq__gt=events).order_by("seq")
    assert [act.verb for act in acts] == ["people.revoke_role", "people.erase_person"]
    assert {act.actor_pseudonym for act in acts} == {cast.rennes_user.pseudonym}


def test_whoever_owns_keys_in_force_hands_over_or_revokes_first(world: World) -> None:
    person = world.cast.rennes_user
    with pytest.raises(ValidationError, match="sont en service") as refused:
        erase_person(by=person, user=person)
    assert world.users_application.name in refused.value.messages[0]

    hand_over(by=person, application=world.users_application, owner=world.cast.rennes_dsi)

    assert not erase_person(by=person, user=person).is_active


@pytest.mark.parametrize("who", ["admin", "rennes_dsi"])
def test_the_last_of_those_whom_others_need_names_another_first(world: World, who: str) -> None:
    person = free(world.cast.people()[who])
    grant = RoleGrant.objects.get(user=person)
    before = chain()
    with pytest.raises(ValidationError) as refused:
        erase_person(by=person, user=person)
    assert {error.code for error in refused.value.error_list} == {"last_one"}
    assert chain() == before

    grant_role(
        by=OPERATOR, user=world.cast.intruder, role=grant.role, institution_id=grant.institution_id
    )

    assert not erase_person(by=person, user=person).is_active


def test_all_that_has_to_be_done_first_is_told_at_once(world: World) -> None:
    make_key(make_application(world.cast.rennes, world.cast.rennes_dsi, name="Recherche"))
    page = signed_in_as(world.cast.rennes_dsi).get(PAGE).content.decode()

    assert "Recherche" in page
    assert 'href="/people/"' in page
    assert 'href="/keys/"' in page
    assert 'name="email"' not in page


def test_nobody_erases_somebody_else_but_the_federation_a_closed_account(world: World) -> None:
    person = free(world.cast.rennes_user)
    for by in (world.cast.rennes_dsi, world.cast.auditor, world.cast.intruder):
        with pytest.raises(PermissionDenied):
            erase_person(by=by, user=person)
    with pytest.raises(ValidationError, match="Fermez d’abord le compte"):
        erase_person(by=world.cast.admin, user=person)

    close_account(by=world.cast.admin, user=person)
    erase_person(by=world.cast.admin, user=person)

    with pytest.raises(ValidationError, match="déjà effacé"):
        erase_person(by=world.cast.admin, user=User.objects.get(pk=person.pk))


def test_the_command_erases_a_closed_account(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    person = free(world.cast.rennes_user)
    for address, why in ((ADDRESS, "Close the account first"), ("no@where.example", "No account")):
        with pytest.raises(CommandError, match=why):
            call_command("erase_person", address)
    close_account(by=OPERATOR, user=person)

    call_command("erase_person", ADDRESS.upper())

    assert capsys.readouterr().out == f"Account {person.pseudonym} is erased\n"
    assert User.objects.get(pk=person.pk).name == "–"


def test_a_run_that_is_killed_in_the_middle_leaves_everything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = free(world.cast.rennes_user)
    before, named = chain(), naming(NAME, ADDRESS)

    def killed(**_facts: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(erasure, "record", killed)
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        erase_person(by=person, user=person)

    assert chain() == before
    assert naming(NAME, ADDRESS) == named
    assert User.objects.get(pk=person.pk).has_role(Role.USER, world.cast.rennes.pk)


def test_of_the_two_last_administrators_who_go_at_once_one_stays(transactional_db: None) -> None:
    make_cast()
    one, other = (User.objects.get(email="admin@example.org"), make_user("second"))
    grant_role(by=OPERATOR, user=other, role=Role.FEDERATION_ADMIN)
    refusals: list[ValidationError] = []

    def leave(user: User) -> None:
        try:
            erase_person(by=user, user=user)
        except ValidationError as refusal:
            refusals.append(refusal)

    at_once([lambda: leave(one), lambda: leave(User.objects.get(pk=other.pk))])

    assert [error.code for error in refusals[0].error_list] == ["last_one"]
    assert len(refusals) == 1
    assert RoleGrant.objects.filter(role=Role.FEDERATION_ADMIN).count() == 1
    chain()


def test_the_same_person_twice_at_once_is_erased_once(transactional_db: None) -> None:
    person = make_cast().rennes_user
    refusals: list[ValidationError] = []

    def leave() -> None:
        user = User.objects.get(pk=person.pk)
        try:
            erase_person(by=user, user=user)
        except ValidationError as refusal:
            refusals.append(refusal)

    at_once([leave, leave])

    assert [refusal.code for refusal in refusals] == ["erased"]
    assert AuditEvent.objects.filter(verb="people.erase_person").count() == 1
    chain()


# The page


def test_the_page_asks_for_the_address_and_signs_out(world: World) -> None:
    person = free(world.cast.rennes_user)
    browser = signed_in_as(person)
    page = browser.get(PAGE, headers={"accept-language": "fr"}).content.decode()
    for sentence in ("Ce qui disparaît", "Ce qui reste, et pourquoi", "12\xa0mois entiers"):
        assert sentence in page, sentence

    for wrong in ("", "camille@rennes.example"):
        refused = browser.post(PAGE, {"email": wrong})
        assert refused.status_code == 200
        assert User.objects.get(pk=person.pk).is_active

    done = browser.post(PAGE, {"email": f" {ADDRESS.upper()} "}, follow=True)

    assert done.redirect_chain[0][0] == "/"
    assert "Votre compte est effacé" in done.content.decode()
    assert not User.objects.get(pk=person.pk).is_active
    assert browser.get("/account/data/").status_code == 302


def test_a_session_that_was_left_open_erases_nobody(world: World) -> None:
    person = free(world.cast.rennes_user)
    browser = sign_in_fully(Client(), person, seconds_ago=601)

    for asked in (browser.get(PAGE), browser.post(PAGE, {"email": ADDRESS})):
        assert asked.status_code == 302
        assert asked.headers["Location"].startswith("/account/reauthenticate/")
    assert User.objects.get(pk=person.pk).is_active


def test_a_visitor_signs_in_first(db: None) -> None:
    for address in (PAGE, "/account/data/", "/personal-data/"):
        assert Client().get(address).headers["Location"].startswith("/account/login/")
