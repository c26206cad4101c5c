"""Shipments and returns in the Centra stand-in against the reference: the published samples, stock, statuses, money,
names, webhooks, and what its staff does.

One real process serves all tests of this module over real sockets. Each test seeds the shop anew: 40 sizes, ten
units of each in three warehouses, of which 1 and 2 ship without asking. A unit is 249.00, shipping 6.90, tax 20 %.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from graphql import build_schema, parse, validate

from tests.contract import test_centra_sandbox as sandbox
from tests.contract.test_centra_sandbox import Json, Shop
from tests.contract.test_centra_sandbox_orders import (
    CONFIRM,
    OPTIONS,
    OTHER,
    RELEASE,
    REMOVE,
    SKU,
    UPDATE,
    assert_shape,
    body,
    complete,
    create,
    error_of,
    fta,
    ledger,
    sample,
    seen,
)
from tests.standins import Sandbox, start_sandbox

THIRD = "VX-000001-S"
SHIPMENT = """
fragment ShipmentParts on Shipment {
  id number isGoodToGo isPaid isShipped shippedAt createdAt updatedAt
  trackingNumber returnTrackingNumber numberOfPackages externalId
  grandTotal { value }
  carrierInformation { carrierName serviceName }
  lines { id quantity returnedQuantity lineValue { value } unitPrice { value } orderLine { id comment } }
  order { number status }
  store { id }
}"""
RETURN = """
fragment ReturnParts on Return {
  id returnStatus createdAt returnedToStock externalId comment totalQuantity
  grandTotal { value currency { code } }
  totals {
    quantity
    lineValues { value } shipping { value } handling { value } discounts { value } returnCost { value }
    taxIncluded { value } taxAdded { value } taxDeducted { value }
  }
  returnWarehouse { id }
  refundPaymentHistory { id entryType status externalReference value { value } }
  lines {
    id quantity unitPrice { value } lineValue { value } orderLine { id comment } shipmentLine { id returnedQuantity }
  }
  order { number }
  shipment { id number }
  ... on DirectToConsumerReturn { customer { id } }
}"""
ERRORS = "userErrors { message path } userWarnings { message path }"
READ_SHIPMENT = "query ReadShipment($id: Int!) { shipment(id: $id) { ...ShipmentParts } }" + SHIPMENT
LIST_SHIPMENTS = "query ListShipments($w: ShipmentFilter) { shipments(where: $w, sort: [id_DESC]) { number } }"
PACK = f"""
mutation Pack($input: ShipmentCreateInput!) {{
  createShipment(input: $input) {{ shipment {{ ...ShipmentParts }} {ERRORS} }}
}}{SHIPMENT}"""
CHANGE = f"""
mutation Change($id: Int!, $input: ShipmentUpdateInput!) {{
  updateShipment(id: $id, input: $input) {{ shipment {{ ...ShipmentParts }} {ERRORS} }}
}}{SHIPMENT}"""
SEND = f"""
mutation Send($id: Int!, $input: ShipmentCompleteInput!) {{
  completeShipment(id: $id, input: $input) {{ shipment {{ ...ShipmentParts }} {ERRORS} }}
}}{SHIPMENT}"""
READ_RETURN = "query ReadReturn($id: Int!) { return(id: $id) { ...ReturnParts } }" + RETURN
LIST_RETURNS = "query ListReturns($w: ReturnFilter) { returns(where: $w, sort: [id_DESC]) { id } }"
TAKE_BACK = f"""
mutation TakeBack($input: ReturnCreateInput!) {{
  createReturn(input: $input) {{ return {{ ...ReturnParts }} {ERRORS} }}
}}{RETURN}"""
VERBS = {
    verb: f"mutation Verb($id: Int!) {{ {verb}Return(id: $id) {{ return {{ ...ReturnParts }} {ERRORS} }} }}{RETURN}"
    for verb in ("complete", "uncomplete", "delete")
}
ORDER = (
    "query Order($n: [Int!]!) { orders(where: { number: $n }) { status"
    " lines(includeFullyCancelled: true) { id quantity cancelledQuantity shippedQuantity returnedQuantity }"
    " shipments { ...ShipmentParts } returns { ...ReturnParts }"
    " paymentHistory { id entryType status externalReference value { value } } } }" + SHIPMENT + RETURN
)
NAME = """
mutation Name($input: [IdConversionSetInput!]!) {
  setIdConversions(input: $input) { entries { internalId } userErrors { message path } }
}"""
FIND = """
query Find($externalId: String!, $types: [IdConversionEntryObjectType!]) {
  idConversions(where: { objectType: $types, externalId: { equals: $externalId } }) { internalId objectType }
}"""
EVENTS = """
query AfterEvents {
  events(limit: 200) { objectType changeType objectReference object { __typename ... on Return { returnStatus } } }
}"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    config = {"centra": {"port": 0, "token": "t-after", "integration": "after", "catalogue": {"sizes": 10}}}
    running = start_sandbox(config, tmp_path_factory.mktemp("centra-after"))
    yield running
    running.child.stop(seconds=10)
    assert running.child.stderr() == ""


