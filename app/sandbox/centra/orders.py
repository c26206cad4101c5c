"""Direct-to-consumer orders: made, placed, confirmed, cancelled. What they do to stock is in `order_stock`, how they
look in `order_entities`; what follows is in `shipments` and `returns`.

An order is made INCOMPLETE and is placed by completing it; whoever does both at once makes two entries in the
ledger: CREATE and COMPLETE. Each entry has the order's number and its internal comment. `placed` of COMPLETE
says whether the call placed the order or met one that was placed before.
"""

import dataclasses
import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.sandbox.centra.attributes import Attribute
from app.sandbox.centra.entities import AllocationRule, Market, Pricelist, ProductSize, ShippingOption
from app.sandbox.centra.order_entities import (
    Address,
    Customer,
    Order,
    OrderLine,
    PaymentHistoryEntry,
    cents,
)
from app.sandbox.centra.order_stock import NotPossible, allocate, check_stock, let_go
from app.sandbox.centra.sellable import direct_warehouses
from app.sandbox.centra.shop import Shop
from app.sandbox.clock import iso

_VAT_PERCENT_UNKNOWN_COUNTRY = 20.0
# What the price list says of everything: a price that was forgotten shows in the total.
LIST_PRICE = Decimal("100.00")
# Payment status as the Order API has it -> (status, what the type of the entry is called then).
_AUTH = {0: ("PENDING", "AUTH_PENDING"), 1: ("SUCCESS", "AUTH"), 2: ("FAILED", "AUTH")}
_CAPTURE = {0: ("PENDING", "CAPTURE_PENDING"), 1: ("SUCCESS", "CAPTURE"), 2: ("FAILED", "CAPTURE_FAILED")}


