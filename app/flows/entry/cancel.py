"""What the marketplace cancelled leaves Centra too, while nothing was shipped. A step of the flow `order_entry`."""

from __future__ import annotations

from app.domain.ids import CentraNumber
from app.domain.progress import EntryCall
from app.flows.entry.check import check
from app.flows.entry.read_back import read_back
from app.flows.entry.turn import Turn
from app.policies.order_steps import surplus
from app.store.effects import EffectClass
from app.store.outbox import Held, Verdict
from app.wire.outcome import Applied, Outcome, Refused, Unknown


async def cancel(one: Turn) -> Verdict | None:
    """The marketplace cancelled or refused the order: out of Centra with it, while nothing was shipped."""
    answer = await read_back(one.services, one.scope, one.record)
    if not isinstance(answer, Applied):
        return one.refused(answer, "the order can't be read back")
    found = answer.value
    if any(line.shipped for line in found.entry.lines):
        return Held("cancelled at the marketplace, and shipped in Centra already: stop the parcel, or expect it back")
    if not found.entry.is_cancelled:
        for number in (one.record.number, *one.record.parts):
            assert number is not None
            outcome = await _cancel_one(one, number, found.centra_id if number == one.record.number else None)
            if not isinstance(outcome, Applied):
                return one.refused(outcome, "cancelled at the marketplace, but Centra does not cancel the order")
    return await check(one)


async def _cancel_one(one: Turn, number: CentraNumber, centra_id: str | None) -> Outcome[object]:
    if centra_id is None:
        answer = await one.services.centra.read_orders([number])
        if not isinstance(answer, Applied):
            return answer
        if not answer.value.items:
            return Unknown(f"the part {number} of the order can't be read")
        centra_id = answer.value.items[0].id
    effect_id = await one.sent(EntryCall.CANCEL, EffectClass.STATE)
    outcome = await one.services.centra.cancel_order(
        centra_id,
        f"cancelled at the marketplace: {one.order_id}",
        effect_id=str(effect_id),
        usable_until=one.turn.usable_until,
    )
    await one.decided(effect_id, EntryCall.CANCEL, outcome)
    return outcome


async def cancel_lines(one: Turn) -> Verdict | None:
    """Lines that the marketplace refused or cancelled leave the Centra order too."""
    assert one.record.number is not None
    if one.record.parts:
        return Held("lines were cancelled at the marketplace, and Centra split this order: cancel them there by hand")
    effect_id = await one.sent(EntryCall.CANCEL_LINES, EffectClass.STATE)
    outcome = await one.services.centra.cancel_order_lines(
        one.record.number,
        {entered.id: units for entered, units in surplus(one.record)},
        "cancelled at the marketplace",
        effect_id=str(effect_id),
        usable_until=one.turn.usable_until,
    )
    await one.decided(effect_id, EntryCall.CANCEL_LINES, outcome)
    if isinstance(outcome, Refused):
        return Held(f"lines were cancelled at the marketplace, but not in Centra: {outcome.reason}")
    checked = await check(one)  # whatever the answer was: what is left is what counts
    if checked is not None or isinstance(outcome, Applied):
        return checked
    return one.failed(outcome)
