"""Orders from first sight to release on the running service: every workflow, both paths, and what goes wrong between.

The oracles are the stand-ins: their orders, their ledgers of what was applied, and their violations.
"""

import json
from datetime import datetime

import httpx

from app.commands.lab import ORDER_API_SECRET
from app.domain.progress import Acceptor, Outcome
from app.domain.teams import Team
from app.store import orders
from tests.flows.service import FR, SE, Deployment, Service, counted, deployed, order_shape, running, serving, until
from tests.raw_server import answering, http, raw_server
from tests.standins import Json

WORKFLOWS = (
    "PAY_ON_ACCEPTANCE",
    "PAY_ON_DELIVERY",
    "PAY_ON_DUE_DATE",
    "PAY_ON_SHIPMENT",
    "NO_CUSTOMER_PAYMENT_CONFIRMATION",
)
AT_ONCE: Json = {"address_seconds": 0}
"""Path A: the buyer's address is there before anybody accepts."""
NEVER_PAID: Json = {"debit": None}


async def _skus(service: Service) -> list[str]:
    return [size["sku"] for size in await service.sizes()]


async def _placed(service: Service) -> dict[str, int]:
    """How often an order was placed in Centra, by our mark."""
    entries = (await service.admin.ledger(service.centra))["entries"]
    marks = [e["comment"] for e in entries if e["code"] == "COMPLETE" and e["placed"]]
    return {mark: marks.count(mark) for mark in marks}


async def test_every_payment_workflow_on_both_paths_and_what_the_system_accepts(database_url: str) -> None:
    """Released and confirmed, entered once, accepted once; never accepted where the system does it."""
    on_hold = {SE: 'block = "hold"'}
    async with running(database_url, order_shape(channels=(FR, SE), order_lines=on_hold)) as service:
        skus = await _skus(service)
        both: list[Json] = [{"lines": [{"sku": skus[9]}], **path} for path in ({}, AT_ONCE)]
        held = await service.place(*both, channel=SE)
        wanted: list[Json] = [
            {"lines": [{"sku": skus[number]}], "payment_workflow": workflow, **path, **acceptance}
            for number, workflow in enumerate(WORKFLOWS)
            for path in ({}, AT_ONCE)
            for acceptance in ({}, {"acceptance": "automatic"})
        ]
        order_ids = await service.place(*wanted)
        await service.ends(Outcome.RELEASED, *order_ids, seconds=40)

        decided = await service.decided()
        for order_id, order in zip(order_ids, wanted, strict=True):
            record, entry = await service.record(order_id), await service.entry(order_id)
            assert (entry["status"], entry["is_on_hold"], entry["is_waiting_for_payment"]) == (
                "CONFIRMED",
                False,
                False,
            )
            assert not entry["send_email"]
            assert entry["external_id"] == f"mirakl:{FR}:{order_id}"
            assert [kind for kind, *_ in entry["payments"] if kind.startswith("CAPTURE")] == []
            automatic = "acceptance" in order
            assert record.accepted_by is (Acceptor.SYSTEM if automatic else Acceptor.US)
            assert decided.count(order_id) == (0 if automatic else 1)
            assert record.created_in_centra_at is not None
            if not automatic:
                assert record.accept_sent_at is not None
                assert (record.created_in_centra_at < record.accept_sent_at) == ("address_seconds" in order)
        await service.ends(Outcome.RELEASED, *held, channel=SE)
        for order_id, before in zip(held, (None, True), strict=True):  # path B goes in unblocked
            entry = await service.entry(order_id, SE)
            assert (entry["status"], entry["is_on_hold"], entry["is_waiting_for_payment"]) == (
                "CONFIRMED",
                False,
                False,
            )
            steps = [step.get("on_hold", step["change"]) for step in entry["history"]]
            assert steps[steps.index("COMPLETE") - 1] == before or before is None
        marks = [f"mirakl:{FR}:{order_id}" for order_id in order_ids] + [f"mirakl:{SE}:{order_id}" for order_id in held]
        assert await _placed(service) == dict.fromkeys(marks, 1)

        async def told() -> bool:
            bought = await service.bought()
            return all(
                [bought[o]["reference_for_seller"] == str((await service.entry(o))["number"]) for o in order_ids]
            )

        await until(told, "Mirakl carries the Centra numbers")
        await service.at_rest()
        assert await service.count("SELECT count(*) FROM reservation WHERE absorbed <> quantity") == 0
        assert await service.count("SELECT count(*) FROM effect WHERE state IN ('sent', 'unknown')") == 0
        assert await service.violations(service.mirakl()) == []
        assert await service.violations(service.centra) == []


