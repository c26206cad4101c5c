"""Field cases that touch stock, each as a test of its kind, on the running service.

Numbers are those of the list of field cases (parts A, G and H). Where a case needs orders, the test shows what
stock alone can promise and says what waits.
"""

import httpx

from app.store import outbox
from tests.flows.service import FR, SOURCE, Deployment, Service, counted, deployed, running, serving, shape, until
from tests.standins import Json

LATER = 86_400 * 30


async def exported(place: Deployment) -> dict[str, Json]:
    """Every member of every offer as the marketplace exports it, by SKU; by our own hand, the service is down."""
    async with httpx.AsyncClient(
        trust_env=False, base_url=place.mirakl(), headers={"Authorization": f"k-{FR}"}
    ) as http:
        await place.admin.advance(120)
        asked = await http.post(
            "/api/offers/export/async", json={"export_type": "application/json", "include_inactive_offers": True}
        )
        await place.admin.advance(120)
        status = (await http.get(f"/api/offers/export/async/status/{asked.json()['tracking_id']}")).json()
        rows = [row for url in status["urls"] for row in (await http.get(url)).json()]
    return {row["shop_sku"]: row for row in rows}


async def test_field_case_1_stock_update_touches_nothing_but_stock(database_url: str) -> None:
    """Stock leaves as STO01 only; never as OF24 or OF01, which reset whatever they do not name."""
    async with deployed(database_url, shape(mirakl={"daily_ceiling_calls": 9})) as place:
        before = await exported(place)
        async with serving(place) as service:
            await service.at_rest()
            await service.bump([size["sku"] for size in await service.sizes()])
            await service.at_rest()
            calls = (await service.admin.calls(service.mirakl()))["calls"]
            sellable = await service.sellable()
        after = await exported(place)
    assert {code for code in calls if code.startswith(("OF0", "OF2", "PRI", "P4"))} == set()
    assert calls["STO01"] >= 2
    assert "unknown" not in calls
    assert {sku: row["quantity"] for sku, row in after.items()} == sellable
    moved = {"quantity", "active", "inactivity_reasons", "date_created", "last_updated", "last_updated_date"}
    for sku, row in after.items():
        differing = {name for name in row if row[name] != before[sku].get(name)}
        assert differing <= moved, f"{sku}: {differing} changed too"
        assert row["prices"] == before[sku]["prices"]
        assert row["prices"][0]["origin_price"] == 59.9


async def test_field_case_3_accepted_is_not_applied(database_url: str) -> None:
    """An import id is no success: the line's own result decides, and what was feigned is found by reading back."""
    async with running(database_url, shape(import_seconds=30)) as service:
        refused, feigned, plain = [size["sku"] for size in await service.sizes()][:3]
        stale = counted("stale_values_corrected_total", scope=FR, flow="stock")
        await service.faults(
            service.mirakl(),
            {"code": "STO01", "kind": "line_error", "skus": [refused], "message": "Offer is locked"},
            {"code": "STO01", "kind": "accepted_not_applied", "skus": [feigned]},
        )
        await service.bump([refused, feigned, plain])

        async def on_its_way() -> bool:
            offer = await service.offer(plain)
            return bool(offer["stock_sent_version"] > offer["stock_confirmed_version"])

        await until(on_its_way, "the file left")
        assert (await service.offer(plain))["stock_confirmed"] == (await service.sellable())[plain] - 1

        reasons = await until(lambda: service.held(FR, "stock"), "the bad line is held")
        assert list(reasons) == [refused]
        assert "Offer is locked" in reasons[refused]
        assert (await service.offer(plain))["stock_confirmed"] == (await service.sellable())[plain]
        assert (await service.offers())[feigned] != (await service.sellable())[feigned]

        await service.jump(400)  # the next differential export
        await until(lambda: _same(service, feigned), "the feigned line was found and pushed again")
        assert counted("stale_values_corrected_total", scope=FR, flow="stock") == stale + 1
        assert list(await service.held(FR, "stock")) == [refused]


async def test_field_case_3_an_import_id_seen_before_is_no_new_success(database_url: str) -> None:
    """The answer repeats an earlier id: the far side did nothing, so nothing is confirmed and all is sent again."""
    async with running(database_url) as service:
        sku = (await service.sizes())[0]["sku"]
        await service.faults(service.mirakl(), {"code": "STO01", "kind": "repeat_import_id"})
        await service.bump([sku])
        await until(
            lambda: service.count("SELECT count(*) FROM import WHERE state = 'repeated'"), "the repeated id is seen"
        )
        await service.at_rest()
        states = await service.database.fetch("SELECT state FROM import ORDER BY id")
        assert [row["state"] for row in states] == ["done", "repeated", "done"]
        assert len([e for e in await service.pushed() if e["sku"] == sku]) == 2  # the first push, and this one


