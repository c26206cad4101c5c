"""A whole service in this process, against stand-ins in another, on one clock that runs fast.

`async with running(database_url, Shape(...)) as service:` gives every flow's workers, the listener for webhooks
and a `Lab` with the stand-ins. Conditions are polled with a limit; nothing sleeps for a fixed time. It is
opened and closed inside a test (never a fixture), so that its task group belongs to one task.
"""

import contextlib
import hashlib
import hmac
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import anyio
import asyncpg
import httpx
from anyio.abc import TaskGroup

from app.clock import monotonic
from app.commands.lab import CENTRA_KEY, ORDER_API_SECRET, PRIVACY_SECRET, WEBHOOK_SECRET, Lab, Shape, lab
from app.domain.progress import Choice, Outcome, Record
from app.engine.flow import Services
from app.engine.pauses import Pauses
from app.engine.wakeups import Wakeups, scout
from app.engine.worker import Worker
from app.flows import all_flows
from app.settings import CENTRA_ORDER_API_SECRET, CENTRA_WEBHOOK_SECRETS, PRIVACY_KEY, Process, Secrets
from app.store import orders
from app.store.pool import connect
from app.store.time import advance
from app.supervisor import Configuration, services
from app.telemetry import metrics
from app.web.server import State, bind, create_webhooks, server
from tests.child import ROOT
from tests.standins import Admin, Json, ask_async

T = TypeVar("T")

SCALE = 60.0
PROBE_SECONDS = 0.5
"""Real seconds between two probes of a paused scope; a minute outside tests."""
FR, SE = "demo-fr", "demo-se"
SOURCE = "centra"


def shape(**members: Any) -> Shape:
    """One channel and 20 sizes on a fast clock, unless said otherwise."""
    return Shape(**{"channels": (FR,), "sizes": 20, "scale": SCALE, **members})


def order_shape(threshold: int = 2, fta: int = 20, **members: Any) -> Shape:
    """Orders are taken. Every size has `fta` units in one warehouse, which keeps `threshold` back; a faster clock."""
    warehouse = {"id": 1, "name": "Main warehouse", "threshold": threshold}
    catalogue = {"sizes": members.get("sizes", 20), "fta": fta, "warehouses": [warehouse]}
    return shape(**{"orders": "on", "scale": 300.0, "centra": {"catalogue": catalogue}, **members})


async def until(condition: Callable[[], Awaitable[T | None]], what: str, *, seconds: float = 20.0) -> T:
    """Poll until a condition gives something true, and give it; fail with its last answer when time is up."""
    ends_at = monotonic() + seconds
    while True:
        found = await condition()
        if found:
            return found
        assert monotonic() < ends_at, f"not within {seconds:g} s: {what}; last: {found!r}"
        await anyio.sleep(0.03)


