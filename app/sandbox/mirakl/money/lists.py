"""TL02 and what an export asks for: which lines of the log are wanted, in which order, from which place.

Pages are by the instant sorted for and then by id; what moves while they are read is shown where it stands then. Lines
of the history (`money_history`) are made when they are shown: a page costs what is on it, however many there are.
"""

import bisect
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence

from starlette.requests import Request

from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.money.history import History
from app.sandbox.mirakl.money.log import MoneyLog
from app.sandbox.mirakl.money.rows import PSP, STATES, Row, shown
from app.sandbox.mirakl.order_lists import instant
from app.sandbox.mirakl.pages import Asked, Place

_LARGEST_PAGE = 2_000
SORTS = {"dateCreated": "created_at", "lastUpdated": "updated_at"}

# How a line is looked at for each filter that takes values.
_LOOKS: dict[str, Callable[[Row], str | None]] = {
    "seller_billing_cycle_id": lambda row: row.cycle,
    "payment_state": lambda row: row.state,
    "transaction_type": lambda row: row.type,
    "order_id": lambda row: row.sale.order_id if row.sale else None,
    "order_line_id": lambda row: row.line_id,
    "order_reference_for_customer": lambda row: row.sale.reference_for_customer if row.sale else None,
    "order_reference_for_seller": lambda row: row.sale.reference_for_seller if row.sale else None,
    "accounting_document_number": lambda row: row.paper.number if row.paper else None,
    "accounting_document_id": lambda row: row.paper.id if row.paper else None,
    "other_reference": lambda row: row.one_off["references"][0]["value"] if row.one_off else None,
    "shop_model": lambda row: "MARKETPLACE",
    "pay_out_psp_codes": lambda row: PSP,
}
_WINDOWS: dict[str, Callable[[Row], float | None]] = {
    "date_created": lambda row: row.created_at,
    "last_updated": lambda row: row.updated_at,
    "transaction_date": lambda row: row.payment and row.payment[1],
}
_ENDS = ("date_created_from", "date_created_to", "last_updated_from", "transaction_date_from", "transaction_date_to")
FILTERS = frozenset({*_LOOKS, *_ENDS})


class Wanted:
    """The filters of one call, each with its values. Refused (400) for what is no instant or no state."""

    def __init__(self, given: Mapping[str, Sequence[str]]) -> None:
        self._values = {name: frozenset(given[name]) for name in _LOOKS if given.get(name)}
        if not self._values.get("payment_state", frozenset()) <= set(STATES):
            raise Refused(400, "Error with parameter payment_state. Please check its type.")
        self._ends = {name: instant(name, given[name][0]) for name in _ENDS if given.get(name)}

    def fits(self, row: Row) -> bool:
        return all(_LOOKS[name](row) in values for name, values in self._values.items()) and all(
            self._within(name, look(row)) for name, look in _WINDOWS.items()
        )

    def numbers(self, history: History) -> Sequence[int]:
        """Of the lines of the history that fit; where only a window is asked for, none of them is made for that."""
        window = history.between(
            created=(self._ends.get("date_created_from"), self._ends.get("date_created_to")),
            updated_from=self._ends.get("last_updated_from"),
        )
        if not self._values and not any(name.startswith("transaction") for name in self._ends):
            return window
        return [number for number in window if self.fits(history.row(number))]

    def _within(self, name: str, at: float | None) -> bool:
        start, end = self._ends.get(f"{name}_from"), self._ends.get(f"{name}_to")
        if start is None and end is None:
            return True
        return at is not None and (start is None or start <= at) and (end is None or at <= end)


class TransactionList:
    """The log of this shop's orders, and the history before it."""

    def __init__(self, log: MoneyLog) -> None:
        self._log = log
        self.history = History()

    async def tl02(self, request: Request) -> Json:
        asked = Asked(request, "dateCreated", default_order="DESC", largest=_LARGEST_PAGE, sorts=tuple(SORTS))
        wanted = Wanted({name: asked.values(name) for name in FILTERS})
        field = SORTS[asked.field]

        def place(row: Row) -> Place:
            return getattr(row, field), row.id

        live = [row for row in self.live(wanted) if asked.is_beyond(place(row))]
        live.sort(key=place, reverse=asked.backwards)
        old = self._old(wanted, field, asked)
        return asked.cut(heapq.merge(old, live, key=place, reverse=asked.backwards), place, shown)

    def live(self, wanted: Wanted) -> Iterator[Row]:
        return filter(wanted.fits, self._log.rows.values())

    def _old(self, wanted: Wanted, field: str, asked: Asked) -> Iterator[Row]:
        """The history's lines in both orders by their numbers, from the place on."""
        history, numbers = self.history, wanted.numbers(self.history)
        if asked.after is not None:
            cut = bisect.bisect_left if asked.backwards else bisect.bisect_right
            at = cut(numbers, asked.after, key=lambda number: history.place(number, field))
            numbers = numbers[:at] if asked.backwards else numbers[at:]
        return map(history.row, reversed(numbers) if asked.backwards else numbers)
