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
from app.sandbox.mirakl import exports, import_life, order_lists, product_imports
from app.sandbox.mirakl.admin import marketplace_admin_routes
from app.sandbox.mirakl.after_admin import AfterSale, after_admin_routes
from app.sandbox.mirakl.answers import Json, Refused, render
from app.sandbox.mirakl.catalogue import currencies
from app.sandbox.mirakl.catalogue_admin import catalogue_admin_routes, fill
from app.sandbox.mirakl.exports import OfferExports
from app.sandbox.mirakl.imports import StockImports
from app.sandbox.mirakl.limits import CallLimits
from app.sandbox.mirakl.money.admin import money_admin_routes
from app.sandbox.mirakl.money.books import Money
from app.sandbox.mirakl.offer_imports import OfferImports
from app.sandbox.mirakl.offer_lists import OfferLists
from app.sandbox.mirakl.order_admin import order_admin_routes
from app.sandbox.mirakl.order_calls import OrderCalls
from app.sandbox.mirakl.order_exports import OrderExports
from app.sandbox.mirakl.order_lists import OrderLists
from app.sandbox.mirakl.orders import OrderBook
from app.sandbox.mirakl.price_imports import PriceImports
from app.sandbox.mirakl.product_imports import ProductImports
from app.sandbox.mirakl.product_reads import ProductReads
from app.sandbox.mirakl.ratings import Ratings
from app.sandbox.mirakl.state import Shop

Endpoint = Callable[[Request], Awaitable[Json | Response]]
Call = tuple[str, str, str, Endpoint]

FAULT_KINDS = (
    frozenset({"extra_fields", "lean"}) | import_life.KINDS | product_imports.KINDS | exports.KINDS | order_lists.KINDS
)


def create_app(config: dict[str, Any], clock: Clock) -> Starlette:
    """One shop on one marketplace. Members of `config`, all optional:

    id, key or keys, shop_id, shop_name, currency, platform_currency, warehouses, shop (as POST /_sandbox/shop),
    offers (as POST /_sandbox/offers), many_offers and many_products (as catalogue_admin says), catalogue (fr | se),
    orders (the members of state.OrderRules), money (those of MoneyRules), accountancy_keys, accountancy_codes,
    import_seconds, import_line_seconds, product_stage_seconds, sent_seconds, duplicate_seconds, export_seconds,
    export_chunk, profile (standard | external_partner), daily_ceiling_calls, forgiven_seconds, enforce, faults, seed.
    """
    kernel = Kernel.of(clock, config)
    shop = Shop(config, kernel)
    book = OrderBook(shop)
    limits = CallLimits(config, enforced=kernel.enforce)
    after, money = AfterSale(book), Money(book)
    products = ProductImports(shop)
    fill(shop, config)
    calls = [*_calls(shop), *_catalogue_calls(shop, products), *_offer_calls(shop)]
    calls += [*_order_calls(book), *_after_calls(after), *_money_calls(money)]
    routes = [_route(shop, *call) for call in calls]
    admin = [*marketplace_admin_routes(shop), *catalogue_admin_routes(shop, products)]
    admin += [*order_admin_routes(book), *after_admin_routes(after), *money_admin_routes(money)]
    app = Starlette(
        routes=[*routes, *admin],
        exception_handlers={HTTPException: _as_platform_error},
    )

    def admit(call: LoggedCall, scope: Scope, body: bytes) -> Refusal | None:
        # A call that will get 401 or 403 is nobody's quota.
        if not shop.may_call(_key(scope["headers"]), call.code):
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


def _catalogue_calls(shop: Shop, imports: ProductImports) -> list[Call]:
    catalogue, reads = shop.products.catalogue, ProductReads(shop)
    one_import = "/api/products/imports/{import}"
    return [
        ("H11", "GET", "/api/hierarchies", catalogue.h11),
        ("PM11", "GET", "/api/products/attributes", catalogue.pm11),
        ("VL11", "GET", "/api/values_lists", catalogue.vl11),
        ("CH11", "GET", "/api/channels", _reading(lambda _: catalogue.shown_channels())),
        ("CUR01", "GET", "/api/currencies", _reading(lambda _: currencies(shop.platform_currency, [shop.currency]))),
        ("L01", "GET", "/api/locales", _reading(lambda _: catalogue.shown_locales())),
        ("SH31", "GET", "/api/shipping/logistic_classes", _reading(lambda _: catalogue.shown_logistic_classes())),
        ("P31", "GET", "/api/products", reads.p31),
        ("P41", "POST", "/api/products/imports", imports.p41),
        ("P51", "GET", "/api/products/imports", imports.p51),
        ("P42", "GET", one_import, imports.p42),
        ("P44", "GET", f"{one_import}/error_report", imports.p44),
        ("P45", "GET", f"{one_import}/new_product_report", imports.p45),
        ("P46", "GET", f"{one_import}/transformed_file", imports.p46),
        ("P47", "GET", f"{one_import}/transformation_error_report", imports.p47),
        ("CM11", "GET", "/api/mcm/products/sources/status/export", reads.cm11),
    ]


def _offer_calls(shop: Shop) -> list[Call]:
    imports, prices, lists = OfferImports(shop), PriceImports(shop), OfferLists(shop)
    return [
        ("OF24", "POST", "/api/offers", imports.of24),
        ("OF01", "POST", "/api/offers/imports", imports.of01),
        ("OF04", "GET", "/api/offers/imports", imports.of04),
        ("OF02", "GET", "/api/offers/imports/{import}", imports.of02),
        ("OF03", "GET", "/api/offers/imports/{import}/error_report", imports.of03),
        ("PRI01", "POST", "/api/offers/pricing/imports", prices.pri01),
        ("PRI02", "GET", "/api/offers/pricing/imports", prices.pri02),
        ("PRI03", "GET", "/api/offers/pricing/imports/{import_id}/error_report", prices.pri03),
        ("OF21", "GET", "/api/offers", lists.of21),
        # Last: the path of a number, after the words that may stand there.
        ("OF22", "GET", "/api/offers/{offer:int}", lists.of22),
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
        ("A21", "GET", "/api/account/statistics", Ratings(after).a21),
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


def _money_calls(money: Money) -> list[Call]:
    lines, files, cycles, documents = money.lines, money.exports, money.cycles, money.documents
    log = "/api/sellerpayment/transactions_logs"
    return [
        ("TL02", "GET", log, lines.tl02),
        ("TL03", "POST", f"{log}/async", files.tl03),
        ("TL04", "GET", f"{log}/async/status/{{tracking_id}}", files.tl04),
        ("TL05", "GET", "/exports/transactions/{token}", files.tl05),
        ("SBC11", "GET", "/api/seller-billing-cycles", cycles.sbc11),
        ("IV01", "GET", "/api/invoices", documents.iv01),
        ("IV02", "GET", "/api/invoices/{accounting_document_id:int}", documents.iv02),
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
    key = _key(request.scope["headers"])
    if key not in shop.valid_keys | shop.accountancy_keys:
        raise Refused(401, "Unauthorized")
    if not shop.may_call(key, code):
        raise Refused(403, "Forbidden")
    wanted = _query_parameter(request, "shop_id")
    if wanted is None:
        return
    if not wanted.isdecimal():
        raise Refused(400, "Error with parameter shop_id. Please check its type.")
    if int(wanted) != shop.shop_id:
        raise Refused(403, "Forbidden")


def _key(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The raw key, without `Bearer` or anything else around it; nothing where there is none, or more than one."""
    given = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    return given[0] if len(given) == 1 else ""


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
