"""ST11, the shipments of the shop, and ST12, the units that are in none yet, both as seek pages."""

from starlette.requests import Request

from app.sandbox.clock import iso
from app.sandbox.mirakl.answers import Json
from app.sandbox.mirakl.order_lists import LEAD_TIME_DAYS
from app.sandbox.mirakl.orders import Order, OrderBook
from app.sandbox.mirakl.pages import Asked
from app.sandbox.mirakl.shipments import Shipment, Shipments, shown

_STATES = (
    *("SHIPPING", "READY_FOR_PICK_UP", "SHIPMENT_PREPARED", "SHIPPED", "TO_COLLECT", "RECEIVED", "CANCELED"),
    "CLOSED",
)


class ShipmentLists:
    def __init__(self, book: OrderBook, shipments: Shipments) -> None:
        self._book = book
        self._shipments = shipments

    async def st11(self, request: Request) -> Json:
        self._shipments.check_on()
        asked = Asked(request, "dateCreated")
        order_ids = asked.values("order_id")
        states = asked.values("shipment_state_code", _STATES)
        debits = asked.values("shipment_customer_debit_state_code")

        def fits(shipment: Shipment) -> bool:
            return (
                (not order_ids or shipment.order.order_id in order_ids)
                and (not states or shown(shipment)["status"] in states)
                and (not debits or shipment.debit in debits)
                and asked.within("last_updated_from", "last_updated_to", shipment.updated_at)
            )

        chosen = filter(fits, list(self._shipments.all.values()))
        return asked.page(chosen, lambda shipment: (shipment.created_at, shipment.shipment_id), shown)

    async def st12(self, request: Request) -> Json:
        """Orders whose address is not released yet have none to show, and are left out."""
        self._shipments.check_on()
        asked = Asked(request, "shippingDate")
        order_ids, centers = asked.values("order_id"), asked.values("fulfillment_center_code")

        def fits(order: Order) -> bool:
            return (
                order.state == "SHIPPING"
                and order.released_at is not None
                and order.shipping_address is not None
                and any(line.to_ship for line in order.lines)
                and (not order_ids or order.order_id in order_ids)
                and (not centers or order.fulfillment in centers)
                and asked.within("shipping_date_from", "shipping_date_to", order.released_at)
            )

        chosen = filter(fits, self._book.orders.values())
        return asked.page(chosen, lambda order: (order.released_at or 0.0, order.order_id), _left_to_ship)


def _left_to_ship(order: Order) -> dict[str, object]:
    released_at = order.released_at or 0.0
    return {
        "fulfillment": {"center": {"code": order.fulfillment}},
        "order_id": order.order_id,
        "references": {
            "order_reference_for_customer": order.reference_for_customer,
            "order_reference_for_seller": order.reference_for_seller,
        },
        "shipment_lines": [
            {
                "offer_sku": line.sku,
                "order_line_id": line.line_id,
                "package_description": None,
                "package_reference": None,
                "product_title": f"Product {line.sku}",
                "quantity": line.to_ship,
            }
            for line in order.lines
            if line.to_ship
        ],
        "shipping_address": order.shipping_address,
        "shipping_date": iso(released_at),
        "shipping_deadline": iso(released_at + LEAD_TIME_DAYS * 86_400),
        "shipping_type_code": order.shipping["shipping_type_code"],
        "shipping_type_standard_code": order.shipping["shipping_type_standard_code"],
    }
