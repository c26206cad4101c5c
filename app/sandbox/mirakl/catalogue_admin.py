"""The /_sandbox routes for the catalogue, and what the config may fill it with.

POST /_sandbox/catalogue {"attributes": [{"code", "hierarchy" "", "label", "type", "requirement_level", ...}],
    "hierarchies": [{"code", "label", "parent_code"}], "close": [hierarchy codes], "channels": {code: label},
    "logistic_classes": {code: label}, "values": {list code: {value code: label}}}, where a null takes one away
    -> {"hierarchies", "attributes", "values_lists": how many there are}; the operator changes its reference data
POST /_sandbox/products {"products": [{"sku", "category", "title", "ean"}]} the operator has them already
POST /_sandbox/products {"verdicts": [{"sku" (the shop's), "kind" REJECTED | NOT_ACCEPTED_IN_TIME |
    SYNCHRONIZATION_ISSUE, "reason_code", "reason_label", "message", "attribute"}]} of a product that is live: at once;
    of any other: when it is decided next
POST /_sandbox/products {"sent_seconds": n | null, "decide": true} how long SENT lasts; decides all that is SENT
GET  /_sandbox/products -> {"sources": {shop SKU: {"status", "pending", "category", ...}}, "products": live ones,
    "imports": [as P42 shows them]}
GET  /_sandbox/offers/live[?sku=] -> {"offers": {sku: as OF21 shows it}}
POST /_sandbox/offers/differences {"offers": [{"sku", "quantity"?, "price"?, "discount_price"?, "leadtime_to_ship"?,
    "logistic_class"?, "state_code"?}]} -> {"missing", "unwanted", "same", and for each member how many differ}
POST /_sandbox/prices {"approve": [skus] | "all"} or {"reject": ...} -> {"decided": n}
GET  /_sandbox/prices -> {"pending": {sku: number of prices}}

Config: `many_offers` {"count", "prefix" "LOAD-", "digits" 6} makes offers LOAD-000001 and on, each of a product with
the EAN `load_ean(n)`, the price 10 + n % 90 + 0.9 and the quantity n % 50; `many_products` {"count"} live products
only.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.sandbox.admin import json_object, refusing_nonsense
from app.sandbox.mirakl.catalogue import Catalogue
from app.sandbox.mirakl.offer_shown import amount, lead_time, listed
from app.sandbox.mirakl.offers import Offer, Price
from app.sandbox.mirakl.product_imports import ProductImports
from app.sandbox.mirakl.product_rules import check_digit
from app.sandbox.mirakl.products import Verdict
from app.sandbox.mirakl.state import Shop


def catalogue_admin_routes(shop: Shop, imports: ProductImports) -> list[Route]:
    async def at_catalogue(request: Request) -> Response:
        catalogue = shop.products.catalogue
        if request.method == "POST":
            _change(catalogue, await json_object(request))
        categories, attributes = len(catalogue.categories), len(catalogue.attributes)
        lists = len(catalogue.values)
        return JSONResponse({"hierarchies": categories, "attributes": attributes, "values_lists": lists})

    async def at_products(request: Request) -> Response:
        if request.method == "POST":
            _act(shop, imports, await json_object(request))
        return JSONResponse({**shop.products.public(), "imports": imports.public()})

    async def at_live(request: Request) -> Response:
        wanted = request.query_params.get("sku")
        offers = [o for o in shop.offers.values() if not o.deleted and wanted in (None, o.sku)]
        return JSONResponse({"offers": {offer.sku: listed(shop, offer) for offer in offers}})

    async def at_differences(request: Request) -> Response:
        return JSONResponse(differences(shop, (await json_object(request))["offers"]))

    async def at_prices(request: Request) -> Response:
        if request.method == "POST":
            return JSONResponse({"decided": _decide_prices(shop, await json_object(request))})
        pending = {offer.sku: len(offer.pending_prices) for offer in shop.offers.values() if offer.pending_prices}
        return JSONResponse({"pending": pending})

    both = ["GET", "POST"]
    return [
        Route("/_sandbox/catalogue", refusing_nonsense(at_catalogue), methods=both),
        Route("/_sandbox/products", refusing_nonsense(at_products), methods=both),
        Route("/_sandbox/offers/live", refusing_nonsense(at_live), methods=["GET"]),
        Route("/_sandbox/offers/differences", refusing_nonsense(at_differences), methods=["POST"]),
        Route("/_sandbox/prices", refusing_nonsense(at_prices), methods=both),
    ]


def fill(shop: Shop, config: dict[str, Any]) -> None:
    """What the config asks for in bulk."""
    many = config.get("many_offers") or {}
    prefix, digits = str(many.get("prefix", "LOAD-")), int(many.get("digits", 6))
    for number in range(1, int(many.get("count", 0)) + 1):
        sku = f"{prefix}{number:0{digits}}"
        offer = shop.new_offer(sku, f"P-{sku}")
        offer.prices = (Price(Decimal(10 + number % 90) + Decimal("0.9")),)
        offer.global_quantity = number % 50
        shop.products.put(offer.product_sku, "", sku, {"EAN": load_ean(number)})
    leaves = [code for code in shop.products.catalogue.categories if shop.products.catalogue.is_leaf(code)]
    first = int(many.get("count", 0)) + 1
    for number in range(first, first + int((config.get("many_products") or {}).get("count", 0))):
        category = leaves[number % len(leaves)]
        shop.products.put(f"MP-LOAD-{number}", category, f"Product {number}", {"EAN": load_ean(number)})


def load_ean(number: int) -> str:
    """The EAN-13 of the n-th product that `fill` makes."""
    digits = f"200{number:09}"
    return f"{digits}{check_digit(digits)}"


def differences(shop: Shop, wanted: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How far the live offers are from what is wanted, counted by the members that are given."""
    read: dict[str, Callable[[Offer], Any]] = {
        "quantity": lambda offer: offer.quantity,
        "price": lambda offer: offer.price,
        "discount_price": lambda offer: offer.default_price and amount(offer.default_price.discount),
        "leadtime_to_ship": lambda offer: lead_time(shop, offer),
        "logistic_class": lambda offer: offer.details.logistic_class,
        "state_code": lambda offer: offer.state_code,
    }
    found: Counter[str] = Counter(dict.fromkeys(("missing", "unwanted", "same", *read), 0))
    named: set[str] = set()
    for members in wanted:
        sku = str(members["sku"])
        named.add(sku)
        offer = shop.live_offer(sku)
        if offer is None:
            found["missing"] += 1
            continue
        differ = [name for name, value in members.items() if name in read and read[name](offer) != value]
        found.update(differ or ["same"])
    found["unwanted"] = sum(not offer.deleted and offer.sku not in named for offer in shop.offers.values())
    return dict(found)


