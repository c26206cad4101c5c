"""Differences of money with their states, and how far the money of each order has come.

The flow `matching` derives both from the ledger and from our orders. A difference opens and closes by itself; what a
person said of it stays until its figures are other ones.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import msgspec

from app.domain.ids import OrderId
from app.domain.money import exponent
from app.domain.orders import SENT_STATES, Order
from app.domain.settlement import Kind, State
from app.policies.settlement.states import Known, Written
from app.store.intents import Intent, intent_of
from app.store.intents import Kind as IntentKind
from app.store.marks import Mark
from app.store.pool import Connection, Database, Row
from app.store.statements import sql, storable

MATCHING = "matching"
"""The flow that derives differences; its keys are order ids, and the subjects below."""
CYCLE, DAY, CYCLES, UNREADABLE = "cycle:", "day:", "cycles", "unreadable"
AT_ONCE = 1000


def mark_of_order(scope: str, order_id: str) -> Mark:
    """The money of an order is to be looked at."""
    return Mark(scope, MATCHING, order_id)


def mark_of_cycle(scope: str, cycle: str) -> Mark:
    """A billing cycle is to be looked at."""
    return Mark(scope, MATCHING, CYCLE + cycle)


def mark_of_cycles(scope: str) -> Mark:
    """Whether a cycle is missing is to be looked at."""
    return Mark(scope, MATCHING, CYCLES)


def mark_of_day(scope: str, day: date) -> Mark:
    """What was written on a day (UTC) about no order is to be looked at."""
    return Mark(scope, MATCHING, f"{DAY}{day.isoformat()}")


def mark_of_unreadable(scope: str) -> Mark:
    """Lines that could not be read are to be looked at."""
    return Mark(scope, MATCHING, UNREADABLE)


def marks_of_orders(scope: str, told: Iterable[Order]) -> list[Mark]:
    """Marks for orders whose money can have moved: they were sent, or something went back."""
    return [
        mark_of_order(scope, order.order_id)
        for order in told
        if order.state in SENT_STATES or any(line.taken for line in order.lines)
    ]


# -------------------------------------------------------------------------------------------- what is compared


async def orders_of(connection: Connection, scope: str, order_ids: Sequence[str]) -> dict[str, Order]:
    """The facts of some orders, as far as they are stored."""
    rows = await connection.fetch(sql("marketplace_order/facts_of"), scope, list(order_ids))
    return {row["order_id"]: msgspec.json.decode(row["facts"], type=Order) for row in rows}


async def intents_of(
    connection: Connection, scope: str, order_ids: Sequence[str], kinds: Sequence[IntentKind]
) -> dict[str, list[Intent]]:
    """What was done about some orders after the sale, oldest first."""
    found: dict[str, list[Intent]] = {}
    named = [kind.value for kind in kinds]
    for row in await connection.fetch(sql("intent/of_orders"), scope, list(order_ids), named):
        found.setdefault(row["order_id"], []).append(intent_of(row))
    return found


async def unsettled(
    connection: Connection, scope: str, since: datetime, after: str, limit: int
) -> tuple[list[str], str | None]:
    """Of the next orders by id those created since whose money is not settled; and where to go on, None: nowhere."""
    rows = await connection.fetch(sql("marketplace_order/to_settle"), scope, since, after, list(SENT_STATES), limit)
    found = [row["order_id"] for row in rows if row["unsettled"]]
    return found, rows[-1]["order_id"] if len(rows) == limit else None


# ------------------------------------------------------------------------------------------------- differences


async def known(connection: Connection, scope: str, subjects: Sequence[str]) -> dict[str, list[Known]]:
    """The differences of some subjects, also closed ones; they stay as they are until the transaction ends."""
    found: dict[str, list[Known]] = {}
    for row in await connection.fetch(sql("settlement_difference/of_subjects"), scope, list(subjects)):
        found.setdefault(row["subject"], []).append(_known(row))
    return found


def _known(row: Row) -> Known:
    return Known(
        key=row["key"],
        state=State(row["state"]),
        kind=Kind(row["kind"]),
        currency=row["currency"],
        expected=row["expected"],
        told=row["told"],
        note=row["note"],
        by_person=row["decided_by"] is not None,
    )


async def write(connection: Connection, scope: str, changes: Iterable[Written]) -> None:
    """Write what became of differences, with the audit's rows."""
    rows = sorted(changes, key=lambda change: change.key)
    gone = [change.key for change in rows if change.difference is None]
    there = [(change, change.difference) for change in rows if change.difference is not None]
    if there:
        found = [difference for _, difference in there]
        await connection.execute(
            sql("settlement_difference/write"),
            scope,
            MATCHING,
            [difference.key for difference in found],
            [change.subject for change, _ in there],
            [difference.kind.value for difference in found],
            [change.state.value for change, _ in there],
            [difference.currency for difference in found],
            [difference.expected for difference in found],
            [difference.told for difference in found],
            [abs(difference.at_stake or 0) for difference in found],
            [exponent(difference.currency) for difference in found],
            [storable(difference.words) for difference in found],
            [difference.cycle for difference in found],
            [difference.order_id for difference in found],
            [difference.line_id for difference in found],
            [storable(difference.explained) for difference in found],
        )
    if gone:
        await connection.execute(sql("settlement_difference/close"), scope, MATCHING, gone)


