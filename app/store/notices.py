"""LISTEN and NOTIFY between replicas: a wish that saves a quarter of a second, never relied on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import anyio
import asyncpg

from app.store.hosts import Address, open_connection
from app.store.pool import COMMON, DATABASE_AWAY, Database
from app.store.statements import sql

CHANNEL = "outbox"
SEPARATOR = "\t"


async def notify(database: Database, places: Iterable[tuple[str, str]]) -> None:
    """Tell other replicas that keys of these (scope, flow) were marked; after the commit, on its own."""
    await database.desk.execute(sql("outbox/notify"), [SEPARATOR.join(place) for place in sorted(places)])


async def listen(address: Address, heard: Callable[[str, str], None], *, retry_seconds: float = 1.0) -> None:
    """Call `heard(scope, flow)` for each notice, on a connection that does nothing else; for ever."""

    def on_notice(_: object, __: int, ___: str, payload: object) -> None:
        scope, found, flow = str(payload).partition(SEPARATOR)
        if found:
            heard(scope, flow)

    while True:
        try:
            settings = COMMON | {"application_name": "listen"}
            connection = await open_connection(address, server_settings=settings)
        except DATABASE_AWAY:
            await anyio.sleep(retry_seconds)
            continue
        try:
            await connection.add_listener(CHANNEL, on_notice)
            await _until_closed(connection)
        except DATABASE_AWAY:
            pass
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await connection.close(timeout=1)


async def _until_closed(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    closed = anyio.Event()
    connection.add_termination_listener(lambda _: closed.set())
    await closed.wait()
