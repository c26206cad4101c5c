"""Centra's event queues: read, stored, confirmed, in this order; poison never blocks them, the valve loses nothing."""

import asyncpg

from tests.flows.service import FR, SOURCE, Service, counted, running, shape, until
from tests.standins import Json

CLOSE = {"centra": "event_poll_seconds = 30"}


async def _dead(service: Service) -> list[Json]:
    rows = await service.database.fetch(
        "SELECT identity, kind, reference, reason FROM inbox WHERE state = 'dead' ORDER BY identity"
    )
    return [dict(row) for row in rows]


async def _empty(service: Service) -> bool:
    return await service.queued() == 0


async def test_events_are_confirmed_only_after_what_they_say_is_committed(database_url: str) -> None:
    async with running(database_url, shape(channel_lines=CLOSE)) as service:
        await until(lambda: _empty(service), "the queue is empty")
        confirmed = len(await service.calls(service.centra, "ConfirmEvents"))
        sku = (await service.sizes())[0]["sku"]
        locker = await asyncpg.connect(database_url)
        async with locker.transaction():
            await locker.execute("LOCK TABLE size IN SHARE ROW EXCLUSIVE MODE")  # nobody can write what events say
            fetched = len(await service.calls(service.centra, "StockEvents"))
            await service.bump([sku])

            async def seen() -> bool:
                log = (await service.calls(service.centra, "StockEvents"))[fetched:]
                waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1"
                return bool(log) and await service.count(waits, database_url.split("/")[3].split("?")[0]) > 0

            await until(seen, "events are read, and their storing waits")
            assert len(await service.calls(service.centra, "ConfirmEvents")) == confirmed
            assert await service.queued() == 1
        await locker.close()
        await until(lambda: _empty(service), "committed, then confirmed")
        await service.at_rest()


async def test_duplicate_events_are_harmless(database_url: str) -> None:
    async with running(database_url, shape(channel_lines=CLOSE, centra={"event_duplicate": 1.0})) as service:
        skus = [size["sku"] for size in await service.sizes()]
        for _ in range(3):
            await service.bump(skus)
        for _ in range(2):
            await service.admin.post(service.centra, "/_sandbox/orders", {"sku": skus[0], "quantity": 1})
        await service.at_rest()
        await until(lambda: _empty(service), "the queue is empty")
        orders = await service.database.fetch("SELECT reference FROM inbox WHERE kind = 'Order' ORDER BY identity")
        assert len({row["reference"] for row in orders}) == 2
        assert await _dead(service) == []


async def test_a_poison_event_is_set_aside_and_blocks_nobody(database_url: str) -> None:
    """It is dead on our side, confirmed at Centra, and counted; later events flow; a person has it read again."""
    lines = {"centra": "event_poll_seconds = 30\nsweep_seconds = 864000"}
    async with running(database_url, shape(channel_lines=lines)) as service:
        poisoned, healthy = [size["sku"] for size in await service.sizes()][:2]
        await service.faults(service.centra, {"code": "StockChange", "kind": "poison"})
        await service.bump([poisoned])
        await service.bump([healthy])
        await until(lambda: _empty(service), "both are confirmed")

        async def flows() -> bool:
            return (await service.offers())[healthy] == (await service.sellable())[healthy]

        await until(flows, "the healthy one is published")
        [dead] = await _dead(service)
        assert dead["kind"] == "StockChange"
        assert "Internal server error" in dead["reason"]
        assert (await service.offers())[poisoned] != (await service.sellable())[poisoned]

        ended = await service.command("replay", "--dead-letters", "--who", "a tester", "--why", "the cause is gone")
        assert ended.code == 0, ended.errors
        assert "1 dead letters" in ended.words
        await service.at_rest()
        assert await _dead(service) == []


async def test_a_poisoned_size_event_has_its_size_read_at_once(database_url: str) -> None:
    async with running(database_url, shape(channel_lines=CLOSE)) as service:
        sku = (await service.sizes())[0]["sku"]
        await service.faults(service.centra, {"code": "ProductSize", "kind": "poison"})
        await service.admin.post(service.centra, "/_sandbox/sizes", {"changes": [{"sku": sku, "preorder": True}]})
        await service.at_rest()
        assert (await service.offers())[sku] == 0
        assert [dead["kind"] for dead in await _dead(service)] == ["ProductSize"]


