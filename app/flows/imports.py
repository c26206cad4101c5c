"""An import is followed to its end, and its own report confirms or holds each line.

A key is our number of an import. It is polled within the ceiling of its status call; a good line confirms the
value that it carried, a bad one holds its key with the report's words. An import found without an id after its
owner's lease, one that does not end in the time of its kind (`engine/bulk`), and one whose report stays unreadable
confirm nothing: their keys are pushed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import assert_never

from app import failpoints
from app.domain.ids import ImportId, Scope
from app.domain.teams import Team
from app.engine.bulk import APPLIED_LATE_SECONDS, Bulk, LineError, Progress, give_up, push_all_again
from app.engine.flow import Flow, Pass, Services
from app.engine.retry import after_failure
from app.failpoints import fail_point
from app.flows import all_flows
from app.mirakl.quotas import spacing_seconds
from app.policies.reports import adds_up, is_transient
from app.store import imports
from app.store.effects import EffectState, decide
from app.store.imports import Import, Line
from app.store.outbox import Claim, Held, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.outcome import Applied, Failure, NotSent, RefusalKind, Refused

REPORT_READS = 3
OPEN_STATES = frozenset({"running", "late"})


@cache
def _bulks() -> Mapping[str, Bulk]:
    return {flow.bulk.kind: flow.bulk for flow in all_flows() if flow.bulk is not None}


@dataclass(frozen=True, slots=True)
class One:
    """An import under way."""

    turn: Pass
    found: Import

    @property
    def bulk(self) -> Bulk:
        return _bulks()[self.found.kind]

    @property
    def claim(self) -> Claim:
        return self.turn.claims[0]

    @property
    def services(self) -> Services:
        return self.turn.services

    @property
    def scope(self) -> Scope:
        return self.turn.scope


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Take one import one step further."""
    claim = turn.claims[0]
    async with turn.services.database.work.acquire() as connection:
        found = await imports.read_import(connection, ImportId(int(claim.key)))
    if found is None:
        return {}
    one = One(turn, found)
    if found.state in {"sent", "unknown"}:
        return {claim: await _orphan(one)}
    if found.state in OPEN_STATES and found.remote_id is not None:
        return {claim: await _poll(one, found.remote_id)}
    return {}


async def _orphan(one: One) -> Verdict:
    """Nobody answers for it: push its keys again, and once more when it can no longer be applied late."""
    services, scope, found = one.services, one.scope, one.found
    if found.state == "sent":
        reason = "no answer was stored before its owner's lease ended"

        async def first(transaction: Transaction) -> None:
            await decide(transaction.connection, found.effect_id, EffectState.UNKNOWN, reason)
            await give_up(transaction, scope, one.bulk, found.import_id, reason)

        await services.database.transact(first)
        metrics.imports_ended.labels(scope, found.kind, "unknown").inc()
        log.warning("import_unknown", scope=scope, import_id=found.import_id, lines=found.lines)
        return Waiting(services.clock.after(APPLIED_LATE_SECONDS), "in doubt")
    second_at = (found.finished_at or found.sent_at) + timedelta(seconds=APPLIED_LATE_SECONDS)
    if services.clock.now() < second_at:
        return Waiting(second_at, "in doubt")
    await services.database.transact(lambda tx: push_all_again(tx, scope, one.bulk, found.import_id))
    return Settled()


async def _poll(one: One, remote_id: str) -> Verdict:
    services, scope, bulk = one.services, one.scope, one.bulk
    answer = await bulk.status(services, scope, remote_id)
    spacing = spacing_seconds(bulk.status_code, services.channel(scope).profile, services.clock.scale)
    next_poll = services.clock.after(spacing)
    if isinstance(answer, Refused) and answer.kind is RefusalKind.MISSING:
        return await _end(one, Ending("lost", note="the marketplace does not know it"))
    if not isinstance(answer, Applied):
        verdict = after_failure(answer, one.claim, services.clock, services.pauses, scope)
        if _is_old(one) and not _was_kept_back(answer):
            return await _end(one, Ending("lost", note=f"no answer: {answer.reason}"))
        if isinstance(verdict, Held):  # never: it would keep the channel's slot
            return Waiting(next_poll, answer.reason)
        return verdict if isinstance(answer, Refused) else Waiting(_until(verdict, next_poll), answer.reason)
    services.pauses.resume(scope)
    progress = answer.value
    match progress.state:
        case "complete":
            return await _complete(one, progress, remote_id)
        case "failed":
            return await _end(one, Ending("failed", note="the marketplace failed it"))
        case "running" if _is_old(one):
            minutes = bulk.lost_seconds / 60
            return await _end(one, Ending("lost", note=f"still {progress.word} after {minutes:g} min"))
        case "running":
            return Waiting(next_poll, f"the import is {progress.word}")
    assert_never(progress.state)


def _until(verdict: Verdict, otherwise: datetime) -> datetime:
    return getattr(verdict, "until", otherwise)


