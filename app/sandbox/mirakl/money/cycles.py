"""Billing cycles: the PAYABLE lines up to their end, what comes on top, and the pay-out.

A cycle is closed for each currency in which lines wait, by the clock or by the admin. Lines whose sum, with the
subscription, is not above 0 wait for a later one [QA]. Its lines keep the cycle's id from then on, and are PAID with
its pay-out; the pay-out is a line of its own (PAYMENT), of no part in the cycle's sum. A pay-out that FAILED can be
paid later. What is held in reserve is RESERVE until the next cycle settles it.

What was planted for the next cycle is in its pay-out: `off_cents` beside the sum of its lines, `fail` with a reason.

The ledger gets CYCLE (cycle_id, currency, lines, total, paid, off_cents: cents), PAYOUT (cycle_id, number, amount) and
PAYOUT_FAILED (cycle_id, reason).
"""

import functools
import itertools
import math
import uuid
from decimal import Decimal
from typing import Any

from starlette.requests import Request

from app.sandbox.clock import iso
from app.sandbox.mirakl.answers import Json
from app.sandbox.mirakl.lines import percent_of
from app.sandbox.mirakl.money.documents import MoneyDocuments
from app.sandbox.mirakl.money.log import MoneyLog
from app.sandbox.mirakl.money.rows import PSP, Paper, Row
from app.sandbox.mirakl.money.summary import BILLED_TYPES, Cycle, Sums
from app.sandbox.mirakl.pages import Asked
from app.sandbox.mirakl.state import Shop

PAY_OUT_STATES = ("TO_PAY", "PAID", "FAILED")
FAILURES = ("INCOMPLETE_KYC", "AWAITING_INVOICE_CHECK")
_LARGEST_PAGE = 1_000


