"""Centra's rate limits are shared with every other integration, so what is left of them is asked for.

One key, once a minute: the plan's quotas become our six buckets, of which we plan with our share; where Centra
says that less is left than we believe, since somebody else used it, our tokens are lowered, and everybody here
slows down by headroom.
"""

from __future__ import annotations

from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.retry import after_failure
from app.store.outbox import Claim, Settled, Verdict
from app.telemetry import metrics
from app.wire.outcome import Applied

ALLOWANCE = "allowance"
EVERY_SECONDS = 60.0
WINDOW_SECONDS = {"10s": 10.0, "1h": 3600.0}
SMALLEST_PLAN = {
    "requests.10s": 60,
    "requests.1h": 5_000,
    "mutations.10s": 20,
    "mutations.1h": 1_800,
    "complexity.10s": 250_000,
    "complexity.1h": 30_000_000,
}
"""Centra's default plan, until its own words are read (reference: rate limits)."""


def buckets(quotas: dict[str, int], share: float) -> dict[str, tuple[float, float]]:
    """Quotas by bucket name → our capacity and refill a second."""
    return {
        name: (quota * share, quota * share / WINDOW_SECONDS[name.rpartition(".")[2]]) for name, quota in quotas.items()
    }


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Ask what is left, and plan with our share of it."""
    claim, services = turn.claims[0], turn.services
    answer = await services.centra.read_rate_limits(headroom=1.0)
    if not isinstance(answer, Applied):
        return {claim: after_failure(answer, claim, services.clock, services.pauses, turn.scope)}
    services.pauses.resume(turn.scope)
    share = services.settings.centra.share
    await services.permits.open(turn.scope, buckets({limit.name: limit.quota for limit in answer.value}, share))
    for limit in answer.value:
        metrics.allowance_left.labels(turn.scope, limit.name).set(limit.remaining)
        if limit.remaining < limit.quota * share:
            await services.permits.lower(turn.scope, limit.name, float(limit.remaining))
    return {claim: Settled(services.clock.after(EVERY_SECONDS))}


FLOW = Flow(
    name=ALLOWANCE,
    team=Team.OPERATIONS,
    scoped="source",
    work=work,
    keys=lambda _settings, _scope: {ALLOWANCE: 0.0},
)
