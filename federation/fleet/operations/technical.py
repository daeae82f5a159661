"""The technical form: kept as a draft, handed in, changed, decided about.

What is handed in is a server at once, submitted: it takes no request, and the router looks whether it does what
the form says.
"""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from federation.catalogue.models import AIModel, ModelVersion
from federation.catalogue.operations.proposals import model_of_a_form
from federation.catalogue.operations.registering import add_version
from federation.fleet import mails, policies
from federation.fleet.calendar import HOURS_OF_A_DAY, GuestHours
from federation.fleet.certificates import Shown
from federation.fleet.enums import (
    FORM_TRANSITIONS,
    Availability,
    Days,
    Engine,
    FormState,
    RunTrigger,
)
from federation.fleet.models import GuestRules, InferenceServer, Site, TechnicalForm
from federation.fleet.operations.certificates import show_certificate
from federation.fleet.operations.credentials import encryption_keys, rotate_credential
from federation.fleet.operations.deployments import deploy_model, retire_deployment
from federation.fleet.operations.egress import revoke_egress
from federation.fleet.operations.guests import set_guest_rules
from federation.fleet.operations.handing_in import check_whole, draft_certificate, draft_key
from federation.fleet.operations.keys import change_access_key
from federation.fleet.operations.labels import set_site_labels
from federation.fleet.operations.leases import end_leases, follow_leases
from federation.fleet.operations.runs import request_run
from federation.fleet.operations.servers import (
    change_server_state,
    free_slug,
    locked_server,
)
from federation.journal.actors import SYSTEM, Actor
from federation.journal.operations import record
from federation.members.models import Institution
from federation.people.models import User
from federation.seen import shown_beside
from federation.transitions import check_transition
from routing.core.enums import PriorityClass, ServerState
from routing.upstream.credentials import Secret, seal

Fields = Mapping[str, Any]
"""Columns of a technical form by name."""
FIELDS = (
    *("server_name", "engine", "base_url", "ca_bundle", "model", "proposed_model", "served_name"),
    *("quantisation", "context_length", "tools", "json_schema", "modalities"),
    *("gpu_type", "gpu_count", "site", "site_name", "site_city", "site_pue", "site_labels"),
    *("max_parallel", "reserved_share", "availability", "week", "slurm_note", "job_hosts"),
)
CHECKED_FIELDS = (
    *("engine", "base_url", "model", "proposed_model", "served_name", "quantisation"),
    *("context_length", "tools", "json_schema", "modalities", "job_hosts"),
)
"""What a report is about: when one of these changes, the server has to show it anew."""


@transaction.atomic
def save_draft(
    *,
    by: Actor,
    institution: Institution,
    fields: Fields,
    form: TechnicalForm | None = None,
    seen: int | None = None,
    key: Secret | None = None,
    shown: Shown | None = None,
) -> TechnicalForm:
    """Keep what is filled in so far. Raises `ValidationError` when somebody else has changed the draft meanwhile."""
    if form is None:
        policies.check_keep_draft(by, institution)
        draft = TechnicalForm(
            institution=institution, filled_by=by if isinstance(by, User) else None
        )
    else:
        draft = _locked(form, seen)
        _check_draft(by, draft)
    _fill(draft, fields)
    if key:
        draft.sealed_key = seal(str(draft.pk), key, encryption_keys())
    if shown:
        draft.client_chain = shown.identity.chain
        draft.sealed_client_key = seal(str(draft.pk), shown.identity.key, encryption_keys())
    draft.save()
    _note_author(by, draft)
    record(by=by, verb="fleet.save_draft", obj=draft, institution=institution)
    return draft


@transaction.atomic
def discard_draft(*, by: Actor, form: TechnicalForm) -> None:
    """Throw a draft away, and the secrets with it. Raises `ValidationError` when it is handed in."""
    draft = _locked(form, None)
    _check_draft(by, draft)
    record(by=by, verb="fleet.discard_draft", obj=draft, institution=draft.institution)
    draft.delete()


@transaction.atomic
def submit_form(*, by: Actor, form: TechnicalForm, seen: int | None = None) -> InferenceServer:
    """Hand a draft in: a server in the register, and a run that looks at it. Raises `ValidationError`."""
    locked = _locked(form, seen)
    policies.check_edit_form(by, locked)
    check_transition(FORM_TRANSITIONS, FormState(locked.state), FormState.SUBMITTED)
    check_whole(locked)
    key, shown = draft_key(locked), draft_certificate(locked)
    server = _register(by, locked)
    locked.server, locked.state, locked.sealed_key = server, FormState.SUBMITTED.value, ""
    locked.client_chain = locked.sealed_client_key = ""
    locked.number += 1
    locked.save()
    _note_author(by, locked)
    if key:
        rotate_credential(by=by, server=server, credential=key)
    if shown:
        show_certificate(by=by, server=server, shown=shown)
    _serve(by, locked, server)
    _reserve(by, locked, server)
    request_run(by=by, server=server, trigger=RunTrigger.SUBMISSION)
    record(
        by=by,
        verb="fleet.submit_form",
        obj=locked,
        institution=locked.institution,
        diff={"state": [FormState.DRAFT, FormState.SUBMITTED], "server": server.pk},
    )
    return server


