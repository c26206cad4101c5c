"""A call under its permit: asked for before, checked again at the first byte, handed back or closed after.

Shared by the clients of both platforms, so that no call leaves without a permit and none is lost for nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.wire.outcome import NotSent, Outcome, Refused
from app.wire.permit import Charge, Permit, Permits, PermitWait
from app.wire.request import WireRequest, WireResponse
from app.wire.transport import Transport

UNKNOWN_CALLER = 401
"""A key that nobody knows uses up nobody's ceiling: the right one must not wait a day for a daily call."""


@dataclass
class _Held:
    permit: Permit | None


@dataclass(frozen=True)
class ChargedCalls:
    """Sends requests of one scope under permits."""

    transport: Transport
    permits: Permits
    scope: str

    async def send(
        self,
        request: WireRequest,
        charges: Sequence[Charge],
        *,
        permit: Permit | None = None,
        headroom: float = 1.0,
        usable_until: float | None = None,
    ) -> Outcome[WireResponse]:
        """Make the call, or NotSent with the wait. `usable_until` (monotonic): after it no byte may leave.

        `permit` is one that the caller took before; the first of `charges` is the ceiling a 429 closes.
        """
        taken = permit or await self.permits.take(self.scope, charges, headroom=headroom)
        if isinstance(taken, PermitWait):
            return _no_permit(request, taken)
        held = _Held(taken)

        async def still_wanted() -> NotSent | None:
            if usable_until is not None and time.monotonic() >= usable_until:
                return NotSent("the claim ran out before the call left")
            if held.permit is not None and held.permit.is_fresh():
                return None
            return await self._renew(held, request, charges, headroom)

        outcome = await self.transport.send(replace(request, before_first_byte=still_wanted))
        # The outcome is worth more than the bookkeeping: a database that fails here must not lose it.
        with contextlib.suppress(Exception):
            await self._account_for(outcome, held, charges)
        return outcome

    async def _renew(
        self, held: _Held, request: WireRequest, charges: Sequence[Charge], headroom: float
    ) -> NotSent | None:
        if held.permit is not None:
            old, held.permit = held.permit, None
            await self.permits.give_back(old)
        taken = await self.permits.take(self.scope, charges, headroom=headroom)
        if isinstance(taken, PermitWait):
            return _no_permit(request, taken)
        held.permit = taken
        return None

    async def _account_for(self, outcome: Outcome[WireResponse], held: _Held, charges: Sequence[Charge]) -> None:
        if isinstance(outcome, Refused) and outcome.status == UNKNOWN_CALLER and held.permit is not None:
            await self.permits.give_back(held.permit)
        if not isinstance(outcome, NotSent):
            return
        if outcome.turned_away:
            if outcome.retry_at_seconds is not None:
                await self.permits.close_until(self.scope, charges[0].name, outcome.retry_at_seconds)
        elif held.permit is not None:
            await self.permits.give_back(held.permit)


def _no_permit(request: WireRequest, wait: PermitWait) -> NotSent:
    return NotSent(f"no permit for {request.code} yet", wait.seconds)
