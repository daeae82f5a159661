"""The journal: one event per act, append-only, each chained to the one before by its hash.

It holds pseudonymous ids only, so that erasing a person empties a row elsewhere and the chain stays whole.
Triggers refuse UPDATE, DELETE and TRUNCATE; `operations.record` is the only writer.
"""

from collections.abc import Collection
from typing import ClassVar, Protocol
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from federation.journal.actors import ActorKind
from routing.core.ids import uuid7

FIRST_PREVIOUS_HASH = "0" * 64


class Viewer(Protocol):
    """Someone signed in, as far as the journal needs to know."""

    pseudonym: UUID
    is_active: bool

    @property
    def sees_everything(self) -> bool: ...

    @property
    def overseen_institution_ids(self) -> Collection[UUID]: ...


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def for_user(self, user: Viewer | AnonymousUser) -> "AuditEventQuerySet":
        """The whole journal for the federation; one's institutions' events and one's own acts otherwise."""
        if isinstance(user, AnonymousUser) or not user.is_active:
            return self.none()
        if user.sees_everything:
            return self
        own = Q(actor_pseudonym=user.pseudonym)
        return self.filter(own | Q(institution_id__in=user.overseen_institution_ids))


class AuditEvent(models.Model):
    """Who did what to which object. `seq` has no gap; `hash` covers every other field and `prev_hash`."""

    KINDS: ClassVar = {
        ActorKind.PERSON.value: _("person"),
        ActorKind.COMMAND.value: _("command"),
        ActorKind.SYSTEM.value: _("system"),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    seq = models.BigIntegerField(_("number"), unique=True)
    at = models.DateTimeField(_("at"))
    actor_kind = models.CharField(_("actor"), max_length=8, choices=KINDS)
    actor_pseudonym = models.UUIDField(_("pseudonym"), null=True, db_index=True)
    actor_command = models.CharField(_("command"), max_length=64, blank=True)
    institution_id = models.UUIDField(_("institution"), null=True, db_index=True)
    verb = models.CharField(_("verb"), max_length=64)
    object_type = models.CharField(_("kind of object"), max_length=64)
    object_id = models.CharField(_("object"), max_length=64)
    diff = models.JSONField(_("change"), encoder=DjangoJSONEncoder, default=dict)
    prev_hash = models.CharField(max_length=64, unique=True)
    hash = models.CharField(max_length=64, unique=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("-seq",)
        indexes = (
            models.Index(fields=["object_type", "object_id"], name="journal_by_object"),
            models.Index(fields=["object_id"], name="journal_by_object_id"),
            models.Index(fields=["at"], name="journal_by_time"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    actor_kind=ActorKind.PERSON.value,
                    actor_pseudonym__isnull=False,
                    actor_command="",
                )
                | (
                    Q(actor_kind=ActorKind.COMMAND.value, actor_pseudonym__isnull=True)
                    & ~Q(actor_command="")
                )
                | Q(
                    actor_kind=ActorKind.SYSTEM.value,
                    actor_pseudonym__isnull=True,
                    actor_command="",
                ),
                name="an_event_names_its_actor_by_kind",
            ),
        )

    def __str__(self) -> str:
        return f"{self.seq} {self.verb} {self.object_type} {self.object_id}"
