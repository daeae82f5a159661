"""What people type to make a key. The form parses; the operations decide and write."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.access.fields import one_line
from federation.access.key_fields import KeyFields
from federation.access.models import ApiKey, Application
from federation.access.operations import create_application, issue_key
from federation.access.policies import USUAL_LIFE
from federation.access.queries import applications_to_manage, issuing_institutions
from federation.catalogue.models import AIModel
from federation.members.models import Institution
from federation.people.models import User
from routing.core.enums import PriorityClass
from routing.upstream.credentials import Secret

NEW = "new"
"""The choice of an application that is made with the key."""


class KeyForm(KeyFields):
    """A new key, for an application that is there or for one made with it."""

    application = forms.TypedChoiceField(
        label=gettext_lazy("Application"),
        help_text=gettext_lazy("The software that will use the key: usage is counted under it."),
    )
    new_application = forms.CharField(
        max_length=100, required=False, label=gettext_lazy("Name of the new application")
    )
    institution = forms.TypedChoiceField(
        required=False, label=gettext_lazy("Institution of the new application")
    )
    name = forms.CharField(
        max_length=100,
        label=gettext_lazy("Name of the key"),
        help_text=gettext_lazy(
            "What tells it from the others, such as “production” or “my laptop”."
        ),
    )

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by = by
        self._highest = issuing_institutions(by)
        self._offer_applications()
        highest = max(self._highest.values(), default=PriorityClass.P1)
        self.offer(AIModel.objects.for_user(by).open_to_all(), highest)
        self.initial["priority"] = min(highest, PriorityClass.P3).value
        self.initial["expires_on"] = timezone.localdate() + USUAL_LIFE

    @property
    def may_issue(self) -> bool:
        """Whether the person may issue any key at all."""
        return bool(self._highest)

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])

    def clean_new_application(self) -> str:
        return one_line(self.cleaned_data["new_application"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not {"application", "new_application", "institution"} & self.errors.keys():
            self._check_one_application(cleaned)
        if not self.errors:
            self._check_class(cleaned)
        return cleaned

    def issue(self) -> tuple[ApiKey, Secret] | None:
        """Make the key, and its application if that is new. None, with the reason in the form, when refused."""
        given = self.cleaned_data
        try:
            with transaction.atomic():
                return issue_key(
                    by=self._by,
                    application=self._application_without_such_a_key(),
                    name=given["name"],
                    **self.facts(),
                )
        except ValidationError as refusal:
            self.add_error(None, refusal.messages)
        except IntegrityError:
            self.add_error(None, _("Somebody has just made the same application. Choose it above."))
        return None

    def _application_without_such_a_key(self) -> Application:
        """Return the application, locked: of two equal forms, the one sent twice, only the first makes a key."""
        given = self.cleaned_data
        chosen: Application | None = given.get("application")
        if chosen is None:
            institution = self._institution(given)
            assert institution is not None  # `clean` saw to it
            return create_application(
                by=self._by, institution=institution, name=given["new_application"]
            )
        application = Application.objects.select_for_update().get(pk=chosen.pk)
        if application.keys.usable().filter(name=given["name"]).exists():
            raise ValidationError(
                _(
                    "“%(application)s” has a key named “%(name)s” already. If you did not see it, "
                    "revoke it and make another."
                ),
                params={"application": application, "name": given["name"]},
            )
        return application

    def _check_one_application(self, cleaned: dict[str, Any]) -> None:
        if cleaned.get("application") and cleaned["new_application"]:
            self.add_error("new_application", _("Leave this empty, or choose “a new one” above."))
        elif not cleaned.get("application") and not cleaned["new_application"]:
            self.add_error("new_application", _("Name the software that will use the key."))
        elif not self._institution(cleaned):
            self.add_error("institution", _("Choose the institution."))

    def _check_class(self, cleaned: dict[str, Any]) -> None:
        institution = self._institution(cleaned)
        highest = self._highest.get(institution) if institution else None
        if highest is not None and cleaned["priority"] > highest:
            message = _("At %(institution)s you may issue keys up to class P%(highest)s.")
            values = {"institution": institution, "highest": highest.value}
            self.add_error("priority", message % values)

    def _institution(self, cleaned: dict[str, Any]) -> Institution | None:
        """The application's; for a new one the institution chosen, or the only one there is to choose."""
        application: Application | None = cleaned.get("application")
        if application is not None:
            return application.institution
        if "institution" in self.fields:
            return cleaned.get("institution")
        return next(iter(self._highest), None)

    def _offer_applications(self) -> None:
        """Ask only what there is to choose: an application if there are some, an institution if several."""
        applications = {
            str(application.pk): application
            for application in applications_to_manage(self._by)
            if application.institution in self._highest
        }
        names = [(pk, f"{one.name} · {one.institution}") for pk, one in applications.items()]
        self._offer("application", [(NEW, _("a new one")), *names], applications.get)
        if not applications:
            del self.fields["application"]
            self.fields["new_application"].required = True
        members = {str(member.pk): member for member in self._highest}
        self._offer("institution", [(pk, str(one)) for pk, one in members.items()], members.get)
        if len(members) == 1:
            del self.fields["institution"]

    def _offer(
        self,
        name: str,
        choices: list[tuple[str, str]],
        coerce: Callable[[str], object],
    ) -> None:
        field = cast(forms.TypedChoiceField, self.fields[name])
        field.choices, field.coerce, field.empty_value = choices, coerce, None
