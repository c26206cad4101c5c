"""Centra's webhooks: is it really Centra, and what may have changed. Pure; garbage ends in a Rejection.

The signature covers the raw body, so it is checked before anything is parsed. What a webhook says is a hint:
it names ids to read, and is never believed itself. There is no delivery id: the signature is the replay key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import parse_qs

import msgspec

from app.wire.decode import Unreadable, checked_json, typed

WINDOW_SECONDS = 300
BODY_LIMIT_BYTES = 256 * 1024

_HEADER_LIMIT = 2_048
_V1 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{1,11}")
_DISPLAY_ITEMS = frozenset({"displayitems", "products"})
_WAREHOUSES = frozenset({"warehouses"})
_NAMED_LIMIT = 20


class Cause(StrEnum):
    UNSIGNED = "unsigned"
    MALFORMED = "malformed"
    WRONG_SIGNATURE = "wrong_signature"
    TOO_OLD = "too_old"
    IN_THE_FUTURE = "in_the_future"
    NO_SECRET = "no_secret"  # noqa: S105 - a cause, not a secret
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Rejection:
    cause: Cause
    reason: str


@dataclass(frozen=True)
class Signature:
    """A genuine call, signed within the window. `replay_key` is the same for a repeat, and only for it."""

    signed_at: datetime
    replay_key: str


class EventHint(NamedTuple):
    type: str
    action: str
    id: int


@dataclass(frozen=True)
class Hints:
    """Ids that may have changed. `display_items` and `warehouses` come from the storefront kind, `events`
    from the integration kind; `unknown` names (clipped) what was sent besides.
    """

    display_items: tuple[int, ...] = ()
    events: tuple[EventHint, ...] = ()
    warehouses: tuple[int, ...] = ()
    unknown: tuple[str, ...] = ()


def verify(raw_body: bytes, signature_header: str, secrets: Sequence[str], now: datetime) -> Signature | Rejection:
    """Check `X-Centra-Signature` over the raw body. `now` is the wall clock; 300 s are allowed both ways.

    Exactly one `t` and one or more `v1` (rotation at the sender), lower-case hex; other members are ignored.
    Every secret is tried against every `v1`, without stopping at the first match.
    """
    usable = [secret for secret in secrets if secret]
    if not usable:
        return Rejection(Cause.NO_SECRET, "no endpoint secret is configured")
    if not signature_header:
        return Rejection(Cause.UNSIGNED, "no signature")
    parts = _parts(signature_header)
    if isinstance(parts, Rejection):
        return parts
    stamp, offered = parts
    signed = stamp.encode("ascii") + b"." + raw_body
    match = ""
    for secret in usable:
        expected = hmac.new(secret.encode("utf-8"), signed, hashlib.sha256).hexdigest()
        for candidate in offered:
            if hmac.compare_digest(expected, candidate):
                match = expected
    if not match:
        return Rejection(Cause.WRONG_SIGNATURE, "no secret of ours gives this signature")
    age_seconds = now.timestamp() - int(stamp)
    if age_seconds > WINDOW_SECONDS:
        return Rejection(Cause.TOO_OLD, f"signed {age_seconds:.0f} s ago")
    if age_seconds < -WINDOW_SECONDS:
        return Rejection(Cause.IN_THE_FUTURE, f"signed {-age_seconds:.0f} s ahead of our clock")
    return Signature(datetime.fromtimestamp(int(stamp), UTC), match)


def hints(raw_body: bytes) -> Hints | Rejection:
    """What a form-encoded body with one `payload` field names. Only for bodies that `verify` let pass."""
    if len(raw_body) > BODY_LIMIT_BYTES:
        return Rejection(Cause.TOO_LARGE, f"body larger than {BODY_LIMIT_BYTES} bytes")
    try:
        fields = parse_qs(raw_body.decode("utf-8"), keep_blank_values=True, max_num_fields=10, errors="strict")
    except ValueError:
        return Rejection(Cause.UNREADABLE, "the body is not form-encoded text")
    payloads = fields.get("payload", [])
    if len(payloads) != 1:
        return Rejection(Cause.UNREADABLE, f"{len(payloads)} payload fields instead of one")
    try:
        members = typed(checked_json(payloads[0].encode("utf-8")), dict[str, msgspec.Raw])
    except Unreadable as exc:
        return Rejection(Cause.UNREADABLE, f"payload: {exc}")
    return _gathered(members)


def _parts(header: str) -> tuple[str, list[str]] | Rejection:
    """The time as sent and the offered signatures."""
    if len(header) > _HEADER_LIMIT:
        return Rejection(Cause.MALFORMED, "the signature header is too long")
    pairs = [(name.strip(), value.strip()) for name, _, value in (p.partition("=") for p in header.split(","))]
    stamps = [value for name, value in pairs if name == "t"]
    offered = [value for name, value in pairs if name == "v1"]
    if len(stamps) != 1 or not _TIME.fullmatch(stamps[0]):
        return Rejection(Cause.MALFORMED, "the signature header needs exactly one t with Unix seconds")
    if not offered:
        return Rejection(Cause.UNSIGNED, "the signature header has no v1")
    if not all(_V1.fullmatch(value) for value in offered):
        return Rejection(Cause.MALFORMED, "a v1 is not 64 lower-case hex digits")
    return stamps[0], offered


class _Gathered:
    def __init__(self) -> None:
        self.display_items: dict[int, None] = {}
        self.warehouses: dict[int, None] = {}
        self.events: dict[EventHint, None] = {}
        self.unknown: dict[str, None] = {}


def _gathered(members: dict[str, msgspec.Raw]) -> Hints:
    found = _Gathered()
    for name, raw in members.items():
        kind = name.lower()
        if kind == "events":
            _add_events(raw, found)
        elif kind in _DISPLAY_ITEMS:
            _add_ids(name, raw, found.display_items, found)
        elif kind in _WAREHOUSES:
            _add_ids(name, raw, found.warehouses, found)
        else:
            found.unknown[name[:80]] = None
    return Hints(
        tuple(found.display_items),
        tuple(found.events),
        tuple(found.warehouses),
        tuple(found.unknown)[:_NAMED_LIMIT],
    )


class _EventRow(msgspec.Struct):
    type: str
    id: int
    action: str = ""


def _add_events(raw: msgspec.Raw, found: _Gathered) -> None:
    for row in _entries("events", raw, found):
        try:
            event = typed(bytes(row), _EventRow)
        except Unreadable:
            found.unknown["events entry"] = None
            continue
        found.events[EventHint(event.type[:80], event.action[:80], event.id)] = None


def _add_ids(name: str, raw: msgspec.Raw, ids: dict[int, None], found: _Gathered) -> None:
    for row in _entries(name, raw, found):
        try:
            ids[typed(bytes(row), int)] = None
        except Unreadable:
            found.unknown[f"{name[:60]} entry"] = None


def _entries(name: str, raw: msgspec.Raw, found: _Gathered) -> list[msgspec.Raw]:
    try:
        return typed(bytes(raw), list[msgspec.Raw])
    except Unreadable:
        found.unknown[name[:80]] = None
        return []
