"""A register with a row of every kind at Rennes, at Reims and at Orléans, for tests that sweep over all."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from billing.enums import (
    AccountKind,
    BudgetWindow,
    DocumentKind,
    InvoiceKind,
    LineKind,
    PeriodState,
    TransferReason,
)
from billing.models import (
    AccountingPeriod,
    Budget,
    BudgetRequest,
    Contest,
    CostPool,
    DocumentSeries,
    FeeVersion,
    Holder,
    Invoice,
    InvoicedNote,
    Note,
    NoteLine,
    PriceVersion,
    Statement,
    Transfer,
    YearShare,
)
from billing.operations.budgets import set_budget
from billing.operations.entries import account, book
from billing.operations.ledger import grant
from billing.operations.prices import Units, set_fee, set_price
from billing.operations.requests import ask_for_more
from federation.access.models import ApiKey, Application, Limit, Trial
from federation.access.operations import set_limit
from federation.access.trials import name_for_trial
from federation.catalogue.enums import AnnouncementKind
from federation.catalogue.models import AIModel, Alias, Announcement, Notice, Proposal
from federation.catalogue.operations.aliases import add_alias
from federation.catalogue.operations.minimum import open_alarm, set_minimum
from federation.catalogue.operations.proposals import propose_model
from federation.catalogue.operations.routing import set_routing
from federation.fleet.certificates import Shown
from federation.fleet.enums import (
    EnergyUnit,
    Engine,
    FormState,
    MeterScope,
    RunState,
    RunTrigger,
)
from federation.fleet.models import (
    ClientCertificate,
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
)
from federation.fleet.operations.certificates import show_certificate
from federation.fleet.operations.guests import set_guest_rules
from federation.fleet.operations.maintenance import plan_maintenance
from federation.fleet.operations.networks import Wish, ask_site_egress
from federation.fleet.operations.probes import Described, set_probe
from federation.fleet.operations.runs import request_run
from federation.fleet.operations.technical import save_draft, submit_form
from federation.identity.enums import Protocol
from federation.identity.models import MetadataSource, SignInService
from federation.members.enums import SubjectKind
from federation.members.models import Agreement, Ballot, Candidacy, Institution, Invitation, Team
from federation.members.operations.ballots import open_ballot
from federation.members.operations.invitations import invite
from federation.members.operations.teams import add_to_team, create_team
from federation.people.enums import Role
from routing.core.conformity import CHECKS, Finding, RunKind, Verdict
from routing.core.enums import BudgetUnit, LifecycleStage, Measure, RoutingSetting, ServerState
from routing.upstream.credentials import Secret
from routing.upstream.tls import Identity
from tests.support.candidates import make_candidate
from tests.support.factories import (
    OPERATOR,
    Cast,
    make_application,
    make_cast,
    make_key,
    make_model,
    make_server,
    make_site,
    make_user,
    serve_model,
)
from tests.support.lifecycle import APERTUS


@dataclass(frozen=True)
class World:
    cast: Cast
    model: AIModel
    proposed: AIModel
    alias: Alias
    site: Site
    staging_server: InferenceServer
    server: InferenceServer
    deployment: Deployment
    grant: EgressGrant
    network: SiteEgressGrant
    """Asked for by Rennes."""
    certificate: ClientCertificate
    """Shown to the server."""
    probe: EnergyProbe
    """Of the server."""
    application: Application
    users_application: Application
    key: ApiKey
    limit: Limit
    """Of the application."""
    guest_rules: GuestRules
    draft: TechnicalForm
    form: TechnicalForm
    """Of a server in staging, all of whose reports are green."""
    run: ConformityRun
    maintenance: Maintenance
    service: SignInService
    """By which people of Rennes sign in; others do by one of Reims."""
    lease: Lease
    """Of a job that has the server; Reims has one, too."""

    candidacy: Candidacy
    """Of Nantes, begun by a person of her own account, signed, with an open ballot."""
    agreement: Agreement
    ballot: Ballot
    team: Team
    invitation: Invitation
    proposal: Proposal
    """Of the proposed model, by the user at Rennes."""
    budget: Budget
    """Of the institution; others are of Reims, of a key, of its owner, of the model and of all."""
    asked: BudgetRequest
    """For more of the budget of the user at Rennes as a person; Reims asks for more of its own, which the federation
    holds."""
    price: PriceVersion
    fee: FeeVersion
    contribution: Transfer
    """Of Rennes: what it is granted."""
    contest: Contest
    """Of Rennes, as is the note; others are of Reims. Both have a line in the statement of December 2024."""
    note: Note
    trial: Trial
    """Of the user's key at Rennes, for a model on trial that Rennes serves."""


