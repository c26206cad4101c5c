"""Orders are read whole: pages that shift, marks that are lost, reads that overtake each other, and what can't be read.

Only the flows that read orders are worked here, so nothing but reading moves anything.
"""

from datetime import datetime, timedelta
from itertools import pairwise

from app.domain.ids import Scope
from app.domain.progress import Record
from app.flows.order_intake import WATERMARK, Passed, store_orders
from app.mirakl.order_schema import OrderQuery, RawOrder
from app.store import mirrors, orders
from app.wire.decode import Items
from app.wire.outcome import Applied
from tests.flows.service import FR, Deployment, Service, counted, deployed, order_shape, serving, until
from tests.standins import Json

INTAKE, LOOK_BACK = "order_intake", "order_look_back"
DAYS_3 = 3 * 86_400
ONCE = "sweep_seconds = 864000\nlook_back_days = 5"
"""All open orders are read once, soon after the start, and not again."""


def _at(entry: Json) -> datetime:
    return datetime.fromisoformat(entry["at"])


async def _bulk(place: Deployment, count: int, **members: object) -> None:
    body: Json = {"count": count, "spread_seconds": DAYS_3, "sku": (await place.sizes())[0]["sku"], **members}
    await place.admin.post(place.mirakl(), "/_sandbox/orders/bulk", body)


async def _passed(service: Deployment) -> Passed | None:
    return await mirrors.read_cursor(service.database, FR, WATERMARK, Passed)


async def _passes(service: Deployment, since: datetime | None = None) -> Passed:
    """Until a pass that began later than `since` is complete."""

    async def ended() -> Passed | None:
        passed = await _passed(service)
        return passed if passed and (since is None or passed.began_at > since) else None

    return await until(ended, "a pass is complete", seconds=60)


async def _seen(service: Deployment) -> set[str]:
    rows = await service.database.fetch("SELECT order_id FROM marketplace_order WHERE scope = $1", FR)
    return {row["order_id"] for row in rows}