async def test_field_case_8_impossible_quantities(database_url: str) -> None:
    """Negative is 0 and counted, too much is cut to what the channel offers, no number is never made into one."""
    lines = {FR: "stock = {cap = 500}"}
    async with running(database_url, shape(channel_lines=lines)) as service:
        await service.webhooks_on()
        negative, unread, large, plain = [size["sku"] for size in await service.sizes()][:4]
        below = counted("negative_stock_total", scope=FR)
        for sku, first, second in ((negative, -7, 0), (unread, 2_147_483_648, 1), (large, 2_147_483_647, 9)):
            await service.sell(sku, first)
            await service.sell(sku, second, 2)
        await service.bump([plain])

        async def arrived() -> bool:
            offers = await service.offers()
            return (offers[negative], offers[large], offers[plain]) == (0, 500, (await service.sellable())[plain])

        was = (await service.offers())[unread]
        await until(arrived, "0, the cap, and a neighbour that flows on")
        assert counted("negative_stock_total", scope=FR) > below
        await until(lambda: service.held(SOURCE, "sizes"), "the size without a number is held")
        assert (await service.offers())[unread] == was
        [reason] = (await service.held(SOURCE, "sizes")).values()
        assert "can't be read" in reason

        await service.sell(unread, 3)  # it heals by itself
        await until(lambda: _same(service, unread), "the next change is pushed")
        assert await service.held(SOURCE, "sizes") == {}


async def test_field_case_8_more_than_the_marketplace_can_count(database_url: str) -> None:
    async with running(database_url) as service:
        sku = (await service.sizes())[0]["sku"]
        await service.sell(sku, 2_000_000_000)
        await service.sell(sku, 2_000_000_000, 2)
        await until(lambda: _is(service, sku, 2_147_483_647), "the largest 32-bit quantity")
        assert await service.held(FR, "stock") == {}


async def test_field_case_14_no_bounce_as_far_as_stock_goes(database_url: str) -> None:
    """A buyer takes the last piece at the marketplace: hints without a change never push the old figure again.

    What waits for orders: subtracting lines that are not in Centra yet, and an increase at or below five units
    waiting for a pass over the orders (business rules 2 and 3). Until then a read-back or a full push would
    restore the figure, so both are far away here.
    """
    lines = {FR: f"stock = {{read_back_seconds = {LATER}, full_push_seconds = {LATER}}}"}
    async with running(database_url, shape(channel_lines=lines)) as service:
        sold, other = [size["sku"] for size in await service.sizes()][::10][:2]
        await service.sell(sold, 3)  # of which two are safety stock
        await service.sell(sold, 0, 2)
        await service.at_rest()
        pushes = len([e for e in await service.pushed() if e["sku"] == sold])
        await service.admin.post(service.mirakl(), "/_sandbox/buy", {"sku": sold, "quantity": 1})

        size_id = str(next(size["id"] for size in await service.sizes() if size["sku"] == sold))
        reads = len(await service.calls(service.centra, "SizesById"))
        await service.database.execute(
            "UPDATE outbox SET due_at = app_now(), version = version + 1 WHERE (flow = 'stock' AND key = $1)", sold
        )
        await service.jump(4_000)  # and a whole sweep
        await service.bump([other])
        await until(lambda: _same(service, other), "a neighbour's change went out meanwhile")
        key = await service.key(FR, "stock", sold)
        assert key is not None
        assert key["due_at"] is None
        assert (await service.offers())[sold] == 0, f"size {size_id} bounced after {reads} reads"
        assert len([e for e in await service.pushed() if e["sku"] == sold]) == pushes

        await service.admin.post(service.centra, "/_sandbox/orders", {"sku": sold, "quantity": 1})  # it gets there
        await service.jump(4_000)
        await until(lambda: _is_confirmed(service, sold, 0), "Centra's own 0 is what is confirmed")
        assert (await service.offers())[sold] == 0


