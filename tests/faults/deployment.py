"""A whole deployment under faults, and what must hold when it is at rest.

The judges are the stand-ins' own records (what they applied, which calls exceeded a ceiling) and our tables. App time
runs `SCALE` times as fast as real time, so that a one-minute ceiling passes in two seconds; leases are real time, and
short ones are set here.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import httpx

from app.commands.lab import Lab, Replica, Shape, lab
from app.failpoints import ENVIRONMENT
from app.store import time as app_time
from app.store.pool import DATABASE_AWAY, Database, connect
from app.supervisor import CLOCK_SECONDS

Json = dict[str, Any]
T = TypeVar("T")
SCALE = 40.0
FORGIVEN_SECONDS = 0.75 * SCALE
"""What a busy machine may do to two calls, in app time, is no fault of ours."""
LEASE_SECONDS = 3.0
LEASE = {"CENTRA_MIRAKL_LEASE_SECONDS": str(LEASE_SECONDS)}
POSTGRES = {"fsync": "off", "full_page_writes": "off"}
MARKET = 4
FIRST_PUSH_SECONDS = 40.0
REST_SECONDS = 40.0
TAKE_OVER_SECONDS = 30.0
POLL_SECONDS = 0.1

UNREST = """
SELECT 'an import in flight: ' || scope || ' ' || state AS found FROM import WHERE state IN ('sent', 'running')
UNION ALL
SELECT 'an effect without outcome: ' || scope || ' ' || code FROM effect
WHERE state = 'sent' OR state = 'unknown' AND flow NOT IN ('stock', 'imports')
UNION ALL
SELECT 'claimed: ' || scope || ' ' || flow || ' ' || key FROM outbox
WHERE flow IN ('stock', 'sizes', 'imports', 'events', 'orders', 'order_entry', 'order_reads', 'seller_references')
  AND claim IS NOT NULL
UNION ALL
SELECT 'due: ' || scope || ' ' || flow || ' ' || key FROM outbox
WHERE flow IN ('imports', 'events') AND due_at <= app_now()
   OR flow IN ('stock', 'sizes', 'orders', 'order_entry', 'order_reads', 'seller_references') AND due_at IS NOT NULL
   OR flow = 'orphans' AND key NOT LIKE 'scan%' AND due_at IS NOT NULL
UNION ALL
SELECT 'held: ' || scope || ' ' || flow || ' ' || key || ': ' || reason FROM outbox
WHERE flow IN ('orders', 'order_entry', 'order_reads', 'orphans', 'seller_references') AND state = 'held'
UNION ALL
SELECT 'promised, and not taken from what is free: ' || channel || ' ' || line_id FROM reservation
WHERE absorbed < quantity
UNION ALL
SELECT 'an orphan: ' || number FROM centra_order WHERE role = 'orphan' AND cancelled_at IS NULL
"""


@dataclass(slots=True)
class Ledgers:
    """How long the stand-ins' records were when a test began, and the stock figures of that moment."""

    centra: int
    mirakl: Mapping[str, int]
    free: Mapping[str, Mapping[int, int]]


