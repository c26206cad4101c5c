"""The two folders of a local PostgreSQL: what is in them, who may use them, and clearing up after a crash.

A data folder (0700) holds `cluster/` (PostgreSQL's own files), `launch.lock`, and `server.log` of the newest
start. The socket folder (0700) lies below the folder for temporary files: a socket's path must be short.
"""

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from app.store.embedded_binaries import OTHERWISE, LocalPostgresError, RunAs

PORT = 5432  # only part of the socket's name
LOCK_POLL_SECONDS = 0.02
SOCKET_PATH_BYTES = 100  # the kernel's limit is 108 on Linux and 104 on macOS


@dataclass(frozen=True, slots=True)
class Place:
    """Where one local server lives: everything follows from its data folder."""

    folder: Path
    socket_folder: Path

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def lock(self) -> Path:
        return self.folder / "launch.lock"

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.socket_folder}&port={PORT}"


def place_for(data_folder: Path | None) -> Place:
    """Return the place of a data folder; by default `centra-mirakl/postgres` in the user's data folder."""
    if data_folder is None:
        base = os.environ.get("XDG_DATA_HOME", "").strip()
        data_folder = (Path(base) if base else Path.home() / ".local/share") / "centra-mirakl" / "postgres"
    folder = data_folder.expanduser().resolve()
    # Derived, so that clients find a server at the same address when it is started again after a crash.
    name = "centra-mirakl-" + hashlib.sha256(f"{os.geteuid()}:{folder}".encode()).hexdigest()[:12]
    for parent in (Path(tempfile.gettempdir()).resolve(), Path("/tmp")):  # noqa: S108 - its mode is 0700, checked when used
        if len(os.fsencode(parent / name / f".s.PGSQL.{PORT}")) < SOCKET_PATH_BYTES:
            return Place(folder, parent / name)
    raise AssertionError("a name below /tmp is short enough")


def claim_folder(place: Place) -> None:
    """Make the data folder private, and refuse a folder that holds somebody else's files."""
    try:
        place.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if any(place.folder.iterdir()) and not place.lock.exists():
            raise LocalPostgresError(
                f"{place.folder} holds other files and no local database of ours: name an empty folder."
            )
        if stat.S_IMODE(place.folder.stat().st_mode) != 0o700:
            place.folder.chmod(0o700)
    except OSError as error:
        raise LocalPostgresError(
            f"The data folder {place.folder} can't be used ({error.strerror}): name another, {OTHERWISE}."
        ) from error


def claim_socket_folder(place: Place) -> None:
    """Make the socket folder; its name can be guessed, so an existing one must be private and ours."""
    with suppress(FileExistsError):
        place.socket_folder.mkdir(mode=0o700)
    found = place.socket_folder.lstat()
    private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
    if not private or found.st_uid != os.geteuid():
        raise LocalPostgresError(
            f"{place.socket_folder} is in the way of the local database's socket and is not a private folder "
            "of yours: remove it, or set TMPDIR to a private folder."
        )


def clear_leftovers(place: Place, way: RunAs) -> None:
    """Remove what a killed server left; call it only when no process works in the cluster.

    PostgreSQL itself trusts the process number in `postmaster.pid`; after a reboot, in a container, or while
    a parent has not collected its dead child, that can belong to a process that has nothing to do with it.
    """
    (place.cluster / "postmaster.pid").unlink(missing_ok=True)
    forget_socket(place)
    unfinished = place.folder / "cluster.new"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    # An earlier start may have run as another user (user namespaces switched on or off meanwhile).
    if place.cluster.exists() and place.cluster.stat().st_uid != way.uid:
        for path in (place.cluster, *place.cluster.rglob("*")):
            os.chown(path, way.uid, way.gid, follow_symlinks=False)


def forget_socket(place: Place) -> None:
    with suppress(OSError):
        for path in place.socket_folder.glob(".s.PGSQL.*"):
            path.unlink(missing_ok=True)
        place.socket_folder.rmdir()


def postmaster_pid(place: Place) -> int | None:
    try:
        return int((place.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def processes_in(place: Place) -> set[int]:
    """Find the processes that work in the cluster: each PostgreSQL process has it as its current folder."""
    if not Path("/proc/self/cwd").exists():  # macOS
        pid = postmaster_pid(place)
        return {pid} if pid is not None and _alive(pid) else set()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # gone meanwhile, a zombie, or somebody else's
                if (entry / "cwd").readlink() == place.cluster:
                    found.add(int(entry.name))
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@asynccontextmanager
async def alone(place: Place) -> AsyncIterator[None]:
    """Let one launcher at a time start or stop on this data folder; a killed one frees the lock by dying."""
    with _lock_file(place) as descriptor:
        while True:
            if _locked(descriptor):
                break
            await anyio.sleep(LOCK_POLL_SECONDS)
        yield


@contextmanager
def _lock_file(place: Place) -> Iterator[int | None]:
    try:
        descriptor = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:  # the whole folder was removed under a running server: nothing left to guard
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int | None) -> bool:
    if descriptor is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