def _change(catalogue: Catalogue, members: dict[str, Any]) -> None:
    for category in members.get("hierarchies", ()):
        catalogue.put_category(category)
    for attribute in members.get("attributes", ()):
        catalogue.put_attribute(attribute)
    for code in members.get("close", ()):
        catalogue.close_category(str(code))
    catalogue.channels |= members.get("channels", {})
    classes = catalogue.logistic_classes | members.get("logistic_classes", {})
    catalogue.logistic_classes = {code: label for code, label in classes.items() if label is not None}
    for name, changes in members.get("values", {}).items():
        merged = catalogue.values.get(name, {}) | changes
        catalogue.values[name] = {code: label for code, label in merged.items() if label is not None}


def _act(shop: Shop, imports: ProductImports, members: dict[str, Any]) -> None:
    book = shop.products
    for product in members.get("products", ()):
        references = {"EAN": str(product["ean"])} if "ean" in product else {}
        book.put(str(product["sku"]), str(product.get("category", "")), str(product.get("title", "")), references)
    for given in members.get("verdicts", ()):
        sku, verdict = str(given["sku"]), Verdict(**{name: v for name, v in given.items() if name != "sku"})
        source = book.sources.get(sku)
        if source is not None and source.is_live and not source.pending:
            book.withdraw(source, verdict)
        else:
            book.verdicts[sku] = verdict
    if "sent_seconds" in members:
        imports.sent_seconds = members["sent_seconds"]
    if members.get("decide"):
        imports.decide_all()


def _decide_prices(shop: Shop, members: dict[str, Any]) -> int:
    """Approved prices replace the live ones; rejected ones are forgotten. Returns of how many offers."""
    (verb, wanted), at = next(iter(members.items())), shop.kernel.clock.timestamp()
    if verb not in ("approve", "reject"):
        raise ValueError("approve or reject")
    waiting: list[Offer] = [
        offer
        for offer in shop.offers.values()
        if offer.pending_prices is not None and (wanted == "all" or offer.sku in wanted)
    ]
    for offer in waiting:
        if verb == "approve" and offer.pending_prices is not None:
            offer.set_prices(offer.pending_prices, at)
        offer.pending_prices = None
    return len(waiting)
