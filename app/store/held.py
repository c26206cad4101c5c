"""Everything that needs a person, in one list: held facts, returns, differences, and held keys that no fact explains.

It is a view over live rows (migrations 0011 and 0015), so what is mended is gone from it. An item has a name that a
person can type: `i17` an intent, `r:demo-fr:RETURN` a return, `p17` a difference between both ends,
`o:demo-fr:stock:VX-100-M` a key of the outbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec

from app.store.pool import Connection
from app.store.statements import sql


@dataclass(frozen=True, slots=True)
class Cause:
    """Items with one cause. `team` None: the flow's own; `item`: the oldest; `money` at stake, by currency."""

    scope: str
    flow: str
    team: str | None
    reason: str
    advice: str | None
    items: int
    money: Mapping[str, Decimal]
    oldest_at: datetime
    due_at: datetime | None
    item: str


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that needs a person. `key`: the order, or what else its flow works on."""

    item: str
    scope: str
    flow: str
    key: str
    team: str | None
    reason: str | None
    advice: str | None
    evidence: Mapping[str, str]
    held_at: datetime
    amount: Decimal | None
    currency: str | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Share:
    """How much of one kind needs a person."""

    scope: str
    flow: str
    team: str | None
    advice: str | None
    currency: str | None
    items: int
    amount: Decimal | None
    oldest_at: datetime


async def causes(connection: Connection, scope: str | None) -> list[Cause]:
    """What is held, by cause: what is due first, then the oldest."""
    found: dict[tuple[str | None, ...], Cause] = {}
    for row in await connection.fetch(sql("held/causes"), scope):
        place = (row["scope"], row["flow"], row["team"], row["reason"], row["advice"])
        money = {} if row["amount"] is None or row["currency"] is None else {row["currency"]: row["amount"]}
        before = found.get(place)
        found[place] = Cause(
            scope=row["scope"],
            flow=row["flow"],
            team=row["team"],
            reason=row["reason"] or "",
            advice=row["advice"],
            items=row["items"] + (before.items if before else 0),
            money=money if before is None else {**before.money, **money},
            oldest_at=row["oldest_at"] if before is None else min(before.oldest_at, row["oldest_at"]),
            due_at=row["due_at"] if before is None else before.due_at,  # the rows come by it
            item=row["item"] if before is None or row["oldest_at"] < before.oldest_at else before.item,
        )
    return list(found.values())


async def one(connection: Connection, item: str) -> Item | None:
    """An item by its name; None where nothing is held under it."""
    row = await connection.fetchrow(sql("held/one"), item)
    if row is None:
        return None
    evidence = {} if row["evidence"] is None else msgspec.json.decode(row["evidence"], type=dict[str, str])
    return Item(**{**row, "evidence": evidence})


async def alike(connection: Connection, item: Item) -> list[str]:
    """The names of all items with the same cause, the oldest first."""
    rows = await connection.fetch(sql("held/alike"), item.scope, item.flow, item.team, item.reason, item.advice)
    return [row["item"] for row in rows]


async def count(connection: Connection) -> list[Share]:
    """How much is held, of each kind."""
    return [Share(**row) for row in await connection.fetch(sql("held/count"))]


async def is_worked(connection: Connection, scope: str, flow: str, key: str) -> bool:
    """Whether a worker has a key now; no other takes it until the transaction ends."""
    row = await connection.fetchrow(sql("outbox/is_worked"), scope, flow, key)
    return row is not None and bool(row["worked"])


async def release(connection: Connection, scope: str, flow: str, key: str) -> bool:
    """A person lets a held key go; whether it was held."""
    return await connection.fetchrow(sql("outbox/release"), scope, flow, [key]) is not None
