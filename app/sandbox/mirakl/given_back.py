"""The entries of OR28 and OR30: money that lines give back, as the seller's call has it.

An entry is in the tax mode of the call, else in the platform's. Of the line's taxes those with the rule
PROPORTIONAL_TO_AMOUNT may be left out and are computed; one with NONE that is left out is not given back, and where
the line has such a tax the list itself must be there. Entries may mix orders and name a line twice; all of them
are taken or none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.sandbox.mirakl.answers import Refused, members_of
from app.sandbox.mirakl.lines import Line, Money, cents
from app.sandbox.mirakl.order_lists import TAX_MODES
from app.sandbox.mirakl.orders import TAX_INCLUDED, Order, OrderBook


@dataclass(frozen=True, slots=True)
class Entry:
    order: Order
    line: Line
    money: Money
    quantity: int
    reason: str
    not_shipped: bool


class Reader:
    """Reads one call. `kind`: the type of reason it needs, REFUND or CANCELATION.

    `check` refuses by the state of order and line, before their amounts are looked at; without it, as for the
    operator, any state and any reason will do.
    """

    def __init__(self, book: OrderBook, kind: str, check: Callable[[Order, Line], None] | None = None) -> None:
        self._book = book
        self._kind = kind
        self._check = check
        self.included = True
        self.names_taxes = False
        self.entries: list[Entry] = []

    def read(self, body: bytes, name: str) -> list[Entry]:
        """Refused (400, or 404 for a line that is not there)."""
        members = members_of(body)
        mode = members.get("order_tax_mode") or self._book.shop.mirrors.order_tax_mode
        given = members.get(name)
        if mode not in TAX_MODES or not isinstance(given, list) or not given:
            raise _wrong(name)
        self.included = mode == TAX_INCLUDED
        for entry in given:
            self.entries.append(self._entry(entry, name))
        return self.entries

    @property
    def tax_mode(self) -> str:
        return TAX_INCLUDED if self.included else "TAX_EXCLUDED"

    def _entry(self, entry: Any, name: str) -> Entry:
        if not isinstance(entry, dict) or "amount" not in entry or "shipping_amount" not in entry:
            raise _wrong(name)
        line_id, quantity = entry.get("order_line_id"), entry.get("quantity", 0)
        if not isinstance(line_id, str) or not isinstance(quantity, int) or quantity < 0:
            raise _wrong(name)
        if line_id not in self._book.lines:
            raise Refused(404, f"Order line with id '{line_id}' does not exist")
        order, line = self._book.lines[line_id]
        shop, reason = self._book.shop, str(entry.get("reason_code"))
        if self._check is not None:
            self._check(order, line)
            if not shop.mirrors.may_use(self._kind, reason):
                raise Refused(400, f"The reason code '{reason}' is not valid for {self._kind}")
        currency = entry.get("currency_iso_code")
        if currency != order.currency and (currency or order.currency != shop.platform_currency):
            raise Refused(400, f"The currency of the order is {order.currency}, currency_iso_code is {currency}")
        self.names_taxes = self.names_taxes or bool(entry.get("taxes") or entry.get("shipping_taxes"))
        rest = line.rest
        for other in self.entries:
            if other.line is line:
                rest = rest.less(other.money)
        money = _Share(entry, line, rest, included=self.included, name=name).money()
        return Entry(order, line, money, quantity, reason, bool(entry.get("excluded_from_shipment")))


class _Share:
    """The money of one entry against what its line costs and has left."""

    def __init__(self, entry: dict[str, Any], line: Line, rest: Money, *, included: bool, name: str) -> None:
        self._entry, self._line, self._rest, self._included, self._name = entry, line, rest, included, name

    def money(self) -> Money:
        line, rest, cost, included = self._line, self._rest, self._line.cost, self._included
        amount, shipping = self._cents(self._entry["amount"]), self._cents(self._entry["shipping_amount"])
        if amount > rest.amount(included=included) or shipping > rest.shipping_amount(included=included):
            raise Refused(400, f"The amount exceeds what is left of order line '{line.line_id}'")
        shares = (amount, rest.amount(included=included), cost.amount(included=included))
        taxes = self._parts("taxes", line.taxes, cost.taxes, rest.taxes, shares)
        shares = (shipping, rest.shipping_amount(included=included), cost.shipping_amount(included=included))
        shipping_taxes = self._parts(
            "shipping_taxes", line.shipping_taxes, cost.shipping_taxes, rest.shipping_taxes, shares
        )
        fees = self._parts("fees", line.fees, cost.fees, rest.fees, None)
        money = Money(
            amount - (sum(taxes) if included else 0),
            shipping - (sum(shipping_taxes) if included else 0),
            taxes,
            shipping_taxes,
            fees,
        )
        if min(money.goods, money.shipping) < 0:
            raise Refused(400, f"The taxes exceed the amount for order line '{line.line_id}'")
        return money

    def _parts(
        self,
        name: str,
        known: Sequence[dict[str, Any]],
        cost: Sequence[int],
        rest: Sequence[int],
        shares: tuple[int, int, int] | None,
    ) -> tuple[int, ...]:
        """By place. `shares`: the entry's amount, what is left of it and the line's, for what may be computed."""
        given = self._entry.get(name)
        computed = [tax.get("tax_calculation_rule") == "PROPORTIONAL_TO_AMOUNT" for tax in known]
        if given is None and shares and shares[0] and not all(computed):
            raise Refused(400, f"{name} are mandatory for order line '{self._line.line_id}'")
        named = self._named(name, known, given or [])
        parts: list[int] = []
        for place, left in enumerate(rest):
            if place in named:
                part = named[place]
            elif shares is None or not computed[place]:
                part = 0
            else:
                amount, all_left, whole = shares
                part = left if amount == all_left else min(left, _share(cost[place], amount, whole))
            if part > left:
                raise Refused(400, f"{name} exceed what is left of order line '{self._line.line_id}'")
            parts.append(part)
        return tuple(parts)

    def _named(self, name: str, known: Sequence[dict[str, Any]], given: Any) -> dict[int, int]:
        """By place: of two taxes with one code the first entry means the first."""
        if not isinstance(given, list):
            raise _wrong(self._name)
        named: dict[int, int] = {}
        for part in given:
            if not isinstance(part, dict):
                raise _wrong(self._name)
            places = (p for p, tax in enumerate(known) if tax["code"] == part.get("code") and p not in named)
            place = next(places, None)
            if place is None:
                raise Refused(400, f"{name}: order line '{self._line.line_id}' has no code '{part.get('code')}'")
            named[place] = self._cents(part.get("amount"))
        return named

    def _cents(self, value: Any) -> int:
        try:
            amount = cents(value)
        except ValueError as error:
            raise _wrong(self._name) from error
        if amount < 0:
            raise _wrong(self._name)
        return amount


def _share(tax: int, amount: int, whole: int) -> int:
    """The tax on a part of what it was on, half a cent upwards."""
    return (2 * tax * amount + whole) // (2 * whole) if whole else 0


def _wrong(name: str) -> Refused:
    return Refused(400, f"Error with field {name}. Please check the field datatype.")
