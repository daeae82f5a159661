"""What somebody types to propose a model. The form parses; the operation decides and writes."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.catalogue.enums import Category
from federation.catalogue.forms.life import public_name
from federation.catalogue.models import Proposal
from federation.catalogue.models.life import LONGEST_ADDRESS, MOST_REASON
from federation.catalogue.operations.proposals import ProposalFacts, propose_model
from federation.members.forms import one_line, tell_refusal
from federation.members.models import Institution
from federation.people.models import User


class ProposalForm(forms.Form):
    """A model that the federation does not offer yet, and why it should."""

    slug = public_name(
        gettext_lazy("Public name"),
        help_text=gettext_lazy("What clients would write as “model”, such as apertus-70b."),
    )
    publisher = forms.CharField(
        max_length=128,
        label=gettext_lazy("Publisher"),
        help_text=gettext_lazy("Who trained it and answers for it."),
    )
    weights_url = forms.CharField(
        max_length=LONGEST_ADDRESS,
        label=gettext_lazy("Address of the weights"),
        help_text=gettext_lazy("The page that describes them, beginning with https://."),
        validators=[URLValidator(schemes=["https"])],
        widget=forms.URLInput,
    )
    licence = forms.CharField(max_length=128, label=gettext_lazy("Licence"))
    category = forms.TypedChoiceField(
        coerce=Category, choices=Category.choices, label=gettext_lazy("Category")
    )
    reason = forms.CharField(
        max_length=MOST_REASON,
        widget=forms.Textarea(attrs={"rows": 5}),
        label=gettext_lazy("Why"),
        help_text=gettext_lazy(
            "What it would be used for, and what no model of the catalogue does as well."
        ),
    )
    hosts = forms.CharField(
        max_length=300,
        required=False,
        label=gettext_lazy("Who could host it"),
        help_text=gettext_lazy("A member and its machines, if you know one."),
    )
    institution = forms.TypedChoiceField(required=False, label=gettext_lazy("In the name of"))

    def __init__(
        self, *args: Any, by: User, institutions: list[Institution], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._by, self._institutions = by, {str(each.pk): each for each in institutions}
        field = self.fields["institution"]
        assert isinstance(field, forms.TypedChoiceField)
        own = [] if institutions and not by.sees_everything else [("", _("the federation"))]
        field.choices = [*own, *((pk, str(each)) for pk, each in self._institutions.items())]
        if len(field.choices) == 1:
            del self.fields["institution"]

    def clean_publisher(self) -> str:
        return one_line(self.cleaned_data["publisher"])

    def clean_licence(self) -> str:
        return one_line(self.cleaned_data["licence"])

    def clean_hosts(self) -> str:
        return one_line(self.cleaned_data["hosts"])

    def propose(self) -> Proposal | None:
        """Write the proposal. None, with the reason in the form, when it is refused."""
        given = self.cleaned_data
        facts = ProposalFacts(
            publisher=given["publisher"],
            licence=given["licence"],
            category=given["category"],
            weights_url=given["weights_url"],
            reason=given["reason"],
            hosts=given["hosts"],
        )
        try:
            return propose_model(
                by=self._by, slug=given["slug"], facts=facts, institution=self._institution()
            )
        except ValidationError as refusal:
            tell_refusal(self, refusal)
        return None

    def _institution(self) -> Institution | None:
        if "institution" in self.fields:
            return self._institutions.get(self.cleaned_data["institution"])
        return next(iter(self._institutions.values()), None)
