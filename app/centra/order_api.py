"""Centra's Order API (REST): the one door by which an order that was paid elsewhere gets in.

It answers `{"status": "ok" | "no"}`, a no mostly under HTTP 200. It counts in none of the GraphQL allowances and
has a ceiling of its own, `order_api`. Centra files it under legacy: nothing outside this module knows its members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec

from app.wire.charged import ChargedCalls
from app.wire.decode import decoded
from app.wire.outcome import Applied, Outcome, RefusalDetail, RefusalKind, Refused, Unknown
from app.wire.permit import Charge, Permits
from app.wire.request import WireRequest, WireResponse
from app.wire.transport import Transport

T = TypeVar("T")

CEILING = "order_api"
HEADER = "API-Authorization"

NOT_ADDABLE = -1
STOCK_MISSING = -2
EMPTY = -3
FIELD_MISSING = -4
NUMBER_EXISTS = -5
CUSTOMER = -6
OTHER = -7

_WORDS: Mapping[int | None, str] = {
    NOT_ADDABLE: "a product can't be added to it: its status, the market or the price list",
    STOCK_MISSING: "there is not enough stock",
    EMPTY: "it has no lines",
    FIELD_MISSING: "a field that Centra needs is missing, or a country or shipping option that it does not know",
    NUMBER_EXISTS: "its number exists already",
    CUSTOMER: "the customer can't be registered",
    OTHER: "Centra names no reason (code -7)",
}
_RETRY_FALLBACK_SECONDS = 10.0
_MARKETPLACE = {"createOnly": True, "customerRegister": False, "applyVouchers": False}
"""True of every order of a marketplace. Centra's own defaults would place it at once and grant vouchers."""
_encoder = msgspec.json.Encoder(decimal_format="number")


class _Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Members that are left out keep Centra's own default. Buyer data: nothing of it shows in a log."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class ApiAddress(_Request, frozen=True, rename="camel"):
    """`country` ISO alpha-2; `attn` takes a company."""

    email: str
    country: str
    first_name: str = ""
    last_name: str = ""
    address: str = ""
    coaddress: str = ""
    zipcode: str = ""
    city: str = ""
    state: str = ""
    tele: str = ""
    cell: str = ""
    attn: str = ""


class ApiProduct(_Request, frozen=True, rename="camel"):
    """One line; one of `id` (the size's), `ean` and `sku` (all three parts). Unset prices would come from campaigns."""

    qty: int
    unit_price: Decimal
    original_price: Decimal
    id: int | None = None
    ean: str | None = None
    sku: str | None = None
    comment: str = ""
    item_text: str = ""


class PaymentEntry(_Request, frozen=True):
    """`status` 0 pending (the order waits for payment), 1 success, 2 failed. No money moves."""

    status: int
    amount: Decimal
    transaction: str
    method: str


class Payment(_Request, frozen=True):
    """`id`: the payment plugin's. A recorded capture may keep an order from being cancelled."""

    id: int
    auth: PaymentEntry
    capture: PaymentEntry | None = None


class CreateOrder(_Request, frozen=True, rename="camel"):
    """An order to create and not to place yet. Prices in the price list's tax basis; `order_date` as
    `YYYY-MM-DD HH:MM:SS` in the instance's zone; `shipping_list` a shipping option's URI; `warehouse_group` an
    allocation rule's name. `force_create` makes what is short a backorder.
    """

    market_id: int
    pricelist_id: int
    internal_comment: str
    invoice_address: ApiAddress
    delivery_address: ApiAddress
    products: tuple[ApiProduct, ...]
    shipping_list: str
    shipping_value: Decimal
    send_email: bool
    payment: Payment | None = None
    warehouse_group: str | None = None
    order_date: str | None = None
    comment: str = ""
    extra_attributes: Mapping[str, str] | None = None
    adjust_stock: bool = True
    force_create: bool = False


class Completion(_Request, frozen=True, rename="camel"):
    """Places an order, or says again how it is paid."""

    payment: Payment
    internal_comment: str


@dataclass(frozen=True)
class CreatedOrder:
    """The order's number; several when Centra split it."""

    numbers: tuple[int, ...]


_Number = Annotated[int, msgspec.Meta(ge=1)]


