"""The catalogue's requests of both clients: against Mirakl's description, Centra's schema and the samples."""

import csv
import functools
import io
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from email import message_from_bytes
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate
from graphql.execution.values import get_variable_values
from msgspec import UNSET

from app.domain.catalogue import OWN, AttributeValue, Category, Price
from app.mirakl.catalogue import CatalogueCalls
from app.mirakl.catalogue_schema import ProductReference, SourceProduct
from app.mirakl.client import MiraklClient
from app.mirakl.offer_schema import ChannelPrice, FieldValue, LiveOffer, OfferDelete, OfferUpsert, VolumePrice
from app.mirakl.offers import OfferCalls
from app.mirakl.prices import OfferPrices, PriceCalls, PriceRow
from app.mirakl.product_files import ProductFile, Words
from app.mirakl.products import ProductCalls
from app.wire.decode import UnreadableItem
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused, Unknown
from app.wire.request import Limits
from app.wire.transport import Transport
from tests.contract import test_requests_centra as centra
from tests.contract import test_requests_mirakl as mirakl
from tests.contract.reference import mirakl_openapi, reference_file
from tests.permits_in_memory import PermitsInMemory
from tests.raw_server import answering, http, raw_server

API = mirakl_openapi()
Json = dict[str, Any]
Call = Callable[[MiraklClient], Awaitable[Outcome[Any]]]
AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

OFFER = OfferUpsert(
    shop_sku="AW26-RIBTOP-ECR-S",
    product_id="7340000012345",
    product_id_type="EAN",
    state_code="11",
    price=Decimal("39.95"),
    quantity=118,
    description='Width 1\\" approx; "raw" edge',
    internal_description=UNSET,
    price_additional_info=UNSET,
    discount=UNSET,
    all_prices=(
        ChannelPrice(
            channel_code=None,
            unit_origin_price=Decimal("39.95"),
            unit_discount_price=Decimal("29.95"),
            discount_start_date=AT,
            discount_end_date=datetime(2026, 3, 15, 22, 59, 59, tzinfo=UTC),
        ),
        ChannelPrice(
            channel_code="PRO",
            unit_origin_price=Decimal("35.00"),
            volume_prices=(VolumePrice(quantity_threshold=10, unit_origin_price=Decimal("33.00")),),
        ),
    ),
    available_started=UNSET,
    available_ended=AT,
    leadtime_to_ship=2,
    logistic_class="S",
    min_quantity_alert=5,
    min_order_quantity=UNSET,
    max_order_quantity=10,
    package_quantity=UNSET,
    allow_quote_requests=False,
    product_tax_code=UNSET,
    pricing_unit=UNSET,
    msrp=UNSET,
    offer_additional_fields=(FieldValue(code="made-in", value="PRT"),),
    eco_contributions=UNSET,
)
BARE = msgspec.structs.replace(
    OFFER, allow_quote_requests=UNSET, internal_description=UNSET, price_additional_info=UNSET
)
GONE = OfferDelete(
    shop_sku="SS25-OLD-PNK-M", product_id="7340000010001", product_id_type="EAN", state_code="11", price=Decimal(1)
)
PRICES = (
    OfferPrices(
        "AW26-RIBTOP-ECR-S",
        (
            PriceRow(Decimal("39.95"), Decimal("29.95"), AT, datetime(2026, 3, 15, 22, 59, 59, tzinfo=UTC)),
            PriceRow(Decimal("35.00"), channels=("PRO", "B2B")),
        ),
    ),
    OfferPrices("AW26-WOOLCOAT-NVY-M", (PriceRow(Decimal(229)),)),
)
FILE = ProductFile(("category", "ean", "name [fr_FR]"), (("C-1", "7340000012345", 'Pull "côtelé"; 1\\"'),))
_IMPORT = b'{"import_id":88041}'
_REPORT = b'"sku";"error-line";"error-message"\n"A";"2";"The product does not exist"\n'
_PRODUCTS = b'"line number";"errors";"warnings";"ean"\n"2";"1001|Category X is unknown";"";"7340000012345"\n'
_PRICE_REPORT = b'"error-line";"error-message";"offer-sku";"price"\n"2";"Offer not found";"A";"1"\n'

