"""OR11: which orders a call asks for, and how an order is shown.

Pages are cut at the moment of the call from all that match then, by creation and then id: an order that
leaves the match moves all behind it to the front, as it does at the platform. `start_update_date` is moved
five minutes backwards (the platform does not say by how much); both ends of a window are inclusive. Prices
are converted where the call asks for the other tax mode; without `order_tax_mode` an order keeps its own.

Fault kinds of its own (OR11): `shift` (after the page is answered the orders `ids`, else the `first` n
waiting ones of all that matched, default 1, go to `state`, default CANCELED; null only touches them),
`unknown_state` (`ids`, else the page's first order, are shown in the state `value`, default ON_THE_WAY) and
`drop_member` (`ids`, else the page's first order, are shown without the member at the path `member`, default
customer; steps are divided by points, lines are numbered from 0: order_lines.0.offer_sku). The last two pass
over pages that have no such order.
"""

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request

from app.sandbox.clock import iso
from app.sandbox.faults import Fault
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.lines import Line, shown_cancelation, shown_refund
from app.sandbox.mirakl.orders import STATES, TAX_INCLUDED, WORKFLOWS, Order, OrderBook, by_creation

KINDS = frozenset({"shift", "unknown_state", "drop_member"})
TAX_MODES = ("TAX_INCLUDED", "TAX_EXCLUDED")
INSTANTS = ("start_date", "end_date", "start_update_date", "end_update_date")

_LISTS = ("order_ids", "order_references_for_customer", "order_references_for_seller", "channel_codes")
_SWITCHES = ("only_null_channel", "customer_debited", "has_incident")
_UPDATE_DELTA_SECONDS = 300.0
_MOST_VALUES = 100
_LARGEST_PAGE = 100
LEAD_TIME_DAYS = 2
_REASON_LABELS = {"ACCEPTANCE_TIMEOUT": "Automatically rejected", "REFUSED": "Refused"}
SHIPPING_FROM: dict[str, Any] = {
    "address": {
        "city": "Borås",
        "country_iso_code": "SWE",
        "state": None,
        "street_1": "Lagervägen 4",
        "street_2": None,
        "zip_code": "504 00",
    },
    "warehouse": None,
}
# What the stand-in shows of every order and line alike.
_SAME_OF_ALL_ORDERS: dict[str, Any] = {
    "customer_directly_pays_seller": False,
    "delivery_date": None,
    "has_customer_message": False,
    "invoice_details": None,
    "leadtime_to_ship": LEAD_TIME_DAYS,
    "order_refunds": [],
    "paymentType": "CARD",
    "payment_type": "CARD",
    "promotions": {"applied_promotions": [], "total_deduced_amount": 0},
    "quote_id": None,
}
_SAME_OF_ALL_LINES: dict[str, Any] = {
    "category_code": "ALL",
    "category_label": "All products",
    "description": "",  # null in OR11 too, but OR15 documents a text
    "eco_contributions": [],
    "measurement": None,
    "offer_state_code": "11",
    "price_additional_info": None,
    "product_medias": [],
    "promotions": [],
    "shipping_from": SHIPPING_FROM,
    "shipping_price_additional_unit": None,
    "shipping_price_unit": None,
}

Check = Callable[[Order], bool]