FOUR = {FR: "refuse", SE: "refuse", "demo-de": "hold", "demo-no": "accept"}
"""Channels, and what each does with a line that is short."""


async def test_channels_that_share_the_last_unit(database_url: str) -> None:
    """One order gets it, the other channel follows its policy, and what is published never rises in between."""
    lines = {channel: f'short = "{policy}"' for channel, policy in FOUR.items()}
    async with running(database_url, order_shape(0, 1, channels=tuple(FOUR), order_lines=lines)) as service:
        skus = (await _skus(service))[:3]
        for channel in FOUR:
            offers = await service.offers(channel)
            assert [offers[sku] for sku in skus] == [1, 1, 1]
        since = {channel: len(await service.pushed(channel)) for channel in FOUR}
        pairs = list(zip(skus, list(FOUR)[1:], strict=True))
        first = {sku: await service.buy(sku, **AT_ONCE) for sku, _ in pairs}
        for order_id in first.values():
            await service.becomes(order_id, lambda record: record.order)  # reserved before the other is seen
        second = {sku: await service.buy(sku, channel=channel, **AT_ONCE) for sku, channel in pairs}

        await service.ends(Outcome.RELEASED, *first.values())
        refused, held, forced = (second[sku] for sku in skus)
        await service.ends(Outcome.REFUSED, refused, channel=SE)
        assert "short of stock" in await service.asks(held, "demo-de")
        assert await service.entered(held, "demo-de") == []
        await service.ends(Outcome.RELEASED, forced, channel="demo-no")
        [line] = (await service.entry(forced, "demo-no"))["lines"]
        assert (line["allocated"], sum(line["demand"].values())) == ({}, 1)

        await service.becomes(first[skus[2]], lambda record: record.confirmed_at)
        for channel in FOUR:
            published = [e for e in (await service.pushed(channel))[since[channel] :] if e["sku"] in skus]
            assert {e["quantity"] for e in published} <= {0}, channel
            assert {(await service.offers(channel))[sku] for sku in skus} == {0}


async def test_in_dry_run_orders_are_read_decided_and_watched_and_nothing_is_sent(database_url: str) -> None:
    async with running(database_url, order_shape(orders="dry_run")) as service:
        skus = await _skus(service)
        for sku in (skus[1], skus[2]):
            await service.sell(sku, 0)
        await service.at_rest()
        path_a = await service.buy(skus[0], **AT_ONCE)
        path_b, short = await service.buy(skus[0]), await service.buy(skus[1])
        automatic = await service.buy(skus[0], acceptance="automatic", **AT_ONCE)
        for order_id, accepted in ((path_a, True), (path_b, True), (short, False), (automatic, True)):
            record = await service.becomes(order_id, lambda record: record.decided)
            assert record.decided is not None
            assert list(record.decided.accepted.values()) == [accepted]
        await service.becomes(automatic, lambda record: record.order.state == "SHIPPING")
        await service.jump(1_000)
        passes = len(await service.calls(service.mirakl(), "OR11"))

        async def went_on() -> bool:
            return len(await service.calls(service.mirakl(), "OR11")) >= passes + 2

        await until(went_on, "it goes on reading")
        made = (await service.admin.calls(service.mirakl()))["calls"]
        assert {code for code in made if code in ("OR21", "OR04", "OR29")} == set()
        entered = (await service.admin.calls(service.centra))["calls"]
        assert {
            code for code in entered if code.startswith(("Order", "SetIdConversions")) and code != "OrderEvents"
        } <= {
            "OrdersByNumber",
            "OrdersCreated",
        }
        assert (await service.admin.get(service.centra, "/_sandbox/orders"))["orders"] == []
        assert await service.count("SELECT count(*) FROM effect WHERE flow <> 'stock'") == 0
        assert (await service.offers())[skus[0]] == (await service.sellable())[skus[0]] - 3, "promised all the same"


