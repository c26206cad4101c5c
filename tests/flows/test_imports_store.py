"""Imports and effects on a real Postgres: one in flight, decided once, every step in the audit."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from app.domain.ids import EffectId, ImportId
from app.store import imports, inbox, outbox
from app.store.effects import EffectClass, EffectState, OpenDoubtError, decide, write_sent
from app.store.imports import FLOW, Line, SlotTakenError
from app.store.marks import Mark
from app.store.outbox import Head, Held, Settled
from app.store.pool import Connection, Database, Transaction, connect

SCOPE, STOCK = "demo-fr", "stock"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
LINES = [Line("VX-1-M", 3, 12, SINCE), Line("VX-2-M", 7, 0, SINCE + timedelta(seconds=5))]


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with connect(database_url) as found:
        yield found


@pytest_asyncio.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    async with database.work.acquire() as found:
        yield found


async def opened(
    database: Database, lines: Sequence[Line] = LINES, *, scope: str = SCOPE, seconds: float = 30
) -> tuple[ImportId, EffectId]:
    orphaned_at = datetime.now(UTC) + timedelta(seconds=seconds)

    async def steps(transaction: Transaction) -> tuple[ImportId, EffectId]:
        return await imports.open_import(transaction, scope, STOCK, "stock", "STO01", lines, orphaned_at)

    return await database.transact(steps)


async def state_of(connection: Connection, number: ImportId) -> str:
    found = await imports.read_import(connection, number)
    assert found is not None
    return found.state


async def test_an_import_its_lines_effect_and_key_are_written_together(
    database: Database, connection: Connection
) -> None:
    number, effect = await opened(database)
    found = await imports.read_import(connection, number)
    assert found is not None
    assert (found.state, found.lines, found.effect_id, found.remote_id) == ("sent", 2, effect, None)
    assert await imports.read_lines(connection, number) == LINES
    assert await imports.slot_taken(database, SCOPE, "stock")
    key = await connection.fetchrow("SELECT key, due_at - app_now() AS left FROM outbox WHERE flow = $1", FLOW)
    assert key is not None
    assert key["key"] == str(number)
    assert 25 < key["left"].total_seconds() <= 30  # its own key waits for the end of our lease
    assert await connection.fetchval("SELECT dirty_since FROM import") == SINCE
    assert await connection.fetchval("SELECT state FROM effect") == "sent"


async def test_one_import_of_a_kind_is_in_flight_on_a_channel(database: Database, connection: Connection) -> None:
    number, _ = await opened(database)
    with pytest.raises(SlotTakenError):
        await opened(database)
    assert await connection.fetchval("SELECT count(*) FROM effect") == 1  # the second left nothing behind
    assert await connection.fetchval("SELECT count(*) FROM outbox") == 1
    await opened(database, scope="demo-de")
    await imports.posted(connection, SCOPE, "stock", number, "4711")
    with pytest.raises(SlotTakenError):
        await opened(database)
    await imports.finish(connection, number, "done", bad_lines=0)
    assert not await imports.slot_taken(database, SCOPE, "stock")
    await opened(database)


@pytest.mark.parametrize("end", ["unknown", "lost", "failed", "refused", "not_sent", "repeated"])
async def test_every_other_end_frees_the_slot(database: Database, connection: Connection, end: str) -> None:
    number, _ = await opened(database)
    assert await imports.finish(connection, number, end, note="why")
    await opened(database)
    assert await state_of(connection, number) == end


async def test_an_answer_in_time_runs_and_one_that_was_given_up_is_late(
    database: Database, connection: Connection
) -> None:
    first, _ = await opened(database)
    assert await imports.posted(connection, SCOPE, "stock", first, "4711") == "running"
    await imports.finish(connection, first, "done")
    second, _ = await opened(database)
    await imports.finish(connection, second, "unknown")
    assert await imports.posted(connection, SCOPE, "stock", second, "4712") == "late"
    found = await imports.read_import(connection, second)
    assert found is not None
    assert (found.state, found.remote_id) == ("late", "4712")


async def test_an_id_given_before_means_not_applied(database: Database, connection: Connection) -> None:
    first, _ = await opened(database)
    await imports.posted(connection, SCOPE, "stock", first, "4711")
    await imports.finish(connection, first, "done")
    second, _ = await opened(database)
    assert await imports.posted(connection, SCOPE, "stock", second, "4711") == "repeated"
    assert await state_of(connection, second) == "repeated"
    other, _ = await opened(database, scope="demo-de")
    assert await imports.posted(connection, "demo-de", "stock", other, "4711") == "running"  # another shop's numbers


async def test_an_import_ends_once(database: Database, connection: Connection) -> None:
    number, _ = await opened(database)
    await imports.posted(connection, SCOPE, "stock", number, "4711")
    assert await imports.finish(connection, number, "done", bad_lines=1)
    assert not await imports.finish(connection, number, "lost")
    assert await state_of(connection, number) == "done"


async def test_how_long_imports_usually_take(database: Database, connection: Connection) -> None:
    assert await imports.usual_seconds(database, SCOPE, "stock") is None
    for seconds in (900, 10, 20, 30, 40, 50):
        number, _ = await opened(database)
        await imports.posted(connection, SCOPE, "stock", number, f"r{seconds}")
        await imports.finish(connection, number, "done")
        await connection.execute(
            "UPDATE import SET posted_at = finished_at - $2 * interval '1 s' WHERE id = $1", number, seconds
        )
    assert await imports.usual_seconds(database, SCOPE, "stock") == 50  # the slowest of the last five


async def test_report_reads_are_counted(database: Database, connection: Connection) -> None:
    number, _ = await opened(database)
    assert [await imports.count_report_read(connection, number) for _ in range(2)] == [1, 2]


# ---------------------------------------------------------------------------------------------------- bad lines


async def _one(connection: Connection, key: str) -> Any:
    return await connection.fetchrow("SELECT * FROM outbox WHERE flow = $1 AND key = $2", STOCK, key)


async def test_a_bad_line_holds_its_key_with_the_words_of_the_report(
    database: Database, connection: Connection
) -> None:
    await _settled(database, "VX-1-M", "VX-2-M")
    bad = [(Line("VX-2-M", 1, 0, SINCE), "offer unknown"), (Line("VX-1-M", 1, 12, SINCE), "quantity \0 wrong")]
    assert sorted(await imports.hold_lines(connection, SCOPE, STOCK, bad)) == ["VX-1-M", "VX-2-M"]
    row = await _one(connection, "VX-2-M")
    assert (row["state"], row["reason"], row["due_at"], row["firm"]) == ("held", "offer unknown", None, False)
    await database.mark([Mark(SCOPE, STOCK, "VX-2-M")])  # a new value ends the hold
    assert (await _one(connection, "VX-2-M"))["state"] == "ready"


async def test_a_bad_line_leaves_alone_what_changed_since_or_is_being_worked(
    database: Database, connection: Connection
) -> None:
    await _settled(database, "changed", "due", "worked")
    await database.mark([Mark(SCOPE, STOCK, "worked")])
    assert len(await outbox.claim(connection, SCOPE, STOCK, 1, Head(), 10)) == 1
    await database.mark([Mark(SCOPE, STOCK, "due"), Mark(SCOPE, STOCK, "changed")])
    await connection.execute("UPDATE outbox SET due_at = NULL WHERE key = 'changed'")
    bad = [(Line(key, version, 1, SINCE), "no") for key, version in (("changed", 1), ("due", 2), ("worked", 2))]
    assert await imports.hold_lines(connection, SCOPE, STOCK, bad) == []
    assert await connection.fetchval("SELECT count(*) FROM outbox WHERE state = 'held'") == 0


async def _settled(database: Database, *keys: str) -> None:
    await database.mark(Mark(SCOPE, STOCK, key) for key in keys)
    async with database.work.acquire() as connection:
        claims = await outbox.claim(connection, SCOPE, STOCK, 1, Head(), 100)
    assert len(claims) == len(keys)
    await outbox.settle(database, SCOPE, STOCK, dict.fromkeys(claims, Settled()))


# ---------------------------------------------------------------------------------------------------- effects


async def test_an_effect_is_decided_once_and_every_step_is_in_the_audit(connection: Connection) -> None:
    number = await write_sent(connection, SCOPE, "orders", "OR21", EffectClass.STATE, lane="A-1", key="A-1")
    assert await decide(connection, number, EffectState.UNKNOWN, "read time-out")
    assert await decide(connection, number, EffectState.APPLIED)
    assert not await decide(connection, number, EffectState.REFUSED, "too late")
    steps = await connection.fetch("SELECT from_state, to_state, detail FROM audit WHERE subject = $1 ORDER BY id",
                                   f"effect:{number}")  # fmt: skip
    assert [tuple(step) for step in steps] == [
        (None, "sent", "OR21"),
        ("sent", "unknown", "read time-out"),
        ("unknown", "applied", None),
    ]


async def test_one_doubt_of_a_kind_in_a_lane(database: Database, connection: Connection) -> None:
    async def refund(lane: str, doubt: str | None = "money") -> EffectId:
        async def steps(transaction: Transaction) -> EffectId:
            return await write_sent(
                transaction.connection, SCOPE, "refunds", "OR28", EffectClass.CREATE, lane=lane, doubt=doubt
            )

        return await database.transact(steps)

    first = await refund("A-1")
    with pytest.raises(OpenDoubtError):
        await refund("A-1")
    await refund("A-2")
    await refund("A-1", "shipment")
    await refund("A-1", None)
    await decide(connection, first, EffectState.UNKNOWN)
    with pytest.raises(OpenDoubtError):
        await refund("A-1")
    await decide(connection, first, EffectState.REFUSED, "no")
    await refund("A-1")


async def test_the_words_of_the_far_side_may_be_no_text(connection: Connection) -> None:
    number = await write_sent(connection, SCOPE, "orders", "OR21", EffectClass.STATE)
    assert await decide(connection, number, EffectState.REFUSED, "bad \0 byte")
    assert await connection.fetchval("SELECT detail FROM effect WHERE id = $1", number) == "bad \ufffd byte"


async def test_what_is_held_for_a_bad_line_can_be_held_no_second_time(database: Database) -> None:
    await database.mark([Mark(SCOPE, STOCK, "VX-1-M")])
    async with database.work.acquire() as connection:
        claims = await outbox.claim(connection, SCOPE, STOCK, 1, Head(), 10)
        await outbox.settle(database, SCOPE, STOCK, {claims[0]: Held("offer unknown")})
        held_at = (await _one(connection, "VX-1-M"))["held_at"]
        line = (Line("VX-1-M", 1, 1, SINCE), "offer unknown")
        await imports.hold_lines(connection, SCOPE, STOCK, [line])
        assert (await _one(connection, "VX-1-M"))["held_at"] == held_at


async def test_facts_are_stored_once_even_with_bytes_that_are_no_text(connection: Connection) -> None:
    facts = [inbox.Fact("e-1", "StockChange", "17", r'{"a": "x\u0000"}'), inbox.Fact("e-2", "StockChange", "18\0")]
    await inbox.store(connection, "centra", inbox.CENTRA_EVENT, facts)
    await inbox.store(connection, "centra", inbox.CENTRA_EVENT, facts)
    rows = await connection.fetch("SELECT identity, reference, body->>'a' AS a FROM inbox ORDER BY identity")
    assert [tuple(row) for row in rows] == [("e-1", "17", "x\ufffd"), ("e-2", "18\ufffd", None)]
