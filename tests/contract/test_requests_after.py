"""The requests of both clients after the sale: against Mirakl's description, Centra's schema and the samples."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate
from graphql.execution.values import get_variable_values

from app.centra.client import CentraClient
from app.centra.operations import all_operations
from app.centra.returns import NewReturn, ReturnChanged
from app.mirakl.after_schema import (
    CancelationLine,
    Document,
    LineCheck,
    NewShipment,
    Packed,
    Part,
    RefundLine,
    ReturnCheck,
    ReturnDecision,
    Tracking,
)
from app.mirakl.client import MiraklClient
from app.mirakl.documents import DocumentCalls
from app.mirakl.refunds import RefundCalls, RefundRefusal, refund_refusal
from app.mirakl.returns import ReturnCalls
from app.mirakl.shipments import ShipmentCalls
from app.wire.outcome import Applied, NotSent, Outcome, RefusalKind, Refused, Unknown
from app.wire.request import Limits
from app.wire.transport import Transport
from tests.contract import test_requests_catalogue as catalogue
from tests.contract import test_requests_centra as centra
from tests.contract import test_requests_mirakl as mirakl
from tests.contract import test_requests_orders as orders
from tests.contract.reference import mirakl_openapi, reference_file
from tests.permits_in_memory import PermitsInMemory
from tests.raw_server import answering, http, raw_server

API = mirakl_openapi()
Json = dict[str, Any]
DOCUMENT: Json = json.loads(reference_file("mirakl-seller.openapi.json").read_text(encoding="utf-8"))
AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sample(name: str) -> Json:
    found: Json = json.loads(reference_file(f"samples/{name}.json").read_text(encoding="utf-8"))
    return found


def value_of(outcome: Outcome[Any]) -> Any:
    assert isinstance(outcome, Applied), outcome
    return outcome.value


# ------------------------------------------------------------------------------------------------- Mirakl

LINE = "N-1-A-1"
RETURN_ID = "5f000000-0000-4000-8000-000000000009"
REGISTERED = Tracking(carrier_code="POSTNORD", tracking_number="PN 1")
FREE = Tracking(carrier_name="Citybud", tracking_number="CB-1", tracking_url="https://citybud.example/CB-1")
SHIPMENT = NewShipment(order_id="N-1-A", shipment_lines=(Packed(order_line_id=LINE, quantity=2),), tracking=REGISTERED)
TAXES = (Part(code="STATE", amount=Decimal("1.25")), Part(code="STATE", amount=Decimal("0.20")))
REFUND = RefundLine(
    order_line_id=LINE,
    amount=Decimal("19.90"),
    shipping_amount=Decimal(0),
    reason_code="17",
    currency_iso_code="EUR",
    quantity=1,
    taxes=TAXES,
    shipping_taxes=(Part(code="STATE", amount=Decimal("0.00")),),
    excluded_from_shipment=True,
)
CANCELATION = CancelationLine(
    order_line_id=LINE,
    amount=Decimal("19.90"),
    shipping_amount=Decimal("2.45"),
    quantity=1,
    reason_code="35",
    currency_iso_code="EUR",
    taxes=TAXES,
)
PDF = Document("invoice-40321.pdf", b"%PDF-1.7\r\n\x00\xff--not the end")
MADE: Json = {
    "id": "s-1",
    "order_id": "N-1-A",
    "status": "SHIPPING",
    "status_customer_debit": "NO_DEBIT",
    "created_date": "2026-03-02T09:00:00.120Z",
    "last_updated_date": None,
    "shipment_lines": [{"order_line_id": LINE, "quantity": 2}],
}
GIVEN: Json = {"order_line_id": LINE, "amount": 19.9, "shipping_amount": 0, "quantity": 1, "reason_code": "17"}
REFUNDED: Json = {
    "order_tax_mode": "TAX_EXCLUDED",
    "refunds": [
        {**GIVEN, "refund_id": "1110", "order_refund_id": "g-1", "taxes": [{"code": "STATE", "amount": 1.25}]},
    ],
}
CANCELLED: Json = {"order_tax_mode": "TAX_EXCLUDED", "cancelations": [{**GIVEN, "cancelation_id": "1111"}]}
SHIPPED: Json = {"shipment_success": [{"id": "s-1"}], "shipment_errors": []}
STEPPED: Json = {"return_success": [{"id": RETURN_ID}], "return_errors": []}
CHECK = ReturnCheck(
    id=RETURN_ID,
    return_lines=(
        LineCheck(order_line_id=LINE, compliant=True),
        LineCheck(
            order_line_id="N-1-A-2",
            compliant=False,
            non_compliance_reason_code="RETURN_NON_COMPLIANT_DAMAGED_PRODUCT",
            non_compliance_additional_info="Stain on sleeve",
        ),
    ),
)
REJECTED = ReturnDecision(id=RETURN_ID, accepted=False, rejection_reason_code="RETURN_REJECTION_WINDOW_CLOSED")
DR_INPUT: Json = {"request_id": "r-1", "document_number": "F-7", "files": [{"name": PDF.file_name, "format": "PDF"}]}

Write = Callable[..., Awaitable[Any]]
WRITES: dict[str, tuple[Write, Json | None, int]] = {
    "OR23": (lambda c, **kw: c.or23_update_tracking("N-1/A", REGISTERED, **kw), None, 204),
    "OR23 free": (lambda c, **kw: c.or23_update_tracking("N-1/A", FREE, **kw), None, 204),
    "OR24": (lambda c, **kw: c.or24_ship_order("N-1/A", **kw), None, 204),
    "OR28": (lambda c, **kw: c.or28_refund([REFUND], "TAX_EXCLUDED", **kw), REFUNDED, 200),
    "OR30": (lambda c, **kw: c.or30_cancel([CANCELATION], "TAX_EXCLUDED", **kw), CANCELLED, 200),
    "OR64": (lambda c, **kw: c.or64_resolve_incident("N-1/A", "N-1/A-1", "22", **kw), None, 204),
    "OR74": (
        lambda c, **kw: c.or74_upload_document("N-1/A", PDF, "CUSTOMER_INVOICE", **kw),
        {"errors_count": 0, "order_documents": []},
        200,
    ),
    "ST01": (
        lambda c, **kw: c.st01_create_shipment(SHIPMENT, **kw),
        {"shipment_success": [MADE], "shipment_errors": []},
        201,
    ),
    "ST06": (lambda c, **kw: c.st06_delete_shipments(["s-1"], **kw), SHIPPED, 200),
    "ST23": (lambda c, **kw: c.st23_update_tracking({"s-1": FREE}, **kw), SHIPPED, 200),
    "ST24": (lambda c, **kw: c.st24_ship_shipments(["s-1"], **kw), SHIPPED, 200),
    "RT21": (lambda c, **kw: c.rt21_decide_returns([ReturnDecision(id=RETURN_ID, accepted=True)], **kw), STEPPED, 200),
    "RT21 rejected": (lambda c, **kw: c.rt21_decide_returns([REJECTED], **kw), STEPPED, 200),
    "RT25": (lambda c, **kw: c.rt25_receive_returns([RETURN_ID], **kw), STEPPED, 200),
    "RT26": (lambda c, **kw: c.rt26_check_returns([CHECK], **kw), STEPPED, 200),
    "RT27": (lambda c, **kw: c.rt27_close_returns([RETURN_ID], **kw), STEPPED, 200),
    "DR74": (
        lambda c, **kw: c.dr74_upload_document("r-1", PDF, "F-7", **kw),
        {"requests": [{"input": DR_INPUT, "errors": []}]},
        200,
    ),
}
EMPTY: Json = {"data": [], "next_page_token": None}
READS: dict[str, tuple[mirakl.Call, Json]] = {
    "OR72": (lambda c: c.or72_list_documents(["N-1-A", "N 2/B"]), {"order_documents": [], "total_count": 0}),
    "ST11": (lambda c: c.st11_list_shipments(["N-1-A", "N 2/B&c"]), EMPTY),
    "ST11 next": (lambda c: c.st11_list_shipments(["N-1-A"], page_token="a=="), EMPTY),
    "RT11": (lambda c: c.rt11_list_returns(AT), EMPTY),
    "RT11 all": (lambda c: c.rt11_list_returns(), EMPTY),
    "RT11 named": (lambda c: c.rt11_list_returns(return_ids=[RETURN_ID]), EMPTY),
    "RT11 next": (lambda c: c.rt11_list_returns(AT, page_token="a=="), EMPTY),
    "M11": (lambda c: c.m11_list_threads(AT), EMPTY),
    "M11 next": (lambda c: c.m11_list_threads(AT, page_token="a=="), EMPTY),
    "DR11": (lambda c: c.dr11_list_requests(), EMPTY),
    "DR11 orders": (lambda c: c.dr11_list_requests(["N-1-A"]), EMPTY),
}


async def sent(call: Callable[[MiraklClient], Awaitable[Any]], answer: Json | bytes | None, status: int = 200) -> Any:
    """The one request that a call makes (head, body), and what it says of the answer."""
    body = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
    async with raw_server(answering(http(status, body))) as server:
        transport = Transport(
            server.url,
            headers=lambda: {"Authorization": "k-fr"},
            now=lambda: datetime.now(UTC),
            limits=Limits(total_seconds=5.0),
        )
        async with transport:
            outcome = await call(MiraklClient(transport, PermitsInMemory(), "demo-fr", mirakl.SHOP_ID))
        [request] = server.requests
        head, body = request.split(b"\r\n\r\n", 1)
        return head.decode("ascii"), body, outcome


def query_of(head: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(head.split(" ")[1]).query, strict_parsing=True)


def closed(schema: Any) -> Any:
    """A schema whose objects have no other members than those it names."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    return {**inner, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else inner


