"""Every route of the portal that holds a row, with rows of every institution, and who may know of each.

What is expected is written down here, not asked of the product: its own filters are what the sweep tries.
"""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, NamedTuple

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet

from billing.enums import BudgetLevel
from billing.models import (
    Budget,
    BudgetRequest,
    Contest,
    CostPool,
    FeeVersion,
    Holder,
    Note,
    PriceVersion,
    Statement,
    Transfer,
    UsageRecord,
)
from billing.statements.statement import draft_of, keys_of
from federation.access.clients import CLIENTS
from federation.access.models import ApiKey, Application, Trial
from federation.catalogue.models import AIModel, Alias, Proposal
from federation.fleet.models import (
    ConformityRun,
    InferenceServer,
    Maintenance,
    ServerToken,
    SiteEgressGrant,
    TechnicalForm,
)
from federation.fleet.views.jobs import FILES
from federation.identity.models import MetadataSource, SignInService
from federation.members.enums import TextKind
from federation.members.models import (
    Agreement,
    Ballot,
    Candidacy,
    Institution,
    Invitation,
    Membership,
    StoredFile,
    Team,
    TeamPlace,
)
from federation.members.queries import Part
from federation.people.models import RoleGrant, User
from routing.core.enums import LifecycleStage
from tests.integration.federation.world import World

FEDERATION = frozenset({"admin", "auditor"})
MEMBERS = {
    "rennes": frozenset({"rennes_dsi", "rennes_user"}),
    "reims": frozenset({"reims_dsi"}),
    "orleans": frozenset({"orleans_user"}),
    "nantes": frozenset({"applicant"}),
}
DEPARTMENTS = {
    "rennes": frozenset({"rennes_dsi"}),
    "reims": frozenset({"reims_dsi"}),
    "orleans": frozenset[str](),
    "nantes": frozenset[str](),
}
ACCOUNTANTS = frozenset({"rennes_dsi", "reims_dsi"})
A_MONTH = date(2026, 1, 1)
CONTESTED = date(2024, 12, 1)
EVERYBODY = frozenset().union(*MEMBERS.values(), {"intruder"})
NOBODY = frozenset[str]()


class Target(NamedTuple):
    """A row in an address. `readers` may see it and `writers` change it, beside the federation."""

    address: dict[str, object]
    readers: frozenset[str]
    writers: frozenset[str]


Recipe = Callable[[World], list[Target]]


def of_institutions(
    rows: Callable[[], QuerySet[Any]], parameter: str, slug: Callable[[Any], str], **more: object
) -> Recipe:
    """Rows that everybody at their institution may see, and its IT department change."""

    def targets(world: World) -> list[Target]:
        return [
            Target({parameter: row.pk, **more}, MEMBERS[slug(row)], DEPARTMENTS[slug(row)])
            for row in rows()
        ]

    return targets


def of_departments(
    rows: Callable[[], QuerySet[Any]], parameter: str, slug: Callable[[Any], str], **more: object
) -> Recipe:
    """Rows of which only the IT department of their institution knows."""

    def targets(world: World) -> list[Target]:
        return [
            Target({parameter: row.pk, **more}, DEPARTMENTS[slug(row)], DEPARTMENTS[slug(row)])
            for row in rows()
        ]

    return targets


def of_the_candidate(rows: Callable[[], QuerySet[Any]], **more: object) -> Recipe:
    applicant = MEMBERS["nantes"]
    return lambda world: [Target({"pk": row.pk, **more}, applicant, applicant) for row in rows()]


def of_the_committee(
    rows: Callable[[], QuerySet[Any]], parameter: str = "pk", field: str = "pk", **more: object
) -> Recipe:
    return lambda world: [
        Target({parameter: getattr(row, field), **more}, NOBODY, NOBODY) for row in rows()
    ]


def of_servers(**more: object) -> Recipe:
    servers = InferenceServer.objects.select_related("site__institution")
    return of_institutions(servers.all, "server_id", lambda row: row.institution.slug, **more)


def of_runs() -> Recipe:
    runs = ConformityRun.objects.select_related("server__site__institution")
    return of_institutions(runs.all, "run_id", lambda row: row.server.institution.slug)