class OrderLists:
    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._menu = book.shop.kernel.menu

    async def or11(self, request: Request) -> Json:
        query = request.query_params
        tax_mode = one_of(query, "order_tax_mode", TAX_MODES)
        one_of(query, "sort", ("dateCreated",))
        backwards = one_of(query, "order", ("asc", "desc")) == "desc"
        size, offset = offset_page(query)
        chosen = select(self._book, _filters(query))
        if backwards:
            chosen.reverse()
        page = [shown(self._book, order, tax_mode) for order in chosen[offset : offset + size]]
        self._spoil(page)
        self._shift(chosen)
        return Json({"orders": page, "total_count": len(chosen)}, 200, page_links(request, len(chosen)))

    def _spoil(self, page: list[dict[str, Any]]) -> None:
        def hit(fault: Fault) -> list[dict[str, Any]]:
            wanted = fault.options.get("ids")
            return page[:1] if wanted is None else [order for order in page if order["order_id"] in wanted]

        odd = self._menu.take("OR11", "unknown_state", lambda fault: bool(hit(fault)))
        if odd is not None:
            for order in hit(odd):
                order["order_state"] = odd.options.get("value", "ON_THE_WAY")
        lean = self._menu.take("OR11", "drop_member", lambda fault: bool(hit(fault)))
        if lean is not None:
            for order in hit(lean):
                order |= copy.deepcopy(order)  # what it shares with the book stays whole
                _drop(order, str(lean.options.get("member", "customer")))

    def _shift(self, chosen: Iterable[Order]) -> None:
        fault = self._menu.take("OR11", "shift")
        if fault is None:
            return
        waiting = (order.order_id for order in chosen if order.state == "WAITING_ACCEPTANCE")
        first = itertools.islice(waiting, int(fault.options.get("first", 1)))
        state = fault.options.get("state", "CANCELED")
        for order_id in list(fault.options.get("ids", first)):
            order = self._book.orders[order_id]
            if state is None:
                self._book.touch(order)
            else:
                self._book.enter(order, str(state))


def select(book: OrderBook, filters: Mapping[str, Any]) -> list[Order]:
    """By creation, then id. `filters` go by OR11's names: lists of text, Unix seconds, booleans, a workflow."""
    if "order_ids" in filters:
        named = (book.orders.get(order_id) for order_id in dict.fromkeys(filters["order_ids"]))
        chosen = sorted((order for order in named if order is not None), key=by_creation)
    else:
        chosen = book.created_between(filters.get("start_date", 0.0), filters.get("end_date", math.inf))
    for check in _checks(filters):
        chosen = [order for order in chosen if check(order)]
    return chosen