def check_members(schema: Json, value: Any) -> None:
    whole = closed({**schema, "components": DOCUMENT["components"]})
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(value)


def parts_of(head: str, body: bytes) -> list[Any]:
    """The parts of a multipart body."""
    content_type = re.search(r"(?im)^content-type: (.*)$", head)
    assert content_type is not None
    message = message_from_bytes(b"Content-Type: " + content_type.group(1).strip().encode() + b"\r\n\r\n" + body)
    return [part for part in message.walk() if not part.is_multipart()]


def check_request(code: str, head: str, body: bytes) -> None:
    """Method, path, query and body are those of the operation."""
    method, target, _ = head.split("\r\n")[0].split(" ")
    operation = mirakl.operation_at(DOCUMENT, method, urlsplit(target).path)
    assert operation["operationId"] == code
    known = API.query_parameters(code)
    parameters = [mirakl.resolved(DOCUMENT, node) for node in operation["parameters"]]
    lists = {parameter["name"] for parameter in parameters if parameter["schema"].get("type") == "array"}
    query = query_of(head)
    assert query.pop("shop_id") == [str(mirakl.SHOP_ID)]
    for name, values in query.items():
        if name in ("limit", "max", "offset"):
            known[name].validate(*map(int, values))
        else:
            known[name].validate(values if name in lists else values[0])
    assert "requestBody" in operation or body == b""
    if "requestBody" not in operation:
        return
    [(kind, content)] = operation["requestBody"]["content"].items()
    assert f"content-type: {kind}" in head.lower()
    if kind == "application/json":
        check_members(content["schema"], json.loads(body))
        return
    parts = parts_of(head, body)
    names = [part.get_param("name", header="content-disposition") for part in parts]
    assert sorted(names) == sorted(content["schema"]["properties"])
    for name, part in zip(names, parts, strict=True):
        if name != "files":
            assert part.get_content_type() == "application/json"
            check_members(content["schema"]["properties"][name], json.loads(part.get_payload(decode=True)))


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_is_the_one_the_description_asks_for(name: str) -> None:
    write, answer, status = WRITES[name]
    code = name.split()[0]
    schema = API.response(code, status)
    if schema is not None:
        schema.validate(answer)  # what the test answers is an answer of Mirakl's
    head, body, outcome = await sent(lambda c: write(c, effect_id="771"), answer, status)
    value_of(outcome)
    check_request(code, head, body)
    assert "\r\nx-effect-id: 771" in head.lower()


