"""The transaction log (TL02) is read by last update, page by page, the oldest change first.

Each page is stored with the token of the next one, so that a pass that is cut short goes on where it was. The watermark
is the newest update of a complete pass, by the marketplace's own word, and a pass begins a little before it: a line may
be told late.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from app import failpoints
from app.domain.settlement import Transaction as Line
from app.engine.flow import Pass
from app.engine.patience import patiently
from app.engine.retry import after_failure
from app.failpoints import fail_point
from app.mirakl.after_schema import Page
from app.policies.settlement.types import Group, meaning_of
from app.store import inbox, ledger
from app.store.inbox import Fact
from app.store.marks import Mark
from app.store.outbox import Claim, Settled, Verdict
from app.store.pool import Transaction
from app.store.readings import Reading, read_reading, write_reading
from app.store.settlement import mark_of_cycle, mark_of_day, mark_of_order, mark_of_unreadable
from app.telemetry import metrics
from app.wire.decode import UnreadableItem
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused

MIRAKL_TRANSACTION = "mirakl.transaction"
OVERLAP = timedelta(minutes=10)
EVER = datetime(2010, 1, 1, tzinfo=UTC)
"""Before any marketplace's log."""


async def read_log(turn: Pass, claim: Claim) -> Verdict:
    """Every page of what changed, from where the last pass was cut short."""
    services, scope = turn.services, turn.scope
    settings = services.channel(scope).settlement
    async with services.database.work.acquire() as connection:
        reading = await read_reading(connection, scope)
        reading = reading.begun(services.clock.now(), reading.token)
        await write_reading(connection, scope, reading)  # its age shows, also while it is refused
    while True:
        answer = await patiently(turn, lambda: _page(turn, reading))  # noqa: B023 - awaited here
        if isinstance(answer, Refused) and reading.token and answer.kind in (RefusalKind.INVALID, RefusalKind.MISSING):
            reading = reading.restarted()
            continue
        if not isinstance(answer, Applied):
            return after_failure(answer, claim, services.clock, services.pauses, scope)
        page = answer.value
        reading = reading.read(page.rows.items)
        reading = reading.begun(services.clock.now(), page.next_token) if page.next_token else reading.ended()
        await _store_page(turn, page, reading)
        await fail_point(failpoints.LOG_STORED)
        if reading.is_at_its_end:
            return Settled(services.clock.after(settings.poll_seconds))
        if not turn.still_ours:
            await turn.extend()


async def _page(turn: Pass, reading: Reading) -> Outcome[Page[Line]]:
    start = turn.services.channel(turn.scope).settlement.start_at or EVER
    since = start if reading.watermark is None else max(start, reading.watermark - OVERLAP)
    return await turn.services.mirakl[turn.scope].tl02_list_transactions(since, reading.token)


async def _store_page(turn: Pass, page: Page[Line], reading: Reading) -> None:
    async def steps(tx: Transaction) -> None:
        await store(tx, turn.scope, page.rows.items, page.rows.unreadable)
        await write_reading(tx.connection, turn.scope, reading)

    await turn.services.database.transact(steps)
    metrics.ledger_lines.labels(turn.scope).inc(len(page.rows.items))


async def store(tx: Transaction, scope: str, lines: Iterable[Line], odd: Iterable[UnreadableItem]) -> None:
    """Store lines, and mark what they are about. One that can't be read is a dead letter, once, and stops no other."""
    touched = await ledger.store_lines(tx.connection, scope, lines)
    tx.mark(_marks(scope, touched))
    dead = [Fact(f"unreadable-{one.id or one.index}", "transaction", one.id, reason=one.reason) for one in odd]
    if dead:
        await inbox.store(tx.connection, scope, MIRAKL_TRANSACTION, dead)
        tx.mark([mark_of_unreadable(scope)])


def _marks(scope: str, lines: Iterable[Line]) -> set[Mark]:
    """The order and the cycle of each line, also those that it was in before; or the day that it was written."""
    marks: set[Mark] = set()
    for line in lines:
        if line.cycle is not None:
            marks.add(mark_of_cycle(scope, line.cycle))
        if line.order_id is not None:
            marks.add(mark_of_order(scope, line.order_id))
        elif meaning_of(line.type).group not in (Group.PAYMENT, Group.RESERVE):
            marks.add(mark_of_day(scope, line.created_at.astimezone(UTC).date()))
    return marks
