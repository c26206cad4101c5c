"""Orders in the Centra stand-in against the reference: the Order API, the published samples, stock, blocking,
cancelling, faults.

One real process serves all tests of this module over real sockets. Each test seeds the shop anew: 40 sizes, ten
units of each in three warehouses, of which 1 and 2 ship without asking.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from graphql import build_schema, parse, validate

from tests.contract import test_centra_sandbox as sandbox
from tests.contract.test_centra_sandbox import Json, Shop
from tests.standins import Sandbox, start_sandbox

SECRET = "s-order-api-of-the-lab"
SKU, OTHER = "VX-000001-M", "VX-000001-L"
OPTIONS = {
    "create_allowed": True,
    "create_only_takes_stock": True,
    "autoconfirm": False,
    "split_every": 0,
    "rounding_error": 0,
    "no_conversion_of_incomplete": False,
}
ORDER_QUERIES = (
    "order_by_id",
    "orders_by_number",
    "orders_created_between",
    "order_number_by_external_id",
    "order_set_external_id",
    "order_confirm",
    "order_hold",
    "order_cancel",
    "order_cancel_lines",
)
READ = """
query Read($numbers: [Int!]!) {
  orders(where: { number: $numbers }) {
    number status isOnHold isWaitingForPayment internalComment otherComment externalId orderDate createdAt
    country { code }
    billingAddress { firstName city country { code } }
    shippingAddress { firstName city cellPhoneNumber phoneNumber country { code } }
    grandTotal { value currency { code } }
    totals { shipping { value } taxIncluded { value } taxAdded { value } }
    paymentHistory { entryType status externalReference value { value } paymentMethod }
    lines(includeFullyCancelled: true) {
      id quantity cancelledQuantity shippedQuantity comment taxPercent
      unitPrice { value } unitOriginalPrice { value } lineValue { value }
      productSize { SKU }
      allocations { quantity warehouse { id } }
    }
    ... on DirectToConsumerOrder { customer { id email } }
  }
}"""
CONFIRM = """
mutation ConfirmOrder($number: Int!) {
  confirmOrder(input: { order: { number: $number } }) { order { status } userErrors { message path } }
}"""
UPDATE = """
mutation Update($order: OrderInput!, $input: DirectToConsumerOrderUpdateInput!) {
  updateDirectToConsumerOrder(order: $order, input: $input) { order { number } userErrors { message path } }
}"""
CANCEL = """
mutation Cancel($id: String!, $action: StockPolicyActionInput!) {
  cancelDirectToConsumerOrder(id: $id, input: { emailOptions: { sendEmail: false }, stockAction: $action }) {
    order { status }
    userErrors { message path }
  }
}"""
NAME = """
mutation Name($input: [IdConversionSetInput!]!) {
  setIdConversions(input: $input) { entries { externalId internalId } userErrors { message path } }
}"""
FIND = """
query Find($externalId: String!) {
  idConversions(where: { objectType: [Order], externalId: { equals: $externalId } }) { internalId }
}"""
ALLOCATE = """
mutation Allocate($number: Int!) {
  allocateOrder(input: { order: { number: $number } }) { order { number } userErrors { message } }
}"""
RELEASE = {"releaseItemsBackToWarehouse": True}
REMOVE = {"removeItemsFromStock": True}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    config = {"centra": {"port": 0, "token": "t-orders", "integration": "orders", "catalogue": {"sizes": 10}}}
    running = start_sandbox(config, tmp_path_factory.mktemp("centra-orders"))
    yield running
    running.child.stop(seconds=10)
    assert running.child.stderr() == ""


@pytest.fixture
def shop(process: Sandbox) -> Iterator[Shop]:
    with httpx.Client(base_url=process.centra, trust_env=False, timeout=20) as client:
        made = Shop(process, client, "t-orders", "orders")
        made.admin("clock", {"scale": 1.0})
        made.admin("faults", method="DELETE")
        made.admin("calls", method="DELETE")
        made.admin("limits", {"plan": "Enterprise"})
        made.admin("webhooks", {"url": None})
        made.admin("orders/options", OPTIONS)
        made.admin("seed", {"sizes": 40, "fta": 10})
        made.listen("Order", "Shipment", "StockChange")
        yield made


def address(**members: Any) -> Json:
    return {
        "firstName": "Camille",
        "lastName": "Exemple",
        "address": "12 rue de la Source",
        "zipcode": "69001",
        "city": "Lyon",
        "country": "FR",
        "email": "camille@mkp.example",
        "cell": "+33000000012",
        **members,
    }


def body(*lines: tuple[str, int], **members: Any) -> Json:
    """A request that only makes an order; 249.00 a unit, 6.90 for shipping."""
    products = [
        {"sku": sku, "qty": quantity, "unitPrice": 249.0, "originalPrice": 259.0, "comment": f"line-{n}"}
        for n, (sku, quantity) in enumerate(lines or ((SKU, 2),), start=1)
    ]
    return {
        "createOnly": True,
        "marketId": 4,
        "pricelistId": 7,
        "sendEmail": False,
        "shippingList": "mkp-standard",
        "shippingValue": 6.9,
        "internalComment": "demo-fr:A-1",
        "invoiceAddress": address(firstName="Alix", city="Paris"),
        "deliveryAddress": address(),
        "products": products,
        **members,
    }


def rest(
    shop: Shop, path: str, members: Any, *, secret: str = SECRET, method: str = "POST", effect: str = "e-1"
) -> httpx.Response:
    headers = {"API-Authorization": secret, "X-Effect-Id": effect}
    return shop.client.request(method, f"/order-api{path}", json=members, headers=headers)


def create(shop: Shop, members: Json) -> int:
    answer = rest(shop, "/order", members)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "ok", answer.text
    number: int = answer.json()["order"]
    return number


def complete(shop: Shop, number: int, status: int | None = None, **members: Any) -> list[str]:
    auth = {"status": status, "transaction": "A", "method": "marketplace", "amount": 504.9}
    payment = {} if status is None else {"payment": {"id": 36, "auth": auth}}
    answer = rest(shop, f"/order/{number}", {**payment, **members}).json()
    assert answer["status"] == "ok", answer
    numbers: list[str] = answer["orders"]
    return numbers


def seen(shop: Shop, number: int) -> Json:
    """The order as the admin shows it."""
    (found,) = [order for order in shop.admin("orders")["orders"] if order["number"] == number]
    order: Json = found
    return order


def read(shop: Shop, number: int) -> Json:
    (found,) = shop.data(READ, numbers=[number])["orders"]
    order: Json = found
    return order


def fta(shop: Shop, sku: str = SKU) -> dict[int, int]:
    (size,) = shop.data(sandbox.SIZES, where={"SKU": {"equals": sku}})["productSizes"]
    return {row["warehouse"]["id"]: row["freeToAllocateQuantity"] for row in size["stock"]}


def ledger(shop: Shop, *codes: str) -> list[Json]:
    """Entries since the shop was seeded: every first order of a shop has the same number."""
    entries = shop.admin("ledger")["entries"]
    first = max(n for n, entry in enumerate(entries) if (entry["code"], entry.get("number")) == ("CREATE", 40301))
    return [entry for entry in entries[first:] if entry["code"] in codes]


def error_of(payload: Json) -> str:
    """The one userError's text."""
    (error,) = payload["userErrors"]
    text: str = error["message"]
    return text


