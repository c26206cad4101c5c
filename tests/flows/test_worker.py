"""The worker's loop with toy flows on a real Postgres: what it coalesces, isolates, waits for and gives back."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from app.centra.client import CentraClient
from app.clock import Clock, monotonic
from app.domain.ids import Scope
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.pauses import Pauses
from app.engine.wakeups import Wakeups, scout
from app.engine.worker import Worker
from app.settings import Channels
from app.store import outbox
from app.store.marks import Mark, write_marks
from app.store.outbox import Claim, Head, Held, Postponed, Settled, Verdict, Waiting
from app.store.permits import SharedPermits
from app.store.pool import COMMON, Database, Transaction, connect
from app.telemetry import metrics
from app.telemetry.logs import configure_logs
from app.wire.permit import Charge, Permit, PermitWait
from app.wire.transport import Transport

SCOPE = Scope("demo-fr")
TEAM = next(iter(Team))
CHANNELS = Channels.model_validate(
    {
        "centra": {"url": "http://127.0.0.1:9/graphql"},
        "channel": [{"id": "demo-fr", "url": "http://127.0.0.1:9", "shop_id": 2001, "currency": "EUR", "market": 1}],
    }
)


@pytest.fixture(autouse=True)
def _logs() -> None:
    configure_logs("json")  # what is not configured draws every local of a traceback, which takes its time


@dataclass
class Bench:
    """One replica: its database, its wake-ups, and the workers that run on it."""

    services: Services
    scouting: bool = True
    running: dict[Worker, "asyncio.Task[None]"] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.services.database

    def start(self, flow: Flow) -> Worker:
        worker = Worker(flow, SCOPE, self.services)
        self.running[worker] = asyncio.create_task(worker.run())
        return worker

    async def stop(self, worker: Worker, seconds: float = 10) -> None:
        worker.stop()
        await asyncio.wait_for(self.running.pop(worker), seconds)

    async def mark(self, flow: Flow, *keys: str, **more: Any) -> None:
        await self.database.mark(Mark(SCOPE, flow.name, key, **more) for key in keys)

    async def row(self, flow: Flow, key: str) -> Any:
        return await self.database.desk.fetchrow(
            "SELECT *, app_now() AS now FROM outbox WHERE flow = $1 AND key = $2", flow.name, key
        )

    async def clean(self, flow: Flow) -> bool:
        left = "SELECT count(*) FROM outbox WHERE flow = $1 AND (due_at <= app_now() OR claim IS NOT NULL)"
        return bool(await self.database.desk.fetchval(left, flow.name) == 0)


async def until(holds: Callable[[], Awaitable[bool] | bool], seconds: float = 10) -> None:
    """Wait until it holds; fails when it does not within the time."""
    deadline = monotonic() + seconds
    while True:
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        assert monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def replica(database_url: str) -> AsyncIterator[Bench]:
    wakeups, clock = Wakeups(), Clock()
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(connect(database_url, wake=wakeups.marked))
        transport = await stack.enter_async_context(Transport("http://127.0.0.1:9", headers=dict, now=clock.now))
        permits = SharedPermits(database, clock)
        centra = CentraClient(transport, permits, CHANNELS.centra.id)
        bench = Bench(Services(database, clock, permits, CHANNELS, centra, {}, wakeups, Pauses()))
        background = [asyncio.create_task(wakeups.tell(database)), asyncio.create_task(wakeups.hear(database_url))]
        try:
            yield bench
        finally:
            for worker in list(bench.running):
                await bench.stop(worker)
            for task in background:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


@pytest_asyncio.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    async with replica(database_url) as found:
        yield found


@contextlib.asynccontextmanager
async def scouting(bench: Bench, *flows: Flow) -> AsyncIterator[None]:
    places = [(str(SCOPE), flow.name) for flow in flows]
    task = asyncio.create_task(scout(bench.database, bench.services.wakeups, places, 1.0))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def flow(work: Callable[[Pass], Awaitable[Mapping[Claim, Verdict]]], **more: Any) -> Flow:
    return Flow(name=more.pop("name", "toy"), team=TEAM, scoped="channel", work=work, **more)


async def nothing(_: Pass) -> Mapping[Claim, Verdict]:
    return {}


# ---------------------------------------------------------------------------------------------------- batch flows


async def test_a_thousand_changes_of_a_key_are_few_passes_with_the_newest_value(bench: Bench) -> None:
    value, pushed, passes = 0, 0, 0

    async def push(turn: Pass) -> Mapping[Claim, Verdict]:
        nonlocal pushed, passes
        pushed, passes = value, passes + 1
        await asyncio.sleep(0.05)  # the call
        return {}

    toy = flow(push, batch=100)
    bench.start(toy)
    for value in range(1, 1001):  # noqa: B007 - the pass reads it
        await bench.mark(toy, "VX-1-M")
    await until(lambda: bench.clean(toy))
    assert pushed == 1000
    assert passes < 100


async def test_a_pass_claims_in_slices_up_to_its_size(bench: Bench) -> None:
    sizes: list[int] = []

    async def count(turn: Pass) -> Mapping[Claim, Verdict]:
        sizes.append(len({c.key for c in turn.claims}))
        return {}

    toy = flow(count, batch=250, slice_size=100)
    await bench.mark(toy, *(f"SKU-{n:03d}" for n in range(600)))
    bench.start(toy)
    await until(lambda: bench.clean(toy))
    assert sizes == [250, 250, 100]


async def test_urgent_keys_go_first_unless_others_have_grown_old(bench: Bench) -> None:
    order: list[str] = []

    async def note(turn: Pass) -> Mapping[Claim, Verdict]:
        order.extend(c.key for c in turn.claims)
        return {}

    toy = flow(note, batch=1)
    await bench.mark(toy, "background", priority=2)
    await bench.mark(toy, "old", priority=2)
    await bench.mark(toy, "normal")
    await bench.mark(toy, "urgent", priority=0)
    await bench.database.desk.execute("UPDATE outbox SET due_at = due_at - interval '6 minutes' WHERE key = 'old'")
    bench.start(toy)
    await until(lambda: bench.clean(toy))
    assert order[:4] == ["old", "urgent", "normal", "background"]


async def test_keys_a_flow_does_not_name_are_settled_and_the_rest_end_as_it_says(bench: Bench) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)

    async def judge(turn: Pass) -> Mapping[Claim, Verdict]:
        said: dict[str, Verdict] = {
            "wait": Waiting(later, "no price"),
            "hold": Held("no such SKU"),
            "later": Postponed(later, "429"),
        }
        return {c: said[c.key] for c in turn.claims if c.key in said}

    toy = flow(judge, batch=10)
    await bench.mark(toy, "done", "wait", "hold", "later")
    bench.start(toy)
    await until(lambda: bench.clean(toy))
    rows = {key: await bench.row(toy, key) for key in ("done", "wait", "hold", "later")}
    assert [(r["state"], r["due_at"]) for r in rows.values()] == [
        ("ready", None), ("waiting", later), ("held", None), ("ready", later),
    ]  # fmt: skip


async def test_the_gate_is_asked_before_anything_is_claimed(bench: Bench) -> None:
    asked, opens_at = 0, monotonic() + 0.5

    async def gate(services: Services, scope: Scope) -> Permit | PermitWait | None:
        nonlocal asked
        asked += 1
        assert (await bench.row(toy, "a"))["claim"] is None
        left = opens_at - monotonic()
        return PermitWait(left) if left > 0 else None

    worked_at: list[float] = []

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        worked_at.append(monotonic())
        return {}

    toy = flow(work, batch=10, gate=gate)
    bench.start(toy)
    await bench.mark(toy, "a")
    await until(lambda: bench.clean(toy))
    assert worked_at[0] >= opens_at
    assert asked <= 5  # it waits as long as it was told, and does not ask all the time


async def test_a_permit_that_no_claim_uses_is_given_back(bench: Bench) -> None:
    permits = bench.services.permits
    await permits.open(SCOPE, {"STO01": (1.0, 0.0001)})

    async def gate(services: Services, scope: Scope) -> Permit | PermitWait:
        got = await permits.take(scope, [Charge("STO01")])
        # Meanwhile another replica works the key.
        await bench.database.desk.execute("UPDATE outbox SET due_at = NULL")
        return got

    toy = flow(nothing, batch=10, gate=gate)
    await bench.mark(toy, "a")
    bench.start(toy)

    async def returned() -> bool:
        (bucket,) = await permits.all()
        return bucket.grants == 2 and bucket.tokens > 0.99

    await until(returned)


async def test_a_gate_that_fails_is_asked_again_and_ends_nothing(bench: Bench) -> None:
    asked = 0

    async def gate(services: Services, scope: Scope) -> None:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise ValueError("no such allowance")

    toy = flow(nothing, batch=10, gate=gate)
    await bench.mark(toy, "a")
    bench.start(toy)
    await until(lambda: bench.clean(toy))
    assert asked >= 3


async def test_an_error_in_a_batch_postpones_its_keys_with_a_reason_and_the_rest_goes_on(bench: Bench) -> None:
    failing = True

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        if failing:
            raise ValueError("bad \0 bytes from the far side")
        return {}

    toy = flow(work, batch=10, retry_base_seconds=0.2)
    await bench.mark(toy, "a", "b")
    bench.start(toy)
    async with scouting(bench, toy):

        async def postponed() -> bool:
            row = await bench.row(toy, "a")
            return bool(row["reason"] and row["claim"] is None and row["attempts"] >= 2)

        await until(postponed)
        row = await bench.row(toy, "a")
        assert row["reason"] == "ValueError: bad \ufffd bytes from the far side"
        assert row["not_before"] == row["due_at"]
        failing = False
        await until(lambda: _settled(bench, toy, "a", "b"))


@pytest.mark.parametrize("error", [TimeoutError("slow"), FileNotFoundError("template"), asyncpg.InterfaceError("x")])
async def test_no_error_of_a_flow_passes_for_a_database_that_is_away(bench: Bench, error: Exception) -> None:
    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        raise error

    toy = flow(work)
    await bench.mark(toy, "a")
    bench.start(toy)

    async def postponed() -> bool:
        return str((await bench.row(toy, "a"))["reason"]).startswith(type(error).__name__)

    await until(postponed)
    assert (await bench.row(toy, "a"))["lost"] == 0


async def _settled(bench: Bench, toy: Flow, *keys: str) -> bool:
    rows = [await bench.row(toy, key) for key in keys]
    return all(row["due_at"] is None and row["state"] == "ready" for row in rows)


# ---------------------------------------------------------------------------------------------------- single keys


async def test_single_keys_are_worked_at_the_same_time_up_to_the_limit(bench: Bench) -> None:
    now, most = 0, 0

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        nonlocal now, most
        (claim,) = turn.claims
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(0.01)
        now -= 1
        return {claim: Settled()}

    toy = flow(work, at_once=8)
    await bench.mark(toy, *(f"A-{n}" for n in range(100)))
    bench.start(toy)
    await until(lambda: bench.clean(toy))
    assert most == 8


async def test_poison_keys_delay_no_others(bench: Bench) -> None:
    """More poison than there is room for: each fails, is postponed, and the healthy ones go by."""
    done: set[str] = set()
    failures = Counter[str]()

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        (claim,) = turn.claims
        if claim.key.startswith("poison"):
            failures[claim.key] += 1
            raise RuntimeError("no flow can do this")
        done.add(claim.key)
        return {}

    toy = flow(work, at_once=4, retry_base_seconds=0.1)
    await bench.mark(toy, *(f"poison-{n}" for n in range(12)))
    healthy = {f"A-{n}" for n in range(50)}
    bench.start(toy)
    async with scouting(bench, toy):
        await until(lambda: sum(failures.values()) > 24)
        await bench.mark(toy, *healthy)
        await until(lambda: done == healthy, 3)
    row = await bench.row(toy, "poison-0")
    assert row["attempts"] >= 1
    assert row["reason"] == "RuntimeError: no flow can do this"


async def test_a_verdict_that_cannot_be_stored_spoils_no_other(bench: Bench) -> None:
    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        (claim,) = turn.claims
        await gather.wait()  # so that both are settled together
        return {claim: Postponed("tomorrow", "no instant")} if claim.key == "bad" else {}  # type: ignore[arg-type]

    gather = asyncio.Barrier(2)
    toy = flow(work)
    await bench.mark(toy, "bad", "good")
    bench.start(toy)
    await until(lambda: _settled(bench, toy, "good"))
    assert (await bench.row(toy, "bad"))["claim"] is not None  # its lease ends it


async def test_keys_of_a_lane_are_worked_one_after_the_other(bench: Bench) -> None:
    working: set[str] = set()
    order: list[str] = []

    def story(name: str, rank: int) -> Flow:
        async def work(turn: Pass) -> Mapping[Claim, Verdict]:
            (claim,) = turn.claims
            lane = str(claim.lane)
            assert lane not in working
            working.add(lane)
            await asyncio.sleep(0.02)
            working.discard(lane)
            order.append(f"{lane} {name}")
            return {}

        return flow(work, name=name, lane_rank=rank)

    orders, refunds = story("orders", 1), story("refunds", 4)
    lanes = [f"A-{n}" for n in range(12)]
    await bench.database.mark(
        Mark(SCOPE, toy.name, lane, lane=lane, lane_rank=toy.lane_rank or 0)
        for lane in lanes
        for toy in (orders, refunds)
    )
    async with scouting(bench, orders, refunds):
        bench.start(refunds)
        bench.start(orders)
        await until(lambda: len(order) == 24)
        await until(lambda: bench.clean(orders))
        await until(lambda: bench.clean(refunds))
    assert all(order.index(f"{lane} orders") < order.index(f"{lane} refunds") for lane in lanes)


# ------------------------------------------------------------------------------------------------ losing and stopping


@pytest.mark.parametrize("effects", [True, False])
async def test_who_loses_a_claim_marks_the_key_again_when_bytes_may_have_left(bench: Bench, effects: bool) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        entered.set()
        await leave.wait()
        return {}

    toy = flow(work, batch=10, effects=effects)
    await bench.mark(toy, "a")
    worker = bench.start(toy)
    await asyncio.wait_for(entered.wait(), 5)
    await bench.database.desk.execute("UPDATE outbox SET lease_until = clock_timestamp() - interval '1 s'")
    async with bench.database.work.acquire() as connection:
        other = await outbox.claim(connection, SCOPE, toy.name, 1, Head(), 10)
    await outbox.settle(bench.database, SCOPE, toy.name, dict.fromkeys(other, Settled()))
    lost_before = _count(metrics.claims_lost, toy)
    worker.stop()
    leave.set()
    await bench.stop(worker)
    assert _count(metrics.claims_lost, toy) == lost_before + 1
    row = await bench.row(toy, "a")
    assert (row["version"], row["due_at"] is not None) == ((2, True) if effects else (1, False))


def _count(counter: Any, toy: Flow) -> float:
    return float(counter.labels(SCOPE, toy.name)._value.get())


@pytest.mark.parametrize("batch", [0, 10])
async def test_a_stop_finishes_what_runs_and_claims_nothing_more(bench: Bench, batch: int) -> None:
    entered, leave, worked = asyncio.Event(), asyncio.Event(), Counter[str]()

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        worked.update(c.key for c in turn.claims)
        entered.set()
        await leave.wait()
        return {}

    toy = flow(work, batch=batch)
    await bench.mark(toy, "running")
    worker = bench.start(toy)
    await asyncio.wait_for(entered.wait(), 5)
    worker.stop()
    await bench.mark(toy, "next")
    leave.set()
    await bench.stop(worker)
    assert worked == {"running": 1}
    assert await _settled(bench, toy, "running")
    row = await bench.row(toy, "next")
    assert (row["claim"], row["attempts"]) == (None, 0)


async def test_an_idle_worker_and_one_that_waits_for_its_gate_stop_at_once(bench: Bench) -> None:
    async def gate(services: Services, scope: Scope) -> PermitWait:
        return PermitWait(3600)

    idle, gated = flow(nothing, name="idle", batch=10), flow(nothing, name="gated", batch=10, gate=gate)
    await bench.mark(gated, "a")
    workers = [bench.start(idle), bench.start(gated)]
    await asyncio.sleep(0.5)  # both have long settled into their waits
    for worker in workers:
        await bench.stop(worker, 0.5)


async def test_a_lost_key_is_worked_apart_from_all_others(bench: Bench) -> None:
    together: list[set[str]] = []
    running: set[str] = set()

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        (claim,) = turn.claims
        running.add(claim.key)
        together.append(set(running))
        await asyncio.sleep(0.02)
        together.append(set(running))
        running.discard(claim.key)
        return {}

    toy = flow(work, at_once=8)
    await bench.mark(toy, *(f"A-{n}" for n in range(40)), "suspect-1", "suspect-2")
    await bench.database.desk.execute("UPDATE outbox SET lost = 3 WHERE key LIKE 'suspect%'")
    async with scouting(bench, toy):
        bench.start(toy)
        await until(lambda: bench.clean(toy))
    with_suspects = [keys for keys in together if any(key.startswith("suspect") for key in keys)]
    assert with_suspects
    assert all(len(keys) == 1 for keys in with_suspects)
    assert max(len(keys) for keys in together) > 1


async def test_suspects_of_a_batch_are_a_pass_of_their_own(bench: Bench) -> None:
    passes: list[set[str]] = []

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        passes.append({c.key for c in turn.claims})
        return {}

    toy = flow(work, batch=1000)
    suspects = [f"suspect-{n:02d}" for n in range(70)]
    await bench.mark(toy, "a", "b", *suspects)
    await bench.database.desk.execute("UPDATE outbox SET lost = 3 WHERE key LIKE 'suspect%'")
    async with scouting(bench, toy):
        bench.start(toy)
        await until(lambda: bench.clean(toy))
    assert sorted(len(keys) for keys in passes) == [2, 8, 62]
    assert {"a", "b"} in passes


# ---------------------------------------------------------------------------------------------------- waking up


async def _latencies(bench: Bench, toy: Flow, done: dict[str, float], mark: Callable[[str], Awaitable[None]],
                     pause: float, count: int) -> list[float]:  # fmt: skip
    taken = []
    for n in range(count):
        await asyncio.sleep(pause)
        began = monotonic()
        await mark(f"A-{n}")
        await until(lambda n=n: f"A-{n}" in done)  # type: ignore[misc]
        taken.append(done[f"A-{n}"] - began)
    return sorted(taken)


async def test_a_mark_made_here_wakes_an_idle_worker_at_once(bench: Bench) -> None:
    done: dict[str, float] = {}

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        done.update((c.key, monotonic()) for c in turn.claims)
        return {}

    toy = flow(work, batch=10)
    bench.start(toy)
    await asyncio.sleep(2)  # until it hardly looks any more
    taken = await _latencies(bench, toy, done, lambda key: bench.mark(toy, key), 0.3, 8)
    assert taken[4] < 0.1, taken


async def test_a_mark_of_another_replica_is_noticed(bench: Bench, database_url: str) -> None:
    done: dict[str, float] = {}

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        done.update((c.key, monotonic()) for c in turn.claims)
        return {}

    toy = flow(work, batch=10)
    async with replica(database_url) as other:
        bench.start(toy)
        await asyncio.sleep(2)
        taken = await _latencies(bench, toy, done, lambda key: other.mark(toy, key), 0.3, 8)
    assert taken[4] < 0.2, taken


async def test_without_any_notice_the_scout_finds_marks_expired_leases_and_due_times(
    bench: Bench, database_url: str
) -> None:
    done: dict[str, float] = {}

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        done.update((c.key, monotonic()) for c in turn.claims)
        return {}

    toy = flow(work, batch=10)
    silent = await asyncpg.connect(database_url, server_settings=COMMON)
    try:
        bench.start(toy)
        async with scouting(bench, toy):
            await asyncio.sleep(2)

            async def mark(key: str) -> None:
                await write_marks(silent, [Mark(SCOPE, toy.name, key)])

            taken = await _latencies(bench, toy, done, mark, 0.3, 6)
            assert taken[3] < 0.4, taken
            soon = datetime.now(UTC) + timedelta(seconds=0.5)
            await write_marks(silent, [Mark(SCOPE, toy.name, "soon", due_at=soon)])
            await silent.execute(
                "UPDATE outbox SET due_at = app_now() - interval '1 s', claim = 0, claimed_version = 1,"
                " lease_until = clock_timestamp() + interval '0.5 s' WHERE key = 'A-0'"
            )
            del done["A-0"]
            await until(lambda: {"soon", "A-0"} <= set(done), 3)
    finally:
        await silent.close()


async def test_marks_of_an_open_transaction_that_commits_late_are_worked(bench: Bench, database_url: str) -> None:
    done: set[str] = set()

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        done.update(c.key for c in turn.claims)
        return {}

    toy = flow(work, batch=10)
    slow = await asyncpg.connect(database_url, server_settings=COMMON)
    try:
        bench.start(toy)
        async with scouting(bench, toy):
            async with slow.transaction():
                await write_marks(slow, [Mark(SCOPE, toy.name, "late")])
                for n in range(20):
                    await bench.mark(toy, f"A-{n}")
                await until(lambda: len(done) == 20)
            await until(lambda: "late" in done, 3)
    finally:
        await slow.close()


async def test_two_waiters_of_a_flow_are_both_woken() -> None:
    wakeups = Wakeups()

    async def wait(seconds: float) -> float:
        began = monotonic()
        await wakeups.wait("c", "toy", seconds)
        return monotonic() - began

    long = asyncio.create_task(wait(5))
    await wait(0.05)  # one whose time runs out must not take the other's wake-up with it
    wakeups.wake("c", "toy")
    assert await asyncio.wait_for(long, 1) < 1


async def test_a_paused_scope_is_left_alone_and_its_probe_goes_to_a_flow_with_work(bench: Bench) -> None:
    pauses = Pauses(probe_seconds=0.3)
    services = bench.services
    bench.services = Services(
        services.database, services.clock, services.permits, services.settings, services.centra, {}, services.wakeups,
        pauses,
    )  # fmt: skip
    probes: list[float] = []

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        probes.append(monotonic())
        if len(probes) < 3:
            pauses.pause(SCOPE, "401")
            return {c: Postponed(bench.services.clock.now(), "401", called=False) for c in turn.claims}
        pauses.resume(SCOPE)
        return {}

    idle, toy = flow(nothing, name="idle", batch=10), flow(work, batch=10)
    await bench.mark(toy, "a")
    pauses.pause(SCOPE, "401")
    began = monotonic()
    async with scouting(bench, idle, toy):
        bench.start(idle)
        bench.start(toy)
        await until(lambda: len(probes) == 3, 5)
        await until(lambda: _settled(bench, toy, "a"))
    assert probes[0] - began >= 0.29
    assert probes[1] - probes[0] >= 0.29


async def test_a_worker_outlives_its_connections(bench: Bench, database_url: str) -> None:
    done: set[str] = set()

    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        done.update(c.key for c in turn.claims)
        return {}

    batch, single = flow(work, name="batch", batch=10), flow(work, name="single")
    bench.start(batch)
    bench.start(single)
    await bench.mark(batch, "a")
    await bench.mark(single, "b")
    await until(lambda: done == {"a", "b"})
    other = await asyncpg.connect(database_url)
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await write_marks(other, [Mark(SCOPE, "batch", "c"), Mark(SCOPE, "single", "d")])
    await other.close()
    await until(lambda: done == {"a", "b", "c", "d"}, 15)


async def test_a_transaction_of_a_flow_marks_and_wakes_the_next_flow(bench: Bench) -> None:
    seen: set[str] = set()

    async def first(turn: Pass) -> Mapping[Claim, Verdict]:
        async def steps(transaction: Transaction) -> None:
            transaction.mark(Mark(SCOPE, "second", c.key) for c in turn.claims)

        await turn.services.database.transact(steps)
        return {}

    async def second(turn: Pass) -> Mapping[Claim, Verdict]:
        seen.update(c.key for c in turn.claims)
        return {}

    bench.start(flow(first, name="first", batch=10))
    bench.start(flow(second, name="second", batch=10))
    await bench.database.mark([Mark(SCOPE, "first", "a")])
    await until(lambda: seen == {"a"}, 2)
