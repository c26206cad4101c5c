"""The requests of both clients about orders: against Mirakl's description, Centra's schema and the samples."""

import json
import os
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate
from graphql.execution.values import get_variable_values

from app.centra import order_api
from app.centra.client import CentraClient
from app.centra.order_api import (
    ApiAddress,
    ApiProduct,
    Completion,
    CreatedOrder,
    CreateOrder,
    OrderApi,
    Payment,
    PaymentEntry,
    failure_code,
)
from app.mirakl.client import MiraklClient
from app.mirakl.order_schema import OrderPage, OrderQuery
from app.mirakl.orders import OrderCalls, refusal_code
from app.wire.outcome import Applied, NotSent, Outcome, RefusalKind, Refused, Unknown
from app.wire.request import Limits
from app.wire.transport import Transport
from tests.contract import test_requests_centra as centra
from tests.contract import test_requests_mirakl as mirakl
from tests.permits_in_memory import PermitsInMemory
from tests.raw_server import answering, http, raw_server

REFERENCE = Path(os.environ.get("CENTRA_MIRAKL_REFERENCE") or Path(__file__).parents[2].parent / "shared" / "reference")
pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason=f"NOT CHECKED: no reference at {REFERENCE}")
Json = dict[str, Any]
AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sample(name: str) -> bytes:
    return (REFERENCE / "samples" / "centra" / f"{name}.json").read_bytes()


def value_of(outcome: Outcome[Any]) -> Any:
    assert isinstance(outcome, Applied), outcome
    return outcome.value


# ------------------------------------------------------------------------------------------------- Mirakl

PAGE = b'{"orders":[],"total_count":0}'
MIRAKL: dict[str, tuple[mirakl.Call, bytes, int]] = {
    "OR11 window": (
        lambda c: c.or11_list_orders(OrderQuery(AT, AT + HOUR, ("WAITING_ACCEPTANCE", "SHIPPING"), offset=100)),
        b'{"orders":[],"total_count":100}',
        200,
    ),
    "OR11 ids": (lambda c: c.or11_list_orders(OrderQuery(order_ids=("N-1-A", "N 2/B+"))), PAGE, 200),
    "OR13": (lambda c: c.or13_export_orders(AT, AT + HOUR, states=("SHIPPING",)), b'{"tracking_id":"t"}', 200),
    "OR13 created": (lambda c: c.or13_export_orders(AT, AT + HOUR, by_creation=True), b'{"tracking_id":"t"}', 200),
    "OR14": (lambda c: c.or14_get_export("t/1"), b'{"status":"COMPLETED","urls":["https://x.example/1"]}', 200),
    "OR21": (lambda c: c.or21_accept_order("N-1/A", {"N-1-A-1": True, "N-1-A-2": False}), b"", 204),
    "OR04": (lambda c: c.or04_update_references({"N-1-A": "40321"}), b'{"updated_orders":[]}', 200),
    "OR29": (lambda c: c.or29_cancel_order("N-1/A"), b"", 204),
}


@pytest.fixture(scope="module")
def document() -> Json:
    found: Json = json.loads((REFERENCE / "mirakl-seller.openapi.json").read_text())
    return found


async def sent_to_mirakl(call: mirakl.Call, answer: bytes, status: int = 200) -> tuple[bytes, Any]:
    async with raw_server(answering(http(status, answer))) as server:
        transport = Transport(
            server.url,
            headers=lambda: {"Authorization": "k-fr"},
            now=lambda: datetime.now(UTC),
            limits=Limits(total_seconds=5.0),
        )
        async with transport:
            outcome = await call(MiraklClient(transport, PermitsInMemory(), "demo-fr", mirakl.SHOP_ID))
        return server.requests[0], outcome