@pytest.fixture
def shop(process: Sandbox) -> Iterator[Shop]:
    with httpx.Client(base_url=process.centra, trust_env=False, timeout=20) as client:
        made = Shop(process, client, "t-after", "after")
        made.admin("clock", {"scale": 1.0})
        made.admin("faults", method="DELETE")
        made.admin("calls", method="DELETE")
        made.admin("limits", {"plan": "Enterprise"})
        made.admin("webhooks", {"url": None})
        made.admin("orders/options", OPTIONS)
        made.admin("seed", {"sizes": 40, "fta": 10})
        made.listen("Order", "Shipment", "Return")
        yield made


def placed(shop: Shop, *lines: tuple[str, int], **members: Any) -> Json:
    """A confirmed order, as the admin shows it; no event of it is queued."""
    number = create(shop, body(*lines, **members))
    complete(shop, number, 1)
    shop.data(CONFIRM, number=number)
    happened(shop)
    return seen(shop, number)


def read(shop: Shop, order: Json) -> Json:
    (found,) = shop.data(ORDER, n=[order["number"]])["orders"]
    made: Json = found
    return made


def pack(shop: Shop, order: Json, *units: tuple[int, int], **members: Any) -> Json:
    """The payload of createShipment: (position of the line, quantity) each."""
    lines = [{"orderLine": {"id": order["lines"][n]["id"]}, "quantity": quantity} for n, quantity in units]
    wanted = {"order": {"number": order["number"]}, "isGoodToGo": True, "isPaid": True, **members}
    payload: Json = shop.data(PACK, input={**({"lines": lines} if lines else {}), **wanted})["createShipment"]
    return payload


def shipped(shop: Shop, order: Json, *units: tuple[int, int], **members: Any) -> Json:
    lines = [{"line_id": order["lines"][n]["id"], "quantity": quantity} for n, quantity in units]
    return shop.admin("shipments", {"number": order["number"], **({"lines": lines} if lines else {}), **members})


def take_back(shop: Shop, shipment: Json, /, *units: tuple[int, int], **members: Any) -> Json:
    """The payload of createReturn."""
    lines = [{"shipmentLine": {"id": shipment["lines"][n]["id"]}, "quantity": quantity} for n, quantity in units]
    wanted = {"shipment": {"id": shipment["id"]}, "lines": lines, "returnStockActionPolicy": RELEASE, **members}
    payload: Json = shop.data(TAKE_BACK, input=wanted)["createReturn"]
    return payload


def done(shop: Shop, verb: str, number: int) -> Json:
    payload: Json = shop.data(VERBS[verb], id=number)[f"{verb}Return"]
    return payload


def euro(value: float) -> Json:
    return {"value": value, "currencyIsoCode": "EUR"}


def happened(shop: Shop) -> list[str]:
    """What is queued, as "Shipment COMPLETED"; taken off the queue."""
    queued = shop.data("{ events(limit: 200) { id objectType changeType } }")["events"]
    shop.data(sandbox.CONFIRM, ids=[event["id"] for event in queued])
    return [f"{event['objectType']} {event['changeType']}" for event in queued]


def later(shop: Shop) -> str:
    """An instant well after all that was done and before all that will be: instants have whole seconds."""
    shop.admin("clock", {"advance_seconds": 60})
    now: str = shop.admin("clock")["now"]
    shop.admin("clock", {"advance_seconds": 60})
    return now


def physical(shop: Shop, sku: str = SKU) -> dict[int, tuple[int, int]]:
    text = """query P($w: ProductSizeFilter) {
      productSizes(where: $w) { stock { physicalQuantity allocatedQuantity warehouse { id } } } }"""
    (size,) = shop.data(text, w={"SKU": {"equals": sku}})["productSizes"]
    return {row["warehouse"]["id"]: (row["physicalQuantity"], row["allocatedQuantity"]) for row in size["stock"]}


# ---------------------------------------------------------------- shapes of the reference

SAMPLES = ("shipment_create", "shipment_complete", "return_create", "return_complete", "returns_since")


def variables_for(shop: Shop, name: str, order: Json) -> Json:
    variables: Json = sample(f"{name}.variables.json")
    if name == "shipment_create":
        variables["lines"][0]["orderLine"]["id"] = order["lines"][0]["id"]
        return {**variables, "number": order["number"]}
    if name == "shipment_complete":
        return {**variables, "id": pack(shop, order, (0, 2))["shipment"]["id"]}
    shipment = shipped(shop, order, (0, 2), carrier="Colissimo", service="Home", tracking_number="XX1")
    if name == "return_create":
        wanted = variables["input"]
        wanted["shipment"]["id"] = shipment["id"]
        wanted["lines"][0]["shipmentLine"]["id"] = shipment["lines"][0]["id"]
        return variables
    made = shop.admin("returns", {"shipment": shipment["id"], "complete": name != "return_complete"})
    return {**variables, "id": made["id"]} if name == "return_complete" else variables