CALLS: dict[str, tuple[Call, bytes]] = {
    "H11": (lambda c: c.h11_list_hierarchies("C-1", max_level=2), b'{"hierarchies":[]}'),
    "PM11": (
        lambda c: c.pm11_list_attributes("C-1", max_level=0, all_operator_attributes=True),
        b'{"attributes":[]}',
    ),
    "VL11": (lambda c: c.vl11_list_values("colours"), b'{"values_lists":null}'),
    "CH11": (lambda c: c.ch11_list_channels(), b'{"channels":null}'),
    "CUR01": (lambda c: c.cur01_list_currencies(), b'{"currencies":[]}'),
    "SH31": (lambda c: c.sh31_list_logistic_classes(), b'{"logistic_classes":[]}'),
    "L01": (lambda c: c.l01_list_locales(), b'{"locales":[]}'),
    "P31": (
        lambda c: c.p31_find_products([ProductReference("EAN", "7340000012345"), ProductReference("UPC", "1")]),
        b'{"products":[]}',
    ),
    "P41": (lambda c: c.p41_import_products(FILE, ",", effect_id="771"), _IMPORT),
    "P42": (lambda c: c.p42_get_product_import("88041"), b'{"import_id":88041,"import_status":"SENT"}'),
    "P44": (lambda c: c.p44_get_product_errors("88041", "ean"), _PRODUCTS),
    "P45": (lambda c: c.p45_get_new_products("88041"), b'"ean"\n"1"\n'),
    "P46": (lambda c: c.p46_get_transformed_file("88041"), b'"ean"\n"1"\n'),
    "P47": (lambda c: c.p47_get_transformation_errors("88041", "ean"), _PRODUCTS),
    "CM11": (lambda c: c.cm11_list_source_products(AT), b"[]"),
    "CM11 named": (lambda c: c.cm11_list_source_products(skus=["A", "B"]), b"[]"),
    "CM11 full": (lambda c: c.cm11_list_source_products(), b"[]"),
    "OF24": (lambda c: c.of24_write_offers([OFFER, GONE], effect_id="772"), _IMPORT),
    "OF24 spelled otherwise": (lambda c: c.of24_write_offers([BARE, GONE], spelling=7), _IMPORT),
    "OF01": (lambda c: c.of01_import_offers([OFFER, GONE]), _IMPORT),
    "OF01 spelled otherwise": (lambda c: c.of01_import_offers([OFFER, GONE], spelling=5), _IMPORT),
    "OF02": (lambda c: c.of02_get_offer_import("88041"), b'{"import_id":88041,"status":"WAITING"}'),
    "OF03": (lambda c: c.of03_get_offer_import_errors("88041"), _REPORT),
    "PRI01": (lambda c: c.pri01_import_prices(PRICES), b'{"import_id":"7d98"}'),
    "PRI01 spelled otherwise": (lambda c: c.pri01_import_prices(PRICES, spelling=5), b'{"import_id":"7d98"}'),
    "PRI02": (
        lambda c: c.pri02_get_price_import("7d98"),
        b'{"data":[{"import_id":"7d98","status":"COMPLETE","shop_id":2001}]}',
    ),
    "PRI03": (lambda c: c.pri03_get_price_import_errors("7d98"), _PRICE_REPORT),
}


async def outcome_of(call: Call, answer: bytes, status: int = 200) -> Outcome[Any]:
    async with raw_server(answering(http(status, answer, content_type="application/json"))) as server:
        transport = Transport(
            server.url,
            headers=lambda: {"Authorization": "k-fr"},
            now=lambda: datetime.now(UTC),
            limits=Limits(total_seconds=5.0),
        )
        async with transport:
            return await call(MiraklClient(transport, PermitsInMemory(), "demo-fr", mirakl.SHOP_ID))


