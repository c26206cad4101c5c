"""Nothing is left to do for an order's entry: what is in doubt is decided by reading. A step of the flow `order_entry`.

An order may end, or need nothing more, while the answer of a call about it is lost. Nobody asks again then, so the
ledger is closed here: a create is looked for by our mark, since what it made must not stay; a *state* effect was
applied if its result is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.ids import CentraNumber
from app.domain.progress import EntryCall
from app.flows.entry.check import check
from app.flows.entry.create import LAST_LOOK_SECONDS, LATE_SECONDS, is_past, look
from app.flows.entry.turn import Turn
from app.flows.orphans import mark_orphan, scan_later
from app.policies.order_steps import is_done
from app.store.effects import Doubt, EffectState, decide, open_effects
from app.store.orders import ORDER_ENTRY
from app.store.outbox import Settled, Verdict, Waiting
from app.store.pool import Transaction

SEEN = {True: "its result is there", False: "its result is not there"}


async def rest(one: Turn) -> Verdict | None:
    """Decide what is in doubt; None when Centra had to be read for it, and the next step follows from that."""
    doubts = await open_effects(one.services.database, one.scope, one.order_id, ORDER_ENTRY)
    for doubt in doubts:
        if doubt.code == EntryCall.CREATE and one.record.number is None:
            return await _drop_create(one, doubt)
    if not doubts:
        return Settled()
    newest = max(doubt.sent_at for doubt in doubts)
    if one.record.number is not None and (one.record.checked_at is None or one.record.checked_at < newest):
        return await check(one)
    await one.write(lambda tx: _decide(tx, one, doubts))
    return Settled()


async def _decide(tx: Transaction, one: Turn, doubts: Sequence[Doubt]) -> None:
    for doubt in doubts:
        done = is_done(EntryCall(doubt.code), one.record)
        await decide(tx.connection, doubt.id, EffectState.APPLIED if done else EffectState.NOT_APPLIED, SEEN[done])


async def _drop_create(one: Turn, doubt: Doubt) -> Verdict | None:
    """An order that is over has a create in doubt: what it made is an orphan."""
    found = await look(one, doubt.sent_at)
    if not isinstance(found, list):
        return one.failed(found)
    if not found and not is_past(one, doubt, LAST_LOOK_SECONDS):
        return Waiting(one.services.clock.after(LAST_LOOK_SECONDS), "a create is in doubt and is looked for")
    numbers = [CentraNumber(order.number) for order in found]

    async def steps(tx: Transaction) -> None:
        for number in numbers:
            tx.mark(await mark_orphan(tx.connection, one.services.source, number, one.scope, one.order_id))
        state = EffectState.APPLIED if numbers else EffectState.NOT_APPLIED
        await decide(tx.connection, doubt.id, state, "the order is over; what was made is cancelled")
        tx.mark(scan_later(one.services.source, one.order_id, one.services.clock.after(LATE_SECONDS)))

    await one.write(steps)
    return None