async def test_field_case_18_pages_that_shift_while_they_are_read(database_url: str) -> None:
    """2,200 orders: behind every page some that were read leave the window, at times one that was not: none is lost."""
    unread: list[Json] = [
        {"code": "OR11", "kind": "shift", "ids": [f"BULK-{n:06d}-A"], "state": None, "after": n // 100}
        for n in range(50, 2_200, 450)
    ]
    read_ones: Json = {"code": "OR11", "kind": "shift", "first": 3, "count": None}
    async with deployed(database_url, order_shape(scale=400, order_lines={FR: ONCE})) as place:
        await _bulk(place, 2_200)
        seen, read = (counted(f"orders_{name}_total", scope=FR) for name in ("seen", "read"))
        await place.faults(place.mirakl(), *unread, read_ones)
        async with serving(place, INTAKE) as service:
            first = await _passes(service)
            assert len(await service.calls(service.mirakl(), "OR11")) < 4 * 22
            await service.admin.clear_faults(service.mirakl())
            await _passes(service, first.began_at)  # whoever was updated meanwhile
            assert await _seen(service) == set(await service.bought())
            assert counted("orders_seen_total", scope=FR) == seen + 2_200, "none was stored twice"
            assert counted("orders_read_total", scope=FR) - read >= 2 * 2_200 * 0.9, "a sweep that brought nothing new"
            assert await service.count("SELECT count(*) FROM outbox WHERE flow = 'orders'") == 2_200
            assert await service.count("SELECT count(*) FROM marketplace_order WHERE unmarked") == 0
            states = {order_id: order["state"] for order_id, order in (await service.bought()).items()}
            stored = await service.database.fetch("SELECT order_id, state FROM marketplace_order")
            assert {row["order_id"]: row["state"] for row in stored} == states
            assert await service.violations(service.mirakl()) == []


async def test_field_case_19_eligible_long_after_the_watermark_passed_its_creation(database_url: str) -> None:
    """Created before the watermark and not seen then; what is read is what was updated, so its debit brings it."""
    late = "D-1004-000001-A"
    wanted = order_shape(order_lines={FR: ONCE}, mirakl={"orders": {"debit_seconds": None}})
    async with deployed(database_url, wanted) as place, serving(place, INTAKE) as service:
        await _bulk_unseen(service, 1, prefix="D-1004", state="WAITING_DEBIT_PAYMENT")
        assert late not in await _seen(service)
        await service.change(late, state="SHIPPING")
        await service.becomes(late, lambda record: record.order.state == "SHIPPING")


async def _bulk_unseen(service: Service, count: int, **members: object) -> None:
    """Orders that no pass sees, since they come with an update of long ago."""
    first = await service.buy((await service.sizes())[0]["sku"])
    await service.becomes(first, lambda record: record.order)
    await until(lambda: _swept(service), "all open orders were read once")
    passed = await _passes(service)
    await _bulk(service, count, **members)
    await _passes(service, (await _passes(service, passed.began_at)).began_at)
    assert await _seen(service) == {first}


async def _swept(service: Service) -> bool:
    """Whether all open orders were read."""
    passed = await _passed(service)
    return passed is not None and passed.swept_at is not None


async def test_the_daily_export_finds_what_every_pass_missed(database_url: str) -> None:
    wanted = order_shape(order_lines={FR: ONCE}, mirakl={"orders": {"acceptance_seconds": 30 * 86_400}})
    async with deployed(database_url, wanted) as place, serving(place, INTAKE, LOOK_BACK) as service:
        ended = "SELECT count(*) FROM outbox WHERE flow = 'order_look_back' AND due_at > app_now() + interval '1 h'"
        await until(lambda: service.count(ended), "the first look back has ended")
        await _bulk_unseen(service, 3)
        await service.jump(86_400)
        for order_id in await service.bought():
            await service.becomes(order_id, lambda record: record.order)
            assert await service.key(FR, "orders", order_id) is not None, "and is worked"


async def test_a_page_that_was_stored_and_not_marked_is_marked_by_the_next_pass(database_url: str) -> None:
    """The third page fails: two are stored, nothing is marked, the watermark stands; the next try does the rest."""
    down: Json = {"code": "OR11", "kind": "status", "status": 503, "after": 2, "count": 2}
    async with deployed(database_url, order_shape(order_lines={FR: ONCE})) as place:
        await _bulk(place, 250)
        await place.faults(place.mirakl(), down)
        async with serving(place, INTAKE) as service:
            unmarked = "SELECT count(*) FROM marketplace_order WHERE unmarked"
            await until(lambda: service.count(unmarked), "a page is stored")
            assert await service.count("SELECT count(*) FROM outbox WHERE flow = 'orders'") == 0
            assert await _passed(service) is None
            await _passes(service)
            assert len(await _seen(service)) == 250
            assert await service.count("SELECT count(*) FROM outbox WHERE flow = 'orders'") == 250
            assert await service.count(unmarked) == 0


async def test_field_case_20_the_watermark_follows_the_orders_and_never_passes_one_unstored(database_url: str) -> None:
    """It moves to the newest update that was read, by the marketplace's own word, and stands while reading fails."""
    async with deployed(database_url, order_shape(order_lines={FR: ONCE})) as place:
        await _bulk(place, 5)
        async with serving(place, INTAKE) as service:
            passed = await _passes(service)
            newest = await service.database.fetchval("SELECT max(updated_at) FROM marketplace_order")
            assert passed.watermark == newest < passed.began_at

            await service.faults(service.mirakl(), {"code": "OR11", "kind": "status", "status": 503, "count": None})
            order_id = await service.buy((await service.sizes())[0]["sku"])
            tried = len(await service.calls(service.mirakl(), "OR11"))
            await until(lambda: _called(service, tried + 3), "passes are tried")
            stands = await _passed(service)
            assert stands is not None
            assert stands.watermark == newest
            await service.admin.clear_faults(service.mirakl())
            await service.becomes(order_id, lambda record: record.order)


async def _called(service: Service, count: int) -> bool:
    return len(await service.calls(service.mirakl(), "OR11")) >= count


async def test_one_order_that_cannot_be_read_is_kept_and_stops_no_other(database_url: str) -> None:
    """Field case 21: a member that is needed is missing, a state is new; both are seen, and the rest flows on."""
    async with deployed(database_url, order_shape(orders="dry_run")) as place:
        sku = (await place.sizes())[0]["sku"]
        lines: Json = {"lines": [{"sku": sku}]}
        ids = await place.place(*({"order_id": f"D-200{n}-A", **lines} for n in range(3, 8)))
        await place.faults(
            place.mirakl(),
            {"code": "OR11", "kind": "drop_member", "ids": [ids[0]], "member": "order_lines.0.offer_sku", "count": 3},
            {"code": "OR11", "kind": "unknown_state", "ids": [ids[1]], "value": "READY_TO_FLY", "count": 3},
        )
        new = counted("unknown_words_total", scope=FR, kind="order_state")
        async with serving(place, INTAKE) as service:
            for order_id in ids[1:]:
                await service.becomes(order_id, lambda record: record.order)
            assert (await service.record(ids[1])).order.state == "READY_TO_FLY"
            assert counted("unknown_words_total", scope=FR, kind="order_state") == new + 1
            dead = await service.database.fetchrow("SELECT reference, state, reason FROM inbox WHERE state = 'dead'")
            assert dead is not None
            assert dead["reference"] == ids[0]
            assert "offer_sku" in dead["reason"]
            await service.becomes(ids[0], lambda record: record.order)  # once it can be read
            await service.becomes(ids[1], lambda record: record.order.state == "WAITING_ACCEPTANCE")


async def test_a_read_that_comes_late_overwrites_nothing_newer(database_url: str) -> None:
    """Two reads of one order are stored in the wrong order, and two of the same instant of update as well."""
    async with deployed(database_url, order_shape()) as place:
        order_id = await place.buy((await place.sizes())[0]["sku"])
        async with serving(place, "housekeeping") as service:
            earlier, first = await _told(service, order_id)
            await service.change(order_id, accept=True)
            await service.jump(3)
            later, second = await _told(service, order_id)
            assert first.items[0].order.order_state != second.items[0].order.order_state
            await store_orders(service.parts, FR, second, later)
            newest = await service.record(order_id)
            await store_orders(service.parts, FR, first, later + timedelta(seconds=1))
            assert _facts(await service.record(order_id)) == _facts(newest)

            again = Items((RawOrder(second.items[0].order, first.items[0].raw),), (), (0,))
            await store_orders(service.parts, FR, again, earlier)
            assert _facts(await service.record(order_id)) == _facts(newest)
            assert (await service.record(order_id)).read_at == newest.read_at


def _facts(record: Record) -> object:
    return record.order


async def _told(service: Service, order_id: str) -> tuple[datetime, Items[RawOrder]]:
    """What a read by id tells now, and when it began."""
    began = service.parts.clock.now()

    async def answered() -> Items[RawOrder] | None:
        answer = await service.parts.mirakl[Scope(FR)].or11_list_orders(OrderQuery(order_ids=(order_id,)))
        return answer.value.orders if isinstance(answer, Applied) else None

    return began, await until(answered, "the order is told")


async def test_a_partners_passes_are_a_quarter_of_an_hour_apart(database_url: str) -> None:
    """The stricter contract for tools of partners; both kinds of pass share the ceiling."""
    lines = {FR: 'profile = "external_partner"'}
    wanted = order_shape(scale=1_500, channel_lines=lines, mirakl={"profile": "external_partner"})
    async with deployed(database_url, wanted) as place, serving(place, INTAKE) as service:
        order_id = await service.buy((await service.sizes())[0]["sku"])
        await service.becomes(order_id, lambda record: record.order)
        await until(lambda: _called(service, 4), "four passes")
        calls = [_at(call) for call in await service.calls(service.mirakl(), "OR11") if call["status"] == 200]
        assert all((second - first).total_seconds() >= 900 for first, second in pairwise(calls))
        assert await service.violations(service.mirakl()) == []


async def test_orders_short_of_time_are_worked_first(database_url: str) -> None:
    """Priority by time left: an order past half of its window goes before one just bought, history goes last."""
    async with deployed(database_url, order_shape(order_lines={FR: "accept_within_seconds = 86400"})) as place:
        line: Json = {"lines": [{"sku": (await place.sizes())[0]["sku"]}]}
        old, new, ended = await place.place(
            {**line, "created_ago_seconds": 50_000}, line, {**line, "created_ago_seconds": 50_000, "state": "CLOSED"}
        )
        async with serving(place, INTAKE) as service:
            bands = {}
            for order_id in (old, new, ended):
                await service.becomes(order_id, lambda record: record.order)
                key = await until(lambda order_id=order_id: service.key(FR, "orders", order_id), "it is marked")  # type: ignore[misc]
                bands[order_id] = key["priority"]
        assert bands == {old: orders.URGENT, new: orders.NORMAL, ended: orders.BACKGROUND}
