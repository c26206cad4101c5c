"""Returns: RT11 lists them, RT21, RT25, RT26 and RT27 move them, RT04 adds to them.

WAITING_ACCEPTANCE, by RT21 IN_PROGRESS or REFUSED, by RT25 RECEIVED, by RT26 (once, for every line) checked, by RT27
CLOSED. A step out of turn is an error of its item. No step moves money. Where PC01 says that shops of this model
have no returns, all RT calls answer 404.

The ledger gets RETURN (opened: return_id, order_id, lines: units by line id), RT21 (return_id, order_id, accepted,
rejection_reason_code), RT25, RT26 (compliant: by line id), RT27 and RT04 (return_id, order_id).
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from app.sandbox.clock import iso
from app.sandbox.mirakl.answers import Json, Refused, members_of
from app.sandbox.mirakl.order_lists import SHIPPING_FROM
from app.sandbox.mirakl.orders import Order, OrderBook, whole_milliseconds
from app.sandbox.mirakl.pages import Asked
from app.sandbox.mirakl.tracking import TRACKING_NAMES

STATES = ("WAITING_ACCEPTANCE", "IN_PROGRESS", "REFUSED", "RECEIVED", "NO_RECEPTION", "CLOSED", "CANCELED")
_ENDED = frozenset({"REFUSED", "NO_RECEPTION", "CLOSED", "CANCELED"})
_METHODS = tuple(
    f"RETURN_METHOD_{name}" for name in ("BY_MAIL", "DROP_OFF_POINT", "HOME_PICKUP", "IN_STORE", "RETURNLESS")
)
_REJECTIONS = tuple(f"RETURN_REJECTION_{name}" for name in ("NOT_ELIGIBLE", "NOT_NEEDED", "WINDOW_CLOSED"))
_NON_COMPLIANT = tuple(
    f"RETURN_NON_COMPLIANT_{name}"
    for name in ("MISSING_ITEM", "WRONG_PRODUCT", "DAMAGED_PRODUCT", "WINDOW_CLOSED", "OTHER")
)
_LARGEST_BATCH = 100
_ADDRESS = {
    **{name: value for name, value in SHIPPING_FROM["address"].items() if not name.startswith("street")},
    "street1": SHIPPING_FROM["address"]["street_1"],
    "street2": "Returns",
}


@dataclass(slots=True, kw_only=True)
class ReturnLine:
    line_id: str
    quantity: int
    reason: str
    compliance: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class Return:
    """Instants are app time in Unix seconds."""

    return_id: str
    order: Order
    lines: list[ReturnLine]
    reason: str
    method: str
    created_at: float
    updated_at: float
    state: str = "WAITING_ACCEPTANCE"
    rejection: str | None = None
    description: str | None = None
    rma: str | None = None
    label_url: str | None = None
    tracking: dict[str, Any] | None = None
    address: dict[str, Any] = field(default_factory=lambda: dict(_ADDRESS))

    @property
    def checked(self) -> bool:
        return any(line.compliance for line in self.lines)

    @property
    def arrived(self) -> bool:
        return self.state in ("RECEIVED", "CLOSED")


class Returns:
    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._clock = book.shop.kernel.clock
        self._ledger = book.shop.kernel.ledger
        self.all: dict[str, Return] = {}

    def open(self, order: Order, units: dict[str, int], members: dict[str, Any]) -> Return:
        """A buyer asks to send units back. ValueError for more than left, or than came back already."""
        for line_id, quantity in units.items():
            back = sum(
                line.quantity
                for known in self.all.values()
                if known.order is order and known.state not in ("REFUSED", "NO_RECEPTION", "CANCELED")
                for line in known.lines
                if line.line_id == line_id
            )
            if not 0 < quantity <= order.line(line_id).shipped - back:
                raise ValueError(f"{quantity} units of {line_id} cannot be returned")
        reason, method = members.get("reason_code", "RETURN_CHANGED_MIND"), members.get("method_code", _METHODS[0])
        if method not in _METHODS:
            raise ValueError(f"method_code is one of {', '.join(_METHODS)}")
        now = whole_milliseconds(self._clock.timestamp())
        opened = Return(
            return_id=str(uuid.uuid4()),
            order=order,
            lines=[ReturnLine(line_id=line_id, quantity=n, reason=reason) for line_id, n in units.items()],
            reason=reason,
            method=method,
            created_at=now,
            updated_at=now,
            state="IN_PROGRESS" if members.get("accepted") else "WAITING_ACCEPTANCE",
            description=members.get("description"),
        )
        self.all[opened.return_id] = opened
        self._record("RETURN", opened, lines=units)
        return opened

    def move(self, known: Return, state: str) -> None:
        """By the buyer or the system."""
        if state not in STATES:
            raise ValueError(f"a return's state is one of {', '.join(STATES)}")
        known.state = state
        self._touch(known)

    async def rt11(self, request: Request) -> Json:
        self._check_on()
        asked = Asked(request, "date_created")
        states = asked.values("return_state", STATES)
        wanted: list[tuple[list[str], Callable[[Return], set[str]]]] = [
            (asked.values("return_id"), lambda r: {r.return_id}),
            (states, lambda r: {r.state}),
            (asked.values("order_commercial_id"), lambda r: {r.order.commercial_id}),
            (asked.values("order_line_id"), lambda r: {line.line_id for line in r.lines}),
            (asked.values("return_rma"), lambda r: {r.rma or ""}),
            (asked.values("customer_id"), lambda r: {r.order.customer["customer_id"]}),
        ]

        def fits(known: Return) -> bool:
            return (
                all(not values or of(known) & set(values) for values, of in wanted)
                and asked.within("return_creation_date_from", "return_creation_date_to", known.created_at)
                and asked.within("return_last_updated_from", "return_last_updated_to", known.updated_at)
            )

        return asked.page(filter(fits, self.all.values()), lambda r: (r.created_at, r.return_id), shown)

    async def rt21(self, request: Request) -> Json:
        return await self._each(request, self._decide)

    async def rt25(self, request: Request) -> Json:
        return await self._each(request, self._receive)

    async def rt26(self, request: Request) -> Json:
        return await self._each(request, self._check)

    async def rt27(self, request: Request) -> Json:
        return await self._each(request, self._close)

    async def rt04(self, request: Request) -> Json:
        return await self._each(request, self._describe, show=shown)

    def _check_on(self) -> None:
        if not self._book.shop.mirrors.returns:
            raise Refused(404, "Not found")

    async def _each(
        self,
        request: Request,
        work: Callable[[Return, dict[str, Any]], None],
        show: Callable[[Return], dict[str, Any]] = lambda known: {"id": known.return_id},
    ) -> Json:
        self._check_on()
        given = members_of(await request.body()).get("returns")
        if not isinstance(given, list) or not 1 <= len(given) <= _LARGEST_BATCH:
            raise Refused(400, f"returns must hold 1 to {_LARGEST_BATCH} elements")
        done: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for members in given:
            if not isinstance(members, dict) or not isinstance(members.get("id"), str):
                raise Refused(400, "Error with field returns. Please check the field datatype.")
            try:
                known = self._named(members["id"])
                work(known, members)
                self._touch(known)
                done.append(show(known))
            except Refused as refusal:
                errors.append({"id": members["id"], "message": refusal.message})
        return Json({"return_success": done, "return_errors": errors})

    def _named(self, return_id: str) -> Return:
        try:
            uuid.UUID(return_id)
        except ValueError as error:
            raise Refused(400, "The return id is incorrect.") from error
        if return_id not in self.all:
            raise Refused(400, "The return does not exist.")
        return self.all[return_id]

    def _decide(self, known: Return, members: dict[str, Any]) -> None:
        accepted, rejection = members.get("accepted"), members.get("rejection_reason_code")
        if not isinstance(accepted, bool) or (not accepted and rejection not in _REJECTIONS):
            raise Refused(400, "A rejection needs its reason code")
        _expect(known, "WAITING_ACCEPTANCE")
        known.state, known.rejection = ("IN_PROGRESS", None) if accepted else ("REFUSED", rejection)
        self._record("RT21", known, accepted=accepted, rejection_reason_code=known.rejection)

    def _receive(self, known: Return, _: dict[str, Any]) -> None:
        _expect(known, "IN_PROGRESS")
        known.state = "RECEIVED"
        self._record("RT25", known)

    def _check(self, known: Return, members: dict[str, Any]) -> None:
        given = members.get("return_lines")
        if not isinstance(given, list) or not all(isinstance(line, dict) for line in given):
            raise Refused(400, "return_lines are mandatory")
        checks = {str(line.get("order_line_id")): line for line in given}
        for check in checks.values():
            compliant, reason = check.get("compliant"), check.get("non_compliance_reason_code")
            if not isinstance(compliant, bool) or (not compliant and reason not in _NON_COMPLIANT):
                raise Refused(400, "A line that is not compliant needs its reason code")
        _expect(known, "RECEIVED", checked=False)
        if checks.keys() != {line.line_id for line in known.lines} or len(given) != len(checks):
            raise Refused(400, "The compliance of every return line is mandatory")
        for line in known.lines:
            names = ("compliant", "non_compliance_reason_code", "non_compliance_additional_info")
            line.compliance = {name: checks[line.line_id].get(name) for name in names}
        self._record("RT26", known, compliant={name: check["compliant"] for name, check in checks.items()})

    def _close(self, known: Return, _: dict[str, Any]) -> None:
        _expect(known, "RECEIVED", checked=True)
        known.state = "CLOSED"
        self._record("RT27", known)

    def _describe(self, known: Return, members: dict[str, Any]) -> None:
        if known.state in _ENDED:
            raise Refused(400, "Return is in invalid state")
        tracking, address = members.get("tracking"), (members.get("return_address") or {}).get("address")
        url = (tracking or {}).get("tracking_url")
        if url is not None and not str(url).startswith(("http://", "https://")):
            raise Refused(400, "Invalid return tracking URL format")
        known.rma = members.get("rma", known.rma)
        known.label_url = members.get("label_url", known.label_url)
        known.method = members.get("method_code") or known.method
        if tracking is not None:
            known.tracking = {name: tracking.get(name) for name in (*TRACKING_NAMES, "tracking_url")}
        if address is not None:
            known.address = {**known.address, **address}
        self._record("RT04", known)

    def _touch(self, known: Return) -> None:
        known.updated_at = whole_milliseconds(self._clock.timestamp())

    def _record(self, code: str, known: Return, **facts: Any) -> None:
        self._ledger.record(code, return_id=known.return_id, order_id=known.order.order_id, **facts)


def shown(known: Return) -> dict[str, Any]:
    """As RT11 and RT04 show it."""
    return {
        "date_created": iso(known.created_at),
        "description": known.description,
        "documents": [],
        "id": known.return_id,
        "label_url": known.label_url,
        "last_updated": iso(known.updated_at),
        "method_code": known.method,
        "order_commercial_id": known.order.commercial_id,
        "order_id": known.order.order_id,
        "reason_code": known.reason,
        "rejection_reason_code": known.rejection,
        "return_address": known.address,
        "return_lines": [
            {
                "compliance": None if line.compliance is None else [line.compliance],
                "order_line_id": line.line_id,
                "quantity": line.quantity,
                "reason_code": line.reason,
            }
            for line in known.lines
        ],
        "rma": known.rma,
        "state": known.state,
        "tracking": known.tracking,
    }


def _expect(known: Return, state: str, *, checked: bool | None = None) -> None:
    if known.state != state or checked not in (None, known.checked):
        raise Refused(400, "Return is in invalid state")