# ---------------------------------------------------------------- shapes of the reference


def assert_shape(got: Any, sample: Any, at: str = "") -> None:
    """Every member of the sample is there and no other; what is not null on both sides is of one type."""
    if isinstance(sample, dict):
        assert isinstance(got, dict), at
        assert set(got) == set(sample), at
        for name, value in sample.items():
            if got[name] is not None and value is not None:
                assert_shape(got[name], value, f"{at}.{name}")
    elif isinstance(sample, list):
        assert isinstance(got, list), at
        assert got or not sample, at
        for index, entry in enumerate(got):
            assert_shape(entry, sample[0], f"{at}[{index}]")
    else:
        assert type(got) is type(sample), at


def sample(name: str) -> Any:
    return json.loads(sandbox.reference(f"samples/centra/{name}").read_text(encoding="utf-8"))


def variables_for(name: str, order: Json) -> Json:
    variables: Json = sample(f"{name}.variables.json")
    own = {
        "id": order["id"],
        "number": order["number"],
        "numbers": [order["number"]],
        "from": "2020-01-01T00:00:00+01:00",
        "to": "2100-01-01T00:00:00+01:00",
    }
    variables.update({name: value for name, value in own.items() if name in variables})
    if "lines" in variables:
        variables["lines"][0]["line"]["id"] = order["lines"][1]["id"]
    return variables


@pytest.mark.parametrize("name", ORDER_QUERIES)
def test_sample_answers_in_its_shape(shop: Shop, name: str) -> None:
    paid = {"status": 1, "transaction": "A", "method": "marketplace", "amount": 753.9}
    members = body((SKU, 2), (OTHER, 1), extraAttributes={"ord_marketplace_order_id": "A-1"})
    number = create(shop, {**members, "payment": {"id": 36, "auth": paid}})
    complete(shop, number)
    if name == "order_by_id":
        shop.data(CONFIRM, number=number)
        lines = [{"sku": SKU, "quantity": 1}]
        shipped = {"number": number, "lines": lines, "carrier": "Colissimo", "tracking_number": "XX1"}
        shop.admin("orders/ship", {**shipped, "service": "Home"})
    if name == "order_number_by_external_id":
        wanted = {"objectType": "Order", "internalId": number, "externalId": "mirakl:shop-2001:Order_00012-A"}
        shop.data(NAME, input=[wanted])
    text = sandbox.reference(f"samples/centra/{name}.graphql").read_text(encoding="utf-8")
    answer = shop.answer(text, **variables_for(name, seen(shop, number)))
    expected = sample(f"{name}.response.json")
    assert "errors" not in answer
    assert_shape(answer["data"], expected["data"])
    assert set(answer["extensions"]["permissionsUsed"]) == set(expected["extensions"]["permissionsUsed"])
    for payload in answer["data"].values():
        assert not isinstance(payload, dict) or payload.get("userErrors", []) == []


def test_operations_of_this_module_are_true_to_the_reference() -> None:
    theirs = build_schema(sandbox.reference("centra-integration.graphql").read_text(encoding="utf-8"))
    for text in (READ, CONFIRM, UPDATE, CANCEL, NAME, FIND, ALLOCATE):
        assert validate(theirs, parse(text)) == []


