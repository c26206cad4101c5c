"""The money rules against the platform's own document: its transaction types, and its sample order beside its log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from app.domain.money import minor
from app.domain.orders import Order
from app.domain.settlement import Transaction
from app.mirakl import order_schema
from app.mirakl.order_facts import told_of
from app.policies.settlement.cycles import Sum, lines_total
from app.policies.settlement.orders import differences_of_order
from app.policies.settlement.terms import Commission, Terms
from app.policies.settlement.types import MEANINGS
from app.wire.decode import typed
from tests.contract.reference import reference_file

DOCUMENT = json.loads(reference_file("mirakl-seller.openapi.json").read_text())
CONTRACT = Terms(Commission(share=Decimal("0.15"), vat=Decimal("0.25")), unpaid_after=timedelta(days=60))


def types_listed(node: Any) -> Iterator[set[str]]:
    """The types of TL02, TL03 and TL05, wherever the document lists them."""
    if isinstance(node, dict):
        if "ORDER_AMOUNT" in node.get("enum", ()):
            yield {type_ for type_ in node["enum"] if type_ is not None}
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from types_listed(value)


def test_each_type_of_the_document_has_its_meaning() -> None:
    listed = list(types_listed(DOCUMENT))
    assert len(listed) >= 3
    assert all(types == set(MEANINGS) for types in listed)


def sample_order() -> Order:
    raw = json.loads(reference_file("samples/mirakl/or11_received_partially_refunded.json").read_text())["orders"][0]
    text = msgspec.json.encode(raw)
    return told_of(order_schema.RawOrder(typed(text, order_schema.Order), text)).order


def sample_log() -> list[Transaction]:
    page = json.loads(reference_file("samples/mirakl/tl02_transaction_page.json").read_text())
    return [_transaction(row) for row in page["data"]]


def _transaction(row: dict[str, Any]) -> Transaction:
    entities, at = row["entities"], datetime.fromisoformat(row["date_created"])
    return Transaction(
        row["id"],
        row["type"],
        minor(Decimal(str(row["amount"])), "EUR"),
        row["currency_iso_code"],
        row["payment_state"],
        at,
        at,
        row["seller_billing_cycle_id"],
        *(entities.get(name, {}).get("id") for name in ("order", "order_line", "refund")),
    )


def test_the_sample_order_is_as_the_sample_log_has_it() -> None:
    """The page of the log ends before the order's second line."""
    order, log = sample_order(), [line for line in sample_log() if line.order_id]
    first = replace(order, lines=order.lines[:1])
    now = max(line.created_at for line in log) + timedelta(days=2)
    assert len(log) == 7
    assert differences_of_order(order.order_id, first, log, CONTRACT, now) == []
    [missing] = differences_of_order(order.order_id, order, log, CONTRACT, now)
    assert missing.line_id == order.lines[1].line_id


def test_the_sample_payment_is_the_sum_of_the_other_lines() -> None:
    log = sample_log()
    [payment] = [line.amount for line in log if line.type == "PAYMENT"]
    assert lines_total(Sum(line.type, line.state, line.amount, 1) for line in log) == -payment
