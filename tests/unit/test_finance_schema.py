"""Mirakl's rows of money in our terms: exact, or not at all."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.money import exact_minor, exponent, major
from app.domain.settlement import Transaction
from app.mirakl.finance_schema import ToldCycle, ToldDocument, ToldTransaction, Transactions
from app.wire.decode import Items, Rows, UnreadableItem, read_items

Json = dict[str, Any]
AT = datetime(2026, 1, 19, 13, 25, 52, tzinfo=UTC)
CURRENCIES = ("JPY", "EUR", "SEK", "KWD")

TRANSACTION: Json = {
    "id": "t-1",
    "type": "COMMISSION_FEE",
    "amount": -27.29,
    "currency_iso_code": "EUR",
    "date_created": "2026-01-19T13:25:52Z",
}
CYCLE: Json = {
    "id": "c-1",
    "currency_iso_code": "EUR",
    "date_created": "2026-01-19T13:25:52Z",
    "amount_transferred_to_seller": 1234.5,
}
DOCUMENT: Json = {
    "invoice_id": 40321,
    "type": "MANUAL_CREDIT",
    "currency_iso_code": "EUR",
    "date_created": "2026-01-19T13:25:52Z",
    "total_amount_excl_taxes": 10,
    "total_amount_incl_taxes": "12.50",
}


def read(rows: list[Json], row: type[Any]) -> Items[Any]:
    return read_items([msgspec.Raw(json.dumps(one).encode()) for one in rows], row)


def one(row: type[Any], members: Json) -> Any:
    [found] = read([members], row).items
    return found.ours()


@given(st.integers(-(10**18) + 1, 10**18 - 1), st.sampled_from(CURRENCIES))
def test_whole_minor_units_are_read_as_they_are(units: int, currency: str) -> None:
    told = json.dumps({**TRANSACTION, "currency_iso_code": currency, "amount": "X"})
    found = msgspec.json.decode(told.replace('"X"', str(major(units, currency))), type=ToldTransaction)
    assert (found.ours().amount, found.ours().currency) == (units, currency)


@given(st.integers(-(10**12), 10**12), st.integers(1, 9), st.integers(1, 6), st.sampled_from(CURRENCIES))
def test_parts_of_a_minor_unit_are_never_rounded(units: int, part: int, places: int, currency: str) -> None:
    amount = Decimal(units).scaleb(-exponent(currency)) + Decimal(part).scaleb(-exponent(currency) - places)
    with pytest.raises(ValueError, match=f"no whole number of minor units of {currency}"):
        exact_minor(amount, currency)


@pytest.mark.parametrize(
    "odd",
    [
        *({name: None} for name in TRANSACTION),
        *({name: ""} for name in ("id", "type", "currency_iso_code")),
        *({"amount": amount} for amount in (1.005, "1.005", "NaN", "Infinity", "1e400", 10**18, "1,50", True)),
        {"currency_iso_code": "JPY", "amount": 0.5},
        {"currency_iso_code": "KWD", "amount": 0.0005},
        {"currency_iso_code": "???"},
        {"date_created": "2026-01-19T13:25:52"},
        {"date_created": "yesterday"},
    ],
    ids=repr,
)
def test_an_odd_line_is_one_unreadable_item(odd: Json) -> None:
    found = read([TRANSACTION, {**TRANSACTION, **odd}, {**TRANSACTION, "id": "t-3"}], ToldTransaction)
    assert [line.id for line in found.items] == ["t-1", "t-3"]
    [bad] = found.unreadable
    assert (bad.index, bad.id) == (1, odd.get("id", "t-1") or "")
    assert "27.29" not in bad.reason


@pytest.mark.parametrize("missing", TRANSACTION)
def test_a_line_that_lacks_what_an_account_needs_is_unreadable(missing: str) -> None:
    lacking = {name: value for name, value in TRANSACTION.items() if name != missing}
    assert [bad.index for bad in read([lacking], ToldTransaction).unreadable] == [0]


def test_a_lean_line_and_a_new_type_and_state_pass() -> None:
    line = one(ToldTransaction, {**TRANSACTION, "type": "LUNAR_FEE", "payment_state": "FROZEN", "new": {"x": [1]}})
    assert line == Transaction("t-1", "LUNAR_FEE", -2729, "EUR", "FROZEN", AT, AT)
    nothing = dict.fromkeys(("payment_state", "last_updated", "seller_billing_cycle_id", "entities"))
    assert one(ToldTransaction, {**TRANSACTION, **nothing}).state == ""


def test_a_line_says_what_it_is_about() -> None:
    entities: Json = {
        "order": {"id": "N-1-A", "commercial_id": "N-1"},
        "order_line": {"id": "N-1-A-1"},
        "refund": {"id": "1110"},
        "order_tax": None,
        "shop_tax": {"code": "TAXDEFAULT", "rate": 25.5},
        "transaction_info": {"date": None, "number": "P-77"},
        "fee": {"code": "LATE_SHIPMENT", "refunds": None},
        "domain": "PRODUCT",
    }
    members = {"last_updated": "2026-01-20T00:00:00.418Z", "seller_billing_cycle_id": "c-1"}
    line = one(ToldTransaction, {**TRANSACTION, **members, "accounting_document_number": "F-9", "entities": entities})
    assert (line.order_id, line.line_id, line.refund_id) == ("N-1-A", "N-1-A-1", "1110")
    assert (line.tax, line.tax_rate) == ("TAXDEFAULT", Decimal("25.5"))
    assert (line.cycle, line.document, line.payment, line.label) == ("c-1", "F-9", "P-77", "LATE_SHIPMENT")
    assert line.updated_at == datetime(2026, 1, 20, microsecond=418_000, tzinfo=UTC)
    entities["order_tax"] = {"code": "VAT-SE", "rate": None}
    entities["one_off_item"] = {"description": "Photo studio, March"}
    line = one(ToldTransaction, {**TRANSACTION, "entities": entities})
    assert (line.tax, line.tax_rate, line.label) == ("VAT-SE", None, "Photo studio, March")


def test_a_file_of_lines_is_walked_again_and_keeps_odd_ones_in_their_place() -> None:
    body = json.dumps([TRANSACTION, {**TRANSACTION, "amount": 0.001}, {**TRANSACTION, "id": "t-3"}]).encode()
    file = Transactions(Rows(body, ToldTransaction))
    for _ in range(2):
        first, odd, last = file
        assert isinstance(first, Transaction)
        assert isinstance(odd, UnreadableItem)
        assert isinstance(last, Transaction)
        assert (first.amount, odd.id, last.id) == (-2729, "t-1", "t-3")
    assert len(file) == 3


# ---------------------------------------------------------------------------------------- cycles and documents


def test_a_cycle_has_its_pay_out_and_every_total_that_is_an_amount() -> None:
    members: Json = {
        "amount_transferred_to_operator": "7.5",
        "pay_out": {"state": "FAILED", "failure_reason": "INCOMPLETE_KYC", "reference": "", "transaction_date": None},
        "summary": {
            "total_commissions_excl_tax": -12.25,
            "total_of_tomorrow": "3",
            "total_fee_excl_tax": None,
            "tomorrow": {"nested": [1]},
            "words": "none",
        },
        "shop": {"shop_id": "2001"},
    }
    cycle = one(ToldCycle, {**CYCLE, **members})
    assert (cycle.paid, cycle.state, cycle.failure, cycle.reference) == (123_450, "FAILED", "INCOMPLETE_KYC", None)
    assert cycle.totals == {
        "total_commissions_excl_tax": -1225,
        "total_of_tomorrow": 300,
        "amount_transferred_to_operator": 750,
    }
    assert one(ToldCycle, CYCLE).totals == {}


@pytest.mark.parametrize(
    "odd",
    [
        *({name: None} for name in CYCLE),
        {"amount_transferred_to_seller": 0.001},
        {"summary": {"total_commissions_excl_tax": 0.001}},
        {"amount_transferred_to_operator": 0.001},
    ],
    ids=repr,
)
def test_an_odd_cycle_is_one_unreadable_item(odd: Json) -> None:
    found = read([{**CYCLE, **odd}, CYCLE], ToldCycle)
    assert ([bad.index for bad in found.unreadable], len(found.items)) == ([0], 1)


@pytest.mark.parametrize(
    ("type_", "net", "gross"),
    [("MANUAL_CREDIT", 1000, 1250), ("MANUAL_INVOICE", -1000, -1250), ("AUTO_INVOICE", -1000, -1250)],
)
def test_a_document_bills_the_shop_unless_it_is_a_credit(type_: str, net: int, gross: int) -> None:
    document = one(ToldDocument, {**DOCUMENT, "type": type_})
    assert (document.id, document.number, document.net, document.gross) == ("40321", "40321", net, gross)
    assert document.issued_at == AT


def test_a_draft_has_an_id_and_no_number_and_words_stand_once() -> None:
    details = [{"description": "Photo studio"}, {"description": None}, {"description": "Photo studio"}]
    members = {"invoice_id": None, "id": "d-1", "state": "DRAFT", "payment": {"state": "PENDING"}, "details": details}
    document = one(ToldDocument, {**DOCUMENT, **members, "issue_date": "2026-02-01T00:00:00Z"})
    assert (document.id, document.number, document.state) == ("d-1", "", "DRAFT")
    assert (document.payment_state, document.label) == ("PENDING", "Photo studio")
    assert document.issued_at == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("odd", [*({name: None} for name in DOCUMENT), {"total_amount_incl_taxes": 12.501}], ids=repr)
def test_an_odd_document_is_one_unreadable_item(odd: Json) -> None:
    found = read([{**DOCUMENT, **odd}, DOCUMENT], ToldDocument)
    assert ([bad.index for bad in found.unreadable], len(found.items)) == ([0], 1)
