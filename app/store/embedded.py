"""A PostgreSQL of our own for the demo and the tests, where no DATABASE_URL is given.

It makes a cluster in a private folder, starts it on a private Unix socket (no network at all) and stops it
again. Two launchers on one data folder share one server, and only the one that started it stops it. Nothing
outside the data folder and the socket folder is changed or made readable.

For local use only: `trust` on a socket that no other user can reach, and a cluster made without syncing it.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import asyncpg

from app.store.embedded_binaries import (
    BINARIES_VARIABLE,
    LocalPostgresError,
    RunAs,
    environment,
    find_binaries,
    run_as,
)
from app.store.embedded_place import (
    PORT,
    Place,
    alone,
    claim_folder,
    claim_socket_folder,
    clear_leftovers,
    forget_socket,
    place_for,
    postmaster_pid,
    processes_in,
)

__all__ = ["LocalPostgresError", "Server", "dsn_or_local", "find_binaries", "local_postgres", "start"]

START_SECONDS = 60.0  # a cluster that recovers from a crash on a slow disk takes its time
SETTLE_SECONDS = 15.0  # what is left of a killed server goes within this time
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Server:
    """A running local server; where not `started_here`, another launcher owns it and `stop` does nothing."""

    dsn: str
    pid: int
    place: Place
    process: "subprocess.Popen[bytes] | None" = field(repr=False)

    @property
    def started_here(self) -> bool:
        return self.process is not None

    async def stop(self) -> None:
        """Stop by a fast shutdown (SIGINT), harder only where that does not end it; safe to call twice."""
        if self.process is None:
            return
        with anyio.CancelScope(shield=True):
            async with alone(self.place):
                await _end(self.process)
                if not processes_in(self.place):
                    forget_socket(self.place)


@asynccontextmanager
async def dsn_or_local(data_folder: Path | None = None, binaries: Path | None = None) -> AsyncIterator[str]:
    """Give DATABASE_URL where it is set, and start nothing; else a local server while the block lasts."""
    given = os.environ.get("DATABASE_URL", "").strip()
    if given:
        yield given
        return
    async with local_postgres(data_folder, binaries) as dsn:
        yield dsn


@asynccontextmanager
async def local_postgres(
    data_folder: Path | None = None,
    binaries: Path | None = None,
    *,
    options: Mapping[str, str] | None = None,
) -> AsyncIterator[str]:
    """Give the DSN of a local server while the block lasts; see `start`."""
    server = await start(data_folder, binaries, options=options)
    try:
        yield server.dsn
    finally:
        await server.stop()


async def start(
    data_folder: Path | None = None,
    binaries: Path | None = None,
    *,
    options: Mapping[str, str] | None = None,
) -> Server:
    """Start a server on the data folder, or join the one that already runs there.

    `options` are PostgreSQL settings (`{"fsync": "off"}`); a server that is joined keeps its own. A data
    folder's DSN is always the same, so that clients find the server again after a crash and a new start.
    Raises LocalPostgresError.
    """
    place = place_for(data_folder)
    claim_folder(place)
    async with alone(place):
        running = await _join(place)
        if running is not None:
            return running
        found = find_binaries(binaries)
        way, major = run_as(found, place.folder)
        clear_leftovers(place, way)
        if _made(place):
            _check_version(place, found, major)
        else:
            await _make_cluster(place, found, way)
        claim_socket_folder(place)
        return await _launch(place, found, way, options or {})


async def _join(place: Place) -> Server | None:
    """Return the server that runs on the folder, or None once nothing of an earlier one is left."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        pid = postmaster_pid(place)
        if pid is not None and await _answers(place):
            return Server(place.dsn, pid, place, None)
        left = processes_in(place)
        if not left:
            return None
        if time.monotonic() > deadline:
            numbers = " ".join(str(each) for each in sorted(left))
            raise LocalPostgresError(
                f"A PostgreSQL works in {place.cluster} but does not answer on its socket: "
                f"stop it with `kill -INT {numbers}` and try again."
            )
        await anyio.sleep(POLL_SECONDS)


async def _answers(place: Place) -> bool:
    """Tell whether a server accepts connections on our socket, and is the one of our cluster."""
    try:
        connection = await asyncpg.connect(place.dsn, timeout=5)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        return str(await connection.fetchval("SHOW data_directory")) == str(place.cluster)
    finally:
        connection.terminate()


def _made(place: Place) -> bool:
    return place.cluster.exists()


def _check_version(place: Place, binaries: Path, major: int) -> None:
    made_by = (place.cluster / "PG_VERSION").read_text().strip()
    if made_by != str(major):
        raise LocalPostgresError(
            f"The local database in {place.folder} was made by PostgreSQL {made_by}, but {binaries} is "
            f"version {major}: remove that folder to start afresh, or set {BINARIES_VARIABLE} to the bin "
            f"folder of a PostgreSQL {made_by}."
        )


async def _make_cluster(place: Place, binaries: Path, way: RunAs) -> None:
    # Made under another name first: a cluster exists whole or not at all.
    fresh = place.folder / "cluster.new"
    _make_owned(fresh, way)
    settings = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    with anyio.fail_after(START_SECONDS):
        done = await anyio.run_process(
            [*way.prefix, str(binaries / "initdb"), "-D", str(fresh), *settings],
            check=False,
            cwd=place.folder,
            env=environment(),
            start_new_session=True,
        )
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip()
        raise LocalPostgresError(f"initdb could not make a database in {place.folder}; it said: {words}")
    fresh.rename(place.cluster)


def _make_owned(folder: Path, way: RunAs) -> None:
    folder.mkdir(mode=0o700)
    if (way.uid, way.gid) != (os.geteuid(), os.getegid()):
        os.chown(folder, way.uid, way.gid)


async def _launch(place: Place, binaries: Path, way: RunAs, options: Mapping[str, str]) -> Server:
    process = _spawn(_command(place, binaries, way, options), place)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not await _answers(place):
            if process.poll() is not None or time.monotonic() > deadline:
                words = _last_words(place)
                raise LocalPostgresError(f"The local PostgreSQL did not start; it said: {words}")
            await anyio.sleep(POLL_SECONDS)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _end(process)
            forget_socket(place)
        raise
    return Server(place.dsn, process.pid, place, process)


def _command(place: Place, binaries: Path, way: RunAs, options: Mapping[str, str]) -> list[str]:
    private = {
        "port": str(PORT),
        "listen_addresses": "",
        "unix_socket_directories": str(place.socket_folder),
    }
    command = [*way.prefix, str(binaries / "postgres"), "-D", str(place.cluster)]
    for name, value in {**options, **private}.items():
        command += ["-c", f"{name}={value}"]
    return command


def _spawn(command: list[str], place: Place) -> "subprocess.Popen[bytes]":
    with place.log.open("wb") as log:
        # A session of its own: Ctrl-C in the terminal is for us, and we stop the server last.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=place.folder,
            env=environment(),
            start_new_session=True,
        )


def _last_words(place: Place) -> str:
    text = place.log.read_text(errors="replace").strip()
    complaints = re.findall(r"^.*(?:FATAL|PANIC|ERROR|HINT|DETAIL):.*$", text, re.MULTILINE)
    return " ".join(complaints)[-2000:] or text[-2000:] or "nothing"


async def _end(process: "subprocess.Popen[bytes]") -> None:
    for each, seconds in ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        process.send_signal(each)  # does nothing once the process has been collected
        deadline = time.monotonic() + seconds
        while True:
            if process.poll() is not None:
                return
            if time.monotonic() > deadline:
                break
            await anyio.sleep(POLL_SECONDS)
