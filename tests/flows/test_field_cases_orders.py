"""Field cases about reading and entering orders (part B, and H where it touches them), each as a test of its kind.

Numbers are those of the list of field cases. Those that are pure are tested where their policy is: 26, 29, 30, 32 and
34 by value in tests/unit (addresses, order entry, order steps); 18, 19 and 20 in test_order_intake. Cases that need
nothing but an order of their own share one running service.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from app.domain.progress import Acceptor, Choice, Outcome
from app.domain.teams import Team
from app.store import buyers, orders
from tests.flows.service import FR, SE, Service, counted, deployed, order_shape, running, serving, until
from tests.standins import Json

AT_ONCE: Json = {"address_seconds": 0}
"""Path A: the buyer's address is there before anybody accepts."""
RELAY = "relay@notify.example"
BELGIUM = """
[[channel.orders.destinations]]
country = "BE"
market = 7
price_list = 7
shipping_option = "mkp-standard"
"""
STREET = "Appartement 14, Residence Les Tres Longs Peupliers Imaginaires du Quai Est, Batiment C Escalier 3"
DOOR = {
    "street_1": STREET,
    "street_2": "Code porte 12B45 - sonnez deux fois",
    "additional_info": "Livrer au gardien 9h-12h",
    "company_2": "c/o Atelier Fictif",
    "internal_additional_info": None,
}


def _orders(skus: list[str]) -> Mapping[str, Json]:
    """An order for each case, by its id."""

    def order(sku: str, **members: object) -> Json:
        return {"lines": [{"sku": sku}], **AT_ONCE, **members}

    paid: Json = {"sku": skus[5], "price_unit": 44.90, "shipping_price": 3.95}
    taxed: Json = {"sku": skus[6], "price_unit": 121.00, "taxes": []}
    zloty: Json = {"sku": skus[7], "price_unit": 259.99}
    refused: Json = {"sku": skus[9], "order_line_id": "2", "taxes": [{"code": "VAT20", "amount": 4.00}]}
    half: list[Json] = [
        {"sku": skus[8], "order_line_id": "1"},
        refused,
        {"sku": skus[10], "order_line_id": "3"},
    ]
    return {
        "D-2001-A": order(skus[0], address={"street_1": ""}),
        "D-2002-A": order(skus[0]),
        "D-2004-A": order(skus[1]),
        "D-2005-A": order(skus[1]),
        "D-2008-A": {"lines": half, "acceptance": "automatic", **AT_ONCE},
        "D-2009-A": order(skus[2], address=DOOR),
        "D-2009-B": order(skus[2], address={"phone": "__", "phone_secondary": None}),
        "D-2010-A": order(skus[3], email=RELAY, customer={"customer_id": "c-1"}),
        "D-2011-A": order(skus[3], email=RELAY, customer={"customer_id": "c-2"}),
        "D-2012-A": order(skus[3], email=None),
        "D-2012-B": order(skus[3], email=None),
        "D-2013-A": {"lines": [zloty], "currency": "PLN", **AT_ONCE},
        "D-2016-A": order(skus[4], country="IRL", address={"state": "Co. Nowhere", "zip_code": "", "city": "Cork"}),
        "D-2017-A": {"lines": [paid], **AT_ONCE},
        "D-2018-A": {"lines": [taxed], "country": "BEL", **AT_ONCE},
    }


HELD = ("D-2001-A", "D-2004-A", "D-2013-A")


async def test_field_cases_20_to_39_and_81_orders_of_every_kind_side_by_side(database_url: str) -> None:
    async with deployed(database_url, order_shape()) as place:
        with place.lab.channels_file.open("a") as file:
            file.write(BELGIUM)
        wanted = _orders([size["sku"] for size in await place.sizes()])
        await place.place(*({"order_id": order_id, **order} for order_id, order in wanted.items()))
        await place.change("D-2008-A", line_state={"2": "REFUSED", "3": "CANCELED"})
        await place.change("D-2004-A", state="READY_TO_FLY")
        async with serving(place) as service:
            await service.ends(Outcome.RELEASED, *(order_id for order_id in wanted if order_id not in HELD))
            await _case_20_a_failed_order_is_a_row_with_a_reason(service)
            await _case_21_an_unknown_word_concerns_one_order(service)
            await _case_26_only_living_lines_are_entered(service)
            await _case_29_no_word_of_an_address_is_lost(service)
            await _case_33_nobody_shares_a_mailbox_by_our_doing(service)
            await _case_35_money_keeps_its_currency(service)
            await _case_39_and_81_what_the_buyer_paid_where_they_live(service)


