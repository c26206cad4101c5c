"""The catalogue, offers and prices of a marketplace as the client writes and reads them at the stand-in."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

import pytest
import pytest_asyncio
from msgspec import UNSET

from app.mirakl.catalogue_schema import Attribute, ProductReference, ValuesList
from app.mirakl.client import MiraklClient
from app.mirakl.offer_schema import ChannelPrice, FieldValue, LiveOffer, OfferDelete, OfferUpsert, VolumePrice
from app.mirakl.prices import OfferPrices, PriceRow
from app.mirakl.product_files import ProductFile, delimiter_of
from app.wire.decode import Items, UnreadableItem
from app.wire.outcome import Outcome
from tests.flows.test_clients_against_sandbox import transport_to, value_of
from tests.permits_in_memory import PermitsInMemory
from tests.standins import Sandbox, start_sandbox

T = TypeVar("T")
AT = datetime(2031, 3, 2, 8, 0, tzinfo=UTC)
LATER = datetime(2031, 3, 15, 22, 59, 59, tzinfo=UTC)
ODD = 'Width 1\\" approx; "raw" edge,\nsecond line 🧥'


def ean(number: int) -> str:
    twelve = f"733{number:09d}"
    return twelve + str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve)) % 10)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    shops = [
        {"id": f"demo-{code}", "key": "k", "shop_id": 2001, "catalogue": code, "enforce": False, "offers": []}
        for code in ("fr", "se")
    ]
    running = start_sandbox({"clock": {"scale": 60.0}, "mirakl": shops}, tmp_path_factory.mktemp("mirakl"))
    yield running
    running.child.stop(seconds=10)
    assert running.child.stderr() == ""


@pytest_asyncio.fixture(params=["demo-fr", "demo-se"])
async def shop(stand_in: Sandbox, request: pytest.FixtureRequest) -> AsyncIterator[MiraklClient]:
    async with transport_to(stand_in.mirakl[request.param], "k") as transport:
        yield MiraklClient(transport, PermitsInMemory(), request.param, 2001)


@pytest_asyncio.fixture
async def french(stand_in: Sandbox) -> AsyncIterator[MiraklClient]:
    products = [{"sku": f"OP-{n}", "category": "111", "title": "Robe", "ean": ean(n)} for n in range(1, 7)]
    await stand_in.post(stand_in.mirakl["demo-fr"], "/_sandbox/products", {"products": products})
    async with transport_to(stand_in.mirakl["demo-fr"], "k") as transport:
        yield MiraklClient(transport, PermitsInMemory(), "demo-fr", 2001)


async def ended(stand_in: Sandbox, ask: Callable[[], Awaitable[Outcome[T]]], status: Callable[[T], str]) -> T:
    for _ in range(60):
        found = value_of(await ask())
        if status(found) in ("COMPLETE", "COMPLETED", "FAILED"):
            return found
        await stand_in.advance(5)
    raise AssertionError(f"still {found}")


async def live(stand_in: Sandbox, client: MiraklClient) -> dict[str, LiveOffer]:
    tracking_id = value_of(await client.of52_export_offers(None))
    export = await ended(stand_in, lambda: client.of53_get_export(tracking_id), lambda answer: answer.status)
    rows = [row for url in export.urls for row in value_of(await client.of54_read_live_offers(url))]
    assert not [row for row in rows if isinstance(row, UnreadableItem)]
    return {row.shop_sku: row for row in rows if isinstance(row, LiveOffer)}


def offer(sku: str, product: int, **members: object) -> OfferUpsert:
    unset = dict.fromkeys(OfferUpsert.__struct_fields__, UNSET)
    whole = {
        "shop_sku": sku,
        "product_id": ean(product),
        "product_id_type": "EAN",
        "state_code": "11",
        "price": Decimal("59.90"),
        "quantity": 7,
        "description": ODD,
        "leadtime_to_ship": 2,
        "logistic_class": "S",
        "max_order_quantity": 4,
        "offer_additional_fields": (FieldValue(code="made-in", value="PRT"),),
        "all_prices": (
            ChannelPrice(
                channel_code=None,
                unit_origin_price=Decimal("59.90"),
                unit_discount_price=Decimal("49.90"),
                discount_start_date=AT,
                discount_end_date=LATER,
            ),
            ChannelPrice(
                channel_code="BE",
                unit_origin_price=Decimal("61.50"),
                volume_prices=(VolumePrice(quantity_threshold=5, unit_origin_price=Decimal("60.00")),),
            ),
        ),
    }
    return OfferUpsert(**{**unset, **whole, **members})


# ------------------------------------------------------------------------------------------- reference data


async def test_reference_data_of_both_marketplaces_hangs_together(shop: MiraklClient) -> None:
    categories = {row.code: row for row in items(await shop.h11_list_hierarchies())}
    attributes = items(await shop.pm11_list_attributes())
    lists = {row.code: row for row in items(await shop.vl11_list_values())}
    assert all(not row.parent_code or row.parent_code in categories for row in categories.values())
    assert {row.hierarchy_code for row in attributes if row.hierarchy_code} <= set(categories)
    assert {row.list_code for row in attributes if row.list_code} == set(lists)
    assert {row.type for row in attributes} >= {"TEXT", "LIST", "LIST_MULTIPLE_VALUES", "MEDIA"}
    locales = items(await shop.l01_list_locales())
    assert [row.code for row in locales if row.platform_default]
    assert items(await shop.ch11_list_channels())
    assert items(await shop.cur01_list_currencies())
    assert {row.entity for row in items(await shop.af01_list_additional_fields())} >= {"OFFER"}


def items(answer: Outcome[Items[T]]) -> list[T]:
    read = value_of(answer)
    assert read.unreadable == ()
    return list(read.items)


# ------------------------------------------------------------------------------------------------- products


async def test_a_product_goes_from_a_file_to_live(stand_in: Sandbox, shop: MiraklClient) -> None:
    configuration = value_of(await shop.pc01_get_configuration())
    delimiter = delimiter_of(configuration)
    wrong_digit = ean(11)[:-1] + str((int(ean(11)[-1]) + 1) % 10)
    good, bad = await described(shop, ean(10), ODD), await described(shop, wrong_digit, ODD)
    file = ProductFile(tuple(good), (tuple(good.values()), tuple(bad.values())))
    unique = next(name for name, value in good.items() if value == ean(10))
    import_id = value_of(await shop.p41_import_products(file, delimiter))
    seen = [value_of(await shop.p42_get_product_import(import_id)).import_status]
    status = await ended(stand_in, lambda: shop.p42_get_product_import(import_id), lambda answer: answer.import_status)
    assert seen[0] in ("TRANSFORMATION_WAITING", "TRANSFORMATION_RUNNING")
    assert (status.import_status, status.transform_lines_read, status.transform_lines_in_error) == ("COMPLETE", 2, 1)
    assert status.has_transformation_error_report
    lines = value_of(await shop.p47_get_transformation_errors(import_id, unique, delimiter))
    [wrong] = [line for line in lines if line.errors]
    assert (wrong.line, wrong.identifier) == (3, wrong_digit)
    assert wrong.errors
    assert all(words.code and words.message for words in wrong.errors)
    [handed] = value_of(await shop.p46_get_transformed_file(import_id, delimiter))
    assert handed == good
    assert [row[unique] for row in value_of(await shop.p45_get_new_products(import_id, delimiter))] == [ean(10)]
    found = items(await shop.p31_find_products([ProductReference("EAN", ean(10)), ProductReference("EAN", ean(99))]))
    assert [row.product_id for row in found] == [ean(10)]
    told = list(value_of(await shop.cm11_list_source_products(skus=["P-" + ean(10)])))
    assert [row.status for row in told] == ["LIVE"]


async def described(shop: MiraklClient, gtin: str, text: str) -> dict[str, str]:
    """A product that says just what is demanded, by the marketplace's own reference data."""
    attributes = items(await shop.pm11_list_attributes())
    lists = {row.code: row for row in items(await shop.vl11_list_values())}
    parents = {row.code: row.parent_code for row in items(await shop.h11_list_hierarchies())}
    leaf = next(code for code in parents if code not in parents.values())
    line = {"", leaf, parents[leaf], parents.get(parents[leaf], "")}
    product: dict[str, str] = {}
    for attribute in attributes:
        if (attribute.hierarchy_code or "") in line and attribute.requirement_level == "REQUIRED":
            roles = {role.type for role in attribute.roles or ()}
            product[attribute.code] = value_for(attribute, roles, lists, leaf, gtin, text)
    return product


