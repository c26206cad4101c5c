"""People look into orders and step in: what they see, what is written down, and what they are not allowed."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.ids import OrderLineId
from app.domain.orders import OrderState
from app.domain.progress import Acceptor, Decided, Entry, Outcome
from app.domain.teams import Team
from app.store import effects, orders
from app.store.effects import EffectClass, EffectState
from tests.console.orders_desk import BOTH_DUE, BOTH_HELD, NOW, PERSONAL, PRIVACY_KEY, an_order, desk, said
from tests.console.words import CONFIGURATION, DIFFERENCES, DONE, UNREACHABLE, nothing_secret, sentence
from tests.flows.service import FR, SE, SOURCE, Deployment, Ended, deployed, running, shape, until
from tests.standins import Json

ILVA = ("--who", "Ilva Testberg")


def rows_of(ended: Ended, order_id: str) -> str:
    """What the tables say about an order: its rows, and the lines that go on without naming another order."""
    assert ended.code == DONE, ended.errors
    found, ours = [], False
    for line in ended.out.splitlines():
        ours = order_id in line or (ours and line.startswith("│  "))
        found += [line] if ours else []
    return " ".join(" ".join(found).split())


# ------------------------------------------------------------------------------------------------------------ list


async def test_the_list_names_deadline_reason_team_and_what_to_do(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place(an_order("R-1-A"))
        await at.held_by_flow("R-1-A", "R-1-A-1 short of stock: see [[channel.orders]]")
        await at.place(an_order("R-2-A", created_at=NOW - timedelta(hours=23, minutes=30)))
        await at.place(an_order("R-3-A", state=OrderState.SHIPPING), channel=SE)
        await at.run(
            "UPDATE marketplace_order SET accepted_at = $1, centra_number = 4711 WHERE order_id = 'R-3-A'", NOW
        )
        async with at.database.desk.acquire() as connection:
            entry = Entry("PENDING", held=False, unpaid=True)
            await orders.checked(
                connection,
                SE,
                "R-3-A",
                centra_id="x",
                customer=1,
                entry=entry,
                problem="2.00 EUR more",
                team=Team.FINANCE,
                known=None,
            )
        await at.place(an_order("R-4-A", state=OrderState.CLOSED))
        async with at.database.desk.acquire() as connection:
            await orders.ended(connection, FR, "R-4-A", Outcome.RELEASED)

        everything = await at.say("orders", "list")
        first = rows_of(everything, "R-1-A")
        for words in ("demo-fr", "WAITING_ACCEPTANCE", "held", "59.90 EUR", "operations"):
            assert words in first
        assert re.search(r"2[12] h left", first)  # the clock has gone on since NOW
        assert "short of stock: see [[channel.orders]]" in first
        assert "→ `orders accept` or `orders refuse`" in first
        second = rows_of(everything, "R-2-A")
        assert re.search(r"(2\d|30) min left", second)
        assert "held" not in second
        third = rows_of(everything, "R-3-A")
        for words in ("accepted, in Centra, held", "4711", "finance", "2.00 EUR more", "`orders release`", " d left"):
            assert words in third
        assert "R-4-A" not in everything.out
        assert everything.out.index("R-2-A") < everything.out.index("R-1-A")  # what is due first comes first

        assert "released" in rows_of(await at.say("orders", "list", "--all"), "R-4-A")
        held = await at.say("orders", "list", "--held")
        assert ("R-1-A" in held.out, "R-2-A" in held.out, "R-3-A" in held.out) == (True, False, True)
        one = await at.say("orders", "list", SE)
        assert ("R-1-A" in one.out, "R-3-A" in one.out) == (False, True)
        assert "more than 1" in (await at.say("orders", "list", "--limit", "1")).words
        assert "there is no channel demo-xx" in sentence(await at.say("orders", "list", "demo-xx"), CONFIGURATION)
        for ended in (everything, held):
            assert not any(words in ended.out for words in PERSONAL)


async def test_a_lapsed_deadline_and_advice_for_what_others_accepted(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place(an_order("R-1-A"), hours=1)
        await at.place(an_order("R-2-A", state=OrderState.SHIPPING))
        async with at.database.desk.acquire() as connection:
            await orders.accepted(connection, FR, "R-2-A", Acceptor.SOMEBODY)
        await at.held_by_flow("R-2-A", "somebody else accepted this order")
        await at.place(an_order("R-3-A", state=OrderState.SHIPPING))
        await at.held_by_flow("R-3-A", "the delivery address names no country", flow="order_entry")
        listed = await at.say("orders", "list")
        assert re.search(r"6\d min ago", rows_of(listed, "R-1-A"))
        assert "→ `orders release`" in rows_of(listed, "R-2-A")
        assert "→ mend the cause, then `orders retry`" in rows_of(listed, "R-3-A")


# ------------------------------------------------------------------------------------------------------------ show


async def test_the_timeline_has_both_ids_every_effect_and_no_buyer(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place()
        async with at.database.desk.acquire() as connection:
            decided = Decided({OrderLineId("R-1-A-1"): True}, ("VX-1: 5 free, 2 promised",))
            await orders.decide(connection, FR, "R-1-A", decided)
            await effects.audit(connection, FR, "orders", "order:R-1-A", None, "decided", "1 of 1 lines accepted")
            for code, state, words in (
                ("OrderCreate", EffectState.UNKNOWN, "the answer was lost"),
                ("OR21", EffectState.APPLIED, None),
            ):
                number = await effects.write_sent(connection, FR, "orders", code, EffectClass.STATE, lane="R-1-A")
                await effects.decide(connection, number, state, words)
            await at.run("UPDATE marketplace_order SET centra_number = 4711, created_in_centra_at = $1", NOW)
            for further, role in ((4712, "part"), (4713, "orphan")):
                await orders.note_number(connection, SOURCE, further, FR, "R-1-A", role)
            await orders.orphan_cancelled(connection, SOURCE, 4713)
            await orders.accepted(connection, FR, "R-1-A", Acceptor.US)

        for name in ("R-1-A", "R-1", "4711"):
            shown = await at.say("orders", "show", name)
            assert shown.code == DONE, shown.errors
            for words in (
                "R-1-A on demo-fr",
                "commercial id R-1,",
                "in Centra: 4711, 4712 (part), 4713 (orphan)",
                "VX-1 × 2, WAITING_ACCEPTANCE, accepted",
                "VX-1: 5 free, 2 promised",
                "decided: 1 of 1 lines accepted",
                "the answer was lost",
                "created as 4711",
                "4713 is cancelled",
                "reserved 2 of VX-1; now placed 0, absorbed 0",
                "told R-1-A@raw",
            ):
                assert words in shown.words, words
            assert shown.out.index("ordered") < shown.out.index("created as 4711")
            assert "raw-words" not in shown.out
            assert not any(words in shown.out for words in PERSONAL)
        assert "unknown" in next(line for line in shown.out.splitlines() if "OrderCreate" in line)
        assert "applied" in next(line for line in shown.out.splitlines() if "OR21" in line)
        raw = await at.say("orders", "show", "R-1-A", "--raw")
        assert '"order_id": "raw-words"' in raw.out
        assert not any(words in raw.out for words in PERSONAL)


async def test_a_buyer_is_shown_for_a_reason_only_and_that_is_audited(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place()
        assert "say --why" in sentence(await at.say("orders", "show", "R-1-A", "--buyer"), CONFIGURATION)
        assert await at.audited("R-1-A") == []
        shown = await at.say("orders", "show", "R-1-A", "--buyer", *ILVA, "--why", "parcel came back")
        assert all(words in shown.out for words in PERSONAL)
        assert await at.audited("R-1-A") == [("Ilva Testberg", None, "buyer shown", "parcel came back")]
        await at.run("UPDATE buyer SET body = NULL, erased_at = app_now()")
        gone = await at.say("orders", "show", "R-1-A", "--buyer", "--why", "again")
        assert "no buyer data is kept" in gone.words


async def test_a_name_is_never_a_part_of_an_id_and_may_mean_several(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        for channel in (FR, SE):
            await at.place(channel=channel)
        await at.place(an_order("R-1-B"))
        for name in ("R", "R-1-", "1", "r-1-a", "%"):
            assert "nobody knows the order" in sentence(await at.say("orders", "show", name), DIFFERENCES)
        several = await at.say("orders", "show", "R-1")
        assert several.out.count("centra-mirakl orders show") == 3
        assert "orders show R-1-B --channel demo-fr" in several.out
        assert "first" not in several.words
        assert "R-1-A on demo-se" in (await at.say("orders", "show", "R-1-A", "--channel", SE)).out
        unclear = await at.say("orders", "hold", "R-1-A", "--why", "which?")
        assert "means several orders: R-1-A on demo-fr, R-1-A on demo-se" in sentence(unclear, DIFFERENCES)
        assert await at.keys("R-1-A") == BOTH_DUE


# ---------------------------------------------------------------------------------------------- accept and refuse


@pytest.mark.parametrize("choice", ["accept", "refuse"])
async def test_a_persons_decision_is_kept_audited_and_worked_at_once(
    database_url: str, tmp_path: Path, choice: str
) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place()
        async with at.database.desk.acquire() as connection:
            await orders.decide(connection, FR, "R-1-A", Decided({OrderLineId("R-1-A-1"): True}))
        await at.held_by_flow("R-1-A", "cheaper than our lowest price")
        missing = await at.say("orders", choice, "R-1-A")
        assert (missing.code, "--why" in missing.errors) == (CONFIGURATION, True)
        ended = await at.say("orders", choice, "R-1-A", *ILVA, "--why", "a campaign")
        assert ended.code == DONE, ended.errors
        assert f"{choice} is decided" in ended.words
        assert "nothing is sent" in ended.words  # a dry run
        row = await at.order("R-1-A")
        assert (row["choice"], row["decision"]) == (choice, None)
        assert await at.audited("R-1-A") == [("Ilva Testberg", None, choice, "a campaign")]
        assert await at.keys("R-1-A") == BOTH_DUE


async def test_a_refused_or_unsent_decision_gives_way_to_a_persons(database_url: str, tmp_path: Path) -> None:
    """Mirakl did not take what we sent: the stored decision must not be sent once more in the person's name."""
    async with desk(database_url, tmp_path) as at:
        await at.place()
        async with at.database.desk.acquire() as connection:
            await orders.decide(connection, FR, "R-1-A", Decided({OrderLineId("R-1-A-1"): True}))
            await orders.accept_sent(connection, FR, "R-1-A")
            number = await effects.write_sent(
                connection, FR, "orders", "OR21", EffectClass.STATE, lane="R-1-A", doubt="OR21"
            )
        doubt = await at.say("orders", "refuse", "R-1-A", "--why", "sold out")
        assert "the answer to our decision about R-1-A was lost" in sentence(doubt, DIFFERENCES)
        assert (await at.order("R-1-A"))["choice"] is None
        async with at.database.desk.acquire() as connection:
            await effects.decide(connection, number, EffectState.REFUSED, "not now")
        assert (await at.say("orders", "refuse", "R-1-A", "--why", "sold out")).code == DONE
        row = await at.order("R-1-A")
        assert (row["choice"], row["decision"]) == ("refuse", None)