def of_applications(
    parameter: str, rows: Callable[[], QuerySet[Any]], application: Callable[[Any], Application]
) -> Recipe:
    """What is an application's: its owner and its IT department know of it."""

    def targets(world: World) -> list[Target]:
        return [Target({parameter: row.pk}, who, who) for row in rows() for who in [_of(row)]]

    def _of(row: Any) -> frozenset[str]:
        found = application(row)
        owner = {found.owner.name} if found.owner else set()
        return DEPARTMENTS[found.institution.slug] | owner

    return targets


def of_keys(**more: object) -> Recipe:
    keys = of_applications("key_id", ApiKey.objects.all, lambda row: row.application)
    return lambda world: [each._replace(address={**each.address, **more}) for each in keys(world)]


def of_requests(world: World) -> list[Target]:
    """Who asks sees a request, and whose server answered."""
    targets = []
    for record in UsageRecord.objects.all():
        application = Application.objects.get(pk=record.application_id)
        owner = {application.owner.name} if application.owner else set()
        assert record.serving_institution_id  # it was answered
        serving = Institution.objects.get(pk=record.serving_institution_id)
        readers = DEPARTMENTS[application.institution.slug] | DEPARTMENTS[serving.slug] | owner
        targets.append(Target({"request_id": record.pk}, readers, NOBODY))
    return targets


def of_budgets(world: World) -> list[Target]:
    targets = []
    for budget in Budget.objects.all():
        readers = writers = NOBODY
        match budget.owner:
            case Institution(slug=slug):
                readers, writers = MEMBERS[slug], DEPARTMENTS[slug]
                if budget.level == BudgetLevel.FEDERATION:
                    writers = NOBODY
            case Holder(user=user, institution=place):
                readers = frozenset({user.name}) | DEPARTMENTS[place.slug]
                writers = DEPARTMENTS[place.slug]
            case ApiKey(application=of):
                who = {getattr(of.owner, "name", "")} | DEPARTMENTS[of.institution.slug]
                readers = writers = frozenset(who)
        targets.append(Target({"budget_id": budget.pk}, readers, writers))
    return targets


def of_wishes(world: World) -> list[Target]:
    """Where more of a budget is asked for: whom it bounds from above does so."""
    return [Target(target.address, target.readers, target.readers) for target in of_budgets(world)]


def of_budget_requests(writers: Callable[[BudgetRequest], frozenset[str]]) -> Recipe:
    """Who has asked and their accountants know of a request."""

    def targets(world: World) -> list[Target]:
        return [
            Target(
                {"request_id": asked.pk},
                frozenset({asked.asked_by.name}) | _accountants(asked),
                writers(asked),
            )
            for asked in BudgetRequest.objects.all()
        ]

    return targets


def _accountants(asked: BudgetRequest) -> frozenset[str]:
    owner = asked.budget.owner
    institution = owner.institution if isinstance(owner, Holder) else owner
    assert isinstance(institution, Institution)
    return DEPARTMENTS[institution.slug]


def _deciders(asked: BudgetRequest) -> frozenset[str]:
    of_the_federation = asked.budget.level == BudgetLevel.FEDERATION
    return NOBODY if of_the_federation else _accountants(asked)


def of_oneself(rows: Callable[[], QuerySet[Any]], person: Callable[[Any], User]) -> Recipe:
    """Rows that are a person's own, and not their IT department's."""

    def targets(world: World) -> list[Target]:
        return [
            Target({"pk": row.pk}, who, who)
            for row in rows()
            for who in [frozenset({known_as(person(row))})]
        ]

    return targets


def of_networks(**more: object) -> Recipe:
    networks = SiteEgressGrant.objects.select_related("site__institution")
    return of_departments(networks.all, "grant_id", lambda row: row.site.institution.slug, **more)


def of_hosts(world: World) -> list[Target]:
    """Who serves a model knows which of its own keys may try it."""
    targets = []
    for model in AIModel.objects.all():
        servers = InferenceServer.objects.filter(deployments__version__model=model)
        hosts = (DEPARTMENTS[server.institution.slug] for server in servers)
        who = NOBODY.union(*hosts)
        targets.append(Target({"model_id": model.pk}, who, who))
    return targets


