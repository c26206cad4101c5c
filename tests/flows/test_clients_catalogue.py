"""Centra's catalogue as the client reads it from the stand-in, over real sockets."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import pytest_asyncio

from app.centra.catalogue import ProductsPage
from app.centra.client import CentraClient
from app.domain.catalogue import OWN, AttributeValue, CatalogueProduct
from tests.flows.test_clients_against_sandbox import transport_to, value_of
from tests.permits_in_memory import PermitsInMemory
from tests.standins import Sandbox, start_sandbox

STORE = 1


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    running = start_sandbox({"centra": {"token": "t-centra"}}, tmp_path_factory.mktemp("centra"))
    yield running
    running.child.stop(seconds=10)
    assert running.child.stderr() == ""


@pytest_asyncio.fixture
async def shop(stand_in: Sandbox) -> AsyncIterator[tuple[Sandbox, CentraClient]]:
    await stand_in.post(stand_in.centra, "/_sandbox/seed", {"sizes": 10, "clothing": 60})
    async with transport_to(stand_in.centra, "Bearer t-centra") as transport:
        yield stand_in, CentraClient(transport, PermitsInMemory(), "source")


async def swept(client: CentraClient, since: datetime | None = None) -> list[CatalogueProduct]:
    found: list[CatalogueProduct] = []
    page = 1
    while True:
        answer: ProductsPage = value_of(await client.page_products(STORE, page, sku_from="sku", updated_since=since))
        assert (answer.products.unreadable, answer.cut_ids) == ((), ())
        found += answer.products.items
        if answer.is_last:
            return found
        page += 1


async def change(stand_ins: Sandbox, **members: object) -> None:
    await stand_ins.post(stand_ins.centra, "/_sandbox/catalogue", {"changes": [members]})


async def test_all_products_are_paged_and_are_what_the_shop_has(shop: tuple[Sandbox, CentraClient]) -> None:
    stand_ins, client = shop
    products = {product.product_id: product for product in await swept(client)}
    listed = (await stand_ins.get(stand_ins.centra, "/_sandbox/catalogue?limit=1000"))["products"]
    assert sorted(products) == sorted(row["id"] for row in listed)
    for row in listed:
        product = products[row["id"]]
        assert (product.number, product.active) == (row["number"], row["status"] == "ACTIVE")
        skus = [(size.sku, size.ean) for variant in product.variants for size in variant.sizes]
        assert skus == [(size["sku"], size["ean"]) for variant in row["variants"] for size in variant["sizes"]]
        for variant in product.variants:
            assert variant.display is not None
            told = {str(number): str(price.amount) for number, price in variant.display.prices.items()}
            assert {n: Decimal(p) for n, p in told.items()} == {n: Decimal(p) for n, p in row["prices"].items()}


async def test_a_product_has_its_texts_attributes_and_pictures(shop: tuple[Sandbox, CentraClient]) -> None:
    _, client = shop
    jumper = next(product for product in await swept(client) if product.number == "CL00001")
    assert (jumper.brand, jumper.collection, jumper.folder) == ("Fjordwear", "Essentials", "Clothing")
    assert (jumper.country_of_origin, jumper.commodity_code) == ("PT", "61101190")
    assert jumper.texts[OWN]["name"] == "Fjord jumper"
    assert jumper.texts["sv"]["name"] == "Fjord Tröja"
    assert jumper.attributes["pr_material"] == (AttributeValue("text", "100% wool"),)
    assert jumper.attributes["pr_season"] == (AttributeValue("seasons", "autumn,winter", "Autumn, Winter"),)
    assert jumper.attributes["pr_guide"][0].value.endswith("letters.pdf")
    black, navy = jumper.variants
    assert black.attributes["var_colour"] == (AttributeValue("colour", "black", "Black"),)
    assert black.attributes["var_swatch"][0].value.endswith("swatch-bla.png")
    assert [(size.label, size.chart) for size in navy.sizes] == [("S", "Letters"), ("M", "Letters")]
    assert black.display is not None
    assert black.display is navy.display
    assert black.display.categories[0].path == ("women", "knitwear", "jumpers")
    assert [url.rpartition("/")[2] for url in black.display.media] == ["CL00001-front.jpg", "CL00001-back.jpg"]
    assert black.display.prices[7].currency == "EUR"
    assert '\\" approx; "raw"' in black.display.texts["fr"]["description"]


async def test_only_what_changed_is_read_again(shop: tuple[Sandbox, CentraClient]) -> None:
    stand_ins, client = shop
    await stand_ins.advance(10)
    since = datetime.fromisoformat((await stand_ins.now())["now"]).astimezone(UTC)
    assert await swept(client, since) == []
    await change(stand_ins, product="CL00007", display={"prices": {"7": "61.5"}}, status="INACTIVE")
    [changed] = await swept(client, since)
    assert (changed.number, changed.active) == ("CL00007", False)
    assert changed.variants[0].display is not None
    assert changed.variants[0].display.prices[7].amount == Decimal("61.5")


@pytest.mark.parametrize("mode", ["left_out", "null"])
async def test_a_page_with_a_lost_product_is_not_taken_for_the_last(
    shop: tuple[Sandbox, CentraClient], mode: str
) -> None:
    stand_ins, client = shop
    lost = {"code": "*", "kind": "partial_error", "product": "CL00003", "mode": mode}
    await stand_ins.faults(stand_ins.centra, [lost])
    page = value_of(await client.page_products(STORE, 1, sku_from="sku"))
    assert page.products.unreadable
    assert not page.is_last


async def test_products_are_read_by_id_and_a_deleted_one_is_missing(shop: tuple[Sandbox, CentraClient]) -> None:
    stand_ins, client = shop
    first, second = (await swept(client))[-2:]
    await stand_ins.post(stand_ins.centra, "/_sandbox/delete", {"object_type": "Product", "id": first.product_id})
    found = value_of(await client.read_products(STORE, [first.product_id, second.product_id], sku_from="ean"))
    assert [product.number for product in found.products.items] == [second.number]
    assert found.missing_ids == (first.product_id,)
    sizes = found.products.items[0].variants[0].sizes
    assert [size.sku for size in sizes] == [size.ean for size in sizes]


async def test_events_name_the_products_they_touch(shop: tuple[Sandbox, CentraClient]) -> None:
    stand_ins, client = shop
    product = next(product for product in await swept(client) if product.number == "CL00003")
    types = ["Product", "Display", "ProductVariant", "Price"]
    value_of(await client.set_event_listeners(types))
    await change(stand_ins, product="CL00003", harmonized_commodity_code="62034290")
    await change(stand_ins, product="CL00003", quiet=True, display={"prices": {"7": "1.90"}})
    await change(stand_ins, variant=product.variants[0].variant_id, name="Plum")
    events = value_of(await client.fetch_events(types)).events
    named = {(event.object_type, event.product_ids) for event in events}
    assert named == {
        ("Product", (product.product_id,)),
        ("Display", (product.product_id,)),
        ("ProductVariant", (product.product_id,)),
        ("Price", ()),
    }


async def test_a_page_leaves_most_of_the_smallest_allowance(shop: tuple[Sandbox, CentraClient]) -> None:
    stand_ins, client = shop
    await stand_ins.post(stand_ins.centra, "/_sandbox/limits", {"plan": "Growth"})
    before = {limit.name: limit.remaining for limit in value_of(await client.read_rate_limits())}
    value_of(await client.page_products(STORE, 1, sku_from="sku"))
    after = {limit.name: limit.remaining for limit in value_of(await client.read_rate_limits())}
    assert before["complexity.1h"] - after["complexity.1h"] < 10_000
