"""What every table shows in Django's admin: rows to read, and actions that call the operations.

Nothing is added, changed or deleted there: an operation checks its policy and tells the journal, a form of
the admin would not. What no other action undoes is asked about first.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]
CONFIRMED = "confirmed"


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic class at run time
    """`hidden` names the fields that no page may show: secrets, digests."""

    is_read_only: ClassVar = True
    hidden: ClassVar[tuple[str, ...]] = ()
    show_full_result_count = False

    def get_exclude(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return self.hidden

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuse to search by what is hidden: with `?digest__startswith=` it could be guessed."""
        if lookup.split("__")[0] in self.hidden:
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def named(self, row: Any) -> str:
        """Return what tells `row` from others to somebody about to end it."""
        return str(row)

    def call_for_each(
        self, request: HttpRequest, rows: QuerySet[Any], operation: Callable[[Any], Any]
    ) -> None:
        """Call `operation` on each chosen row and say what came of it."""
        done = 0
        for row in rows:
            try:
                operation(row)
                done += 1
            except PermissionDenied as refusal:
                self.message_user(request, f"{row}: {refusal}", messages.ERROR)
            except ValidationError as refusal:
                text = " ".join(refusal.messages)
                self.message_user(request, f"{row}: {text}", messages.ERROR)
        if done:
            self.message_user(request, _("Done: %(count)s.") % {"count": done}, messages.SUCCESS)


def for_good(description: str | Promise, consequence: str | Promise) -> Callable[[Action], Action]:
    """Make an action of what cannot be undone: a page first names the chosen rows and the `consequence`."""

    def made(action: Action) -> Action:
        @admin.action(description=cast(str, description))  # a lazy text is as good
        @wraps(action)
        def asked_first(
            self: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any]
        ) -> HttpResponse | None:
            if CONFIRMED in request.POST:
                return action(self, request, rows)
            context = {
                **self.admin_site.each_context(request),
                "title": description,
                "opts": self.opts,
                "consequence": consequence,
                "rows": [(row.pk, self.named(row)) for row in rows],
                "action": request.POST["action"],
                "chosen": ACTION_CHECKBOX_NAME,
                "confirmed": CONFIRMED,
            }
            return TemplateResponse(request, "admin/for_good.html", context)

        return asked_first

    return made
