"""What every command needs: the configuration, a database or a connected set of services, and exit codes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import IntEnum

from app.engine.flow import Services
from app.engine.wakeups import Wakeups
from app.settings import Secrets, SettingsError, load_channels, load_process
from app.store.migrate import pending
from app.store.pool import DATABASE_AWAY, Database, connect
from app.supervisor import Configuration, services


class Exit(IntEnum):
    """How a command ends."""

    DONE = 0
    DIFFERENCES = 1
    CONFIGURATION = 2
    UNREACHABLE = 3
    FAILED_CHECK = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what `check` found. `ok` None: could not be found out."""

    scope: str
    subject: str
    ok: bool | None
    words: str
    unreachable: bool = False


class UnreachableError(Exception):
    """Something outside does not answer; the message says what, and what to do."""


def configuration() -> Configuration:
    """From the environment and the channel file. Raises SettingsError."""
    process = load_process()
    return Configuration(process, load_channels(process.channels_file), Secrets(process.secrets_folder))


@contextlib.asynccontextmanager
async def database_of(told: Configuration, wakeups: Wakeups | None = None) -> AsyncIterator[Database]:
    """The migrated database. Raises UnreachableError, or SettingsError when it is not migrated."""
    try:
        missing = await pending(told.dsn)
        if missing:
            raise SettingsError(f"the database lacks {', '.join(missing)}: run `centra-mirakl migrate`")
        context = connect(told.dsn, wake=(wakeups or Wakeups()).marked, work_size=3, desk_size=2)
        database = await context.__aenter__()
    except DATABASE_AWAY as exc:
        raise UnreachableError(
            f"the database does not answer ({type(exc).__name__}: {exc}): is DATABASE_URL right, and Postgres up?"
        ) from exc
    try:
        yield database
    finally:
        await context.__aexit__(None, None, None)


@contextlib.asynccontextmanager
async def services_of(told: Configuration) -> AsyncIterator[Services]:
    """Clients and database, as the workers use them."""
    wakeups = Wakeups()
    async with database_of(told, wakeups) as database, services(told, database, wakeups) as parts:
        yield parts
