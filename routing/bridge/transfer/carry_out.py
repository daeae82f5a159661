"""A plan done through the register's own operations, inside the caller's transaction: all of it or nothing."""

from collections.abc import Iterable, Iterator

from django.conf import settings

from federation.access.models import ApiKey, Application
from federation.access.operations import (
    change_key,
    create_application,
    issue_key,
    revoke_key,
    set_threshold,
)
from federation.catalogue.models import AIModel
from federation.catalogue.operations.registering import add_version, register_model
from federation.catalogue.operations.routing import Routing, set_routing
from federation.fleet.operations.publication import Offer, publish_server
from federation.journal.actors import Actor
from federation.members.enums import MembershipState
from federation.members.models import Institution
from federation.members.operations import (
    add_institution,
    change_membership_state,
    propose_membership,
)
from federation.people.models import User
from routing.bridge.transfer import meaning
from routing.bridge.transfer.former import AddFormerKey, AddFormerModel
from routing.bridge.transfer.plan import (
    AddInstitution,
    AddKey,
    AddModel,
    ChangeKey,
    Plan,
    Publish,
    SetRouting,
    Step,
)
from routing.core.enums import LifecycleStage, PriorityClass
from routing.core.keys import digest

FORMER = "known from the requests of the past alone"
"""Why the key of a user who was gone before the import is revoked."""


def key_digest(key: meaning.Key) -> str:
    """Return the digest under which the register knows a key."""
    return digest(settings.PEPPER.encode(), key.token.reveal())


def carry_out(plan: Plan, by: Actor) -> list[str]:
    """Do every step; return what a person should know of it, as lines like the plan's."""
    return [line for step in plan.steps for line in _do(step, by)]


def _do(step: Step, by: Actor) -> Iterable[str]:
    match step:
        case AddInstitution(slug, name):
            _add_member(slug, name, by)
        case AddModel(model):
            _add_model(model, by)
        case SetRouting(model):
            _set_routing(AIModel.objects.get(slug__iexact=model.name), model, by)
        case AddKey(institution, key):
            return _add_key(_institution(institution), key, by)
        case ChangeKey():
            _change_key(step, by)
        case AddFormerModel() | AddFormerKey():
            _add_former(step, by)
        case Publish():
            return _publish(step, by)
    return ()


def _add_former(step: AddFormerModel | AddFormerKey, by: Actor) -> None:
    if isinstance(step, AddFormerModel):
        register_model(by=by, slug=step.name, stage=LifecycleStage.RETIRED)
        return
    application = _application(_institution(step.institution), step.name, by)
    key, _ = issue_key(by=by, application=application, name=step.name)
    revoke_key(by=by, key=key, reason=FORMER)


def _institution(slug: str) -> Institution:
    return Institution.objects.get(slug=slug)


def _add_member(slug: str, name: str, by: Actor) -> None:
    institution = add_institution(by=by, slug=slug, name=name)
    membership = propose_membership(
        by=by, institution=institution, is_contributor=True, is_consumer=True
    )
    change_membership_state(by=by, membership=membership, state=MembershipState.APPROVED)


def _add_model(model: meaning.Model, by: Actor) -> None:
    row = register_model(
        by=by,
        slug=model.name,
        stage=LifecycleStage.PRODUCTION,
        facts={"display_name": model.label},
    )
    add_version(by=by, model=row, revision=model.weights, quantisation=model.quantisation)
    _set_routing(row, model, by)


def _set_routing(row: AIModel, model: meaning.Model, by: Actor) -> None:
    wanted = Routing(setting=model.setting, forward_priority=model.forward_priority)
    set_routing(by=by, model=row, settings=wanted)


def _publish(step: Publish, by: Actor) -> Iterator[str]:
    """A dispatcher's servers know each model by the name that clients use: it passes bodies on as they are."""
    offer = Offer(
        institution=_institution(step.institution),
        url=step.server.url,
        engine=step.engine,
        model_name=step.model,
        served_name=step.model,
        credential=step.server.token,
        max_parallel=step.server.max_parallel,
        may_be_unknown=True,
    )
    made = publish_server(by=by, offer=offer)
    for grant in made.granted:
        yield f"+ network permission for {offer.url}: {grant.address} port {grant.port}"
    if not made.host_is_known:
        yield (
            f"! {offer.url}: its host is unknown here; "
            "if its address is private, register_server must allow it"
        )


def _application(
    institution: Institution, name: str, by: Actor, owner: User | None = None, contact: str = ""
) -> Application:
    known = Application.objects.filter(institution=institution, name=name).first()
    return known or create_application(
        by=by, institution=institution, name=name, owner=owner, description=contact
    )


def _add_key(institution: Institution, key: meaning.Key, by: Actor) -> Iterator[str]:
    """A person with an account at the institution owns the application; else its address stands in it."""
    person = User.objects.filter(email__iexact=key.email).first() if key.email else None
    owner = person if person and institution.pk in person.institution_ids() else None
    contact = f"Contact: {key.email}" if key.email and owner is None else ""
    application = _application(institution, key.name, by, owner, contact)
    issue_key(
        by=by,
        application=application,
        name=key.name,
        priority=PriorityClass(key.priority),
        routing_mode=key.routing_mode,
        threshold=key.threshold,
        answers_200_when_full=key.answers_200_when_full,
        text=key.token,
    )
    if key.email and (application.owner, application.description) != (owner, contact):
        yield f"! application {key.name} was there before: {key.email} is not written into it"


def _change_key(step: ChangeKey, by: Actor) -> None:
    row = ApiKey.objects.get(pk=step.before.id)
    key, before = step.key, step.before
    if key.threshold != before.threshold:
        set_threshold(by=by, key=row, threshold=key.threshold)
    if (key.priority, key.routing_mode, key.answers_200_when_full) != (
        before.priority,
        before.routing_mode,
        before.answers_200_when_full,
    ):
        change_key(
            by=by,
            key=row,
            priority=PriorityClass(key.priority),
            routing_mode=key.routing_mode,
            answers_200_when_full=key.answers_200_when_full,
        )