@pytest.mark.parametrize("name", MIRAKL)
async def test_a_request_to_mirakl_is_the_one_the_description_asks_for(document: Json, name: str) -> None:
    call, answer, status = MIRAKL[name]
    request, outcome = await sent_to_mirakl(call, answer, status)
    assert isinstance(outcome, Applied), outcome
    head, body = request.split(b"\r\n\r\n", 1)
    lines = head.decode("ascii").split("\r\n")
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:]}
    method, target, _ = lines[0].split(" ")
    url = urlsplit(target)
    operation = mirakl.operation_at(document, method, url.path)
    assert operation["operationId"] == name.split()[0]
    mirakl.check_query(document, operation, parse_qsl(url.query, strict_parsing=True))
    mirakl.check_body(document, operation, headers.get("content-type", ""), body)
    assert not operation.get("x-requires-content-length-0") or headers["content-length"] == "0"


def test_every_order_call_is_held_against_the_description() -> None:
    methods = {name.split("_")[0] for name in vars(OrderCalls) if re.match(r"[a-z]+\d+_", name)}
    checked = {name.split()[0].lower() for name in MIRAKL} | {"or15"}  # OR15's address is Mirakl's own
    assert methods == checked


async def test_a_page_is_asked_for_oldest_first_with_its_window_and_place() -> None:
    call, answer, _ = MIRAKL["OR11 window"]
    request, _ = await sent_to_mirakl(call, answer)
    query = dict(parse_qsl(urlsplit(request.split(b" ")[1].decode()).query))
    assert query == {
        "start_update_date": "2026-03-02T08:00:00Z",
        "end_update_date": "2026-03-02T09:00:00Z",
        "order_state_codes": "WAITING_ACCEPTANCE,SHIPPING",
        "sort": "dateCreated",
        "order": "asc",
        "max": "100",
        "offset": "100",
        "shop_id": "2001",
    }


@pytest.mark.parametrize(
    ("call", "charged"),
    [
        (lambda c: c.or11_list_orders(OrderQuery(AT, AT)), {"OR11.pass"}),
        (lambda c: c.or11_list_orders(OrderQuery(AT, AT, offset=100), opens=False), {"OR11.page"}),
        (lambda c: c.or11_list_orders(OrderQuery(order_ids=("N-1-A",)), opens=True), {"OR11.read"}),
        (lambda c: c.or13_export_orders(AT, AT), {"OR13"}),
        (lambda c: c.or13_export_orders(AT, AT, by_creation=True), {"OR13", "OR13.full"}),
        (lambda c: c.or21_accept_order("N-1-A", {"1": True}), {"OR21"}),
    ],
)
async def test_each_way_of_a_call_spends_its_own_ceiling_and_a_429_closes_it(
    call: mirakl.Call, charged: set[str]
) -> None:
    permits = PermitsInMemory()
    async with raw_server(answering(http(429, b"{}", "Retry-After: 30"))) as server:
        async with Transport(server.url, headers=dict, now=lambda: datetime.now(UTC)) as transport:
            client = MiraklClient(transport, permits, "demo-fr", 2001)
            first, second = await call(client), await call(client)
        assert len(server.requests) == 1
    assert isinstance(first, NotSent)
    assert first.turned_away
    assert isinstance(second, NotSent)
    assert {name for _, name in permits.buckets} == charged


async def test_acceptance_names_each_line_once_with_its_decision() -> None:
    request, _ = await sent_to_mirakl(*MIRAKL["OR21"])
    assert request.startswith(b"PUT /api/orders/N-1%2FA/accept?shop_id=2001 ")
    assert json.loads(request.split(b"\r\n\r\n", 1)[1]) == {
        "order_lines": [{"id": "N-1-A-1", "accepted": True}, {"id": "N-1-A-2", "accepted": False}]
    }


async def test_a_page_of_some_proxy_is_no_acceptance() -> None:
    for name in ("OR21", "OR29"):
        _, outcome = await sent_to_mirakl(MIRAKL[name][0], b"<html>Welcome</html>", 200)
        assert isinstance(outcome, Unknown)


