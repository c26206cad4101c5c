"""Each client method against the stand-ins of both platforms, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
import pytest_asyncio

from app.centra.client import CentraClient
from app.centra.graphql import FIRST_COST
from app.mirakl.client import MiraklClient
from app.mirakl.offer_schema import LiveOffer
from app.mirakl.schema import StockLine
from app.wire.outcome import Applied, NotSent, Outcome, RefusalKind, Refused, Unknown
from app.wire.permit import Permit
from app.wire.request import Limits
from app.wire.transport import Transport
from tests.permits_in_memory import PermitsInMemory
from tests.standins import Json, Sandbox

T = TypeVar("T")
SHOP_ID = 2001
STOCK_TYPES = ("StockChange", "ProductSize", "ProductVariant")


@dataclass
class Both:
    sandbox: Sandbox
    centra: CentraClient
    mirakl: MiraklClient
    permits: PermitsInMemory

    @property
    def shop(self) -> str:
        return self.sandbox.mirakl["demo-fr"]


def transport_to(address: str, key: str, **limits: float) -> Transport:
    return Transport(
        address,
        headers=lambda: {"Authorization": key},
        now=lambda: datetime.now(UTC),
        limits=Limits(**{"total_seconds": 5.0, **limits}),  # type: ignore[arg-type]
    )


@pytest_asyncio.fixture
async def both(sandbox: Callable[[Json], Sandbox]) -> AsyncIterator[Both]:
    offers = [{"sku": f"VX-{n}-M", "quantity": n} for n in range(3)]
    stand_ins = await asyncio.to_thread(
        sandbox,
        {
            "clock": {"scale": 60.0},
            "centra": {"token": "t-centra", "plan": "Enterprise", "catalogue": {"sizes": 30}},
            "mirakl": [
                {
                    "id": "demo-fr",
                    "key": "k-fr",
                    "shop_id": SHOP_ID,
                    "currency": "EUR",
                    "offers": offers,
                    "import_seconds": 1.0,
                }
            ],
        },
    )
    permits = PermitsInMemory()
    async with (
        transport_to(stand_ins.centra, "Bearer t-centra") as to_centra,
        transport_to(stand_ins.mirakl["demo-fr"], "k-fr") as to_mirakl,
    ):
        yield Both(
            stand_ins,
            CentraClient(to_centra, permits, "source"),
            MiraklClient(to_mirakl, permits, "demo-fr", SHOP_ID),
            permits,
        )


def value_of(outcome: Outcome[T]) -> T:
    assert isinstance(outcome, Applied), outcome
    return outcome.value


async def until(ask: Callable[[], object], wanted: Callable[[object], bool], seconds: float = 15.0) -> object:
    """Ask again until the answer is the wanted one; ceilings of the stand-in may turn some asks away."""
    deadline = asyncio.get_running_loop().time() + seconds
    answer: object = None
    while asyncio.get_running_loop().time() < deadline:
        answer = await ask()  # type: ignore[misc]
        if wanted(answer):
            return answer
        await asyncio.sleep(0.1)
    raise AssertionError(f"still {answer} after {seconds} s")


async def test_reference_data_of_the_marketplace(both: Both) -> None:
    mirakl = both.mirakl
    assert value_of(await mirakl.v01_check_version()) is None
    account = value_of(await mirakl.a01_get_account())
    assert (account.shop_id, account.currency_iso_code, account.shop_state) == (SHOP_ID, "EUR", "OPEN")
    configuration = value_of(await mirakl.pc01_get_configuration())
    assert configuration.features is not None
    assert configuration.features.order_workflows is not None
    assert configuration.features.order_workflows.order_acceptance
    for items in (
        value_of(await mirakl.of61_list_offer_states()),
        value_of(await mirakl.sh21_list_carriers()),
        value_of(await mirakl.re01_list_reasons()),
        value_of(await mirakl.or75_list_taxes()),
    ):
        assert items.items
        assert not items.unreadable
    assert not value_of(await mirakl.af01_list_additional_fields()).unreadable


async def test_a_stock_import_from_file_to_report(both: Both) -> None:
    permit = await both.mirakl.permit("STO01")
    assert isinstance(permit, Permit)
    lines = [StockLine("VX-1-M", 17), StockLine("VX-NOT-THERE", 3)]
    import_id = value_of(await both.mirakl.sto01_import_stock(lines, permit=permit, effect_id="e-771"))

    done = await until(
        lambda: both.mirakl.sto02_get_stock_import(import_id),
        lambda answer: isinstance(answer, Applied) and answer.value.status == "COMPLETE",
    )
    assert isinstance(done, Applied)
    assert (done.value.lines_in_success, done.value.lines_in_error) == (1, 1)
    assert done.value.has_error_report
    [error] = value_of(await both.mirakl.sto03_get_stock_import_errors(import_id))
    assert (error.line, error.sku, error.quantity) == (3, "VX-NOT-THERE", "3")
    assert error.message

    ledger = await both.sandbox.ledger(both.shop)
    assert any(entry.get("effect") == "e-771" or "e-771" in str(entry) for entry in ledger["entries"])


async def test_an_export_from_order_to_file(both: Both) -> None:
    since = datetime.now(UTC) - timedelta(days=1)
    tracking_id = value_of(await both.mirakl.of52_export_offers(since))
    done = await until(
        lambda: both.mirakl.of53_get_export(tracking_id),
        lambda answer: isinstance(answer, Applied) and answer.value.status == "COMPLETED",
    )
    assert isinstance(done, Applied)
    offers = [offer for url in done.value.urls for offer in value_of(await both.mirakl.of54_read_live_offers(url))]
    assert {(offer.shop_sku, offer.quantity) for offer in offers if isinstance(offer, LiveOffer)} >= {
        ("VX-1-M", 1),
        ("VX-2-M", 2),
    }


async def test_a_wrong_key_and_an_unknown_import_are_refused_with_their_kind(both: Both) -> None:
    async with transport_to(both.shop, "k-wrong") as transport:
        stranger = MiraklClient(transport, both.permits, "demo-fr", SHOP_ID)
        refused = await stranger.a01_get_account()
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.CREDENTIALS
    missing = await both.mirakl.sto02_get_stock_import("00000000-0000-0000-0000-000000000000")
    assert isinstance(missing, Refused)
    assert missing.kind is RefusalKind.MISSING


async def test_a_ceiling_turns_the_call_away_and_closes_its_permits(both: Both) -> None:
    value_of(await both.mirakl.sto01_import_stock([StockLine("VX-1-M", 1)]))
    turned_away = await both.mirakl.sto01_import_stock([StockLine("VX-1-M", 2)])
    assert isinstance(turned_away, NotSent)
    assert turned_away.turned_away
    assert 0 < (turned_away.retry_at_seconds or 0) <= 60
    waiting = await both.mirakl.sto01_import_stock([StockLine("VX-1-M", 2)])
    assert isinstance(waiting, NotSent)
    assert not waiting.turned_away
    calls = await both.sandbox.calls(both.shop, "STO01")
    assert calls["calls"]["STO01"] == 2


async def test_a_lost_answer_is_unknown_and_was_applied(both: Both) -> None:
    await both.sandbox.faults(both.shop, [{"code": "STO01", "kind": "drop_after"}])
    lost = await both.mirakl.sto01_import_stock([StockLine("VX-2-M", 40)], effect_id="e-lost")
    assert isinstance(lost, Unknown)
    found = await until(lambda: both.sandbox.ledger(both.shop), lambda ledger: "e-lost" in str(ledger), seconds=10)
    assert "VX-2-M" in str(found)


async def test_topology_sizes_and_display_items(both: Both) -> None:
    topology = value_of(await both.centra.read_topology())
    assert topology.stores
    assert topology.pricelists
    assert topology.pricelists[0].currency_code
    assert not topology.unreadable
    market = next(market for market in topology.markets if market.allocation_rule is not None)
    assert market.allocation_rule is not None
    direct = [
        warehouse
        for warehouse in topology.warehouses
        if warehouse.allocation_policy == "DIRECT" and market.allocation_rule.id in warehouse.rule_ids
    ]
    assert direct
    warehouse_ids = [warehouse.id for warehouse in direct]

    page = value_of(await both.centra.page_sizes(1, warehouse_ids, limit=20))
    assert len(page.sizes) == 20
    assert not page.is_last
    assert value_of(await both.centra.page_sizes(2, warehouse_ids, limit=20)).is_last
    known = page.sizes[0]
    assert known.sku
    assert known.variant is not None
    assert known.variant.product is not None
    assert {row.warehouse_id for row in known.stock} <= set(warehouse_ids)

    read = value_of(await both.centra.read_sizes([known.id, 999_999], warehouse_ids))
    assert [size.id for size in read.sizes] == [known.id]
    assert read.missing_ids == (999_999,)
    siblings = value_of(await both.centra.read_variant_sizes([known.variant.id or 0], warehouse_ids))
    assert known in siblings.sizes

    items = value_of(await both.centra.page_display_items(1))
    assert known.id in {size_id for item in items.items for size_id in item.size_ids}


async def test_events_from_listening_to_confirming(both: Both) -> None:
    centra = both.centra
    listening = value_of(await centra.set_event_listeners([*STOCK_TYPES, "Order", "Shipment", "Return"]))
    assert {listener.object_type for listener in listening.listeners} >= set(STOCK_TYPES)
    assert len(value_of(await centra.list_event_listeners())) == 6

    size = value_of(await centra.page_sizes(1, (), limit=1)).sizes[0]
    await both.sandbox.post(both.sandbox.centra, "/_sandbox/stock", {"changes": [{"size_id": size.id, "fta": 41}]})
    sold = {"sku": size.sku, "quantity": 1}
    order = await both.sandbox.post(both.sandbox.centra, "/_sandbox/orders", sold)

    warehouse_ids = [warehouse.id for warehouse in value_of(await centra.read_topology()).warehouses]
    stock = value_of(await centra.fetch_events(STOCK_TYPES, warehouse_ids=warehouse_ids))
    changed = [event for event in stock.events if event.object_type == "StockChange"]
    assert size.id in {each.id for event in changed for each in event.sizes}
    assert any(row.free == 40 for event in changed for each in event.sizes for row in each.stock)
    assert not stock.unreadable
    assert not stock.is_full

    orders = value_of(await centra.fetch_events(["Order", "Shipment", "Return"], headroom=1.0))
    created = next(event for event in orders.events if event.object_type == "Order")
    assert created.order_number == order.get("number")
    assert created.size_ids == (size.id,)

    ids = [event.id for event in (*stock.events, *orders.events)]
    assert set(value_of(await centra.confirm_events(ids)).ids) == set(ids)
    assert not value_of(await centra.fetch_events(STOCK_TYPES)).events
    value_of(await centra.unset_event_listeners(STOCK_TYPES))
    left = value_of(await centra.list_event_listeners())
    assert not {listener.object_type for listener in left} & set(STOCK_TYPES)


async def test_the_cost_of_an_operation_is_learnt_and_charged(both: Both) -> None:
    limits = {limit.name: limit for limit in value_of(await both.centra.read_rate_limits())}
    assert set(limits) == {
        f"{kind}.{window}" for kind in ("requests", "mutations", "complexity") for window in ("10s", "1h")
    }
    bucket = both.permits.open("source", "complexity.1h", 1_000_000.0, 1e-9)
    value_of(await both.centra.page_sizes(1, (3,), limit=20))
    first = 1_000_000.0 - bucket.tokens
    assert 0 < first != FIRST_COST
    value_of(await both.centra.page_sizes(2, (3,), limit=20))
    assert 1_000_000.0 - bucket.tokens == pytest.approx(2 * first)
    value_of(await both.centra.page_sizes(1, (3,), limit=200))
    dearer = 1_000_000.0 - bucket.tokens - 2 * first
    assert dearer > 5 * first / 2


async def test_a_permission_taken_away_is_a_matter_of_credentials_and_named(both: Both) -> None:
    await both.sandbox.post(
        both.sandbox.centra,
        "/_sandbox/tokens",
        {"token": "t-centra", "remove": ["ProductSize.stock:read"]},
    )
    refused = await both.centra.page_sizes(1, (3,))
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.CREDENTIALS
    assert "ProductSize.stock:read" in refused.reason


async def test_another_integration_that_ate_the_allowance_makes_us_wait(both: Both) -> None:
    await both.sandbox.scale(1)
    await both.sandbox.post(both.sandbox.centra, "/_sandbox/limits", {"plan": "Growth"})
    await both.sandbox.post(both.sandbox.centra, "/_sandbox/consume", {"requests": 5_000})
    answer = await both.centra.list_event_listeners()
    assert isinstance(answer, NotSent)
    assert answer.turned_away
    assert 0 < (answer.retry_at_seconds or 0) <= 3600
