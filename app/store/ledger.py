"""The ledger of a marketplace's money: its transaction log, its billing cycles and its accounting documents, as told.

Rows are written by whoever reads the platform; a line that is told again changes its row only where it is newer.
Amounts are whole minor units.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from app.domain.settlement import Cycle, Document, Transaction
from app.policies.settlement.cycles import Sum
from app.store.pool import Connection, Row
from app.store.statements import sql, storable

AT_ONCE = 1000


# ------------------------------------------------------------------------------------------------- transactions


async def store_lines(connection: Connection, scope: str, told: Iterable[Transaction]) -> list[Transaction]:
    """Store lines; those that are new or changed, and the rows that changed as they were before."""
    rows = sorted({line.id: line for line in _newest_last(told)}.values(), key=lambda line: line.id)
    stored = await connection.fetch(sql("transaction_line/known"), scope, [line.id for line in rows])
    known = {row["transaction_id"]: _line(row) for row in stored}
    fresh = [line for line in rows if _is_news(line, known.get(line.id))]
    if fresh:
        await connection.execute(
            sql("transaction_line/store"),
            scope,
            [line.id for line in fresh],
            [line.type for line in fresh],
            [line.amount for line in fresh],
            [line.currency for line in fresh],
            [line.state for line in fresh],
            [line.created_at for line in fresh],
            [line.updated_at for line in fresh],
            [line.cycle for line in fresh],
            [line.order_id for line in fresh],
            [line.line_id for line in fresh],
            [line.refund_id for line in fresh],
            [line.tax for line in fresh],
            [line.tax_rate for line in fresh],
            [line.document for line in fresh],
            [line.payment for line in fresh],
            [storable(line.label) for line in fresh],
        )
    return [*fresh, *(known[line.id] for line in fresh if line.id in known)]


def _newest_last(told: Iterable[Transaction]) -> list[Transaction]:
    return sorted(told, key=lambda line: line.updated_at)


def _is_news(line: Transaction, stored: Transaction | None) -> bool:
    return stored is None or (line.updated_at >= stored.updated_at and line != stored)


def _line(row: Row) -> Transaction:
    return Transaction(
        id=row["transaction_id"],
        type=row["type"],
        amount=row["amount"],
        currency=row["currency"],
        state=row["state"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        cycle=row["cycle"],
        order_id=row["order_id"],
        line_id=row["line_id"],
        refund_id=row["refund_id"],
        tax=row["tax"],
        tax_rate=row["tax_rate"],
        document=row["document"],
        payment=row["payment"],
        label=row["label"],
    )


async def lines_of_orders(connection: Connection, scope: str, order_ids: Sequence[str]) -> dict[str, list[Transaction]]:
    """The lines of some orders, each oldest first; an order without any is not there."""
    found: dict[str, list[Transaction]] = {}
    for row in await connection.fetch(sql("transaction_line/of_orders"), scope, list(order_ids)):
        found.setdefault(row["order_id"], []).append(_line(row))
    for lines in found.values():
        lines.sort(key=lambda line: (line.created_at, line.id))
    return found


async def lines_of_day(connection: Connection, scope: str, day: date) -> list[Transaction]:
    """Lines about no order that the marketplace wrote on a day (UTC), oldest first."""
    since = datetime.combine(day, time(), UTC)
    rows = await connection.fetch(sql("transaction_line/of_day"), scope, since, since + timedelta(days=1))
    return [_line(row) for row in rows]


async def sums_of_cycle(connection: Connection, scope: str, cycle: Cycle) -> list[Sum]:
    """What the lines of a billing cycle in its currency come to, however many there are."""
    rows = await connection.fetch(sql("transaction_line/sums_of_cycle"), scope, cycle.id, cycle.currency)
    return [Sum(**row) for row in rows]


async def booked(connection: Connection, scope: str, since: datetime, until: datetime) -> AsyncIterator[Transaction]:
    """The lines that the marketplace wrote from `since` until before `until`, in an order that is always the same.

    A line is in a billing cycle here only if that one was closed before `until`: what is told later changes nothing.
    Through a cursor, inside a transaction of the caller.
    """
    statement = sql("transaction_line/of_period")
    async for row in connection.cursor(statement, scope, since, until, prefetch=AT_ONCE):
        yield _line(row)


async def booked_refunds(
    connection: Connection, scope: str, since: datetime, until: datetime
) -> AsyncIterator[Transaction]:
    """Of these lines those of refunds, by order and refund. As `booked`."""
    statement = sql("transaction_line/refunds_of_period")
    async for row in connection.cursor(statement, scope, since, until, prefetch=AT_ONCE):
        yield _line(row)


async def taxes_of_orders(connection: Connection, scope: str, order_ids: Sequence[str]) -> dict[str, set[str]]:
    """Which types of tax the log has for some orders, by order."""
    found: dict[str, set[str]] = {}
    for row in await connection.fetch(sql("transaction_line/taxes_of_orders"), scope, list(order_ids)):
        found.setdefault(row["order_id"], set()).add(row["type"])
    return found


# ----------------------------------------------------------------------------------------- cycles and documents


async def store_cycles(connection: Connection, scope: str, told: Iterable[Cycle]) -> None:
    """Store billing cycles as told."""
    rows = sorted({cycle.id: cycle for cycle in told}.values(), key=lambda cycle: cycle.id)
    await connection.execute(
        sql("billing_cycle/store"),
        scope,
        [cycle.id for cycle in rows],
        [cycle.currency for cycle in rows],
        [cycle.created_at for cycle in rows],
        [cycle.state for cycle in rows],
        [cycle.paid for cycle in rows],
        [cycle.reference for cycle in rows],
        [storable(cycle.failure) for cycle in rows],
        [cycle.paid_at for cycle in rows],
        [msgspec.json.encode(dict(cycle.totals)).decode() for cycle in rows],
    )


def _cycle(row: Row) -> Cycle:
    return Cycle(
        id=row["cycle_id"],
        currency=row["currency"],
        created_at=row["created_at"],
        state=row["state"],
        paid=row["paid"],
        reference=row["reference"],
        failure=row["failure"],
        paid_at=row["paid_at"],
        totals=msgspec.json.decode(row["totals"], type=dict[str, int]),
    )


async def cycles(connection: Connection, scope: str, ids: Sequence[str]) -> Mapping[str, Cycle]:
    """Billing cycles by their ids."""
    rows = await connection.fetch(sql("billing_cycle/read"), scope, list(ids))
    return {row["cycle_id"]: _cycle(row) for row in rows}


async def totals_before(connection: Connection, scope: str, cycle: Cycle) -> list[int]:
    """What the lines of each earlier cycle of its currency come to, the oldest first."""
    statement = sql("billing_cycle/totals_before")
    rows = await connection.fetch(statement, scope, cycle.currency, cycle.created_at, cycle.id)
    return [row["total"] for row in rows]


async def write_total(connection: Connection, scope: str, cycle: str, total: int) -> str | None:
    """What the lines of a cycle come to; where that is news, the id of the cycle after it, which may start below 0."""
    found: str | None = await connection.fetchval(sql("billing_cycle/write_total"), scope, cycle, total)
    return found


@dataclass(frozen=True, slots=True)
class Listed:
    """A billing cycle for people: what its lines come to (`total`, None: not summed up yet) beside what is paid."""

    scope: str
    cycle: Cycle
    total: int | None


async def newest_cycles(connection: Connection, scope: str | None, limit: int) -> list[Listed]:
    """The newest billing cycles, newest first."""
    rows = await connection.fetch(sql("billing_cycle/newest"), scope, limit)
    return [Listed(row["scope"], _cycle(row), row["total"]) for row in rows]


async def cycles_to_read(connection: Connection, scope: str) -> datetime | None:
    """From when on cycles may say something new: the oldest that is not paid, else the newest; None: there is none."""
    row = await connection.fetchrow(sql("billing_cycle/unpaid_since"), scope)
    found: datetime | None = None if row is None else row["unpaid"] or row["newest"]
    return found


async def unpaid_cycles(connection: Connection, scope: str) -> list[str]:
    """Ids of the billing cycles that are not paid."""
    return [row["cycle_id"] for row in await connection.fetch(sql("billing_cycle/unpaid"), scope)]


async def last_cycle(connection: Connection, scope: str) -> datetime | None:
    """When the last billing cycle began."""
    found: datetime | None = await connection.fetchval(sql("billing_cycle/last"), scope)
    return found


async def store_documents(connection: Connection, scope: str, told: Iterable[Document]) -> None:
    """Store accounting documents as told."""
    rows = sorted({document.id: document for document in told}.values(), key=lambda document: document.id)
    await connection.execute(
        sql("accounting_document/store"),
        scope,
        [document.id for document in rows],
        [document.number for document in rows],
        [document.type for document in rows],
        [document.currency for document in rows],
        [document.issued_at for document in rows],
        [document.net for document in rows],
        [document.gross for document in rows],
        [document.cycle for document in rows],
        [document.state for document in rows],
        [document.payment_state for document in rows],
        [document.due_at for document in rows],
        [storable(document.label) for document in rows],
    )


async def documents(connection: Connection, scope: str, numbers: Collection[str]) -> dict[str, Document]:
    """Accounting documents by their numbers."""
    rows = await connection.fetch(sql("accounting_document/of_numbers"), scope, sorted(numbers)) if numbers else []
    return {row["number"]: _document(row) for row in rows}


def _document(row: Row) -> Document:
    return Document(
        id=row["document_id"],
        number=row["number"],
        type=row["type"],
        currency=row["currency"],
        issued_at=row["issued_at"],
        net=row["net"],
        gross=row["gross"],
        cycle=row["cycle"],
        state=row["state"],
        payment_state=row["payment_state"],
        due_at=row["due_at"],
        label=row["label"],
    )


async def newest_document(connection: Connection, scope: str) -> datetime | None:
    """When the newest document was issued."""
    found: datetime | None = await connection.fetchval(sql("accounting_document/newest"), scope)
    return found
