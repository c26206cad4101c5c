"""Shipments of orders with several parcels: ST01, ST06, ST23 and ST24 make and move them.

Where PC01 says that multi-shipment is off, all ST calls answer 404. A shipment takes its units out of what is left
to ship when it is made, whether it has left or not. Where the buyer pays on shipment, one that was sent is
SHIPMENT_PREPARED until its own debit, and CANCELED if that is refused. A call's items fare each on their own.

The ledger gets ST01 (shipment_id, order_id, lines: units by line id, shipped, carrier_code, carrier_name,
tracking_number, tracking_url), ST06 (shipment_id, order_id), ST23 (as ST01 without lines) and ST24 (shipment_id,
order_id, lines).
"""

import functools
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from app.sandbox.clock import iso
from app.sandbox.mirakl.answers import Json, Refused, members_of
from app.sandbox.mirakl.order_lists import SHIPPING_FROM
from app.sandbox.mirakl.orders import OWN_FULFILMENT, PAY_ON_SHIPMENT, Order, OrderBook, whole_milliseconds
from app.sandbox.mirakl.tracking import check_mandatory, read_tracking, wrong_state

_LARGEST_BATCH = 1000


@dataclass(slots=True, kw_only=True)
class Shipment:
    """Instants are app time in Unix seconds. `lines` as they were given, `units` by line id."""

    shipment_id: str
    order: Order
    lines: list[dict[str, Any]]
    units: dict[str, int]
    tracking: dict[str, Any] | None
    created_at: float
    updated_at: float
    invoice_reference: str | None = None
    information: list[dict[str, Any]]
    warehouse: str | None = None
    state: str = "SHIPPING"
    debit: str = "NO_DEBIT"
    debited_at: float | None = None
    shipped_at: float | None = None


