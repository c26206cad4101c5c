"""The image, built and run as a pod would run it, by command: `python -m tests.image`.

As root, with uv's index reachable and Debian's buildah, debootstrap and util-linux; no engine is needed. The base is a
plain Debian of the same release, made once, since no registry is asked. Each process of the image gets its root file
system read-only, 16 MiB of /tmp, its secrets as files, a numeric user, no capability, no way to gain one, and no shell.
Postgres and the stand-ins run on this machine and are reached over loopback: what a cluster adds (cgroups, seccomp,
network policies) is not tried.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import asyncpg
from anyio.abc import ByteStream

from app.commands.lab import MARKET, Lab, Replica, Shape, free_port, lab
from app.store.embedded import local_postgres
from app.store.embedded_roles import FOLDER, grant_roles
from tests.faults.deployment import POSTGRES, ended, eventually

ROOT = Path(__file__).resolve().parents[1]
BASE, IMAGE = "localhost/centra-mirakl-base", "localhost/centra-mirakl"
CERTIFICATES = "/etc/ssl/certs"
LARGEST_MB = 80
USER = "10001:10001"
DRAIN_SECONDS = 30.0
SHAPE = Shape(channels=("demo-fr",), sizes=50, scale=6.0)
BASE_FILE = f"""FROM scratch
ADD rootfs.tar /
ENV SSL_CERT_FILE={CERTIFICATES}/ca-certificates.crt PIP_CERT={CERTIFICATES}/ca-certificates.crt
"""
BOX = """
mount --bind "$ROOT" "$NEW"
mount -o remount,bind,ro "$NEW"
mount -t proc proc "$NEW/proc"
mount -t tmpfs -o size=16m,mode=1777 tmpfs "$NEW/tmp"
mount --bind "$MOUNTED" "$NEW/run"
mount -o remount,bind,ro "$NEW/run"
for shell in sh dash bash; do mount --bind /dev/null "$NEW/bin/$shell"; done
exec chroot "$NEW" /usr/bin/env -i -C "$FOLDER" "$@"
"""
PRIVILEGES = ("--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs")
SELF = """
import errno, json, os, pathlib, subprocess
found = dict(line.split(':\\t', 1) for line in pathlib.Path('/proc/self/status').read_text().splitlines())
def refused(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
pathlib.Path('/tmp/written').write_text('')
print(json.dumps({
    'uid': os.getuid(), 'gid': os.getgid(), 'groups': os.getgroups(),
    'capabilities': [found[name] for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')],
    'no_new_privs': found['NoNewPrivs'],
    'writes': {at: refused(lambda: pathlib.Path(at, 'x').write_text('')) for at in ('/', '/srv/centra-mirakl', '/run')},
    'shell': refused(lambda: subprocess.run(['/bin/sh', '-c', 'true'])),
}))
"""


# ------------------------------------------------------------------------------------------------ building


def buildah(*command: str | Path) -> str:
    """A buildah command's output; what it says besides goes through."""
    run = subprocess.run(
        ["buildah", "--storage-driver", "vfs", *command], stdout=subprocess.PIPE, text=True, check=True
    )
    return run.stdout.strip()


def make_base() -> None:
    """A Debian with Python, where an earlier run has not left one."""
    if buildah("images", "--quiet", "--filter", f"reference={BASE}"):
        return
    with tempfile.TemporaryDirectory(prefix="centra-mirakl-base-") as name:
        packages = "--include=python3,python3-venv,ca-certificates"
        rootfs = Path(name, "rootfs")
        subprocess.run(
            ["debootstrap", "--variant=minbase", packages, "bookworm", rootfs], check=True, stdout=sys.stderr
        )
        subprocess.run(["tar", "-C", rootfs, "-cf", Path(name, "rootfs.tar"), "."], check=True)
        Path(name, "Dockerfile").write_text(BASE_FILE)
        buildah("bud", "--quiet", "--isolation", "chroot", "--tag", BASE, name)


def build() -> None:
    """The project's own Dockerfile, on that base. The build may need this machine's certificates."""
    certificates = f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"
    buildah(
        "bud", "--quiet", "--isolation", "chroot", certificates, "--build-arg", f"BASE={BASE}", "--tag", IMAGE, ROOT
    )


@contextlib.contextmanager
def mounted() -> Iterator[Path]:
    """The image's root file system."""
    container = buildah("from", IMAGE)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def configuration() -> dict[str, Any]:
    """What the image says about how it is run."""
    found: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
    return found


def megabytes(folder: Path) -> float:
    """The size of all files in a folder, in 10^6 bytes."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


# ------------------------------------------------------------------------------------------------ running


@dataclass(frozen=True)
class Box:
    """Where processes of the image run; `mounted` is what they see as /run: their secrets and the channel file."""

    root: Path
    new: Path
    mounted: Path
    config: Mapping[str, Any]

    def command(self, *arguments: str, told: Mapping[str, str] | None = None) -> list[str]:
        """The command line for one process. `told`: environment variables besides the image's own."""
        uid, _, gid = str(self.config["User"]).partition(":")
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in (told or {}).items())]
        who = ["/usr/bin/setpriv", "--reuid", uid, "--regid", gid, *PRIVILEGES]
        return [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-euc",
            BOX,
            "box",
            *variables,
            *who,
            *arguments,
        ]

    def start(self, *arguments: str, told: Mapping[str, str] | None = None, **streams: Any) -> subprocess.Popen[bytes]:
        """One process of the image."""
        places = {"ROOT": self.root, "NEW": self.new, "MOUNTED": self.mounted, "FOLDER": self.config["WorkingDir"]}
        env = {"PATH": os.environ["PATH"], **{name: str(place) for name, place in places.items()}}
        return subprocess.Popen(self.command(*arguments, told=told), env=env, stdin=subprocess.DEVNULL, **streams)

    def ends(self, *arguments: str, told: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Exit code and output of a process that ends by itself."""
        process = self.start(*arguments, told=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said.decode()

    def centra_mirakl(self, *arguments: str, told: Mapping[str, str] | None = None) -> tuple[int, str]:
        """As `ends`, by the image's own entry point."""
        return self.ends(*self.config["Entrypoint"], *arguments, told=told)

    def secrets(self, folder: str, **secrets: str) -> None:
        """Mount these as the kubelet does: root's, and readable for the pod's group."""
        place = self.mounted / "secrets" / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, value in secrets.items():
            path = place / name.lower()
            path.write_text(value)
            os.chown(path, 0, int(USER.partition(":")[2]))
            path.chmod(0o440)


def check_rights(box: Box) -> dict[str, Any]:
    """Who a process is, and what it may not do; asserts each."""
    code, said = box.ends("/srv/centra-mirakl/.venv/bin/python", "-c", SELF)
    assert code == 0, said
    found: dict[str, Any] = json.loads(said)
    assert (found["uid"], found["gid"], found["groups"]) == (10001, 10001, [])
    assert {int(mask, 16) for mask in found["capabilities"]} == {0}
    assert found["no_new_privs"] == "1"
    assert set(found["writes"].values()) == {"EROFS"}, found["writes"]
    assert found["shell"] == "EACCES"
    return found


@contextlib.asynccontextmanager
async def over_loopback(dsn: str) -> AsyncIterator[str]:
    """A local Postgres listens on a socket of its own; gives host and port where the image finds it."""
    address = parse_qs(urlsplit(dsn).query)
    socket = f"{address['host'][0]}/.s.PGSQL.{address.get('port', ['5432'])[0]}"

    async def pump(source: ByteStream, target: ByteStream) -> None:
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                await target.send(await source.receive())
        await target.aclose()

    async def relay(client: ByteStream) -> None:
        async with client, await anyio.connect_unix(socket) as server, anyio.create_task_group() as both:
            both.start_soon(pump, client, server)
            both.start_soon(pump, server, client)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, relay)
        host, port = listener.extra(anyio.abc.SocketAttribute.local_address)
        yield f"{host}:{port}"
        group.cancel_scope.cancel()


