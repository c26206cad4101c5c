"""What is shipped of an order and what comes back. Attribute names are the schema's field names in snake case, as in
`entities`; amounts are kept with tax, as in `order_entities`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from app.sandbox.centra.entities import Market, Store, Warehouse
from app.sandbox.centra.order_entities import (
    Allocation,
    Customer,
    IdConversion,
    MonetaryValue,
    Order,
    OrderLine,
    PaymentHistoryEntry,
)

_ZERO = Decimal(0)


@dataclass(slots=True, eq=False)
class CarrierInformation:
    carrier_name: str | None
    service_name: str | None


@dataclass(slots=True, eq=False)
class ShipmentLine:
    id: int
    quantity: int
    order_line: OrderLine
    # Units in returns of any status, and those in completed ones.
    claimed_quantity: int = 0
    returned_quantity: int = 0
    # Where its units stood; empty until they have left.
    taken_from: list[Allocation] = field(default_factory=list)

    @property
    def unit_price(self) -> MonetaryValue:
        return self.order_line.unit_price

    @property
    def line_value(self) -> MonetaryValue:
        return self.order_line.worth(self.quantity)


@dataclass(slots=True, eq=False)
class Shipment:
    """Packed (good to go), paid and shipped are three flags of which none follows from another."""

    id: int
    number: str
    order: Order
    lines: list[ShipmentLine]
    created_at: float
    updated_at: float
    is_good_to_go: bool = False
    is_paid: bool = False
    shipped_at: float | None = None
    tracking_number: str | None = None
    return_tracking_number: str | None = None
    number_of_packages: int = 0
    carrier_information: CarrierInformation | None = None
    # Integration name -> its name for the shipment.
    external_ids: dict[str, IdConversion] = field(default_factory=dict)

    @property
    def is_shipped(self) -> bool:
        return self.shipped_at is not None

    @property
    def store(self) -> Store:
        return self.order.store

    @property
    def market(self) -> Market:
        return self.order.market

    @property
    def shipping_value(self) -> Decimal:
        """The order's shipping is on the first of its shipments."""
        return self.order.shipping_value if self.order.shipments[:1] == [self] else _ZERO

    @property
    def grand_total(self) -> MonetaryValue:
        return self.order.money(sum((line.line_value.amount for line in self.lines), self.shipping_value))

    @property
    def shipping_left(self) -> Decimal:
        """What of its shipping no return has given back yet."""
        return self.shipping_value - sum((r.shipping for r in self.order.returns if r.shipment is self), _ZERO)


@dataclass(slots=True, eq=False)
class ReturnLine:
    id: int
    quantity: int
    shipment_line: ShipmentLine

    @property
    def order_line(self) -> OrderLine:
        return self.shipment_line.order_line

    @property
    def unit_price(self) -> MonetaryValue:
        return self.order_line.unit_price

    @property
    def line_value(self) -> MonetaryValue:
        return self.order_line.worth(self.quantity)


@dataclass(slots=True, eq=False)
class ReturnTotals:
    quantity: int
    line_values: MonetaryValue
    shipping: MonetaryValue
    handling: MonetaryValue
    discounts: MonetaryValue
    return_cost: MonetaryValue
    tax_added: MonetaryValue
    tax_deducted: MonetaryValue
    tax_included: MonetaryValue


@dataclass(slots=True, eq=False)
class Return:
    """Every amount is positive; the grand total is what the buyer gets back, so `return_cost` is taken off it."""

    id: int
    shipment: Shipment
    lines: list[ReturnLine]
    created_at: float
    # Where its units go when it is completed; None: they do not come back on a shelf.
    return_warehouse: Warehouse | None
    shipping: Decimal = _ZERO
    handling: Decimal = _ZERO
    return_cost: Decimal = _ZERO
    comment: str | None = None
    return_status: str = "PENDING"
    refund_payment_history: list[PaymentHistoryEntry] = field(default_factory=list)
    # Integration name -> its name for the return.
    external_ids: dict[str, IdConversion] = field(default_factory=dict)

    @property
    def order(self) -> Order:
        return self.shipment.order

    @property
    def store(self) -> Store:
        return self.order.store

    @property
    def market(self) -> Market:
        return self.order.market

    @property
    def customer(self) -> Customer:
        return self.order.customer

    @property
    def returned_to_stock(self) -> bool:
        return self.return_status == "COMPLETED" and self.return_warehouse is not None

    @property
    def total_quantity(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def line_values(self) -> Decimal:
        return sum((line.line_value.amount for line in self.lines), _ZERO)

    @property
    def grand_total(self) -> MonetaryValue:
        return self.order.money(self.line_values + self.shipping + self.handling - self.return_cost)

    @property
    def totals(self) -> ReturnTotals:
        money = self.order.money
        added, included = self.order.tax_in(self.grand_total.amount)
        return ReturnTotals(
            quantity=self.total_quantity,
            line_values=money(self.line_values),
            shipping=money(self.shipping),
            handling=money(self.handling),
            discounts=money(_ZERO),
            return_cost=money(self.return_cost),
            tax_added=money(added),
            tax_deducted=money(_ZERO),
            tax_included=money(included),
        )