class _Answer(msgspec.Struct):
    status: str
    order: _Number | None = None
    orders: tuple[_Number, ...] | None = None
    code: str | int | None = None
    msg: str | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        return self.orders or ((self.order,) if self.order is not None else ())


class OrderApi:
    """One Order API plugin; its transport sends the secret as `API-Authorization`."""

    def __init__(self, transport: Transport, permits: Permits, scope: str) -> None:
        self._calls = ChargedCalls(transport, permits, scope)

    async def create_order(
        self, order: CreateOrder, *, effect_id: str | None = None, usable_until: float | None = None
    ) -> Outcome[CreatedOrder]:
        """Create an incomplete order, which takes stock. A repeat makes another one: in doubt, look for it first.

        What Centra says about a buyer's order may quote the buyer, so its own words do not leave this module.
        """
        body = {**msgspec.to_builtins(order, builtin_types=(Decimal,)), **_MARKETPLACE}
        answer = await self._send("OrderCreate", "POST", "/order", body, effect_id, usable_until)

        def shape(told: _Answer) -> Outcome[CreatedOrder]:
            return Applied(CreatedOrder(told.numbers)) if told.numbers else Unknown("created, but without a number")

        return _without_words(_unless_no(answer, shape))

    async def complete_order(
        self, number: int, completion: Completion, *, effect_id: str | None = None, usable_until: float | None = None
    ) -> Outcome[tuple[int, ...]]:
        """Place an order that was created, or record its payment; safe to repeat. The value names what was placed."""
        body = msgspec.to_builtins(completion, builtin_types=(Decimal,))
        answer = await self._send("OrderComplete", "POST", f"/order/{number}", body, effect_id, usable_until)
        return _without_words(_unless_no(answer, lambda told: Applied(told.numbers or (number,))))

    async def anonymize_customer(
        self, customer_id: int, *, effect_id: str | None = None, usable_until: float | None = None
    ) -> Outcome[None]:
        """Erase a customer for good; invoices stay. Safe to repeat."""
        path = f"/anonymize-customer/{customer_id}"
        answer = await self._send("AnonymizeCustomer", "PUT", path, None, effect_id, usable_until)
        return _unless_no(answer, lambda told: Applied(None))

    async def _send(
        self,
        code: str,
        method: str,
        target: str,
        body: Mapping[str, object] | None,
        effect_id: str | None,
        usable_until: float | None,
    ) -> Outcome[WireResponse]:
        request = WireRequest(
            code,
            method,
            target,
            json=_encoder.encode(body) if body is not None else None,
            effect_id=effect_id,
            retry_after_fallback_seconds=_RETRY_FALLBACK_SECONDS,
        )
        answer = await self._calls.send(request, (Charge(CEILING),), usable_until=usable_until)
        if isinstance(answer, Refused) and failure_code(answer) is not None:
            return replace(answer, kind=RefusalKind.USER_ERRORS)
        return answer


def failure_code(refused: Refused) -> int | None:
    """Centra's number for a refusal (-1 to -7); None when it gave none."""
    codes = (error.code for error in refused.errors)
    return next((int(code) for code in codes if code.removeprefix("-").isdecimal()), None)


def _without_words(outcome: Outcome[T]) -> Outcome[T]:
    """A failure in words of our own: by its code, or by its HTTP status."""
    match outcome:
        case Refused(_, status, kind):
            code = failure_code(outcome)
            words = _WORDS.get(code, f"no known reason (code {code}, HTTP {status})")
            return Refused(words, status, kind, (RefusalDetail(words, "" if code is None else str(code)),))
        case Unknown(reason):
            return Unknown(reason.partition(":")[0])
        case _:
            return outcome


def _unless_no(answer: Outcome[WireResponse], shape: Callable[[_Answer], Outcome[T]]) -> Outcome[T]:
    def judged(told: _Answer) -> Outcome[T]:
        if told.status == "ok":
            return shape(told)
        if told.status != "no":
            return Unknown("neither ok nor no")
        words, code = (told.msg or "no message")[:500], "" if told.code is None else str(told.code)
        return Refused(words, 200, RefusalKind.USER_ERRORS, (RefusalDetail(words, code),))

    return decoded(answer, _Answer, judged)
