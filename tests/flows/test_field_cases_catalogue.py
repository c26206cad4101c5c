"""Field cases of the catalogue (parts A, F and I), each as a test of its kind, on the running service.

Cases 6, 7, 10, 11 and 65 are pure, and are tests of `tests/unit`: of files, prices and maps; so are the halves of 1, 2
and 12 that say that nothing is left out of a body or a file, and nothing said that Mirakl does not know. The other half
of 12, prices that wait for the operator, is in `test_live_offers`. Cases 8 and 14 are about stock, 16 about orders, 68
about documents, and among theirs.
"""

from __future__ import annotations

import msgspec

from app.commands.lab import LIST
from app.store.marks import Mark
from tests.faults.every import by_command
from tests.flows.catalogue import SCALE, clothes, edit, live, map_of, published, put_map, shop, skus_of, stand, told
from tests.flows.service import FR, SOURCE, Service, deployed, serving, shape, until


def slower(days: int) -> dict[str, object]:
    """The map's terms with another lead time: every offer of the channel is another one."""
    return {"offer": {**msgspec.to_builtins(map_of(FR).offer), "lead_time_days": days}}


async def lead_times(service: Service) -> set[int]:
    return {offer["leadtime_to_ship"] for offer in (await live(service)).values()}


async def words_of(service: Service, flow: str, key: str) -> str:
    """Why a key is held, if it is."""
    return (await service.held(FR, flow)).get(key, "")


SALE = f"""[channel.stock]
read_back_seconds = 60
[channel.prices]
mode = "on"
price_list = {LIST}
largest_change = 0.9
sales = [{{ price_list = 9, starts_at = 2026-11-20T00:00:00+01:00, ends_at = 2030-11-30T00:00:00+01:00 }}]"""


@by_command
async def test_field_case_2_a_discount_that_was_accepted_and_never_shows_is_named(database_url: str) -> None:
    """Whatever the reason: a clean report is not believed before the live offer shows the discount."""
    async with shop(database_url, products=1, catalogue={FR: SALE}) as service:
        skus = await published(service)
        await service.faults(service.mirakl(), {"code": "PRI01", "kind": "accepted_not_applied"})
        product = (await clothes(service))[0]
        await edit(service, {"product": product["id"], "display": {"prices": {str(LIST): "59.90", "9": "39.90"}}})
        rows = await stand(service, "prices", "differs", skus, seconds=60)
        assert "accepted and not applied" in rows[skus[0]]["reasons"]
        words = "discount of the price: sent 39.90 until 2030-11-29 23:00:00 UTC, live is nothing"
        assert words in rows[skus[0]]["reasons"]
        await stand(service, "prices", "live", skus, seconds=60)
        [price] = (await live(service))[skus[0]]["all_prices"]
        assert (price["unit_discount_price"], price["unit_origin_price"]) == (39.9, 59.9)


@by_command
async def test_field_case_3_an_import_id_is_no_success(database_url: str) -> None:
    """A line's own result decides; an id seen before is no new success: what it stood for goes out again."""
    async with shop(database_url, products=3) as service:
        skus = await published(service)
        bad = skus[1]
        await service.faults(
            service.mirakl(),
            {"code": "OF24", "kind": "repeat_import_id"},
            {"code": "OF24", "kind": "line_error", "skus": [bad], "message": "The product is blocked"},
        )
        await put_map(service.parts.database, FR, map_of(FR, **slower(5)))
        rows = await stand(service, "offers", "rejected", [bad], seconds=40)
        assert "The product is blocked" in rows[bad]["reasons"]
        await stand(service, "offers", "live", [sku for sku in skus if sku != bad])
        offers = await live(service)
        assert {offers[sku]["leadtime_to_ship"] for sku in skus} == {5, 2}
        assert offers[bad]["leadtime_to_ship"] == 2
        states = await service.database.fetch("SELECT state FROM import WHERE kind = 'offers' ORDER BY id")
        assert [row["state"] for row in states] == ["done", "repeated", "done"]
        assert "The product is blocked" in (await service.held(FR, "offers"))[bad]

        await put_map(service.parts.database, FR, map_of(FR, **slower(6)))
        await stand(service, "offers", "live", skus)
        assert await lead_times(service) == {6}, "another offer is tried anew"


