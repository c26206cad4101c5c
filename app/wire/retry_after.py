"""How long a Retry-After header asks us to wait, in whichever of its forms it comes.

Mirakl sends seconds, Centra "the timestamp at which to resume" without showing its form, proxies send HTTP
dates. Nonsense must neither stop a channel for ten years nor let a call through at once.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

CAP_SECONDS = 3_600.0
DAILY_CAP_SECONDS = 26 * 3_600.0

_UNIX_SECONDS_FROM = 1e9
_UNIX_MILLISECONDS_FROM = 1e12


def retry_after_seconds(
    header: str | None, now: datetime, *, fallback_seconds: float, cap_seconds: float = CAP_SECONDS
) -> float:
    """Seconds to wait from `now`: at most `cap_seconds`, and `fallback_seconds` for an absent header,
    for zero, for a time in the past and for anything that is neither number nor date.
    """
    seconds = _parsed(header.strip(), now) if header else None
    if seconds is None or not seconds > 0:
        return min(fallback_seconds, cap_seconds)
    return min(seconds, cap_seconds)


def _parsed(text: str, now: datetime) -> float | None:
    number = _number(text)
    if number is not None:
        return _from_number(number, now)
    moment = _moment(text)
    return None if moment is None else (moment - now).total_seconds()


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _from_number(number: float, now: datetime) -> float:
    if number >= _UNIX_MILLISECONDS_FROM:
        return number / 1000 - now.timestamp()
    if number >= _UNIX_SECONDS_FROM:
        return number - now.timestamp()
    return number


def _moment(text: str) -> datetime | None:
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