def test_sample_order_is_made_and_completed(shop: Shop) -> None:
    """The published request as it stands, but for the EANs and the allocation rule of this shop."""
    members = sample("rest_order_create.request.json")["body"]
    sizes = shop.admin("sizes?limit=2")["sizes"]
    for product, size in zip(members["products"], sizes, strict=True):
        product["ean"] = size["ean"]
    members["warehouseGroup"] = "Rule of Marketplace FR"
    answer = rest(shop, "/order", members)
    assert_shape(answer.json(), sample("rest_order_create.response.json"))
    number = answer.json()["order"]
    order = seen(shop, number)
    assert order["status"] == "INCOMPLETE"
    assert order["totals"] == {
        "grand_total": 753.9,
        "shipping": 6.9,
        "tax_included": 125.65,
        "tax_added": 0.0,
        "currency": "EUR",
    }
    assert order["payments"] == [["AUTH", "Order_00012", 753.9], ["CAPTURE", "Order_00012", 753.9]]
    assert order["attributes"] == {"ord_marketplace_order_id": "Order_00012-A"}
    assert order["order_date"] == "2025-03-04T09:00:58Z"  # the text is in the shop's own zone
    assert not order["send_email"]
    completed = rest(shop, f"/order/{number}", sample("rest_order_complete.request.json")["body"])
    assert completed.json() == {**sample("rest_order_complete.response.json"), "orders": [str(number)]}
    assert seen(shop, number)["payments"] == order["payments"]  # repeated, not entered twice


def test_order_is_placed_at_once_without_create_only(shop: Shop) -> None:
    answer = rest(shop, "/order", body(createOnly=False)).json()
    assert_shape(answer, sample("rest_order_create_direct.response.json"))
    assert seen(shop, answer["orders"][0])["status"] == "PENDING"
    assert [(e["objectType"], e["changeType"]) for e in shop.events()] == [("Order", "CREATED")]


def test_order_is_stored_as_it_was_sent(shop: Shop) -> None:
    number = create(shop, body((SKU, 2), (OTHER, 1), comment="Ring twice"))
    order = read(shop, number)
    assert (order["internalComment"], order["otherComment"]) == ("demo-fr:A-1", "Ring twice")
    assert order["billingAddress"] == {"firstName": "Alix", "city": "Paris", "country": {"code": "FR"}}
    assert order["shippingAddress"]["phoneNumber"] == "+33000000012"  # a mobile number alone
    assert order["customer"]["email"] == "camille@mkp.example"
    assert [(line["comment"], line["quantity"]) for line in order["lines"]] == [("line-1", 2), ("line-2", 1)]
    line = order["lines"][0]
    assert (line["unitPrice"]["value"], line["unitOriginalPrice"]["value"]) == (249.0, 259.0)
    assert (line["lineValue"]["value"], line["taxPercent"]) == (498.0, 20.0)
    assert seen(shop, number)["shipping_option"] == "mkp-standard"
    again = create(shop, body())
    assert read(shop, again)["customer"]["id"] != order["customer"]["id"]


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"products": []}, -3),
        ({"products": [{"sku": "VX-0", "qty": 1}]}, -1),
        ({"products": [{"ean": "7300000000000", "qty": 1}]}, -1),
        ({"products": [{"id": 1, "qty": 1}]}, -1),
        ({"products": [{"sku": SKU, "qty": 21}]}, -2),
        ({"products": [{"sku": SKU, "qty": 11}, {"sku": SKU, "qty": 10}]}, -2),
        ({"products": [{"sku": SKU, "qty": 0}]}, -4),
        ({"marketId": 99}, -1),
        ({"marketId": None, "market": "Nowhere"}, -1),
        ({"pricelistId": 99}, -1),
        ({"shippingList": "by-drone"}, -4),
        ({"warehouseGroup": "Nobody's rule"}, -4),
        ({"deliveryAddress": {"email": "a@mkp.example", "country": "XX"}}, -4),
        ({"deliveryAddress": {"email": "a@mkp.example"}}, -4),
        ({"deliveryAddress": {"country": "FR"}}, -4),
        ({"invoiceAddress": {"country": "FR"}}, -4),
        ({"invoiceAddress": None, "deliveryAddress": None}, -4),
        ({"payment": {"auth": {"status": 7}}}, -4),
        ({"shippingValue": -1}, -7),
        ({"orderDate": "yesterday"}, -7),
        ({"createOnly": "yes"}, -7),
    ],
)
def test_order_that_cannot_be_made(shop: Shop, members: Json, code: int) -> None:
    answer = rest(shop, "/order", body(**members))
    assert (answer.status_code, answer.json()["code"]) == (200, code)
    assert_shape(answer.json(), sample("rest_order_errors.response.json")[0])
    assert shop.admin("orders")["orders"] == []
    assert fta(shop) == {1: 10, 2: 10, 3: 10}


@pytest.mark.parametrize("change", [{"is_active": False}, {"status": "INACTIVE"}])
def test_size_that_is_not_sold_cannot_be_added(shop: Shop, change: Json) -> None:
    shop.admin("sizes", {"changes": [{"sku": SKU, **change}]})
    assert rest(shop, "/order", body()).json()["code"] == -1