def counted(name: str, **labels: str) -> float:
    """A metric of this process, 0 when nobody touched it yet; tests compare it before and after."""
    return metrics.registry.get_sample_value(f"centra_mirakl_{name}", labels) or 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, what it printed (blanks run together) and its errors as they are."""

    code: int
    out: str
    errors: str

    @property
    def words(self) -> str:
        return " ".join(self.out.split())


async def run_command(environment: Mapping[str, str], *arguments: str) -> Ended:
    """The real command, as a process of its own, without colours and on wide paper."""
    plain = {"NO_COLOR": "1", "COLUMNS": "400", "TERM": "dumb"}
    process = await anyio.run_process(
        [sys.executable, "-m", "app", *arguments], env={**environment, **plain}, check=False, cwd=ROOT
    )
    return Ended(process.returncode, process.stdout.decode(), process.stderr.decode())


@dataclass
class Deployment:
    """Stand-ins and a database, without a service yet. `secrets` is the folder of mounted secrets."""

    lab: Lab
    database: asyncpg.Connection
    secrets: Path
    admin: Admin[Awaitable[Json]] = field(init=False)

    def __post_init__(self) -> None:
        self.admin = Admin(ask_async, self.lab.centra)

    @property
    def centra(self) -> str:
        return self.lab.centra

    def mirakl(self, channel: str = FR) -> str:
        return self.lab.mirakl[channel]

    def edit_channels(self, old: str, new: str) -> None:
        """A person edits the channel file."""
        text = self.lab.channels_file.read_text()
        assert old in text
        self.lab.channels_file.write_text(text.replace(old, new))

    def configuration(self) -> Configuration:
        return Configuration(Process(), self.lab.settings(), Secrets(self.secrets))

    async def command(self, *arguments: str, **variables: str) -> Ended:
        """A command with this deployment's environment; `variables` replace or (empty) take away some of it."""
        return await run_command({**self.lab.environment(), **variables}, *arguments)

    # ------------------------------------------------------------------------------------------ the stand-ins

    async def sizes(self) -> list[Json]:
        """The sizes of the shop, as Centra's stand-in keeps them."""
        found: list[Json] = (await self.admin.get(self.centra, "/_sandbox/sizes?limit=1000"))["sizes"]
        return found

    async def sell(self, sku: str, fta: int, warehouse: int | None = None) -> None:
        """Free to allocate of a SKU becomes `fta`, in the first warehouse if none is named."""
        change: Json = {"sku": sku, "fta": fta} | ({} if warehouse is None else {"warehouse_id": warehouse})
        await self.admin.post(self.centra, "/_sandbox/stock", {"changes": [change]})

    async def bump(self, skus: Sequence[str], by: int = 1) -> None:
        """Every SKU gets some more units, in one request but a change each."""
        changes = [{"sku": sku, "delta": by} for sku in skus]
        await self.admin.post(self.centra, "/_sandbox/stock", {"changes": changes})

    async def faults(self, address: str, *faults: Json) -> None:
        await self.admin.faults(address, faults)

    async def offers(self, channel: str = FR) -> dict[str, int]:
        """Quantities at the marketplace."""
        found: dict[str, int] = (await self.admin.get(self.mirakl(channel), "/_sandbox/offers"))["offers"]
        return found

    async def sellable(self) -> dict[str, int]:
        """What Centra's own stand-in says that it can sell."""
        found: dict[str, int] = (await self.admin.get(self.centra, "/_sandbox/sellable?market=4"))["sellable"]
        return found

    async def calls(self, address: str, code: str) -> list[Json]:
        """The calls of one code that arrived, oldest first."""
        found: list[Json] = (await self.admin.calls(address, code))["log"]
        return found

    async def violations(self, address: str) -> list[Json]:
        found: list[Json] = (await self.admin.calls(address))["violations"]
        return found

    async def pushed(self, channel: str = FR) -> list[Json]:
        """The stock lines that the marketplace applied, oldest first."""
        entries: list[Json] = (await self.admin.ledger(self.mirakl(channel)))["entries"]
        return [entry for entry in entries if entry["code"] == "STO01"]

    async def queued(self) -> int:
        """Events that nobody has confirmed."""
        queues = (await self.admin.post(self.centra, "/_sandbox/events", {}))["queues"]
        return int(queues.get("centra-mirakl", {}).get("queued", 0))

    # -------------------------------------------------------------------------------------------------- orders

    async def buy(self, *lines: str | Json, channel: str = FR, **members: Any) -> str:
        """A buyer orders (SKUs, or lines as `order_admin` has them); gives Mirakl's order id."""
        wanted = [{"sku": line} if isinstance(line, str) else line for line in lines]
        [order_id] = await self.place({"lines": wanted, **members}, channel=channel)
        return order_id

    async def place(self, *placed: Json, channel: str = FR) -> list[str]:
        """Orders as `order_admin` has them; gives their ids."""
        answer = await self.admin.post(self.mirakl(channel), "/_sandbox/orders", {"orders": list(placed)})
        return [str(order_id) for order_id in answer["orders"]]

    async def change(self, order_id: str, channel: str = FR, **changes: Any) -> None:
        """Somebody else does something to an order at the marketplace, see `order_admin`."""
        await self.admin.post(self.mirakl(channel), "/_sandbox/orders/change", {"order_id": order_id, **changes})

    async def bought(self, channel: str = FR) -> dict[str, Json]:
        """The orders at the marketplace, by id."""
        found: dict[str, Json] = (await self.admin.get(self.mirakl(channel), "/_sandbox/orders"))["orders"]
        return found

    async def entered(self, order_id: str, channel: str = FR) -> list[Json]:
        """The Centra orders that bear our mark of this order, whatever became of them."""
        found = (await self.admin.get(self.centra, "/_sandbox/orders"))["orders"]
        return [order for order in found if order["internal_comment"] == f"mirakl:{channel}:{order_id}"]

    async def entry(self, order_id: str, channel: str = FR) -> Json:
        """The one Centra order of this order."""
        [order] = await self.entered(order_id, channel)
        return order

    async def decided(self, channel: str = FR) -> list[str]:
        """The ids of the orders that OR21 decided, in that order: one that is there twice was decided twice."""
        entries = (await self.admin.ledger(self.mirakl(channel)))["entries"]
        return [entry["order_id"] for entry in entries if entry["code"] == "OR21"]

    # ------------------------------------------------------------------------------------------- the database

    async def record(self, order_id: str, channel: str = FR) -> Record:
        """What is stored about an order."""
        record = await orders.read(self.database, channel, order_id)
        assert record is not None, f"order {order_id} is not stored"
        return record

    async def held(self, scope: str, flow: str) -> dict[str, str]:
        """Held keys of a flow, with their reasons."""
        rows = await self.database.fetch(
            "SELECT key, reason FROM outbox WHERE scope = $1 AND flow = $2 AND state = 'held'", scope, flow
        )
        return {row["key"]: row["reason"] for row in rows}

    async def key(self, scope: str, flow: str, key: str) -> Mapping[str, Any] | None:
        row = await self.database.fetchrow(
            "SELECT * FROM outbox WHERE scope = $1 AND flow = $2 AND key = $3", scope, flow, key
        )
        return None if row is None else dict(row)

    async def offer(self, sku: str, channel: str = FR) -> Mapping[str, Any]:
        row = await self.database.fetchrow("SELECT * FROM offer WHERE scope = $1 AND sku = $2", channel, sku)
        assert row is not None, f"no offer {sku} on {channel}"
        return dict(row)

    async def count(self, statement: str, *arguments: object) -> int:
        """A count that the database gives; no row is 0."""
        return int(await self.database.fetchval(statement, *arguments) or 0)

    # ---------------------------------------------------------------------------------------------- conditions

    async def alike(self, *channels: str, seconds: float = 20.0) -> None:
        """Until every quantity of these channels (all of them) is what Centra can sell."""

        async def same() -> bool:
            wanted = await self.sellable()
            return all([await self.offers(c) == wanted for c in channels or self.lab.mirakl])

        await until(same, "both ends agree", seconds=seconds)

    async def becomes(
        self, order_id: str, wanted: Callable[[Record], object], channel: str = FR, *, seconds: float = 20.0
    ) -> Record:
        """Until what is stored about an order is as wanted, and that."""

        async def there() -> Record | None:
            record = await orders.read(self.database, channel, order_id)
            return record if record is not None and wanted(record) else None

        return await until(there, f"order {order_id}", seconds=seconds)

    async def ends(self, outcome: Outcome, *order_ids: str, channel: str = FR, seconds: float = 20.0) -> None:
        """Until these orders have all ended so."""
        for order_id in order_ids:
            await self.becomes(order_id, lambda record: record.outcome is outcome, channel, seconds=seconds)

    async def asks(self, order_id: str, channel: str = FR, *, seconds: float = 20.0) -> str:
        """Until an order is held for a person, and why."""

        async def reason() -> str | None:
            rows = await self.database.fetch(
                "SELECT reason FROM outbox WHERE scope = $1 AND key = $2 AND state = 'held'", channel, order_id
            )
            return rows[0]["reason"] if rows else None

        return await until(reason, f"order {order_id} is held", seconds=seconds)

    async def at_rest(self, *channels: str, seconds: float = 20.0) -> None:
        """Until every offer of these channels is confirmed at what is wanted and no stock key is due or held."""
        wanted = list(channels or self.lab.mirakl)

        async def quiet() -> bool:
            return not await self.count(
                "SELECT (SELECT count(*) FROM offer WHERE live AND scope = ANY ($1) AND"
                " (stock_confirmed IS DISTINCT FROM stock_wanted OR stock_confirmed IS NULL))"
                " + (SELECT count(*) FROM outbox WHERE flow = 'stock' AND scope = ANY ($1)"
                "    AND (due_at IS NOT NULL OR state = 'held'))"
                " + (SELECT count(*) FROM import WHERE scope = ANY ($1) AND state IN ('sent', 'running'))",
                wanted,
            )

        await self.alike(*channels, seconds=seconds)
        await until(quiet, "stock is at rest", seconds=seconds)


