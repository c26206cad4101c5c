"""Amounts: Decimal at the edges, whole minor units inside. A currency travels with every amount; nothing is a float."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException, Inexact, InvalidOperation
from functools import cache

import iso4217

_MOST_DIGITS = 18
"""What a database's bigint holds of any number."""


@cache
def exponent(currency: str) -> int:
    """Decimals of a currency (EUR 2, JPY 0). Raises ValueError for a code that ISO 4217 does not know."""
    try:
        return int(iso4217.Currency(currency).exponent or 0)
    except ValueError:
        raise ValueError(f"{currency!r} is no currency of ISO 4217") from None


def minor(amount: Decimal, currency: str) -> int:
    """An amount in minor units, half up where the far side gave more decimals than the currency has."""
    return int((amount.scaleb(exponent(currency))).quantize(Decimal(1), ROUND_HALF_UP))


def exact_minor(amount: Decimal, currency: str) -> int:
    """An amount in minor units as it is, never rounded.

    Raises ValueError for parts of a minor unit, for what is no number or has over 18 digits, and as `exponent` does.
    """
    exact = Context(_MOST_DIGITS, traps=[Inexact, InvalidOperation])
    try:
        units = exact.quantize(exact.scaleb(amount, exponent(currency)), Decimal(1))
        return int(units)
    except (DecimalException, OverflowError):
        raise ValueError(f"an amount that is no whole number of minor units of {currency}") from None


def major(units: int, currency: str) -> Decimal:
    """Minor units as an amount with the currency's decimals."""
    places = exponent(currency)
    return Decimal(units).scaleb(-places).quantize(Decimal(1).scaleb(-places))


def words(units: int, currency: str) -> str:
    """Minor units for people: "12.30 EUR"."""
    return f"{major(units, currency)} {currency}"
