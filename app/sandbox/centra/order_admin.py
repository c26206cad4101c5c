"""The /_sandbox/orders routes.

GET  /_sandbox/orders -> {"orders": [...]}, see `public_order`
POST /_sandbox/orders {"sku", "quantity"} or {"lines": [...], "market"?, "backorder"?} -> the order, placed; or 409
POST /_sandbox/orders/cancel {"number", "lines"?: [{"line_id" | "sku", "quantity"}] (the whole order), "release"?: true}
         as a person in the back office does it
POST /_sandbox/orders/ship   as POST /_sandbox/shipments (see after_admin.py) -> the order
POST /_sandbox/orders/options {"create_allowed"?: true, "create_only_takes_stock"?: true, "autoconfirm"?: false,
         "split_every"?: 0 (every nth order that is placed through the Order API becomes two), "rounding_error"?: 0
         (minor units that each unit adds to the totals of orders made from now on),
         "no_conversion_of_incomplete"?: false} -> all options; GET. Seeding leaves them as they are.
"""

import dataclasses
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.sandbox.admin import json_object, refusing_nonsense
from app.sandbox.centra import orders
from app.sandbox.centra.after_admin import line_of, public_return, public_shipment, ship
from app.sandbox.centra.attributes import AttributeStringElement
from app.sandbox.centra.entities import Market
from app.sandbox.centra.order_entities import Address, Order, OrderLine
from app.sandbox.centra.order_request import default_pricelist
from app.sandbox.centra.order_stock import NotEnoughStock
from app.sandbox.centra.shop import Shop
from app.sandbox.clock import iso

MARKETPLACE = 4


def market_of(shop: Shop, named: Any) -> Market:
    """The market of that id; without one the marketplace's, else the last seeded."""
    if named is not None:
        return shop.markets[int(named)]
    return shop.markets.get(MARKETPLACE) or list(shop.markets.values())[-1]


@dataclasses.dataclass(frozen=True, slots=True)
class OrderAdmin:
    shop: Shop

    def routes(self) -> list[Route]:
        table = (
            ("orders", self.at_orders, ["GET", "POST"]),
            ("orders/cancel", self.at_cancel, ["POST"]),
            ("orders/ship", self.at_ship, ["POST"]),
            ("orders/options", self.at_options, ["GET", "POST"]),
        )
        return [Route(f"/_sandbox/{n}", refusing_nonsense(to), methods=methods) for n, to, methods in table]

    async def at_orders(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"orders": [public_order(order) for order in self.shop.orders.values()]})
        members = await json_object(request)
        market = market_of(self.shop, members.get("market"))
        wanted = orders.NewOrder(
            lines=tuple(self._line(line) for line in members.get("lines") or [members]),
            market=market,
            pricelist=default_pricelist(self.shop, market),
            rule=market.allocation_rule or market.store.allocation_rule,
            force_create=bool(members.get("backorder")),
        )
        try:
            order = orders.create(self.shop, wanted)
        except NotEnoughStock as refusal:
            return JSONResponse({"error": str(refusal)}, status_code=409)
        orders.place(self.shop, order)
        return JSONResponse(public_order(order))

    async def at_cancel(self, request: Request) -> Response:
        members = await json_object(request)
        order = self.shop.orders[int(members["number"])]
        release = bool(members.get("release", True))
        if "lines" in members:
            cuts = [(line_of(order, entry), int(entry["quantity"]), release) for entry in members["lines"]]
            orders.cancel_units(self.shop, order, cuts)
        else:
            orders.cancel(self.shop, order, release=release)
        return JSONResponse(public_order(order))

    async def at_ship(self, request: Request) -> Response:
        members = await json_object(request)
        return JSONResponse(public_order(ship(self.shop, members).order))

    async def at_options(self, request: Request) -> Response:
        if request.method == "POST":
            self.shop.order_options = self.shop.order_options.changed(await json_object(request))
        return JSONResponse(dataclasses.asdict(self.shop.order_options))

    def _line(self, members: dict[str, Any]) -> orders.NewLine:
        quantity = int(members.get("quantity", 1))
        if quantity < 1:
            raise ValueError("a quantity is at least 1")
        return orders.NewLine(self.shop.size_for(members), quantity)


def public_order(order: Order) -> dict[str, Any]:
    """`quantity` of a line is as the API has it; `allocated` and `demand` are by warehouse id."""
    totals, option = order.totals, order.shipping_option
    return {
        "id": order.id,
        "number": order.number,
        "status": order.status,
        "is_on_hold": order.is_on_hold,
        "is_waiting_for_payment": order.is_waiting_for_payment,
        "internal_comment": order.internal_comment,
        "other_comment": order.other_comment,
        "external_id": next((entry.external_id for entry in order.external_ids.values()), None),
        "market": order.market.id,
        "pricelist": order.pricelist.id,
        "allocation_rule": order.allocation_rule.name if order.allocation_rule else None,
        "shipping_option": option.uri if option else None,
        "totals": {
            "grand_total": order.grand_total.value,
            "shipping": totals.shipping.value,
            "tax_included": totals.tax_included.value,
            "tax_added": totals.tax_added.value,
            "currency": order.pricelist.currency.code,
        },
        "shipping_address": _public_address(order.shipping_address),
        "billing_address": _public_address(order.billing_address),
        "email": order.customer.email,
        "customer_id": order.customer.id,
        "send_email": order.send_email,
        "attributes": {
            f"{a.type.name}_{e.key}": e.value
            for a in order.attributes
            for e in a.elements
            if isinstance(e, AttributeStringElement)
        },
        "payments": [[e.entry_type, e.external_reference, e.value.value] for e in order.payment_history],
        "lines": [_public_line(line) for line in order.order_lines],
        "shipments": [public_shipment(shipment) for shipment in order.shipments],
        "returns": [public_return(made) for made in order.returns],
        "created_at": iso(order.created_at),
        "order_date": iso(order.order_date),
        "history": order.history,
    }


def _public_line(line: OrderLine) -> dict[str, Any]:
    allocated: dict[str, int] = {}
    for allocation in line.allocations:
        key = str(allocation.warehouse.id)
        allocated[key] = allocated.get(key, 0) + allocation.quantity
    return {
        "id": line.id,
        "sku": line.product_size.sku,
        "quantity": line.quantity,
        "cancelled": line.cancelled_quantity,
        "allocated": allocated,
        "demand": {str(warehouse): owed for warehouse, owed in line.demand.items()},
        "packed": line.packed_quantity,
        "shipped": line.shipped_quantity,
        "returned": line.returned_quantity,
        "unit_price": float(line.price),
        "comment": line.comment,
    }


def _public_address(address: Address | None) -> dict[str, Any] | None:
    if address is None:
        return None
    members = {field.name: getattr(address, field.name) for field in dataclasses.fields(address)}
    return {**members, "country": address.country.code if address.country else None}
