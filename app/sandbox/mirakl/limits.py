"""The published maximum call frequencies, enforced for each code of this shop.

Source: the call frequency table of the reference (section 13) and `x-call-frequency` of the OpenAPI document.
They are taken at their word: so many accepted arrivals in any window of that length, measured between
arrivals. Codes without an entry are for events, page views and user actions and have no published maximum.
"External Partner" is the stricter contract for partner connectors: order polling every 15 minutes. Of lists
that are polled, calls for a further page are not calls of the poll. OR11 is read so: a call that names its
orders is a read, as one of RT11 that names its returns is; one with the parameters of the window last opened
(`offset` and `max` aside) is a page of it; any other opens a window. Reads have no published maximum; two within
half a second are a loop gone wrong. A CM11 that names neither a time nor products is a full one.

A refused arrival does not count towards the window. Daily codes get `daily_ceiling_calls` (default 1) a day.
"""

import json
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.types import Scope

from app.sandbox.faults import Refusal

# The server's clock is a float; this much early is rounding, not haste.
_ROUNDING_SECONDS = 0.001
_DAY_SECONDS = 86_400.0

Query = dict[str, list[str]]
Window = Query

_MINUTE = (
    *("STO01", "STO03", "PRI01", "PRI02", "PRI03"),
    *("OF01", "OF02", "OF03", "OF04", "OF24", "P42", "P51", "OR04", "OR32"),
)
_DAILY = (
    *("A01", "A21", "AF01", "CH11", "CUR01", "L01", "DO01", "OF61", "OR75"),
    *("SH11", "SH12", "SH21", "SH31", "IV01", "SBC11", "TL03"),
)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """At most `calls` accepted arrivals in any `seconds` of app time."""

    calls: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.calls}/{self.seconds:g} s"


def ceilings(profile: str, daily_calls: int) -> Mapping[str, tuple[Ceiling, ...]]:
    """By bucket: a code, or a code and what it was called for. `profile`: standard | external_partner."""
    if profile not in ("standard", "external_partner"):
        raise ValueError(f"no such profile: {profile}")
    minute, daily = (Ceiling(1, 60.0),), (Ceiling(daily_calls, _DAY_SECONDS),)
    five_minutes, hour = (Ceiling(1, 300.0),), (Ceiling(1, 3600.0),)
    return {
        **dict.fromkeys(_MINUTE, minute),
        **dict.fromkeys(_DAILY, daily),
        "STO02": (Ceiling(1, 15.0),),
        "OF52 differential": minute,
        "OF52 full": daily,
        "OF53": (Ceiling(1, 10.0),),
        "TL04": (Ceiling(1, 10.0),),
        "OR11 pass": (Ceiling(1, 900.0),) if profile == "external_partner" else minute,
        "OR11 page": (Ceiling(1, 1.0),),
        "OR11 read": (Ceiling(1, 0.5),),
        "OR13 differential": five_minutes,
        "OR13 full": daily,
        "OR14": (Ceiling(1, 2.0),),
        "OR07": (Ceiling(60, 3600.0),),
        "OR31": (Ceiling(5, 1.0),),
        "ST12": five_minutes,
        "RT11": five_minutes,
        "RT11 read": (Ceiling(1, 0.5),),
        "P41": (Ceiling(1, 900.0),),
        "CM11": five_minutes,
        "CM11 full": (Ceiling(1, 14_400.0),),
        **dict.fromkeys(("H11", "PM11", "VL11", "SH42", "SH52"), hour),
        "TL02": (Ceiling(20, 60.0), Ceiling(60, 3600.0)),
    }


class CallLimits:
    """Counts accepted arrivals by bucket in app time."""

    def __init__(self, config: Mapping[str, Any], *, enforced: bool) -> None:
        """Reads `profile`, `daily_ceiling_calls` and `forgiven_seconds` from the listener's config.

        `forgiven_seconds`: of app time, 0 unless told. On a clock that runs forty times as fast, a tenth of a second in
        which the machine is busy looks like four.
        """
        profile = str(config.get("profile", "standard"))
        self._ceilings = ceilings(profile, int(config.get("daily_ceiling_calls", 1)))
        self._arrivals: dict[str, deque[float]] = {}
        self._order_window: Window | None = None
        self._forgiven = _ROUNDING_SECONDS + float(config.get("forgiven_seconds", 0.0))
        self._enforced = enforced

    def admit(self, code: str, at: float, scope: Scope, body: bytes) -> Refusal | None:
        """None, and the arrival counts; or the first ceiling it exceeds."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        bucket = _bucket(code, query, body, self._order_window)
        limits = self._ceilings.get(bucket, ())
        if not limits:
            return None
        arrivals = self._arrivals.setdefault(bucket, deque())
        longest = max(limit.seconds for limit in limits)
        while arrivals and arrivals[0] + longest <= at:
            arrivals.popleft()
        refusal = next(filter(None, (_exceeded(limit, arrivals, at, self._forgiven) for limit in limits)), None)
        if refusal is None or not self._enforced:
            arrivals.append(at)
            if bucket == "OR11 pass":
                self._order_window = _window(query)
        return refusal


def _exceeded(limit: Ceiling, arrivals: deque[float], at: float, forgiven: float) -> Refusal | None:
    if len(arrivals) < limit.calls:
        return None
    wait_seconds = arrivals[-limit.calls] + limit.seconds - at
    if wait_seconds <= forgiven:
        return None
    whole = math.ceil(wait_seconds - _ROUNDING_SECONDS)
    return Refusal(str(limit), str(whole), float(whole))


def _bucket(code: str, query: Query, body: bytes, order_window: Window | None) -> str:
    """Codes whose ceiling depends on what the call is for."""
    if code in ("OF52", "OR13"):
        return f"{code} {'differential' if _is_differential(body) else 'full'}"
    if code == "OR11":
        if "order_ids" in query:
            return "OR11 read"
        return "OR11 page" if _window(query) == order_window else "OR11 pass"
    if code == "CM11" and not query.keys() & {"updated_since", "provider_unique_identifier", "unique_identifier"}:
        return "CM11 full"
    if code == "RT11" and "return_id" in query:
        return "RT11 read"
    if code in ("IV01", "SBC11", "ST12", "RT11", "OF04", "P51") and _is_further_page(query):
        return f"{code} page"
    return code


def _is_differential(body: bytes) -> bool:
    try:
        members = json.loads(body)
    except ValueError:
        return False
    return isinstance(members, dict) and bool(members.get("last_request_date") or members.get("start_update_date"))


def _window(query: Query) -> Window:
    return {name: values for name, values in query.items() if name not in ("offset", "max")}


def _is_further_page(query: Query) -> bool:
    offset = query.get("offset", ["0"])[0]
    return "page_token" in query or (offset.isdecimal() and int(offset) > 0)