async def test_totals_that_differ_are_accepted_and_stay_blocked_for_finance(database_url: str) -> None:
    async with running(database_url, order_shape()) as service:
        sku = (await _skus(service))[0]
        await service.admin.post(service.centra, "/_sandbox/orders/options", {"rounding_error": 1})
        rounded = await service.buy({"sku": sku, "quantity": 3}, **AT_ONCE)
        await service.ends(Outcome.RELEASED, rounded)

        await service.admin.post(service.centra, "/_sandbox/orders/options", {"rounding_error": 5})
        differing = await service.buy({"sku": sku, "quantity": 2}, **AT_ONCE)
        words = await service.asks(differing)
        record = await service.becomes(differing, lambda r: r.order.state == "SHIPPING")
        assert "119.90 EUR" in words
        assert "119.80 EUR" in words
        assert (record.accepted_by, record.problem_team) == (Acceptor.US, Team.FINANCE)
        assert (await service.entry(differing))["is_waiting_for_payment"]

        async with service.parts.database.work.acquire() as connection:
            assert await orders.settle_problem(connection, FR, differing)
        await service.parts.database.mark(orders.marks_of(FR, differing))
        await service.ends(Outcome.RELEASED, differing)
        assert not (await service.entry(differing))["is_waiting_for_payment"]


BACKORDER = {FR: "backorder", SE: "cancel", "demo-de": "hold"}


async def test_accepted_and_centra_has_no_stock(database_url: str) -> None:
    """Path B, business rule 18: owed, cancelled at the marketplace while it allows that, or held with its deadline."""
    lines = {channel: f'backorder = "{policy}"' for channel, policy in BACKORDER.items()}
    later: Json = {"payment_workflow": "PAY_ON_SHIPMENT", "address_seconds": 900}
    paid: Json = {"debit": {"seconds": 900}}
    async with running(database_url, order_shape(fta=2, channels=tuple(BACKORDER), order_lines=lines)) as service:
        skus = await _skus(service)
        oversold = {channel: counted("oversold_units_total", scope=channel) for channel in BACKORDER}
        unpaid = {c: await service.buy(sku, channel=c, **later) for sku, c in zip(skus, BACKORDER, strict=False)}
        debited = await service.buy(skus[3], channel=SE, **paid)
        for channel, order_id in (*unpaid.items(), (SE, debited)):
            await service.becomes(order_id, lambda record: record.accepted_at, channel)
        for sku in skus[:4]:
            await service.sell(sku, 0)
        await service.jump(900)

        await service.ends(Outcome.RELEASED, unpaid[FR])
        [line] = (await service.entry(unpaid[FR]))["lines"]
        assert sum(line["demand"].values()) == 1
        await service.ends(Outcome.CANCELLED, unpaid[SE], channel=SE)
        assert (await service.bought(SE))[unpaid[SE]]["state"] == "CANCELED"
        for channel, order_id in (("demo-de", unpaid["demo-de"]), (SE, debited)):
            words = await service.asks(order_id, channel)
            assert "no stock" in words
            assert "must be shipped by" in words
            assert await service.entered(order_id, channel) == []
        assert (await service.bought(SE))[debited]["state"] == "SHIPPING"
        for channel, units in ((FR, 1), ("demo-de", 1), (SE, 2)):
            assert counted("oversold_units_total", scope=channel) == oversold[channel] + units


