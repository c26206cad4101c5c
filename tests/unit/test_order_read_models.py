"""What the samples say about orders is read exactly; whatever else stands there, an order is read or held."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.centra.orders import OrderFound, OrderRead
from app.mirakl.order_schema import Order, OrderLine, RawOrder
from app.wire.decode import Unreadable, read_items, typed

REFERENCE = Path(os.environ.get("CENTRA_MIRAKL_REFERENCE") or Path(__file__).parents[2].parent / "shared" / "reference")
SAMPLES = sorted((REFERENCE / "samples" / "mirakl").glob("or11_*.json"))
with_reference = pytest.mark.skipif(not SAMPLES, reason=f"NOT CHECKED against samples: none at {REFERENCE}")
Json = dict[str, Any]

LINE: Json = {
    "order_line_id": "N-1-A-1",
    "order_line_state": "WAITING_ACCEPTANCE",
    "offer_sku": "VX-100-M",
    "quantity": 2,
    "price_unit": 39.95,
    "price": 79.90,
    "shipping_price": 2.45,
    "total_price": 82.35,
}
ORDER: Json = {
    "order_id": "N-1-A",
    "commercial_id": "N-1",
    "order_state": "WAITING_ACCEPTANCE",
    "created_date": "2026-03-02T08:14:51Z",
    "last_updated_date": "2026-03-02T08:14:51.418Z",
    "currency_iso_code": "EUR",
    "price": 79.90,
    "shipping_price": 2.45,
    "total_price": 82.35,
    "order_lines": [LINE],
}


def read(order: Json) -> Order:
    return typed(json.dumps(order).encode(), Order)


def rows_of(name: str) -> list[Json]:
    rows: list[Json] = json.loads((REFERENCE / "samples" / "mirakl" / f"{name}.json").read_text())["orders"]
    return rows


@with_reference
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_read_as_it_is_written(path: Path) -> None:
    for row in json.loads(path.read_text(), parse_float=Decimal)["orders"]:
        encoded = msgspec.json.Encoder(decimal_format="number").encode(row)
        order = typed(encoded, Order)
        known = msgspec.to_builtins(order, builtin_types=(Decimal, datetime))
        assert_within(known, row)
        assert sum(line.total_price for line in order.order_lines) == order.total_price


def assert_within(known: Any, written: Any) -> None:
    """Every member we read is the one that is written; one we made up ourselves is None."""
    if isinstance(known, dict):
        for name, value in known.items():
            assert_within(value, (written or {}).get(name))
    elif isinstance(known, list | tuple):
        assert len(known) == len(written)
        for one, other in zip(known, written, strict=True):
            assert_within(one, other)
    elif isinstance(known, datetime):
        assert known == datetime.fromisoformat(written)
    else:
        assert known == written


@with_reference
def test_the_samples_say_what_decides() -> None:
    [waiting] = [read(row) for row in rows_of("or11_waiting_acceptance_two_lines")]
    assert (waiting.order_state, waiting.can_shop_ship, waiting.acceptance_decision_date) == (
        "WAITING_ACCEPTANCE",
        False,
        None,
    )
    assert waiting.customer is not None
    assert waiting.customer.shipping_address is None
    [shipping] = [read(row) for row in rows_of("or11_shipping_multi_tax_excluded")]
    assert shipping.customer_debited_date == datetime(2026, 2, 28, 7, 31, 9, 418_000, tzinfo=UTC)
    assert [(t.code, t.amount) for t in shipping.order_lines[0].taxes or ()] == [
        ("VAT20", Decimal("19.97")),
        ("ECOTEX", Decimal("0.5")),
    ]
    assert [f.value for f in shipping.order_additional_fields or ()] == ["true", ("FRA", "BEL")]
    [received] = [read(row) for row in rows_of("or11_received_partially_refunded")]
    assert [r.amount for line in received.order_lines for r in line.refunds or ()] == [Decimal(89), Decimal(10)]


def test_the_leanest_order_is_read_with_exact_money() -> None:
    order = read(ORDER)
    assert order.order_lines[0].price_unit * 2 == Decimal("79.90")
    assert (order.customer, order.can_shop_ship, order.order_lines[0].taxes) == (None, None, None)


@pytest.mark.parametrize("member", ORDER)
def test_an_order_without_a_member_we_need_is_held(member: str) -> None:
    with pytest.raises(Unreadable):
        read({name: value for name, value in ORDER.items() if name != member})


@pytest.mark.parametrize("member", LINE)
def test_one_line_without_a_member_we_need_holds_its_order(member: str) -> None:
    lean = {name: value for name, value in LINE.items() if name != member}
    with pytest.raises(Unreadable):
        read({**ORDER, "order_lines": [LINE, lean]})


@pytest.mark.parametrize(
    "odd",
    [
        {"total_price": "NaN"},
        {"total_price": "-Infinity"},
        {"total_price": 1e12},
        {"created_date": "2026-03-02T08:14:51"},
        {"created_date": "yesterday"},
        {"order_lines": [{**LINE, "quantity": -1}]},
        {"order_lines": [{**LINE, "quantity": 1.5}]},
        {"order_lines": [{**LINE, "price": "Infinity"}]},
        {"order_id": 70412233},
    ],
)
def test_what_no_order_can_hold_is_held(odd: Json) -> None:
    [bad] = read_items([msgspec.Raw(json.dumps({**ORDER, **odd}).encode())], Order, "order_id").unreadable
    assert bad.id == str(odd.get("order_id", "N-1-A"))


def test_new_states_and_members_pass_through() -> None:
    order = read({**ORDER, "order_state": "PARTLY_TELEPORTED", "teleport": {"gate": 3}})
    assert order.order_state == "PARTLY_TELEPORTED"


def test_an_order_shows_its_id_and_no_buyer_in_a_log() -> None:
    person = {"firstname": "Astrid", "lastname": "Lindqvist", "city": "Lyon", "phone": "+33000000012"}
    customer = {**person, "shipping_address": person, "organization": {"name": "Astrid AB"}}
    fields = [{"code": "gift", "value": "For Astrid"}]
    row = {
        **ORDER,
        "customer": customer,
        "customer_notification_email": "astrid@mkp.example",
        "order_additional_fields": fields,
        "order_lines": [{**LINE, "order_line_additional_fields": fields}],
    }
    order = read(row)
    shown = repr((RawOrder(order, json.dumps(row).encode()), order, order.customer, order.order_lines))
    assert "N-1-A" in shown
    assert "strid" not in shown
    assert "Lyon" not in shown


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("model", [Order, OrderLine, OrderRead, OrderFound], ids=lambda model: model.__name__)
def test_any_value_in_any_member_reads_or_holds_the_row(model: type[msgspec.Struct]) -> None:
    names = st.sampled_from(model.__struct_encode_fields__)
    base = {Order: ORDER, OrderLine: LINE}.get(model, {})

    @given(st.lists(st.dictionaries(names, ODD, max_size=3).map(lambda odd: {**base, **odd}) | ODD, max_size=3))
    def rows_are_read_or_held(rows: list[object]) -> None:
        found = read_items([msgspec.Raw(json.dumps(row).encode()) for row in rows], model)
        assert len(found.items) + len(found.unreadable) == len(rows)

    rows_are_read_or_held()