async def test_field_case_72_a_retry_sends_what_is_true_now(database_url: str) -> None:
    """A refused line is not sent again by time; by a change or a release, and then with the present quantity."""
    async with running(database_url) as service:
        by_change, by_person = [size["sku"] for size in await service.sizes()][:2]
        both = [by_change, by_person]
        await service.faults(
            service.mirakl(), {"code": "STO01", "kind": "line_error", "skus": both, "message": "Product is archived"}
        )
        await service.bump(both, 100)
        reasons = await until(lambda: service.held(FR, "stock"), "both lines are held")
        assert set(reasons) == set(both)
        assert all("Product is archived" in reason for reason in reasons.values())
        sent = len(await service.calls(service.mirakl(), "STO01"))

        await service.jump(4_000)
        await service.jump(4_000)
        swept = "SELECT count(*) FROM outbox WHERE flow = 'sweep' AND due_at > app_now()"
        await until(lambda: service.count(swept), "hours and a sweep passed")
        assert len(await service.calls(service.mirakl(), "STO01")) == sent
        assert set(await service.held(FR, "stock")) == set(both)

        await service.bump([by_change], 7)
        await until(lambda: _same(service, by_change), "a change is reason enough")
        assert list(await service.held(FR, "stock")) == [by_person]

        assert await outbox.release(service.parts.database, FR, "stock", [by_person])
        await service.at_rest()
        assert [e["quantity"] for e in await service.pushed() if e["sku"] == by_person][-1] == (
            await service.sellable()
        )[by_person]


async def test_field_case_73_no_job_writes_back_what_it_read_at_its_beginning(database_url: str) -> None:
    """A person's setting stays, and a change that comes while an import runs is not settled away with it."""
    async with deployed(database_url, shape(import_seconds=60)) as place:
        sku = (await place.sizes())[0]["sku"]
        async with serving(place) as service:
            await service.at_rest()
            await service.bump([sku])
            running_import = "SELECT count(*) FROM import WHERE state = 'running'"
            await until(lambda: service.count(running_import), "the long job is under way")
            await service.bump([sku], 5)  # newer than what the job carries
            await service.at_rest()
            sent = [e["quantity"] for e in await service.pushed() if e["sku"] == sku]
            assert sent[-2:] == [sent[-1] - 5, sent[-1]]

        place.edit_channels(f"market = {4}\n", f"market = {4}\nstock = {{on = false}}\n")
        as_edited = place.lab.channels_file.read_bytes()
        place.lab.channels_file.chmod(0o444)
        files = len(await place.calls(place.mirakl(), "STO01"))
        async with serving(place) as service:
            await service.bump([sku], 5)
            read = "SELECT count(*) FROM size WHERE sku = $1 AND free->>'1' = $2"
            fta = next(str(s["fta"]["1"]) for s in await service.sizes() if s["sku"] == sku)
            await until(lambda: service.count(read, sku, fta), "the change is known here")
            await service.jump(100_000)  # past every timer, the daily full push among them
            exports = "SELECT count(*) FROM outbox WHERE flow = 'read_back' AND due_at > app_now()"
            await until(lambda: service.count(exports), "other flows went on")
        assert len(await place.calls(place.mirakl(), "STO01")) == files
        assert place.lab.channels_file.read_bytes() == as_edited


async def test_field_case_78_only_what_can_be_shipped_is_offered(database_url: str) -> None:
    """Preorders, inactive sizes, safety stock and offsets, as Centra itself counts; incoming never counts."""
    async with running(database_url) as service:
        skus = [size["sku"] for size in await service.sizes()]
        changes: list[Json] = [
            {"sku": skus[0], "preorder": True},
            {"sku": skus[1], "is_active": False},
            {"sku": skus[5], "stock_offset": 4},
            {"sku": skus[10], "stock_offset": -2},
            {"sku": skus[15], "status": "INACTIVE"},
        ]
        await service.admin.post(service.centra, "/_sandbox/sizes", {"changes": changes})
        await service.admin.post(service.centra, "/_sandbox/warehouses", {"id": 1, "threshold": 5})
        await service.at_rest()
        offers = await service.offers()
        assert offers[skus[0]] == offers[skus[1]] == offers[skus[15]] == 0
        first = {size["sku"]: sum(size["fta"].values()) for size in await service.sizes()}
        assert offers[skus[5]] < first[skus[5]]

        await service.admin.post(service.centra, "/_sandbox/warehouses", {"id": 1, "allocation_policy": "INDIRECT"})
        await service.admin.post(service.centra, "/_sandbox/sizes", {"changes": [{"sku": skus[0], "preorder": False}]})
        await service.at_rest()
        assert await service.offers() != offers


async def _same(service: Service, sku: str) -> bool:
    return (await service.offers())[sku] == (await service.sellable())[sku]


async def _is(service: Service, sku: str, quantity: int) -> bool:
    return (await service.offers())[sku] == quantity


async def _is_confirmed(service: Service, sku: str, quantity: int) -> bool:
    return bool((await service.offer(sku))["stock_confirmed"] == quantity)
