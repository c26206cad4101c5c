"""The outbox of keys on a real Postgres: each rule about marks, claims and settles, and a race of all of them."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from app.clock import monotonic
from app.store import outbox
from app.store.marks import Mark, write_marks
from app.store.outbox import BEGINNING, Claim, Head, Held, Postponed, Settled, Verdict, Waiting
from app.store.pool import COMMON, PINNED, Connection, Database, Transaction, connect

SCOPE, FLOW, NORMAL = "demo-fr", "stock", 1
SHORT = 0.05
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with connect(database_url, work_size=10) as found:
        yield found


async def mark(database: Database, *keys: str, **more: Any) -> None:
    await database.mark(Mark(SCOPE, FLOW, key, **more) for key in keys)


async def claim(
    database: Database, limit: int = 100, *, lease: float = 30.0, head: Head | None = None, band: int = NORMAL
) -> list[Claim]:
    async with database.work.acquire() as connection:
        return await outbox.claim(connection, SCOPE, FLOW, band, head or Head(), limit, lease)


async def one(database: Database, key: str = "a") -> Any:
    return await database.desk.fetchrow(
        "SELECT *, app_now() AS now FROM outbox WHERE scope = $1 AND flow = $2 AND key = $3", SCOPE, FLOW, key
    )


async def settle(database: Database, said: Verdict, *claims: Claim) -> tuple[list[Claim], bool]:
    return await outbox.settle(database, SCOPE, FLOW, dict.fromkeys(claims, said))


async def found_from(database: Database, since: datetime = BEGINNING) -> dict[tuple[str, str, int], outbox.Found]:
    async with database.work.acquire() as connection:
        found, _ = await outbox.look(connection, [(SCOPE, FLOW, band, since) for band in outbox.BANDS])
    return found


def soon(seconds: float = 3600) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def expired(database: Database, limit: int = 100) -> list[Claim]:
    """Claim, and let the lease run out."""
    claims = await claim(database, limit, lease=SHORT)
    await asyncio.sleep(SHORT * 1.5)
    return claims


# ---------------------------------------------------------------------------------------------------- mark


async def test_a_mark_makes_a_clean_key_due_now_and_raises_its_version(database: Database) -> None:
    await mark(database, "a")
    first = await one(database)
    await settle(database, Settled(), *await claim(database))
    clean = await one(database)
    await mark(database, "a")
    again = await one(database)
    assert (first["version"], clean["version"], again["version"]) == (1, 1, 2)
    assert clean["due_at"] is None
    assert clean["dirty_since"] is None
    assert again["due_at"] <= again["now"]
    assert again["dirty_since"] == again["due_at"] > first["due_at"]


async def test_a_thousand_marks_of_a_key_are_one_row(database: Database) -> None:
    await database.mark(Mark(SCOPE, FLOW, "a") for _ in range(1000))
    for _ in range(10):
        await mark(database, "a")
    assert (await one(database))["version"] == 11
    assert len(await claim(database)) == 1


async def test_a_mark_never_changes_not_before(database: Database) -> None:
    until = soon()
    await mark(database, "a")
    await settle(database, Postponed(until, "429"), *await claim(database))
    await mark(database, "a", due_at=LONG_AGO)
    row = await one(database)
    assert row["not_before"] == row["due_at"] == until
    assert await claim(database) == []


async def test_a_mark_of_a_claimed_key_is_remembered_and_outlives_the_settle(database: Database) -> None:
    await mark(database, "a")
    claims = await claim(database)
    await mark(database, "a")
    marked = await one(database)
    await mark(database, "a")
    assert (await one(database))["redirtied_at"] == marked["redirtied_at"] is not None
    lost, again = await settle(database, Settled(), *claims)
    row = await one(database)
    assert (lost, again) == ([], True)
    assert row["dirty_since"] == marked["redirtied_at"]
    assert row["due_at"] <= row["now"]
    assert [c.version for c in await claim(database)] == [3]


async def test_a_pending_key_keeps_its_dirty_since_and_its_place(database: Database) -> None:
    since = soon(-120)
    await mark(database, "a", since=since)
    before = await one(database)
    await mark(database, "a")
    after = await one(database)
    assert after["dirty_since"] == before["dirty_since"] == since
    assert after["due_at"] == before["due_at"]


async def test_a_later_due_time_never_delays_and_an_earlier_one_hastens(database: Database) -> None:
    await mark(database, "a", due_at=soon(600))
    await mark(database, "a", due_at=soon(1200))
    row = await one(database)
    assert row["due_at"] < soon(601)
    await mark(database, "a")
    row = await one(database)
    assert row["due_at"] <= row["now"]


async def test_a_due_time_in_the_past_is_now_so_that_no_head_passes_it_over(database: Database) -> None:
    began = await database.desk.fetchval("SELECT app_now()")
    await mark(database, "a", due_at=LONG_AGO)
    assert (await one(database))["due_at"] >= began


@pytest.mark.parametrize("said", [Waiting(soon(), "stock unknown"), Held("no such SKU")], ids=["waiting", "held"])
async def test_a_mark_makes_waiting_and_held_keys_ready(database: Database, said: Verdict) -> None:
    await mark(database, "a")
    await settle(database, said, *await claim(database))
    assert await claim(database) == []
    row = await one(database)
    assert row["state"] == type(said).__name__.lower()
    assert (row["due_at"] is None) == isinstance(said, Held)
    await mark(database, "a")
    row = await one(database)
    assert row["state"] == "ready"
    assert [c.key for c in await claim(database)] == ["a"]


async def test_on_a_firm_hold_a_mark_raises_the_version_only(database: Database) -> None:
    await mark(database, "a")
    await settle(database, Held("money", firm=True), *await claim(database))
    before = dict(await one(database))
    await mark(database, "a")
    after = await one(database)
    changed = {name for name in before if name != "now" and before[name] != after[name]}
    assert changed == {"version"}
    assert await claim(database) == []


async def test_a_mark_takes_the_more_urgent_priority_while_the_key_is_pending(database: Database) -> None:
    await mark(database, "a", priority=2)
    await mark(database, "a", priority=0)
    await mark(database, "a", priority=1)
    assert (await one(database))["priority"] == 0
    await settle(database, Settled(), *await claim(database, band=0))
    await mark(database, "a", priority=2)
    assert (await one(database))["priority"] == 2


async def test_one_call_keeps_one_mark_a_key_the_most_urgent(database: Database) -> None:
    later = soon()
    await database.mark(
        [
            Mark(SCOPE, FLOW, "a", priority=2, due_at=later, since=soon(-60)),
            Mark(SCOPE, FLOW, "a", priority=0),
            Mark(SCOPE, FLOW, "a", priority=1, since=soon(-120)),
        ]
    )
    row = await one(database)
    assert row["priority"] == 0
    assert row["due_at"] <= row["now"]
    assert row["dirty_since"] < soon(-119)


async def test_marks_of_a_transaction_are_written_with_it_or_not_at_all(database: Database) -> None:
    woken: list[Mark] = []
    database._wake = woken.extend  # what connect() was given

    async def fails(transaction: Transaction) -> None:
        transaction.mark([Mark(SCOPE, FLOW, "a")])
        raise RuntimeError("the change itself failed")

    with pytest.raises(RuntimeError):
        await database.transact(fails)
    assert (await one(database), woken) == (None, [])

    async def works(transaction: Transaction) -> str:
        transaction.mark([Mark(SCOPE, FLOW, "b"), Mark(SCOPE, FLOW, "a")])
        return "done"

    assert await database.transact(works) == "done"
    assert [m.key for m in woken] == ["a", "b"]
    assert (await one(database))["version"] == 1


async def _connections(url: str, count: int) -> list["asyncpg.Connection[asyncpg.Record]"]:
    return [await asyncpg.connect(url, server_settings=COMMON | PINNED) for _ in range(count)]


async def test_overlapping_marks_and_settles_never_deadlock(database: Database, database_url: str) -> None:
    """On bare connections, where a deadlock is not repeated but raised."""
    keys = [f"SKU-{n:03d}" for n in range(60)]
    await mark(database, *keys)
    connections = await _connections(database_url, 6)
    marks = 0

    async def marker(connection: Connection, seed: int) -> None:
        nonlocal marks
        chance = random.Random(seed)
        for _ in range(40):
            chosen = chance.sample(keys, 25)
            marks += len(chosen)
            async with connection.transaction():
                await write_marks(connection, [Mark(SCOPE, FLOW, key) for key in chosen])

    async def worker(connection: Connection, seed: int) -> None:
        chance = random.Random(seed)
        kinds: list[Verdict] = [Settled(), Waiting(LONG_AGO), Held("why"), Postponed(LONG_AGO, "later")]
        for _ in range(60):
            claims = await outbox.claim(connection, SCOPE, FLOW, NORMAL, Head(), 30)
            async with connection.transaction():
                await outbox.settle_in(connection, SCOPE, FLOW, {c: chance.choice(kinds) for c in claims})

    try:
        await asyncio.gather(
            *(marker(c, n) for n, c in enumerate(connections[:4])),
            *(worker(c, n) for n, c in enumerate(connections[4:])),
        )
    finally:
        for connection in connections:
            await connection.close(timeout=5)
    total = await database.desk.fetchval("SELECT sum(version) FROM outbox")
    assert total == marks + len(keys)


async def test_a_deadlock_is_repeated(database: Database) -> None:
    await mark(database, "a", "b")
    first_is_in, tries = asyncio.Barrier(2), Counter[str]()

    def crossing(name: str, *keys: str) -> Any:
        async def steps(transaction: Transaction) -> None:
            tries[name] += 1
            for key in keys:
                await transaction.connection.execute("UPDATE outbox SET reason = $1 WHERE key = $2", name, key)
                if tries[name] == 1 and key == keys[0]:
                    await first_is_in.wait()

        return steps

    await asyncio.gather(database.transact(crossing("one", "a", "b")), database.transact(crossing("two", "b", "a")))
    assert max(tries.values()) >= 2, "one was the victim, and was repeated; on a busy machine each may be once"


# ---------------------------------------------------------------------------------------------------- claim


async def test_claims_come_oldest_first_up_to_the_limit_and_move_the_head(database: Database) -> None:
    for key in ("c", "a", "b"):
        await mark(database, key)
    head = Head()
    first = await claim(database, 2, head=head)
    assert {c.key for c in first} == {"c", "a"}
    assert head.by_band[NORMAL] == max(c.due_at for c in first)
    assert {c.key for c in await claim(database, 2, head=head)} == {"b"}
    assert await claim(database, 2, head=head) == []
    row = await one(database)
    assert (row["claimed_version"], row["attempts"], row["redirtied_at"]) == (1, 1, None)
    assert len({c.claim for c in first}) == 1


async def test_a_claim_never_waits_for_a_locked_row(database: Database, database_url: str) -> None:
    await mark(database, "a", "b")
    holder = await asyncpg.connect(database_url)
    try:
        async with holder.transaction():
            await holder.execute("SELECT FROM outbox WHERE key = 'a' FOR UPDATE")
            assert [c.key for c in await asyncio.wait_for(claim(database), 2)] == ["b"]
    finally:
        await holder.close()
    assert [c.key for c in await claim(database)] == ["a"]


async def test_two_workers_never_claim_the_same_key(database: Database) -> None:
    await mark(database, *(f"SKU-{n:04d}" for n in range(2000)))
    got = await asyncio.gather(*(claim(database, 400) for _ in range(8)))
    keys = [c.key for claims in got for c in claims]
    assert max(len(claims) for claims in got) <= 400
    assert len(keys) == len(set(keys))


async def test_scopes_flows_and_bands_are_apart(database: Database) -> None:
    await database.mark([Mark("demo-de", FLOW, "a"), Mark(SCOPE, "prices", "a"), Mark(SCOPE, FLOW, "a", priority=0)])
    assert await claim(database) == []
    assert len(await claim(database, band=0)) == 1


async def test_a_late_commit_behind_the_head_is_found_by_a_look(database: Database, database_url: str) -> None:
    slow = await asyncpg.connect(database_url)
    head = Head()
    try:
        transaction = slow.transaction()
        await transaction.start()
        await write_marks(slow, [Mark(SCOPE, FLOW, "late")])
        await mark(database, "quick")
        assert [c.key for c in await claim(database, head=head)] == ["quick"]
        await transaction.commit()
    finally:
        await slow.close()
    assert await claim(database, head=head) == []  # the hot path never looks back
    found = (await found_from(database, head.by_band[NORMAL] - timedelta(seconds=5)))[SCOPE, FLOW, NORMAL]
    assert not found.suspect
    head.found(NORMAL, found)
    assert [c.key for c in await claim(database, head=head)] == ["late"]


async def test_an_expired_lease_is_found_and_taken_over_with_a_new_number(database: Database) -> None:
    await mark(database, "a")
    head = Head()
    old = await claim(database, lease=SHORT, head=head)
    assert await found_from(database) == {}
    await asyncio.sleep(SHORT * 1.5)
    head.found(NORMAL, (await found_from(database))[SCOPE, FLOW, NORMAL])
    new = await claim(database, head=head)
    row = await one(database)
    assert new[0].claim > old[0].claim
    assert (row["lost"], row["attempts"]) == (1, 2)


async def test_a_key_that_is_not_due_is_neither_found_nor_claimed(database: Database) -> None:
    await mark(database, "a", due_at=soon())
    assert await found_from(database) == {}
    assert await claim(database) == []


async def test_a_head_that_starts_does_not_pass_over_what_it_knows(database: Database) -> None:
    head = Head()
    head.started(NORMAL, soon(-60))
    later = head.by_band[NORMAL]
    head.started(NORMAL, soon(60))
    assert head.by_band[NORMAL] == later


# ---------------------------------------------------------------------------------------------------- fences

VERDICTS: list[Verdict] = [Settled(), Waiting(soon()), Held("why"), Held("why", firm=True), Postponed(soon(), "later")]


@pytest.mark.parametrize("said", VERDICTS, ids=lambda v: f"{type(v).__name__}{'-firm' if v == VERDICTS[3] else ''}")
async def test_an_old_claim_matches_nothing(database: Database, said: Verdict) -> None:
    await mark(database, "a")
    old = await expired(database)
    new = await claim(database)
    before = await one(database)
    assert await settle(database, said, *old) == (old, False)
    after = await one(database)
    assert {n: v for n, v in before.items() if n != "now"} == {n: v for n, v in after.items() if n != "now"}
    assert await settle(database, said, *new) == ([], False)


async def test_a_settled_claim_is_lost_the_second_time(database: Database) -> None:
    await mark(database, "a")
    claims = await claim(database)
    await settle(database, Settled(), *claims)
    assert await settle(database, Held("why"), *claims) == (claims, False)
    assert (await one(database))["state"] == "ready"


async def test_extend_prolongs_what_is_still_ours(database: Database) -> None:
    await mark(database, "a", "b")
    old = await expired(database)
    new = await claim(database, 1, lease=0.5)
    before = await one(database, new[0].key)
    kept = await outbox.extend(database, SCOPE, FLOW, old)
    assert kept == {c.key for c in old} - {new[0].key}  # nobody has taken the other one over
    assert await outbox.extend(database, SCOPE, FLOW, new) == {new[0].key}
    after = await one(database, new[0].key)
    assert after["lease_until"] > before["lease_until"] + timedelta(seconds=25)


async def test_verdicts_of_all_kinds_in_one_settle(database: Database) -> None:
    await mark(database, *"abcde")
    claims = {c.key: c for c in await claim(database)}
    until = soon()
    said: dict[Claim, Verdict] = {
        claims["e"]: Settled(),
        claims["d"]: Settled(next_at=until),
        claims["c"]: Waiting(until, "w"),
        claims["b"]: Held("h"),
        claims["a"]: Postponed(until, "p"),
    }
    assert await outbox.settle(database, SCOPE, FLOW, said) == ([], False)
    rows = {key: await one(database, key) for key in "abcde"}
    assert [rows[key]["state"] for key in "abcde"] == ["ready", "held", "waiting", "ready", "ready"]
    assert [rows[key]["due_at"] for key in "abcde"] == [until, None, until, until, None]
    assert [rows[key]["reason"] for key in "abcde"] == ["p", "h", "w", None, None]
    assert all(row["claim"] is None and row["lease_until"] is None for row in rows.values())


async def test_what_moved_meanwhile_is_due_again_after_a_wait_or_a_hold(database: Database) -> None:
    await mark(database, *"abc")
    claims = {c.key: c for c in await claim(database)}
    await mark(database, *"abc")
    said: dict[Claim, Verdict] = {
        claims["a"]: Waiting(soon()),
        claims["b"]: Held("why"),
        claims["c"]: Held("money", firm=True),
    }
    await outbox.settle(database, SCOPE, FLOW, said)
    rows = {key: await one(database, key) for key in "abc"}
    assert [rows[key]["state"] for key in "abc"] == ["ready", "ready", "held"]
    assert {c.key for c in await claim(database)} == {"a", "b"}
    assert rows["c"]["due_at"] is None


async def test_a_mark_during_a_postponed_pass_respects_the_back_off(database: Database) -> None:
    until = soon()
    await mark(database, "a")
    claims = await claim(database)
    await mark(database, "a")
    await settle(database, Postponed(until, "429"), *claims)
    row = await one(database)
    assert row["due_at"] == row["not_before"] == until


async def test_a_postpone_without_a_call_gives_the_attempt_back(database: Database) -> None:
    await mark(database, "a")
    for called, attempts in ((True, 1), (False, 1), (True, 2)):
        await settle(database, Postponed(LONG_AGO, "later", called=called), *await claim(database))
        assert (await one(database))["attempts"] == attempts


async def test_a_settle_ends_attempts_losses_and_the_age_of_a_hold(database: Database) -> None:
    await mark(database, "a")
    await settle(database, Held("why"), *await claim(database))
    held_at = (await one(database))["held_at"]
    await mark(database, "a")
    await settle(database, Held("still"), *await claim(database))
    assert (await one(database))["held_at"] == held_at  # held again for the same trouble
    await mark(database, "a")
    await expired(database)
    await settle(database, Settled(), *await claim(database))
    row = await one(database)
    assert (row["attempts"], row["lost"], row["lost_alone"], row["held_at"], row["reason"]) == (0, 0, 0, None, None)


async def test_a_reason_that_is_no_text_is_stored_all_the_same(database: Database) -> None:
    await mark(database, "a")
    assert await settle(database, Postponed(soon(), "bad \0 and \udcff"), *await claim(database)) == ([], False)
    assert (await one(database))["reason"] == "bad \ufffd and ?"


async def test_a_periodic_key_comes_back_at_its_next_time(database: Database) -> None:
    await outbox.seed(database, SCOPE, FLOW, {"daily": 0.0, "hourly": 3600.0})
    claims = await claim(database)
    assert [c.key for c in claims] == ["daily"]
    until = soon()
    await settle(database, Settled(next_at=until), *claims)
    await outbox.seed(database, SCOPE, FLOW, {"daily": 0.0, "hourly": 0.0})  # a restart changes nothing
    assert (await one(database, "daily"))["due_at"] == until
    assert (await one(database, "hourly"))["due_at"] > soon(3500)


# ---------------------------------------------------------------------------------------------------- keys that kill


def test_slices_of_suspects_shrink_sixteen_times_with_each_loss() -> None:
    assert [outbox.suspect_slice(lost, 1000) for lost in (3, 4, 5, 6)] == [62, 3, 1, 1]
    assert [outbox.suspect_slice(lost, 8) for lost in (3, 4)] == [1, 1]


async def test_two_losses_are_no_fault_of_the_key(database: Database) -> None:
    await mark(database, "a")
    await expired(database)
    await expired(database)
    assert not (await found_from(database))[SCOPE, FLOW, NORMAL].suspect
    assert len(await expired(database)) == 1
    assert (await found_from(database))[SCOPE, FLOW, NORMAL].suspect
    assert await claim(database) == []


async def test_the_one_key_that_kills_its_worker_is_held_and_all_others_are_worked(database: Database) -> None:
    keys = [f"SKU-{n:03d}" for n in range(100)]
    await mark(database, *keys)
    worked: set[str] = set()
    sizes: list[int] = []
    for _ in range(200):
        claims = await claim(database, 1000, lease=SHORT)
        if not claims:
            claims = await outbox.claim_suspects(database, SCOPE, FLOW, NORMAL, BEGINNING, 1000, SHORT)
        if not claims:
            if not await database.work.fetchval("SELECT count(*) FROM outbox WHERE due_at IS NOT NULL"):
                break
            await asyncio.sleep(SHORT * 1.2)
            continue
        sizes.append(len(claims))
        if "SKU-042" in {c.key for c in claims}:
            await asyncio.sleep(SHORT * 1.2)  # the worker died; nobody settles, and the lease runs out
        else:
            await settle(database, Settled(), *claims)
            worked |= {c.key for c in claims}
    row = await one(database, "SKU-042")
    assert (row["state"], row["firm"], row["reason"]) == ("held", True, outbox.KILLER)
    assert worked == set(keys) - {"SKU-042"}
    assert sizes[:3] == [100, 100, 100]  # taken over twice as usual; the third loss makes them suspects
    assert max(sizes[3:]) == 62
    assert 1 in sizes


async def test_a_person_lets_held_keys_go(database: Database) -> None:
    await mark(database, "a", "b")
    claims = await claim(database)
    await settle(database, Held("money", firm=True), *claims)
    assert await outbox.release(database, SCOPE, FLOW, ["a", "nobody"]) == ["a"]
    row = await one(database)
    assert (row["state"], row["firm"], row["attempts"], row["lost"], row["reason"], row["held_at"]) == (
        "ready", False, 0, 0, None, None,
    )  # fmt: skip
    assert [c.key for c in await claim(database)] == ["a"]
    assert await outbox.release(database, SCOPE, FLOW, None) == ["b"]


# ---------------------------------------------------------------------------------------------------- the race

RACE = """
CREATE TABLE truth (key text PRIMARY KEY, value bigint NOT NULL DEFAULT 0);
CREATE TABLE told (id bigserial PRIMARY KEY, key text NOT NULL, value bigint NOT NULL);
INSERT INTO truth (key) SELECT 'SKU-' || lpad(g::text, 3, '0') FROM generate_series(0, 199) AS g
"""
RACE_KEYS = [f"SKU-{n:03d}" for n in range(200)]
RACE_LEASE = 0.6


class Race:
    """Changes with their marks on one side, workers that tell the newest value on the other, one of them freezes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ends_at = monotonic() + 6
        self.counts = Counter[str]()

    async def change(self, seed: int) -> None:
        chance = random.Random(seed)
        while monotonic() < self.ends_at:
            keys = sorted(chance.sample(RACE_KEYS, chance.choice([1, 1, 3, 20])))

            async def steps(transaction: Transaction, keys: list[str] = keys) -> None:
                for key in keys:
                    await transaction.connection.execute("UPDATE truth SET value = value + 1 WHERE key = $1", key)
                if chance.random() < 0.2:
                    await asyncio.sleep(chance.random() * 0.01)
                transaction.mark(Mark(SCOPE, FLOW, key) for key in keys)

            await self.database.transact(steps)
            self.counts["marks"] += len(keys)

    async def work(self, seed: int, *, freezes: bool) -> None:
        chance, head = random.Random(seed), Head()
        while monotonic() < self.ends_at or await self.unfinished():
            usable_until = monotonic() + RACE_LEASE - 0.2
            claims = await claim(self.database, 25, lease=RACE_LEASE, head=head)
            if not claims:
                head = Head()
                await asyncio.sleep(0.02)
                continue
            self.counts["claims"] += len(claims)
            keys = [c.key for c in claims]
            values = await self.database.work.fetch("SELECT key, value FROM truth WHERE key = ANY ($1)", keys)
            if freezes and chance.random() < 0.05 and monotonic() < self.ends_at:
                await asyncio.sleep(RACE_LEASE * 1.5)
            if monotonic() < usable_until:
                await self.database.work.executemany("INSERT INTO told (key, value) VALUES ($1, $2)", values)
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 0.02)
            lost, _ = await settle(self.database, Settled(), *claims)
            self.counts["lost"] += len(lost)

    async def unfinished(self) -> bool:
        left = await self.database.work.fetchval(
            "SELECT count(*) FROM outbox WHERE due_at IS NOT NULL OR claim IS NOT NULL"
        )
        return bool(left) and monotonic() < self.ends_at + 20


