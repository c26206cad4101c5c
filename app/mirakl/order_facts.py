"""An order as Mirakl tells it, in our terms, with its buyer split off.

What is kept raw is chosen by name: a member that nobody here knows to be impersonal is not kept, so that buyer data
can't come in through a new one (business rule 24).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.orders import OURS, Address, Buyer, Field, Order, OrderLine, Refunded, Tax
from app.mirakl import order_schema as told
from app.policies.countries import alpha2


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEPT = _names(
    """
    acceptance_decision_date can_cancel can_shop_ship channel commercial_id created_date currency_code
    currency_iso_code customer_debited_date customer_directly_pays_seller delivery_date fulfillment
    fully_refunded has_customer_message has_incident has_invoice last_updated_date leadtime_to_ship order_id
    order_refunds order_state order_state_reason_code order_state_reason_label order_tax_mode order_taxes
    payment_duration payment_type payment_workflow price promotions references shipping_carrier_code
    shipping_carrier_standard_code shipping_company shipping_deadline shipping_price shipping_type_code
    shipping_type_label shipping_type_standard_code shipping_zone_code shipping_zone_label total_commission
    total_price transaction_date transaction_number
    """
)
KEPT_OF_LINES = _names(
    """
    can_refund cancelations category_code category_label commission_fee commission_taxes created_date
    debited_date eco_contributions fees last_updated_date offer_id offer_sku offer_state_code order_line_id
    order_line_index order_line_state order_line_state_reason_code order_line_state_reason_label
    origin_unit_price price price_amount_breakdown price_unit product_shop_sku product_sku product_title
    promotions quantity received_date refunds shipped_date shipping_price shipping_price_amount_breakdown
    shipping_taxes taxes total_commission total_price
    """
)


@dataclass(frozen=True, slots=True)
class Told:
    """An order without its buyer, the buyer, and the raw order (JSON) without its buyer."""

    order: Order
    buyer: Buyer
    kept: str


def told_of(raw: told.RawOrder) -> Told:
    """What one order says."""
    order = raw.order
    buyer = _buyer(order)
    delivery = buyer.shipping
    return Told(
        Order(
            order_id=OrderId(order.order_id),
            commercial_id=order.commercial_id,
            state=order.order_state,
            state_reason=order.order_state_reason_code,
            created_at=order.created_date,
            updated_at=order.last_updated_date,
            decided_at=order.acceptance_decision_date,
            ship_by=order.shipping_deadline,
            currency=order.currency_iso_code,
            lines=tuple(_line(line) for line in order.order_lines),
            can_cancel=bool(order.can_cancel),
            can_ship=bool(order.can_shop_ship),
            fulfilled_by=_center(order),
            tax_mode=order.order_tax_mode or "TAX_INCLUDED",
            total_price=order.total_price,
            workflow=order.payment_workflow or "",
            debited_at=order.customer_debited_date,
            paid_at=order.transaction_date,
            transaction=order.transaction_number or "",
            has_incident=bool(order.has_incident),
            shipping_type=order.shipping_type_code,
            shipping_label=order.shipping_type_label,
            shipping_zone=order.shipping_zone_code,
            sales_channel=order.channel.code if order.channel else None,
            country=alpha2(delivery.country_code, delivery.country) if delivery else None,
            has_address=delivery is not None,
            seller_reference=order.references.order_reference_for_seller if order.references else None,
            promotions=(order.promotions.total_deduced_amount if order.promotions else None) or Decimal(0),
        ),
        buyer,
        _kept(raw.raw),
    )


def _center(order: told.Order) -> str:
    center = order.fulfillment.center if order.fulfillment else None
    return (center.code if center else None) or OURS


def _line(line: told.OrderLine) -> OrderLine:
    return OrderLine(
        line_id=OrderLineId(line.order_line_id),
        sku=Sku(line.offer_sku),
        quantity=line.quantity,
        price_unit=line.price_unit,
        price=line.price,
        shipping_price=line.shipping_price,
        total_price=line.total_price,
        state=line.order_line_state,
        state_reason=line.order_line_state_reason_code,
        index=line.order_line_index or 0,
        offer_id=line.offer_id,
        title=line.product_title or "",
        category=line.category_code or "",
        commission=line.total_commission,
        taxes=_taxes(line.taxes),
        shipping_taxes=_taxes(line.shipping_taxes),
        refunded_quantity=sum(refund.quantity or 0 for refund in line.refunds or ()),
        cancelled_quantity=sum(cancelation.quantity or 0 for cancelation in line.cancelations or ()),
        taken=tuple(_taken(line)),
    )


def _taken(line: told.OrderLine) -> Iterator[Refunded]:
    refunds, cancelations = line.refunds or (), line.cancelations or ()
    for place, given in enumerate((*refunds, *cancelations)):
        yield Refunded(
            refund_id=given.id,
            line_id=OrderLineId(line.order_line_id),
            amount=given.amount or Decimal(0),
            shipping=given.shipping_amount or Decimal(0),
            quantity=given.quantity or 0,
            reason=given.reason_code or "",
            state=given.refund_state or given.state or "",
            created_at=given.created_date,
            taxes=_taxes(given.taxes),
            shipping_taxes=_taxes(given.shipping_taxes),
            cancelation=place >= len(refunds),
            group=given.order_refund_id or "",
            paid_at=given.transaction_date,
            transaction=given.transaction_number or "",
        )


def _taxes(given: tuple[told.Tax, ...] | None) -> tuple[Tax, ...]:
    return tuple(Tax(tax.code, tax.amount, tax.rate) for tax in given or ())


def _buyer(order: told.Order) -> Buyer:
    customer = order.customer or told.Customer()
    fields = {line.order_line_id: _fields(line.order_line_additional_fields) for line in order.order_lines}
    return Buyer(
        customer_id=customer.customer_id or "",
        civility=customer.civility or "",
        firstname=customer.firstname or "",
        lastname=customer.lastname or "",
        locale=customer.locale or "",
        email=order.customer_notification_email or "",
        organization=(customer.organization.name if customer.organization else None) or "",
        shipping=_address(customer.shipping_address),
        billing=_address(customer.billing_address),
        pickup_point=order.shipping_pudo_id or "",
        fields=_fields(order.order_additional_fields),
        line_fields={line_id: found for line_id, found in fields.items() if found},
    )


def _address(given: told.Address | None) -> Address | None:
    if given is None:
        return None
    members = msgspec.structs.asdict(given)
    members["country_code"] = members.pop("country_iso_code")
    return Address(**{name: value or "" for name, value in members.items()})


def _fields(given: Iterable[told.AdditionalValue] | None) -> tuple[Field, ...]:
    return tuple(Field(f.code, _text(f.value)) for f in given or () if f.value not in (None, "", ()))


def _text(value: str | bool | int | float | tuple[str, ...] | None) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return "\n".join(value)
        case None:
            return ""
        case _:
            return str(value)


def _kept(raw: bytes) -> str:
    order: Mapping[str, msgspec.Raw] = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    lines = msgspec.json.decode(order.get("order_lines", b"[]"), type=list[dict[str, msgspec.Raw]])
    kept: dict[str, object] = {name: value for name, value in order.items() if name in KEPT}
    kept["order_lines"] = [{n: v for n, v in line.items() if n in KEPT_OF_LINES} for line in lines]
    return msgspec.json.encode(kept).decode()
