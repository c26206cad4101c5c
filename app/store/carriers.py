"""A channel's carrier table: what Centra calls a carrier, and what the marketplace calls it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.domain.after_sale import Advice, Carrier, CarrierRow
from app.store.pool import Connection
from app.store.statements import sql


@dataclass(frozen=True, slots=True)
class Mapped:
    """One row, and who wrote it."""

    row: CarrierRow
    by: str
    at: datetime


async def read(connection: Connection, scope: str) -> list[Mapped]:
    """The whole table, by text."""
    rows = await connection.fetch(sql("carrier_map/all"), scope)
    return [
        Mapped(CarrierRow(r["text"], Carrier(r["code"], r["name"], r["url"])), r["mapped_by"], r["mapped_at"])
        for r in rows
    ]


async def put(connection: Connection, scope: str, rows: Iterable[CarrierRow], by: str) -> None:
    """Add rows, or write them anew."""
    for row in sorted(rows, key=lambda r: r.text):
        carrier = row.carrier
        await connection.execute(sql("carrier_map/put"), scope, row.text, carrier.code, carrier.name, carrier.url, by)


async def take_out(connection: Connection, scope: str, text: str) -> Carrier | None:
    """Delete one row, by its folded text; what it was, None where there is none."""
    row = await connection.fetchrow(sql("carrier_map/delete"), scope, text)
    return None if row is None else Carrier(row["code"], row["name"], row["url"])


@dataclass(frozen=True, slots=True)
class Waiting:
    """Parcels that wait for a row, by Centra's words for their carrier."""

    scope: str
    carrier: str
    service: str
    parcels: int
    oldest_at: datetime

    @property
    def text(self) -> str:
        """As a row names it."""
        return f"{self.carrier} / {self.service}".strip(" /")


async def unmapped(connection: Connection, scope: str | None) -> list[Waiting]:
    """Held parcels whose carrier is not in the table, or not at the marketplace; the oldest first."""
    rows = await connection.fetch(sql("intent/unmapped"), scope, Advice.MAP_CARRIER.value)
    return [Waiting(r["scope"], r["carrier"], r["service"], r["parcels"], r["oldest_at"]) for r in rows]
