"""The Mirakl stand-in's order book and its reading of OR11's ceilings, without a socket."""

import itertools
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from app.sandbox.clock import Clock
from app.sandbox.faults import Kernel
from app.sandbox.mirakl.limits import CallLimits
from app.sandbox.mirakl.order_admin import read_order
from app.sandbox.mirakl.order_lists import select, shown
from app.sandbox.mirakl.orders import Order, OrderBook
from app.sandbox.mirakl.state import Shop

MANY = 44_000
WINDOW: dict[str, Any] = {"start_update_date": "2026-03-02T08:00:00Z", "end_update_date": "2026-03-02T09:00:00Z"}
LATER: dict[str, Any] = {**WINDOW, "end_update_date": "2026-03-02T09:05:00Z"}


class Bench:
    """An order book with its clock."""

    def __init__(self, **config: Any) -> None:
        self.clock = Clock()
        self.shop = Shop(config, Kernel.of(self.clock, config))
        self.shop.put_offers([{"sku": "A", "quantity": 10, "price": 20.0}])
        self.book = OrderBook(self.shop)
        self._numbers: Iterator[int] = itertools.count(1)

    def order(self, **members: Any) -> Order:
        return read_order({"lines": [{"sku": "A"}], **members}, self.shop, next(self._numbers))

    def put(self, state: str | None = None, **members: Any) -> Order:
        order = self.order(**members)
        self.book.put([order], state)
        return order

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.clock.run_due()

    def accept(self, order: Order) -> None:
        self.book.accept_elsewhere(order)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


class TestWindows:
    """OR11 without ids: which calls open a window, and which go on with one."""

    @staticmethod
    def ceilings(calls: list[tuple[float, dict[str, Any]]], **config: Any) -> list[str | None]:
        limits = CallLimits(config, enforced=True)
        refusals = [limits.admit("OR11", at, {"query_string": urlencode(q).encode()}, b"") for at, q in calls]
        return [refusal.ceiling if refusal else None for refusal in refusals]

    def test_any_offset_of_the_open_window_is_a_page(self) -> None:
        calls = [(0.0, WINDOW), (1.0, {**WINDOW, "offset": 100}), (2.0, {**WINDOW, "offset": 0, "max": 50})]
        assert self.ceilings(calls) == [None, None, None]

    def test_pages_are_a_second_apart(self) -> None:
        calls = [(0.0, WINDOW), (0.2, {**WINDOW, "offset": 100}), (0.9, {**WINDOW, "offset": 200})]
        assert self.ceilings(calls) == [None, None, "1/1 s"]

    @pytest.mark.parametrize(
        "other", [LATER, {**WINDOW, "order_state_codes": "SHIPPING"}, {}, {**LATER, "offset": 100}], ids=str
    )
    def test_other_parameters_open_another_window(self, other: dict[str, Any]) -> None:
        assert self.ceilings([(0.0, WINDOW), (59.0, other), (60.0, other)]) == [None, "1/60 s", None]

    def test_a_refused_window_is_not_open(self) -> None:
        calls = [(0.0, WINDOW), (30.0, LATER), (31.0, {**LATER, "offset": 100}), (32.0, {**WINDOW, "offset": 100})]
        assert self.ceilings(calls) == [None, "1/60 s", "1/60 s", None]

    def test_partners_open_one_in_fifteen_minutes(self) -> None:
        calls = [(0.0, WINDOW), (1.0, {**WINDOW, "offset": 100}), (899.0, LATER), (900.0, LATER)]
        assert self.ceilings(calls, profile="external_partner") == [None, None, "1/900 s", None]

    def test_reads_are_not_counted_with_passes_and_only_a_loop_is_refused(self) -> None:
        read = {"order_ids": "A,B"}
        assert self.ceilings([(0.0, WINDOW), (0.1, read), (0.6, read), (0.9, read)]) == [None, None, None, "1/0.5 s"]


