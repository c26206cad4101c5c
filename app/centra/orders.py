"""Orders in Centra's Integration API: read back, found again, marked, confirmed, held and cancelled.

They are created and completed elsewhere (`order_api`): this API has no mutation for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from app.centra.answers import Message, changed, refused_by, whole, words
from app.centra.graphql import CentraCalls
from app.centra.lists import instant, listed
from app.centra.operations import operation
from app.wire.decode import Items
from app.wire.outcome import Applied, Outcome, RefusalDetail, Unknown
from app.wire.permit import Permits
from app.wire.transport import Transport

ORDERS = 1.0
NUMBERS_LIMIT = 100
"""The most orders of one read-back, and the most conversions of one batch."""
CREATED_LIMIT = 200
_OPTION_PAGES = 20

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Number = Annotated[int, msgspec.Meta(ge=1)]
_RELEASE = {"releaseItemsBackToWarehouse": True}


class _Id(msgspec.Struct, frozen=True):
    id: int


class _Code(msgspec.Struct, frozen=True):
    code: str


class _Value(msgspec.Struct, frozen=True):
    value: Decimal
    currency: _Code | None = None


class _Totals(msgspec.Struct, frozen=True):
    shipping: _Value | None = None


class _Option(msgspec.Struct, frozen=True):
    uri: str


class _ShippingGroup(msgspec.Struct, frozen=True, rename="camel"):
    shipping_option: _Option | None = None


class _Address(msgspec.Struct, frozen=True):
    country: _Code | None = None


class _SizeKey(msgspec.Struct, frozen=True):
    id: int
    sku: str | None = msgspec.field(default=None, name="SKU")


class _Allocation(msgspec.Struct, frozen=True):
    quantity: int


class OrderLineRead(msgspec.Struct, frozen=True, rename="camel"):
    """A line as it is now. Cancelling lines lowers `quantity`; cancelling the whole order leaves it."""

    id: int
    quantity: int
    cancelled_quantity: int
    shipped_quantity: int
    allocations: tuple[_Allocation, ...]
    unit_price: _Value
    product_size: _SizeKey | None = None
    comment: str | None = None

    @property
    def allocated_quantity(self) -> int:
        return sum(allocation.quantity for allocation in self.allocations)


class OrderRead(msgspec.Struct, frozen=True, rename="camel"):
    """An order with all its lines, fully cancelled ones too. `status` INCOMPLETE: created and not completed."""

    id: str
    number: _Number
    status: str
    is_on_hold: bool
    is_waiting_for_payment: bool
    created_at: _Instant
    grand_total: _Value
    lines: tuple[OrderLineRead, ...]
    internal_comment: str | None = None
    totals: _Totals | None = None
    market: _Id | None = None
    customer: _Id | None = None
    shipping_price_group: _ShippingGroup | None = None
    shipping_address: _Address | None = None

    @property
    def currency_code(self) -> str | None:
        return self.grand_total.currency.code if self.grand_total.currency else None

    @property
    def shipping_total(self) -> Decimal | None:
        return self.totals.shipping.value if self.totals and self.totals.shipping else None

    @property
    def market_id(self) -> int | None:
        return self.market.id if self.market else None

    @property
    def customer_id(self) -> int | None:
        return self.customer.id if self.customer else None

    @property
    def shipping_option_uri(self) -> str | None:
        group = self.shipping_price_group
        return group.shipping_option.uri if group and group.shipping_option else None

    @property
    def country_code(self) -> str | None:
        address = self.shipping_address
        return address.country.code if address and address.country else None


class OrderFound(msgspec.Struct, frozen=True, rename="camel"):
    """What tells our order from others in a list."""

    id: str
    number: _Number
    status: str
    created_at: _Instant
    internal_comment: str | None = None


@dataclass(frozen=True)
class OrdersCreated:
    """One page of orders by the time they were made. Not `is_last`: there may be more."""

    orders: Items[OrderFound]
    is_last: bool


@dataclass(frozen=True)
class ConversionsSet:
    """External ids by order number, as Centra has them now, and what it said about the others."""

    external_ids: Mapping[int, str]
    errors: tuple[RefusalDetail, ...] = ()


@dataclass(frozen=True)
class OrderChanged:
    """An order right after a change; a warning may be a failure of a part."""

    number: int
    status: str
    is_on_hold: bool
    warnings: tuple[RefusalDetail, ...] = ()


class _Changed(msgspec.Struct, frozen=True, rename="camel"):
    number: _Number
    status: str
    is_on_hold: bool


class _ChangePayload(msgspec.Struct, rename="camel"):
    user_errors: list[Message]
    user_warnings: list[Message] | None = None
    order: _Changed | None = None


class _Conversion(msgspec.Struct, rename="camel"):
    external_id: str
    internal_id: int


class _ConversionsPayload(msgspec.Struct, rename="camel"):
    user_errors: list[Message]
    entries: tuple[_Conversion, ...] | None = None


class OrderOperations:
    """The order operations of a Centra environment. They may use all of its allowance."""

    def __init__(self, transport: Transport, permits: Permits, scope: str) -> None:
        self._calls = CentraCalls(transport, permits, scope)

    async def read_orders(self, numbers: Sequence[int], *, headroom: float = ORDERS) -> Outcome[Items[OrderRead]]:
        """Up to 100 orders. A number is known to be absent only if nothing is unreadable."""
        if not 0 < len(numbers) <= NUMBERS_LIMIT:
            raise ValueError(f"between 1 and {NUMBERS_LIMIT} order numbers, not {len(numbers)}")
        variables = {"numbers": list(numbers), "limit": len(numbers)}
        return await listed(self._calls, "orders_by_number", variables, "orders", OrderRead, "number", headroom)

    async def orders_created(
        self, from_: datetime, to: datetime, page: int = 1, *, headroom: float = ORDERS
    ) -> Outcome[OrdersCreated]:
        """One page of 200 orders created in a window of whole seconds, incomplete ones too; pages begin at 1."""
        variables = {"from": instant(from_), "to": instant(to), "page": page, "limit": CREATED_LIMIT}
        answer = await listed(self._calls, "orders_created", variables, "orders", OrderFound, "number", headroom)
        if not isinstance(answer, Applied):
            return answer
        rows = answer.value
        return Applied(OrdersCreated(rows, is_last=len(rows.items) + len(rows.unreadable) < CREATED_LIMIT))

    async def set_id_conversions(
        self,
        external_ids: Mapping[int, str],
        *,
        effect_id: str | None = None,
        usable_until: float | None = None,
    ) -> Outcome[ConversionsSet]:
        """Give up to 100 orders, by number, their external ids. Safe to repeat; refused if none was set."""
        if not 0 < len(external_ids) <= NUMBERS_LIMIT:
            raise ValueError(f"between 1 and {NUMBERS_LIMIT} conversions, not {len(external_ids)}")
        entries = [
            {"objectType": "Order", "internalId": number, "externalId": external_id}
            for number, external_id in external_ids.items()
        ]
        answer = await self._calls.run(
            operation("set_id_conversions"),
            {"input": entries},
            headroom=ORDERS,
            effect_id=effect_id,
            usable_until=usable_until,
        )
        payload = whole(answer, "setIdConversions", _ConversionsPayload)
        if not isinstance(payload, Applied):
            return payload
        body = payload.value
        told = {entry.internal_id: entry.external_id for entry in body.entries or ()}
        found = ConversionsSet(told, words(body.user_errors))
        return Applied(found) if told else refused_by(body.user_errors) or Unknown("neither entries nor errors")

    async def find_order_by_external_id(self, external_id: str) -> Outcome[tuple[int, ...]]:
        """The numbers of orders that bear an external id of ours."""
        answer = await self._calls.run(operation("order_by_external_id"), {"externalId": external_id}, headroom=ORDERS)
        rows = whole(answer, "idConversions", tuple[_Conversion, ...])
        if not isinstance(rows, Applied):
            return rows
        return Applied(tuple(row.internal_id for row in rows.value if row.external_id == external_id))

    async def list_shipping_options(self) -> Outcome[tuple[str, ...]]:
        """The URIs of all shipping options."""
        found: list[str] = []
        for page in range(1, _OPTION_PAGES + 1):
            variables = {"limit": CREATED_LIMIT, "page": page}
            answer = await self._calls.run(operation("shipping_options"), variables, headroom=ORDERS)
            options = whole(answer, "shippingOptions", tuple[_Option, ...])
            if not isinstance(options, Applied):
                return options
            found += [option.uri for option in options.value]
            if len(options.value) < CREATED_LIMIT:
                break
        return Applied(tuple(found))

    async def confirm_order(
        self, number: int, *, effect_id: str | None = None, usable_until: float | None = None
    ) -> Outcome[OrderChanged]:
        """From PENDING to CONFIRMED; refused from any other status."""
        return await self._changed("confirm_order", "confirmOrder", {"number": number}, effect_id, usable_until)

    async def hold_order(
        self,
        number: int,
        on: bool,
        reason: str,
        *,
        effect_id: str | None = None,
        usable_until: float | None = None,
    ) -> Outcome[OrderChanged]:
        """Put an order on hold, or take it off."""
        variables: dict[str, object] = {"number": number, "onHold": on, "reason": reason}
        return await self._changed("hold_order", "updateDirectToConsumerOrder", variables, effect_id, usable_until)

    async def cancel_order(
        self, id_: str, comment: str, *, effect_id: str | None = None, usable_until: float | None = None
    ) -> Outcome[OrderChanged]:
        """Cancel a whole order, by its `id` (not its number); its goods go back on sale, no mail is sent."""
        variables: dict[str, object] = {"id": id_, "comment": comment}
        return await self._changed("cancel_order", "cancelDirectToConsumerOrder", variables, effect_id, usable_until)

    async def cancel_order_lines(
        self,
        number: int,
        quantities: Mapping[int, int],
        comment: str,
        *,
        effect_id: str | None = None,
        usable_until: float | None = None,
    ) -> Outcome[OrderChanged]:
        """Cancel these quantities by line id. Not safe to repeat without reading the order again."""
        lines = [
            {"line": {"id": line_id}, "quantity": quantity, "stockActionPolicy": _RELEASE}
            for line_id, quantity in quantities.items()
        ]
        variables: dict[str, object] = {"number": number, "lines": lines, "comment": comment}
        return await self._changed(
            "cancel_order_lines", "updateDirectToConsumerOrder", variables, effect_id, usable_until
        )

    async def _changed(
        self,
        file_name: str,
        member: str,
        variables: Mapping[str, object],
        effect_id: str | None,
        usable_until: float | None,
    ) -> Outcome[OrderChanged]:
        answer = await self._calls.run(
            operation(file_name), variables, headroom=ORDERS, effect_id=effect_id, usable_until=usable_until
        )

        def made(body: _ChangePayload) -> OrderChanged | None:
            order = body.order
            if order is None:
                return None
            return OrderChanged(order.number, order.status, order.is_on_hold, words(body.user_warnings))

        return changed(answer, member, _ChangePayload, made, "an order")
