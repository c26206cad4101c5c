"""Webhooks of both kinds, sent as Centra sends them: a form field `payload`, signed over the raw body.

Integration kind: `{"events": [{"type", "action", "date", "id"}]}` for orders, shipments and returns. Storefront kind:
`{"products": ["<display item id>", ...]}` when stock moves. What happens within 50 ms goes out as one call,
at most `max_events` in each. Five seconds for an answer; without retries (the default) a call that fails is
dropped for good.

Loss, duplicates and reordering are diced where they are asked for. Retry waits of 1, 4 and 16 seconds of
app time are ours: no document gives them.
"""

import asyncio
import hashlib
import hmac
import json
import random
from collections import deque
from collections.abc import Coroutine
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from app.sandbox.centra.dates import ShopZone
from app.sandbox.centra.entities import Market, ProductSize, Store
from app.sandbox.clock import Clock, iso

_GATHER_SECONDS = 0.05
_TIMEOUT_SECONDS = 5.0
_RETRY_WAITS_SECONDS = (1.0, 4.0, 16.0)
_AT_ONCE = 8
_KEPT_DELIVERIES = 2_000
_KINDS = frozenset({"storefront", "integration"})
# (object type, change type) -> (type, action). Centra's texts show insert and update of an order, create and
# good_to_go of a shipment and create of a return; the other words are ours.
_ACTIONS = {
    ("Order", "CREATED"): ("order", "insert"),
    ("Order", "UPDATED"): ("order", "update"),
    ("Shipment", "CREATED"): ("shipment", "create"),
    ("Shipment", "GOOD_TO_GO"): ("shipment", "good_to_go"),
    ("Shipment", "UPDATED"): ("shipment", "update"),
    ("Shipment", "COMPLETED"): ("shipment", "complete"),
    ("Shipment", "DELETED"): ("shipment", "delete"),
    ("Return", "CREATED"): ("return", "create"),
    ("Return", "UPDATED"): ("return", "update"),
    ("Return", "COMPLETED"): ("return", "complete"),
    ("Return", "DELETED"): ("return", "delete"),
}


@dataclass(slots=True)
class WebhookSettings:
    """`url` None: nothing is sent. `loss` and `duplicate` are probabilities of a call."""

    url: str | None = None
    secret: str = "sandbox-webhook-secret"  # noqa: S105 - invented, public
    kinds: frozenset[str] = _KINDS
    retries: int = 0
    max_events: int = 100
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: bool = False
    timeout_seconds: float = _TIMEOUT_SECONDS

    def changed(self, members: dict[str, Any]) -> "WebhookSettings":
        """These settings with some replaced; ValueError for what makes no sense."""
        names = ("url", "secret", "retries", "max_events", "loss", "duplicate", "reorder", "timeout_seconds")
        chosen = {name: members.get(name, getattr(self, name)) for name in names}
        kinds = frozenset(members.get("kinds", self.kinds))
        settings = WebhookSettings(kinds=kinds, **chosen)
        if not kinds <= _KINDS or not 0 <= settings.retries <= len(_RETRY_WAITS_SECONDS) or settings.max_events < 1:
            raise ValueError("kinds are storefront and integration, retries 0 to 3, max_events at least 1")
        return settings

    def public(self) -> dict[str, Any]:
        names = ("url", "retries", "max_events", "loss", "duplicate", "reorder", "timeout_seconds")
        return {**{name: getattr(self, name) for name in names}, "kinds": sorted(self.kinds)}


@dataclass(slots=True)
class Delivery:
    """One call and what became of it: `lost` (never sent), `delivered`, `failed` (dropped after the last
    try).
    """

    id: int
    kind: str
    at: float
    payload: dict[str, Any]
    statuses: list[int | str] = field(default_factory=list)
    outcome: str = "waiting"

    def public(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "at": iso(self.at),
            "payload": self.payload,
            "statuses": self.statuses,
            "outcome": self.outcome,
        }


def form_body(payload: dict[str, Any]) -> bytes:
    text = json.dumps(payload, separators=(",", ":"))
    return f"payload={quote(text, safe='')}".encode()


