"""Every request the Mirakl client makes, held against Mirakl's own API description."""

import csv
import io
import json
import os
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest

from app.mirakl import schema
from app.mirakl.client import MiraklClient
from app.mirakl.quotas import ceiling_of, codes, longest_wait_seconds, spacing_seconds
from app.mirakl.ratings import RatingCalls
from app.wire.outcome import Applied
from app.wire.request import Limits
from app.wire.transport import Transport
from tests.permits_in_memory import PermitsInMemory
from tests.raw_server import answering, http, raw_server

REFERENCE = Path(os.environ.get("CENTRA_MIRAKL_REFERENCE") or Path(__file__).parents[2].parent / "shared" / "reference")
DOCUMENT = REFERENCE / "mirakl-seller.openapi.json"
pytestmark = pytest.mark.skipif(
    not DOCUMENT.exists(), reason=f"NOT CHECKED against Mirakl's API description: no {DOCUMENT.name} found"
)
SHOP_ID = 2001
Json = dict[str, Any]
Call = Callable[[MiraklClient], Awaitable[object]]

CALLS: dict[str, tuple[Call, bytes]] = {
    "V01": (lambda c: c.v01_check_version(), b"anything"),
    "A01": (lambda c: c.a01_get_account(), b'{"shop_id":2001}'),
    "A21": (lambda c: c.a21_get_statistics(), b'{"shop_id":2001}'),
    "PC01": (lambda c: c.pc01_get_configuration(), b"{}"),
    "AF01": (lambda c: c.af01_list_additional_fields(), b'{"additional_fields":[]}'),
    "OF61": (lambda c: c.of61_list_offer_states(), b'{"offer_states":[]}'),
    "SH21": (lambda c: c.sh21_list_carriers(), b'{"carriers":[]}'),
    "SH12": (lambda c: c.sh12_list_shipping_types(), b'{"shipping_types":[]}'),
    "RE01": (lambda c: c.re01_list_reasons(), b'{"reasons":[]}'),
    "OR75": (lambda c: c.or75_list_taxes(), b'{"taxes":[]}'),
    "STO01": (
        lambda c: c.sto01_import_stock(
            [schema.StockLine("VX-100-M", 4), schema.StockLine('q"u;o\nte', 0, "LODZ-2")], effect_id="771"
        ),
        b'{"import_id":"5f3c"}',
    ),
    "STO02": (
        lambda c: c.sto02_get_stock_import("5f/3c"),
        b'{"import_id":"5f/3c","status":"WAITING","shop_id":2001}',
    ),
    "STO03": (
        lambda c: c.sto03_get_stock_import_errors("5f/3c"),
        b'"error-line";"error-message";"offer-sku"\n"2";"gone";"A"\n',
    ),
    "OF52": (
        lambda c: c.of52_export_offers(datetime(2026, 3, 2, 8, 0, 0, 418_000, tzinfo=UTC)),
        b'{"tracking_id":"t1"}',
    ),
    "OF52 full": (lambda c: c.of52_export_offers(None), b'{"tracking_id":"t1"}'),
    "OF53": (lambda c: c.of53_get_export("t1"), b'{"status":"PENDING"}'),
}


@pytest.fixture(scope="module")
def document() -> Json:
    found: Json = json.loads(DOCUMENT.read_text())
    return found


async def request_of(call: Call, answer: bytes) -> bytes:
    """The one request a client method makes; its answer must be taken."""
    async with raw_server(answering(http(200, answer, content_type="application/octet-stream"))) as server:
        transport = Transport(
            server.url,
            headers=lambda: {"Authorization": "k-fr"},
            now=lambda: datetime.now(UTC),
            limits=Limits(total_seconds=5.0),
        )
        async with transport:
            outcome = await call(MiraklClient(transport, PermitsInMemory(), "demo-fr", SHOP_ID))
        assert isinstance(outcome, Applied), outcome
        [request] = server.requests
        return request


def resolved(document: Json, node: Json) -> Json:
    while "$ref" in node:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operation_at(document: Json, method: str, path: str) -> Json:
    """The operation a request reaches; an exact path goes before a template."""
    for template, operations in sorted(document["paths"].items(), key=lambda item: "{" in item[0]):
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            operation: Json = operations[method.lower()]
            return operation
    raise AssertionError(f"no operation for {method} {path}")


@pytest.mark.parametrize("name", CALLS)
async def test_a_request_is_the_one_the_description_asks_for(document: Json, name: str) -> None:
    request = await request_of(*CALLS[name])
    head, body = request.split(b"\r\n\r\n", 1)
    lines = head.decode("ascii").split("\r\n")
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:]}
    method, target, _ = lines[0].split(" ")
    url = urlsplit(target)
    operation = operation_at(document, method, url.path)

    assert operation["operationId"] == name.split()[0]
    assert headers["authorization"] == "k-fr"
    check_query(document, operation, parse_qsl(url.query, strict_parsing=True))
    check_body(document, operation, headers.get("content-type", ""), body)