SHOWN = Shown(Identity("a certificate", Secret("its key")), timezone.now() + timedelta(days=90))
METER = Described(
    url="https://gpu-1.example.org/metrics",
    metric="DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    labels={"Hostname": "gpu-1"},
    unit=EnergyUnit.MILLIJOULE.value,
    scope=MeterScope.GPU.value,
    multiplier=Decimal(1),
    idle_w=Decimal(150),
    limit_w=None,
)
WISH = Wish("10.35.0.0/24", (443, 8000), "inside, by the VPN")
DECLARED: dict[str, object] = {
    "server_name": "GPU-9",
    "engine": Engine.VLLM.value,
    "base_url": "https://gpu-9.example.org",
    "served_name": "mistral-small",
    "context_length": 32_768,
    "modalities": ["chat"],
}


def make_form(
    institution: Institution, site: Site, model: AIModel, **fields: object
) -> TechnicalForm:
    """A draft with everything that it needs."""
    whole = {**DECLARED, "site": site, "model": model, **fields}
    return save_draft(by=OPERATOR, institution=institution, fields=whole)


def make_checked(form: TechnicalForm) -> TechnicalForm:
    """A form whose server is in staging, as if a router had found it well."""
    declare_checked(submit_form(by=OPERATOR, form=form))
    return TechnicalForm.objects.get(pk=form.pk)


def declare_checked(server: InferenceServer) -> None:
    """As if a router had found well what is declared now."""
    server.runs.all().delete()
    for kind in RunKind:
        run = request_run(by=OPERATOR, server=server, kind=kind, trigger=RunTrigger.SUBMISSION)
        ConformityRun.objects.filter(pk=run.pk).update(
            state=RunState.PASSED, ended_at=timezone.now()
        )
    InferenceServer.objects.filter(pk=server.pk).update(state=ServerState.STAGING)
    TechnicalForm.objects.filter(server=server).update(state=FormState.CHECKED)


def lined(run: ConformityRun, **failed: Finding) -> ConformityRun:
    """Write a whole report: fine, but for the checks that are named with what was found."""
    for check in CHECKS[RunKind(run.kind)]:
        finding = failed.get(check.value)
        run.lines.create(
            check_name=check.value,
            verdict=Verdict.FAILED if finding else Verdict.OK,
            finding=finding or Finding.FINE,
            figures={"status": 404} if finding else {},
            milliseconds=5,
        )
    ConformityRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING, attempt=1)
    return ConformityRun.objects.get(pk=run.pk)


def make_ballot(cast: Cast) -> tuple[Ballot, Agreement, Candidacy]:
    """The committee is asked about Nantes."""
    candidate, agreement = make_candidate(make_user("nantes_applicant"))
    ballot = open_ballot(
        by=cast.admin,
        kind=SubjectKind.MEMBERSHIP,
        subject_id=agreement.membership_id,
        closes_at=timezone.now() + timedelta(days=7),
    )
    return ballot, agreement, candidate


def make_teams(cast: Cast) -> dict[Institution, Team]:
    """One at Rennes and one at Reims, each with somebody, and an invitation to each institution."""
    teams = {}
    for institution, dsi, person in (
        (cast.rennes, cast.rennes_dsi, cast.rennes_user),
        (cast.reims, cast.reims_dsi, cast.reims_dsi),
    ):
        teams[institution] = create_team(by=dsi, institution=institution, name="NLP")
        add_to_team(by=dsi, team=teams[institution], email=person.email)
        invite(by=dsi, email="new@example.org", role=Role.USER, institution=institution)
    return teams


