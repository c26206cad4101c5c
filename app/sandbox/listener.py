"""Loopback listeners whose connections can be closed without an answer, which plain ASGI cannot say."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LOOPBACK = "127.0.0.1"

_Ends = tuple[tuple[str, int], tuple[str, int]]
_open_transports: dict[_Ends, asyncio.Transport] = {}


class _Connection(HttpToolsProtocol):
    """Keeps its transport findable by the two ends that the ASGI scope names."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._ends = _ends(transport.get_extra_info("sockname"), transport.get_extra_info("peername"))
        _open_transports[self._ends] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        _open_transports.pop(self._ends, None)
        super().connection_lost(exc)


def close_connection(scope: Scope) -> None:
    """Closes the connection this request came on, after the bytes already written; no more is sent."""
    transport = _open_transports.get(_ends(scope["server"], scope["client"]))
    if transport is not None:
        transport.close()


def _ends(server: tuple[str, int], client: tuple[str, int]) -> _Ends:
    return (server[0], server[1]), (client[0], client[1])


class Listener(uvicorn.Server):
    """One app on one loopback port. The process handles signals itself, so uvicorn must not."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
            )
        )
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        # With the protocol number given asyncio sets TCP_NODELAY; without, each answer takes 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((LOOPBACK, port))
        self.accepting = asyncio.Event()
        self.url = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}"

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    async def run_until_told(self) -> None:
        await self.serve(sockets=[self._socket])