def test_explicit_number_is_taken_once(shop: Shop) -> None:
    assert create(shop, body(orderNumber=40302)) == 40302
    assert rest(shop, "/order", body(orderNumber=40302)).json()["code"] == -5
    assert [create(shop, body()) for _ in range(2)] == [40301, 40303]


def test_secret_and_access_list(shop: Shop) -> None:
    assert rest(shop, "/order", body(), secret="s-wrong").status_code == 401
    assert rest(shop, "/order/1", {}, secret="s-wrong").status_code == 401
    assert rest(shop, "/anonymize-customer/1", {}, secret="s-wrong", method="PUT").status_code == 401
    shop.admin("orders/options", {"create_allowed": False})
    forbidden = sample("rest_order_forbidden.http.json")
    answer = rest(shop, "/order", body())
    assert (answer.status_code, answer.json()) == (forbidden["status"], forbidden["body"])
    assert shop.client.post("/_sandbox/orders/options", json={"autoconfirm": 1}).status_code == 400


def test_order_that_cannot_be_completed(shop: Shop) -> None:
    assert rest(shop, "/order/40999", {}).json()["code"] == -7
    number = create(shop, body())
    shop.data(CANCEL, id=seen(shop, number)["id"], action=RELEASE)
    assert rest(shop, f"/order/{number}", {}).json()["code"] == -7
    assert rest(shop, f"/order/{number}", [1]).status_code == 400
    assert seen(shop, number)["status"] == "CANCELLED"


# ---------------------------------------------------------------- blocked, released, confirmed


def test_order_waits_for_payment_until_it_is_released(shop: Shop) -> None:
    number = create(shop, body())
    assert complete(shop, number, 0) == [str(number)]
    blocked = read(shop, number)
    assert (blocked["status"], blocked["isWaitingForPayment"]) == ("PENDING", True)
    assert [entry["entryType"] for entry in blocked["paymentHistory"]] == ["AUTH_PENDING"]
    assert shop.client.post("/_sandbox/orders/ship", json={"number": number}).status_code == 400
    for _ in range(2):
        complete(shop, number, 1)
        released = read(shop, number)
        assert (released["status"], released["isWaitingForPayment"]) == ("PENDING", False)
        assert [entry["entryType"] for entry in released["paymentHistory"]] == ["AUTH_PENDING", "AUTH"]
    assert released["paymentHistory"][1] == {
        "entryType": "AUTH",
        "status": "SUCCESS",
        "externalReference": "A",
        "value": {"value": 504.9},
        "paymentMethod": "marketplace",
    }
    assert [entry["placed"] for entry in ledger(shop, "COMPLETE")] == [True, False, False]


def test_hold_set_before_completing_stays(shop: Shop) -> None:
    number = create(shop, body())
    held = {"isOnHold": True, "holdStatusChangeReason": "not paid yet"}
    shop.data(UPDATE, order={"number": number}, input=held)
    complete(shop, number)
    assert (read(shop, number)["status"], read(shop, number)["isOnHold"]) == ("PENDING", True)
    assert shop.client.post("/_sandbox/orders/ship", json={"number": number}).status_code == 400
    shop.data(UPDATE, order={"number": number}, input={"isOnHold": False})
    assert not read(shop, number)["isOnHold"]
    changes = [(entry["change"], entry.get("reason")) for entry in seen(shop, number)["history"]]
    assert changes == [("CREATE", None), ("UPDATE", "not paid yet"), ("COMPLETE", None), ("UPDATE", None)]


def test_only_a_pending_order_is_confirmed(shop: Shop) -> None:
    number = create(shop, body())
    assert "INCOMPLETE" in error_of(shop.data(CONFIRM, number=number)["confirmOrder"])
    complete(shop, number)
    confirmed = shop.data(CONFIRM, number=number)["confirmOrder"]
    assert confirmed == {"order": {"status": "CONFIRMED"}, "userErrors": []}
    assert "CONFIRMED" in error_of(shop.data(CONFIRM, number=number)["confirmOrder"])
    assert error_of(shop.data(CONFIRM, number=1)["confirmOrder"])
    assert [entry["number"] for entry in ledger(shop, "CONFIRM")] == [number]


def test_plugin_may_confirm_by_itself(shop: Shop) -> None:
    shop.admin("orders/options", {"autoconfirm": True})
    number = create(shop, body())
    complete(shop, number)
    assert read(shop, number)["status"] == "CONFIRMED"


# ---------------------------------------------------------------- stock


def test_stock_is_taken_when_the_order_is_made(shop: Shop) -> None:
    number = create(shop, body((SKU, 13)))
    assert fta(shop) == {1: 0, 2: 7, 3: 10}
    assert read(shop, number)["lines"][0]["allocations"] == [
        {"quantity": 10, "warehouse": {"id": 1}},
        {"quantity": 3, "warehouse": {"id": 2}},
    ]
    assert shop.events() == []  # no order is placed yet
    complete(shop, number)
    assert fta(shop) == {1: 0, 2: 7, 3: 10}
    (event,) = shop.events()
    assert (event["objectType"], event["changeType"], event["objectReference"]) == ("Order", "CREATED", number)