def make_trial(cast: Cast, key: ApiKey) -> Trial:
    """A model on trial, served at Rennes; one key of Rennes and one of Reims are named for it."""
    tried = make_model("on-trial-8b", stage=LifecycleStage.STAGING)
    serve_model(cast.rennes, tried.slug)
    other = ApiKey.objects.filter(application__institution=cast.reims).first()
    assert other is not None
    name_for_trial(by=OPERATOR, model=tried, key=other)
    return name_for_trial(by=OPERATOR, model=tried, key=key)


def make_announcements(cast: Cast, *models: AIModel) -> None:
    for model in models:
        announcement = Announcement.objects.create(model=model, kind=AnnouncementKind.KEPT)
        for person in (cast.rennes_user, cast.reims_dsi):
            Notice.objects.create(announcement=announcement, person=person, keys=["mine · essai"])


def make_budgets(cast: Cast, key: ApiKey, model: AIModel) -> dict[str, Budget]:
    """One of everything, set by who usually sets it; of Reims by the federation."""
    person = Holder.of(cast.rennes_user, cast.rennes)
    return {
        name: set_budget(
            by=by,
            owner=owner,
            unit=BudgetUnit.TOKENS,
            most=10**9,
            window=BudgetWindow.MONTH,
        )
        for name, by, owner in (
            ("rennes", cast.rennes_dsi, cast.rennes),
            ("reims", OPERATOR, cast.reims),
            ("key", cast.rennes_user, key),
            ("person", cast.rennes_dsi, person),
            ("model", OPERATOR, model),
            ("all", OPERATOR, None),
        )
    }


def make_budget_requests(cast: Cast, budgets: dict[str, Budget]) -> BudgetRequest:
    """Return that of the user at Rennes."""
    ask_for_more(by=cast.reims_dsi, budget=budgets["reims"], wanted=2 * 10**9, reason="a course")
    return ask_for_more(
        by=cast.rennes_user, budget=budgets["person"], wanted=2 * 10**9, reason="a thesis"
    )


def make_settings(model: AIModel) -> None:
    """Its requests are shared out in another way than usual; it is critical, and below its minimum."""
    set_routing(by=OPERATOR, model=model, settings={"setting": RoutingSetting.ROUND_ROBIN})
    least = set_minimum(by=OPERATOR, model=model, minimum={"servers": 2, "sites": 2})
    open_alarm(by=OPERATOR, minimum=least, began_at=timezone.now(), servers=1, sites=1)


def make_networks(cast: Cast) -> SiteEgressGrant:
    """Rennes and Reims ask for one each; return that of Rennes."""
    asked = [
        ask_site_egress(by=dsi, site=institution.sites.all()[0], wish=WISH)
        for dsi, institution in ((cast.rennes_dsi, cast.rennes), (cast.reims_dsi, cast.reims))
    ]
    return asked[0]


def make_certificates(*deployments: Deployment) -> ClientCertificate:
    """One for the server of each; return that of the first."""
    shown = [show_certificate(by=OPERATOR, server=e.server, shown=SHOWN) for e in deployments]
    return shown[0]


def make_probes(*deployments: Deployment) -> EnergyProbe:
    """One of the server of each; return that of the first."""
    made = [
        set_probe(
            by=OPERATOR,
            server=each.server,
            described={**METER, "labels": {"Hostname": each.server.slug}},
        )
        for each in deployments
    ]
    return made[0]


def make_maintenances(*deployments: Deployment) -> Maintenance:
    """One of the server of each, tomorrow; return that of the first."""
    later = timezone.now() + timedelta(days=1)
    planned = [plan_maintenance(by=OPERATOR, server=e.server, starts_at=later) for e in deployments]
    return planned[0]


def make_services(cast: Cast) -> SignInService:
    """A federation's services for Rennes and for Reims; return that of Rennes."""
    source = MetadataSource.objects.create(
        name="RENATER", url="https://metadata.example.org/all.xml", certificate="a certificate"
    )
    made = [
        SignInService.objects.create(
            protocol=Protocol.SAML,
            service_id=f"https://idp.{place.slug}.example.org",
            names={"fr": place.name, "en": place.name},
            url=f"https://idp.{place.slug}.example.org/sso",
            scopes=[f"{place.slug}.example.org"],
            certificates=["AAAA"],
            source=source,
            institution=place,
        )
        for place in (cast.rennes, cast.reims)
    ]
    return made[0]


