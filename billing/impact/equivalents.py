"""CO2e and energy in things that people know. Each factor has its date and source; pages put the words.

Source of the CO2e factors: ADEME Impact CO2, repository incubateur-ademe/impactco2, commit 8076a48 (MIT): sum of the
life cycle (`ecv`) of each thing.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

ADEME = "ADEME, Impact CO2, 8076a48"
ADEME_URL = "https://github.com/incubateur-ademe/impactco2"
ADEME_DATE = date(2026, 11, 23)
"""The day on which the repository was read."""

LEAST, MOST = 1.0, 1000.0
"""Amounts that people can picture."""


class Thing(StrEnum):
    """What is counted, and in which unit."""

    CAR_KM = "car-km"
    """Kilometres in a car with a combustion engine."""
    STREAMING_HOUR = "streaming-hour"
    TRAIN_KM = "train-km"
    """Kilometres of a person in a TGV."""
    EMAIL = "email"
    WEB_SEARCH = "web-search"
    LED_HOUR = "led-hour"
    """A lamp of 5 W."""
    LED_MINUTE = "led-minute"
    LED_SECOND = "led-second"


@dataclass(frozen=True, slots=True)
class CarbonFactor:
    """Grams of CO2e of one."""

    thing: Thing
    co2e_g: float
    source: str = ADEME
    url: str = ADEME_URL
    dated: date = ADEME_DATE


CARBON = (
    CarbonFactor(Thing.CAR_KM, 142.3),
    CarbonFactor(Thing.STREAMING_HOUR, 64.0),
    CarbonFactor(Thing.TRAIN_KM, 2.93),
    CarbonFactor(Thing.EMAIL, 2.46),
    CarbonFactor(Thing.WEB_SEARCH, 1.23),
)
"""The heaviest first. That of streaming is for an hour with the source's own defaults."""

LED_W = 5
LIGHT = ((Thing.LED_HOUR, 3600), (Thing.LED_MINUTE, 60), (Thing.LED_SECOND, 1))
"""Seconds of each, the longest first."""

_JOULES_PER_KWH = 3_600_000


@dataclass(frozen=True, slots=True)
class Equivalent:
    """So many of a thing."""

    thing: Thing
    amount: float


def carbon_equivalents(co2e_g: float) -> tuple[Equivalent, ...]:
    """Return `co2e_g` grams as so many of each thing, the heaviest first."""
    return tuple(Equivalent(factor.thing, co2e_g / factor.co2e_g) for factor in CARBON)


def light_equivalents(kwh: float) -> tuple[Equivalent, ...]:
    """Return the time that a lamp of 5 W burns with it, in hours, minutes and seconds."""
    seconds = kwh * _JOULES_PER_KWH / LED_W
    return tuple(Equivalent(thing, seconds / unit) for thing, unit in LIGHT)


def choose_equivalent(co2e_g: float, kwh: float) -> Equivalent | None:
    """Return the one that people can picture: the heaviest that fits from 1 to 1000 times, CO2e before light.

    Beyond all, the heaviest thing more than 1000 times; below all, a fraction of a lamp's second; of nothing, None.
    """
    offered = carbon_equivalents(co2e_g) + light_equivalents(kwh)
    for equivalent in offered:
        if LEAST <= equivalent.amount <= MOST:
            return equivalent
    if offered[0].amount > MOST:
        return offered[0]
    return offered[-1] if offered[-1].amount > 0 else None