def test_stock_may_be_taken_only_when_the_order_is_placed(shop: Shop) -> None:
    shop.admin("orders/options", {"create_only_takes_stock": False})
    number = create(shop, body((SKU, 13)))
    assert fta(shop) == {1: 10, 2: 10, 3: 10}
    assert rest(shop, "/order", body((SKU, 21))).json()["code"] == -2  # it is looked at all the same
    shop.set_fta(SKU, 4)
    shop.set_fta(SKU, 5, warehouse_id=2)
    complete(shop, number)
    assert fta(shop) == {1: 0, 2: 0, 3: 10}
    assert seen(shop, number)["lines"][0]["demand"] == {"1": 4}


def test_order_without_stock_adjustment_takes_none(shop: Shop) -> None:
    number = create(shop, body((SKU, 99), adjustStock=False))
    complete(shop, number)
    assert fta(shop) == {1: 10, 2: 10, 3: 10}
    assert read(shop, number)["lines"][0]["allocations"] == []


def test_forced_order_owes_what_is_short(shop: Shop) -> None:
    number = create(shop, body((SKU, 23), forceCreate=True))
    complete(shop, number)
    line = seen(shop, number)["lines"][0]
    assert (line["allocated"], line["demand"]) == ({"1": 10, "2": 10}, {"1": 3})
    assert error_of(shop.data(ALLOCATE, number=number)["allocateOrder"])
    shop.set_fta(SKU, 2, warehouse_id=2)
    assert shop.data(ALLOCATE, number=number)["allocateOrder"]["userErrors"] == []
    line = seen(shop, number)["lines"][0]
    assert (line["allocated"], line["demand"]) == ({"1": 10, "2": 12}, {"1": 1})


def test_named_rule_chooses_the_warehouses(shop: Shop) -> None:
    markets = [{"id": 4, "name": "FR", "warehouses": [1]}, {"id": 9, "name": "South", "warehouses": [2]}]
    shop.admin("seed", {"sizes": 5, "fta": 10, "markets": markets})
    number = create(shop, body((SKU, 4), warehouseGroup="Rule of South"))
    assert fta(shop) == {1: 10, 2: 6, 3: 10}
    assert seen(shop, number)["allocation_rule"] == "Rule of South"
    assert rest(shop, "/order", body((SKU, 7), warehouseGroup="Rule of South")).json()["code"] == -2
    create(shop, body((SKU, 7)))
    assert fta(shop) == {1: 3, 2: 6, 3: 10}


@pytest.mark.parametrize(("action", "back"), [(RELEASE, 10), (REMOVE, 8)])
def test_cancelling_an_order_does_with_stock_what_it_is_told(shop: Shop, action: Json, back: int) -> None:
    number = create(shop, body())
    complete(shop, number)
    answer = shop.data(CANCEL, id=seen(shop, number)["id"], action=action)["cancelDirectToConsumerOrder"]
    assert answer == {"order": {"status": "CANCELLED"}, "userErrors": []}
    assert fta(shop)[1] == back
    line = read(shop, number)["lines"][0]
    assert (line["quantity"], line["cancelledQuantity"], line["allocations"]) == (2, 2, [])
    again = shop.data(CANCEL, id=seen(shop, number)["id"], action=action)["cancelDirectToConsumerOrder"]
    assert "cancelled already" in error_of(again)
    assert fta(shop)[1] == back


def test_orphan_gives_its_stock_back(shop: Shop) -> None:
    number = create(shop, body())
    shop.data(CANCEL, id=seen(shop, number)["id"], action=RELEASE)
    assert fta(shop) == {1: 10, 2: 10, 3: 10}
    assert read(shop, number)["status"] == "CANCELLED"


@pytest.mark.parametrize("action", [{}, {**RELEASE, **REMOVE}])
def test_stock_action_is_exactly_one(shop: Shop, action: Json) -> None:
    number = create(shop, body())
    answer = shop.data(CANCEL, id=seen(shop, number)["id"], action=action)["cancelDirectToConsumerOrder"]
    assert "Exactly one" in error_of(answer)
    assert read(shop, number)["status"] == "INCOMPLETE"


def test_captured_or_shipped_order_is_not_cancelled(shop: Shop) -> None:
    captured = create(shop, body(payment={"capture": {"status": 1, "transaction": "A"}}))
    shipped = create(shop, body())
    for number in (captured, shipped):
        complete(shop, number)
    shop.admin("orders/ship", {"number": shipped, "lines": [{"sku": SKU, "quantity": 1}]})
    for number, word in ((captured, "captured"), (shipped, "shipped")):
        answer = shop.data(CANCEL, id=seen(shop, number)["id"], action=RELEASE)["cancelDirectToConsumerOrder"]
        assert answer["order"] is None
        assert word in error_of(answer)