def value_for(
    attribute: Attribute, roles: set[str], lists: dict[str, ValuesList], leaf: str, gtin: str, text: str
) -> str:
    match attribute.type:
        case "LIST" | "LIST_MULTIPLE_VALUES":
            return lists[str(attribute.list_code)].values[0].code
        case "MEDIA":
            return "https://pics.test/1.jpg"
        case "BOOLEAN":
            return "true"
    if "CATEGORY" in roles:
        return leaf
    if "SHOP_SKU" in roles:
        return "P-" + gtin
    return gtin if attribute.unique_code else text


async def test_what_the_operator_rejects_is_told_in_words(stand_in: Sandbox, shop: MiraklClient) -> None:
    code = ean(20)
    delimiter = delimiter_of(value_of(await shop.pc01_get_configuration()))
    product = await described(shop, code, "Robe de demonstration, longue")
    unique = next(name for name, value in product.items() if value == code)
    address = stand_in.mirakl[shop._scope]
    verdict = {"sku": "P-" + code, "kind": "REJECTED", "message": "The picture is blurred"}
    await stand_in.post(address, "/_sandbox/products", {"verdicts": [verdict]})
    file = ProductFile(tuple(product), (tuple(product.values()),))
    import_id = value_of(await shop.p41_import_products(file, delimiter))
    await ended(stand_in, lambda: shop.p42_get_product_import(import_id), lambda answer: answer.import_status)
    [line] = value_of(await shop.p44_get_product_errors(import_id, unique, delimiter))
    assert line.identifier == code
    assert "blurred" in " ".join(words.message for words in line.errors)
    [told] = list(value_of(await shop.cm11_list_source_products(skus=["P-" + code])))
    assert told.status == "NOT_LIVE"
    assert "blurred" in str(told.errors)