@pytest.mark.parametrize(
    "body",
    [
        b'{"status":400,"message":"no","errors":[{"code":"ORDER_INVALID_STATE","field":"x","message":"not now"}]}',
        b'{"status":400,"message":"ORDER_INVALID_STATE: the order is not in the expected state"}',
        b'{"errors":[{"message":"refused (ORDER_INVALID_STATE)"}]}',
        b'{"status":400,"code":"ORDER_INVALID_STATE","message":"not now"}',
        b"ORDER_INVALID_STATE",
    ],
)
async def test_the_word_of_a_refusal_is_found_wherever_it_stands(body: bytes) -> None:
    _, outcome = await sent_to_mirakl(MIRAKL["OR21"][0], body, 400)
    assert isinstance(outcome, Refused)
    assert refusal_code(outcome) == "ORDER_INVALID_STATE"


async def test_the_sample_of_a_refusal_and_one_without_a_word() -> None:
    cases = json.loads((REFERENCE / "samples" / "mirakl" / "error_responses.json").read_text())["cases"]
    found = {}
    for case in cases:
        body = json.dumps(case.get("body")).encode()
        _, outcome = await sent_to_mirakl(MIRAKL["OR21"][0], body, case["status"])
        if isinstance(outcome, Refused):
            found[case["case"]] = refusal_code(outcome)
    assert found["acceptance without a decision for every line"] == "ORDER_LINE_ACCEPTANCE_DECISION_MISSING"
    assert found["ship an order that is not in SHIPPING"] is None


async def test_references_are_told_one_by_one() -> None:
    answer = {
        "updated_orders": [
            {"order_id": "A", "updated": {"order_id": "A"}, "errors": []},
            {"order_id": "B", "updated": None, "errors": [{"code": "X", "field": "order_id", "message": "gone"}]},
            {"order_id": "C", "errors": [{"code": "ORDER_NOT_FOUND"}, {}]},
        ]
    }
    body = json.dumps(answer).encode()
    _, outcome = await sent_to_mirakl(lambda c: c.or04_update_references(dict.fromkeys("ABCD", "40321")), body)
    assert value_of(outcome) == {
        "A": None,
        "B": "gone",
        "C": "ORDER_NOT_FOUND; no message",
        "D": "not in Mirakl's answer",
    }


@pytest.mark.parametrize(
    ("offset", "rows", "total", "has_next"), [(0, 2, 2, False), (0, 2, 3, True), (100, 2, 102, False), (0, 0, 0, False)]
)
async def test_a_page_says_whether_more_follow(offset: int, rows: int, total: int, has_next: bool) -> None:
    page = {"orders": [{"order_id": f"odd-{n}"} for n in range(rows)], "total_count": total}
    body = json.dumps(page).encode()
    _, outcome = await sent_to_mirakl(lambda c: c.or11_list_orders(OrderQuery(AT, AT, offset=offset)), body)
    read: OrderPage = value_of(outcome)
    assert (read.total_count, read.has_next) == (total, has_next)
    assert [bad.id for bad in read.orders.unreadable] == [f"odd-{n}" for n in range(rows)]


async def test_an_empty_page_before_the_last_order_is_no_end() -> None:
    call = MIRAKL["OR11 window"][0]
    assert isinstance((await sent_to_mirakl(call, b'{"orders":[],"total_count":101}'))[1], Unknown)


@pytest.mark.parametrize("ids", [tuple(map(str, range(101))), ("N-1,A",)])
def test_what_cannot_be_asked_is_not_asked(ids: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"order id|100 ids"):
        OrderQuery(order_ids=ids)


async def test_a_file_of_orders_is_read_without_shop_id_in_its_link() -> None:
    rows = [json.loads((REFERENCE / "samples" / "mirakl" / f"{name}.json").read_text())["orders"][0] for name in LEAN]
    body = json.dumps({"orders": [rows[0], {"order_id": "odd"}, rows[1]]}).encode()
    request, outcome = await sent_to_mirakl(lambda c: c.or15_download_orders("/exports/orders/f?sig=1"), body)
    assert request.startswith(b"GET /exports/orders/f?sig=1 ")
    read = value_of(outcome)
    assert [raw.order.order_id for raw in read.items] == ["9001733-A", "NMK-70412233-A"]
    assert [json.loads(raw.raw) for raw in read.items] == rows
    assert [(bad.index, bad.id) for bad in read.unreadable] == [(1, "odd")]