def signature(secret: str, timestamp: int, raw_body: bytes) -> str:
    """The value of X-Centra-Signature: HMAC-SHA256 over the time, a dot and the body still encoded."""
    signed = f"{timestamp}.".encode() + raw_body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Webhooks:
    """Gathers what happened and sends it. Part of `Listening`."""

    def __init__(self, clock: Clock, zone: ShopZone, settings: WebhookSettings, seed: int) -> None:
        self._clock = clock
        self._zone = zone
        self.settings = settings
        self._dice = random.Random(seed)  # noqa: S311 - dice for tests
        self._products: dict[str, None] = {}
        self._events: list[dict[str, Any]] = []
        self._gathering = False
        self._sent = 0
        self.deliveries: deque[Delivery] = deque(maxlen=_KEPT_DELIVERIES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._client: httpx.AsyncClient | None = None

    def stock_moved(self, size: ProductSize) -> None:
        if self.settings.url is None or "storefront" not in self.settings.kinds:
            return
        for item in size.product_variant.display_items:
            self._products[str(item.id)] = None
        self._gather()

    def changed(
        self, object_type: str, change_type: str, reference: int, store: Store | None, market: Market | None
    ) -> None:
        named = _ACTIONS.get((object_type, change_type))
        if named is None or self.settings.url is None or "integration" not in self.settings.kinds:
            return
        kind, action = named
        date = self._written(self._clock.timestamp())
        self._events.append({"type": kind, "action": action, "date": date, "id": reference})
        self._gather()

    def public(self) -> dict[str, Any]:
        return {"settings": self.settings.public(), "deliveries": [d.public() for d in self.deliveries]}

    def _written(self, at: float) -> str:
        """Local time of the shop in microseconds and without a zone, as the real ones have it."""
        moment = datetime.fromisoformat(self._zone.written(at) or "").replace(microsecond=int(at % 1 * 1_000_000))
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")

    def _gather(self) -> None:
        if self._gathering:
            return
        self._gathering = True
        # A context of its own: what runs later must not see the due time of the clock job that began it.
        asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._flush, context=Context())

    def _flush(self) -> None:
        self._gathering = False
        most = self.settings.max_events
        calls: list[tuple[str, dict[str, Any]]] = []
        products, events = list(self._products), self._events
        self._products, self._events = {}, []
        calls += [("storefront", {"products": products[i : i + most]}) for i in range(0, len(products), most)]
        calls += [("integration", {"events": events[i : i + most]}) for i in range(0, len(events), most)]
        planned: list[Delivery] = []
        for kind, payload in calls:
            times = 2 if self._dice.random() < self.settings.duplicate else 1
            planned += [self._delivery(kind, payload) for _ in range(times)]
        for delivery in planned:
            # Reordering: a call is held back long enough for later ones to pass it.
            hold = self._dice.choice((0.0, 0.2)) if self.settings.reorder else 0.0
            self._start(self._deliver(delivery, hold))

    def _delivery(self, kind: str, payload: dict[str, Any]) -> Delivery:
        self._sent += 1
        delivery = Delivery(self._sent, kind, self._clock.timestamp(), payload)
        self.deliveries.append(delivery)
        return delivery

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery, hold_seconds: float) -> None:
        if self._dice.random() < self.settings.loss:
            delivery.outcome = "lost"
            return
        await asyncio.sleep(hold_seconds)
        waits = _RETRY_WAITS_SECONDS[: self.settings.retries]
        for wait_seconds in (0.0, *waits):
            await asyncio.sleep(wait_seconds / self._clock.scale)
            status = await self._post(delivery)
            delivery.statuses.append(status)
            if isinstance(status, int) and 200 <= status < 300:
                delivery.outcome = "delivered"
                return
        delivery.outcome = "failed"

    async def _post(self, delivery: Delivery) -> int | str:
        """The status, or the name of what went wrong."""
        settings = self.settings
        if settings.url is None:
            return "switched off"
        body = form_body(delivery.payload)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Centra-Signature": signature(settings.secret, int(self._clock.timestamp()), body),
        }
        if self._client is None:
            self._client = httpx.AsyncClient(trust_env=False)
        try:
            async with self._slots:
                answer = await self._client.post(
                    settings.url, content=body, headers=headers, timeout=settings.timeout_seconds
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        return answer.status_code
