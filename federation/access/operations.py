"""Writes about who may ask, and how much: applications, their keys, and limits.

Not here: how a key is replaced and what is done about one that was found somewhere (`keyring`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict, Unpack

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.access import policies
from federation.access.keys import abbreviate, new_key
from federation.access.models import ApiKey, Application, Limit, LimitOwner, scope_of
from federation.catalogue.models import AIModel
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import Institution, Team
from federation.people.models import User
from routing.core.enums import Measure, PriorityClass, RoutingMode
from routing.core.keys import digest
from routing.core.labels import data_class
from routing.upstream.credentials import Secret


class KeyFacts(TypedDict, total=False):
    """How a key is served, as `ApiKey` explains it; a new key has the usual where something is left out."""

    priority: PriorityClass
    routing_mode: RoutingMode
    models: Sequence[AIModel]
    origins: Sequence[str]
    endpoints: Sequence[str]
    networks: Sequence[str]
    labels: Sequence[str]
    tells: Sequence[str]
    threshold: int | None
    answers_200_when_full: bool
    expires_at: datetime | None


@transaction.atomic
def create_application(
    *,
    by: Actor,
    institution: Institution,
    name: str,
    owner: User | None = None,
    description: str = "",
) -> Application:
    """Register a consuming software. A person who names no owner owns it, unless a DSI or admin acts."""
    policies.check_create_application(by, institution, owner)
    application = Application(
        institution=institution,
        name=name.strip(),
        owner=owner or (by if isinstance(by, User) else None),
        description=description,
    )
    application.full_clean()
    application.save()
    record(by=by, verb="access.create_application", obj=application, institution=institution)
    return application


@transaction.atomic
def hand_over(*, by: Actor, application: Application, owner: User) -> Application:
    """Give an application to another owner, a person or a service account of its institution."""
    locked = Application.objects.select_for_update().get(pk=application.pk)
    policies.check_hand_over(by, locked, owner)
    before, locked.owner = locked.owner, owner
    locked.save(update_fields=["owner"])
    locked.managers.remove(owner)
    diff = {"owner": [before.pseudonym if before else None, owner.pseudonym]}
    _record_about(by, "access.hand_over", locked, diff)
    return locked


@transaction.atomic
def give_to_team(*, by: Actor, application: Application, team: Team | None) -> Application:
    """Let a team of its institution manage an application; None for no team any more."""
    locked = Application.objects.select_for_update().get(pk=application.pk)
    policies.check_give_to_team(by, locked, team)
    before, locked.team = locked.team_id, team
    locked.save(update_fields=["team"])
    diff = {"team": [before, team.pk if team else None]}
    _record_about(by, "access.give_to_team", locked, diff)
    return locked


@transaction.atomic
def add_manager(*, by: Actor, application: Application, manager: User) -> None:
    """Let somebody else of its institution manage an application, too."""
    locked = Application.objects.select_for_update().get(pk=application.pk)
    policies.check_add_manager(by, locked, manager)
    locked.managers.add(manager)
    _record_about(by, "access.add_manager", locked, {"manager": manager.pseudonym})


@transaction.atomic
def remove_manager(*, by: Actor, application: Application, manager: User) -> None:
    """Take an application out of somebody's hands, or one's own."""
    locked = Application.objects.select_for_update().get(pk=application.pk)
    policies.check_remove_manager(by, locked, manager)
    locked.managers.remove(manager)
    _record_about(by, "access.remove_manager", locked, {"manager": manager.pseudonym})


@transaction.atomic
def issue_key(
    *,
    by: Actor,
    application: Application,
    name: str,
    replaces: ApiKey | None = None,
    text: Secret | None = None,
    **facts: Unpack[KeyFacts],
) -> tuple[ApiKey, Secret]:
    """Make a key and return it with its text, which cannot be had again. No `models`: all of them.

    Without `expires_at` a person's key ends after a year, an operator's never. `text` is that of a key which was
    issued elsewhere and goes on working.
    """
    priority = facts.get("priority", PriorityClass.P3)
    policies.check_issue_key(by, application, priority, replaces)
    policies.check_models(by, facts.get("models", ()), replaces)
    if facts.get("expires_at") is None and isinstance(by, User):
        facts["expires_at"] = timezone.now() + policies.USUAL_LIFE
    policies.check_lifetime(by, facts.get("expires_at"))
    secret = text or new_key()
    prefix, last4 = abbreviate(secret.reveal())
    key = ApiKey(
        application=application,
        name=name.strip(),
        prefix=prefix,
        last4=last4,
        digest=digest(settings.PEPPER.encode(), secret.reveal()),
        replaces=replaces,
        created_by=by if isinstance(by, User) else None,
    )
    diff = {
        "application": application.pk,
        "prefix": prefix,
        "replaces": replaces.pk if replaces else None,
        **_write(key, facts),
    }
    record(by=by, verb="access.issue_key", obj=key, institution=application.institution, diff=diff)
    return key, secret


@transaction.atomic
def change_key(*, by: Actor, key: ApiKey, **facts: Unpack[KeyFacts]) -> ApiKey:
    """Say anew how a key is served; what is left out stays. Raises `ValidationError` when it has ended."""
    locked = ApiKey.objects.select_for_update().get(pk=key.pk)
    policies.check_change_key(by, locked, facts.get("priority", PriorityClass(locked.priority)))
    policies.check_models(by, facts.get("models", ()), locked)
    if facts.get("expires_at", locked.expires_at) != locked.expires_at:
        policies.check_lifetime(by, facts["expires_at"])
    before = _told(locked, tuple(facts))
    after = _write(locked, facts)
    diff = {name: [before[name], value] for name, value in after.items() if before[name] != value}
    if diff:
        institution = locked.application.institution
        record(by=by, verb="access.change_key", obj=locked, institution=institution, diff=diff)
    return locked


@transaction.atomic
def revoke_key(*, by: Actor, key: ApiKey, reason: str) -> ApiKey:
    """End a key for good; routers refuse it within a second. Raises `ValidationError` without a reason."""
    ended = _ended(by, key, reason)
    institution, diff = ended.application.institution, {"revoked": True}
    record(by=by, verb="access.revoke_key", obj=ended, institution=institution, diff=diff)
    return ended


@transaction.atomic
def revoke_leaked_key(*, by: Actor, key: ApiKey, reason: str) -> ApiKey:
    """End a key that somebody has found in public, which the journal tells. Raises `ValidationError`."""
    ended = _ended(by, key, reason)
    institution, diff = ended.application.institution, {"revoked": True}
    record(by=by, verb="access.revoke_leaked_key", obj=ended, institution=institution, diff=diff)
    return ended


@transaction.atomic
def set_threshold(*, by: Actor, key: ApiKey, threshold: int | None) -> ApiKey:
    """Have a key's requests refused at once when more than so many wait for their model, None for never."""
    locked = ApiKey.objects.select_for_update().get(pk=key.pk)
    policies.check_set_limit(by, locked)
    before, locked.threshold = locked.threshold, threshold
    locked.full_clean()
    locked.save(update_fields=["threshold"])
    record(
        by=by,
        verb="access.set_threshold",
        obj=locked,
        institution=locked.application.institution,
        diff={"threshold": [before, threshold]},
    )
    return locked


