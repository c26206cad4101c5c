"""Field cases that touch transport, rate limits, Centra's events and webhooks, on the running service.

Numbers are those of the list of field cases (parts G and H).
"""

from datetime import datetime

from tests.flows.service import FR, SE, SOURCE, Service, counted, deployed, running, serving, shape, until
from tests.standins import Json

DISTANT = "read_back_seconds = 86400"


def _app_seconds(first: Json, second: Json) -> float:
    """App seconds between two calls of a stand-in's log."""
    return (datetime.fromisoformat(second["at"]) - datetime.fromisoformat(first["at"])).total_seconds()


async def test_field_case_69_the_wait_that_was_asked_for_is_kept(database_url: str) -> None:
    """429 with Retry-After on one call: it comes back no earlier, even after a restart; other calls go on."""
    async with deployed(database_url, shape(channels=(FR, SE))) as place:
        sku = (await place.sizes())[0]["sku"]
        async with serving(place) as service:
            await service.at_rest()
            await service.faults(service.mirakl(), {"code": "STO01", "kind": "too_many", "retry_after": "240"})
            before = len(await service.calls(service.mirakl(), "STO01"))
            await service.bump([sku])

            async def turned_away() -> Json | None:
                new = (await service.calls(service.mirakl(), "STO01"))[before:]
                return new[0] if new and new[0]["status"] == 429 else None

            refused = await until(turned_away, "STO01 was turned away")
            key = await until(lambda: service.key(FR, "stock", sku), "the key")
            assert key["state"] == "ready"
        async with serving(place) as service:  # the budget survives a restart
            await service.alike(SE)
            await service.at_rest()
            came_back = (await service.calls(service.mirakl(), "STO01"))[before + 1]
            assert came_back["status"] == 201
            assert _app_seconds(refused, came_back) >= 240
            assert [v["code"] for v in await service.violations(service.mirakl())] == []
            assert await service.held(FR, "stock") == {}


async def test_field_case_71_hours_of_maintenance(database_url: str) -> None:
    """Hours of 503: few calls, nothing held, the other channel flows; then one file brings all, and soon."""
    lines = dict.fromkeys((FR, SE), f"stock = {{{DISTANT}}}")
    async with running(database_url, shape(channels=(FR, SE), channel_lines=lines)) as service:
        skus = [size["sku"] for size in await service.sizes()]
        before = (await service.admin.calls(service.mirakl()))["calls"]
        files = len({entry["import_id"] for entry in await service.pushed()})
        await service.faults(service.mirakl(), {"code": "*", "kind": "status", "status": 503, "count": None})
        for round_ in range(6):  # three hours, with a change to everything each half hour
            await service.bump(skus, by=1 + round_)
            await service.alike(SE)
            await service.jump(1_800)
        made = (await service.admin.calls(service.mirakl()))["calls"]
        calls = sum(made.values()) - sum(before.values())
        assert 1 <= calls <= 40, f"{calls} calls into a closed door"
        for flow in ("stock", "imports", "read_back", "reference"):
            assert await service.held(FR, flow) == {}, flow

        await service.admin.clear_faults(service.mirakl())
        await service.alike(seconds=40)
        await until(lambda: _nothing_due(service), "the outbox of the channel is empty", seconds=40)
        carried = {entry["import_id"] for entry in await service.pushed()}
        assert len(carried) - files <= 4, "coalesced: a few files, not one for each change"
        assert await service.held(FR, "stock") == {}


async def test_field_case_71_a_long_import_does_not_slow_the_next_ones(database_url: str) -> None:
    """The status call was down for half an hour: later imports are looked at as soon as ever."""
    async with running(database_url, shape(channel_lines={FR: f"stock = {{{DISTANT}}}"})) as service:
        sku = (await service.sizes())[0]["sku"]
        await service.faults(service.mirakl(), {"code": "STO02", "kind": "status", "status": 503, "count": None})
        await service.bump([sku])
        await until(lambda: service.count("SELECT count(*) FROM import WHERE state = 'running'"), "it runs")
        await service.jump(1_500)
        await service.admin.clear_faults(service.mirakl())
        await service.at_rest()
        seconds = "SELECT count(*) FROM import WHERE state = 'done' AND finished_at - posted_at > interval '1500 s'"
        assert await service.count(seconds) == 1, "that import took long"
        await service.bump([sku])
        await service.at_rest()
        last = await service.database.fetchval(
            "SELECT extract(epoch FROM finished_at - posted_at) FROM import ORDER BY id DESC LIMIT 1"
        )
        assert last < 300


async def _nothing_due(service: Service) -> bool:
    return not await service.count(
        "SELECT count(*) FROM outbox WHERE scope = $1 AND flow IN ('stock', 'imports') AND due_at <= app_now()", FR
    )


