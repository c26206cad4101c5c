"""A long history of order lives with their lines and cycles, for benchmarks: computed where it is looked at.

Nothing of it is kept but the sums of its cycles, so a million lines cost no memory. It is made of blocks of ten orders
of one line each: four with goods alone, four with shipping, two with their taxes apart; two of the ten are refunded by
half in the next cycle. Each cycle ends with its subscription and its pay-out. All of it is paid, and follows from the
seed, as do all amounts.

Lines are numbered in the order of their creation, which is that of their last update and of their ids too.
"""

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.sandbox.mirakl.money.rows import Row, Sale
from app.sandbox.mirakl.money.summary import Cycle, Sums
from app.sandbox.mirakl.orders import whole_milliseconds

_BLOCK = 10
_GOODS = ("ORDER_AMOUNT", "COMMISSION_FEE", "COMMISSION_VAT")
_SHIPPED = ("ORDER_AMOUNT", "ORDER_SHIPPING_AMOUNT", "COMMISSION_FEE", "COMMISSION_VAT")
_TAXED = (
    *("ORDER_AMOUNT", "ORDER_AMOUNT_TAX", "ORDER_SHIPPING_AMOUNT", "ORDER_SHIPPING_AMOUNT_TAX"),
    *("COMMISSION_FEE", "COMMISSION_VAT"),
)
_REFUNDED = ("REFUND_ORDER_AMOUNT", "REFUND_COMMISSION_FEE", "REFUND_COMMISSION_VAT")
_LIVES = (*([_GOODS] * 4), *([_SHIPPED] * 4), *([_TAXED] * 2))
# By its place in a block: the order and the type of each line.
_SALES = [(order, type_) for order, types in enumerate(_LIVES) for type_ in types]
_REFUNDS = [(order, type_) for order in (1, 6) for type_ in _REFUNDED]
_TAIL = ("SUBSCRIPTION_FEE", "SUBSCRIPTION_VAT", "PAYMENT")
LINES_A_BLOCK = len(_SALES) + len(_REFUNDS)

_SUBSCRIPTION, _SUBSCRIPTION_VAT = 3_900, 975
_COMMISSION, _VAT = 15, 25  # percent
_TAX = {"code": "VAT25", "rate": 25.0}
_PAY_OUT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Life:
    """An order and the cents of its line: goods and shipping as the log has them, taxes where they are apart."""

    sale: Sale
    number: int
    goods: int
    shipping: int
    goods_tax: int
    shipping_tax: int

    @property
    def line_id(self) -> str:
        return f"{self.sale.order_id}-1"

    def amounts(self) -> dict[str, int]:
        """By type, of all lines that there are of it."""
        back = self.goods // 2
        fee, refunded = _percent(self.goods + self.shipping, _COMMISSION), _percent(back, _COMMISSION)
        return {
            "ORDER_AMOUNT": self.goods,
            "ORDER_AMOUNT_TAX": self.goods_tax,
            "ORDER_SHIPPING_AMOUNT": self.shipping,
            "ORDER_SHIPPING_AMOUNT_TAX": self.shipping_tax,
            "COMMISSION_FEE": -fee,
            "COMMISSION_VAT": -_percent(fee, _VAT),
            "REFUND_ORDER_AMOUNT": -back,
            "REFUND_COMMISSION_FEE": refunded,
            "REFUND_COMMISSION_VAT": _percent(refunded, _VAT),
        }