def of_trials(world: World) -> list[Target]:
    """Who serves a model ends the trials of its own keys; those of others the federation."""
    targets = []
    for trial in Trial.objects.all():
        asking = trial.key.application.institution
        servers = InferenceServer.objects.filter(site__institution=asking)
        hosts = servers.filter(deployments__version__model=trial.model_id).exists()
        who = DEPARTMENTS[asking.slug] if hosts else NOBODY
        targets.append(Target({"model_id": trial.model_id, "trial_id": trial.pk}, who, who))
    return targets


def read_only(recipe: Recipe) -> Recipe:
    """The same rows, which the federation alone changes."""
    return lambda world: [target._replace(writers=NOBODY) for target in recipe(world)]


def of_people(rows: Callable[[], Iterable[Any]], person: Callable[[Any], User]) -> Recipe:
    """Accounts and roles: of oneself, and of the IT department's people."""

    def targets(world: World) -> list[Target]:
        return [Target({"pk": row.pk}, who, who) for row in rows() for who in [_of(person(row))]]

    def _of(found: User) -> frozenset[str]:
        places = Institution.objects.filter(pk__in=found.institution_ids())
        return frozenset({known_as(found)}).union(*(DEPARTMENTS[each.slug] for each in places))

    return targets


def of_teams(
    parameter: str, rows: Callable[[], Iterable[Any]], team: Callable[[Any], Team]
) -> Recipe:
    def targets(world: World) -> list[Target]:
        return [
            Target({parameter: row.pk}, MEMBERS[slug], DEPARTMENTS[slug])
            for row in rows()
            for slug in [team(row).institution.slug]
        ]

    return targets


def of_models(world: World) -> list[Target]:
    """The catalogue is everybody's, but what is only proposed; the federation writes it."""
    return [
        Target(
            {"name": model.slug},
            NOBODY if model.stage == LifecycleStage.PROPOSED else EVERYBODY,
            NOBODY,
        )
        for model in AIModel.objects.all()
    ]


def of_statements(world: World) -> list[Target]:
    """An IT department reads its institution's; the federation writes them."""
    return [
        Target({"month": A_MONTH, "slug": each.slug}, DEPARTMENTS[each.slug], NOBODY)
        for each in Institution.objects.exclude(slug="nantes")
    ]


def of_invoicing(world: World) -> list[Target]:
    """An IT department says what its institution's invoices need."""
    return [
        target._replace(address={"slug": target.address["slug"]}, writers=target.readers)
        for target in of_statements(world)
    ]


def of_invoices(world: World) -> list[Target]:
    return [
        Target({"month": each.period_id, "slug": slug}, DEPARTMENTS[slug], NOBODY)
        for each in Statement.objects.select_related("institution")
        for slug in [each.institution.slug]
    ]


def of_lines(world: World) -> list[Target]:
    """A line of its statement is contested by its IT department alone."""
    targets = []
    for place in Institution.objects.filter(slug__in=("rennes", "reims")):
        (line_key,) = keys_of(draft_of(place, CONTESTED).lines)
        address = {"month": CONTESTED, "slug": place.slug, "line_key": line_key}
        targets.append(Target(address, DEPARTMENTS[place.slug], DEPARTMENTS[place.slug]))
    return targets


def of_notes(world: World) -> list[Target]:
    return [
        Target({"number": note.number}, DEPARTMENTS[note.institution.slug], NOBODY)
        for note in Note.objects.all()
    ]


def of_years(world: World) -> list[Target]:
    """Whoever reads accounts reads what is settled."""
    return [Target({"year": pool.year}, ACCOUNTANTS, NOBODY) for pool in CostPool.objects.all()]


def of_keys_of_institutions(world: World) -> list[Target]:
    places = Institution.objects.exclude(slug="nantes")
    return [
        Target({"slug": each.slug}, DEPARTMENTS[each.slug], DEPARTMENTS[each.slug])
        for each in places
    ]


def known_as(user: User) -> str:
    return "applicant" if user.name == "nantes_applicant" else user.name


def several(*recipes: Recipe) -> Recipe:
    return lambda world: [target for recipe in recipes for target in recipe(world)]


