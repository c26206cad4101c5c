"""Tracking of parcels, and the calls for orders with one parcel: OR23 and OR24.

The ledger gets OR23 (order_id, carrier_code, carrier_name, tracking_number, tracking_url) and OR24 (order_id,
lines: units by line id).
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.mirakl.answers import Refused, members_of
from app.sandbox.mirakl.orders import OWN_FULFILMENT, Order, OrderBook
from app.sandbox.mirakl.state import Shop

TRACKING_NAMES = ("carrier_code", "carrier_name", "carrier_standard_code", "tracking_number")
_PLACE = "{trackingId}"
_ON_THE_WAY = ("SHIPPED", "TO_COLLECT")


class Tracking:
    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._shop = book.shop
        self._ledger = book.shop.kernel.ledger

    async def or23(self, request: Request) -> Response:
        order = self._own(request)
        if order.state != "SHIPPING" and not (
            order.state in _ON_THE_WAY and self._shop.order_rules.tracking_after_shipping
        ):
            raise wrong_state(order)
        order.tracking = read_tracking(self._shop, members_of(await request.body()), url_name="carrier_url")
        self._book.touch(order)
        shown = {name: value for name, value in order.tracking.items() if name != "carrier_standard_code"}
        self._ledger.record("OR23", order_id=order.order_id, **shown)
        return Response(status_code=204)

    async def or24(self, request: Request) -> Response:
        order = self._own(request)
        if order.state != "SHIPPING":
            raise wrong_state(order)
        check_mandatory(self._shop, order, order.tracking)
        units = {line.line_id: line.to_ship for line in order.lines if line.to_ship}
        if not units:
            raise Refused(400, f"Nothing of order '{order.order_id}' is left to ship")
        self._ledger.record("OR24", order_id=order.order_id, lines=units)
        self._book.enter(order, "SHIPPED")
        return Response(status_code=204)

    def _own(self, request: Request) -> Order:
        order = self._book.orders.get(request.path_params["order_id"])
        if order is None:
            raise Refused(404, f"Order with id '{request.path_params['order_id']}' does not exist")
        if order.fulfillment != OWN_FULFILMENT:
            raise Refused(400, "The operator fulfils this order")
        if self._shop.mirrors.multi_shipment and not self._shop.order_rules.or24_with_multi_shipment:
            raise Refused(400, "Multi-shipment is enabled: use the shipments API")
        return order


def wrong_state(order: Order) -> Refused:
    return Refused(400, f"The order status must be 'SHIPPING' but it is '{order.state}'.")


def read_tracking(shop: Shop, given: Any, *, url_name: str) -> dict[str, Any]:
    """As orders and shipments show it. A registered carrier brings its own label and URL; Refused (400)."""
    if not isinstance(given, Mapping):
        raise Refused(400, "Error with field tracking. Please check the field datatype.")
    for member in (*TRACKING_NAMES, url_name):
        if not isinstance(given.get(member), str | None):
            raise Refused(400, f"Error with field {member}. Please check the field datatype.")
    code, name, number = given.get("carrier_code"), given.get("carrier_name"), given.get("tracking_number") or None
    if not code:
        if not name:
            raise Refused(400, "A carrier code or a carrier name is mandatory")
        if shop.mirrors.configuration["features"]["disable_seller_alternative_carrier"]:
            raise Refused(400, f"The carrier '{name}' is not registered, and no other carriers are allowed")
        standard_code, url = given.get("carrier_standard_code"), given.get(url_name) or None
        return _tracking(None, name, standard_code, number, url)
    carrier = next((known for known in shop.mirrors.lists["carriers"] if known["code"] == code), None)
    if carrier is None:
        raise Refused(400, f"Carrier with code '{code}' does not exist")
    template = carrier.get("tracking_url")
    if template and _PLACE in template and number is None:
        raise Refused(400, f"The tracking number is mandatory for carrier '{code}'")
    url = template.replace(_PLACE, number or "") if template else None
    return _tracking(code, carrier["label"], carrier.get("standard_code"), number, url)


def check_mandatory(shop: Shop, order: Order, tracking: dict[str, Any] | None) -> None:
    """Refused (400) where the buyer's shipping method needs a tracking and there is none."""
    method = order.shipping["shipping_type_code"]
    mandatory = any(
        kind["code"] == method and kind["mandatory_tracking"] for kind in shop.mirrors.lists["shipping_types"]
    )
    if mandatory and not (tracking and tracking["tracking_number"]):
        raise Refused(400, "Tracking details are mandatory for this shipping method")


def _tracking(code: str | None, name: str, standard_code: Any, number: str | None, url: str | None) -> dict[str, Any]:
    return {
        "carrier_code": code,
        "carrier_name": name,
        "carrier_standard_code": standard_code,
        "tracking_number": number,
        "tracking_url": url,
    }
