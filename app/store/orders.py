"""Marketplace orders and how far each has come. Buyers are in a table of their own (`store/buyers.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from app.domain.ids import CentraNumber, OrderId
from app.domain.orders import OPEN_STATES, Order, OrderState
from app.domain.progress import Acceptor, Choice, Decided, Entry, Outcome, Record
from app.domain.teams import Team
from app.store.marks import Mark
from app.store.pool import Connection, Database, Row
from app.store.statements import sql, storable

ORDERS = "orders"
"""The flow that decides and accepts; its key is Mirakl's order id."""
ORDER_ENTRY = "order_entry"
"""The flow that brings an order into Centra; same key, same lane."""
SELLER_REFERENCES = "seller_references"
"""The flow that writes Centra numbers to the marketplace; same key."""
RANKS: Mapping[str, int] = {ORDERS: 1, ORDER_ENTRY: 2}
"""Whose turn comes first in the lane of an order."""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def store(connection: Connection, scope: str, order: Order, accept_by: datetime, read_at: datetime) -> bool:
    """Store an order as a call that began at `read_at` told it; False when something newer is stored."""
    row = await connection.fetchrow(
        sql("marketplace_order/store"),
        scope,
        order.order_id,
        order.commercial_id,
        order.state,
        order.fulfilled_by,
        order.created_at,
        order.updated_at,
        order.ship_by,
        accept_by,
        _json(order),
        read_at,
    )
    return row is not None


URGENT, NORMAL, BACKGROUND = 0, 1, 2
URGENT_SHARE = 0.5


async def marks_of_changed(
    connection: Connection, scope: str, now: datetime, order_ids: Sequence[str] | None = None
) -> list[Mark]:
    """Marks for orders that changed since they were last marked (None: all of them), those short of time first."""
    rows = await connection.fetch(sql("marketplace_order/take_unmarked"), scope, order_ids)
    return [m for r in rows for m in marks_of(scope, r["order_id"], _priority(r, now))]


def mark_of(scope: str, flow: str, order_id: str, priority: int = NORMAL) -> Mark:
    """One of an order's two flows has something to look at."""
    return Mark(scope, flow, order_id, priority=priority, lane=order_id, lane_rank=RANKS[flow])


def marks_of(scope: str, order_id: str, priority: int = NORMAL) -> list[Mark]:
    """Both flows of an order have something to look at."""
    return [mark_of(scope, flow, order_id, priority) for flow in RANKS]


def _priority(row: Row, now: datetime) -> int:
    if row["state"] not in OPEN_STATES:
        return BACKGROUND
    used = (now - row["created_at"]) / max(row["accept_by"] - row["created_at"], timedelta(seconds=1))
    return URGENT if row["state"] == OrderState.WAITING_ACCEPTANCE and used > URGENT_SHARE else NORMAL


async def known(connection: Connection, scope: str, order_ids: Iterable[str]) -> dict[OrderId, Order]:
    """The orders that are stored already, locked until the transaction ends."""
    rows = await connection.fetch(sql("marketplace_order/known"), scope, sorted(set(order_ids)))
    return {OrderId(row["order_id"]): msgspec.json.decode(row["facts"], type=Order) for row in rows}


async def read_again(connection: Connection, scope: str, order_ids: Sequence[str], read_at: datetime) -> None:
    """A call that began at `read_at` told these orders unchanged."""
    await connection.execute(sql("marketplace_order/read_again"), scope, list(order_ids), read_at)


async def read(connection: Connection, scope: str, order_id: str) -> Record | None:
    """Everything about an order but its buyer."""
    row = await connection.fetchrow(sql("marketplace_order/read"), scope, order_id)
    return None if row is None else _record(row)


async def to_compare(connection: Connection, scope: str, created_after: datetime, limit: int) -> list[Record]:
    """The next orders that we ship, by their creation; a few more than `limit` where several were made at once."""
    rows = await connection.fetch(sql("marketplace_order/to_compare"), scope, created_after, limit)
    return [_record(row) for row in rows]


async def open_to_compare(
    connection: Connection, scope: str, due_after: datetime, limit: int, created_until: datetime
) -> list[Record]:
    """The next open orders that we ship and that were made until then, by the time they were to be accepted by."""
    rows = await connection.fetch(sql("marketplace_order/open_to_compare"), scope, due_after, limit, created_until)
    return [_record(row) for row in rows]


