"""What both platforms say after the sale is read or held, and what is said to them says no more and no less."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.centra.after_sale import OrderAfterSale
from app.centra.returns import ReturnRead
from app.centra.shipments import ShipmentRead
from app.domain.after_sale import RefundOrder
from app.domain.ids import OrderLineId
from app.domain.orders import Tax
from app.mirakl.after_calls import each
from app.mirakl.after_schema import (
    Document,
    DocumentRequest,
    NewShipment,
    OrderDocument,
    Part,
    RefundLine,
    RefundMade,
    RefundsMade,
    Return,
    Shipment,
    Thread,
    Tracking,
)
from app.mirakl.refunds import RefundRefusal, cancelation_line, refund_line, refund_refusal
from app.wire.decode import Unreadable, typed
from app.wire.outcome import Applied, RefusalKind, Refused, Unknown
from app.wire.request import WireResponse

Json = dict[str, Any]
AT = "2026-03-02T08:00:00Z"
VALUE = {"value": 1.5}
CENTRA_SHIPMENT: Json = {
    "id": 7788,
    "number": "40321-1",
    "isShipped": True,
    "lines": [{"id": 55010, "quantity": 2, "orderLine": {"id": 90011, "comment": "N-1-A-1"}}],
    "order": {"number": 40321},
}
LEANEST: dict[type[Any], Json] = {
    Shipment: {"id": "s-1", "order_id": "N-1-A", "status": "SHIPPING"},
    RefundMade: {
        "refund_id": "1",
        "order_refund_id": "g",
        "order_line_id": "N-1-A-1",
        "amount": 19.9,
        "shipping_amount": 0,
    },
    RefundsMade: {"refunds": []},
    Return: {
        "id": "r-1",
        "state": "IN_PROGRESS",
        "order_id": "N-1-A",
        "date_created": AT,
        "last_updated": AT,
        "return_lines": [{"order_line_id": "N-1-A-1", "quantity": 1}],
    },
    Thread: {"id": "t-1", "metadata": {}},
    OrderDocument: {"id": 7, "order_id": "N-1-A", "file_name": "a.pdf", "type": "CUSTOMER_INVOICE"},
    DocumentRequest: {"id": "q-1", "state": "TO_PROCESS", "type": "INVOICE", "entity_id": "N-1-A"},
    ShipmentRead: CENTRA_SHIPMENT,
    OrderAfterSale: {
        "number": 40321,
        "status": "PROCESSING",
        "lines": [{"id": 90011, "quantity": 2, "cancelledQuantity": 0}],
        "shipments": [CENTRA_SHIPMENT],
        "returns": [],
    },
    ReturnRead: {
        "id": 612,
        "returnStatus": "PENDING",
        "createdAt": AT,
        "grandTotal": VALUE,
        "totals": dict.fromkeys(("lineValues", "shipping", "handling", "returnCost", "discounts"), VALUE),
        "lines": [{"id": 4401, "quantity": 1, "lineValue": VALUE, "orderLine": {"id": 90011}}],
        "order": {"number": 40321},
        "shipment": {"id": 7788, "number": "40321-1"},
    },
}


def read(type_: type[Any], row: Json) -> Any:
    return typed(json.dumps(row).encode(), type_)


@pytest.mark.parametrize("type_", LEANEST)
def test_the_leanest_row_is_read_and_nulls_are_as_good_as_nothing(type_: type[Any]) -> None:
    row = LEANEST[type_]
    optional = [field for field in msgspec.structs.fields(type_) if not field.required]
    nulls = {field.encode_name: None for field in optional if field.default is None}
    assert read(type_, row | nulls) == read(type_, row)


@pytest.mark.parametrize("type_", LEANEST)
def test_a_row_without_a_member_we_need_is_held(type_: type[Any]) -> None:
    row = LEANEST[type_]
    for member in row:
        for lean in ({n: v for n, v in row.items() if n != member}, row | {member: None}):
            with pytest.raises(Unreadable):
                read(type_, lean)


@pytest.mark.parametrize(
    ("type_", "odd"),
    [
        (Shipment, {"shipment_lines": [{"quantity": -1}]}),
        (Shipment, {"created_date": "2026-03-02T08:00:00"}),
        (RefundMade, {"amount": "NaN"}),
        (RefundMade, {"amount": -0.01}),
        (RefundMade, {"shipping_amount": "Infinity"}),
        (RefundMade, {"taxes": [{"code": "VAT", "amount": "NaN"}]}),
        (Return, {"return_lines": [{"order_line_id": "N-1-A-1", "quantity": 1.5}]}),
        (Return, {"last_updated": "yesterday"}),
        (ReturnRead, {"grandTotal": {"value": "NaN"}}),
        (ReturnRead, {"createdAt": "2026-03-02T08:00:00"}),
        (ShipmentRead, {"shippedAt": "2026-03-02"}),
    ],
)
def test_what_no_row_can_hold_is_held(type_: type[Any], odd: Json) -> None:
    with pytest.raises(Unreadable):
        read(type_, LEANEST[type_] | odd)


def test_new_states_and_members_pass_through() -> None:
    for type_, member in ((Shipment, "status"), (Return, "state"), (ReturnRead, "returnStatus")):
        row = LEANEST[type_] | {member: "PARTLY_TELEPORTED", "teleport": {"gate": 3}}
        assert "PARTLY_TELEPORTED" in msgspec.structs.astuple(read(type_, row))


def test_units_of_a_line_in_several_packages_add_up() -> None:
    lines = [{"order_line_id": "a", "quantity": 1}, {"order_line_id": "b", "quantity": 2}] * 2
    assert dict(read(Shipment, LEANEST[Shipment] | {"shipment_lines": lines}).units) == {"a": 2, "b": 4}


@pytest.mark.parametrize(
    ("compliance", "compliant"),
    [(None, None), ([], None), ([True], True), ([False], False), ([True, False], False)],
)
def test_a_line_complies_if_all_of_its_checks_say_so(compliance: list[bool] | None, compliant: bool | None) -> None:
    told = None if compliance is None else [{"compliant": one} for one in compliance]
    line = {"order_line_id": "a", "quantity": 2, "compliance": told}
    assert read(Return, LEANEST[Return] | {"return_lines": [line]}).return_lines[0].compliant is compliant


def test_what_a_buyer_wrote_and_is_called_is_not_read() -> None:
    person = {"description": "Astrid Lindqvist", "documents": [], "customer": {"firstname": "Astrid"}}
    thread = LEANEST[Thread] | {
        "messages": [{"body": "I am Astrid"}],
        "topic": {"type": "FREE_TEXT", "value": "Astrid's coat"},
        "current_participants": [{"display_name": "Astrid"}],
        "metadata": {"last_sender": {"display_name": "Astrid"}, "shop_reply_needed_since": AT},
        "entities": [{"id": "N-1-A", "label": "Astrid", "type": "MMP_ORDER"}],
    }
    for kept in (read(Return, LEANEST[Return] | person), read(Thread, thread)):
        assert b"Astrid" not in msgspec.json.encode(kept)


# ---------------------------------------------------------------------------------------------- requests


def test_a_tracking_names_its_carrier_in_one_way() -> None:
    for odd in ({}, {"tracking_number": "1"}, {"carrier_code": "DHL", "carrier_name": "DHL"}):
        with pytest.raises(ValueError, match="by code or by name"):
            Tracking(**odd)


@pytest.mark.parametrize("amount", ["NaN", "-0.01", "Infinity"])
def test_no_amount_below_nothing_is_given_back(amount: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        Part(code="VAT", amount=Decimal(amount))
    with pytest.raises(ValueError, match="shipping_amount"):
        RefundLine(
            order_line_id="a",
            amount=Decimal(1),
            shipping_amount=Decimal(amount),
            reason_code="17",
            currency_iso_code="EUR",
        )


def test_a_request_refuses_members_that_mirakl_does_not_know() -> None:
    stored = {"order_id": "N-1-A", "shipment_lines": [], "carrier_url": "x"}
    with pytest.raises(msgspec.ValidationError, match="carrier_url"):
        msgspec.convert(stored, NewShipment)


@pytest.mark.parametrize("name", ["facture-é.pdf", "invoice"])
def test_a_document_with_a_name_that_mirakl_refuses_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        Document(name, b"")
    assert "secret" not in repr(Document("a.pdf", b"secret"))


def test_a_refund_is_said_as_it_was_decided() -> None:
    entry = RefundOrder(
        line_id=OrderLineId("N-1-A-1"),
        quantity=2,
        amount=Decimal("19.90"),
        shipping=Decimal("2.45"),
        currency="EUR",
        reason="17",
        taxes=(Tax("STATE", Decimal("1.25"), Decimal("6.25")), Tax("STATE", Decimal("0.20"))),
        shipping_taxes=(Tax("STATE", Decimal("0.15")),),
        not_shipped=True,
    )
    said = {
        "order_line_id": "N-1-A-1",
        "quantity": 2,
        "amount": Decimal("19.90"),
        "shipping_amount": Decimal("2.45"),
        "currency_iso_code": "EUR",
        "reason_code": "17",
        "taxes": [{"code": "STATE", "amount": Decimal("1.25")}, {"code": "STATE", "amount": Decimal("0.20")}],
        "shipping_taxes": [{"code": "STATE", "amount": Decimal("0.15")}],
    }
    encode = msgspec.json.Encoder(decimal_format="number").encode
    assert json.loads(encode(cancelation_line(entry)), parse_float=Decimal) == said
    assert json.loads(encode(refund_line(entry)), parse_float=Decimal) == said | {"excluded_from_shipment": True}


# ---------------------------------------------------------------------------------------- answers, property

IDS = st.sampled_from(["a", "b", "c", "d"])
TOLD = st.lists(st.fixed_dictionaries({"id": st.none() | IDS}, optional={"message": st.none() | st.text()}))


@given(asked=st.lists(IDS, unique=True, min_size=1), good=TOLD, bad=TOLD, kind=st.sampled_from(["shipment", "return"]))
def test_an_item_is_done_only_if_the_answer_says_so_and_nothing_else(
    asked: list[str], good: list[Json], bad: list[Json], kind: str
) -> None:
    body = json.dumps({f"{kind}_success": good, f"{kind}_errors": bad}).encode()
    outcome = each(Applied(WireResponse(200, {}, body)), asked)
    assert isinstance(outcome, Applied)
    assert list(outcome.value) == asked
    made, failed = {told["id"] for told in good}, {told["id"] for told in bad}
    for id_, told in outcome.value.items():
        assert isinstance(told, Applied) is (id_ in made - failed)
        assert isinstance(told, Refused) is (id_ in failed - made)
        assert isinstance(told, Applied | Refused | Unknown)


@given(st.text())
def test_any_words_of_a_refused_refund_have_a_kind(words: str) -> None:
    assert refund_refusal(Refused(words, 400, RefusalKind.INVALID)) in RefundRefusal
