"""The /_sandbox routes for orders, and the invented buyers that place them.

POST /_sandbox/orders {"orders": [order...]} -> {"orders": [ids]}. An order, all but `lines` optional:
    "lines": [{"sku", "quantity" 1, "price_unit" (the offer's price), "shipping_price" 0, "taxes",
        "shipping_taxes": [{"code", "amount", "rate"?, "tax_calculation_rule" PROPORTIONAL_TO_AMOUNT}],
        "fees": [{"code", "amount"}], "order_line_id", "additional_fields", "commission_percent" (the rule's)}],
    "order_id", "commercial_id", "country" FRA, "address" and "billing" (members that override; or null),
    "customer" (as `address`), "email" (null for none; a relay address), "currency", "channel" {"code",
    "label"}, "tax_mode" (of the given amounts; the marketplace's), "payment_workflow" PAY_ON_ACCEPTANCE,
    "debit" {"seconds": n | null for never, "refused"} or null, "acceptance": "automatic", "address_seconds"
    (from the creation; instead of the PC01 switch), "staging_seconds", "fulfillment" DEFAULT,
    "additional_fields", "shipping_type" {"code", "label"}, "pudo_id", "reference_for_customer",
    "created_ago_seconds" 0, "state" (it stands there already; what follows from it is planned),
    "take_stock" true (lowers the offer's quantity, not below 0)
POST /_sandbox/orders/bulk {"count", "seed" 1, "prefix" BULK, "spread_seconds" 0, "state" WAITING_ACCEPTANCE,
    "sku", "country", "payment_workflow"} -> {"orders": n}; created and last updated within the spread, of one
    sku or of any on offer; they take no stock
GET  /_sandbox/orders[?state=...] -> {"orders": {order_id: {"state", "reason", "created_at", "accepted_at",
    "lines": {line id: {"state", "sku", "quantity"}}, "reference_for_seller", "total"}}}
POST /_sandbox/orders/change {"order_id", and any of "cancel": true (the buyer), "accept": true (somebody else,
    all lines), "refuse_debit": true, "state", "line_state": {line id: state}, "address": {...} | null,
    "debited": true, "anonymise": true, "touch": true} -> {"order": as in the list}
"""

import itertools
import random
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.sandbox.admin import json_object, refusing_nonsense
from app.sandbox.clock import iso
from app.sandbox.mirakl.lines import Line
from app.sandbox.mirakl.order_lists import TAX_MODES
from app.sandbox.mirakl.orders import OWN_FULFILMENT, PAY_ON_ACCEPTANCE, TAX_INCLUDED, WORKFLOWS, Order, OrderBook
from app.sandbox.mirakl.orders import whole_milliseconds as to_milliseconds
from app.sandbox.mirakl.state import Shop

_ORDER_MEMBERS = frozenset(
    {
        *("order_id", "commercial_id", "lines", "country", "address", "billing", "customer", "email", "currency"),
        *("channel", "tax_mode", "payment_workflow", "debit", "acceptance", "address_seconds", "staging_seconds"),
        *("fulfillment", "additional_fields", "shipping_type", "pudo_id", "reference_for_customer"),
        *("created_ago_seconds", "state", "take_stock"),
    }
)
_LINE_MEMBERS = frozenset(
    {
        *("sku", "quantity", "price_unit", "shipping_price", "taxes", "shipping_taxes", "order_line_id"),
        *("additional_fields", "fees", "commission_percent"),
    }
)
_PEOPLE = (
    ("Mireille", "Castagnier"),
    ("Astrid", "Lindqvist"),
    ("Freja", "Holmgaard"),
    ("Ingrid", "Solvang"),
    ("Rowan", "Ashdown"),
    ("Konrad", "Weidenfeld"),
    ("Noor", "van Dalen"),
)
# Country: its name, a locale, city, zip code, street, phone number.
_PLACES = {
    "FRA": ("France", "fr_FR", "Lyon", "69003", "14 rue des Tilleuls", "+33 4 00 00 00 14"),
    "DEU": ("Deutschland", "de_DE", "Leipzig", "04109", "Lindenhof 8", "+49 30 000 0008"),
    "SWE": ("Sverige", "sv_SE", "Uppsala", "753 20", "Kvarngatan 5", "+46 18 000 005"),
    "NOR": ("Norge", "nb_NO", "Bergen", "5003", "Tårnplassen 2", "+47 00 00 00 02"),
    "DNK": ("Danmark", "da_DK", "Aarhus C", "8000", "Strandstien 5", "+45 00 00 00 05"),
    "FIN": ("Suomi", "fi_FI", "Turku", "20100", "Jokikatu 9", "+358 2 000 0009"),
    "NLD": ("Nederland", "nl_NL", "Utrecht", "3511 AB", "Molenpad 21", "+31 30 000 0021"),
    "GBR": ("United Kingdom", "en_GB", "Norwich", "NR1 0AA", "3 Mill Close", "+44 1603 000003"),
    "POL": ("Polska", "pl_PL", "Gdańsk", "80-001", "ul. Lipowa 4", "+48 58 000 00 04"),
}


