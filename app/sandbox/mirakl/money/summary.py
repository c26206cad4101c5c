"""The totals of a cycle as SBC11 and IV01 name them, from the sums of its lines by type.

They keep the sign of the lines: a plus is money for the shop [QA]. What is paid to the operator is what it charges,
less what it credits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.sandbox.mirakl.money.rows import Row

# Total: the types without tax, and those of their tax.
_TOTALS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "commissions": (("COMMISSION_FEE",), ("COMMISSION_VAT",)),
    "fee": (("ORDER_FEE_AMOUNT",), ()),
    "fee_operator_remitted": (("OPERATOR_REMITTED_ORDER_FEE_AMOUNT",), ()),
    "non_payable_orders": ((), ()),
    "operator_paid_shipping_charges": (
        ("OPERATOR_PAID_ORDER_SHIPPING_AMOUNT",),
        ("OPERATOR_PAID_ORDER_SHIPPING_AMOUNT_TAX",),
    ),
    "other_credits": (
        ("MANUAL_CREDIT", "INVOICEABLE_ONE_OFF_CREDIT"),
        ("MANUAL_CREDIT_VAT", "INVOICEABLE_ONE_OFF_CREDIT_TAX"),
    ),
    "other_invoices": (
        ("MANUAL_INVOICE", "INVOICEABLE_ONE_OFF_DEBIT"),
        ("MANUAL_INVOICE_VAT", "INVOICEABLE_ONE_OFF_DEBIT_TAX"),
    ),
    "payable_orders": (
        ("ORDER_AMOUNT", "ORDER_SHIPPING_AMOUNT"),
        ("ORDER_AMOUNT_TAX", "ORDER_SHIPPING_AMOUNT_TAX"),
    ),
    "refund_commissions": (("REFUND_COMMISSION_FEE",), ("REFUND_COMMISSION_VAT",)),
    "refund_fee": (("REFUND_ORDER_FEE_AMOUNT",), ()),
    "refund_fee_operator_remitted": (("OPERATOR_REMITTED_REFUND_ORDER_FEE_AMOUNT",), ()),
    "refund_non_payable_orders": ((), ()),
    "refund_operator_paid_shipping_charges": (
        ("OPERATOR_PAID_REFUND_ORDER_SHIPPING_AMOUNT",),
        ("OPERATOR_PAID_REFUND_ORDER_SHIPPING_AMOUNT_TAX",),
    ),
    "refund_orders": (
        ("REFUND_ORDER_AMOUNT", "REFUND_ORDER_SHIPPING_AMOUNT"),
        ("REFUND_ORDER_AMOUNT_TAX", "REFUND_ORDER_SHIPPING_AMOUNT_TAX"),
    ),
    "refund_payable_orders": (
        ("REFUND_ORDER_AMOUNT", "REFUND_ORDER_SHIPPING_AMOUNT"),
        ("REFUND_ORDER_AMOUNT_TAX", "REFUND_ORDER_SHIPPING_AMOUNT_TAX"),
    ),
    "seller_fees_on_orders": (("SELLER_FEE_ON_ORDER",), ("SELLER_FEE_ON_ORDER_TAX",)),
    "seller_penalty_fees": (("SELLER_PENALTY_FEE",), ("SELLER_PENALTY_FEE_TAX",)),
    "subscription": (("SUBSCRIPTION_FEE",), ("SUBSCRIPTION_VAT",)),
}
_WHOLE = {
    "total_operator_remitted_taxes": (
        "OPERATOR_REMITTED_ORDER_AMOUNT_TAX",
        "OPERATOR_REMITTED_ORDER_SHIPPING_AMOUNT_TAX",
    ),
    "total_refund_operator_remitted_taxes": (
        "OPERATOR_REMITTED_REFUND_ORDER_AMOUNT_TAX",
        "OPERATOR_REMITTED_REFUND_ORDER_SHIPPING_AMOUNT_TAX",
    ),
    "total_purchase_taxes": (),
    "total_refund_purchase_taxes": (),
}
# What the operator bills with a cycle's invoice: its services, and without manual documents, which bill themselves.
_BILLED = (*("commissions", "refund_commissions", "seller_fees_on_orders", "seller_penalty_fees", "subscription"),)
_ONE_OFF = ("INVOICEABLE_ONE_OFF_CREDIT", "INVOICEABLE_ONE_OFF_DEBIT")
BILLED_TYPES = frozenset(
    {
        *(type_ for name in _BILLED for types in _TOTALS[name] for type_ in types),
        *_ONE_OFF,
        *(f"{type_}_TAX" for type_ in _ONE_OFF),
    }
)
_OPERATORS = (*_BILLED, "other_credits", "other_invoices")


@dataclass(slots=True)
class Sums:
    """In cents: by type, and by type the tax that is part of it."""

    amounts: Counter[str] = field(default_factory=Counter)
    inside: Counter[str] = field(default_factory=Counter)

    def add(self, type_: str, amount: int, inside: int = 0) -> None:
        self.amounts[type_] += amount
        self.inside[type_] += inside

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Sums":
        sums = cls()
        for row in rows:
            sums.add(row.type, row.amount, row.inside)
        return sums

    @property
    def total(self) -> int:
        return sum(self.amounts.values())

    @property
    def operators(self) -> int:
        """What the operator is paid for its services."""
        return -sum(self._gross(name) for name in _OPERATORS) - sum(
            self.amounts[type_] for types in _WHOLE.values() for type_ in types
        )

    @property
    def billed(self) -> tuple[int, int]:
        """What the cycle's invoice comes to, without tax and with it."""
        gross = -sum(self.amounts[type_] for type_ in BILLED_TYPES)
        tax = -sum(self.amounts[type_] for type_ in BILLED_TYPES if type_.endswith(("_VAT", "_TAX")))
        return gross - tax, gross

    def totals(self) -> dict[str, int]:
        """By the names of SBC11's summary, those that are 0 too."""
        found: dict[str, int] = {}
        for name, (net_types, _) in _TOTALS.items():
            found[f"total_{name}_excl_tax"] = sum(self.amounts[type_] - self.inside[type_] for type_ in net_types)
            found[f"total_{name}_incl_tax"] = self._gross(name)
        whole: Mapping[str, tuple[str, ...]] = _WHOLE
        return found | {name: sum(self.amounts[type_] for type_ in types) for name, types in whole.items()}

    def _gross(self, name: str) -> int:
        net_types, tax_types = _TOTALS[name]
        return sum(self.amounts[type_] for type_ in (*net_types, *tax_types))


@dataclass(slots=True, kw_only=True)
class Cycle:
    """Instants are app time in Unix seconds, amounts cents."""

    id: str
    currency: str
    started_at: float
    closed_at: float
    sums: Sums
    paid: int
    state: str = "TO_PAY"
    failure: str | None = None
    reference: str | None = None
    paid_at: float | None = None
    rows: list[Row] = field(default_factory=list)