@dataclass(slots=True)
class Deployment:
    """The lab with its replicas, and a connection of our own to its database."""

    lab: Lab
    database: Database
    replicas: list[Replica] = field(default_factory=list)
    began: Ledgers = field(default_factory=lambda: Ledgers(0, {}, {}))

    @property
    def channel(self) -> str:
        """The first channel, for tests about one."""
        return self.lab.shape.channels[0]

    @property
    def marketplace(self) -> str:
        return self.lab.mirakl[self.channel]

    # ------------------------------------------------------------------------------------------ replicas

    async def start(self, fail_points: str = "", *, wait: bool = True, **environment: str) -> Replica:
        """One more replica, with fail points armed in it."""
        armed = {ENVIRONMENT: fail_points} if fail_points else {}
        replica = await self.lab.start_replica(LEASE | armed | environment, wait=wait)
        self.replicas.append(replica)
        return replica

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over the running replicas and all label sets that agree with `labels`."""
        alive = [replica for replica in self.replicas if replica.process.poll() is None]
        found = [await metric_of(replica, name, **labels) for replica in alive]
        return sum(found)

    # ------------------------------------------------------------------------------------------ the far sides

    async def begin(self) -> None:
        """Forget calls and faults, and remember how long the ledgers are."""
        addresses = self.lab.mirakl
        for address in (self.lab.centra, *addresses.values()):
            await self.lab.ask(address, "/_sandbox/faults", method="DELETE")
            await self.lab.ask(address, "/_sandbox/calls", method="DELETE")
        # The figures last: a change in between would be in both, which is no harm.
        mirakl = {channel: await self._length(address) for channel, address in addresses.items()}
        centra = await self._length(self.lab.centra)
        rows: Any = (await self.lab.ask(self.lab.centra, "/_sandbox/sizes?limit=100000"))["sizes"]
        free = {row["sku"]: {int(w): n for w, n in row["fta"].items()} for row in rows}
        self.began = Ledgers(centra, mirakl, free)

    async def _length(self, address: str) -> int:
        return int(str((await self.lab.ask(address, "/_sandbox/ledger?after=1000000000"))["total"]))

    async def faults(self, address: str, *faults: Json) -> None:
        """Put these on a stand-in's menu."""
        await self.lab.ask(address, "/_sandbox/faults", {"faults": list(faults)})

    async def fired(self, address: str) -> list[int]:
        """How often each fault on the menu has struck."""
        menu: Any = (await self.lab.ask(address, "/_sandbox/faults"))["faults"]
        return [fault["fired"] for fault in menu]

    async def calls(self, address: str, code: str) -> list[Json]:
        """The calls of a code that arrived, oldest first."""
        log: Any = (await self.lab.ask(address, f"/_sandbox/calls?code={code}"))["log"]
        return list(log)

    async def load(self, *, changes_per_second: float = 1.5, seconds: float = 1000.0) -> None:
        """Let the shop be busy; the rate is in app time."""
        settings: Any = {"changes_per_second": changes_per_second, "seconds": seconds, "hot_share": 0.3}
        await self.lab.ask(self.lab.centra, "/_sandbox/load", settings)

    async def taken_over(self, seconds: float = LEASE_SECONDS + TAKE_OVER_SECONDS) -> None:
        """Until nothing is left of the claims given so far."""
        newest = await self.database.desk.fetchval("SELECT last_value FROM claim_number")

        async def left() -> list[Json]:
            return await self.rows("SELECT scope, flow, key FROM outbox WHERE claim <= $1", newest)

        await eventually(left, lambda found: not found, seconds, "others have taken the claims over")

    async def calm(self) -> int:
        """End the load; how many changes it made."""
        return int(str((await self.lab.ask(self.lab.centra, "/_sandbox/load", method="DELETE"))["made"]))

    def skus(self, count: int) -> list[str]:
        """The first SKUs of the shop."""
        return sorted(self.began.free)[:count]

    async def change(self, figures: Mapping[str, int]) -> None:
        """Set what is free of these SKUs in the main warehouse, and 0 in all others."""
        warehouses = sorted(next(iter(self.began.free.values())))
        changes: Any = [
            {"sku": sku, "warehouse_id": warehouse, "fta": quantity if warehouse == warehouses[0] else 0}
            for sku, quantity in figures.items()
            for warehouse in warehouses
        ]
        await self.lab.ask(self.lab.centra, "/_sandbox/stock", {"changes": changes})

    async def applied(self, channel: str | None = None) -> list[Json]:
        """What STO01 files applied at a marketplace since `begin`, in order."""
        name = channel or self.channel
        after = self.began.mirakl[name]
        found: Any = await self.lab.ask(self.lab.mirakl[name], f"/_sandbox/ledger?code=STO01&after={after}")
        return list(found["entries"])

    async def advance(self, seconds: float) -> None:
        """Let app time jump, here and there. Only at rest: replicas look at the clock once a second."""
        await self.lab.ask(self.lab.centra, "/_sandbox/clock", {"advance_seconds": seconds})
        async with self.database.desk.acquire() as connection:
            await app_time.advance(connection, seconds)
        await anyio.sleep(1.2 * CLOCK_SECONDS)

    # ------------------------------------------------------------------------------------------ our tables

    async def rows(self, query: str, *arguments: object) -> list[Json]:
        return [dict(row) for row in await self.database.desk.fetch(query, *arguments)]

    async def imports(self, channel: str | None = None) -> list[Json]:
        """The imports of a channel, oldest first, with the state of their effect."""
        query = """SELECT i.id, i.state, i.remote_id, i.lines, i.bad_lines, i.note, e.state AS effect
                   FROM import AS i JOIN effect AS e ON e.id = i.effect_id WHERE i.scope = $1 ORDER BY i.id"""
        return await self.rows(query, channel or self.channel)

    async def newest_import(self) -> int:
        return int(await self.database.desk.fetchval("SELECT coalesce(max(id), 0) FROM import") or 0)

    async def imports_of(self, sku: str, since: int) -> list[Json]:
        """The imports after `since` that carried a SKU to the first channel, oldest first."""
        query = """SELECT i.id, i.state, l.value FROM import AS i JOIN import_line AS l ON l.import_id = i.id
                   WHERE i.scope = $1 AND l.key = $2 AND i.id > $3 ORDER BY i.id"""
        return await self.rows(query, self.channel, sku, since)

    # ------------------------------------------------------------------------------------------ at rest

    async def unrest(self) -> list[str]:
        """What is not done yet; empty when everything is at rest and both ends agree."""
        try:
            found = [row["found"] for row in await self.rows(UNREST)]
        except DATABASE_AWAY as exc:
            return [f"the database is away: {exc}"]
        if not found:
            for channel, different in (await self.lab.differences()).items():
                found += [f"{channel} {sku}: {there}, should be {due}" for sku, (there, due) in different.items()]
        return found

    async def rest(self, seconds: float = REST_SECONDS) -> None:
        """Wait until nothing is left to do; fails with what is."""
        await eventually(self.unrest, lambda found: not found, seconds, "everything is at rest")

    async def check(self) -> None:
        """At rest: no ceiling exceeded, and no marketplace ever went back to an older figure."""
        await self.check_ceilings()
        history = await self.history()
        for channel in self.lab.mirakl:
            assert not went_back(await self.applied(channel), history), f"stale values at {channel}"

    async def check_ceilings(self) -> None:
        """No call of ours came too often, or before it was asked to come back."""
        for name, address in {"centra": self.lab.centra, **self.lab.mirakl}.items():
            seen = await self.lab.ask(address, "/_sandbox/calls")
            assert seen["violations"] == [], f"calls over a ceiling at {name}: {seen['violations']}"

    async def history(self) -> dict[str, list[tuple[float, int]]]:
        """For each SKU: since when (real time) Centra could sell how many units, since `begin`."""
        seed: Any = await self.lab.ask(self.lab.centra, "/_sandbox/seed")
        direct = {w["id"]: w["threshold"] for w in seed["warehouses"] if w["allocation_policy"] == "DIRECT"}
        free = {sku: dict(figures) for sku, figures in self.began.free.items()}

        def sellable(sku: str) -> int:
            counted = sum(max(0, free[sku].get(warehouse, 0)) for warehouse in direct)
            return max(0, counted - sum(int(threshold) for threshold in direct.values()))

        found = {sku: [(0.0, sellable(sku))] for sku in free}
        made: Any = await self.lab.ask(self.lab.centra, f"/_sandbox/ledger?code=stock&since={self.began.centra}")
        for entry in made["entries"]:
            sku = entry["sku"]
            free[sku][entry["warehouse_id"]] = entry["fta"]
            found[sku].append((entry["at_real"], sellable(sku)))
        return found


