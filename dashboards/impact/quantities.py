"""Figures with their range in units that people read, in their language's format."""

from dataclasses import dataclass
from decimal import Decimal
from math import floor, log10

from django.utils.formats import number_format

from billing.impact.interval import SHOWN_DIGITS, Interval, significant

NO_BREAK = "\N{NO-BREAK SPACE}"
LEAST = 0.1
"""Of a unit; what is less is told in the next smaller one."""
EXACT_DIGITS = 4
"""Of factors and coefficients, which are quoted rather than reckoned."""


@dataclass(frozen=True, slots=True)
class Unit:
    """`size`: in the unit that the figures come in."""

    symbol: str
    size: float


Scale = tuple[Unit, ...]
"""The largest first."""

KWH: Scale = (Unit("kWh", 1), Unit("Wh", 1e-3), Unit("mWh", 1e-6))
WH: Scale = (Unit("Wh", 1e-3),)
"""Alone, where figures are compared."""
GRAMS: Scale = (Unit("kg", 1e3), Unit("g", 1), Unit("mg", 1e-3), Unit("µg", 1e-6))
MILLILITRES: Scale = (Unit("L", 1e3), Unit("mL", 1), Unit("µL", 1e-3))
MEGAJOULES: Scale = (Unit("MJ", 1), Unit("kJ", 1e-3), Unit("J", 1e-6))
MILLIGRAMS: Scale = (Unit("g", 1e3), Unit("mg", 1), Unit("µg", 1e-3), Unit("ng", 1e-6))


@dataclass(frozen=True, slots=True)
class Quantity:
    """All in one unit, that of the central figure."""

    central: str
    low: str
    high: str


def quantity(figure: Interval, scale: Scale) -> Quantity:
    unit = _unit(figure.central, scale)
    return Quantity(*(_with(value, unit) for value in (figure.central, figure.low, figure.high)))


def amount(value: float, scale: Scale) -> str:
    """Return a figure that knows no range."""
    return _with(value, _unit(value, scale))


def digits(value: float, count: int = SHOWN_DIGITS) -> str:
    """Return a number to so many significant digits, zeros at its end included."""
    shown = significant(value, count)
    if not shown:
        return "0"
    decimals = max(count - 1 - floor(log10(abs(shown))), 0)
    return number_format(shown, decimals, force_grouping=True)


def exact(value: float) -> str:
    """Return a number to four significant digits, without zeros at its end."""
    shown = Decimal(str(significant(value, EXACT_DIGITS))).normalize()
    exponent = shown.as_tuple().exponent
    decimals = max(-exponent, 0) if isinstance(exponent, int) else 0
    return number_format(shown, decimals, force_grouping=True)


def _unit(value: float, scale: Scale) -> Unit:
    return next((unit for unit in scale if value >= LEAST * unit.size), scale[-1])


def _with(value: float, unit: Unit) -> str:
    return f"{digits(value / unit.size)}{NO_BREAK}{unit.symbol}"
