"""The transaction log: what an order's debit, its refunds and the operator's charges write into it.

It follows the order book: an order that is debited gets its lines, a refund that is settled gets its own [QA: it may
be when it is made], what an operator cancels after the debit is written as a refund without an id. What was refused, or
cancelled before the debit, writes nothing. Lines are PENDING until their order has come to `payable_state`, was
cancelled, or has no line left that is not settled; then they are PAYABLE, and so are later ones of that order.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.sandbox.mirakl.lines import Line, Money, Refund
from app.sandbox.mirakl.money.rows import Row
from app.sandbox.mirakl.money.rules import MoneyRules
from app.sandbox.mirakl.orders import Order, OrderBook, whole_milliseconds

_WAY = ("SHIPPING", "SHIPPED", "TO_COLLECT", "RECEIVED", "CLOSED")


@dataclass(slots=True)
class Account:
    """What was written of an order. `given`: ids of the refunds and cancelations that are in the lines already."""

    rows: list[Row] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    payable: bool = False


class MoneyLog:
    def __init__(self, book: OrderBook) -> None:
        self._shop = book.shop
        self._clock = book.shop.kernel.clock
        self._accounts: dict[str, Account] = {}
        self._balances: Counter[str] = Counter()
        self.rows: dict[str, Row] = {}
        # Those in no cycle yet.
        self.open: dict[str, Row] = {}
        # Called after lines were written or became payable.
        self.on_change: Callable[[], object] = lambda: None
        book.watchers.append(self.follow)

    @property
    def rules(self) -> MoneyRules:
        return self._shop.money_rules

    def now(self) -> float:
        return whole_milliseconds(self._clock.timestamp())

    def write(self, type_: str, amount: int, currency: str, *, state: str = "PAYABLE", **members: Any) -> Row:
        """A new line of `amount` cents; `members` are those of `Row`."""
        now = self.now()
        self._balances[currency] += amount
        row = Row(
            id=str(uuid.uuid4()),
            type=type_,
            amount=amount,
            currency=currency,
            state=state,
            created_at=now,
            updated_at=now,
            balance=self._balances[currency],
            **members,
        )
        self.rows[row.id] = row
        if row.cycle is None:
            self.open[row.id] = row
        return row

    def move(self, row: Row, state: str) -> None:
        row.state, row.updated_at = state, self.now()

    def follow(self, order: Order) -> None:
        """Writes what of the order is not written yet."""
        if order.debited_at is None:
            return
        account = self._accounts.get(order.order_id)
        if account is None:
            account = self._accounts[order.order_id] = Account(payable=self._is_payable(order))
            for line in order.lines:
                account.given |= {given.id for given in line.cancelations}
                if line.state not in ("REFUSED", "CANCELED"):
                    self._write_parts(account, order, line, _sold(line))
        for line in order.lines:
            for given in (*line.refunds, *line.cancelations):
                if given.id not in account.given and not (isinstance(given, Refund) and given.settled_at is None):
                    account.given.add(given.id)
                    refund_id = given.id if isinstance(given, Refund) else None
                    self._write_parts(account, order, line, given.money, refund_id, back=True)
        if not account.payable and self._is_payable(order):
            account.payable = True
            for row in account.rows:
                self.move(row, "PAYABLE")
            self.on_change()

    def correct_commission(self, line: Line, order: Order, percent: Decimal) -> list[Row]:
        """From now on it is `percent`; what was charged already, and not given back, is corrected by further lines."""
        old_fee, old_vat = line.commission(line.rest)
        line.commission_percent = percent
        account = self._accounts.get(order.order_id)
        if account is None:
            return []
        fee, vat = line.commission(line.rest)
        parts = [Part("COMMISSION_FEE", old_fee - fee), Part("COMMISSION_VAT", old_vat - vat, shop_tax=True)]
        return self._write_all(account, order, line.line_id, None, parts)

    def _write_parts(
        self,
        account: Account,
        order: Order,
        line: Line,
        money: Money,
        refund_id: str | None = None,
        *,
        back: bool = False,
    ) -> None:
        self._write_all(account, order, line.line_id, refund_id, _parts(line, money, self.rules, back=back))

    def _write_all(
        self, account: Account, order: Order, line_id: str, refund_id: str | None, parts: Iterable["Part"]
    ) -> list[Row]:
        """What is 0 has no line."""
        rate = self.rules.commission_vat_percent
        written = [
            self.write(
                part.type,
                part.amount,
                order.currency,
                state="PAYABLE" if account.payable else "PENDING",
                inside=part.inside,
                sale=order,
                line_id=line_id,
                refund_id=refund_id,
                tax=part.tax,
                shop_tax=rate if part.shop_tax else None,
                fee=part.fee,
            )
            for part in parts
            if part.amount
        ]
        account.rows += written
        self.on_change()
        return written

    def _is_payable(self, order: Order) -> bool:
        if order.state in _WAY:
            come = _WAY.index(order.state) >= _WAY.index(self.rules.payable_state)
            return come or not any(line.live for line in order.lines)
        return order.state == "CANCELED"


@dataclass(frozen=True, slots=True)
class Part:
    """One line to write; `tax` is the order's, `shop_tax`: it is tax on what the operator charges."""

    type: str
    amount: int
    inside: int = 0
    tax: dict[str, Any] | None = None
    shop_tax: bool = False
    fee: str | None = None


def _sold(line: Line) -> Money:
    """What the buyer was debited for it: not what was cancelled before."""
    money = line.cost
    for given in line.cancelations:
        money = money.less(given.money)
    return money


def _parts(line: Line, money: Money, rules: MoneyRules, *, back: bool) -> Iterator[Part]:
    """The lines for `money` of an order line; `back`: it is given back to the buyer."""
    sign, word = (-1, "REFUND_") if back else (1, "")
    apart = rules.taxes_apart or not line.tax_included
    for name, net, taxes, amounts in (
        ("ORDER_AMOUNT", money.goods, line.taxes, money.taxes),
        ("ORDER_SHIPPING_AMOUNT", money.shipping, line.shipping_taxes, money.shipping_taxes),
    ):
        inside = 0 if apart else sign * sum(amounts)
        yield Part(f"{word}{name}", sign * net + inside, inside)
        for tax, amount in zip(taxes, amounts, strict=True):
            if apart:
                yield Part(f"{word}{name}_TAX", sign * amount, tax=tax)
            if rules.operator_remits_taxes:
                yield Part(f"OPERATOR_REMITTED_{word}{name}_TAX", -sign * amount, tax=tax)
    for fee, amount in zip(line.fees, money.fees, strict=True):
        yield Part(f"{word}ORDER_FEE_AMOUNT", sign * amount, fee=fee["code"])
    commission, vat = line.commission(money)
    yield Part(f"{word}COMMISSION_FEE", -sign * commission)
    yield Part(f"{word}COMMISSION_VAT", -sign * vat, shop_tax=True)