async def _case_20_a_failed_order_is_a_row_with_a_reason(service: Service) -> None:
    assert "no street" in await service.asks("D-2001-A")
    assert await service.entered("D-2001-A") == []
    assert (await service.record("D-2001-A")).order.state == "WAITING_ACCEPTANCE", "stored, and not accepted"
    await service.change("D-2001-A", address={"street_1": "14 rue des Tilleuls"})
    await service.ends(Outcome.RELEASED, "D-2001-A")


async def _case_21_an_unknown_word_concerns_one_order(service: Service) -> None:
    assert "READY_TO_FLY" in await service.asks("D-2004-A")
    assert await service.entered("D-2004-A") == []
    await service.change("D-2004-A", state="WAITING_ACCEPTANCE")
    await service.ends(Outcome.RELEASED, "D-2004-A")


async def _case_26_only_living_lines_are_entered(service: Service) -> None:
    entry = await service.entry("D-2008-A")
    assert [(line["comment"], line["quantity"]) for line in entry["lines"]] == [("1", 1)]
    assert entry["totals"]["grand_total"] == 59.90
    reserved = "SELECT line_id, quantity FROM reservation WHERE order_id = 'D-2008-A' ORDER BY line_id"
    assert [tuple(row) for row in await service.database.fetch(reserved)] == [("1", 1), ("2", 0), ("3", 0)]
    assert "D-2008-A" not in await service.decided()


async def _case_29_no_word_of_an_address_is_lost(service: Service) -> None:
    """And case 30 (a placeholder is no phone), 32 (an unknown state passes as text where the country allows it)."""
    to = (await service.entry("D-2009-A"))["shipping_address"]
    written = " ".join(filter(None, (to["address1"], to["address2"], to["attention"], to["company_name"])))
    for member in DOOR.values():
        assert member is None or member in written
    assert (await service.entry("D-2009-B"))["shipping_address"]["phone_number"] is None
    irish = (await service.entry("D-2016-A"))["shipping_address"]
    assert (irish["country"], irish["state_or_province"], irish["zip_code"]) == ("IE", "Co. Nowhere", None)


async def _case_33_nobody_shares_a_mailbox_by_our_doing(service: Service) -> None:
    entries = [await service.entry(f"D-20{number}") for number in ("10-A", "11-A", "12-A", "12-B")]
    first, second, without, neither = (entry["email"] for entry in entries)
    assert (first, second) == (RELAY, RELAY), "the marketplace's own relay, as given"
    assert len({entry["customer_id"] for entry in entries}) == 4
    assert without != neither
    assert without.endswith("@orders.invalid")
    assert neither.endswith("@orders.invalid")
    assert not any(entry["send_email"] for entry in entries)
    assert [(await service.record(f"D-20{n}")).order.order_id for n in ("10-A", "11-A")] == ["D-2010-A", "D-2011-A"]


async def _case_35_money_keeps_its_currency(service: Service) -> None:
    assert await service.asks("D-2013-A") == "the order is in PLN, its price list in EUR"
    order = (await service.record("D-2013-A")).order
    assert (order.currency, order.lines[0].price_unit) == ("PLN", Decimal("259.99"))
    assert "D-2013-A" not in await service.decided()


async def _case_39_and_81_what_the_buyer_paid_where_they_live(service: Service) -> None:
    paid = await service.entry("D-2017-A")  # the price list of the shop says 100.00, the offer 59.90
    assert (paid["totals"]["grand_total"], paid["totals"]["shipping"]) == (48.85, 3.95)
    assert [line["unit_price"] for line in paid["lines"]] == [44.90]
    belgian = await service.entry("D-2018-A")
    assert (belgian["market"], belgian["totals"]["grand_total"]) == (7, 121.00)
    assert belgian["totals"]["tax_included"] == 21.00
    assert paid["market"] == 4