async def test_what_the_marketplace_cancels_leaves_centra_and_is_on_sale_again(database_url: str) -> None:
    """Before it is entered, after it is entered, and one line of it."""
    async with running(database_url, order_shape()) as service:
        skus = await _skus(service)
        sold = await service.offers()
        two: list[Json] = [{"sku": skus[3], "quantity": 2}, {"sku": skus[4], "quantity": 3}]
        before = await service.buy(skus[0], **NEVER_PAID)
        after = await service.buy(skus[1], **NEVER_PAID, **AT_ONCE)
        part = await service.buy(*two, debit={"seconds": 600}, **AT_ONCE)
        for order_id in (before, after, part):
            await service.becomes(order_id, lambda r: r.accepted_at and r.order.state == "WAITING_DEBIT_PAYMENT")
        assert await service.entered(before) == []
        assert (await service.entry(after))["is_waiting_for_payment"]

        for order_id in (before, after):
            await service.change(order_id, cancel=True)
        await service.change(part, line_state={f"{part}-2": "CANCELED"})
        await service.ends(Outcome.CANCELLED, before, after)
        assert await service.entered(before) == []
        assert (await service.entry(after))["status"] == "CANCELLED"
        await service.ends(Outcome.RELEASED, part)
        left = {line["sku"]: line["quantity"] for line in (await service.entry(part))["lines"]}
        assert left == {skus[3]: 2, skus[4]: 0}

        await service.at_rest()
        assert await service.offers() == {**sold, skus[3]: sold[skus[3]] - 2}
        assert set(await _placed(service)) == {f"mirakl:{FR}:{order_id}" for order_id in (after, part)}


async def test_cancelled_while_it_is_being_entered(database_url: str) -> None:
    """The buyer cancels while Centra makes the order: nothing stays in Centra."""
    async with running(database_url, order_shape()) as service:
        sku = (await _skus(service))[0]
        await service.faults(service.centra, {"code": "OrderCreate", "kind": "late", "seconds": 60, "count": 1})
        order_id = await service.buy(sku, **AT_ONCE)
        await until(lambda: service.calls(service.centra, "OrderCreate"), "it is being made")
        await service.change(order_id, cancel=True)
        await service.ends(Outcome.CANCELLED, order_id, seconds=30)
        assert len(await service.decided()) <= 1

        async def gone() -> bool:
            return {order["status"] for order in await service.entered(order_id)} == {"CANCELLED"}

        await service.jump(700)
        await until(gone, "what was made late is cancelled")
        await service.at_rest()
        assert max((await _placed(service)).values(), default=0) <= 1, "found again before the cancellation was seen"


async def test_an_order_that_somebody_unblocked_is_held_at_once(database_url: str) -> None:
    """Read back as not blocked (business rule 14): held and counted; let go with the marketplace's release."""
    async with running(database_url, order_shape()) as service:
        sku = (await _skus(service))[0]
        await service.webhooks_on()
        found = counted("orders_found_unblocked_total", scope=FR)
        order_id = await service.buy(sku, debit={"seconds": 1_800}, **AT_ONCE)
        record = await service.becomes(order_id, lambda r: r.order.state == "WAITING_DEBIT_PAYMENT" and r.checked_at)
        paid: Json = {"payment": {"id": 36, "auth": {"status": 1, "amount": 59.9, "transaction": "T-1", "method": "x"}}}
        async with httpx.AsyncClient(trust_env=False, headers={"API-Authorization": ORDER_API_SECRET}) as somebody:
            answer = await somebody.post(f"{service.centra}/order-api/order/{record.number}", json=paid)
        assert answer.json()["status"] == "ok"

        async def held() -> bool:
            return bool((await service.entry(order_id))["is_on_hold"])

        await until(held, "it is on hold")
        assert counted("orders_found_unblocked_total", scope=FR) == found + 1
        await service.jump(1_800)
        await service.ends(Outcome.RELEASED, order_id)
        assert not await held()


async def test_an_order_that_centra_splits_is_one_order_to_us(database_url: str) -> None:
    """Both parts are blocked, released and confirmed; of one that is cancelled both go."""
    async with running(database_url, order_shape()) as service:
        skus = await _skus(service)
        await service.faults(service.centra, {"code": "OrderComplete", "kind": "split", "count": 2})
        sold = await service.buy(skus[0], skus[1], **AT_ONCE)
        await service.ends(Outcome.RELEASED, sold)
        gone = await service.buy(skus[2], skus[3], **NEVER_PAID, **AT_ONCE)
        await service.becomes(gone, lambda record: record.accepted_at)
        assert [order["is_waiting_for_payment"] for order in await service.entered(gone)] == [True, True]
        await service.change(gone, cancel=True)
        await service.ends(Outcome.CANCELLED, gone)
        for order_id, status in ((sold, "CONFIRMED"), (gone, "CANCELLED")):
            parts = await service.entered(order_id)
            assert [part["status"] for part in parts] == [status, status]
            assert [len(part["lines"]) for part in parts] == [1, 1]
        assert not any(part["is_waiting_for_payment"] for part in await service.entered(sold))
        await service.at_rest()