def test_units_are_cancelled_or_nothing_is(shop: Shop) -> None:
    number = create(shop, body((SKU, 3), (OTHER, 1)))
    complete(shop, number)
    first, second = (line["id"] for line in seen(shop, number)["lines"])

    def cut(*quantities: tuple[int, int]) -> Json:
        lines = [{"line": {"id": line}, "quantity": n, "stockActionPolicy": RELEASE} for line, n in quantities]
        wanted = {"cancelLines": lines, "internalComment": "changed"}
        payload: Json = shop.data(UPDATE, order={"number": number}, input=wanted)["updateDirectToConsumerOrder"]
        return payload

    for refused in (cut((first, 4)), cut((first, 2), (first, 2)), cut((second, 1), (first, 0)), cut((1, 1))):
        assert error_of(refused)
        assert read(shop, number)["internalComment"] == "demo-fr:A-1"
    assert cut((first, 2), (second, 1))["userErrors"] == []
    order = read(shop, number)
    assert [(line["quantity"], line["cancelledQuantity"]) for line in order["lines"]] == [(1, 2), (0, 1)]
    assert (order["grandTotal"]["value"], order["internalComment"]) == (249.0 + 6.9, "changed")
    assert (fta(shop)[1], fta(shop, OTHER)[1]) == (9, 10)
    live = shop.data("query L($n: [Int!]!) { orders(where: {number: $n}) { lines { id } } }", n=[number])
    assert live["orders"][0]["lines"] == [{"id": first}]


def test_shipment_takes_units_off_the_shelf(shop: Shop) -> None:
    number = create(shop, body((SKU, 3)))
    complete(shop, number)
    shop.admin("orders/ship", {"number": number, "lines": [{"sku": SKU, "quantity": 2}]})
    order = read(shop, number)
    line = order["lines"][0]
    assert (order["status"], line["shippedQuantity"]) == ("PROCESSING", 2)
    assert line["allocations"] == [{"quantity": 1, "warehouse": {"id": 1}}]
    assert fta(shop)[1] == 7
    shop.admin("orders/ship", {"number": number})
    assert read(shop, number)["status"] == "SHIPPED"
    again = shop.client.post("/_sandbox/orders/ship", json={"number": number})
    assert again.status_code == 400
    kinds = [(event["objectType"], event["changeType"]) for event in shop.events()]
    once = [("Shipment", "CREATED"), ("Shipment", "COMPLETED"), ("Order", "UPDATED")]
    assert kinds == [("Order", "CREATED"), *once, *once]


# ---------------------------------------------------------------- money


def test_totals_may_differ_by_a_rounding(shop: Shop) -> None:
    shop.admin("orders/options", {"rounding_error": 2})
    order = read(shop, create(shop, body((SKU, 3))))
    assert order["lines"][0]["unitPrice"]["value"] == 249.0
    assert order["grandTotal"]["value"] == 753.96  # 3 x 249.00 + 6.90 + 0.06


def test_price_list_without_tax_adds_it(shop: Shop) -> None:
    shop.admin("seed", {"sizes": 5, "fta": 10, "tax_included": False})
    order = read(shop, create(shop, body((SKU, 1), shippingValue=10)))
    assert order["grandTotal"]["value"] == 298.8 + 12
    assert (order["totals"]["taxAdded"]["value"], order["totals"]["taxIncluded"]["value"]) == (51.8, 0.0)


@pytest.mark.parametrize(("country", "market", "percent"), [("SE", 5, 25.0), ("AT", 6, 20.0), ("LU", 7, 17.0)])
def test_destination_has_a_market_and_its_tax(shop: Shop, country: str, market: int, percent: float) -> None:
    markets = shop.data("{ markets { id assignedToCountries { code } } }")["markets"]
    own = [m["id"] for m in markets if m["id"] > 1 and country in [c["code"] for c in m["assignedToCountries"]]]
    assert own == [market]
    there = address(country=country)
    wanted = body(marketId=market, pricelistId=8, invoiceAddress=there, deliveryAddress=there)
    number = create(shop, wanted)
    order = read(shop, number)
    assert (order["grandTotal"]["currency"]["code"], order["country"]) == ("SEK", {"code": country})
    assert {line["taxPercent"] for line in order["lines"]} == {percent}
    assert seen(shop, number)["market"] == market


# ---------------------------------------------------------------- splits


def test_split_order_answers_with_two_numbers(shop: Shop) -> None:
    lines = ((SKU, 2), (OTHER, 1), ("VX-000001-S", 1))
    number = create(shop, body(*lines))
    shop.data(NAME, input=names((number, "A-1")))
    shop.fault(code="OrderComplete", kind="split")
    numbers = complete(shop, number, 1)
    assert (len(numbers), numbers[0]) == (2, str(number))
    assert complete(shop, number, 1) == numbers  # no third one
    first, second = (read(shop, int(text)) for text in numbers)
    assert [[line["productSize"]["SKU"] for line in order["lines"]] for order in (first, second)] == [
        [SKU, OTHER],
        ["VX-000001-S"],
    ]
    assert (first["status"], second["status"]) == ("PENDING", "PENDING")
    assert (first["externalId"], second["externalId"]) == ("A-1", None)  # a name is one order's
    assert (first["internalComment"], second["totals"]["shipping"]["value"]) == (second["internalComment"], 0.0)
    assert [event["objectReference"] for event in shop.events()][:2] == [int(text) for text in numbers]


def test_every_nth_order_splits(shop: Shop) -> None:
    shop.admin("orders/options", {"split_every": 2})
    wanted = body((SKU, 1), (OTHER, 1), createOnly=False)
    counts = [len(rest(shop, "/order", wanted).json()["orders"]) for _ in range(4)]
    assert sorted(counts) == [1, 1, 2, 2]
    assert counts[0] != counts[1]


