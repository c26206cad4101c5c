"""How often Mirakl lets a shop call each API code, and how far apart we space our calls.

The published form is a maximum call frequency for each code and shop. "On user action" and "per event" codes
have no figure: those marked `modest` carry one of our own, so that a loop gone wrong stays polite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Profile = Literal["standard", "external_partner"]

MARGIN_SHARE = 0.02
MARGIN_REAL_SECONDS = 0.1
_DAY = 86_400.0
_HOUR = 3_600.0
_MINUTE = 60.0


@dataclass(frozen=True)
class Ceiling:
    """At most `calls` arrivals in `interval_seconds`. `modest`: our own figure, the document names none."""

    interval_seconds: float
    calls: int = 1
    modest: bool = False

    @property
    def spacing_seconds(self) -> float:
        return self.interval_seconds / self.calls


def _modest(interval_seconds: float, calls: int = 1) -> Ceiling:
    return Ceiling(interval_seconds, calls, modest=True)


_PER_EVENT = _modest(1.0, 50)
_DAILY = Ceiling(_DAY)

_STANDARD: dict[str, Ceiling] = {
    # Account, platform and reference data: mirrors, read daily.
    "V01": _modest(1.0),
    "PC01": _modest(_MINUTE),
    "RE01": _modest(_MINUTE),
    **dict.fromkeys(
        ("A01", "AF01", "CH11", "CUR01", "L01", "DO01", "OF61", "OR75", "SH11", "SH12", "SH21", "SH31"),
        _DAILY,
    ),
    "SH42": Ceiling(_HOUR),
    "SH52": Ceiling(_HOUR),
    # Offers, stock and prices.
    **dict.fromkeys(("OF02", "OF03", "OF04", "OF24", "P51"), Ceiling(_MINUTE)),
    **dict.fromkeys(("PRI01", "PRI02", "PRI03", "STO01", "STO03"), Ceiling(_MINUTE)),
    "STO02": Ceiling(15.0),
    "OF01": Ceiling(_MINUTE),
    "OF01.products": Ceiling(15 * _MINUTE),
    "OF52": Ceiling(_MINUTE),
    "OF52.full": _DAILY,
    "OF53": Ceiling(10.0),
    "OF54": _modest(1.0),
    "OF21": _modest(10.0),
    "OF22": _modest(10.0),
    # Products.
    "P41": Ceiling(15 * _MINUTE),
    "P42": Ceiling(_MINUTE),
    **dict.fromkeys(("P44", "P45", "P46", "P47", "P11", "P31"), _modest(10.0)),
    "CM11": Ceiling(5 * _MINUTE),
    "CM11.full": Ceiling(4 * _HOUR),
    **dict.fromkeys(("H11", "PM11", "VL11"), Ceiling(_HOUR)),
    # Orders. A pass opens a new window; a read names order ids and belongs to a user action.
    "OR11.pass": Ceiling(_MINUTE),
    "OR11.page": _modest(1.0),
    "OR11.read": _modest(2.0),
    "OR13": Ceiling(5 * _MINUTE),
    "OR13.full": _DAILY,
    "OR14": Ceiling(2.0),
    "OR15": _modest(1.0),
    "OR04": Ceiling(_MINUTE),
    "OR32": Ceiling(_MINUTE),
    "OR07": Ceiling(_HOUR, 60),
    "OR31": Ceiling(1.0, 5),
    **dict.fromkeys(
        ("OR21", "OR23", "OR24", "OR28", "OR29", "OR30", "OR64", "OR72", "OR73", "OR74", "OR76"), _PER_EVENT
    ),
    # Shipments, returns, messages.
    **dict.fromkeys(("ST01", "ST06", "ST07", "ST23", "ST24", "ST26", "ST31"), _PER_EVENT),
    "ST11": _modest(10.0),
    "ST12": Ceiling(5 * _MINUTE),
    "RT11": Ceiling(5 * _MINUTE),
    "RT11.page": _modest(1.0),
    "RT11.read": _modest(2.0),
    **dict.fromkeys(("RT01", "RT04", "RT12", "RT21", "RT25", "RT26", "RT27", "RT29"), _PER_EVENT),
    **dict.fromkeys(("M10", "M11", "M12", "M13", "M14", "DR11", "DR12", "DR73", "DR74"), _modest(10.0)),
    # Finance. TL02 also allows at most 20 a minute, which the hourly figure already keeps.
    "IV01": _DAILY,
    "IV01.page": _modest(1.0),
    "IV02": _modest(1.0),
    "SBC11": _DAILY,
    "SBC11.page": _modest(1.0),
    "TL02": Ceiling(_HOUR, 60),
    "TL03": _DAILY,
    "TL04": Ceiling(10.0),
    "TL05": _modest(1.0),
}

_EXTERNAL_PARTNER: dict[str, Ceiling] = {**_STANDARD, "OR11.pass": Ceiling(15 * _MINUTE)}

_PROFILES: dict[Profile, dict[str, Ceiling]] = {
    "standard": _STANDARD,
    "external_partner": _EXTERNAL_PARTNER,
}


def codes(profile: Profile = "standard") -> tuple[str, ...]:
    """Every ceiling name of a profile: an API code, or a code and the way it is used (`OF52.full`)."""
    return tuple(_PROFILES[profile])


def ceiling_of(code: str, profile: Profile = "standard") -> Ceiling:
    """The ceiling of a code. KeyError for a code this table does not know: nothing is called without one."""
    return _PROFILES[profile][code]


def spacing_seconds(code: str, profile: Profile = "standard", scale: float = 1.0) -> float:
    """Seconds of the app clock between two calls: the ceiling plus 2 %, or plus 100 ms of real time if more.

    The far side counts arrivals, so the margin covers what the network does to two calls. `scale` is app
    seconds in one real second; 1 outside demo and tests.
    """
    spacing = ceiling_of(code, profile).spacing_seconds
    return spacing + max(spacing * MARGIN_SHARE, MARGIN_REAL_SECONDS * scale)


def bucket(code: str, profile: Profile = "standard", scale: float = 1.0) -> tuple[float, float]:
    """Capacity and refill (calls a second of the app clock) of a code's permits.

    A published ceiling counts arrivals, so one call at a time is spaced apart. A figure of our own guards against loops
    only, and lets a burst through.
    """
    ceiling = ceiling_of(code, profile)
    if ceiling.modest and ceiling.calls > 1:
        return float(ceiling.calls), 1.0 / ceiling.spacing_seconds
    return 1.0, 1.0 / spacing_seconds(code, profile, scale)


def longest_wait_seconds(code: str, profile: Profile = "standard") -> float:
    """How far a Retry-After is believed for this code: an hour, for daily codes 26 hours."""
    return 26 * _HOUR if ceiling_of(code, profile).spacing_seconds > _HOUR else _HOUR