async def test_two_replicas_and_lost_answers_make_one_order(database_url: str) -> None:
    """Field case 22: both replicas read the orders, answers of every write are lost; there is one order of each."""
    async with deployed(database_url, order_shape()) as place, serving(place) as service, serving(place):
        skus = await _skus(service)
        await service.at_rest()
        await service.faults(
            service.centra,
            {"code": "OrderCreate", "kind": "drop_after", "count": 2},
            {"code": "OrderComplete", "kind": "status_after", "status": 502, "count": 2},
        )
        await service.faults(service.mirakl(), {"code": "OR21", "kind": "drop_after", "count": 2})
        paths: list[Json] = [{}, AT_ONCE] * 3
        order_ids = await service.place(
            *({"lines": [{"sku": sku}], **path} for sku, path in zip(skus, paths, strict=False))
        )
        await service.ends(Outcome.RELEASED, *order_ids, seconds=40)
        assert sorted(await service.decided()) == sorted(order_ids)
        assert await _placed(service) == {f"mirakl:{FR}:{order_id}": 1 for order_id in order_ids}
        for order_id in order_ids:
            assert [order["status"] for order in await service.entered(order_id)] == ["CONFIRMED"]


# ------------------------------------------------------------------------------------------------- business rule 3


def _at(entry: Json) -> datetime:
    return datetime.fromisoformat(entry["at"])


async def test_an_increase_of_a_scarce_sku_waits_for_a_pass_over_the_orders(database_url: str) -> None:
    """The marketplace sold one that we have not seen, Centra got one more: the sold unit is never published again."""
    far = {FR: "stock = {read_back_seconds = 86400}"}
    async with running(database_url, order_shape(fta=5, scale=120, channel_lines=far)) as service:
        scarce, plain = (await _skus(service))[:2]
        await service.webhooks_on()  # changes are known at once
        await until(lambda: _rested(service), "a pass just ended, and a file may leave at once")
        order_id = await service.buy(scarce, **NEVER_PAID, **AT_ONCE)
        await service.sell(scarce, 6)
        await service.becomes(order_id, lambda record: record.accepted_at)
        pushed = [e["quantity"] for e in await service.pushed() if e["sku"] == scarce]
        assert pushed[0] == 3
        assert max(pushed) == 3, "a pass may come between the two, and a lower figure with it"

        await until(lambda: _rested(service), "the same once more")
        began = datetime.fromisoformat((await service.admin.now())["now"])
        await service.sell(plain, 6)
        await until(lambda: _is(service, plain, 4), "without any order it waits for a pass all the same")
        [left] = [_at(e) for e in await service.pushed() if (e["sku"], e["quantity"]) == (plain, 4)]
        assert [c for c in await service.calls(service.mirakl(), "OR11") if began < _at(c) < left]
        assert (left - began).total_seconds() < 2 * 72 + 60


async def _rested(service: Service) -> bool:
    """Whether a pass ended just now, nothing of stock is due, and STO01 may be called."""
    permits = [b.tokens for b in await service.parts.permits.all() if (b.scope, b.name) == (FR, "STO01")]
    return min(permits) >= 1 and bool(
        await service.count(
            "SELECT count(*) FROM outbox AS o WHERE scope = $1 AND flow = 'order_intake'"
            " AND due_at > app_now() + interval '50 s' AND NOT EXISTS"
            " (SELECT FROM outbox AS s WHERE s.scope = $1 AND s.flow = 'stock' AND s.due_at IS NOT NULL)",
            FR,
        )
    )


async def _is(service: Service, sku: str, quantity: int) -> bool:
    return (await service.offers())[sku] == quantity


