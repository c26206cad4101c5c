"""Lanes on a real Postgres: all flows of one order take turns, and nobody waits longer than he must."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest_asyncio

from app.clock import Rate
from app.store import lanes, outbox
from app.store.marks import Mark
from app.store.outbox import BEGINNING, Claim, Head, Held, Postponed, Settled, Verdict, Waiting
from app.store.pool import COMMON, PINNED, Database, connect
from app.store.time import set_rate

SCOPE, NORMAL = "demo-fr", 1
RANKS = {"cancellations": 0, "orders": 1, "shipments": 2, "returns": 3, "refunds": 4}
SHORT = 0.1


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with connect(database_url, work_size=10) as found:
        yield found


async def mark(database: Database, flow: str, lane: str, key: str | None = None, **more: Any) -> None:
    await database.mark([Mark(SCOPE, flow, key or lane, lane=lane, lane_rank=RANKS[flow], **more)])


async def claim(
    database: Database, flow: str, limit: int = 10, *, lease: float = 30.0, scale: float = 1.0, head: Head | None = None
) -> list[Claim]:
    return await lanes.claim_lanes(
        database, SCOPE, flow, NORMAL, head or Head(), limit, rank=RANKS[flow], scale=scale, lease_seconds=lease
    )


async def settle(database: Database, flow: str, said: Verdict, *claims: Claim) -> list[Claim]:
    lost, _ = await outbox.settle(database, SCOPE, flow, dict.fromkeys(claims, said))
    return lost


async def one(database: Database, flow: str, key: str = "A-1") -> Any:
    return await database.desk.fetchrow(
        "SELECT *, app_now() AS now FROM outbox WHERE scope = $1 AND flow = $2 AND key = $3", SCOPE, flow, key
    )


async def test_a_lane_has_one_winner_in_every_race(database: Database) -> None:
    flows = ("orders", "shipments", "refunds")
    wins = dict.fromkeys(flows, 0)
    for n in range(150):
        lane = f"A-{n}"
        await database.mark([Mark(SCOPE, flow, lane, lane=lane) for flow in flows])  # of one rank: no preference
        order = random.Random(n).sample(flows, 3)
        got = await asyncio.gather(
            *(lanes.claim_lanes(database, SCOPE, flow, NORMAL, Head(), 10, rank=0) for flow in order)
        )
        winners = [flow for flow, claims in zip(order, got, strict=True) if claims]
        assert len(winners) == 1, (n, winners)
        wins[winners[0]] += 1
        await database.desk.execute("UPDATE outbox SET due_at = NULL, claim = NULL WHERE lane = $1", lane)
    assert sum(wins.values()) == 150


async def test_many_lanes_at_once_each_have_one_winner_and_nothing_deadlocks(database_url: str) -> None:
    """Claims of overlapping lanes in random order of keys, against settles; each transaction tried once only."""
    names = [f"A-{n:02d}" for n in range(30)]
    working: dict[str, str] = {}
    turns = 0

    async def work(database: Database, flow: str, seed: int) -> None:
        nonlocal turns
        chance = random.Random(seed)
        until = asyncio.get_running_loop().time() + 4
        while asyncio.get_running_loop().time() < until:
            await database.mark(Mark(SCOPE, flow, lane, lane=lane, lane_rank=RANKS[flow]) for lane in names)
            claims = await claim(database, flow, 10)
            for c in claims:
                assert c.lane is not None
                assert working.setdefault(c.lane, flow) == flow, f"{c.lane} is worked by {working[c.lane]} and {flow}"
            await asyncio.sleep(chance.random() * 0.01)
            for c in claims:
                del working[str(c.lane)]
            turns += len(claims)
            await settle(database, flow, Settled(), *claims)

    async with connect(database_url, work_size=6) as database:
        before = await database.desk.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        await asyncio.gather(
            *(work(database, flow, n) for n, flow in enumerate(["orders", "shipments", "refunds"] * 2))
        )
    connection = await asyncpg.connect(database_url)
    after = await connection.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    await connection.close()
    assert after == before
    assert turns > 200


async def test_who_is_refused_comes_back_when_the_lane_is_let_go(database: Database) -> None:
    await mark(database, "orders", "A-1")
    await mark(database, "shipments", "A-1")
    winner = await claim(database, "orders")
    assert await claim(database, "shipments") == []
    refused = await one(database, "shipments")
    assert refused["reason"] == "lane busy"
    assert 25 < (refused["due_at"] - refused["now"]).total_seconds() <= 30
    assert await settle(database, "orders", Settled(), *winner) == []
    woken = await one(database, "shipments")
    assert woken["due_at"] <= woken["now"]
    assert [c.key for c in await claim(database, "shipments")] == ["A-1"]


async def test_a_refusal_that_races_with_letting_go_is_never_left_behind(database: Database) -> None:
    for n in range(100):
        lane = f"A-{n}"
        await mark(database, "orders", lane)
        await mark(database, "shipments", lane)
        winner = await claim(database, "orders")
        got, _ = await asyncio.gather(claim(database, "shipments"), settle(database, "orders", Settled(), *winner))
        row = await one(database, "shipments", lane)
        assert got or row["due_at"] <= row["now"], f"round {n}: due {row['due_at'] - row['now']} from now"
        claims = got or await claim(database, "shipments")
        assert [c.key for c in claims] == [lane]
        await settle(database, "shipments", Settled(), *claims)


async def test_waiting_and_marked_keys_are_woken_too(database: Database) -> None:
    await mark(database, "shipments", "A-1")
    await settle(database, "shipments", Waiting(datetime(2001, 1, 1, tzinfo=UTC)), *await claim(database, "shipments"))
    await mark(database, "orders", "A-1")
    winner = await claim(database, "orders")
    assert await claim(database, "shipments") == []
    await settle(database, "orders", Settled(), *winner)
    assert len(await claim(database, "shipments")) == 1


async def test_a_refused_key_keeps_its_back_off_when_the_lane_is_let_go(database: Database) -> None:
    await mark(database, "orders", "A-1")
    await mark(database, "shipments", "A-1")
    winner = await claim(database, "orders")
    await claim(database, "shipments")
    until = datetime.now(UTC) + timedelta(hours=1)
    await database.desk.execute("UPDATE outbox SET not_before = $1 WHERE flow = 'shipments'", until)
    await settle(database, "orders", Settled(), *winner)
    assert (await one(database, "shipments"))["due_at"] == until


async def test_every_verdict_lets_the_lane_go(database: Database) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    verdicts: list[Verdict] = [Settled(), Waiting(later), Held("why"), Held("why", firm=True), Postponed(later, "why")]
    for n, said in enumerate(verdicts):
        lane = f"A-{n}"
        await mark(database, "orders", lane)
        await settle(database, "orders", said, *await claim(database, "orders"))
        await mark(database, "refunds", lane)
        # A key that waits or is held does not keep its lane: nothing else could be done about the order.
        assert len(await claim(database, "refunds")) == 1, said


async def test_a_lost_claim_neither_settles_nor_lets_go_the_lane_of_its_successor(database: Database) -> None:
    await mark(database, "orders", "A-1")
    old = await claim(database, "orders", lease=SHORT)
    await asyncio.sleep(SHORT * 1.5)
    new = await claim(database, "orders")
    assert (await one(database, "orders"))["lost"] == 1
    assert await settle(database, "orders", Settled(), *old) == old
    await mark(database, "refunds", "A-1")
    assert await claim(database, "refunds") == []
    await settle(database, "orders", Settled(), *new)
    assert len(await claim(database, "refunds")) == 1


async def test_extend_keeps_the_lane(database: Database) -> None:
    await mark(database, "orders", "A-1")
    claims = await claim(database, "orders", lease=SHORT * 3)
    assert await outbox.extend(database, SCOPE, "orders", claims) == {"A-1"}
    await asyncio.sleep(SHORT * 4)
    await mark(database, "refunds", "A-1")
    assert await claim(database, "refunds") == []


async def test_an_expired_lane_is_free(database: Database) -> None:
    await mark(database, "orders", "A-1")
    await claim(database, "orders", lease=SHORT)
    await asyncio.sleep(SHORT * 1.5)
    await database.desk.execute("UPDATE outbox SET due_at = NULL WHERE flow = 'orders'")
    await mark(database, "refunds", "A-1")
    assert len(await claim(database, "refunds")) == 1


async def test_lower_ranks_go_first_as_long_as_they_are_due_and_ready(database: Database) -> None:
    await mark(database, "refunds", "A-1")
    await mark(database, "cancellations", "A-1")
    await mark(database, "refunds", "A-2")
    first = await claim(database, "refunds")
    assert [c.key for c in first] == ["A-2"]
    row = await one(database, "refunds")
    assert row["due_at"] <= row["now"]  # passed over, not put off
    await settle(database, "cancellations", Settled(), *await claim(database, "cancellations"))
    assert [c.key for c in await claim(database, "refunds")] == ["A-1"]


async def test_a_lower_rank_that_is_held_or_not_due_does_not_block(database: Database) -> None:
    await mark(database, "cancellations", "A-1")
    await settle(database, "cancellations", Held("why", firm=True), *await claim(database, "cancellations"))
    await mark(database, "orders", "A-1", due_at=datetime.now(UTC) + timedelta(hours=1))
    await mark(database, "refunds", "A-1")
    assert len(await claim(database, "refunds")) == 1


async def test_two_keys_of_a_flow_in_one_lane_are_worked_one_after_the_other(database: Database) -> None:
    await mark(database, "returns", "A-1", "return-1")
    await mark(database, "returns", "A-1", "return-2")
    first = await claim(database, "returns")
    assert len(first) == 1
    assert await claim(database, "returns") == []
    await settle(database, "returns", Settled(), *first)
    second = await claim(database, "returns")
    assert {c.key for c in (*first, *second)} == {"return-1", "return-2"}


async def test_a_refusal_counts_the_rest_of_the_lease_in_app_time(database: Database, database_url: str) -> None:
    connection = await asyncpg.connect(database_url, server_settings=COMMON | PINNED)
    now = datetime.now(UTC)
    await set_rate(connection, Rate(now, now, 60.0))
    await connection.close()
    await mark(database, "orders", "A-1")
    await mark(database, "shipments", "A-1")
    await claim(database, "orders", scale=60.0)
    await claim(database, "shipments", scale=60.0)
    refused = await one(database, "shipments")
    assert 25 * 60 < (refused["due_at"] - refused["now"]).total_seconds() <= 30 * 60


async def test_a_lane_key_that_kills_its_worker_is_held_after_three_losses_alone(database: Database) -> None:
    await mark(database, "orders", "A-1")
    await mark(database, "orders", "A-2")
    for _ in range(3):
        assert len(await claim(database, "orders", lease=SHORT)) == 2
        await asyncio.sleep(SHORT * 1.2)
    assert await claim(database, "orders") == []
    seen: list[list[str]] = []
    for _ in range(12):
        claims = await lanes.claim_lane_suspect(database, SCOPE, "orders", NORMAL, BEGINNING, lease_seconds=SHORT)
        seen.append([c.key for c in claims])
        if seen[-1] == ["A-2"]:
            await settle(database, "orders", Settled(), *claims)
        await asyncio.sleep(SHORT * 1.2)
    killer, innocent = await one(database, "orders", "A-1"), await one(database, "orders", "A-2")
    assert max(len(keys) for keys in seen) == 1
    assert (killer["state"], killer["firm"], killer["reason"]) == ("held", True, outbox.KILLER)
    assert seen.count(["A-1"]) == 3
    assert (innocent["state"], innocent["due_at"], innocent["lost"]) == ("ready", None, 0)
    await mark(database, "refunds", "A-1")
    assert len(await claim(database, "refunds")) == 1  # and its lane is free
