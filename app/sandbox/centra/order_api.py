"""The Order API (REST) under /order-api: an order made, completed, and its customer made anonymous.

It is not counted in the six GraphQL buckets. The fault menu and the call log know its calls as OrderCreate,
OrderComplete and AnonymizeCustomer; OrderCreate and OrderComplete have a fault kind of their own, `split`.

Inferred, since no document says: a failure is HTTP 200 with `{"status": "no", "code", "msg"}`, a wrong secret
401, a body that is no JSON object 400.
"""

import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from app.sandbox.centra import orders
from app.sandbox.centra.dates import ShopZone
from app.sandbox.centra.order_entities import Order
from app.sandbox.centra.order_request import GENERAL, SHORT, Failed, check_payment, read_order
from app.sandbox.centra.order_stock import NotEnoughStock, NotPossible
from app.sandbox.centra.shop import Shop
from app.sandbox.faults import Kernel

BASE = "/order-api"


def code_of(scope: Scope) -> str | None:
    """The name of a call; None for what is no call of this API."""
    method, path = scope["method"], scope["path"].removeprefix(BASE)
    if path == scope["path"]:
        return None
    if method == "POST" and path == "/order":
        return "OrderCreate"
    if method == "POST" and path.startswith("/order/"):
        return "OrderComplete"
    return "AnonymizeCustomer" if method == "PUT" and path.startswith("/anonymize-customer/") else None


@dataclass(slots=True)
class OrderApi:
    shop: Shop
    kernel: Kernel
    zone: ShopZone
    secret: str
    placed: int = 0

    def routes(self) -> list[Route]:
        return [
            Route(f"{BASE}/order", self.at_create, methods=["POST"]),
            Route(f"{BASE}/order/{{number:int}}", self.at_complete, methods=["POST"]),
            Route(f"{BASE}/anonymize-customer/{{customer:int}}", self.at_anonymize, methods=["PUT"]),
        ]

    async def at_create(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if not self.shop.order_options.create_allowed:
            return JSONResponse({"status": "Not Allowed"}, status_code=403)
        try:
            members = await _members(request)
            wanted = read_order(self.shop, self.zone, members)
            order = orders.create(self.shop, wanted)
            if members.get("payment"):
                orders.pay(self.shop, order, members["payment"])
            if wanted.create_only:
                return JSONResponse({"status": "ok", "order": order.number})
            return JSONResponse({"status": "ok", "orders": self._placed(order, "OrderCreate")})
        except NotEnoughStock:
            return _no(Failed(SHORT, "one or more products are missing stock"))
        except Failed as failed:
            return _no(failed)

    async def at_complete(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        try:
            members = await _members(request)
            order = self.shop.orders.get(request.path_params["number"])
            if order is None:
                raise Failed(GENERAL, "order not found")
            payment = check_payment(members)
            if order.status != "CANCELLED":
                order.internal_comment = members.get("internalComment", order.internal_comment)
                order.send_email = members.get("sendEmail", order.send_email)
                orders.pay(self.shop, order, payment)
            # Text here, numbers where an order is created: so the published samples have it.
            numbers = [str(number) for number in self._placed(order, "OrderComplete")]
            return JSONResponse({"status": "ok", "orders": numbers})
        except NotPossible as impossible:
            return _no(Failed(GENERAL, str(impossible)))
        except Failed as failed:
            return _no(failed)

    async def at_anonymize(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        customer = self.shop.customers.get(request.path_params["customer"])
        if customer is None:
            return _no(Failed(GENERAL, "customer not found"))
        orders.anonymize(self.shop, customer)
        return JSONResponse({"status": "ok"})

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("api-authorization") == self.secret:
            return None
        return JSONResponse({"status": "Unauthorized"}, status_code=401)

    def _placed(self, order: Order, code: str) -> list[int]:
        split = False
        if not order.placed_as:
            self.placed += 1
            every = self.shop.order_options.split_every
            split = every > 0 and self.placed % every == 0
            if len(order.order_lines) > 1 and self.kernel.menu.take(code, "split") is not None:
                split = True
        return [part.number for part in orders.place(self.shop, order, split=split)]


async def _members(request: Request) -> dict[str, Any]:
    try:
        members = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise Failed(GENERAL, "the body is not a JSON object", status=400)
    return members


def _no(failed: Failed) -> Response:
    body = {"status": "no", "code": failed.code, "msg": failed.message}
    return JSONResponse(body, status_code=failed.status)
