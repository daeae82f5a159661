"""Every page of the portal with contents, and who is shown it: for sweeps by machine, and for people's eyes.

A route that is neither here nor in `NO_PAGES` is a page that nobody has looked at: `unknown_routes` names it.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.urls import reverse
from django.utils import timezone

from billing.enums import BudgetWindow, PeriodState
from billing.models import (
    SINGLE,
    UNITS,
    AccountingPeriod,
    Budget,
    CostPool,
    PriceVersion,
    UsageRecord,
)
from billing.operations.budgets import set_budget
from billing.periods import paris_today
from billing.statements.statement import draft_of, keys_of
from billing.views.sheets import SHEETS
from federation.catalogue.models import AIModel
from federation.fleet.enums import RunState
from federation.fleet.models import ConformityRun, Deployment
from federation.members.enums import TextKind
from federation.members.models import Invitation, Membership, TeamPlace
from federation.members.queries import Part
from federation.people.models import RoleGrant, User
from routing.core.conformity import CHECKS, Check, Finding, RunKind, Verdict
from routing.core.enums import BudgetUnit
from tests.integration.federation.world import World, make_world
from tests.support.calls import store_calls
from tests.support.candidates import ANGERS, make_draft
from tests.support.factories import OPERATOR, make_model, make_user
from tests.support.factors import set_app, set_passkey
from tests.support.findings import FAILED, RESERVED, WELL, Line, make_report, speed, window
from tests.support.lifecycle import deprecate
from tests.support.routes import routes

NO_PAGES = {
    "health_portal": "an answer for machines",
    "favicon": "an image",
    "leak_endpoint": "an answer for machines",
    "usage_csv": "a file",
    "usage_jsonl": "a file",
    "usage_keys_csv": "a file",
    "usage_days_csv": "a file",
    **{f"{each.page}_csv": "a file" for each in SHEETS},
    "manage:openapi-json": "an answer for machines",
    "manage:api-root": "an answer for machines",
    "choose_service": "leads to a service's sign-in",
    "sign_in_again": "leads to a service's sign-in",
    "refresh_metadata": "a form's target",
    **dict.fromkeys(
        [
            "saml_login",
            "saml_acs",
            "saml_finish_acs",
            "openid_connect_login",
            "openid_connect_callback",
        ],
        "a step of a sign-in: tried in tests/integration/identity",
    ),
    "saml_metadata": "an answer for machines",
    "saml_sls": "not offered",
    "socialaccount_login_cancelled": "a step of a sign-in",
    "socialaccount_login_error": "a step of a sign-in",
    "socialaccount_signup": "leads to the sign-in",
    "socialaccount_connections": "leads to the account's addresses",
    **dict.fromkeys(
        [f"manage:{name}" for name in ("usage", "register", "heartbeat", "drain", "leave")],
        "an answer for machines",
    ),
    "usage_xlsx": "a file",
    **dict.fromkeys(["prices_csv", "accounts_csv", "transfers_csv", "budgets_csv"], "a file"),
    "usage_impact_csv": "a file",
    "take_price_back": "a form's target",
    "draft_month": "a form's target",
    "close_month": "a form's target",
    "statement_pdf": "a file",
    "statement_csv": "a file",
    "statement_xlsx": "a file",
    "statement_facturx": "a file",
    "issue_invoice": "a form's target",
    "take_fee_back": "a form's target",
    "accept": "a form's target",
    "take_contest_back": "a form's target",
    "post_year": "a form's target",
    "note_pdf": "a file",
    "note_csv": "a file",
    "note_xlsx": "a file",
    "note_facturx": "a file",
    "issue_note_invoice": "a form's target",
    "year_csv": "a file",
    "year_xlsx": "a file",
    "balance_csv": "a file",
    "balance_xlsx": "a file",
    "journal_csv": "a file",
    **dict.fromkeys(["export_my_data", "forgotten_csv"], "a file"),
    **dict.fromkeys(["server_energy_csv", "server_calibrations_csv"], "a file"),
    "impact_calculation_csv": "a file",
    "impact_factors_csv": "a file",
    "impact_accelerators_csv": "a file",
    "impact_measurements_csv": "a file",
    "client_file": "a file",
    "agreement_file": "a file",
    "mfa_download_recovery_codes": "a file",
    "set_language": "a form's target",
    "give_role": "a form's target",
    "find_request": "leads to a request's page",
    "overseen_keys": "leads to an institution's keys",
    "first_call": "a part of a page",
    "key_quotas": "a part of a page",
    "team_applications": "a part of a page",
    "run_lines": "a part of a page",
    "server_pulse": "a part of a page",
    "server_reading": "a part of a page",
    "journal_chain": "a part of a page",
    "run_again": "a form's target",
    "discard_draft": "a form's target",
    "accept_server": "a form's target",
    "cancel_maintenance": "a form's target",
    "revoke_server_token": "a form's target",
    "job_file": "a file",
    "submit_candidacy": "a form's target",
    "sign_agreement": "stands on the candidacy's page; alone only where its form was refused",
    "close_ballot": "a form's target",
    "cancel_ballot": "a form's target",
    "close_team": "a form's target",
    "remove_from_team": "a form's target",
    "resend_invitation": "a form's target",
    "withdraw_invitation": "a form's target",
    "put_into_production": "a form's target",
    "remove_alias": "a form's target",
    "withdraw_proposal": "a form's target",
    "end_trial": "a form's target",
    "stop_budget": "a form's target",
    "approve_request": "a form's target",
    "decline_request": "a form's target",
    "withdraw_request": "a form's target",
    "key_budgets": "a part of a page",
    "application_budgets": "a part of a page",
    "decide_network": "a form's target",
    "first_admin": "there only while nobody administers: tried in an empty register",
    "demo_mail": "the demonstration's alone: tried where that runs",
    "demo_codes": "the demonstration's alone: tried where that runs",
    "account_email_verification_sent": "a step of a sign-up: tried there",
    "account_confirm_login_code": "a step that no setting turns on",
    "account_reset_password_from_key": "a step of a new password: needs its e-mail",
    "account_reset_password_from_key_done": "a step of a new password",
    "account_inactive": "a closed account is told on the sign-in page",
    "account_set_password": "every account has a password",
    "mfa_authenticate": "a step of the sign-in: tried there",
    "mfa_login_webauthn": "an answer for machines",
    "second_factor": "a step of the sign-in: tried there",
}


MONTH = paris_today().replace(day=1)
CONTESTED = date(2024, 12, 1)
LAST_MONTH = (MONTH - timedelta(days=1)).replace(day=1)


class Shown(NamedTuple):
    """A page for one reader, by the reader's name; `visitor` is nobody."""

    who: str
    address: str
    route: str


