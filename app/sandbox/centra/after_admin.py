"""The /_sandbox routes of shipments and returns. `shipment` is an id or a number as "40301-1", `return` an id.

GET  /_sandbox/shipments -> {"shipments": [...]}, see `public_shipment`
POST /_sandbox/shipments {"number", "lines"?: [{"line_id" | "sku", "quantity"}] (all that can be shipped), "carrier"?,
         "service"?, "tracking_number"?, "return_tracking"?, "packages"?: 1, "good_to_go"?: true, "paid"?: true,
         "complete"?: true} -> the shipment
POST /_sandbox/shipments/change {"shipment", and any of carrier, service, tracking_number, return_tracking, packages,
         good_to_go, paid; "" takes off} -> the shipment, before or after it is completed
POST /_sandbox/shipments/complete {"shipment", and as in change} -> the shipment
POST /_sandbox/shipments/remove {"shipment"} -> {}
GET  /_sandbox/returns -> {"returns": [...]}, see `public_return`
POST /_sandbox/returns {"shipment" or "number" (its only completed shipment), "lines"?: [{"line_id" | "sku",
         "quantity"}] (all that is left), "shipping_cost"?: amount | "all", "handling"?, "return_cost"?, "release"?:
         true, "comment"?, "complete"?: true} -> the return. `line_id` is the order line's. Whatever `handling` is
         asked for is given: no order here has any of its own. A credit of an amount alone is not possible, as in
         Centra: it takes a shipment and units.
POST /_sandbox/returns/complete | uncomplete | delete {"return"} -> the return
POST /_sandbox/returns/refund {"return", "entry_type"?: "REFUND" | "REFUND_REQUEST" | "REFUND_FAILED",
         "reference"?} -> the return, with a payment entry
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.sandbox.admin import json_object, refusing_nonsense
from app.sandbox.centra import returns, shipments
from app.sandbox.centra.after_entities import Return, Shipment, ShipmentLine
from app.sandbox.centra.order_entities import Order, OrderLine, cents
from app.sandbox.centra.shop import Shop
from app.sandbox.clock import iso


@dataclass(frozen=True, slots=True)
class AfterAdmin:
    shop: Shop

    def routes(self) -> list[Route]:
        table = (
            ("shipments", self.at_shipments, ["GET", "POST"]),
            ("shipments/change", self.at_change, ["POST"]),
            ("shipments/complete", self.at_complete, ["POST"]),
            ("shipments/remove", self.at_remove, ["POST"]),
            ("returns", self.at_returns, ["GET", "POST"]),
            ("returns/refund", self.at_refund, ["POST"]),
            ("returns/{verb}", self.at_return, ["POST"]),
        )
        return [Route(f"/_sandbox/{n}", refusing_nonsense(to), methods=methods) for n, to, methods in table]

    async def at_shipments(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"shipments": [public_shipment(s) for s in self.shop.shipments.values()]})
        members = await json_object(request)
        return JSONResponse(public_shipment(ship(self.shop, members)))

    async def at_change(self, request: Request) -> Response:
        members = await json_object(request)
        shipment = self._shipment(members)
        shipments.update(self.shop, shipment, _change(members))
        return JSONResponse(public_shipment(shipment))

    async def at_complete(self, request: Request) -> Response:
        members = await json_object(request)
        shipment = self._shipment(members)
        shipments.complete(self.shop, shipment, _change(members))
        return JSONResponse(public_shipment(shipment))

    async def at_remove(self, request: Request) -> Response:
        shipments.remove(self.shop, self._shipment(await json_object(request)))
        return JSONResponse({})

    async def at_returns(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"returns": [public_return(made) for made in self.shop.returns.values()]})
        members = await json_object(request)
        shipment = self._shipment(members)
        if "lines" in members:
            units = [(_shipped_line(shipment, entry), int(entry["quantity"])) for entry in members["lines"]]
        else:
            left = [(line, line.quantity - line.claimed_quantity) for line in shipment.lines]
            units = [(line, quantity) for line, quantity in left if quantity]
        shipping = members.get("shipping_cost", 0)
        costs = returns.Costs(
            shipping=shipment.shipping_left if shipping == "all" else _amount(shipping),
            handling=_amount(members.get("handling", 0)),
            return_cost=_amount(members.get("return_cost", 0)),
        )
        release = bool(members.get("release", True))
        made = returns.create(self.shop, shipment, units, costs, release=release, comment=members.get("comment"))
        if members.get("complete", True):
            returns.complete(self.shop, made)
        return JSONResponse(public_return(made))

    async def at_return(self, request: Request) -> Response:
        """KeyError for a verb that is not there."""
        verbs: dict[str, Callable[[Shop, Return], None]] = {
            "complete": returns.complete,
            "uncomplete": returns.uncomplete,
            "delete": returns.delete,
        }
        made = self.shop.returns[int((await json_object(request))["return"])]
        verbs[request.path_params["verb"]](self.shop, made)
        return JSONResponse(public_return(made))

    async def at_refund(self, request: Request) -> Response:
        members = await json_object(request)
        made = self.shop.returns[int(members["return"])]
        returns.refund(self.shop, made, members.get("entry_type", "REFUND"), members.get("reference"))
        return JSONResponse(public_return(made))

    def _shipment(self, members: dict[str, Any]) -> Shipment:
        """The one that `shipment` names, else the only completed one of the order `number`; ValueError without."""
        if "shipment" in members:
            found = [s for s in self.shop.shipments.values() if members["shipment"] in (s.id, s.number)]
        else:
            found = [s for s in self.shop.orders[int(members["number"])].shipments if s.is_shipped]
        (shipment,) = found
        return shipment


def ship(shop: Shop, members: dict[str, Any]) -> Shipment:
    """What POST /_sandbox/shipments asks for."""
    order = shop.orders[int(members["number"])]
    if "lines" in members:
        units = [(line_of(order, entry), int(entry["quantity"])) for entry in members["lines"]]
    else:
        left = [(line, line.allocated_quantity - line.packed_quantity) for line in order.order_lines]
        units = [(line, quantity) for line, quantity in left if quantity]
    change = _change({"packages": 1, "good_to_go": True, "paid": True, **members})
    return shipments.create(shop, order, units, change, complete_now=bool(members.get("complete", True)))


def line_of(order: Order, members: dict[str, Any]) -> OrderLine:
    """The line that `line_id` names, or the first of that `sku`; KeyError when there is none."""
    for line in order.order_lines:
        if _is_meant(line, members):
            return line
    raise KeyError(str(members))


def public_shipment(shipment: Shipment) -> dict[str, Any]:
    carrier = shipment.carrier_information
    return {
        "id": shipment.id,
        "number": shipment.number,
        "order": shipment.order.number,
        "good_to_go": shipment.is_good_to_go,
        "paid": shipment.is_paid,
        "shipped": shipment.is_shipped,
        "shipped_at": None if shipment.shipped_at is None else iso(shipment.shipped_at),
        "carrier": carrier.carrier_name if carrier else None,
        "service": carrier.service_name if carrier else None,
        "tracking_number": shipment.tracking_number,
        "return_tracking": shipment.return_tracking_number,
        "packages": shipment.number_of_packages,
        "shipping_value": float(shipment.shipping_value),
        "external_id": next((entry.external_id for entry in shipment.external_ids.values()), None),
        "created_at": iso(shipment.created_at),
        "updated_at": iso(shipment.updated_at),
        "lines": [
            {**_public_line(line.order_line, line.quantity), "id": line.id, "returned": line.returned_quantity}
            for line in shipment.lines
        ],
    }


def public_return(made: Return) -> dict[str, Any]:
    return {
        "id": made.id,
        "order": made.order.number,
        "shipment": made.shipment.number,
        "status": made.return_status,
        "comment": made.comment,
        "grand_total": made.grand_total.value,
        "line_values": float(made.line_values),
        "shipping": float(made.shipping),
        "handling": float(made.handling),
        "return_cost": float(made.return_cost),
        "tax_included": made.totals.tax_included.value,
        "tax_added": made.totals.tax_added.value,
        "currency": made.order.pricelist.currency.code,
        "returned_to_stock": made.returned_to_stock,
        "external_id": next((entry.external_id for entry in made.external_ids.values()), None),
        "payments": [[e.id, e.entry_type, e.external_reference, e.value.value] for e in made.refund_payment_history],
        "created_at": iso(made.created_at),
        "lines": [
            {**_public_line(line.order_line, line.quantity), "id": line.id, "value": line.line_value.value}
            for line in made.lines
        ],
    }


def _public_line(line: OrderLine, quantity: int) -> dict[str, Any]:
    return {"line_id": line.id, "sku": line.product_size.sku, "comment": line.comment, "quantity": quantity}


def _shipped_line(shipment: Shipment, members: dict[str, Any]) -> ShipmentLine:
    for line in shipment.lines:
        if _is_meant(line.order_line, members):
            return line
    raise KeyError(str(members))


def _is_meant(line: OrderLine, members: dict[str, Any]) -> bool:
    return line.id == members.get("line_id") or line.product_size.sku == members.get("sku")


def _amount(value: Any) -> Decimal:
    return cents(Decimal(str(value)))


def _change(members: dict[str, Any]) -> shipments.Change:
    names = ("carrier", "service", "packages", "tracking_number", "return_tracking", "good_to_go", "paid")
    return shipments.Change(**{name: members[name] for name in names if name in members})
