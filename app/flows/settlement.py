"""A marketplace's money is read into the ledger: its transaction log, its billing cycles, its accounting documents.

A key is an API code, which comes back by its own time: TL02 by last update, SBC11 and IV01 once a day; TL03 fills in
what lies further back, when a person asks. What a line or a cycle touches is marked for `matching` in the same
transaction. Once a day orders that were sent and are not settled are marked as well, also those that nothing told of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta

from app import failpoints
from app.domain.ids import Scope
from app.domain.settlement import Cycle
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.patience import patiently
from app.engine.retry import after_failure
from app.flows.ledger.back_fill import back_fill
from app.flows.ledger.log import read_log
from app.mirakl.after_schema import Page
from app.mirakl.finance_schema import DocumentPage
from app.mirakl.quotas import spacing_seconds
from app.settings import Channels
from app.store import ledger
from app.store import settlement as differences
from app.store.outbox import Claim, Settled, Verdict
from app.store.pool import Transaction
from app.store.settlement import mark_of_cycle, mark_of_cycles, mark_of_order, mark_of_unreadable
from app.telemetry.logs import log
from app.wire.decode import UnreadableItem
from app.wire.outcome import Applied, Outcome

SETTLEMENT = "settlement"
LOG, CYCLES, DOCUMENTS, WALK, BACK_FILL = "TL02", "SBC11", "IV01", "unsettled", "TL03"
DAY_SECONDS = 86_400.0
CYCLE_OVERLAP = timedelta(days=1)
DOCUMENT_OVERLAP = timedelta(days=45)
"""A document may be paid as long after it was made."""
WALK_AT_ONCE = 1_000


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Read what the key names."""
    [claim] = turn.claims
    step = STEPS.get(claim.key)
    return {} if step is None else {claim: await step(turn, claim)}


# --------------------------------------------------------------------------------------------- billing cycles


async def read_cycles(turn: Pass, claim: Claim) -> Verdict:
    """Every cycle since the oldest one that is not paid."""
    services, scope, token = turn.services, turn.scope, None
    async with services.database.work.acquire() as connection:
        oldest = await ledger.cycles_to_read(connection, scope)
    since = services.channel(scope).settlement.start_at if oldest is None else oldest - CYCLE_OVERLAP
    while True:

        async def page(token: str | None = token) -> Outcome[Page[Cycle]]:
            return await services.mirakl[scope].sbc11_list_billing_cycles(since, token)

        answer = await patiently(turn, page)
        if not isinstance(answer, Applied):
            return after_failure(answer, claim, services.clock, services.pauses, scope)
        rows, token = answer.value.rows, answer.value.next_token
        _say_odd(scope, claim.key, rows.unreadable)

        async def steps(tx: Transaction, told: tuple[Cycle, ...] = rows.items) -> None:
            await ledger.store_cycles(tx.connection, scope, told)
            tx.mark([mark_of_cycles(scope), *(mark_of_cycle(scope, cycle.id) for cycle in told)])

        await services.database.transact(steps)
        if token is None:
            return _next_day(turn, claim)
        if not turn.still_ours:
            await turn.extend()


async def read_documents(turn: Pass, claim: Claim) -> Verdict:
    """Every document of the last weeks, since how far it is paid may have changed."""
    services, scope = turn.services, turn.scope
    offset: int | None = 0
    async with services.database.work.acquire() as connection:
        newest = await ledger.newest_document(connection, scope)
    since = services.channel(scope).settlement.start_at if newest is None else newest - DOCUMENT_OVERLAP
    while offset is not None:

        async def page(offset: int = offset) -> Outcome[DocumentPage]:
            return await services.mirakl[scope].iv01_list_documents(since, offset)

        answer = await patiently(turn, page)
        if not isinstance(answer, Applied):
            return after_failure(answer, claim, services.clock, services.pauses, scope)
        rows, offset = answer.value.rows, answer.value.next_offset
        _say_odd(scope, claim.key, rows.unreadable)
        async with services.database.work.acquire() as connection:
            await ledger.store_documents(connection, scope, rows.items)
        if not turn.still_ours:
            await turn.extend()
    return _next_day(turn, claim)


def _say_odd(scope: str, code: str, unreadable: Iterable[UnreadableItem]) -> None:
    for odd in unreadable:
        log.warning("finance_row_unreadable", scope=scope, code=code, key=odd.id, reason=odd.reason)


def _next_day(turn: Pass, claim: Claim) -> Verdict:
    clock = turn.services.clock
    profile = turn.services.channel(turn.scope).profile
    return Settled(clock.after(max(DAY_SECONDS, spacing_seconds(claim.key, profile, clock.scale))))


# ------------------------------------------------------------------------------------------ what is not settled


async def walk(turn: Pass, _: Claim) -> Verdict:
    """Mark what time alone may have made a difference of: orders not settled, cycles not paid or missing."""
    services, scope = turn.services, turn.scope
    since = services.clock.now() - timedelta(days=services.channel(scope).settlement.watch_days)
    place: str | None = ""
    while place is not None:
        async with services.database.work.acquire() as connection:
            found, place = await differences.unsettled(connection, scope, since, place, WALK_AT_ONCE)
        await services.database.mark([mark_of_order(scope, order_id) for order_id in found])
        if not turn.still_ours:
            await turn.extend()
    async with services.database.work.acquire() as connection:
        unpaid = await ledger.unpaid_cycles(connection, scope)
    marks = [mark_of_cycle(scope, cycle) for cycle in unpaid]
    await services.database.mark([*marks, mark_of_cycles(scope), mark_of_unreadable(scope)])
    return Settled(services.clock.after(DAY_SECONDS))


STEPS: Mapping[str, Callable[[Pass, Claim], Awaitable[Verdict]]] = {
    LOG: read_log,
    CYCLES: read_cycles,
    DOCUMENTS: read_documents,
    WALK: walk,
    BACK_FILL: back_fill,
}


def _keys(settings: Channels, scope: Scope) -> Mapping[str, float]:
    return {LOG: 0.0, CYCLES: 0.0, DOCUMENTS: 0.0, WALK: settings.by_id()[scope].settlement.poll_seconds}


FLOW = Flow(
    name=SETTLEMENT,
    team=Team.FINANCE,
    scoped="channel",
    work=work,
    at_once=4,
    keys=_keys,
    on=lambda settings, scope: settings.by_id()[scope].settlement.on,
    fail_points=(failpoints.LOG_STORED,),
)