# ---------------------------------------------------------------------------------------------------- offers


@pytest.mark.parametrize("by_file", [False, True])
async def test_an_offer_that_was_written_reads_back_as_it_was_said(
    stand_in: Sandbox, french: MiraklClient, by_file: bool
) -> None:
    written = offer(f"VX-{by_file}", 5 + by_file)
    write = french.of01_import_offers if by_file else french.of24_write_offers
    import_id = value_of(await write([written]))
    status = await ended(stand_in, lambda: french.of02_get_offer_import(import_id), lambda answer: answer.status)
    assert (status.status, status.lines_in_success, status.offer_inserted) == ("COMPLETE", 1, 1)
    read = (await live(stand_in, french))[written.shop_sku]
    assert (read.quantity, read.state_code, read.leadtime_to_ship, read.max_order_quantity) == (7, "11", 2, 4)
    assert (read.description, read.logistic_class_code) == (ODD, "S")
    assert [(field.code, field.value) for field in read.offer_additional_fields or ()] == [("made-in", "PRT")]
    default = read.default_price
    assert default is not None
    assert (default.origin_price, default.discount_price) == (Decimal("59.9"), Decimal("49.9"))
    assert (default.discount_start_date, default.discount_end_date) == ("2031-03-02T08:00:00Z", "2031-03-15T22:59:59Z")
    [belgian] = [price for price in read.prices or () if price.channel_codes]
    assert (belgian.channel_codes, belgian.origin_price) == (("BE",), Decimal("61.5"))
    assert belgian.volume_prices is not None
    assert [v.unit_origin_price for v in belgian.volume_prices if v.quantity_threshold == 5] == [Decimal(60)]


async def test_what_is_unset_goes_back_to_its_default_and_a_bad_line_is_named(
    stand_in: Sandbox, french: MiraklClient
) -> None:
    value_of(await french.of24_write_offers([offer("VX-1", 1)]))
    await stand_in.advance(60)
    ghost = offer("GHOST", 999)
    import_id = value_of(
        await french.of24_write_offers([offer("VX-1", 1, description=UNSET, logistic_class=UNSET, quantity=3), ghost])
    )
    status = await ended(stand_in, lambda: french.of02_get_offer_import(import_id), lambda answer: answer.status)
    assert (status.lines_in_success, status.lines_in_error, status.has_error_report) == (1, 1, True)
    [line] = value_of(await french.of03_get_offer_import_errors(import_id))
    assert line.columns["sku"] == "GHOST"
    assert line.message
    read = (await live(stand_in, french))["VX-1"]
    assert (read.quantity, read.description or None, read.logistic_class_code) == (3, None, None)


async def test_a_deleted_offer_is_gone_and_the_others_stay(stand_in: Sandbox, french: MiraklClient) -> None:
    value_of(await french.of24_write_offers([offer("KEPT", 2), offer("OLD", 3)]))
    await stand_in.advance(60)
    gone = OfferDelete(
        shop_sku="OLD", product_id=ean(3), product_id_type="EAN", state_code="11", price=Decimal("59.90")
    )
    import_id = value_of(await french.of01_import_offers([gone]))
    status = await ended(stand_in, lambda: french.of02_get_offer_import(import_id), lambda answer: answer.status)
    assert (status.offer_deleted, status.mode) == (1, "NORMAL")
    left = await live(stand_in, french)
    assert "OLD" not in left
    assert "KEPT" in left


# ---------------------------------------------------------------------------------------------------- prices


async def test_prices_that_were_written_read_back_all_of_them(stand_in: Sandbox, french: MiraklClient) -> None:
    value_of(await french.of24_write_offers([offer("VX-4", 4)]))
    await stand_in.advance(60)
    rows = (
        PriceRow(Decimal("62.90"), Decimal("55.00"), AT, LATER),
        PriceRow(Decimal("61.00"), channels=("BE",)),
        PriceRow(Decimal("50.00"), starts=AT, ends=LATER),
    )
    import_id = value_of(await french.pri01_import_prices([OfferPrices("VX-4", rows), OfferPrices("NO", rows)]))
    status = await ended(stand_in, lambda: french.pri02_get_price_import(import_id), lambda answer: answer.status)
    assert (status.offers_updated, status.offers_in_error, status.has_error_report) == (1, 1, True)
    wrong = value_of(await french.pri03_get_price_import_errors(import_id))
    assert {line.columns["offer-sku"] for line in wrong} == {"NO"}
    read = (await live(stand_in, french))["VX-4"]
    assert sorted(price.origin_price for price in read.prices or ()) == [Decimal(50), Decimal(61), Decimal("62.9")]
    assert read.default_price is not None
    assert read.default_price.discount_price == Decimal(55)
    assert (read.quantity, read.description) == (7, ODD)
