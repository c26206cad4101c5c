"""The order to create in Centra: what the buyer paid, where it goes, and what people must read (business rule 17).

Prices come from the order and from nowhere else (field case 39), brought to the tax basis of the price list, to the
minor unit: the lines and the shipping add up to what the buyer paid for what is delivered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal

from app.domain.ids import OrderId, OrderLineId
from app.domain.money import major, minor
from app.domain.orders import Buyer, Field, NewLine, NewOrder, Order, OrderLine, Tax
from app.policies.addresses import AddressPolicy, Unmappable, email_for, split_addresses

ANYWHERE = "*"
TAX_INCLUDED, TAX_EXCLUDED = "TAX_INCLUDED", "TAX_EXCLUDED"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where orders to a country are booked in Centra; `country` alpha-2, or "*" for those without a row of their own.

    `tax_included`: whether the prices of the price list contain taxes.
    """

    country: str
    market: int
    price_list: int
    currency: str
    tax_included: bool
    shipping_option: str
    allocation_rule: str | None = None


@dataclass(frozen=True, slots=True)
class EntryPolicy:
    """What a channel decides about its orders in Centra. `backorder`: short lines become demand (business rule 18)."""

    channel: str
    address: AddressPolicy = field(default_factory=AddressPolicy)
    email_domain: str = "orders.invalid"
    backorder: bool = False


def destination_for(country: str | None, destinations: Iterable[Destination]) -> Destination | None:
    """The row of a country (alpha-2), else the one for all others. None for no country: there is no default one."""
    by_country = {destination.country: destination for destination in destinations}
    return by_country.get(country, by_country.get(ANYWHERE)) if country else None


def reference(channel: str, order_id: OrderId) -> str:
    """Our mark in Centra's internal comment."""
    return f"mirakl:{channel}:{order_id}"


def new_order(
    order: Order,
    buyer: Buyer,
    accepted: frozenset[OrderLineId],
    destination: Destination,
    policy: EntryPolicy,
) -> NewOrder | Unmappable:
    """The order with its live, accepted lines, or why it can't be made (field cases 26, 35, 81)."""
    lines = [line for line in order.live_lines if line.line_id in accepted]
    if fault := _fault(order, lines, destination):
        return Unmappable(fault)
    email = email_for(order.order_id, buyer.email, policy.email_domain)
    addresses = split_addresses(buyer, email, policy.address)
    if isinstance(addresses, Unmappable):
        return addresses
    delivery, invoice = addresses
    if destination.country not in (ANYWHERE, delivery.country):
        return Unmappable(f"the order was meant for {destination.country}, its delivery address is in another country")
    entered = [part for line in lines for part in _entered(order, line, buyer, destination)]
    shipping = sum(_shipping_units(order, line, destination) for line in lines)
    goods = sum(minor(part.unit_price, order.currency) * part.quantity for part in entered)
    return NewOrder(
        reference=reference(policy.channel, order.order_id),
        order_id=order.order_id,
        created_at=order.created_at,
        market=destination.market,
        price_list=destination.price_list,
        currency=order.currency,
        shipping_option=destination.shipping_option,
        shipping_value=major(shipping, order.currency),
        lines=tuple(entered),
        total=major(goods + shipping, order.currency),
        delivery=delivery,
        invoice=invoice,
        allocation_rule=destination.allocation_rule,
        comment="\n".join(_comment(order, buyer, lines)),
        backorder=policy.backorder,
    )


def compare_totals(expected: Decimal, found: Decimal, units: int, currency: str) -> str | None:
    """Words for finance when Centra's total is not what the buyer paid; one minor unit for each unit is rounding."""
    apart = minor(found, currency) - minor(expected, currency)
    if abs(apart) <= units:
        return None
    found = major(minor(found, currency), currency)
    return (
        f"Centra's total is {found} {currency}, the buyer paid {expected} {currency}:"
        f" {major(abs(apart), currency)} {currency} {'more' if apart > 0 else 'less'}, beyond rounding of {units} units"
    )


def _fault(order: Order, lines: list[OrderLine], destination: Destination) -> str | None:
    if not lines:
        return "none of the accepted lines is still to be delivered"
    if order.currency != destination.currency:
        return f"the order is in {order.currency}, its price list in {destination.currency}"
    if order.tax_mode not in (TAX_INCLUDED, TAX_EXCLUDED):
        return f"the tax mode {order.tax_mode} is not known"
    for line in lines:
        if line.cancelled_quantity or line.refunded_quantity:
            # Amounts of a line stay whole at Mirakl, so what was paid for the units that are left is not told.
            return f"line {line.line_id}: some units were cancelled or refunded before the order came to Centra"
        if _goods(line) < line.price:
            return f"line {line.line_id}: its total is less than its price and shipping"
        if _goods_units(order, line, destination) < 0 or _shipping_units(order, line, destination) < 0:
            return f"line {line.line_id}: an amount is negative"
    return None


def _goods(line: OrderLine) -> Decimal:
    """The price with the fees that the line's total contains, without shipping, in the order's tax mode."""
    return line.total_price - line.shipping_price if line.total_price else line.price


def _goods_units(order: Order, line: OrderLine, destination: Destination) -> int:
    return _units(order, destination, _goods(line), line.taxes)


def _shipping_units(order: Order, line: OrderLine, destination: Destination) -> int:
    return _units(order, destination, line.shipping_price, line.shipping_taxes)


def _units(order: Order, destination: Destination, amount: Decimal, taxes: tuple[Tax, ...]) -> int:
    """An amount of the order in the tax basis of the price list, in minor units. Taxes as given, never recomputed."""
    tax = sum((tax.amount for tax in taxes), Decimal(0))
    if order.tax_mode == TAX_INCLUDED and not destination.tax_included:
        amount -= tax
    elif order.tax_mode == TAX_EXCLUDED and destination.tax_included:
        amount += tax
    return minor(amount, order.currency)


def _entered(order: Order, line: OrderLine, buyer: Buyer, destination: Destination) -> Iterator[NewLine]:
    """The line at its unit price; two lines a minor unit apart where the amount can't be divided by the quantity."""
    unit, dearer = divmod(_goods_units(order, line, destination), line.quantity)
    text = "\n".join(_labelled(buyer.line_fields.get(line.line_id, ())))
    for quantity, price in ((line.quantity - dearer, unit), (dearer, unit + 1)):
        if quantity:
            yield NewLine(line.line_id, line.sku, quantity, major(price, order.currency), text)


def _labelled(fields: Iterable[Field]) -> Iterator[str]:
    return (f"{field.code}: {field.value}" for field in fields if field.value.strip())


def _comment(order: Order, buyer: Buyer, lines: list[OrderLine]) -> Iterator[str]:
    """What the warehouse must know, one labelled line each, nothing cut."""
    if order.shipping_label:
        yield f"Shipping method: {order.shipping_label}"
    if order.ship_by:
        yield f"Ship by: {order.ship_by.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if buyer.pickup_point:
        yield f"Pickup point: {buyer.pickup_point}"
    yield from _labelled(buyer.fields)
    for line in lines:
        yield from (f"{line.sku}, {text}" for text in _labelled(buyer.line_fields.get(line.line_id, ())))
