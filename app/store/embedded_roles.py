"""The roles of deploy/database on a database of this machine, so that what runs there has the rights of production."""

from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "database"
RUN = "centra_mirakl_run"


async def grant_roles(dsn: str) -> None:
    """Make the roles where the server has none, and grant what each may do with this database's tables.

    `dsn` is a superuser's; the database is migrated. Bears repetition.
    """
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", RUN):
            await connection.execute((FOLDER / "roles.sql").read_text(encoding="utf-8"))
        await connection.execute((FOLDER / "grants.sql").read_text(encoding="utf-8"))
    finally:
        await connection.close()


def as_role(dsn: str, role: str = RUN) -> str:
    """The same database for a role; one that asks for a password keeps its user, and takes the role when connected."""
    parts = urlsplit(dsn)
    if parts.password:
        return f"{dsn}{'&' if parts.query else '?'}role={role}"
    return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()
