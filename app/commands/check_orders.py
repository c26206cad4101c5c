"""The part of `check` about orders: does each destination name a market, a price list and an option that exist?"""

from __future__ import annotations

from app.commands.context import Finding
from app.domain.ids import MarketId
from app.domain.stock import Topology
from app.engine.flow import Services
from app.policy_settings import Destination
from app.settings import Channel
from app.wire.outcome import Applied


async def check_orders(parts: Services, channel: Channel, topology: Topology | None) -> list[Finding]:
    """One line a destination; nothing for a channel whose orders are off."""
    orders = channel.orders
    if not orders.is_read or topology is None:
        return []
    days = f"{orders.accept_within_seconds / 3600:g} h to accept"
    found = [Finding(channel.id, "orders", True, f"{orders.mode}, {days}, short lines: {orders.short}")]
    if orders.acts and orders.payment is None:
        words = "no payment plugin is named: Centra can't show that an order waits for its payment; set payment"
        found.append(Finding(channel.id, "orders", False, words))
    options = await parts.centra.list_shipping_options()
    if not isinstance(options, Applied):
        return [*found, Finding(channel.id, "shipping options", False, options.reason)]
    return found + [_destination(channel, d, topology, frozenset(options.value)) for d in orders.destinations]


def _destination(channel: Channel, at: Destination, topology: Topology, options: frozenset[str]) -> Finding:
    faults: list[str] = []
    market = topology.markets.get(MarketId(at.market))
    if market is None:
        faults.append(f"Centra has no market {at.market}")
    elif at.country != "*" and market.countries and at.country not in market.countries:
        faults.append(f"market {market.name} does not sell to {at.country}")
    prices = topology.price_lists.get(at.price_list)
    if prices is None:
        faults.append(f"Centra has no price list {at.price_list}")
    elif prices.currency != channel.currency:
        faults.append(f"price list {prices.name} is in {prices.currency}, the channel in {channel.currency}")
    unknown = sorted({at.shipping_option, *at.shipping_by_type.values()} - options)
    if unknown:
        faults.append(f"Centra has no shipping option {', '.join(unknown)}; there are {', '.join(sorted(options))}")
    words = "; ".join(faults) or f"market {at.market}, price list {at.price_list}, {at.shipping_option}"
    where = "any country" if at.country == "*" else at.country
    return Finding(channel.id, f"orders to {where}", not faults, words)