async def value_of(call: Call, answer: bytes, status: int = 200) -> Any:
    outcome = await outcome_of(call, answer, status)
    assert isinstance(outcome, Applied), outcome
    return outcome.value


@pytest.mark.parametrize("name", CALLS)
async def test_a_request_is_the_one_the_description_asks_for(name: str) -> None:
    code = name.split()[0]
    request = await mirakl.request_of(*CALLS[name])
    head, body = request.split(b"\r\n\r\n", 1)
    method, target, _ = head.decode("ascii").split("\r\n")[0].split(" ")
    url = urlsplit(target)
    assert mirakl.operation_at(mirakl_document(), method, url.path)["operationId"] == code
    check_query(code, parse_qsl(url.query, strict_parsing=True))
    if "requestBody" not in API.operation(code):
        assert body == b""
    elif code == "OF24":
        API.request(code).validate(json.loads(body))
        check_members(json.loads(body)["offers"])
    else:
        check_parts(code, parts_of(head, body), is_usual=not name.endswith("spelled otherwise"))


@functools.cache
def mirakl_document() -> Json:
    found: Json = json.loads(reference_file("mirakl-seller.openapi.json").read_text(encoding="utf-8"))
    return found


def check_query(code: str, query: list[tuple[str, str]]) -> None:
    known = API.query_parameters(code)
    declared = {
        parameter["name"]: parameter["schema"]
        for parameter in (
            mirakl.resolved(mirakl_document(), node) for node in API.operation(code).get("parameters", ())
        )
    }
    assert ("shop_id", str(mirakl.SHOP_ID)) in query
    for name, text in query:
        assert name in known, name
        kind = declared[name]["type"]
        repeated = [value for other, value in query if other == name]
        values: dict[str, Any] = {
            "array": repeated,
            "integer": text,
            "boolean": {"true": True, "false": False}.get(text),
        }
        known[name].validate(int(text) if kind == "integer" else values.get(kind, text))


def check_members(offers: list[Json]) -> None:
    """No member that the description does not know, at any depth: it would be ignored without a word."""
    schema = API.operation("OF24")["requestBody"]["content"]["application/json"]["schema"]
    unknown: list[str] = []

    def walk(value: Any, shape: Json, at: str) -> None:
        shape = mirakl.resolved(mirakl_document(), shape)
        if isinstance(value, dict):
            for member, inner in value.items():
                if member not in shape.get("properties", {}):
                    unknown.append(f"{at}.{member}")
                else:
                    walk(inner, shape["properties"][member], f"{at}.{member}")
        elif isinstance(value, list):
            for inner in value:
                walk(inner, shape.get("items", {}), at)

    walk({"offers": offers}, schema, "")
    assert unknown == []


def parts_of(head: bytes, body: bytes) -> dict[str, bytes]:
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    kind = next(value for name, value in lines.items() if name.lower() == b"content-type")
    message: Message = message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + body)
    parts = {}
    for part in message.walk():
        if not part.is_multipart():
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            parts[str(part.get_param("name", header="content-disposition"))] = payload
    return parts


def check_parts(code: str, parts: dict[str, bytes], *, is_usual: bool) -> None:
    """`is_usual`: columns in the order of the description, which does not say that another one is wrong."""
    content = API.operation(code)["requestBody"]["content"]["multipart/form-data"]
    properties = content["schema"]["properties"]
    assert set(content["schema"]["required"]) <= set(parts) <= set(properties)
    for name, value in parts.items():
        if properties[name]["type"] == "boolean":
            assert value in (b"true", b"false")
        elif "enum" in properties[name]:
            assert value.decode() in properties[name]["enum"]
    if "x-csv" in content:
        columns, described = table(parts["file"])[0], content["x-csv"]["columns"]
        known = {*described, *content["x-csv"].get("optional-columns", ())}
        assert (columns[: len(described)] == described) is is_usual
        assert columns[0] == described[0]
        assert set(columns) >= set(described)
        ours = {name for name in columns if "[channel=" not in name} - {"made-in"}
        assert ours <= known


def table(body: bytes, delimiter: str = ";") -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(), newline=""), delimiter=delimiter, strict=True))


