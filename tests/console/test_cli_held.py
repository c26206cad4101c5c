"""Everything that needs a person is one list, and a person ends a hold once, by name and with a reason."""

import asyncio
import io
import itertools
import json
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from app.commands import held_acts
from app.commands.held_acts import Decision
from app.commands.orders import DeclinedError
from app.domain.after_sale import Advice, Announced, Carrier, Parcel, Stop, taken
from app.domain.ids import OrderLineId
from app.domain.orders import Order, OrderState, Refunded
from app.domain.teams import Team
from app.flows.after_sale import money
from app.flows.shipments import DOUBT
from app.store import effects, inbox, orders, outbox
from app.store.effects import EffectClass, EffectState
from app.store.inbox import Fact
from app.store.intents import Kind
from app.store.marks import Mark
from tests.console.after_desk import (
    DUE,
    HELD,
    LOST,
    fact,
    held_return,
    in_doubt,
    key,
    one,
    parcel,
    refund,
    row,
)
from tests.console.orders_desk import NOW, PERSONAL, an_order, desk, said
from tests.console.words import CONFIGURATION, DIFFERENCES, DONE, sentence
from tests.flows.after_sale import back, intent_becomes, line, line_becomes, released, ship, shop
from tests.flows.after_sale import intents as told_intents
from tests.flows.service import FR, SE, Deployment, Ended

ILVA = ("--who", "Ilva Testberg", "--why", "seen in the back office")
RASK = ("--who", "Rask Proberg", "--why", "seen as well")
WHEN = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


def cells_of(ended: Ended, item: str) -> list[str]:
    """The cells of an item: item, items, team with channel and flow, due, held for, money, why and what to do."""
    assert ended.code == DONE, ended.errors
    lines = ended.out.splitlines()
    [first] = [number for number, text in enumerate(lines) if item in text]
    own = itertools.takewhile(lambda text: text.startswith("│"), lines[first:])
    return [
        " ".join(cell).strip() for cell in zip(*(map(str.strip, text.split("│")[1:-1]) for text in own), strict=True)
    ]


# ------------------------------------------------------------------------------------------------------------ list


async def test_one_cause_is_one_line_with_owner_count_money_deadline_and_advice(
    database_url: str, tmp_path: Path
) -> None:
    async with desk(database_url, tmp_path) as at:
        assert "nothing needs a person" in (await at.say("held", "list")).words
        for order_id in ("R-1-A", "R-2-A", "R-3-A"):
            await at.place(an_order(order_id, state=OrderState.SHIPPING))
        first = await refund(at, 1)
        await refund(at, 2, order_id="R-2-A", amount="10.05")
        third = await parcel(at, 3, order_id="R-3-A")
        item = await held_return(at)
        await at.database.mark([Mark(FR, "stock", "VX-1")])
        await at.held_by_flow("VX-1", "Offer is locked [again]", flow="stock")
        await at.held_by_flow("R-2-A", "short of stock")
        async with at.database.desk.acquire() as connection:
            await inbox.store(connection, FR, "mirakl.return", [Fact("x-1", "return", "x", reason="odd")])

        listed = await at.say("held", "list")
        count, whose, due, since, money, why = cells_of(listed, f"i{first}")[1:]
        assert (count, whose, due, money) == ("2", f"finance {FR}, refunds", "", "40.00 EUR")
        assert re.fullmatch(r"\d+ s", since)
        assert why == "the shop's balance does not cover the refund → " + Advice.RETRY_DAILY.words
        shipment = cells_of(listed, f"i{third}")
        assert shipment[2] == f"operations {FR}, shipments"
        assert re.search(r"in 3 d", shipment[3])
        assert "carriers map" in shipment[-1]
        assert cells_of(listed, item)[2] == f"customer service {FR}, returns"
        stock = cells_of(listed, f"o:{FR}:stock:VX-1")
        assert stock[-1].startswith("Offer is locked [again] → `stock explain SKU`")
        order = cells_of(listed, f"o:{FR}:orders:R-2-A")
        assert order[5] == "59.90 EUR"
        assert re.search(r"in 2\d h", order[3])
        assert listed.out.count(FR + ", ") >= 5
        assert "o:demo-fr:refunds" not in listed.out, "a key that an intent explains is not there twice"
        assert "o:demo-fr:returns" not in listed.out
        assert "1 facts could not be read" in listed.words
        assert not any(words in listed.out for words in PERSONAL)

        finance = await at.say("held", "list", FR, "--team", "finance")
        assert f"i{first}" in finance.out
        assert f"i{third}" not in finance.out
        assert "nothing needs a person" in (await at.say("held", "list", SE)).words
        assert "there is no channel xx" in sentence(await at.say("held", "list", "xx"), CONFIGURATION)

        shown = await at.say("held", "show", f"i{first}")
        for words in (
            "refunds of R-1-A on demo-fr",
            "finance: the shop's",
            "29.95 EUR",
            "said: no funds",
            "2 items have",
        ):
            assert words in shown.words
        assert "nothing is held as i999" in sentence(await at.say("held", "show", "i999"), DIFFERENCES)