@pytest.mark.parametrize("name", READS)
async def test_a_read_is_the_one_the_description_asks_for(name: str) -> None:
    read, answer = READS[name]
    code = name.split()[0]
    schema = API.response(code, 200)
    assert schema is not None
    schema.validate(answer)
    head, body, outcome = await sent(read, answer)
    value_of(outcome)
    check_request(code, head, body)


def test_every_call_after_the_sale_is_held_against_the_description() -> None:
    classes = (ShipmentCalls, RefundCalls, ReturnCalls, DocumentCalls)
    methods = {name.split("_")[0] for cls in classes for name in vars(cls) if re.match(r"[a-z]+\d+_", name)}
    assert methods == {name.split()[0].lower() for name in (*WRITES, *READS)}


@pytest.mark.parametrize("name", WRITES)
async def test_no_byte_of_a_write_leaves_after_its_claim(name: str) -> None:
    async with raw_server(answering(http())) as server:
        async with Transport(server.url, headers=dict, now=lambda: AT) as transport:
            client = MiraklClient(transport, PermitsInMemory(), "demo-fr", mirakl.SHOP_ID)
            outcome = await WRITES[name][0](client, usable_until=0.0)
        assert isinstance(outcome, NotSent)
        assert server.requests in ([], [b""])


@pytest.mark.parametrize("name", [name for name, (_, answer, _) in WRITES.items() if answer is not None])
async def test_an_answer_that_is_none_leaves_a_write_in_doubt(name: str) -> None:
    write, answer, status = WRITES[name]
    for body in (b"", b"{", b"<html>Welcome</html>", b'"yes"', json.dumps(answer).encode()[:-2]):
        assert isinstance((await sent(write, body, status))[2], Unknown)
    assert isinstance((await sent(write, answer, 502))[2], Unknown)


@pytest.mark.parametrize("name", ["OR23", "OR24", "OR64"])
async def test_only_204_is_a_yes_where_nothing_else_says_so(name: str) -> None:
    for status in (200, 201, 202):
        assert isinstance((await sent(WRITES[name][0], b"<html>Welcome</html>", status))[2], Unknown)
    assert (await sent(WRITES[name][0], b'{"message":"Astrid"}', 500))[2] == Unknown("HTTP 500")


# ----------------------------------------------------------------------------------- Mirakl: tracking, parcels


async def test_or23_calls_the_url_its_own_name_and_leaves_out_what_is_not_set() -> None:
    _, body, _ = await sent(WRITES["OR23 free"][0], None, 204)
    assert json.loads(body) == {
        "carrier_name": "Citybud",
        "tracking_number": "CB-1",
        "carrier_url": "https://citybud.example/CB-1",
    }
    _, body, _ = await sent(WRITES["OR23"][0], None, 204)
    assert json.loads(body) == {"carrier_code": "POSTNORD", "tracking_number": "PN 1"}
    _, body, _ = await sent(WRITES["ST23"][0], SHIPPED)
    assert json.loads(body)["shipments"][0]["tracking"]["tracking_url"] == "https://citybud.example/CB-1"