LEAN = ("or11_shipping_missing_optional", "or11_waiting_acceptance_two_lines")


# ------------------------------------------------------------------------------------------ Centra: GraphQL

STOCKHOLM = timezone(HOUR)
CENTRA: dict[str, centra.Call] = {
    "ShippingOptions": lambda c: c.list_shipping_options(),
    "OrdersByNumber": lambda c: c.read_orders([40321, 40322]),
    "OrdersCreated": lambda c: c.orders_created(AT, AT.astimezone(STOCKHOLM) + HOUR, page=2),
    "SetIdConversions": lambda c: c.set_id_conversions({40321: "mirakl:demo-fr:N-1-A"}),
    "OrderByExternalId": lambda c: c.find_order_by_external_id("mirakl:shop-2001:Order_00012-A"),
    "ConfirmOrder": lambda c: c.confirm_order(40321),
    "HoldOrder": lambda c: c.hold_order(40321, True, "not paid yet"),
    "CancelOrder": lambda c: c.cancel_order("9f2c1b7e4d5a46f08c3e1a2b7d6f5e40", "cancelled by the buyer"),
    "CancelOrderLines": lambda c: c.cancel_order_lines(40321, {90012: 1}, "cancelled by the buyer"),
}
CHANGES = ("ConfirmOrder", "HoldOrder", "CancelOrder", "CancelOrderLines")


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((REFERENCE / "centra-integration.graphql").read_text())


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


async def test_instants_go_to_centra_with_their_offset() -> None:
    body, _ = await centra.asked(CENTRA["OrdersCreated"], b'{"data":null}')
    assert body["variables"]["from"] == "2026-03-02T08:00:00+00:00"
    assert body["variables"]["to"] == "2026-03-02T10:00:00+01:00"


@pytest.mark.parametrize(
    ("name", "file", "status", "held"),
    [
        ("ConfirmOrder", "order_confirm", "CONFIRMED", False),
        ("HoldOrder", "order_hold", "PENDING", True),
        ("CancelOrder", "order_cancel", "CANCELLED", False),
        ("CancelOrderLines", "order_cancel_lines", "CONFIRMED", False),
    ],
)
async def test_the_sample_of_a_change_is_read(name: str, file: str, status: str, held: bool) -> None:
    answer = json.loads(centra.sample(file))
    for payload in answer["data"].values():
        payload["order"].setdefault("isOnHold", False)  # the samples of the other three do not select it
    _, outcome = await centra.asked(CENTRA[name], json.dumps(answer).encode())
    changed = value_of(outcome)
    assert (changed.number, changed.status, changed.is_on_hold) == (40321, status, held)


@pytest.mark.parametrize("name", CHANGES)
async def test_user_errors_refuse_a_change_and_an_empty_payload_is_in_doubt(name: str) -> None:
    member = {"ConfirmOrder": "confirmOrder", "CancelOrder": "cancelDirectToConsumerOrder"}.get(
        name, "updateDirectToConsumerOrder"
    )
    empty: Json = {"order": None, "userErrors": [], "userWarnings": []}
    refusal = {**empty, "userErrors": [{"message": "Order is already cancelled", "path": ["input", "0"]}]}
    for payload, kind in ((refusal, Refused), (empty, Unknown), ({"order": None}, Unknown)):
        _, outcome = await centra.asked(CENTRA[name], json.dumps({"data": {member: payload}}).encode())
        assert isinstance(outcome, kind)
        if isinstance(outcome, Refused):
            assert outcome.kind is RefusalKind.USER_ERRORS
            assert outcome.errors[0].place == "input.0"


async def test_a_warning_beside_a_change_is_kept() -> None:
    order = {"number": 40321, "status": "CONFIRMED", "isOnHold": False}
    payload = {"order": order, "userErrors": [], "userWarnings": [{"message": "no mail", "path": None}]}
    answer = json.dumps({"data": {"confirmOrder": payload}}).encode()
    changed = value_of((await centra.asked(CENTRA["ConfirmOrder"], answer))[1])
    assert [warning.message for warning in changed.warnings] == ["no mail"]


