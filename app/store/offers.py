"""What is wanted, sent and confirmed for each offer of a channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec

from app.domain.ids import Sku
from app.domain.stock import Size
from app.policies.guard import WINDOW_SECONDS, Suspicion
from app.store.marks import Mark
from app.store.pool import Connection, Database
from app.store.sizes import size_of
from app.store.statements import sql

STOCK = "stock"
"""The flow that publishes stock; its key is the SKU."""


@dataclass(frozen=True, slots=True)
class StockOffer:
    """What a stock pass knows of a SKU."""

    sku: Sku
    live: bool
    size: Size | None
    sharing: int
    """How many living sizes carry this SKU; more than one is a mapping fault."""
    sent: int | None
    sent_version: int
    confirmed: int | None
    confirmed_version: int
    voided_version: int
    approved_version: int | None
    read_at: datetime | None = None
    """When the call that read the size began."""
    unplaced: int = 0
    """Units promised to orders that the size's free quantity does not contain yet."""
    live_read_at: datetime | None = None
    """When the marketplace's own figure was last read back."""
    left: bool = False
    """It is not sold on the channel any more, whatever Centra has of it."""
    confirmed_apart: Mapping[str, int] | None = None
    """The units of `confirmed` by warehouse code, those without left out; None: one figure was told."""
    live_apart: Mapping[str, int] | None = None
    """The same of what was last read back; None where the marketplace shows no warehouses."""

    @property
    def is_void(self) -> bool:
        """Whether what was confirmed is no longer believed."""
        return self.confirmed_version <= self.voided_version

    def is_settled(self, quantity: int, by_warehouse: Mapping[str, int] | None = None) -> bool:
        """Whether the marketplace is known to have this quantity, with nothing else on its way."""
        is_same = quantity == self.confirmed and apart(by_warehouse) == self.confirmed_apart
        return is_same and self.sent_version <= self.confirmed_version and not self.is_void


def apart(by_warehouse: Mapping[str, int] | None) -> dict[str, int] | None:
    """As it is stored and compared: a marketplace need not show a warehouse without units."""
    return None if by_warehouse is None else {code: units for code, units in by_warehouse.items() if units}


def apart_text(by_warehouse: Mapping[str, int] | None) -> str | None:
    """The same as JSON."""
    found = apart(by_warehouse)
    return None if found is None else msgspec.json.encode(found, order="sorted").decode()


def _apart_of(text: str | None) -> dict[str, int] | None:
    return None if text is None else msgspec.json.decode(text, type=dict[str, int])


async def read_stock_offers(connection: Connection, channel: str, source: str, skus: Sequence[str]) -> list[StockOffer]:
    """What a stock pass needs of these SKUs, in one read."""
    rows = await connection.fetch(sql("offer/for_stock"), channel, source, list(skus))
    return [
        StockOffer(
            sku=Sku(r["sku"]),
            live=r["live"],
            size=None if r["size_id"] is None else size_of(r, r["sku"]),
            sharing=r["sharing"],
            sent=r["stock_sent"],
            sent_version=r["stock_sent_version"] or 0,
            confirmed=r["stock_confirmed"],
            confirmed_version=r["stock_confirmed_version"] or 0,
            voided_version=r["stock_voided_version"] or 0,
            approved_version=r["stock_approved_version"],
            read_at=r["read_at"],
            unplaced=r["unplaced"],
            live_read_at=r["live_read_at"],
            left=r["left"],
            confirmed_apart=_apart_of(r["stock_confirmed_apart"]),
            live_apart=_apart_of(r["live_apart"]),
        )
        for r in rows
    ]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a pass decided for a SKU."""

    sku: Sku
    quantity: int
    cause: str
    suspicion: Suspicion | None


async def write_wanted(connection: Connection, channel: str, wanted: Iterable[Wanted]) -> None:
    """Write down what was decided, held or sent."""
    rows = sorted(wanted, key=lambda w: w.sku)
    await connection.execute(
        sql("offer/want_stock"),
        channel,
        [w.sku for w in rows],
        [w.quantity for w in rows],
        [w.cause for w in rows],
        [None if w.suspicion is None else w.suspicion.value for w in rows],
    )


async def write_sent(connection: Connection, channel: str, lines: Iterable[tuple[str, int, int]]) -> None:
    """What an import about to leave carries: (SKU, quantity, version)."""
    rows = sorted(lines)
    await connection.execute(
        sql("offer/sent_stock"), channel, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]
    )


async def confirm(
    connection: Connection, channel: str, import_id: int, bad: Iterable[str]
) -> list[tuple[Sku, datetime]]:
    """Confirm the good lines of a finished import; the SKUs newly confirmed and since when each was dirty."""
    rows = await connection.fetch(sql("offer/confirm_stock"), channel, import_id, list(bad))
    return [(Sku(r["sku"]), r["dirty_since"]) for r in rows]


async def push_again(
    connection: Connection,
    channel: str,
    skus: Sequence[str],
    *,
    priority: int = 1,
    due_at: datetime | None = None,
) -> list[Mark]:
    """What is confirmed for these SKUs is no longer believed. Gives the marks to write in the same transaction."""
    await connection.execute(sql("offer/void_stock"), channel, sorted(skus))
    return [Mark(channel, STOCK, sku, priority=priority, due_at=due_at) for sku in skus]


async def price_history(
    connection: Connection, channel: str, skus: Iterable[str], since: datetime
) -> dict[Sku, list[Decimal]]:
    """What offers cost since then, as read back."""
    found: dict[Sku, list[Decimal]] = {}
    for row in await connection.fetch(sql("offer_price/history"), channel, sorted(set(skus)), since):
        found.setdefault(Sku(row["sku"]), []).append(row["amount"])
    return found


async def waiting_for_orders(connection: Connection, channel: str) -> list[Sku]:
    """SKUs that wait for something to happen, such as an increase for a pass over the orders."""
    return [Sku(r["key"]) for r in await connection.fetch(sql("offer/waiting_for_orders"), channel)]


async def suspected(connection: Connection, channel: str) -> dict[Suspicion, frozenset[Sku]]:
    """SKUs under suspicion within the guard's window."""
    rows = await connection.fetch(sql("offer/suspected"), channel, float(WINDOW_SECONDS))
    return {Suspicion(r["kind"]): frozenset(Sku(s) for s in r["skus"]) for r in rows}