@dataclass(frozen=True, slots=True)
class NewLine:
    size: ProductSize
    quantity: int
    price: Decimal = LIST_PRICE
    original_price: Decimal = LIST_PRICE
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What an order is made of. Amounts are on the basis of the price list, with tax or without."""

    lines: tuple[NewLine, ...]
    market: Market
    pricelist: Pricelist
    rule: AllocationRule | None
    number: int | None = None
    order_date: float | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    shipping_option: ShippingOption | None = None
    shipping_value: Decimal = Decimal(0)
    comment: str = ""
    internal_comment: str | None = None
    attributes: tuple[Attribute, ...] = ()
    send_email: bool = True
    is_internal: bool = False
    adjust_stock: bool = True
    force_create: bool = False
    create_only: bool = False


def create(shop: Shop, wanted: NewOrder) -> Order:
    """An INCOMPLETE order. Nothing is kept when NotEnoughStock is raised."""
    warehouses = direct_warehouses(wanted.rule)
    if wanted.adjust_stock and not wanted.force_create:
        check_stock([(line.size, line.quantity) for line in wanted.lines], warehouses)
    number, now = wanted.number or _next_number(shop), shop.now()
    country = wanted.shipping_address.country if wanted.shipping_address else None
    vat = country.vat_percent if country else _VAT_PERCENT_UNKNOWN_COUNTRY
    factor = Decimal(1) if wanted.pricelist.tax_included else 1 + Decimal(str(vat)) / 100
    order = Order(
        id=_hash(number),
        number=number,
        store=wanted.market.store,
        market=wanted.market,
        pricelist=wanted.pricelist,
        allocation_rule=wanted.rule,
        customer=_customer(shop, wanted),
        created_at=now,
        updated_at=now,
        order_date=now if wanted.order_date is None else wanted.order_date,
        order_lines=[_line(shop, line, wanted.pricelist, vat, factor) for line in wanted.lines],
        is_internal=wanted.is_internal,
        internal_comment=wanted.internal_comment,
        other_comment=wanted.comment,
        shipping_address=wanted.shipping_address,
        billing_address=wanted.billing_address,
        shipping_option=wanted.shipping_option,
        shipping_value=cents(wanted.shipping_value * factor),
        send_email=wanted.send_email,
        attributes=list(wanted.attributes),
        owes_stock=wanted.adjust_stock and wanted.create_only and not shop.order_options.create_only_takes_stock,
    )
    _keep(shop, order)
    if wanted.adjust_stock and not order.owes_stock:
        for line in order.order_lines:
            allocate(shop, line, line.quantity, warehouses)
    note(shop, order, "CREATE", event=None)
    return order


def place(shop: Shop, order: Order, *, split: bool = False) -> list[Order]:
    """Completes an order, repeatable; `split` spreads the lines of one that has several over two orders."""
    if order.status == "CANCELLED":
        raise NotPossible(f"order {order.number} is cancelled")
    if order.placed_as:
        note(shop, order, "COMPLETE", placed=False)
        return order.placed_as
    if order.owes_stock:
        order.owes_stock = False
        for line in order.order_lines:
            allocate(shop, line, line.open_quantity, direct_warehouses(order.allocation_rule))
    order.placed_as.append(order)
    if split and len(order.order_lines) > 1:
        second = _cut_off(shop, order)
        order.placed_as.append(second)
        second.placed_as.append(second)
    for part in order.placed_as:
        part.status = "CONFIRMED" if shop.order_options.autoconfirm else "PENDING"
        note(shop, part, "COMPLETE", event="CREATED", placed=True)
    return order.placed_as


def pay(shop: Shop, order: Order, payment: dict[str, Any]) -> None:
    """Enters `{"auth": {"status", "transaction", "method", "amount"}, "capture": {..}}`, each entry once."""
    for kind, known in (("auth", _AUTH), ("capture", _CAPTURE)):
        members = payment.get(kind)
        if members is None:
            continue
        status = int(members["status"])
        if kind == "auth" and status < 2:
            order.is_waiting_for_payment = status == 0
        outcome, entry_type = known[status]
        transaction = members.get("transaction")
        if (entry_type, transaction) in [(e.entry_type, e.external_reference) for e in order.payment_history]:
            continue
        amount = members.get("amount")
        value = order.grand_total if amount is None else order.money(cents(Decimal(str(amount))))
        entry = PaymentHistoryEntry(
            next(shop.numbers.payment), shop.now(), entry_type, outcome, transaction, value, members.get("method")
        )
        order.payment_history.append(entry)


def confirm(shop: Shop, order: Order) -> None:
    if order.status != "PENDING":
        raise NotPossible(f"Order {order.number} cannot be confirmed: it is {order.status}")
    order.status = "CONFIRMED"
    note(shop, order, "CONFIRM")


def cancel(shop: Shop, order: Order, *, release: bool = True, reason: str | None = None) -> None:
    """Cancels the whole order; its quantities stay. `release` gives the units back, else they leave the shelf."""
    if order.status == "CANCELLED":
        raise NotPossible(f"order {order.number} is cancelled already")
    if order.shipments:
        raise NotPossible(f"order {order.number} has been shipped, or is being packed")
    if any((e.entry_type, e.status) == ("CAPTURE", "SUCCESS") for e in order.payment_history):
        raise NotPossible(f"order {order.number} has been captured: make a return")
    for line in order.order_lines:
        let_go(shop, line, line.quantity, release=release)
        line.cancelled_quantity += line.quantity
        line.is_cancelled = True
    order.status = "CANCELLED"
    note(shop, order, "CANCEL", release=release, reason=reason)


def cancel_units(
    shop: Shop, order: Order, cuts: list[tuple[OrderLine, int, bool]], *, reason: str | None = None
) -> None:
    """Cancels units that are in no shipment: (line, quantity, whether to give them back). All cuts or none."""
    wanted: dict[int, int] = {}
    for line, quantity, _ in cuts:
        wanted[line.id] = wanted.get(line.id, 0) + quantity
        left = line.open_quantity - line.packed_quantity
        if quantity < 1 or wanted[line.id] > left:
            raise NotPossible(f"line {line.id} has {left} units that can be cancelled")
    for line, quantity, release in cuts:
        let_go(shop, line, quantity, release=release)
        line.quantity -= quantity
        line.cancelled_quantity += quantity
    settle(order)
    lines = [{"line": line.id, "quantity": quantity} for line, quantity, _ in cuts]
    note(shop, order, "CANCEL_LINES", lines=lines, reason=reason)


def allocate_owed(shop: Shop, order: Order) -> None:
    """Takes for the order what has come in since it was owed."""
    taken = 0
    for line in order.order_lines:
        owed = sum(line.demand.values())
        if owed:
            let_go(shop, line, owed, release=True)
            taken += owed - allocate(shop, line, owed, direct_warehouses(order.allocation_rule))
    if taken == 0:
        raise NotPossible(f"Nothing of order {order.number} can be allocated")
    note(shop, order, "ALLOCATE", quantity=taken)


def settle(order: Order) -> None:
    """Brings the status after its shipments: SHIPPED when every unit is shipped or cancelled and every shipment is
    paid and shipped. The last shipment removed, it is CONFIRMED again.
    """
    if not order.shipments:
        order.status = "CONFIRMED" if order.status in ("PROCESSING", "SHIPPED") else order.status
        return
    open_units = any(line.open_quantity for line in order.order_lines)
    done = not open_units and all(shipment.is_paid and shipment.is_shipped for shipment in order.shipments)
    order.status = "SHIPPED" if done else "PROCESSING"


def anonymize(shop: Shop, customer: Customer) -> None:
    """Takes the person out of the customer and of the customer's orders; countries stay."""
    customer.email = customer.first_name = customer.last_name = None
    for order in shop.orders.values():
        if order.customer is customer:
            for name in ("shipping_address", "billing_address"):
                address: Address | None = getattr(order, name)
                setattr(order, name, Address(country=address.country) if address else None)
            note(shop, order, "ANONYMIZE")


