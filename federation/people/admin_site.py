"""Django's admin as a window on the register's tables: for federation administrators, by the usual sign-in."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from federation.people.enums import Role
from federation.people.models import User


class RegisterAdminSite(AdminSite):
    site_header = site_title = _("Register")
    index_title = _("Tables, to read")

    def has_permission(self, request: HttpRequest) -> bool:
        """A federation administrator who is staff; the flag alone opens nothing."""
        user = request.user
        return isinstance(user, User) and user.is_staff and user.has_role(Role.FEDERATION_ADMIN)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send visitors to the portal's own sign-in, one-time code included."""
        response: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return response

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Show only tables of this project: other packages register theirs to be written to."""
        if getattr(admin_class, "is_read_only", False):
            super().register(model_or_iterable, admin_class, **options)