async def count_live(connection: Connection, channel: str) -> int:
    """How many offers the marketplace lists."""
    return int(await connection.fetchval(sql("offer/count_live"), channel))


async def marks_for(
    connection: Connection,
    channels: Sequence[str],
    skus: Iterable[str],
    since: Mapping[Sku, datetime] | None = None,
) -> list[Mark]:
    """A stock mark for each channel that lists one of these SKUs; `since`: when each changed in Centra, if known."""
    wanted = sorted(set(skus))
    if not wanted or not channels:
        return []
    rows = await connection.fetch(sql("offer/listed"), list(channels), wanted)
    return [Mark(r["scope"], STOCK, r["sku"], since=(since or {}).get(Sku(r["sku"]))) for r in rows]


async def listed(connection: Connection, channel: str, skus: Iterable[str]) -> list[Sku]:
    """Those of the SKUs that the marketplace lists."""
    rows = await connection.fetch(sql("offer/listed"), [channel], sorted(set(skus)))
    return [Sku(row["sku"]) for row in rows]


async def list_new(connection: Connection, channel: str, skus: Iterable[str]) -> None:
    """An import made these offers: they are listed, whatever the last export said."""
    await connection.execute(sql("offer/list"), channel, sorted(set(skus)))


async def unlist_deleted(connection: Connection, channel: str, skus: Iterable[str]) -> None:
    """An import deleted these offers."""
    await connection.execute(sql("offer/unlist_deleted"), channel, sorted(set(skus)))


@dataclass(frozen=True, slots=True)
class Live:
    """An offer as the marketplace shows it."""

    sku: Sku
    quantity: int | None
    listed: bool
    price: Decimal | None = None
    by_warehouse: Mapping[str, int] | None = None


async def read_back(connection: Connection, channel: str, offers: Iterable[Live], read_at: datetime) -> list[Sku]:
    """Store what the marketplace says it has; the SKUs that are new here and listed."""
    rows = sorted({o.sku: o for o in offers}.values(), key=lambda o: o.sku)
    written = await connection.fetch(
        sql("offer/read_back"),
        channel,
        [o.sku for o in rows],
        [o.quantity for o in rows],
        [o.listed for o in rows],
        read_at,
        [apart_text(o.by_warehouse) for o in rows],
    )
    priced = [(o.sku, o.price) for o in rows if o.price is not None]
    await connection.execute(
        sql("offer_price/write"), channel, [sku for sku, _ in priced], [price for _, price in priced], read_at
    )
    return [Sku(r["sku"]) for r in written if r["is_new"] and r["live"]]


async def drifted(
    connection: Connection, channel: str, skus: Sequence[str], read_at: datetime, asked_at: datetime
) -> list[Sku]:
    """Of the SKUs read back, those whose live quantity is not what was confirmed before the export was asked for; by
    warehouse where both are known so.
    """
    rows = await connection.fetch(sql("offer/drifted"), channel, list(skus), read_at, asked_at)
    return [Sku(r["sku"]) for r in rows]


async def unlist(connection: Connection, channel: str, since: datetime) -> list[Sku]:
    """A full export that began at `since` did not name these offers."""
    rows = await connection.fetch(sql("offer/unlist"), channel, since)
    return [Sku(r["sku"]) for r in rows]


async def next_page(connection: Connection, channel: str, after: str, limit: int) -> list[Sku]:
    """The next SKUs of a channel, in order."""
    return [Sku(r["sku"]) for r in await connection.fetch(sql("offer/page"), channel, after, limit)]


async def approve(database: Database, channel: str, skus: Sequence[str] | None) -> list[Sku]:
    """A person lets held changes pass: versions up to the present ones."""
    rows = await database.desk.fetch(sql("offer/approve"), channel, None if skus is None else list(skus))
    return [Sku(r["sku"]) for r in rows]
