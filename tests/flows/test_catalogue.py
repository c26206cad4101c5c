"""Centra's products reach two marketplaces in their own words; what changes goes there, and nothing else."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import msgspec
import pytest

from app.commands.lab import LIST
from app.engine import gauges
from app.mirakl.offers import OFFERS_LIMIT
from app.sandbox.centra.clothing import check_digit
from app.store.marks import Mark
from tests.faults.every import by_command
from tests.flows.catalogue import SCALE, clothes, edit, live, map_of, published, put_map, shop, skus_of, stand, told
from tests.flows.service import FR, SE, Deployment, Service, counted, deployed, serving, shape, until
from tests.standins import Json

WRITES = ("P41", "OF24", "OF01", "PRI01", "STO01")


async def writes(service: Deployment, channel: str = FR) -> Counter[str]:
    """How many calls of each kind changed something there."""
    log = (await service.admin.calls(service.mirakl(channel)))["log"]
    return Counter(call["code"] for call in log if call["code"] in WRITES)


async def at_rest(service: Service, channel: str = FR) -> Counter[str]:
    """Until nothing is due or on its way, and what was sent until then."""

    async def quiet() -> bool:
        return not await service.count(
            "SELECT (SELECT count(*) FROM import WHERE scope = $1 AND state IN ('sent', 'running'))"
            " + (SELECT count(*) FROM outbox WHERE scope = $1 AND due_at <= app_now()"
            "    AND flow IN ('products', 'offers', 'prices', 'stock', 'catalogue_watch'))",
            channel,
        )

    await until(quiet, "the catalogue is at rest", seconds=60)
    return await writes(service, channel)


async def product_rows(service: Deployment, sku: str, channel: str = FR) -> list[Json]:
    """What the operator was told of a product, oldest first."""
    entries = (await service.admin.ledger(service.mirakl(channel)))["entries"]
    return [entry["values"] for entry in entries if entry["code"] == "P41" and entry["sku"] == sku]


async def test_clothing_is_live_on_two_marketplaces_in_their_own_words(database_url: str) -> None:
    async with shop(database_url, FR, SE) as service:
        for channel in (FR, SE):
            skus = await published(service, channel)
            await service.alike(channel)
            assert sorted(await live(service, channel)) == sorted(skus)
        [french] = await product_rows(service, "CL00001-NAV-M", FR)
        [swedish] = await product_rows(service, "CL00001-NAV-M", SE)
        assert (french["categorie"], swedish["category"]) == ("112", "klader-trojor")
        assert (french["couleur"], swedish["farg"]) == ("C012", "marinbla")
        assert (french["titre_fr"], swedish["name-sv"]) == ("Fjord pull Navy", "Fjord tröja Navy")
        assert french["description_fr"].endswith('Edge: 1\\" approx; "raw", 2 × 30 °.'), "to the letter"
        offer = (await live(service))["CL00001-NAV-M"]
        assert (offer["price"], offer["quantity"], offer["leadtime_to_ship"]) == (
            89.9,
            (await service.sellable())["CL00001-NAV-M"],
            2,
        )
        assert offer["offer_additional_fields"][0]["value"] == "PT"

        async with anyio.create_task_group() as around:
            around.start_soon(gauges.keep_gauges, service.parts, {})
            await until(lambda: _counted(SE, "offers", len(skus)), "how many offers are live is a metric")
            around.cancel_scope.cancel()

        before = {channel: await at_rest(service, channel) for channel in (FR, SE)}
        await service.jump(1300)  # two looks at what changed, and an export
        await service.parts.database.mark(await _everything(service))
        assert {channel: await at_rest(service, channel) for channel in (FR, SE)} == before, "nothing is sent twice"
        for channel in (FR, SE):
            assert await service.violations(service.mirakl(channel)) == []


async def _counted(channel: str, kind: str, keys: int) -> bool:
    return counted("publication_keys", scope=channel, kind=kind, state="live") == keys


async def _everything(service: Deployment) -> list[Any]:
    flows = ("products", "offers", "prices")
    skus = [sku for product in await clothes(service) for sku in skus_of(product)]
    return [Mark(channel, flow, sku) for channel in (FR, SE) for flow in flows for sku in skus]


async def test_what_changes_goes_there_and_nothing_else(database_url: str) -> None:
    async with shop(database_url) as service:
        await published(service)
        one, two, three, *_ = await clothes(service)
        before = await at_rest(service)

        await edit(service, {"product": one["id"], "display": {"prices": {str(LIST): "95.90"}}})
        sku = skus_of(one)[0]
        await _live_becomes(service, sku, "price", 95.9)
        after = await at_rest(service)
        assert after - before == Counter({"PRI01": 1}), "a price changes: prices only"

        await edit(service, {"product": two["id"], "display": {"texts": {"fr": {"name": "Fjord chemise fine"}}}})
        sku = skus_of(two)[0]

        async def renamed() -> bool:
            return [row["titre_fr"] for row in await product_rows(service, sku)][1:] == ["Fjord chemise fine Navy"]

        await until(renamed, "the product is told anew", seconds=40)
        await stand(service, "products", "live", skus_of(two))
        assert await at_rest(service) - after == Counter({"P41": 1}), "a text changes: products only"

        await edit(service, {"product": three["id"], "display": {"status": "INACTIVE"}})
        leaving = skus_of(three)
        await stand(service, "offers", "gone", leaving)

        async def empty() -> bool:
            offers = await service.offers()
            return all(offers[sku] == 0 for sku in leaving)

        await until(empty, "what is not sold any more has no stock")
        await edit(service, {"product": three["id"], "display": {"status": "ACTIVE"}})
        await stand(service, "offers", "live", leaving)
        await service.alike()


@by_command
async def test_what_leaves_is_deleted_where_the_channel_wants_it_so(database_url: str) -> None:
    async with shop(database_url, catalogue={FR: 'leaving = "delete"'}, products=2) as service:
        skus = await published(service)
        product = (await clothes(service))[1]
        await edit(service, {"product": product["id"], "status": "INACTIVE"})
        leaving = skus_of(product)
        rows = await stand(service, "offers", "gone", leaving)

        async def deleted() -> bool:
            return sorted(await live(service)) == sorted(set(skus) - set(leaving))

        await until(deleted, "they are deleted")
        await at_rest(service)
        rows = await told(service, "offers")
        assert all("is deleted" in rows[sku]["reasons"] for sku in leaving)
        zeros = {entry["sku"]: entry["quantity"] for entry in await service.pushed()}
        assert [zeros[sku] for sku in leaving] == [0] * len(leaving), "zero first"
        await edit(service, {"product": product["id"], "status": "ACTIVE"})
        await stand(service, "offers", "live", leaving)
        await service.alike()


async def _live_becomes(service: Deployment, sku: str, member: str, value: object) -> None:
    async def shown() -> bool:
        return bool((await live(service))[sku][member] == value)

    await until(shown, f"{member} of {sku} is {value}", seconds=40)


@by_command
async def test_a_product_with_a_fault_holds_itself_and_what_the_operator_rejects_comes_back_in_words(
    database_url: str,
) -> None:
    async with shop(database_url, products=5) as service:
        one, two, *_ = await clothes(service)
        bad, rejected = skus_of(one)[0], skus_of(two)[0]
        await edit(service, {"sku": bad, "ean": "7310000000001"})
        verdict = {"sku": rejected, "kind": "REJECTED", "reason_code": "IMG", "reason_label": "Image floue"}
        await service.admin.post(service.mirakl(), "/_sandbox/products", {"verdicts": [{**verdict, "message": "Flou"}]})
        rows = await stand(service, "products", "rejected", [rejected])
        assert "Image floue: Flou" in rows[rejected]["reasons"]
        await stand(service, "products", "held", [bad])
        await until(lambda: _held(service, "products", bad, rejected), "both are for ecommerce")
        held = await service.held(FR, "products")
        assert "is no valid EAN: its check digit or length is wrong" in held[bad]
        others = [sku for product in await clothes(service) for sku in skus_of(product) if sku not in (bad, rejected)]
        await stand(service, "offers", "live", others)
        assert (await told(service, "offers"))[rejected]["state"] == "waiting"

        before = await at_rest(service)
        await service.parts.database.mark([Mark(FR, "products", rejected), Mark(FR, "products", bad)])
        assert await at_rest(service) == before, "neither is sent again as it is"
        await edit(service, {"sku": bad, "ean": GOOD_EAN}, {"product": two["id"], "display": {"media": [NEW]}})
        await published(service)
        assert await service.held(FR, "products") == {}


GOOD_EAN = "731999999999" + check_digit("731999999999")
NEW = "https://media.northwater.example/new.jpg"


async def _held(service: Deployment, flow: str, *keys: str) -> bool:
    return set(keys) <= (await service.held(FR, flow)).keys()


@by_command
async def test_what_a_marketplace_changes_is_held_for_ecommerce_before_it_blocks(database_url: str) -> None:
    async with shop(database_url, products=5) as service:
        skus = await published(service)
        new = {"code": "entretien", "label": "Entretien", "type": "TEXT", "requirement_level": "REQUIRED"}
        await service.admin.post(
            service.mirakl(), "/_sandbox/catalogue", {"attributes": [new], "values": {"COULEURS": {"C012": None}}}
        )
        await service.jump(3700)  # as often as they may be read
        await service.parts.database.mark([Mark(FR, "reference", code) for code in ("PM11", "VL11")])

        async def said() -> str:
            return (await service.held(FR, "catalogue_watch")).get("catalogue_watch", "")

        words = await until(said, "the watch says it")
        await until(lambda: _says(service, "code C012 of 'Navy' is gone"), "the code that is gone")
        await until(lambda: _says(service, "Entretien (entretien): is required in category 111 and not mapped"), words)
        await stand(service, "products", "held", skus)

        colours = map_of(FR).values | {"COULEURS": map_of(FR).values["COULEURS"] | {"Navy": "C002"}}
        rules = {**map_of(FR).attributes, "entretien": {"constant": "30 °C"}}
        mended = map_of(FR, values=colours, attributes=msgspec.to_builtins(rules))
        await put_map(service.parts.database, FR, mended)
        await published(service)
        assert await service.held(FR, "catalogue_watch") == {}
        assert {row["entretien"] for row in (await product_rows(service, skus[0]))[1:]} == {"30 °C"}


async def _says(service: Deployment, words: str) -> bool:
    return words in (await service.held(FR, "catalogue_watch")).get("catalogue_watch", "")


@by_command
@pytest.mark.timeout(240)
async def test_many_offers_leave_as_a_file_and_are_as_whole(database_url: str) -> None:
    async with shop(database_url, products=900) as service:
        skus = await published(service, seconds=150)
        assert len(skus) > OFFERS_LIMIT
        offers = await live(service)
        assert {(o["leadtime_to_ship"], o["logistic_class"]["code"]) for o in offers.values()} == {(2, "S")}
        assert {o["offer_additional_fields"][0]["code"] for o in offers.values()} == {"made-in"}
        prices = {sku: float(one["prices"][str(LIST)]) for one in await clothes(service) for sku in skus_of(one)}
        assert {sku: offer["price"] for sku, offer in offers.items()} == prices
        assert await service.calls(service.mirakl(), "OF01"), "as a file"
        assert await service.violations(service.mirakl()) == []


WITHOUT_MANAGER: Json = {"shop": {"configuration": {"modules": {"mirakl_catalog_manager": False}}}}


@by_command
async def test_where_the_operator_has_no_catalog_manager_reports_say_what_became_of_products(database_url: str) -> None:
    async with shop(database_url, products=3, mirakl=WITHOUT_MANAGER) as service:
        _, *others = await clothes(service)
        rejected, lost = (skus_of(product)[0] for product in others)
        await service.faults(service.mirakl(), {"code": "P41", "kind": "rows_lost", "skus": [lost]})
        verdict = {"sku": rejected, "kind": "REJECTED", "reason_code": "IMG", "reason_label": "Image floue"}
        await service.admin.post(service.mirakl(), "/_sandbox/products", {"verdicts": [{**verdict, "message": "Flou"}]})
        rows = await stand(service, "products", "rejected", [rejected, lost])
        assert "Image floue" in rows[rejected]["reasons"]
        assert "never reached the operator" in rows[lost]["reasons"], "in no report, and not among what was handed over"
        taken = [sku for one in await clothes(service) for sku in skus_of(one) if sku not in (rejected, lost)]
        await stand(service, "offers", "live", taken)
        rows = await told(service, "products")
        assert {rows[sku]["reasons"] for sku in taken} == {'["the marketplace did not have it before"]'}
        assert await service.calls(service.mirakl(), "CM11") == []
        assert (await service.command("catalogue", "release", FR, lost, "--kind", "products")).code == 0
        await edit(service, {"product": others[0]["id"], "display": {"media": [NEW]}})
        await published(service)


DRY = """products = "dry_run"
offers = "dry_run"
[channel.prices]
mode = "dry_run"
price_list = 7"""


@by_command
async def test_what_a_dry_run_kept_back_leaves_once_it_is_over_and_nothing_is_checked_twice(database_url: str) -> None:
    centra = {"catalogue": {"sizes": 0, "fta": 9, "clothing": {"products": 2, "fta": 9}}}
    wanted = shape(channels=(FR,), scale=SCALE, import_seconds=1.0, catalogue={FR: DRY}, centra=centra)
    async with deployed(database_url, wanted) as place:
        skus = [sku for product in await clothes(place) for sku in skus_of(product)]
        async with serving(place) as service:
            await put_map(service.parts.database, FR, map_of(FR))
            await stand(service, "products", "new", skus)
            before = await service.key(FR, "products", skus[0])
            await service.parts.database.mark([Mark(FR, "catalogue_watch", "catalogue_watch")])
            await until(lambda: _at_rest(service, "catalogue_watch"), "the watch has looked")
            after = await service.key(FR, "products", skus[0])
            assert before is not None
            assert after is not None
            assert after["version"] == before["version"], "nothing changed, so nothing is checked anew"
            assert await writes(service) == Counter()
        place.edit_channels('"dry_run"', '"on"')
        async with serving(place) as service:
            await service.jump(700)  # until the next look at Centra's products
            await published(service)


async def _at_rest(service: Service, flow: str) -> bool:
    key = await service.key(FR, flow, flow)
    return key is not None and key["claim"] is None and key["state"] == "ready" and key["dirty_since"] is None