async def test_race_of_marks_claims_and_settles_with_a_worker_that_freezes(database: Database) -> None:
    await database.desk.execute(RACE)
    race = Race(database)
    await asyncio.gather(*(race.change(n) for n in range(4)), *(race.work(n, freezes=n == 0) for n in range(3)))
    stale = await database.desk.fetchval(
        "SELECT count(*) FROM truth AS t WHERE t.value > 0 AND t.value IS DISTINCT FROM"
        " (SELECT value FROM told WHERE key = t.key ORDER BY id DESC LIMIT 1)"
    )
    backwards = await database.desk.fetchval(
        "SELECT count(*) FROM (SELECT value < lag(value) OVER (PARTITION BY key ORDER BY id) AS back FROM told) AS x"
        " WHERE back"
    )
    stuck = await database.desk.fetchval("SELECT count(*) FROM outbox WHERE due_at IS NOT NULL OR claim IS NOT NULL")
    unmarked = await database.desk.fetchval("SELECT count(*) FROM outbox WHERE dirty_since IS NOT NULL")
    assert (stale, backwards, stuck, unmarked) == (0, 0, 0, 0), dict(race.counts)
    assert race.counts["lost"] > 0, "no worker froze: the race proved nothing"
    assert race.counts["marks"] > 1000


