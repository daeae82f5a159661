"""What an applicant fills in, part by part. Whatever somebody else saved meanwhile is shown beside one's own text."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.forms.boundfield import BoundField
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.members.enums import ContactRole, Contribution
from federation.members.forms import one_line, tell_refusal
from federation.members.identifiers import check_siret, check_uai, plain
from federation.members.models import SLUG, Candidacy
from federation.members.models.candidacies import MOST_WORDS
from federation.members.operations.candidacies import (
    ContactFacts,
    InstitutionFacts,
    PartFacts,
    begin_candidacy,
    describe_institution,
    describe_part,
    name_contacts,
)
from federation.members.queries import CONTACT_FIELDS, Part, seen_of, values_of
from federation.people.models import User
from federation.seen import show_saved

LONGEST_SLUG = 40
CONTACT_HELP: dict[ContactRole, str | Promise] = {
    ContactRole.GOVERNANCE: gettext_lazy(
        "Who signs for the institution: a vice-president for digital affairs, the head of the IT department."
    ),
    ContactRole.TECHNICAL: gettext_lazy("Whom to call when a server or the network fails."),
    ContactRole.FINANCE: gettext_lazy("Who receives statements and pays."),
    ContactRole.DPO: gettext_lazy("The data protection officer."),
}


class PartForm(forms.Form):
    """One part of a candidacy. `seen` tells what its reader had before their eyes."""

    part: Part
    seen = forms.CharField(max_length=16, required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, by: User, candidacy: Candidacy | None = None) -> None:
        self._by, self._candidacy = by, candidacy
        initial: dict[str, object] = {}
        if candidacy is not None:
            initial = {**values_of(candidacy, self.part), "seen": seen_of(candidacy, self.part)}
        super().__init__(data, initial=initial)

    def save(self) -> Candidacy | None:
        """Write. None, with the reason in the form, when it is refused."""
        try:
            return self._write()
        except ValidationError as refusal:
            tell_refusal(self, refusal)
            if getattr(refusal, "code", None) == "changed_meanwhile":
                self._show_the_other()
        return None

    @abstractmethod
    def _write(self) -> Candidacy:
        """Save this part by its operation. Raises `ValidationError` when that refuses."""

    def _show_the_other(self) -> None:
        """Put what was saved meanwhile under each field that differs; saved again, this form replaces it."""
        assert self._candidacy is not None  # a new one is nobody else's
        fresh = Candidacy.objects.get(pk=self._candidacy.pk)
        show_saved(self, values_of(fresh, self.part))
        data = cast(QueryDict, self.data)
        self.data = cast(Any, {**data.dict(), **_lists(data), "seen": seen_of(fresh, self.part)})


def _lists(data: QueryDict) -> dict[str, list[str]]:
    """Return the fields that hold several values."""
    return {name: values for name, values in data.lists() if name == "contributions"}


class InstitutionForm(PartForm):
    part = Part.INSTITUTION
    name = forms.CharField(
        max_length=150,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("In full, such as “Université de Rennes”."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    short_name = forms.CharField(
        max_length=40,
        label=gettext_lazy("Short name"),
        help_text=gettext_lazy("As lists show it, such as “Rennes”."),
    )
    slug = forms.CharField(
        max_length=LONGEST_SLUG,
        required=False,
        label=gettext_lazy("Short identifier"),
        help_text=gettext_lazy(
            "Lower-case letters, digits and hyphens. Empty: made from the short name."
        ),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none"}),
    )
    siret = forms.CharField(
        max_length=30,
        label="SIRET",
        help_text=gettext_lazy("14 digits; spaces do not matter."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "spellcheck": "false"}),
    )
    uai = forms.CharField(
        max_length=15,
        required=False,
        label="UAI",
        help_text=gettext_lazy(
            "Seven digits and a letter, such as 0350936C. Empty for a body that has none."
        ),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "characters"}),
    )

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])

    def clean_short_name(self) -> str:
        return one_line(self.cleaned_data["short_name"])

    def clean_siret(self) -> str:
        return _checked(self.cleaned_data["siret"], check_siret)

    def clean_uai(self) -> str:
        return _checked(self.cleaned_data["uai"], check_uai)

    def clean(self) -> dict[str, Any]:
        """Propose an identifier where none is given."""
        given = super().clean() or {}
        slug = given.get("slug") or slugify(given.get("short_name", ""))[:LONGEST_SLUG].strip("-")
        try:
            RegexValidator(SLUG, _("Lower-case letters, digits and single hyphens only."))(slug)
        except ValidationError as problem:
            if "short_name" not in self.errors:
                self.add_error("slug", problem)
        return {**given, "slug": slug}

    def _write(self) -> Candidacy:
        given = self.cleaned_data
        facts = InstitutionFacts(
            name=given["name"],
            short_name=given["short_name"],
            slug=given["slug"],
            uai=given["uai"],
            siret=given["siret"],
        )
        if self._candidacy is None:
            return begin_candidacy(by=self._by, facts=facts)
        return describe_institution(
            by=self._by, candidacy=self._candidacy, seen=given["seen"], facts=facts
        )


def _checked(text: str, check: Callable[[str], None]) -> str:
    number = plain(text)
    if number:
        check(number)
    return number


class RoleForm(PartForm):
    part = Part.ROLE
    is_contributor = forms.BooleanField(
        required=False,
        label=gettext_lazy("Contributor"),
        help_text=gettext_lazy(
            "Brings servers, code or time. Its own requests go first on its own servers."
        ),
    )
    is_consumer = forms.BooleanField(
        required=False,
        label=gettext_lazy("Consumer"),
        help_text=gettext_lazy("Uses the federation’s models and shares their costs."),
    )
    contributions = forms.MultipleChoiceField(
        required=False,
        choices=Contribution.choices,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("What it would contribute"),
        help_text=gettext_lazy("Whoever ticks one of these takes part as a contributor."),
    )
    motivation = forms.CharField(
        required=False,
        max_length=MOST_WORDS,
        widget=forms.Textarea(attrs={"rows": 4}),
        label=gettext_lazy("A word to the committee"),
        help_text=gettext_lazy("What you expect, what you have, when you would begin."),
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        given["is_contributor"] = bool(given.get("is_contributor") or given.get("contributions"))
        if not (given.get("is_contributor") or given.get("is_consumer")):
            self.add_error(None, _("Say whether the institution contributes, consumes, or both."))
        if given.get("is_contributor") and not given.get("contributions"):
            self.add_error("contributions", _("Tick what the institution would contribute."))
        return given

    def _write(self) -> Candidacy:
        assert self._candidacy is not None  # the first part made it
        given = self.cleaned_data
        return describe_part(
            by=self._by,
            candidacy=self._candidacy,
            seen=given["seen"],
            facts=PartFacts(
                is_contributor=given["is_contributor"],
                is_consumer=given["is_consumer"],
                contributions=given["contributions"],
                motivation=given["motivation"],
            ),
        )


class ContactsForm(PartForm):
    part = Part.CONTACTS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for role in ContactRole:
            self.fields.update(_contact_fields(role))

    @property
    def groups(self) -> Iterator[tuple[str, str | Promise, list[BoundField]]]:
        """Each contact: what for, who that is, its fields."""
        for role in ContactRole:
            fields = [self[f"{role.value}_{field}"] for field in CONTACT_FIELDS]
            yield str(role.label), CONTACT_HELP[role], fields

    def _write(self) -> Candidacy:
        assert self._candidacy is not None  # the first part made it
        given = self.cleaned_data
        contacts = {
            role: ContactFacts(
                name=one_line(given[f"{role.value}_name"]),
                function=one_line(given[f"{role.value}_function"]),
                email=given[f"{role.value}_email"].lower(),
                phone=given[f"{role.value}_phone"],
            )
            for role in ContactRole
        }
        return name_contacts(
            by=self._by, candidacy=self._candidacy, seen=given["seen"], contacts=contacts
        )


def _contact_fields(role: ContactRole) -> dict[str, forms.Field]:
    """Who signs says in which function."""
    prefix, signs = role.value, role == ContactRole.GOVERNANCE
    return {
        f"{prefix}_name": forms.CharField(max_length=150, label=gettext_lazy("Name")),
        f"{prefix}_function": forms.CharField(
            max_length=100, required=signs, label=gettext_lazy("Function")
        ),
        f"{prefix}_email": forms.EmailField(label=gettext_lazy("E-mail address")),
        f"{prefix}_phone": forms.CharField(
            max_length=30,
            required=False,
            label=gettext_lazy("Telephone"),
            widget=forms.TextInput(attrs={"type": "tel"}),
            validators=[
                RegexValidator(r"^[0-9+(). /-]*$", gettext_lazy("Digits, spaces and + only."))
            ],
        ),
    }


FORMS: dict[Part, type[PartForm]] = {
    Part.INSTITUTION: InstitutionForm,
    Part.ROLE: RoleForm,
    Part.CONTACTS: ContactsForm,
}
