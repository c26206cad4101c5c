"""What happens to an order after its sale, as facts of Centra and as what the marketplace shall be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from app.domain.ids import OrderLineId
from app.domain.orders import Order, Refunded, Tax


@dataclass(frozen=True, slots=True)
class Parcel:
    """A Centra shipment, by the Mirakl order line ids of what it holds. `units` never exceed what the line has."""

    shipment_id: int
    number: str
    units: Mapping[OrderLineId, int]
    carrier: str
    service: str
    tracking: str
    shipped_at: datetime | None
    complete: bool
    """Shipped, as Centra's completed shipments are; the others may still change."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier as the marketplace takes it: registered by its code, or free by its name and tracking URL."""

    code: str = ""
    name: str = ""
    url: str = ""

    @property
    def registered(self) -> bool:
        return bool(self.code)


@dataclass(frozen=True, slots=True)
class Registered:
    """A carrier of SH21. `url` is its tracking template; a template with a place for the number wants one."""

    code: str
    label: str
    url: str = ""

    @property
    def wants_tracking(self) -> bool:
        return "{trackingId}" in self.url


@dataclass(frozen=True, slots=True)
class CarrierRow:
    """One row of a channel's carrier table: Centra's text to a carrier."""

    text: str
    carrier: Carrier


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """Units of a line that came back, and what Centra credits for them, tax included."""

    line_id: OrderLineId
    quantity: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Credit:
    """A completed Centra return: what the buyer is owed. Amounts with tax, in the order's currency."""

    return_id: int
    order_number: int
    completed: bool
    lines: tuple[ReturnedLine, ...]
    currency: str
    shipping: Decimal = Decimal(0)
    handling: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    """`returnCost`: what is kept back from the refund."""
    total: Decimal | None = None
    """What Centra says that it all comes to."""
    payment_entry: int | None = None
    reference: str = ""
    """The id of the marketplace's return that it answers, where it bears one."""
    returnless: bool = False
    """The buyer keeps the goods: Centra has no return, and the units' own price goes back."""


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """One line of an OR28, or of an OR30, which has the same members: amounts in the order's tax mode."""

    line_id: OrderLineId
    quantity: int
    amount: Decimal
    shipping: Decimal
    currency: str
    reason: str
    taxes: tuple[Tax, ...] = ()
    shipping_taxes: tuple[Tax, ...] = ()
    not_shipped: bool = False
    """`excluded_from_shipment`: these units leave what is to be shipped."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """All units of a line that Centra will not ship any more, so that being told twice adds nothing."""

    line_id: OrderLineId
    quantity: int


@dataclass(frozen=True, slots=True)
class Given:
    """What a refund or cancellation gave back at the marketplace: ids of both sides meet here."""

    code: str
    """OR28 or OR30; OR29 gives no ids."""
    ids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    lines: tuple[RefundOrder, ...] = ()

    @property
    def excluded(self) -> Mapping[OrderLineId, int]:
        """Units that need not be shipped any more."""
        units: Counter[OrderLineId] = Counter()
        for line in self.lines:
            units[line.line_id] += line.quantity if line.not_shipped else 0
        return +units


@dataclass(frozen=True, slots=True)
class Announced:
    """A parcel as the marketplace was told of it. `shipment`: its id there, empty where an order has one tracking."""

    parcel: Parcel
    carrier: Carrier
    shipment: str = ""


@dataclass(frozen=True, slots=True)
class Invoice:
    """The invoice of a Centra order, due since its first parcel left."""

    number: int
    shipped_at: datetime

    @property
    def name(self) -> str:
        """Its file name at the marketplace."""
        return f"invoice-{self.number}.pdf"


class Advice(StrEnum):
    """What a person may do about held work of this kind: stored and labelled by its code, shown in words."""

    LET_GO = "let_go"
    MAP_CARRIER = "map_carrier"
    RETRY_DAILY = "retry_daily"
    OPERATOR = "operator"
    DECIDE = "decide"
    BY_HAND = "by_hand"
    SETTLE = "settle"

    @property
    def words(self) -> str:
        """For people."""
        return _ADVICE[self]


_ADVICE: Mapping[Advice, str] = {
    Advice.LET_GO: "`held retry` lets it go past the channel's policy; `held resolve` ends it",
    Advice.MAP_CARRIER: "map the carrier with `carriers map`",
    Advice.RETRY_DAILY: "the balance does not cover it yet: it is tried again daily",
    Advice.OPERATOR: "only the marketplace's operator can do this: write to them",
    Advice.DECIDE: "look into the back office, then `held decide` whether it was done",
    Advice.BY_HAND: "do it in the back office, then `held resolve` with a note",
    Advice.SETTLE: "`settlement open CHANNEL` lists them; `settlement explain` or `settlement accept` each",
}


@dataclass(frozen=True, slots=True)
class Stop:
    """Why something after the sale waits for a person."""

    reason: str
    advice: Advice
    evidence: Mapping[str, str] = field(default_factory=dict)


def taken(order: Order, given: Iterable[Given] = ()) -> tuple[Refunded, ...]:
    """Every refund and cancelation of an order, line by line.

    `given`: our own. A tax of 0 is not shown, and then nothing tells the taxes of one code apart: ours are as we sent
    them.
    """
    sent = {(id_, line.line_id): line for one in given for id_ in one.ids for line in one.lines}
    shown = (entry for line in order.lines for entry in line.taken)
    return tuple(_as_sent(entry, sent.get((entry.refund_id, entry.line_id))) for entry in shown)


def _as_sent(shown: Refunded, sent: RefundOrder | None) -> Refunded:
    if sent is None:
        return shown
    taxes = sent.taxes if _alike(sent.taxes, shown.taxes) else shown.taxes
    shipping = sent.shipping_taxes if _alike(sent.shipping_taxes, shown.shipping_taxes) else shown.shipping_taxes
    return replace(shown, taxes=taxes, shipping_taxes=shipping)


def _alike(ours: Iterable[Tax], others: Iterable[Tax]) -> bool:
    mine, theirs = ([(tax.code, tax.amount) for tax in taxes if tax.amount] for taxes in (ours, others))
    return mine == theirs