async def test_lines_are_cancelled_back_on_sale() -> None:
    body, _ = await centra.asked(CENTRA["CancelOrderLines"], b'{"data":null}')
    release = {"releaseItemsBackToWarehouse": True}
    assert body["variables"]["lines"] == [{"line": {"id": 90012}, "quantity": 1, "stockActionPolicy": release}]


async def test_the_samples_of_conversions_are_read() -> None:
    _, found = await centra.asked(CENTRA["OrderByExternalId"], centra.sample("order_number_by_external_id"))
    assert value_of(found) == (40321,)
    other = centra.sample("order_number_by_external_id").replace(b"Order_00012-A", b"Order_00012-AB")
    assert value_of((await centra.asked(CENTRA["OrderByExternalId"], other))[1]) == ()
    _, conversions = await centra.asked(CENTRA["SetIdConversions"], centra.sample("order_set_external_id"))
    assert value_of(conversions).external_ids == {40321: "mirakl:shop-2001:Order_00012-A"}


async def test_a_batch_of_conversions_may_be_set_in_part_or_not_at_all() -> None:
    async def told(entries: list[Json], errors: list[Json]) -> Any:
        payload = {"entries": entries, "userErrors": errors, "userWarnings": []}
        answer = json.dumps({"data": {"setIdConversions": payload}}).encode()
        return (await centra.asked(lambda c: c.set_id_conversions({1: "a", 2: "b"}), answer))[1]

    entry, error = {"externalId": "a", "internalId": "1"}, {"message": "no such order", "path": ["input", "1"]}
    in_part = value_of(await told([entry], [error]))
    assert in_part.external_ids == {1: "a"}
    assert [detail.message for detail in in_part.errors] == ["no such order"]
    assert isinstance(await told([], [error]), Refused)
    assert isinstance(await told([], []), Unknown)


async def test_orders_by_number_are_read_and_a_place_under_an_error_does_not_look_absent() -> None:
    answer = json.loads(centra.sample("orders_by_number"))
    [row] = answer["data"]["orders"]
    row |= {"internalComment": "mirakl:shop-2001:Order_00012-A"}
    row["lines"] = [line | {"shippedQuantity": 0} for line in row["lines"]]
    answer["data"]["orders"] = [row, None, {"number": 7}]
    answer["errors"] = [{"message": "boom", "path": ["orders", 1, "lines"]}]
    body, outcome = await centra.asked(CENTRA["OrdersByNumber"], json.dumps(answer).encode())
    assert body["variables"] == {"numbers": [40321, 40322], "limit": 2}
    read = value_of(outcome)
    [order] = read.items
    assert (order.number, order.status, order.is_on_hold, order.market_id) == (40321, "CONFIRMED", False, 4)
    assert (order.grand_total.value, order.currency_code) == (Decimal("753.9"), "EUR")
    assert (order.shipping_total, order.shipping_option_uri) == (Decimal("6.9"), "mkp-standard")
    assert (order.customer_id, order.country_code) == (8123, "FR")
    assert order.created_at == datetime(2025, 3, 4, 9, 1, 12, tzinfo=UTC)
    assert [(line.product_size.sku, line.quantity, line.allocated_quantity) for line in order.lines] == [
        ("NW1001BLKS", 2, 2),
        ("NW1001BLKM", 1, 1),
    ]
    assert [(bad.index, bad.id) for bad in read.unreadable] == [(2, "7"), (1, "")]
    assert "boom" in read.unreadable[1].reason


async def test_orders_created_are_read_and_a_full_page_is_not_the_last() -> None:
    _, outcome = await centra.asked(CENTRA["OrdersCreated"], centra.sample("orders_created_between"))
    page = value_of(outcome)
    assert page.is_last
    assert [(order.number, order.internal_comment) for order in page.orders.items] == [(40321, None)]
    full = json.dumps({"data": {"orders": json.loads(centra.sample("orders_created_between"))["data"]["orders"] * 200}})
    assert not value_of((await centra.asked(CENTRA["OrdersCreated"], full.encode()))[1]).is_last


