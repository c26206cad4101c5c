"""Connections and transactions.

Two small pools: `work` for the loops, with pinned plans, since a queue's statistics are always wrong; and `desk` for
people, health and webhooks, so that slow work never keeps them waiting. A transaction gathers its marks into one
statement, its last before commit, and is repeated when Postgres chose it as a deadlock's victim.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import asyncpg

from app.store.hosts import Address, open_connection
from app.store.marks import Mark, one_each, write_marks, write_sorted

T = TypeVar("T")
Row: TypeAlias = asyncpg.Record
if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[Row] | asyncpg.pool.PoolConnectionProxy[Row]
else:  # asyncpg's classes take no type arguments at run time
    Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

REPEATS = 5
COMMAND_SECONDS = 35.0
"""A little above the server's own limit of a statement: whoever waits longer waits for a server that is gone.
The driver then tries to cancel the statement for as long again, before it gives the connection up."""
COMMON = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    "jit": "off",
}
PINNED = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}

DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,  # what the driver says when its connection is cut in the middle of its own protocol
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
)
"""What a loop survives: Postgres is away, busy, or has become a standby. It tries again."""

_REPEATABLE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


@dataclass(slots=True)
class Transaction:
    """An open transaction: its connection, and the marks it will write before it commits."""

    connection: Connection
    marks: list[Mark] = field(default_factory=list)

    def mark(self, marks: Iterable[Mark]) -> None:
        """These keys have something to do, once this transaction commits."""
        self.marks.extend(marks)


class Database:
    """Postgres, as the service uses it."""

    def __init__(
        self,
        work: asyncpg.Pool[Row],
        desk: asyncpg.Pool[Row],
        address: Address,
        wake: Callable[[Iterable[Mark]], None],
    ) -> None:
        self.work = work
        self.desk = desk
        self.address = address
        self._wake = wake

    async def transact(self, steps: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `steps` in a transaction, write its marks last, commit, then wake whom it marked.

        `steps` may run several times, so it changes nothing but the database. Raises what Postgres raises.
        """
        for left in reversed(range(REPEATS)):
            try:
                async with self.work.acquire() as connection, connection.transaction():
                    transaction = Transaction(connection)
                    result = await steps(transaction)
                    marks = await write_marks(connection, transaction.marks)
                self._wake(marks)
                return result
            except _REPEATABLE:
                if not left:
                    raise
        raise AssertionError("unreachable")

    async def alone(self, statement: Callable[[Connection], Awaitable[T]]) -> T:
        """Run one statement that is its own transaction; repeated as `transact` repeats."""
        for left in reversed(range(REPEATS)):
            try:
                async with self.work.acquire() as connection:
                    return await statement(connection)
            except _REPEATABLE:
                if not left:
                    raise
        raise AssertionError("unreachable")

    async def mark(self, marks: Iterable[Mark]) -> None:
        """Mark keys in a transaction of their own."""
        chosen = one_each(marks)
        await self.alone(lambda connection: write_sorted(connection, chosen))
        self._wake(chosen)

    async def close(self) -> None:
        """Give all connections back; waits for those in use."""
        await self.work.close()
        await self.desk.close()


async def _keep(_: Connection) -> None:
    """Nothing to reset: no user of a pool changes its session. Saves a round trip for every use. A transaction that a
    cancelled task left open is rolled back by the driver before this.
    """


@contextlib.asynccontextmanager
async def connect(
    address: Address,
    *,
    wake: Callable[[Iterable[Mark]], None] = lambda _: None,
    work_size: int = 10,
    desk_size: int = 4,
    application: str = "centra-mirakl",
) -> AsyncIterator[Database]:
    """A database that is reachable now; raises one of DATABASE_AWAY when it is not."""
    settings = COMMON | {"application_name": application}

    # The pools' own way to connect remembers one DSN for ever.
    async def opened(dsn: str | None = None, **options: Any) -> asyncpg.Connection[Row]:
        return await open_connection(address, **options)

    async with (
        asyncpg.create_pool(
            connect=opened,
            min_size=1,
            max_size=work_size,
            command_timeout=COMMAND_SECONDS,
            server_settings=settings | PINNED,
            max_inactive_connection_lifetime=0,
            reset=_keep,
        ) as work,
        asyncpg.create_pool(
            connect=opened,
            min_size=1,
            max_size=desk_size,
            command_timeout=COMMAND_SECONDS,
            server_settings=settings,
            max_inactive_connection_lifetime=0,
            reset=_keep,
        ) as desk,
    ):
        yield Database(work, desk, address, wake)
