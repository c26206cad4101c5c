"""One call over HTTP, from the check of its address to its outcome. The only module that imports httpx.

It never retries and never follows a redirect. Whether a call that failed may have been seen is decided by
whether its first byte had left; that moment is also when the caller is asked a last time whether the call is
still wanted (a claim that ran out, a permit that grew old).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import TypeAlias

import anyio
import httpx

from app.telemetry.tracing import call_span
from app.wire.body import BadEncoding, TooLarge, read_within
from app.wire.breaker import Breaker
from app.wire.outcome import (
    TOO_MANY,
    Applied,
    NotSent,
    Outcome,
    RefusalKind,
    Refused,
    Unknown,
    outcome_of_exception,
    outcome_of_status,
)
from app.wire.request import CallSeen, Expected, Limits, Observer, WireRequest, WireResponse, unobserved
from app.wire.retry_after import retry_after_seconds
from app.wire.target import ForeignLink, base_origin, is_acceptable_peer, resolved

_ERROR_BODY_BYTES = 64 * 1024
_MASK = "[secret]"
_Answer: TypeAlias = Outcome[WireResponse]


class _Stopped(Exception):  # noqa: N818 - carries a verdict out of httpx
    def __init__(self, outcome: NotSent | Refused) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass
class _Call:
    """What is known about a call while it runs."""

    request: WireRequest
    first_byte_left: bool = False
    is_ours: bool = False
    """Ended by our own side: it says nothing about the platform."""
    status: int | None = None
    wait_seconds: float | None = None
    received_bytes: int = 0
    secrets: tuple[str, ...] = field(default=(), repr=False)
    is_own: bool = False
    """It goes to the platform's own origin, and not where a link leads."""
    certificate_expires_at: float | None = None