def test_every_call_of_the_catalogue_is_held_against_the_description() -> None:
    methods = {
        name.split("_")[0].upper()
        for calls in (CatalogueCalls, ProductCalls, OfferCalls, PriceCalls)
        for name in vars(calls)
        if not name.startswith("_")
    }
    assert methods - {"OF54"} == {name.split()[0] for name in CALLS}  # OF54's address is Mirakl's own


# -------------------------------------------------------------------------------------------------- offers


async def test_of24_says_of_the_sample_offer_what_the_sample_says() -> None:
    steps = json.loads(reference_file("samples/mirakl/of24_import_lifecycle.json").read_text(encoding="utf-8"))["steps"]
    theirs = steps[0]["request"]["offers"][0]
    request = await mirakl.request_of(CALLS["OF24"][0], json.dumps(steps[0]["response"]["body"]).encode())
    ours, gone = json.loads(request.split(b"\r\n\r\n", 1)[1])["offers"]
    assert set(theirs) <= set(ours)
    assert ours["price"] == 39.95
    assert ours["all_prices"][0]["discount_end_date"] == theirs["all_prices"][0]["discount_end_date"]
    assert (ours["update_delete"], gone["update_delete"]) == ("update", "delete")
    assert "internal_description" not in ours


async def test_money_of_an_offer_travels_as_exact_numbers() -> None:
    exact = msgspec.structs.replace(OFFER, price=Decimal("39.90"), all_prices=UNSET)
    request = await mirakl.request_of(lambda c: c.of24_write_offers([exact]), _IMPORT)
    assert b'"price":39.90,' in request


async def test_a_file_of_offers_has_a_column_for_every_member_and_never_deletes_the_others() -> None:
    request = await mirakl.request_of(*CALLS["OF01"])
    parts = parts_of(*request.split(b"\r\n\r\n", 1))
    assert parts["import_mode"] == b"NORMAL"
    header, offer, gone = table(parts["file"])
    line = dict(zip(header, offer, strict=True))
    assert line["description"] == OFFER.description
    assert line["discount-end-date"] == "2026-03-15T22:59:59Z"
    assert line["price[channel=PRO]"] == "35.00"
    assert line["price-ranges[channel=PRO]"] == "10|33.00"
    assert (line["allow-quote-requests"], line["min-order-quantity"], line["made-in"]) == ("false", "", "PRT")
    assert dict(zip(header, gone, strict=True))["update-delete"] == "delete"


async def test_an_import_that_is_another_one_is_in_doubt_and_one_unknown_is_missing() -> None:
    other = await outcome_of(CALLS["OF02"][0], b'{"import_id":1,"status":"COMPLETE"}')
    assert isinstance(other, Unknown)
    assert isinstance(await outcome_of(CALLS["P42"][0], b'{"import_id":1,"import_status":"SENT"}'), Unknown)
    unknown = await outcome_of(CALLS["PRI02"][0], b'{"data":[]}')
    assert isinstance(unknown, Refused)
    assert unknown.kind is RefusalKind.MISSING
    foreign = await outcome_of(CALLS["PRI02"][0], CALLS["PRI02"][1].replace(b"2001", b"77"))
    assert isinstance(foreign, Refused)
    assert foreign.kind is RefusalKind.CREDENTIALS


@pytest.mark.parametrize("name", ["OF24", "OF01", "P41", "PRI01"])
async def test_an_answer_without_an_import_leaves_a_write_in_doubt(name: str) -> None:
    for answer in (b"{}", b"<html>", b'{"import_id":'):
        assert isinstance(await outcome_of(CALLS[name][0], answer), Unknown)


async def test_the_older_name_of_a_price_import_is_read() -> None:
    assert await value_of(CALLS["PRI01"][0], b'{"importId":"7d98"}') == "7d98"


