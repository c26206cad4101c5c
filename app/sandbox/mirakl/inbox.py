"""Incidents (OR64) and message threads (M10, M11): what the buyer waits for.

A thread waits for the shop since its last message by the buyer, until somebody answers in the back office.
The ledger gets INCIDENT (opened: order_id, order_line_id, reason_code) and OR64 (the same).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.clock import iso
from app.sandbox.mirakl.answers import Json, Refused, members_of
from app.sandbox.mirakl.lines import Line
from app.sandbox.mirakl.orders import Order, OrderBook, whole_milliseconds
from app.sandbox.mirakl.pages import Asked

_INCIDENT_STATES = ("SHIPPING", "SHIPPED", "TO_COLLECT", "RECEIVED")


@dataclass(slots=True, kw_only=True)
class Thread:
    """`messages`: by the buyer?, its text, its instant. Instants are app time in Unix seconds."""

    thread_id: str
    order: Order
    topic: str
    messages: list[tuple[bool, str, float]] = field(default_factory=list)

    @property
    def updated_at(self) -> float:
        return self.messages[-1][2]

    @property
    def waits_since(self) -> float | None:
        by_buyer, _, at = self.messages[-1]
        return at if by_buyer else None


class Inbox:
    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._shop = book.shop
        self._clock = book.shop.kernel.clock
        self._ledger = book.shop.kernel.ledger
        self.threads: dict[str, Thread] = {}

    def open_incident(self, order: Order, line: Line, reason: str) -> None:
        if order.state not in _INCIDENT_STATES or not line.live:
            raise ValueError(f"an incident cannot be opened on line {line.line_id}: {order.state}, {line.state}")
        line.incident = reason
        self._incident_changed("INCIDENT", order, line, reason)

    def write(self, order: Order, members: dict[str, Any]) -> Thread:
        """The buyer writes; with a known `id` in a thread that is there."""
        thread_id = str(members.get("id") or uuid.uuid4())
        topic = str(members.get("topic", "Other question"))
        thread = self.threads.setdefault(thread_id, Thread(thread_id=thread_id, order=order, topic=topic))
        at = whole_milliseconds(self._clock.timestamp() - float(members.get("ago_seconds", 0)))
        thread.messages.append((True, str(members.get("body", "Where is my parcel?")), at))
        return thread

    def answer(self, thread: Thread) -> None:
        """Somebody of the shop, in the back office."""
        thread.messages.append((False, "We have answered.", whole_milliseconds(self._clock.timestamp())))

    async def or64(self, request: Request) -> Response:
        order = self._book.orders.get(request.path_params["order_id"])
        if order is None or request.path_params["line"] not in {line.line_id for line in order.lines}:
            raise Refused(404, "There is no such order line")
        line = order.line(request.path_params["line"])
        reason = members_of(await request.body()).get("reason_code")
        if not self._shop.mirrors.may_use("INCIDENT_CLOSE", reason):
            raise Refused(400, f"The reason code '{reason}' is not valid for INCIDENT_CLOSE")
        if line.incident is None:
            raise Refused(400, f"Order line '{line.line_id}' has no open incident")
        line.incident = None
        self._incident_changed("OR64", order, line, str(reason))
        return Response(status_code=204)

    async def m10(self, request: Request) -> Json:
        thread = self.threads.get(request.path_params["thread_id"])
        if thread is None:
            raise Refused(404, "There is no such thread")
        return Json(self._shown(thread, thread.messages))

    async def m11(self, request: Request) -> Json:
        asked = Asked(request, "dateUpdated", size=50)
        entity_ids, kind = asked.values("entity_id"), asked.query.get("entity_type", "MMP_ORDER")
        with_messages = asked.query.get("with_messages") == "true"

        def fits(thread: Thread) -> bool:
            return (
                kind == "MMP_ORDER"
                and (not entity_ids or thread.order.order_id in entity_ids)
                and asked.within("updated_since", "", thread.updated_at)
            )

        chosen = filter(fits, self.threads.values())
        return asked.page(
            chosen,
            lambda thread: (thread.updated_at, thread.thread_id),
            lambda thread: self._shown(thread, thread.messages if with_messages else None),
        )

    def _incident_changed(self, code: str, order: Order, line: Line, reason: str) -> None:
        self._book.touch(order)
        self._ledger.record(code, order_id=order.order_id, order_line_id=line.line_id, reason_code=reason)

    def _shown(self, thread: Thread, messages: Sequence[tuple[bool, str, float]] | None) -> dict[str, Any]:
        buyer = thread.order.customer
        name = f"{buyer['firstname']} {buyer['lastname']}"
        sides = [
            {"display_name": name, "id": buyer["customer_id"], "type": "CUSTOMER"},
            {"display_name": self._shop.name, "id": str(self._shop.shop_id), "type": "SHOP"},
        ]

        def sender(by_buyer: bool) -> dict[str, Any]:
            kind = "CUSTOMER_USER" if by_buyer else "SHOP_USER"
            return {"display_name": name if by_buyer else self._shop.name, "organization_details": None, "type": kind}

        shown: dict[str, Any] = {
            "authorized_participants": sides,
            "current_participants": sides,
            "date_created": iso(thread.messages[0][2]),
            "date_updated": iso(thread.updated_at),
            "entities": [{"id": thread.order.order_id, "label": thread.order.order_id, "type": "MMP_ORDER"}],
            "id": thread.thread_id,
            "metadata": {
                "last_message_date": iso(thread.updated_at),
                "last_sender": sender(thread.waits_since is not None),
                "shop_reply_needed_since": None if thread.waits_since is None else iso(thread.waits_since),
                "total_count": len(thread.messages),
            },
            "topic": {"type": "FREE_TEXT", "value": thread.topic},
        }
        if messages is not None:
            shown["messages"] = [
                {
                    "attachments": [],
                    "body": body,
                    "date_created": iso(at),
                    "from": sender(by_buyer),
                    "id": f"{thread.thread_id}-{place}",
                    "to": [sides[1 if by_buyer else 0]],
                }
                for place, (by_buyer, body, at) in enumerate(messages, 1)
            ]
        return shown
