"""What a reader looks for in the catalogue, in its address. Whatever cannot be read is told and left out."""

import unicodedata
from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy, pgettext_lazy

from dashboards.queries import ModelCard
from federation.catalogue.enums import STAGE_LABELS, Capability, Category

LONGEST_SEARCH = 100


class CatalogueForm(forms.Form):
    """Filters of the catalogue; call `is_valid` before reading `chosen`. `names` are the models' aliases."""

    text = forms.CharField(
        required=False, max_length=LONGEST_SEARCH, label=gettext_lazy("Name or words")
    )
    category = forms.ChoiceField(required=False, label=gettext_lazy("Category"))
    capability = forms.ChoiceField(required=False, label=gettext_lazy("Can do"))
    stage = forms.ChoiceField(required=False, label=gettext_lazy("Stage"))
    tested = forms.BooleanField(
        required=False, label=gettext_lazy("Only where that was tested well")
    )

    def __init__(
        self,
        asked: Mapping[str, str],
        *,
        catalogue: list[ModelCard],
        names: Mapping[UUID, list[str]],
    ) -> None:
        super().__init__(asked)
        self._catalogue, self._names = catalogue, names
        stages = {card.model.stage for card in catalogue}
        self._offer("category", pgettext_lazy("categories", "all"), Category.choices)
        self._offer("capability", pgettext_lazy("capabilities", "any"), Capability.choices)
        known = [(value, label) for value, label in STAGE_LABELS.items() if value in stages]
        self._offer("stage", pgettext_lazy("stages", "all"), known)

    @property
    def is_narrow(self) -> bool:
        """Whether the reader asks for some models only."""
        return any(self.cleaned_data.values())

    @property
    def chosen(self) -> list[ModelCard]:
        return [card for card in self._catalogue if self._keeps(card)]

    def _keeps(self, card: ModelCard) -> bool:
        asked, model = self.cleaned_data, card.model
        category, stage = asked.get("category"), asked.get("stage")
        return (
            (not category or model.category == category)
            and (not stage or model.stage == stage)
            and self._can(card)
            and self._tells(card)
        )

    def _can(self, card: ModelCard) -> bool:
        """Say whether it can do what is asked; with `tested` alone, whether all it declares was tested."""
        asked, tested = self.cleaned_data.get("capability"), self.cleaned_data.get("tested")
        if not asked and not tested:
            return True
        concerned = [each for each in card.badges if not asked or each.name == asked]
        return bool(concerned) and (
            not tested
            or (
                all(each.is_tested for each in concerned if each.has_check)
                and any(each.has_check for each in concerned)
            )
        )

    def _tells(self, card: ModelCard) -> bool:
        """Say whether every word asked for stands somewhere in the card."""
        model = card.model
        told = plain(
            " ".join(
                (
                    *(model.slug, model.display_name, model.publisher, model.licence),
                    *(model.description_fr, model.description_en),
                    *self._names.get(model.pk, ()),
                )
            )
        )
        return all(word in told for word in plain(self.cleaned_data.get("text", "")).split())

    def _offer(self, name: str, empty: Any, choices: list[tuple[str, Any]]) -> None:
        field = cast(forms.ChoiceField, self.fields[name])
        field.choices = [("", empty), *((value, capfirst(label)) for value, label in choices)]


def plain(text: str) -> str:
    """Return `text` without case and accents, as one searches."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))
