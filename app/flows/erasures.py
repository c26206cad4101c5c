"""A buyer who was erased here is erased in Centra too.

A key is Mirakl's order id. The erasure itself is done when it is asked for (`privacy erase`); this flow carries it to
Centra, where invoices stay. It bears repetition, so it is a *safe* effect.
"""

from __future__ import annotations

from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.retry import after_failure
from app.store import buyers
from app.store.buyers import ERASURES
from app.store.effects import EffectClass, audit, record, write_again
from app.store.outbox import Claim, Held, Settled, Verdict
from app.store.pool import Transaction
from app.wire.outcome import Applied, RefusalKind, Refused

CODE = "AnonymizeCustomer"


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Erase one customer in Centra."""
    claim, services, scope = turn.claims[0], turn.services, turn.scope
    async with services.database.work.acquire() as connection:
        customer = await buyers.to_erase(connection, scope, claim.key)
    if customer is None:
        return {}
    if services.order_api is None:
        return {claim: Held("there is no Order API to erase the customer with: do it in Centra")}
    effect_id = await services.database.transact(
        lambda tx: write_again(tx.connection, scope, ERASURES, CODE, EffectClass.SAFE, lane=claim.key, key=claim.key)
    )
    outcome = await services.order_api.anonymize_customer(
        customer, effect_id=str(effect_id), usable_until=turn.usable_until
    )

    async def steps(tx: Transaction) -> None:
        await record(tx.connection, effect_id, outcome)
        if isinstance(outcome, Applied):
            await buyers.erased_in_centra(tx.connection, scope, claim.key)
            await audit(tx.connection, scope, ERASURES, f"order:{claim.key}", "erased here", "erased in Centra", None)

    await services.database.transact(steps)
    if isinstance(outcome, Applied):
        return {claim: Settled()}
    if isinstance(outcome, Refused) and outcome.kind is not RefusalKind.CREDENTIALS:
        return {claim: Held(f"Centra does not erase customer {customer}: {outcome.reason}")}
    return {claim: after_failure(outcome, claim, services.clock, services.pauses, services.source)}


FLOW = Flow(
    name=ERASURES,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    at_once=2,
    on=lambda settings, scope: settings.by_id()[scope].orders.is_read,
    effects=True,
)