@transaction.atomic
def revise_form(
    *,
    by: Actor,
    form: TechnicalForm,
    fields: Fields,
    seen: int | None = None,
    key: Secret | None = None,
    shown: Shown | None = None,
) -> TechnicalForm:
    """Change what was declared. A live server goes back to staging when it has something to show anew.

    Another address loses the permissions that were given for the one before.
    """
    locked = _locked(form, seen)
    policies.check_edit_form(by, locked)
    if locked.server is None:
        raise ValidationError(_("This form is not handed in yet."), code="draft")
    before = {name: getattr(locked, name) for name in FIELDS}
    _fill(locked, fields)
    check_whole(locked)
    changed = [name for name in FIELDS if getattr(locked, name) != before[name]]
    server = _update(by, locked, changed, before["served_name"])
    if shown:
        show_certificate(by=by, server=server, shown=shown)
    locked.save()
    if changed or key or shown:
        _note_author(by, locked)
    proves_anew = any(name in CHECKED_FIELDS for name in changed)
    if shown or proves_anew or "ca_bundle" in changed:
        _look_again(by, locked, server, proves_anew=proves_anew)
    if key:
        server.refresh_from_db(fields=["state"])
        change_access_key(by=by, server=server, key=key)
    record(
        by=by,
        verb="fleet.revise_form",
        obj=locked,
        institution=locked.institution,
        diff={"server": server.pk, "changed": changed, "key": bool(key)},
    )
    return locked


@transaction.atomic
def accept_form(*, by: Actor, form: TechnicalForm) -> InferenceServer:
    """Put the server into service. A model that is only proposed stays it: the committee decides about models,
    and until it has, the server gets no request for this one."""
    locked = _locked(form, None)
    policies.check_decide_form(by, locked)
    if locked.server is None:
        raise ValidationError(_("This form is not handed in yet."), code="draft")
    server = change_server_state(by=by, server=locked.server, state=ServerState.LIVE)
    if locked.site_labels and not server.site.labels:  # Who gains by a label does not give it.
        set_site_labels(by=by, site=server.site, labels=locked.site_labels)
    if locked.availability == Availability.SLURM:
        follow_leases(by=by, server=server)
    locked.refresh_from_db(fields=["state"])
    record(
        by=by,
        verb="fleet.accept_form",
        obj=locked,
        institution=locked.institution,
        diff={"state": locked.state, "server": server.pk},
    )
    mails.tell_accepted(locked)
    return server


@transaction.atomic
def decline_form(*, by: Actor, form: TechnicalForm, reason: str) -> TechnicalForm:
    """Refuse a server, with the reason: it is retired, and its owner may hand in another form."""
    locked = _locked(form, None)
    policies.check_decide_form(by, locked)
    before = FormState(locked.state)
    check_transition(FORM_TRANSITIONS, before, FormState.DECLINED)
    if not reason.strip():
        raise ValidationError(_("Say why."), code="reason")
    assert locked.server is not None  # the table allows a draft none, and a draft is not declined
    change_server_state(by=by, server=locked.server, state=ServerState.RETIRED)
    locked.state, locked.decline_reason = FormState.DECLINED.value, reason.strip()
    locked.full_clean()
    locked.save(update_fields=["state", "decline_reason", "changed_at"])
    record(
        by=by,
        verb="fleet.decline_form",
        obj=locked,
        institution=locked.institution,
        diff={"state": [before, FormState.DECLINED]},
    )
    mails.tell_declined(locked)
    return locked


def _check_draft(by: Actor, form: TechnicalForm) -> None:
    policies.check_edit_form(by, form)
    if form.state != FormState.DRAFT:
        raise ValidationError(_("This form is handed in already."), code="handed_in")


def _locked(form: TechnicalForm, seen: int | None) -> TechnicalForm:
    rows = TechnicalForm.objects.select_related(
        "institution", "model", "site", "server__site__institution"
    )
    locked = rows.select_for_update(of=("self",)).get(pk=form.pk)
    if seen is not None and seen != locked.number:
        raise shown_beside()
    return locked


def _fill(form: TechnicalForm, fields: Fields) -> None:
    for name, value in fields.items():
        if name not in FIELDS:
            raise ValueError(name)
        setattr(form, name, value)
    if not form._state.adding:
        form.number += 1
    form.full_clean(exclude=["institution", "server", "filled_by"])
    if form.site is not None and form.site.institution_id != form.institution_id:
        raise ValidationError({"site": _("This site is another institution’s.")})