async def test_the_sample_reports_are_read() -> None:
    steps = json.loads(reference_file("samples/mirakl/of24_import_lifecycle.json").read_text(encoding="utf-8"))["steps"]
    [line] = await value_of(CALLS["OF03"][0], steps[-1]["response"]["body_text"].encode())
    assert (line.line, line.message, line.columns["sku"]) == (2, "The product does not exist", "AW26-GHOST-BLU-S")
    prices = reference_file("samples/mirakl/sto01_pri01_import_lifecycle.json").read_text(encoding="utf-8")
    status = json.dumps(json.loads(prices)["steps"][-1]["response"]["body"]).replace("2310", "2001")
    asked = json.loads(status)["data"][0]["import_id"]
    read = await value_of(lambda c: c.pri02_get_price_import(asked), status.encode())
    assert (read.status, read.offers_updated, read.lines_in_error) == ("COMPLETE", 2, 0)
    ours = parts_of(*(await mirakl.request_of(*CALLS["PRI01"])).split(b"\r\n\r\n", 1))["file"].decode()
    theirs = json.loads(prices)["steps"][4]["request"]["body_text"]
    assert dict.fromkeys(theirs.splitlines()[0].split(";")).keys() <= set(ours.splitlines()[0].split(";"))


# ------------------------------------------------------------------------------------------------- exports


def exported(**members: Any) -> Json:
    return {
        "shop_sku": "VX-100-M",
        "shop_id": 2001,
        "quantity": 4,
        "logistic_class": {"code": "S"},
        "prices": [
            {"origin_price": 62.90, "discount_price": None, "context": None},
            {
                "origin_price": 55.00,
                "context": {"channel_codes": ["PRO"]},
                "volume_prices": [{"quantity_threshold": 5}],
            },
        ],
        "offer_additional_fields": [{"code": "made-in", "value": "PRT"}],
    } | members


async def test_live_offers_are_read_with_their_prices_one_by_one() -> None:
    body = json.dumps([exported(), exported(shop_sku=None), exported(shop_sku="B", new_member={"x": 1})]).encode()
    rows = list(await value_of(lambda c: c.of54_read_live_offers("/files/1"), body))
    assert isinstance(rows[1], UnreadableItem)
    first = rows[0]
    assert isinstance(first, LiveOffer)
    assert first.default_price is not None
    assert first.default_price.origin_price == Decimal("62.9")
    assert first.prices is not None
    assert first.prices[1].channel_codes == ("PRO",)
    assert first.logistic_class_code == "S"
    assert first.lowest_price == Decimal(55)
    assert [row.shop_sku for row in rows if isinstance(row, LiveOffer)] == ["VX-100-M", "B"]


async def test_live_offers_of_another_shop_are_refused_and_a_cut_file_is_no_file() -> None:
    body = json.dumps([exported(), exported(shop_id=77)]).encode()
    foreign = await outcome_of(lambda c: c.of54_read_live_offers("/files/1"), body)
    assert isinstance(foreign, Refused)
    assert foreign.kind is RefusalKind.CREDENTIALS
    assert isinstance(await outcome_of(lambda c: c.of54_read_live_offers("/files/1"), body[:-1]), Unknown)


# ------------------------------------------------------------------------------------------------ products


async def test_reports_of_products_name_product_and_words() -> None:
    body = (
        b'"line number","errors","warnings","ean","name"\n'
        b'"2","1001|Category X, or Y is unknown,1004|A, b","2001|Blurred","1","Pull; c\xc3\xb4tel\xc3\xa9"\n'
    )
    [line] = await value_of(lambda c: c.p47_get_transformation_errors("1", "ean", ","), body)
    assert line.errors == (Words("Category X, or Y is unknown", "1001"), Words("A, b", "1004"))
    assert line.warnings == (Words("Blurred", "2001"),)
    assert (line.line, line.identifier, line.columns) == (2, "1", {"ean": "1", "name": "Pull; côtelé"})
    behind = b'"ean";"name";"errors"\n"1";"Pull";"not wanted here"\n'
    [line] = await value_of(lambda c: c.p44_get_product_errors("1", "ean"), behind)
    assert (line.line, line.errors, line.columns) == (None, (Words("not wanted here"),), {"ean": "1", "name": "Pull"})


