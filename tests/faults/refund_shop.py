"""A shop in this process that plays runs of refunds, on a real Postgres and real sockets; the engine can be dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
from anyio.abc import TaskGroup, TaskStatus

from app.domain.after_sale import Carrier, CarrierRow
from app.store import carriers
from tests.faults.after_sale import give_up_after, patient
from tests.flows.service import FR, Deployment, Service, deployed, order_shape, plainly, serving
from tests.standins import Admin, Json

FLOWS = (
    *("reference", "topology", "orders", "order_intake", "order_reads", "order_entry", "read_back", "events"),
    *("order_follow", "shipments", "cancellations", "refunds"),
)
"""Stock is another matter."""
POLICY = "returns = {on = false}"
SKUS = 20
PLENTY = 1_000_000
ANSWER_SECONDS = 1.0
"""A call that hangs is given up so soon; half a minute in production."""
PERSON = "Ilva Testberg"

EXPIRED = """
WITH keys AS (UPDATE outbox SET lease_until = clock_timestamp() - interval '1 second' WHERE claim IS NOT NULL)
UPDATE lane SET lease_until = '-infinity' WHERE claim IS NOT NULL
"""


@dataclass
class Counts:
    """Of all runs together."""

    runs: int = 0
    orders: int = 0
    refunds: int = 0
    calls: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    found: int = 0
    held: int = 0
    violations: dict[int, list[str]] = field(default_factory=dict)


@dataclass
class RefundShop:
    """A deployment and the engine that runs on it now."""

    place: Deployment
    group: TaskGroup
    client: httpx.AsyncClient
    skus: Sequence[str]
    counts: Counts = field(default_factory=Counts)
    admin: Admin[Any] = field(init=False)
    service: Service = field(init=False)
    _engine: anyio.CancelScope = field(init=False)
    _gone: anyio.Event = field(init=False)

    def __post_init__(self) -> None:
        self.admin = Admin(self._ask, self.place.centra)

    async def _ask(self, method: str, url: str, body: Json | None) -> Json:
        answer = await self.client.request(method, url, json=body)
        assert answer.is_success, f"{method} {url}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        return list(await self.place.database.fetch(query, *arguments))

    # ------------------------------------------------------------------------------------------------ the engine

    async def start(self) -> None:
        self.service = await self.group.start(self._run)

    async def _run(self, *, task_status: TaskStatus[Service]) -> None:
        self._gone = anyio.Event()
        try:
            with anyio.CancelScope() as self._engine:
                async with serving(self.place, *FLOWS) as service:
                    patient(service)
                    give_up_after(service, ANSWER_SECONDS)
                    await service.webhooks_on()
                    task_status.started(service)
                    await anyio.sleep_forever()
        finally:
            self._gone.set()

    async def drop(self) -> None:
        """The engine is gone in the middle of what it does; another takes over what it had claimed."""
        self._engine.cancel()
        await self._gone.wait()
        await self.place.database.execute(EXPIRED)  # the leases run out
        await self.start()

    async def stop(self) -> None:
        self._engine.cancel()
        await self._gone.wait()


@asynccontextmanager
async def refund_shop(dsn: str, counts: Counts | None = None) -> AsyncIterator[RefundShop]:
    """A shop with plenty of everything, where Centra's returns need no announcement."""
    rules = {"orders": {"debit_seconds": 5.0, "receive_seconds": None}}
    shape = order_shape(fta=PLENTY, sizes=SKUS, after_sale=POLICY, mirakl=rules)
    async with (
        plainly(),
        deployed(dsn, shape) as place,
        httpx.AsyncClient(trust_env=False, timeout=30) as client,
        anyio.create_task_group() as group,
    ):
        skus = [size["sku"] for size in await place.sizes()]
        shop = RefundShop(place, group, client, skus, counts or Counts())
        async with serving(place) as whole:  # the first full push, and all sizes
            await whole.at_rest()
        await shop.start()
        async with shop.service.parts.database.work.acquire() as connection:
            await carriers.put(connection, FR, [CarrierRow("postnord", Carrier("POSTNORD"))], PERSON)
        try:
            yield shop
        finally:
            await shop.stop()
            group.cancel_scope.cancel()
