"""Call permits: the far side's ceilings, kept by us and shared by all replicas.

A permit is granted now or not at all; nothing is reserved ahead. Who is refused gets the time after which it
pays to ask again. The store keeps the ceilings; this module says only how clients ask for them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

PERMIT_LIFE_SECONDS = 0.05
"""A permit not used within this time is handed back: the far side counts arrivals, not grants."""


@dataclass(frozen=True)
class Charge:
    """What one call costs on one ceiling: `name` is an API code, or a bucket such as `complexity.10s`."""

    name: str
    cost: float = 1.0


@dataclass(frozen=True)
class Permit:
    """A grant for one call. `grants` holds the number of each grant by ceiling; `taken_at` is monotonic."""

    scope: str
    grants: Mapping[str, int]
    taken_at: float

    def is_fresh(self) -> bool:
        return time.monotonic() - self.taken_at <= PERMIT_LIFE_SECONDS


@dataclass(frozen=True)
class PermitWait:
    """No permit now; `seconds` of the app clock until it pays to ask again."""

    seconds: float


class Permits(Protocol):
    async def take(self, scope: str, charges: Sequence[Charge], *, headroom: float = 1.0) -> Permit | PermitWait:
        """Consume every charge now, or nothing. `headroom`: the share of each ceiling this caller may use."""
        ...

    async def give_back(self, permit: Permit) -> None:
        """Hand back a permit that no call used, where its grant is still the last one."""
        ...

    async def close_until(self, scope: str, name: str, seconds: float) -> None:
        """After a 429: nothing is granted on this ceiling for `seconds` of the app clock."""
        ...

    async def correct(self, scope: str, name: str, used: float) -> None:
        """Add what a call cost beyond its charge: `used` = what the far side counted − what we charged."""
        ...