async def test_too_many_or_no_numbers_are_not_asked() -> None:
    async with Transport("http://127.0.0.1:9", headers=dict, now=lambda: AT) as transport:
        client = CentraClient(transport, PermitsInMemory(), "source")
        for count in (0, 101):
            with pytest.raises(ValueError, match="order numbers"):
                await client.read_orders(range(count))


# ---------------------------------------------------------------------------------------- Centra: Order API

MARK = "mirakl:shop-2001:Order_00012-A"
PERSON = ApiAddress(
    first_name="Camille",
    last_name="Exemple",
    address="12 rue de la Source",
    zipcode="69001",
    city="Lyon",
    country="FR",
    email="camille.exemple@mkp.example",
    cell="+33000000012",
)
PAID = PaymentEntry(status=1, transaction="Order_00012", method="marketplace", amount=Decimal("753.90"))


def product(qty: int, ean: str, comment: str) -> ApiProduct:
    price = Decimal("249.0")
    return ApiProduct(qty=qty, ean=ean, unit_price=price, original_price=price, comment=comment)


ORDER = CreateOrder(
    market_id=4,
    pricelist_id=7,
    warehouse_group="EU online",
    order_date="2025-03-04 10:00:58",
    shipping_list="mkp-standard",
    shipping_value=Decimal("6.90"),
    send_email=False,
    internal_comment=MARK,
    extra_attributes={"ord_marketplace_order_id": "Order_00012-A"},
    invoice_address=PERSON,
    delivery_address=PERSON,
    products=(product(2, "7300000000011", "Order_00012-A-1"), product(1, "7300000000028", "Order_00012-A-2")),
    payment=Payment(id=36, auth=PAID, capture=PAID),
)


async def asked(call: Callable[[OrderApi], Awaitable[Any]], answer: bytes, status: int = 200) -> tuple[bytes, Any]:
    """The one request that a call makes, and what it says of the answer."""
    async with raw_server(answering(http(status, answer))) as server:
        transport = Transport(
            f"{server.url}/order-api",
            headers=lambda: {order_api.HEADER: "s-order"},
            now=lambda: datetime.now(UTC),
            limits=Limits(total_seconds=5.0),
        )
        async with transport:
            outcome = await call(OrderApi(transport, PermitsInMemory(), "source"))
        return server.requests[0], outcome


async def created(answer: bytes, status: int = 200) -> Any:
    return (await asked(lambda api: api.create_order(ORDER), answer, status))[1]


def parted(request: bytes) -> tuple[str, Json]:
    head, body = request.split(b"\r\n\r\n", 1)
    assert b"API-Authorization: s-order\r\n" in head + b"\r\n"
    return head.decode().split("\r\n")[0], json.loads(body) if body else {}


async def test_a_create_is_the_sample_of_one() -> None:
    answer = sample("rest_order_create.response")
    request, outcome = await asked(lambda api: api.create_order(ORDER, effect_id="771"), answer)
    assert value_of(outcome) == CreatedOrder((40321,))
    line, body = parted(request)
    assert line == "POST /order-api/order HTTP/1.1"
    assert b"X-Effect-Id: 771" in request
    wanted = json.loads(sample("rest_order_create.request"))["body"]
    del wanted["market"]  # by name there, by id here
    for left_out in ("adjustStock", "forceCreate", "comment"):  # Centra's own defaults
        del wanted[left_out]
    for address in ("invoiceAddress", "deliveryAddress"):
        del wanted[address]["coaddress"]
    assert body == {**wanted, "marketId": 4}


async def test_amounts_travel_as_exact_numbers() -> None:
    request, _ = await asked(lambda api: api.create_order(ORDER), b"{}")
    assert b'"amount":753.90' in request
    assert b'"shippingValue":6.90' in request


