"""A large part of the log comes as files (TL03 to TL05), at most once a day, when a person asks for it.

An export is asked for, polled, and its files are stored one after the other; how far that has come is a cursor, so that
a crash repeats one file at most, and a file that is stored twice changes nothing.
"""

from __future__ import annotations

from itertools import islice

import msgspec

from app import failpoints
from app.domain.settlement import Transaction as Line
from app.engine.flow import Pass
from app.engine.patience import patiently
from app.engine.retry import after_failure
from app.failpoints import fail_point
from app.flows.ledger.log import store
from app.mirakl.finance_schema import Transactions
from app.store.outbox import Claim, Held, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.store.readings import BackFill, read_back_fill, write_back_fill
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.decode import UnreadableItem
from app.wire.outcome import Applied, Outcome

POLL_SECONDS = 60.0
SLICE = 2_000
"""Lines of one transaction."""
ENDED_BADLY = ("FAILED", "CANCELED")


async def back_fill(turn: Pass, claim: Claim) -> Verdict:
    """One step on: ask, look, or store what is there."""
    services, scope = turn.services, turn.scope
    async with services.database.work.acquire() as connection:
        wanted = await read_back_fill(connection, scope)
    if wanted is None:
        return Settled()
    mirakl = services.mirakl[scope]
    if wanted.tracking_id is None:
        asked = await mirakl.tl03_export_transactions(wanted.since)
        if not isinstance(asked, Applied):
            return after_failure(asked, claim, services.clock, services.pauses, scope)
        await _write(turn, msgspec.structs.replace(wanted, tracking_id=asked.value))
        return Waiting(services.clock.after(POLL_SECONDS), "the marketplace makes the export")
    status = await mirakl.tl04_get_export(wanted.tracking_id)
    if not isinstance(status, Applied):
        return after_failure(status, claim, services.clock, services.pauses, scope)
    if status.value.status in ENDED_BADLY:
        await _write(turn, None)
        words = status.value.error or status.value.status
        return Held(f"the marketplace could not make the export ({words}): ask again, `settlement backfill`")
    if not status.value.urls:
        return Waiting(services.clock.after(POLL_SECONDS), "the marketplace makes the export")
    return await _store_files(turn, claim, wanted, status.value.urls)


async def _store_files(turn: Pass, claim: Claim, wanted: BackFill, urls: tuple[str, ...]) -> Verdict:
    services, scope = turn.services, turn.scope
    for number, url in enumerate(urls):
        if number < wanted.files:
            continue

        async def file(url: str = url) -> Outcome[Transactions]:
            return await services.mirakl[scope].tl05_fetch_transactions(url)

        answer = await patiently(turn, file)
        if not isinstance(answer, Applied):
            return after_failure(answer, claim, services.clock, services.pauses, scope)
        await _store_file(turn, answer.value)
        wanted = msgspec.structs.replace(wanted, files=number + 1)
        await _write(turn, wanted)
        await fail_point(failpoints.LOG_STORED)
    await _write(turn, None)
    log.info("log_filled_in", scope=scope, pages=len(urls))
    return Settled()


async def _store_file(turn: Pass, file: Transactions) -> None:
    rows = iter(file)
    while part := list(islice(rows, SLICE)):
        lines = [row for row in part if isinstance(row, Line)]
        odd = [row for row in part if isinstance(row, UnreadableItem)]

        async def steps(tx: Transaction) -> None:
            await store(tx, turn.scope, lines, odd)  # noqa: B023 - awaited here

        await turn.services.database.transact(steps)
        metrics.ledger_lines.labels(turn.scope).inc(len(lines))
        if not turn.still_ours:
            await turn.extend()


async def _write(turn: Pass, value: BackFill | None) -> None:
    async with turn.services.database.work.acquire() as connection:
        await write_back_fill(connection, turn.scope, value)
