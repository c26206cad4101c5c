"""A whole deployment on this machine: Postgres, both stand-ins, and replicas of the service, each a real process.

The demo and the `sandbox` command use it, and the fault tests. Everything it starts, it stops by its own number;
all its files are in one temporary folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import anyio
import anyio.to_thread

from app.clock import Rate, wall_now
from app.commands.context import UnreachableError
from app.settings import Channels, load_channels
from app.store.embedded import LocalPostgresError, local_postgres
from app.store.embedded_roles import as_role, grant_roles
from app.store.migrate import migrate
from app.store.time import set_rate_at

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
START_SECONDS = 30.0
STOP_SECONDS = 30.0
CENTRA_KEY = "t-centra-of-the-lab"
WEBHOOK_SECRET = "s-webhooks-of-the-lab"  # noqa: S105 - of a stand-in on loopback
ORDER_API_SECRET = "s-order-api-of-the-lab"  # noqa: S105 - as above
PRIVACY_SECRET = "p-of-the-lab"  # noqa: S105 - as above
STORE, MARKET, LIST = 1, 4, 7
"""Centra's store, and the market and price list of the marketplaces."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What to start. `scale`: app seconds in a real second, for the stand-ins and the service alike."""

    channels: Sequence[str] = ("demo-fr", "demo-se")
    sizes: int = 2_000
    scale: float = 1.0
    plan: str = "Enterprise"
    webhooks: bool = True
    import_seconds: float = 3.0
    centra: Mapping[str, object] = field(default_factory=dict)
    mirakl: Mapping[str, object] = field(default_factory=dict)
    postgres: Mapping[str, str] = field(default_factory=dict)
    channel_lines: Mapping[str, str] = field(default_factory=dict)
    orders: str | None = None
    """The mode of the channels' orders (on, dry_run); None: no orders are read."""
    order_lines: Mapping[str, str] = field(default_factory=dict)
    """More lines for a channel's [channel.orders]."""
    after_sale: str | None = None
    """More lines for the channels' [channel.after_sale], which is on; None: it is off."""
    settlement: str | None = None
    """More lines for the channels' [channel.settlement], which is on where orders are; None: money is not read."""
    ratings: str | None = None
    """Lines of the channels' [channel.ratings.levels]; None: nothing is asked of the seller."""
    catalogue: Mapping[str, str] | None = None
    """More lines for a channel's [channel.catalogue], which is on unless they say otherwise, as are its prices; None:
    offers are there from the beginning."""


