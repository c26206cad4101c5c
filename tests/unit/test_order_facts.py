"""What an order says of its refunds, cancelations and payment is kept whole, in the facts and in the raw order."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.domain.after_sale import taken
from app.domain.ids import OrderLineId
from app.domain.orders import Order, Refunded, Tax
from app.mirakl import order_schema as schema
from app.mirakl.order_facts import Told, told_of
from app.policies.refunds import LineRest, rest_of
from app.wire.decode import typed

REFERENCE = Path(os.environ.get("CENTRA_MIRAKL_REFERENCE") or Path(__file__).parents[2].parent / "shared" / "reference")
SAMPLES = sorted((REFERENCE / "samples" / "mirakl").glob("or11_*.json"))
with_reference = pytest.mark.skipif(not SAMPLES, reason=f"NOT CHECKED against samples: none at {REFERENCE}")
Json = dict[str, Any]

AT = "2026-03-02T08:14:51.418Z"
MOMENT = datetime(2026, 3, 2, 8, 14, 51, 418_000, tzinfo=UTC)
REFUND: Json = {
    "id": "58121",
    "order_refund_id": "g-1",
    "amount": 10.50,
    "shipping_amount": 1.20,
    "quantity": 1,
    "reason_code": "17",
    "refund_state": "REFUNDED",
    "state": "WAITING_REFUND",
    "created_date": AT,
    "taxes": [{"code": "VAT", "amount": 2.10, "rate": 25}, {"code": "ECO", "amount": 0.05}],
    "shipping_taxes": [{"code": "VAT", "amount": 0.24}],
    "transaction_date": AT,
    "transaction_number": "RF-58121",
}
CANCELATION: Json = {
    "id": "7001",
    "amount": 21.00,
    "shipping_amount": None,
    "quantity": 2,
    "reason_code": "35",
    "created_date": AT,
    "taxes": [{"code": "VAT", "amount": 4.20}],
}


def line(number: int, **members: Any) -> Json:
    return {
        "order_line_id": f"N-1-A-{number}",
        "order_line_state": "RECEIVED",
        "offer_sku": "VX-100-M",
        "quantity": 4,
        "price_unit": 10.50,
        "price": 42.00,
        "shipping_price": 4.80,
        "total_price": 46.80,
        "taxes": [{"code": "VAT", "amount": 8.40, "rate": 25}, {"code": "ECO", "amount": 0.20}],
        "shipping_taxes": [{"code": "VAT", "amount": 0.96}],
        **members,
    }


ORDER: Json = {
    "order_id": "N-1-A",
    "commercial_id": "N-1",
    "order_state": "RECEIVED",
    "created_date": AT,
    "last_updated_date": AT,
    "currency_iso_code": "EUR",
    "price": 84.00,
    "shipping_price": 9.60,
    "total_price": 93.60,
    "has_incident": True,
    "customer_debited_date": AT,
    "transaction_date": AT,
    "transaction_number": "TR-1",
    "customer": {"firstname": "Astrid", "lastname": "Lindqvist"},
    "order_lines": [line(1, refunds=[REFUND], cancelations=[CANCELATION]), line(2, refunds=[], cancelations=None)],
}


def tell(order: Json) -> Told:
    raw = json.dumps(order).encode()
    return told_of(schema.RawOrder(typed(raw, schema.Order), raw))


def test_refunds_and_cancelations_are_told_with_all_their_taxes() -> None:
    one = OrderLineId("N-1-A-1")
    refund = Refunded(
        refund_id="58121",
        line_id=one,
        amount=Decimal("10.5"),
        shipping=Decimal("1.2"),
        quantity=1,
        reason="17",
        state="REFUNDED",
        created_at=MOMENT,
        taxes=(Tax("VAT", Decimal("2.1"), Decimal(25)), Tax("ECO", Decimal("0.05"))),
        shipping_taxes=(Tax("VAT", Decimal("0.24")),),
        group="g-1",
        paid_at=MOMENT,
        transaction="RF-58121",
    )
    cancelation = Refunded(
        refund_id="7001",
        line_id=one,
        amount=Decimal(21),
        shipping=Decimal(0),
        quantity=2,
        reason="35",
        state="",
        created_at=MOMENT,
        taxes=(Tax("VAT", Decimal("4.2")),),
        cancelation=True,
    )
    assert taken(tell(ORDER).order) == (refund, cancelation)


def test_the_older_name_of_a_refunds_state_will_do() -> None:
    older = {name: value for name, value in REFUND.items() if name != "refund_state"}
    (refund,) = taken(tell({**ORDER, "order_lines": [line(1, refunds=[older])]}).order)
    assert refund.state == "WAITING_REFUND"


def test_the_payment_and_incidents_are_told() -> None:
    order = tell(ORDER).order
    assert (order.debited_at, order.paid_at, order.transaction, order.has_incident) == (MOMENT, MOMENT, "TR-1", True)
    unpaid = {name: value for name, value in ORDER.items() if name not in ("transaction_number", "has_incident")}
    assert (tell(unpaid).order.transaction, tell(unpaid).order.has_incident) == ("", False)


def test_the_raw_order_without_its_buyer_says_the_same_of_it() -> None:
    kept = tell(ORDER).kept
    assert "Astrid" not in kept
    assert tell(json.loads(kept)).order == tell(ORDER).order


def test_facts_are_read_back_as_they_were_stored_and_older_ones_too() -> None:
    order = tell(ORDER).order
    stored = msgspec.json.encode(order)
    assert msgspec.json.decode(stored, type=Order) == order
    older = json.loads(stored)
    for name in ("paid_at", "transaction", "has_incident"):
        del older[name]
    for old_line in older["lines"]:
        del old_line["taken"]
    lines = tuple(replace(one, taken=()) for one in order.lines)
    expected = replace(order, paid_at=None, transaction="", has_incident=False, lines=lines)
    assert msgspec.json.decode(json.dumps(older), type=Order) == expected


def test_what_is_taken_leaves_the_rest_of_each_part() -> None:
    order = tell({**ORDER, "order_tax_mode": "TAX_EXCLUDED"}).order
    rest = rest_of(order, order.lines[0], taken(order))
    assert rest == LineRest(goods=(1050, 210, 15), shipping=(360, 72), units=1)


@with_reference
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_line_of_the_samples_has_a_clear_rest(path: Path) -> None:
    for row in json.loads(path.read_text())["orders"]:
        order = tell(row).order
        given = [len(one.get("refunds") or ()) + len(one.get("cancelations") or ()) for one in row["order_lines"]]
        assert len(taken(order)) == sum(given)
        for one in order.lines:
            assert isinstance(rest_of(order, one, taken(order)), LineRest)
