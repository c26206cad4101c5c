"""What a marketplace wrote down and paid is held against what we expect, order by order and cycle by cycle.

A key is an order, a billing cycle, a day's lines about no order, or one of two questions of a channel: whether a cycle
is missing, and what could not be read. The differences of a key are derived from the ledger and from our orders as they
are now: they open, and close by themselves once they are gone; what a person said of one stays while its figures do.
Nothing is derived while the log is half read. Nothing is written to the outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import anyio.lowlevel

from app.domain.ids import Scope
from app.domain.orders import SENT_STATES, Order
from app.domain.settlement import Difference, Kind
from app.domain.settlement import Transaction as Line
from app.domain.teams import Team
from app.engine.flow import Flow, Gate, Pass, Services
from app.flows.ledger.credited import DEEDS, credited, shipped_at
from app.flows.ledger.log import MIRAKL_TRANSACTION
from app.flows.ledger.terms import terms_of
from app.policies.settlement.calendar import cycle_again, cycle_missing, order_again
from app.policies.settlement.charges import charges, types_unknown
from app.policies.settlement.cycles import carried_over, differences_of_cycle, lines_total
from app.policies.settlement.orders import differences_of_order, unpaid
from app.policies.settlement.states import transitions
from app.policies.settlement.terms import Credited, Terms
from app.store import inbox, ledger, settlement
from app.store.intents import Intent
from app.store.outbox import Claim, Held, Settled, Verdict, Waiting
from app.store.pool import Connection, Transaction
from app.store.readings import read_back_fill, read_reading
from app.store.settlement import CYCLE, CYCLES, DAY, MATCHING, UNREADABLE, Standing, mark_of_cycle
from app.wire.permit import PermitWait

BATCH = 100
UNREAD_SECONDS = 60.0


async def gate(services: Services, scope: Scope) -> Gate:
    """Wait while much of the log is not read: what is missing would differ."""
    async with services.database.work.acquire() as connection:
        reading = await read_reading(connection, scope)
        filling = await read_back_fill(connection, scope)
    is_filled = filling is None or not filling.is_under_way
    return None if is_filled and reading.is_whole(services.clock.now()) else PermitWait(UNREAD_SECONDS)


@dataclass(slots=True)
class Derived:
    """What was found of each subject; when it is to be looked at again; what the lines of cycles come to; how far
    orders' money has come; subjects that can't be derived, and why.
    """

    differences: dict[str, list[Difference]] = field(default_factory=dict)
    again: dict[str, datetime] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    standings: list[Standing] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    def verdict(self, subject: str) -> Verdict:
        """How the work on a subject ended."""
        if subject in self.broken:
            return Held(self.broken[subject])
        again_at = self.again.get(subject)
        return Settled() if again_at is None else Waiting(again_at, "the marketplace still has time")

    def look_again(self, subject: str, at: datetime | None) -> None:
        """At this instant time alone may make a difference of something; None: of nothing."""
        if at is not None:
            self.again[subject] = at

    def add(self, subject: str, derive: Callable[[], list[Difference]]) -> None:
        """A subject whose amounts can't be told (a currency that nobody knows) holds itself and no other."""
        try:
            self.differences[subject] = derive()
        except (ValueError, ArithmeticError) as exc:
            self.broken[subject] = f"its money can't be compared: {exc}"


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Derive the differences of the claimed keys, and write what became of them."""
    services, scope = turn.services, turn.scope
    channel, found = services.channel(scope), Derived()
    terms = terms_of(channel)
    subjects = {claim.key for claim in turn.claims}
    named = {key for key in subjects if key.startswith((CYCLE, DAY)) or key in (CYCLES, UNREADABLE)}
    async with services.database.work.acquire() as connection:
        about = await _about(connection, scope, sorted(subjects - named))
        for subject in sorted(named):
            await _derive_named(turn, connection, subject, terms, found)
    for order_id in sorted(subjects - named):
        _derive_order(turn, about, order_id, terms, found)
        await anyio.lowlevel.checkpoint()  # a long batch keeps nobody waiting
    await services.database.transact(lambda tx: _write(tx, scope, found))
    return {claim: found.verdict(claim.key) for claim in turn.claims}


async def _write(tx: Transaction, scope: str, found: Derived) -> None:
    known = await settlement.known(tx.connection, scope, list(found.differences))
    changes = [
        change
        for subject, differences in found.differences.items()
        for change in transitions(subject, known.get(subject, ()), differences)
    ]
    await settlement.write(tx.connection, scope, changes)
    await settlement.write_standings(tx.connection, scope, found.standings)
    for cycle, total in sorted(found.totals.items()):
        if following := await ledger.write_total(tx.connection, scope, cycle, total):
            tx.mark([mark_of_cycle(scope, following)])


# --------------------------------------------------------------------------------------------------- an order


@dataclass(frozen=True, slots=True)
class About:
    """All that is known of some orders, by order id."""

    orders: Mapping[str, Order]
    lines: Mapping[str, Sequence[Line]]
    deeds: Mapping[str, Sequence[Intent]]


async def _about(connection: Connection, scope: str, ids: Sequence[str]) -> About:
    return About(
        await settlement.orders_of(connection, scope, ids),
        await ledger.lines_of_orders(connection, scope, ids),
        await settlement.intents_of(connection, scope, ids, DEEDS),
    )


def _derive_order(turn: Pass, about: About, order_id: str, terms: Terms, found: Derived) -> None:
    order, now = about.orders.get(order_id), turn.services.clock.now()
    lines, deeds = about.lines.get(order_id, ()), about.deeds.get(order_id, ())
    is_followed = turn.services.channel(turn.scope).after_sale.is_followed

    def derive() -> list[Difference]:
        left_at = shipped_at(deeds)
        given = credited(deeds, order) if order is not None and is_followed else None
        open_ = None if order is None else unpaid(order, lines, left_at)
        found.look_again(order_id, order_again(order, lines, given or (), open_, terms, now))
        differences = differences_of_order(order_id, order, lines, terms, now, credited=given, shipped_at=left_at)
        if order is not None:
            settled = open_ is None and _is_settled(order, lines, given or ())
            owed, since = (0, None) if open_ is None else (open_.amount, open_.since)
            found.standings.append(Standing(order_id, order.currency, owed, since, settled))
        return differences

    found.add(order_id, derive)


def _is_settled(order: Order, lines: Sequence[Line], given: Sequence[Credited]) -> bool:
    """Whether nothing more is to come of an order that is owed no money: each refund is in the log."""
    booked = {line.refund_id for line in lines}
    shown = {entry.refund_id for line in order.lines for entry in line.taken if not entry.cancelation}
    return order.state in SENT_STATES and shown <= booked and all(one.refund_ids for one in given)


# ------------------------------------------------------------------------------------------ cycles, days, and the rest


async def _derive_named(turn: Pass, connection: Connection, subject: str, terms: Terms, found: Derived) -> None:
    scope, now = turn.scope, turn.services.clock.now()
    channel = turn.services.channel(scope)
    if subject.startswith(CYCLE):
        await _derive_cycle(turn, connection, subject, terms, found)
    elif subject.startswith(DAY):
        lines = await ledger.lines_of_day(connection, scope, date.fromisoformat(subject.removeprefix(DAY)))
        documents = await ledger.documents(connection, scope, {line.document for line in lines if line.document})
        found.add(subject, lambda: [*types_unknown(lines), *charges(lines, terms, documents)])
    elif subject == CYCLES:
        last = await ledger.last_cycle(connection, scope)
        every = timedelta(days=channel.settlement.cycle_days) + terms.grace
        found.look_again(subject, None if last is None or last + every <= now else last + every)
        found.add(subject, lambda: list(cycle_missing(last, channel.currency, every, now)))
    else:
        odd = await inbox.unreadable(connection, scope, MIRAKL_TRANSACTION)
        found.add(subject, lambda: [_unreadable(one.identity, one.reason or "", channel.currency) for one in odd])


async def _derive_cycle(turn: Pass, connection: Connection, subject: str, terms: Terms, found: Derived) -> None:
    scope, now = turn.scope, turn.services.clock.now()
    cycle = (await ledger.cycles(connection, scope, [subject.removeprefix(CYCLE)])).get(subject.removeprefix(CYCLE))
    if cycle is None:  # its lines came first: once it is read, it is marked
        return
    found.look_again(subject, cycle_again(cycle, terms, now))
    sums = await ledger.sums_of_cycle(connection, scope, cycle)
    before = await ledger.totals_before(connection, scope, cycle)
    found.totals[cycle.id] = lines_total(sums)
    found.add(subject, lambda: differences_of_cycle(cycle, sums, terms, now, carried=carried_over(before)))


def _unreadable(identity: str, reason: str, currency: str) -> Difference:
    words = f"a line of the log could not be read ({identity}): {reason}"
    return Difference(Kind.UNREADABLE, f"{Kind.UNREADABLE}:{identity}", currency, None, None, words)


FLOW = Flow(
    name=MATCHING,
    team=Team.FINANCE,
    scoped="channel",
    work=work,
    batch=BATCH,
    slice_size=BATCH,
    gate=gate,
    on=lambda settings, scope: settings.by_id()[scope].settlement.on,
    person_after_seconds=86_400.0,
)
