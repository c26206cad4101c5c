"""Where each market sells from is mirrored from Centra.

One key, every ten minutes and whenever an event says that a warehouse, a rule or a market changed. When what counts has
changed, every offer of every channel is derived again, since safety stock and warehouses are part of each quantity.
"""

from __future__ import annotations

from app.centra.facts import topology_of
from app.domain.ids import WarehouseId
from app.domain.stock import Topology
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.retry import after_failure
from app.store import mirrors, offers
from app.store.marks import Mark
from app.store.outbox import Claim, Settled, Verdict
from app.store.pool import Transaction
from app.telemetry.logs import log
from app.wire.outcome import Applied

TOPOLOGY = "topology"
SWEEP = "sweep"  # the flow of that name reads this one, so its name is said here
EVERY_SECONDS = 600.0
PAGE = 5_000
BACKGROUND = 2


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Read the topology, store it, and mark what it changes."""
    claim, services = turn.claims[0], turn.services
    answer = await services.centra.read_topology()
    if not isinstance(answer, Applied):
        return {claim: after_failure(answer, claim, services.clock, services.pauses, turn.scope)}
    services.pauses.resume(turn.scope)
    fresh = topology_of(answer.value)

    async def steps(transaction: Transaction) -> int:
        connection = transaction.connection
        before = await mirrors.read_mirror(connection, turn.scope, mirrors.TOPOLOGY, Topology)
        await mirrors.write_mirror(connection, turn.scope, mirrors.TOPOLOGY, fresh)
        if before is not None and before.value == fresh:
            return 0
        if before is not None and _counted(before.value) != _counted(fresh):  # sizes were read without some rows
            transaction.mark([Mark(turn.scope, SWEEP, SWEEP)])
        marked = 0
        for channel in services.channels(stock_on=True):
            last = ""
            while page := await offers.next_page(connection, channel, last, PAGE):
                transaction.mark(Mark(channel, offers.STOCK, sku, priority=BACKGROUND) for sku in page)
                marked, last = marked + len(page), page[-1]
        return marked

    marked = await services.database.transact(steps)
    if marked:
        log.info("topology_changed", scope=turn.scope, marks=marked)
    return {claim: Settled(services.clock.after(EVERY_SECONDS))}


def _counted(topology: Topology) -> set[WarehouseId]:
    return {w.warehouse_id for w in topology.warehouses.values() if w.direct}


FLOW = Flow(
    name=TOPOLOGY,
    team=Team.OPERATIONS,
    scoped="source",
    work=work,
    keys=lambda _settings, _scope: {TOPOLOGY: 0.0},
)
