"""A figure with what it may be at least and at most.

The errors are systematic: the same model on the same machine errs the same way each time. So lows are added to lows
and highs to highs; a root of summed squares would promise a precision that does not exist.
"""

from dataclasses import dataclass
from math import isfinite, log10


@dataclass(frozen=True, slots=True)
class Interval:
    """0 ≤ low ≤ central ≤ high, in the unit that the field's name says. Raises `ValueError` otherwise."""

    low: float
    central: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.central <= self.high or not isfinite(self.high):
            raise ValueError(
                f"not in order, negative or endless: {self.low}, {self.central}, {self.high}"
            )

    @classmethod
    def exactly(cls, value: float) -> "Interval":
        return cls(value, value, value)

    @classmethod
    def around(cls, value: float, factor: float) -> "Interval":
        """From `value` ÷ `factor` to `value` × `factor`; the factor is at least 1."""
        return cls(value / factor, value, value * factor)

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(self.low + other.low, self.central + other.central, self.high + other.high)

    def times(self, other: "Interval") -> "Interval":
        """The product of two figures that may both be off the same way."""
        return Interval(self.low * other.low, self.central * other.central, self.high * other.high)

    def scaled(self, factor: float) -> "Interval":
        return Interval(self.low * factor, self.central * factor, self.high * factor)

    def rounded(self, digits: int) -> "Interval":
        """Each bound to so many significant digits."""
        return Interval(
            significant(self.low, digits),
            significant(self.central, digits),
            significant(self.high, digits),
        )


ZERO = Interval(0, 0, 0)

SHOWN_DIGITS = 2
"""Significant digits on pages: more would look surer than the method is."""


def significant(value: float, digits: int = SHOWN_DIGITS) -> float:
    """Return `value` rounded to so many significant digits."""
    if value == 0:
        return 0.0
    return round(value, digits - 1 - int(log10(abs(value)) // 1))
