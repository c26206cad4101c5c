"""Permits without a database, for tests of the clients alone.

A real implementation of `app.wire.permit.Permits` (token buckets that refill, close and are corrected), not
a mock: it grants and refuses by the same rules, but for one process and without surviving it. The service
itself uses the one in the store.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.wire.permit import Charge, Permit, PermitWait


@dataclass
class Bucket:
    """`capacity` tokens, refilled at `per_second`."""

    capacity: float
    per_second: float
    tokens: float = field(init=False)
    filled_at: float = field(init=False, default=0.0)
    closed_until: float = 0.0
    grants: int = 0
    last_cost: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.capacity

    def fill(self, now: float) -> None:
        self.tokens = min(self.capacity, self.tokens + (now - self.filled_at) * self.per_second)
        self.filled_at = now

    def wait_seconds(self, cost: float, headroom: float, now: float) -> float:
        """0: the charge can be paid now. Tokens above `1 - headroom` of the capacity may be spent."""
        if now < self.closed_until:
            return self.closed_until - now
        short = cost + self.capacity * (1 - headroom) - self.tokens
        return 0.0 if short <= 1e-9 else short / self.per_second


class PermitsInMemory:
    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self._monotonic = monotonic

    def open(self, scope: str, name: str, capacity: float, per_second: float) -> Bucket:
        bucket = Bucket(capacity, per_second)
        bucket.filled_at = self._monotonic()
        self.buckets[scope, name] = bucket
        return bucket

    async def take(self, scope: str, charges: Sequence[Charge], *, headroom: float = 1.0) -> Permit | PermitWait:
        now = self._monotonic()
        buckets = {charge.name: self._bucket(scope, charge.name) for charge in charges}
        for bucket in buckets.values():
            bucket.fill(now)
        wait = max(buckets[c.name].wait_seconds(c.cost, headroom, now) for c in charges)
        if wait > 0:
            return PermitWait(wait)
        for charge in charges:
            buckets[charge.name].tokens -= charge.cost
            buckets[charge.name].grants += 1
            buckets[charge.name].last_cost = charge.cost
        return Permit(scope, {name: bucket.grants for name, bucket in buckets.items()}, now)

    async def give_back(self, permit: Permit) -> None:
        for name, grant in permit.grants.items():
            bucket = self._bucket(permit.scope, name)
            if bucket.grants == grant:
                bucket.tokens = min(bucket.capacity, bucket.tokens + bucket.last_cost)
                bucket.last_cost = 0.0

    async def close_until(self, scope: str, name: str, seconds: float) -> None:
        self._bucket(scope, name).closed_until = self._monotonic() + seconds

    async def correct(self, scope: str, name: str, used: float) -> None:
        self._bucket(scope, name).tokens -= used

    def _bucket(self, scope: str, name: str) -> Bucket:
        """Ceilings that a test says nothing about are wide."""
        return self.buckets.get((scope, name)) or self.open(scope, name, 1e9, 1e9)