async def test_an_item_is_gone_when_its_cause_is_and_a_problem_has_its_own_team(
    database_url: str, tmp_path: Path
) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place(an_order(state=OrderState.SHIPPING))
        await at.run("UPDATE marketplace_order SET problem = '2.00 EUR more', problem_team = 'finance'")
        await at.held_by_flow("R-1-A", "2.00 EUR more", flow="order_entry")
        listed = await at.say("held", "list", "--team", Team.FINANCE)
        assert "`orders release`" in cells_of(listed, f"o:{FR}:order_entry:R-1-A")[-1]
        await at.database.mark([orders.mark_of(FR, "order_entry", "R-1-A")])
        assert "nothing needs a person" in (await at.say("held", "list")).words


async def test_a_key_that_no_fact_explains_is_listed(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await refund(at, 1)
        await at.run("UPDATE intent SET state = 'open', held_at = NULL")
        await at.run("UPDATE outbox SET firm = true, reason = $1 WHERE flow = 'refunds'", outbox.KILLER)
        listed = await at.say("held", "list")
        assert cells_of(listed, f"o:{FR}:refunds:R-1-A")[-1].startswith("lost three times while it was worked alone")


# ----------------------------------------------------------------------------------------------------------- retry


async def test_retry_lets_facts_returns_and_keys_go_once(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place()
        number, item = await refund(at, 1), await held_return(at)
        await at.held_by_flow("R-1-A", "short of stock")
        order, return_key = f"o:{FR}:orders:R-1-A", ("returns", "R-1-A")
        assert [await key(at, "refunds"), await key(at, *return_key)] == [HELD, HELD]
        for name in (f"i{number}", item, order):
            assert (await at.say("held", "retry", name, *ILVA)).code == DONE
        found = await row(at, number)
        assert (found["state"], found["approved_by"], found["reason"]) == ("open", "Ilva Testberg", None)
        assert [await key(at, "refunds"), await key(at, *return_key), await key(at, "orders")] == [DUE, DUE, DUE]
        assert await at.database.desk.fetchval("SELECT approved_by FROM marketplace_return") == "Ilva Testberg"
        for name in (f"i{number}", item, order):
            words = sentence(await at.say("held", "retry", name, *RASK), DIFFERENCES)
            assert re.search(f"Ilva Testberg dealt with {name} at {WHEN} .*seen in the back office", words)
        acts = [act for act in await at.audited("R-1-A") if act[0] == "Ilva Testberg"]
        assert acts == [
            ("Ilva Testberg", "refund centra:return:1", "open", "seen in the back office"),
            ("Ilva Testberg", "held", "return RET-1 let go", "seen in the back office"),
            ("Ilva Testberg", "held", "ready", "seen in the back office"),
        ]


async def test_alike_is_everything_with_the_same_cause(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        mine = [await refund(at, n, order_id=f"R-{n}-A") for n in (1, 2, 3)]
        other = await refund(at, 4, Stop("the order is closed", Advice.OPERATOR), order_id="R-4-A")
        ended = await at.say("held", "resolve", f"i{mine[1]}", "--alike", *ILVA)
        assert ended.out.count("it counts as done by hand") == 3
        states = [(await row(at, number))["state"] for number in (*mine, other)]
        assert states == ["done", "done", "done", "held"]
        assert "nothing is held as" in sentence(
            await at.say("held", "retry", f"i{mine[0]}", "--alike", *ILVA), DIFFERENCES
        )


@pytest.mark.parametrize("name", ["x17", "i", "o:demo-fr:stock", "r:demo-fr", "17"])
async def test_what_names_no_item_is_said(database_url: str, tmp_path: Path, name: str) -> None:
    async with desk(database_url, tmp_path) as at:
        assert "is not the name of an item" in sentence(await at.say("held", "retry", name), CONFIGURATION)


@pytest.mark.parametrize("name", ["i17", f"r:{FR}:RET-9"])
async def test_an_item_that_nobody_knows_is_said(database_url: str, tmp_path: Path, name: str) -> None:
    async with desk(database_url, tmp_path) as at:
        for act in ("retry", "resolve"):
            assert f"nobody knows {name}" in sentence(await at.say("held", act, name, *ILVA), DIFFERENCES)


# --------------------------------------------------------------------------------------------------------- resolve


async def test_resolve_is_a_note_that_ends_it(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        number, other = await refund(at, 1), await parcel(at, 2)
        item = await held_return(at)
        for name in (f"i{number}", item):
            assert "done by hand" in (await at.say("held", "resolve", name, *ILVA)).words
        found = await row(at, number)
        assert (found["state"], found["reason"], found["held_at"]) == ("done", "by hand: seen in the back office", None)
        assert (await row(at, other))["state"] == "held"
        assert await key(at, "shipments") == DUE, "what else is open about the order looks again"
        [walked] = await at.database.desk.fetch("SELECT held_at, ended_at, reason FROM marketplace_return")
        assert (walked["held_at"], walked["reason"]) == (None, "by hand: seen in the back office")
        assert walked["ended_at"] is not None
        for name in (f"i{number}", item):
            assert "Ilva Testberg dealt with" in sentence(await at.say("held", "resolve", name, *RASK), DIFFERENCES)
        acts = [act for act in await at.audited("R-1-A") if act[0] == "Ilva Testberg"]
        assert [(act[1], act[2]) for act in acts] == [("refund centra:return:1", "done"), ("return RET-1", "ended")]


async def test_a_key_and_a_doubt_are_not_ended_by_a_note(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place()
        await at.held_by_flow("R-1-A", "short of stock")
        words = sentence(await at.say("held", "resolve", f"o:{FR}:orders:R-1-A", *ILVA), DIFFERENCES)
        assert "can't be ended by a note" in words
        number = await refund(at, 1, LOST)
        await in_doubt(at, number)
        for act in ("resolve", "retry"):
            assert "held decide" in sentence(await at.say("held", act, f"i{number}", *ILVA), DIFFERENCES)
        assert (await row(at, number))["state"] == "held"


async def test_a_refund_that_was_sent_a_moment_ago_is_not_done_by_hand(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        number = await refund(at, 1)
        effect = await in_doubt(at, number)
        await at.run("UPDATE effect SET state = 'sent' WHERE id = $1", effect)
        words = sentence(await at.say("held", "resolve", f"i{number}", *ILVA), DIFFERENCES)
        assert "may have been done by the service" in words


async def test_nobody_acts_while_a_worker_has_the_key(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_acts, "BUSY_SECONDS", 0.3)
    async with desk(database_url, tmp_path) as at:
        number = await refund(at, 1)
        claim = "UPDATE outbox SET claim = 7, claimed_version = version, lease_until = clock_timestamp() + $1::interval"
        await at.run(claim, timedelta(minutes=5))
        words = sentence(await at.say("held", "resolve", f"i{number}", *ILVA), DIFFERENCES)
        assert "is being worked right now" in words
        assert (await row(at, number))["state"] == "held"
        await at.run(claim, timedelta(minutes=-5))  # what a dead worker left
        assert (await at.say("held", "resolve", f"i{number}", *ILVA)).code == DONE


# ---------------------------------------------------------------------------------------------------------- decide


def refunded(*entries: tuple[str, str, str]) -> Order:
    """The order R-1-A with refunds: id, line, group."""
    order = an_order(state=OrderState.SHIPPED, updated_at=NOW)
    taken = tuple(
        Refunded(id_, OrderLineId(line_id), Decimal("29.95"), Decimal(0), 1, "17", "REFUNDED", NOW, group=group)
        for id_, line_id, group in entries
    )
    return replace(order, lines=tuple(replace(order_line, taken=taken) for order_line in order.lines))


async def test_what_was_applied_keeps_the_ids_that_are_new_on_its_lines(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place(refunded(("F-1", "R-1-A-1", "G-1"), ("F-2", "R-1-A-1", "G-2"), ("F-3", "R-1-A-9", "G-3")))
        number = await refund(at, 1, LOST)
        effect = await in_doubt(at, number, before=("F-1",))
        shown = await at.say("held", "show", f"i{number}")
        assert f"undecided: OR28 (effect {effect}), sent" in shown.words
        assert "counts as applied" in (await at.say("held", "decide", f"i{number}", "applied", *ILVA)).words
        found = await row(at, number)
        assert (found["state"], found["reason"]) == ("done", "decided as applied: seen in the back office")
        [given] = found["told"]
        assert (given["code"], given["ids"], given["groups"]) == ("OR28", ["F-2"], ["G-2"])
        assert [entry["line_id"] for entry in given["lines"]] == ["R-1-A-1"]
        assert await at.database.desk.fetchval("SELECT state FROM effect WHERE id = $1", effect) == "applied"
        assert await key(at, "order_follow") == DUE
        audited = await at.database.desk.fetch(
            "SELECT actor, from_state, to_state, detail FROM audit WHERE subject = $1 ORDER BY at, id",
            f"effect:{effect}",
        )
        assert tuple(audited[-1]) == ("Ilva Testberg", "held", "applied", "seen in the back office")


async def test_what_was_not_applied_is_sent_anew(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.place(refunded())
        number = await refund(at, 1, LOST)
        effect = await in_doubt(at, number)
        assert "sent anew" in (await at.say("held", "decide", f"i{number}", "not-applied", *ILVA)).words
        found = await row(at, number)
        assert (found["state"], found["approved_by"]) == ("open", "Ilva Testberg")
        assert await at.database.desk.fetchval("SELECT state FROM effect WHERE id = $1", effect) == "not_applied"
        assert await key(at, "refunds") == DUE
        for decision in ("applied", "not-applied"):
            words = sentence(await at.say("held", "decide", f"i{number}", decision, *RASK), DIFFERENCES)
            assert re.search(rf"Ilva Testberg dealt with i{number} at {WHEN} \(open: decided as not applied", words)


async def test_a_parcel_that_was_applied_counts_as_told(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        body = Parcel(3, "P-3", {OrderLineId("R-1-A-1"): 1}, "PostNord", "", "T-1", NOW, complete=True)
        held = (Stop("2 shipments of the order look like it", Advice.DECIDE), Team.OPERATIONS)
        number = await fact(at, Kind.SHIPMENT, "centra:shipment:3", body, held=held)
        async with at.database.desk.acquire() as connection:
            effect = await effects.write_sent(
                connection,
                FR,
                "shipments",
                "ST01",
                EffectClass.CREATE,
                lane="R-1-A",
                doubt=DOUBT,
                intent=number,
                snapshot=Announced(body, Carrier("POSTNORD")),
            )
            await effects.decide(connection, effect, EffectState.HELD, "which is it?")
        assert (await at.say("held", "decide", f"i{number}", "applied", *ILVA)).code == DONE
        told = (await one(at, "centra:shipment:3")).answer(Announced)
        assert told == Announced(body, Carrier("POSTNORD"))


async def test_only_what_is_in_doubt_is_decided(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        number, other, item = await refund(at, 1), await refund(at, 2), await held_return(at)
        await in_doubt(at, other)
        for name in (f"i{number}", item):
            ended = await at.say("held", "decide", name, "applied", *ILVA)
            assert f"nothing about {name} is to be decided" in sentence(ended, DIFFERENCES)
        assert (await at.say("held", "decide", f"i{other}", "perhaps", *ILVA)).code == CONFIGURATION
        assert (await at.say("held", "decide", f"i{other}", "applied")).code == CONFIGURATION, "a reason is needed"


async def test_two_people_who_decide_at_once_are_one_decision(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(database_url, tmp_path) as at:
        for name, value in at.environment.items():  # without the command line: it has one standard output for both
            monkeypatch.setenv(name, value)
        await at.place(refunded(("F-2", "R-1-A-1", "G-2")))
        for number in range(1, 6):
            intent_id = await refund(at, number, LOST)
            effect = await in_doubt(at, intent_id)

            async def decide(who: str, decision: Decision, item: str = f"i{intent_id}") -> str:
                console = Console(file=io.StringIO())
                await held_acts.decide(console, item, decision, who=who, why="looked")
                return who

            people = (decide("Ilva Testberg", Decision.APPLIED), decide("Rask Proberg", Decision.NOT_APPLIED))
            ended = await asyncio.gather(*people, return_exceptions=True)
            [winner] = [end for end in ended if isinstance(end, str)]
            [refused] = [end for end in ended if isinstance(end, DeclinedError)]
            assert re.match(rf"{winner} dealt with i{intent_id} at {WHEN}", str(refused))
            applied = winner == "Ilva Testberg"
            state = await at.database.desk.fetchval("SELECT state FROM effect WHERE id = $1", effect)
            assert state == ("applied" if applied else "not_applied")
            assert (await row(at, intent_id))["state"] == ("done" if applied else "open")
            rows = await at.database.desk.fetch(
                "SELECT actor FROM audit WHERE subject = $1 AND from_state = 'held'", f"effect:{effect}"
            )
            assert [found["actor"] for found in rows] == [winner]


# --------------------------------------------------------------------------------------------- with a whole service


async def _held_refund(service: Deployment, order_id: str) -> str:
    found = await intent_becomes(service, order_id, "refund", "held", "lost")
    return f"i{found['id']}"


async def _decided(service: Deployment, item: str, decision: str) -> None:
    ended = await said({**service.lab.environment()}, "held", "decide", item, decision, *ILVA)
    assert ended.code == DONE, ended.errors


async def test_a_refund_that_never_arrived_is_given_once_after_the_decision(database_url: str) -> None:
    async with shop(database_url, 'returns = {unannounced = "refund"}') as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku, "price_unit": 40.0})
        sent = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=1)
        await service.faults(service.mirakl(), {"code": "OR28", "kind": "drop", "count": 1})
        await back(service, sent)
        item = await _held_refund(service, order_id)
        assert (await line(service, order_id))["refunded"] == 0
        await _decided(service, item, "not-applied")
        await line_becomes(service, order_id, refunded=1, refunded_amount=40.0)
        await intent_becomes(service, order_id, "refund", "done", "given back")
        states = await service.database.fetch("SELECT state FROM effect WHERE code = 'OR28' ORDER BY id")
        assert [found["state"] for found in states] == ["not_applied", "applied"]


async def test_of_two_refunds_that_look_like_ours_one_is_ours_and_the_other_is_shown(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(money, "LOOKS_SECONDS", (900.0, 1200.0))  # time to make the other one
    async with shop(database_url, 'returns = {unannounced = "refund"}') as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku, "quantity": 2, "price_unit": 40.0})
        sent = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=2)
        await service.faults(service.mirakl(), {"code": "OR28", "kind": "drop_after", "count": 1})
        await back(service, sent, (sku, 1))
        await line_becomes(service, order_id, refunded=1)
        theirs = {"order_id": order_id, "lines": [{"sku": sku, "quantity": 1}], "reason_code": "17"}
        await service.admin.post(service.mirakl(), "/_sandbox/refunds", theirs)
        found = await intent_becomes(service, order_id, "refund", "held", "2 new refunds of line")
        await _decided(service, f"i{found['id']}", "applied")
        await intent_becomes(service, order_id, "refund", "done", "decided as applied")
        other = await intent_becomes(service, order_id, "credit", "held", "by itself")
        shown = {entry.refund_id for entry in taken((await service.record(order_id)).order)}
        [told] = [row["told"] for row in await told_intents(service, order_id) if row["kind"] == "refund"]
        ours = {refund_id for given in json.loads(told) for refund_id in given["ids"]}
        assert (len(shown), len(ours)) == (2, 1)
        assert {other["source_id"]} == {f"mirakl:refund:{refund_id}" for refund_id in shown - ours}
        assert (await line(service, order_id))["refunded"] == 2