async def test_field_case_75_lost_webhooks_are_found_by_events(database_url: str) -> None:
    async with running(database_url) as service:
        await service.webhooks_on(loss=1.0)
        found = counted("sweep_found_total", scope=SOURCE)
        taken = counted("webhooks_total", scope=SOURCE, verdict="taken")
        sku = (await service.sizes())[0]["sku"]
        await service.bump([sku])
        await service.at_rest()
        deliveries = (await service.admin.get(service.centra, "/_sandbox/webhooks"))["deliveries"]
        assert {delivery["outcome"] for delivery in deliveries} == {"lost"}
        assert counted("sweep_found_total", scope=SOURCE) == found, "events noticed it, not the sweep"
        assert counted("webhooks_total", scope=SOURCE, verdict="taken") == taken


async def test_field_case_75_what_nothing_else_noticed_is_found_by_the_sweep_and_counted(database_url: str) -> None:
    """Webhooks lost and events off: a change, and a stock movement that never makes an event, come by the sweep."""
    lines = {"centra": "events = false"}
    switched_off = {"events_enabled": False}
    async with running(database_url, shape(channel_lines=lines, centra=switched_off)) as service:
        await service.webhooks_on(loss=1.0)
        await service.jump(3_700)  # a sweep that has nothing to find
        await until(
            lambda: service.count("SELECT count(*) FROM outbox WHERE flow = 'sweep' AND due_at > app_now()"), ""
        )
        found = counted("sweep_found_total", scope=SOURCE)
        skus = [size["sku"] for size in await service.sizes()]
        await service.bump(skus[:3])
        await service.admin.post(service.centra, "/_sandbox/orders", {"sku": skus[5], "quantity": 2})
        await service.jump(3_700)
        await service.at_rest()
        assert counted("sweep_found_total", scope=SOURCE) == found + 4
        assert await service.calls(service.centra, "StockEvents") == []


async def test_field_case_77_another_integration_eats_the_allowance(database_url: str) -> None:
    """A report job used most of the hour: stock makes room, the order queue goes on, no ceiling is exceeded."""
    sizes, plan = 20, "Growth"
    lines = {"centra": "event_poll_seconds = 30"}
    async with running(database_url, shape(sizes=sizes, plan=plan, channel_lines=lines)) as service:
        await service.jump(61)  # the plan's own words are read
        await until(lambda: _bucket(service, 3_500), "our share of the plan")
        for _ in range(20):  # the hour is as good as used, whatever refills meanwhile
            await service.admin.post(service.centra, "/_sandbox/consume", {"requests": 1_000})
        left = (await service.admin.post(service.centra, "/_sandbox/limits", {}))["buckets"]
        hour = next(b["remaining"] for b in left if b["type"] == "REQUEST_COUNT" and b["interval"] == "ONE_HOUR")
        assert hour < 100
        await service.jump(61)
        await until(lambda: _below(service, 875), "what is left was asked for, and believed")
        surprised = await service.violations(service.centra)  # nobody can know before the first answer that says so
        stock = len(await service.calls(service.centra, "StockEvents"))
        orders = len(await service.calls(service.centra, "OrderEvents"))
        await service.jump(240)  # refilled to where orders have headroom, and stock has none

        async def order_queue_goes_on() -> bool:
            return len(await service.calls(service.centra, "OrderEvents")) >= orders + 3

        await until(order_queue_goes_on, "the order queue is read")
        assert len(await service.calls(service.centra, "StockEvents")) == stock, "stock waits its turn"

        await service.bump([size["sku"] for size in await service.sizes()])
        await service.jump(900)
        await service.at_rest()
        assert await service.violations(service.centra) == surprised


async def _bucket(service: Service, capacity: float) -> bool:
    buckets = await service.parts.permits.all()
    return any(b.name == "requests.1h" and b.capacity == capacity for b in buckets)


async def _below(service: Service, tokens: float) -> bool:
    buckets = await service.parts.permits.all()
    return any(b.name == "requests.1h" and b.tokens < tokens for b in buckets)


async def test_field_case_84_a_key_of_another_shop(database_url: str) -> None:
    """The channel names shop 2002, the key belongs to 2001: nothing is taken from it or sent to it."""
    async with deployed(database_url, shape(channels=(FR, SE))) as place:
        place.edit_channels("shop_id = 2001", "shop_id = 2777")
        untouched = await place.offers(FR)
        async with serving(place) as service:
            await service.at_rest(SE)
            await until(lambda: _paused(FR), "the channel is paused")
            await service.bump([(await service.sizes())[0]["sku"]])
            await service.at_rest(SE)
            assert counted("scope_paused", scope=SE) == 0
            assert await service.count("SELECT count(*) FROM offer WHERE scope = $1", FR) == 0
            assert await service.count("SELECT count(*) FROM mirror WHERE scope = $1", FR) == 0
            assert await service.offers(FR) == untouched
            assert await service.calls(place.mirakl(), "STO01") == []
            reason = await service.database.fetchval("SELECT reason FROM outbox WHERE scope = $1 LIMIT 1", FR)
            assert "k-demo-fr" not in (reason or "")

        place.edit_channels("shop_id = 2777", "shop_id = 2001")  # a person corrects it
        async with serving(place) as service:
            await service.jump(100_000)  # the stand-in counted the full export that it forbade: one a day
            await service.at_rest()


async def _paused(channel: str) -> bool:
    return counted("scope_paused", scope=channel) == 1