def order_admin_routes(book: OrderBook) -> list[Route]:
    # Numbers go on where an earlier run of the sandbox stopped, as far as the clock can tell.
    numbers = itertools.count(int(book.shop.kernel.clock.timestamp()))

    async def at_orders(request: Request) -> Response:
        if request.method == "POST":
            given = (await json_object(request))["orders"]
            made = [(read_order(members, book.shop, next(numbers)), members.get("state")) for members in given]
            for order, state in made:
                book.put([order], state)
            return JSONResponse({"orders": [order.order_id for order, _ in made]})
        state = request.query_params.get("state")
        chosen = (order for order in book.orders.values() if state in (None, order.state))
        return JSONResponse({"orders": {order.order_id: _public(order) for order in chosen}})

    async def at_bulk(request: Request) -> Response:
        return JSONResponse({"orders": _put_many(book, await json_object(request))})

    async def at_change(request: Request) -> Response:
        members = await json_object(request)
        order = book.orders[str(members.pop("order_id"))]
        for name, value in members.items():
            _change(book, order, name, value)
        return JSONResponse({"order": _public(order)})

    return [
        Route("/_sandbox/orders", refusing_nonsense(at_orders), methods=["GET", "POST"]),
        Route("/_sandbox/orders/bulk", refusing_nonsense(at_bulk), methods=["POST"]),
        Route("/_sandbox/orders/change", refusing_nonsense(at_change), methods=["POST"]),
    ]


def read_order(members: dict[str, Any], shop: Shop, number: int) -> Order:
    """ValueError, TypeError or KeyError for what makes no sense. `number` makes ids and picks the buyer."""
    _check_names(members, _ORDER_MEMBERS)
    commercial_id = str(members.get("commercial_id", f"{str(shop.config.get('id', 'shop')).upper()}-{number}"))
    order_id = str(members.get("order_id", f"{commercial_id}-A"))
    if not members["lines"]:
        raise ValueError("an order has at least one line")
    customer, address = _buyer(number, str(members.get("country", "FRA")))
    customer |= members.get("customer") or {}
    address |= {"firstname": customer["firstname"], "lastname": customer["lastname"]}
    debit = {"seconds": None} if members.get("debit", {}) is None else members.get("debit", {})
    relay = uuid.uuid5(uuid.NAMESPACE_URL, order_id).hex[:16]
    shipping_type = members.get("shipping_type", {"code": "STD", "label": "Standard"})
    tax_mode = _one_of(members, "tax_mode", TAX_MODES, shop.mirrors.order_tax_mode)
    return Order(
        order_id=order_id,
        commercial_id=commercial_id,
        created_at=to_milliseconds(shop.kernel.clock.timestamp() - float(members.get("created_ago_seconds", 0))),
        currency=str(members.get("currency", shop.currency)),
        lines=[_line(line, shop, f"{order_id}-{place}", tax_mode) for place, line in enumerate(members["lines"], 1)],
        customer=customer,
        email=members.get("email", f"{relay[:8]}.{relay[8:]}@notification.mirakl.example"),
        shipping_address=_overridden({**address, "additional_info": None}, members.get("address", {})),
        billing_address=_overridden(address, members.get("billing", {})),
        shipping={
            "shipping_pudo_id": members.get("pudo_id"),
            "shipping_type_code": shipping_type["code"],
            "shipping_type_label": shipping_type["label"],
            "shipping_type_standard_code": "CU_ADD-STD",
            "shipping_zone_code": "EU1",
            "shipping_zone_label": "Europe zone 1",
        },
        tax_mode=tax_mode,
        workflow=_one_of(members, "payment_workflow", WORKFLOWS, PAY_ON_ACCEPTANCE),
        fulfillment=str(members.get("fulfillment", OWN_FULFILMENT)),
        automatic=_one_of(members, "acceptance", ("automatic", "manual"), "manual") == "automatic",
        takes_stock=bool(members.get("take_stock", True)),
        staging_seconds=float(members.get("staging_seconds", 0)),
        debit_seconds=debit.get("seconds", shop.order_rules.debit_seconds),
        debit_refused=bool(debit.get("refused", False)),
        address_seconds=members.get("address_seconds"),
        channel=members.get("channel"),
        additional_fields=members.get("additional_fields", []),
        reference_for_customer=members.get("reference_for_customer"),
    )


def _line(members: dict[str, Any], shop: Shop, line_id: str, tax_mode: str) -> Line:
    """Of an offer; or, with its price named, of something that the shop does not offer (any more)."""
    _check_names(members, _LINE_MEMBERS)
    sku, quantity = str(members["sku"]), int(members.get("quantity", 1))
    offer = shop.offers.get(sku)
    if offer is None and "price_unit" not in members:
        raise ValueError(f"no offer {sku}")
    if quantity < 1:
        raise ValueError(f"{quantity} of {sku} cannot be bought")
    return Line(
        line_id=str(members.get("order_line_id", line_id)),
        sku=sku,
        offer_id=offer.offer_id if offer else 1,
        product_sku=offer.product_sku if offer else f"P-{sku}",
        quantity=quantity,
        price_unit=float(members.get("price_unit", offer.price if offer else 0)),
        shipping_price=float(members.get("shipping_price", 0)),
        taxes=_taxes(members.get("taxes", [])),
        shipping_taxes=_taxes(members.get("shipping_taxes", [])),
        additional_fields=members.get("additional_fields", []),
        tax_included=tax_mode == TAX_INCLUDED,
        fees=[{"code": fee["code"], "amount": float(fee["amount"])} for fee in members.get("fees", [])],
        commission_percent=Decimal(str(members.get("commission_percent", shop.money_rules.commission_percent))),
        commission_vat_percent=Decimal(str(shop.money_rules.commission_vat_percent)),
    )


