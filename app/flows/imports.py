"""An import is followed to its end, and its own report confirms or holds each line.

A key is our number of an import. It is polled within the ceiling of its status call; a good line confirms the
value that it carried, a bad one holds its key with the report's words. An import found without an id after its
owner's lease, one that does not end in half an hour, and one whose report stays unreadable confirm nothing:
their keys are pushed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app import failpoints
from app.domain.ids import ImportId, Scope, Sku
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.give_up import APPLIED_LATE_SECONDS, give_up, push_all_again
from app.engine.retry import after_failure
from app.failpoints import fail_point
from app.mirakl.quotas import spacing_seconds
from app.mirakl.schema import StockImportStatus, StockLineError
from app.policies.reports import adds_up, is_transient
from app.store import imports, offers
from app.store.effects import EffectState, decide
from app.store.imports import Import, Line
from app.store.outbox import Claim, Held, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.telemetry.tracing import exemplar
from app.wire.outcome import Applied, Failure, NotSent, RefusalKind, Refused

LOST_SECONDS = 1800.0
REPORT_READS = 3
OPEN_STATES = frozenset({"running", "late"})


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Take one import one step further."""
    claim, services, scope = turn.claims[0], turn.services, turn.scope
    async with services.database.work.acquire() as connection:
        found = await imports.read_import(connection, ImportId(int(claim.key)))
    if found is None:
        return {}
    if found.state in {"sent", "unknown"}:
        return {claim: await _orphan(services, scope, found)}
    if found.state in OPEN_STATES and found.remote_id is not None:
        return {claim: await _poll(turn, claim, found, found.remote_id)}
    return {}


async def _orphan(services: Services, scope: Scope, found: Import) -> Verdict:
    """Nobody answers for it: push its keys again, and once more when it can no longer be applied late."""
    if found.state == "sent":
        reason = "no answer was stored before its owner's lease ended"

        async def first(transaction: Transaction) -> None:
            await decide(transaction.connection, found.effect_id, EffectState.UNKNOWN, reason)
            await give_up(transaction, scope, found.import_id, reason)

        await services.database.transact(first)
        metrics.imports_ended.labels(scope, found.kind, "unknown").inc()
        log.warning("import_unknown", scope=scope, import_id=found.import_id, lines=found.lines)
        return Waiting(services.clock.after(APPLIED_LATE_SECONDS), "in doubt")
    second_at = (found.finished_at or found.sent_at) + timedelta(seconds=APPLIED_LATE_SECONDS)
    if services.clock.now() < second_at:
        return Waiting(second_at, "in doubt")
    await services.database.transact(lambda tx: push_all_again(tx, scope, found.import_id))
    return Settled()


async def _poll(turn: Pass, claim: Claim, found: Import, remote_id: str) -> Verdict:
    services, scope = turn.services, turn.scope
    answer = await services.mirakl[scope].sto02_get_stock_import(remote_id)
    spacing = spacing_seconds("STO02", services.channel(scope).profile, services.clock.scale)
    next_poll = services.clock.after(spacing)
    if isinstance(answer, Refused) and answer.kind is RefusalKind.MISSING:
        return await _end(services, scope, found, Ending("lost", note="the marketplace does not know it"))
    if not isinstance(answer, Applied):
        verdict = after_failure(answer, claim, services.clock, services.pauses, scope)
        if _is_old(services, found) and not _was_kept_back(answer):
            return await _end(services, scope, found, Ending("lost", note=f"no answer: {answer.reason}"))
        if isinstance(verdict, Held):  # never: it would keep the channel's slot
            return Waiting(next_poll, answer.reason)
        return verdict if isinstance(answer, Refused) else Waiting(_until(verdict, next_poll), answer.reason)
    services.pauses.resume(scope)
    status = answer.value
    match status.status:
        case "COMPLETE":
            return await _complete(turn, claim, found, status, remote_id)
        case "FAILED":
            return await _end(services, scope, found, Ending("failed", note="the marketplace failed it"))
        case other if _is_old(services, found):
            return await _end(services, scope, found, Ending("lost", note=f"still {other} after half an hour"))
        case other:  # WAITING, RUNNING, or a word that is new to us
            return Waiting(next_poll, f"the import is {other}")


def _until(verdict: Verdict, otherwise: datetime) -> datetime:
    return getattr(verdict, "until", otherwise)


def _was_kept_back(answer: Failure) -> bool:
    """Whether our own side made the call wait (no permit, breaker open): so the marketplace was not even asked."""
    return isinstance(answer, NotSent) and answer.retry_at_seconds is not None and not answer.turned_away


def _is_old(services: Services, found: Import) -> bool:
    since = found.posted_at or found.sent_at
    return (services.clock.now() - since).total_seconds() > LOST_SECONDS