def sample_of_floats(name: str) -> Any:
    """The sample writes an amount of nothing as 0, and others as 249.0."""

    def with_floats(members: Json) -> Json:
        return {"value": float(members["value"])} if set(members) == {"value"} else members

    return json.loads(json.dumps(sample(name)), object_hook=with_floats)


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_answers_in_its_shape(shop: Shop, name: str) -> None:
    order = placed(shop, (SKU, 2), (OTHER, 1), extraAttributes={"ord_marketplace_order_id": "A-1"})
    variables = variables_for(shop, name, order)
    text = sandbox.reference(f"samples/centra/{name}.graphql").read_text(encoding="utf-8")
    answer = shop.answer(text, **variables)
    expected = sample_of_floats(f"{name}.response.json")
    assert "errors" not in answer
    assert_shape(answer["data"], expected["data"])
    said = answer["extensions"], expected["extensions"]
    assert set(said[0]["permissionsUsed"]) == set(said[1]["permissionsUsed"])
    assert said[1]["complexity"] / 3 <= said[0]["complexity"] <= 3 * said[1]["complexity"]
    for payload in answer["data"].values():
        assert not isinstance(payload, dict) or payload.get("userErrors", []) == []


def test_sample_errors_are_said_in_their_shape(shop: Shop) -> None:
    text = sandbox.reference("samples/centra/shipment_create.graphql").read_text(encoding="utf-8")
    order = placed(shop, (SKU, 1))
    line = {"orderLine": {"id": order["lines"][0]["id"]}, "quantity": 1}
    refused = shop.answer(text, number=40399, lines=[line])["data"]["createShipment"]
    expected = sample("error_user_errors.response.json")["data"]["createShipment"]
    assert_shape(refused, expected)
    assert (refused["shipment"], refused["userErrors"][0]["path"]) == (None, ["input", "order"])
    warned = pack(shop, order, (0, 1), isPaid=False, capture=True)
    expected = sample("warning_capture_failed.response.json")["data"]["createShipment"]
    assert warned["userWarnings"] == expected["userWarnings"]
    assert (warned["userErrors"], warned["shipment"]["isPaid"]) == ([], False)


def test_operations_of_this_module_are_true_to_the_reference() -> None:
    theirs = build_schema(sandbox.reference("centra-integration.graphql").read_text(encoding="utf-8"))
    texts = (READ_SHIPMENT, LIST_SHIPMENTS, PACK, CHANGE, SEND, READ_RETURN, LIST_RETURNS, TAKE_BACK, ORDER, NAME, FIND)
    for text in (*texts, *VERBS.values()):
        assert validate(theirs, parse(text)) == []


# ---------------------------------------------------------------- shipments


def test_order_goes_in_two_shipments(shop: Shop) -> None:
    order = placed(shop, (SKU, 3), (OTHER, 1))
    info = {"carrier": "Colissimo", "service": "Home", "trackingNumber": "XX1", "packagesNumber": 2}
    first = pack(shop, order, (0, 2), shipmentInfo=info)["shipment"]
    assert (first["number"], first["isShipped"], first["shippedAt"]) == (f"{order['number']}-1", False, None)
    assert first["order"] == {"number": order["number"], "status": "PROCESSING"}
    assert (physical(shop)[1], fta(shop)[1]) == ((10, 3), 7)  # packed is still allocated
    assert happened(shop) == ["Shipment CREATED", "Order UPDATED"]
    sent = shop.data(SEND, id=first["id"], input={"shippedAt": "2025-03-04T14:20:00+01:00"})["completeShipment"]
    assert (sent["userErrors"], sent["shipment"]["isShipped"]) == ([], True)
    assert sent["shipment"]["shippedAt"] == "2025-03-04T14:20:00+01:00"
    assert (physical(shop)[1], fta(shop)[1]) == ((8, 1), 7)
    assert happened(shop) == ["Shipment COMPLETED", "Order UPDATED"]
    assert sent["shipment"]["carrierInformation"] == {"carrierName": "Colissimo", "serviceName": "Home"}
    assert sent["shipment"]["lines"][0]["orderLine"]["comment"] == "line-1"
    second = shipped(shop, order, tracking_number="XX2")  # all that is left
    assert [(line["sku"], line["quantity"]) for line in second["lines"]] == [(SKU, 1), (OTHER, 1)]
    assert happened(shop) == ["Shipment CREATED", "Shipment COMPLETED", "Order UPDATED"]
    now = read(shop, order)
    assert [shipment["number"] for shipment in now["shipments"]] == [f"{order['number']}-{n}" for n in (1, 2)]
    assert [line["shippedQuantity"] for line in now["lines"]] == [3, 1]
    assert now["status"] == "SHIPPED"
    # The order's shipping is on the first of them.
    assert [s["grandTotal"]["value"] for s in now["shipments"]] == [2 * 249 + 6.9, 2 * 249.0]
    assert shop.data(READ_SHIPMENT, id=first["id"])["shipment"]["numberOfPackages"] == 2
    assert shop.data(READ_SHIPMENT, id=1)["shipment"] is None


