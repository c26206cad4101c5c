"""Database gauges of what is paid: differences, pay-outs, orders that wait for their money, the age of what is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from app.domain.settlement import Kind, PayOut, State
from app.domain.teams import Team
from app.engine.flow import Services
from app.engine.wakeups import Place
from app.store import settlement
from app.store.readings import read_since
from app.store.settlement import UNDECIDED
from app.telemetry import metrics

SHOWN = (State.OPEN, State.EXPLAINED, State.ACCEPTED)


async def read_money(services: Services, _: Mapping[Place, Team]) -> None:
    """Where money is read, every kind and state has a value, also when there is none."""
    scopes = [channel.id for channel in services.settings.channel if channel.settlement.on]
    if not scopes:
        return
    watch, since = await settlement.watch(services.database), await read_since(services.database)
    now = services.clock.now()
    counts = Counter({(scope, kind.value, state.value): 0 for scope in scopes for kind in Kind for state in SHOWN})
    at_stake = Counter(
        {(channel.id, channel.currency): 0 for channel in services.settings.channel if channel.id in scopes}
    )
    payouts = Counter({(scope, state.value): 0 for scope in scopes for state in PayOut})
    for row in watch.differences:
        counts[row.scope, row.kind, row.state] += row.differences
        at_stake[row.scope, row.currency] += row.at_stake if State(row.state) in UNDECIDED else 0
    payouts.update(watch.payouts)
    for gauge, found in (
        (metrics.settlement_differences, counts),
        (metrics.settlement_at_stake_minor, at_stake),
        (metrics.payouts, payouts),
    ):
        for labels, value in found.items():
            gauge.labels(*labels).set(value)
    for scope in scopes:
        orders, oldest = watch.unpaid.get(scope, (0, None))
        metrics.unpaid_orders.labels(scope).set(orders)
        metrics.unpaid_orders_oldest_seconds.labels(scope).set((now - oldest).total_seconds() if oldest else 0.0)
        if scope in since:
            metrics.settlement_read_age_seconds.labels(scope).set((now - since[scope]).total_seconds())