def _note_author(by: Actor, form: TechnicalForm) -> None:
    if isinstance(by, User):
        form.declared_by.add(by)


def _register(by: Actor, form: TechnicalForm) -> InferenceServer:
    server = InferenceServer(
        site=_site_of(by, form),
        name=form.server_name,
        slug=free_slug(f"{form.institution.slug}-{form.engine}"),
        engine=Engine(form.engine).value,
        base_url=form.base_url,
        ca_bundle=form.ca_bundle,
        state=ServerState.SUBMITTED.value,
        max_parallel=form.max_parallel,
        gpu_type=form.gpu_type,
        gpu_count=form.gpu_count,
        registered_by=by if isinstance(by, User) else None,
    )
    server.full_clean()
    server.save()
    return server


def _site_of(by: Actor, form: TechnicalForm) -> Site:
    """Return the form's site, made now when it is new."""
    if form.site is None:
        site = Site(
            institution=form.institution,
            name=form.site_name,
            city=form.site_city,
            pue=form.site_pue,
        )
        site.full_clean()
        site.save()
        record(by=by, verb="fleet.add_site", obj=site, institution=form.institution)
        form.site = site
    return form.site


def _serve(by: Actor, form: TechnicalForm, server: InferenceServer) -> None:
    """Say which model version the server answers to: one that is there, or one beside the current."""
    model = form.model or model_of_a_form(filled_by=form.filled_by, slug=form.proposed_model)
    form.model, form.proposed_model = model, ""
    form.save(update_fields=["model", "proposed_model"])
    deploy_model(by=by, server=server, version=_version(form, model), served_name=form.served_name)


def _version(form: TechnicalForm, model: AIModel) -> ModelVersion:
    alike = model.versions.all()
    if form.quantisation:
        alike = alike.filter(quantisation__iexact=form.quantisation)
    if form.context_length:
        alike = alike.filter(context_length=form.context_length)
    return alike.order_by("-current", "-created_at").first() or add_version(
        by=SYSTEM,
        model=model,
        revision=form.served_name,
        quantisation=form.quantisation,
        context_length=form.context_length,
        current=not model.versions.exists(),
    )


def _reserve(by: Actor, form: TechnicalForm, server: InferenceServer) -> None:
    """Leave to guests what the owner does not keep, at every hour; other rules stay as they are."""
    rules = GuestRules.objects.filter(server=server).first()
    if rules is None and not form.reserved_share:
        return
    hours = []
    if form.reserved_share and form.max_parallel is not None:
        most = form.max_parallel * (100 - form.reserved_share) // 100
        hours = [GuestHours(Days.ALL, 0, HOURS_OF_A_DAY, most)]
    set_guest_rules(
        by=by,
        server=server,
        hours=hours,
        lowest_class=PriorityClass(rules.lowest_class) if rules else PriorityClass.P1,
        blocked_institutions=list(rules.blocked_institutions.all()) if rules else (),
        blocked_models=list(rules.blocked_models.all()) if rules else (),
    )


def _update(
    by: Actor, form: TechnicalForm, changed: list[str], served_name: str
) -> InferenceServer:
    """Have the server follow its form, which spoke of this name so far."""
    assert form.server is not None  # a draft has none, and is not revised
    server = locked_server(form.server)
    if "base_url" in changed:
        for grant in server.egress_grants.in_force():
            revoke_egress(by=SYSTEM, grant=grant)
    server.site = _site_of(by, form)
    server.name, server.engine = form.server_name, form.engine
    if not {"base_url", "job_hosts", "availability"}.isdisjoint(changed):
        end_leases(
            by=by, server=server
        )  # a job that is still there comes again, by what is declared now
    if not server.leases.open().exists():
        server.base_url = form.base_url
    server.max_parallel = form.max_parallel
    server.ca_bundle = form.ca_bundle
    server.gpu_type, server.gpu_count = form.gpu_type, form.gpu_count
    server.full_clean()
    server.save()
    if {"model", "proposed_model", "served_name", "quantisation", "context_length"} & set(changed):
        for deployment in server.deployments.live().filter(served_name=served_name):
            retire_deployment(by=by, deployment=deployment)
        _serve(by, form, server)
    if {"reserved_share", "max_parallel"} & set(changed):
        _reserve(by, form, server)
    return server


def _look_again(
    by: Actor, form: TechnicalForm, server: InferenceServer, *, proves_anew: bool
) -> None:
    if proves_anew:
        if server.state == ServerState.LIVE:
            change_server_state(by=SYSTEM, server=server, state=ServerState.STAGING)
            form.refresh_from_db(fields=["state"])
        if form.state != FormState.SUBMITTED:
            check_transition(FORM_TRANSITIONS, FormState(form.state), FormState.SUBMITTED)
            form.state = FormState.SUBMITTED.value
            form.save(update_fields=["state"])
    # What is under way looks at what was declared before.
    server.runs.all().break_off()
    request_run(by=by, server=server)
