"""The marketplace's money without a socket: what orders write into the log, cycles to the cent, the long history."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from app.sandbox.clock import Clock, iso
from app.sandbox.faults import Kernel
from app.sandbox.mirakl.answers import Refused
from app.sandbox.mirakl.given_back import Reader
from app.sandbox.mirakl.money.books import Money
from app.sandbox.mirakl.money.cycles import Cycle
from app.sandbox.mirakl.money.exports import TransactionExport
from app.sandbox.mirakl.money.history import History
from app.sandbox.mirakl.money.lists import Wanted
from app.sandbox.mirakl.order_admin import read_order
from app.sandbox.mirakl.orders import Order, OrderBook
from app.sandbox.mirakl.refunds import Refunds
from app.sandbox.mirakl.state import Shop

BY_HAND: dict[str, Any] = {"cycle_seconds": None, "payout_seconds": None}
HISTORY = History(cycles=5, blocks=3, until=1_800_000_000.0, cycle_seconds=86_400.0, seed=7)
PART = st.fixed_dictionaries(
    {
        "price": st.integers(1, 30_000),
        "shipping": st.integers(0, 900),
        "tax": st.integers(0, 25),
        "back": st.integers(0, 100),
    }
)


class Bench:
    """An order book with its refunds and its money."""

    def __init__(self, **rules: Any) -> None:
        self.clock = Clock()
        ends = {"receive_seconds": None, "close_seconds": None}
        self.shop = Shop({"money": BY_HAND | rules, "orders": ends}, Kernel.of(self.clock, {}))
        self.book = OrderBook(self.shop)
        self.refunds = Refunds(self.book)
        self.money = Money(self.book)
        self._numbers: Iterator[int] = itertools.count(1)

    def put(self, state: str = "SHIPPING", **members: Any) -> Order:
        line = {"sku": "A", "quantity": 2, "price_unit": 20.0}
        order = read_order({"lines": [line], **members}, self.shop, next(self._numbers))
        self.book.put([order], state)
        return order

    def refund(self, order: Order, amount: float, shipping: float = 0) -> None:
        line = order.lines[0]
        entry = {"order_line_id": line.line_id, "amount": amount, "shipping_amount": shipping, "reason_code": "17"}
        body = json.dumps({"order_tax_mode": order.tax_mode, "refunds": [entry]}).encode()
        (made,) = self.refunds.refund(Reader(self.book, "REFUND").read(body, "refunds"), "REFUND")
        self.refunds.settle(order, line, made)

    def close(self) -> list[Cycle]:
        return self.money.cycles.close()

    def amounts(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for row in self.money.log.rows.values():
            found[row.type] += row.amount
        return dict(found)

    def states(self) -> set[str]:
        return {row.state for row in self.money.log.rows.values()}

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.clock.run_due()

    async def page(self, **parameters: Any) -> dict[str, Any]:
        scope = {"type": "http", "query_string": urlencode(parameters, doseq=True).encode(), "headers": []}
        found: dict[str, Any] = (await self.money.lines.tl02(Request(scope))).body
        return found

    async def pages(self, **parameters: Any) -> list[dict[str, Any]]:
        answer = await self.page(**parameters)
        rows = list(answer["data"])
        while token := answer.get("next_page_token"):
            answer = await self.page(page_token=token)
            rows += answer["data"]
        return rows


class TestToTheCent:
    @settings(max_examples=60, deadline=None)
    @given(lives=st.lists(PART, min_size=1, max_size=6), excluded=st.booleans(), apart=st.booleans())
    async def test_what_a_cycle_pays_is_what_buyers_paid_less_what_the_operator_took(
        self, lives: list[dict[str, int]], excluded: bool, apart: bool
    ) -> None:
        """In either tax mode, with refunds of any part: no cent comes or goes between the orders and the pay-out."""
        bench = Bench(taxes_apart=apart, subscription=3.99, reserve_percent=10)
        bought = 0
        for life in lives:
            tax = life["price"] * life["tax"] // 130
            line = {
                "sku": "A",
                "price_unit": life["price"] / 100,
                "shipping_price": life["shipping"] / 100,
                "taxes": [{"code": "VAT", "amount": tax / 100}],
            }
            order = bench.put("RECEIVED", lines=[line], tax_mode="TAX_EXCLUDED" if excluded else "TAX_INCLUDED")
            back = life["price"] * life["back"] // 100
            if back:
                bench.refund(order, back / 100)
            bought += order.lines[0].rest.total
        taken = sum(
            amount
            for type_, amount in bench.amounts().items()
            if type_ in ("COMMISSION_FEE", "COMMISSION_VAT", "REFUND_COMMISSION_FEE", "REFUND_COMMISSION_VAT")
        )
        assert sum(bench.amounts().values()) == bought + taken
        for cycle in bench.close():
            bench.money.cycles.pay(cycle)
            held = cycle.sums.amounts["RESERVE_FUNDING"]
            assert cycle.paid == bought + taken - 399 - 100 + held
            totals = cycle.sums.totals()
            kept = totals["total_payable_orders_incl_tax"] + totals["total_refund_orders_incl_tax"]
            assert kept == cycle.paid + cycle.sums.operators - held
            (payment,) = (row for row in bench.money.log.rows.values() if row.type == "PAYMENT")
            assert payment.amount == -cycle.paid

    async def test_without_tax_a_total_leaves_out_the_tax_inside(self) -> None:
        bench = Bench()
        bench.put("RECEIVED", lines=[{"sku": "A", "price_unit": 12.5, "taxes": [{"code": "V", "amount": 2.5}]}])
        (cycle,) = bench.close()
        totals = cycle.sums.totals()
        assert (totals["total_payable_orders_incl_tax"], totals["total_payable_orders_excl_tax"]) == (1_250, 1_000)


class TestWhatIsWritten:
    async def test_nothing_before_the_debit(self) -> None:
        bench = Bench()
        order = bench.put("SHIPPING", payment_workflow="PAY_ON_SHIPMENT", debit={"seconds": 60})
        bench.book.enter(order, "SHIPPED")
        assert bench.amounts() == {}
        await bench.advance(60)
        assert bench.amounts() == {"ORDER_AMOUNT": 4_000, "COMMISSION_FEE": -600, "COMMISSION_VAT": -150}
        assert bench.states() == {"PENDING"}

    async def test_what_was_cancelled_first_is_not_sold(self) -> None:
        bench = Bench()
        order = bench.put("SHIPPING", payment_workflow="PAY_ON_SHIPMENT", debit={"seconds": 60})
        entry = {"order_line_id": order.lines[0].line_id, "amount": 20, "shipping_amount": 0, "quantity": 1}
        body = json.dumps({"cancelations": [entry]}).encode()
        bench.refunds.cancel(Reader(bench.book, "CANCELATION").read(body, "cancelations"), "CANCELED")
        bench.book.enter(order, "SHIPPED")
        await bench.advance(60)
        assert bench.amounts()["ORDER_AMOUNT"] == 2_000

    async def test_a_refund_before_the_debit_waits_for_it(self) -> None:
        bench = Bench()
        order = bench.put("SHIPPING", payment_workflow="PAY_ON_SHIPMENT", debit={"seconds": 60})
        bench.refund(order, 5)
        assert bench.amounts() == {}
        bench.book.debit(order)
        assert bench.amounts()["REFUND_ORDER_AMOUNT"] == -500

    async def test_what_the_operator_cancels_after_the_debit_comes_to_nothing(self) -> None:
        bench = Bench()
        bench.book.cancel(bench.put("SHIPPING"))
        assert sum(bench.amounts().values()) == 0
        assert bench.states() == {"PAYABLE"}
        assert bench.close() == []

    async def test_an_order_all_of_which_was_refunded_waits_for_nobody(self) -> None:
        bench = Bench()
        bench.refund(bench.put("SHIPPING"), 40)
        assert bench.states() == {"PAYABLE"}

    @pytest.mark.parametrize(("rule", "state"), [("SHIPPED", "PAYABLE"), ("CLOSED", "PENDING")])
    async def test_when_it_can_be_paid_out_is_a_rule(self, rule: str, state: str) -> None:
        bench = Bench(payable_state=rule)
        order = bench.put("SHIPPING")
        bench.book.enter(order, "RECEIVED")
        assert bench.states() == {state}


class TestCycles:
    async def test_debts_wait_for_income(self) -> None:
        bench = Bench()
        bench.money.documents.bill("MANUAL_INVOICE", 1_000, 0, "Photographs", None)
        assert bench.close() == []
        bench.put("RECEIVED")
        (cycle,) = bench.close()
        assert cycle.paid == 4_000 - 750 - 1_000

    async def test_each_currency_has_its_own(self) -> None:
        bench = Bench(subscription=1)
        bench.put("RECEIVED")
        bench.put("RECEIVED", currency="SEK")
        paid = {cycle.currency: cycle.paid for cycle in bench.close()}
        assert paid == {"EUR": 4_000 - 750 - 125, "SEK": 4_000 - 750}

    async def test_the_reserve_comes_back_with_the_next(self) -> None:
        bench = Bench(reserve_percent=20)
        paid = []
        for _ in range(2):
            bench.put("RECEIVED")
            (cycle,) = bench.close()
            bench.money.cycles.pay(cycle)
            paid.append(cycle.paid)
        # 32.50 less a fifth; then as much, and the fifth of before.
        assert paid == [2_600, 3_250]
        states = {(row.amount, row.state) for row in bench.money.log.rows.values() if row.type == "RESERVE_FUNDING"}
        assert states == {(-650, "PAID"), (-650, "RESERVE")}

    async def test_the_clock_ends_and_pays_them(self) -> None:
        bench = Bench(cycle_seconds=86_400.0, payout_seconds=3_600.0)
        order = bench.put("SHIPPING")
        await bench.advance(3 * 86_400)
        assert bench.money.cycles.all == {}
        bench.book.enter(order, "RECEIVED")
        await bench.advance(86_400)
        (cycle,) = bench.money.cycles.all.values()
        assert cycle.closed_at % 86_400 == 0
        await bench.advance(3_600)
        assert cycle.paid_at == cycle.closed_at + 3_600
        bench.put("RECEIVED")
        await bench.advance(86_400)
        assert len(bench.money.cycles.all) == 2

    async def test_another_rhythm_counts_at_once(self) -> None:
        bench = Bench(cycle_seconds=10 * 86_400.0)
        bench.put("RECEIVED")
        bench.money.change_rules({"cycle_seconds": 60})
        await bench.advance(60)
        assert len(bench.money.cycles.all) == 1


class TestHistory:
    @staticmethod
    def rows() -> list[Any]:
        return [HISTORY.row(number) for number in range(HISTORY.lines)]

    def test_its_cycles_are_the_sums_of_their_lines(self) -> None:
        rows = self.rows()
        assert len({row.id for row in rows}) == HISTORY.lines
        for cycle in HISTORY.cycles:
            lines = [row for row in rows if row.cycle == cycle.id]
            (payment,) = (row for row in lines if row.type == "PAYMENT")
            assert payment.amount == -cycle.paid == -sum(row.amount for row in lines if row is not payment)
        assert Counter(row.type for row in rows)["ORDER_AMOUNT"] == HISTORY.orders == 150

    def test_lines_are_in_order_both_ways(self) -> None:
        rows = self.rows()
        for field in ("created_at", "updated_at"):
            places = [HISTORY.place(number, field) for number in range(HISTORY.lines)]
            assert places == sorted(places) == [(getattr(row, field), row.id) for row in rows]

    def test_a_refund_is_of_an_order_of_the_cycle_before(self) -> None:
        rows = self.rows()
        sold = {row.line_id: row for row in rows if row.type == "ORDER_AMOUNT"}
        back = [row for row in rows if row.type == "REFUND_ORDER_AMOUNT"]
        cycles = [cycle.id for cycle in HISTORY.cycles]
        assert len(back) == 4 * 3 * 2
        for row in back:
            sale = sold[row.line_id]
            assert cycles.index(str(row.cycle)) == cycles.index(str(sale.cycle)) + 1
            assert -row.amount == sale.amount // 2

    def test_a_window_is_found_without_looking_at_every_line(self) -> None:
        rows = self.rows()
        start, end = rows[100].created_at, rows[300].created_at
        assert HISTORY.between((start, end), None) == range(100, 301)
        paid = [number for number, row in enumerate(rows) if row.updated_at >= rows[300].updated_at]
        assert HISTORY.between((None, None), rows[300].updated_at) == range(paid[0], HISTORY.lines)
        assert list(HISTORY.between((end, start), None)) == []

    def test_without_one_there_is_nothing(self) -> None:
        assert (History().lines, list(History().lives(0, 10)), History().between((1.0, 2.0), 3.0)) == (0, [], range(0))

    def test_a_file_of_an_export_is_cut_across_old_and_new(self) -> None:
        live = [HISTORY.row(0), HISTORY.row(1)]
        old = range(HISTORY.lines - 3, HISTORY.lines)
        export = TransactionExport(
            request=b"", updated_at=0.0, history=HISTORY, old=old, live=live, format="NDJSON", chunk=2
        )
        files = [b"".join(export.content(number)).splitlines() for number in range(export.files())]
        assert [len(rows) for rows in files] == [2, 2, 1]
        ids = [json.loads(row)["id"] for rows in files for row in rows]
        assert ids == [row.id for row in (*self.rows()[-3:], *live)]


class TestPagesOfAMillion:
    async def test_old_and_new_lines_are_one_list(self) -> None:
        bench = Bench()
        bench.money.lines.history = History(cycles=3, blocks=1, until=bench.clock.timestamp())
        bench.put("RECEIVED")
        lines = bench.money.lines.history.lines + 3
        for sort in ("lastUpdated", "dateCreated"):
            rows = await bench.pages(sort=f"{sort},ASC", limit=7)
            backwards = await bench.pages(sort=f"{sort},DESC", limit=7)
            assert len(rows) == len({row["id"] for row in rows}) == lines
            assert [row["id"] for row in backwards] == [row["id"] for row in reversed(rows)]
            assert {row["type"] for row in rows[-3:]} == {"ORDER_AMOUNT", "COMMISSION_FEE", "COMMISSION_VAT"}

    async def test_a_page_costs_what_is_on_it(self) -> None:
        """A page far into a long history makes its own lines and not those before it."""
        made = []

        class Counted(History):
            def row(self, number: int) -> Any:
                made.append(number)
                return super().row(number)

        bench = Bench()
        bench.money.lines.history = Counted(cycles=2, blocks=500, until=bench.clock.timestamp())
        middle = bench.money.lines.history.row(bench.money.lines.history.lines // 2)
        made.clear()
        scope = {"sort": "dateCreated,ASC", "date_created_from": iso(middle.created_at), "limit": 100}
        answer = await bench.page(**scope)
        await bench.page(page_token=answer["next_page_token"])
        assert len(answer["data"]) == 100
        assert len(made) <= 2 * 102

    def test_other_filters_look_at_every_line_of_their_window(self) -> None:
        wanted = Wanted({"transaction_type": ["PAYMENT"]})
        numbers = wanted.numbers(HISTORY)
        assert [HISTORY.row(number).type for number in numbers] == ["PAYMENT"] * 5
        paid = Wanted({"transaction_date_from": [iso(HISTORY.cycles[3].paid_at or 0)]})
        assert len(paid.numbers(HISTORY)) == 2

    @pytest.mark.parametrize("given", [{"payment_state": ["LOST"]}, {"date_created_from": ["yesterday"]}])
    def test_nonsense(self, given: dict[str, list[str]]) -> None:
        with pytest.raises(Refused):
            Wanted(given)
