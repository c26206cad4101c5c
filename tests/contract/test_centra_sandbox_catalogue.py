"""The catalogue of the Centra stand-in: the published sample, deterministic clothing, what merchandisers change and
which events tell of it.

The schema itself is held against the reference in `test_centra_sandbox`.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from graphql import build_schema, parse, validate

from tests.contract.reference import reference_file
from tests.contract.test_centra_sandbox import Json, Shop
from tests.standins import Sandbox, start_sandbox

PRODUCTS = """
query Products($where: ProductFilter, $sort: [ProductSort!], $limit: Int = 20, $page: Int = 1) {
  products(where: $where, sort: $sort, limit: $limit, page: $page) {
    id name status productNumber updatedAt
    brand { name } collection { name status } folder { name } countryOfOrigin { code }
    harmonizedCommodityCode weight { value unit formattedValue }
    media { id }
    translations { language { code name } fields { field value } }
    attributes {
      type { name isMapped } objectType
      elements {
        __typename key kind
        ... on AttributeStringElement { value }
        ... on AttributeChoiceElement { isMulti selectedValue selectedValueName }
        ... on AttributeFileElement { url }
      }
    }
    displays(where: {storeId: [1]}, limit: 5) {
      id name status uri description updatedAt
      canonicalCategory { uri } categories { name uri childCategories { uri } }
      prices { pricelist { id } price { value currency { code } } }
      taxGroup { name }
      media { standard: source(sizeName: "standard") { type url } other: source(sizeName: "poster") { url } }
      translations { language { code } fields { field value } }
      displayItems {
        productVariant {
          id name status
          sizeChart { name dividerSymbol horizontalLabels verticalLabels sizes { name } }
          attributes(where: {typeName: {startsWith: "var_"}}) { type { name } elements { __typename key } }
          productSizes(limit: 20) { id SKU EAN sizeNumber size { name } }
        }
      }
    }
  }
}"""
EVENTS = """
query Events($limit: Int = 200) {
  events(limit: $limit) {
    objectType changeType objectReference
    object {
      __typename
      ... on Product { productId: id status }
      ... on Display { displayId: id }
      ... on Price { pricelist { id } price { value } }
      ... on ProductMedia { mediaId: id }
    }
  }
}"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    config = {"centra": {"port": 0, "token": "t-first", "catalogue": {"sizes": 10, "clothing": 3}}}
    running = start_sandbox(config, tmp_path_factory.mktemp("centra"))
    yield running
    running.child.stop(seconds=10)
    assert running.child.stderr() == ""


_numbers = itertools.count(1)


@pytest.fixture
def shop(process: Sandbox) -> Iterator[Shop]:
    name = f"merchandise-{next(_numbers)}"
    with httpx.Client(base_url=process.centra, trust_env=False, timeout=20) as client:
        made = Shop(process, client, f"t-{name}", name)
        made.admin("tokens", {"add": {"token": made.token, "integration": name}})
        made.admin("seed", {"sizes": 20, "clothing": {"products": 40, "media_base": "https://pics.test/"}})
        yield made


def clothing(shop: Shop, **where: Any) -> list[Json]:
    wanted = {"productNumber": {"startsWith": "CL"}} | where
    found: list[Json] = shop.data(PRODUCTS, where=wanted, sort=["id_ASC"], limit=200)["products"]
    return found


def named(shop: Shop, number: str) -> Json:
    [found] = clothing(shop, productNumber={"equals": number})
    return found


def change(shop: Shop, **members: Any) -> None:
    shop.admin("catalogue", {"changes": [members]})


def happened(shop: Shop) -> list[tuple[str, str]]:
    return [(e["objectType"], e["changeType"]) for e in shop.data(EVENTS)["events"]]


def test_the_published_query_is_answered_with_the_fields_it_asks(shop: Shop) -> None:
    query = reference_file("samples/centra/products_page.graphql").read_text(encoding="utf-8")
    sample = json.loads(reference_file("samples/centra/products_page.response.json").read_text(encoding="utf-8"))
    body = shop.answer(query, updated={"from": "2020-01-01T00:00:00Z"}, storeId=[1], page=1, limit=25)
    assert "errors" not in body
    assert len(body["data"]["products"]) == 25
    assert shaped(body["data"]["products"][-1], sample["data"]["products"][0]) == []
    assert set(body["extensions"]["permissionsUsed"]) == set(sample["extensions"]["permissionsUsed"])


def shaped(got: Any, sample: Any, at: str = "") -> list[str]:
    """Where an answer has other members than the sample; empty lists and nulls fit anywhere."""
    if isinstance(sample, dict) and isinstance(got, dict):
        if set(got) - set(sample):
            return [f"{at}: {sorted(set(got) ^ set(sample))}"]
        return [wrong for name in got for wrong in shaped(got[name], sample[name], f"{at}.{name}")]
    if isinstance(sample, list) and isinstance(got, list) and sample:
        first = sample[0]
        if isinstance(first, dict) and "key" in first:
            return []  # elements of attributes differ by kind
        return [wrong for entry in got for wrong in shaped(entry, first, f"{at}[]")]
    return [] if type(got) is type(sample) or None in (got, sample) else [f"{at}: {got!r}"]


