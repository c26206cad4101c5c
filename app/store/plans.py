"""Plans: what would change on a channel, as a person was shown it, and who let it go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from app.domain.catalogue import CatalogueProduct
from app.domain.ids import Sku
from app.store.offers import STOCK
from app.store.pool import Connection
from app.store.products import Known
from app.store.statements import sql, storable


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan. `is_whole`: it was made to its end; without, it can't be applied."""

    number: int
    scope: str
    made_at: datetime
    made_by: str
    is_whole: bool
    applied_at: datetime | None
    applied_by: str | None
    applied_why: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """What a plan would send: the digest of it; of stock the quantity."""

    kind: str
    key: str
    digest: str


async def page(connection: Connection, source: str, after: int, limit: int) -> dict[int, list[Known]]:
    """The next living products by id, in order: every SKU that is or was theirs."""
    found: dict[int, list[Known]] = {}
    for row in await connection.fetch(sql("plan/known"), source, after, limit):
        product = msgspec.json.decode(row["facts"], type=CatalogueProduct)
        sharing: dict[int, list[Sku]] = defaultdict(list)
        named = list(zip(map(Sku, row["skus"] or ()), row["sizes"] or (), strict=True))
        for sku, size_id in named:
            sharing[size_id].append(sku)
        found[row["product_id"]] = [
            Known(sku, product, False, tuple(other for other in sharing[size_id] if other != sku))
            for sku, size_id in named
        ]
    return found


async def count_products(connection: Connection, source: str) -> int:
    """How many living products there are."""
    return int(await connection.fetchval(sql("plan/count_products"), source))


async def open_plan(connection: Connection, channel: str, who: str, live_at: datetime) -> int:
    """A new plan's number."""
    return int(await connection.fetchval(sql("plan/open"), channel, storable(who), live_at))


async def add(connection: Connection, number: int, lines: Iterable[Line]) -> None:
    """Write down what it would send."""
    rows = list(lines)
    columns = ([row.kind for row in rows], [row.key for row in rows], [row.digest for row in rows])
    await connection.execute(sql("plan/add_lines"), number, *columns)


async def close(connection: Connection, number: int, summary: object) -> None:
    """It is whole; these are its figures."""
    await connection.execute(sql("plan/close"), number, msgspec.json.encode(summary).decode())


async def read(connection: Connection, number: int) -> Plan | None:
    row = await connection.fetchrow(sql("plan/read"), number)
    if row is None:
        return None
    applied = (row["applied_at"], row["applied_by"], row["applied_why"])
    is_whole = row["summary"] is not None
    return Plan(row["number"], row["scope"], row["made_at"], row["made_by"], is_whole, *applied)


async def apply(connection: Connection, number: int, who: str, why: str) -> bool:
    """Somebody lets it go; False when somebody did before."""
    return await connection.fetchval(sql("plan/apply"), number, storable(who), storable(why)) is not None


async def count_open(connection: Connection, number: int) -> int:
    """How many lines nobody has decided."""
    return int(await connection.fetchval(sql("plan/count_open"), number))


async def following(connection: Connection, number: int, after: Line | None, limit: int) -> list[Line]:
    """The next lines that nobody has decided."""
    kind, key = ("", "") if after is None else (after.kind, after.key)
    return [Line(*row) for row in await connection.fetch(sql("plan/next"), number, kind, key, limit)]


async def approve(connection: Connection, channel: str, kind: str, lines: Sequence[Line]) -> list[str]:
    """Let exactly these go, where nothing else is wanted by now; the keys that may go."""
    keys, digests = [line.key for line in lines], [line.digest for line in lines]
    if kind == STOCK:
        rows = await connection.fetch(sql("plan/approve_stock"), channel, keys, [int(digest) for digest in digests])
        return [row["sku"] for row in rows]
    return [row["key"] for row in await connection.fetch(sql("plan/approve"), channel, kind, keys, digests)]


async def release_stock(connection: Connection, channel: str, skus: Sequence[str]) -> None:
    """Those of the SKUs that are held are due, at the version that was approved."""
    await connection.execute(sql("outbox/release"), channel, STOCK, list(skus))


async def decide(connection: Connection, number: int, kind: str, keys: Sequence[str], approved: Sequence[str]) -> None:
    """What became of lines of a kind."""
    await connection.execute(sql("plan/decide"), number, kind, list(keys), list(approved))
