"""A register with a row of every kind at Rennes, at Reims and at Orléans, for tests that sweep over all."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from federation.access.models import ApiKey, Application, Limit
from federation.access.operations import set_limit
from federation.catalogue.models import AIModel, Alias
from federation.catalogue.operations import add_alias, set_routing
from federation.fleet.models import Deployment, EgressGrant, GuestRules, InferenceServer, Site
from federation.fleet.operations.guests import set_guest_rules
from federation.members.enums import SubjectKind
from federation.members.models import Agreement, Ballot, Candidacy, Invitation, Team
from federation.members.operations.ballots import open_ballot
from federation.members.operations.invitations import invite
from federation.members.operations.teams import add_to_team, create_team
from federation.people.enums import Role
from routing.core.enums import LifecycleStage, Measure, RoutingSetting
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
    application: Application
    users_application: Application
    key: ApiKey
    limit: Limit
    """Of the application."""
    guest_rules: GuestRules
    candidacy: Candidacy
    """Of Nantes, begun by a person of her own account, signed, with an open ballot."""
    agreement: Agreement
    ballot: Ballot
    team: Team
    invitation: Invitation


def make_world() -> World:
    """What is named is Rennes's; Reims serves and asks as well, Orléans asks."""
    cast = make_cast()
    model = make_model()
    proposed = make_model("a-model-to-come", stage=LifecycleStage.PROPOSED)
    alias = add_alias(by=OPERATOR, model=model, name="mistral-small")
    add_alias(by=OPERATOR, model=proposed, name="to-come")
    for routed in (model, proposed):
        set_routing(by=OPERATOR, model=routed, settings={"setting": RoutingSetting.ROUND_ROBIN})
    site = make_site(cast.rennes)
    deployment = serve_model(cast.rennes, credential="token of Rennes")
    at_reims = serve_model(cast.reims, credential="token of Reims")
    set_guest_rules(by=OPERATOR, server=at_reims.server)
    application = make_application(cast.rennes, name="RAGaRenn")
    users_application = make_application(cast.rennes, cast.rennes_user, "mine")
    key, _text = make_key(application)
    candidate, agreement = make_candidate(make_user("nantes_applicant"))
    ballot = open_ballot(
        by=cast.admin,
        kind=SubjectKind.MEMBERSHIP,
        subject_id=agreement.membership_id,
        question="Shall Nantes become a member?",
        closes_at=timezone.now() + timedelta(days=7),
    )
    teams = {}
    for institution, dsi, person in (
        (cast.rennes, cast.rennes_dsi, cast.rennes_user),
        (cast.reims, cast.reims_dsi, cast.reims_dsi),
    ):
        teams[institution] = create_team(by=dsi, institution=institution, name="NLP")
        add_to_team(by=dsi, team=teams[institution], email=person.email)
        invite(by=dsi, email="new@example.org", role=Role.USER, institution=institution)
    for other in (
        users_application,
        make_application(cast.reims),
        make_application(cast.orleans, cast.orleans_user),
    ):
        make_key(other)
    measure = Measure.REQUESTS_PER_MINUTE
    for institution in (cast.rennes, cast.reims):
        set_limit(by=OPERATOR, owner=institution, measure=measure, most=600)
    set_limit(by=OPERATOR, owner=users_application.keys.get(), measure=measure, most=6)
    return World(
        cast=cast,
        model=model,
        proposed=proposed,
        alias=alias,
        site=site,
        staging_server=make_server(site),
        server=InferenceServer.objects.get(pk=deployment.server_id),
        deployment=deployment,
        grant=EgressGrant.objects.get(server=deployment.server_id),
        application=application,
        users_application=users_application,
        key=key,
        guest_rules=set_guest_rules(by=OPERATOR, server=deployment.server),
        limit=set_limit(by=OPERATOR, owner=application, measure=measure, most=60),
        candidacy=candidate,
        agreement=agreement,
        ballot=ballot,
        team=teams[cast.rennes],
        invitation=Invitation.objects.get(institution=cast.rennes),
    )