class MoneyCycles:
    def __init__(self, shop: Shop, log: MoneyLog, documents: MoneyDocuments) -> None:
        self._shop = shop
        self._clock = shop.kernel.clock
        self._ledger = shop.kernel.ledger
        self._log = log
        self._documents = documents
        self._plan = 0
        self._planned = False
        self._held: dict[str, Row] = {}
        self._numbers = itertools.count(1)
        self._ended_at = log.now()
        self.planted: list[dict[str, Any]] = []
        self.all: dict[str, Cycle] = {}
        log.on_change = self.plan

    def plan(self, *, again: bool = False) -> None:
        """The end of the cycle that runs, while lines wait for one. `again`: its rule has changed."""
        if again:
            self._plan, self._planned = self._plan + 1, False
        seconds = self._shop.money_rules.cycle_seconds
        if self._planned or seconds is None or not self._log.open:
            return
        self._planned = True
        ends_at = (math.floor(self._clock.timestamp() / seconds) + 1) * seconds
        self._clock.at(ends_at, functools.partial(self._end, self._plan))

    def close(self) -> list[Cycle]:
        """Now, for each currency in which there is something to pay."""
        waiting: dict[str, list[Row]] = {}
        for row in self._log.open.values():
            if row.state == "PAYABLE":
                waiting.setdefault(row.currency, []).append(row)
        return [cycle for currency, rows in waiting.items() if (cycle := self._close(currency, rows)) is not None]

    def pay(self, cycle: Cycle) -> None:
        """ValueError for one that is paid already."""
        if cycle.state == "PAID":
            raise ValueError(f"cycle {cycle.id} is paid")
        now = self._log.now()
        cycle.state, cycle.failure, cycle.paid_at = "PAID", None, now
        cycle.reference = f"PO-{next(self._numbers):05d}"
        for row in cycle.rows:
            if row.type != "RESERVE_FUNDING":
                self._log.move(row, "PAID")
        payment = (cycle.reference, now)
        self._log.write("PAYMENT", -cycle.paid, cycle.currency, state="PAID", cycle=cycle.id, payment=payment)
        self._ledger.record("PAYOUT", cycle_id=cycle.id, number=cycle.reference, amount=cycle.paid)

    def fail(self, cycle: Cycle, reason: str) -> None:
        if cycle.state == "PAID" or reason not in FAILURES:
            raise ValueError(f"cycle {cycle.id} is {cycle.state}; a pay-out fails by {' or '.join(FAILURES)}")
        cycle.state, cycle.failure = "FAILED", reason
        self._ledger.record("PAYOUT_FAILED", cycle_id=cycle.id, reason=reason)

    async def sbc11(self, request: Request) -> Json:
        asked = Asked(request, "dateCreated", largest=_LARGEST_PAGE)
        states, ids = asked.values("pay_out_state", PAY_OUT_STATES), asked.values("id")
        currencies, psps = asked.values("currency"), asked.values("pay_out_psp_code")

        def fits(cycle: Cycle) -> bool:
            return (
                (not states or cycle.state in states)
                and (not ids or cycle.id in ids)
                and (not currencies or cycle.currency in currencies)
                and (not psps or PSP in psps)
                and asked.within("start_date", "end_date", cycle.closed_at)
            )

        chosen = filter(fits, self.all.values())
        return asked.page(chosen, lambda cycle: (cycle.closed_at, cycle.id), functools.partial(_shown, self._shop))

    def _end(self, plan: int) -> None:
        if plan == self._plan:
            self._planned = False
            self.close()
            self.plan()

    def _close(self, currency: str, rows: list[Row]) -> Cycle | None:
        rules, cycle_id = self._shop.money_rules, str(uuid.uuid4())
        vat_percent = Decimal(str(rules.commission_vat_percent))
        fee = round(rules.subscription * 100) if currency == self._shop.currency else 0
        vat = percent_of(fee, vat_percent)
        if sum(row.amount for row in rows) - fee - vat <= 0:
            return None
        for type_, amount, rate in (("FEE", fee, None), ("VAT", vat, rules.commission_vat_percent)):
            if amount:
                rows.append(self._log.write(f"SUBSCRIPTION_{type_}", -amount, currency, shop_tax=rate))
        rows += self._reserve(currency, sum(row.amount for row in rows))
        planted = self.planted.pop(0) if self.planted else {}
        sums = Sums.of(rows)
        cycle = Cycle(
            id=cycle_id,
            currency=currency,
            started_at=self._ended_at,
            closed_at=self._log.now(),
            sums=sums,
            paid=sums.total + int(planted.get("off_cents", 0)),
            rows=rows,
        )
        self._ended_at = cycle.closed_at
        self.all[cycle_id] = cycle
        self._bear(cycle)
        facts: dict[str, Any] = {"currency": currency, "lines": len(rows), "total": sums.total, "paid": cycle.paid}
        self._ledger.record("CYCLE", cycle_id=cycle_id, off_cents=cycle.paid - sums.total, **facts)
        self._plan_pay_out(cycle, planted.get("fail"))
        return cycle

    def _reserve(self, currency: str, total: int) -> list[Row]:
        """The lines that settle what was held of the last pay-out, and hold a part of this one."""
        rows: list[Row] = []
        held = self._held.pop(currency, None)
        if held is not None:
            self._log.move(held, "PAID")
            rows.append(self._log.write("RESERVE_SETTLEMENT", -held.amount, currency))
        funding = percent_of(total, Decimal(str(self._shop.money_rules.reserve_percent)))
        if funding > 0:
            self._held[currency] = self._log.write("RESERVE_FUNDING", -funding, currency, state="RESERVE")
            rows.append(self._held[currency])
        return rows

    def _bear(self, cycle: Cycle) -> None:
        """The cycle's lines, and its invoice, which bears what the operator bills."""
        net, gross = cycle.sums.billed
        document = self._documents.issue("AUTO_INVOICE", cycle.currency, net, gross, cycle=cycle)
        paper = Paper(document.id, document.number, document.created_at)
        for row in cycle.rows:
            row.cycle = cycle.id
            row.updated_at = cycle.closed_at
            self._log.open.pop(row.id, None)
            if row.paper is None and row.type in BILLED_TYPES:
                row.paper = paper
        self._documents.join(cycle)

    def _plan_pay_out(self, cycle: Cycle, failure: str | None) -> None:
        seconds = self._shop.money_rules.payout_seconds
        due_at = self._clock.timestamp() + (seconds or 0.0)

        def happen() -> None:
            if cycle.state == "TO_PAY":
                self.pay(cycle) if failure is None else self.fail(cycle, failure)

        if seconds is not None or failure is not None:
            self._clock.at(due_at, happen)


def _shown(shop: Shop, cycle: Cycle) -> dict[str, Any]:
    return {
        "amount_transferred_to_operator": cycle.sums.operators / 100,
        "amount_transferred_to_seller": cycle.paid / 100,
        "currency_iso_code": cycle.currency,
        "date_created": iso(cycle.closed_at),
        "id": cycle.id,
        "pay_out": {
            "failure_reason": cycle.failure,
            "reference": cycle.reference,
            "state": cycle.state,
            "transaction_date": None if cycle.paid_at is None else iso(cycle.paid_at),
        },
        "pay_out_psp_code": PSP,
        "payment_voucher_number": None,
        "shop": {
            "shop_corporate_name": None,
            "shop_id": shop.shop_id,
            "shop_model": "MARKETPLACE",
            "shop_name": shop.name,
            "shop_operator_internal_id": None,
        },
        "summary": {name: cents / 100 for name, cents in cycle.sums.totals().items()},
    }
