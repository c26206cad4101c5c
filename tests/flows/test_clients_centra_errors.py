"""Centra's three layers of errors, partial answers, and what they leave of a call."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from app.centra.client import CentraClient
from app.wire.outcome import Applied, NotSent, RefusalKind, Refused, Unknown
from app.wire.request import Limits
from app.wire.transport import Transport
from tests.permits_in_memory import PermitsInMemory
from tests.raw_server import answering, http, raw_server

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
Call = Callable[[CentraClient], Awaitable[Any]]


async def said(
    call: Call, body: object, *headers: str, status: int = 200, permits: PermitsInMemory | None = None
) -> Any:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with raw_server(answering(http(status, encoded, *headers))) as server:
        transport = Transport(
            server.url,
            headers=lambda: {"Authorization": "Bearer t"},
            now=lambda: NOW,
            limits=Limits(total_seconds=5.0),
        )
        async with transport:
            return await call(CentraClient(transport, permits or PermitsInMemory(), "source"))


def size(id_: object, **members: object) -> dict[str, object]:
    return {"id": id_, "SKU": f"VX-{id_}", "stock": [], **members}


def sizes(*rows: object, **beside: object) -> dict[str, object]:
    return {"data": {"productSizes": list(rows)}, **beside}


def error(*path: object, category: str = "internal") -> dict[str, object]:
    return {"message": "it broke", "path": list(path), "extensions": {"category": category}}


READ: Call = lambda c: c.read_sizes([1, 2, 3], [3])  # noqa: E731
CONFIRM: Call = lambda c: c.confirm_events([7, 8])  # noqa: E731


async def test_a_size_without_stock_rows_is_empty_and_one_without_stock_is_missing() -> None:
    no_stock = {"id": 2, "SKU": "VX-2", "stock": None}
    answer = (await said(READ, sizes(size(1), no_stock, {"id": 3, "SKU": "VX-3"}))).value
    assert [(each.id, each.stock) for each in answer.sizes] == [(1, ())]
    assert answer.missing_ids == (2, 3)
    assert [bad.id for bad in answer.unreadable] == ["2", "3"]


async def test_values_under_an_errored_path_are_missing_and_the_others_are_read() -> None:
    body = sizes(size(1), size(2), size(3), errors=[error("productSizes", 1, "stock")])
    answer = (await said(READ, body)).value
    assert [each.id for each in answer.sizes] == [1, 3]
    assert answer.missing_ids == (2,)
    assert answer.errors[0].words == "productSizes.1.stock: it broke"


async def test_a_size_with_an_odd_number_holds_only_itself() -> None:
    rows = [{"freeToAllocateQuantity": quantity, "warehouse": {"id": 3}} for quantity in ("4", None, 2.5, "many")]
    answer = (await said(READ, sizes(*(size(n, stock=[row]) for n, row in enumerate(rows, 1))))).value
    assert [(each.id, each.stock[0].free) for each in answer.sizes] == [(1, 4), (2, None)]
    assert answer.missing_ids == (3,)


@pytest.mark.parametrize(
    "body",
    [
        sizes(size(1), errors=[error("productSizes")]),
        sizes(size(1), errors=[{"message": "somewhere"}]),
        sizes(size(1), errors=[error("productSizes", "first")]),
        {"data": None, "errors": [error("productSizes", 0)]},
        {"data": {}},
        {"data": {"productSizes": None}},
        {"data": None},
        {},
        {"errors": []},
        {"errors": [error("productSizes")]},
    ],
)
async def test_an_answer_that_may_be_wrong_anywhere_is_unknown(body: object) -> None:
    assert isinstance(await said(READ, body), Unknown)


async def test_a_request_that_was_never_run_is_refused() -> None:
    body = {"errors": [{"message": 'Cannot query field "UPC"', "extensions": {"category": "graphql"}}]}
    for status in (200, 400):
        outcome = await said(READ, body, status=status)
        assert isinstance(outcome, Refused)
        assert outcome.kind is RefusalKind.INVALID
        assert "UPC" in outcome.reason


def payload(**members: object) -> dict[str, object]:
    return {"data": {"confirmEvents": {"events": [], "userErrors": [], "userWarnings": [], **members}}}


async def test_user_errors_refuse_and_warnings_come_beside_the_value() -> None:
    complaint = {"message": "Could not find event", "path": ["input", "eventsIds", 0]}
    refused = await said(CONFIRM, payload(userErrors=[complaint]))
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.USER_ERRORS
    assert refused.errors[0].place == "input.eventsIds.0"
    warned = await said(CONFIRM, payload(events=[{"id": 7}], userWarnings=[{"message": "8 was gone"}]))
    assert isinstance(warned, Applied)
    assert warned.value.ids == (7,)
    assert warned.value.warnings[0].message == "8 was gone"


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"confirmEvents": {"events": [{"id": 7}]}}},
        {"data": {"confirmEvents": None}},
        {**payload(), "errors": [error("confirmEvents", "events")]},
        {"data": None, "errors": [error("confirmEvents")]},
    ],
)
async def test_a_mutation_in_doubt_is_unknown(body: object) -> None:
    assert isinstance(await said(CONFIRM, body), Unknown)


EVENT = {"objectType": "StockChange", "changeType": "CREATED", "objectReference": 15520, "createdAt": "x"}


async def test_a_poison_event_keeps_its_id_and_the_others_are_read() -> None:
    target = {"__typename": "StockChange", "lines": [{"productSize": size(1)}, {"productSize": None}]}
    odd = {"__typename": "StockChange", "lines": [{"productSize": {"id": "one"}}]}
    body = {
        "data": {
            "events": [
                {"id": 1, **EVENT, "object": target},
                {"id": 2, **EVENT, "objectReference": "none"},
                {"id": 3, **EVENT, "object": odd},
                {"id": 4, **EVENT, "objectType": "BrandNewType", "object": {"__typename": "BrandNewType"}},
                {"id": 5, **EVENT, "changeType": "DELETED", "object": None},
                {"id": 6, **EVENT, "object": None},
                {"id": 7, **EVENT, "object": target},
                None,
            ]
        },
        "errors": [error("events", 6, "object", "lines")],
    }
    answer = (await said(lambda c: c.fetch_events(["StockChange"], 8, warehouse_ids=[3]), body)).value
    assert answer.is_full
    by_id = {event.id: event for event in answer.events}
    assert [each.sku for each in by_id[1].sizes] == ["VX-1"]
    assert by_id[1].size_ids == (1,)
    assert by_id[3].unclear.startswith("unreadable object")
    assert (by_id[4].object_type, by_id[4].unclear, by_id[4].sizes) == ("BrandNewType", "", ())
    assert by_id[5].is_gone
    assert not by_id[6].is_gone
    assert by_id[6].unclear
    assert by_id[7].unclear == "it broke"
    assert by_id[7].sizes == ()
    assert [bad.id for bad in answer.unreadable] == ["2", ""]


async def test_a_variant_with_many_sizes_is_unclear_and_one_with_few_names_them() -> None:
    def variant(count: int) -> dict[str, object]:
        return {"__typename": "ProductVariant", "variantSizes": [{"id": n} for n in range(count)]}

    events = [{"id": n, **EVENT, "object": variant(n)} for n in (3, 20)]
    answer = (await said(lambda c: c.fetch_events(["ProductVariant"]), {"data": {"events": events}})).value
    assert answer.events[0].size_ids == (0, 1, 2)
    assert answer.events[1].unclear


async def test_two_queues_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="separately"):
        await said(lambda c: c.fetch_events(["Order", "StockChange"]), {})


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (f"Retry-After: {int(NOW.timestamp()) + 7}", 7.0),
        ("Retry-After: 2026-03-02T08:00:07Z", 7.0),
        ("X-No: header", 10.0),
    ],
)
async def test_a_429_with_a_timestamp_closes_the_whole_environment(header: str, seconds: float) -> None:
    permits = PermitsInMemory()
    body = {"errors": [{"message": "Too Many Requests"}]}
    outcome = await said(READ, body, header, status=429, permits=permits)
    assert isinstance(outcome, NotSent)
    assert outcome.retry_at_seconds == pytest.approx(seconds)
    waits = await said(CONFIRM, payload(), permits=permits)
    assert isinstance(waits, NotSent)
    assert not waits.turned_away
    assert seconds - 2 < (waits.retry_at_seconds or 0) <= seconds


async def test_headroom_keeps_a_share_for_those_who_may_have_more() -> None:
    permits = PermitsInMemory()
    permits.open("source", "requests.10s", 10.0, 1e-6)
    page: Call = lambda c: c.page_sizes(1, [3])  # noqa: E731
    order: Call = lambda c: c.fetch_events(["Order"], headroom=1.0)  # noqa: E731
    pages = [await said(page, sizes(), permits=permits) for _ in range(10)]
    assert sum(isinstance(outcome, Applied) for outcome in pages) == 4
    events = [await said(order, {"data": {"events": []}}, permits=permits) for _ in range(10)]
    assert sum(isinstance(outcome, Applied) for outcome in events) == 6


async def test_complexity_is_charged_as_last_seen_and_corrected() -> None:
    permits = PermitsInMemory()
    bucket = permits.open("source", "complexity.10s", 10_000.0, 1e-6)
    bodies = sizes(extensions={"complexity": 640})
    await said(READ, bodies, permits=permits)
    assert 10_000 - bucket.tokens == pytest.approx(640)
    await said(READ, sizes(extensions={"complexity": None}), permits=permits)
    await said(READ, sizes(extensions=["odd"]), permits=permits)
    assert 10_000 - bucket.tokens == pytest.approx(640 + 2 * 1000)


async def test_a_topology_in_part_is_no_topology_and_an_odd_entry_is_named() -> None:
    data: dict[str, list[object]] = {
        "stores": [{"id": 1}],
        "markets": [{"id": 4, "allocationRule": {"id": 3}}, {"id": "x"}],
        "pricelists": [],
        "warehouses": [{"id": 3, "allocationPolicy": "BRAND_NEW"}],
        "allocationRules": [
            {
                "id": 3,
                "geographyAllocationPriorities": [
                    {
                        "warehousePriorities": [
                            {"priority": 2.0, "warehouse": {"id": 5}},
                            {"priority": 1.0, "warehouse": {"id": 3}},
                        ]
                    }
                ],
            }
        ],
    }
    topology = (await said(lambda c: c.read_topology(), {"data": data})).value
    [market] = topology.markets
    assert market.allocation_rule.geography_allocation_priorities[0].warehouse_ids == (3, 5)
    assert topology.warehouses[0].allocation_policy == "BRAND_NEW"
    assert len(topology.unreadable) == 1
    assert topology.unreadable[0].startswith("markets x:")
    spoilt = {"data": data, "errors": [error("markets", 0, "allocationRule")]}
    assert isinstance(await said(lambda c: c.read_topology(), spoilt), Unknown)
