"""What a request would cost: the calculator's form, models to begin with, and its answer beside EcoLogits' one.

It reckons nothing itself: `billing.impact.single` does. An address holds all that was asked, so that it can be shared.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.impact.ecologits import EcologitsImpact
from billing.impact.energy import DEFAULT_PUE_MILLI, Conditions, Instance, Tokens
from billing.impact.equivalents import choose_equivalent
from billing.impact.factors import FRANCE, SHIPPED, FactorSet, Impact
from billing.impact.hardware import ACCELERATORS, H100
from billing.impact.interval import Interval
from billing.impact.single import Told, tell
from billing.impact.validation import GPT_OSS, LLAMA_8B, LLAMA_70B, QWEN
from dashboards.impact.labels import BADGES, GRIDS, Badge, Words, in_things
from dashboards.impact.quantities import (
    GRAMS,
    KWH,
    MEGAJOULES,
    MILLIGRAMS,
    MILLILITRES,
    Quantity,
    Scale,
    amount,
    quantity,
)
from federation.widgets import FigureInput

MOST_PARAMS = 5_000
MOST_BITS = 32
MOST_GPUS = 64
MOST_AT_A_TIME = 1_024
MOST_TOKENS = 1_000_000
MOST_PUE = 5
MANY = 1_000
"""Requests that are told in things that people know, beside one."""

MISTRAL_SMALL = Instance(params=24, active=24, bits=16, accelerator=H100, n_gpu=1)
PRESETS: Mapping[str, Instance] = {
    "Llama 3.1 8B": LLAMA_8B,
    "Llama 3.3 70B": LLAMA_70B,
    "gpt-oss-120b": GPT_OSS,
    "Qwen3-30B-A3B": QWEN,
    "Mistral Small 24B": MISTRAL_SMALL,
}
OF_A_MODEL = ("params", "active", "bits", "gpu", "gpus")
"""The fields that a preset fills in."""


def fields_of(instance: Instance) -> dict[str, str]:
    """Return what stands in the form for a model on its machine."""
    return {
        "params": f"{instance.params:g}",
        "active": f"{instance.active:g}" if instance.active < instance.params else "",
        "bits": f"{instance.bits:g}",
        "gpu": instance.accelerator.code,
        "gpus": str(instance.n_gpu),
    }


DEFAULTS = {
    **fields_of(LLAMA_70B),
    "batch": "16",
    "prompt": "500",
    "cached": "0",
    "completion": "500",
    "pue": f"{DEFAULT_PUE_MILLI / 1_000:g}",
    "grid": FRANCE.code,
}
"""The documentation's example."""


def _decimal(label: Any, least: str, most: int, places: int, **given: Any) -> forms.DecimalField:
    return forms.DecimalField(
        min_value=Decimal(least),
        max_value=most,
        decimal_places=places,
        label=label,
        widget=FigureInput,
        **given,
    )


def _count(label: Any, least: int, most: int) -> forms.IntegerField:
    return forms.IntegerField(min_value=least, max_value=most, label=label, widget=FigureInput)


