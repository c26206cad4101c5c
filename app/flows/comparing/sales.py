"""The walk over orders: those at the marketplace and here, each against Centra; then Centra's, each against ours.

Centra is read in pages of 50 orders, within the share of its allowance that background reads may use.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from app.centra.after_sale import AFTER_SALE_LIMIT, OrderAfterSale
from app.centra.lists import CATALOGUE
from app.centra.orders import OrderFound, OrderRead
from app.domain.parity import Found, Kind
from app.engine.flow import Pass
from app.engine.patience import patiently
from app.flows import order_look_back
from app.flows.after_sale.money import MONEY
from app.flows.comparing import after_sale, orders
from app.flows.comparing.causes import Seen, Step, Stopped, under_way
from app.flows.orphans import mark_of
from app.settings import Channel
from app.store import intents, mirrors, parity
from app.store import orders as stored
from app.store.effects import doubt_of
from app.store.parity import NO_WAY
from app.store.pool import Connection
from app.wire.decode import Items
from app.wire.outcome import Applied, Failure, Outcome, Unknown

T = TypeVar("T")
EVER = datetime(2000, 1, 1, tzinfo=UTC)
OLDER, PLACED = "older", "placed"
"""The steps after the first, which is over the orders of late: open ones made before, and Centra's."""
FLOWS = (stored.ORDERS, stored.ORDER_ENTRY, *after_sale.FLOWS)
AFTER_SALE = (Kind.SHIPMENTS, Kind.CANCELLATIONS, Kind.REFUNDS)


def kinds_of(channel: Channel) -> tuple[Kind, ...]:
    """What of a channel's orders is compared."""
    if not channel.orders.is_read:
        return ()
    if not channel.after_sale.is_followed:
        return (Kind.ORDERS,)
    return (Kind.ORDERS, *AFTER_SALE)


async def as_of(connection: Connection, scope: str) -> datetime | None:
    """When the marketplace's orders were last exported; None: not yet."""
    looked = await mirrors.read_cursor(connection, scope, order_look_back.LOOKED, order_look_back.Looked)
    return None if looked is None else looked.asked_at


async def walk(turn: Pass, step: str, place: tuple[str, str], began_at: datetime) -> AsyncGenerator[Step, None]:
    """Every order that is open or was made of late, from a step and a place on."""
    channel = turn.services.channel(turn.scope)
    since = began_at - timedelta(days=channel.parity.days)
    for mine, next_step in (("", OLDER), (OLDER, PLACED)):
        if step == mine:
            async for seen in _ours(turn, channel, step, place, since):
                yield seen
                if isinstance(seen, Stopped):
                    return
            step, place = next_step, ("", "")
    async for seen in _theirs(turn, int(place[0] or 1), since, began_at):
        yield seen


# ----------------------------------------------------------------------------------------- ours, each against Centra


@dataclass(frozen=True, slots=True)
class There:
    """What Centra knows of some order numbers."""

    orders: dict[int, OrderRead]
    after: dict[int, OrderAfterSale]


async def _ours(
    turn: Pass, channel: Channel, step: str, place: tuple[str, str], since: datetime
) -> AsyncGenerator[Seen | Stopped, None]:
    scope, follows = turn.scope, channel.after_sale.is_followed
    async with turn.services.database.work.acquire() as connection:
        looked = await mirrors.read_cursor(connection, scope, order_look_back.LOOKED, order_look_back.Looked)
    around = orders.Around(channel.orders.acts, follows, looked)
    begin = since if step == "" else EVER
    after = datetime.fromisoformat(place[0]) if place[0] else begin
    while True:
        async with turn.services.database.work.acquire() as connection:
            if step == "":
                records = await stored.to_compare(connection, scope, after, AFTER_SALE_LIMIT)
            else:
                records = await stored.open_to_compare(connection, scope, after, AFTER_SALE_LIMIT, since)
        if not records:
            return
        numbers = [n for r in records if r.completed_at and r.number for n in (r.number, *r.parts)]
        there = await read_centra(turn, numbers, follows)
        if not isinstance(there, There):
            yield Stopped(there, turn.services.source)
            return
        after = records[-1].order.created_at if step == "" else records[-1].accept_by
        seen = await _page(turn, [record.order.order_id for record in records], there, around)
        seen.step, seen.place = step, (after.isoformat(), "")
        yield seen