async def migrated(box: Box, dsn: str, at: str) -> str:
    """The image's own `migrate`, under the role for it; what it says."""
    connection = await asyncpg.connect(dsn)
    await connection.execute((FOLDER / "roles.sql").read_text())
    await connection.close()
    box.secrets("migrate", DATABASE_URL=f"postgresql://centra_mirakl_migrate@{at}/postgres")
    told = {"CENTRA_MIRAKL_SECRETS_FOLDER": "/run/secrets/migrate"}
    code, said = await anyio.to_thread.run_sync(lambda: box.centra_mirakl("migrate", told=told))
    assert code == 0, said
    await grant_roles(dsn)
    return said


async def pushed(running: Lab, what: str) -> None:
    """Until the marketplace has what Centra can sell."""

    async def differences() -> int:
        return sum(len(found) for found in (await running.differences()).values())

    await eventually(differences, lambda found: found == 0, 60, what)


async def serve(box: Box, running: Lab, at: str) -> dict[str, float]:
    """The service, from its start to its end; seconds until ready, until a change has arrived, and until it ended."""
    secrets = {name: value for name, value in running.told().items() if not name.startswith("CENTRA_MIRAKL_")}
    box.secrets("centra-mirakl", **secrets | {"DATABASE_URL": f"postgresql://centra_mirakl_run@{at}/postgres"})
    (box.mounted / "channels.toml").write_text(running.channels_file.read_text())
    webhooks, metrics = free_port(), free_port()
    told = {
        "CENTRA_MIRAKL_CHANNELS_FILE": "/run/channels.toml",
        "CENTRA_MIRAKL_PORT": str(webhooks),
        "CENTRA_MIRAKL_METRICS_PORT": str(metrics),
    }
    log, began, seconds = running.folder / "image.log", time.monotonic(), {}
    with log.open("wb") as stream:
        process = box.start(*box.config["Entrypoint"], *box.config["Cmd"], told=told, stdout=stream, stderr=stream)
    replica = Replica(process, f"http://127.0.0.1:{metrics}", f"http://127.0.0.1:{webhooks}", log)
    running.replicas.append(replica)  # the lab stops it, whatever happens here
    await running.ready(replica)
    seconds["ready"] = time.monotonic() - began
    await running.send_webhooks_to(replica)
    await pushed(running, "the first push has arrived")
    sellable = (await running.ask(running.centra, f"/_sandbox/sellable?market={MARKET}"))["sellable"]
    assert isinstance(sellable, dict)
    sku = min(sellable)
    began = time.monotonic()
    await running.ask(running.centra, "/_sandbox/stock", {"changes": [{"sku": sku, "delta": 7}]})
    assert (await running.differences())["demo-fr"], "the marketplace knows it already"
    await pushed(running, "the change has arrived")
    seconds["change"] = time.monotonic() - began
    code, said = await anyio.to_thread.run_sync(lambda: box.centra_mirakl("status", told=told))
    assert code == 0, said
    began = time.monotonic()
    process.terminate()
    assert await ended(process, DRAIN_SECONDS) == 0, log.read_text()[-3000:]
    seconds["end"] = time.monotonic() - began
    return seconds


