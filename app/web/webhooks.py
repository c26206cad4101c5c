"""Takes Centra's webhooks: verify over the raw bytes, mark keys, answer within a second. A hint is never believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.centra.webhook import BODY_LIMIT_BYTES, WINDOW_SECONDS, Cause, Hints, Rejection, Signature, hints, verify
from app.engine.flow import Services
from app.flows.events import EVENTS, QUEUES
from app.flows.sizes import SIZES
from app.flows.topology import TOPOLOGY
from app.store import inbox, sizes
from app.store.marks import Mark
from app.store.pool import DATABASE_AWAY, Transaction
from app.telemetry import metrics
from app.telemetry.tracing import webhook_span

READ_SECONDS = 5.0
ANSWER_SECONDS = 0.8
GATHER_SECONDS = 0.2
"""Real seconds in which hints gather before an event queue is fetched."""
VERDICTS = ("taken", "repeat", "unavailable", *(cause.value for cause in Cause))


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """The endpoint; `secrets` is asked for each call, so that rotation needs no restart."""

    services: Services
    secrets: Callable[[], Sequence[str]]

    async def __call__(self, request: Request) -> Response:
        """200: taken, or taken before. 401: not genuine. 413, 400: unreadable. 503: try again."""
        with webhook_span(self.services.source) as saying:
            verdict, status = await self._judged(request)
            saying(verdict=verdict, status=status)
        metrics.webhooks.labels(self.services.source, verdict).inc()
        return Response(status_code=status)

    async def _judged(self, request: Request) -> tuple[str, int]:
        """The verdict on a call, and the status that says so."""
        body = await _body(request)
        if body is None:
            return "too_large", 413
        signature = request.headers.get("x-centra-signature", "")
        genuine = verify(body, signature, self.secrets(), self.services.clock.now())
        if isinstance(genuine, Rejection):
            return genuine.cause.value, 413 if genuine.cause is Cause.TOO_LARGE else 401
        found = hints(body)
        if isinstance(found, Rejection):
            return found.cause.value, 400
        try:
            with anyio.fail_after(ANSWER_SECONDS):
                taken = await self._take(genuine, found)
        except DATABASE_AWAY:
            return "unavailable", 503
        return "taken" if taken else "repeat", 200

    async def _take(self, genuine: Signature, found: Hints) -> bool:
        """Mark what the hints name; False for a repeat. Replay key and marks are committed together, or neither."""
        source, clock = self.services.source, self.services.clock
        soon = clock.after(GATHER_SECONDS * clock.scale)
        expires_at = genuine.signed_at + timedelta(seconds=2 * WINDOW_SECONDS)

        async def steps(transaction: Transaction) -> bool:
            if not await inbox.first_sight(transaction.connection, genuine.replay_key, expires_at):
                return False
            touched = await sizes.sizes_of_display_items(transaction.connection, source, found.display_items)
            transaction.mark(Mark(source, SIZES, str(size)) for size in touched)
            if self.services.settings.centra.events:
                queues = (["stock"] if found.display_items or found.warehouses else []) + (
                    ["order"] if found.events else []
                )
                transaction.mark(Mark(source, EVENTS, queue, due_at=soon) for queue in queues if queue in QUEUES)
            if found.warehouses:
                transaction.mark([Mark(source, TOPOLOGY, TOPOLOGY)])
            return True

        return await self.services.database.transact(steps)


async def _body(request: Request) -> bytes | None:
    """The raw bytes, None when there are too many of them or they come too slowly."""
    body = bytearray()
    try:
        with anyio.fail_after(READ_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_LIMIT_BYTES:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    return bytes(body)
