"""How far a marketplace's transaction log is read, and what of it is being filled in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from app.domain.settlement import Transaction
from app.store import mirrors
from app.store.pool import Connection, Database
from app.store.statements import sql

READING = "settlement.log"
BACK_FILL = "settlement.back_fill"
SHORTLY = timedelta(hours=6)
"""Well within the grace period in which nothing differs yet."""


class Reading(msgspec.Struct, frozen=True):
    """How far the log is read: everything that changed up to `watermark`, by a pass that began at `whole_at`.

    While a pass is under way it has begun (`began_at`), read up to `newest`, and goes on at `token`.
    """

    watermark: datetime | None = None
    whole_at: datetime | None = None
    began_at: datetime | None = None
    newest: datetime | None = None
    token: str | None = None

    @property
    def is_at_its_end(self) -> bool:
        """Whether no pass is under way."""
        return self.token is None

    def is_whole(self, now: datetime) -> bool:
        """Whether next to nothing is missing: the log was read to its end, not long before a pass that is under way."""
        return self.whole_at is not None and (self.is_at_its_end or now - self.whole_at < SHORTLY)

    def begun(self, now: datetime, token: str | None = None) -> Reading:
        """A pass is under way."""
        return msgspec.structs.replace(self, began_at=self.began_at or now, token=token)

    def read(self, lines: Iterable[Transaction]) -> Reading:
        """Up to the newest of these as well."""
        newest = max([*(line.updated_at for line in lines), *([self.newest] if self.newest else [])], default=None)
        return msgspec.structs.replace(self, newest=newest)

    def ended(self) -> Reading:
        """The pass is complete."""
        return Reading(self.newest or self.watermark, self.began_at)

    def restarted(self) -> Reading:
        """The next page can't be asked for any more. Pages come by last update, so what is read stays read."""
        return msgspec.structs.replace(self, watermark=self.newest or self.watermark, token=None)


async def read_reading(connection: Connection, scope: str) -> Reading:
    """How far the log of a channel is read."""
    return await mirrors.read_cursor(connection, scope, READING, Reading) or Reading()


async def write_reading(connection: Connection, scope: str, reading: Reading) -> None:
    """The log of a channel is read so far."""
    await mirrors.write_cursor(connection, scope, READING, reading)


async def read_since(database: Database) -> dict[str, datetime]:
    """When the last complete pass over each channel's log began; the first one, where none is complete."""
    rows = await database.desk.fetch(sql("cursor/all_of"), READING)
    found = {row["scope"]: msgspec.json.decode(row["body"], type=Reading) for row in rows}
    since = {scope: reading.whole_at or reading.began_at for scope, reading in found.items()}
    return {scope: at for scope, at in since.items() if at is not None}


class BackFill(msgspec.Struct, frozen=True):
    """An export that was asked for: from when on, its id, and how many of its files are stored."""

    since: datetime
    tracking_id: str | None = None
    files: int = 0

    @property
    def is_under_way(self) -> bool:
        """Whether a part of it may be stored and another not."""
        return self.tracking_id is not None


async def read_back_fill(connection: Connection, scope: str) -> BackFill | None:
    """What is to be filled in, if anything is."""
    return await mirrors.read_cursor(connection, scope, BACK_FILL, BackFill)


async def write_back_fill(connection: Connection, scope: str, wanted: BackFill | None) -> None:
    """What is to be filled in; None: nothing any more."""
    await mirrors.write_cursor(connection, scope, BACK_FILL, wanted)
