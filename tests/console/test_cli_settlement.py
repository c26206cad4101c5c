"""`settlement`: what is paid beside its lines, what differs, what people say of it, and the month."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from rich.console import Console

from app.commands import settlement as money
from app.commands import settlement_month as months
from app.commands.orders import DeclinedError
from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.orders import Order, OrderLine, Tax
from app.domain.settlement import Cycle, Difference, Kind, State, Transaction
from app.policies.settlement.states import transitions
from app.settings import SettingsError
from app.store import ledger, orders, settlement
from app.store.pool import Database, connect
from app.store.readings import Reading, write_reading
from app.store.settlement import Standing
from tests.console.words import DONE
from tests.flows.service import run_command

FR = "demo-fr"
LAST_SECOND = datetime(
    2026, 3, 31, 21, 59, 59, tzinfo=UTC
)  # 23:59:59 in Paris, where the clock was put on two days ago
APRIL = LAST_SECOND + timedelta(seconds=1)
SETTINGS = """
[centra]
url = "https://shop.centra.com"
[[channel]]
id = "demo-fr"
url = "https://demo-fr.mirakl.net"
shop_id = 2001
market = 4
[channel.orders]
mode = "dry_run"
[channel.settlement]
mode = "on"
zone = "Europe/Paris"
[channel.settlement.accounts]
clearing = "411900"
bank = "512000"
dimensions = {cost_centre = "MKP"}
[channel.settlement.accounts.by_group]
order = "701000"
penalty = "627800"
[channel.settlement.accounts.by_tax]
TVA = "445710"
"""
PRICE, TAX = Decimal("59.90"), Decimal("9.98")
WRONG = Difference(
    Kind.COMMISSION, "commission:A:line A-1", "EUR", -900, -1200, "by contract 9.00, the log has 12.00", order_id="A"
)


def order(name: str) -> Order:
    line = OrderLine(
        OrderLineId(f"{name}-1"),
        Sku("VX-100-M"),
        1,
        PRICE,
        PRICE,
        taxes=(Tax("TVA", TAX, Decimal(20)),),
        total_price=PRICE,
    )
    at = LAST_SECOND - timedelta(days=20)
    return Order(OrderId(name), name, "RECEIVED", at, at, "EUR", (line,), country="FR", debited_at=at)


def line(number: int, type_: str, amount: int, at: datetime, **more: str) -> Transaction:
    return Transaction(f"T{number}", type_, amount, "EUR", "PAYABLE", at, at, **more)


LINES = (
    line(1, "ORDER_AMOUNT", 5990, LAST_SECOND, order_id="A", line_id="A-1", cycle="C1"),
    line(2, "COMMISSION_FEE", -1200, LAST_SECOND, order_id="A", line_id="A-1", cycle="C1"),
    line(3, "SELLER_PENALTY_FEE", -1000, LAST_SECOND, label="=late parcel", cycle="C1"),
    line(4, "ORDER_AMOUNT", 5990, APRIL, order_id="B", line_id="B-1"),
)


@pytest_asyncio.fixture
async def books(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A ledger with two orders, one of them a second after the month, and a commission that differs."""
    (tmp_path / "channels.toml").write_text(SETTINGS)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("CENTRA_MIRAKL_CHANNELS_FILE", str(tmp_path / "channels.toml"))
    async with connect(database_url) as database:
        async with database.work.acquire() as connection, connection.transaction():
            for name in ("A", "B"):
                await orders.store(connection, FR, order(name), APRIL, APRIL)
            await ledger.store_lines(connection, FR, LINES)
            await ledger.store_cycles(
                connection, FR, [Cycle("C1", "EUR", APRIL, "FAILED", 3791, failure="INCOMPLETE_KYC")]
            )
            await ledger.write_total(connection, FR, "C1", 3790)
            await settlement.write(connection, FR, transitions("A", (), [WRONG]))
            await settlement.write_standings(connection, FR, [Standing("B", "EUR", 5990, LAST_SECOND, False)])
            await write_reading(connection, FR, Reading(APRIL, APRIL))
        yield database


async def said(command: Callable[[Console], Awaitable[object]]) -> str:
    """What a command prints, its blanks run together."""
    out = io.StringIO()
    await command(Console(file=out, width=300))
    return " ".join(out.getvalue().replace("│", " ").split())


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


async def test_pay_outs_stand_beside_what_their_lines_come_to(books: Database) -> None:
    words = await said(lambda out: money.status(out, None))
    for part in ("C1", "FAILED: INCOMPLETE_KYC", "37.91 EUR", "37.90", "0.01", "was read to its end", "3.00 EUR"):
        assert part in words
    with pytest.raises(SettingsError, match="no channel demo-xx"):
        await said(lambda out: money.status(out, "demo-xx"))