@transaction.atomic
def set_limit(*, by: Actor, owner: LimitOwner, measure: Measure, most: int) -> Limit:
    """Bound what a key, an application or an institution may use; routers go by it within a second."""
    policies.check_set_limit(by, owner)
    # Of two who set the same limit for the first time, the second changes what the first has set.
    type(owner)._default_manager.select_for_update().get(pk=owner.pk)
    whose = {scope_of(owner).value: owner}
    known = Limit.objects.in_force().filter(measure=measure, **whose).first()
    limit = known or Limit(measure=measure.value, **whose)
    before, limit.most = (known.most if known else None), most
    limit.full_clean()
    limit.save()
    record(
        by=by,
        verb="access.set_limit",
        obj=limit,
        institution=_institution_of(owner),
        diff={"owner": owner.pk, "measure": measure, "most": [before, most]},
    )
    return limit


@transaction.atomic
def remove_limit(*, by: Actor, limit: Limit) -> Limit:
    """End a limit; the row stays."""
    locked = Limit.objects.select_for_update().get(pk=limit.pk)
    owner = locked.owner
    policies.check_set_limit(by, owner)
    if locked.removed_at is not None:
        raise ValidationError(_("This limit is removed already."), code="removed")
    locked.removed_at = timezone.now()
    locked.save(update_fields=["removed_at"])
    record(
        by=by,
        verb="access.remove_limit",
        obj=locked,
        institution=_institution_of(owner),
        diff={"owner": owner.pk, "measure": locked.measure, "most": [locked.most, None]},
    )
    return locked


def _ended(by: Actor, key: ApiKey, reason: str) -> ApiKey:
    locked = ApiKey.objects.select_for_update().get(pk=key.pk)
    policies.check_revoke_key(by, locked)
    locked.revoked_at = timezone.now()
    locked.revoked_reason = reason.strip()
    if not locked.revoked_reason:
        raise ValidationError({"revoked_reason": _("Say why.")})
    locked.full_clean()
    locked.save(update_fields=["revoked_at", "revoked_reason"])
    return locked


def _write(key: ApiKey, facts: KeyFacts) -> dict[str, object]:
    """Write these of a key's facts, and return what the journal tells of them."""
    for name, value in facts.items():
        if name == "labels":
            key.labels = list(data_class(facts["labels"]))
        elif name != "models":
            setattr(key, name, list(value) if isinstance(value, tuple) else value)
    key.full_clean()
    key.save()
    if "models" in facts:
        key.models.set(facts["models"])
    return _told(key, tuple(facts))


def _told(key: ApiKey, names: Sequence[str]) -> dict[str, object]:
    """Return what the journal may know of these facts of a key: of addresses only how many there are."""
    present: dict[str, object] = {name: getattr(key, name) for name in names if name != "models"}
    if "models" in names:
        present["models"] = sorted(key.models.values_list("slug", flat=True))
    return present | {
        name: len(getattr(key, name)) for name in ("networks", "origins") if name in names
    }


def _record_about(
    by: Actor, verb: str, application: Application, diff: Mapping[str, object]
) -> None:
    record(by=by, verb=verb, obj=application, institution=application.institution, diff=diff)


def _institution_of(owner: LimitOwner) -> Institution:
    match owner:
        case ApiKey():
            return owner.application.institution
        case Application():
            return owner.institution
        case Institution():
            return owner