async def test_or24_has_no_body_and_says_so() -> None:
    head, body, _ = await sent(WRITES["OR24"][0], None, 204)
    assert head.startswith("PUT /api/orders/N-1%2FA/ship?")
    assert "\r\ncontent-length: 0" in head.lower()
    assert body == b""


async def test_a_created_shipment_is_told_whole() -> None:
    _, body, outcome = await sent(*WRITES["ST01"])
    made = value_of(outcome)
    assert (made.id, made.status, dict(made.units)) == ("s-1", "SHIPPING", {LINE: 2})
    assert "shipped" not in json.loads(body)["shipments"][0]


async def test_an_error_inside_a_yes_is_a_no() -> None:
    case = next(c for c in sample("mirakl/error_responses")["cases"] if c["call"] == "ST01" and c["status"] == 201)
    _, _, outcome = await sent(WRITES["ST01"][0], case["body"], 201)
    assert isinstance(outcome, Refused)
    assert (outcome.status, outcome.kind) == (201, RefusalKind.INVALID)
    assert outcome.reason == "The order status must be 'SHIPPING' but it is 'SHIPPED'."


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"shipment_success": [], "shipment_errors": []},
        {"shipment_success": [MADE, MADE], "shipment_errors": []},
        {"shipment_success": [MADE], "shipment_errors": [{"order_id": "N-1-A", "message": "no"}]},
        {"shipment_success": [{**MADE, "order_id": "N-2-A"}], "shipment_errors": []},
        {"shipment_success": [{**MADE, "id": None}], "shipment_errors": []},
    ],
)
async def test_a_shipment_without_a_plain_yes_or_no_is_in_doubt(answer: Json) -> None:
    assert isinstance((await sent(WRITES["ST01"][0], answer, 201))[2], Unknown)


@pytest.mark.parametrize("name", ["ST01", "ST24", "RT25", "ST11", "RT11", "OR30"])
async def test_a_feature_that_is_off_is_missing(name: str) -> None:
    call = WRITES[name][0] if name in WRITES else READS[name][0]
    _, _, outcome = await sent(call, {"status": 404, "message": "Not Found"}, 404)
    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.MISSING


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        ("shipment", lambda c, ids: c.st24_ship_shipments(ids)),
        ("shipment", lambda c, ids: c.st06_delete_shipments(ids)),
        ("deletion", lambda c, ids: c.st06_delete_shipments(ids)),
        ("shipment", lambda c, ids: c.st23_update_tracking(dict.fromkeys(ids, REGISTERED))),
        ("return", lambda c, ids: c.rt21_decide_returns([ReturnDecision(id=id_, accepted=True) for id_ in ids])),
        ("return", lambda c, ids: c.rt25_receive_returns(ids)),
        ("return", lambda c, ids: c.rt26_check_returns([ReturnCheck(id=i, return_lines=()) for i in ids])),
        ("return", lambda c, ids: c.rt27_close_returns(ids)),
    ],
)
async def test_each_item_of_a_batch_has_its_own_outcome(kind: str, call: Callable[..., Awaitable[Any]]) -> None:
    answer = {
        f"{kind}_success": [{"id": "good"}, {"id": "both"}, {"id": "foreign"}],
        f"{kind}_errors": [{"id": "bad", "message": "Return is in invalid state"}, {"id": "both"}, {"id": "mute"}],
    }
    told = value_of((await sent(lambda c: call(c, ["good", "bad", "mute", "both", "lost"]), answer))[2])
    assert list(told) == ["good", "bad", "mute", "both", "lost"]
    assert told["good"] == Applied(None)
    assert told["bad"] == Refused("Return is in invalid state", 200, RefusalKind.INVALID)
    assert told["mute"] == Refused("no message", 200, RefusalKind.INVALID)
    assert isinstance(told["both"], Unknown)
    assert isinstance(told["lost"], Unknown)


# ---------------------------------------------------------------------------------------------- Mirakl: money


async def test_amounts_travel_as_exact_numbers_and_equal_tax_codes_stay_apart() -> None:
    _, body, outcome = await sent(*WRITES["OR28"])
    assert b'"amount":19.90' in body
    assert json.loads(body, parse_float=Decimal) == {
        "order_tax_mode": "TAX_EXCLUDED",
        "refunds": [
            {
                "order_line_id": LINE,
                "amount": Decimal("19.90"),
                "shipping_amount": 0,
                "reason_code": "17",
                "currency_iso_code": "EUR",
                "quantity": 1,
                "taxes": [
                    {"code": "STATE", "amount": Decimal("1.25")},
                    {"code": "STATE", "amount": Decimal("0.20")},
                ],
                "shipping_taxes": [{"code": "STATE", "amount": Decimal("0.00")}],
                "excluded_from_shipment": True,
            }
        ],
    }
    made = value_of(outcome)
    [refund] = made.refunds
    assert (made.order_tax_mode, refund.refund_id, refund.order_refund_id) == ("TAX_EXCLUDED", "1110", "g-1")
    assert (refund.order_line_id, refund.amount, refund.shipping_amount) == (LINE, Decimal("19.9"), 0)
    assert [(tax.code, tax.amount) for tax in refund.taxes] == [("STATE", Decimal("1.25"))]


