"""Traces: what led to what, from a fact's arrival over the outbox to the call it caused, exported over OTLP/HTTP.

Spans are `webhook` and `event page` (intake), `<flow> pass`, and one for each outside call, named by its code. A key
keeps the W3C context of the span in which it was marked, and the pass that works it goes on from there. Attributes come
from the one allow-list that logs go by too. Where no endpoint is set, nothing is made and nothing stored. A dead
collector never slows work (spans wait in a bounded queue, then they are dropped), nor the end by more than 2 s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from threading import Thread
from typing import TYPE_CHECKING, Protocol, TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.telemetry.logs import ALLOWED

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Attribute: TypeAlias = str | int | float | bool | None

SHUTDOWN_SECONDS = 2.0
EXPORT_SECONDS = 2.0
MOST_LINKS = 64
"""A pass of thousands of keys names the first few causes."""
_PARENT = "traceparent"
_w3c = TraceContextTextMapPropagator()
_provider: TracerProvider | None = None
_tracer: Tracer | None = None
_attempts: ContextVar[int] = ContextVar("attempts", default=1)


class Traced(Protocol):
    """A claimed key, as far as traces know it."""

    @property
    def key(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def trace(self) -> str | None: ...


class Saying:
    """Adds to the span of a `with` block; says nothing where there is none."""

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def __call__(self, **attributes: Attribute) -> None:
        """Attributes; None is left out."""
        if self._span is not None:
            self._span.set_attributes(_listed(attributes))

    def failed(self) -> None:
        """It did not do what it was for."""
        if self._span is not None:
            self._span.set_status(StatusCode.ERROR)


SpanBlock: TypeAlias = contextlib.AbstractContextManager[Saying]
_NO_SPAN: SpanBlock = contextlib.nullcontext(Saying(None))


# ------------------------------------------------------------------------------------------------ life cycle


def configure_tracing(endpoint: str) -> None:
    """Send spans to an OTLP/HTTP endpoint (the whole URL, with /v1/traces); an empty one leaves tracing off."""
    global _provider, _tracer
    if endpoint:
        # Here, since every command would pay for them, and most deployments trace nothing.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)
        resource = Resource.create({"service.name": "centra-mirakl"})
        _provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # at exit it would wait for 30 s
        _provider.add_span_processor(BatchSpanProcessor(exporter))
        _tracer = _provider.get_tracer("centra-mirakl")


def end_tracing() -> None:
    """Flush what is left, at most 2 s, and leave tracing off."""
    global _provider, _tracer
    if _provider is not None:
        ending = Thread(target=_provider.shutdown, daemon=True)
        _provider = _tracer = None
        ending.start()
        ending.join(SHUTDOWN_SECONDS)


# ---------------------------------------------------------------------------------------------------- spans


def span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: Attribute) -> SpanBlock:
    """A span in the current one. One that nobody would export is not made: it costs 30 µs all the same."""
    return _NO_SPAN if _tracer is None else _open(_tracer, name, kind, attributes, None, ())


def pass_span(scope: str, flow: str, claims: Sequence[Traced]) -> SpanBlock:
    """The span of one pass over claimed keys.

    It goes on in the trace that marked them where that is one, else it begins its own, with links to theirs.
    """
    if _tracer is None:
        return _NO_SPAN
    marked_in = [_context(text) for text in _distinct(claims)]
    marked_in = [context for context in marked_in if context.is_valid]
    parent = Context()
    if len({context.trace_id for context in marked_in}) == 1:
        parent = set_span_in_context(NonRecordingSpan(marked_in.pop(0)), parent)
    attempts = max(claim.attempts for claim in claims)
    told: dict[str, Attribute] = {"scope": scope, "flow": flow, "keys": len(claims), "attempts": attempts}
    if len(claims) == 1:
        told["key"] = claims[0].key
    return _of_pass(_open(_tracer, f"{flow} pass", SpanKind.CONSUMER, told, parent, marked_in), attempts)


def webhook_span(scope: str) -> SpanBlock:
    """The span of one webhook. What its sender says of traces is not believed."""
    return span("webhook", SpanKind.SERVER, scope=scope)


def call_span(code: str) -> SpanBlock:
    """The span of one outside call; `attempts` is how often its key was tried since it was last settled."""
    return span(code, SpanKind.CLIENT, code=code, attempts=_attempts.get())


def traceparent() -> str | None:
    """The current span as W3C trace context, to be stored with what it causes; None where there is none."""
    if _tracer is None:
        return None
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier.get(_PARENT)


def exemplar() -> dict[str, str] | None:
    """The labels by which a histogram points to the current trace; None where nobody keeps it."""
    if _tracer is None:
        return None
    context = get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}"} if context.is_valid and context.trace_flags.sampled else None


@contextlib.contextmanager
def _open(
    tracer: Tracer,
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, Attribute],
    parent: Context | None,
    links: Sequence[SpanContext],
) -> Iterator[Saying]:
    """An exception marks the span as failed and says no more: its words may quote a buyer or a secret."""
    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes=_listed(attributes),
        links=[Link(context) for context in links],
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        saying = Saying(opened)
        try:
            yield saying
        except BaseException:
            saying.failed()
            raise


@contextlib.contextmanager
def _of_pass(block: SpanBlock, attempts: int) -> Iterator[Saying]:
    token = _attempts.set(attempts)
    try:
        with block as saying:
            yield saying
    finally:
        _attempts.reset(token)


def _distinct(claims: Sequence[Traced]) -> list[str]:
    """The contexts in which keys were marked, each once, the first few of them."""
    found: dict[str, None] = {}
    for claim in claims:
        if claim.trace is not None:
            found[claim.trace] = None
            if len(found) == MOST_LINKS:
                break
    return list(found)


def _context(text: str) -> SpanContext:
    """The span that a stored context names; an invalid one for text that names none."""
    return get_current_span(_w3c.extract({_PARENT: text}, context=Context())).get_span_context()


def _listed(attributes: Mapping[str, Attribute]) -> dict[str, str | int | float | bool]:
    """What the allow-list lets through, and how much it did not."""
    told = {name: value for name, value in attributes.items() if value is not None and name in ALLOWED}
    dropped = sum(name not in ALLOWED for name in attributes)
    return {**told, "dropped": dropped} if dropped else told
