"""The migration runner, on a real server: order, history, refusals, and many runners at once."""

import asyncio
import hashlib
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from app.store.migrate import (
    ADVISORY_LOCK,
    FIRST_WITH_PHASE,
    MIGRATIONS,
    MigrationError,
    migrate,
    pending,
    read_migrations,
)
from tests.child import ROOT

CREATE = "CREATE TABLE parcel (id int PRIMARY KEY, weight int);\n"
INDEX = "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS parcel_weight ON parcel (weight);\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "migrations"
    made.mkdir()
    return made


def write(folder: Path, **files: str) -> None:
    for name, sql in files.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(sql)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def value(dsn: str, query: str, *arguments: object) -> object:
    async with connected(dsn) as connection:
        return await connection.fetchval(query, *arguments)


async def until(condition: Callable[[], Awaitable[object]], *, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def test_applies_files_in_order_once_and_remembers_them(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE, m0002_colour="ALTER TABLE parcel ADD colour text;\n")
    assert await pending(empty_database_url, folder) == ["0001_parcel.sql", "0002_colour.sql"]
    assert await value(empty_database_url, "SELECT to_regclass('schema_migration')") is None, "pending only reads"

    assert await migrate(empty_database_url, folder) == ["0001_parcel.sql", "0002_colour.sql"]
    assert await migrate(empty_database_url, folder) == []
    assert await pending(empty_database_url, folder) == []

    async with connected(empty_database_url) as connection:
        history = await connection.fetch(
            "SELECT name, checksum, now() - applied_at < interval '1 minute' AS recent "
            "FROM schema_migration ORDER BY name"
        )
    assert [row["name"] for row in history] == ["0001_parcel.sql", "0002_colour.sql"]
    assert history[0]["checksum"] == hashlib.sha256(CREATE.encode()).hexdigest()
    assert all(row["recent"] for row in history)

    write(folder, m0003_size="ALTER TABLE parcel ADD size text;\n")
    assert await pending(empty_database_url, folder) == ["0003_size.sql"]
    assert await migrate(empty_database_url, folder) == ["0003_size.sql"]


async def test_a_file_that_fails_leaves_nothing_and_the_ones_before_it_stay(
    empty_database_url: str, folder: Path
) -> None:
    broken = "CREATE TABLE half (id int);\n\nALTER TABLE nowhere ADD colour text;\n"
    write(folder, m0001_parcel=CREATE, m0002_half=broken, m0003_never="CREATE TABLE never (id int);\n")
    with pytest.raises(MigrationError, match=r"0002_half\.sql failed and is not applied: .*nowhere"):
        await migrate(empty_database_url, folder)
    assert await value(empty_database_url, "SELECT to_regclass('half')") is None
    assert await value(empty_database_url, "SELECT array_agg(name) FROM schema_migration") == ["0001_parcel.sql"]

    write(folder, m0002_half="CREATE TABLE half (id int);\n")
    assert await migrate(empty_database_url, folder) == ["0002_half.sql", "0003_never.sql"]


async def test_a_mistake_is_reported_with_its_line(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel="-- two\n-- comments\nCREATE TABEL parcel (id int);\n")
    with pytest.raises(MigrationError, match=r"0001_parcel\.sql failed at line 3 "):
        await migrate(empty_database_url, folder)


async def test_refuses_an_edited_file_and_names_it(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE, m0002_colour="ALTER TABLE parcel ADD colour text;\n")
    await migrate(empty_database_url, folder)
    write(folder, m0001_parcel=CREATE + " ", m0003_size="ALTER TABLE parcel ADD size text;\n")
    for refused in (migrate, pending):
        with pytest.raises(MigrationError, match=r"0001_parcel\.sql was edited after it was applied"):
            await refused(empty_database_url, folder)
    assert await value(empty_database_url, "SELECT count(*) FROM schema_migration") == 2


async def test_refuses_an_applied_file_that_is_gone_or_renamed(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE, m0002_colour="ALTER TABLE parcel ADD colour text;\n")
    await migrate(empty_database_url, folder)
    (folder / "0001_parcel.sql").rename(folder / "0001_box.sql")
    with pytest.raises(MigrationError, match=r"0001_parcel\.sql was applied, but its file is gone or renamed"):
        await migrate(empty_database_url, folder)


async def test_refuses_a_file_older_than_the_newest_applied(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE, m0002_late="SELECT 1;\n", m0003_colour="SELECT 1;\n")
    await migrate(empty_database_url, folder)
    async with connected(empty_database_url) as connection:
        await connection.execute("DELETE FROM schema_migration WHERE name = '0002_late.sql'")
    with pytest.raises(MigrationError, match=r"0002_late\.sql is older than 0003_colour\.sql"):
        await migrate(empty_database_url, folder)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["0001_a", "0003_c"], r"0003_c\.sql should have the number 0002"),
        (["0002_b"], r"0002_b\.sql should have the number 0001"),
        (["0001_a", "0001_b"], r"0001_b\.sql should have the number 0002"),
        (["1_a"], r"1_a\.sql is not a migration's name"),
        (["0001_Upper"], r"0001_Upper\.sql is not a migration's name"),
        (["0001-dash"], r"0001-dash\.sql is not a migration's name"),
        (["0013_phaseless"], r"0013_phaseless\.sql does not say when it may run: end its name in _pre\.sql"),
        (["0014_posted"], r"0014_posted\.sql does not say when it may run"),
    ],
)
async def test_refuses_wrong_numbers_and_names(folder: Path, names: list[str], complaint: str) -> None:
    for name in names:
        (folder / f"{name}.sql").write_text("SELECT 1;\n")
    with pytest.raises(MigrationError, match=complaint):
        read_migrations(folder)


