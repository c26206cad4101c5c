"""What is said to Mirakl after the sale, and what it says of it.

Requests refuse members they do not know, leave out what is not set, and carry money as exact numbers. Read models are
tolerant like the others; what buyers wrote and who they are is not read at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from app.mirakl.order_schema import Instant, Quantity, Tax
from app.wire.decode import Items

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list; `next_token` asks for the next one, None: this was the last."""

    rows: Items[T]
    next_token: str | None


class _Amounts(msgspec.Struct, frozen=True):
    """What is given back: numbers that it cannot be (NaN, infinite, negative) are refused."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Decimal) and not (value.is_finite() and value >= 0):
                raise ValueError(f"{name} is no amount that can be given back")


# ---------------------------------------------------------------------------------------------- requests


class _Request(_Amounts, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    pass


class Tracking(_Request, frozen=True):
    """A registered carrier by its code, or any other by its name. `tracking_url` is for the others."""

    carrier_code: str = ""
    carrier_name: str = ""
    tracking_number: str = ""
    tracking_url: str = ""

    def __post_init__(self) -> None:
        if bool(self.carrier_code) == bool(self.carrier_name):
            raise ValueError("a tracking names its carrier either by code or by name")


class Packed(_Request, frozen=True):
    """Units of an order line in one shipment."""

    order_line_id: str
    quantity: int


class NewShipment(_Request, frozen=True):
    """`shipped`: created and sent off at once."""

    order_id: str
    shipment_lines: tuple[Packed, ...]
    tracking: Tracking | None = None
    shipped: bool = False


class Part(_Request, frozen=True):
    """What a tax or a fee takes of an amount. Equal codes stay apart."""

    code: str
    amount: Decimal


class CancelationLine(_Request, frozen=True):
    """What is cancelled of a line, in the tax mode of the call. `reason_code`: of RE01, type CANCELATION."""

    order_line_id: str
    amount: Decimal
    shipping_amount: Decimal
    quantity: int
    reason_code: str
    currency_iso_code: str
    taxes: tuple[Part, ...] = ()
    shipping_taxes: tuple[Part, ...] = ()
    fees: tuple[Part, ...] = ()


class RefundLine(_Request, frozen=True):
    """What is given back for a line, in the tax mode of the call. `reason_code`: of RE01, type REFUND.

    `quantity` is informative, the amounts decide; `excluded_from_shipment`: these units are not shipped any more.
    """

    order_line_id: str
    amount: Decimal
    shipping_amount: Decimal
    reason_code: str
    currency_iso_code: str
    quantity: int = 0
    taxes: tuple[Part, ...] = ()
    shipping_taxes: tuple[Part, ...] = ()
    fees: tuple[Part, ...] = ()
    excluded_from_shipment: bool = False


class ReturnDecision(_Request, frozen=True):
    """`rejection_reason_code`: RETURN_REJECTION_…, needed where it is not accepted."""

    id: str
    accepted: bool
    rejection_reason_code: str = ""


class LineCheck(_Request, frozen=True):
    """What the check of a returned line found; RETURN_NON_COMPLIANT_… is needed where it is not compliant."""

    order_line_id: str
    compliant: bool
    non_compliance_reason_code: str = ""
    non_compliance_additional_info: str = ""


class ReturnCheck(_Request, frozen=True):
    """Of every line of a return."""

    id: str
    return_lines: tuple[LineCheck, ...]


@dataclass(frozen=True)
class Document:
    """A file for an order or a request. Its name is ASCII, ends with its type and is there once in an order."""

    file_name: str
    content: bytes = field(repr=False)
    content_type: str = "application/pdf"

    def __post_init__(self) -> None:
        if not self.file_name.isascii() or "." not in self.file_name:
            raise ValueError("a document's file name is ASCII and has an ending")


# --------------------------------------------------------------------------------------------- read models


class ShippedLine(msgspec.Struct, frozen=True):
    quantity: Quantity
    order_line_id: str | None = None
    offer_sku: str | None = None


class ShownTracking(msgspec.Struct, frozen=True):
    """`validity_status`: MISSING_TRACKING, UNVERIFIED, UNCOVERED, INVALID, VERIFIED or something newer."""

    carrier_code: str | None = None
    carrier_name: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    validity_status: str | None = None


class Shipment(msgspec.Struct, frozen=True):
    """ST01 and ST11. `status`: SHIPPING (it can still be changed or deleted), SHIPMENT_PREPARED, SHIPPED, …"""

    id: str
    order_id: str
    status: str
    status_customer_debit: str | None = None
    shipment_lines: tuple[ShippedLine, ...] | None = None
    tracking: ShownTracking | None = None
    created_date: Instant | None = None
    last_updated_date: Instant | None = None
    shipped_date: Instant | None = None

    @property
    def units(self) -> Mapping[str, int]:
        """By order line id. A line may come several times, once for each package."""
        units: Counter[str] = Counter()
        for line in self.shipment_lines or ():
            units[line.order_line_id or ""] += line.quantity
        return units


class RefundMade(_Amounts, frozen=True):
    """A refund that OR28 made. `order_refund_id` is that of its group."""

    refund_id: str
    order_refund_id: str
    order_line_id: str
    amount: Decimal
    shipping_amount: Decimal
    quantity: Quantity | None = None
    reason_code: str | None = None
    currency_iso_code: str | None = None
    excluded_from_shipment: bool | None = None
    taxes: tuple[Tax, ...] | None = None
    shipping_taxes: tuple[Tax, ...] | None = None


class RefundsMade(msgspec.Struct, frozen=True):
    """Amounts are in `order_tax_mode`."""

    refunds: tuple[RefundMade, ...]
    order_tax_mode: str | None = None


class CancelationMade(_Amounts, frozen=True):
    cancelation_id: str
    order_line_id: str
    amount: Decimal
    shipping_amount: Decimal
    quantity: Quantity | None = None
    reason_code: str | None = None
    currency_iso_code: str | None = None
    taxes: tuple[Tax, ...] | None = None
    shipping_taxes: tuple[Tax, ...] | None = None


class CancelationsMade(msgspec.Struct, frozen=True):
    """Amounts are in `order_tax_mode`."""

    cancelations: tuple[CancelationMade, ...]
    order_tax_mode: str | None = None


class Compliance(msgspec.Struct, frozen=True):
    compliant: bool
    non_compliance_reason_code: str | None = None


class ReturnLine(msgspec.Struct, frozen=True):
    order_line_id: str
    quantity: Quantity
    reason_code: str | None = None
    compliance: tuple[Compliance, ...] | None = None

    @property
    def compliant(self) -> bool | None:
        """What was told of its check; None: nothing yet."""
        return all(check.compliant for check in self.compliance) if self.compliance else None


class Return(msgspec.Struct, frozen=True):
    """RT11. Its description and documents are the buyer's and are not read."""

    id: str
    state: str
    order_id: str
    date_created: Instant
    last_updated: Instant
    return_lines: tuple[ReturnLine, ...]
    order_commercial_id: str | None = None
    method_code: str | None = None
    reason_code: str | None = None
    rejection_reason_code: str | None = None
    rma: str | None = None
    tracking: ShownTracking | None = None