# ---------------------------------------------------------------- names from outside


def names(*pairs: tuple[int, str]) -> list[Json]:
    return [{"objectType": "Order", "internalId": number, "externalId": name} for number, name in pairs]


def test_orders_are_named_in_a_batch(shop: Shop) -> None:
    first, second = create(shop, body()), create(shop, body())
    answer = shop.data(NAME, input=names((first, "A-1"), (second, "A-2")))["setIdConversions"]
    assert [entry["internalId"] for entry in answer["entries"]] == [first, second]
    assert shop.data(FIND, externalId="A-2")["idConversions"] == [{"internalId": second}]
    assert (read(shop, first)["externalId"], seen(shop, first)["external_id"]) == ("A-1", "A-1")
    again = shop.data(NAME, input=names((first, "A-1")))["setIdConversions"]
    assert again["userErrors"] == []
    assert len([entry for entry in ledger(shop, "CONVERSION") if entry["number"] == first]) == 1
    # A colliding name goes over silently, and so does a second name of one order.
    shop.data(UPDATE, order={"number": second}, input={"externalId": "A-1"})
    assert (read(shop, first)["externalId"], read(shop, second)["externalId"]) == (None, "A-1")
    assert shop.data(FIND, externalId="A-2")["idConversions"] == []
    by_name = shop.data(UPDATE, order={"externalId": "A-1"}, input={"otherComment": "seen"})
    assert by_name["updateDirectToConsumerOrder"]["order"] == {"number": second}


def test_names_belong_to_an_integration(shop: Shop) -> None:
    shop.admin("tokens", {"add": {"token": "t-stranger", "integration": "stranger"}})
    number = create(shop, body())
    shop.data(NAME, input=names((number, "A-1")))
    found = shop.post(FIND, {"externalId": "A-1"}, token="t-stranger").json()
    assert found["data"]["idConversions"] == []
    order = shop.post(READ, {"numbers": [number]}, token="t-stranger").json()["data"]["orders"][0]
    assert order["externalId"] is None


@pytest.mark.parametrize(("number", "name"), [(1, "A-1"), (None, ""), (None, "x" * 256)])
def test_batch_with_a_wrong_name_does_nothing(shop: Shop, number: int | None, name: str) -> None:
    made = create(shop, body())
    answer = shop.data(NAME, input=names((made, "A-9"), (number or made, name)))["setIdConversions"]
    assert (answer["entries"], len(answer["userErrors"])) == ([], 1)
    assert shop.data(FIND, externalId="A-9")["idConversions"] == []


def test_incomplete_orders_may_have_no_name(shop: Shop) -> None:
    shop.admin("orders/options", {"no_conversion_of_incomplete": True})
    number = create(shop, body())
    assert "incomplete" in error_of(shop.data(NAME, input=names((number, "A-1")))["setIdConversions"])
    refused = shop.data(UPDATE, order={"number": number}, input={"externalId": "A-1", "isOnHold": True})
    assert error_of(refused["updateDirectToConsumerOrder"])
    assert not read(shop, number)["isOnHold"]
    complete(shop, number)
    assert shop.data(NAME, input=names((number, "A-1")))["setIdConversions"]["userErrors"] == []


# ---------------------------------------------------------------- read and changed


def test_orders_are_filtered(shop: Shop) -> None:
    waiting, held, incomplete = (create(shop, body()) for _ in range(3))
    complete(shop, waiting, 0)
    complete(shop, held)
    shop.data(UPDATE, order={"number": held}, input={"isOnHold": True})
    shop.data(CONFIRM, number=held)
    shop.admin("clock", {"advance_seconds": 60})
    since = shop.admin("clock")["now"]
    shop.admin("clock", {"advance_seconds": 60})
    late = create(shop, body(marketId=6))

    def numbers(**where: Any) -> list[int]:
        text = "query W($w: OrderFilter) { orders(where: $w, sort: [number_ASC]) { number } }"
        return [order["number"] for order in shop.data(text, w=where)["orders"]]

    assert numbers() == [waiting, held, incomplete, late]
    assert numbers(status=["INCOMPLETE"]) == [incomplete, late]
    assert numbers(isWaitingForPayment=True) == [waiting]
    assert numbers(isOnHold=True) == [held]
    assert numbers(isOnHold=False, status=["PENDING"]) == [waiting]
    assert numbers(marketId=[6]) == [late]
    assert numbers(storeType="WHOLESALE") == []
    assert numbers(storeType="DIRECT_TO_CONSUMER", number=[held, 1]) == [held]
    assert numbers(createdAt={"from": since}) == [late]
    assert numbers(id=[seen(shop, late)["id"]]) == [late]


def test_addresses_and_comments_are_changed_but_not_the_country(shop: Shop) -> None:
    number = create(shop, body())
    wanted = {
        "shippingAddress": {"firstName": "Noa", "city": "Nantes"},
        "internalComment": "i-2",
        "otherComment": "o-2",
    }
    shop.data(UPDATE, order={"number": number}, input=wanted)
    order = read(shop, number)
    assert order["shippingAddress"] == {
        "firstName": "Noa",
        "city": "Nantes",
        "cellPhoneNumber": "+33000000012",
        "phoneNumber": "+33000000012",
        "country": {"code": "FR"},
    }
    assert (order["internalComment"], order["otherComment"]) == ("i-2", "o-2")
    moved = shop.answer(UPDATE, order={"number": number}, input={"shippingAddress": {"country": "DE"}})
    assert "country" in moved["errors"][0]["message"]
    nobody = shop.data(UPDATE, order={}, input={"isOnHold": True})["updateDirectToConsumerOrder"]
    assert "Exactly one" in error_of(nobody)