def releases(folder: Path) -> None:
    """A table as old as the names without a phase; a column of the release before, whose old one goes in its post file;
    and this release's own, of which two wait.
    """
    for number in range(1, FIRST_WITH_PHASE):
        (folder / f"{number:04d}_old.sql").write_text(CREATE if number == 1 else "SELECT 1;\n")
    write(folder, m0013_grams_pre="ALTER TABLE parcel ADD grams int;\n")
    write(folder, m0014_weight_post="ALTER TABLE parcel DROP weight;\n")
    write(folder, m0015_size_pre="ALTER TABLE parcel ADD size text;\n")
    write(folder, m0016_grams_post="ALTER TABLE parcel ALTER grams SET NOT NULL;\n")
    write(folder, m0017_size_post="ALTER TABLE parcel ALTER size SET NOT NULL;\n")


PRE = ["0013_grams_pre.sql", "0014_weight_post.sql", "0015_size_pre.sql"]
POST = ["0016_grams_post.sql", "0017_size_post.sql"]


async def test_what_would_break_the_previous_release_waits(empty_database_url: str, folder: Path) -> None:
    dsn = empty_database_url
    releases(folder)
    later = {name: (folder / name).read_text() for name in PRE + POST}
    for name in later:
        (folder / name).unlink()
    await migrate(dsn, folder)
    for name, sql in later.items():
        (folder / name).write_text(sql)

    assert await pending(dsn, folder) == PRE
    assert await migrate(dsn, folder) == PRE, "a post file that a pre file follows is an earlier release's"
    assert await pending(dsn, folder) == [], "ready: nothing waits but what must"
    assert await migrate(dsn, folder) == []
    await value(dsn, "INSERT INTO parcel (id, grams) VALUES (1, NULL) RETURNING id")  # as the previous release writes

    assert await pending(dsn, folder, post=True) == POST
    with pytest.raises(MigrationError, match=r"0016_grams_post\.sql failed"):
        await migrate(dsn, folder, post=True)
    await value(dsn, "DELETE FROM parcel RETURNING id")
    assert await migrate(dsn, folder, post=True) == POST
    assert await pending(dsn, folder, post=True) == []


async def test_the_next_release_applies_what_the_one_before_left_waiting(empty_database_url: str, folder: Path) -> None:
    dsn = empty_database_url
    releases(folder)
    await migrate(dsn, folder)
    async with connected(dsn) as connection:
        await connection.execute("DELETE FROM schema_migration WHERE name = ANY ($1)", POST)
    assert await migrate(dsn, folder) == []
    write(folder, m0018_colour_pre="ALTER TABLE parcel ADD colour text;\n")
    assert await migrate(dsn, folder) == [*POST, "0018_colour_pre.sql"]


async def test_nothing_waits_in_an_empty_database(empty_database_url: str, folder: Path) -> None:
    releases(folder)
    assert (await pending(empty_database_url, folder))[-2:] == POST
    assert (await migrate(empty_database_url, folder))[-2:] == POST


async def test_an_older_release_may_be_started_again_before_the_post_step(
    empty_database_url: str, folder: Path
) -> None:
    """The way back: the previous image on this release's schema."""
    dsn = empty_database_url
    releases(folder)
    await migrate(dsn, folder)
    for name in ("0015_size_pre.sql", *POST):
        (folder / name).unlink()
    assert await pending(dsn, folder) == []
    assert await migrate(dsn, folder) == []


