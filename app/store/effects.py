"""The ledger of outside writes: committed as sent before the first byte leaves, decided once, every step audited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
) -> EffectId:
    """Write a call down as sent. Raises UniqueViolationError while a doubt of this kind is open in the lane."""
    number = await connection.fetchval(sql("effect/plan_sent"), scope, flow, code, effect_class.value, lane, key, doubt)
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
) -> EffectId:
    """Write a call down that bears repetition; one of its kind that was left open in the lane is closed first."""
    lost = await connection.fetchrow(sql("effect/open_of_lane"), scope, lane, code)
    if lost is not None:
        await decide(connection, EffectId(lost["id"]), EffectState.NOT_APPLIED, "asked again: it bears repetition")
    return await write_sent(connection, scope, flow, code, effect_class, lane=lane, key=key)


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


async def open_effect(database: Database, scope: str, lane: str, code: str) -> Doubt | None:
    """The call of a code that is in doubt in a lane: its answer was lost, or its caller died."""
    row = await database.work.fetchrow(sql("effect/open_of_lane"), scope, lane, code)
    return None if row is None else Doubt(EffectId(row["id"]), row["sent_at"], code)


async def open_effects(database: Database, scope: str, lane: str, flow: str) -> list[Doubt]:
    """All calls of a flow that are in doubt in a lane."""
    rows = await database.work.fetch(sql("effect/all_open_of_lane"), scope, lane, flow)
    return [Doubt(EffectId(row["id"]), row["sent_at"], row["code"]) for row in rows]


async def count_refused(database: Database, scope: str, lane: str, code: str) -> int:
    """How often a call of a code was refused in a lane."""
    return int(await database.work.fetchval(sql("effect/count_refused"), scope, lane, code))