@dataclass
class Service(Deployment):
    """A running service, besides."""

    parts: Services = field(kw_only=True)
    address: str = field(kw_only=True)

    async def jump(self, seconds: float) -> None:
        """All clocks leap ahead, the stand-ins' first, so that no ceiling is met early."""
        await self.admin.advance(seconds)
        self.parts.clock.follow(await advance(self.database, seconds))
        self.parts.wakeups.wake_all()

    async def choose(self, order_id: str, choice: Choice, channel: str = FR) -> None:
        """A person decides about an order."""
        async with self.parts.database.work.acquire() as connection:
            assert await orders.choose(connection, channel, order_id, choice)
        await self.parts.database.mark(orders.marks_of(channel, order_id, orders.URGENT))

    async def webhooks_on(self, **members: object) -> None:
        """Centra's stand-in sends both kinds of webhooks here."""
        target = {"url": f"{self.address}/webhooks/centra", "secret": WEBHOOK_SECRET}
        await self.admin.post(self.centra, "/_sandbox/webhooks", {**target, **members})

    async def deliver(self, body: bytes, signature: str | None, method: str = "POST") -> httpx.Response:
        """A webhook by our own hand."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        headers |= {} if signature is None else {"X-Centra-Signature": signature}
        async with httpx.AsyncClient(trust_env=False, timeout=15) as client:
            return await client.request(method, f"{self.address}/webhooks/centra", content=body, headers=headers)

    def sign(self, body: bytes, *, secret: str = WEBHOOK_SECRET, age_seconds: float = 0.0) -> str:
        """The header over a raw body, signed so many app seconds ago."""
        at = int(self.parts.clock.now().timestamp() - age_seconds)
        return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def payload(members: Json) -> bytes:
    """The raw body of a webhook."""
    return f"payload={quote(json.dumps(members, separators=(',', ':')), safe='')}".encode()


# --------------------------------------------------------------------------------------------------------- starting


@contextlib.asynccontextmanager
async def deployed(dsn: str, wanted: Shape | None = None) -> AsyncIterator[Deployment]:
    """Stand-ins, an empty database, a channel file and mounted secrets."""
    async with lab(wanted or shape(), dsn=dsn) as place:
        secrets = place.folder / "secrets"
        secrets.mkdir()
        (secrets / "centra_token").write_text(CENTRA_KEY)
        (secrets / CENTRA_WEBHOOK_SECRETS.lower()).write_text(WEBHOOK_SECRET)
        (secrets / CENTRA_ORDER_API_SECRET.lower()).write_text(ORDER_API_SECRET)
        (secrets / PRIVACY_KEY.lower()).write_text(PRIVACY_SECRET)
        for channel in place.settings().channel:
            (secrets / channel.secret_name.lower()).write_text(f"k-{channel.id}")
        connection = await asyncpg.connect(dsn)
        try:
            yield Deployment(place, connection, secrets)
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def serving(place: Deployment, *only: str) -> AsyncIterator[Service]:
    """The service over a deployment, until the block ends; it drains then. May be started again after.

    `only`: the flows that are worked; all when none is named.
    """
    configuration = place.configuration()
    wakeups = Wakeups()
    async with (
        plainly(),
        connect(place.lab.run_dsn, wake=wakeups.marked) as database,
        services(configuration, database, wakeups) as built,
        anyio.create_task_group() as around,
    ):
        metrics.scope_paused.clear()  # as in a fresh process
        metrics.shop_open.clear()
        parts = replace(built, pauses=Pauses(PROBE_SECONDS))
        flows = [flow for flow in all_flows() if not only or flow.name in only]
        workers = [Worker(f, scope, parts) for f in flows for scope in f.scopes(parts.settings)]
        _start_around(around, parts, workers, place.lab.run_dsn)
        async with _listening(parts, configuration.secrets) as address, _drained(workers):
            yield Service(place.lab, place.database, place.secrets, parts=parts, address=address)
        around.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def running(dsn: str, wanted: Shape | None = None, *, settle: bool = True) -> AsyncIterator[Service]:
    """A deployment and its service; `settle`: after its first full push has come to rest."""
    async with deployed(dsn, wanted) as place, serving(place) as service:
        if settle:
            await service.at_rest()
        yield service


@contextlib.asynccontextmanager
async def plainly() -> AsyncIterator[None]:
    """A test that fails inside task groups fails with its own error, not with a group of one."""
    try:
        yield
    except BaseExceptionGroup as group:
        inner: BaseException = group
        while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
            inner = inner.exceptions[0]
        raise inner from None


def _start_around(around: TaskGroup, parts: Services, workers: Sequence[Worker], dsn: str) -> None:
    places = [(worker.scope, worker.flow.name) for worker in workers]
    around.start_soon(parts.wakeups.hear, dsn)
    around.start_soon(parts.wakeups.tell, parts.database)
    around.start_soon(scout, parts.database, parts.wakeups, places, parts.clock.scale)


@contextlib.asynccontextmanager
async def _drained(workers: Sequence[Worker]) -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:
        for worker in workers:
            group.start_soon(worker.run)
        try:
            yield
        finally:
            for worker in workers:
                worker.stop()
            group.cancel_scope.deadline = anyio.current_time() + 10


@contextlib.asynccontextmanager
async def _listening(parts: Services, secrets: Secrets) -> AsyncIterator[str]:
    state = State()
    state.services = parts
    socket = bind("127.0.0.1", 0)
    web = server(
        create_webhooks(state, lambda: [s.get_secret_value() for s in secrets.read_several(CENTRA_WEBHOOK_SECRETS)])
    )
    ended = anyio.Event()

    async def serve() -> None:
        try:
            await web.serve(sockets=[socket])
        finally:  # also when the service is dropped
            ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(serve)
        try:
            yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        finally:
            web.should_exit = True
            with anyio.move_on_after(3, shield=True):
                await ended.wait()