async def read_centra(turn: Pass, numbers: Sequence[int], follows: bool) -> There | Failure:
    """All of them; what can't be read in part is a failure, since nothing in it looks absent."""
    centra, there = turn.services.centra, There({}, {})
    for start in range(0, len(numbers), AFTER_SALE_LIMIT):
        part = numbers[start : start + AFTER_SALE_LIMIT]
        read = await _whole(turn, lambda: centra.read_orders(part, headroom=CATALOGUE))  # noqa: B023 - awaited here
        if not isinstance(read, Applied):
            return read
        there.orders.update({order.number: order for order in read.value.items})
        if follows:
            told = await _whole(turn, lambda: centra.read_after_sale(part, headroom=CATALOGUE))  # noqa: B023 - as above
            if not isinstance(told, Applied):
                return told
            there.after.update({order.number: order for order in told.value.items})
    return there


async def _whole(turn: Pass, call: Callable[[], Awaitable[Outcome[Items[T]]]]) -> Outcome[Items[T]]:
    answer = await patiently(turn, call)
    if isinstance(answer, Applied) and answer.value.unreadable:
        odd = answer.value.unreadable[0]
        return Unknown(f"Centra's answer could not be read in part: {odd.id} {odd.reason}")
    return answer


async def _page(turn: Pass, order_ids: Sequence[str], there: There, around: orders.Around) -> Seen:
    """Compare orders as they are stored after Centra was read: what it told may have been noted meanwhile."""
    scope, seen = turn.scope, Seen()
    async with turn.services.database.work.acquire() as connection:
        ways = await parity.ways(connection, scope, FLOWS, order_ids)
        for order_id in order_ids:
            record = await stored.read(connection, scope, order_id)
            if record is None:
                continue
            of_order = {flow: way for (flow, key), way in ways.items() if key == order_id}
            seen.compared[Kind.ORDERS] += 1
            seen.found += orders.compare(record, there.orders, of_order, around)
            found = [there.after[n] for n in (record.number, *record.parts) if n in there.after]
            if not around.follows or not found:
                continue
            known = await intents.of_order(connection, scope, order_id)
            has_given = any(line.taken for line in record.order.lines)
            in_doubt = has_given and await doubt_of(connection, scope, order_id, MONEY) is not None
            seen.compared.update(AFTER_SALE)
            seen.found += after_sale.compare(after_sale.Sale(record, found, known, of_order, in_doubt))
    return seen


# ------------------------------------------------------------------------------------------ Centra's, each against ours


async def _theirs(turn: Pass, page: int, since: datetime, until: datetime) -> AsyncGenerator[Seen | Stopped, None]:
    """Placed orders in Centra that bear our mark and do not count."""
    services = turn.services
    while True:
        answer = await patiently(
            turn,
            lambda: services.centra.orders_created(since, until, page, headroom=CATALOGUE),  # noqa: B023 - awaited here
        )
        if not isinstance(answer, Applied):
            yield Stopped(answer, services.source)
            return
        page += 1
        seen = Seen(PLACED, (str(page), ""))
        async with services.database.work.acquire() as connection:
            seen.found += await _second(connection, turn, answer.value.orders.items)
        yield seen
        if answer.value.is_last:
            return


async def _second(connection: Connection, turn: Pass, listed: Sequence[OrderFound]) -> list[Found]:
    scope, placed = turn.scope, dict[int, str]()
    for order in listed:
        mark = mark_of(order)
        if mark is not None and mark[0] == scope and order.status not in (orders.INCOMPLETE, orders.CANCELLED):
            placed[order.number] = mark[1]
    ours = await stored.centra_numbers(connection, scope, sorted(set(placed.values())))
    odd = {number: order_id for number, order_id in placed.items() if ours.get(order_id) != number}
    if not odd:
        return []
    orphans = await stored.are_orphans(connection, turn.services.source, sorted(odd))  # they have a flow of their own
    ways = await parity.ways(connection, scope, [stored.ORDER_ENTRY], sorted(set(odd.values())))
    found = []
    for number, order_id in odd.items():
        record = await stored.read(connection, scope, order_id)
        one = None if number in orphans else orders.second(order_id, number, record)
        if one is not None:
            found.append(under_way(one, [ways.get((stored.ORDER_ENTRY, order_id), NO_WAY)]))
    return found
