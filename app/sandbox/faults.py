"""Faults by menu, and the middleware that serves them in front of a stand-in.

How a stand-in uses it (both do the same)::

    def create_app(config: dict[str, Any], clock: Clock) -> Starlette:
        kernel = Kernel.of(clock, config)                # menu, calls, ledger: one of each for this listener
        app = Starlette(routes=[...platform routes...])  # instrument adds the kernel's admin routes
        return instrument(app, kernel, code_of=code_of, admit=admit, error_body=error_body)

- `code_of(scope, body) -> str | None` names the call: by method and path, or for GraphQL by the operationName
  in the body, which is read in full before. None means no call of the platform; it is logged as `unknown`.
- `admit(call, scope, body) -> Refusal | None` (optional) is the platform's ceiling: return a Refusal when
  this arrival exceeds it. It is asked once for each arrival, so it may count. The middleware records the
  violation and answers 429 (unless the config says `"enforce": false`); a caller who returns while a
  Retry-After that it was given still runs is refused and recorded before `admit` is asked. Let a call with a
  bad key pass: it gets its 401 from the app.
- `error_body(status) -> JSON value` (optional) shapes the bodies of injected errors as the platform does.
- Kinds that only the platform's own code can do are asked for by name where they belong:
  `fault = kernel.menu.take("STO01", "import_failed")`; further members of the fault are in `fault.options`.
  Name them in `instrument(..., kinds={...})`: a menu with a kind nobody knows is then refused, not ignored.
- What was applied goes to `kernel.ledger.record(CODE, id=..., ...)`; work that happens later passes the
  `effect` that it read from `journal.EFFECT_ID` when the request came.
- Work that is due later goes to `clock.at(timestamp, job)`; outside calls to `clock.spawn(coroutine)`.
- Own admin routes: `Route("/_sandbox/...", refusing_nonsense(endpoint))` from `admin`.

Order for each arrival: due jobs run; the call is logged; running Retry-After; ceiling; fault; the app.
The routes under /_sandbox pass by all of this, except that due jobs run first.

The first generic fault in the menu that matches fires for a call; `after` counts down on every matching call.
`seconds` are app seconds for `late` and real seconds for `slow` (it tests the caller's own time limits).
`bad_json`, `deep_json`, `empty`, `redirect`, `html`, `huge`, `too_many` and `status` do not apply the request
unless the fault says `"apply": true`. `about` is a text: only calls with it in their path or body are met,
and count for `after`. A `too_many` whose Retry-After is a plain number (of seconds, or a Unix
time) not more than an hour ahead closes the code for that time, so that an early return shows as a violation.
"""

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from app.sandbox.clock import Clock
from app.sandbox.exchange import Exchange, read_body
from app.sandbox.journal import CallLog, Ledger, LoggedCall

GENERIC_KINDS = frozenset(
    {
        "status",
        "status_after",
        "drop",
        "drop_after",
        "hang",
        "hang_after",
        "late",
        "cut",
        "html",
        "html_after",
        "slow",
        "huge",
        "too_many",
        "bad_json",
        "deep_json",
        "empty",
        "redirect",
    }
)
_APPLIED_KINDS = frozenset({"status_after", "drop_after", "hang_after", "cut", "html_after", "slow"})
_FIELDS = frozenset(
    {
        "code",
        "kind",
        "count",
        "probability",
        "after",
        "status",
        "retry_after",
        "seconds",
        "at_byte",
        "body",
        "apply",
        "about",
    }
)
_LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Sign in</form></body></html>"
_HUGE_BYTES = 200 * 1024 * 1024
_LONGEST_BINDING_WAIT_SECONDS = 3600.0


@dataclass(slots=True)
class Fault:
    """One line of the menu; `count` None is for ever. Members the kernel does not know are in `options`."""

    code: str
    kind: str
    count: int | None = 1
    probability: float = 1.0
    after: int = 0
    status: int | None = None
    retry_after: str | None = None
    seconds: float = 1.0
    at_byte: int = 20
    body: str | None = None
    apply: bool = False
    about: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    fired: int = 0

    @classmethod
    def parse(cls, members: dict[str, Any]) -> Self:
        """Raises ValueError when code or kind is missing or a value has the wrong type."""
        known = {name: value for name, value in members.items() if name in _FIELDS}
        if not isinstance(known.get("code"), str) or not isinstance(known.get("kind"), str):
            raise ValueError("a fault needs a code and a kind")
        if known.get("retry_after") is not None:
            known["retry_after"] = str(known["retry_after"])
        fault = cls(**known, options={n: v for n, v in members.items() if n not in _FIELDS})
        if fault.count is not None and not isinstance(fault.count, int):
            raise ValueError("count must be a whole number or null")
        return fault

    def applies(self) -> bool:
        """Whether the request takes effect although this fault spoils the answer."""
        return self.apply or self.kind in _APPLIED_KINDS

    def is_about(self, text: bytes) -> bool:
        return self.about is None or self.about.encode() in text

    def public(self) -> dict[str, Any]:
        shown = {name: getattr(self, name) for name in sorted(_FIELDS)}
        return {
            **{n: v for n, v in shown.items() if v is not None or n == "count"},
            **self.options,
            "fired": self.fired,
        }