async def test_field_cases_24_and_25_no_address_yet_and_hours_of_silence(database_url: str) -> None:
    """Accepted on stock alone; entered when the address comes with the release, under the buyer's name and no other.

    While a bank thinks the unit stays promised; after 72 hours it is on sale again, and nobody was late.
    """
    async with running(database_url, order_shape()) as service:
        sku = (await service.sizes())[0]["sku"]
        late = counted("orders_near_lapse_total", scope=FR)
        person: Json = {"firstname": "Ilva", "lastname": "Testberg"}
        paid: Json = {"order_id": "D-2007-A", "customer": person, "debit": {"seconds": 18_000}}
        never: Json = {"lines": [{"sku": sku}], "debit": None}
        first, hidden, entered = await service.place({"lines": [{"sku": sku}], **paid}, never, {**never, **AT_ONCE})
        for order_id in (first, hidden, entered):
            await service.becomes(order_id, lambda r: r.accepted_at and r.order.state == "WAITING_DEBIT_PAYMENT")
        record = await service.record("D-2007-A")
        assert (record.order.has_address, record.order.country, record.number) == (False, None, None)
        assert len(await service.calls(service.centra, "OrderCreate")) == 1, "the one whose address is shown"

        await service.jump(18_000)
        await service.ends(Outcome.RELEASED, "D-2007-A")
        to = (await service.entry("D-2007-A"))["shipping_address"]
        assert (to["first_name"], to["last_name"], to["country"]) == ("Ilva", "Testberg", "FR")
        assert to["address1"] == "14 rue des Tilleuls"

        watch = (await orders.watch(service.parts.database))[FR]
        assert watch.oldest_payment_wait is not None
        assert service.parts.clock.now() - watch.oldest_payment_wait >= timedelta(hours=5)
        assert (watch.unaccepted, watch.open) == (0, 2)
        await until(lambda: _offers_less(service, sku, 1), "the unit of the hidden one stays promised")
        await service.jump(67 * 3_600)
        await service.ends(Outcome.CANCELLED, hidden, entered)
        await service.at_rest()
        assert await service.entered(hidden) == []
        assert (await service.entry(entered))["status"] == "CANCELLED"
        assert counted("orders_near_lapse_total", scope=FR) == late
        assert sorted(await service.decided()) == sorted((first, hidden, entered))


async def _offers_less(service: Service, sku: str, units: int) -> bool:
    return (await service.offers())[sku] == (await service.sellable())[sku] - units


async def test_field_case_34_anonymised_later(database_url: str) -> None:
    """A wiped copy replaces nothing and stops nothing; our own erasure is final."""
    async with running(database_url, order_shape()) as service:
        sku = (await service.sizes())[0]["sku"]
        await service.place({"order_id": "D-1500-A", "lines": [{"sku": sku}], **AT_ONCE})
        erased = await service.buy(sku, **AT_ONCE)
        waiting = await service.buy(sku, debit={"seconds": 3_600}, **AT_ONCE)
        await service.ends(Outcome.RELEASED, "D-1500-A", erased)
        await service.becomes(waiting, lambda record: record.order.state == "WAITING_DEBIT_PAYMENT")
        before = {o: await buyers.read(service.database, FR, o) for o in ("D-1500-A", waiting)}
        assert await buyers.erase(service.database, FR, erased) is not None

        await service.change("D-1500-A", state="CLOSED", anonymise=True)
        await service.change(waiting, anonymise=True)
        await service.change(erased, touch=True)
        await service.becomes("D-1500-A", lambda record: record.order.state == "CLOSED")
        touched = (await service.record(waiting)).order.updated_at
        await service.becomes(waiting, lambda record: record.order.updated_at >= touched and not record.order.country)
        for order_id, buyer in before.items():
            assert buyer is not None
            assert await buyers.read(service.database, FR, order_id) == buyer
        await service.jump(3_600)
        await service.ends(Outcome.RELEASED, waiting)
        assert await buyers.read(service.database, FR, erased) is None
        assert await service.held(FR, "orders") == {}
        assert await service.held(FR, "order_entry") == {}