@by_command
async def test_field_case_4_one_bad_offer_does_not_sink_the_others(database_url: str) -> None:
    """What is refused as a whole is divided until the culprit stands alone; all others are live."""
    async with shop(database_url, products=12) as service:
        skus = sorted([sku for product in await clothes(service) for sku in skus_of(product)])
        bad = skus[17]
        sinks = {"code": "OF24", "kind": "status", "status": 400, "about": bad, "count": None}
        await service.faults(service.mirakl(), sinks)
        await stand(service, "offers", "live", [sku for sku in skus if sku != bad], seconds=60)
        rows = await stand(service, "offers", "rejected", [bad])
        assert rows[bad]["reasons"], "with the marketplace's words"
        assert await until(lambda: words_of(service, "offers", bad), "it is for ecommerce")
        assert list(await service.held(FR, "offers")) == [bad]
        calls = len(await service.calls(service.mirakl(), "OF24"))
        assert calls <= 14, "halved, not tried one by one"
        await service.admin.clear_faults(service.mirakl())
        assert (await service.command("catalogue", "release", FR, bad, "--kind", "offers")).code == 0
        await published(service)


@by_command
async def test_field_case_11_no_whole_offer_carries_a_price_past_its_guard(database_url: str) -> None:
    """A price that moves too far waits for a person, whatever else of the offer changes meanwhile."""
    async with shop(database_url, products=1) as service:
        skus = await published(service)
        [product] = await clothes(service)
        await edit(service, {"product": product["id"], "display": {"prices": {str(LIST): "8.99"}}})
        await stand(service, "prices", "held", skus)
        await put_map(service.parts.database, FR, map_of(FR, **slower(8)))

        async def slow() -> bool:
            return await lead_times(service) == {8}

        await until(slow, "the offers are written anew", seconds=40)
        assert {offer["price"] for offer in (await live(service)).values()} == {89.9}
        assert (await service.command("catalogue", "release", FR, "--all")).code == 0
        await stand(service, "prices", "live", skus)
        assert {offer["price"] for offer in (await live(service)).values()} == {8.99}


@by_command
async def test_field_case_11_the_first_price_counts_from_the_one_that_is_there(database_url: str) -> None:
    """An offer that another tool made has a price, from which ours must not move too far either."""
    centra = {"catalogue": {"sizes": 0, "fta": 9, "clothing": {"products": 1, "fta": 9}}}
    wanted = shape(channels=(FR,), scale=SCALE, import_seconds=1.0, catalogue={FR: ""}, centra=centra)
    async with deployed(database_url, wanted) as place:
        [product] = await clothes(place)
        sizes = [size for variant in product["variants"] for size in variant["sizes"]]
        known = [{"sku": f"P-{s['sku']}", "category": "112", "title": "Pull", "ean": s["ean"]} for s in sizes]
        there = [{"sku": s["sku"], "quantity": 1, "price": 59.9, "product_sku": f"P-{s['sku']}"} for s in sizes]
        await place.admin.post(place.mirakl(), "/_sandbox/products", {"products": known})
        await place.admin.post(place.mirakl(), "/_sandbox/offers", {"offers": there})
        await edit(place, {"product": product["id"], "display": {"prices": {str(LIST): "10.00"}}})
        async with serving(place) as service:
            await put_map(service.parts.database, FR, map_of(FR))
            skus = skus_of(product)
            rows = await stand(service, "prices", "held", skus)
            assert "the price moves by 83 % (59.9 → 10.00 EUR)" in rows[skus[0]]["reasons"]
            await stand(service, "offers", "live", skus)
            assert {(one["price"], one["leadtime_to_ship"]) for one in (await live(service)).values()} == {(59.9, 2)}
            assert (await service.command("catalogue", "release", FR, "--all")).code == 0
            await stand(service, "prices", "live", skus)
            assert {one["price"] for one in (await live(service)).values()} == {10.0}


