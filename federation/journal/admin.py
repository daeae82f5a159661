"""The journal in Django's admin. It holds pseudonyms; who may see the account is shown its name beside them."""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.admin import ReadOnlyAdmin
from federation.journal.actors import ActorKind
from federation.journal.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("seq", "at", "verb", "object_type", "object_id", "actor")
    list_filter = ("verb", "actor_kind")
    search_fields = ("object_id",)
    date_hierarchy = "at"
    fields = (
        *("seq", "at", "actor", "actor_pseudonym", "institution_id", "verb", "object_type"),
        *("object_id", "diff", "previous", "own"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        seen = get_user_model().objects.for_user(request.user)
        named = seen.filter(pseudonym=OuterRef("actor_pseudonym")).values("name")[:1]
        events: QuerySet[AuditEvent] = super().get_queryset(request)
        return events.annotate(actor_name=Subquery(named, output_field=CharField()))

    @admin.display(description=gettext_lazy("actor"))
    def actor(self, event: AuditEvent) -> str:
        """The account's name, the command's, or the kind."""
        if event.actor_kind == ActorKind.PERSON:
            return getattr(event, "actor_name", None) or _("an account")
        return " ".join(filter(None, (str(event.get_actor_kind_display()), event.actor_command)))

    @admin.display(description=gettext_lazy("hash of the event before"))
    def previous(self, event: AuditEvent) -> str:
        return event.prev_hash

    @admin.display(description=gettext_lazy("hash of this event"))
    def own(self, event: AuditEvent) -> str:
        return event.hash