class Transport:
    """All calls to one platform host. Use it as an async context manager.

    `headers` is asked for each call, so that a rotated key takes effect at once; what it returns goes to the
    platform's own origin only and is masked in every reason. `allowed_hosts`: where links may lead.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Callable[[], Mapping[str, str]],
        now: Callable[[], datetime],
        limits: Limits | None = None,
        allowed_hosts: frozenset[str] = frozenset(),
        allow_private_addresses: bool = False,
        breaker: Breaker | None = None,
        observer: Observer = unobserved,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._base = base_origin(base_url)
        self._base_url = base_url
        self._headers = headers
        self._now = now
        self._limits = limits or Limits()
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._allow_private = allow_private_addresses
        self._observer = observer
        self.breaker = breaker or Breaker()
        self._client = httpx.AsyncClient(
            verify=verify,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(
                connect=self._limits.connect_seconds,
                read=self._limits.read_seconds,
                write=self._limits.write_seconds,
                pool=self._limits.pool_seconds,
            ),
            limits=httpx.Limits(
                max_connections=self._limits.connections,
                max_keepalive_connections=self._limits.connections,
                keepalive_expiry=self._limits.idle_seconds,
            ),
        )

    async def __aenter__(self) -> Transport:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await self._client.aclose()

    async def send(self, request: WireRequest) -> _Answer:
        """Make the call once. Never raises for what the far side or the network does; cancellation passes."""
        with call_span(request.code) as saying:
            outcome, status = await self._sent(request)
            saying(outcome=_name_of(outcome), status=status)
            if not isinstance(outcome, Applied):
                saying.failed()
        return outcome

    async def _sent(self, request: WireRequest) -> tuple[_Answer, int | None]:
        started_at = time.monotonic()
        call = _Call(request)
        outcome: _Answer | None = self.breaker.admit()
        if outcome is None:
            try:
                outcome = self._masked(await self._made(call), call)
            except BaseException:
                self.breaker.abandoned()
                raise
            self._tell_breaker(outcome, call)
        self._observer(
            CallSeen(
                code=request.code,
                outcome=_name_of(outcome),
                status=call.status,
                seconds=time.monotonic() - started_at,
                sent_bytes=len(request.json or b"") + sum(len(part.content) for part in request.files),
                received_bytes=call.received_bytes,
                certificate_expires_at=call.certificate_expires_at,
            )
        )
        return outcome, call.status

    async def _made(self, call: _Call) -> _Answer:
        try:
            built = self._built(call)
        except ForeignLink as exc:
            call.is_ours = True
            return Refused(f"not called: {exc}", 0, RefusalKind.INVALID)
        except _Stopped as stop:
            return stop.outcome
        total_seconds = call.request.total_seconds or self._limits.total_seconds
        try:
            with anyio.move_on_after(total_seconds) as deadline:
                return await self._exchanged(call, built)
        except _Stopped as stop:
            return stop.outcome
        except Exception as exc:  # whatever broke, a call ends in an outcome
            call.is_ours = isinstance(exc, httpx.PoolTimeout)
            return outcome_of_exception(exc, first_byte_left=call.first_byte_left)
        assert deadline.cancelled_caught
        words = f"no complete answer within {total_seconds:g} s"
        return Unknown(words) if call.first_byte_left else NotSent(words)

    def _built(self, call: _Call) -> httpx.Request:
        request = call.request
        url, is_own = resolved(request.target, self._base_url, self._base, self._allowed_hosts)
        call.is_own = is_own
        own = dict(self._headers()) if is_own else {}
        call.secrets = tuple(value for value in own.values() if len(value) > 3)
        headers = {**request.headers, "Accept-Encoding": "gzip", **own}
        if request.effect_id is not None:
            headers["X-Effect-Id"] = request.effect_id
        if request.json is not None:
            headers["Content-Type"] = "application/json"
        if not all(_is_sendable(value) for value in headers.values()):
            call.is_ours = True
            words = "not called: the key holds characters that cannot be sent"
            raise _Stopped(Refused(words, 0, RefusalKind.CREDENTIALS))
        built = self._client.build_request(
            request.method,
            url,
            params=list(request.query) or None,
            headers=headers,
            content=request.json,
            files=[(part.name, (part.filename, part.content, part.content_type)) for part in request.files] or None,
        )
        built.extensions["trace"] = self._watch(call)
        return built

    def _watch(self, call: _Call) -> Callable[[str, dict[str, object]], object]:
        """Follows the connection: checks the peer, asks the caller a last time, notes the first byte."""

        async def step(event: str, seen: dict[str, object]) -> None:
            if event == "connection.connect_tcp.complete":
                await self._check_peer(seen.get("return_value"))
            elif event == "connection.start_tls.complete" and call.is_own:
                call.certificate_expires_at = _expiry(seen.get("return_value"))
            elif event.endswith(".send_request_headers.started"):
                check = call.request.before_first_byte
                stop = await check() if check is not None else None
                if stop is not None:
                    call.is_ours = True
                    raise _Stopped(stop)
                call.first_byte_left = True

        return step

    async def _check_peer(self, stream: object) -> None:
        address = stream.get_extra_info("server_addr")  # type: ignore[attr-defined]
        if not is_acceptable_peer(address, self._base, allow_private=self._allow_private):
            await stream.aclose()  # type: ignore[attr-defined]
            raise _Stopped(NotSent("the host's name leads to an address that is not public"))

    async def _exchanged(self, call: _Call, built: httpx.Request) -> _Answer:
        response = await self._client.send(built, stream=True)
        try:
            return await self._judged(call, response)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await response.aclose()

    async def _judged(self, call: _Call, response: httpx.Response) -> _Answer:
        request, status = call.request, response.status_code
        call.status = status
        if sum(len(name) + len(value) for name, value in response.headers.raw) > self._limits.header_bytes:
            return Unknown("answer with oversized headers")
        if outcome_of_status(status) is not None:
            return await self._turned_down(call, response)
        limit = request.body_bytes or self._limits.body_bytes
        try:
            body = await read_within(response.aiter_raw(), response.headers.get("content-encoding", ""), limit)
        except (TooLarge, BadEncoding) as exc:
            return Unknown(f"unreadable answer: {exc}")
        finally:
            call.received_bytes = response.num_bytes_downloaded
        if request.expects is not Expected.NOTHING and _is_page(response.headers, body, request.expects):
            return Unknown(f"unreadable answer: HTML page instead of {request.expects.upper()}")
        return Applied(WireResponse(status, dict(response.headers), body))

    async def _turned_down(self, call: _Call, response: httpx.Response) -> _Answer:
        """Anything but an accepted status: the status decides, the body only lends words."""
        request, status = call.request, response.status_code
        header = response.headers.get("retry-after")
        if header is not None or status == TOO_MANY:
            call.wait_seconds = retry_after_seconds(
                header,
                self._now(),
                fallback_seconds=request.retry_after_fallback_seconds,
                cap_seconds=request.retry_after_cap_seconds,
            )
        body = b""
        with anyio.move_on_after(5):
            try:
                encoding = response.headers.get("content-encoding", "")
                body = await read_within(response.aiter_raw(), encoding, _ERROR_BODY_BYTES)
            except (TooLarge, BadEncoding, httpx.HTTPError):
                pass
        call.received_bytes = response.num_bytes_downloaded
        outcome = outcome_of_status(status, body, retry_after_seconds=call.wait_seconds)
        assert outcome is not None
        return outcome

    def _tell_breaker(self, outcome: _Answer, call: _Call) -> None:
        if call.is_ours:
            self.breaker.abandoned()
        elif isinstance(outcome, Unknown) or (isinstance(outcome, NotSent) and call.status is None):
            self.breaker.failed(call.wait_seconds)
        else:
            self.breaker.succeeded()

    def _masked(self, outcome: _Answer, call: _Call) -> _Answer:
        """No reason repeats a secret, even if the far side quotes it back."""
        if isinstance(outcome, Applied) or not call.secrets:
            return outcome
        masked = replace(outcome, reason=_without(outcome.reason, call.secrets))
        if isinstance(masked, Refused):
            clean = tuple(replace(e, message=_without(e.message, call.secrets)) for e in masked.errors)
            return replace(masked, errors=clean)
        return masked


def _expiry(stream: object) -> float | None:
    """When the certificate of the peer ends, as Unix time; None where it was not verified, so that it says nothing."""
    tls: ssl.SSLObject | None = stream.get_extra_info("ssl_object")  # type: ignore[attr-defined]
    shown = None if tls is None else tls.getpeercert()
    ends = (shown or {}).get("notAfter")
    return ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else None


def _without(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        for part in (secret, secret.removeprefix("Bearer ")):
            text = text.replace(part, _MASK)
    return text


def _is_sendable(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _is_page(headers: Mapping[str, str], body: bytes, due: Expected) -> bool:
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    opening = body[:64].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    signs = (b"<!doctype html", b"<html") if due is Expected.FILE else (b"<",)
    return kind in ("text/html", "application/xhtml+xml") or opening.startswith(signs)


def _name_of(outcome: _Answer) -> str:
    match outcome:
        case Applied():
            return "applied"
        case Refused():
            return "refused"
        case NotSent():
            return "not_sent"
        case Unknown():
            return "unknown"