PRICES = f"""[channel.prices]
mode = "on"
price_list = {LIST}
channels = {{ BE = {LIST} }}
planned = [{{ price_list = {LIST}, starts_at = 2030-01-01T00:00:00Z, ends_at = 2030-02-01T00:00:00Z }}]"""


@by_command
async def test_field_case_12_a_price_that_changes_takes_no_other_away(database_url: str) -> None:
    """All prices of an offer leave together, whichever of them changed; a whole offer takes none away for long."""
    async with shop(database_url, products=2, catalogue={FR: PRICES}) as service:
        await published(service)
        product = (await clothes(service))[0]
        sku = skus_of(product)[0]

        async def prices(amount: float) -> bool:
            offer = (await live(service))[sku]
            found = [(one["channel_code"], one["unit_origin_price"]) for one in offer["all_prices"]]
            return sorted(found, key=str) == sorted([(None, amount), (None, amount), ("BE", amount)], key=str)

        await until(lambda: prices(89.9), f"three prices of {sku}")
        await edit(service, {"product": product["id"], "display": {"prices": {str(LIST): "79.90"}}})
        await until(lambda: prices(79.9), "all of them move", seconds=40)
        await put_map(service.parts.database, FR, map_of(FR, **slower(7)))

        async def slow() -> bool:
            return (await live(service))[sku]["leadtime_to_ship"] == 7

        await until(slow, "the offer is written anew", seconds=40)
        await until(lambda: prices(79.9), "and keeps its prices")


@by_command
async def test_field_case_67_an_identifier_that_changes_is_moved_by_a_person(database_url: str) -> None:
    """Nothing of a size whose SKU changed is sent until a person says so; then its offer is moved, stock and all."""
    async with shop(database_url, products=2) as service:
        skus = await published(service)
        old, new = skus[0], "NEW-1"
        await edit(service, {"sku": old, "new_sku": new})
        await stand(service, "offers", "held", [old, new])
        words = await until(lambda: words_of(service, "offers", new), "the new one is for ecommerce")
        assert f"one size bears the SKUs {old} and {new}" in words
        assert "catalogue rename" in words
        assert new not in await live(service)
        ended = await service.command("catalogue", "rename", FR, old, "--why", "one style of SKU for all")
        assert ended.code == 0, ended.errors
        await stand(service, "offers", "live", [new])
        await stand(service, "offers", "gone", [old])

        async def moved() -> bool:
            offers = await service.offers()
            sellable = await service.sellable()
            return old not in await live(service) and offers.get(new) == sellable[new]

        await until(moved, "the stock is at the new one")
        assert await service.count("SELECT count(*) FROM audit WHERE subject = $1", f"sku:{old}") == 1


@by_command
async def test_field_case_67_an_order_for_the_sku_before_finds_its_size(database_url: str) -> None:
    """The old offer may be sold until it is gone: its orders are entered, and lower what the new one offers."""
    async with shop(database_url, products=1, orders="on") as service:
        skus = await published(service)
        old, new = skus[0], "NEW-1"
        await edit(service, {"sku": old, "new_sku": new})
        await stand(service, "offers", "held", [old, new])
        order_id = await service.buy({"sku": old, "quantity": 2})
        await service.becomes(order_id, lambda record: record.confirmed_at, seconds=60)
        [line] = (await service.entry(order_id))["lines"]
        assert (line["sku"], line["quantity"]) == (new, 2)
        promised = "SELECT count(*) FROM reservation WHERE sku = $1"
        assert (await service.count(promised, new), await service.count(promised, old)) == (1, 0)
        assert (await service.command("catalogue", "rename", FR, old)).code == 0
        await stand(service, "offers", "live", [new])

        async def same() -> bool:
            return (await service.offers()).get(new) == (await service.sellable())[new]

        await until(same, "the new offer has what the order left")


