"""Bulk writes: one upload carries the newest values of many keys, and outlives the lease of whoever sent it.

A value counts as confirmed only when the import that carried this version is complete and its line is good: the flow
`imports` follows each to its end. One import of a kind is in flight on a channel. A bulk write is a *safe* effect: one
that nobody can answer for frees the slot and its keys are pushed again, now and ten minutes later, since it may have
been lost on its way and still be applied.

A marketplace may take the very same upload for an earlier one for a day, and do nothing: also where a price went to
another one and came back. So after each such answer the same is spelled otherwise (its columns in another order, a
default said aloud), which is another upload to it and says nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.domain.ids import EffectId, ImportId, Scope
from app.engine.flow import Gate, Pass, Services
from app.engine.retry import after_failure, retry_at
from app.failpoints import fail_point
from app.store import imports
from app.store.effects import EffectState, decide, record
from app.store.imports import Line, SlotTakenError
from app.store.marks import Mark
from app.store.outbox import LEASE_SECONDS, Claim, Postponed, Verdict, Waiting
from app.store.pool import Connection, Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.outcome import Applied, Failure, NotSent, Outcome, RefusalKind, Refused, Unknown
from app.wire.permit import PermitWait

ORPHANED_SECONDS = LEASE_SECONDS + 1.0
"""Real seconds after which an import without an id has no living owner."""
APPLIED_LATE_SECONDS = 600.0
"""App seconds within which a lost import may still be applied."""
SLOT_SECONDS = 1.0
SPELLINGS = 6
"""In how many ways every kind of upload can be spelled: a file of stock has three columns beside its key."""
REPEAT_SECONDS = 3600.0
"""App seconds for which keys wait once every spelling was taken for an earlier upload today."""
FIRST_POLL_SECONDS = 2.0
LONGEST_FIRST_POLL_SECONDS = 60.0
"""One import that took half an hour must not keep the slot of the next five that long."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is. `word` is the marketplace's; counts that it does not give are None."""

    word: str
    state: Literal["running", "complete", "failed"]
    in_success: int | None = None
    in_error: int | None = None
    has_report: bool = False


def progress_of(
    word: str, in_success: int | None = None, in_error: int | None = None, *, has_report: bool = False
) -> Progress:
    """By the words that most imports use: COMPLETE, FAILED, and WAITING, RUNNING or one that is new to us."""
    states: dict[str, Literal["complete", "failed"]] = {"COMPLETE": "complete", "FAILED": "failed"}
    return Progress(word, states.get(word, "running"), in_success, in_error, has_report)


@dataclass(frozen=True, slots=True)
class LineError:
    """What a report says of a line: by key, or where it has none by number, where the header is line 1."""

    message: str
    key: str = ""
    line: int = 0


@dataclass(frozen=True)
class Bulk:
    """One kind of bulk write; see the fields. Its kind is the name of the flow whose keys it carries."""

    kind: str
    code: str
    status_code: str
    """Its ceiling is the rhythm in which the import is asked about."""
    status: Callable[[Services, Scope, str], Awaitable[Outcome[Progress]]]
    """By the id that the marketplace gave."""
    report: Callable[[Services, Scope, str], Awaitable[Outcome[list[LineError]]]]
    confirm: Callable[[Connection, Scope, ImportId, Mapping[str, str]], Awaitable[Sequence[tuple[str, datetime]]]]
    """Confirm all lines but the bad ones, given with their words; the keys newly confirmed, and since when dirty."""
    void: Callable[[Connection, Scope, Sequence[str]], Awaitable[list[Mark]]]
    """Nothing that was confirmed for these keys is believed any more; the marks that push them again."""
    points: tuple[str, str, str]
    """Where the fault tests strike: written down, posted, its id stored."""
    afterwards: Callable[[Connection, Scope, Sequence[str]], Awaitable[list[Mark]]] | None = None
    """What else its end makes due, for all keys that it carried."""
    lost_seconds: float = 1800.0
    """An import that has not ended by then is lost."""

    async def gate(self, services: Services, scope: Scope) -> Gate:
        """The slot of this kind, then the call's permit."""
        if await imports.slot_taken(services.database, scope, self.kind):
            return PermitWait(SLOT_SECONDS)
        return await services.mirakl[scope].permit(self.code)


@dataclass(frozen=True, slots=True)
class Upload:
    """What a pass sends: lines with the claims of their keys, what is written down with them, and the call itself."""

    lines: Sequence[Line]
    claims: Sequence[Claim]
    write: Callable[[Connection], Awaitable[None]]
    post: Callable[[EffectId, int], Awaitable[Outcome[str]]]
    """Given the effect's number and the spelling, 0 for the usual one."""


