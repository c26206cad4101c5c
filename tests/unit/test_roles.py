"""The database roles of deploy/database: the service's role can do its work and nothing beyond; readers only read.

All of it happens in one transaction that is rolled back, since roles belong to the whole server.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from app.store.embedded_roles import as_role
from app.store.statements import names, sql

DATABASE = Path(__file__).resolve().parents[2] / "deploy" / "database"
RUN, READ, OWNER, MIGRATE = (f"centra_mirakl_{role}" for role in ("run", "read", "owner", "migrate"))
SANDBOX_ONLY = {"app_clock/write"}
"""Only the demo and the tests set the app clock, on a database of their own."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest_asyncio.fixture
async def granted(database_url: str) -> "AsyncIterator[Connection]":
    """A connection whose open transaction has the roles and their grants."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    for name in ("roles.sql", "grants.sql", "roles.sql", "grants.sql"):  # both bear repetition
        await connection.execute((DATABASE / name).read_text(encoding="utf-8"))
    yield connection
    await transaction.rollback()
    await connection.close()


async def _refused(connection: Connection, statement: str) -> str:
    """Postgres's refusal; empty when it let the statement through."""
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        return str(error)
    return ""


async def _may(connection: Connection, role: str, right: str) -> set[str]:
    """The tables for which a role has a right."""
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT relispartition AND has_table_privilege($1, oid, $2)",
        role,
        right,
    )
    return {row["relname"] for row in rows}


async def test_every_statement_of_the_service_is_allowed_to_its_role(granted: Connection) -> None:
    tried = 0
    ours = (name for name in names() if not name.startswith("retention/"))  # those run under the migrate role
    for name in sorted(set(ours) - SANDBOX_ONLY):
        parameters = len((await granted.prepare(sql(name))).get_parameters())
        await granted.execute(f"SET LOCAL ROLE {RUN}")
        arguments = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
        await granted.execute(f"PREPARE tried AS {sql(name)}")
        refusal = await _refused(granted, f"EXPLAIN EXECUTE tried {arguments}")
        await granted.execute("DEALLOCATE tried; RESET ROLE")
        assert refusal == "", name
        tried += 1
    assert tried > 50


async def test_the_service_can_not_rewrite_history_or_the_schema(granted: Connection) -> None:
    everything = await _may(granted, OWNER, "SELECT") | await _may(granted, READ, "SELECT")
    assert await _may(granted, RUN, "DELETE") == {"webhook_seen", "carrier_map"}
    assert await _may(granted, RUN, "TRUNCATE") == set()
    assert await _may(granted, RUN, "UPDATE") & {"audit", "import_line", "schema_migration", "app_clock"} == set()
    assert await _may(granted, RUN, "INSERT") & {"schema_migration", "app_clock"} == set()
    assert {"audit", "effect"} <= everything
    await granted.execute(f"SET LOCAL ROLE {RUN}")
    for statement in (
        "CREATE TABLE theirs ()",
        "DELETE FROM audit",
        "UPDATE audit SET detail = ''",
        "DROP TABLE outbox",
    ):
        assert await _refused(granted, statement), statement


async def test_no_table_is_forgotten_and_readers_only_read(granted: Connection) -> None:
    tables = {
        row["relname"]
        for row in await granted.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
            "AND NOT relispartition"
        )
    }
    assert await _may(granted, READ, "SELECT") == tables - {"webhook_seen", "buyer"}
    assert await _may(granted, RUN, "SELECT") == tables
    for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
        assert await _may(granted, READ, right) == set(), right


async def test_the_owner_never_logs_in_and_the_migrating_role_acts_as_the_owner(granted: Connection) -> None:
    logins = {
        row["rolname"]: row["rolcanlogin"]
        for row in await granted.fetch(
            "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE 'centra!_mirakl!_%' ESCAPE '!'"
        )
    }
    assert logins == {OWNER: False, MIGRATE: True, RUN: True, READ: True}
    assert await granted.fetchval("SELECT pg_has_role($1, $2, 'MEMBER')", MIGRATE, OWNER)
    await granted.execute(f"SET LOCAL ROLE {MIGRATE}")
    await granted.execute(f"SET LOCAL ROLE {OWNER}")
    await granted.execute("CREATE TABLE made_by_a_migration ()")


@pytest.mark.parametrize("role", [RUN, READ])
async def test_whoever_works_has_limits_of_time(granted: Connection, role: str) -> None:
    settings = dict(
        line.split("=", 1) for line in await granted.fetchval("SELECT rolconfig FROM pg_roles WHERE rolname = $1", role)
    )
    assert {"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} <= set(settings)


async def test_the_service_of_the_tests_and_of_the_demo_logs_in_as_its_role(database_url: str) -> None:
    connection = await asyncpg.connect(as_role(database_url))
    try:
        assert await connection.fetchval("SELECT current_user") == RUN
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
        assert "audit" in await _refused(connection, "DELETE FROM audit")
    finally:
        await connection.close()
