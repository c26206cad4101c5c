"""Returns in Centra: as they are read with their order, expected and completed.

A return hangs on one shipment and needs units; there is none by amount alone. No update time is kept, so one that is
pending has to be looked at again. Refunds of marketplace orders are the marketplace's: `refundReturn` is never called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from app.centra.answers import Message, changed, words
from app.centra.graphql import CentraCalls
from app.centra.lists import AFTER_SALE
from app.centra.operations import operation
from app.wire.outcome import Outcome, RefusalDetail

COMPLETED = "COMPLETED"

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Code(msgspec.Struct, frozen=True):
    code: str


class _Value(msgspec.Struct, frozen=True):
    value: Decimal
    currency: _Code | None = None

    def __post_init__(self) -> None:
        if not self.value.is_finite():
            raise ValueError("value is no amount")


class _OrderKey(msgspec.Struct, frozen=True):
    number: int


class _ShipmentKey(msgspec.Struct, frozen=True):
    id: int
    number: str


class _Line(msgspec.Struct, frozen=True):
    id: int


class _OrderLine(msgspec.Struct, frozen=True):
    id: int
    comment: str | None = None


class ReturnLineRead(msgspec.Struct, frozen=True, rename="camel"):
    """Units of an order line; its comment is the marketplace's order line id. `line_value` is theirs, with tax."""

    id: int
    quantity: int
    line_value: _Value
    order_line: _OrderLine
    shipment_line: _Line | None = None

    @property
    def comment(self) -> str:
        return (self.order_line.comment or "").strip()


class ReturnTotals(msgspec.Struct, frozen=True, rename="camel"):
    """`return_cost` is a fee that is kept. `tax_added` above 0: the other amounts are without it."""

    line_values: _Value
    shipping: _Value
    handling: _Value
    return_cost: _Value
    discounts: _Value
    tax_included: _Value | None = None
    tax_added: _Value | None = None


class PaymentEntryRead(msgspec.Struct, frozen=True, rename="camel"):
    """`entry_type` REFUND, REFUND_REQUEST, REFUND_FAILED, …"""

    id: int
    entry_type: str
    status: str
    value: _Value
    external_reference: str | None = None


class ReturnRead(msgspec.Struct, frozen=True, rename="camel"):
    """`return_status` PENDING or COMPLETED; a completed one can be undone or deleted. `grand_total`: the credit."""

    id: int
    return_status: str
    created_at: _Instant
    grand_total: _Value
    totals: ReturnTotals
    lines: tuple[ReturnLineRead, ...]
    order: _OrderKey
    shipment: _ShipmentKey
    refund_payment_history: tuple[PaymentEntryRead, ...] = ()
    returned_to_stock: bool | None = None
    external_id: str | None = None
    comment: str | None = None

    @property
    def currency_code(self) -> str | None:
        return self.grand_total.currency.code if self.grand_total.currency else None


@dataclass(frozen=True)
class NewReturn:
    """Units by shipment line id, and what is given back beside them (`return_cost`: a fee that is kept).

    `release`: the units go back on sale, else out of stock. Costs cannot exceed what remains on the shipment.
    """

    shipment_id: int
    units: Mapping[int, int]
    currency: str
    release: bool = True
    shipping_cost: Decimal = Decimal(0)
    handling_cost: Decimal = Decimal(0)
    return_cost: Decimal = Decimal(0)
    comment: str = ""
    external_id: str | None = None


@dataclass(frozen=True)
class ReturnChanged:
    """A return right after a change; a warning may be a failure of a part."""

    id: int
    status: str
    warnings: tuple[RefusalDetail, ...] = ()


class _Changed(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    return_status: str


class _Payload(msgspec.Struct, rename="camel"):
    user_errors: list[Message]
    user_warnings: list[Message] | None = None
    changed: _Changed | None = msgspec.field(default=None, name="return")


class ReturnOperations:
    """The return operations of a Centra environment."""

    _calls: CentraCalls

    async def create_return(
        self, new: NewReturn, *, effect_id: str | None = None, usable_until: float | None = None
    ) -> Outcome[ReturnChanged]:
        """Make a PENDING return. Never safe to repeat: look for its external id among the order's."""
        return await self._change("create_return", "createReturn", {"input": _input(new)}, effect_id, usable_until)

    async def complete_return(
        self, id_: int, *, effect_id: str | None = None, usable_until: float | None = None
    ) -> Outcome[ReturnChanged]:
        """From PENDING to COMPLETED: its units are back, the credit stands. No mail is sent."""
        return await self._change("complete_return", "completeReturn", {"id": id_}, effect_id, usable_until)

    async def _change(
        self,
        file_name: str,
        member: str,
        variables: Mapping[str, object],
        effect_id: str | None,
        usable_until: float | None,
    ) -> Outcome[ReturnChanged]:
        answer = await self._calls.run(
            operation(file_name), variables, headroom=AFTER_SALE, effect_id=effect_id, usable_until=usable_until
        )

        def made(body: _Payload) -> ReturnChanged | None:
            found = body.changed
            if found is None:
                return None
            return ReturnChanged(found.id, found.return_status, words(body.user_warnings))

        return changed(answer, member, _Payload, made, "a return")


def _input(new: NewReturn) -> dict[str, object]:
    policy = "releaseItemsBackToWarehouse" if new.release else "removeItemsFromStock"
    members: dict[str, object] = {
        "shipment": {"id": new.shipment_id},
        "lines": [{"shipmentLine": {"id": id_}, "quantity": quantity} for id_, quantity in new.units.items()],
        "returnStockActionPolicy": {policy: True},
        "shippingCost": {"value": _money(new.shipping_cost, new.currency)},
        "handlingCost": {"value": _money(new.handling_cost, new.currency)},
        "comment": new.comment,
    }
    if new.return_cost:
        members["returnCost"] = _money(new.return_cost, new.currency)
    if new.external_id is not None:
        members["externalId"] = new.external_id
    return members


def _money(amount: Decimal, currency: str) -> dict[str, object]:
    """As a number with all its digits; left to itself the encoder would write text."""
    if not (amount.is_finite() and amount >= 0):
        raise ValueError("a cost of a return is 0 or more")
    return {"value": msgspec.Raw(format(amount, "f").encode()), "currencyIsoCode": currency}