async def send(turn: Pass, bulk: Bulk, upload: Upload) -> dict[Claim, Verdict]:
    """Write the upload down as sent, send it, and store its id; verdicts of claims that are not settled."""
    services, scope = turn.services, turn.scope
    if not turn.still_ours:
        await turn.extend()
    orphaned_at = services.clock.after(ORPHANED_SECONDS * services.clock.scale)

    async def write_sent(transaction: Transaction) -> tuple[ImportId, EffectId, int]:
        await upload.write(transaction.connection)
        spelling = await imports.count_repeated(transaction.connection, scope, bulk.kind)
        opened = await imports.open_import(
            transaction, scope, turn.flow, bulk.kind, bulk.code, upload.lines, orphaned_at
        )
        return *opened, spelling

    sent, posted, stored = bulk.points
    try:
        import_id, effect_id, spelling = await services.database.transact(write_sent)
    except SlotTakenError as exc:
        await hand_back(turn)
        until = services.clock.after(SLOT_SECONDS)
        return {claim: Postponed(until, str(exc), called=False) for claim in upload.claims}
    await fail_point(sent)
    outcome = await upload.post(effect_id, spelling)
    await fail_point(posted)
    metrics.effects.labels(scope, turn.flow, bulk.code, type(outcome).__name__.lower()).inc()
    metrics.import_size_lines.labels(scope, bulk.kind).observe(len(upload.lines))
    if not isinstance(outcome, Applied):
        return await _not_posted(turn, bulk, upload, import_id, effect_id, outcome)
    state = await _store_id(services, scope, bulk, import_id, effect_id, outcome.value)
    await fail_point(stored)
    services.pauses.resume(scope)
    log.info("import_posted", scope=scope, kind=bulk.kind, import_id=import_id, lines=len(upload.lines))
    if state != "repeated":
        return {}
    until = services.clock.after(0.0 if spelling + 1 < SPELLINGS else REPEAT_SECONDS)
    return {claim: Waiting(until, "the marketplace took it for an earlier import") for claim in upload.claims}


async def hand_back(turn: Pass) -> None:
    """The permit of a pass that sends nothing."""
    if turn.permit is not None:
        await turn.services.permits.give_back(turn.permit)


async def _store_id(
    services: Services, scope: Scope, bulk: Bulk, import_id: ImportId, effect_id: EffectId, remote_id: str
) -> str:
    """Store the id that the marketplace gave; the state of the import, see `imports.posted`."""
    usual = await imports.usual_seconds(services.database, scope, bulk.kind)
    expected = FIRST_POLL_SECONDS if usual is None else max(1.0, usual + 0.5)
    first_poll = services.clock.after(min(expected, LONGEST_FIRST_POLL_SECONDS))

    async def steps(transaction: Transaction) -> str:
        connection = transaction.connection
        state = await imports.posted(connection, scope, bulk.kind, import_id, remote_id)
        if state == "repeated":  # the far side took it for an earlier one and did nothing
            await decide(connection, effect_id, EffectState.NOT_APPLIED, f"earlier import id {remote_id}")
            return state
        await decide(connection, effect_id, EffectState.APPLIED, remote_id)
        transaction.mark([Mark(scope, imports.FLOW, str(import_id), due_at=first_poll)])
        return state

    return await services.database.transact(steps)


async def _not_posted(
    turn: Pass, bulk: Bulk, upload: Upload, import_id: ImportId, effect_id: EffectId, failure: Failure
) -> dict[Claim, Verdict]:
    """It was not taken, or nobody knows."""
    services, scope = turn.services, turn.scope

    async def steps(transaction: Transaction) -> None:
        connection = transaction.connection
        await record(connection, effect_id, failure)
        match failure:
            case Unknown(reason):
                await give_up(transaction, scope, bulk, import_id, reason)
            case Refused(reason):
                await imports.finish(connection, import_id, "refused", note=reason)
            case NotSent(reason):
                await imports.finish(connection, import_id, "not_sent", note=reason)

    await services.database.transact(steps)
    log.warning("import_not_posted", scope=scope, kind=bulk.kind, outcome=type(failure).__name__, reason=failure.reason)
    if isinstance(failure, Unknown):
        return {}  # marked again already, and due when the next one may leave
    if isinstance(failure, Refused) and failure.kind is not RefusalKind.CREDENTIALS:
        return {c: Postponed(retry_at(services.clock, c, 60, 600), failure.reason) for c in upload.claims}
    return {c: after_failure(failure, c, services.clock, services.pauses, scope) for c in upload.claims}


async def give_up(transaction: Transaction, scope: Scope, bulk: Bulk, import_id: ImportId, reason: str) -> None:
    """Free the slot of an import in doubt and push its keys again."""
    await imports.finish(transaction.connection, import_id, "unknown", note=reason)
    await push_all_again(transaction, scope, bulk, import_id)


async def push_all_again(transaction: Transaction, scope: Scope, bulk: Bulk, import_id: ImportId) -> None:
    """Nothing that an import carried is believed any more: void and mark its keys."""
    lines = await imports.read_lines(transaction.connection, import_id)
    transaction.mark(await bulk.void(transaction.connection, scope, [line.key for line in lines]))