def make_leases(*deployments: Deployment) -> Lease:
    """A job with a token of its own has the server of each; return that of the first."""
    made = []
    for n, each in enumerate(deployments):
        token = ServerToken.objects.create(server=each.server, digest=f"{n:064x}", ending=f"tok{n}")
        made.append(
            Lease.objects.create(
                server=each.server, token=token, job=f"job {n}", base_url=each.server.base_url
            )
        )
    return made[0]


def make_accounts(cast: Cast, model: AIModel) -> tuple[PriceVersion, FeeVersion, Transfer]:
    """A price and a fee that are ahead, and a contribution of Rennes; Reims has a fee and a contribution, too."""
    ahead = timezone.now() + timedelta(days=7)
    price = set_price(by=OPERATOR, model=model, units=Units(prompt_nano=150), valid_from=ahead)
    places = (cast.reims, cast.rennes)
    fees = [
        set_fee(by=OPERATOR, institution=place, basis_points=250, valid_from=ahead)
        for place in places
    ]
    grants = [
        grant(by=OPERATOR, institution=place, amount_nano=10**12, reason="code") for place in places
    ]
    AccountingPeriod.objects.create(month=date(2024, 12, 1))
    make_invoices(cast)
    return price, fees[-1], grants[-1]


def make_documents(cast: Cast) -> tuple[Contest, Note]:
    """For Reims and Rennes a line that is contested, and the adjustment of a year in which nothing was used."""
    december = date(2024, 12, 1)
    pool = CostPool.objects.create(
        year=2023, amount_cents=0, evidence="approved", posted_at=timezone.now()
    )
    DocumentSeries.objects.create(year=2024, last=4)
    nothing = dict.fromkeys(("used_cents", "served_cents", "granted_cents", "net_cents"), 0)
    shares = ("used_nano", "billed_cents", "final_cents", "served_nano", "paid_cents")
    for number, place in enumerate((cast.reims, cast.rennes), start=1):
        book(
            Transfer(
                key=f"correction:{place.slug}",
                debit=account(AccountKind.FEE),
                credit=account(AccountKind.HOST, place),
                amount_nano=10**10,
                booked_month=december,
                reason=TransferReason.CORRECTION,
            )
        )
        contest = Contest.objects.create(
            institution=place,
            month=december,
            line_key="0",
            kind=LineKind.SERVED,
            exact_nano=10**9,
            cents=100,
            reason="too much",
        )
        YearShare.objects.create(
            pool=pool, institution=place, earned_cents=0, **dict.fromkeys(shares, 0)
        )
        note = Note.objects.create(
            kind=DocumentKind.TRUE_UP,
            number=f"2024-{number:05d}",
            institution=place,
            pool=pool,
            booked_month=december,
            issued_on=date(2024, 12, 3),
            reason="2023",
            lines_hash="0",
            **nothing,
        )
        NoteLine.objects.create(
            note=note, position=1, kind=LineKind.YEAR_USED, exact_nano=0, cents=0
        )
        invoice = make_invoice(f"F2024-000{number + 2}", place)
        InvoicedNote.objects.create(invoice=invoice, note=note)
    return contest, note


def make_limits(cast: Cast, application: Application, users_application: Application) -> Limit:
    """Return that of the application."""
    measure = Measure.REQUESTS_PER_MINUTE
    for institution in (cast.rennes, cast.reims):
        set_limit(by=OPERATOR, owner=institution, measure=measure, most=600)
    set_limit(by=OPERATOR, owner=users_application.keys.get(), measure=measure, most=6)
    return set_limit(by=OPERATOR, owner=application, measure=measure, most=60)