async def test_the_command_says_what_waits_and_for_what(empty_database_url: str, tmp_path: Path) -> None:
    """The command of a release that has a post file, on a database of the release before."""
    for part in ("app", "migrations"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    await migrate(empty_database_url)
    newest = int(read_migrations(MIGRATIONS)[-1].name[:4])
    names = [f"{newest + 1:04d}_new_pre.sql", f"{newest + 2:04d}_old_post.sql"]
    for name in names:
        (tmp_path / "migrations" / name).write_text("SELECT 1;\n")

    async def command(*options: str) -> list[str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app", "migrate", *options),
            cwd=tmp_path,
            env={**os.environ, "DATABASE_URL": empty_database_url, "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0
        return said.decode().splitlines()

    waits = f"waits {names[1]}: run `centra-mirakl migrate --post` once no replica of the previous release runs"
    assert await command() == [f"applied {names[0]}", waits]
    assert await command("--post") == [f"applied {names[1]}"]


@pytest.mark.parametrize("line", ["COMMIT;", "begin;", "  Rollback ;", "START TRANSACTION;", "COMMIT WORK;"])
async def test_refuses_a_file_that_steers_its_own_transaction(folder: Path, line: str) -> None:
    write(folder, m0001_parcel=f"{CREATE}{line}\n")
    with pytest.raises(MigrationError, match=r"0001_parcel\.sql says .* itself"):
        read_migrations(folder)


async def test_a_function_body_with_begin_and_end_is_no_transaction(empty_database_url: str, folder: Path) -> None:
    body = "CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1;\nEND;\n$$;\n"
    write(folder, m0001_one=body)
    await migrate(empty_database_url, folder)
    assert await value(empty_database_url, "SELECT one()") == 1


async def test_says_what_is_wrong_where_the_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="There is no folder of migrations at"):
        read_migrations(tmp_path / "nowhere")


async def test_an_older_release_accepts_a_newer_schema(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE, m0002_colour="ALTER TABLE parcel ADD colour text;\n")
    await migrate(empty_database_url, folder)
    (folder / "0002_colour.sql").unlink()
    assert await pending(empty_database_url, folder) == []
    assert await migrate(empty_database_url, folder) == []


async def test_concurrent_indexes_need_the_marker(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE, m0002_index=INDEX.removeprefix("-- no-transaction\n"))
    with pytest.raises(MigrationError, match=r"0002_index\.sql failed .*transaction block"):
        await migrate(empty_database_url, folder)
    write(folder, m0002_index=INDEX)
    assert await migrate(empty_database_url, folder) == ["0002_index.sql"]
    assert await value(empty_database_url, "SELECT to_regclass('parcel_weight') IS NOT NULL")


async def test_refuses_two_statements_without_a_transaction(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE, m0002_two=INDEX + "CREATE TABLE second (id int);\n")
    with pytest.raises(MigrationError, match=r"0002_two\.sql has more than one statement"):
        await migrate(empty_database_url, folder)
    assert await value(empty_database_url, "SELECT to_regclass('parcel_weight')") is None
    assert await value(empty_database_url, "SELECT to_regclass('second')") is None


RUNNER = """
import asyncio, sys
from pathlib import Path
from app.store.migrate import migrate
sys.stdin.readline()
print(*asyncio.run(migrate(sys.argv[1], Path(sys.argv[2]))))
"""


async def test_five_runners_apply_each_file_once(empty_database_url: str, folder: Path) -> None:
    # A second run of any file would fail or leave a trace: none of them is repeatable but the index.
    fill = "INSERT INTO parcel SELECT n, n % 97 FROM generate_series(1, 100000) AS n;\n"
    write(folder, m0001_parcel=CREATE, m0002_fill=fill, m0003_index=INDEX)
    write(folder, m0004_log="CREATE TABLE log (run int);\n", m0005_once="INSERT INTO log VALUES (1);\n")
    runners = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", RUNNER, empty_database_url, str(folder)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(5)
    ]
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(each.communicate(b"go\n") for each in runners))
    assert [each.returncode for each in runners] == [0] * 5, [said.decode() for _, said in answers]
    applied = sorted(name for out, _ in answers for name in out.decode().split())
    assert applied == [each.name for each in read_migrations(folder)]
    assert await value(empty_database_url, "SELECT count(*) FROM log") == 1
    assert await value(
        empty_database_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'parcel_weight'::regclass"
    )


async def test_a_waiting_runner_does_not_stop_a_concurrent_index(empty_database_url: str, folder: Path) -> None:
    """The deadlock that pg_advisory_lock() makes: the index waits for the snapshot of the one who waits."""
    write(folder, m0001_parcel=CREATE, m0002_index=INDEX)
    async with connected(empty_database_url) as old, asyncio.TaskGroup() as tasks:
        transaction = old.transaction(isolation="repeatable_read")
        await transaction.start()
        await old.fetchval("SELECT 1")  # takes the snapshot that the index waits for
        runners = [tasks.create_task(migrate(empty_database_url, folder)) for _ in range(5)]
        building = "SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'"
        await until(lambda: value(empty_database_url, building))
        await transaction.rollback()
    assert sorted(name for each in runners for name in each.result()) == ["0001_parcel.sql", "0002_index.sql"]


