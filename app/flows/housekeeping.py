"""Replay keys of webhooks are forgotten once their time window has passed.

One key, every ten minutes. Everything else that has served its time is deleted by `centra-mirakl retention`, which runs
under a role of its own.
"""

from __future__ import annotations

from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.store import inbox
from app.store.outbox import Claim, Settled, Verdict

HOUSEKEEPING = "housekeeping"
EVERY_SECONDS = 600.0


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Forget signatures that can't be replayed any more."""
    clock = turn.services.clock
    async with turn.services.database.work.acquire() as connection:
        await inbox.forget_signatures(connection, clock.now())
    return {turn.claims[0]: Settled(clock.after(EVERY_SECONDS))}


FLOW = Flow(
    name=HOUSEKEEPING,
    team=Team.OPERATIONS,
    scoped="source",
    work=work,
    keys=lambda _settings, _scope: {HOUSEKEEPING: EVERY_SECONDS},
)