def test_my_queries_are_queries_of_the_reference() -> None:
    schema = build_schema(reference_file("centra-integration.graphql").read_text(encoding="utf-8"))
    assert [e.message for text in (PRODUCTS, EVENTS) for e in validate(schema, parse(text))] == []


def test_clothing_stands_beside_the_plain_sizes_and_is_the_same_each_time(shop: Shop) -> None:
    plain = [s for s in shop.admin("sizes?limit=1000")["sizes"] if s["sku"].startswith("VX-")]
    first = [without_instants(product) for product in clothing(shop)]
    shop.admin("seed", {"sizes": 20})
    assert shop.admin("sizes?limit=1000")["sizes"] == plain
    shop.admin("seed", {"sizes": 20, "clothing": {"products": 40, "media_base": "https://pics.test/"}})
    assert [without_instants(product) for product in clothing(shop)] == first
    assert len(first) == 40


def without_instants(product: Json) -> Json:
    displays = [{k: v for k, v in display.items() if k != "updatedAt"} for display in product["displays"]]
    return {k: v for k, v in product.items() if k != "updatedAt"} | {"displays": displays}


def test_clothing_has_all_that_a_marketplace_asks_for(shop: Shop) -> None:
    products = clothing(shop)
    sizes = [s for p in products for v in variants(p) for s in v["productSizes"]]
    assert 3.5 <= len(sizes) / len(products) <= 4.5
    assert len({s["SKU"] for s in sizes}) == len({s["EAN"] for s in sizes}) == len(sizes)
    assert all(checked(s["EAN"]) for s in sizes)
    for product in products:
        [display] = product["displays"]
        assert display["canonicalCategory"]["uri"].count("/") == 2
        assert {p["pricelist"]["id"]: p["price"]["currency"]["code"] for p in display["prices"]} == {7: "EUR", 8: "SEK"}
        assert {t["language"]["code"] for t in display["translations"]} == {"fr", "sv", "de"}
        assert display["media"][0]["standard"]["url"].startswith("https://pics.test/CL")
        assert display["media"][0]["other"] is None
        assert {e["__typename"] for a in product["attributes"] for e in a["elements"]} == {
            "AttributeStringElement",
            "AttributeChoiceElement",
            "AttributeFileElement",
        }
    [remark] = {p["displays"][0]["description"][-31:] for p in products[::20]}
    assert '\\"' in remark
    assert '; "raw"' in remark


def test_only_some_kinds_of_clothing_may_be_wanted(shop: Shop) -> None:
    shop.admin("seed", {"sizes": 0, "clothing": {"products": 4, "kinds": ["Dress", "Shirt"]}})
    assert [product["name"] for product in clothing(shop)] == [
        "Fjord shirt",
        "Fjord dress",
        "Birch shirt",
        "Birch dress",
    ]


def variants(product: Json) -> list[Json]:
    return [item["productVariant"] for display in product["displays"] for item in display["displayItems"]]