@dataclass(frozen=True, slots=True)
class Noted:
    """A difference as it stands, for people. `note`: why it is so; `decided_by`: who said so, None: a rule."""

    number: int
    scope: str
    key: str
    kind: Kind
    state: State
    currency: str
    expected: int | None
    told: int | None
    at_stake: int
    words: str
    cycle: str | None
    order_id: str | None
    line_id: str | None
    note: str | None
    decided_by: str | None
    decided_at: datetime | None
    opened_at: datetime


def _noted(row: Row) -> Noted:
    plain = {name: row[name] for name in Noted.__dataclass_fields__}
    return Noted(**plain | {"kind": Kind(row["kind"]), "state": State(row["state"])})


LIVE = (State.OPEN, State.EXPLAINED, State.ACCEPTED)
UNDECIDED = (State.OPEN, State.EXPLAINED)


async def listed(
    connection: Connection,
    *,
    scope: str | None = None,
    kind: Kind | None = None,
    cycle: str | None = None,
    order_id: str | None = None,
    states: Sequence[State] = UNDECIDED,
) -> AsyncIterator[Noted]:
    """Differences by channel and kind, the largest first. Through a cursor, inside a transaction of the caller."""
    wanted = [state.value for state in states]
    chosen = None if kind is None else kind.value
    statement = sql("settlement_difference/list")
    async for row in connection.cursor(statement, scope, chosen, cycle, order_id, wanted, prefetch=AT_ONCE):
        yield _noted(row)


async def one(connection: Connection, number: int) -> Noted | None:
    """A difference by its number."""
    row = await connection.fetchrow(sql("settlement_difference/one"), number)
    return None if row is None else _noted(row)


async def decide(connection: Connection, number: int, state: State, who: str, note: str) -> bool:
    """A person explains or accepts a difference; False where it is not theirs to decide (any more)."""
    allowed = {State.EXPLAINED: UNDECIDED, State.ACCEPTED: UNDECIDED}[state]
    row = await connection.fetchval(
        sql("settlement_difference/decide"), number, [one.value for one in allowed], state.value, who, storable(note)
    )
    return row is not None


# ------------------------------------------------------------------------------------------- orders, and counting


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the money of an order has come. `owed`: minor units that the log names and no billing cycle has; `since`:
    when the order was sent, None: nothing is owed yet.
    """

    order_id: str
    currency: str
    owed: int
    since: datetime | None
    settled: bool


async def write_standings(connection: Connection, scope: str, standings: Iterable[Standing]) -> None:
    """Write how far the money of orders has come."""
    rows = sorted(standings, key=lambda standing: standing.order_id)
    if rows:
        await connection.execute(
            sql("order_settlement/write"),
            scope,
            [row.order_id for row in rows],
            [row.currency for row in rows],
            [row.owed for row in rows],
            [row.since for row in rows],
            [row.settled for row in rows],
        )


@dataclass(frozen=True, slots=True)
class Unpaid:
    """An order that was sent and is in no billing cycle."""

    order_id: OrderId
    currency: str
    owed: int
    since: datetime


async def unpaid(connection: Connection, scope: str, before: datetime) -> AsyncIterator[Unpaid]:
    """Orders sent before an instant that are in no billing cycle, oldest first. Inside a transaction of the caller."""
    async for row in connection.cursor(sql("order_settlement/open_of"), scope, before, prefetch=AT_ONCE):
        yield Unpaid(OrderId(row["order_id"]), row["currency"], row["owed"], row["since"])


@dataclass(frozen=True, slots=True)
class Counted:
    """Differences of one kind, state and currency."""

    scope: str
    kind: str
    state: str
    currency: str
    differences: int
    at_stake: int
    since: datetime


async def count(connection: Connection) -> list[Counted]:
    """Differences that are not gone."""
    return [Counted(**row) for row in await connection.fetch(sql("settlement_difference/count"))]


@dataclass(frozen=True, slots=True)
class Watch:
    """For metrics: differences, pay-outs by channel and state, and unpaid orders by channel with the oldest's time."""

    differences: Sequence[Counted]
    payouts: Mapping[tuple[str, str], int]
    unpaid: Mapping[str, tuple[int, datetime]]


async def watch(database: Database) -> Watch:
    """All of it, by index."""
    async with database.desk.acquire() as connection:
        payouts = await connection.fetch(sql("billing_cycle/count"))
        unpaid_orders = await connection.fetch(sql("order_settlement/unpaid"))
        return Watch(
            await count(connection),
            {(row["scope"], row["state"]): row["cycles"] for row in payouts},
            {row["scope"]: (row["orders"], row["since"]) for row in unpaid_orders},
        )