async def test_what_differs_is_listed_with_both_figures_and_ended_by_name_once(books: Database, tmp_path: Path) -> None:
    async def listed(out: Console, **more: object) -> None:
        chosen = {"kind": None, "cycle": None, "order": None, "everything": False, "file": None} | more
        await money.list_open(out, FR, **chosen)  # type: ignore[arg-type]

    words = await said(listed)
    for part in ("d1", "commission", "3.00 EUR", "by contract 9.00, the log has 12.00"):
        assert part in words
    ended_by_process = await run_command(
        dict(os.environ), "settlement", "open", FR, "--csv", str(tmp_path / "open.csv")
    )
    assert ended_by_process.code == DONE
    [row] = rows(tmp_path / "open.csv")
    assert (row["number"], row["expected"], row["told"], row["at_stake"]) == ("d1", "-9.00", "-12.00", "3.00")

    words = await said(lambda out: money.decide(out, ["d1"], State.EXPLAINED, who="Ada", note="ticket 7"))
    assert "d1 is explained" in words
    with pytest.raises(DeclinedError, match=r"Ada explained d1 at .*: ticket 7"):
        await said(lambda out: money.decide(out, ["d1"], State.EXPLAINED, who="Ben", note="no idea"))
    await said(lambda out: money.decide(out, ["1"], State.ACCEPTED, who="Ben", note="too small"))
    with pytest.raises(DeclinedError, match=r"Ben accepted d1 at .*: too small\nnobody knows d9"):
        await said(lambda out: money.decide(out, ["d1", "d9"], State.ACCEPTED, who="Ada", note="fine"))
    with pytest.raises(SettingsError, match="x17 is not the name of a difference"):
        await said(lambda out: money.decide(out, ["x17"], State.ACCEPTED, who="Ada", note="fine"))
    assert await said(listed) == "nothing differs"
    words = await said(lambda out: listed(out, everything=True))
    assert "Ben: too small" in words


async def test_orders_that_wait_for_their_money_are_listed_with_their_age(books: Database, tmp_path: Path) -> None:
    words = await said(lambda out: money.list_unpaid(out, FR, days=0, file=None))
    assert "B" in words
    assert "59.90 EUR" in words
    await said(lambda out: money.list_unpaid(out, FR, days=0, file=tmp_path / "unpaid.csv"))
    [row] = rows(tmp_path / "unpaid.csv")
    assert (row["order"], row["amount"]) == ("B", "59.90")
    words = await said(lambda out: money.list_unpaid(out, FR, days=100_000, file=None))
    assert words == "0 orders"


async def test_a_month_ends_with_its_last_second_in_its_own_zone(books: Database, tmp_path: Path) -> None:
    folder = tmp_path / "march"
    words = await said(lambda out: months.report(out, "2026-03", channel=None, zone=None, folder=folder))
    for part in ("2026-02-28 23:00 to 2026-03-31 22:00 UTC", "order 1 59.90 EUR", "penalty 1 -10.00 EUR", "FR TVA"):
        assert part in words
    summary = {row["group"]: row["amount"] for row in rows(folder / "demo-fr-2026-03-summary.csv")}
    assert summary == {"order": "59.90", "commission": "-12.00", "penalty": "-10.00"}
    [tax] = rows(folder / "demo-fr-2026-03-taxes.csv")
    assert (tax["country"], tax["tax_code"], tax["rate"], tax["sold"]) == ("FR", "TVA", "20", "9.98")
    fees = {row["type"]: row["label"] for row in rows(folder / "demo-fr-2026-03-fees.csv")}
    assert fees == {"COMMISSION_FEE": "", "SELLER_PENALTY_FEE": "'=late parcel"}
    assert [row["number"] for row in rows(folder / "demo-fr-2026-03-open.csv")] == ["d1"]
    words = await said(lambda out: months.report(out, "2026-03", channel=FR, zone="UTC", folder=None))
    assert "order 2 119.80 EUR" in words


async def test_the_journal_of_a_month_balances_and_is_the_same_each_time(books: Database, tmp_path: Path) -> None:
    async def exported(name: str, period: str = "2026-03", zone: str | None = None) -> bytes:
        file = tmp_path / name
        await said(lambda out: months.export(out, period, file, channel=None, zone=zone))
        return file.read_bytes()

    first = await exported("first.csv")
    async with books.work.acquire() as connection:  # what is told later changes nothing in it
        later = LINES[3].updated_at + timedelta(days=9)
        await ledger.store_lines(
            connection, FR, [Transaction(**{**as_members(LINES[0]), "state": "PAID", "updated_at": later})]
        )
    assert await exported("second.csv") == first
    journal = rows(tmp_path / "first.csv")
    debited, credited = (sum(Decimal(row[side] or 0) for row in journal) for side in ("debit", "credit"))
    assert debited == credited > 0
    assert {row["account"] for row in journal} == {"411900", "701000", "445710", "627800", "suspense"}
    assert {row["cost_centre"] for row in journal} == {"MKP"}
    assert {row["text"] for row in journal if row["account"] == "627800"} == {"SELLER_PENALTY_FEE: =late parcel"}
    assert {row["date"] for row in journal} == {"2026-03-31"}
    for period, words in (
        ("2026-04", "the log of demo-fr was read to its end last on"),
        ("2100-01", "2100-01 ends on"),
    ):
        with pytest.raises(DeclinedError, match=words):
            await exported("never.csv", period)
    with pytest.raises(SettingsError, match="'march' is no month"):
        await exported("never.csv", "march")
    with pytest.raises(SettingsError, match="Mars/Paris is no time zone"):
        await exported("never.csv", zone="Mars/Paris")
    assert not (tmp_path / "never.csv").exists()


def as_members(one: Transaction) -> dict[str, object]:
    return {name: getattr(one, name) for name in Transaction.__dataclass_fields__}