def instant(name: str, text: Any) -> float:
    """Unix seconds; Refused (400) for what is no ISO 8601 date."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise wrong(name) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def known_states(codes: list[str]) -> list[str]:
    if not set(codes) <= set(STATES):
        raise wrong("order_state_codes")
    return codes


def shown(book: OrderBook, order: Order, tax_mode: str | None = None) -> dict[str, Any]:
    """The order as OR11 and OR15 show it."""
    shift = 0 if tax_mode in (None, order.tax_mode) else 1 if tax_mode == "TAX_INCLUDED" else -1
    lines = [_shown_line(book, order, number, shift) for number in range(len(order.lines))]
    tracking = order.tracking or {}
    open_addresses = book.shows_addresses(order)
    deadline = None if order.released_at is None else iso(order.released_at + LEAD_TIME_DAYS * 86_400)
    return {
        **_SAME_OF_ALL_ORDERS,
        "acceptance_decision_date": _date(order.accepted_at),
        "can_cancel": order.can_cancel,
        "can_shop_ship": order.state == "SHIPPING" and any(line.to_ship or line.allotted for line in order.lines),
        "channel": order.channel,
        "commercial_id": order.commercial_id,
        "created_date": iso(order.created_at),
        "currency_iso_code": order.currency,
        "customer": {
            **order.customer,
            "billing_address": order.billing_address if open_addresses else None,
            "shipping_address": order.shipping_address if open_addresses else None,
        },
        "customer_debited_date": _date(order.debited_at),
        "customer_notification_email": order.email,
        "fulfillment": {"center": {"code": order.fulfillment}},
        "fully_refunded": order.fully_refunded,
        "has_incident": has_incident(order),
        "has_invoice": order.has_invoice,
        "last_updated_date": iso(order.updated_at),
        "order_additional_fields": order.additional_fields,
        "order_id": order.order_id,
        "order_lines": lines,
        "order_state": order.state,
        "order_state_reason_code": order.reason,
        "order_state_reason_label": _REASON_LABELS.get(order.reason or ""),
        "order_tax_mode": tax_mode or order.tax_mode,
        "order_taxes": _order_taxes(order) if book.shop.order_rules.order_level_taxes else None,
        "payment_workflow": order.workflow,
        "price": _sum(lines, "price"),
        "references": {
            "order_reference_for_customer": order.reference_for_customer,
            "order_reference_for_seller": order.reference_for_seller,
        },
        "shipping_carrier_code": tracking.get("carrier_code"),
        "shipping_carrier_standard_code": tracking.get("carrier_standard_code"),
        "shipping_company": tracking.get("carrier_name"),
        "shipping_deadline": deadline,
        "shipping_price": _sum(lines, "shipping_price"),
        "shipping_tracking": tracking.get("tracking_number"),
        "shipping_tracking_url": tracking.get("tracking_url"),
        **order.shipping,
        "total_commission": _sum(lines, "total_commission"),
        "total_price": _sum(lines, "total_price"),
        "transaction_date": _date(order.debited_at),
        "transaction_number": None if order.debited_at is None else f"TR-{order.order_id}",
    }


def _shown_line(book: OrderBook, order: Order, number: int, shift: int) -> dict[str, Any]:
    line = order.lines[number]
    price, shipping_price, price_unit = _amounts(line, shift)
    fee, fee_vat = (cents / 100 for cents in line.commission(line.cost))
    fee_vat_rate = float(line.commission_vat_percent)
    debited = None if line.state == "REFUSED" else _date(order.debited_at)
    included = (order.tax_mode == TAX_INCLUDED) if shift == 0 else shift == 1
    shown_until = book.shop.kernel.clock.timestamp() - book.shop.order_rules.refund_shown_seconds
    return {
        **_SAME_OF_ALL_LINES,
        "can_refund": debited is not None and line.live and line.rest.total > 0,
        "cancelations": [shown_cancelation(line, given, included=included) for given in line.cancelations],
        "commission_fee": fee,
        "commission_rate_vat": fee_vat_rate,
        "commission_taxes": [{"amount": fee_vat, "code": "TAXDEFAULT", "rate": fee_vat_rate}],
        "commission_vat": fee_vat,
        "created_date": iso(order.created_at),
        "debited_date": debited,
        "fees": line.fees,
        "last_updated_date": iso(order.updated_at),
        "offer_id": line.offer_id,
        "offer_sku": line.sku,
        "order_line_additional_fields": line.additional_fields,
        "order_line_id": line.line_id,
        "order_line_index": number + 1,
        "order_line_state": "INCIDENT_OPEN" if line.incident else line.state,
        "order_line_state_reason_code": line.incident or line.reason,
        "order_line_state_reason_label": _REASON_LABELS.get(line.reason or ""),
        "origin_unit_price": price_unit,
        "price": price,
        "price_unit": price_unit,
        "product_shop_sku": line.sku,
        "product_sku": line.product_sku,
        "product_title": f"Product {line.sku}",
        "quantity": line.quantity,
        "received_date": _date(order.received_at) if line.shipped else None,
        "refunds": [
            shown_refund(line, refund, included=included) for refund in line.refunds if refund.created_at <= shown_until
        ],
        "shipped_date": _date(line.shipped_at),
        "shipping_price": shipping_price,
        "shipping_taxes": line.shipping_taxes,
        "taxes": line.taxes,
        "total_commission": round(fee + fee_vat, 2),
        "total_price": round(price + shipping_price + _sum(line.fees, "amount"), 2),
    }


def has_incident(order: Order) -> bool:
    return any(line.incident or line.state == "INCIDENT_OPEN" for line in order.lines)


def _order_taxes(order: Order) -> list[dict[str, Any]]:
    """By code and rate, of goods and shipping."""
    totals: dict[tuple[str, Any], float] = {}
    for line in order.lines:
        for tax in (*line.taxes, *line.shipping_taxes):
            key = (tax["code"], tax.get("rate"))
            totals[key] = round(totals.get(key, 0) + tax["amount"], 2)
    return [{"code": code, "rate": rate, "total_amount": total} for (code, rate), total in totals.items()]


def _amounts(line: Line, shift: int) -> tuple[float, float, float]:
    """Price, shipping price and unit price; `shift` 1 adds the line's taxes, -1 takes them out."""
    price = round(line.quantity * line.price_unit + shift * _sum(line.taxes, "amount"), 2)
    shipping_price = round(line.shipping_price + shift * _sum(line.shipping_taxes, "amount"), 2)
    return price, shipping_price, round(price / line.quantity, 2) if shift else line.price_unit