@pytest.mark.parametrize(
    ("units", "word"), [(((0, 4),), "3 allocated"), (((0, 2), (0, 2)), "3 allocated"), (((0, 0),), "allocated")]
)
def test_shipment_holds_no_more_than_is_allocated(shop: Shop, units: tuple[tuple[int, int], ...], word: str) -> None:
    order = placed(shop, (SKU, 3))
    payload = pack(shop, order, *units)
    assert payload["shipment"] is None
    assert word in error_of(payload)
    assert (read(shop, order)["shipments"], happened(shop)) == ([], [])


def test_packed_units_are_taken(shop: Shop) -> None:
    order = placed(shop, (SKU, 3))
    pack(shop, order, (0, 2))
    assert "1 allocated" in error_of(pack(shop, order, (0, 2)))
    cut = {"number": order["number"], "lines": [{"sku": SKU, "quantity": 2}]}
    assert shop.client.post("/_sandbox/orders/cancel", json=cut).status_code == 400
    cut["lines"] = [{"line_id": order["lines"][0]["id"], "quantity": 1}]
    line = shop.admin("orders/cancel", cut)["lines"][0]
    assert (line["quantity"], line["cancelled"], line["packed"], fta(shop)[1]) == (2, 1, 2, 8)
    assert shop.client.post("/_sandbox/orders/cancel", json={"number": order["number"]}).status_code == 400


@pytest.mark.parametrize("hold", [True, False])
def test_order_that_waits_is_not_shipped(shop: Shop, hold: bool) -> None:
    number = create(shop, body())
    complete(shop, number, 1 if hold else 0)
    order = seen(shop, number)
    if hold:
        packed = pack(shop, order, (0, 1))["shipment"]
        shop.data(UPDATE, order={"number": number}, input={"isOnHold": True})
        refused = shop.data(SEND, id=packed["id"], input={})["completeShipment"]
        assert "must not be shipped" in error_of(refused)
    assert "must not be shipped" in error_of(pack(shop, order, (0, 1)))
    assert shop.client.post("/_sandbox/shipments", json={"number": number}).status_code == 400
    if hold:
        shop.data(UPDATE, order={"number": number}, input={"isOnHold": False})
        assert shop.data(SEND, id=packed["id"], input={})["completeShipment"]["userErrors"] == []


def test_rest_that_is_cancelled_ends_the_order(shop: Shop) -> None:
    order = placed(shop, (SKU, 3))
    shipped(shop, order, (0, 2))
    assert read(shop, order)["status"] == "PROCESSING"
    cut = {"number": order["number"], "lines": [{"sku": SKU, "quantity": 1}], "release": False}
    assert shop.admin("orders/cancel", cut)["status"] == "SHIPPED"
    assert physical(shop)[1] == (7, 0)


def test_order_ends_when_its_shipments_are_paid(shop: Shop) -> None:
    order = placed(shop, (SKU, 1))
    shipment = shipped(shop, order, paid=False)
    assert read(shop, order)["status"] == "PROCESSING"
    shop.data(CHANGE, id=shipment["id"], input={"isPaid": True})
    assert read(shop, order)["status"] == "SHIPPED"


def test_captured_money_pays_for_shipments(shop: Shop) -> None:
    order = placed(shop, (SKU, 1), payment={"capture": {"status": 1, "transaction": "A"}})
    assert pack(shop, order, (0, 1), isPaid=False)["shipment"]["isPaid"]


def test_completed_shipment_is_changed(shop: Shop) -> None:
    order = placed(shop, (SKU, 1))
    shipment = shipped(shop, order, tracking_number="XX1", carrier="Colissimo", service="Home")
    happened(shop)
    shop.admin("clock", {"advance_seconds": 5})
    info = {"trackingNumber": "XX2", "service": ""}
    changed = shop.data(CHANGE, id=shipment["id"], input={"shipmentInfo": info})["updateShipment"]["shipment"]
    assert (changed["trackingNumber"], changed["returnTrackingNumber"]) == ("XX2", None)
    assert changed["carrierInformation"] == {"carrierName": "Colissimo", "serviceName": None}
    assert changed["updatedAt"] > changed["createdAt"]
    assert happened(shop) == ["Shipment UPDATED", "Order UPDATED"]
    told = shop.admin("shipments/change", {"shipment": shipment["number"], "return_tracking": "RR1", "carrier": ""})
    assert (told["return_tracking"], told["carrier"], told["tracking_number"]) == ("RR1", None, "XX2")
    again = shop.data(SEND, id=shipment["id"], input={})["completeShipment"]
    assert "already" in error_of(again)


def test_packed_shipment_is_completed_by_the_staff(shop: Shop) -> None:
    order = placed(shop, (SKU, 1))
    packed = shipped(shop, order, complete=False, good_to_go=False)
    assert (packed["good_to_go"], packed["shipped"], packed["shipped_at"]) == (False, False, None)
    sent = shop.admin("shipments/complete", {"shipment": packed["id"], "good_to_go": True, "carrier": "Rowan"})
    assert (sent["good_to_go"], sent["shipped"], sent["carrier"]) == (True, True, "Rowan")
    assert shop.admin("shipments")["shipments"] == [sent]