async def test_a_completion_is_the_sample_of_one_and_may_name_payment_as_pending() -> None:
    wanted = json.loads(sample("rest_order_complete.request"))
    paid = Completion(payment=Payment(id=36, auth=PAID, capture=PAID), internal_comment=MARK)
    request, outcome = await asked(lambda api: api.complete_order(40321, paid), sample("rest_order_complete.response"))
    assert parted(request) == ("POST /order-api/order/40321 HTTP/1.1", wanted["body"])
    assert value_of(outcome) == (40321,)
    pending = PaymentEntry(status=0, transaction="Order_00012", method="marketplace", amount=Decimal(0))
    waiting = Completion(payment=Payment(id=36, auth=pending), internal_comment=MARK)
    request, outcome = await asked(lambda api: api.complete_order(40321, waiting), b'{"status":"ok"}')
    assert parted(request)[1]["payment"]["auth"] == {
        "status": 0,
        "transaction": "Order_00012",
        "method": "marketplace",
        "amount": 0,
    }
    assert value_of(outcome) == (40321,)


async def test_a_customer_is_erased_by_number() -> None:
    request, outcome = await asked(lambda api: api.anonymize_customer(8123), b'{"status":"ok"}')
    assert parted(request) == ("PUT /order-api/anonymize-customer/8123 HTTP/1.1", {})
    assert outcome == Applied(None)


@pytest.mark.parametrize("status", [200, 400, 422])
@pytest.mark.parametrize("place", range(7))
async def test_each_sample_of_a_no_is_a_refusal_with_its_number(place: int, status: int) -> None:
    refusal = json.loads(sample("rest_order_errors.response"))[place]
    outcome = await created(json.dumps(refusal).encode(), status)
    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.USER_ERRORS
    assert failure_code(outcome) == -1 - place
    assert outcome.reason  # in our words: Centra's may quote the buyer
    assert refusal["msg"] not in outcome.reason


async def test_an_endpoint_that_is_not_allowed_is_a_matter_of_credentials() -> None:
    forbidden = json.loads(sample("rest_order_forbidden.http"))
    outcome = await created(json.dumps(forbidden["body"]).encode(), forbidden["status"])
    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.CREDENTIALS
    assert failure_code(outcome) is None


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        (b'{"status":"ok","order":"40321"}', (40321,)),
        (b'{"status":"ok","orders":[40321,"40322"],"new":1}', (40321, 40322)),
    ],
)
async def test_every_number_of_a_created_order_is_kept(answer: bytes, numbers: tuple[int, ...]) -> None:
    assert await created(answer) == Applied(CreatedOrder(numbers))


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b'{"status":"ok"}', 200),
        (b'{"status":"ok","orders":[]}', 200),
        (b'{"status":"ok","order":0}', 200),
        (b'{"status":"maybe","order":40321}', 200),
        (b'{"order":40321}', 200),
        (b'{"status":"ok","order":40321,"order":40322}', 200),
        (b"<html>ok</html>", 200),
        (b"", 200),
        (b'{"status":"no","code":-2,"msg":"short"}', 500),
    ],
)
async def test_a_create_without_a_plain_yes_or_no_is_in_doubt(answer: bytes, status: int) -> None:
    assert isinstance(await created(answer, status), Unknown)


async def test_a_429_closes_the_order_api_alone() -> None:
    async with raw_server(answering(http(429, b"{}", "Retry-After: 30"))) as server:
        permits = PermitsInMemory()
        async with Transport(server.url, headers=dict, now=lambda: datetime.now(UTC)) as transport:
            api = OrderApi(transport, permits, "source")
            assert isinstance(await api.create_order(ORDER), NotSent)
            assert isinstance(await api.anonymize_customer(8123), NotSent)
        assert len(server.requests) == 1
    assert set(permits.buckets) == {("source", "order_api")}
    assert permits.buckets["source", "order_api"].closed_until > 0


def test_an_order_to_create_shows_no_buyer_in_a_log() -> None:
    assert not re.search("Camille|camille|Source|Lyon", repr((ORDER, PERSON)))