async def test_a_read_back_never_puts_a_sold_unit_on_sale_again(database_url: str) -> None:
    """The export shows fewer than we believe in, since a buyer took one whose order is not read yet."""
    lines = {FR: "stock = {read_back_seconds = 60}"}
    slow = {FR: "pass_seconds = 240"}
    wanted = order_shape(threshold=0, fta=1, scale=150, channel_lines=lines, order_lines=slow)
    async with running(database_url, wanted) as service:
        sku = (await _skus(service))[0]
        await until(lambda: _passed(service), "a pass has ended, the next one is minutes away")
        order_id = await service.buy(sku, **AT_ONCE)
        await service.ends(Outcome.RELEASED, order_id)
        await service.at_rest()
        assert [e["quantity"] for e in await service.pushed() if e["sku"] == sku] in ([1], [1, 0])


async def _passed(service: Service) -> bool:
    return bool(
        await service.count(
            "SELECT count(*) FROM outbox WHERE scope = $1 AND flow = 'order_intake'"
            " AND due_at > app_now() + interval '200 s'",
            FR,
        )
    )


async def test_where_passes_fail_an_increase_waits_two_intervals_and_no_longer(database_url: str) -> None:
    async with running(database_url, order_shape(fta=5, scale=120)) as service:
        sku = (await _skus(service))[0]
        await service.faults(service.mirakl(), {"code": "OR11", "kind": "status", "status": 503, "count": None})
        failed = len(await service.calls(service.mirakl(), "OR11"))
        began = datetime.fromisoformat((await service.admin.now())["now"])
        await service.sell(sku, 7)
        await until(lambda: _is(service, sku, 5), "it left")
        [left] = [_at(e) for e in await service.pushed() if (e["sku"], e["quantity"]) == (sku, 5)]
        assert len(await service.calls(service.mirakl(), "OR11")) > failed, "passes were tried"
        assert 2 * 60 <= (left - began).total_seconds() < 2 * 72 + 600, "two intervals, then the next file"


async def test_where_no_orders_are_read_nothing_waits_for_them(database_url: str) -> None:
    async with running(database_url, order_shape(orders=None, fta=5)) as service:
        sku = (await _skus(service))[0]
        waits = counted("keys_settled_total", scope=FR, flow="stock", verdict="waiting")
        await service.sell(sku, 6)
        await service.at_rest()
        assert counted("keys_settled_total", scope=FR, flow="stock", verdict="waiting") == waits
        assert await service.calls(service.mirakl(), "OR11") == []


# ------------------------------------------------------------------------------------------------ buyers' privacy

CANARY: Json = {
    "customer": {
        "customer_id": "c-kanarie",
        "firstname": "Zinnia",
        "lastname": "Quillfeather",
        "civility": "Dr Kanarie",
    },
    "address": {
        "firstname": "Zinnia",
        "lastname": "Quillfeather",
        "street_1": "17 Goldfinch Parade",
        "street_2": "Door 98B77",
        "company": "Linnet & Siskin",
        "city": "Passerine-sur-Mer",
        "phone": "+33 1 98 76 54 32",
        "additional_info": "ring twice for Serinus",
    },
    "billing": {"street_1": "3 Bunting Close", "lastname": "Yellowhammer"},
    "email": "zq.canary@notify.example",
    "additional_fields": [{"code": "gift-text", "type": "STRING", "value": "Chaffinch wishes"}],
    "pudo_id": "PUDO-FIRECREST",
}
WORDS = (
    *("kanarie", "zinnia", "quillfeather", "goldfinch", "98b77", "siskin", "passerine", "98 76 54 32", "serinus"),
    *("bunting", "yellowhammer", "zq.canary", "chaffinch", "firecrest", "whinchat"),
)
ENGRAVED: Json = {"additional_fields": [{"code": "engraving", "type": "STRING", "value": "Whinchat"}]}
ECHO = "Zinnia Quillfeather, zq.canary@notify.example of 17 Goldfinch Parade can not be served"