class History:
    """`cycles` of `blocks` each that end at `until` (Unix seconds); without, there is none."""

    def __init__(
        self,
        *,
        cycles: int = 0,
        blocks: int = 0,
        until: float = 0.0,
        cycle_seconds: float = 10 * 86_400.0,
        seed: int = 1,
        currency: str = "EUR",
        prefix: str = "OLD",
    ) -> None:
        self._blocks, self._seed, self._currency, self._prefix = blocks, seed, currency, prefix
        self._cycle_seconds = cycle_seconds
        self._start = whole_milliseconds(until - cycles * cycle_seconds - _PAY_OUT_SECONDS)
        # Nothing of a cycle before the first is refunded in it.
        self._first = blocks * len(_SALES) + len(_TAIL)
        self._size = blocks * LINES_A_BLOCK + len(_TAIL)
        self.lines = self._first + (cycles - 1) * self._size if cycles else 0
        self.orders = cycles * blocks * _BLOCK
        self.cycles = [self._cycle(number) for number in range(cycles)]

    def life(self, number: int) -> Life:
        cycle, within = divmod(number, self._blocks * _BLOCK)
        # Neighbours are far from each other, the same seed gives the same: Knuth's multiplicative hash.
        mixed = ((number + 1) * 2_654_435_761 + self._seed * 40_503) % 2**32
        types = _LIVES[number % _BLOCK]
        goods = 500 + mixed % 20_000
        shipping = 100 + (mixed >> 16) % 900 if "ORDER_SHIPPING_AMOUNT" in types else 0
        taxed = "ORDER_AMOUNT_TAX" in types
        commercial_id = f"{self._prefix}-{number:08d}"
        return Life(
            Sale(f"{commercial_id}-A", commercial_id, self._instant(cycle, within / (self._blocks * _BLOCK))),
            number,
            goods,
            shipping,
            _percent(goods, _VAT) if taxed else 0,
            _percent(shipping, _VAT) if taxed else 0,
        )

    def row(self, number: int) -> Row:
        cycle, place = self._find(number)
        sales, refunds = self._blocks * len(_SALES), self._blocks * len(_REFUNDS)
        row = Row(
            id=f"{self._seed % 2**32:08x}-0000-4000-8000-{number:012x}",
            type="",
            amount=0,
            currency=self._currency,
            state="PAID",
            created_at=self._created(cycle, place),
            updated_at=self._paid_at(cycle),
            cycle=self._cycle_id(cycle),
        )
        if place < sales:
            block, slot = divmod(place, len(_SALES))
            order, row.type = _SALES[slot]
            self._fill(row, self.life((cycle * self._blocks + block) * _BLOCK + order))
        elif cycle and place < sales + refunds:
            block, slot = divmod(place - sales, len(_REFUNDS))
            order, row.type = _REFUNDS[slot]
            life = self.life(((cycle - 1) * self._blocks + block) * _BLOCK + order)
            row.refund_id = str(9_000_000_000 + life.number)
            self._fill(row, life)
        else:
            self._end(row, cycle, _TAIL[place - sales - (refunds if cycle else 0)])
        return row

    def place(self, number: int, field: str) -> tuple[float, str]:
        """Of a line, where lines are sorted by `created_at` or `updated_at`."""
        return self._at(field)(number), f"{self._seed % 2**32:08x}-0000-4000-8000-{number:012x}"

    def between(self, created: tuple[float | None, float | None], updated_from: float | None) -> range:
        """Numbers of the lines within; both ends are inclusive, one that is None is open."""
        everything, by_created = range(self.lines), self._at("created_at")
        first, after = 0, self.lines
        if created[0] is not None:
            first = bisect.bisect_left(everything, created[0], key=by_created)
        if created[1] is not None:
            after = bisect.bisect_right(everything, created[1], key=by_created)
        if updated_from is not None:
            first = max(first, bisect.bisect_left(everything, updated_from, key=self._at("updated_at")))
        return range(first, max(first, after))

    def lives(self, first: int, count: int) -> Iterator[Life]:
        return map(self.life, range(first, min(first + count, self.orders)))

    def _at(self, field: str) -> Callable[[int], float]:
        if field == "created_at":
            return lambda number: self._created(*self._find(number))
        return lambda number: self._paid_at(self._find(number)[0])

    def _find(self, number: int) -> tuple[int, int]:
        """The cycle of a line, and its place there."""
        if number < self._first:
            return 0, number
        cycle, place = divmod(number - self._first, self._size)
        return cycle + 1, place

    def _instant(self, cycle: int, share: float) -> float:
        return whole_milliseconds(self._start + (cycle + share) * self._cycle_seconds)

    def _created(self, cycle: int, place: int) -> float:
        return self._instant(cycle, place / (self._size if cycle else self._first))

    def _paid_at(self, cycle: int) -> float:
        return self._instant(cycle + 1, 0) + _PAY_OUT_SECONDS

    def _cycle_id(self, cycle: int) -> str:
        return f"{self._seed % 2**32:08x}-0000-4000-9000-{cycle:012x}"

    def _reference(self, cycle: int) -> str:
        return f"PO-OLD-{cycle:05d}"

    def _fill(self, row: Row, life: Life) -> None:
        row.amount, row.sale, row.line_id = life.amounts()[row.type], life.sale, life.line_id
        if row.type.endswith("_VAT"):
            row.shop_tax = float(_VAT)
        elif row.type.endswith("_TAX"):
            row.tax = _TAX

    def _end(self, row: Row, cycle: int, type_: str) -> None:
        row.type = type_
        if type_ == "PAYMENT":
            row.amount, row.payment = -self.cycles[cycle].paid, (self._reference(cycle), row.updated_at)
        elif type_ == "SUBSCRIPTION_FEE":
            row.amount = -_SUBSCRIPTION
        else:
            row.amount, row.shop_tax = -_SUBSCRIPTION_VAT, float(_VAT)

    def _cycle(self, number: int) -> Cycle:
        sums = Sums()
        sums.add("SUBSCRIPTION_FEE", -_SUBSCRIPTION)
        sums.add("SUBSCRIPTION_VAT", -_SUBSCRIPTION_VAT)
        first = number * self._blocks * _BLOCK
        for order in range(first, first + self._blocks * _BLOCK):
            amounts = self.life(order).amounts()
            for type_ in _LIVES[order % _BLOCK]:
                sums.add(type_, amounts[type_])
        if number:
            for block in range(self._blocks):
                for order, type_ in _REFUNDS:
                    life = self.life(((number - 1) * self._blocks + block) * _BLOCK + order)
                    sums.add(type_, life.amounts()[type_])
        return Cycle(
            id=self._cycle_id(number),
            currency=self._currency,
            started_at=self._instant(number, 0),
            closed_at=self._instant(number + 1, 0),
            sums=sums,
            paid=sums.total,
            state="PAID",
            reference=self._reference(number),
            paid_at=self._paid_at(number),
        )


def _percent(amount: int, percent: int) -> int:
    """Half a cent upwards, as `lines.percent_of`; whole numbers are several times as fast."""
    return (amount * percent + 50) // 100


def public(life: Life, currency: str) -> dict[str, Any]:
    """For whoever wants to have the orders too: amounts in numbers."""
    return {
        "order_id": life.sale.order_id,
        "commercial_id": life.sale.commercial_id,
        "created_at": life.sale.created_at,
        "currency": currency,
        "order_line_id": life.line_id,
        "tax_mode": "TAX_EXCLUDED" if life.goods_tax else "TAX_INCLUDED",
        "price": life.goods / 100,
        "shipping_price": life.shipping / 100,
        "taxes": [{**_TAX, "amount": life.goods_tax / 100}] if life.goods_tax else [],
        "shipping_taxes": [{**_TAX, "amount": life.shipping_tax / 100}] if life.shipping_tax else [],
    }