PASSKEYS = Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN)
RECIPES: dict[str, Recipe] = {
    **dict.fromkeys(
        [
            *(
                "affected",
                "server_report",
                "server_pulse",
                "guest_rules",
                "server_machine",
                "server_energy",
                "server_energy_csv",
                "server_calibrations_csv",
                "server_reading",
                "run_again",
            ),
            *("rotate_key", "server_calendar", "accept_server", "decline_server", "grant_egress"),
            *("server_jobs", "new_server_token"),
        ],
        of_servers(),
    ),
    "move_server": several(*(of_servers(step=step) for step in ("drain", "resume", "retire"))),
    "server_certificates": of_departments(
        InferenceServer.objects.all, "server_id", lambda row: row.institution.slug
    ),
    "site_network": of_networks(),
    "decide_network": several(
        of_the_committee(SiteEgressGrant.objects.all, "grant_id", step="allow"),
        of_the_committee(SiteEgressGrant.objects.all, "grant_id", step="decline"),
        of_networks(step="withdraw"),
    ),
    **dict.fromkeys(["run", "run_lines"], of_runs()),
    "sign_in_service": of_departments(
        SignInService.objects.all, "service_id", lambda row: row.institution.slug
    ),
    **dict.fromkeys(
        ["refresh_metadata", "stop_metadata_source"],
        of_the_committee(MetadataSource.objects.all, "source_id"),
    ),
    "revoke_server_token": of_institutions(
        ServerToken.objects.all, "token_id", lambda row: row.server.institution.slug
    ),
    "cancel_maintenance": of_institutions(
        Maintenance.objects.all, "maintenance_id", lambda row: row.server.institution.slug
    ),
    **dict.fromkeys(
        ["technical_form", "discard_draft"],
        of_departments(TechnicalForm.objects.all, "form_id", lambda row: row.institution.slug),
    ),
    **dict.fromkeys(
        [
            "key",
            "key_limits",
            "replace_key",
            "change_key",
            "revoke_key",
            "key_quotas",
            "key_budgets",
            "first_call",
        ],
        of_keys(),
    ),
    "client_file": several(
        *(of_keys(client=client) for client in {each.client for each in CLIENTS})
    ),
    **dict.fromkeys(
        ["application", "application_budgets"],
        of_applications("application_id", Application.objects.all, lambda row: row),
    ),
    "institution_keys": of_keys_of_institutions,
    "request": of_requests,
    **dict.fromkeys(["budget", "stop_budget"], of_budgets),
    "ask_for_more": of_wishes,
    "budget_request": of_budget_requests(lambda asked: NOBODY),
    **dict.fromkeys(["approve_request", "decline_request"], of_budget_requests(_deciders)),
    "withdraw_request": of_budget_requests(lambda asked: frozenset({asked.asked_by.name})),
    **dict.fromkeys(["model", "routing", "compare", "price"], of_models),
    **dict.fromkeys(
        ["statement", "statement_pdf", "statement_csv", "statement_xlsx"], of_statements
    ),
    "invoicing": of_invoicing,
    **dict.fromkeys(["statement_facturx", "issue_invoice"], of_invoices),
    "accept": lambda world: [
        target._replace(writers=target.readers) for target in of_statements(world)
    ],
    "new_contest": of_lines,
    "contest": read_only(
        of_departments(Contest.objects.all, "contest_id", lambda row: row.institution.slug)
    ),
    "take_contest_back": of_departments(
        Contest.objects.all, "contest_id", lambda row: row.institution.slug
    ),
    **dict.fromkeys(["note", "note_pdf", "note_csv", "note_xlsx"], of_notes),
    **dict.fromkeys(["note_facturx", "issue_note_invoice"], of_notes),
    **dict.fromkeys(["year_costs", "year_csv", "year_xlsx"], of_years),
    "post_year": read_only(lambda world: [t._replace(readers=NOBODY) for t in of_years(world)]),
    **dict.fromkeys(
        ["month_statements", "month_statements_csv"],
        lambda world: [Target({"month": A_MONTH}, ACCOUNTANTS, NOBODY)],
    ),
    **dict.fromkeys(
        ["draft_month", "close_month"], lambda world: [Target({"month": A_MONTH}, NOBODY, NOBODY)]
    ),
    "take_price_back": of_the_committee(PriceVersion.objects.all, "price_id"),
    "take_fee_back": of_the_committee(FeeVersion.objects.all, "fee_id"),
    "reverse_transfer": of_the_committee(Transfer.objects.all, "transfer_id"),
    **dict.fromkeys(
        ["card_facts", "minimum_service"], of_the_committee(AIModel.objects.all, "name", "slug")
    ),
    **dict.fromkeys(
        [
            *("model_life", "put_model_to_the_vote", "adopt_model", "put_into_production"),
            *("deprecate_model", "restore_model", "retire_model", "aliases"),
        ],
        of_the_committee(AIModel.objects.all),
    ),
    **dict.fromkeys(["end_alias", "remove_alias"], of_the_committee(Alias.objects.all)),
    **dict.fromkeys(
        ["proposal", "withdraw_proposal"],
        of_oneself(Proposal.objects.all, lambda proposal: proposal.proposed_by),
    ),
    "trials": of_hosts,
    "end_trial": of_trials,
    **dict.fromkeys(
        ["candidacy", "submit_candidacy", "withdraw_candidacy"],
        of_the_candidate(Candidacy.objects.all),
    ),
    "candidacy_part": several(
        *(of_the_candidate(Candidacy.objects.all, part=part) for part in Part)
    ),
    "sign_agreement": of_the_candidate(Agreement.objects.all),
    "agreement_file": of_the_candidate(StoredFile.objects.all),
    **dict.fromkeys(["countersign", "send_back"], of_the_committee(Agreement.objects.all)),
    **dict.fromkeys(
        ["member", "put_to_the_vote", "decide_membership"],
        of_the_committee(Membership.objects.all),
    ),
    **dict.fromkeys(
        ["ballot", "close_ballot", "cancel_ballot"], of_the_committee(Ballot.objects.all)
    ),
    "revoke_role": of_people(
        RoleGrant.objects.select_related("user").all, lambda grant: grant.user
    ),
    "close_account": of_people(User.objects.all, lambda user: user),
    "reset_factor": read_only(of_people(User.objects.all, lambda user: user)),
    **dict.fromkeys(
        ["mfa_edit_webauthn", "mfa_remove_webauthn"],
        of_oneself(PASSKEYS.all, lambda passkey: passkey.user),
    ),
    **dict.fromkeys(["team", "close_team"], of_teams("pk", Team.objects.all, lambda row: row)),
    "team_applications": of_teams("team_id", Team.objects.all, lambda row: row),
    "remove_from_team": of_teams("pk", TeamPlace.objects.all, lambda row: row.team),
    **dict.fromkeys(
        ["resend_invitation", "withdraw_invitation"],
        of_departments(Invitation.objects.all, "pk", lambda row: row.institution.slug),
    ),
}
PUBLISHED = {
    "choose_service": [],
    **{name: [] for name in ("openid_connect_login", "openid_connect_callback")},
    **{
        name: []
        for name in ("saml_login", "saml_acs", "saml_finish_acs", "saml_sls", "saml_metadata")
    },
    "published_text": [{"kind": kind} for kind in TextKind],
    "job_file": [{"name": name} for name in FILES],
}
"""Everybody's."""
SECRETS = {
    "accept_invitation": "whoever holds the link is who it was sent to",
    "first_admin": "whoever holds the link is who runs this site",
    "account_reset_password_from_key": "whoever holds the link reads the account's e-mail",
    **dict.fromkeys(
        ("manage:heartbeat", "manage:drain", "manage:leave"),
        "a server's token is asked for: tests/integration/fleet/test_leases.py",
    ),
}
"""Addresses that hold a secret in the place of a row, or ask for one beside it."""
ONES_OWN = {
    "set_language": "a language is chosen for oneself",
    "export_my_data": "a copy of what is known of oneself is taken",
    "erase_my_data": "one's own account is erased",
    "begin_candidacy": "a candidacy of one's own is begun",
    "account_logout": "it would end the sweep",
    "mfa_deactivate_totp": "one's own app of codes is taken off",
    "mfa_generate_recovery_codes": "codes of one's own are made",
}
"""Forms that change what is the reader's own, whatever is typed into them."""
