"""What each type of the transaction log (TL02) means: what it is of, its usual sign, and what it belongs to.

The names are the platform's (`transaction_type` of TL02). One that is not here is kept and shown, never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.domain.settlement import Transaction

PAID, NOT_APPLICABLE = "PAID", "NOT_APPLICABLE"
"""States of a line that is paid out, and of one that no pay-out will hold."""


class Group(StrEnum):
    """What finance keeps apart (SBC11's summary, and what operators' guides list line by line)."""

    ORDER = "order"
    ORDER_TAX = "order_tax"
    SHIPPING = "shipping"
    SHIPPING_TAX = "shipping_tax"
    ORDER_FEE = "order_fee"
    COMMISSION = "commission"
    COMMISSION_TAX = "commission_tax"
    REFUND = "refund"
    REFUND_TAX = "refund_tax"
    REFUNDED_SHIPPING = "refunded_shipping"
    REFUNDED_SHIPPING_TAX = "refunded_shipping_tax"
    REFUNDED_ORDER_FEE = "refunded_order_fee"
    REFUNDED_COMMISSION = "refunded_commission"
    REFUNDED_COMMISSION_TAX = "refunded_commission_tax"
    SUBSCRIPTION = "subscription"
    SUBSCRIPTION_TAX = "subscription_tax"
    SELLER_FEE = "seller_fee"
    SELLER_FEE_TAX = "seller_fee_tax"
    PENALTY = "penalty"
    PENALTY_TAX = "penalty_tax"
    MANUAL_CREDIT = "manual_credit"
    MANUAL_CREDIT_TAX = "manual_credit_tax"
    MANUAL_INVOICE = "manual_invoice"
    MANUAL_INVOICE_TAX = "manual_invoice_tax"
    ONE_OFF_CREDIT = "one_off_credit"
    ONE_OFF_CREDIT_TAX = "one_off_credit_tax"
    ONE_OFF_DEBIT = "one_off_debit"
    ONE_OFF_DEBIT_TAX = "one_off_debit_tax"
    REMITTED_TAX = "remitted_tax"
    """The operator pays it to the tax office itself."""
    REMITTED_FEE = "remitted_fee"
    OPERATOR_PAID_SHIPPING = "operator_paid_shipping"
    PURCHASE = "purchase"
    """Dropship: the operator buys the goods and sells them itself."""
    PAYMENT = "payment"
    RESERVE = "reserve"
    UNKNOWN = "unknown"


class Part(StrEnum):
    """What an amount of an order line is for."""

    GOODS = "goods"
    SHIPPING = "shipping"
    FEE = "fee"


@dataclass(frozen=True, slots=True)
class Meaning:
    """Of a type. `sign`: 1 where it is usually money for the shop, -1 where it takes, 0 where both occur."""

    group: Group
    sign: int
    part: Part | None = None
    """Of an order line, where the buyer paid or got it back."""
    tax: bool = False
    refund: bool = False
    by_operator: bool = False
    """The operator keeps or pays it itself, so it is not expected in the pay-out."""
    of_line: bool = False
    """Whether the platform books it for an order line."""

    @property
    def is_charge(self) -> bool:
        """Whether somebody has to know what it is for, since no order and no contract says it line by line."""
        return self.group in _CHARGES


def _of_buyer(
    group: Group, part: Part, *, tax: bool = False, refund: bool = False, by_operator: bool = False
) -> Meaning:
    sign = 0 if by_operator else -1 if refund else 1
    return Meaning(group, sign, part, tax, refund, by_operator, of_line=True)


def _of_line(group: Group, sign: int, *, tax: bool = False, refund: bool = False) -> Meaning:
    return Meaning(group, sign, None, tax, refund, of_line=True)


_G, _S, _F = Part.GOODS, Part.SHIPPING, Part.FEE

MEANINGS: Mapping[str, Meaning] = {
    "ORDER_AMOUNT": _of_buyer(Group.ORDER, _G),
    "ORDER_AMOUNT_TAX": _of_buyer(Group.ORDER_TAX, _G, tax=True),
    "ORDER_SHIPPING_AMOUNT": _of_buyer(Group.SHIPPING, _S),
    "ORDER_SHIPPING_AMOUNT_TAX": _of_buyer(Group.SHIPPING_TAX, _S, tax=True),
    "ORDER_FEE_AMOUNT": _of_buyer(Group.ORDER_FEE, _F),
    "REFUND_ORDER_AMOUNT": _of_buyer(Group.REFUND, _G, refund=True),
    "REFUND_ORDER_AMOUNT_TAX": _of_buyer(Group.REFUND_TAX, _G, tax=True, refund=True),
    "REFUND_ORDER_SHIPPING_AMOUNT": _of_buyer(Group.REFUNDED_SHIPPING, _S, refund=True),
    "REFUND_ORDER_SHIPPING_AMOUNT_TAX": _of_buyer(Group.REFUNDED_SHIPPING_TAX, _S, tax=True, refund=True),
    "REFUND_ORDER_FEE_AMOUNT": _of_buyer(Group.REFUNDED_ORDER_FEE, _F, refund=True),
    "COMMISSION_FEE": _of_line(Group.COMMISSION, -1),
    "COMMISSION_VAT": _of_line(Group.COMMISSION_TAX, -1, tax=True),
    "REFUND_COMMISSION_FEE": _of_line(Group.REFUNDED_COMMISSION, 1, refund=True),
    "REFUND_COMMISSION_VAT": _of_line(Group.REFUNDED_COMMISSION_TAX, 1, tax=True, refund=True),
    # Kept or paid by the operator itself.
    "OPERATOR_REMITTED_ORDER_AMOUNT_TAX": _of_buyer(Group.REMITTED_TAX, _G, tax=True, by_operator=True),
    "OPERATOR_REMITTED_ORDER_SHIPPING_AMOUNT_TAX": _of_buyer(Group.REMITTED_TAX, _S, tax=True, by_operator=True),
    "OPERATOR_REMITTED_ORDER_FEE_AMOUNT": _of_buyer(Group.REMITTED_FEE, _F, by_operator=True),
    "OPERATOR_REMITTED_REFUND_ORDER_AMOUNT_TAX": _of_buyer(
        Group.REMITTED_TAX, _G, tax=True, refund=True, by_operator=True
    ),
    "OPERATOR_REMITTED_REFUND_ORDER_SHIPPING_AMOUNT_TAX": _of_buyer(
        Group.REMITTED_TAX, _S, tax=True, refund=True, by_operator=True
    ),
    "OPERATOR_REMITTED_REFUND_ORDER_FEE_AMOUNT": _of_buyer(Group.REMITTED_FEE, _F, refund=True, by_operator=True),
    "OPERATOR_PAID_ORDER_SHIPPING_AMOUNT": _of_buyer(Group.OPERATOR_PAID_SHIPPING, _S, by_operator=True),
    "OPERATOR_PAID_ORDER_SHIPPING_AMOUNT_TAX": _of_buyer(Group.OPERATOR_PAID_SHIPPING, _S, tax=True, by_operator=True),
    "OPERATOR_PAID_REFUND_ORDER_SHIPPING_AMOUNT": _of_buyer(
        Group.OPERATOR_PAID_SHIPPING, _S, refund=True, by_operator=True
    ),
    "OPERATOR_PAID_REFUND_ORDER_SHIPPING_AMOUNT_TAX": _of_buyer(
        Group.OPERATOR_PAID_SHIPPING, _S, tax=True, refund=True, by_operator=True
    ),
    # Dropship.
    "PURCHASE_COMMISSION_FEE": _of_line(Group.PURCHASE, -1),
    "PURCHASE_SHIPPING_COMMISSION_FEE": _of_line(Group.PURCHASE, -1),
    "PURCHASE_FEE_COMMISSION_FEE": _of_line(Group.PURCHASE, -1),
    "PURCHASE_ORDER_AMOUNT_TAX": _of_line(Group.PURCHASE, 1, tax=True),
    "PURCHASE_ORDER_SHIPPING_AMOUNT_TAX": _of_line(Group.PURCHASE, 1, tax=True),
    "REFUND_PURCHASE_COMMISSION_FEE": _of_line(Group.PURCHASE, 1, refund=True),
    "REFUND_PURCHASE_SHIPPING_COMMISSION_FEE": _of_line(Group.PURCHASE, 1, refund=True),
    "REFUND_PURCHASE_FEE_COMMISSION_FEE": _of_line(Group.PURCHASE, 1, refund=True),
    "REFUND_PURCHASE_ORDER_AMOUNT_TAX": _of_line(Group.PURCHASE, -1, tax=True, refund=True),
    "REFUND_PURCHASE_ORDER_SHIPPING_AMOUNT_TAX": _of_line(Group.PURCHASE, -1, tax=True, refund=True),
    # Of the shop, or of an order as a whole.
    "SUBSCRIPTION_FEE": Meaning(Group.SUBSCRIPTION, -1),
    "SUBSCRIPTION_VAT": Meaning(Group.SUBSCRIPTION_TAX, -1, tax=True),
    "SELLER_FEE_ON_ORDER": Meaning(Group.SELLER_FEE, -1),
    "SELLER_FEE_ON_ORDER_TAX": Meaning(Group.SELLER_FEE_TAX, -1, tax=True),
    "SELLER_PENALTY_FEE": Meaning(Group.PENALTY, -1),
    "SELLER_PENALTY_FEE_TAX": Meaning(Group.PENALTY_TAX, -1, tax=True),
    "MANUAL_CREDIT": Meaning(Group.MANUAL_CREDIT, 1),
    "MANUAL_CREDIT_VAT": Meaning(Group.MANUAL_CREDIT_TAX, 1, tax=True),
    "MANUAL_INVOICE": Meaning(Group.MANUAL_INVOICE, -1),
    "MANUAL_INVOICE_VAT": Meaning(Group.MANUAL_INVOICE_TAX, -1, tax=True),
    "INVOICEABLE_ONE_OFF_CREDIT": Meaning(Group.ONE_OFF_CREDIT, 1),
    "INVOICEABLE_ONE_OFF_CREDIT_TAX": Meaning(Group.ONE_OFF_CREDIT_TAX, 1, tax=True),
    "INVOICEABLE_ONE_OFF_DEBIT": Meaning(Group.ONE_OFF_DEBIT, -1),
    "INVOICEABLE_ONE_OFF_DEBIT_TAX": Meaning(Group.ONE_OFF_DEBIT_TAX, -1, tax=True),
    "RESERVE_FUNDING": Meaning(Group.RESERVE, -1),
    "RESERVE_SETTLEMENT": Meaning(Group.RESERVE, 1),
    "PAYMENT": Meaning(Group.PAYMENT, -1),
}
_CHARGES = frozenset(
    {
        Group.SUBSCRIPTION,
        Group.SUBSCRIPTION_TAX,
        Group.SELLER_FEE,
        Group.SELLER_FEE_TAX,
        Group.PENALTY,
        Group.PENALTY_TAX,
        Group.MANUAL_CREDIT,
        Group.MANUAL_CREDIT_TAX,
        Group.MANUAL_INVOICE,
        Group.MANUAL_INVOICE_TAX,
        Group.ONE_OFF_CREDIT,
        Group.ONE_OFF_CREDIT_TAX,
        Group.ONE_OFF_DEBIT,
        Group.ONE_OFF_DEBIT_TAX,
    }
)
UNKNOWN = Meaning(Group.UNKNOWN, 0)


def meaning_of(type_: str) -> Meaning:
    """What a type means; `UNKNOWN` for one that the platform added since."""
    return MEANINGS.get(type_, UNKNOWN)


def is_settled(line: Transaction) -> bool:
    """Whether no pay-out is still to come for it: it is in a cycle, or never will be."""
    return line.cycle is not None or line.state in (PAID, NOT_APPLICABLE)
