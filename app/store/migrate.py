"""The schema's history: plain SQL files, each applied once, in order, by one runner at a time.

Files are `migrations/NNNN_purpose_pre.sql` or `…_post.sql`, numbered from 0001 without a gap, and never edited once
applied (0001 to 0012 bear no phase and are pre). A pre file brings what this release needs, and the previous release
runs on; a post file takes away what the previous release needs, so the last ones of a release wait until no replica of
that runs any more. A post file that a pre file follows is an earlier release's and waits for nothing.

Each runs in one transaction together with its row in `schema_migration`. A file whose first line is
`-- no-transaction` holds one statement that can't run in a transaction, such as CREATE INDEX CONCURRENTLY; it
must bear being run again (IF NOT EXISTS), because a crash can fall between the statement and its row.

Runners take turns by polling pg_try_advisory_lock: one that waits inside pg_advisory_lock() holds a snapshot,
and CREATE INDEX CONCURRENTLY waits for that snapshot, so both would wait for ever. The runner needs a direct
connection: behind a pooler in transaction mode the lock would belong to nobody.
"""

import hashlib
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import anyio
import asyncpg

from app.store.hosts import open_connection

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
NO_TRANSACTION = "-- no-transaction"
WAIT_SECONDS = 60.0
LOCK_POLL_SECONDS = 0.1
# A file that waits for a table lock makes everybody behind it wait too: give way, and try again.
TABLE_LOCK_SECONDS = 2
ADVISORY_LOCK = 0x63656E7472616D  # the letters "centram"

FIRST_WITH_PHASE = 13

_NAME = re.compile(r"(\d{4})_[a-z0-9]+(?:_[a-z0-9]+)*\.sql")
_OWN_TRANSACTION = re.compile(
    r"^\s*(begin|start\s+transaction|commit|rollback|abort)(\s+(work|transaction))?\s*;",
    re.IGNORECASE | re.MULTILINE,
)
_CONCURRENT_INDEX = re.compile(
    r"\bcreate\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?([a-z0-9_]+)\s+on\b",
    re.IGNORECASE,
)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class MigrationError(Exception):
    """The schema can't be brought up to date; the text names the file and says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name, its text and the SHA-256 of its bytes, as 64 hexadecimal digits."""

    name: str
    sql: str
    checksum: str

    @property
    def in_transaction(self) -> bool:
        return self.sql.split("\n", 1)[0].strip() != NO_TRANSACTION

    @property
    def is_post(self) -> bool:
        return int(self.name[:4]) >= FIRST_WITH_PHASE and self.name.endswith("_post.sql")


async def migrate(
    dsn: str, folder: Path = MIGRATIONS, *, post: bool = False, wait_seconds: float = WAIT_SECONDS
) -> list[str]:
    """Apply what is missing, in order, and return the names of the files that this call applied.

    The release's own post files are left out unless `post`, except in an empty database. `wait_seconds` bounds the
    wait for another runner, and for each file the wait for table locks. The files before one that fails stay applied.
    Raises MigrationError, or OSError and asyncpg's connection errors when the server can't be reached.
    """
    migrations = read_migrations(folder)
    async with _connection(dsn) as connection:
        if not due(migrations, await _applied(connection), post=post):
            return []
        await _take_turn(connection, wait_seconds)
        await _make_history(connection)
        # Read again: another runner may have been at work while this one waited.
        names = []
        for migration in due(migrations, await _applied(connection), post=post):
            await _apply(connection, migration, wait_seconds)
            names.append(migration.name)
        return names


async def pending(dsn: str, folder: Path = MIGRATIONS, *, post: bool = False) -> list[str]:
    """Return the names of the files that `migrate` would apply; changes nothing. For readiness, which no post file of
    the release keeps waiting.

    Files that only the database knows are a newer release's, and no reason to wait. Raises as `migrate` does.
    """
    migrations = read_migrations(folder)
    async with _connection(dsn) as connection:
        return [each.name for each in due(migrations, await _applied(connection), post=post)]


def read_migrations(folder: Path) -> list[Migration]:
    """Read the folder's files in order. Raises MigrationError for a wrong name, a gap or a double number."""
    if not folder.is_dir():
        raise MigrationError(f"There is no folder of migrations at {folder}: run this from a whole installation.")
    migrations = [_read(path) for path in sorted(folder.glob("*.sql"))]
    for expected, migration in enumerate(migrations, start=1):
        if int(migration.name[:4]) != expected:
            raise MigrationError(
                f"{migration.name} should have the number {expected:04d}: migrations are numbered from 0001, "
                "without a gap and each number once."
            )
    return migrations


def _read(path: Path) -> Migration:
    if not _NAME.fullmatch(path.name):
        raise MigrationError(f"{path.name} is not a migration's name: call it NNNN_purpose_pre.sql, in lower case.")
    if int(path.name[:4]) >= FIRST_WITH_PHASE and not path.stem.endswith(("_pre", "_post")):
        raise MigrationError(
            f"{path.name} does not say when it may run: end its name in _pre.sql (before the new release, which needs "
            "it) or in _post.sql (once no replica of the previous release runs, which still needs what it takes away)."
        )
    content = path.read_bytes()
    migration = Migration(path.name, content.decode(), hashlib.sha256(content).hexdigest())
    own = _OWN_TRANSACTION.search(migration.sql)
    if own is not None:
        raise MigrationError(
            f"{path.name} says {own[0].strip()} itself: the runner gives each file its transaction, so "
            "remove that line."
        )
    return migration


