"""Who may bring, change and stop servers."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.fleet.enums import (
    SERVER_STATE_LABELS,
    SERVER_TRANSITIONS,
    FormState,
    RunState,
)
from federation.fleet.models import (
    ConformityRun,
    InferenceServer,
    Site,
    SiteEgressGrant,
    TechnicalForm,
)
from federation.journal.actors import Actor, is_operator
from federation.members.models import Institution
from federation.members.policies import check_contributes
from federation.people.enums import Role
from federation.people.models import User
from federation.people.policies import holds, is_federation_admin
from federation.policy import asking, refuse_unless
from federation.transitions import check_transition
from routing.core.conformity import RunKind
from routing.core.enums import ServerState

FEDERATION_DECIDES = frozenset(
    {
        (ServerState.SUBMITTED, ServerState.STAGING),
        (ServerState.STAGING, ServerState.LIVE),
        (ServerState.SUSPENDED, ServerState.LIVE),
        (ServerState.LIVE, ServerState.STAGING),
    }
)
"""Steps that an institution cannot take alone: into service at first, and back after a suspension."""
MOST_DRAFTS = 20
MOST_NETWORKS = 40
"""Of an institution, in force or asked for."""


def check_register_server(by: Actor, institution: Institution) -> None:
    """The federation registers servers; only approved contributors have any."""
    refuse_unless(is_federation_admin(by))
    check_contributes(institution)


def check_publish_server(by: Actor) -> None:
    """At once, without a report and a second pair of eyes: an operator at the machine alone."""
    refuse_unless(is_operator(by))


def check_manage_server(by: Actor, server: InferenceServer) -> None:
    """The federation, and the IT department of the server's institution, until the server is retired."""
    refuse_unless(is_federation_admin(by) or holds(by, server.site.institution_id, Role.MEMBER_DSI))
    if server.state == ServerState.RETIRED:
        raise ValidationError(_("This server is retired."), code="retired")


can_manage_server = asking(check_manage_server)


def check_change_server_state(by: Actor, server: InferenceServer, state: ServerState) -> None:
    check_manage_server(by, server)
    step = (ServerState(server.state), state)
    refuse_unless(step not in FEDERATION_DECIDES or is_federation_admin(by))
    check_transition(SERVER_TRANSITIONS, *step, labels=SERVER_STATE_LABELS)
    if step == (ServerState.STAGING, ServerState.LIVE):
        check_not_own(by, server)
        check_reports(server)


def check_not_own(by: Actor, server: InferenceServer) -> None:
    """Four eyes: who has registered a server, or changed what is declared of it, does not put it into service."""
    form = TechnicalForm.objects.filter(server=server).first()
    has_registered = isinstance(by, User) and by.pk == server.registered_by_id
    if has_registered or (form is not None and has_declared(by, form)):
        raise ValidationError(
            _(
                "You have registered this server or changed what is declared of it: another "
                "administrator of the federation puts it into service."
            ),
            code="own_server",
        )


is_not_own = asking(check_not_own)


def has_declared(by: Actor, form: TechnicalForm) -> bool:
    """Say whether `by` has begun the form, or written something of it since it was last accepted."""
    if not isinstance(by, User):
        return False
    return by.pk == form.filled_by_id or form.declared_by.filter(pk=by.pk).exists()


def check_reports(server: InferenceServer) -> None:
    """Raise unless the newest run of each kind has passed; a server of an operator's command may have none."""
    for kind in RunKind:
        newest = server.runs.filter(kind=kind).first()
        if newest is not None and newest.state != RunState.PASSED:
            raise ValidationError(
                _("Its newest report is not green. Run it again when the server is put right."),
                code="report",
            )
    if newest_is_missing(server):
        raise ValidationError(_("It has not been checked yet."), code="report")


def newest_is_missing(server: InferenceServer) -> bool:
    """Say whether a server that came by a technical form has no report."""
    has_form = TechnicalForm.objects.filter(server=server).exists()
    kinds = ConformityRun.objects.filter(server=server).concluded().values_list("kind", flat=True)
    return has_form and set(kinds) != set(RunKind)


can_change_server_state = asking(check_change_server_state)


def check_fill_form(by: Actor, institution: Institution) -> None:
    """The federation, and the IT department of an approved contributor, offer its servers."""
    refuse_unless(is_federation_admin(by) or holds(by, institution.pk, Role.MEMBER_DSI))
    check_contributes(institution)


def check_keep_draft(by: Actor, institution: Institution) -> None:
    check_fill_form(by, institution)
    drafts = TechnicalForm.objects.filter(institution=institution, state=FormState.DRAFT)
    if drafts.count() >= MOST_DRAFTS:
        raise ValidationError(
            _("There are %(count)s drafts already: hand one in, or throw one away."),
            code="drafts",
            params={"count": MOST_DRAFTS},
        )


def check_edit_form(by: Actor, form: TechnicalForm) -> None:
    """A draft, and what stands for a server that is not on its way out."""
    check_fill_form(by, form.institution)
    if form.state == FormState.DECLINED:
        raise ValidationError(_("This form was declined: begin a new one."), code="declined")
    if form.server is not None and form.server.state not in EDITABLE:
        raise ValidationError(
            _("A server that drains, is suspended or retired is not changed."), code="not_editable"
        )


EDITABLE = frozenset({ServerState.SUBMITTED, ServerState.STAGING, ServerState.LIVE})
can_edit_form = asking(check_edit_form)


def check_decide_form(by: Actor, form: TechnicalForm) -> None:
    """The federation decides, and not who has filled the form in or changed it."""
    refuse_unless(is_federation_admin(by))
    if has_declared(by, form):
        raise ValidationError(
            _(
                "You have filled in this form or changed it: another administrator of the "
                "federation decides about it."
            ),
            code="own_server",
        )


def check_grant_egress(by: Actor) -> None:
    """Only the federation lets its router into a private network: not the one who gains by it."""
    refuse_unless(is_federation_admin(by))


def check_ask_egress(by: Actor, site: Site) -> None:
    """The federation, and the IT department of an approved contributor, for its own sites."""
    check_fill_form(by, site.institution)
    asked = SiteEgressGrant.objects.filter(site__institution=site.institution).open()
    if asked.count() >= MOST_NETWORKS:
        raise ValidationError(
            _("There are %(count)s networks already: withdraw one first."),
            code="networks",
            params={"count": MOST_NETWORKS},
        )


def check_withdraw_site_egress(by: Actor, grant: SiteEgressGrant) -> None:
    """Both sides may end it at any time: who let the router in, and whose network it is."""
    refuse_unless(is_federation_admin(by) or holds(by, grant.site.institution_id, Role.MEMBER_DSI))


can_withdraw_site_egress = asking(check_withdraw_site_egress)


def check_warn(by: Actor) -> None:
    """The product itself looks at the calendar."""
    refuse_unless(is_operator(by))


def check_conclude_run(by: Actor) -> None:
    """Only what the router found decides: no person writes a report."""
    refuse_unless(is_operator(by))


def check_label_site(by: Actor) -> None:
    """The federation, which has seen the certificate: whoever gains by a label does not give it."""
    refuse_unless(is_federation_admin(by))