async def _complete(turn: Pass, claim: Claim, found: Import, status: StockImportStatus, remote_id: str) -> Verdict:
    """Read the report if there is one, then give each line its result."""
    services, scope = turn.services, turn.scope
    bad: list[StockLineError] = []
    if status.has_error_report or status.lines_in_error:
        report = await services.mirakl[scope].sto03_get_stock_import_errors(remote_id)
        if not isinstance(report, Applied):
            return await _without_report(services, scope, claim, found, report)
        bad = report.value
    await fail_point(failpoints.IMPORT_POLLED)
    if not adds_up(found.lines, status.lines_in_success, status.lines_in_error) or (
        status.lines_in_error is not None and status.lines_in_error > len(bad)
    ):
        note = f"its counts do not cover its {found.lines} lines"
        return await _end(services, scope, found, Ending("done", note=note))
    return await _end(services, scope, found, Ending("done", bad=bad, confirms=found.state == "running"))


async def _without_report(services: Services, scope: Scope, claim: Claim, found: Import, failure: Failure) -> Verdict:
    verdict = after_failure(failure, claim, services.clock, services.pauses, scope)
    if getattr(verdict, "called", True):  # not a wait for a permit
        async with services.database.work.acquire() as connection:
            reads = await imports.count_report_read(connection, found.import_id)
        if reads >= REPORT_READS:
            note = f"its report can't be read: {failure.reason}"
            return await _end(services, scope, found, Ending("done", note=note))
    return Waiting(_until(verdict, services.clock.after(60)), f"the report: {failure.reason}")


# -------------------------------------------------------------------------------------------------------- ending


@dataclass(frozen=True, slots=True)
class Ending:
    """How an import ends. `confirms`: its good lines count; else all its keys are pushed again."""

    state: str
    bad: list[StockLineError] | None = None
    confirms: bool = False
    note: str | None = None


async def _end(services: Services, scope: Scope, found: Import, ending: Ending) -> Verdict:
    """Confirm, hold or push again in one transaction, which also frees the slot."""

    async def steps(transaction: Transaction) -> tuple[list[tuple[Sku, datetime]], int]:
        connection = transaction.connection
        lines = await imports.read_lines(connection, found.import_id)
        if not await imports.finish(
            connection, found.import_id, ending.state, bad_lines=len(ending.bad or ()), note=ending.note
        ):
            return [], 0
        if not ending.confirms:
            await push_all_again(transaction, scope, found.import_id)
            return [], 0
        held, again, unnamed = _sort_out(lines, ending.bad or [])
        if unnamed:  # a bad line that is none of ours: nothing in this report can be relied on
            await push_all_again(transaction, scope, found.import_id)
            return [], 0
        failed = [line.key for line, _ in (*held, *again)]
        confirmed = await offers.confirm(connection, scope, found.import_id, failed)
        await imports.hold_lines(connection, scope, offers.STOCK, held)
        transaction.mark(await offers.push_again(connection, scope, [line.key for line, _ in again]))
        return confirmed, len(held)

    confirmed, held = await services.database.transact(steps)
    await fail_point(failpoints.IMPORT_CONFIRMED)
    now = services.clock.now()
    for _, dirty_since in confirmed:
        metrics.change_to_confirmed_seconds.labels(scope, found.kind).observe(
            max(0.0, (now - dirty_since).total_seconds()), exemplar()
        )
    metrics.import_lines.labels(scope, found.kind, "confirmed").inc(len(confirmed))
    metrics.import_lines.labels(scope, found.kind, "refused").inc(len(ending.bad or ()))
    metrics.imports_ended.labels(scope, found.kind, ending.state if ending.confirms else "unconfirmed").inc()
    log.info(
        "import_ended",
        scope=scope,
        import_id=found.import_id,
        state=ending.state,
        lines=found.lines,
        bad_lines=held,
    )
    services.wakeups.wake(scope, found.kind)
    return Settled()


Bad = list[tuple[Line, str]]


def _sort_out(lines: list[Line], bad: list[StockLineError]) -> tuple[Bad, Bad, bool]:
    """Bad lines to hold, bad lines to try again, and whether the report names a line that is not ours.

    A line is found by its SKU; a report without one is matched by the number, where the header is line 1. A line
    reported more than once appears once, with all its words, and is tried again only if every one of them is
    transient.
    """
    by_key = {line.key: line for line in lines}
    by_number = dict(enumerate(lines, start=2))
    words: dict[str, list[str]] = {}
    for entry in bad:
        line = by_key.get(entry.sku) if entry.sku else by_number.get(entry.line)
        if line is None:
            return [], [], True
        words.setdefault(line.key, []).append(entry.message)
    held: Bad = []
    again: Bad = []
    for key, said in words.items():
        where = again if all(map(is_transient, said)) else held
        where.append((by_key[key], "; ".join(dict.fromkeys(said))))
    return held, again, False


FLOW = Flow(
    name=imports.FLOW,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    at_once=2,
    fail_points=(failpoints.IMPORT_POLLED, failpoints.IMPORT_CONFIRMED),
)
