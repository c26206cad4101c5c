"""One trace leads from a Centra event over the outbox to the call at Mirakl, as a real collector gets it."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.openmetrics.exposition import generate_latest

from app.store import outbox
from app.store.marks import Mark
from app.store.outbox import Claim, Head, Postponed, Settled, Waiting
from app.store.pool import Database, connect
from app.telemetry import metrics
from app.telemetry.logs import ALLOWED
from app.telemetry.tracing import configure_tracing, end_tracing, span, traceparent
from tests.flows.service import FR, Service, running, shape, until
from tests.raw_server import answering, http, raw_server

FLOW = "traced"
PAST = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Span:
    trace: str
    id: bytes
    parent: bytes
    name: str
    attributes: dict[str, str]


def received(request: bytes) -> list[Span]:
    """The spans of one request to the collector."""
    message = ExportTraceServiceRequest.FromString(request.partition(b"\r\n\r\n")[2])
    return [
        Span(
            s.trace_id.hex(),
            s.span_id,
            s.parent_span_id,
            s.name,
            {a.key: a.value.string_value or str(a.value.int_value) for a in s.attributes},
        )
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for s in scope.spans
    ]


@contextlib.asynccontextmanager
async def collecting(spans: list[Span]) -> AsyncIterator[None]:
    """This process traces to a collector, which speaks OTLP over HTTP; what it got is in `spans` afterwards."""
    async with raw_server(answering(http(200))) as collector:
        configure_tracing(f"{collector.url}/v1/traces")
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(end_tracing)  # the collector turns in this loop
            spans += [span for request in collector.requests for span in received(request)]


async def test_one_trace_leads_from_an_event_to_the_call_and_its_confirmation(database_url: str) -> None:
    """A webhook says that something was ordered in Centra. No queue is polled here, so the path is known."""
    spans: list[Span] = []
    async with running(database_url, shape(channel_lines={"centra": "event_poll_seconds = 86400"})) as service:
        await service.webhooks_on(kinds=["integration"])
        sku = (await service.sizes())[0]["sku"]
        async with collecting(spans):
            await service.admin.post(service.centra, "/_sandbox/orders", {"sku": sku, "quantity": 1})
            await service.at_rest()
            await until(lambda: _settled(service), "everything is settled")
    by_id = {span.id: span for span in spans}
    [sent] = [span for span in spans if span.name == "STO01"]
    path, at = [sent.name], sent
    while at.parent:
        at = by_id[at.parent]
        path.append(at.name)
    assert path == ["STO01", "stock pass", "sizes pass", "event page", "events pass", "webhook"]
    assert sent.attributes == {"code": "STO01", "attempts": "1", "outcome": "applied", "status": "201"}
    together = {span.name for span in spans if span.trace == sent.trace}
    assert {"OrderEvents", "SizesById", "imports pass", "STO02"} <= together
    assert {name for span in spans for name in span.attributes} <= ALLOWED - {"dropped"}
    page = generate_latest(metrics.registry).decode()  # type: ignore[no-untyped-call]
    told = [line for line in page.splitlines() if "change_to_confirmed_seconds_bucket" in line]
    assert any(f'# {{trace_id="{sent.trace}"}}' in line for line in told)


async def _settled(service: Service) -> bool:
    """No key is worked, and none that was worked to the end keeps its trace."""
    return not await service.count("SELECT count(*) FROM outbox WHERE trace IS NOT NULL OR claim IS NOT NULL")


async def _mark(database: Database, *keys: str) -> str:
    """Mark keys in a span, and give its context."""
    with span("mark"):
        await database.mark(Mark(FR, FLOW, key) for key in keys)
        context = traceparent()
    assert context is not None
    return context


async def _claims(database: Database) -> dict[str, Claim]:
    async with database.work.acquire() as connection:
        claims = await outbox.claim(connection, FR, FLOW, 1, Head(), 10)
    return {claim.key: claim for claim in claims}


async def test_a_key_keeps_the_first_context_until_it_is_settled(database_url: str) -> None:
    async with collecting([]), connect(database_url) as database:
        first = await _mark(database, "a", "b")
        await _mark(database, "a")
        before = await _claims(database)
        assert {key: claim.trace for key, claim in before.items()} == {"a": first, "b": first}
        second = await _mark(database, "a")  # while it is worked: that is the next round's
        await _mark(database, "a")
        await outbox.settle(database, FR, FLOW, dict.fromkeys(before.values(), Settled(next_at=PAST)))
        again = await _claims(database)
        assert {key: claim.trace for key, claim in again.items()} == {"a": second, "b": None}
        for unfinished in (Postponed(PAST, "busy"), Waiting(PAST)):
            await outbox.settle(database, FR, FLOW, dict.fromkeys(again.values(), unfinished))
            again = await _claims(database)
            assert again["a"].trace == second
        await outbox.settle(database, FR, FLOW, dict.fromkeys(again.values(), Postponed(PAST, "soon", done=True)))
        assert {claim.trace for claim in (await _claims(database)).values()} == {None}