@pytest.mark.parametrize("body", [b"", b'"sku";"x"\n"A";"1"\n', b'"ean";"errors"\n"1"\n', b'"errors"\n"x"\n'])
async def test_a_report_of_products_that_cannot_be_split_is_read_again(body: bytes) -> None:
    assert isinstance(await outcome_of(lambda c: c.p44_get_product_errors("1", "ean"), body), Unknown)


async def test_what_became_of_products_is_read_and_nothing_is_204() -> None:
    told = {
        "status": "NOT_LIVE",
        "provider_unique_identifier": "A",
        "unique_identifiers": [{"code": "EAN", "value": "1"}],
        "errors": [
            {
                "code": "MCM-1",
                "message": "rejected",
                "rejection_details": {"reason_code": "R", "reason_label": "Picture", "message": "blurred"},
            }
        ],
    }
    answer = API.response("CM11", 200)
    assert answer is not None
    answer.validate([told])
    [product] = await value_of(CALLS["CM11"][0], json.dumps([told]).encode())
    assert isinstance(product, SourceProduct)
    assert product.errors is not None
    assert product.errors[0].rejection_details is not None
    assert product.errors[0].rejection_details.message == "blurred"
    assert list(await value_of(CALLS["CM11"][0], b"", 204)) == []


@pytest.mark.parametrize(
    ("name", "charged"), [("CM11", {"CM11"}), ("CM11 named", {"CM11"}), ("CM11 full", {"CM11", "CM11.full"})]
)
async def test_each_way_of_asking_what_became_of_products_has_its_own_ceiling(name: str, charged: set[str]) -> None:
    permits = PermitsInMemory()
    async with (
        raw_server(answering(http(200, b"[]"))) as server,
        Transport(server.url, headers=dict, now=lambda: AT) as transport,
    ):
        await CALLS[name][0](MiraklClient(transport, permits, "demo-fr", mirakl.SHOP_ID))
    assert {name for _, name in permits.buckets} == charged


# ------------------------------------------------------------------------------------------ reference data


async def test_attributes_and_lists_are_read() -> None:
    attribute = {
        "code": "colour",
        "type": "LIST",
        "requirement_level": "REQUIRED",
        "hierarchy_code": None,
        "type_parameters": [{"name": "LIST_CODE", "value": "colours"}],
        "roles": [],
        "variant": True,
        "channels": [{"code": "FR"}],
        "label_translations": [],
        "description_translations": [],
    }
    answer = API.response("PM11", 200)
    assert answer is not None
    answer.validate({"attributes": [attribute]})
    read = await value_of(CALLS["PM11"][0], json.dumps({"attributes": [attribute, {"code": "x"}]}).encode())
    assert (read.items[0].list_code, read.items[0].channel_codes) == ("colours", ("FR",))
    assert [bad.id for bad in read.unreadable] == ["x"]
    lists = {"values_lists": [{"code": "colours", "values": [{"code": "C1", "label": None, "label_translations": []}]}]}
    read = await value_of(CALLS["VL11"][0], json.dumps(lists).encode())
    assert [value.code for value in read.items[0].values] == ["C1"]


def test_a_reference_that_cannot_be_asked_for_is_none() -> None:
    for kind, value in (("SHOP_SKU", "A"), ("SKU", "A"), ("EAN", ""), ("EAN", "1,2"), ("EAN", "1|2")):
        with pytest.raises(ValueError, match=r"type|asked"):
            ProductReference(kind, value)


# ------------------------------------------------------------------------------------------------- Centra

