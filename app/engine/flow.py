"""The contract of a flow: one file, one story of a fact, and at its foot one `FLOW = Flow(...)`.

A flow says where its keys live, what it does with claimed keys, who owns what it holds. Engine, supervisor, metrics and
dashboards take its name as a label and know nothing else about it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from app.centra.client import CentraClient
from app.centra.order_api import OrderApi
from app.clock import Clock, monotonic
from app.domain.ids import Scope
from app.domain.teams import Team
from app.engine.gather import Together
from app.engine.pauses import Pauses
from app.engine.wakeups import Wakeups
from app.mirakl.client import MiraklClient
from app.settings import Channel, Channels
from app.store.outbox import Claim, Verdict
from app.store.permits import SharedPermits
from app.store.pool import Database
from app.wire.permit import Permit, PermitWait

if TYPE_CHECKING:
    from app.engine.bulk import Bulk


@dataclass(frozen=True, slots=True)
class Services:
    """What flows work with; put together in one place, the supervisor."""

    database: Database
    clock: Clock
    permits: SharedPermits
    settings: Channels
    centra: CentraClient
    mirakl: Mapping[Scope, MiraklClient]
    wakeups: Wakeups
    pauses: Pauses
    together: Together = field(default_factory=Together)
    order_api: OrderApi | None = None
    """None where no channel enters orders."""
    privacy_key: bytes = b""

    @property
    def source(self) -> Scope:
        """The scope of the Centra environment."""
        return Scope(self.settings.centra.id)

    def channel(self, scope: str) -> Channel:
        """The settings of a channel."""
        return self.settings.by_id()[scope]

    def channels(self, *, stock_on: bool = False) -> list[str]:
        """The ids of all channels, or of those that publish stock."""
        return [c.id for c in self.settings.channel if c.stock.on or not stock_on]


@dataclass(slots=True)
class Pass:
    """One turn of a flow: the keys claimed for it, the permit it may use, and until when both are ours."""

    services: Services
    scope: Scope
    flow: str
    claims: list[Claim]
    usable_until: float
    extend: Callable[[], Awaitable[None]]
    permit: Permit | None = None

    @property
    def still_ours(self) -> bool:
        """Checked again just before the first byte of an outside write."""
        return monotonic() < self.usable_until


Verdicts = Mapping[Claim, Verdict]
Gate = Permit | PermitWait | None
"""What a batch flow needs before it claims: a permit, or how long to wait; None: nothing."""


@dataclass(frozen=True)
class Flow:
    """One flow. See the fields; the worker does the rest."""

    name: str
    team: Team
    scoped: Literal["channel", "source"]
    work: Callable[[Pass], Awaitable[Verdicts]]
    """Works the claimed keys and says how each ended. A key it does not name is settled."""

    batch: int = 0
    """Keys of one pass; 0: each key is a task of its own."""
    slice_size: int = 1000
    """Keys of one claim statement of a batch."""
    at_once: int = 8
    """Keys worked at the same time when each is a task."""
    gate: Callable[[Services, Scope], Awaitable[Gate]] | None = None
    """Asked before a batch is claimed: rows claimed early would stop coalescing, and age."""
    bulk: Bulk | None = None
    """The bulk write that carries its keys, where there is one."""
    gather_seconds: float = 0.0
    """Real seconds to let more keys arrive after the first, before a batch is claimed."""
    keys: Callable[[Channels, Scope], Mapping[str, float]] | None = None
    """Periodic keys that must exist: key -> app seconds until its first time."""
    on: Callable[[Channels, Scope], bool] = lambda _settings, _scope: True
    effects: bool = False
    """Whether its work writes to the outside: a lost claim is then marked again, since bytes may have left."""
    lane_rank: int | None = None
    """The turn of its keys in a lane; None: its keys have no lanes."""
    person_after_seconds: float = 3600.0
    """When a held key is asked about, for alerts."""
    retry_base_seconds: float = 2.0
    retry_cap_seconds: float = 300.0
    fail_points: Iterable[str] = field(default=())
    """Where the fault tests may strike."""

    def scopes(self, settings: Channels) -> list[Scope]:
        """Where this flow is worked."""
        everywhere = [settings.centra.id] if self.scoped == "source" else [c.id for c in settings.channel]
        return [Scope(s) for s in everywhere if self.on(settings, Scope(s))]
