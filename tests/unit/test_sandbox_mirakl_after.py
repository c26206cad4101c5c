"""The Mirakl stand-in after the sale, without a socket: money to the cent, seek pages, what follows by the clock."""

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from app.sandbox.clock import Clock
from app.sandbox.faults import Kernel
from app.sandbox.mirakl.answers import Refused
from app.sandbox.mirakl.given_back import Entry, Reader
from app.sandbox.mirakl.limits import CallLimits
from app.sandbox.mirakl.lines import Cancelation, Money, cents
from app.sandbox.mirakl.order_admin import read_order
from app.sandbox.mirakl.orders import Order, OrderBook
from app.sandbox.mirakl.pages import Asked
from app.sandbox.mirakl.refunds import Refunds
from app.sandbox.mirakl.state import Shop

MODES = ("TAX_INCLUDED", "TAX_EXCLUDED")


class Bench:
    """An order book with its clock and its refunds."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.shop = Shop({}, Kernel.of(self.clock, {}))
        self.book = OrderBook(self.shop)
        self.refunds = Refunds(self.book)
        self._numbers: Iterator[int] = itertools.count(1)

    def put(self, state: str = "SHIPPING", **members: Any) -> Order:
        line = {"sku": "A", "quantity": 3, "price_unit": 20.0}
        order = read_order({"lines": [line], **members}, self.shop, next(self._numbers))
        self.book.put([order], state)
        return order

    def read(self, *entries: dict[str, Any], tax_mode: str = "TAX_INCLUDED") -> list[Entry]:
        given = [{"reason_code": "17", "shipping_amount": 0, **entry} for entry in entries]
        body = json.dumps({"order_tax_mode": tax_mode, "refunds": given}).encode()
        return Reader(self.book, "REFUND").read(body, "refunds")

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.clock.run_due()


@pytest.fixture
async def bench() -> Bench:
    return Bench()


class TestMoney:
    @given(
        amounts=st.lists(st.integers(200, 50_000), min_size=1, max_size=8),
        shares=st.lists(st.integers(0, 40), min_size=1, max_size=3),
        own_mode=st.booleans(),
        asked_mode=st.booleans(),
    )
    def test_refunds_that_add_up_leave_nothing(
        self, amounts: list[int], shares: list[int], own_mode: bool, asked_mode: bool
    ) -> None:
        """Whatever the parts, in whichever tax mode: the taxes that are computed end with the line's own.

        A cancelation takes the same off a line and plans nothing. No part is smaller than the cents by which the taxes
        of the others were rounded.
        """
        taxes = [sum(amounts) * share // 130 for share in shares]  # less than the price, also with tax
        # The parts are in the mode of the call; the line's price in its own.
        price = sum(amounts) + (0 if own_mode == asked_mode else sum(taxes) if own_mode else -sum(taxes))
        coded = [{"code": f"T{place}", "amount": tax / 100} for place, tax in enumerate(taxes)]
        bench = Bench()
        order = bench.put(
            lines=[{"sku": "A", "price_unit": price / 100, "taxes": coded}],
            tax_mode=MODES[0 if own_mode else 1],
        )
        (line,) = order.lines
        for amount in amounts:
            entry = {"order_line_id": line.line_id, "amount": amount / 100}
            (read,) = bench.read(entry, tax_mode=MODES[0 if asked_mode else 1])
            line.cancelations.append(Cancelation(id="1", money=read.money, quantity=0, reason="17", created_at=0.0))
        assert line.rest == Money(0, 0, (0,) * len(taxes))

    @pytest.mark.parametrize("value", [True, None, "x", "NaN", float("nan"), "Infinity", 1.005, "0.001", [1]])
    def test_what_is_no_amount(self, value: Any) -> None:
        with pytest.raises(ValueError, match=r"no amount|part|NaN|nan"):
            cents(value)

    @pytest.mark.parametrize(("value", "expected"), [(19.97, 1997), ("19.97", 1997), (0, 0), (1e3, 100_000)])
    def test_numbers_and_texts(self, value: Any, expected: int) -> None:
        assert cents(value) == expected


class TestReading:
    async def test_a_line_named_twice_is_added_up(self, bench: Bench) -> None:
        order = bench.put()
        entry = {"order_line_id": f"{order.order_id}-1", "amount": 40}
        assert len(bench.read(entry, {**entry, "amount": 20})) == 2
        with pytest.raises(Refused, match="left"):
            bench.read(entry, {**entry, "amount": 20.01})

    async def test_a_tax_is_part_of_its_amount(self, bench: Bench) -> None:
        line = {"sku": "A", "price_unit": 20.0, "taxes": [{"code": "VAT", "amount": 4}]}
        order = bench.put(lines=[line])
        entry = {"order_line_id": f"{order.order_id}-1", "amount": 1, "taxes": [{"code": "VAT", "amount": 1.01}]}
        with pytest.raises(Refused, match="exceed the amount"):
            bench.read(entry)
        (read,) = bench.read(entry, tax_mode="TAX_EXCLUDED")
        assert (read.money.goods, read.money.taxes) == (100, (101,))


class TestWhatFollows:
    async def test_history_has_left_already(self, bench: Bench) -> None:
        order = bench.put("RECEIVED", created_ago_seconds=86_400)
        (line,) = order.lines
        assert (line.shipped, line.to_ship, line.shipped_at is None) == (3, 0, False)
        assert order.received_at is not None

    @pytest.mark.parametrize(
        ("workflow", "states"),
        [
            ("PAY_ON_SHIPMENT", [False, True, True]),
            ("PAY_ON_DUE_DATE", [False, True, True]),
            ("PAY_ON_DELIVERY", [False, False, True]),
            ("NO_CUSTOMER_PAYMENT_CONFIRMATION", [False, False, False]),
        ],
    )
    async def test_later_debits(self, bench: Bench, workflow: str, states: list[bool]) -> None:
        order = bench.put(payment_workflow=workflow, debit={"seconds": 60})
        seen = []
        for state in ("SHIPPING", "SHIPPED", "RECEIVED"):
            bench.book.enter(order, state)
            await bench.advance(60)
            seen.append(order.debited_at is not None)
        assert seen == states

    async def test_one_that_was_moved_on_is_left_alone(self, bench: Bench) -> None:
        order = bench.put("SHIPPED")
        bench.book.enter(order, "TO_COLLECT")
        await bench.advance(7 * 86_400)
        assert order.state == "RECEIVED"
        bench.book.enter(order, "CLOSED")
        await bench.advance(200 * 86_400)
        assert (order.state, order.reason) == ("CLOSED", None)

    async def test_a_refund_that_nobody_settles(self, bench: Bench) -> None:
        bench.shop.change({"orders": {"refund_seconds": None}})
        order = bench.put()
        (refund,) = bench.refunds.refund(bench.read({"order_line_id": f"{order.order_id}-1", "amount": 1}), "OR28")
        await bench.advance(30 * 86_400)
        assert refund.state == "WAITING_REFUND_PAYMENT"
        bench.refunds.settle(order, order.lines[0], refund)
        bench.refunds.settle(order, order.lines[0], refund)
        settled = bench.shop.kernel.ledger.public(code="REFUNDED")
        assert (refund.state, len(settled["entries"])) == ("REFUNDED", 1)

    async def test_an_order_all_of_which_was_refunded_unshipped_stays(self, bench: Bench) -> None:
        order = bench.put()
        entry = {"order_line_id": f"{order.order_id}-1", "amount": 60, "quantity": 3, "excluded_from_shipment": True}
        bench.refunds.refund(bench.read(entry), "OR28")
        await bench.advance(120)
        assert (order.state, order.lines[0].state, order.lines[0].to_ship) == ("SHIPPING", "REFUNDED", 0)


class TestPages:
    """By an instant and then by id, whatever happens between two pages."""

    @staticmethod
    def page(rows: dict[str, float], **parameters: Any) -> dict[str, Any]:
        scope = {"type": "http", "query_string": urlencode(parameters, doseq=True).encode(), "headers": []}
        asked = Asked(Request(scope), "at")
        keep = asked.values("only")
        chosen = [row for row in rows if not keep or row in keep]
        found: dict[str, Any] = asked.page(chosen, lambda row: (rows[row], row), lambda row: {"id": row}).body
        return found

    def walk(self, rows: dict[str, float], **parameters: Any) -> Iterator[list[str]]:
        answer = self.page(rows, **parameters)
        yield [row["id"] for row in answer["data"]]
        while token := answer.get("next_page_token"):
            answer = self.page(rows, page_token=token)
            yield [row["id"] for row in answer["data"]]

    def test_equal_instants_go_by_id(self) -> None:
        rows = {"b": 1.0, "a": 1.0, "c": 0.5}
        assert list(self.walk(rows, limit=1)) == [["c"], ["a"], ["b"]]
        assert list(self.walk(rows, limit=2, sort="at,DESC")) == [["b", "a"], ["c"]]

    def test_a_row_that_goes_takes_nobody_with_it(self) -> None:
        rows = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
        pages = self.walk(rows, limit=2)
        first = next(pages)
        del rows["a"]
        assert [first, *pages] == [["a", "b"], ["c", "d"]]

    def test_the_token_holds_the_filters(self) -> None:
        rows = dict.fromkeys("abcd", 1.0)
        assert list(self.walk(rows, limit=1, only=["a", "d"])) == [["a"], ["d"]]

    @pytest.mark.parametrize("parameters", [{"limit": 0}, {"limit": 101}, {"sort": "at,UP"}, {"page_token": "e30="}])
    def test_nonsense(self, parameters: dict[str, Any]) -> None:
        with pytest.raises(Refused):
            self.page({}, **parameters)


class TestCeilings:
    @staticmethod
    def ceilings(code: str, calls: list[tuple[float, dict[str, Any]]]) -> list[str | None]:
        limits = CallLimits({}, enforced=True)
        refusals = [limits.admit(code, at, {"query_string": urlencode(q).encode()}, b"") for at, q in calls]
        return [refusal.ceiling if refusal else None for refusal in refusals]

    @pytest.mark.parametrize("code", ["RT11", "ST12"])
    def test_further_pages_are_no_polls(self, code: str) -> None:
        calls: list[tuple[float, dict[str, Any]]] = [(0.0, {}), (1.0, {"page_token": "x"}), (299.0, {}), (300.0, {})]
        assert self.ceilings(code, calls) == [None, None, "1/300 s", None]

    def test_returns_that_are_named_are_read(self) -> None:
        read = {"return_id": "r-1"}
        assert self.ceilings("RT11", [(0.0, {}), (0.1, read), (0.6, read), (0.9, read)]) == [
            None,
            None,
            None,
            "1/0.5 s",
        ]