@pytest.mark.parametrize(("name", "member"), [("OR28", "refunds"), ("OR30", "cancelations")])
async def test_money_for_other_lines_than_ours_is_in_doubt(name: str, member: str) -> None:
    write, answer, _ = WRITES[name]
    assert answer is not None
    [row] = answer[member]
    for rows in ([], [row, row], [{**row, "order_line_id": "N-1-A-2"}], [{**row, "amount": "NaN"}]):
        assert isinstance((await sent(write, {**answer, member: rows}))[2], Unknown)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("The shop does not have a sufficient payable balance for the refund", RefundRefusal.BALANCE),
        ("The shop does not have a sufficient pending balance for the refund", RefundRefusal.BALANCE),
        ("insufficient payable balance", RefundRefusal.BALANCE),
        ("A refund is already in process on order line 'N-1-A-1'", RefundRefusal.IN_PROCESS),
        ("The customer has not been debited for order 'N-1-A'", RefundRefusal.NOT_DEBITED),
        (
            "The order status must be one of SHIPPING, SHIPPED, TO_COLLECT, RECEIVED but it is 'CLOSED'.",
            RefundRefusal.CLOSED,
        ),
        ("The order status must be one of SHIPPED, CLOSED but it is 'STAGING'.", RefundRefusal.OTHER),
        ("The amount exceeds what is left of order line 'N-1-A-1'", RefundRefusal.OVER),
        ("Refund amount is greater than the remaining amount", RefundRefusal.OVER),
        ("taxes are mandatory for order line 'N-1-A-1'", RefundRefusal.TAXES),
        ("shipping_taxes exceed what is left of order line 'N-1-A-1'", RefundRefusal.TAXES),
        ("The reason code '99' is not valid for REFUND", RefundRefusal.OTHER),
        ("Error with field refunds. Please check the field datatype.", RefundRefusal.OTHER),
    ],
)
async def test_why_a_refund_was_refused_is_read_from_its_words(words: str, kind: RefundRefusal) -> None:
    for body in ({"status": 400, "message": words}, {"errors": [{"code": "X", "message": words}]}):
        _, _, outcome = await sent(WRITES["OR28"][0], body, 400)
        assert isinstance(outcome, Refused)
        assert refund_refusal(outcome) is kind


async def test_why_a_refund_was_refused_may_stand_in_its_code() -> None:
    _, _, outcome = await sent(WRITES["OR28"][0], {"errors": [{"code": "ORDER_CLOSED", "message": "no"}]}, 400)
    assert isinstance(outcome, Refused)
    assert refund_refusal(outcome) is RefundRefusal.CLOSED


# ---------------------------------------------------------------------------------------------- Mirakl: lists


async def test_a_token_is_asked_for_alone() -> None:
    for name in READS:
        head, _, _ = await sent(READS[name][0], READS[name][1])
        query = query_of(head)
        if "next" in name:
            assert query == {"page_token": ["a=="], "shop_id": ["2001"]}
        elif name != "OR72":
            assert query["limit"] == ["100"]
    head, _, _ = await sent(*READS["ST11"])
    assert query_of(head)["order_id"] == ["N-1-A", "N 2/B&c"]
    head, _, _ = await sent(*READS["RT11"])
    assert query_of(head)["return_last_updated_from"] == ["2026-03-02T08:00:00Z"]
    head, _, _ = await sent(*READS["OR72"])
    assert query_of(head)["order_ids"] == ["N-1-A,N 2/B"]


async def test_a_page_that_leads_to_itself_is_no_page() -> None:
    answer = {"data": [], "next_page_token": "a=="}
    assert isinstance((await sent(READS["ST11 next"][0], answer))[2], Unknown)
    assert value_of((await sent(READS["ST11"][0], answer))[2]).next_token == "a=="


@pytest.mark.parametrize(
    ("call", "charged"),
    [
        (lambda c: c.rt11_list_returns(AT), "RT11"),
        (lambda c: c.rt11_list_returns(AT, page_token="a=="), "RT11.page"),
        (lambda c: c.rt11_list_returns(return_ids=[RETURN_ID]), "RT11.read"),
    ],
)
async def test_each_way_of_listing_returns_has_its_own_ceiling(call: mirakl.Call, charged: str) -> None:
    permits = PermitsInMemory()
    async with raw_server(answering(http(429, b"{}", "Retry-After: 30"))) as server:
        async with Transport(server.url, headers=dict, now=lambda: AT) as transport:
            client = MiraklClient(transport, permits, "demo-fr", 2001)
            first, second = await call(client), await call(client)
        assert len(server.requests) == 1
    assert isinstance(first, NotSent)
    assert first.turned_away
    assert isinstance(second, NotSent)
    assert {name for _, name in permits.buckets} == {charged}


