"""Order lives with the transaction log that a truthful marketplace writes of them.

The log is written by the platform's rules, from the same whole minor units as the order and not from its amounts, so
that both sides meet in the comparison only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import count

from hypothesis import strategies as st

from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.orders import Order, OrderLine, Refunded, Tax
from app.domain.settlement import Transaction

SOLD_AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
REFUNDED_AT = SOLD_AT + timedelta(days=9)
NOW = SOLD_AT + timedelta(days=200)
DECIMALS = {"JPY": 0, "EUR": 2, "KWD": 3}
CODES = ("STATE", "STATE", "CITY")
"""Two taxes of one code (field case 59)."""


@dataclass(frozen=True, slots=True)
class Money:
    """Minor units: net amounts, and a tax for each of the first codes."""

    goods: int = 0
    taxes: tuple[int, ...] = ()
    shipping: int = 0
    shipping_taxes: tuple[int, ...] = ()

    def part(self, share: Decimal) -> Money:
        def down(units: int) -> int:
            return int(units * share)

        taxes = tuple(map(down, self.taxes)), tuple(map(down, self.shipping_taxes))
        return Money(down(self.goods), taxes[0], down(self.shipping), taxes[1])

    def base(self, *, included: bool) -> int:
        taxes = sum(self.taxes) + sum(self.shipping_taxes) if included else 0
        return self.goods + self.shipping + taxes


@dataclass(frozen=True, slots=True)
class LineLife:
    """What an order line cost, and what was given back of it: by refunds, cancelled before the debit, and after it."""

    cost: Money
    refunds: tuple[Money, ...] = ()
    cancelled: tuple[Money, ...] = ()
    taken_back: tuple[Money, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Life:
    """An order. `apart`: the log has taxes as rows of their own; `remitted`: the operator pays them itself."""

    order_id: str
    currency: str
    included: bool
    share: Decimal
    vat: Decimal
    lines: tuple[LineLife, ...]
    apart: bool = True
    remitted: bool = False

    def line_id(self, place: int) -> str:
        return f"{self.order_id}-{place + 1}"


def half_up(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


# --------------------------------------------------------------------------------------------------- as OR11 tells it


def order_of(life: Life, *, tells_commission: bool = True) -> Order:
    lines = tuple(_line(life, place, line, tells_commission) for place, line in enumerate(life.lines))
    return Order(
        order_id=OrderId(life.order_id),
        commercial_id=life.order_id.removesuffix("-A"),
        state="RECEIVED",
        created_at=SOLD_AT,
        updated_at=SOLD_AT,
        currency=life.currency,
        lines=lines,
        tax_mode="TAX_INCLUDED" if life.included else "TAX_EXCLUDED",
        debited_at=SOLD_AT,
    )


def _line(life: Life, place: int, line: LineLife, tells_commission: bool) -> OrderLine:
    price, shipping, taxes, shipping_taxes = _amounts(life, line.cost)
    fee, vat = _commission(life, line.cost)
    taken = [("refund", money, False) for money in line.refunds]
    taken += [("cancelled", money, True) for money in (*line.cancelled, *line.taken_back)]
    return OrderLine(
        line_id=OrderLineId(life.line_id(place)),
        sku=Sku("VX"),
        quantity=10,
        price_unit=price / 10,
        price=price,
        shipping_price=shipping,
        total_price=price + shipping,
        state="REFUSED" if line.refused else "RECEIVED",
        commission=_major(life, fee + vat) if tells_commission else None,
        taxes=taxes,
        shipping_taxes=shipping_taxes,
        cancelled_quantity=len(line.cancelled) + len(line.taken_back),
        taken=tuple(_entry(life, place, number, *entry) for number, entry in enumerate(taken)),
    )


def _entry(life: Life, place: int, number: int, kind: str, money: Money, cancelation: bool) -> Refunded:
    amount, shipping, taxes, shipping_taxes = _amounts(life, money)
    return Refunded(
        refund_id=f"{kind}-{life.line_id(place)}-{number}",
        line_id=OrderLineId(life.line_id(place)),
        amount=amount,
        shipping=shipping,
        quantity=1,
        reason="17",
        state="REFUNDED",
        created_at=REFUNDED_AT,
        taxes=taxes,
        shipping_taxes=shipping_taxes,
        cancelation=cancelation,
    )


def _amounts(life: Life, money: Money) -> tuple[Decimal, Decimal, tuple[Tax, ...], tuple[Tax, ...]]:
    inside = (sum(money.taxes), sum(money.shipping_taxes)) if life.included else (0, 0)
    taxes, shipping_taxes = (
        tuple(Tax(CODES[place], _major(life, units), Decimal(place + 5)) for place, units in enumerate(told) if units)
        for told in (money.taxes, money.shipping_taxes)
    )
    return _major(life, money.goods + inside[0]), _major(life, money.shipping + inside[1]), taxes, shipping_taxes


def _major(life: Life, units: int) -> Decimal:
    return Decimal(units).scaleb(-DECIMALS[life.currency])


# ---------------------------------------------------------------------------------------------------- as TL02 tells it


def log_of(life: Life, cycle: str | None = "C-1") -> list[Transaction]:
    """The log, in a billing cycle."""
    numbers = count(1)
    rows: list[Transaction] = []
    for place, line in enumerate(life.lines):
        if line.refused:
            continue
        cost = line.cost
        for gone in line.cancelled:
            cost = _less(cost, gone)
        moves: list[tuple[Money, str | None, datetime, int]] = [(cost, None, SOLD_AT, 1)]
        moves += [(m, f"refund-{life.line_id(place)}-{n}", REFUNDED_AT, -1) for n, m in enumerate(line.refunds)]
        moves += [(money, None, REFUNDED_AT, -1) for money in line.taken_back]
        for money, refund_id, at, sign in moves:
            for type_, amount, tax in _rows(life, money, sign):
                if amount:
                    row = Transaction(
                        id=f"{life.order_id}/{next(numbers):03}",
                        type=type_,
                        amount=amount,
                        currency=life.currency,
                        state="PAID" if cycle else "PENDING",
                        created_at=at,
                        updated_at=at,
                        cycle=cycle,
                        order_id=life.order_id,
                        line_id=life.line_id(place),
                        refund_id=refund_id,
                        tax=tax,
                    )
                    rows.append(row)
    return rows


def _rows(life: Life, money: Money, sign: int) -> Iterator[tuple[str, int, str | None]]:
    word = "REFUND_" if sign < 0 else ""
    apart = life.apart or not life.included
    for name, net, taxes in (
        ("ORDER_AMOUNT", money.goods, money.taxes),
        ("ORDER_SHIPPING_AMOUNT", money.shipping, money.shipping_taxes),
    ):
        yield f"{word}{name}", sign * (net if apart else net + sum(taxes)), None
        for place, units in enumerate(taxes):
            if apart:
                yield f"{word}{name}_TAX", sign * units, CODES[place]
            if life.remitted:
                yield f"OPERATOR_REMITTED_{word}{name}_TAX", -sign * units, CODES[place]
    fee, vat = _commission(life, money)
    yield f"{word}COMMISSION_FEE", -sign * fee, None
    yield f"{word}COMMISSION_VAT", -sign * vat, "TAXDEFAULT"


def _commission(life: Life, money: Money) -> tuple[int, int]:
    fee = half_up(money.base(included=life.included) * life.share)
    return fee, half_up(fee * life.vat)


def _less(money: Money, gone: Money) -> Money:
    def less(have: Sequence[int], off: Sequence[int]) -> tuple[int, ...]:
        return tuple(a - b for a, b in zip(have, off, strict=True))

    return Money(
        money.goods - gone.goods,
        less(money.taxes, gone.taxes),
        money.shipping - gone.shipping,
        less(money.shipping_taxes, gone.shipping_taxes),
    )


# -------------------------------------------------------------------------------------------------------- strategies

_UNITS = st.integers(100, 50_000)
_TAXES = st.lists(st.integers(0, 5_000), max_size=len(CODES)).map(tuple)
_PARTS = st.lists(st.sampled_from([Decimal("0.1"), Decimal("0.25"), Decimal("0.3")]), max_size=3)
"""Of what a line cost: never more than all of it."""


@st.composite
def line_lives(draw: st.DrawFn) -> LineLife:
    cost = draw(st.builds(Money, _UNITS, _TAXES, st.integers(0, 2_000), _TAXES))
    if not cost.shipping:
        cost = replace(cost, shipping_taxes=())
    given: dict[str, list[Money]] = {"refunds": [], "cancelled": [], "taken_back": []}
    for part in draw(_PARTS):
        given[draw(st.sampled_from(sorted(given)))].append(cost.part(part))
    refused = draw(st.sampled_from([False, False, False, True])) and not any(given.values())
    return LineLife(cost, refused=refused, **{name: tuple(money) for name, money in given.items()})


@st.composite
def lives(draw: st.DrawFn, order_id: str = "D-1-A") -> Life:
    return Life(
        order_id=order_id,
        currency=draw(st.sampled_from(sorted(DECIMALS))),
        included=draw(st.booleans()),
        share=draw(st.sampled_from([Decimal("0.15"), Decimal("0.085"), Decimal("0.333")])),
        vat=draw(st.sampled_from([Decimal(0), Decimal("0.2"), Decimal("0.25")])),
        lines=tuple(draw(st.lists(line_lives(), min_size=1, max_size=3))),
        apart=draw(st.booleans()),
        remitted=draw(st.booleans()),
    )