@dataclass(slots=True)
class Replica:
    """One running service process. `address`: of health and metrics; `webhooks`: of the other listener."""

    process: subprocess.Popen[bytes]
    address: str
    webhooks: str
    log: Path

    async def stop(self, seconds: float = STOP_SECONDS) -> int | None:
        """SIGTERM, then wait; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return await _ended(self.process, seconds)


@dataclass(slots=True)
class Lab:
    """What runs, and where. `dsn` is a superuser's, for who sets up and judges; the service has its own role."""

    shape: Shape
    folder: Path
    dsn: str
    centra: str
    mirakl: Mapping[str, str]
    sandbox: subprocess.Popen[bytes]
    replicas: list[Replica] = field(default_factory=list)

    @property
    def channels_file(self) -> Path:
        return self.folder / "channels.toml"

    @property
    def run_dsn(self) -> str:
        """The database for the service, under the role that it has in production."""
        return as_role(self.dsn)

    def settings(self) -> Channels:
        """The channel file of this lab."""
        return load_channels(self.channels_file)

    def told(self) -> dict[str, str]:
        """What every command of the service must be told here, by variable."""
        keys = {"MIRAKL_KEY_" + c.upper().replace("-", "_"): f"k-{c}" for c in self.shape.channels}
        return {
            "DATABASE_URL": self.run_dsn,
            "CENTRA_MIRAKL_CHANNELS_FILE": str(self.channels_file),
            "CENTRA_TOKEN": CENTRA_KEY,
            "CENTRA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "CENTRA_ORDER_API_SECRET": ORDER_API_SECRET,
            "PRIVACY_KEY": PRIVACY_SECRET,
            **keys,
        }

    def environment(self) -> dict[str, str]:
        """The environment of a service process of this lab."""
        return {**os.environ, **self.told()}

    async def ask(self, address: str, path: str, body: Json = None, method: str | None = None) -> dict[str, Json]:
        """One call of a stand-in's admin routes (or a service's pages): GET without a body, else POST."""
        answer = await anyio.to_thread.run_sync(_ask, f"{address}{path}", body, method)
        if not isinstance(answer, dict):
            raise UnreachableError(f"{address}{path} answered something else than an object")
        return answer

    async def start_replica(self, extra: Mapping[str, str] | None = None, *, wait: bool = True) -> Replica:
        """Start one service process and wait until it is ready."""
        port, metrics_port = free_port(), free_port()
        ports = {"CENTRA_MIRAKL_PORT": str(port), "CENTRA_MIRAKL_METRICS_PORT": str(metrics_port)}
        log = self.folder / f"replica-{len(self.replicas) + 1}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(  # noqa: ASYNC220 - starting does not block
                [sys.executable, "-m", "app", "run"],
                env=self.environment() | ports | dict(extra or {}),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd=Path(__file__).parents[2],
            )
        replica = Replica(process, f"http://127.0.0.1:{metrics_port}", f"http://127.0.0.1:{port}", log)
        self.replicas.append(replica)
        if wait:
            await self.ready(replica)
        return replica

    async def ready(self, replica: Replica, seconds: float = START_SECONDS) -> None:
        """Until the replica is ready. Raises UnreachableError with the end of its log."""
        with anyio.move_on_after(seconds):
            while replica.process.poll() is None:
                with contextlib.suppress(UnreachableError):
                    if (await self.ask(replica.address, "/readyz")).get("ready"):
                        return
                await anyio.sleep(0.05)
        tail = "\n".join(replica.log.read_text(errors="replace").splitlines()[-15:])
        raise UnreachableError(f"the service did not become ready:\n{tail}")

    async def send_webhooks_to(self, replica: Replica) -> None:
        """Let the Centra stand-in send both kinds of webhooks to a replica."""
        target = {"url": f"{replica.webhooks}/webhooks/centra", "secret": WEBHOOK_SECRET}
        await self.ask(self.centra, "/_sandbox/webhooks", {**target, "kinds": ["storefront", "integration"]})

    async def command(self, *arguments: str) -> None:
        """A person types a command of the service. Raises UnreachableError with its last words where it fails."""
        ended = await anyio.run_process(
            [sys.executable, "-m", "app", *arguments],
            env=self.environment(),
            check=False,
            cwd=Path(__file__).parents[2],
        )
        if ended.returncode:
            words = ended.stderr.decode().strip().splitlines() or [""]
            raise UnreachableError(f"`{' '.join(arguments[:3])}`: {words[-1]}")

    async def differences(self) -> dict[str, dict[str, tuple[int | None, int]]]:
        """By channel: SKUs whose quantity at the marketplace is not what Centra can sell: (there, should be)."""
        sellable = (await self.ask(self.centra, f"/_sandbox/sellable?market={MARKET}"))["sellable"]
        assert isinstance(sellable, dict)
        found: dict[str, dict[str, tuple[int | None, int]]] = {}
        for channel, address in self.mirakl.items():
            offers = (await self.ask(address, "/_sandbox/offers"))["offers"]
            assert isinstance(offers, dict)
            found[channel] = {
                sku: (_quantity(offers.get(sku)), int(str(wanted)))
                for sku, wanted in sellable.items()
                if offers.get(sku) != wanted
            }
        return found