def due(migrations: Sequence[Migration], applied: dict[str, str], *, post: bool) -> list[Migration]:
    """Of what is missing, what may be applied now. Raises as `missing` does."""
    left = missing(migrations, applied)
    if post or not applied:  # nobody works on an empty database
        return left
    now = before_post(migrations)
    return [each for each in left if each in now]


def before_post(migrations: Sequence[Migration]) -> Sequence[Migration]:
    """All but the release's own post files, which are the last ones: what a rolling deploy runs on."""
    end = max((number for number, each in enumerate(migrations, start=1) if not each.is_post), default=0)
    return migrations[:end]


def missing(migrations: Sequence[Migration], applied: dict[str, str]) -> list[Migration]:
    """Compare files with the history (name to checksum), and return those to apply.

    Raises MigrationError for a file that was edited, renamed or removed after it was applied, or that came in
    below the newest applied one. Applied names above the newest file belong to a newer release: accepted.
    """
    by_name = {each.name: each for each in migrations}
    newest_applied = max(applied, default="")
    newest_file = migrations[-1].name if migrations else ""
    for name, checksum in sorted(applied.items()):
        if name in by_name and by_name[name].checksum != checksum:
            raise MigrationError(
                f"{name} was edited after it was applied: put its text back, and write the change as a new file."
            )
        if name not in by_name and name[:4] <= newest_file[:4]:
            raise MigrationError(f"{name} was applied, but its file is gone or renamed: put it back.")
    left = [each for each in migrations if each.name not in applied]
    for each in left:
        if each.name < newest_applied:
            raise MigrationError(
                f"{each.name} is older than {newest_applied}, which is applied: give it the next free number."
            )
    return left


@asynccontextmanager
async def _connection(dsn: str) -> AsyncIterator[Connection]:
    settings = {
        "application_name": "centra-mirakl migrate",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "lock_timeout": f"{TABLE_LOCK_SECONDS}s",
        "timezone": "UTC",
    }
    connection = await open_connection(dsn, timeout=10, server_settings=settings)
    try:
        yield connection
    finally:
        # Closing the session gives the advisory lock back, whatever happened.
        with anyio.CancelScope(shield=True), suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.close(timeout=5)


async def _applied(connection: Connection) -> dict[str, str]:
    if await connection.fetchval("SELECT to_regclass('schema_migration') IS NULL"):
        return {}
    rows = await connection.fetch("SELECT name, checksum FROM schema_migration")
    return {row["name"]: row["checksum"] for row in rows}


async def _take_turn(connection: Connection, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):
        if time.monotonic() > deadline:
            raise MigrationError(
                f"Another migration has been running for {wait_seconds:g} s: wait for it to end, or look in "
                "pg_stat_activity for application_name 'centra-mirakl migrate'."
            )
        await anyio.sleep(LOCK_POLL_SECONDS)


async def _make_history(connection: Connection) -> None:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migration ("
        "name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )


async def _apply(connection: Connection, migration: Migration, wait_seconds: float) -> None:
    try:
        if migration.in_transaction:
            await _apply_whole(connection, migration, wait_seconds)
        else:
            await _apply_alone(connection, migration)
    except asyncpg.PostgresConnectionError:
        raise
    except asyncpg.PostgresError as error:
        at = f" at {_line(migration.sql, error)}" if getattr(error, "position", None) else ""
        raise MigrationError(f"{migration.name} failed{at} and is not applied: {error}") from error


async def _apply_whole(connection: Connection, migration: Migration, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await _record(connection, migration)
        except asyncpg.LockNotAvailableError:
            if time.monotonic() > deadline:
                raise MigrationError(
                    f"{migration.name} waited {wait_seconds:g} s for its table locks and is not applied: a "
                    "long transaction holds them (see pg_stat_activity); end it, or try at a quieter time."
                ) from None
            await anyio.sleep(LOCK_POLL_SECONDS)
        else:
            return


async def _apply_alone(connection: Connection, migration: Migration) -> None:
    try:
        # The server refuses to prepare more than one statement, and preparing runs nothing.
        await connection.prepare(migration.sql)
    except asyncpg.PostgresSyntaxError as error:
        if "multiple commands" not in str(error):
            raise
        raise MigrationError(
            f"{migration.name} has more than one statement: under {NO_TRANSACTION} there can be only one, "
            "because nothing would undo the first when the second fails."
        ) from error
    # It waits for other transactions by design, and blocks nobody meanwhile.
    await connection.execute("SET lock_timeout = 0")
    await _drop_unfinished_index(connection, migration)
    await connection.execute(migration.sql)
    await connection.execute(f"SET lock_timeout = '{TABLE_LOCK_SECONDS}s'")
    await _record(connection, migration)


async def _drop_unfinished_index(connection: Connection, migration: Migration) -> None:
    """A runner killed half way leaves an invalid index, which IF NOT EXISTS would take for a good one."""
    named = _CONCURRENT_INDEX.search(migration.sql)
    if named is None:
        return
    unfinished = await connection.fetchval(
        "SELECT quote_ident(relname) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        "WHERE indexrelid = to_regclass($1) AND NOT indisvalid",
        named[1],
    )
    if unfinished is not None:
        await connection.execute(f"DROP INDEX CONCURRENTLY {unfinished}")


async def _record(connection: Connection, migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
    )


def _line(sql: str, error: asyncpg.PostgresError) -> str:
    position = int(str(error.as_dict().get("position", "1")))
    return f"line {sql.count(chr(10), 0, position - 1) + 1}"