CENTRA: dict[str, centra.Call] = {
    "ProductsPage": lambda c: c.page_products(1, 2, sku_from="sku", updated_since=AT),
    "ProductsById": lambda c: c.read_products(1, [210, 211], sku_from="sku"),
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(reference_file("centra-integration.graphql").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CENTRA)
async def test_a_request_to_centra_fits_its_document(schema: GraphQLSchema, name: str) -> None:
    body, _ = await centra.asked(CENTRA[name], b'{"data":null}')
    assert body["operationName"] == name
    document = parse(body["query"])
    assert validate(schema, document) == []
    [node] = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    definitions = node.variable_definitions or ()
    values = get_variable_values(schema, definitions, body["variables"])
    assert not isinstance(values, list), values
    assert set(body["variables"]) == {definition.variable.name.value for definition in definitions}


def sample_products() -> Json:
    """The sample's product, with the variants asked for beside the displays."""
    text = reference_file("samples/centra/products_page.response.json").read_text(encoding="utf-8")
    answer: Json = json.loads(text)
    product = answer["data"]["products"][0]
    product["productVariants"] = [item["productVariant"] for d in product["displays"] for item in d["displayItems"]]
    return answer


async def test_the_sample_product_becomes_a_fact() -> None:
    _, outcome = await centra.asked(CENTRA["ProductsPage"], json.dumps(sample_products()).encode())
    page = centra.value_of(outcome)
    [product] = page.products.items
    assert (page.is_last, page.cut_ids) == (True, ())
    assert (product.number, product.brand, product.country_of_origin) == ("NW1001", "Northwater", "PT")
    assert product.attributes == {"pr_material": (AttributeValue("text", "100% recycled polyamide"),)}
    assert product.weight is not None
    assert product.weight.amount == Decimal("1.2")
    [variant] = product.variants
    first = variant.sizes[0]
    assert (first.sku, first.ean, first.label) == ("NW1001BLKS", "7300000000011", "S")
    assert variant.display is not None
    assert variant.display.prices == {7: Price(Decimal("249.0"), "EUR")}
    assert variant.display.categories == (Category(31, "Jackets", "jackets"),)
    assert variant.display.texts["fr"] == {"name": "Parka Fjord"}
    assert variant.display.texts[OWN]["description"] == "Three-layer parka."


@pytest.mark.parametrize("lost", ["name", "status", "displays", "productVariants"])
async def test_a_product_that_lacks_what_is_needed_holds_itself(lost: str) -> None:
    answer = sample_products()
    odd = {**answer["data"]["products"][0], "id": 211}
    del odd[lost]
    answer["data"]["products"].append(odd)
    _, outcome = await centra.asked(CENTRA["ProductsById"], json.dumps(answer).encode())
    found = centra.value_of(outcome)
    assert [product.product_id for product in found.products.items] == [210]
    assert [bad.id for bad in found.products.unreadable] == ["211"]
    assert found.missing_ids == ()


async def test_a_status_that_is_new_to_us_and_members_that_are_new_do_what_they_should() -> None:
    answer = sample_products()
    product = answer["data"]["products"][0]
    answer["data"]["products"].append({**product, "id": 211, "status": "SUSPENDED", "novelty": [1]})
    _, outcome = await centra.asked(CENTRA["ProductsById"], json.dumps(answer).encode())
    [bad] = centra.value_of(outcome).products.unreadable
    assert "SUSPENDED" in bad.reason


async def test_a_product_with_more_sizes_than_a_page_takes_is_named_to_be_read_alone() -> None:
    answer = sample_products()
    variant = answer["data"]["products"][0]["productVariants"][0]
    variant["productSizes"] = [{**variant["productSizes"][0], "id": n, "SKU": f"S{n}"} for n in range(30)]
    _, outcome = await centra.asked(CENTRA["ProductsPage"], json.dumps(answer).encode())
    page = centra.value_of(outcome)
    assert (page.cut_ids, page.products.items) == ((210,), ())
    alone: centra.Call = lambda c: c.read_products(1, [210], sku_from="sku")  # noqa: E731
    _, outcome = await centra.asked(alone, json.dumps(answer).encode())
    assert len(centra.value_of(outcome).products.items[0].variants[0].sizes) == 30


async def test_products_under_an_error_do_not_look_absent() -> None:
    answer = {"data": {"products": []}, "errors": [{"message": "timeout", "path": ["products"]}]}
    _, outcome = await centra.asked(CENTRA["ProductsById"], json.dumps(answer).encode())
    assert isinstance(outcome, Unknown)
