"""How a new order is put to the Order API; a later door into Centra is another file like this."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC

from app.centra.order_api import ApiAddress, ApiProduct, Completion, CreateOrder, Payment, PaymentEntry
from app.domain.ids import SizeId, Sku
from app.domain.orders import CentraAddress, NewOrder, Order

METHOD = "marketplace"
PENDING, PAID = 0, 1


def create_request(
    order: NewOrder, sizes: Mapping[Sku, SizeId], payment_id: int | None, *, mail: bool, attribute: str
) -> CreateOrder:
    """The request that makes an order and does not place it. Prices are what the buyer paid, never the price list's.

    `attribute`: a Centra order attribute (with its element) that shows the marketplace's order id to people.
    Lines name sizes by id: what a SKU is at the marketplace need not be what Centra calls by that name.
    """
    return CreateOrder(
        market_id=order.market,
        pricelist_id=order.price_list,
        internal_comment=order.reference,
        invoice_address=_address(order.invoice),
        delivery_address=_address(order.delivery),
        products=tuple(
            ApiProduct(
                qty=line.quantity,
                id=sizes[line.sku],
                unit_price=line.unit_price,
                original_price=line.unit_price,
                comment=line.line_id,
                item_text=line.text,
            )
            for line in order.lines
        ),
        shipping_list=order.shipping_option,
        shipping_value=order.shipping_value,
        send_email=mail,
        payment=None if payment_id is None else _payment(payment_id, PENDING, order.order_id, order),
        warehouse_group=order.allocation_rule,
        order_date=order.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        comment=order.comment,
        extra_attributes={attribute: order.order_id} if attribute else None,
        force_create=order.backorder,
    )


def completion(order: Order, reference: str, payment_id: int | None, *, paid: bool) -> Completion:
    """The request that places an order: waiting for payment, or paid outside Centra. No capture is ever recorded."""
    entry = PaymentEntry(PAID if paid else PENDING, order.total_price, order.commercial_id, METHOD)
    return Completion(Payment(payment_id or 0, entry), reference)


def _payment(payment_id: int, status: int, order_id: str, order: NewOrder) -> Payment:
    return Payment(payment_id, PaymentEntry(status, order.total, order_id, METHOD))


def _address(address: CentraAddress) -> ApiAddress:
    return ApiAddress(
        email=address.email,
        country=address.country,
        first_name=address.first_name,
        last_name=address.last_name,
        address=address.address,
        coaddress=address.co_address,
        zipcode=address.zip_code,
        city=address.city,
        state=address.state,
        cell=address.phone,
        attn=address.company,
    )