class TestBook:
    async def test_what_was_planned_for_an_earlier_state_does_not_happen(self, bench: Bench) -> None:
        order = bench.put(debit={"seconds": 100})
        bench.accept(order)
        await bench.advance(50)
        bench.book.enter(order, "SHIPPING")
        bench.book.enter(order, "WAITING_DEBIT_PAYMENT")
        bench.book.cancel(order)
        await bench.advance(4 * 86_400)
        assert (order.state, order.lines[0].state) == ("CANCELED", "CANCELED")

    async def test_the_earlier_of_debit_and_its_time_limit_counts(self, bench: Bench) -> None:
        bench.shop.change({"orders": {"debit_timeout_seconds": 1_000}})
        late, early = bench.put(debit={"seconds": 1_001}), bench.put(debit={"seconds": 999})
        for order in (late, early):
            bench.accept(order)
        await bench.advance(1_002)
        assert (late.state, early.state) == ("CANCELED", "SHIPPING")

    async def test_moves_happen_at_their_own_time_however_far_the_clock_jumps(self, bench: Bench) -> None:
        order = bench.put()
        bench.accept(order)
        await bench.advance(86_400)
        assert order.accepted_at is not None
        assert order.debited_at is not None
        assert order.debited_at - order.accepted_at == pytest.approx(60, abs=0.01)
        assert order.updated_at - order.accepted_at == pytest.approx(60, abs=0.01)

    async def test_a_past_deadline_lapses_now_and_is_updated_now(self, bench: Bench) -> None:
        order = bench.put(created_ago_seconds=10 * 86_400)
        await bench.advance(0)
        assert (order.state, order.reason) == ("REFUSED", "ACCEPTANCE_TIMEOUT")
        assert bench.clock.timestamp() - order.updated_at < 60

    async def test_an_offer_with_warehouses_goes_to_zero_in_all_of_them(self, bench: Bench) -> None:
        offer = bench.shop.offers["A"]
        offer.set_quantity(3, "NORTH", 0.0)
        offer.set_quantity(4, "SOUTH", 0.0)
        order = bench.put(take_stock=False)
        bench.book.decide(order, frozenset(), "OR21", bench.clock.timestamp())
        assert offer.warehouses == {"NORTH": 0, "SOUTH": 0}

    async def test_history_stands_where_it_is_said_to(self, bench: Bench) -> None:
        order = bench.put("RECEIVED", created_ago_seconds=86_400)
        automatic = bench.put("SHIPPED", acceptance="automatic", created_ago_seconds=86_400)
        assert (order.accepted_at, order.debited_at) == (order.created_at, order.created_at)
        assert (automatic.accepted_at, automatic.can_cancel) == (None, False)
        assert bench.book.shows_addresses(order)

    async def test_ids_are_there_once(self, bench: Bench) -> None:
        order = bench.order(order_id="X-A")
        with pytest.raises(ValueError, match="there already"):
            bench.book.put([order, bench.order(order_id="X-A")])
        assert bench.book.orders == {}

    async def test_prices_convert_there_and_back(self, bench: Bench) -> None:
        taxes = [{"code": "VAT", "amount": 3.33}]
        line = {"sku": "A", "quantity": 3, "price_unit": 19.99, "shipping_price": 4.9, "taxes": taxes}
        order = bench.put(lines=[line])
        own, other = shown(bench.book, order), shown(bench.book, order, "TAX_EXCLUDED")
        assert (own["price"], other["price"]) == (59.97, 56.64)
        assert round(other["price"] + 3.33, 2) == own["price"]
        assert own == shown(bench.book, order, "TAX_INCLUDED")


class TestManyOrders:
    async def test_pages_of_a_full_book_are_read_quickly(self, bench: Bench) -> None:
        orders = [
            bench.order(created_ago_seconds=number % 977, take_stock=False, commercial_id=f"M-{number:05d}")
            for number in range(MANY)
        ]
        bench.book.put(orders, "SHIPPED")
        filters = {"start_update_date": 0.0, "end_update_date": bench.clock.timestamp()}
        started = time.process_time()
        for _ in range(20):
            chosen = select(bench.book, filters)
            page = [shown(bench.book, order) for order in chosen[-100:]]
        took_seconds = time.process_time() - started
        assert (len(chosen), len(page)) == (MANY, 100)
        assert chosen == sorted(orders, key=lambda order: (order.created_at, order.order_id))
        # Some 20 ms a page here; ten times that would be felt by the tests that read the whole book.
        assert took_seconds < 20 * 0.2
