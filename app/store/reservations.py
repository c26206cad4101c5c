"""Units promised to marketplace orders and not yet taken from Centra's free quantity (business rule 2).

They belong to the source: a unit promised on one marketplace lowers all channels that share the warehouse. A line
counts from the first sight of its order until a size read that *began* after Centra showed it allocated is stored;
so no older free quantity is ever published without what it does not contain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.orders import OrderLine
from app.store.pool import Connection, Row
from app.store.statements import sql


@dataclass(frozen=True, slots=True)
class Reserved:
    """Live units of one order line."""

    line_id: OrderLineId
    sku: Sku
    quantity: int


async def lock(connection: Connection, source: str, skus: Iterable[str]) -> None:
    """Take turns for these SKUs until the transaction ends, so that the order of reservations is that of commits.

    All SKUs that a transaction reserves are locked by one call, since two calls could wait for each other.
    """
    await connection.execute(sql("reservation/lock"), source, sorted(set(skus)))


async def write(
    connection: Connection, source: str, channel: str, order_id: str, lines: Iterable[Reserved]
) -> set[Sku]:
    """Reserve the live units of an order's lines, 0 for those that nothing is shipped of; SKUs that changed."""
    rows = sorted(lines, key=lambda line: line.line_id)
    if not rows:
        return set()
    written = await connection.fetch(
        sql("reservation/write"),
        source,
        channel,
        order_id,
        [r.line_id for r in rows],
        [r.sku for r in rows],
        [r.quantity for r in rows],
    )
    return {Sku(row["sku"]) for row in written}


@dataclass(frozen=True, slots=True)
class Before:
    """What was promised of a SKU before an order: units not allocated in Centra as far as we read, and to whom."""

    units: int
    others: tuple[tuple[str, OrderId], ...]


async def before(connection: Connection, source: str, channel: str, order_id: str) -> dict[Sku, Before]:
    """Earlier promises, by the SKUs of an order."""
    rows = await connection.fetch(sql("reservation/before"), channel, order_id, source)
    return {Sku(r["sku"]): Before(r["before"], tuple(_place(other) for other in r["others"])) for r in rows}


def _place(text: str) -> tuple[str, OrderId]:
    channel, _, order_id = text.partition("/")
    return channel, OrderId(order_id)


async def placed(
    connection: Connection, channel: str, order_id: str, units: Mapping[OrderLineId, int], read_at: datetime
) -> set[Sku]:
    """Centra shows these units as allocated or shipped; SKUs that changed."""
    lines: Sequence[OrderLineId] = sorted(units)
    rows = await connection.fetch(
        sql("reservation/placed"), channel, order_id, lines, [units[line] for line in lines], read_at
    )
    return {Sku(row["sku"]) for row in rows}


async def free(connection: Connection, channel: str, order_id: str, lines: Sequence[OrderLine]) -> set[Sku]:
    """Nothing will be shipped of these lines; SKUs that changed."""
    rows = await connection.fetch(sql("reservation/free"), channel, order_id, [line.line_id for line in lines])
    return {Sku(row["sku"]) for row in rows}


async def absorb(connection: Connection, source: str, skus: Iterable[str], read_at: datetime) -> set[Sku]:
    """A size read that began at `read_at` is stored: what was placed before is contained in it. SKUs that changed."""
    wanted = sorted(set(skus))
    if not wanted:
        return set()
    return {Sku(row["sku"]) for row in await connection.fetch(sql("reservation/absorb"), source, wanted, read_at)}


async def of_order(connection: Connection, channel: str, order_id: str) -> list[Row]:
    """line_id, sku, quantity, placed, absorbed, reserved_at of each line."""
    return await connection.fetch(sql("reservation/of_order"), channel, order_id)


async def unplaced(connection: Connection, source: str, sku: str) -> list[Row]:
    """channel, order_id, line_id, units that still lower what is published of a SKU."""
    return await connection.fetch(sql("reservation/unplaced"), source, sku)


async def rename(connection: Connection, source: str, before: str, now: str) -> int:
    """A size bears another SKU now, and open promises of its units count against that; how many there were."""
    return len(await connection.fetch(sql("reservation/rename"), source, before, now))