def price_from_yesterday(model: AIModel) -> None:
    """Sell every unit of it; operations set prices to come only."""
    sold = {unit: 150_000 if unit in SINGLE else 150 for unit in UNITS}
    PriceVersion.objects.create(model=model, valid_from=timezone.now() - timedelta(days=1), **sold)


class Album:
    """A register with a row of every kind, somebody with nothing, and all of its pages."""

    def __init__(self) -> None:
        self.world = make_world()
        price_from_yesterday(self.world.model)
        store_calls(self.world.key, self.world.deployment, count=3)
        store_calls(self.world.key, self.world.deployment, audio_ms=61_500, images=2)
        self.leaving = make_model("leaving-7b")
        deprecate(self.leaving, successor=self.world.model)
        make_reports(self.world)
        self.held = hold_from_above(self.world)
        CostPool.objects.create(year=2022, amount_cents=1_000_000, evidence="approved in March")
        self.passkey = set_factors(self.world.cast.rennes_dsi)
        writer = make_user("writer")
        self.draft = make_draft(writer, ANGERS)
        self.readers: dict[str, User | None] = {
            **self.world.cast.people(),
            "applicant": self.world.candidacy.applicant,
            "writer": writer,
            "visitor": None,
        }

    def pages(self) -> Iterator[Shown]:
        for who, addresses in self._addresses().items():
            for name, each in addresses:
                yield Shown(who, each, name)

    def _addresses(self) -> dict[str, list[tuple[str, str]]]:
        return {
            "visitor": self._of_visitors(),
            "rennes_dsi": [*self._of_the_signed_in(), *self._of_a_department()],
            "admin": self._of_the_federation(),
            "applicant": self._of_an_applicant(),
            "writer": self._of_somebody_who_writes(),
            "intruder": self._with_nothing(),
        }

    def _of_visitors(self) -> list[tuple[str, str]]:
        token = "an-invitation"
        Invitation.objects.filter(pk=self.world.invitation.pk).update(
            digest=Invitation.digest_of(token)
        )
        return [
            *_plain("home", "join", "charter", "accessibility", "doctor", "report_leak"),
            *_plain("model_calendar", "impact"),
            ("impact", reverse("impact") + "?params=900&active=1000&cached=9999&pue=much"),
            *_plain("account_login", "account_signup", "account_reset_password", "sign_in"),
            *_plain("account_reset_password_done"),
            _at("accept_invitation", token=token),
        ]

    def _of_the_signed_in(self) -> list[tuple[str, str]]:
        key = self.world.key.pk
        call = UsageRecord.objects.latest("pk")
        return [
            *_plain("home", "models", "servers", "usage", "keys", "new_key", "charter", "style"),
            *_plain("journal", "model_calendar", "proposals", "propose_model"),
            ("models", reverse("models") + "?capability=tools&tested=on"),
            ("models", reverse("models") + "?text=nothing-like-it"),
            ("journal", reverse("journal") + "?group=fleet&first=2999-01-01"),
            ("keys", reverse("keys") + "?ended=1"),
            *(_at(name, key_id=key) for name in ("key", "key_limits")),
            *(_at(name, key_id=key) for name in ("change_key", "replace_key", "revoke_key")),
            _at("application", application_id=self.world.application.pk),
            *(_at(name, name=self.world.model.slug) for name in ("model", "compare")),
            _at("model", name=self.leaving.slug),
            *_plain("prices", "fees", "accounts", "transfers", "statements"),
            _at("statement", month=MONTH, slug="rennes"),
            _at("invoicing", slug="rennes"),
            *self._of_documents(),
            _at("price", name=self.world.model.slug),
            _at("request", request_id=call.pk),
            *_plain("budgets", "new_budget"),
            _at("budget", budget_id=self.world.budget.pk),
            _at("ask_for_more", budget_id=self.held.pk),
            *_plain("budget_requests"),
            _at("budget_request", request_id=self.world.asked.pk),
            *_plain("account_email", "account_change_password", "account_logout"),
            *_plain("account_reauthenticate", "usersessions_list"),
            *_plain("my_data", "erase_my_data", "personal_data"),
            *self._of_factors(),
        ]

    def _of_documents(self) -> list[tuple[str, str]]:
        """Of a month in draft with a line, contested or not, and a year that is settled."""
        AccountingPeriod.objects.filter(month=CONTESTED).update(state=PeriodState.GRACE)
        rennes = {"month": CONTESTED, "slug": "rennes"}
        (line_key,) = keys_of(draft_of(self.world.cast.rennes, CONTESTED).lines)
        return [
            *_plain("contests", "notes", "years", "balance"),
            _at("statement", **rennes),
            _at("new_contest", **rennes, line_key=line_key),
            _at("contest", contest_id=self.world.contest.pk),
            _at("note", number=self.world.note.number),
            _at("year_costs", year=2023),
        ]

    def _of_factors(self) -> list[tuple[str, str]]:
        """Of somebody who has an app, a passkey and recovery codes."""
        one = {"pk": self.passkey.pk}
        return [
            *_plain("mfa_index", "mfa_replace_totp", "mfa_deactivate_totp", "mfa_reauthenticate"),
            *_plain("mfa_list_webauthn", "mfa_add_webauthn", "mfa_reauthenticate_webauthn"),
            *(_at(name, **one) for name in ("mfa_edit_webauthn", "mfa_remove_webauthn")),
            *_plain("mfa_view_recovery_codes", "mfa_generate_recovery_codes"),
        ]

    def _of_a_department(self) -> list[tuple[str, str]]:
        world, place = self.world, "?at=rennes"
        of_a_server = (
            *(
                "server_report",
                "affected",
                "guest_rules",
                "rotate_key",
                "server_machine",
                "server_energy",
                "server_calendar",
            ),
            *("server_certificates", "server_jobs", "new_server_token"),
        )
        form = world.form.server_id
        grant = RoleGrant.objects.get(user=world.cast.rennes_user)
        return [
            *_plain("new_server", "people", "networks", "new_network"),
            _at("site_network", grant_id=world.network.pk),
            _at("trials", model_id=world.trial.model_id),
            *(_at(name, server_id=world.server.pk) for name in of_a_server),
            _at("server_report", server_id=form),
            _at("technical_form", form_id=world.draft.pk),
            _at("technical_form", form_id=world.form.pk),
            _at("move_server", server_id=world.server.pk, step="drain"),
            _at("move_server", server_id=world.staging_server.pk, step="retire"),
            _at("run", run_id=ConformityRun.objects.filter(server=world.server).latest("pk").pk),
            _at("institution_keys", slug="rennes"),
            *((name, reverse(name) + place) for name in ("invite", "new_service_account")),
            ("new_team", reverse("new_team") + place),
            _at("team", pk=TeamPlace.objects.filter(team=world.team).latest("pk").team_id),
            _at("revoke_role", pk=grant.pk),
        ]

    def _of_the_federation(self) -> list[tuple[str, str]]:
        world = self.world
        candidate = world.agreement.membership_id
        rennes = Membership.objects.get(institution=world.cast.rennes)
        of_the_form = {"server_id": world.form.server_id}
        return [
            *_plain("home", "stops", "approvals", "members", "ballots", "people", "membership"),
            ("members", reverse("members") + "?ended=1"),
            ("people", reverse("people") + "?at=rennes"),
            _at("run", run_id=ConformityRun.objects.get(state=RunState.FAILED).pk),
            *_plain("invite"),
            *(_at(name, **of_the_form) for name in ("server_report", "decline_server")),
            _at("grant_egress", **of_the_form),
            *(_at("member", pk=pk) for pk in (candidate, rennes.pk)),
            _at("put_to_the_vote", pk=candidate),
            _at("decide_membership", pk=rennes.pk),
            *(_at(name, pk=world.agreement.pk) for name in ("countersign", "send_back")),
            _at("ballot", pk=world.ballot.pk),
            *(_at("published_text", kind=kind) for kind in TextKind),
            _at("close_account", pk=world.cast.rennes_user.pk),
            _at("reset_factor", pk=world.cast.rennes_dsi.pk),
            *_plain("journal", "networks", "proposals", "personal_data", "erase_my_data"),
            *_plain("sign_in_services", "new_metadata_source", "new_oidc_service"),
            _at("stop_metadata_source", source_id=world.service.source_id),
            _at("sign_in_service", service_id=world.service.pk),
            ("journal", reverse("journal") + "?group=catalogue&first=yesterday"),
            _at("site_network", grant_id=world.network.pk),
            *self._of_the_catalogue(),
            *_plain("prices", "fees", "accounts", "transfers", "grant", "statements", "issuer"),
            *(_at("month_statements", month=month) for month in (MONTH, LAST_MONTH)),
            _at("price", name=world.model.slug),
            _at("contest", contest_id=world.contest.pk),
            *_plain("contests", "years"),
            *(_at("year_costs", year=year) for year in (2022, 2023)),
            _at("reverse_transfer", transfer_id=world.contribution.pk),
        ]

    def _of_the_catalogue(self) -> list[tuple[str, str]]:
        """What is done about models, at every point of their lives."""
        world = self.world
        lives = (world.model, self.leaving, world.trial.model, world.proposed)
        of_a_name = ("routing", "card_facts", "minimum_service", "model")
        return [
            *(_at(name, name=world.model.slug) for name in of_a_name),
            *(_at("model_life", pk=model.pk) for model in lives),
            *(_at(name, pk=world.proposed.pk) for name in ("put_model_to_the_vote", "adopt_model")),
            *(_at(name, pk=world.model.pk) for name in ("deprecate_model", "aliases")),
            *(_at(name, pk=self.leaving.pk) for name in ("restore_model", "retire_model")),
            _at("end_alias", pk=world.alias.pk),
            _at("proposal", pk=world.proposal.pk),
            _at("trials", model_id=world.trial.model_id),
        ]

    def _of_an_applicant(self) -> list[tuple[str, str]]:
        pk = self.world.candidacy.pk
        return [
            *_plain("home", "begin_candidacy"),
            *(_at(name, pk=pk) for name in ("candidacy", "withdraw_candidacy")),
            _at("candidacy_part", pk=pk, part=Part.CONTACTS),
        ]

    def _of_somebody_who_writes(self) -> list[tuple[str, str]]:
        """Of a candidacy that is not handed in."""
        return [
            _at("candidacy", pk=self.draft.pk),
            *(_at("candidacy_part", pk=self.draft.pk, part=part) for part in Part),
        ]

    def _with_nothing(self) -> list[tuple[str, str]]:
        return [
            *_plain("home", "keys", "new_key", "usage", "servers", "models", "membership"),
            *_plain("journal", "proposals", "mfa_index", "mfa_activate_totp", "mfa_list_webauthn"),
            *_plain("my_data", "erase_my_data", "personal_data"),
        ]


