"""Traces: one span for each pass of a flow, exported over OTLP where an endpoint is set, else nothing.

Attributes come from a fixed list, as in the logs. A dead collector never slows work, nor the end by more than 2 s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from threading import Thread

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SHUTDOWN_SECONDS = 2.0
_tracer = trace.get_tracer("centra-mirakl")
_provider: list[TracerProvider] = []
_NO_SPAN = contextlib.nullcontext()


def configure_tracing(endpoint: str) -> None:
    """Send spans to an OTLP/HTTP endpoint; an empty one leaves tracing off."""
    if endpoint:
        provider = TracerProvider(resource=Resource.create({"service.name": "centra-mirakl"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=2)))
        trace.set_tracer_provider(provider)
        _provider.append(provider)


def end_tracing() -> None:
    """Flush what is left, at most 2 s."""
    for provider in _provider:
        ending = Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(SHUTDOWN_SECONDS)


def pass_span(scope: str, flow: str, keys: int) -> contextlib.AbstractContextManager[None]:
    """The span of one pass; one that nobody would export is not made, since it costs 30 µs all the same."""
    return _span(scope, flow, keys) if _provider else _NO_SPAN


@contextlib.contextmanager
def _span(scope: str, flow: str, keys: int) -> Iterator[None]:
    with _tracer.start_as_current_span(f"{flow} pass", attributes={"scope": scope, "flow": flow, "keys": keys}):
        yield
