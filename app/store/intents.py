"""Discrete facts after the sale that must each have one effect: parcels, cancellations, refunds, documents.

Unique by their source: a fact that is told again changes nothing, told differently it is a newer version of the same
intent. The outbox key is the order; its work is the intents that are not done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

import msgspec

from app.domain.after_sale import Advice, Stop
from app.domain.ids import OrderId
from app.domain.orders import Order
from app.domain.teams import Team
from app.store.effects import audit
from app.store.marks import Mark
from app.store.pool import Connection, Row
from app.store.statements import sql, storable

T = TypeVar("T")

ORDER_FOLLOW = "order_follow"
"""The flow that reads what happened to an order in Centra; its key is Mirakl's order id."""


class Kind(StrEnum):
    """What a fact is about; each has a flow of its own."""

    SHIPMENT = "shipment"
    CANCELLATION = "cancellation"
    REFUND = "refund"
    """Centra credits the buyer."""
    CREDIT = "credit"
    """The marketplace gave the buyer money by itself."""
    RETURN = "return"
    """The marketplace's; kept in a table of its own."""
    DOCUMENT = "document"

    @property
    def flow(self) -> str:
        return f"{self.value}s"


RANKS: Mapping[Kind, int] = {
    Kind.CANCELLATION: 0,
    Kind.SHIPMENT: 4,
    Kind.RETURN: 5,
    Kind.REFUND: 6,
    Kind.CREDIT: 7,
    Kind.DOCUMENT: 8,
}
"""Whose turn comes first in the lane of an order; those of its entry stand between."""


class State(StrEnum):
    OPEN = "open"
    HELD = "held"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Intent:
    """One fact and what became of it. `body` and `told` are JSON, read by the flow that wrote them."""

    id: int
    scope: str
    kind: Kind
    source_id: str
    order_id: OrderId
    state: State
    body: str
    version: int
    told: str | None
    amount: Decimal | None
    currency: str | None
    reason: str | None
    advice: Advice | None
    approved_by: str | None
    """A person let it go past the channel's policy."""
    noted_at: datetime
    changed_at: datetime
    held_at: datetime | None

    def read(self, type_: type[T]) -> T:
        """What its source says."""
        return msgspec.json.decode(self.body, type=type_)

    def answer(self, type_: type[T]) -> T | None:
        """What the far side was told, and gave for it; None before, and where a person did it by hand."""
        return None if self.told is None else msgspec.json.decode(self.told, type=type_)


def intent_of(row: Row) -> Intent:
    """The intent in a row."""
    return Intent(
        id=row["id"],
        scope=row["scope"],
        kind=Kind(row["kind"]),
        source_id=row["source_id"],
        order_id=OrderId(row["order_id"]),
        state=State(row["state"]),
        body=row["body"],
        version=row["version"],
        told=row["told"],
        amount=row["amount"],
        currency=row["currency"],
        reason=row["reason"],
        advice=None if row["advice"] is None else Advice(row["advice"]),
        approved_by=row["approved_by"],
        noted_at=row["noted_at"],
        changed_at=row["changed_at"],
        held_at=row["held_at"],
    )


def mark_of(scope: str, kind: Kind, order_id: str) -> Mark:
    """The flow of this kind has something to look at about an order."""
    return Mark(scope, kind.flow, order_id, lane=order_id, lane_rank=RANKS[kind])


async def marks(connection: Connection, scope: str, order_ids: Sequence[str], *, but: Kind | None = None) -> list[Mark]:
    """Marks for everything that is not done about some orders; `but`: whose turn it is anyway."""
    rows = await connection.fetch(sql("intent/keys"), scope, list(order_ids))
    return [mark_of(scope, Kind(row["kind"]), row["order_id"]) for row in rows if row["kind"] != but]


async def marks_of_kind(connection: Connection, scope: str, kind: Kind) -> list[Mark]:
    """Marks for every order with something of a kind that is not done."""
    rows = await connection.fetch(sql("intent/keys_of_kind"), scope, kind.value)
    return [mark_of(scope, kind, row["order_id"]) for row in rows]