class CalculatorForm(forms.Form):
    """Whatever the address leaves out is as in `DEFAULTS`."""

    params = _decimal(gettext_lazy("Billions of parameters"), "0.01", MOST_PARAMS, 3)
    active = _decimal(
        gettext_lazy("Of these, active for a token"),
        "0.01",
        MOST_PARAMS,
        3,
        required=False,
        help_text=gettext_lazy("Of a mixture of experts. Empty: all of them."),
    )
    bits = _decimal(
        gettext_lazy("Bits per weight"),
        "1",
        MOST_BITS,
        2,
        help_text=gettext_lazy("16 for BF16, 8 for FP8, 4.25 for MXFP4."),
    )
    gpu = forms.ChoiceField(
        choices=[(code, code) for code in ACCELERATORS], label=gettext_lazy("Accelerator")
    )
    gpus = _count(gettext_lazy("How many"), 1, MOST_GPUS)
    batch = _decimal(
        gettext_lazy("Requests at a time"),
        "1",
        MOST_AT_A_TIME,
        1,
        help_text=gettext_lazy("On this server, on average: it decides more than anything else."),
    )
    prompt = _count(gettext_lazy("Tokens read"), 0, MOST_TOKENS)
    cached = _count(gettext_lazy("Of these, from a cache"), 0, MOST_TOKENS)
    completion = _count(gettext_lazy("Tokens written"), 0, MOST_TOKENS)
    pue = _decimal(
        gettext_lazy("PUE of the site"),
        "1",
        MOST_PUE,
        2,
        help_text=gettext_lazy("Power of the whole site over that of its machines."),
    )
    grid = forms.ChoiceField(
        choices=[(code, GRIDS[code]) for code in SHIPPED], label=gettext_lazy("Electricity of")
    )

    def __init__(self, asked: Mapping[str, str]) -> None:
        super().__init__({**DEFAULTS, **asked})

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        params, active = given.get("params"), given.get("active")
        if params is not None and active is not None and active > params:
            self.add_error("active", _("Not more than it has parameters."))
        prompt, cached = given.get("prompt"), given.get("cached")
        if prompt is not None and cached is not None and cached > prompt:
            self.add_error("cached", _("Not more than are read."))
        if not self.errors.keys() & set(OF_A_MODEL):
            self._check_memory(self.instance)
        return given

    @property
    def instance(self) -> Instance:
        given = self.cleaned_data
        return Instance(
            params=float(given["params"]),
            active=float(given["active"] or given["params"]),
            bits=float(given["bits"]),
            accelerator=ACCELERATORS[given["gpu"]],
            n_gpu=given["gpus"],
        )

    @property
    def factors(self) -> FactorSet:
        return SHIPPED[self.cleaned_data["grid"]]

    def tell(self) -> Told:
        """Return what the request comes to. Call `is_valid` first."""
        given = self.cleaned_data
        tokens = Tokens(
            prompt=given["prompt"], cached=given["cached"], completion=given["completion"]
        )
        conditions = Conditions(
            batch_milli=int(given["batch"] * 1_000), pue_milli=int(given["pue"] * 1_000)
        )
        return tell(self.instance, tokens, conditions, self.factors)

    def presets(self) -> list[tuple[str, str, bool]]:
        """Return each model's name, the query that asks it the same, and whether it is the one asked."""
        asked = {name: self.data[name] for name in self.fields}
        told = {name: {**asked, **fields_of(instance)} for name, instance in PRESETS.items()}
        return [(name, urlencode(query), query == asked) for name, query in told.items()]

    def _check_memory(self, instance: Instance) -> None:
        memory_gb = instance.n_gpu * instance.accelerator.vram_gb
        if instance.weights_gb <= memory_gb:
            return
        said = {
            "weights": number_format(round(instance.weights_gb), force_grouping=True),
            "memory": number_format(round(memory_gb), force_grouping=True),
        }
        text = _("The weights take %(weights)s GB; so many accelerators hold %(memory)s GB.")
        self.add_error("gpus", text % said)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the answer: ours in `scale`'s base unit, EcoLogits' in the same."""

    name: str
    label: Words
    unit: str
    ours: Interval
    theirs: float
    scale: Scale

    @property
    def shown(self) -> Quantity:
        return quantity(self.ours, self.scale)

    @property
    def shown_theirs(self) -> str:
        return amount(self.theirs, self.scale)


@dataclass(frozen=True, slots=True)
class Answer:
    told: Told
    factors: FactorSet

    @property
    def badge(self) -> Badge:
        return BADGES[self.told.estimate.method]

    @property
    def figures(self) -> tuple[Figure, ...]:
        return figures(self.told.impact, self.told.ecologits)

    @property
    def equivalents(self) -> Iterator[tuple[int, str]]:
        """Yield numbers of such requests, and what each number amounts to in things that people know."""
        impact = self.told.impact
        for count in (1, MANY):
            equivalent = choose_equivalent(
                count * impact.co2e_g.central, count * impact.energy_kwh.central
            )
            if equivalent is not None:
                yield count, in_things(equivalent)

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield each figure for a file, which tells the bounds in full."""
        estimate = self.told.estimate
        for figure in self.figures:
            yield {
                "figure": figure.name,
                "unit": figure.unit,
                "low": figure.ours.low,
                "central": figure.ours.central,
                "high": figure.ours.high,
                "ecologits_0_11_3": figure.theirs,
                "method": str(estimate.method),
                "method_version": estimate.method_version,
                "factors": self.factors.name,
            }


ANSWER_COLUMNS = (
    *("figure", "unit", "low", "central", "high", "ecologits_0_11_3"),
    *("method", "method_version", "factors"),
)


def figures(ours: Impact, theirs: EcologitsImpact) -> tuple[Figure, ...]:
    """Return what a request costs, line by line."""
    g, mg, ml = theirs.gwp * 1e3, theirs.adpe * 1e6, theirs.water * 1e3
    use_g, embodied_g = theirs.gwp_use * 1e3, theirs.gwp_embodied * 1e3
    energy, use = gettext_lazy("Energy of the site"), gettext_lazy("CO2e of use")
    embodied, total = gettext_lazy("CO2e of making the machines"), gettext_lazy("CO2e in all")
    water, primary = gettext_lazy("Water for the electricity"), gettext_lazy("Primary energy")
    metals = gettext_lazy("Metals and minerals, as antimony")
    return (
        Figure("energy", energy, "kWh", ours.energy_kwh, theirs.kwh, KWH),
        Figure("co2e_use", use, "g", ours.co2e_use_g, use_g, GRAMS),
        Figure("co2e_embodied", embodied, "g", ours.co2e_embodied_g, embodied_g, GRAMS),
        Figure("co2e", total, "g", ours.co2e_g, g, GRAMS),
        Figure("water", water, "mL", ours.water_ml, ml, MILLILITRES),
        Figure("primary_energy", primary, "MJ", ours.primary_mj, theirs.pe, MEGAJOULES),
        Figure("metals", metals, "mg Sb eq.", ours.adpe_mg, mg, MILLIGRAMS),
    )