def _quantity(value: Json) -> int | None:
    return value if isinstance(value, int) else None


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _ask(url: str, body: Json, method: str | None) -> Json:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - addresses of our own processes
        url, data=content, headers={"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            read: Json = json.loads(answer.read())
            return read
    except urllib.error.HTTPError as exc:
        words = exc.read()[:300].decode(errors="replace")
        raise UnreachableError(f"{url} answered {exc.code}: {words}") from exc
    except (OSError, ValueError) as exc:
        raise UnreachableError(f"{url} does not answer: {exc}") from exc


async def _ended(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    with anyio.move_on_after(seconds):
        while process.poll() is None:  # noqa: ASYNC110 - a process has no event
            await anyio.sleep(0.02)
        return process.returncode
    process.kill()
    return await anyio.to_thread.run_sync(process.wait)


# ------------------------------------------------------------------------------------------------------ starting


@contextlib.asynccontextmanager
async def lab(shape: Shape, *, dsn: str | None = None) -> AsyncIterator[Lab]:
    """Postgres (or, by a superuser's `dsn`, an empty database), migrated, with its roles; both stand-ins, seeded alike.

    No replica runs yet. SIGTERM then ends the process as Ctrl-C does, so that what was started is stopped. Raises
    UnreachableError where Postgres or the stand-ins do not start.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="centra-mirakl-lab-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with contextlib.AsyncExitStack() as stack:
            if dsn is None:
                postgres = local_postgres(folder / "postgres", options=dict(shape.postgres))
                try:
                    dsn = await stack.enter_async_context(postgres)
                except LocalPostgresError as exc:
                    raise UnreachableError(str(exc)) from exc
            await migrate(dsn)
            await grant_roles(dsn)
            start_at = wall_now()
            process, addresses = await start_sandbox(shape, folder, start_at)
            running = Lab(shape, folder, dsn, *addresses, process)
            try:
                await _prepare(running)
                yield running
            finally:
                with anyio.CancelScope(shield=True):
                    for replica in running.replicas:
                        await replica.stop()
                    process.terminate()
                    await _ended(process, STOP_SECONDS)


async def start_sandbox(
    shape: Shape, folder: Path, start_at: datetime
) -> tuple[subprocess.Popen[bytes], tuple[str, Mapping[str, str]]]:
    """Start the stand-ins; their process, and the addresses of Centra and of each channel."""
    config = folder / "sandbox.json"
    config.write_text(json.dumps(sandbox_config(shape, start_at)))
    process = subprocess.Popen(  # noqa: ASYNC220 - starting does not block
        [sys.executable, "-m", "app.sandbox", "--config", str(config), "--until-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / "sandbox.log").open("wb"),
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    line = b""
    with anyio.move_on_after(START_SECONDS):
        line = await anyio.to_thread.run_sync(process.stdout.readline, abandon_on_cancel=True)
    if not line:
        words = (folder / "sandbox.log").read_text(errors="replace")[-2000:]
        raise UnreachableError(f"the stand-ins did not start:\n{words}")
    found = json.loads(line)
    return process, (found["centra"], found["mirakl"])


def sandbox_config(shape: Shape, start_at: datetime) -> dict[str, object]:
    """The stand-ins' configuration for a shape."""
    return {
        "clock": {"scale": shape.scale, "start_at": start_at.isoformat()},
        "centra": {
            "port": 0,
            "token": CENTRA_KEY,
            "plan": shape.plan,
            "catalogue": {"sizes": shape.sizes},
            **shape.centra,
        },
        "mirakl": [
            {
                "id": channel,
                "port": 0,
                "key": f"k-{channel}",
                "shop_id": 2001 + number,
                "currency": "EUR",
                "import_seconds": shape.import_seconds,
                **shape.mirakl,
            }
            for number, channel in enumerate(shape.channels)
        ],
    }


async def _prepare(running: Lab) -> None:
    """The same clock everywhere, the same SKUs on both sides, and a channel file."""
    now = datetime.fromisoformat(str((await running.ask(running.centra, "/_sandbox/clock"))["now"]))
    await set_rate_at(running.dsn, Rate(now, wall_now(), running.shape.scale))
    sellable = (await running.ask(running.centra, f"/_sandbox/sellable?market={MARKET}"))["sellable"]
    assert isinstance(sellable, dict)
    offers: list[Json] = [{"sku": sku, "quantity": 0, "price": 59.9} for sku in sellable]
    if running.shape.catalogue is not None:
        offers = []
    for address in running.mirakl.values():
        await running.ask(address, "/_sandbox/offers", {"offers": offers})
    running.channels_file.write_text(_channel_file(running))


def _channel_file(running: Lab) -> str:
    lines = ["[centra]", f'url = "{running.centra}"', *_extra(running, "centra")]
    lines += [f'order_api = "{running.centra}/order-api"'] if running.shape.orders else []
    lines += [] if running.shape.catalogue is None else [f"store = {STORE}"]
    for number, (channel, address) in enumerate(running.mirakl.items()):
        lines += ["", "[[channel]]", f'id = "{channel}"', f'url = "{address}"', f"shop_id = {2001 + number}"]
        lines += ['currency = "EUR"', f"market = {MARKET}", *_extra(running, channel)]
        lines += _catalogue(running.shape.catalogue, channel)
        lines += _orders(running.shape, channel) if running.shape.orders else []
    return "\n".join(lines) + "\n"


def _catalogue(wanted: Mapping[str, str] | None, channel: str) -> list[str]:
    """Offers, prices and products, by the marketplaces' own price list."""
    if wanted is None:
        return []
    told = wanted.get(channel, "")
    modes = [f'{kind} = "on"' for kind in ("products", "offers") if f"{kind} = " not in told]
    lines = ["[channel.catalogue]", *modes, *told.split("\n")]
    return lines if "[channel.prices]" in lines else [*lines, "[channel.prices]", 'mode = "on"', f"price_list = {LIST}"]


def _orders(shape: Shape, channel: str) -> list[str]:
    """How a channel's orders are taken: every destination by the marketplace's own market and price list."""
    lines = [
        "[channel.orders]",
        f'mode = "{shape.orders}"',
        "payment = 36",
        *shape.order_lines.get(channel, "").split("\n"),
    ]
    return [
        *lines,
        "[[channel.orders.destinations]]",
        'country = "*"',
        f"market = {MARKET}",
        f"price_list = {LIST}",
        'shipping_option = "mkp-standard"',
        'shipping_by_type = { EXP = "mkp-express" }',
        *([] if shape.after_sale is None else ["[channel.after_sale]", 'mode = "on"', shape.after_sale]),
        *([] if shape.settlement is None else ["[channel.settlement]", 'mode = "on"', shape.settlement]),
        *([] if shape.ratings is None else ["[channel.ratings.levels]", shape.ratings]),
    ]


def _extra(running: Lab, place: str) -> list[str]:
    return [running.shape.channel_lines[place]] if place in running.shape.channel_lines else []
