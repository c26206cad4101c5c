"""What Centra's answers mean in our own terms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.centra import schema
from app.centra.facts import SkuFrom, Unclear, size_of, topology_of
from app.domain.ids import MarketId, WarehouseId
from app.domain.stock import Market, PriceList, Size, Warehouse
from app.wire.decode import typed

Json = dict[str, Any]

VARIANT: Json = {
    "id": 21,
    "status": "ACTIVE",
    "stockOffset": -2,
    "variantNumber": "RED",
    "product": {"id": 31, "status": "ACTIVE", "productNumber": "VX100"},
}
WHOLE: Json = {
    "id": 11,
    "SKU": "VX-100-M",
    "EAN": "7350000000017",
    "UPC": "0735000000017",
    "sizeNumber": "M",
    "isActive": True,
    "preorder": False,
    "stock": [
        {"warehouse": {"id": 1}, "freeToAllocateQuantity": 4},
        {"warehouse": {"id": 2}, "freeToAllocateQuantity": None},
    ],
    "productVariant": VARIANT,
    "somethingNew": [1, 2],
}


def read(sku_from: SkuFrom = "sku", **members: object) -> Size | Unclear | None:
    return size_of(typed(json.dumps(WHOLE | members).encode(), schema.Size), sku_from)


def understood(**members: object) -> Size:
    found = read(**members)  # type: ignore[arg-type]
    assert isinstance(found, Size)
    return found


def test_a_size_in_our_terms() -> None:
    found = understood()
    assert (found.size_id, found.sku, found.offset) == (11, "VX-100-M", -2)
    assert found.free == {WarehouseId(1): 4, WarehouseId(2): None}  # no number stays no number
    assert (found.active, found.preorder, found.deleted) == (True, False, False)


@pytest.mark.parametrize(
    ("sku_from", "sku"),
    [("sku", "VX-100-M"), ("ean", "7350000000017"), ("upc", "0735000000017"), ("joined", "VX100REDM")],
)
def test_the_settings_say_what_an_offers_sku_is_in_centra(sku_from: SkuFrom, sku: str) -> None:
    found = read(sku_from)
    assert isinstance(found, Size)
    assert found.sku == sku


@pytest.mark.parametrize(("sku_from", "member"), [("sku", "SKU"), ("ean", "EAN"), ("upc", "UPC")])
@pytest.mark.parametrize("nothing", [None, ""])
def test_a_size_without_a_sku_is_sold_nowhere(sku_from: SkuFrom, member: str, nothing: str | None) -> None:
    assert read(sku_from, **{member: nothing}) is None


@pytest.mark.parametrize("status", ["INACTIVE", "CANCELLED", "PREVIEW"])
def test_a_variant_or_product_that_is_not_on_sale_makes_the_size_inactive(status: str) -> None:
    assert not understood(productVariant=VARIANT | {"status": status}).active
    assert not understood(productVariant=VARIANT | {"product": {"status": status}}).active
    assert not understood(isActive=False).active


def test_a_size_is_inactive_by_itself_only_when_centra_says_so() -> None:
    assert understood(isActive=None, productVariant=None).active


@pytest.mark.parametrize("place", [{"status": "LIMBO"}, {"product": {"status": "LIMBO"}}])
def test_a_status_that_is_new_is_neither_sold_nor_not_sold(place: Json) -> None:
    assert read(productVariant=VARIANT | place) == Unclear(
        understood().size_id, "VX-100-M: Centra gives the status LIMBO, which is new to us"
    )


@pytest.mark.parametrize(("preorder", "taken"), [(True, True), (False, False), (None, False)])
def test_preorder(preorder: bool | None, taken: bool) -> None:
    assert understood(preorder=preorder).preorder is taken


@pytest.mark.parametrize("variant", [None, VARIANT | {"stockOffset": None}])
def test_no_offset_is_none(variant: Json | None) -> None:
    assert understood(productVariant=variant).offset == 0


# --------------------------------------------------------------------------------------------------- topology


def topology(**members: object) -> schema.Topology:
    return schema.Topology(
        markets=typed(json.dumps(members.get("markets", [])).encode(), tuple[schema.Market, ...]),
        warehouses=typed(json.dumps(members.get("warehouses", [])).encode(), tuple[schema.Warehouse, ...]),
        pricelists=typed(json.dumps(members.get("pricelists", [])).encode(), tuple[schema.Pricelist, ...]),
    )


def test_markets_name_their_rule_and_countries() -> None:
    markets = [
        {"id": 3, "name": "France", "allocationRule": {"id": 7}, "assignedToCountries": [{"code": "FR"}]},
        {"id": 4, "name": None, "allocationRule": None, "assignedToCountries": None},
    ]
    assert topology_of(topology(markets=markets)).markets == {
        3: Market(MarketId(3), "France", 7, frozenset({"FR"})),
        4: Market(MarketId(4), "4", None, frozenset()),
    }


@pytest.mark.parametrize(
    ("policy", "direct"), [("DIRECT", True), ("CHECK_FIRST", False), ("SOMETHING_NEW", False), (None, False)]
)
def test_only_direct_warehouses_are_sold_from(policy: str | None, direct: bool) -> None:
    row = {"id": 1, "name": "Borås", "threshold": 2, "allocationPolicy": policy, "allocationRules": [{"id": 7}]}
    markets = [{"id": 3, "allocationRule": {"id": 7}}]
    found = topology_of(topology(warehouses=[row], markets=markets))
    warehouse = Warehouse(WarehouseId(1), "Borås", 2, direct, frozenset({7}))
    assert found.warehouses == {1: warehouse}
    assert found.sold_from(MarketId(3)) == ((warehouse,) if direct else ())


def test_a_rule_that_names_a_warehouse_by_geography_sells_from_it_too() -> None:
    rule = {"id": 7, "geographyAllocationPriorities": [{"warehousePriorities": [{"warehouse": {"id": 2}}]}]}
    rows = [{"id": n, "allocationPolicy": "DIRECT", "allocationRules": [{"id": 8}]} for n in (1, 2)]
    found = topology_of(topology(markets=[{"id": 3, "allocationRule": rule}], warehouses=rows))
    assert [w.warehouse_id for w in found.sold_from(MarketId(3)) or ()] == [2]
    assert found.warehouses[WarehouseId(2)].rules == {7, 8}


def test_what_a_warehouse_does_not_say() -> None:
    row = {"id": 1, "name": None, "threshold": None, "allocationPolicy": "DIRECT", "allocationRules": None}
    assert topology_of(topology(warehouses=[row])).warehouses == {
        1: Warehouse(WarehouseId(1), "1", 0, True, frozenset())
    }


def test_an_unknown_market_or_rule_sells_from_nowhere_known() -> None:
    found = topology_of(topology(markets=[{"id": 4, "allocationRule": None}]))
    assert found.sold_from(MarketId(4)) is None
    assert found.sold_from(MarketId(99)) is None


def test_price_lists_name_their_currency() -> None:
    rows = [{"id": 5, "name": "MKT-FR", "currency": {"code": "EUR"}}, {"id": 6, "name": None, "currency": None}]
    assert topology_of(topology(pricelists=rows)).price_lists == {
        5: PriceList(5, "MKT-FR", "EUR"),
        6: PriceList(6, "6", ""),
    }
