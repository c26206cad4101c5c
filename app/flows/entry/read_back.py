"""A Centra order is read back: what was placed of it, and whether it is what we meant.

Used after an order was placed, and when a later order finds too little: what an earlier one has been allocated may be
missing from the free quantity already. Questions of several orders go to Centra together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.centra.lists import by_number
from app.centra.orders import NUMBERS_LIMIT, OrderRead
from app.domain.ids import CentraNumber, OrderLineId
from app.domain.progress import Entry, EntryLine, Record
from app.engine.flow import Services
from app.flows.sizes import SIZES
from app.store import offers, reservations, sizes
from app.store.marks import Mark
from app.store.pool import Transaction
from app.wire.outcome import Applied, Outcome

GATHER_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The Centra orders of one marketplace order, as one."""

    entry: Entry
    centra_id: str
    customer: int | None
    total: Decimal


async def read_back(services: Services, scope: str, record: Record) -> Outcome[ReadBack]:
    """Read the Centra orders of a record and store what is placed of its lines."""
    assert record.number is not None
    numbers = [record.number, *record.parts]
    read_at = services.clock.now()
    found: list[OrderRead] = []
    for number in numbers:
        answer = await services.together.ask(
            "orders in Centra",
            number,
            lambda wanted: _read(services, wanted),
            seconds=GATHER_SECONDS,
            at_most=NUMBERS_LIMIT,
        )
        if not isinstance(answer, Applied):
            return answer
        found.append(answer.value)
    entry = _entry(found)
    await services.database.transact(lambda tx: _store_placed(tx, services, scope, record, entry, read_at))
    main = found[0]
    return Applied(
        ReadBack(
            entry,
            main.id,
            main.customer_id,
            sum((order.grand_total.value for order in found), Decimal(0)),
        )
    )


async def _read(services: Services, numbers: list[CentraNumber]) -> Mapping[CentraNumber, Outcome[OrderRead]]:
    return by_number(await services.centra.read_orders(numbers), numbers)


def _entry(found: list[OrderRead]) -> Entry:
    """Several parts count as blocked, or as cancelled, when all of them are."""
    alive = [order for order in found if order.status != "CANCELLED"] or found
    return Entry(
        status=alive[0].status,
        held=all(order.is_on_hold for order in alive),
        unpaid=all(order.is_waiting_for_payment for order in alive),
        lines=tuple(
            EntryLine(
                id=line.id,
                line_id=OrderLineId((line.comment or "").strip()),
                sku=line.product_size.sku or "" if line.product_size else "",
                quantity=line.quantity,
                cancelled=line.cancelled_quantity,
                allocated=line.allocated_quantity,
                shipped=line.shipped_quantity,
            )
            for order in alive
            for line in order.lines
        ),
    )


async def _store_placed(
    tx: Transaction, services: Services, scope: str, record: Record, entry: Entry, read_at: datetime
) -> None:
    """What Centra has set aside is in the next free quantity that is read, so its sizes are read again."""
    units: Counter[OrderLineId] = Counter()
    for line in entry.lines:
        units[line.line_id] += line.allocated + line.shipped
    placed = await reservations.placed(tx.connection, scope, record.order.order_id, units, read_at)
    known = await sizes.by_skus(tx.connection, services.source, sorted(placed))
    tx.mark(Mark(services.source, SIZES, str(size.size_id)) for found in known.values() for size in found)
    if not placed:
        return
    tx.mark(await offers.marks_for(tx.connection, services.channels(stock_on=True), placed))
