"""Amounts of money as people read them. They are whole nano-euros everywhere else."""

from decimal import ROUND_HALF_UP, Decimal

NANO = 10**9
NANO_PER_MILLION = 1000
"""A price of 1 € per million is 1000 nano-euros a unit."""
CENT = Decimal("0.01")


def euros(nano: int) -> Decimal:
    """Return an amount in euros, exactly."""
    return Decimal(nano) / NANO


def cents(nano: int) -> Decimal:
    """Return an amount in euros, rounded half up to the cent: once, where it is shown or invoiced."""
    return euros(nano).quantize(CENT, ROUND_HALF_UP)


def per_million(nano: int) -> Decimal:
    """Return a unit's price as euros per million units, exactly."""
    return Decimal(nano) / NANO_PER_MILLION


def nano_of(euros: Decimal) -> int:
    """Return an amount of at most nine decimals as nano-euros."""
    return int(euros * NANO)


def nano_per_unit(euros_per_million: Decimal) -> int:
    """Return the price of a unit. Raises `ValueError` on one that is no whole number of nano-euros."""
    nano = euros_per_million * NANO_PER_MILLION
    if nano != int(nano):
        raise ValueError(f"{euros_per_million} € per million is no whole number of nano-euros")
    return int(nano)
