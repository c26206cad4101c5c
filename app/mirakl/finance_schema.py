"""What Mirakl says of money, in our terms: exact whole minor units, a plus is money for the shop.

A row that lacks what an account needs (id, type, amount, currency, date), or whose amount has parts of its currency's
smallest unit, is unreadable and never rounded. Types and states that nobody here knows pass as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec

from app.domain.money import exact_minor
from app.domain.settlement import Cycle, Document, Transaction
from app.mirakl.order_schema import Instant
from app.wire.decode import Items, Rows, UnreadableItem

T = TypeVar("T")
R = TypeVar("R")
Word = Annotated[str, msgspec.Meta(min_length=1)]


class _Id(msgspec.Struct, frozen=True):
    id: str | None = None


class _Code(msgspec.Struct, frozen=True):
    code: str | None = None


class _Numbered(msgspec.Struct, frozen=True):
    number: str | None = None


class _Described(msgspec.Struct, frozen=True):
    description: str | None = None


class _Tax(msgspec.Struct, frozen=True):
    code: str | None = None
    rate: Decimal | None = None


class _Entities(msgspec.Struct, frozen=True):
    order: _Id | None = None
    order_line: _Id | None = None
    refund: _Id | None = None
    order_tax: _Tax | None = None
    shop_tax: _Tax | None = None
    transaction_info: _Numbered | None = None
    one_off_item: _Described | None = None
    manual_accounting_document: _Numbered | None = None
    fee: _Code | None = None
    order_fee: _Code | None = None


class ToldTransaction(msgspec.Struct, frozen=True):
    """A line of TL02 or TL05; an amount is signed, a plus is a credit to the shop."""

    id: Word
    type: Word
    amount: Decimal
    currency_iso_code: Word
    date_created: Instant
    last_updated: Instant | None = None
    payment_state: str | None = None
    seller_billing_cycle_id: str | None = None
    accounting_document_number: str | None = None
    entities: _Entities | None = None

    def __post_init__(self) -> None:
        exact_minor(self.amount, self.currency_iso_code)

    def ours(self) -> Transaction:
        about = self.entities or _Entities()
        tax = about.order_tax or about.shop_tax or _Tax()
        document = self.accounting_document_number or None
        manual = about.manual_accounting_document.number if about.manual_accounting_document else None
        words = (
            about.one_off_item.description if about.one_off_item else None,
            manual if manual != document else None,
            about.fee.code if about.fee else None,
            about.order_fee.code if about.order_fee else None,
        )
        return Transaction(
            id=self.id,
            type=self.type,
            amount=exact_minor(self.amount, self.currency_iso_code),
            currency=self.currency_iso_code,
            state=self.payment_state or "",
            created_at=self.date_created,
            updated_at=self.last_updated or self.date_created,
            cycle=self.seller_billing_cycle_id or None,
            order_id=_id(about.order),
            line_id=_id(about.order_line),
            refund_id=_id(about.refund),
            tax=tax.code or None,
            tax_rate=tax.rate,
            document=document,
            payment=(about.transaction_info.number or None) if about.transaction_info else None,
            label=next(filter(None, words), ""),
        )


class _PayOut(msgspec.Struct, frozen=True):
    state: str | None = None
    reference: str | None = None
    failure_reason: str | None = None
    transaction_date: Instant | None = None


class _Shop(msgspec.Struct, frozen=True):
    shop_id: int | None = None


class ToldCycle(msgspec.Struct, frozen=True):
    """A billing cycle of SBC11."""

    id: Word
    currency_iso_code: Word
    date_created: Instant
    amount_transferred_to_seller: Decimal
    amount_transferred_to_operator: Decimal | None = None
    pay_out: _PayOut | None = None
    shop: _Shop | None = None
    summary: dict[str, msgspec.Raw] | None = None

    def __post_init__(self) -> None:
        exact_minor(self.amount_transferred_to_seller, self.currency_iso_code)
        self._totals()

    @property
    def shop_id(self) -> int | None:
        return self.shop.shop_id if self.shop else None

    def ours(self) -> Cycle:
        pay_out = self.pay_out or _PayOut()
        return Cycle(
            id=self.id,
            currency=self.currency_iso_code,
            created_at=self.date_created,
            state=pay_out.state or "",
            paid=exact_minor(self.amount_transferred_to_seller, self.currency_iso_code),
            reference=pay_out.reference or None,
            failure=pay_out.failure_reason or None,
            paid_at=pay_out.transaction_date,
            totals=self._totals(),
        )

    def _totals(self) -> Mapping[str, int]:
        """Every amount of the summary, also one that is new; what else may come to stand there is left out."""
        amounts = {name: _number(raw) for name, raw in (self.summary or {}).items()}
        amounts["amount_transferred_to_operator"] = self.amount_transferred_to_operator
        return {
            name: exact_minor(amount, self.currency_iso_code) for name, amount in amounts.items() if amount is not None
        }


class _Payment(msgspec.Struct, frozen=True):
    state: str | None = None


class ToldDocument(msgspec.Struct, frozen=True):
    """An accounting document of IV01. `invoice_id` is its number, which a draft has not; IV02 asks by it."""

    type: Word
    currency_iso_code: Word
    date_created: Instant
    total_amount_excl_taxes: Decimal
    total_amount_incl_taxes: Decimal
    id: str | None = None
    invoice_id: int | None = None
    issue_date: Instant | None = None
    due_date: Instant | None = None
    seller_billing_cycle_id: str | None = None
    state: str | None = None
    payment: _Payment | None = None
    details: tuple[_Described, ...] | None = None
    shop_id: int | None = None

    def __post_init__(self) -> None:
        if not self.id and self.invoice_id is None:
            raise ValueError("no id and no number")
        exact_minor(self.total_amount_excl_taxes, self.currency_iso_code)
        exact_minor(self.total_amount_incl_taxes, self.currency_iso_code)

    def ours(self) -> Document:
        number = "" if self.invoice_id is None else str(self.invoice_id)
        words = dict.fromkeys(detail.description for detail in self.details or () if detail.description)
        return Document(
            id=self.id or number,
            number=number,
            type=self.type,
            currency=self.currency_iso_code,
            issued_at=self.issue_date or self.date_created,
            net=self._for_the_shop(self.total_amount_excl_taxes),
            gross=self._for_the_shop(self.total_amount_incl_taxes),
            cycle=self.seller_billing_cycle_id or None,
            state=self.state or "",
            payment_state=(self.payment.state or "") if self.payment else "",
            due_at=self.due_date,
            label="; ".join(words)[:500],
        )

    def _for_the_shop(self, amount: Decimal) -> int:
        """A credit gives to the shop what it says, every other document bills it. [QA]"""
        units = exact_minor(amount, self.currency_iso_code)
        return units if "CREDIT" in self.type else -units


class Transactions:
    """The lines of a TL05 file, decoded one by one as they are walked; an odd one is an UnreadableItem in its place."""

    def __init__(self, rows: Rows[ToldTransaction]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Transaction | UnreadableItem]:
        for row in self._rows:
            yield row if isinstance(row, UnreadableItem) else row.ours()


@dataclass(frozen=True)
class DocumentPage:
    """One page of documents; `next_offset` asks for the next one, None: this was the last."""

    rows: Items[Document]
    next_offset: int | None


def in_our_terms(read: Items[T], said: Callable[[T], R]) -> Items[R]:
    """What could be read as `said` says it; what could not stays as it is."""
    return Items(tuple(map(said, read.items)), read.unreadable, read.places)


def _id(entity: _Id | None) -> str | None:
    return (entity.id or None) if entity else None


def _number(raw: msgspec.Raw) -> Decimal | None:
    try:
        return msgspec.json.decode(raw, type=Decimal | None, strict=False)
    except msgspec.ValidationError:
        return None