Fits = Callable[[Fault], bool]


def _always(_: Fault) -> bool:
    return True


class FaultMenu:
    """The faults that wait to happen. One used up stays listed, with count 0, to show `fired`."""

    def __init__(self, faults: Iterable[dict[str, Any]] = (), seed: int | None = None) -> None:
        self._known: frozenset[str] | None = None
        self.replace(faults, seed)

    def know(self, kinds: Iterable[str]) -> None:
        """From now on only these kinds and the generic ones are allowed; ValueError when others are there."""
        self._known = GENERIC_KINDS | frozenset(kinds)
        self._check(self._faults)

    def replace(self, faults: Iterable[dict[str, Any]], seed: int | None = None) -> None:
        parsed = [Fault.parse(members) for members in faults]
        self._check(parsed)
        self._faults = parsed
        self._random = random.Random(seed)  # noqa: S311 - dice for tests

    def take(self, code: str, kind: str, fits: Fits = _always) -> Fault | None:
        """The platform's own code asks: does a fault of this kind happen now? Uses up one of its count.

        `fits` may look at `fault.options` to pass over faults that are meant for something else.
        """
        return next(iter(self._taken(code, lambda f: f.kind == kind and fits(f), at_most=1)), None)

    def take_all(self, code: str, kind: str, fits: Fits = _always) -> list[Fault]:
        """As `take`, but every such fault in the menu, each once."""
        return self._taken(code, lambda f: f.kind == kind and fits(f), at_most=len(self._faults))

    def take_generic(self, code: str, text: bytes = b"") -> Fault | None:
        """The middleware asks, once for each call that passed the ceilings. `text`: its path and its body."""

        def fits(fault: Fault) -> bool:
            return fault.kind in GENERIC_KINDS and fault.is_about(text)

        return next(iter(self._taken(code, fits, at_most=1)), None)

    def public(self) -> dict[str, Any]:
        return {"faults": [fault.public() for fault in self._faults]}

    def _check(self, faults: Iterable[Fault]) -> None:
        unknown = {fault.kind for fault in faults} - (self._known or {fault.kind for fault in faults})
        if unknown:
            raise ValueError(f"no such kind of fault: {', '.join(sorted(unknown))}")

    def _taken(self, code: str, wanted: Fits, *, at_most: int) -> list[Fault]:
        chosen: list[Fault] = []
        for fault in self._faults:
            if fault.code not in (code, "*") or fault.count == 0 or not wanted(fault):
                continue
            if fault.after > 0:
                fault.after -= 1
            elif len(chosen) < at_most and self._random.random() < fault.probability:
                chosen.append(fault)
        for fault in chosen:
            fault.fired += 1
            if fault.count is not None:
                fault.count -= 1
        return chosen


@dataclass(frozen=True, slots=True)
class Refusal:
    """An arrival above a ceiling. `ceiling` is for people (`1/60 s`); `retry_after` is the header's text."""

    ceiling: str
    retry_after: str
    retry_after_seconds: float


@dataclass(slots=True)
class Kernel:
    """What a listener shares between its admin routes, its middleware and its platform code."""

    clock: Clock
    menu: FaultMenu
    calls: CallLog
    ledger: Ledger
    enforce: bool = True

    @classmethod
    def of(cls, clock: Clock, config: dict[str, Any]) -> Self:
        """Reads `faults` (a menu to begin with), `seed` and `enforce` from the listener's config."""
        menu = FaultMenu(config.get("faults", ()), config.get("seed"))
        return cls(clock, menu, CallLog(clock), Ledger(clock), bool(config.get("enforce", True)))


CodeOf = Callable[[Scope, bytes], str | None]
Admit = Callable[[LoggedCall, Scope, bytes], Refusal | None]
ErrorBody = Callable[[int], Any]


def plain_error_body(status: int) -> Any:
    return {"status": status, "message": "Too many requests" if status == 429 else "Sandbox fault"}


def instrument(
    app: Starlette,
    kernel: Kernel,
    *,
    code_of: CodeOf,
    admit: Admit | None = None,
    error_body: ErrorBody = plain_error_body,
    kinds: Iterable[str] | None = None,
) -> Starlette:
    """Adds the /_sandbox routes and puts the fault middleware in front; returns the same app."""
    from app.sandbox.admin import admin_routes  # admin shows what this module keeps

    if kinds is not None:
        kernel.menu.know(kinds)
    app.router.routes.extend(admin_routes(kernel))
    app.add_middleware(FaultMiddleware, kernel=kernel, code_of=code_of, admit=admit, error_body=error_body)
    return app


