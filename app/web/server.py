"""The HTTP side of the service, inside the supervisor's task group: two listeners, since their callers differ.

Webhooks come from outside, through the ingress; health and metrics are for the kubelet and the scraper, and never leave
the cluster.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence

import anyio
import uvicorn
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.engine.flow import Services
from app.settings import SettingsError
from app.telemetry import metrics
from app.web.webhooks import WebhookEndpoint

WEBHOOK_PATH = "/webhooks/centra"


class State:
    """What health answers go by: alive as long as the loop turns, ready once the workers run."""

    def __init__(self) -> None:
        self.services: Services | None = None
        self.waits_for = "the database"
        self.draining = False

    @property
    def ready(self) -> bool:
        return self.services is not None and not self.draining


def create_webhooks(state: State, secrets: Callable[[], Sequence[str]]) -> Starlette:
    """POST of Centra's webhooks, and nothing else. `secrets` is asked for each webhook."""

    async def webhook(request: Request) -> Response:
        if state.services is None:
            return Response(status_code=503)
        return await WebhookEndpoint(state.services, secrets)(request)

    return Starlette(routes=[Route(WEBHOOK_PATH, webhook, methods=["POST"])])


def create_metrics(state: State) -> Starlette:
    """Metrics and health."""

    async def metrics_page(_: Request) -> Response:
        page: bytes = generate_latest(metrics.registry)  # type: ignore[no-untyped-call]
        return Response(page, media_type=CONTENT_TYPE_LATEST)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def readyz(_: Request) -> Response:
        if state.ready:
            return JSONResponse({"ready": True})
        waits_for = "its end: it is draining" if state.draining else state.waits_for
        return JSONResponse({"ready": False, "waits_for": waits_for}, status_code=503)

    return Starlette(
        routes=[Route("/metrics", metrics_page), Route("/healthz", healthz), Route("/readyz", readyz)],
    )


class Server(uvicorn.Server):
    """uvicorn, but signals belong to the supervisor."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """The listening socket. Raises SettingsError when the address is taken."""
    try:
        return socket.create_server((host, port), backlog=512, reuse_port=False)
    except OSError as exc:
        raise SettingsError(
            f"can't listen on {host}:{port} ({exc.strerror}): set CENTRA_MIRAKL_HOST, CENTRA_MIRAKL_PORT (webhooks) and"
            " CENTRA_MIRAKL_METRICS_PORT (metrics and health)"
        ) from exc


def server(app: Starlette) -> Server:
    """A server for `serve`, which ends when `should_exit` is set."""
    return Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            limit_concurrency=200,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=5,
            h11_max_incomplete_event_size=64 * 1024,
            server_header=False,
        )
    )


async def serve(listeners: Mapping[Server, socket.socket], closed: anyio.Event) -> None:
    """Serve each on its socket until all have ended, also by being cancelled; then `closed` is set."""
    try:
        async with anyio.create_task_group() as group:
            for web, listener in listeners.items():
                group.start_soon(web.serve, [listener])
    finally:
        closed.set()
