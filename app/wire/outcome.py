"""What became of a call: applied, refused, not sent or unknown, and the one table that decides it.

A call never ends in an exception to interpret later. *Applied* is the far side's yes, *Refused* its no with
a reason, *NotSent* means that it cannot have seen the call, *Unknown* that it may have acted. Whatever the
table below does not name is *Unknown*: nothing folds doubt into success or failure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

import msgspec

T = TypeVar("T", covariant=True)

_WORDS_LIMIT = 500


class RefusalKind(StrEnum):
    """Why the far side said no, as far as it decides what we do next."""

    CREDENTIALS = "credentials"
    """The key, its rights or its shop: pause the scope, burn no attempts."""
    ROLE = "role"
    """The key lacks what this call alone needs: what it is for waits, and the scope works on."""
    MISSING = "missing"
    """The thing is not there, or the feature behind it is switched off."""
    INVALID = "invalid"
    """The request itself: repeating it unchanged cannot help."""
    USER_ERRORS = "user_errors"
    """Centra answered 200 and named errors in the payload."""


@dataclass(frozen=True)
class RefusalDetail:
    """One line of the far side's words: `place` is a field, a path or a line number, as it named it."""

    message: str
    code: str = ""
    place: str = ""


@dataclass(frozen=True)
class Applied(Generic[T]):
    """The far side did it, and said so for this call."""

    value: T


@dataclass(frozen=True)
class Refused:
    """It will not do it, and says why. Status 0: our own side refused to make the call (a foreign link)."""

    reason: str
    status: int
    kind: RefusalKind
    errors: tuple[RefusalDetail, ...] = ()


@dataclass(frozen=True)
class NotSent:
    """It cannot have seen the call, or turned it away for its quota before looking at it.

    `retry_at_seconds` counts from now, in seconds of the app clock; None: no particular time is known.
    `turned_away`: it did arrive and was counted, so its permit is spent (429).
    """

    reason: str
    retry_at_seconds: float | None = None
    turned_away: bool = False


@dataclass(frozen=True)
class Unknown:
    """It may have acted. Reads are simply read again; what follows a write depends on its class."""

    reason: str


Outcome: TypeAlias = Applied[T] | Refused | NotSent | Unknown
Failure: TypeAlias = Refused | NotSent | Unknown

# --------------------------------------------------------------------------------------- the table: statuses

_REFUSALS: dict[int, RefusalKind] = {
    400: RefusalKind.INVALID,
    401: RefusalKind.CREDENTIALS,
    403: RefusalKind.CREDENTIALS,
    404: RefusalKind.MISSING,
    405: RefusalKind.INVALID,
    406: RefusalKind.INVALID,
    410: RefusalKind.MISSING,
    411: RefusalKind.INVALID,
    413: RefusalKind.INVALID,
    414: RefusalKind.INVALID,
    415: RefusalKind.INVALID,
    422: RefusalKind.INVALID,
    431: RefusalKind.INVALID,
}
_ACCEPTED = frozenset({200, 201, 202, 204})
TOO_MANY = 429

# ------------------------------------------------------------------------------------- the table: exceptions

# By class name, so that this module needs no HTTP library (only transport.py imports one).
_CANNOT_HAVE_LEFT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL"})


def outcome_of_status(status: int, body: bytes = b"", *, retry_after_seconds: float | None = None) -> Failure | None:
    """What an HTTP status says by itself; None: accepted, the body decides.

    429 was turned away before it was looked at; every 5xx and every redirect is in doubt.
    """
    if status in _ACCEPTED:
        return None
    if status == TOO_MANY:
        return NotSent("the far side asks us to wait (429)", retry_after_seconds, turned_away=True)
    kind = _REFUSALS.get(status)
    if kind is None:
        return Unknown(f"HTTP {status}{_spoken(body)}")
    reason, details = words_of(body)
    return Refused(reason or f"HTTP {status}", status, kind, details)


def outcome_of_exception(exc: BaseException, *, first_byte_left: bool) -> NotSent | Unknown:
    """What an exception of the HTTP client says: before the first byte nothing can have been seen.

    Only connection errors lend their own words (name, certificate, refusal); others may quote a header.
    """
    name = type(exc).__name__
    words = f"{name}: {exc}" if name == "ConnectError" and str(exc) else name
    if not first_byte_left or name in _CANNOT_HAVE_LEFT:
        return NotSent(f"could not be sent ({words})")
    return Unknown(f"no usable answer ({words})")


# ----------------------------------------------------------------------------------------- words of a refusal


class _Line(msgspec.Struct):
    message: str | None = None
    code: str | int | None = None
    field: str | None = None
    path: list[str | int] | None = None
    extensions: dict[str, object] | None = None


class _Body(msgspec.Struct):
    message: str | None = None
    msg: str | None = None
    code: str | int | None = None
    errors: list[msgspec.Raw] | None = None


def words_of(body: bytes) -> tuple[str, tuple[RefusalDetail, ...]]:
    """The far side's own words in an error body: the shapes of Mirakl, GraphQL and the Order API, or its first text.

    Envelopes of errors are hardly documented, so this reads what is there and never fails.
    """
    try:
        parsed = msgspec.json.decode(body, type=_Body)
    except (ValueError, RecursionError):
        return _first_text(body), ()
    details = tuple(detail for detail in map(_detail, parsed.errors or ()) if detail is not None)
    message = _clipped(parsed.message or parsed.msg or "; ".join(detail.message for detail in details))
    if parsed.code is not None and not details:
        details = (RefusalDetail(message, str(parsed.code)),)
    return message, details


def _detail(raw: msgspec.Raw) -> RefusalDetail | None:
    try:
        line = msgspec.json.decode(raw, type=_Line)
    except (ValueError, RecursionError):
        return None
    category = (line.extensions or {}).get("category")
    code = line.code if line.code is not None else category
    place = line.field or joined_path(line.path or ())
    return RefusalDetail(_clipped(line.message or ""), str(code) if code is not None else "", place)


def joined_path(path: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in path)


def _first_text(body: bytes) -> str:
    text = body[:4096].decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        title = re.search(r"<title[^>]*>([^<]{1,200})", text, re.IGNORECASE)
        return _clipped(f"HTML page {title.group(1).strip()!r}" if title else "HTML page")
    return _clipped(text)


def _spoken(body: bytes) -> str:
    reason, _ = words_of(body)
    return f": {reason}" if reason else ""


def _clipped(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _WORDS_LIMIT else plain[: _WORDS_LIMIT - 1] + "…"
