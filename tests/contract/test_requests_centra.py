"""Every GraphQL document and every request of the Centra client, held against the schema and the samples."""

import json
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate
from graphql.execution.values import get_variable_values

from app.centra.client import CentraClient
from app.centra.operations import all_operations
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused
from app.wire.request import Limits
from app.wire.transport import Transport
from tests.permits_in_memory import PermitsInMemory
from tests.raw_server import answering, http, raw_server

REFERENCE = Path(os.environ.get("CENTRA_MIRAKL_REFERENCE") or Path(__file__).parents[2].parent / "shared" / "reference")
DOCUMENT = REFERENCE / "centra-integration.graphql"
pytestmark = pytest.mark.skipif(
    not DOCUMENT.exists(), reason=f"NOT CHECKED against Centra's schema: no {DOCUMENT.name} found"
)
Call = Callable[[CentraClient], Awaitable[object]]
CALLS: dict[str, Call] = {
    "SetEventListeners": lambda c: c.set_event_listeners(["StockChange", "Order"]),
    "UnsetEventListeners": lambda c: c.unset_event_listeners(["StockChange"]),
    "EventListeners": lambda c: c.list_event_listeners(),
    "StockEvents": lambda c: c.fetch_events(["StockChange", "Warehouse"], warehouse_ids=[3]),
    "OrderEvents": lambda c: c.fetch_events(["Order", "Shipment", "Return"], headroom=1.0),
    "ConfirmEvents": lambda c: c.confirm_events([880101]),
    "SizesById": lambda c: c.read_sizes([5001, 5002], [3, 5]),
    "SizesByVariant": lambda c: c.read_variant_sizes([311], [3]),
    "SizesPage": lambda c: c.page_sizes(2, ()),
    "DisplayItemsPage": lambda c: c.page_display_items(1),
    "Topology": lambda c: c.read_topology(),
    "RateLimits": lambda c: c.read_rate_limits(),
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(DOCUMENT.read_text())


def sample(name: str) -> bytes:
    return (REFERENCE / "samples" / "centra" / f"{name}.response.json").read_bytes()


async def asked(call: Call, answer: bytes, status: int = 200) -> tuple[dict[str, Any], Any]:
    """The body of the first request that a client method makes, and what the method says of the answer."""
    async with raw_server(answering(http(status, answer))) as server:
        transport = Transport(
            server.url,
            headers=lambda: {"Authorization": "Bearer t"},
            now=lambda: datetime.now(UTC),
            limits=Limits(total_seconds=5.0),
        )
        async with transport:
            outcome = await call(CentraClient(transport, PermitsInMemory(), "source"))
        head, body = server.requests[0].split(b"\r\n\r\n", 1)
        assert head.startswith(b"POST /graphql HTTP/1.1\r\n")
        assert b"Authorization: Bearer t\r\n" in head
        assert b"Content-Type: application/json" in head
        return json.loads(body), outcome


@pytest.mark.parametrize("operation", all_operations(), ids=lambda operation: operation.name)
def test_a_document_is_valid(schema: GraphQLSchema, operation: Any) -> None:
    document = parse(operation.text)
    assert [error.message for error in validate(schema, document)] == []
    [node] = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    assert node.name is not None
    assert node.name.value == operation.name
    assert (node.operation.value == "mutation") is operation.is_mutation


def test_mutations_always_ask_for_errors_and_warnings() -> None:
    for operation in all_operations():
        if operation.is_mutation:
            assert "userErrors {" in operation.text
            assert "userWarnings {" in operation.text


@pytest.mark.parametrize("name", CALLS)
async def test_a_request_fits_its_document(schema: GraphQLSchema, name: str) -> None:
    body, _ = await asked(CALLS[name], b'{"data":null}')
    assert set(body) == {"query", "operationName", "variables"}
    assert body["operationName"] == name
    document = parse(body["query"])
    assert validate(schema, document) == []
    [node] = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    definitions = node.variable_definitions or ()
    values = get_variable_values(schema, definitions, body["variables"])
    assert not isinstance(values, list), values
    declared = {definition.variable.name.value for definition in definitions}
    assert set(body["variables"]) <= declared


async def test_the_samples_are_read(schema: GraphQLSchema) -> None:
    _, confirmed = await asked(CALLS["ConfirmEvents"], sample("events_confirm"))
    assert value_of(confirmed).ids == (880101, 880102, 880103, 880104, 880105)
    _, listening = await asked(CALLS["SetEventListeners"], sample("events_set_listeners"))
    assert len(value_of(listening).listeners) == 9
    _, limits = await asked(CALLS["RateLimits"], sample("rate_limits"))
    assert {limit.name: limit.remaining for limit in value_of(limits)}["requests.1h"] == 4588
    _, sizes = await asked(lambda c: c.read_sizes([5001, 5003, 5009], [3]), sample("stock_by_size_ids"))
    assert {size.id: size.stock[0].free for size in value_of(sizes).sizes} == {5001: 6, 5002: 1, 5003: 0}
    assert value_of(sizes).missing_ids == (5009,)
    assert value_of(sizes).sizes[0].sku == "NW1001BLKS"


async def test_the_sample_events_are_read_with_their_gone_object() -> None:
    _, outcome = await asked(CALLS["StockEvents"], sample("events_fetch"))
    events = value_of(outcome).events
    assert [event.id for event in events] == [880101, 880102, 880103, 880104, 880105]
    assert [event.is_gone for event in events] == [False] * 4 + [True]
    assert events[4].object_id == 299
    _, orders = await asked(CALLS["OrderEvents"], sample("events_fetch"))
    assert value_of(orders).events[1].order_number == 40321


async def test_the_sample_of_a_missing_permission_is_a_matter_of_credentials() -> None:
    for status in (200, 400, 403):
        _, outcome = await asked(CALLS["SizesPage"], sample("error_permission"), status)
        assert isinstance(outcome, Refused)
        assert outcome.kind is RefusalKind.CREDENTIALS
        assert "Order:read" in outcome.reason


def value_of(outcome: Outcome[Any]) -> Any:
    assert isinstance(outcome, Applied), outcome
    return outcome.value