class Entity(msgspec.Struct, frozen=True):
    """What a thread is about: `type` MMP_ORDER with an order's id, MMP_OFFER, …"""

    id: str
    type: str


class ThreadMetadata(msgspec.Struct, frozen=True):
    """`shop_reply_needed_since` None: nothing waits for an answer of ours."""

    shop_reply_needed_since: Instant | None = None
    last_message_date: Instant | None = None


class Sender(msgspec.Struct, frozen=True):
    """`type` CUSTOMER_USER, SHOP_USER, OPERATOR_USER, …"""

    type: str | None = None


class Message(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """When a side wrote. What they wrote, and their name, is not read."""

    date_created: Instant | None = None
    sender: Sender | None = None


class Thread(msgspec.Struct, frozen=True):
    """M11. Who takes part and what they wrote is not read."""

    id: str
    metadata: ThreadMetadata
    date_updated: Instant | None = None
    entities: tuple[Entity, ...] | None = None
    messages: tuple[Message, ...] | None = None


class OrderDocument(msgspec.Struct, frozen=True):
    """OR72."""

    id: int
    order_id: str
    file_name: str
    type: str
    date_uploaded: Instant | None = None


class DocumentRequest(msgspec.Struct, frozen=True):
    """DR11: the operator asks for a document. `state` TO_PROCESS: it waits for ours; `entity_id`: an order's id."""

    id: str
    state: str
    type: str
    entity_id: str
    entity_type: str | None = None
    document_number: str | None = None
    date_created: Instant | None = None
    due_date: Instant | None = None
