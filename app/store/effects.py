"""The ledger of outside writes: committed as sent before the first byte leaves, decided once, every step audited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg
import msgspec

from app.domain.ids import EffectId
from app.store.pool import Connection, Database
from app.store.statements import sql, storable
from app.wire.outcome import Applied, NotSent, Outcome, Refused, Unknown


class EffectClass(StrEnum):
    """What may follow an unknown: send the newest again, read then decide, or compare with a snapshot."""

    SAFE = "safe"
    STATE = "state"
    CREATE = "create"


class EffectState(StrEnum):
    SENT = "sent"
    APPLIED = "applied"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_APPLIED = "not_applied"
    HELD = "held"


class OpenDoubtError(Exception):
    """A call of this kind about the same order is in doubt."""


async def audit(
    connection: Connection,
    scope: str,
    actor: str,
    subject: str,
    from_state: str | None,
    to_state: str,
    detail: str | None = None,
) -> None:
    """Write down one transition, or one act of a person."""
    await connection.execute(sql("audit/insert"), scope, actor, subject, from_state, to_state, storable(detail))


async def write_sent(
    connection: Connection,
    scope: str,
    flow: str,
    code: str,
    effect_class: EffectClass,
    *,
    lane: str | None = None,
    key: str | None = None,
    doubt: str | None = None,
    intent: int | None = None,
    snapshot: object = None,
) -> EffectId:
    """Write a call down as sent. Raises OpenDoubtError while a doubt of this kind is open in the lane.

    `snapshot`: what the far side showed before it, against which a doubt is decided.
    """
    seen = None if snapshot is None else msgspec.json.encode(snapshot).decode()
    values = (scope, flow, code, effect_class.value, lane, key, doubt, intent, seen)
    try:
        number = await connection.fetchval(sql("effect/plan_sent"), *values)
    except asyncpg.UniqueViolationError as exc:
        raise OpenDoubtError(f"{doubt} of {lane}") from exc
    return EffectId(number)


async def write_again(
    connection: Connection,
    scope: str,
    flow: str,
    code: str,
    effect_class: EffectClass,
    *,
    lane: str,
    key: str | None = None,
    intent: int | None = None,
) -> EffectId:
    """Write a call down that bears repetition; one of its kind that was left open in the lane is closed first."""
    lost = await connection.fetchrow(sql("effect/open_of_lane"), scope, lane, code)
    if lost is not None:
        await decide(connection, EffectId(lost["id"]), EffectState.NOT_APPLIED, "asked again: it bears repetition")
    return await write_sent(connection, scope, flow, code, effect_class, lane=lane, key=key, intent=intent)


async def decide(connection: Connection, effect_id: EffectId, state: EffectState, detail: str | None = None) -> bool:
    """Write down how a call ended; False when that was written before."""
    return await connection.fetchval(sql("effect/decide"), effect_id, state.value, storable(detail)) is not None


async def record(connection: Connection, effect_id: EffectId, outcome: Outcome[object]) -> None:
    """Write down how a call ended by its outcome; an unknown one stays in doubt."""
    match outcome:
        case Applied():
            await decide(connection, effect_id, EffectState.APPLIED)
        case Refused(reason):
            await decide(connection, effect_id, EffectState.REFUSED, reason)
        case NotSent(reason):
            await decide(connection, effect_id, EffectState.NOT_APPLIED, reason)
        case Unknown(reason):
            await decide(connection, effect_id, EffectState.UNKNOWN, reason)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A call about an order that left, or was about to, and of which nobody knows how it ended."""

    id: EffectId
    sent_at: datetime
    code: str
    intent: int | None = None


async def open_effect(database: Database, scope: str, lane: str, code: str) -> Doubt | None:
    """The call of a code that is in doubt in a lane: its answer was lost, or its caller died."""
    row = await database.work.fetchrow(sql("effect/open_of_lane"), scope, lane, code)
    return None if row is None else Doubt(EffectId(row["id"]), row["sent_at"], code)


async def open_effects(database: Database, scope: str, lane: str, flow: str) -> list[Doubt]:
    """All calls of a flow that are in doubt in a lane."""
    rows = await database.work.fetch(sql("effect/all_open_of_lane"), scope, lane, flow)
    return [Doubt(EffectId(row["id"]), row["sent_at"], row["code"], row["intent"]) for row in rows]


async def was_called(database: Database, scope: str, lane: str, code: str) -> bool:
    """Whether a call of a code about an order ever left, however it ended."""
    return any(row["code"] == code for row in await database.work.fetch(sql("effect/of_lane"), scope, lane))


@dataclass(frozen=True, slots=True)
class OneDoubt:
    """The one call of a kind that may be in doubt about an order. `held`: only a person can decide it."""

    id: EffectId
    code: str
    sent_at: datetime
    intent: int | None
    snapshot: str
    held: bool


async def doubt_of(connection: Connection, scope: str, lane: str, doubt: str) -> OneDoubt | None:
    """The call of a kind of doubt that is open in a lane."""
    row = await connection.fetchrow(sql("effect/doubt_of"), scope, lane, doubt)
    if row is None:
        return None
    held = row["state"] == EffectState.HELD
    return OneDoubt(EffectId(row["id"]), row["code"], row["sent_at"], row["intent"], row["snapshot"] or "null", held)


async def decide_held(connection: Connection, effect_id: int, state: EffectState, by: str, why: str) -> bool:
    """A person decides a doubt; False when it is no longer theirs to decide."""
    row = await connection.fetchval(sql("effect/decide_held"), effect_id, state.value, by, storable(why))
    return row is not None


async def count_refused(database: Database, scope: str, lane: str, code: str) -> int:
    """How often a call of a code was refused in a lane."""
    return int(await database.work.fetchval(sql("effect/count_refused"), scope, lane, code))
