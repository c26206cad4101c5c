"""The ledger and its differences in Postgres: what is told again, what moves, what people say, and its history."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from app.domain.settlement import Cycle, Difference, Kind, State, Transaction
from app.policies.settlement.states import transitions
from app.store import held, ledger, settlement
from app.store.pool import Connection, Database, connect

FR = "demo-fr"
AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
LINE = Transaction("T1", "ORDER_AMOUNT", 5990, "EUR", "PENDING", AT, AT, order_id="A", line_id="A-1")
WRONG = Difference(Kind.COMMISSION, "commission:A:line 1", "EUR", -1200, -1500, "by contract 12.00", order_id="A")


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with connect(database_url) as found:
        yield found


async def told(connection: Connection, *lines: Transaction) -> list[Transaction]:
    return await ledger.store_lines(connection, FR, lines)


async def found(database: Database, *differences: Difference, subject: str = "A") -> None:
    """What the flow `matching` writes once it has found these."""
    async with database.work.acquire() as connection, connection.transaction():
        known = await settlement.known(connection, FR, [subject])
        await settlement.write(connection, FR, transitions(subject, known.get(subject, ()), differences))


async def standing(database: Database, number: int = 1) -> settlement.Noted:
    async with database.work.acquire() as connection:
        one = await settlement.one(connection, number)
    assert one is not None
    return one


async def history(database: Database, number: int = 1) -> list[tuple[Any, ...]]:
    rows = await database.work.fetch(
        "SELECT actor, from_state, to_state FROM audit WHERE subject = $1 ORDER BY id", f"difference:{number}"
    )
    return [tuple(row) for row in rows]


async def test_a_line_that_is_told_again_is_news_only_where_it_is_newer_and_other(database: Database) -> None:
    later, paid = AT + timedelta(days=3), replace(LINE, state="PAID", cycle="C1", updated_at=AT + timedelta(days=3))
    async with database.work.acquire() as connection:
        assert await told(connection, LINE) == [LINE]
        assert await told(connection, LINE) == []
        assert await told(connection, paid, LINE) == [paid, LINE]  # as it is, and as it was
        assert await told(connection, LINE) == []
        assert (await ledger.lines_of_orders(connection, FR, ["A"]))["A"] == [paid]
        moved = replace(paid, cycle="C2", updated_at=later)
        assert {line.cycle for line in await told(connection, moved)} == {"C1", "C2"}


async def test_a_cycle_that_starts_below_zero_follows_the_one_before(database: Database) -> None:
    """The sum of a cycle is news for the next one, whose pay-out may be less."""
    first, second = (Cycle(name, "EUR", AT + timedelta(days=day), "PAID", 0) for name, day in (("C1", 0), ("C2", 10)))
    async with database.work.acquire() as connection:
        await ledger.store_cycles(connection, FR, [first, second])
        assert await ledger.write_total(connection, FR, "C1", -500) == "C2"
        assert await ledger.write_total(connection, FR, "C1", -500) is None
        assert await ledger.write_total(connection, FR, "C2", 900) is None
        assert await ledger.totals_before(connection, FR, second) == [-500]


async def test_a_difference_and_what_people_say_of_it(database: Database) -> None:
    await found(database, WRONG)
    await found(database, WRONG)
    async with database.work.acquire() as connection:
        assert await settlement.decide(connection, 1, State.EXPLAINED, "Ada", "claimed, ticket 7")
        assert not await settlement.decide(connection, 1, State.EXPLAINED, "Ben", "no idea")
        assert await settlement.decide(connection, 1, State.ACCEPTED, "Ben", "too small")
        assert not await settlement.decide(connection, 1, State.ACCEPTED, "Ada", "really")
    await found(database, WRONG)
    one = await standing(database)
    assert (one.state, one.decided_by, one.note) == (State.ACCEPTED, "Ben", "too small")
    await found(database, replace(WRONG, told=-1700))  # other figures: nobody has accepted these
    one = await standing(database)
    assert (one.state, one.decided_by, one.at_stake) == (State.OPEN, None, 500)
    await found(database)
    await found(database, WRONG)
    assert await history(database) == [
        ("matching", None, "open"),
        ("Ada", "open", "explained"),
        ("Ben", "explained", "accepted"),
        ("matching", "accepted", "open"),
        ("matching", "open", "closed"),
        ("matching", "closed", "open"),
    ]


async def test_what_nobody_explained_is_one_line_a_kind_in_the_list_of_what_needs_a_person(database: Database) -> None:
    yen = Difference(Kind.CHARGE, "charge:T7", "JPY", None, -300, "penalty of 300 JPY")
    others = [replace(WRONG, key=f"commission:B:line {n}", order_id="B") for n in range(3)]
    await found(database, WRONG, subject="A")
    await found(database, *others, yen, subject="B")
    async with database.work.acquire() as connection:
        assert await settlement.decide(connection, 3, State.EXPLAINED, "Ada", "claimed")
        causes = {cause.reason: cause for cause in await held.causes(connection, FR)}
        shares: Mapping[str | None, held.Share] = {share.currency: share for share in await held.count(connection)}
        item = await held.one(connection, "s:demo-fr:commission:EUR")
    commission = causes["differences of money: commission"]
    assert (commission.items, {c: str(m) for c, m in commission.money.items()}) == (3, {"EUR": "9.00"})
    assert (commission.flow, commission.team, commission.advice) == ("matching", "finance", "settle")
    assert {c: str(m) for c, m in causes["differences of money: charge"].money.items()} == {"JPY": "300"}
    assert (shares["EUR"].items, shares["JPY"].items) == (3, 1)
    assert item is not None
    assert str(item.amount) == "9.00"