async def test_gives_up_when_another_runner_takes_too_long(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE)
    async with connected(empty_database_url) as other:
        await other.execute(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
        with pytest.raises(MigrationError, match=r"Another migration has been running for 0\.3 s"):
            await migrate(empty_database_url, folder, wait_seconds=0.3)
        assert await value(empty_database_url, "SELECT to_regclass('parcel')") is None
    assert await migrate(empty_database_url, folder) == ["0001_parcel.sql"]


async def test_repairs_an_index_whose_build_was_cut_off(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE, m0002_fill="INSERT INTO parcel VALUES (1, 1);\n", m0003_index=INDEX)
    dsn = empty_database_url
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('parcel_weight')"
    async with connected(dsn) as old:
        transaction = old.transaction(isolation="repeatable_read")
        await transaction.start()
        await old.fetchval("SELECT 1")  # takes the snapshot that the index waits for
        runner = asyncio.create_task(migrate(dsn, folder))
        building = "SELECT pid FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'"
        await until(lambda: value(dsn, building))
        await value(dsn, f"SELECT pg_terminate_backend(({building}))")
        with pytest.raises((MigrationError, asyncpg.PostgresConnectionError)):
            await runner
        await transaction.rollback()
    assert await value(dsn, valid) is False, "the cut must leave a broken index, else this proves nothing"
    assert await migrate(dsn, folder) == ["0003_index.sql"]
    assert await value(dsn, valid) is True


async def test_a_crash_between_the_index_and_its_row_is_made_good(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE, m0002_index=INDEX)
    await migrate(empty_database_url, folder)
    async with connected(empty_database_url) as connection:
        await connection.execute("DELETE FROM schema_migration WHERE name = '0002_index.sql'")
    assert await migrate(empty_database_url, folder) == ["0002_index.sql"]


async def test_gives_way_while_a_table_is_locked_and_tries_again(empty_database_url: str, folder: Path) -> None:
    dsn = empty_database_url
    write(folder, m0001_parcel=CREATE)
    await migrate(dsn, folder)
    write(folder, m0002_colour="ALTER TABLE parcel ADD colour text;\n")
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'parcel'::regclass AND NOT granted"

    async def runner_waits() -> bool:
        return await value(dsn, waiting) == 1

    async def runner_gave_way() -> bool:
        return await value(dsn, waiting) == 0

    async with connected(dsn) as reader, asyncio.TaskGroup() as tasks:
        transaction = reader.transaction()
        await transaction.start()
        await reader.fetch("SELECT * FROM parcel")
        runner = tasks.create_task(migrate(dsn, folder))
        await until(runner_waits)
        await until(runner_gave_way)
        assert not runner.done()
        await until(runner_waits)
        await transaction.rollback()
    assert runner.result() == ["0002_colour.sql"]


async def test_names_the_file_that_never_got_its_table_lock(empty_database_url: str, folder: Path) -> None:
    write(folder, m0001_parcel=CREATE)
    await migrate(empty_database_url, folder)
    write(folder, m0002_colour="ALTER TABLE parcel ADD colour text;\n")
    async with connected(empty_database_url) as reader, reader.transaction():
        await reader.fetch("SELECT * FROM parcel")
        with pytest.raises(MigrationError, match=r"0002_colour\.sql waited 1 s for its table locks"):
            await migrate(empty_database_url, folder, wait_seconds=1)


async def test_a_test_database_has_all_migrations_of_the_repository(database_url: str) -> None:
    assert await pending(database_url, post=True) == []
    assert await migrate(database_url, post=True) == []
    names = [each.name for each in read_migrations(MIGRATIONS)]
    async with connected(database_url) as connection:
        if names:
            rows = await connection.fetch("SELECT name FROM schema_migration ORDER BY name")
            assert [row["name"] for row in rows] == names


async def test_test_databases_are_fresh_and_apart(database_url: str, empty_database_url: str) -> None:
    assert database_url != empty_database_url
    async with connected(database_url) as connection:
        await connection.execute("CREATE TABLE only_here (id int)")
    assert await value(empty_database_url, "SELECT to_regclass('only_here')") is None
    assert re.fullmatch(r"test_[0-9a-f]{12}", str(await value(database_url, "SELECT current_database()")))