def make_world() -> World:
    """What is named is Rennes's; Reims serves and asks as well, Orléans asks."""
    cast = make_cast()
    model = make_model()
    proposed = make_model("a-model-to-come", stage=LifecycleStage.PROPOSED)
    alias = add_alias(by=OPERATOR, model=model, name="mistral-small")
    add_alias(by=OPERATOR, model=proposed, name="to-come")
    for routed in (model, proposed):
        make_settings(routed)
    site = make_site(cast.rennes)
    deployment = serve_model(cast.rennes, credential="token of Rennes")
    at_reims = serve_model(cast.reims, credential="token of Reims")
    set_guest_rules(by=OPERATOR, server=at_reims.server)
    application = make_application(cast.rennes, name="RAGaRenn")
    users_application = make_application(cast.rennes, cast.rennes_user, "mine")
    key, _text = make_key(application)
    ballot, agreement, candidate = make_ballot(cast)
    teams = make_teams(cast)
    for other in (
        users_application,
        make_application(cast.reims),
        make_application(cast.orleans, cast.orleans_user),
    ):
        make_key(other)
    limit = make_limits(cast, application, users_application)
    make_announcements(cast, model, proposed)
    draft = make_form(cast.rennes, site, model)
    make_form(cast.reims, make_site(cast.reims), model)
    form = make_checked(make_form(cast.rennes, site, model, server_name="GPU-8"))
    run = request_run(by=OPERATOR, server=deployment.server)
    run.lines.create(check_name="dns", verdict="ok", finding="resolved", milliseconds=1)
    request_run(by=OPERATOR, server=at_reims.server).lines.create(
        check_name="dns", verdict="ok", finding="resolved", milliseconds=1
    )
    price, fee, contribution = make_accounts(cast, model)
    contest, note = make_documents(cast)
    maintenance = make_maintenances(deployment, at_reims)
    lease = make_leases(deployment, at_reims)
    budgets = make_budgets(cast, users_application.keys.get(), model)
    return World(
        price=price,
        fee=fee,
        contribution=contribution,
        contest=contest,
        note=note,
        draft=draft,
        form=form,
        run=run,
        maintenance=maintenance,
        lease=lease,
        service=make_services(cast),
        cast=cast,
        model=model,
        proposed=proposed,
        alias=alias,
        site=site,
        staging_server=make_server(site),
        server=InferenceServer.objects.get(pk=deployment.server_id),
        deployment=deployment,
        network=make_networks(cast),
        certificate=make_certificates(deployment, at_reims),
        probe=make_probes(deployment, at_reims),
        grant=EgressGrant.objects.get(server=deployment.server_id),
        application=application,
        users_application=users_application,
        key=key,
        guest_rules=set_guest_rules(by=OPERATOR, server=deployment.server),
        limit=limit,
        candidacy=candidate,
        agreement=agreement,
        ballot=ballot,
        team=teams[cast.rennes],
        invitation=Invitation.objects.get(institution=cast.rennes),
        proposal=propose_model(
            by=cast.rennes_user, slug=proposed.slug, facts=APERTUS, institution=cast.rennes
        ),
        budget=budgets["rennes"],
        asked=make_budget_requests(cast, budgets),
        trial=make_trial(cast, users_application.keys.get()),
    )


def make_invoices(cast: Cast) -> None:
    """Of a closed month: what they say is tried in `tests/integration/billing/test_invoices.py`."""
    closed = AccountingPeriod.objects.create(
        month=date(2024, 11, 1),
        state=PeriodState.CLOSED,
        closed_at=timezone.now(),
        statements_hash="0" * 64,
    )
    for n, institution in enumerate((cast.rennes, cast.reims), start=1):
        statement = Statement.objects.create(
            period=closed,
            institution=institution,
            used_cents=100,
            served_cents=0,
            granted_cents=0,
            net_cents=-100,
            lines_hash="0" * 64,
            number=f"2024-0000{n + 2}",
        )
        make_invoice(f"F2024-000{n}", institution, statement=statement)


def make_invoice(
    number: str, institution: Institution, *, statement: Statement | None = None
) -> Invoice:
    return Invoice.objects.create(
        kind=InvoiceKind.INVOICE,
        number=number,
        institution=institution,
        statement=statement,
        issued_on=date(2024, 12, 3),
        net_cents=100,
        total_cents=100,
        due_cents=100,
        content=b"%PDF-",
        sha256="0" * 64,
    )


@contextmanager
def undone() -> Iterator[None]:
    """Leave the database as it was: one register serves several tries."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