class FaultMiddleware:
    """ASGI middleware; see the top of this module."""

    def __init__(
        self, app: ASGIApp, kernel: Kernel, code_of: CodeOf, admit: Admit | None, error_body: ErrorBody
    ) -> None:
        self._app = app
        self._kernel = kernel
        self._code_of = code_of
        self._admit = admit
        self._error_body = error_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._kernel.clock.run_due()
        if scope["path"].startswith("/_sandbox/"):
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        if body is None:
            return  # the client went before its request was complete: nothing arrived
        exchange = self._open(scope, receive, send, body)
        refusal = self._refusal(exchange)
        if refusal is not None:
            headers = [(b"retry-after", refusal.retry_after.encode())]
            await exchange.answer(429, self._json(429), headers=headers)
            return
        fault = self._kernel.menu.take_generic(exchange.call.code, exchange.call.path.encode() + body)
        if fault is None:
            await exchange.run(exchange.send)
        else:
            exchange.call.fault = fault.kind
            await self._serve_fault(fault, exchange)

    def _open(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> Exchange:
        effect = next((v.decode("latin-1") for n, v in scope["headers"] if n == b"x-effect-id"), None)
        code = self._code_of(scope, body) or "unknown"
        call = self._kernel.calls.arrived(code, scope["method"], scope["path"], effect)
        return Exchange(self._app, scope, receive, send, body, call)

    def _refusal(self, exchange: Exchange) -> Refusal | None:
        """Records a violation; returns what to answer, or None when the call may go on."""
        calls, call = self._kernel.calls, exchange.call
        refusal: Refusal | None = None
        waiting = calls.closed_for(call.code)
        if waiting > 0.001:
            whole = str(int(-(-waiting // 1)))
            refusal = Refusal("Retry-After", whole, float(whole))
        elif self._admit is not None:
            refusal = self._admit(call, exchange.scope, exchange.body)
        if refusal is None:
            return None
        calls.violated(call, refusal.ceiling)
        if not self._kernel.enforce:
            return None
        # An early return does not lengthen the wait it ignored.
        calls.refused(call.code, None if refusal.ceiling == "Retry-After" else refusal.retry_after_seconds)
        return refusal

    async def _serve_fault(self, fault: Fault, exchange: Exchange) -> None:
        if fault.kind == "late":
            self._apply_later(fault, exchange)
            await exchange.hang_up()
            return
        captured = await exchange.capture() if fault.applies() else None
        match fault.kind:
            case "drop" | "drop_after":
                await exchange.hang_up()
            case "hang" | "hang_after":
                await exchange.until_client_goes()
            case "cut" if captured is not None:
                await exchange.cut(captured, fault.at_byte)
            case "slow" if captured is not None:
                await exchange.trickle(captured, fault.seconds)
            case "huge":
                await exchange.flood()
            case _:
                await self._answer_fault(fault, exchange)

    def _apply_later(self, fault: Fault, exchange: Exchange) -> None:
        async def apply() -> None:
            await exchange.capture()

        clock = self._kernel.clock
        clock.at(clock.timestamp() + fault.seconds, apply)

    async def _answer_fault(self, fault: Fault, exchange: Exchange) -> None:
        """The kinds that are a whole answer, only a wrong one."""
        body = fault.body.encode() if fault.body is not None else None
        status, headers, content_type = fault.status or 200, list[tuple[bytes, bytes]](), "application/json"
        match fault.kind:
            case "status" | "status_after":
                status = fault.status or 503
                body = body if body is not None else self._json(status)
            case "too_many":
                status, body = 429, body if body is not None else self._json(429)
            case "html" | "html_after":
                body, content_type = body or _LOGIN_PAGE, "text/html; charset=utf-8"
            case "bad_json":
                body = body or b'{"import_id": "5f3c1d2e", "offers": [1, 2'
            case "deep_json":
                body = b"[" * 10_000 + b"]" * 10_000
            case "redirect":
                status, headers = fault.status or 302, [(b"location", body or b"/login")]
                body = b""
            case _:
                pass  # empty, and the kinds served elsewhere
        if status == 429:
            self._kernel.calls.refused(exchange.call.code, self._binding_wait(fault.retry_after))
        if fault.retry_after is not None:
            headers.append((b"retry-after", fault.retry_after.encode("latin-1")))
        await exchange.answer(status, body or b"", headers=headers, content_type=content_type)

    def _binding_wait(self, text: str | None) -> float | None:
        """App seconds a Retry-After asks for, when it is a sane plain number; None otherwise."""
        if text is None or not text.strip().isdecimal():
            return None
        seconds = float(text)
        if seconds > 1_000_000_000:
            seconds -= self._kernel.clock.timestamp()
        return seconds if 0 < seconds <= _LONGEST_BINDING_WAIT_SECONDS else None

    def _json(self, status: int) -> bytes:
        return json.dumps(self._error_body(status)).encode()