@pytest.mark.parametrize("completed", [True, False])
def test_shipment_is_removed(shop: Shop, completed: bool) -> None:
    order = placed(shop, (SKU, 3))
    shipment = shipped(shop, order, (0, 2), complete=completed)
    shop.admin("shipments/remove", {"shipment": shipment["id"]})
    assert (physical(shop)[1], fta(shop)[1]) == ((10, 3), 7)
    now = read(shop, order)
    assert (now["shipments"], now["status"], now["lines"][0]["shippedQuantity"]) == ([], "CONFIRMED", 0)
    gone = [e for e in shop.data(EVENTS)["events"] if e["changeType"] == "DELETED"]
    reference = {"objectType": "Shipment", "changeType": "DELETED", "objectReference": shipment["id"], "object": None}
    assert gone == [reference]
    assert shipped(shop, order)["number"] == f"{order['number']}-2"  # no number is given twice
    assert read(shop, order)["status"] == "SHIPPED"


def test_shipments_are_filtered(shop: Shop) -> None:
    order = placed(shop, (SKU, 3))
    early = shipped(shop, order, (0, 1))
    packed = shipped(shop, order, (0, 1), complete=False, good_to_go=False)
    since = later(shop)
    late = shipped(shop, order, (0, 1))

    def numbers(**where: Any) -> list[str]:
        return [shipment["number"] for shipment in shop.data(LIST_SHIPMENTS, w=where)["shipments"]]

    assert numbers() == [late["number"], packed["number"], early["number"]]
    assert numbers(isShipped=True) == [late["number"], early["number"]]
    assert numbers(isGoodToGo=False) == [packed["number"]]
    assert numbers(shippedAt={"to": early["shipped_at"]}) == [early["number"]]
    assert numbers(createdAt={"from": since}) == [late["number"]]
    since = later(shop)
    shop.admin("shipments/change", {"shipment": early["id"], "tracking_number": "XX9"})
    assert numbers(updatedAt={"from": since}) == [early["number"]]
    assert numbers(id=[early["id"], 1]) == [early["number"]]
    assert numbers(storeId=[2]) == []


# ---------------------------------------------------------------- returns


def test_return_is_expected_then_completed(shop: Shop) -> None:
    order = placed(shop, (SKU, 2), (OTHER, 1))
    shipment = shipped(shop, order)
    happened(shop)
    made = take_back(shop, shipment, (0, 1), comment="Too small")["return"]
    assert (made["returnStatus"], made["comment"], made["totalQuantity"]) == ("PENDING", "Too small", 1)
    assert (made["lines"][0]["orderLine"]["comment"], made["lines"][0]["shipmentLine"]["returnedQuantity"]) == (
        "line-1",
        0,
    )
    assert (made["order"]["number"], made["shipment"]["number"]) == (order["number"], shipment["number"])
    assert made["customer"]["id"] == order["customer_id"]
    assert (fta(shop)[1], read(shop, order)["lines"][0]["returnedQuantity"]) == (8, 0)
    assert happened(shop) == ["Return CREATED", "Order UPDATED"]
    finished = done(shop, "complete", made["id"])["return"]
    assert (finished["returnStatus"], finished["returnedToStock"]) == ("COMPLETED", True)
    assert finished["returnWarehouse"] == {"id": 1}
    assert finished["refundPaymentHistory"] == []  # the marketplace pays back
    now = read(shop, order)
    assert (fta(shop)[1], now["lines"][0]["returnedQuantity"], now["status"]) == (9, 1, "SHIPPED")
    assert now["shipments"][0]["lines"][0]["returnedQuantity"] == 1
    assert now["returns"] == [finished]
    assert shop.data(READ_RETURN, id=made["id"])["return"] == finished
    assert happened(shop) == ["Return COMPLETED", "Order UPDATED"]


@pytest.mark.parametrize("verb", ["complete", "uncomplete", "delete"])
def test_return_that_is_not_there_is_named(shop: Shop, verb: str) -> None:
    payload = done(shop, verb, 999)
    assert (payload["return"], payload["userErrors"]) == (
        None,
        [{"message": "Could not find return with ID 999", "path": ["id"]}],
    )


def test_completed_return_is_undone(shop: Shop) -> None:
    order = placed(shop, (SKU, 2))
    shipment = shipped(shop, order)
    made = take_back(shop, shipment, (0, 2))["return"]
    assert "not completed" in error_of(done(shop, "uncomplete", made["id"]))
    done(shop, "complete", made["id"])
    assert "already" in error_of(done(shop, "complete", made["id"]))
    happened(shop)
    assert done(shop, "uncomplete", made["id"])["return"]["returnStatus"] == "PENDING"
    assert (fta(shop)[1], read(shop, order)["lines"][0]["returnedQuantity"]) == (8, 0)
    assert happened(shop) == ["Return UPDATED", "Order UPDATED"]
    assert "0 units" in error_of(take_back(shop, shipment, (0, 1)))  # still expected