def note(shop: Shop, order: Order, change: str, *, event: str | None = "UPDATED", **facts: Any) -> None:
    """Enters a change in the order's history and in the ledger, and tells whoever listens for `event`."""
    order.updated_at = shop.now()
    order.history.append({"at": iso(order.updated_at), "change": change, **facts})
    shop.ledger.record(change, number=order.number, comment=order.internal_comment, **facts)
    if event is not None:
        shop.emit("Order", event, order.number, order.store, order.market)


def _line(shop: Shop, wanted: NewLine, pricelist: Pricelist, vat: float, factor: Decimal) -> OrderLine:
    return OrderLine(
        id=next(shop.numbers.order_line),
        product_size=wanted.size,
        quantity=wanted.quantity,
        currency=pricelist.currency,
        price=cents(wanted.price * factor),
        original_price=cents(wanted.original_price * factor),
        tax_percent=vat,
        rounding=Decimal(shop.order_options.rounding_error) / 100,
        comment=wanted.comment,
    )


def _customer(shop: Shop, wanted: NewOrder) -> Customer:
    address = wanted.billing_address or Address()
    customer = Customer(next(shop.numbers.customer), address.email, address.first_name, address.last_name)
    shop.customers[customer.id] = customer
    return customer


def _cut_off(shop: Shop, order: Order) -> Order:
    """The second half of the lines as an order of its own; shipping is charged on the first alone."""
    half = (len(order.order_lines) + 1) // 2
    number = _next_number(shop)
    second = dataclasses.replace(
        order,
        id=_hash(number),
        number=number,
        order_lines=order.order_lines[half:],
        shipping_value=Decimal(0),
        payment_history=[],
        shipments=[],
        returns=[],
        external_ids={},
        placed_as=[],
        history=[],
    )
    del order.order_lines[half:]
    _keep(shop, second)
    return second


def _keep(shop: Shop, order: Order) -> None:
    shop.orders[order.number] = order
    shop.order_by_hash[order.id] = order


def _next_number(shop: Shop) -> int:
    """An explicit number does not move the counter, so the counter passes over those that are taken."""
    return next(number for number in shop.numbers.order if number not in shop.orders)


def _hash(number: int) -> str:
    return hashlib.md5(f"order {number}".encode(), usedforsecurity=False).hexdigest()
