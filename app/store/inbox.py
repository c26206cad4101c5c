"""Facts with an identity of their own, stored once and before they are acknowledged; and the ones nobody could read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.store.pool import Connection
from app.store.statements import sql, storable

CENTRA_EVENT = "centra.event"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. `body` is JSON without buyer data; `reason` says why it could not be read, None when it could."""

    identity: str
    kind: str
    reference: str
    body: str = "{}"
    reason: str | None = None


async def store(connection: Connection, scope: str, source: str, facts: Iterable[Fact]) -> None:
    """Store facts; one that is here already changes nothing."""
    rows = sorted({f.identity: f for f in facts}.values(), key=lambda f: f.identity)
    if rows:
        await connection.execute(
            sql("inbox/store"),
            scope,
            source,
            [storable(f.identity) for f in rows],
            [storable(f.kind) for f in rows],
            [storable(f.reference) for f in rows],
            [f.body.replace("\\u0000", "\\ufffd") for f in rows],
            ["stored" if f.reason is None else "dead" for f in rows],
            [storable(f.reason) for f in rows],
        )


async def unreadable(connection: Connection, scope: str, source: str) -> list[Fact]:
    """Facts of a source that could not be read, oldest first, unless the ledger has them by now; a thousand at most."""
    rows = await connection.fetch(sql("inbox/unreadable"), scope, source, 1000)
    return [Fact(row["identity"], source, row["reference"], reason=row["reason"]) for row in rows]


async def first_sight(connection: Connection, signature: str, expires_at: datetime) -> bool:
    """Take a webhook's signature as its replay key, with what it marks; False when it was taken before."""
    return await connection.fetchval(sql("webhook/seen"), signature, expires_at) is not None


async def forget_signatures(connection: Connection, before: datetime) -> None:
    """Forget signatures whose time window has passed."""
    await connection.execute(sql("webhook/expire"), before)