async def test_a_deleted_size_becomes_zero(database_url: str) -> None:
    async with running(database_url, shape(channel_lines=CLOSE)) as service:
        size = (await service.sizes())[0]
        assert (await service.offers())[size["sku"]] > 0
        body = {"object_type": "ProductSize", "id": size["id"]}
        await service.admin.post(service.centra, "/_sandbox/delete", body)

        async def gone() -> bool:
            return (await service.offers())[size["sku"]] == 0

        await until(gone, "the offer of a size that is gone")
        assert await service.held(FR, "stock") == {}
        assert (await service.offer(size["sku"]))["stock_cause"] == "missing"


async def test_many_deleted_sizes_are_guarded(database_url: str) -> None:
    """60 of 100 sizes vanish at once: held with the reason, alarmed; what is sold out meanwhile goes out."""
    catalogue = {"catalogue": {"sizes": 100, "variants_of": 60}}
    async with running(database_url, shape(sizes=100, channel_lines=CLOSE, centra=catalogue)) as service:
        sizes, before = await service.sizes(), await service.offers()
        vanished = {size["sku"] for size in sizes[:60] if before[size["sku"]]}
        alarms = counted("mass_change_alarms_total", scope=FR, kind="vanished")
        gone = {"object_type": "ProductVariant", "id": sizes[0]["variant_id"]}  # all of them at once
        await service.admin.post(service.centra, "/_sandbox/delete", gone)

        async def held() -> dict[str, str] | None:
            reasons = await service.held(FR, "stock")
            return reasons if set(reasons) == vanished else None

        reasons = await until(held, "they are held")
        assert all("mass change" in reason and "no size in Centra" in reason for reason in reasons.values())
        assert counted("mass_change_alarms_total", scope=FR, kind="vanished") > alarms

        await service.sell(sizes[60]["sku"], 0)
        await service.sell(sizes[60]["sku"], 0, 2)

        async def sold_out() -> bool:
            return (await service.offers())[sizes[60]["sku"]] == 0

        await until(sold_out, "a plain zero is not held back")
        offers = await service.offers()
        assert {sku: offers[sku] for sku in vanished} == {sku: before[sku] for sku in vanished}


async def test_the_valve_drops_a_queue_that_cannot_be_caught_up_and_loses_nothing(database_url: str) -> None:
    """More than twenty full pages in a row: the listeners are set anew, and a sweep reads what the events said."""
    async with running(database_url, shape(sizes=60, channel_lines=CLOSE)) as service:
        openings = counted("valve_openings_total", scope=SOURCE)
        skus = [size["sku"] for size in await service.sizes()]
        unset = len(await service.calls(service.centra, "UnsetEventListeners"))
        for part in range(0, 5_000, 1_000):
            changes: list[Json] = [{"sku": skus[n % 60], "delta": 1} for n in range(part, part + 1_000)]
            await service.admin.post(service.centra, "/_sandbox/stock", {"changes": changes})
        await until(lambda: _opened(service, unset), "the valve opens", seconds=40)
        await service.bump(skus[:1])
        await service.at_rest()
        await until(lambda: _empty(service), "the queue is followed again")
        assert counted("valve_openings_total", scope=SOURCE) == openings + 1
        assert await service.violations(service.centra) == []

        await service.bump(skus[5:6])  # and events are listened to
        await service.at_rest()


async def _opened(service: Service, before: int) -> bool:
    return len(await service.calls(service.centra, "UnsetEventListeners")) > before


async def test_events_that_are_off_on_either_side_leave_the_change_to_the_sweep(database_url: str) -> None:
    """The channel file believes in events, Centra's staff have not switched them on."""
    async with running(database_url, shape(centra={"events_enabled": False})) as service:
        sku = (await service.sizes())[0]["sku"]
        await service.bump([sku])
        await service.jump(3_700)
        await service.at_rest()
        assert await service.held(SOURCE, "events") == {}
