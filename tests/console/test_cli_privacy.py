"""A buyer is erased by whatever name people have for the order, once and for good, and nothing personal is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.orders import OrderState
from app.domain.progress import Entry, Outcome
from app.store import buyers, orders
from tests.console.orders_desk import BUYER, PERSONAL, PRIVACY_KEY, Desk, an_order, desk
from tests.console.words import CONFIGURATION, DIFFERENCES, DONE, sentence
from tests.flows.service import FR, SE

WHY = ("--who", "Ilva Testberg", "--why", "request 12")


async def in_centra(at: Desk, order_id: str, number: int, customer: int | None) -> None:
    await at.run("UPDATE marketplace_order SET centra_number = $2 WHERE order_id = $1", order_id, number)
    if customer is not None:
        async with at.database.desk.acquire() as connection:
            entry = Entry("PENDING", held=False, unpaid=False)
            await orders.checked(
                connection,
                FR,
                order_id,
                centra_id="x",
                customer=customer,
                entry=entry,
                problem=None,
                team=None,
                known=None,
            )


async def erased(at: Desk) -> set[str]:
    """Orders whose buyer is a tombstone; the others must have theirs whole."""
    rows = await at.database.desk.fetch("SELECT order_id, body, email_hash, erased_at FROM buyer")
    for row in rows:
        gone = (row["body"] is None, row["email_hash"] is None, row["erased_at"] is not None)
        assert gone in ((True, True, True), (False, False, False)), row["order_id"]
    return {row["order_id"] for row in rows if row["erased_at"]}


@pytest.mark.parametrize("name", ["R-1-A", "R-1", "4711"])
async def test_one_order_by_each_of_its_names(database_url: str, tmp_path: Path, name: str) -> None:
    async with desk(database_url, tmp_path) as at:
        for order_id in ("R-1-A", "R-2-A"):
            await at.place(an_order(order_id, state=OrderState.SHIPPING))
        await in_centra(at, "R-1-A", 4711, 99)
        async with at.database.desk.acquire() as connection:
            await orders.ended(connection, FR, "R-1-A", Outcome.RELEASED)
        ended = await at.say("privacy", "erase", name, *WHY)
        assert ended.code == DONE, ended.errors
        for words in ("R-1-A", "4711", "erased", "customer 99 is being erased", "tax law"):
            assert words in ended.words
        assert "still open" not in ended.words
        assert not any(words in ended.out for words in PERSONAL)
        assert await erased(at) == {"R-1-A"}
        assert await at.audited("R-1-A") == [("Ilva Testberg", None, "buyer erased", "request 12")]
        marked = await at.database.desk.fetch("SELECT scope, key FROM outbox WHERE flow = 'erasures'")
        assert [tuple(row) for row in marked] == [(FR, "R-1-A")]
        assert (await at.order("R-1-A"))["centra_number"] == 4711  # facts stay


async def test_every_order_of_an_address_and_no_later_event_brings_it_back(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place(an_order("R-1-A"))
        await at.place(an_order("R-2-A"), channel=SE)
        await at.place(an_order("R-3-A"))
        other = replace(BUYER, email="other@marketplace.example")
        async with at.database.desk.acquire() as connection:
            hashed = buyers.email_hash(PRIVACY_KEY.encode(), other.email)
            await buyers.store(connection, FR, "R-3-A", other, hashed, anonymised=False)
        await in_centra(at, "R-1-A", 4711, None)
        ended = await at.say("privacy", "erase", " Relay.1@marketplace.EXAMPLE", *WHY)
        assert ended.code == DONE, ended.errors
        for words in ("not read back yet: say this again later", "never was there", "still open: R-1-A, R-2-A"):
            assert words in ended.words
        assert "relay" not in ended.out.lower()
        assert await erased(at) == {"R-1-A", "R-2-A"}
        assert await at.database.desk.fetchval("SELECT count(*) FROM outbox WHERE flow = 'erasures'") == 0
        await at.place(an_order("R-1-A", state=OrderState.SHIPPING))
        assert await erased(at) == {"R-1-A", "R-2-A"}

        await in_centra(at, "R-1-A", 4711, 99)  # it was read back meanwhile
        again = await at.say("privacy", "erase", "R-1-A", *WHY)
        assert "nothing was left" in again.words
        assert "customer 99 is being erased" in again.words


async def test_unknown_names_and_missing_words(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place()
        for name, words in (
            ("R-9", "nobody knows the order R-9"),
            ("nobody@marketplace.example", "name such an order by its id"),
        ):
            ended = await at.say("privacy", "erase", name, *WHY)
            assert words in sentence(ended, DIFFERENCES)
            assert "@" not in ended.errors
        unsaid = await at.say("privacy", "erase", "R-1-A")
        assert (unsaid.code, "--why" in unsaid.errors) == (CONFIGURATION, True)
        personal = await at.say("privacy", "erase", "R-1-A", "--why", "asked by relay.1@marketplace.example")
        assert "write no address" in sentence(personal, CONFIGURATION)
        keyless = await at.say("privacy", "erase", BUYER.email, *WHY, PRIVACY_KEY="")
        assert "PRIVACY_KEY" in sentence(keyless, CONFIGURATION)
        assert await erased(at) == set()
        assert await at.audited("R-1-A") == []


async def test_retention_erases_by_the_setting(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        for order_id, days in (("R-1-A", 31), ("R-2-A", 29)):
            await at.place(an_order(order_id))
            await at.run(
                "UPDATE marketplace_order SET outcome = 'released', ended_at = app_now() - $2 * interval '1 day'"
                " WHERE order_id = $1",
                order_id,
                days,
            )
        assert "1 buyers deleted" in (await at.say("retention")).words
        assert await erased(at) == {"R-1-A"}
        missing = await at.say("retention", CENTRA_MIRAKL_CHANNELS_FILE=str(tmp_path / "nowhere.toml"))
        assert "there is no channel file" in sentence(missing, CONFIGURATION)