async def test_a_key_marked_while_it_was_worked_is_settled_wherever_its_row_lies(database: Database) -> None:
    keys = [f"SKU-{n:03d}" for n in range(50)]
    await mark(database, *keys)
    claims = await claim(database)
    moved = keys[10:20]
    await mark(database, *moved)
    stolen = claims[0].key if claims[0].key not in moved else claims[-1].key
    await database.desk.execute("UPDATE outbox SET claim = claim + 1000000 WHERE key = $1", stolen)
    lost, again = await settle(database, Settled(), *claims)
    assert [c.key for c in lost] == [stolen]
    assert again
    due = await database.desk.fetch("SELECT key FROM outbox WHERE due_at IS NOT NULL AND claim IS NULL ORDER BY key")
    assert [row["key"] for row in due] == moved


async def test_marks_that_share_little_are_each_written_as_they_are(database: Database) -> None:
    since, due = soon(-60), soon(60)
    given = [
        Mark(SCOPE, FLOW, "a", priority=0, due_at=due),
        Mark("demo-de", "orders", "b", priority=2, since=since, lane="A-1", lane_rank=3),
        Mark(SCOPE, "prices", "a", since=since),
    ]
    await database.mark(given)
    rows = await database.desk.fetch("SELECT *, app_now() AS now FROM outbox ORDER BY scope, flow")
    written = [(r["scope"], r["flow"], r["key"], r["priority"], r["lane"], r["lane_rank"]) for r in rows]
    assert written == [
        ("demo-de", "orders", "b", 2, "A-1", 3),
        (SCOPE, "prices", "a", 1, None, 0),
        (SCOPE, FLOW, "a", 0, None, 0),
    ]
    assert [r["dirty_since"] == since for r in rows] == [True, True, False]
    assert [r["due_at"] == due for r in rows] == [False, False, True]