async def try_out(box: Box) -> None:
    """Everything about a box, with its figures."""
    rights = check_rights(box)
    print(f"uid {rights['uid']}, no capability, no_new_privs, no shell; a write is refused: {rights['writes']}")
    code, said = box.centra_mirakl("demo")
    assert code == 2, said
    assert "not in the image" in said
    postgres = local_postgres(box.mounted.parent / "postgres", options=POSTGRES)
    async with postgres as dsn, over_loopback(dsn) as at:
        print(f"migrate: {len((await migrated(box, dsn, at)).splitlines())} files applied as centra_mirakl_migrate")
        async with lab(SHAPE, dsn=dsn) as running:
            seconds = await serve(box, running, at)
    print("run, as centra_mirakl_run: " + ", ".join(f"{name} after {value:.1f} s" for name, value in seconds.items()))


def main() -> None:
    make_base()
    build()
    config = configuration()
    assert config["User"] == USER
    with mounted() as root, tempfile.TemporaryDirectory(prefix="centra-mirakl-image-") as name:
        size = megabytes(root / "srv")
        print(f"our layer: {size:.1f} MB, of at most {LARGEST_MB}")
        assert size <= LARGEST_MB
        for folder in ("root", "run"):
            Path(name, folder).mkdir()
        Path(name).chmod(0o755)
        anyio.run(try_out, Box(root, Path(name, "root"), Path(name, "run"), config))


if __name__ == "__main__":
    main()
