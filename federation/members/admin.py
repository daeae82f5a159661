"""Institutions and memberships in Django's admin; its actions decide about memberships."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.admin import ReadOnlyAdmin, for_good
from federation.members.enums import MembershipState
from federation.members.models import Institution, Membership
from federation.members.operations import change_membership_state
from federation.people.guards import signed_in

Memberships = QuerySet[Membership]


@admin.register(Institution)
class InstitutionAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "uai", "siret", "weight")
    search_fields = ("slug", "name")


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("institution", "state", "is_contributor", "is_consumer", "created_at")
    list_filter = ("state", "is_contributor", "is_consumer")
    list_select_related = ("institution",)
    actions = ("approve", "suspend", "end")

    @admin.action(description=gettext_lazy("Approve"))
    def approve(self, request: HttpRequest, memberships: Memberships) -> None:
        self._move(request, memberships, MembershipState.APPROVED)

    @admin.action(description=gettext_lazy("Suspend: its keys and servers stop"))
    def suspend(self, request: HttpRequest, memberships: Memberships) -> None:
        self._move(request, memberships, MembershipState.SUSPENDED)

    @for_good(
        gettext_lazy("End for good"),
        gettext_lazy(
            "The keys of these institutions are refused from now on and their servers get no "
            "request."
        ),
    )
    def end(self, request: HttpRequest, memberships: Memberships) -> None:
        self._move(request, memberships, MembershipState.LEFT)

    def _move(self, request: HttpRequest, memberships: Memberships, state: MembershipState) -> None:
        by = signed_in(request)
        self.call_for_each(
            request,
            memberships,
            lambda row: change_membership_state(
                by=by, membership=row, state=state, reason=_("Decided in the register’s tables.")
            ),
        )
