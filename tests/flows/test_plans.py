"""Plans in the database: what is approved is what was shown, and is wanted still."""

from __future__ import annotations

from app.domain.stock import Cause
from app.store import offers, plans, publications
from app.store.offers import STOCK, Live, Wanted
from app.store.plans import Line
from app.store.pool import Connection, connect
from app.store.publications import Kind, Standing
from app.store.time import read_clock

FR = "demo-fr"
HELD = """
INSERT INTO outbox (scope, flow, key, state, held_at, reason, version)
VALUES ($1, 'stock', $2, 'held', now(), 'mass change', 7)
"""


async def made(connection: Connection, *lines: Line) -> int:
    number = await plans.open_plan(connection, FR, "Ilva Testberg", (await read_clock(connection)).rate.app_at)
    await plans.add(connection, number, lines)
    await plans.close(connection, number, {"counts": {}})
    return number


async def test_only_what_is_wanted_still_is_approved(database_url: str) -> None:
    async with connect(database_url) as database, database.desk.acquire() as connection:
        wanted = [publications.Wanted(key, Standing.HELD, ("far",), {"a": 1}, f"d-{key}") for key in ("VX-1", "VX-2")]
        await publications.want(connection, FR, Kind.PRICES, wanted)
        lines = [Line("prices", "VX-1", "d-VX-1"), Line("prices", "VX-2", "other"), Line("prices", "VX-3", "d-VX-3")]
        number = await made(connection, *lines)
        assert await plans.following(connection, number, None, 10) == lines
        assert await plans.following(connection, number, lines[1], 10) == lines[2:]
        assert await plans.approve(connection, FR, "prices", lines) == ["VX-1", "VX-3"]
        told = await publications.read(connection, FR, Kind.PRICES, ["VX-1", "VX-2", "VX-3"])
        assert {key: one.approved for key, one in told.items()} == {"VX-1": "d-VX-1", "VX-2": None, "VX-3": "d-VX-3"}
        await plans.decide(connection, number, "prices", ["VX-1", "VX-2", "VX-3"], ["VX-1", "VX-3"])
        assert await plans.following(connection, number, None, 10) == []
        rows = await connection.fetch("SELECT key, outcome FROM plan_line WHERE plan = $1", number)
        assert dict(map(tuple, rows)) == {"VX-1": "approved", "VX-2": "changed", "VX-3": "approved"}


async def test_stock_that_is_held_passes_at_the_quantity_of_the_plan(database_url: str) -> None:
    async with connect(database_url) as database, database.desk.acquire() as connection:
        now = (await read_clock(connection)).rate.app_at
        skus = ("VX-1", "VX-2", "VX-3")
        await offers.read_back(connection, FR, [Live(sku, 4, listed=True) for sku in skus], now)  # type: ignore[arg-type]
        free = [Wanted(sku, 0, Cause.POLICY.value, None) for sku in skus]  # type: ignore[arg-type]
        await offers.write_wanted(connection, FR, free)
        for sku in ("VX-1", "VX-2"):
            await connection.execute(HELD, FR, sku)
        lines = [Line(STOCK, "VX-1", "0"), Line(STOCK, "VX-2", "5"), Line(STOCK, "VX-3", "0")]
        assert sorted(await plans.approve(connection, FR, STOCK, lines)) == ["VX-1", "VX-3"]
        await plans.release_stock(connection, FR, ["VX-1", "VX-3"])
        rows = await connection.fetch("SELECT sku, stock_approved_version FROM offer ORDER BY sku")
        assert list(map(tuple, rows)) == [("VX-1", 7), ("VX-2", None), ("VX-3", None)]
        states = await connection.fetch("SELECT key, state FROM outbox ORDER BY key")
        assert list(map(tuple, states)) == [("VX-1", "ready"), ("VX-2", "held")]


async def test_a_plan_is_applied_by_one_person(database_url: str) -> None:
    async with connect(database_url) as database, database.desk.acquire() as connection:
        number = await made(connection)
        assert await plans.apply(connection, number, "Ilva Testberg", "go-live")
        assert not await plans.apply(connection, number, "somebody else", "too late")
        found = await plans.read(connection, number)
        assert found is not None
        assert (found.scope, found.is_whole, found.applied_by, found.applied_why) == (
            FR,
            True,
            "Ilva Testberg",
            "go-live",
        )
        assert await plans.read(connection, number + 1) is None
        cut_short = await plans.open_plan(connection, FR, "x", (await read_clock(connection)).rate.app_at)
        unfinished = await plans.read(connection, cut_short)
        assert unfinished is not None
        assert not unfinished.is_whole
