"""Connections: a cancelled transaction leaves nothing behind, and a rotated login is used from the next one on."""

from pathlib import Path

import anyio
import pytest

from app.settings import Process, Secrets
from app.store.embedded_roles import RUN, as_role
from app.store.marks import Mark
from app.store.notices import listen
from app.store.pool import DATABASE_AWAY, Transaction, connect
from app.supervisor import database_address
from tests.flows.service import until


async def test_a_cancelled_transaction_is_rolled_back_before_the_connection_is_used_again(database_url: str) -> None:
    async with connect(database_url, work_size=1) as database:

        async def never_ends(transaction: Transaction) -> None:
            await transaction.connection.execute("INSERT INTO lane (scope, lane) VALUES ('a', 'half done')")
            await transaction.connection.execute("SELECT pg_sleep(60)")

        with pytest.raises(TimeoutError), anyio.fail_after(0.3):
            await database.transact(never_ends)
        assert await database.work.fetchval("SELECT count(*) FROM lane") == 0
        await database.mark([Mark("a", "stock", "VX-1")])
        assert await database.desk.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_rotated_login_is_used_for_new_connections_without_a_restart(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    mounted = tmp_path / "database_url"
    mounted.write_text(database_url)

    def address() -> str:
        return database_address(Process(), Secrets(tmp_path))

    async with connect(address) as database, anyio.create_task_group() as group:
        group.start_soon(listen, address, lambda *_: None)
        before = await database.work.fetchval("SELECT current_user")
        assert before != RUN
        mounted.write_text(as_role(database_url))
        assert await database.work.fetchval("SELECT current_user") == before, "what is open goes on"
        async with database.desk.acquire() as connection:  # as a restart of Postgres does
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        async def of_the_new_role() -> bool:
            count = await database.desk.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = $1", RUN
            )
            return int(count) >= 2

        async def works_as_the_new_role() -> bool:
            try:
                return bool(await database.work.fetchval("SELECT current_user") == RUN)
            except DATABASE_AWAY:  # the end of an old connection
                return False

        await until(works_as_the_new_role, "work is done in the new role")
        await until(of_the_new_role, "the listener has connected anew, and the pool")
        group.cancel_scope.cancel()
