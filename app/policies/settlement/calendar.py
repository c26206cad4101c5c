"""What only the calendar tells: a billing cycle that does not come, and when to look at an order or a cycle again.

A difference is one once the marketplace had its time, and nothing happens at that moment: so whoever looks too early
says when to look again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from app.domain.orders import Order
from app.domain.settlement import Cycle, Difference, Kind, PayOut, Transaction
from app.policies.settlement.orders import Unpaid
from app.policies.settlement.terms import Credited, Terms


def order_again(
    order: Order | None,
    lines: Sequence[Transaction],
    credited: Iterable[Credited],
    unpaid: Unpaid | None,
    terms: Terms,
    now: datetime,
) -> datetime | None:
    """When the next thing that time may make a difference of is due; None: nothing is."""
    times = [line.created_at + terms.grace for line in lines]
    if order is not None:
        given = [entry.created_at for line in order.lines for entry in line.taken if entry.created_at is not None]
        times += [at + after for at in given for after in (terms.grace, terms.refund_after)]
        times.append((order.debited_at or order.created_at) + terms.grace)
    times += [one.at + terms.refund_after for one in credited]
    if unpaid is not None:
        times.append(unpaid.since + terms.unpaid_after)
    return min((at for at in times if at > now), default=None)


def cycle_again(cycle: Cycle, terms: Terms, now: datetime) -> datetime | None:
    """As `order_again`."""
    times = [cycle.created_at + terms.grace]
    if cycle.state == PayOut.TO_PAY:
        times.append(cycle.created_at + terms.pay_out_after)
    return min((at for at in times if at > now), default=None)


def cycle_missing(last: datetime | None, currency: str, every: timedelta, now: datetime) -> Iterator[Difference]:
    """One difference where the next cycle should have been closed; before the first one nobody can tell.

    `every`: from one to the next at most, with what it may be late.
    """
    if last is None or now - last < every:
        return
    words = f"no billing cycle was closed since {last:%Y-%m-%d}: ask the operator"
    yield Difference(Kind.PAYOUT_LATE, f"{Kind.PAYOUT_LATE}:missing", currency, None, None, words)