async def test_the_sample_of_shipments_is_read() -> None:
    page = value_of((await sent(READS["ST11"][0], sample("mirakl/st11_shipments_page")))[2])
    assert (page.next_token, page.rows.unreadable) == (None, ())
    first, second, third = page.rows.items
    assert [shipment.status for shipment in page.rows.items] == ["SHIPPED", "SHIPPING", "SHIPMENT_PREPARED"]
    assert first.shipped_date == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert (first.tracking.carrier_code, first.tracking.tracking_number) == ("POSTNORD", "PN00499990001SE")
    assert dict(second.units) == {"NMK-70398110-A-1": 1, "NMK-70398110-A-2": 1}
    assert second.tracking is None
    assert (third.tracking.carrier_code, third.tracking.carrier_name) == (None, "Citybud")


async def test_the_sample_of_returns_is_read() -> None:
    page = value_of((await sent(READS["RT11"][0], sample("mirakl/rt11_returns_page")))[2])
    assert page.next_token == "bGltaXQ9MyZhZnRlcj0yMDI2LTAyLTAyVDE4OjIyOjEwWg=="
    assert page.rows.unreadable == ()
    waiting, received, rejected = page.rows.items
    assert [r.state for r in page.rows.items] == ["WAITING_ACCEPTANCE", "RECEIVED", "REFUSED"]
    assert [line.compliant for line in waiting.return_lines] == [None]
    assert [(line.quantity, line.compliant) for line in received.return_lines] == [(2, True), (1, False)]
    assert (rejected.rejection_reason_code, rejected.return_lines[0].compliant) == (
        "RETURN_REJECTION_WINDOW_CLOSED",
        None,
    )
    assert received.rma == "RMA-2026-00417"


async def test_a_thread_says_since_when_it_waits_and_nothing_of_the_buyer() -> None:
    side = {"display_name": "Astrid Lindqvist", "type": "CUSTOMER"}
    sender = {"display_name": "Astrid Lindqvist", "type": "CUSTOMER_USER"}
    waits: Json = {
        "last_message_date": "2026-03-02T08:00:00Z",
        "last_sender": sender,
        "shop_reply_needed_since": "2026-03-02T07:00:00Z",
        "total_count": 2,
    }
    thread: Json = {
        "authorized_participants": [side],
        "current_participants": [side],
        "date_created": "2026-03-01T07:00:00Z",
        "date_updated": "2026-03-02T08:00:00Z",
        "entities": [{"id": "N-1-A", "label": "N-1-A", "type": "MMP_ORDER"}],
        "id": "t-1",
        "metadata": waits,
        "topic": {"type": "FREE_TEXT", "value": "Where is Astrid's coat"},
    }
    answered = {**thread, "id": "t-2", "metadata": {**waits, "shop_reply_needed_since": None}}
    answer = {"data": [thread, answered], "next_page_token": "n"}
    schema = API.response("M11", 200)
    assert schema is not None
    schema.validate(answer)
    page = value_of((await sent(READS["M11"][0], answer))[2])
    assert [t.metadata.shop_reply_needed_since for t in page.rows.items] == [AT - HOUR, None]
    assert [(e.type, e.id) for e in page.rows.items[0].entities] == [("MMP_ORDER", "N-1-A")]
    assert "Astrid" not in repr(page)


async def test_one_odd_row_of_a_list_holds_itself() -> None:
    rows = sample("mirakl/rt11_returns_page")["data"]
    del rows[1]["state"]
    page = value_of((await sent(READS["RT11"][0], {"data": rows}))[2])
    assert [row.state for row in page.rows.items] == ["WAITING_ACCEPTANCE", "REFUSED"]
    assert [(bad.index, bad.id) for bad in page.rows.unreadable] == [(1, rows[1]["id"])]


# ------------------------------------------------------------------------------------------ Mirakl: documents


async def test_a_document_travels_as_it_is_beside_its_description() -> None:
    head, body, _ = await sent(*WRITES["OR74"])
    file, described = parts_of(head, body)
    assert (file.get_filename(), file.get_content_type()) == ("invoice-40321.pdf", "application/pdf")
    assert file.get_payload(decode=True) == PDF.content
    assert described.get_filename() is None
    assert json.loads(described.get_payload(decode=True)) == {
        "order_documents": [{"file_name": "invoice-40321.pdf", "type_code": "CUSTOMER_INVOICE"}]
    }
    head, body, _ = await sent(*WRITES["DR74"])
    assert json.loads(parts_of(head, body)[1].get_payload(decode=True)) == {"requests": [DR_INPUT]}