@pytest.mark.parametrize("completed", [True, False])
def test_return_is_deleted(shop: Shop, completed: bool) -> None:
    order = placed(shop, (SKU, 2))
    shipment = shipped(shop, order)
    made = shop.admin("returns", {"shipment": shipment["id"], "complete": completed})
    refused = shop.client.post("/_sandbox/shipments/remove", json={"shipment": shipment["id"]})
    assert "has a return" in refused.json()["error"]
    happened(shop)
    assert done(shop, "delete", made["id"])["return"]["id"] == made["id"]
    deleted = shop.data(EVENTS)["events"][0]
    assert (deleted["objectType"], deleted["changeType"], deleted["object"]) == ("Return", "DELETED", None)
    now = read(shop, order)
    assert (now["returns"], now["lines"][0]["returnedQuantity"], fta(shop)[1]) == ([], 0, 8)
    assert shop.data(READ_RETURN, id=made["id"])["return"] is None
    assert take_back(shop, shipment, (0, 2))["userErrors"] == []


@pytest.mark.parametrize(
    ("units", "members", "word"),
    [
        (((0, 3),), {}, "2 units"),
        (((0, 1), (0, 2)), {}, "2 units"),
        (((0, 0),), {}, "units"),
        ((), {}, "has units"),
        (((0, 1),), {"lines": [{"shipmentLine": {"id": 1}, "quantity": 1}]}, "shipment line with ID 1"),
        (((0, 1),), {"shipment": {"id": 1}}, "shipment with id 1"),
        (((0, 1),), {"shipment": {}}, "Exactly one"),
        (((0, 1),), {"returnStockActionPolicy": {}}, "Exactly one"),
        (((0, 1),), {"shippingCost": {"value": euro(6.91)}}, "cannot exceed 6.9"),
        (((0, 1),), {"shippingCost": {"value": euro(1), "fromShipment": True}}, "Exactly one"),
        (((0, 1),), {"shippingCost": {"value": euro(-1)}}, "below 0"),
        (((0, 1),), {"handlingCost": {"value": euro(1)}}, "cannot exceed 0"),
        (((0, 1),), {"returnCost": euro(249.01)}, "not above"),
        (((0, 1),), {"returnCost": {"value": 1, "currencyIsoCode": "SEK"}}, "in EUR"),
        (((0, 1),), {"externalId": ""}, "External id"),
    ],
)
def test_return_that_cannot_be_made(shop: Shop, units: tuple[tuple[int, int], ...], members: Json, word: str) -> None:
    order = placed(shop, (SKU, 2))
    shipment = shipped(shop, order)
    happened(shop)
    assert word in error_of(take_back(shop, shipment, *units, **members))
    assert (read(shop, order)["returns"], happened(shop)) == ([], [])


def test_only_a_completed_shipment_comes_back(shop: Shop) -> None:
    order = placed(shop, (SKU, 1))
    packed = pack(shop, order)["shipment"]
    assert "not completed" in error_of(take_back(shop, packed, (0, 1)))


def test_units_may_not_come_back_on_the_shelf(shop: Shop) -> None:
    shipment = shipped(shop, placed(shop, (SKU, 1)))
    made = take_back(shop, shipment, (0, 1), returnStockActionPolicy=REMOVE)["return"]
    finished = done(shop, "complete", made["id"])["return"]
    assert (finished["returnedToStock"], finished["returnWarehouse"], physical(shop)[1]) == (False, None, (9, 0))


def test_totals_of_a_return_contain_its_tax(shop: Shop) -> None:
    order = placed(shop, (SKU, 2))
    shipment = shipped(shop, order)
    costs = {"shippingCost": {"value": euro(4)}, "handlingCost": {"value": euro(0)}, "returnCost": euro(9.95)}
    first = take_back(shop, shipment, (0, 1), **costs)["return"]
    assert first["grandTotal"] == {"value": 243.05, "currency": {"code": "EUR"}}
    values = {name: amount["value"] for name, amount in first["totals"].items() if name != "quantity"}
    assert values == {
        "lineValues": 249.0,
        "shipping": 4.0,
        "handling": 0.0,
        "discounts": 0.0,
        "returnCost": 9.95,
        "taxIncluded": 40.51,
        "taxAdded": 0.0,
        "taxDeducted": 0.0,
    }
    assert "cannot exceed 2.9" in error_of(take_back(shop, shipment, (0, 1), shippingCost={"value": euro(2.91)}))
    rest = take_back(shop, shipment, (0, 1), shippingCost={"fromShipment": True})["return"]
    assert (rest["totals"]["shipping"]["value"], rest["grandTotal"]["value"]) == (2.9, 251.9)


def test_price_list_without_tax_adds_it_to_a_return(shop: Shop) -> None:
    shop.admin("seed", {"sizes": 5, "fta": 10, "tax_included": False})
    shipment = shipped(shop, placed(shop, (SKU, 1)))
    totals = take_back(shop, shipment, (0, 1))["return"]["totals"]
    assert [totals[name]["value"] for name in ("lineValues", "taxAdded", "taxIncluded")] == [298.8, 49.8, 0.0]


