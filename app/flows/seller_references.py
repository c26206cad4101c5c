"""The marketplace carries the Centra number of each order, so that its people and ours speak of the same one.

A key is Mirakl's order id. OR04 takes 100 orders a minute and has its own budget; it writes an absolute value, a *safe*
effect, and never keeps an acceptance waiting.
"""

from __future__ import annotations

from app.domain.ids import Scope
from app.domain.teams import Team
from app.engine.flow import Flow, Gate, Pass, Services
from app.engine.retry import after_failure, retry_at
from app.mirakl.orders import REFERENCES_LIMIT
from app.store import orders
from app.store.effects import EffectClass, EffectState, decide, record, write_again
from app.store.orders import SELLER_REFERENCES
from app.store.outbox import Claim, Held, Postponed, Verdict
from app.store.pool import Transaction
from app.telemetry import metrics
from app.wire.outcome import Applied

CODE = "OR04"


async def gate(services: Services, scope: Scope) -> Gate:
    """OR04's permit."""
    return await services.mirakl[scope].permit(CODE)


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Write the numbers of the claimed orders, as far as they have one."""
    services, scope = turn.services, turn.scope
    by_id = {c.key: c for c in turn.claims}
    async with services.database.work.acquire() as connection:
        numbers = await orders.centra_numbers(connection, scope, sorted(by_id))
    if not numbers or not services.channel(scope).orders.acts:
        if turn.permit is not None:
            await services.permits.give_back(turn.permit)
        return {}
    effect_id = await services.database.transact(
        lambda tx: write_again(tx.connection, scope, turn.flow, CODE, EffectClass.SAFE, lane=CODE)
    )
    outcome = await services.mirakl[scope].or04_update_references(
        {order_id: str(number) for order_id, number in numbers.items()},
        permit=turn.permit,
        effect_id=str(effect_id),
        usable_until=turn.usable_until,
    )
    metrics.effects.labels(scope, turn.flow, CODE, type(outcome).__name__.lower()).inc()
    if not isinstance(outcome, Applied):
        async with services.database.work.acquire() as connection:
            await record(connection, effect_id, outcome)
        return {c: after_failure(outcome, c, services.clock, services.pauses, scope) for c in turn.claims}
    refused = {order_id: words for order_id, words in outcome.value.items() if words is not None}

    async def steps(tx: Transaction) -> None:
        words = f"{len(refused)} of {len(numbers)} refused" if refused else None
        await decide(tx.connection, effect_id, EffectState.APPLIED, words)
        await orders.referenced(tx.connection, scope, sorted(set(numbers) - set(refused)))

    await services.database.transact(steps)
    return {by_id[order_id]: _again(turn, by_id[order_id], words) for order_id, words in refused.items()}


def _again(turn: Pass, claim: Claim, words: str) -> Verdict:
    """One order that Mirakl refused is tried a few times, then shown."""
    if claim.attempts < 5:
        return Postponed(retry_at(turn.services.clock, claim, 60.0, 3600.0), words)
    return Held(f"Mirakl does not take the Centra number: {words}")


FLOW = Flow(
    name=SELLER_REFERENCES,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    batch=REFERENCES_LIMIT,
    gate=gate,
    gather_seconds=0.5,
    on=lambda settings, scope: settings.by_id()[scope].orders.is_read,
    effects=True,
)