def _was_kept_back(answer: Failure) -> bool:
    """Whether our own side made the call wait (no permit, breaker open): so the marketplace was not even asked."""
    return isinstance(answer, NotSent) and answer.retry_at_seconds is not None and not answer.turned_away


def _is_old(one: One) -> bool:
    since = one.found.posted_at or one.found.sent_at
    return (one.services.clock.now() - since).total_seconds() > one.bulk.lost_seconds


async def _complete(one: One, progress: Progress, remote_id: str) -> Verdict:
    """Read the report if there is one, then give each line its result."""
    bad: list[LineError] = []
    if progress.has_report:
        report = await one.bulk.report(one.services, one.scope, remote_id)
        if not isinstance(report, Applied):
            return await _without_report(one, report)
        bad = report.value
    await fail_point(failpoints.IMPORT_POLLED)
    lines = one.found.lines
    if not adds_up(lines, progress.in_success, progress.in_error) or (progress.in_error or 0) > len(bad):
        return await _end(one, Ending("done", note=f"its counts do not cover its {lines} lines"))
    return await _end(one, Ending("done", bad=bad, confirms=one.found.state == "running"))


async def _without_report(one: One, failure: Failure) -> Verdict:
    services = one.services
    verdict = after_failure(failure, one.claim, services.clock, services.pauses, one.scope)
    if getattr(verdict, "called", True):  # not a wait for a permit
        async with services.database.work.acquire() as connection:
            reads = await imports.count_report_read(connection, one.found.import_id)
        if reads >= REPORT_READS:
            return await _end(one, Ending("done", note=f"its report can't be read: {failure.reason}"))
    return Waiting(_until(verdict, services.clock.after(60)), f"the report: {failure.reason}")


# -------------------------------------------------------------------------------------------------------- ending


@dataclass(frozen=True, slots=True)
class Ending:
    """How an import ends. `confirms`: its good lines count; else all its keys are pushed again."""

    state: str
    bad: list[LineError] | None = None
    confirms: bool = False
    note: str | None = None


async def _end(one: One, ending: Ending) -> Verdict:
    """Confirm, hold or push again in one transaction, which also frees the slot."""
    services, scope, found, bulk = one.services, one.scope, one.found, one.bulk

    async def steps(transaction: Transaction) -> tuple[Sequence[tuple[str, datetime]], int]:
        connection = transaction.connection
        lines = await imports.read_lines(connection, found.import_id)
        if not await imports.finish(
            connection, found.import_id, ending.state, bad_lines=len(ending.bad or ()), note=ending.note
        ):
            return [], 0
        if bulk.afterwards is not None:
            transaction.mark(await bulk.afterwards(connection, scope, [line.key for line in lines]))
        if not ending.confirms:
            await push_all_again(transaction, scope, bulk, found.import_id)
            return [], 0
        held, again, unnamed = _sort_out(lines, ending.bad or [])
        if unnamed:  # a bad line that is none of ours: nothing in this report can be relied on
            await push_all_again(transaction, scope, bulk, found.import_id)
            return [], 0
        failed = {line.key: words for line, words in (*held, *again)}
        confirmed = await bulk.confirm(connection, scope, found.import_id, failed)
        await imports.hold_lines(connection, scope, bulk.kind, held)
        transaction.mark(await bulk.void(connection, scope, [line.key for line, _ in again]))
        return confirmed, len(held)

    confirmed, held = await services.database.transact(steps)
    await fail_point(failpoints.IMPORT_CONFIRMED)
    _count(one, ending, confirmed)
    log.info(
        "import_ended",
        scope=scope,
        kind=bulk.kind,
        import_id=found.import_id,
        state=ending.state,
        lines=found.lines,
        bad_lines=held,
    )
    services.wakeups.wake(scope, bulk.kind)
    return Settled()


def _count(one: One, ending: Ending, confirmed: Sequence[tuple[str, datetime]]) -> None:
    scope, kind, now = one.scope, one.bulk.kind, one.services.clock.now()
    for _, dirty_since in confirmed:
        metrics.change_to_confirmed_seconds.labels(scope, kind).observe(max(0.0, (now - dirty_since).total_seconds()))
    metrics.import_lines.labels(scope, kind, "confirmed").inc(len(confirmed))
    metrics.import_lines.labels(scope, kind, "refused").inc(len(ending.bad or ()))
    metrics.imports_ended.labels(scope, kind, ending.state if ending.confirms else "unconfirmed").inc()


Bad = list[tuple[Line, str]]


def _sort_out(lines: list[Line], bad: list[LineError]) -> tuple[Bad, Bad, bool]:
    """Bad lines to hold, bad lines to try again, and whether the report names a line that is not ours.

    A line is found by its key; a report without one is matched by the number, where the header is line 1. A line
    reported more than once appears once, with all its words, and is tried again only if every one of them is
    transient.
    """
    by_key = {line.key: line for line in lines}
    by_number = dict(enumerate(lines, start=2))
    words: dict[str, list[str]] = {}
    for entry in bad:
        line = by_key.get(entry.key) if entry.key else by_number.get(entry.line)
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