def check_query(document: Json, operation: Json, query: list[tuple[str, str]]) -> None:
    parameters = {
        p["name"]: p
        for p in (resolved(document, node) for node in operation.get("parameters", []))
        if p["in"] == "query"
    }
    assert ("shop_id", str(SHOP_ID)) in query
    for name, value in query:
        assert name in parameters, name
        wanted = parameters[name]["schema"]
        jsonschema.validate(int(value) if wanted["type"] == "integer" else value, wanted)
    missing = [n for n, p in parameters.items() if p.get("required") and n not in dict(query)]
    assert not missing


def check_body(document: Json, operation: Json, content_type: str, body: bytes) -> None:
    if "requestBody" not in operation:
        assert body == b""
        return
    content = operation["requestBody"]["content"]
    kind = content_type.split(";")[0]
    assert kind in content
    if kind == "application/json":
        wanted = {**resolved(document, content[kind]["schema"]), "components": document["components"]}
        jsonschema.Draft202012Validator(
            {**wanted, "additionalProperties": False}, format_checker=jsonschema.FormatChecker()
        ).validate(json.loads(body))
    else:
        check_file(content[kind], content_type, body)


def check_file(content: Json, content_type: str, body: bytes) -> None:
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = [part for part in message.walk() if not part.is_multipart()]
    names = [part.get_param("name", header="content-disposition") for part in parts]
    assert names == list(content["schema"]["properties"])
    payload = parts[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    text = payload.decode("utf-8")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=content["x-csv"]["delimiter"]))
    assert rows[0] == content["x-csv"]["columns"]
    assert rows[1:] == [["VX-100-M", "4", "", ""], ['q"u;o\nte', "0", "LODZ-2", ""]]


def test_every_client_method_is_held_against_the_description() -> None:
    methods = {name for of in (MiraklClient, RatingCalls) for name in vars(of) if re.match(r"[a-z]+\d+_", name)}
    checked = {name.split()[0].lower() for name in CALLS}
    assert {name.split("_")[0] for name in methods} == checked


def test_the_quotas_are_the_published_ones(document: Json) -> None:
    named = {code.split(".")[0] for code in codes()}
    for operations in document["paths"].values():
        for operation in operations.values():
            code, frequency = operation["operationId"], operation.get("x-call-frequency") or {}
            if code not in named:
                continue
            found = ceiling_of("OR11.pass" if code == "OR11" else code)
            if code == "OR07":
                assert (found.interval_seconds, found.calls) == (3600, 60)
            elif "max_interval_s" in frequency:
                assert found.spacing_seconds == frequency["max_interval_s"], code
                assert not found.modest
            elif "max_calls_per_second" in frequency:
                assert found.spacing_seconds == 1 / frequency["max_calls_per_second"]
            elif "max_calls_per_hour" in frequency:
                assert found.spacing_seconds == 3600 / frequency["max_calls_per_hour"]
            else:
                assert found.modest, code


def test_calls_are_spaced_a_little_wider_than_the_ceiling() -> None:
    assert spacing_seconds("STO01") == pytest.approx(61.2)
    assert spacing_seconds("OR31") == pytest.approx(0.3)
    assert spacing_seconds("STO01", scale=60.0) == pytest.approx(66.0)
    assert spacing_seconds("OR11.pass", "external_partner") == pytest.approx(918.0)
    assert longest_wait_seconds("SH21") == 26 * 3600
    assert longest_wait_seconds("STO01") == 3600


@pytest.mark.parametrize(
    ("sample", "member", "type_"),
    [("sh21_carriers", "carriers", schema.Carrier), ("re01_reasons", "reasons", schema.Reason)],
)
def test_sample_lists_are_read_whole(sample: str, member: str, type_: type) -> None:
    body = json.loads((REFERENCE / "samples" / "mirakl" / f"{sample}.json").read_text())
    read = msgspec.convert(body[member], list[type_], strict=False)  # type: ignore[valid-type]
    assert [row.code for row in read] == [row["code"] for row in body[member]]  # type: ignore[attr-defined]


def test_the_sample_configuration_is_read() -> None:
    body = (REFERENCE / "samples" / "mirakl" / "pc01_platform_configuration.json").read_bytes()
    read = msgspec.json.decode(body, type=schema.PlatformConfiguration, strict=False)
    assert read.features is not None
    assert read.features.order_workflows is not None
    assert read.features.order_workflows.order_acceptance == "NOT_AUTOMATIC"
    assert read.features.shipment is not None
    assert read.features.shipment.multi_shipment is True
    assert read.timezone == "Europe/Stockholm"
