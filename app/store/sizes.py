"""Stock facts of the source, and what follows for the channels that list them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from app.domain.ids import SizeId, Sku, WarehouseId
from app.domain.stock import Size
from app.store.pool import Connection, Row
from app.store.statements import sql


@dataclass(frozen=True, slots=True)
class SizeRead:
    """A size as a request just read it, with the variant it belongs to."""

    size: Size
    variant_id: int | None


@dataclass(frozen=True, slots=True)
class Written:
    """What an answer changed: SKUs whose facts changed, old and new; and sizes that were left alone, since a request
    that began later was stored before. The answer may know more all the same, if it came late.
    """

    changed: set[Sku]
    overtaken: set[SizeId]


async def write_sizes(connection: Connection, source: str, reads: Iterable[SizeRead], read_at: datetime) -> Written:
    """Store sizes read by a request that began at `read_at`."""
    rows = sorted({r.size.size_id: r for r in reads}.values(), key=lambda r: r.size.size_id)
    if not rows:
        return Written(set(), set())
    ids = [r.size.size_id for r in rows]
    before = {row["size_id"]: row for row in await connection.fetch(sql("size/lock"), source, ids)}
    written = await connection.fetch(
        sql("size/write"),
        source,
        ids,
        [r.size.sku for r in rows],
        [r.variant_id for r in rows],
        [_free_json(r.size) for r in rows],
        [r.size.offset for r in rows],
        [r.size.active for r in rows],
        [r.size.preorder for r in rows],
        read_at,
    )
    changed: set[Sku] = set()
    for row in written:
        old = before.get(row["size_id"])
        if old is None:
            changed.add(Sku(row["sku"]))
        elif old["facts"] != row["facts"]:
            changed |= {Sku(old["sku"]), Sku(row["sku"])}
    return Written(changed, {r.size.size_id for r in rows} - {SizeId(row["size_id"]) for row in written})


def _free_json(size: Size) -> str:
    return msgspec.json.encode({str(w): free for w, free in sorted(size.free.items())}).decode()


def size_of(row: Row, sku: str) -> Size:
    """The size in a row of `offer/for_stock` or `size/by_sku`."""
    free = msgspec.json.decode(row["free"], type=dict[int, int | None])
    return Size(
        SizeId(row["size_id"]),
        Sku(sku),
        {WarehouseId(w): quantity for w, quantity in free.items()},
        row["stock_offset"],
        row["active"],
        row["preorder"],
        row["deleted"],
    )


async def by_skus(connection: Connection, source: str, skus: Sequence[str]) -> dict[Sku, list[Size]]:
    """The sizes that carry some SKUs, living ones first; for one that none carries any more, the size that bore it
    before: orders name it as long as its offer was live (field case 67).
    """
    found: dict[Sku, list[Size]] = {}
    for row in await connection.fetch(sql("size/by_skus"), source, list(skus)):
        found.setdefault(Sku(row["sku"]), []).append(size_of(row, row["sku"]))
    former = [sku for sku in skus if all(size.deleted for size in found.get(Sku(sku), ()))]
    if former:
        for row in await connection.fetch(sql("size/by_former_skus"), source, former):
            found.setdefault(Sku(row["former"]), []).insert(0, size_of(row, row["sku"]))
    return found


async def delete_sizes(connection: Connection, source: str, size_ids: Sequence[int]) -> set[Sku]:
    """Centra says that these sizes are gone; their SKUs."""
    rows = await connection.fetch(sql("size/delete"), source, list(size_ids))
    return {Sku(row["sku"]) for row in rows}


async def unseen(connection: Connection, source: str, since: datetime) -> list[SizeId]:
    """Sizes that a complete walk begun at `since` did not meet."""
    return [SizeId(row["size_id"]) for row in await connection.fetch(sql("size/unseen"), source, since)]


async def sizes_of_variants(connection: Connection, source: str, variant_ids: Sequence[int]) -> list[SizeId]:
    """The known sizes of some variants."""
    rows = await connection.fetch(sql("size/of_variants"), source, list(variant_ids))
    return [SizeId(row["size_id"]) for row in rows]


async def sizes_of_display_items(connection: Connection, source: str, items: Sequence[int]) -> list[SizeId]:
    """The known sizes that some display items show."""
    rows = await connection.fetch(sql("size/of_display_items"), source, list(items))
    return [SizeId(row["size_id"]) for row in rows]


async def write_display_items(connection: Connection, source: str, shown: Iterable[tuple[int, int]]) -> None:
    """Which variants are shown under an id of the storefront: (display item or display, variant)."""
    rows = sorted(set(shown))
    await connection.execute(sql("size/write_display_items"), source, [r[0] for r in rows], [r[1] for r in rows])
