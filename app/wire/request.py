"""What goes out and what comes back: requests, answers, limits and who watches them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from app.wire.outcome import NotSent
from app.wire.retry_after import CAP_SECONDS

_MEBIBYTE = 1024 * 1024


class Expected(StrEnum):
    """What a 2xx answer must carry; an HTML page where anything else is due is no answer."""

    JSON = "json"
    CSV = "csv"
    FILE = "file"
    """Bytes of any kind, XML too."""
    NOTHING = "nothing"
    """The status is the answer, the body is not read further than its limit."""


@dataclass(frozen=True)
class FilePart:
    """One part of a multipart upload: a file, or a value where `filename` is None."""

    name: str
    filename: str | None
    content: bytes
    content_type: str


FirstByteCheck = Callable[[], Awaitable[NotSent | None]]
"""Asked when the connection stands, just before the first byte leaves; a NotSent stops the call there."""


@dataclass(frozen=True)
class WireRequest:
    """One call. `target` is a path below the base URL, or an absolute link that an answer gave us.

    `code` names the call in metrics and logs (an API code, an operation name). `effect_id` travels as
    `X-Effect-Id`; platforms ignore it, sandboxes record it.
    """

    code: str
    method: str
    target: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    json: bytes | None = None
    files: tuple[FilePart, ...] = ()
    expects: Expected = Expected.JSON
    effect_id: str | None = None
    before_first_byte: FirstByteCheck | None = None
    total_seconds: float | None = None
    body_bytes: int | None = None
    retry_after_fallback_seconds: float = 60.0
    retry_after_cap_seconds: float = CAP_SECONDS


@dataclass(frozen=True)
class WireResponse:
    """An accepted answer (200, 201, 202 or 204), complete, decompressed and within its limits."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Limits:
    """How much time and room one call may take; `total_seconds` bounds all of it, slow bytes included."""

    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    write_seconds: float = 30.0
    pool_seconds: float = 5.0
    total_seconds: float = 60.0
    body_bytes: int = 16 * _MEBIBYTE
    header_bytes: int = 64 * 1024
    connections: int = 16
    idle_seconds: float = 2.0
    """A kept connection older than this is not used again: the far side may be closing it right now, and a
    write that meets a closing connection is in doubt."""


@dataclass(frozen=True)
class CallSeen:
    """What an observer learns of a finished call; `outcome` is applied, refused, not_sent or unknown.

    `certificate_expires_at`: Unix time, where the call opened a TLS connection to the platform's own host.
    """

    code: str
    outcome: str
    status: int | None
    seconds: float
    sent_bytes: int
    received_bytes: int
    certificate_expires_at: float | None = None


class Observer(Protocol):
    def __call__(self, seen: CallSeen) -> None: ...


def unobserved(seen: CallSeen) -> None:
    """The observer of a transport that nobody watches."""
