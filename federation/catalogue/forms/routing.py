"""What an administrator chooses of a model's routing. The form parses; the operation decides and writes."""

from collections.abc import Iterator, Mapping
from typing import cast

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundWidget
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from federation.catalogue.enums import SETTING_LABELS, SETTING_TEXTS
from federation.catalogue.models import LONGEST_WAIT, MOST_SHARES, RoutingPolicy
from federation.catalogue.operations.routing import Routing, set_routing
from federation.people.models import User
from routing.core.enums import RoutingSetting

SHARES = ("share_p4", "share_p3", "share_p2", "share_p1")


def _share(name: str) -> forms.IntegerField:
    return forms.IntegerField(label=name, min_value=1, max_value=MOST_SHARES)


class RoutingForm(forms.Form):
    """The settings of one model, with the version that they were changed from."""

    setting = forms.TypedChoiceField(
        coerce=RoutingSetting,
        choices=list(SETTING_LABELS.items()),
        widget=forms.RadioSelect,
        label=gettext_lazy("How servers are chosen, and when requests wait"),
    )
    share_p4 = _share("P4")
    share_p3 = _share("P3")
    share_p2 = _share("P2")
    share_p1 = _share("P1")
    longest_wait = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=LONGEST_WAIT,
        label=gettext_lazy("Longest wait, in seconds"),
        help_text=gettext_lazy(
            "A request that has waited so long is told that all servers are full. Empty: as long as the router allows."
        ),
    )
    forward_priority = forms.BooleanField(
        required=False,
        label=gettext_lazy("Tell vLLM the class of each request"),
        help_text=gettext_lazy(
            "As its own “priority”: 0 for P5 to 4 for P1. Only when every vLLM server of the model runs with "
            "--scheduling-policy priority: others refuse such requests."
        ),
    )
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, str] | None, *, policy: RoutingPolicy) -> None:
        self._policy = policy
        initial = {name: getattr(policy, name) for name in Routing.__annotations__}
        super().__init__(data, initial=initial | {"seen": policy.number})

    @property
    def settings_explained(self) -> Iterator[tuple[BoundWidget, str | Promise]]:
        """Each setting to choose, with what it means."""
        return zip(self["setting"], SETTING_TEXTS.values(), strict=True)

    @property
    def shares(self) -> list[forms.BoundField]:
        return [self[name] for name in SHARES]

    def save(self, by: User) -> RoutingPolicy | None:
        """Write a new version. None, with the reason in the form, when it is refused."""
        chosen = self.cleaned_data
        settings = cast(Routing, {name: chosen[name] for name in Routing.__annotations__})
        try:
            return set_routing(
                by=by, model=self._policy.model, settings=settings, seen=chosen["seen"]
            )
        except ValidationError as refusal:
            self.add_error(None, refusal.messages)
        return None