def make_reports(world: World) -> None:
    """The model's two servers were found different."""
    AIModel.objects.filter(pk=world.model.pk).update(
        capabilities=["chat", "tools", "vision", "reasoning"]
    )
    elsewhere = Deployment.objects.get(server__site__institution=world.cast.reims)
    unlike = Line(Verdict.WARNING, Finding.UNALIKE, {"percent": 38, "peers": 1})
    common = {Check.STREAMING: WELL, Check.STREAM_USAGE: RESERVED, Check.PEERS: unlike}
    fits = window(31_700, 32_768)
    every = dict.fromkeys(CHECKS[RunKind.CONFORMITY], WELL)
    make_report(world.deployment, {**every, **common, Check.CONTEXT: fits})
    fast = speed(180, 45.0)
    make_report(elsewhere, {**common, Check.TOOLS: FAILED, Check.SPEED_ALONE: fast})


def set_factors(user: User) -> Authenticator:
    """Give the account one of each; return the passkey."""
    set_app(user)
    RecoveryCodes.activate(user)
    return set_passkey(user, "ordinateur")


def hold_from_above(world: World) -> Budget:
    """Return a budget of Rennes that only the federation raises."""
    return set_budget(
        by=OPERATOR,
        owner=world.cast.rennes,
        unit=BudgetUnit.NANO_EUROS,
        most=10**12,
        window=BudgetWindow.YEAR,
    )


def unknown_routes(album: Album) -> set[str]:
    """Return the routes that no sweep looks at, and those that are named here and are none."""
    named = {page.route for page in album.pages()} | NO_PAGES.keys()
    return named ^ routes().keys()


def _plain(*names: str) -> list[tuple[str, str]]:
    return [(name, reverse(name)) for name in names]


def _at(route: str, /, **values: object) -> tuple[str, str]:
    return route, reverse(route, kwargs=values)
