"""A line of the transaction log, and how TL02 and TL05 show it.

Amounts are cents, a plus is money for the shop. A line stays as it was written but for its state, its cycle and its
document; `updated_at` moves with each.
"""

import functools
from dataclasses import dataclass
from typing import Any

from app.sandbox import clock
from app.sandbox.mirakl.orders import Order

STATES = ("PENDING", "PAYABLE", "PAID", "NOT_APPLICABLE", "RESERVE")
SHOP_TAX = "TAXDEFAULT"
PSP = "NOT_SPECIFIED"

# Neighbours share most of their dates, which would be the larger part of the work of showing a long log.
iso = functools.lru_cache(maxsize=256)(clock.iso)


@dataclass(frozen=True, slots=True)
class Sale:
    """What a line shows of an order that is not in the book."""

    order_id: str
    commercial_id: str
    created_at: float
    reference_for_customer: str | None = None
    reference_for_seller: str | None = None
    channel: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """The accounting document that bears a line."""

    id: str
    number: str
    created_at: float


@dataclass(slots=True, kw_only=True)
class Row:
    """Instants are app time in Unix seconds.

    `inside`: the tax that is part of `amount`, which is not shown. `tax`: the order's tax that it is; `shop_tax`: the
    rate in percent of the operator's, where it is that. `payment`: number and instant of the pay-out that it is.
    """

    id: str
    type: str
    amount: int
    currency: str
    state: str
    created_at: float
    updated_at: float
    balance: int | None = None
    inside: int = 0
    cycle: str | None = None
    paper: Paper | None = None
    sale: Order | Sale | None = None
    line_id: str | None = None
    refund_id: str | None = None
    tax: dict[str, Any] | None = None
    shop_tax: float | None = None
    fee: str | None = None
    manual: str | None = None
    one_off: dict[str, Any] | None = None
    payment: tuple[str, float] | None = None


def shown(row: Row) -> dict[str, Any]:
    amount, paper = row.amount / 100, row.paper
    balance = None if row.balance is None else row.balance / 100
    return {
        "accounting_document_creation_date": None if paper is None else iso(paper.created_at),
        "accounting_document_id": None if paper is None else paper.id,
        "accounting_document_number": None if paper is None else paper.number,
        "amount": amount,
        "amount_credited": max(amount, 0),
        "amount_debited": max(-amount, 0),
        "balance": balance,
        "currency_iso_code": row.currency,
        "date_created": iso(row.created_at),
        "entities": _entities(row),
        "id": row.id,
        "last_updated": iso(row.updated_at),
        "pay_out_psp_code": PSP,
        "payment_state": row.state,
        "psp_balance": balance,
        "seller_billing_cycle_id": row.cycle,
        "type": row.type,
    }


def _entities(row: Row) -> dict[str, Any]:
    """Only those that the line has."""
    entities: dict[str, Any] = {"domain": None if row.sale is None else "PRODUCT"}
    if row.sale is not None:
        entities["order"] = _order(row.sale)
        if row.sale.channel is not None:
            entities["channel"] = {"code": row.sale.channel["code"]}
    if row.line_id is not None:
        entities["order_line"] = {"id": row.line_id}
    if row.refund_id is not None:
        entities["refund"] = {"id": row.refund_id}
    if row.tax is not None:
        entities["order_tax"] = {"code": row.tax["code"], "rate": row.tax.get("rate")}
    if row.shop_tax is not None:
        entities["shop_tax"] = {"code": SHOP_TAX, "rate": row.shop_tax}
    if row.fee is not None:
        entities["order_fee"] = {"code": row.fee}
    if row.manual is not None:
        entities["manual_accounting_document"] = {"number": row.manual}
    if row.one_off is not None:
        entities["one_off_item"] = row.one_off
    if row.payment is not None:
        number, at = row.payment
        entities["transaction_info"] = {"date": iso(at), "number": number}
    return entities


def _order(sale: Order | Sale) -> dict[str, Any]:
    return {
        "commercial_id": sale.commercial_id,
        "creation_date": iso(sale.created_at),
        "id": sale.order_id,
        "payment_info": {"imprint_number": None, "payment_type": "CARD"},
        "references": {
            "order_reference_for_customer": sale.reference_for_customer,
            "order_reference_for_seller": sale.reference_for_seller,
        },
    }