def test_staff_takes_back(shop: Shop) -> None:
    order = placed(shop, (SKU, 2), (OTHER, 1))
    shipped(shop, order)
    wanted = {"number": order["number"], "lines": [{"sku": OTHER, "quantity": 1}], "comment": "Torn", "release": False}
    made = shop.admin("returns", {**wanted, "shipping_cost": "all", "handling": 1.5, "return_cost": 2})
    assert (made["status"], made["comment"], made["grand_total"]) == ("COMPLETED", "Torn", 255.4)
    assert (made["shipping"], made["handling"], made["return_cost"]) == (6.9, 1.5, 2.0)
    assert (made["lines"][0]["line_id"], made["returned_to_stock"]) == (order["lines"][1]["id"], False)
    rest = shop.admin("returns", {"number": order["number"], "complete": False})
    assert ([line["quantity"] for line in rest["lines"]], rest["status"]) == ([2], "PENDING")
    assert shop.admin("returns/complete", {"return": rest["id"]})["status"] == "COMPLETED"
    assert shop.admin("returns/uncomplete", {"return": rest["id"]})["status"] == "PENDING"
    assert shop.admin("returns")["returns"] == seen(shop, order["number"])["returns"]
    shop.admin("returns/delete", {"return": rest["id"]})
    assert shop.client.post("/_sandbox/returns/burn", json={"return": made["id"]}).status_code == 400
    assert [line["returned"] for line in seen(shop, order["number"])["lines"]] == [0, 1]


def test_provider_pays_back(shop: Shop) -> None:
    order = placed(shop, (SKU, 1))
    shipped(shop, order)
    made = shop.admin("returns", {"number": order["number"], "complete": False})
    wanted = {"return": made["id"], "reference": "psp-1"}
    assert shop.client.post("/_sandbox/returns/refund", json=wanted).status_code == 400
    done(shop, "complete", made["id"])
    shop.admin("returns/refund", {**wanted, "entry_type": "REFUND_REQUEST"})
    shop.admin("returns/refund", wanted)
    entries = read(shop, order)["returns"][0]["refundPaymentHistory"]
    assert [(e["entryType"], e["status"], e["externalReference"], e["value"]) for e in entries] == [
        ("REFUND_REQUEST", "PENDING", "psp-1", {"value": 249.0}),
        ("REFUND", "SUCCESS", "psp-1", {"value": 249.0}),
    ]
    assert read(shop, order)["paymentHistory"][-2:] == entries
    assert "paid back" in error_of(done(shop, "uncomplete", made["id"]))
    assert "paid back" in error_of(done(shop, "delete", made["id"]))
    assert read(shop, order)["returns"][0]["returnStatus"] == "COMPLETED"


def test_returns_are_filtered(shop: Shop) -> None:
    first, second = placed(shop, (SKU, 2)), placed(shop, (SKU, 1))
    shipment = shipped(shop, first)
    early = shop.admin("returns", {"shipment": shipment["id"], "lines": [{"sku": SKU, "quantity": 1}]})
    since = later(shop)
    late = shop.admin("returns", {"shipment": shipped(shop, second)["id"], "complete": False})
    old = take_back(shop, shipment, (0, 1), createdAt="2020-01-01T00:00:00+01:00")["return"]

    def ids(**where: Any) -> list[int]:
        return [made["id"] for made in shop.data(LIST_RETURNS, w=where)["returns"]]

    assert ids() == [old["id"], late["id"], early["id"]]
    assert ids(createdAt={"from": since}) == [late["id"]]
    assert ids(returnStatus=["COMPLETED"]) == [early["id"]]
    assert ids(customerId=[second["customer_id"]]) == [late["id"]]
    assert ids(storeType="WHOLESALE") == []
    assert ids(storeType="DIRECT_TO_CONSUMER", id=[early["id"], late["id"]]) == [late["id"], early["id"]]
    # Completed now, and yet a poll by the time it was made does not meet it again: no update time is kept.
    since = later(shop)
    done(shop, "complete", late["id"])
    assert ids(createdAt={"from": since}) == []


# ---------------------------------------------------------------- names, webhooks, what was done


def test_shipments_and_returns_have_names(shop: Shop) -> None:
    order = placed(shop, (SKU, 2))
    shipment = pack(shop, order, (0, 2), externalId="N-1")["shipment"]
    shop.data(SEND, id=shipment["id"], input={})
    assert shipment["externalId"] == "N-1"
    first = take_back(shop, shipment, (0, 1), externalId="N-1", shipment={"externalId": "N-1"})["return"]
    assert first["externalId"] == "N-1"
    shop.data(UPDATE, order={"number": order["number"]}, input={"externalId": "N-1"})
    # One name, three types.
    found = shop.data(FIND, externalId="N-1")["idConversions"]
    assert {(entry["objectType"], entry["internalId"]) for entry in found} == {
        ("Order", order["number"]),
        ("Shipment", shipment["id"]),
        ("Return", first["id"]),
    }
    only = shop.data(FIND, externalId="N-1", types=["Return"])["idConversions"]
    assert [entry["internalId"] for entry in only] == [first["id"]]
    # A second return under the same name takes it over silently: nothing is idempotent here.
    second = take_back(shop, shipment, (0, 1), externalId="N-1")["return"]
    assert shop.data(FIND, externalId="N-1", types=["Return"])["idConversions"][0]["internalId"] == second["id"]
    assert shop.data(READ_RETURN, id=first["id"])["return"]["externalId"] is None
    renamed = {"objectType": "Return", "internalId": second["id"], "externalId": "N-2"}
    assert shop.data(NAME, input=[renamed])["setIdConversions"]["userErrors"] == []
    done(shop, "delete", second["id"])
    done(shop, "delete", first["id"])
    assert shop.data(FIND, externalId="N-2")["idConversions"] == []
    shop.data(CHANGE, id=shipment["id"], input={"externalId": "N-3"})
    assert shop.admin("shipments")["shipments"][0]["external_id"] == "N-3"
    shop.admin("shipments/remove", {"shipment": shipment["id"]})
    assert shop.data(FIND, externalId="N-3")["idConversions"] == []
    assert [entry["objectType"] for entry in shop.data(FIND, externalId="N-1")["idConversions"]] == ["Order"]