@by_command
async def test_field_case_85_a_mass_that_is_deleted_without_stock_waits_for_a_person(database_url: str) -> None:
    """What has no stock is not asked about by the guard of stock; before it is deleted, somebody is."""
    centra = {"catalogue": {"sizes": 0, "fta": 0, "clothing": {"products": 16, "fta": 0}}}
    async with shop(database_url, centra=centra, catalogue={FR: 'leaving = "delete"'}) as service:
        skus = await published(service)
        assert len(skus) > 50
        before = sorted(await live(service))
        products = await clothes(service)
        await edit(service, *({"product": one["id"], "display": {"status": "INACTIVE"}} for one in products))

        async def asked() -> bool:
            held = await service.held(FR, "offers")
            return len(held) > len(skus) - 50 and all("mass change" in words for words in held.values())

        await until(asked, "all but the first few are asked about", seconds=60)
        held = await service.held(FR, "offers")
        assert set(held) <= set(await live(service)), "nothing of it is deleted"
        await service.jump(7200)
        await service.parts.database.mark([Mark(FR, "offers", sku) for sku in held])
        await until(asked, "an hour later it is still asked about", seconds=60)
        assert set(held) <= set(await live(service))
        assert set(await service.offers()) == set(before) & set(await live(service))
        back = skus_of(products[0])
        await edit(service, {"product": products[0]["id"], "display": {"status": "ACTIVE"}})
        await stand(service, "offers", "live", back)
        released = await service.command(
            "catalogue", "release", FR, "--all", "--kind", "offers", "--why", "season over"
        )
        assert released.code == 0, released.errors

        async def deleted() -> bool:
            return sorted(await live(service)) == sorted(back)

        await until(deleted, "what a person let go is deleted", seconds=60)


@by_command
async def test_field_case_85_a_mass_that_leaves_waits_for_a_person(database_url: str) -> None:
    """A reading that loses most of the assortment neither empties nor deletes it: somebody is asked first."""
    async with shop(database_url, products=16, catalogue={FR: 'leaving = "delete"'}) as service:
        skus = await published(service)
        await service.alike()
        before = await service.offers()
        products = await clothes(service)
        await edit(service, *({"product": one["id"], "display": {"status": "INACTIVE"}} for one in products))
        await stand(service, "offers", "gone", skus)

        async def held() -> bool:
            return len(await service.held(FR, "stock")) == len(skus)

        await until(held, "all of it is held")
        assert "mass change" in next(iter((await service.held(FR, "stock")).values()))
        assert await service.offers() == before, "nothing is emptied or deleted"
        await edit(service, *({"product": one["id"], "display": {"status": "ACTIVE"}} for one in products))
        await published(service)
        await service.alike()
        assert await service.held(FR, "stock") == {}


@by_command
async def test_a_product_in_a_language_that_is_missing_is_held_and_one_that_is_gone_leaves(database_url: str) -> None:
    """What a walk over all products does not meet any more is read by its id, and leaves."""
    async with shop(database_url, products=3) as service:
        await published(service)
        product = (await clothes(service))[2]
        await edit(service, {"product": product["id"], "display": {"texts": {"fr": None}}})
        rows = await stand(service, "products", "held", skus_of(product))
        assert "Titre (titre_fr): is required and empty" in rows[skus_of(product)[0]]["reasons"]
        assert (await told(service, "offers"))[skus_of(product)[0]]["state"] == "live", "its offer stays as it is"
        await service.parts.database.mark([Mark(SOURCE, "catalogue", "999999")])  # a product that nobody has
        assert await service.held(SOURCE, "catalogue") == {}