async def test_field_cases_37_40_and_41_orders_that_are_not_new_work(database_url: str) -> None:
    """Fulfilled by the operator, accepted by somebody else, history of years: seen, and left alone."""
    lines = {FR: "look_back_days = 30", SE: 'accepted_elsewhere = "import"'}
    async with deployed(database_url, order_shape(channels=(FR, SE), order_lines=lines)) as place:
        now = datetime.fromisoformat((await place.admin.now())["now"])
        place.edit_channels('mode = "on"', f'mode = "on"\nstart_at = {(now - timedelta(days=1)).isoformat()}')
        sku, other = (size["sku"] for size in (await place.sizes())[:2])
        line: Json = {"lines": [{"sku": sku}], "take_stock": False}
        days_2: Json = {"created_ago_seconds": 172_800}
        operators, ours, elsewhere = "OPERATOR-WH-1", "D-2015-B", "D-2015-A"
        await place.place(
            {**line, "order_id": "D-0001-A", "state": "CLOSED", **days_2},
            {**line, "order_id": "D-0002-A", "state": "SHIPPED", **days_2},
            {**line, "order_id": "D-0003-A", **days_2, **AT_ONCE},
            {**line, "order_id": "D-2014-A", "state": "SHIPPED", "fulfillment": operators},
            {**line, "order_id": "D-2014-B", "state": "SHIPPING", "fulfillment": operators},
            {**line, "order_id": elsewhere, "state": "SHIPPING"},
        )
        await place.place({"lines": [{"sku": other}], "order_id": ours, "state": "SHIPPING"}, channel=SE)
        met = counted("orders_accepted_elsewhere_total", scope=FR)
        async with serving(place) as service:
            recorded = [order_id for order_id in await service.bought() if order_id != elsewhere]
            await service.ends(Outcome.RECORDED, *recorded)
            assert "somebody else accepted" in await service.asks(elsewhere)
            assert counted("orders_accepted_elsewhere_total", scope=FR) == met + 1
            await service.ends(Outcome.RELEASED, ours, channel=SE)
            assert (await service.record(ours, SE)).accepted_by is Acceptor.SOMEBODY
            [entered] = (await service.admin.get(service.centra, "/_sandbox/orders"))["orders"]
            assert entered["internal_comment"] == f"mirakl:{SE}:{ours}"
            promised = "SELECT sum(quantity) FROM reservation WHERE channel = $1 AND order_id <> $2"
            assert await service.count(promised, FR, elsewhere) == 0
            assert (await orders.watch(service.parts.database))[FR].open == 1

            await service.choose(elsewhere, Choice.IMPORT)
            await service.ends(Outcome.RELEASED, elsewhere)
            assert await service.decided() == []
            assert await service.decided(SE) == []


async def test_field_case_77_orders_go_before_everything_else(database_url: str) -> None:
    """Somebody used Centra's hour: a rush of orders is entered and accepted, and no ceiling is exceeded."""
    async with running(database_url, order_shape(plan="Growth", scale=60)) as service:
        await service.jump(61)  # the plan's own words are read
        await until(lambda: _tokens(service, 3_000, 3_500), "our share of the plan is known")
        await service.admin.post(service.centra, "/_sandbox/consume", {"requests": 4_700})
        await service.jump(61)
        await until(lambda: _tokens(service, 0, 700), "what is left is known")
        skus = [size["sku"] for size in await service.sizes()]
        known = await service.violations(service.centra)
        order_ids = await service.place(*({"lines": [{"sku": sku}], **AT_ONCE} for sku in skus * 2))

        async def accepted() -> bool:
            return sorted(await service.decided()) == sorted(order_ids)

        await until(accepted, "each of them is accepted, once")
        assert await service.violations(service.centra) == known