def test_webhooks_tell_of_shipments_and_returns(shop: Shop) -> None:
    shop.admin("webhooks", {"url": "http://127.0.0.1:9/nobody", "kinds": ["integration"]})
    order = placed(shop, (SKU, 1))
    shipment = shipped(shop, order)
    made = shop.admin("returns", {"shipment": shipment["id"]})
    known: list[tuple[str, str, int]] = []

    def told() -> bool:
        calls = [call["payload"] for call in shop.admin("webhooks")["deliveries"] if call["kind"] == "integration"]
        known[:] = [(event["type"], event["action"], event["id"]) for call in calls for event in call["events"]]
        return ("return", "complete", made["id"]) in known

    sandbox.until(told)
    assert [event for event in known if event[0] != "order"] == [
        ("shipment", "create", shipment["id"]),
        ("shipment", "good_to_go", shipment["id"]),
        ("shipment", "complete", shipment["id"]),
        ("return", "create", made["id"]),
        ("return", "complete", made["id"]),
    ]


def test_ledger_tells_what_was_done_and_for_what(shop: Shop) -> None:
    order = placed(shop, (SKU, 2))
    shipment = shipped(shop, order)
    shop.admin("shipments/change", {"shipment": shipment["id"], "tracking_number": "XX2"})
    lines = [{"shipmentLine": {"id": shipment["lines"][0]["id"]}, "quantity": 1}]
    wanted = {"shipment": {"id": shipment["id"]}, "lines": lines, "returnStockActionPolicy": RELEASE}
    headers = {"Authorization": f"Bearer {shop.token}", "X-Effect-Id": "e-return"}
    call = {"query": TAKE_BACK, "variables": {"input": wanted}}
    made = shop.client.post("/graphql", json=call, headers=headers).json()["data"]["createReturn"]["return"]
    for verb in ("complete", "uncomplete", "delete"):
        done(shop, verb, made["id"])
    shop.admin("shipments/remove", {"shipment": shipment["id"]})
    expected = ["PACK", "SHIP", "SHIPMENT_UPDATE", "RETURN", "RETURN_COMPLETE", "RETURN_UNCOMPLETE", "RETURN_DELETE"]
    expected.append("SHIPMENT_REMOVE")
    after = ledger(shop, *expected)
    assert [entry["code"] for entry in after] == expected
    assert {(entry["number"], entry["comment"]) for entry in after} == {(order["number"], "demo-fr:A-1")}
    assert (after[3]["effect"], after[3]["return_id"], after[3]["grand_total"]) == ("e-return", made["id"], 249.0)
    history = [change["change"] for change in seen(shop, order["number"])["history"]]
    assert history[-len(expected) :] == expected


def test_return_is_made_although_its_answer_is_lost(shop: Shop) -> None:
    shipment = shipped(shop, placed(shop, (SKU, 1)))
    shop.fault(code="TakeBack", kind="drop_after")
    with pytest.raises(httpx.TransportError):
        take_back(shop, shipment, (0, 1), externalId="lost")
    (found,) = shop.data(FIND, externalId="lost", types=["Return"])["idConversions"]
    assert shop.data(READ_RETURN, id=found["internalId"])["return"]["returnStatus"] == "PENDING"
    shop.fault(code="Verb", kind="user_errors", body="Not today")
    assert error_of(done(shop, "complete", found["internalId"])) == "Not today"
    assert shop.data(READ_RETURN, id=found["internalId"])["return"]["returnStatus"] == "PENDING"


def test_writing_takes_permissions_of_its_own(shop: Shop) -> None:
    shipment = shipped(shop, placed(shop, (SKU, 1)))
    readers = {"token": "t-reader", "integration": "after", "permissions": ["Return:read", "Shipment:read"]}
    shop.admin("tokens", {"add": readers})
    assert "errors" not in shop.post("{ returns { id } shipments { id } }", token="t-reader").json()
    for text, permission in (
        ("{ returns { comment } }", "Return.comment:read"),
        ("mutation { completeReturn(id: 1) { return { id } } }", "Return:write"),
        (f"mutation {{ updateShipment(id: {shipment['id']}, input: {{}}) {{ shipment {{ id }} }} }}", "Shipment:write"),
    ):
        assert permission in shop.post(text, token="t-reader").json()["errors"][0]["message"]