def _record(row: Row) -> Record:
    return Record(
        order=msgspec.json.decode(row["facts"], type=Order),
        read_at=row["read_at"],
        seen_at=row["seen_at"],
        accept_by=row["accept_by"],
        decided=None if row["decision"] is None else msgspec.json.decode(row["decision"], type=Decided),
        choice=None if row["choice"] is None else Choice(row["choice"]),
        accept_sent_at=row["accept_sent_at"],
        accepted_at=row["accepted_at"],
        accepted_by=None if row["accepted_by"] is None else Acceptor(row["accepted_by"]),
        number=row["centra_number"],
        centra_id=row["centra_id"],
        centra_customer=row["centra_customer"],
        entry=None if row["centra_facts"] is None else msgspec.json.decode(row["centra_facts"], type=Entry),
        created_in_centra_at=row["created_in_centra_at"],
        converted_at=row["converted_at"],
        completed_at=row["completed_at"],
        checked_at=row["checked_at"],
        centra_changed_at=row["centra_changed_at"],
        problem=row["problem"],
        problem_team=None if row["problem_team"] is None else Team(row["problem_team"]),
        blocked=row["blocked"],
        confirmed_at=row["confirmed_at"],
        referenced_at=row["referenced_at"],
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        ended_at=row["ended_at"],
        parts=tuple(CentraNumber(n) for n in row["parts"]),
    )


async def decide(connection: Connection, scope: str, order_id: str, decided: Decided | None) -> None:
    """Write down which lines are accepted; None: it is decided anew."""
    written = None if decided is None else _json(decided)
    await connection.execute(sql("marketplace_order/decide"), scope, order_id, written)


async def accept_sent(connection: Connection, scope: str, order_id: str) -> None:
    """Our decision is about to be sent."""
    await connection.execute(sql("marketplace_order/accept_sent"), scope, order_id)


@dataclass(frozen=True, slots=True)
class Accepted:
    """When an order that now has its decision was seen, and how much of its window was used."""

    seconds: float
    """From the order being stored to its decision being taken."""
    used_window: float


async def accepted(connection: Connection, scope: str, order_id: str, by: Acceptor) -> Accepted | None:
    """Mirakl has a decision; None when that was written before."""
    row = await connection.fetchrow(sql("marketplace_order/accepted"), scope, order_id, by.value)
    if row is None:
        return None
    whole = (row["accept_by"] - row["created_at"]).total_seconds()
    used = (row["accepted_at"] - row["created_at"]).total_seconds()
    return Accepted((row["accepted_at"] - row["seen_at"]).total_seconds(), used / whole if whole > 0 else 1.0)


async def choose(connection: Connection, scope: str, order_id: str, choice: Choice) -> bool:
    """A person decided; False when there is no such order."""
    return await connection.fetchrow(sql("marketplace_order/choose"), scope, order_id, choice.value) is not None


async def lock(connection: Connection, scope: str, order_id: str) -> int | None:
    """Lock an order until the transaction ends; its Centra number, if it has one."""
    number: int | None = await connection.fetchval(sql("marketplace_order/lock"), scope, order_id)
    return number


async def take_number(
    connection: Connection, scope: str, order_id: str, number: int, *, claim: int, source: str
) -> bool:
    """Give an order its Centra number; False when it has one, when the lane is no longer this claim's, or when the
    number is an orphan already.
    """
    row = await connection.fetchrow(sql("marketplace_order/take_number"), scope, order_id, number, claim, source)
    return row is not None


async def converted(connection: Connection, scope: str, order_id: str) -> None:
    """Centra knows the order by our id."""
    await connection.execute(sql("marketplace_order/converted"), scope, order_id)


async def completed(connection: Connection, scope: str, order_id: str, *, blocked: bool) -> None:
    """The Centra order is placed, or let go."""
    await connection.execute(sql("marketplace_order/completed"), scope, order_id, blocked)


async def checked(
    connection: Connection,
    scope: str,
    order_id: str,
    *,
    centra_id: str,
    customer: int | None,
    entry: Entry,
    problem: str | None,
    team: Team | None,
    known: str | None,
) -> None:
    """The Centra order was read back; `known` is the problem that the reader knew of, unless somebody settled it."""
    written = None if team is None else team.value
    await connection.execute(
        sql("marketplace_order/checked"), scope, order_id, centra_id, customer, _json(entry), problem, written, known
    )


