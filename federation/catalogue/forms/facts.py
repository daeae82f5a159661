"""What an administrator tells of a model on its card. The form parses; the operation decides and writes."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.conf.locale import LANG_INFO
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.catalogue.enums import Capability, Category
from federation.catalogue.models import LONGEST_DESCRIPTION, AIModel
from federation.catalogue.operations.facts import describe_model, facts_of
from federation.catalogue.operations.registering import ModelFacts
from federation.people.models import User
from federation.seen import SeenField

_CODES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv "
    "dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie "
    "ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv "
    "mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm "
    "rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts "
    "tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
ISO_639_1 = frozenset(_CODES.split())
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2,4})?")


class LanguagesField(forms.CharField):
    """Codes of languages, between commas or spaces."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        codes = list(dict.fromkeys(re.split(r"[\s,;]+", text.strip().lower()))) if text else []
        codes = [code for code in codes if code]
        odd = [code for code in codes if not LANGUAGE.fullmatch(code) or not is_known(code)]
        if odd:
            raise ValidationError(
                _("“%(code)s” is not a language code: write “fr” for French.") % {"code": odd[0]}
            )
        return codes


def is_known(code: str) -> bool:
    """Say whether a code is of a language: of ISO 639-1, or one of the others that a page can name."""
    return code in LANG_INFO or code.partition("-")[0] in ISO_639_1


class LinkField(forms.URLField):
    """An address of the web, with https."""

    def clean(self, value: Any) -> Any:
        if str(value or "").strip().lower().startswith("http://"):
            raise ValidationError(_("The address must begin with https://."))
        return super().clean(value)


def _link(label: Any, help_text: Any) -> LinkField:
    return LinkField(
        required=False,
        max_length=300,
        assume_scheme="https",
        label=label,
        help_text=help_text,
    )


def _description(label: Any) -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=LONGEST_DESCRIPTION,
        label=label,
        widget=forms.Textarea(attrs={"rows": 5}),
    )


def _billions(label: Any, help_text: Any) -> forms.DecimalField:
    return forms.DecimalField(
        required=False,
        min_value=Decimal("0.001"),
        max_digits=8,
        decimal_places=3,
        label=label,
        help_text=help_text,
    )


class FactsForm(forms.Form):
    """The facts of one card, with the mark of those that it was made from."""

    display_name = forms.CharField(max_length=128, label=gettext_lazy("Name"))
    description_fr = _description(gettext_lazy("Description in French"))
    description_en = _description(gettext_lazy("Description in English"))
    publisher = forms.CharField(required=False, max_length=128, label=gettext_lazy("Publisher"))
    publisher_url = _link(
        gettext_lazy("Publisher’s page"),
        gettext_lazy("Where the publisher tells of the model, such as its card; with https."),
    )
    licence = forms.CharField(
        required=False,
        max_length=128,
        label=gettext_lazy("Licence"),
        help_text=gettext_lazy("Its usual abbreviation, such as Apache-2.0."),
    )
    licence_url = _link(
        gettext_lazy("Text of the licence"),
        gettext_lazy("Where everyone can read it; with https."),
    )
    category = forms.TypedChoiceField(
        coerce=Category,
        choices=Category.choices,
        widget=forms.RadioSelect,
        label=gettext_lazy("Category"),
    )
    capabilities = forms.MultipleChoiceField(
        required=False,
        choices=Capability.choices,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Declared capabilities"),
        help_text=gettext_lazy(
            "What the publisher promises. The card shows beside each whether our servers were tested."
        ),
    )
    parameters = _billions(
        gettext_lazy("Parameters, in billions"),
        gettext_lazy(
            "All of them, such as 24 or 117. The energy of an answer is reckoned from it."
        ),
    )
    active_parameters = _billions(
        gettext_lazy("Active parameters, in billions"),
        gettext_lazy(
            "Of a mixture of experts, those that one token uses, such as 5.1; else empty."
        ),
    )
    languages = LanguagesField(
        required=False,
        max_length=1000,
        label=gettext_lazy("Languages"),
        help_text=gettext_lazy("Codes of two letters between commas, such as: fr, en, de."),
    )

    def __init__(self, data: Mapping[str, Any] | None, *, model: AIModel) -> None:
        self._model = model
        facts = facts_of(model)
        super().__init__(data, initial=cast(dict[str, Any], facts))
        self.fields["seen"] = SeenField(facts)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        total, active = cleaned.get("parameters"), cleaned.get("active_parameters")
        if active is not None and (total is None or active > total):
            self.add_error("active_parameters", _("Active parameters are some of all of them."))
        return cleaned

    def save(self, by: User) -> AIModel | None:
        """Write. None, with the reason in the form, when it is refused."""
        chosen = self.cleaned_data
        facts = ModelFacts(**{name: chosen[name] for name in ModelFacts.__annotations__})  # type: ignore[typeddict-item]
        try:
            return describe_model(by=by, model=self._model, facts=facts, seen=chosen["seen"])
        except ValidationError as refusal:
            self._tell(refusal)
        return None

    def _tell(self, refusal: ValidationError) -> None:
        if not hasattr(refusal, "error_dict"):
            self.add_error(None, refusal)
            return
        for field, errors in refusal.error_dict.items():
            self.add_error(field if field in self.fields else None, errors)
