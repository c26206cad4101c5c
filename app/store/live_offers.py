"""Offers as the marketplace shows them, and what of ours they are compared with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.domain.ids import Sku
from app.domain.live_offer import LiveOffer
from app.store.marks import Mark
from app.store.pool import Connection, Row
from app.store.products import digest_of
from app.store.publications import Kind, Standing
from app.store.statements import sql

EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shown:
    """An offer as it was last read, with its quantity."""

    offer: LiveOffer
    quantity: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What was confirmed of a key, as JSON values, and what is live; None: nothing is."""

    kind: Kind
    key: str
    state: Standing
    reasons: tuple[str, ...]
    sent: Any
    live: LiveOffer | None


async def write(connection: Connection, channel: str, offers: Iterable[LiveOffer], read_at: datetime) -> None:
    """Store those that changed."""
    rows = sorted({offer.sku: offer for offer in offers}.values(), key=lambda offer: offer.sku)
    await connection.execute(
        sql("live_offer/write"),
        channel,
        [offer.sku for offer in rows],
        [msgspec.json.encode(offer, order="deterministic").decode() for offer in rows],
        [digest_of(offer) for offer in rows],
        read_at,
    )


async def of_skus(connection: Connection, channel: str, skus: Sequence[str]) -> dict[Sku, Shown]:
    """Those of the SKUs that are live."""
    return _shown(await connection.fetch(sql("live_offer/of_skus"), channel, list(skus)))


async def strays(connection: Connection, channel: str, source: str, after: str, limit: int) -> dict[Sku, Shown]:
    """The next live offers whose SKU no product in Centra bears, in order."""
    return _shown(await connection.fetch(sql("live_offer/strays"), channel, source, after, limit))


def _shown(rows: Iterable[Row]) -> dict[Sku, Shown]:
    return {Sku(row["sku"]): Shown(_facts(row["facts"]), row["live_quantity"] or 0) for row in rows}


def _facts(text: str) -> LiveOffer:
    return msgspec.json.decode(text, type=LiveOffer)


async def confirmed(
    connection: Connection, channel: str, kinds: Sequence[Kind], since: datetime | None, until: datetime, limit: int
) -> AsyncIterator[list[str]]:
    """SKUs of what was confirmed in this time, page by page."""
    at, key = since or EVER, ""
    names = [kind.value for kind in kinds]
    while rows := await connection.fetch(sql("live_offer/confirmed"), channel, names, until, at, key, limit):
        at, key = rows[-1]["confirmed_at"], rows[-1]["key"]
        yield sorted({row["key"] for row in rows})


async def to_compare(
    connection: Connection, channel: str, kinds: Sequence[Kind], skus: Sequence[str], until: datetime
) -> list[Compared]:
    """What of these SKUs was confirmed before then, with nothing newer on its way and nobody asked about it."""
    names = [kind.value for kind in kinds]
    rows = await connection.fetch(sql("live_offer/to_compare"), channel, names, list(skus), until)
    return [
        Compared(
            Kind(row["kind"]),
            row["key"],
            Standing(row["state"]),
            tuple(msgspec.json.decode(row["reasons"] or "[]")),
            msgspec.json.decode(row["sent_body"]),
            None if row["facts"] is None else _facts(row["facts"]),
        )
        for row in rows
    ]


async def correct(connection: Connection, channel: str, kind: Kind, keys: Iterable[str]) -> list[Mark]:
    """Send these again, but at most once a day. Gives the marks to write in the same transaction."""
    rows = await connection.fetch(sql("live_offer/correct"), channel, kind.value, sorted(keys))
    return [Mark(channel, kind.value, row["key"]) for row in rows]
