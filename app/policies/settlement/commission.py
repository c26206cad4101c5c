"""A marketplace's commission against the contract, and what a refund gives back of it.

It is taken of price and shipping in the order's tax mode, and rounded by the platform line by line, so that one minor
unit either way, for each line and each cancelation, is its rounding. Every figure is named: the contract's, the log's,
and what the order itself says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from app.domain.money import minor, words
from app.domain.orders import ENDED_STATES, Order, OrderLine, Refunded
from app.domain.settlement import Transaction
from app.policies.settlement.amounts import cancelled
from app.policies.settlement.terms import Commission
from app.policies.settlement.types import Group, meaning_of


class Fee(NamedTuple):
    """A commission and its tax, as money of the shop: negative where it is taken."""

    fee: int
    tax: int

    @property
    def total(self) -> int:
        return self.fee + self.tax

    def words(self, currency: str) -> str:
        return f"{words(self.fee, currency)} and {words(self.tax, currency)} of tax"


class Wrong(NamedTuple):
    """A commission that is not as it should be."""

    expected: int
    told: int
    words: str


def told_fee(rows: Iterable[Transaction]) -> Fee | None:
    """What the log took, or gave back with a refund; None: nothing yet."""
    fees, taxes, seen = 0, 0, False
    for row in rows:
        match meaning_of(row.type).group:
            case Group.COMMISSION | Group.REFUNDED_COMMISSION:
                fees, seen = fees + row.amount, True
            case Group.COMMISSION_TAX | Group.REFUNDED_COMMISSION_TAX:
                taxes, seen = taxes + row.amount, True
            case _:
                pass
    return Fee(fees, taxes) if seen else None


def base_of(line: OrderLine) -> Decimal:
    """What a line's commission is taken of: its price and shipping, less what was cancelled of them."""
    if line.state in ENDED_STATES:
        return Decimal(0)
    gone = sum((entry.amount + entry.shipping for entry in cancelled(line)), Decimal(0))
    return line.price + line.shipping_price - gone


def wrong_commission(order: Order, lines: Sequence[OrderLine], told: Fee | None, contract: Commission) -> Wrong | None:
    """Where the log's commission of these lines is not the contract's, or, where that says nothing, not the order's."""
    log, rounding = told or Fee(0, 0), sum(1 + len(cancelled(line)) for line in lines)
    said, shown = _said_by_order(order, lines), f"the log has {log.words(order.currency)}"
    agreed = _agreed(order, lines, log, contract, rounding)
    if agreed is not None:
        if abs(agreed.fee - log.fee) <= rounding and abs(agreed.tax - log.tax) <= rounding:
            return None
        aside = "" if said is None else f", the order says {words(said, order.currency)} in all"
        text = f"commission: by contract {agreed.words(order.currency)}, {shown}{aside}"
        return Wrong(agreed.total, log.total, text)
    if said is not None and abs(said - log.total) > rounding:
        return Wrong(said, log.total, f"commission: the order says {words(said, order.currency)} in all, {shown}")
    return None


def _agreed(order: Order, lines: Sequence[OrderLine], log: Fee, contract: Commission, rounding: int) -> Fee | None:
    """By contract; the tax is that of the fee that the log has, and as it is there where no rate is agreed.

    None where the contract does not say: a line whose category was not stored has no share where shares go by it.
    """
    fee = 0
    for line in lines:
        share = contract.by_category.get(line.category, contract.share)
        if share is None or (contract.by_category and not line.category):
            return None
        base = base_of(line)
        if base:
            fee -= minor(max(base * share, contract.minimum), order.currency)
    if contract.vat is None:
        return Fee(fee, log.tax)
    right = abs(fee - log.fee) <= rounding
    return Fee(fee, _part(log.fee if right else fee, contract.vat))


def _said_by_order(order: Order, lines: Sequence[OrderLine]) -> int | None:
    """By OR11, with tax; None where it says nothing, or said it before a cancelation."""
    total = Decimal(0)
    for line in lines:
        if line.commission is None or line.cancelled_quantity or line.state in ENDED_STATES:
            return None
        total += line.commission
    return -minor(total, order.currency)


def wrong_refund(
    entry: Refunded, lines: Sequence[OrderLine], taken: Fee, told: Fee | None, contract: Commission, currency: str
) -> Wrong | None:
    """Where a refund does not give back its share of the commission that the log took of these lines.

    It is compared with what was taken, not with the contract: a wrong commission is one difference, not two. Each
    refund rounds by itself, and the last one may take what is left.
    """
    base = sum((base_of(line) for line in lines), Decimal(0))
    if not base:
        return None
    share = (entry.amount + entry.shipping) / base if contract.refunded else Decimal(0)
    right, log = Fee(_part(-taken.fee, share), _part(-taken.tax, share)), told or Fee(0, 0)
    rounding = max(1, sum(not other.cancelation for line in lines for other in line.taken))
    if abs(right.fee - log.fee) <= rounding and abs(right.tax - log.tax) <= rounding:
        return None
    text = f"commission of the refund: its share is {right.words(currency)}, the log has {log.words(currency)}"
    return Wrong(right.total, log.total, text)


def _part(units: int, share: Decimal) -> int:
    """Half up, as the platform rounds in its samples."""
    whole = abs(units) * share
    rounded = int(whole + Decimal("0.5"))
    return rounded if units > 0 else -rounded