def went_back(applied: Sequence[Json], history: Mapping[str, Sequence[tuple[float, int]]]) -> list[str]:
    """Applied figures that only an older version than the one before could have said.

    Each figure is laid to the oldest version that fits, not older than that of the figure before and not newer than
    its own time: if that fails, no other way to lay them succeeds.
    """
    wrong: list[str] = []
    position: dict[str, int] = defaultdict(int)
    for entry in applied:
        sku, quantity = entry["sku"], entry["quantity"]
        versions = history[sku]
        fits = (
            number
            for number in range(position[sku], len(versions))
            if versions[number][1] == quantity and versions[number][0] <= entry["at_real"]
        )
        found = next(fits, None)
        if found is None:
            wrong.append(f"{sku}: {quantity}, after version {position[sku]} of {[v for _, v in versions]}")
        else:
            position[sku] = found
    return wrong


# ------------------------------------------------------------------------------------------------ waiting


async def eventually(ask: Callable[[], Awaitable[T]], good: Callable[[T], bool], seconds: float, what: str) -> T:
    """Ask until the answer is good; fails with the last one when that takes too long."""
    until = time.monotonic() + seconds
    while True:
        answer = await ask()
        if good(answer):
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds:g} s: {what}; found {str(answer)[:3000]}")
        await anyio.sleep(POLL_SECONDS)


