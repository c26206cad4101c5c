"""The table of calls, who may make them, and the app that is made of it.

A new call is one line in `_calls` and an endpoint `async (request) -> Json | Response` that raises `Refused`
for the platform's own no. The route's name is the Mirakl code; ceilings, faults and the call log go by it.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from app.sandbox.clock import Clock
from app.sandbox.faults import Kernel, Refusal, instrument
from app.sandbox.journal import LoggedCall
from app.sandbox.mirakl import exports, imports, order_lists
from app.sandbox.mirakl.admin import marketplace_admin_routes
from app.sandbox.mirakl.after_admin import AfterSale, after_admin_routes
from app.sandbox.mirakl.answers import Json, Refused, render
from app.sandbox.mirakl.exports import OfferExports
from app.sandbox.mirakl.imports import StockImports
from app.sandbox.mirakl.limits import CallLimits
from app.sandbox.mirakl.order_admin import order_admin_routes
from app.sandbox.mirakl.order_calls import OrderCalls
from app.sandbox.mirakl.order_exports import OrderExports
from app.sandbox.mirakl.order_lists import OrderLists
from app.sandbox.mirakl.orders import OrderBook
from app.sandbox.mirakl.state import Shop

Endpoint = Callable[[Request], Awaitable[Json | Response]]
Call = tuple[str, str, str, Endpoint]

FAULT_KINDS = frozenset({"extra_fields"}) | imports.KINDS | exports.KINDS | order_lists.KINDS


def create_app(config: dict[str, Any], clock: Clock) -> Starlette:
    """One shop on one marketplace. Members of `config`, all optional:

    id, key or keys, shop_id, shop_name, currency, platform_currency, warehouses, shop (as POST /_sandbox/shop),
    offers (as POST /_sandbox/offers), orders (the members of state.OrderRules), import_seconds,
    import_line_seconds, export_seconds, export_chunk, profile (standard | external_partner),
    daily_ceiling_calls, forgiven_seconds, enforce, faults, seed.
    """
    kernel = Kernel.of(clock, config)
    shop = Shop(config, kernel)
    book = OrderBook(shop)
    limits = CallLimits(config, enforced=kernel.enforce)
    after = AfterSale(book)
    routes = [_route(shop, *call) for call in [*_calls(shop), *_order_calls(book), *_after_calls(after)]]
    admin = [*marketplace_admin_routes(shop), *order_admin_routes(book), *after_admin_routes(after)]
    app = Starlette(
        routes=[*routes, *admin],
        exception_handlers={HTTPException: _as_platform_error},
    )

    def admit(call: LoggedCall, scope: Scope, body: bytes) -> Refusal | None:
        # A call that will get 401 or 403 is nobody's quota.
        if not _has_valid_key(shop, scope["headers"]) or call.code in shop.forbidden_codes:
            return None
        return limits.admit(call.code, call.at, scope, body)

    def code_of(scope: Scope, _: bytes) -> str | None:
        return next((route.name for route in routes if route.matches(scope)[0] is Match.FULL), None)

    return instrument(app, kernel, code_of=code_of, admit=admit, kinds=FAULT_KINDS)


def _calls(shop: Shop) -> list[Call]:
    mirrors, stock, offers = shop.mirrors, StockImports(shop), OfferExports(shop)
    query = _query_parameter
    return [
        ("V01", "GET", "/api/version", _reading(lambda _: {"version": "sandbox"})),
        ("A01", "GET", "/api/account", _reading(lambda _: shop.account())),
        ("PC01", "GET", "/api/platform/configuration", _reading(lambda _: mirrors.configuration)),
        (
            "AF01",
            "GET",
            "/api/additional_fields",
            _reading(lambda request: mirrors.additional_fields(query(request, "entities"))),
        ),
        (
            "OF61",
            "GET",
            "/api/offers/states",
            _reading(lambda request: mirrors.offer_states(query(request, "active"))),
        ),
        ("SH21", "GET", "/api/shipping/carriers", _reading(lambda _: mirrors.carriers())),
        ("SH12", "GET", "/api/shipping/types", _reading(lambda _: mirrors.shipping_types())),
        ("DO01", "GET", "/api/documents", _reading(lambda _: mirrors.documents())),
        ("RE01", "GET", "/api/reasons", _reading(lambda _: mirrors.reasons())),
        ("OR75", "GET", "/api/orders/taxes", _reading(lambda _: mirrors.taxes())),
        ("STO01", "POST", "/api/offers/stock/imports", stock.sto01),
        ("STO02", "GET", "/api/offers/stock/imports/{import_id}/status", stock.sto02),
        ("STO03", "GET", "/api/offers/stock/imports/{import_id}/error_report", stock.sto03),
        ("OF52", "POST", "/api/offers/export/async", offers.of52),
        ("OF53", "GET", "/api/offers/export/async/status/{tracking_id}", offers.of53),
        ("OF54", "GET", "/exports/offers/{token}", offers.of54),
    ]


def _order_calls(book: OrderBook) -> list[Call]:
    lists, files, calls = OrderLists(book), OrderExports(book), OrderCalls(book)
    return [
        ("OR11", "GET", "/api/orders", lists.or11),
        ("OR13", "POST", "/api/orders/async-export", files.or13),
        ("OR14", "GET", "/api/orders/async-export/status/{tracking_id}", files.or14),
        ("OR15", "GET", "/exports/orders/{token}", files.or15),
        ("OR21", "PUT", "/api/orders/{order_id}/accept", calls.or21),
        ("OR04", "PUT", "/api/orders", calls.or04),
        ("OR29", "PUT", "/api/orders/{order_id}/cancel", calls.or29),
    ]


def _after_calls(after: AfterSale) -> list[Call]:
    tracking, refunds, shipments, lists = after.tracking, after.refunds, after.shipments, after.shipment_lists
    returns, inbox, documents = after.returns, after.inbox, after.documents
    return [
        ("OR23", "PUT", "/api/orders/{order_id}/tracking", tracking.or23),
        ("OR24", "PUT", "/api/orders/{order_id}/ship", tracking.or24),
        ("OR28", "PUT", "/api/orders/refund", refunds.or28),
        ("OR30", "PUT", "/api/orders/cancel", refunds.or30),
        ("OR64", "PUT", "/api/orders/{order_id}/lines/{line}/resolve_incident", inbox.or64),
        ("OR72", "GET", "/api/orders/documents", documents.or72),
        ("OR74", "POST", "/api/orders/{order_id}/documents", documents.or74),
        ("DR11", "GET", "/api/document-request/requests", documents.dr11),
        ("DR74", "POST", "/api/document-request/documents/upload", documents.dr74),
        ("ST01", "POST", "/api/shipments", shipments.st01),
        ("ST06", "PUT", "/api/shipments/delete", shipments.st06),
        ("ST11", "GET", "/api/shipments", lists.st11),
        ("ST12", "GET", "/api/shipments/items_to_ship", lists.st12),
        ("ST23", "POST", "/api/shipments/tracking", shipments.st23),
        ("ST24", "PUT", "/api/shipments/ship", shipments.st24),
        ("RT04", "PUT", "/api/returns", returns.rt04),
        ("RT11", "GET", "/api/returns", returns.rt11),
        ("RT21", "PUT", "/api/returns/accept", returns.rt21),
        ("RT25", "PUT", "/api/returns/receive", returns.rt25),
        ("RT26", "PUT", "/api/returns/compliance", returns.rt26),
        ("RT27", "PUT", "/api/returns/close", returns.rt27),
        ("M10", "GET", "/api/inbox/threads/{thread_id}", inbox.m10),
        ("M11", "GET", "/api/inbox/threads", inbox.m11),
    ]


def _route(shop: Shop, code: str, method: str, path: str, endpoint: Endpoint) -> Route:
    async def guarded(request: Request) -> Response:
        try:
            _check_caller(shop, code, request)
            return render(await endpoint(request), code, shop.kernel.menu)
        except Refused as refusal:
            return refusal.response()

    return Route(path, guarded, methods=[method], name=code)


def _check_caller(shop: Shop, code: str, request: Request) -> None:
    if not _has_valid_key(shop, request.scope["headers"]):
        raise Refused(401, "Unauthorized")
    if code in shop.forbidden_codes:
        raise Refused(403, "Forbidden")
    wanted = _query_parameter(request, "shop_id")
    if wanted is None:
        return
    if not wanted.isdecimal():
        raise Refused(400, "Error with parameter shop_id. Please check its type.")
    if int(wanted) != shop.shop_id:
        raise Refused(403, "Forbidden")


def _has_valid_key(shop: Shop, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """The raw key, without `Bearer` or anything else around it."""
    given = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    return len(given) == 1 and given[0] in shop.valid_keys


def _reading(read: Callable[[Request], Any]) -> Endpoint:
    async def endpoint(request: Request) -> Json:
        return Json(read(request))

    return endpoint


def _query_parameter(request: Request, name: str) -> str | None:
    return request.query_params.get(name)


async def _as_platform_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = error.detail if isinstance(error, HTTPException) else "Server error"
    return Refused(status, message).response()