class Shipments:
    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._shop = book.shop
        self._clock = book.shop.kernel.clock
        self._ledger = book.shop.kernel.ledger
        self.all: dict[str, Shipment] = {}

    async def st01(self, request: Request) -> Json:
        made: list[Shipment] = []
        errors: list[dict[str, Any]] = []
        for members in await self._items(request):
            if not isinstance(members.get("order_id"), str):
                raise _wrong("shipments")
            try:
                made.append(self._make(members))
            except Refused as refusal:
                errors.append({"order_id": members["order_id"], "message": refusal.message})
        return Json({"shipment_success": [shown(one) for one in made], "shipment_errors": errors}, 201)

    async def st06(self, request: Request) -> Json:
        return await self._each(request, lambda shipment, _: self._delete(shipment))

    async def st23(self, request: Request) -> Json:
        return await self._each(request, self._track)

    async def st24(self, request: Request) -> Json:
        return await self._each(request, lambda shipment, _: self._send(shipment))

    def check_on(self) -> None:
        if not self._shop.mirrors.multi_shipment:
            raise Refused(404, "Not found")

    async def _items(self, request: Request) -> list[dict[str, Any]]:
        self.check_on()
        given = members_of(await request.body()).get("shipments")
        if not isinstance(given, list) or not 1 <= len(given) <= _LARGEST_BATCH:
            raise Refused(400, f"shipments must hold 1 to {_LARGEST_BATCH} elements")
        if not all(isinstance(members, dict) for members in given):
            raise _wrong("shipments")
        return given

    async def _each(self, request: Request, work: Callable[[Shipment, dict[str, Any]], None]) -> Json:
        done: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for members in await self._items(request):
            shipment_id = members.get("id")
            shipment = self.all.get(str(shipment_id))
            try:
                if shipment is None:
                    raise Refused(400, f"No shipment with id '{shipment_id}'.")
                work(shipment, members)
                done.append({"id": shipment_id})
            except Refused as refusal:
                errors.append({"id": shipment_id, "message": refusal.message})
        return Json({"shipment_success": done, "shipment_errors": errors})

    def _make(self, members: dict[str, Any]) -> Shipment:
        order = self._book.orders.get(members["order_id"])
        if order is None:
            raise Refused(400, f"Order with id '{members['order_id']}' does not exist")
        if order.fulfillment != OWN_FULFILMENT:
            raise Refused(400, "The operator fulfils this order")
        if order.state != "SHIPPING":
            raise wrong_state(order)
        given = members.get("tracking")
        tracking = None if given is None else read_tracking(self._shop, given, url_name="tracking_url")
        if members.get("shipped"):
            check_mandatory(self._shop, order, tracking)
        lines = self._lines(order, members.get("shipment_lines"))
        units: Counter[str] = Counter()
        for line in lines:
            units[line["order_line_id"]] += line["quantity"]
        for line_id, quantity in units.items():
            if quantity > order.line(line_id).to_ship:
                raise Refused(400, "Shipment quantity is invalid.")
        now = whole_milliseconds(self._clock.timestamp())
        shipment = Shipment(
            shipment_id=str(uuid.uuid4()),
            order=order,
            lines=lines,
            units=dict(units),
            tracking=tracking,
            created_at=now,
            updated_at=now,
            invoice_reference=members.get("invoice_reference"),
            information=members.get("shipment_additional_information") or [],
            warehouse=((members.get("shipping_from") or {}).get("warehouse") or {}).get("code"),
            debit="NOT_STARTED" if order.workflow == PAY_ON_SHIPMENT and order.debited_at is None else "NO_DEBIT",
        )
        self.all[shipment.shipment_id] = shipment
        for line_id, quantity in units.items():
            order.line(line_id).allotted += quantity
        self._record("ST01", shipment, lines=shipment.units, shipped=bool(members.get("shipped")), **_named(tracking))
        if members.get("shipped"):
            self._leave(shipment)
        self._book.touch(order)
        return shipment

    def _lines(self, order: Order, given: Any) -> list[dict[str, Any]]:
        """With line ids, also where a line was named by its offer."""
        if not isinstance(given, list) or not given:
            raise Refused(400, "A shipment has at least one line")
        lines: list[dict[str, Any]] = []
        for members in given:
            quantity = members.get("quantity") if isinstance(members, dict) else None
            if not isinstance(quantity, int) or quantity < 1:
                raise Refused(400, "Shipment quantity is invalid.")
            name, sku = members.get("order_line_id"), members.get("offer_sku")
            line = next((one for one in order.lines if (one.line_id == name if name else one.sku == sku)), None)
            if line is None:
                raise Refused(400, f"Order line '{name or sku}' is not of order '{order.order_id}'")
            package = members.get("package_reference")
            lines.append(
                {
                    "order_line_id": line.line_id,
                    "offer_sku": line.sku,
                    "quantity": quantity,
                    "package_reference": package,
                }
            )
        return lines

    def _track(self, shipment: Shipment, members: dict[str, Any]) -> None:
        late = shipment.state in ("SHIPPED", "SHIPMENT_PREPARED") and self._shop.order_rules.tracking_after_shipping
        if shipment.state != "SHIPPING" and not late:
            raise _not_shipping(shipment, "updated")
        shipment.tracking = read_tracking(self._shop, members.get("tracking"), url_name="tracking_url")
        if shipment.state == "SHIPPED":
            shipment.order.tracking = shipment.tracking
        self._touch(shipment)
        self._record("ST23", shipment, **_named(shipment.tracking))

    def _send(self, shipment: Shipment) -> None:
        if shipment.state != "SHIPPING":
            raise _not_shipping(shipment, "shipped")
        if shipment.order.state != "SHIPPING":
            raise wrong_state(shipment.order)
        check_mandatory(self._shop, shipment.order, shipment.tracking)
        self._record("ST24", shipment, lines=shipment.units)
        self._leave(shipment)

    def _delete(self, shipment: Shipment) -> None:
        if shipment.state != "SHIPPING":
            raise _not_shipping(shipment, "deleted")
        del self.all[shipment.shipment_id]
        self._give_back(shipment)
        self._record("ST06", shipment)

    def _leave(self, shipment: Shipment) -> None:
        if shipment.debit == "NOT_STARTED":
            shipment.state, shipment.debit = "SHIPMENT_PREPARED", "WAITING_DEBIT_CONFIRMATION"
            if shipment.order.debit_seconds is not None:
                due = self._clock.timestamp() + shipment.order.debit_seconds
                self._clock.at(due, functools.partial(self._debit, shipment))
        else:
            self._ship(shipment)
        self._touch(shipment)

    def _debit(self, shipment: Shipment) -> None:
        if shipment.order.debit_refused:
            shipment.state = shipment.debit = "CANCELED"
            self._give_back(shipment)
        else:
            shipment.debit, shipment.debited_at = "DEBIT_OK", whole_milliseconds(self._clock.timestamp())
            self._book.debit(shipment.order)
            self._ship(shipment)
        self._touch(shipment)

    def _ship(self, shipment: Shipment) -> None:
        now = whole_milliseconds(self._clock.timestamp())
        shipment.state, shipment.shipped_at = "SHIPPED", now
        shipment.order.tracking = shipment.tracking or shipment.order.tracking
        for line_id, quantity in shipment.units.items():
            line = shipment.order.line(line_id)
            # An order that was moved on by hand has all of its units shipped already.
            moved = min(quantity, line.allotted)
            line.allotted, line.shipped = line.allotted - moved, line.shipped + moved
            line.shipped_at = now
        self._book.units_changed(shipment.order)

    def _give_back(self, shipment: Shipment) -> None:
        for line_id, quantity in shipment.units.items():
            line = shipment.order.line(line_id)
            line.allotted -= min(quantity, line.allotted)
        self._book.units_changed(shipment.order)

    def _touch(self, shipment: Shipment) -> None:
        shipment.updated_at = whole_milliseconds(self._clock.timestamp())
        self._book.touch(shipment.order)

    def _record(self, code: str, shipment: Shipment, **facts: Any) -> None:
        self._ledger.record(code, shipment_id=shipment.shipment_id, order_id=shipment.order.order_id, **facts)