async def ended(process: subprocess.Popen[bytes], seconds: float) -> int:
    """The exit code of a process that ends by itself, negative for a signal."""

    async def code() -> int | None:
        return process.poll()

    found = await eventually(code, lambda code: code is not None, seconds, f"process {process.pid} ends")
    assert found is not None
    return found


async def frozen(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Until a process is stopped by SIGSTOP."""

    async def state() -> str:
        text = await anyio.Path(f"/proc/{process.pid}/stat").read_text()
        return text.rpartition(")")[2].split()[0]

    await eventually(state, lambda state: state == "T", seconds, f"process {process.pid} is frozen")


async def _get(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        return await client.get(url)


async def metric_of(replica: Replica, name: str, **labels: str) -> float:
    """The sum of a replica's metric over all label sets that agree with `labels`."""
    page = (await _get(f"{replica.address}/metrics")).text
    total = 0.0
    for found in re.finditer(rf"^{name}{{([^}}]*)}} (\S+)", page, re.MULTILINE):
        said = dict(re.findall(r'(\w+)="([^"]*)"', found[1]))
        if all(said.get(label) == value for label, value in labels.items()):
            total += float(found[2])
    return total


async def health(replica: Replica) -> tuple[bool, bool]:
    """What a replica says of itself: live, ready."""
    live, ready = await _get(f"{replica.address}/healthz"), await _get(f"{replica.address}/readyz")
    return live.json()["live"], ready.json()["ready"]


# ------------------------------------------------------------------------------------------------ starting


def shape(**members: Any) -> Shape:
    """A small shop on one channel, or whatever the members say."""
    mirakl = {"forgiven_seconds": FORGIVEN_SECONDS, **members.pop("mirakl", {})}
    return Shape(**{"channels": ("demo-fr",), "sizes": 200, "scale": SCALE, "mirakl": mirakl, **members})


@contextlib.asynccontextmanager
async def deployed(dsn: str, of: Shape, replicas: int = 2, **environment: str) -> AsyncIterator[Deployment]:
    """A deployment on an empty, migrated database, after its first full push; webhooks go to its first replica."""
    async with lab(of, dsn=dsn) as running, connect(dsn, work_size=1, desk_size=2) as database:
        deployment = Deployment(running, database)
        await deployment.begin()
        try:
            for _ in range(replicas):
                await deployment.start(wait=False, **environment)
            for replica in deployment.replicas:
                await running.ready(replica)
            if deployment.replicas:
                await running.send_webhooks_to(deployment.replicas[0])
                await deployment.rest(FIRST_PUSH_SECONDS)
            yield deployment
        except BaseException:
            for replica in deployment.replicas:
                lines = replica.log.read_text(errors="replace").splitlines()[-25:]
                print(f"\nreplica {replica.process.pid}, exit code {replica.process.poll()}:", *lines, sep="\n")
            raise
        finally:
            for replica in deployment.replicas:  # a frozen one could not be stopped
                if replica.process.poll() is None:
                    os.kill(replica.process.pid, signal.SIGCONT)