def _sum(items: Iterable[Mapping[str, Any]], name: str) -> float:
    return round(sum(float(item[name]) for item in items), 2)


def _date(timestamp: float | None) -> str | None:
    return None if timestamp is None else iso(timestamp)


def _checks(filters: Mapping[str, Any]) -> list[Check]:
    makers: dict[str, Callable[[Any], Check]] = {
        "start_date": lambda start: lambda o: o.created_at >= start,
        "end_date": lambda end: lambda o: o.created_at <= end,
        "start_update_date": lambda start: lambda o: o.updated_at >= start - _UPDATE_DELTA_SECONDS,
        "end_update_date": lambda end: lambda o: o.updated_at <= end,
        "order_state_codes": lambda states: lambda o: o.state in states,
        "order_references_for_customer": lambda known: lambda o: o.reference_for_customer in known,
        "order_references_for_seller": lambda known: lambda o: o.reference_for_seller in known,
        "customer_debited": lambda wanted: lambda o: (o.debited_at is not None) is wanted,
        "payment_workflow": lambda wanted: lambda o: o.workflow == wanted,
        "has_incident": lambda wanted: lambda o: has_incident(o) is wanted,
        "fulfillment_center_code": lambda codes: lambda o: o.fulfillment in codes,
        "only_null_channel": lambda wanted: lambda o: not wanted or o.channel is None,
        "channel_codes": lambda codes: (
            lambda o: bool(filters.get("only_null_channel")) or (o.channel is not None and o.channel["code"] in codes)
        ),
    }
    return [make(filters[name]) for name, make in makers.items() if name in filters]


def _filters(query: QueryParams) -> dict[str, Any]:
    """The filters of an OR11 call; Refused (400) for what the platform would not take."""
    filters: dict[str, Any] = {name: query[name].split(",") for name in _LISTS if query.get(name)}
    filters |= {name: instant(name, query[name]) for name in INSTANTS if query.get(name)}
    filters |= {n: one_of(query, n, ("true", "false")) == "true" for n in _SWITCHES if query.get(n)}
    if query.get("order_state_codes"):
        filters["order_state_codes"] = known_states(query["order_state_codes"].split(","))
    if one_of(query, "payment_workflow", WORKFLOWS):
        filters["payment_workflow"] = query["payment_workflow"]
    if "fulfillment_center_code" in query:
        filters["fulfillment_center_code"] = query.getlist("fulfillment_center_code")
    for name, value in filters.items():
        if isinstance(value, list) and len(value) > _MOST_VALUES:
            raise Refused(400, f"The limit of {_MOST_VALUES} is exceeded for the parameter : {name}")
    return filters


def one_of(query: QueryParams, name: str, values: tuple[str, ...]) -> str | None:
    value = query.get(name)
    if value is not None and value not in values:
        raise wrong(name)
    return value


def whole(query: QueryParams, name: str, default: int, *, least: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or int(text) < least:
        raise wrong(name)
    return int(text)


def offset_page(query: QueryParams) -> tuple[int, int]:
    """The size of a page and where it begins; Refused (400) for what is no such number."""
    return min(whole(query, "max", 10, least=1), _LARGEST_PAGE), whole(query, "offset", 0, least=0)


def page_links(request: Request, total: int) -> dict[str, str]:
    """The header with the pages before and after this one of `total` rows, if there are any."""
    size, offset = offset_page(request.query_params)
    links = [("previous", max(offset - size, 0))] if offset > 0 else []
    if offset + size < total:
        links.append(("next", offset + size))
    pages = [f'<{request.url.include_query_params(max=size, offset=at)}>; rel="{rel}"' for rel, at in links]
    return {"Link": ", ".join(pages)} if pages else {}


def wrong(name: str) -> Refused:
    return Refused(400, f"Error with parameter {name}. Please check its type.")


def _drop(value: Any, path: str) -> None:
    *steps, last = path.split(".")
    for step in steps:
        value = value[int(step)] if isinstance(value, list) else value.get(step)
        if value is None:
            return
    value.pop(last, None)
