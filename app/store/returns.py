"""Returns as the marketplace tells them, without personal members, and which steps of each were taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from app.domain.after_sale import Stop
from app.domain.ids import OrderId
from app.domain.teams import Team
from app.policies.returns import Action, MarketplaceReturn
from app.store.pool import Connection
from app.store.statements import sql, storable

RETURNS = "returns"
"""The flow that walks them."""


@dataclass(frozen=True, slots=True)
class Walked:
    """One return and how far we walked it."""

    facts: MarketplaceReturn
    taken: frozenset[Action]
    reason: str | None
    approved_by: str | None
    """A person let it go past the channel's policy."""
    held_at: datetime | None
    ended_at: datetime | None

    @property
    def return_id(self) -> str:
        return self.facts.return_id


async def store(connection: Connection, scope: str, found: Sequence[MarketplaceReturn], read_at: datetime) -> list[str]:
    """Store returns as a call that began at `read_at` told them; the order ids of those that are new or changed."""
    rows = sorted(found, key=lambda told: told.return_id)
    changed = await connection.fetch(
        sql("marketplace_return/store"),
        scope,
        [told.return_id for told in rows],
        [told.order_id for told in rows],
        [msgspec.json.encode(told).decode() for told in rows],
        read_at,
    )
    return sorted({row["order_id"] for row in changed})


async def of_order(connection: Connection, scope: str, order_id: str) -> list[Walked]:
    """The returns of an order, oldest first."""
    rows = await connection.fetch(sql("marketplace_return/of_order"), scope, order_id)
    return [
        Walked(
            msgspec.json.decode(row["facts"], type=MarketplaceReturn),
            frozenset(Action(step) for step in row["taken"]),
            row["reason"],
            row["approved_by"],
            row["held_at"],
            row["ended_at"],
        )
        for row in rows
    ]


async def states(connection: Connection, scope: str, return_ids: Sequence[str]) -> dict[str, str]:
    """The states in which returns are stored, by id; one that is not is missing."""
    rows = await connection.fetch(sql("marketplace_return/states"), scope, list(return_ids))
    return {row["return_id"]: row["state"] for row in rows}


async def take(connection: Connection, scope: str, return_id: str, step: Action, words: str = "") -> None:
    """A step was taken, and answered."""
    await connection.execute(sql("marketplace_return/take"), scope, return_id, step.value, words or None)


async def hold(connection: Connection, scope: str, return_id: str, stop: Stop, team: Team) -> None:
    """It waits for a person."""
    await connection.execute(
        sql("marketplace_return/settle"),
        scope,
        return_id,
        storable(stop.reason),
        stop.advice.value,
        team.value,
        False,
        RETURNS,
    )


async def goes_on(connection: Connection, scope: str, return_id: str, words: str | None) -> None:
    """Nobody is needed: it waits for what `words` say."""
    await connection.execute(sql("marketplace_return/settle"), scope, return_id, words, None, None, False, RETURNS)


async def end(connection: Connection, scope: str, return_id: str, words: str, actor: str = RETURNS) -> None:
    """Nothing more to do, unless a side changes."""
    await connection.execute(
        sql("marketplace_return/settle"), scope, return_id, storable(words), None, None, True, actor
    )


@dataclass(frozen=True, slots=True)
class Locked:
    """A return that stays as it is until the transaction ends."""

    order_id: OrderId
    is_held: bool


async def lock(connection: Connection, scope: str, return_id: str) -> Locked | None:
    """Keep a return as it is until the transaction ends; None where there is none."""
    row = await connection.fetchrow(sql("marketplace_return/lock"), scope, return_id)
    return None if row is None else Locked(OrderId(row["order_id"]), row["held_at"] is not None)


async def approve(connection: Connection, scope: str, return_id: str, by: str, words: str) -> str | None:
    """A person lets a held return go past the policy; its order id, None where it does not wait for one."""
    row = await connection.fetchrow(sql("marketplace_return/approve"), scope, return_id, by, storable(words))
    return None if row is None else str(row["order_id"])
