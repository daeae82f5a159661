"""Nobody sees another institution's rows: every queryset's `for_user`, for everybody."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model

from federation.access.models import ApiKey, Application, Limit, Trial
from federation.catalogue.models import (
    AIModel,
    Alias,
    Announcement,
    MinimumService,
    MinimumServiceAlarm,
    ModelVersion,
    Notice,
    Proposal,
    RoutingPolicy,
    StageChange,
)
from federation.fleet.models import (
    ClientCertificate,
    ConformityLine,
    ConformityRun,
    Deployment,
    EgressGrant,
    EnergyProbe,
    GuestRules,
    InferenceServer,
    Lease,
    Maintenance,
    ServerToken,
    Site,
    SiteEgressGrant,
    TechnicalForm,
    UpstreamCredential,
)
from federation.identity.models import MetadataSource, SignInService
from federation.journal.models import AuditEvent
from federation.members.enums import Choice
from federation.members.models import (
    Agreement,
    Ballot,
    Candidacy,
    CharterAcceptance,
    Contact,
    Institution,
    Invitation,
    Membership,
    MembershipDecision,
    StoredFile,
    Team,
    TeamPlace,
    TextVersion,
    Vote,
)
from federation.members.operations.ballots import cast_vote
from federation.people.models import FirstAdminLink, Forgetting, Mail, RoleGrant, User
from routing.core.enums import LifecycleStage
from tests.integration.federation.world import World
from tests.support.factories import make_user

ROOMS = ("journal", "people", "members", "identity", "catalogue", "fleet", "access")
OWNERS: dict[type[Model], Callable[[Any], UUID]] = {
    Institution: lambda row: row.pk,
    Membership: lambda row: row.institution_id,
    Site: lambda row: row.institution_id,
    InferenceServer: lambda row: row.site.institution_id,
    UpstreamCredential: lambda row: row.server.site.institution_id,
    ClientCertificate: lambda row: row.server.site.institution_id,
    SiteEgressGrant: lambda row: row.site.institution_id,
    EgressGrant: lambda row: row.server.site.institution_id,
    EnergyProbe: lambda row: row.server.site.institution_id,
    GuestRules: lambda row: row.server.site.institution_id,
    Deployment: lambda row: row.server.site.institution_id,
    ConformityRun: lambda row: row.server.site.institution_id,
    ConformityLine: lambda row: row.run.server.site.institution_id,
    Maintenance: lambda row: row.server.site.institution_id,
    ServerToken: lambda row: row.server.site.institution_id,
    Lease: lambda row: row.server.site.institution_id,
}
"""Rows that everybody with a role at an institution sees, and who owns them."""
MODELS_OF: dict[type[Model], Callable[[Any], AIModel]] = {
    AIModel: lambda row: row,
    ModelVersion: lambda row: row.model,
    Alias: lambda row: row.model,
    RoutingPolicy: lambda row: row.model,
    StageChange: lambda row: row.model,
    Announcement: lambda row: row.model,
    MinimumService: lambda row: row.model,
    MinimumServiceAlarm: lambda row: row.model,
}
"""Rows of the common catalogue, and the model they belong to."""
COMMITTEE: tuple[type[Model], ...] = (Ballot, Vote)
"""Rows of the committee: nobody else sees how it votes."""
CANDIDATES: tuple[type[Model], ...] = (Candidacy, Contact, Agreement, StoredFile)
"""Rows of a candidate: its writers see them, before and after they have a role."""
PERSONAL: tuple[type[Model], ...] = (
    *(Application, ApiKey, Limit, Trial, User, RoleGrant, AuditEvent, TechnicalForm),
    *(Proposal, Notice, Forgetting, MetadataSource),
    *(Team, TeamPlace, Invitation, CharterAcceptance, MembershipDecision),
    *COMMITTEE,
    *CANDIDATES,
)
EVERYBODYS: tuple[type[Model], ...] = (TextVersion, SignInService)
"""Published texts, and by whom one signs in."""
OVERVIEW = ("admin", "auditor")


def seen_by(model: type[Model], user: User | AnonymousUser) -> set[Any]:
    return set(model._default_manager.for_user(user))  # type: ignore[attr-defined]


def everything(model: type[Model]) -> set[Any]:
    return set(model._default_manager.all())


def test_every_table_of_the_register_is_swept_here() -> None:
    tables = {model for room in ROOMS for model in apps.get_app_config(room).get_models()}

    # The first administrator's links and e-mails hold secrets: no page lists them.
    assert tables == {*OWNERS, *MODELS_OF, *PERSONAL, *EVERYBODYS, FirstAdminLink, Mail}


def test_one_sees_the_rows_of_ones_institutions_and_no_other(world: World) -> None:
    for name, person in world.cast.people().items():
        own = person.institution_ids()
        for model, owner in OWNERS.items():
            rows = everything(model)
            expected = rows if name in OVERVIEW else {row for row in rows if owner(row) in own}
            assert seen_by(model, person) == expected, (name, model)


def test_the_rows_of_the_sweep_belong_to_several_institutions(world: World) -> None:
    for model, owner in OWNERS.items():
        assert len({owner(row) for row in everything(model)}) > 1, model


def test_the_catalogue_is_common_except_what_is_not_served(world: World) -> None:
    for name, person in world.cast.people().items():
        for model, model_of in MODELS_OF.items():
            hidden = {
                row for row in everything(model) if model_of(row).stage == LifecycleStage.PROPOSED
            }
            assert hidden
            expected = everything(model) - (set() if name in OVERVIEW else hidden)
            assert seen_by(model, person) == expected, (name, model)


def test_a_visitor_and_a_closed_account_see_nothing(world: World) -> None:
    User.objects.filter(pk__in=[world.cast.admin.pk, world.cast.rennes_dsi.pk]).update(
        is_active=False
    )
    closed = User.objects.filter(is_active=False)
    assert len(closed) == 2

    for model in (*OWNERS, *MODELS_OF, *PERSONAL):
        for reader in (AnonymousUser(), *closed):
            assert not seen_by(model, reader), (model, reader)


def test_the_federation_sees_every_row(world: World) -> None:
    for person in (world.cast.admin, world.cast.auditor):
        for model in (*OWNERS, *MODELS_OF, *PERSONAL):
            assert seen_by(model, person) == everything(model), model


def test_an_it_department_sees_every_application_and_key_of_its_institution(world: World) -> None:
    rennes_dsi, rennes = world.cast.rennes_dsi, world.cast.rennes

    assert seen_by(Application, rennes_dsi) == set(rennes.applications.all())
    assert seen_by(ApiKey, rennes_dsi) == set(
        ApiKey.objects.filter(application__institution=rennes)
    )


def test_a_user_sees_the_applications_and_keys_that_are_the_users_own(world: World) -> None:
    assert seen_by(Application, world.cast.rennes_user) == {world.users_application}
    assert seen_by(ApiKey, world.cast.rennes_user) == set(world.users_application.keys.all())


def test_one_sees_the_limits_that_bound_the_keys_that_one_sees(world: World) -> None:
    cast, everybody = world.cast, Limit.objects.all()
    rennes, key = everybody.get(institution=cast.rennes), everybody.get(key__isnull=False)

    assert seen_by(Limit, cast.rennes_dsi) == {rennes, world.limit, key}
    assert seen_by(Limit, cast.rennes_user) == {rennes, key}
    assert seen_by(Limit, cast.orleans_user) == set()


def test_a_proposal_is_its_own_author_s_and_a_notice_its_reader_s(world: World) -> None:
    cast = world.cast

    assert seen_by(Proposal, cast.rennes_user) == {world.proposal}
    assert seen_by(Proposal, cast.rennes_dsi) == set()
    assert seen_by(Notice, cast.rennes_user) == set(Notice.objects.filter(person=cast.rennes_user))
    assert seen_by(Notice, cast.orleans_user) == set()


def test_one_sees_the_trials_of_the_keys_that_one_sees(world: World) -> None:
    cast = world.cast

    assert seen_by(Trial, cast.rennes_dsi) == seen_by(Trial, cast.rennes_user) == {world.trial}
    assert seen_by(Trial, cast.reims_dsi) == everything(Trial) - {world.trial}
    assert seen_by(Trial, cast.orleans_user) == set()


def test_an_application_is_out_of_sight_once_its_owner_has_left_the_institution(
    world: World,
) -> None:
    RoleGrant.objects.filter(user=world.cast.rennes_user).delete()
    gone = User.objects.get(pk=world.cast.rennes_user.pk)

    assert not seen_by(Application, gone)
    assert not seen_by(ApiKey, gone)


def test_an_it_department_sees_its_people_and_others_see_themselves(world: World) -> None:
    cast = world.cast

    assert seen_by(User, cast.rennes_dsi) == {cast.rennes_dsi, cast.rennes_user}
    for person in (cast.rennes_user, cast.orleans_user, cast.intruder):
        assert seen_by(User, person) == {person}
        assert seen_by(RoleGrant, person) == set(person.role_grants.all())


def test_the_journal_shows_an_it_department_what_concerns_it_and_others_their_own_acts(
    world: World,
) -> None:
    rennes = AuditEvent.objects.filter(institution_id=world.cast.rennes.pk)
    own = {
        person: AuditEvent.objects.filter(actor_pseudonym=person.pseudonym)
        for person in (world.cast.rennes_dsi, world.cast.rennes_user)
    }

    assert rennes
    assert seen_by(AuditEvent, world.cast.rennes_dsi) == {*rennes, *own[world.cast.rennes_dsi]}
    assert seen_by(AuditEvent, world.cast.rennes_user) == set(own[world.cast.rennes_user])


def test_only_the_federation_sees_ballots_and_votes(world: World) -> None:
    cast_vote(by=world.cast.admin, ballot=world.ballot, choice=Choice.YES)

    for name, person in world.cast.people().items():
        for model in COMMITTEE:
            assert bool(seen_by(model, person)) == (name in OVERVIEW), (name, model)


def test_a_candidate_is_seen_by_who_writes_it_and_by_the_federation(world: World) -> None:
    governance = make_user("governance")
    User.objects.filter(pk=governance.pk).update(email="Governance@Nantes.example")
    finance = make_user("finance")
    User.objects.filter(pk=finance.pk).update(email="finance@nantes.example")
    readers = world.cast.people() | {
        "applicant": world.candidacy.applicant,
        "governance": User.objects.get(pk=governance.pk),
        "finance": User.objects.get(pk=finance.pk),
    }

    for name, person in readers.items():
        for model in CANDIDATES:
            expected = name in {*OVERVIEW, "applicant", "governance"}
            assert bool(seen_by(model, person)) == expected, (name, model)


def test_an_it_department_sees_its_teams_and_invitations_and_a_user_the_teams_of_the_user(
    world: World,
) -> None:
    cast = world.cast

    for model in (Team, TeamPlace):
        assert seen_by(model, cast.rennes_dsi) == seen_by(model, cast.rennes_user)
        assert len(seen_by(model, cast.rennes_dsi)) == 1
        assert not seen_by(model, cast.orleans_user)
    assert seen_by(Invitation, cast.rennes_dsi) == {world.invitation}
    assert not seen_by(Invitation, cast.rennes_user)


def test_who_leaves_an_institution_sees_its_teams_no_more(world: World) -> None:
    RoleGrant.objects.filter(user=world.cast.rennes_user).delete()

    assert not seen_by(Team, User.objects.get(pk=world.cast.rennes_user.pk))


def test_an_it_department_sees_the_technical_forms_of_its_institution_and_nobody_else(
    world: World,
) -> None:
    cast = world.cast

    assert seen_by(TechnicalForm, cast.rennes_dsi) == set(cast.rennes.technical_forms.all())
    assert seen_by(TechnicalForm, cast.reims_dsi) == set(cast.reims.technical_forms.all())
    for person in (cast.rennes_user, cast.orleans_user, cast.intruder):
        assert seen_by(TechnicalForm, person) == set()