def _taxes(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"tax_calculation_rule": "PROPORTIONAL_TO_AMOUNT", **tax, "amount": float(tax["amount"])} for tax in given]


def _buyer(number: int, country: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The customer without addresses, and an address without names."""
    firstname, lastname = _PEOPLE[number % len(_PEOPLE)]
    unknown = (country, "en_GB", "Port Amber", "1000", "1 Harbour Road", "+00 000 0001")
    label, locale, city, zip_code, street, phone = _PLACES.get(country, unknown)
    customer = {
        "accounting_contact": None,
        "civility": None,
        "customer_id": f"c-{number}",
        "delivery_contact": None,
        "firstname": firstname,
        "lastname": lastname,
        "locale": locale,
        "organization": None,
    }
    address = {
        "city": city,
        "civility": None,
        "company": None,
        "company_2": None,
        "country": label,
        "country_iso_code": country,
        "phone": phone,
        "phone_secondary": None,
        "state": None,
        "street_1": street,
        "street_2": None,
        "zip_code": zip_code,
    }
    return customer, address


def _put_many(book: OrderBook, given: dict[str, Any]) -> int:
    dice = random.Random(given.get("seed", 1))  # noqa: S311 - dice for tests
    count, prefix = int(given["count"]), str(given.get("prefix", "BULK"))
    skus = [str(given["sku"])] if "sku" in given else [s for s, o in book.shop.offers.items() if not o.deleted]
    passed_on: dict[str, Any] = {name: given[name] for name in ("country", "payment_workflow") if name in given}
    orders = []
    for number in range(1, count + 1):
        sku = dice.choice(skus or ["BULK-1"])
        price: dict[str, float] = {} if sku in book.shop.offers else {"price_unit": 10.0}
        members: dict[str, Any] = {
            **passed_on,
            "commercial_id": f"{prefix}-{number:06d}",
            "lines": [{"sku": sku, "quantity": dice.randint(1, 3), **price}],
            "created_ago_seconds": dice.uniform(0, float(given.get("spread_seconds", 0))),
            "take_stock": False,
        }
        orders.append(read_order(members, book.shop, number))
    book.put(orders, str(given.get("state", "WAITING_ACCEPTANCE")))
    for order in orders:
        order.updated_at = order.created_at
    return len(orders)


def _change(book: OrderBook, order: Order, name: str, value: Any) -> None:
    by_name: dict[str, Callable[[], object]] = {
        "cancel": lambda: book.cancel(order),
        "accept": lambda: book.accept_elsewhere(order),
        "refuse_debit": lambda: book.refuse_debit(order),
        "state": lambda: book.enter(order, str(value)),
        "line_state": lambda: _set_lines(order, value),
        "address": lambda: _set_address(order, value),
        "anonymise": lambda: _anonymise(order),
        "debited": lambda: book.debit(order),
        "touch": lambda: None,
    }
    if name not in by_name or value is False:
        raise ValueError(f"an order has no {name} that could be changed so")
    by_name[name]()
    book.touch(order)


def _set_lines(order: Order, states: dict[str, str]) -> None:
    lines = {line.line_id: line for line in order.lines}
    for line_id, state in states.items():
        lines[line_id].state = str(state)


def _set_address(order: Order, changes: dict[str, Any] | None) -> None:
    order.shipping_address = _overridden(order.shipping_address or {}, changes)


def _anonymise(order: Order) -> None:
    order.customer |= {"firstname": "Anonymous", "lastname": "Anonymous", "civility": None, "organization": None}
    order.shipping_address = order.billing_address = order.email = None


def _public(order: Order) -> dict[str, Any]:
    return {
        "state": order.state,
        "reason": order.reason,
        "created_at": iso(order.created_at),
        "accepted_at": None if order.accepted_at is None else iso(order.accepted_at),
        "lines": {
            line.line_id: {"state": line.state, "sku": line.sku, "quantity": line.quantity} for line in order.lines
        },
        "reference_for_seller": order.reference_for_seller,
        "total": order.total,
    }


def _overridden(members: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if changes is None else {**members, **changes}


def _check_names(members: dict[str, Any], known: frozenset[str]) -> None:
    unknown = members.keys() - known
    if unknown:
        raise ValueError(f"unknown members: {', '.join(sorted(unknown))}")


def _one_of(members: dict[str, Any], name: str, values: tuple[str, ...], default: str) -> str:
    value = members.get(name, default)
    if value not in values:
        raise ValueError(f"{name} is one of {', '.join(values)}")
    return str(value)
