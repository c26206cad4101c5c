"""An order line: what it costs, what of it left, and what it gave back after the sale, in cents.

Amounts of money are kept without tax, and each tax and fee by its place on the line: so two taxes of one code stay two,
and both tax modes are one sum away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from app.sandbox.clock import iso

_SETTLED = frozenset({"REFUSED", "CANCELED", "REFUNDED"})


@dataclass(frozen=True, slots=True)
class Money:
    """Cents; goods and shipping without tax, the rest in the order of the line's taxes and fees."""

    goods: int
    shipping: int
    taxes: tuple[int, ...] = ()
    shipping_taxes: tuple[int, ...] = ()
    fees: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        return self.amount(included=True) + self.shipping_amount(included=True) + sum(self.fees)

    def amount(self, *, included: bool) -> int:
        return self.goods + (sum(self.taxes) if included else 0)

    def shipping_amount(self, *, included: bool) -> int:
        return self.shipping + (sum(self.shipping_taxes) if included else 0)

    def less(self, other: "Money") -> "Money":
        return Money(
            self.goods - other.goods,
            self.shipping - other.shipping,
            _less(self.taxes, other.taxes),
            _less(self.shipping_taxes, other.shipping_taxes),
            _less(self.fees, other.fees),
        )

    def part(self, share: int, of: int) -> "Money":
        """`share` units' part of what `of` units cost; all of it for all units."""

        def parts(amounts: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(amount * share // of for amount in amounts)

        goods, shipping = parts((self.goods, self.shipping))
        return Money(goods, shipping, parts(self.taxes), parts(self.shipping_taxes), parts(self.fees))


@dataclass(slots=True, kw_only=True)
class Cancelation:
    """Instants are app time in Unix seconds."""

    id: str
    money: Money
    quantity: int
    reason: str
    created_at: float


@dataclass(slots=True, kw_only=True)
class Refund(Cancelation):
    """`group`: all refunds of an order in one call. `excluded`: units that need not be shipped any more."""

    group: str
    excluded: int = 0
    state: str = "WAITING_REFUND"
    settled_at: float | None = None
    number: str | None = None


def cents(value: Any) -> int:
    """Of a number or a text that is one; ValueError for anything else, and for parts of a cent."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is no amount")
    try:
        amount = Decimal(str(value)) * 100
        rounded = round(amount)
    except ArithmeticError as error:
        raise ValueError(f"{value!r} is no amount") from error
    if amount != rounded:
        raise ValueError(f"{value!r} has parts of a cent")
    return rounded


@dataclass(slots=True)
class Line:
    """Amounts are numbers of the order's currency in its own tax mode; `shipping_price` is the whole line's.

    Units: `allotted` are in shipments that have not left, `excluded` were refunded so as not to be shipped.
    `incident` is the reason of an open one; the state beneath it stays. The operator's commission and its tax are
    percentages.
    """

    line_id: str
    sku: str
    offer_id: int
    product_sku: str
    quantity: int
    price_unit: float
    shipping_price: float
    taxes: list[dict[str, Any]]
    shipping_taxes: list[dict[str, Any]]
    additional_fields: list[dict[str, Any]]
    tax_included: bool = True
    fees: list[dict[str, Any]] = field(default_factory=list)
    commission_percent: Decimal = Decimal(15)
    commission_vat_percent: Decimal = Decimal(25)
    state: str = "STAGING"
    reason: str | None = None
    shipped: int = 0
    allotted: int = 0
    excluded: int = 0
    shipped_at: float | None = None
    incident: str | None = None
    refunds: list[Refund] = field(default_factory=list)
    cancelations: list[Cancelation] = field(default_factory=list)

    @property
    def total(self) -> float:
        fees = sum(float(fee["amount"]) for fee in self.fees)
        return round(self.quantity * self.price_unit + self.shipping_price + fees, 2)

    @property
    def live(self) -> bool:
        return self.state not in _SETTLED

    @property
    def cancelled(self) -> int:
        return sum(cancelation.quantity for cancelation in self.cancelations)

    @property
    def to_ship(self) -> int:
        """Units that are in no shipment yet and still have to leave."""
        gone = self.cancelled + self.excluded + self.shipped + self.allotted
        return max(self.quantity - gone, 0) if self.live else 0

    @property
    def cost(self) -> Money:
        goods, shipping = round(self.quantity * self.price_unit * 100), round(self.shipping_price * 100)
        taxes, shipping_taxes, fees = (
            tuple(round(part["amount"] * 100) for part in parts)
            for parts in (self.taxes, self.shipping_taxes, self.fees)
        )
        if self.tax_included:
            goods, shipping = goods - sum(taxes), shipping - sum(shipping_taxes)
        return Money(goods, shipping, taxes, shipping_taxes, fees)

    @property
    def rest(self) -> Money:
        """What was neither refunded nor cancelled."""
        rest = self.cost
        for given in (*self.refunds, *self.cancelations):
            rest = rest.less(given.money)
        return rest

    def commission(self, money: Money) -> tuple[int, int]:
        """The operator's fee for what `money` costs in the order's own tax mode, however that is shown, and its tax."""
        base = money.amount(included=self.tax_included) + money.shipping_amount(included=self.tax_included)
        fee = percent_of(base, self.commission_percent)
        return fee, percent_of(fee, self.commission_vat_percent)

    def cancel(self, cancelation: Cancelation) -> None:
        self.cancelations.append(cancelation)
        if self.cancelled >= self.quantity:
            self.state, self.reason = "CANCELED", None


def amounts(line: Line, money: Money, *, included: bool) -> dict[str, Any]:
    """The members of amounts as OR11, OR28 and OR30 show them, with the codes of the line's taxes and fees."""
    return {
        "amount": money.amount(included=included) / 100,
        "shipping_amount": money.shipping_amount(included=included) / 100,
        "taxes": _coded(line.taxes, money.taxes),
        "shipping_taxes": _coded(line.shipping_taxes, money.shipping_taxes),
        "fees": _coded(line.fees, money.fees),
    }


def shown_cancelation(line: Line, given: Cancelation, *, included: bool) -> dict[str, Any]:
    """As OR11 shows it, and of a refund what both have."""
    fee, vat = line.commission(given.money)
    return {
        **amounts(line, given.money, included=included),
        "commission_amount": fee / 100,
        "commission_taxes": [{"amount": vat / 100, "code": "TAXDEFAULT"}],
        "commission_total_amount": (fee + vat) / 100,
        "created_date": iso(given.created_at),
        "eco_contributions": [],
        "id": given.id,
        "quantity": given.quantity,
        "reason_code": given.reason,
    }


def shown_refund(line: Line, refund: Refund, *, included: bool) -> dict[str, Any]:
    shown = shown_cancelation(line, refund, included=included)
    return {
        **shown,
        "commission_tax_amount": shown["commission_taxes"][0]["amount"],
        "order_refund_id": refund.group,
        "refund_state": refund.state,
        "state": refund.state,
        "tax_legal_notice": None,
        "transaction_date": None if refund.settled_at is None else iso(refund.settled_at),
        "transaction_number": refund.number,
    }


def percent_of(amount: int, percent: Decimal) -> int:
    """In cents, half a cent away from 0."""
    return int((amount * percent / 100).quantize(Decimal(1), ROUND_HALF_UP))


def _less(have: Sequence[int], off: Sequence[int]) -> tuple[int, ...]:
    return tuple(a - b for a, b in zip(have, off, strict=True))


def _coded(parts: Sequence[dict[str, Any]], given: Sequence[int]) -> list[dict[str, Any]]:
    """Those that are not 0, with their rate where the line has one."""
    return [
        {"amount": amount / 100, "code": part["code"], **({"rate": part["rate"]} if "rate" in part else {})}
        for part, amount in zip(parts, given, strict=True)
        if amount
    ]
