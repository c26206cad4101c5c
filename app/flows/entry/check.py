"""A placed order is read back, and what is not as it was meant is a problem: it stays blocked, not unaccepted.

A step of the flow `order_entry`: totals, allocation and flags (business rules 12, 14, 17; field case 79).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from app import failpoints
from app.domain.ids import OrderLineId
from app.domain.orders import NewOrder
from app.domain.progress import Entry
from app.domain.teams import Team
from app.failpoints import fail_point
from app.flows.entry.create import look, prepare
from app.flows.entry.read_back import read_back
from app.flows.entry.turn import Turn
from app.policies.order_entry import compare_totals
from app.policies.order_steps import unallocated
from app.store import buyers, orders
from app.store.buyers import ERASURES
from app.store.marks import Mark
from app.store.outbox import Verdict
from app.store.pool import Transaction
from app.telemetry import metrics
from app.wire.outcome import Applied, Failure


async def note_parts(one: Turn, numbers: Iterable[int]) -> bool:
    """Centra splits an order when it is placed: further numbers are parts of it; whether any was new."""
    new = sorted(set(numbers) - {one.record.number, *one.record.parts})

    async def steps(tx: Transaction) -> None:
        for number in new:
            source = one.services.source
            await orders.note_number(tx.connection, source, number, one.scope, one.order_id, "part")

    if new:
        await one.write(steps)
    return bool(new)


async def _find_parts(one: Turn, entry: Entry) -> bool | Failure:
    """Units that are missing may be in a part whose number was lost with an answer; whether one was found."""
    assert one.record.decided is not None
    there = Counter[OrderLineId]()
    for entered in entry.lines:
        there[entered.line_id] += entered.quantity
    lines = (line for line in one.record.order.live_lines if line.line_id in one.record.decided.accepted_lines)
    created_at = one.record.created_in_centra_at
    if created_at is None or all(there[line.line_id] >= line.quantity - line.cancelled_quantity for line in lines):
        return False
    found = await look(one, created_at)
    return await note_parts(one, [o.number for o in found]) if isinstance(found, list) else found


async def check(one: Turn) -> Verdict | None:
    """Read the order back: lines, allocation, totals and flags. What is found keeps it blocked, not unaccepted."""
    answer = await read_back(one.services, one.scope, one.record)
    if not isinstance(answer, Applied):
        return one.refused(answer, "the order can't be read back")
    found, order = answer.value, one.record.order
    problem, team = one.record.problem, one.record.problem_team
    if one.record.checked_at is None:
        parts = await _find_parts(one, found.entry)
        if not isinstance(parts, bool):
            return one.failed(parts)
        if parts:
            return None  # read back once more, whole
        prepared = await prepare(one)
        if isinstance(prepared, NewOrder):
            units = sum(line.quantity for line in prepared.lines)
            problem = compare_totals(prepared.total, found.total, units, order.currency)
            team = Team.FINANCE if problem else None
    late = one.record.completed_at is not None and one.services.clock.now() > one.record.completed_at + timedelta(
        seconds=one.settings.unallocated_seconds
    )
    missing = unallocated(replace(one.record, entry=found.entry))
    if late and missing and problem is None:
        metrics.oversold_units.labels(one.scope).inc(missing)
        problem = f"Centra has not allocated {missing} units: wait for stock, move some, or cancel the line"
        team = Team.OPERATIONS
    elif not missing and team is Team.OPERATIONS:
        problem, team = None, None  # stock came

    async def steps(tx: Transaction) -> None:
        await orders.checked(
            tx.connection,
            one.scope,
            one.order_id,
            centra_id=found.centra_id,
            customer=found.customer,
            entry=found.entry,
            problem=problem,
            team=team,
            known=one.record.problem,
        )
        tx.mark([one.orders_next])
        customer = found.customer if one.record.centra_customer is None else None
        if customer and await buyers.customer_of_erased(tx.connection, one.scope, one.order_id, customer):
            tx.mark([Mark(one.scope, ERASURES, one.order_id)])

    await one.write(steps)
    await fail_point(failpoints.ENTRY_CHECKED)
    return None