async def _tokens(service: Service, least: float, most: float) -> bool:
    buckets = await service.parts.permits.all()
    return any(b.name == "requests.1h" and least <= b.tokens <= most for b in buckets)


async def test_field_case_79_created_and_nothing_allocated(database_url: str) -> None:
    """Somebody took the stock between creating and placing: accepted once, blocked, asked about, never let go."""
    options: Json = {"create_only_takes_stock": False}
    lines = {FR: "unallocated_seconds = 300"}
    async with running(database_url, order_shape(order_lines=lines)) as service:
        await service.admin.post(service.centra, "/_sandbox/orders/options", options)
        oversold = counted("oversold_units_total", scope=FR)
        sku = (await service.sizes())[0]["sku"]
        down: Json = {"code": "SetIdConversions", "kind": "status", "status": 503, "count": None}
        await service.faults(service.centra, down)
        await service.place({"order_id": "D-7001-A", "lines": [{"sku": sku}], **AT_ONCE})
        await service.becomes("D-7001-A", lambda record: record.number)
        await service.sell(sku, 0)
        await service.admin.clear_faults(service.centra)

        record = await service.becomes("D-7001-A", lambda r: r.problem and r.order.state == "SHIPPING")
        assert "has not allocated 1 units" in (record.problem or "")
        assert (record.problem_team, record.accepted_by, record.blocked) == (Team.OPERATIONS, Acceptor.US, True)
        entry = await service.entry("D-7001-A")
        assert (entry["status"], entry["is_waiting_for_payment"]) == ("PENDING", True)
        assert counted("oversold_units_total", scope=FR) == oversold + 1
        await service.change("D-7001-A", cancel=True)  # one of the ways out
        await service.ends(Outcome.CANCELLED, "D-7001-A")


async def test_field_case_82_a_failed_order_is_tried_again_long_before_its_deadline(database_url: str) -> None:
    """Centra is down for creating: tries are a minute or two apart, whatever their number; then it goes at once."""
    async with running(database_url, order_shape()) as service:
        sku = (await service.sizes())[0]["sku"]
        down: Json = {"code": "OrderCreate", "kind": "status", "status": 503, "count": None}
        await service.faults(service.centra, down)
        await service.place({"order_id": "D-7002-A", "lines": [{"sku": sku}], **AT_ONCE})

        async def tried() -> list[Json] | None:
            calls = await service.calls(service.centra, "OrderCreate")
            return calls if len(calls) >= 3 else None

        calls = [datetime.fromisoformat(call["at"]) for call in await until(tried, "three tries")]
        assert max((second - first).total_seconds() for first, second in pairwise(calls)) < 240
        await service.admin.clear_faults(service.centra)
        await service.ends(Outcome.RELEASED, "D-7002-A")
        record = await service.record("D-7002-A")
        assert record.accepted_at is not None
        assert record.accepted_at < record.accept_by
        assert len(await service.entered("D-7002-A")) == 1


async def test_field_case_84_orders_of_another_shop(database_url: str) -> None:
    """The key belongs to another shop than the channel names: no order and no buyer of that shop is taken in."""
    async with deployed(database_url, order_shape(channels=(FR, SE))) as place:
        sku = (await place.sizes())[0]["sku"]
        place.edit_channels("shop_id = 2001", "shop_id = 2002\n# mistyped")
        await place.place({"order_id": "D-7003-A", "lines": [{"sku": sku}], **AT_ONCE})
        own = await place.buy(sku, channel=SE, **AT_ONCE)
        async with serving(place) as service:
            await service.ends(Outcome.RELEASED, own, channel=SE)
            assert counted("scope_paused", scope=FR) == 1
            for table in ("marketplace_order", "buyer", "inbox"):
                assert await service.count(f"SELECT count(*) FROM {table} WHERE scope = $1", FR) == 0
            assert await service.count("SELECT count(*) FROM reservation WHERE channel = $1", FR) == 0
            assert await service.decided() == []
        place.edit_channels("shop_id = 2002\n# mistyped", "shop_id = 2001")
        async with serving(place) as service:
            await service.ends(Outcome.RELEASED, "D-7003-A")