async def test_what_is_decided_or_over_is_not_decided_again(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place(an_order("R-1-A"))
        await at.place(an_order("R-2-A"))
        await at.place(an_order("R-3-A", state=OrderState.CANCELED))
        await at.place(an_order("R-4-A", state=OrderState.SHIPPING))
        await at.place(an_order("R-5-A", fulfilled_by="OPERATOR-1"))
        async with at.database.desk.acquire() as connection:
            await orders.accepted(connection, FR, "R-1-A", Acceptor.US)
            await orders.decide(connection, FR, "R-2-A", Decided({OrderLineId("R-2-A-1"): False}))
            await orders.accepted(connection, FR, "R-2-A", Acceptor.US)
            await orders.ended(connection, FR, "R-3-A", Outcome.CANCELLED)
        for order_id, words in (
            ("R-1-A", "was accepted already, by us"),
            ("R-2-A", "was refused already, by us"),
            ("R-3-A", "has ended, cancelled"),
            ("R-4-A", "is SHIPPING at the marketplace"),
            ("R-5-A", "shipped by the marketplace itself"),
        ):
            for choice in ("accept", "refuse"):
                ended = await at.say("orders", choice, order_id, "--why", "too late")
                assert words in sentence(ended, DIFFERENCES)
            assert (await at.order(order_id))["choice"] is None
            assert await at.audited(order_id) == []
        assert "nobody knows the order R-9" in sentence(
            await at.say("orders", "accept", "R-9", "--why", "?"), DIFFERENCES
        )


async def test_an_order_from_before_the_start_can_be_decided_after_all(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        for order_id, state in (("R-1-A", OrderState.WAITING_ACCEPTANCE), ("R-2-A", OrderState.SHIPPING)):
            await at.place(an_order(order_id, state=state))
            async with at.database.desk.acquire() as connection:
                await orders.ended(connection, FR, order_id, Outcome.RECORDED)
        assert (await at.say("orders", "accept", "R-1-A", "--why", "ours after all")).code == DONE
        assert "goes into Centra" in (await at.say("orders", "release", "R-2-A")).words
        found = [await at.order(order_id) for order_id in ("R-1-A", "R-2-A")]
        assert [(row["choice"], row["outcome"]) for row in found] == [("accept", None), ("import", None)]


async def test_accepting_names_the_lines_that_centra_lacks(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place()
        async with at.database.desk.acquire() as connection:
            await at.run("UPDATE marketplace_order SET centra_number = 4711")
            entry = Entry("PENDING", held=False, unpaid=True)
            await orders.checked(
                connection,
                FR,
                "R-1-A",
                centra_id="x",
                customer=1,
                entry=entry,
                problem=None,
                team=None,
                known=None,
            )
        ended = await at.say("orders", "accept", "R-1-A", "--why", "all of it")
        assert "add by hand to 4711 in Centra: VX-1" in ended.words


async def test_a_running_service_does_what_a_person_decided(database_url: str) -> None:
    """Short of stock, and held: accepted by hand it is decided anew, by the person's word."""
    short = {FR: "orders = {mode = 'dry_run', short = 'hold'}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRIVACY_KEY", PRIVACY_KEY)
        async with running(database_url, shape(channel_lines=short)) as service:
            sku = (await service.sizes())[0]["sku"]
            lines = [{"sku": sku, "quantity": 5000}]
            await service.admin.post(
                service.mirakl(), "/_sandbox/orders", {"orders": [{"order_id": "R-1-A", "lines": lines}]}
            )
            reasons = await until(lambda: service.held(FR, "orders"), "it is held", seconds=40)
            assert "short" in reasons["R-1-A"]
            ended = await service.command("orders", "accept", "R-1-A", *ILVA, "--why", "stock is on its way")
            assert ended.code == DONE, ended.errors

            async def decided() -> str | None:
                words: str | None = await service.database.fetchval("SELECT decision::text FROM marketplace_order")
                return words

            assert "a person decided: accept" in str(await until(decided, "it is decided"))
            assert await service.held(FR, "orders") == {}


# ------------------------------------------------------------------------------------------ hold, release and retry


async def test_a_hold_outlasts_every_mark_until_a_release(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place()
        ended = await at.say("orders", "hold", "R-1-A", *ILVA, "--why", "looks like fraud")
        assert "is held until `orders release R-1-A`" in ended.words
        assert "the marketplace does not wait: accept by" in ended.words
        await at.database.mark(orders.marks_of(FR, "R-1-A"))
        assert await at.keys("R-1-A") == BOTH_HELD
        listed = rows_of(await at.say("orders", "list", "--held"), "R-1-A")
        assert "Ilva Testberg: looks like fraud" in listed
        for words in (listed, (await at.say("orders", "show", "R-1-A")).words):
            assert "→ `orders release`, once that is clear" in words
        every = await at.say("orders", "retry", "--all-held", FR)
        assert "0 orders of demo-fr" in every.words
        assert "held until `orders release`: R-1-A" in every.words
        assert await at.keys("R-1-A") == BOTH_HELD
        assert "is released" in (await at.say("orders", "release", "R-1-A", *ILVA, "--why", "no fraud")).words
        assert await at.keys("R-1-A") == BOTH_DUE
        assert await at.audited("R-1-A") == [
            ("Ilva Testberg", None, "held", "looks like fraud"),
            ("Ilva Testberg", "held", "released", "no fraud"),
        ]
        assert (await at.order("R-1-A"))["choice"] is None
        assert "nothing holds R-1-A" in sentence(await at.say("orders", "release", "R-1-A"), DIFFERENCES)


async def test_a_hold_waits_for_the_worker_and_takes_what_a_dead_one_left(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place()
        claim = "UPDATE outbox SET claim = 7, claimed_version = version, lease_until = clock_timestamp() + $1::interval"
        await at.run(f"{claim} WHERE flow = 'orders'", timedelta(minutes=5))
        holding = asyncio.ensure_future(at.say("orders", "hold", "R-1-A", "--why", "wait"))

        async def waits() -> bool:
            return (await at.keys("R-1-A"))["order_entry"][0] == "held"

        await until(waits, "the other key, which nobody works on, is held")
        assert (await at.keys("R-1-A"))["orders"][0] == "ready"
        assert not holding.done()
        await at.run(f"{claim} WHERE flow = 'orders'", timedelta(minutes=-5))
        assert (await holding).code == DONE
        assert await at.keys("R-1-A") == BOTH_HELD


async def test_a_release_settles_what_was_found_and_imports_what_others_accepted(
    database_url: str, tmp_path: Path
) -> None:
    async with desk(database_url, tmp_path) as at:
        for order_id in ("R-1-A", "R-2-A"):
            await at.place(an_order(order_id, state=OrderState.SHIPPING))
        read: dict[str, Any] = {"centra_id": "x", "customer": 1, "entry": Entry("PENDING", held=False, unpaid=True)}
        found = {**read, "problem": "2.00 EUR more", "team": Team.FINANCE}
        async with at.database.desk.acquire() as connection:
            await orders.accepted(connection, FR, "R-1-A", Acceptor.US)
            await orders.checked(connection, FR, "R-1-A", **found, known=None)
            await orders.accepted(connection, FR, "R-2-A", Acceptor.SOMEBODY)
        await at.held_by_flow("R-1-A", "2.00 EUR more", flow="order_entry")
        await at.held_by_flow("R-2-A", "somebody else accepted this order")
        for order_id in ("R-1-A", "R-2-A"):
            assert (await at.say("orders", "release", order_id, *ILVA, "--why", "settled")).code == DONE
            assert await at.keys(order_id) == BOTH_DUE
        first, second = await at.order("R-1-A"), await at.order("R-2-A")
        assert (first["problem"], first["problem_team"], first["choice"]) == (None, None, None)
        assert second["choice"] == "import"
        assert await at.audited("R-1-A") == [("Ilva Testberg", "2.00 EUR more", "released", "settled")]
        assert await at.audited("R-2-A") == [("Ilva Testberg", "held", "released into Centra", "settled")]
        async with at.database.desk.acquire() as connection:  # a look that began before the release
            await orders.checked(connection, FR, "R-1-A", **found, known="2.00 EUR more")
        assert (await at.order("R-1-A"))["problem"] is None
        async with at.database.desk.acquire() as connection:
            await orders.checked(connection, FR, "R-1-A", **found, known=None)
        assert (await at.order("R-1-A"))["problem"] == "2.00 EUR more"


async def test_retry_looks_again_at_one_or_at_all_held(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        for order_id in ("R-1-A", "R-2-A", "R-3-A"):
            await at.place(an_order(order_id))
        await at.place(an_order("R-4-A"), channel=SE)
        for order_id, flow in (("R-1-A", "orders"), ("R-2-A", "order_entry"), ("R-3-A", "orders")):
            await at.held_by_flow(order_id, "because", flow=flow)
        await at.held_by_flow("R-4-A", "because", channel=SE)
        for wrong in ((), ("R-1-A", "--all-held", FR)):
            assert "say --all-held" in sentence(await at.say("orders", "retry", *wrong), CONFIGURATION)
        assert "there is no channel" in sentence(await at.say("orders", "retry", "--all-held", "xx"), CONFIGURATION)
        assert "looked at again" in (await at.say("orders", "retry", "R-1-A", *ILVA, "--why", "mended")).words
        assert (await at.keys("R-1-A"), (await at.keys("R-2-A"))["order_entry"][0]) == (BOTH_DUE, "held")
        assert await at.audited("R-1-A") == [("Ilva Testberg", "held", "ready", "mended")]
        assert "2 orders of demo-fr" in (await at.say("orders", "retry", "--all-held", FR)).words
        assert [await at.keys(order_id) for order_id in ("R-2-A", "R-3-A")] == [BOTH_DUE, BOTH_DUE]
        assert (await at.keys("R-4-A", SE))["orders"][0] == "held"


# ---------------------------------------------------------------------------------------------------------- import


DRY = {FR: "orders = {mode = 'dry_run'}"}
DAY = 86_400


def days(*ago: int) -> tuple[str, ...]:
    """--from and --to, so many days ago."""
    first, last = (datetime.now(UTC) - timedelta(days=n) for n in ago)
    return "--from", f"{first:%Y-%m-%d}", "--to", f"{last:%Y-%m-%d}"


async def ordered(place: Deployment, *made: Json) -> None:
    """Buyers order a unit of something."""
    lines = [{"sku": (await place.sizes())[0]["sku"], "quantity": 1}]
    await place.admin.post(place.mirakl(), "/_sandbox/orders", {"orders": [{"lines": lines, **one} for one in made]})


async def imported(place: Deployment, *arguments: str) -> Ended:
    return await said(
        {**place.lab.environment(), "PRIVACY_KEY": PRIVACY_KEY}, "orders", "import", "--channel", FR, *arguments
    )


async def test_an_import_counts_first_and_stores_the_same_export(database_url: str) -> None:
    async with deployed(database_url, shape(channel_lines=DRY)) as place:
        await ordered(
            place,
            {"order_id": "OPEN-A", "created_ago_seconds": 2 * DAY},
            {"order_id": "OLD-A", "created_ago_seconds": 9 * DAY, "state": "CLOSED"},
            {"order_id": "THEIRS-A", "created_ago_seconds": 2 * DAY, "fulfillment": "OPERATOR-1"},
            {"order_id": "BEFORE-A", "created_ago_seconds": 40 * DAY},
        )
        counted = await imported(place, *days(10, 0))
        assert counted.code == DONE, counted.errors
        assert "nothing is stored; --apply stores 3 orders; 1 of them create work" in counted.words
        rows = {line.split()[1]: line.split()[3::2] for line in counted.out.splitlines() if "│" in line}
        none = ["1", "1", "0", "0"]
        assert rows == {"WAITING_ACCEPTANCE": ["1", "1", "0", "1"], "CLOSED": none, "SHIPPING": none}
        assert await place.count("SELECT count(*) FROM marketplace_order") == 0

        applied = await imported(place, *days(10, 0), "--apply")
        assert "3 orders are stored; 1 of them create work" in applied.words
        stored = await place.database.fetch("SELECT order_id FROM marketplace_order ORDER BY 1")
        assert [row["order_id"] for row in stored] == ["OLD-A", "OPEN-A", "THEIRS-A"]
        assert await place.count("SELECT count(*) FROM outbox WHERE flow = 'orders'") == 3

        await place.database.execute(
            "UPDATE marketplace_order SET updated_at = updated_at - interval '90 d',"
            " facts = jsonb_set(facts, '{updated_at}', '\"2020-01-01T00:00:00Z\"')"
        )
        again = await imported(place, *days(10, 0), "--apply")
        assert "3 orders are stored; 0 of them create work" in again.words  # the export is newer than what was here
        last = await imported(place, *days(10, 0), "--apply")
        assert "0 orders are stored; 0 of them create work" in last.words
        assert len(await place.calls(place.mirakl(), "OR13")) == 1  # one a day is all that there is

        other = await imported(place, *days(20, 0))
        assert "allows the next export of this kind in" in sentence(other, UNREACHABLE)
        assert await place.violations(place.mirakl()) == []
        nothing_secret(counted, applied, other)


async def test_an_export_that_fails_is_not_asked_about_again(database_url: str) -> None:
    async with deployed(database_url, shape(channel_lines=DRY)) as place:
        await place.faults(place.mirakl(), {"code": "OR13", "kind": "export_failed"})
        assert "export ended FAILED" in sentence(await imported(place, *days(1, 0)), UNREACHABLE)
        assert "allows the next export" in sentence(await imported(place, *days(1, 0)), UNREACHABLE)
        place.edit_channels("dry_run", "off")
        assert "orders of demo-fr are off" in sentence(await imported(place, *days(1, 0)), CONFIGURATION)


@pytest.mark.parametrize(
    ("channel", "first", "last", "words"),
    [
        ("demo-xx", "2026-01-01", "2026-01-02", "there is no channel demo-xx"),
        (FR, "2024-01-01", "2026-01-02", "at most a year"),
        (FR, "2026-01-02", "2026-01-01", "is before --from"),
        (FR, "2999-01-01", "2999-01-02", "is in the future"),
    ],
)
async def test_wrong_days_are_said(
    database_url: str, tmp_path: Path, channel: str, first: str, last: str, words: str
) -> None:
    async with desk(database_url, tmp_path) as at:
        keys = {"CENTRA_TOKEN": "t-1", "MIRAKL_KEY_DEMO_FR": "k-1", "MIRAKL_KEY_DEMO_SE": "k-2"}
        ended = await at.say("orders", "import", "--channel", channel, "--from", first, "--to", last, **keys)
        assert words in sentence(ended, CONFIGURATION)


async def test_a_day_that_is_none_is_said() -> None:
    odd = await said({}, "orders", "import", "--channel", FR, "--from", "yesterday", "--to", "2026-01-01")
    assert (odd.code, "yesterday" in odd.errors) == (CONFIGURATION, True)
