"""What Centra has for an order, read fresh: the free quantity of its sizes, and the promises made before it.

The reservation is committed before anything is read here (business rule 11). Promises are read before the free quantity
is: an allocation that comes between is then counted twice rather than not at all, and the second look resolves it.
Questions of several orders go to Centra together.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.ids import MarketId, Sku
from app.domain.orders import Order
from app.domain.stock import Topology
from app.engine.flow import Pass, Services
from app.flows.entry.read_back import read_back
from app.flows.sizes import fresh_sizes
from app.flows.sweep import SWEPT
from app.policies.acceptance import Stock
from app.policies.stock import free_units
from app.store import mirrors, orders, reservations, sizes
from app.store.reservations import Before
from app.wire.outcome import Applied, Failure, NotSent

GATHER_SECONDS = 0.03
UNREAD_SECONDS = 5.0
LARGEST_QUESTION = 100


async def stock_for(turn: Pass, order: Order, *, again: bool) -> Mapping[Sku, Stock] | Failure:
    """What there is of each SKU of an order. `again`: earlier promises that are on their way are read back first."""
    services = turn.services
    promised = await _promised(services, turn.scope, order)
    if again:
        others = sorted({other for before in promised.values() for other in before.others})
        for scope, order_id in others[:LARGEST_QUESTION]:
            await _read_back(services, scope, order_id)
        promised = await _promised(services, turn.scope, order)
    async with services.database.work.acquire() as connection:
        mirror = await mirrors.read_mirror(connection, services.source, mirrors.TOPOLOGY, Topology)
        known = await sizes.by_skus(connection, services.source, [line.sku for line in order.lines])
        swept = await mirrors.read_cursor(connection, services.source, SWEPT, str) is not None
    if mirror is None:
        return NotSent("the topology of Centra is not read yet", UNREAD_SECONDS)
    found: dict[Sku, Stock] = {}
    for sku in dict.fromkeys(line.sku for line in order.lines):
        living = [size for size in known.get(sku, ()) if not size.deleted]
        if not living and not swept:
            return NotSent("the sizes of Centra are not all read yet", UNREAD_SECONDS)
        if len(living) != 1:
            problem = f"{len(living) or 'no'} sizes in Centra have the SKU {sku}"
            found[sku] = Stock(None, problem=problem)
            continue
        answer = await services.together.ask(
            "sizes of orders",
            living[0].size_id,
            lambda ids: fresh_sizes(services, ids),
            seconds=GATHER_SECONDS,
            at_most=LARGEST_QUESTION,
        )
        if not isinstance(answer, Applied):
            return answer
        free = free_units(answer.value, mirror.value, _market(turn, order))
        before = promised.get(sku) or promised.get(living[0].sku)  # it may bear another one by now
        found[sku] = Stock(free, before.units if before else 0)
    return found


def _market(turn: Pass, order: Order) -> MarketId:
    """The market that the order will enter by its destination, else the channel's."""
    channel = turn.services.channel(turn.scope)
    markets = {d.country: d.market for d in channel.orders.destinations}
    return MarketId(markets.get(order.country or "", markets.get("*", channel.market)))


async def _promised(services: Services, scope: str, order: Order) -> Mapping[Sku, Before]:
    async with services.database.work.acquire() as connection:
        return await reservations.before(connection, services.source, scope, order.order_id)


async def _read_back(services: Services, scope: str, order_id: str) -> None:
    """Let an earlier promise count as placed where Centra shows it so; a failure leaves it as it is."""
    async with services.database.work.acquire() as connection:
        other = await orders.read(connection, scope, order_id)
    if other is not None and other.number is not None and scope in services.settings.by_id():
        await read_back(services, scope, other)