def shown(shipment: Shipment) -> dict[str, Any]:
    """As ST01 and ST11 show it: once it left, it goes with its order to the end."""
    order = shipment.order
    moved_on = shipment.state == "SHIPPED" and order.state in ("TO_COLLECT", "RECEIVED", "CLOSED")
    paid = shipment.debited_at
    return {
        "created_date": iso(shipment.created_at),
        "id": shipment.shipment_id,
        "invoice_reference": shipment.invoice_reference,
        "last_updated_date": iso(shipment.updated_at),
        "order_id": order.order_id,
        "payment_details": None
        if paid is None
        else {
            "customer_debited_date": iso(paid),
            "transaction_date": iso(paid),
            "transaction_number": f"TR-{shipment.shipment_id}",
        },
        "shipment_additional_information": shipment.information,
        "shipment_lines": shipment.lines,
        "shipped_date": None if shipment.shipped_at is None else iso(shipment.shipped_at),
        "shipping_from": {
            "address": SHIPPING_FROM["address"],
            "warehouse": None if shipment.warehouse is None else {"code": shipment.warehouse},
        },
        "status": order.state if moved_on else shipment.state,
        "status_customer_debit": shipment.debit,
        "tracking": None if shipment.tracking is None else _shown_tracking(shipment.tracking),
    }


def _shown_tracking(tracking: dict[str, Any]) -> dict[str, Any]:
    known = "UNVERIFIED" if tracking["carrier_code"] else "UNCOVERED"
    return {
        **tracking,
        "carrier_expected_delivery_date": None,
        "last_known_location": None,
        "milestones": [],
        "validity_status": known if tracking["tracking_number"] else "MISSING_TRACKING",
    }


def _named(tracking: dict[str, Any] | None) -> dict[str, Any]:
    names = ("carrier_code", "carrier_name", "tracking_number", "tracking_url")
    return {name: (tracking or {}).get(name) for name in names}


def _not_shipping(shipment: Shipment, verb: str) -> Refused:
    return Refused(400, f"Shipment with id '{shipment.shipment_id}' is not in SHIPPING status and cannot be {verb}.")


def _wrong(name: str) -> Refused:
    return Refused(400, f"Error with field {name}. Please check the field datatype.")