@pytest.mark.parametrize("name", ["OR74", "DR74"])
async def test_a_document_that_was_not_taken_is_refused(name: str) -> None:
    errors = [{"code": "FILE_NAME_DUPLICATED", "field": "file_name", "message": "The order has it already"}]
    answers: Json = {
        "OR74": {"errors_count": 1, "order_documents": [{"input": {"file_name": PDF.file_name}, "errors": errors}]},
        "DR74": {"requests": [{"input": DR_INPUT, "errors": errors}]},
    }
    _, _, outcome = await sent(WRITES[name][0], answers[name])
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.kind) == ("The order has it already", RefusalKind.INVALID)
    assert [(error.code, error.place) for error in outcome.errors] == [("FILE_NAME_DUPLICATED", "file_name")]


async def test_a_document_whose_failure_is_only_counted_is_refused_and_an_answer_to_none_is_in_doubt() -> None:
    _, _, counted = await sent(WRITES["OR74"][0], {"errors_count": 1, "order_documents": []})
    assert isinstance(counted, Refused)
    assert isinstance((await sent(WRITES["DR74"][0], {"requests": []}))[2], Unknown)


async def test_what_cannot_be_asked_is_not_asked() -> None:
    async with Transport("http://127.0.0.1:9", headers=dict, now=lambda: AT) as transport:
        client = MiraklClient(transport, PermitsInMemory(), "demo-fr", 2001)
        for call in (
            client.or28_refund([], "TAX_INCLUDED"),
            client.st24_ship_shipments([]),
            client.st24_ship_shipments(["s"] * 1001),
            client.rt25_receive_returns(["r"] * 101),
            client.st11_list_shipments([]),
            client.rt11_list_returns(return_ids=["r"] * 101),
            client.or72_list_documents(["N-1,A"]),
            client.rt11_list_returns(AT.replace(tzinfo=None)),
        ):
            with pytest.raises(ValueError, match=r"items in one call|comma|zone"):
                await call


# ------------------------------------------------------------------------------------------------- Centra