async def note(
    connection: Connection,
    scope: str,
    kind: Kind,
    source_id: str,
    order_id: str,
    body: object,
    read_at: datetime,
    *,
    amount: Decimal | None = None,
    currency: str | None = None,
) -> bool:
    """Write down a fact that a call that began at `read_at` told; False when it says nothing new."""
    text = msgspec.json.encode(body).decode()
    row = await connection.fetchrow(
        sql("intent/note"), scope, kind.value, source_id, order_id, text, read_at, amount, currency
    )
    if row is None:
        return False
    words = None if row["version"] == 1 else f"version {row['version']}"
    await audit(connection, scope, ORDER_FOLLOW, f"order:{order_id}", None, "noted", _words(kind, source_id, words))
    return True


def _words(kind: Kind, source_id: str, words: str | None) -> str:
    return f"{kind} {source_id}" + (f", {words}" if words else "")


async def of_order(connection: Connection, scope: str, order_id: str) -> tuple[Intent, ...]:
    """Everything after the sale of an order, oldest first."""
    return tuple(intent_of(row) for row in await connection.fetch(sql("intent/of_order"), scope, order_id))


async def lock(connection: Connection, intent_id: int) -> Intent | None:
    """One fact, kept as it is until the transaction ends."""
    row = await connection.fetchrow(sql("intent/lock"), intent_id)
    return None if row is None else intent_of(row)


async def done(connection: Connection, intent: Intent, told: object, words: str, actor: str | None = None) -> bool:
    """It needs nothing more: what the far side was told, and how it ended; False when it was done before."""
    text = None if told is None else msgspec.json.encode(told).decode()
    by = actor or intent.kind.flow
    return await connection.fetchval(sql("intent/done"), intent.id, text, storable(words), by) is not None


async def hold(connection: Connection, intent: Intent, stop: Stop, team: Team) -> None:
    """It waits for a person."""
    evidence = msgspec.json.encode(dict(stop.evidence)).decode()
    await connection.fetchval(
        sql("intent/hold"),
        intent.id,
        storable(stop.reason),
        stop.advice.value,
        team.value,
        evidence,
        intent.kind.flow,
    )


async def reopen(connection: Connection, intent_id: int, words: str, *, by: str | None = None) -> list[Mark]:
    """What it was held for is gone, or a person (`by`) lets it go past the policy; its mark, if it was held."""
    row = await connection.fetchrow(sql("intent/reopen"), intent_id, storable(words), by, "service")
    return [] if row is None else [mark_of(row["scope"], Kind(row["kind"]), row["order_id"])]


async def marks_of_told(
    connection: Connection, scope: str, told: Sequence[Order], fresh: Sequence[Order]
) -> list[Mark]:
    """Marks for orders that the marketplace told of: what is open about them looks again, and refunds of `fresh` ones,
    which changed, may be somebody else's.
    """
    given = [Mark(scope, ORDER_FOLLOW, order.order_id) for order in fresh if any(line.taken for line in order.lines)]
    return given + await marks(connection, scope, sorted(order.order_id for order in told))


async def orders_of_numbers(connection: Connection, source: str, numbers: Iterable[int]) -> list[Mark]:
    """Marks for what happened in Centra to the marketplace orders behind some numbers."""
    rows = await connection.fetch(sql("marketplace_order/of_numbers"), sorted(set(numbers)), source)
    return [Mark(row["scope"], ORDER_FOLLOW, row["order_id"]) for row in rows]


async def orders_to_follow(
    connection: Connection, scope: str, updated_since: datetime | None, after: str, limit: int
) -> list[str]:
    """Ids of orders in Centra that may still be shipped, and those updated since; in order, beyond `after`."""
    rows = await connection.fetch(sql("marketplace_order/after_sale"), scope, updated_since, after, limit)
    return [row["order_id"] for row in rows]
