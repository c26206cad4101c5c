"""Reading Centra's events: which query asks for which types, and what an answer says of each event.

An event that cannot be read does not block the queue: it keeps its id, so that it can be set aside and
confirmed. An object that cannot be read leaves its event readable, as *unclear*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from app.centra.graphql import Answer
from app.centra.operations import Operation, operation
from app.centra.schema import Event, EventsAnswer, Size
from app.wire.decode import Unreadable, read_items, typed
from app.wire.outcome import Applied, Outcome, Unknown

ORDER_TYPES = frozenset({"Order", "Shipment", "Return"})

VARIANT_SIZES = 20
"""How many sizes of a variant an event names. A variant with as many is unclear: read its sizes by variant."""


class _Row(msgspec.Struct, rename="camel"):
    id: int
    object_type: str
    change_type: str
    object_reference: int
    created_at: str | None = None
    object: msgspec.Raw = msgspec.Raw(b"null")


class _SizeId(msgspec.Struct):
    id: int


class _ProductId(msgspec.Struct):
    id: int


class _OrderLine(msgspec.Struct, rename="camel"):
    product_size: _SizeId | None = None


class _Order(msgspec.Struct, rename="camel"):
    order_number: int | None = None
    order_lines: list[_OrderLine] | None = None


class _StockLine(msgspec.Struct, rename="camel"):
    product_size: Size | None = None


class _Target(msgspec.Struct, rename="camel"):
    """The members of every object type we select, each under its own name or alias."""

    typename: str | None = msgspec.field(default=None, name="__typename")
    lines: list[_StockLine] | None = None
    variant_sizes: list[_SizeId] | None = None
    order_number: int | None = None
    order_lines: list[_OrderLine] | None = None
    order: _Order | None = None
    product_id: int | None = None
    variant_product: _ProductId | None = None
    display_product: _ProductId | None = None

    @property
    def product_ids(self) -> tuple[int, ...]:
        parent = self.variant_product or self.display_product
        return (parent.id,) if parent else () if self.product_id is None else (self.product_id,)

    @property
    def sold(self) -> _Order:
        """The order itself, or the order of a shipment or return."""
        return self.order or _Order(self.order_number, self.order_lines)


def events_operation(object_types: Sequence[str]) -> Operation:
    """The query for a queue. Order types and the others live in two queues; a mix is a mistake of ours."""
    of_orders = {type_ in ORDER_TYPES for type_ in object_types}
    if len(of_orders) != 1:
        raise ValueError("events of orders and of stock are fetched separately")
    return operation("order_events" if of_orders.pop() else "stock_events")


def read_events(answer: Answer, limit: int) -> Outcome[EventsAnswer]:
    """Every event of an answer, oldest first."""
    whole, places = answer.spoiled("events")
    if whole:
        return Unknown("Centra answered with errors: " + "; ".join(error.words for error in answer.errors))
    try:
        raw = answer.member("events", list[msgspec.Raw])
    except Unreadable as exc:
        return Unknown(f"unreadable answer: {exc}")
    rows = read_items(raw, _Row)
    words = {error.path[1]: error.message for error in answer.errors if len(error.path) > 1}
    events = tuple(
        _event(row, words[place] if place in places else "") for place, row in zip(rows.places, rows.items, strict=True)
    )
    return Applied(EventsAnswer(events, rows.unreadable, answer.errors, is_full=len(raw) >= limit))


def _event(row: _Row, spoiled: str) -> Event:
    event = Event(row.id, row.object_type, row.change_type, row.object_reference, row.created_at)
    if spoiled:
        return replace(event, unclear=spoiled)
    if bytes(row.object) == b"null":
        return replace(event, is_gone=row.change_type == "DELETED", unclear=_without_object(row))
    try:
        target = typed(bytes(row.object), _Target)
        sizes = _sizes(target, row.object)
    except Unreadable as exc:
        return replace(event, unclear=f"unreadable object: {exc}")
    if len(target.variant_sizes or ()) >= VARIANT_SIZES:
        return replace(event, unclear=f"the variant has {VARIANT_SIZES} sizes or more")
    return replace(
        event,
        sizes=tuple(sizes),
        size_ids=tuple(_size_ids(target, sizes)),
        product_ids=target.product_ids,
        order_number=target.sold.order_number,
    )


def _without_object(row: _Row) -> str:
    return "" if row.change_type == "DELETED" else "the object is not there any more"


def _sizes(target: _Target, raw: msgspec.Raw) -> list[Size]:
    if target.typename == "ProductSize":
        return [typed(bytes(raw), Size)]
    return [line.product_size for line in target.lines or () if line.product_size is not None]


def _size_ids(target: _Target, sizes: Sequence[Size]) -> Iterable[int]:
    """Each size once, in the order in which the object names them."""
    of_order = (line.product_size for line in target.sold.order_lines or ())
    named = (*sizes, *(target.variant_sizes or ()), *of_order)
    return dict.fromkeys(size.id for size in named if size is not None)
