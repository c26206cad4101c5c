"""The ledger of outside writes: what is written down when a call ended, and what stays in doubt."""

from collections.abc import AsyncIterator

import pytest_asyncio

from app.domain.ids import EffectId
from app.store.effects import EffectClass, open_effects, record, write_again, write_sent
from app.store.pool import Database, connect
from app.wire.outcome import Applied, NotSent, Outcome, RefusalKind, Refused, Unknown

LANE = "D-1-A"
ENDS: dict[str, Outcome[None]] = {
    "applied": Applied(None),
    "refused": Refused("no such line", 400, RefusalKind.USER_ERRORS),
    "not_applied": NotSent("the breaker is open", 5.0),
    "unknown": Unknown("the answer was cut off"),
}


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with connect(database_url, work_size=2) as database:
        yield database


async def _sent(database: Database, code: str) -> EffectId:
    async with database.work.acquire() as connection:
        return await write_sent(connection, "demo-fr", "order_entry", code, EffectClass.STATE, lane=LANE)


async def test_an_outcome_is_written_as_what_it_is_and_only_an_unknown_one_stays_open(database: Database) -> None:
    for state, outcome in ENDS.items():
        effect_id = await _sent(database, f"code of {state}")
        async with database.work.acquire() as connection:
            await record(connection, effect_id, outcome)
            assert await connection.fetchval("SELECT state FROM effect WHERE id = $1", effect_id) == state
    left = await _sent(database, "its caller died")
    doubts = await open_effects(database, "demo-fr", LANE, "order_entry")
    assert [doubt.code for doubt in doubts] == ["code of unknown", "its caller died"]
    assert doubts[1].id == left
    assert await open_effects(database, "demo-fr", LANE, "orders") == []


async def test_what_bears_repetition_closes_the_one_before_it(database: Database) -> None:
    first = await _sent(database, "OrderComplete")
    async with database.work.acquire() as connection:
        again = await write_again(
            connection, "demo-fr", "order_entry", "OrderComplete", EffectClass.STATE, lane=LANE, key=LANE
        )
        rows = await connection.fetch("SELECT id, state FROM effect ORDER BY id")
    assert [(row["id"], row["state"]) for row in rows] == [(first, "not_applied"), (again, "sent")]
