"""Seller ratings: what our own figures are counted from, the figures themselves, and the orders behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec

from app.domain.orders import Order
from app.domain.progress import Decided
from app.domain.ratings import Cause, Measure, Rating, Source, Tally
from app.store.pool import Connection, Row
from app.store.statements import sql

INCIDENT_OPEN = "INCIDENT_OPEN"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the shop in a thread; `asked_at`: the first message of the buyer that had waited for it."""

    thread_id: str
    asked_at: datetime
    answered_at: datetime
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many orders were answered or lapsed, and the tally of each measure."""

    orders: int
    tallies: Mapping[Measure, Tally]


async def note_incidents(connection: Connection, scope: str, order: Order) -> None:
    """Remember the lines of an order that have an incident now; an order shows only those that are open."""
    lines = sorted((line for line in order.lines if line.state == INCIDENT_OPEN), key=lambda line: line.line_id)
    await connection.execute(
        sql("line_incident/store"),
        scope,
        order.order_id,
        [line.line_id for line in lines],
        [line.state_reason for line in lines],
        order.updated_at,
    )


async def note_replies(connection: Connection, scope: str, replies: Sequence[Reply]) -> None:
    """Write down answers; one that is known changes nothing."""
    rows = sorted(replies, key=lambda reply: (reply.thread_id, reply.asked_at))
    await connection.execute(
        sql("thread_reply/store"),
        scope,
        [reply.thread_id for reply in rows],
        [reply.asked_at for reply in rows],
        [reply.answered_at for reply in rows],
        [reply.order_id for reply in rows],
    )


async def count(connection: Connection, scope: str, since: datetime) -> Count:
    """Our own figures of a channel, of orders created and answers given since then."""
    lines = await connection.fetchrow(sql("rated_line/count"), scope, since)
    replies = await connection.fetchrow(sql("thread_reply/count"), scope, since)
    assert lines is not None
    assert replies is not None
    accepted = lines["accepted"]
    return Count(
        lines["orders"],
        {
            Measure.ACCEPTANCE: Tally(lines["decided"], lines["not_accepted"]),
            Measure.ACCEPTANCE_TIME: Tally(lines["answered"], seconds=lines["acceptance_seconds"]),
            Measure.LAPSED: Tally(lines["orders"], lines["lapsed"]),
            Measure.LATE: Tally(lines["due"], lines["late"]),
            Measure.TRACKED: Tally(lines["told"], lines["untracked"]),
            Measure.CANCELLED: Tally(accepted, lines["cancelled"]),
            Measure.INCIDENTS: Tally(accepted, lines["troubled"]),
            Measure.REFUNDED: Tally(accepted, lines["refunded"]),
            Measure.REPLY_TIME: Tally(replies["answers"], seconds=replies["seconds"]),
        },
    )


async def causes(
    connection: Connection, scope: str, measure: Measure, since: datetime, limit: int
) -> tuple[Cause, ...]:
    """What counts as bad for a measure, the newest first; of an average time what took longest."""
    if measure is Measure.REPLY_TIME:
        rows = await connection.fetch(sql("thread_reply/slowest"), scope, since, limit)
        return tuple(Cause(row["order_id"], row["asked_at"], seconds=row["seconds"]) for row in rows)
    rows = await connection.fetch(sql("rated_line/causes"), scope, since, measure.value, limit)
    return tuple(_cause(row) for row in rows)


def _cause(row: Row) -> Cause:
    decided = None if row["decision"] is None else msgspec.json.decode(row["decision"], type=Decided)
    return Cause(
        order_id=row["order_id"],
        at=row["created_at"],
        sku=row["sku"],
        line_id=row["line_id"],
        seconds=None if row["seconds"] is None else float(row["seconds"]),
        seen_at=row["seen_at"],
        accept_by=row["accept_by"],
        decided_at=row["decided_at"],
        sent_at=row["accept_sent_at"],
        lapsed=bool(row["lapsed"]),
        choice=row["choice"],
        steps=() if decided is None else decided.steps,
        shipped_at=row["shipped_at"],
        told_at=row["told_at"],
        parcel=row["number"],
        carrier=row["carrier"],
        tracking=row["tracking"],
        reasons=tuple(sorted(filter(None, row["reasons"] or ()))),
        ours=row["ours"],
    )


async def write(connection: Connection, scope: str, source: Source, ratings: Sequence[Rating]) -> None:
    """Store a channel's figures of one source in place of the former ones."""
    rows = sorted(ratings, key=lambda rating: rating.measure)
    await connection.execute(
        sql("seller_rating/write"),
        scope,
        source.value,
        [rating.measure.value for rating in rows],
        [rating.value for rating in rows],
        [rating.span for rating in rows],
        [rating.orders for rating in rows],
        [rating.told_at for rating in rows],
    )


async def read(connection: Connection) -> dict[str, tuple[Rating, ...]]:
    """The figures as last read or counted, by channel. Those of a measure that nobody knows any more are left out."""
    found: dict[str, list[Rating]] = {}
    for row in await connection.fetch(sql("seller_rating/all")):
        if row["measure"] in set(Measure):
            value: Decimal | None = row["value"]
            rating = Rating(
                Measure(row["measure"]), Source(row["source"]), value, row["span"], row["orders"], row["told_at"]
            )
            found.setdefault(row["scope"], []).append(rating)
    return {scope: tuple(ratings) for scope, ratings in found.items()}
