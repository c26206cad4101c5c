"""A mass of offers that is to be deleted waits for a person, as a mass of stock that goes to 0 does (field case 85).

Of offers with stock the guard of stock has asked before; this one is for those without any, and for channels whose
stock is somebody else's. It counts within the same hour, by the same limits.
"""

from __future__ import annotations

from collections.abc import Collection

from app.engine.flow import Pass
from app.flows.publishing.plan import Plan
from app.flows.publishing.wire import Deletion
from app.mirakl.offer_schema import OfferWrite
from app.policies.guard import WINDOW_SECONDS
from app.store import offers, publications
from app.store.pool import Connection
from app.store.products import digest_of
from app.store.publications import Standing


async def ask_first(turn: Pass, connection: Connection, plan: Plan[OfferWrite], by_hand: Collection[str]) -> None:
    """Hold the deletions of a pass where they are a mass. Not those that a person let go, or asked for (`by_hand`)."""
    leaving = {
        claim: body
        for claim in plan.claims
        if isinstance(body := plan.wanted[claim.key].body, Deletion)
        and claim.key not in by_hand
        and not plan.is_approved(claim, body)
    }
    if not leaving:
        return
    keys = {claim.key for claim in leaving}
    guard = turn.services.channel(turn.scope).guard
    count = len(keys) + await publications.left(connection, turn.scope, WINDOW_SECONDS, keys)
    is_mass = count > guard.least and count > guard.share * await offers.count_live(connection, turn.scope)
    held = {claim: body for claim, body in leaving.items() if is_mass or _was_asked(plan, claim.key, body)}
    plan.withhold({claim.key for claim in held}, Standing.HELD)
    for claim, body in held.items():
        plan.hold(claim, [f"mass change: {count} offers left within an hour, and this one would be deleted"], body)


def _was_asked(plan: Plan[OfferWrite], key: str, body: Deletion) -> bool:
    """Once asked, a person answers, however long it takes."""
    told = plan.told[key]
    return told.state is Standing.HELD and told.wanted == digest_of(body)
