"""A size whose stock may have changed is read from Centra.

A key is the id of a ProductSize. Up to 200 are read in one call, what changed is stored, and `stock` is marked on every
channel that lists the SKU, in one transaction. A size that is missing from the answer, or that can't be understood, is
held: a number is never invented, and a missing size never becomes zero by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app import failpoints
from app.centra import schema
from app.centra.client import LIST_LIMIT
from app.centra.facts import Unclear, size_of
from app.domain.ids import SizeId, Sku
from app.domain.stock import Size, Topology
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.retry import after_failure
from app.failpoints import fail_point
from app.store import mirrors, offers, reservations, sizes
from app.store.outbox import Claim, Held, Verdict
from app.store.pool import Transaction
from app.store.sizes import SizeRead
from app.wire.outcome import Applied, Failure, Outcome, Unknown

SIZES = "sizes"
OWN_FAULT_ATTEMPTS = 3
"""How often a size is read in vain before it is its own fault, and no passing trouble of Centra's."""


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Read the claimed sizes and pass on what changed."""
    services = turn.services
    by_id = {int(c.key): c for c in turn.claims}
    read_at = services.clock.now()
    answers, failed = await _read(turn, sorted(by_id), await warehouses(services))
    await fail_point(failpoints.SIZES_READ)
    said = understood(services, (size for answer in answers for size in answer.sizes))
    since = {r.size.sku: by_id[r.size.size_id].dirty_since for r in said.reads if r.size.size_id in by_id}
    await services.database.transact(lambda tx: store_reads(tx, services, said, read_at, since))
    await fail_point(failpoints.SIZES_STORED)
    verdicts: dict[Claim, Verdict] = {by_id[u.size_id]: Held(u.reason) for u in said.unclear if u.size_id in by_id}
    for answer in answers:
        words = {e.message for e in answer.errors}
        missing = "missing from Centra's answer" + (f": {'; '.join(sorted(words))[:300]}" if words else "")
        for size_id in answer.missing_ids:
            if size_id in by_id:
                verdicts.setdefault(by_id[size_id], Held(f"size {size_id} is {missing}"))
    for size_id, failure in failed.items():
        verdicts[by_id[size_id]] = await _after(turn, by_id[size_id], failure)
    return verdicts


async def _read(turn: Pass, ids: list[int], direct: list[int]) -> tuple[list[schema.SizesAnswer], dict[int, Failure]]:
    """Read sizes, so that one spoils no other: what is in doubt of an answer is asked for again, in halves.

    In doubt is an answer that can't be used at all, and what is missing from one with errors: the place that an
    error names may be its neighbour's.
    """
    answers: list[schema.SizesAnswer] = []
    failed: dict[int, Failure] = {}
    groups = [ids]
    while groups:
        group = groups.pop()
        answer = await turn.services.centra.read_sizes(group, direct)
        is_final = len(group) == 1 or not turn.still_ours
        doubtful: list[int] = []
        if isinstance(answer, Applied):
            turn.services.pauses.resume(turn.scope)
            doubtful = [] if is_final or not answer.value.errors else list(answer.value.missing_ids)
            answers.append(replace(answer.value, missing_ids=()) if doubtful else answer.value)
        elif isinstance(answer, Unknown) and not is_final:
            doubtful = group
        else:
            failed |= dict.fromkeys(group, answer)
        middle = (len(doubtful) + 1) // 2
        groups += [half for half in (doubtful[:middle], doubtful[middle:]) if half]
    return answers, failed


async def fresh_sizes(services: Services, ids: Sequence[SizeId]) -> Mapping[SizeId, Outcome[Size]]:
    """Read up to 200 sizes now, ahead of everything else, for orders that wait; what is told is stored as well."""
    read_at = services.clock.now()
    answer = await services.centra.read_sizes(ids, await warehouses(services), headroom=1.0)
    if not isinstance(answer, Applied):
        return dict.fromkeys(ids, answer)
    said = understood(services, answer.value.sizes)
    await services.database.transact(lambda tx: store_reads(tx, services, said, read_at))
    found: dict[SizeId, Outcome[Size]] = {r.size.size_id: Applied(r.size) for r in said.reads}
    missing = Unknown("the size is missing from Centra's answer, or can't be understood")
    return {id_: found.get(id_, missing) for id_ in ids}


async def _after(turn: Pass, claim: Claim, failure: Failure) -> Verdict:
    """A size that can't be read time after time, while Centra answers other questions, is held."""
    services = turn.services
    vainly = isinstance(failure, Unknown) and claim.attempts >= OWN_FAULT_ATTEMPTS
    if vainly and isinstance(await services.centra.read_rate_limits(), Applied):
        return Held(f"size {claim.key} can't be read: {failure.reason}")
    return after_failure(failure, claim, services.clock, services.pauses, turn.scope)


async def warehouses(services: Services) -> list[int]:
    """The DIRECT warehouses that any channel may sell from; empty until the topology was read: all of them."""
    async with services.database.work.acquire() as connection:
        mirror = await mirrors.read_mirror(connection, services.source, mirrors.TOPOLOGY, Topology)
    return sorted(w.warehouse_id for w in mirror.value.warehouses.values() if w.direct) if mirror else []


@dataclass(frozen=True, slots=True)
class Understood:
    """An answer in our terms: sizes, the ones that can't be used, and the ones that carry no SKU (any more)."""

    reads: list[SizeRead]
    unclear: list[Unclear]
    nameless: list[SizeId]


def understood(services: Services, answer: Iterable[schema.Size]) -> Understood:
    """What Centra's sizes mean."""
    found = Understood([], [], [])
    for row in answer:
        size = size_of(row, services.settings.centra.sku)
        if isinstance(size, Unclear):
            found.unclear.append(size)
        elif size is None:
            found.nameless.append(SizeId(row.id))
        else:
            found.reads.append(SizeRead(size, row.variant.id if row.variant else None))
    return found


@dataclass(frozen=True, slots=True)
class Stored:
    """How many SKUs changed, and the sizes that a call that began later had stored before.

    Who read a size because of a mark need not care: the later call began after that mark too.
    """

    changed: int
    overtaken: set[SizeId]


async def store_reads(
    transaction: Transaction,
    services: Services,
    said: Understood,
    read_at: datetime,
    since: Mapping[Sku, datetime] | None = None,
) -> Stored:
    """Store sizes read by a call that began at `read_at` and mark `stock` where their facts changed.

    A size that lost its SKU is gone for the channels that listed it.
    """
    connection = transaction.connection
    written = await sizes.write_sizes(connection, services.source, said.reads, read_at)
    changed = written.changed | await sizes.delete_sizes(connection, services.source, said.nameless)
    told = [r.size.sku for r in said.reads if r.size.size_id not in written.overtaken]
    changed |= await reservations.absorb(connection, services.source, told, read_at)
    transaction.mark(await offers.marks_for(connection, services.channels(stock_on=True), changed, since))
    return Stored(len(changed), written.overtaken)


FLOW = Flow(
    name=SIZES,
    team=Team.ECOMMERCE,
    scoped="source",
    work=work,
    batch=LIST_LIMIT,
    slice_size=LIST_LIMIT,
    gather_seconds=0.05,
    fail_points=(failpoints.SIZES_READ, failpoints.SIZES_STORED),
)