NEW = NewReturn(
    shipment_id=7788,
    units={55010: 1},
    currency="EUR",
    comment="Marketplace return 77310",
    external_id="mirakl:return:77310",
)
CENTRA: dict[str, centra.Call] = {
    "OrderAfterSale": lambda c: c.read_after_sale([40321]),
    "CreateReturn": lambda c: c.create_return(NEW),
    "CompleteReturn": lambda c: c.complete_return(612),
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


def test_every_document_of_the_folder_is_used_by_a_method() -> None:
    asked = {*centra.CALLS, *orders.CENTRA, *CENTRA, *catalogue.CENTRA}
    assert {operation.name for operation in all_operations()} == asked


def with_comments(lines: list[Json]) -> list[Json]:
    """The samples select no comment, which is where the marketplace's line id stands."""
    for line in lines:
        line["orderLine"]["comment"] = f" Order_00012-A-{line['orderLine']['id'] - 90010} "
    return lines


def order_with(**members: Any) -> Json:
    """An order of Centra with its parcels and returns, from the samples."""
    order = sample("centra/order_by_id.response")["data"]["order"]
    for line in order["lines"]:
        line.setdefault("cancelledQuantity", 0)
    for shipment in order["shipments"]:
        shipment["order"] = {"number": order["number"]}
    return {**order, "returns": [], **members}


async def read_after_sale(*rows: Json | None, **members: Any) -> Any:
    answer = json.dumps({"data": {"orders": list(rows)}, **members}).encode()
    return value_of((await centra.asked(CENTRA["OrderAfterSale"], answer))[1])


async def test_a_place_under_an_error_does_not_look_absent() -> None:
    body, _ = await centra.asked(CENTRA["OrderAfterSale"], b'{"data":null}')
    assert body["variables"] == {"numbers": [40321], "limit": 1}
    errors = [{"message": "boom", "path": ["orders", 1]}]
    read = await read_after_sale(order_with(), None, {"number": 5}, errors=errors)
    assert [order.number for order in read.items] == [40321]
    assert [(bad.index, bad.id) for bad in read.unreadable] == [(2, "5"), (1, "")]
    assert "boom" in read.unreadable[1].reason


async def test_the_samples_of_parcels_are_read() -> None:
    shipped = sample("centra/shipment_complete.response")["data"]["completeShipment"]["shipment"]
    with_comments(shipped["lines"])
    bare = sample("centra/shipment_create.response")["data"]["createShipment"]["shipment"]
    [order] = (await read_after_sale(order_with(shipments=[shipped, bare]))).items
    one, packed = order.shipments
    assert (one.id, one.number, one.order.number, one.is_shipped) == (7788, "40321-1", 40321, True)
    assert (one.carrier, one.service, one.tracking_number) == ("Colissimo", "Home", "XX000000012FR")
    assert one.shipped_at == datetime(2025, 3, 4, 13, 20, tzinfo=UTC)
    assert [(line.comment, line.quantity) for line in one.lines] == [("Order_00012-A-1", 2)]
    assert (packed.carrier, packed.service, packed.tracking_number, packed.shipped_at) == ("", "", None, None)


async def test_the_sample_of_centras_returns_is_read() -> None:
    [row] = sample("centra/returns_since.response")["data"]["returns"]
    with_comments(row["lines"])
    entry: Json = {"id": 66020, "entryType": "REFUND", "status": "SUCCESS", "externalReference": None}
    row["refundPaymentHistory"] = [{**entry, "value": {"value": 249.0, "currency": {"code": "EUR"}}}]
    [order] = (await read_after_sale(order_with(returns=[row]))).items
    [found] = order.returns
    assert (found.id, found.return_status, found.order.number) == (612, "COMPLETED", 40321)
    assert (found.shipment.id, found.external_id, found.comment) == (7788, None, "Too small")
    assert (found.grand_total.value, found.currency_code) == (Decimal("249.0"), "EUR")
    assert (found.totals.shipping.value, found.totals.return_cost.value) == (0, 0)
    assert found.created_at == datetime(2025, 3, 12, 10, 5, 30, tzinfo=UTC)
    assert [(line.id, line.comment, line.quantity, line.line_value.value) for line in found.lines] == [
        (4401, "Order_00012-A-1", 1, Decimal("249.0"))
    ]
    assert [(e.id, e.entry_type, e.value.value) for e in found.refund_payment_history] == [(66020, "REFUND", 249)]


async def test_cancelled_units_are_counted_whichever_way_centra_counts_them() -> None:
    def line(quantity: int, cancelled: int) -> Json:
        return {"id": 1, "quantity": quantity, "cancelledQuantity": cancelled, "comment": " A-1 "}

    for status, lines, units in (
        ("CONFIRMED", [line(1, 2)], {"A-1": 2}),
        ("CONFIRMED", [line(3, 0)], {}),
        ("CANCELLED", [line(3, 0)], {"A-1": 3}),
        ("CANCELLED", [line(3, 3)], {"A-1": 3}),
        ("CONFIRMED", [line(1, 1), line(0, 2)], {"A-1": 3}),
    ):
        [order] = (await read_after_sale(order_with(status=status, lines=lines, shipments=[]))).items
        assert order.cancelled == units


async def test_a_return_to_make_is_the_sample_of_one() -> None:
    answer = json.dumps(sample("centra/return_create.response")).encode()
    body, outcome = await centra.asked(CENTRA["CreateReturn"], answer)
    assert body["variables"] == sample("centra/return_create.variables")
    assert value_of(outcome) == ReturnChanged(612, "PENDING")


async def test_costs_of_a_return_travel_as_exact_numbers_and_its_goods_may_leave_the_stock() -> None:
    costly = NewReturn(
        shipment_id=7788,
        units={55010: 1, 55011: 2},
        currency="EUR",
        release=False,
        shipping_cost=Decimal("6.90"),
        return_cost=Decimal("1E+1"),
    )
    body, _ = await centra.asked(lambda c: c.create_return(costly), b'{"data":null}')
    given = body["variables"]["input"]
    assert given["returnStockActionPolicy"] == {"removeItemsFromStock": True}
    assert given["shippingCost"] == {"value": {"value": 6.9, "currencyIsoCode": "EUR"}}
    assert given["returnCost"] == {"value": 10, "currencyIsoCode": "EUR"}
    assert "externalId" not in given
    assert [line["shipmentLine"]["id"] for line in given["lines"]] == [55010, 55011]


async def test_the_sample_of_a_completed_return_is_read() -> None:
    answer = json.dumps(sample("centra/return_complete.response")).encode()
    body, outcome = await centra.asked(CENTRA["CompleteReturn"], answer)
    assert body["variables"] == {"id": 612}
    assert value_of(outcome) == ReturnChanged(612, "COMPLETED")


@pytest.mark.parametrize(("name", "member"), [("CreateReturn", "createReturn"), ("CompleteReturn", "completeReturn")])
async def test_user_errors_refuse_a_return_and_an_empty_payload_is_in_doubt(name: str, member: str) -> None:
    empty: Json = {"return": None, "userErrors": [], "userWarnings": []}
    refusal = {**empty, "userErrors": [{"message": "costs exceed what remains", "path": ["input", "shippingCost"]}]}
    for payload, kind in ((refusal, Refused), (empty, Unknown), ({"return": None}, Unknown)):
        _, outcome = await centra.asked(CENTRA[name], json.dumps({"data": {member: payload}}).encode())
        assert isinstance(outcome, kind)
        if isinstance(outcome, Refused):
            assert outcome.kind is RefusalKind.USER_ERRORS
            assert outcome.errors[0].place == "input.shippingCost"


async def test_too_many_or_no_ids_are_not_asked_and_a_cost_is_an_amount() -> None:
    async with Transport("http://127.0.0.1:9", headers=dict, now=lambda: AT) as transport:
        client = CentraClient(transport, PermitsInMemory(), "source")
        for count in (0, 51):
            with pytest.raises(ValueError, match="between 1 and 50"):
                await client.read_after_sale(range(count))
        for odd in ("-1", "NaN"):
            with pytest.raises(ValueError, match="0 or more"):
                await client.create_return(
                    NewReturn(shipment_id=1, units={1: 1}, currency="EUR", shipping_cost=Decimal(odd))
                )