def test_customer_is_made_anonymous(shop: Shop) -> None:
    number, other = create(shop, body()), create(shop, body())
    customer = seen(shop, number)["customer_id"]
    answer = rest(shop, f"/anonymize-customer/{customer}", None, method="PUT")
    assert answer.json() == {"status": "ok"}
    order = seen(shop, number)
    left = [order["email"], *order["shipping_address"].values(), *order["billing_address"].values()]
    assert {value for value in left if value is not None} == {"FR"}
    assert seen(shop, other)["email"] == "camille@mkp.example"
    assert rest(shop, "/anonymize-customer/1", None, method="PUT").json()["code"] == -7


def test_permission_to_read_addresses_is_one_of_its_own(shop: Shop) -> None:
    create(shop, body())
    token = {"token": "t-narrow", "integration": "orders", "permissions": ["Order:read"]}
    shop.admin("tokens", {"add": token})
    assert "errors" not in shop.post("{ orders { number country { code } } }", token="t-narrow").json()
    refused = shop.post("{ orders { shippingAddress { city } } }", token="t-narrow").json()
    assert "Order.shippingAddress:read" in refused["errors"][0]["message"]


# ---------------------------------------------------------------- what was done, and what went wrong


def test_ledger_tells_what_was_done_by_whom(shop: Shop) -> None:
    number = int(rest(shop, "/order", body(), effect="e-create").json()["order"])
    rest(shop, f"/order/{number}", {"internalComment": "demo-fr:A-1 placed"}, effect="e-place")
    shop.data(CANCEL, id=seen(shop, number)["id"], action=RELEASE)
    entries = ledger(shop, "CREATE", "COMPLETE", "CANCEL")
    assert [(entry["code"], entry["comment"], entry["effect"]) for entry in entries] == [
        ("CREATE", "demo-fr:A-1", "e-create"),
        ("COMPLETE", "demo-fr:A-1 placed", "e-place"),
        ("CANCEL", "demo-fr:A-1 placed", None),
    ]


def test_order_is_made_although_its_answer_is_lost(shop: Shop) -> None:
    sent_at = f"{shop.admin('clock')['now'][:19]}Z"  # orders have whole seconds
    shop.fault(code="OrderCreate", kind="drop_after")
    with pytest.raises(httpx.TransportError):
        rest(shop, "/order", body(internalComment="demo-fr:lost"))
    text = "query C($f: DateTimeTz) { orders(where: {createdAt: {from: $f}}) { number internalComment status } }"
    (found,) = shop.data(text, f=sent_at)["orders"]
    assert (found["internalComment"], found["status"]) == ("demo-fr:lost", "INCOMPLETE")


def test_call_takes_effect_long_after_it_was_given_up(shop: Shop) -> None:
    number = create(shop, body())
    shop.fault(code="OrderComplete", kind="late", seconds=600)
    with pytest.raises(httpx.TransportError):
        rest(shop, f"/order/{number}", {})
    assert read(shop, number)["status"] == "INCOMPLETE"
    shop.admin("clock", {"advance_seconds": 601})
    assert read(shop, number)["status"] == "PENDING"


def test_order_api_has_codes_of_its_own_and_no_share_of_the_buckets(shop: Shop) -> None:
    sandbox.still(shop, "Growth")
    before = sandbox.limits_of(shop)
    number = create(shop, body())
    complete(shop, number)
    rest(shop, "/anonymize-customer/1", None, method="PUT")
    calls = shop.admin("calls")["calls"]
    assert [calls[code] for code in ("OrderCreate", "OrderComplete", "AnonymizeCustomer")] == [1, 1, 1]
    after = sandbox.limits_of(shop)
    spent = [after[key]["usedQuota"] - before[key]["usedQuota"] for key in before if key[0] == "REQUEST_COUNT"]
    assert spent == [1, 1]  # the question itself
    shop.fault(code="OrderComplete", kind="status", status=503)
    assert rest(shop, f"/order/{number}", {}).status_code == 503


def test_refused_mutation_does_nothing(shop: Shop) -> None:
    number = create(shop, body())
    complete(shop, number)
    shop.fault(code="ConfirmOrder", kind="user_errors", body="Not today")
    assert error_of(shop.data(CONFIRM, number=number)["confirmOrder"]) == "Not today"
    assert read(shop, number)["status"] == "PENDING"


def test_order_of_the_admin_has_totals(shop: Shop) -> None:
    placed = shop.admin("orders", {"lines": [{"sku": SKU, "quantity": 2}], "market": 1})
    assert placed["totals"]["grand_total"] == 200.0
    assert datetime.fromisoformat(placed["created_at"]) == datetime.fromisoformat(placed["order_date"])
    assert (placed["status"], placed["shipping_address"], placed["email"]) == ("PENDING", None, None)