async def settle_problem(connection: Connection, scope: str, order_id: str) -> bool:
    """A person lets an order go although something was found; False when there is no such order."""
    return await connection.fetchrow(sql("marketplace_order/settle_problem"), scope, order_id) is not None


async def confirmed(connection: Connection, scope: str, order_id: str) -> None:
    """Centra confirmed the order."""
    await connection.execute(sql("marketplace_order/confirmed"), scope, order_id)


async def ended(connection: Connection, scope: str, order_id: str, outcome: Outcome | None) -> None:
    """How an order ended for us; None: it goes on after all."""
    value = None if outcome is None else outcome.value
    await connection.execute(sql("marketplace_order/ended"), scope, order_id, value)


async def centra_numbers(connection: Connection, scope: str, order_ids: Sequence[str]) -> dict[str, int]:
    """The Centra numbers of some orders, as far as they have one."""
    rows = await connection.fetch(sql("marketplace_order/references"), scope, list(order_ids))
    return {row["order_id"]: row["centra_number"] for row in rows}


async def referenced(connection: Connection, scope: str, order_ids: Sequence[str]) -> None:
    """The marketplace carries the Centra number of these orders."""
    await connection.execute(sql("marketplace_order/referenced"), scope, list(order_ids))


async def find(connection: Connection, channels: Sequence[str], name: str) -> list[tuple[str, OrderId]]:
    """(channel, order id) of what a person may mean by a Mirakl id, a commercial id or a Centra number."""
    number = int(name) if name.isdecimal() and len(name) < 18 else None
    rows = await connection.fetch(sql("marketplace_order/find"), list(channels), name, number)
    return [(row["scope"], OrderId(row["order_id"])) for row in rows]


@dataclass(frozen=True, slots=True)
class Watch:
    """The deadlines of a channel's open orders."""

    unaccepted: int
    first_deadline: datetime | None
    used_window: float
    """Greatest used share of the acceptance window among unaccepted orders."""
    oldest_payment_wait: datetime | None
    problems: int
    open: int


async def watch(database: Database) -> dict[str, Watch]:
    """Deadlines by channel."""
    rows = await database.desk.fetch(sql("marketplace_order/watch"))
    return {
        r["scope"]: Watch(
            r["unaccepted"],
            r["first_deadline"],
            r["used_window"] or 0.0,
            r["oldest_payment_wait"],
            r["problems"],
            r["open"],
        )
        for r in rows
    }


async def centra_changed(connection: Connection, numbers: Sequence[int]) -> list[Mark]:
    """Centra says that it changed these orders: gives the marks that have the open ones of ours read back."""
    rows = await connection.fetch(sql("marketplace_order/centra_changed"), sorted(numbers), list(OPEN_STATES))
    return [mark_of(r["scope"], ORDER_ENTRY, r["order_id"]) for r in rows]


async def note_number(connection: Connection, source: str, number: int, scope: str, order_id: str, role: str) -> None:
    """A number that Centra gave besides the one that counts: a `part` of a split, or an `orphan`."""
    await connection.execute(sql("centra_order/note"), source, number, scope, order_id, role)


async def orphans(connection: Connection, source: str) -> list[Row]:
    """Orphans that still stand in Centra: number, channel, order_id, noted_at."""
    return await connection.fetch(sql("centra_order/orphans"), source)


async def are_orphans(connection: Connection, source: str, numbers: Sequence[int]) -> set[int]:
    """Which of these numbers are noted as orphans."""
    return {row["number"] for row in await connection.fetch(sql("centra_order/known"), source, list(numbers))}


async def orphan_cancelled(connection: Connection, source: str, number: int) -> None:
    """An orphan is gone."""
    await connection.execute(sql("centra_order/cancelled"), source, number)


async def hold(database: Database, scope: str, order_id: str, reason: str) -> bool:
    """Both flows leave an order alone until a person lets it go; False while one works on it: ask again."""
    for flow in sorted(RANKS):  # the one lock order for everybody
        row = await database.desk.fetchrow(
            sql("outbox/hold_firmly"), scope, flow, order_id, RANKS[flow], storable(reason)
        )
        if row is None:
            return False
    return True


async def keys_of(connection: Connection, scope: str, order_id: str) -> dict[str, Row]:
    """The keys of an order by flow, as far as they exist: state, firm, held_at, reason, due_at, claimed."""
    rows = {flow: await connection.fetchrow(sql("outbox/one"), scope, flow, order_id) for flow in RANKS}
    return {flow: row for flow, row in rows.items() if row is not None}
