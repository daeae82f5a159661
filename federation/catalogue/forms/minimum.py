"""What an administrator asks of a critical model. The form parses; the operation decides and writes."""

from collections.abc import Mapping
from typing import cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy

from federation.catalogue.models import MOST_SERVERS, AIModel, MinimumService
from federation.catalogue.models.minimum import CLASSES
from federation.catalogue.operations.minimum import GIVEN_UP, Minimum, set_minimum
from federation.people.models import User
from routing.core.enums import LifecycleStage


class ModelChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: AIModel) -> str:
        return f"{obj.display_name} ({obj.slug})"


class SeenForm(forms.Form):
    """The version that somebody looked at: all that it takes to give a minimum up."""

    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, str] | None, *, minimum: MinimumService) -> None:
        self._minimum = minimum
        super().__init__(data, initial=self._initial(minimum) | {"seen": minimum.number})

    def _initial(self, minimum: MinimumService) -> dict[str, object]:
        return {}

    def _asked(self) -> Minimum:
        return GIVEN_UP

    def save(self, by: User) -> MinimumService | None:
        """Write a new version. None, with the reason in the form, when it is refused."""
        try:
            return set_minimum(
                by=by,
                model=self._minimum.model,
                minimum=self._asked(),
                seen=self.cleaned_data["seen"],
            )
        except ValidationError as refusal:
            self._take(refusal)
        return None

    def _take(self, refusal: ValidationError) -> None:
        """Show what is refused where it can be put right."""
        by_field = getattr(refusal, "error_dict", {None: refusal.messages})
        for name, errors in by_field.items():
            self.add_error(name if name in self.fields else None, errors)


class MinimumForm(SeenForm):
    """The minimum of one model, with the version that it was changed from."""

    servers = forms.IntegerField(
        min_value=1,
        max_value=MOST_SERVERS,
        label=gettext_lazy("Healthy servers, at least"),
        help_text=gettext_lazy("In service, open to every member, and well as routers see them."),
    )
    sites = forms.IntegerField(
        min_value=1,
        max_value=MOST_SERVERS,
        label=gettext_lazy("At distinct sites, at least"),
        help_text=gettext_lazy("So that the loss of one data centre leaves some."),
    )
    protected_class = forms.TypedChoiceField(
        coerce=int,
        choices=CLASSES,
        label=gettext_lazy("Lowest class that is protected"),
        help_text=gettext_lazy(
            "Below the minimum, lower classes that cannot start at once are refused; this class and those "
            "above go before the requests of other models."
        ),
    )
    fallback = ModelChoice(
        queryset=AIModel.objects.none(),
        required=False,
        empty_label=gettext_lazy("none"),
        label=gettext_lazy("Fallback"),
        help_text=gettext_lazy(
            "The model that answers when no server of this one can, to keys that may use it. The answer says so."
        ),
    )

    def __init__(
        self, data: Mapping[str, str] | None, *, minimum: MinimumService, by: User
    ) -> None:
        super().__init__(data, minimum=minimum)
        may_stand_in = Q(stage=LifecycleStage.PRODUCTION) | Q(pk=minimum.fallback_id)
        others = AIModel.objects.for_user(by).filter(may_stand_in).exclude(pk=minimum.model.pk)
        cast(ModelChoice, self.fields["fallback"]).queryset = others

    def _initial(self, minimum: MinimumService) -> dict[str, object]:
        found: dict[str, object] = {
            name: getattr(minimum, name) for name in Minimum.__annotations__
        }
        return found if minimum.is_critical else found | {"servers": 2, "sites": 2}

    def _asked(self) -> Minimum:
        return cast(Minimum, {name: self.cleaned_data[name] for name in Minimum.__annotations__})

    def clean(self) -> None:
        servers, sites = self.cleaned_data.get("servers"), self.cleaned_data.get("sites")
        if servers and sites and sites > servers:
            self.add_error("sites", gettext_lazy("There cannot be more sites than servers."))