def checked(ean: str) -> bool:
    digits = [int(digit) for digit in ean]
    return len(digits) == 13 and (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


def test_a_size_chart_of_two_dimensions_names_its_sizes_by_both(shop: Shop) -> None:
    [trousers] = [p for p in clothing(shop) if p["name"] == "Fjord trousers"]
    chart = variants(trousers)[0]["sizeChart"]
    assert (chart["horizontalLabels"], chart["verticalLabels"]) == (["W30", "W32"], ["L32", "L34"])
    assert [size["name"] for size in chart["sizes"]] == ["W30/L32", "W30/L34", "W32/L32", "W32/L34"]
    assert [size["size"]["name"] for size in variants(trousers)[0]["productSizes"]] == [
        size["name"] for size in chart["sizes"]
    ]


def test_products_are_paged_by_their_update(shop: Shop) -> None:
    before = shop.admin("clock")["now"]
    shop.admin("clock", {"advance_seconds": 5})
    change(shop, product="CL00003", harmonized_commodity_code="61099020")
    later = {"updatedAt": {"from": shop.admin("clock")["now"][:19] + "Z"}}
    assert [p["productNumber"] for p in clothing(shop, **later)] == ["CL00003"]
    everything = shop.data(PRODUCTS, where={"updatedAt": {"from": before}}, sort=["updatedAt_ASC"], limit=200)
    assert everything["products"][-1]["productNumber"] == "CL00003"
    assert [p["id"] for p in clothing(shop, status=["INACTIVE"])] == []


def test_what_merchandisers_change_is_read_and_told(shop: Shop) -> None:
    shop.listen("Product", "Display", "Price", "ProductVariant", "ProductSize", "ProductMedia")
    change(shop, product="CL00002", status="INACTIVE", brand=None, attributes={"pr_material": None})
    change(
        shop,
        product="CL00002",
        display={
            "texts": {"fr": None, "sv": {"name": "Ny tröja"}},
            "prices": {"7": "59.95", "8": None},
            "media": ["https://pics.test/new.jpg"],
            "category": "women/tops",
        },
    )
    product = named(shop, "CL00002")
    [display] = product["displays"]
    assert (product["status"], product["brand"]) == ("INACTIVE", None)
    assert "pr_material" not in {a["type"]["name"] for a in product["attributes"]}
    names = {t["language"]["code"]: {f["field"]: f["value"] for f in t["fields"]} for t in display["translations"]}
    assert set(names) == {"sv", "de"}
    assert names["sv"]["name"] == "Ny tröja"
    assert names["sv"]["description"]
    assert [(p["pricelist"]["id"], p["price"]["value"]) for p in display["prices"]] == [(7, 59.95)]
    assert [m["standard"]["url"] for m in display["media"]] == ["https://pics.test/new.jpg"]
    assert display["categories"][0]["uri"] == "women/tops"
    assert happened(shop) == [
        ("Product", "UPDATED"),
        ("ProductMedia", "DELETED"),
        ("ProductMedia", "DELETED"),
        ("ProductMedia", "CREATED"),
        ("Price", "UPDATED"),
        ("Price", "DELETED"),
        ("Display", "UPDATED"),
        ("Product", "DEPENDENT_DATA_CHANGED"),
    ]


def test_the_object_of_a_price_event_is_the_price_as_it_is_now(shop: Shop) -> None:
    shop.listen("Price")
    for amount in ("49.90", "44.90"):
        change(shop, product="CL00001", display={"prices": {"7": amount}})
    assert [e["object"]["price"]["value"] for e in shop.data(EVENTS)["events"]] == [44.9, 44.9]


def test_a_quiet_change_of_price_moves_no_instant_but_is_told(shop: Shop) -> None:
    shop.listen("Price", "Display")
    before = named(shop, "CL00001")
    shop.admin("clock", {"advance_seconds": 5})
    change(shop, product="CL00001", quiet=True, display={"prices": {"7": "1.90"}})
    after = named(shop, "CL00001")
    assert after["updatedAt"] == before["updatedAt"]
    assert after["displays"][0]["updatedAt"] == before["displays"][0]["updatedAt"]
    assert after["displays"][0]["prices"][0]["price"]["value"] == 1.9
    assert happened(shop) == [("Price", "UPDATED"), ("Display", "DEPENDENT_DATA_CHANGED")]


def test_sizes_and_variants_are_changed_one_by_one(shop: Shop) -> None:
    variant = variants(named(shop, "CL00001"))[0]
    change(shop, variant=variant["id"], attributes={"var_colour": {"options": ["Plum"]}}, name="Plum")
    change(shop, sku=variant["productSizes"][0]["SKU"], ean="7310000000011")
    change(shop, sku=variant["productSizes"][1]["SKU"], new_sku="CL1.M")
    read = variants(named(shop, "CL00001"))[0]
    assert read["name"] == "Plum"
    assert read["productSizes"][0]["EAN"] == "7310000000011"
    assert read["productSizes"][1]["SKU"] == "CL1.M"


def test_a_deleted_product_is_gone_with_all_of_it(shop: Shop) -> None:
    shop.listen("Product", "Display")
    gone = named(shop, "CL00001")
    shop.admin("delete", {"object_type": "Product", "id": gone["id"]})
    assert clothing(shop, productNumber={"equals": "CL00001"}) == []
    told = shop.data(EVENTS)["events"]
    assert [(e["objectType"], e["changeType"], e["object"]) for e in told[-2:]] == [
        ("Display", "DELETED", None),
        ("Product", "DELETED", None),
    ]
    skus = {size["sku"] for size in shop.admin("sizes?limit=1000")["sizes"]}
    assert not skus & {size["SKU"] for v in variants(gone) for size in v["productSizes"]}


def test_attributes_and_prices_take_rights_of_their_own(shop: Shop) -> None:
    shop.admin("tokens", {"token": shop.token, "remove": ["Price:read"]})
    [error] = shop.answer(PRODUCTS, limit=1)["errors"]
    assert "Price:read" in error["message"]
    assert shop.data("{ products(limit: 1) { id } }")["products"]


def test_a_product_may_be_lost_with_an_error_or_without(shop: Shop) -> None:
    shop.fault(code="*", kind="partial_error", product="CL00002")
    answer = shop.answer(PRODUCTS, where={"productNumber": {"startsWith": "CL0000"}}, limit=5, sort=["id_ASC"])
    assert [p["productNumber"] for p in answer["data"]["products"]] == ["CL00001", "CL00003", "CL00004", "CL00005"]
    assert [error["path"] for error in answer["errors"]] == [["products", 1]]
    shop.fault(code="*", kind="missing_product", product="CL00003")
    assert "CL00003" not in {p["productNumber"] for p in clothing(shop)}
    assert "CL00003" in {p["productNumber"] for p in clothing(shop)}


@pytest.mark.parametrize(
    "nonsense", [{"name": "nobody's"}, {"product": "CL99999", "name": "x"}, {"product": "CL00001", "brand": "none"}]
)
def test_nonsense_is_refused(shop: Shop, nonsense: Json) -> None:
    answer = shop.client.post("/_sandbox/catalogue", json={"changes": [nonsense]})
    assert answer.status_code == 400