async def test_a_buyer_is_in_one_table_and_nowhere_else(database_url: str) -> None:
    """A whole process: its log, metrics, traces and every table but `buyer`, while all kinds of things go wrong."""
    async with deployed(database_url, order_shape()) as place, raw_server(answering(http())) as collector:
        sku = (await place.sizes())[0]["sku"]
        lines: Json = {"lines": [{"sku": sku, **ENGRAVED}], **CANARY}
        refused = json.dumps({"status": "no", "code": -4, "msg": ECHO})
        await place.faults(
            place.centra,
            {"code": "OrderCreate", "kind": "status", "status": 200, "body": refused},
            {"code": "OrderCreate", "kind": "status", "status": 400, "body": f'{{"message": "{ECHO}"}}'},
            {"code": "OrderCreate", "kind": "status", "status": 502, "body": ECHO},
            {"code": "OrderComplete", "kind": "status", "status": 500, "body": f"<title>{ECHO}</title>"},
        )
        unreadable: Json = {"code": "OR11", "kind": "drop_member", "member": "order_lines.0.offer_sku", "count": None}
        await place.faults(
            place.mirakl(),
            {**unreadable, "ids": ["unreadable"]},
            {"code": "OR21", "kind": "status", "status": 500, "body": ECHO},
        )
        await place.place(
            *({"order_id": f"a-{number}", **lines, **AT_ONCE} for number in range(4)),
            {"order_id": "unreadable", **lines, **AT_ONCE},
            {"order_id": "nowhere", **lines, **AT_ONCE, "country": "Quillfeather-Land"},
        )
        replica = await place.lab.start_replica({"CENTRA_MIRAKL_TRACE_ENDPOINT": f"{collector.url}/v1/traces"})
        try:
            await until(lambda: _used_up(place), "all that goes wrong went wrong")
            later: Json = {"order_id": "cancelled", **lines, "debit": {"refused": True, "seconds": 60}}
            await place.place({"order_id": "b", **lines}, later)
            await _outcome(place, "b", "released")
            await _outcome(place, "cancelled", "cancelled")
            await until(lambda: _held_or_ended(place, 7), "each order ended, or is asked about", seconds=40)
            shown = [(await place.admin.get(place.centra, "/_sandbox/orders"))["orders"]]
            async with httpx.AsyncClient(trust_env=False) as client:
                metrics_page = (await client.get(f"{replica.address}/metrics")).text
        finally:
            await replica.stop()
        assert "Goldfinch" in str(shown), "the canary sang: it got to where it belongs"
        await until(lambda: _any(collector.requests), "spans are exported")
        places = {
            "log": replica.log.read_text(),
            "metrics": metrics_page,
            "traces": b"".join(collector.requests).decode(errors="replace"),
            **await _tables(place),
        }
        assert "Goldfinch" in places.pop("table buyer")
        assert "a-0" in places["table marketplace_order"]
        for name, text in places.items():
            leaks = [row for row in text.splitlines() if any(word in row.casefold() for word in WORDS)]
            assert leaks == [], name


async def _used_up(place: Deployment) -> bool:
    left = [fault for at in (place.centra, place.mirakl()) for fault in (await place.admin.faults_left(at))["faults"]]
    return all(not fault["count"] for fault in left)


async def _outcome(place: Deployment, order_id: str, outcome: str) -> None:
    ended = "SELECT count(*) FROM marketplace_order WHERE order_id = $1 AND outcome = $2"
    await until(lambda: place.count(ended, order_id, outcome), f"{order_id} is {outcome}", seconds=40)


async def _held_or_ended(place: Deployment, count: int) -> bool:
    known = await place.count(
        "SELECT count(*) FROM marketplace_order AS o WHERE ended_at IS NOT NULL OR EXISTS"
        " (SELECT FROM outbox AS b WHERE b.key = o.order_id AND b.state = 'held')"
    )
    return known == count


async def _any(requests: list[bytes]) -> bool:
    return bool(requests)


async def _tables(place: Deployment) -> dict[str, str]:
    """Every table, all its rows as text."""
    names = [
        row["tablename"]
        for row in await place.database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    ]
    return {
        f"table {name}": "\n".join(row[0] for row in await place.database.fetch(f'SELECT t::text FROM "{name}" AS t'))
        for name in names
    }
