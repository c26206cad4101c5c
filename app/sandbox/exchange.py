"""One request and the ways to answer it, honest or not: whole, cut, byte by byte, without end, not at all."""

import asyncio
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.sandbox.journal import EFFECT_ID, LoggedCall
from app.sandbox.listener import close_connection

_FLOOD_BYTES = 200 * 1024 * 1024
_FLOOD_CHUNK = b" " * 65_536


async def read_body(receive: Receive) -> bytes | None:
    """The whole request body; None when the client went before its end."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


@dataclass(slots=True)
class Captured:
    """The app's own answer, held back."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def headers_with_length(self) -> list[tuple[bytes, bytes]]:
        kept = [(n, v) for n, v in self.headers if n.lower() not in (b"content-length", b"transfer-encoding")]
        return [*kept, (b"content-length", str(len(self.body)).encode())]


class Exchange:
    """A request whose body has been read, with its line in the call log."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, body: bytes, call: LoggedCall) -> None:
        self.scope = scope
        self.body = body
        self.call = call
        self._app = app
        self._receive = receive
        self._send = send

    async def send(self, message: Message) -> None:
        """To the client, noting the status in the call log."""
        if message["type"] == "http.response.start":
            self.call.status = message["status"]
        await self._send(message)

    async def run(self, send: Send) -> None:
        """Lets the app work on the request; its answer goes to `send`."""
        token = EFFECT_ID.set(self.call.effect)
        delivered = False

        async def receive() -> Message:
            nonlocal delivered
            if delivered:
                return await self._receive()
            delivered = True
            return {"type": "http.request", "body": self.body, "more_body": False}

        try:
            await self._app(self.scope, receive, send)
        finally:
            EFFECT_ID.reset(token)

    async def capture(self) -> Captured:
        """Lets the app work and keeps its answer from the client."""
        captured = Captured()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                captured.status = message["status"]
                captured.headers = list(message.get("headers", ()))
            elif message["type"] == "http.response.body":
                captured.body += message.get("body", b"")

        await self.run(keep)
        return captured

    async def answer(
        self,
        status: int,
        body: bytes,
        *,
        headers: list[tuple[bytes, bytes]] | None = None,
        content_type: str = "application/json",
    ) -> None:
        lead = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": [*lead, *(headers or [])]})
        await self.send({"type": "http.response.body", "body": body})

    async def hang_up(self) -> None:
        """Closes the connection without (further) answer."""
        close_connection(self.scope)
        await self.until_client_goes()

    async def until_client_goes(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def cut(self, captured: Captured, at_byte: int) -> None:
        """The real status and headers, the full Content-Length, but only the first `at_byte` bytes."""
        await self._start(captured)
        part = captured.body[: min(at_byte, max(len(captured.body) - 1, 0))]
        await self.send({"type": "http.response.body", "body": part, "more_body": True})
        await self.hang_up()

    async def trickle(self, captured: Captured, seconds: float) -> None:
        """The real answer, one byte every `seconds` of real time, until the client goes; without a body, so late."""
        gone = asyncio.ensure_future(self.until_client_goes())
        try:
            if not captured.body:
                await asyncio.wait((gone,), timeout=seconds)
            await self._start(captured)
            for position in range(len(captured.body)):
                if gone.done():
                    return
                byte = captured.body[position : position + 1]
                await self.send({"type": "http.response.body", "body": byte, "more_body": True})
                await asyncio.wait((gone,), timeout=seconds)
            if not gone.done():
                await self.send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def flood(self) -> None:
        """200 with a body of 200 MB of blanks, as JSON, until the client goes."""
        headers = [(b"content-type", b"application/json")]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(self.until_client_goes())
        try:
            for _ in range(_FLOOD_BYTES // len(_FLOOD_CHUNK)):
                await self.send({"type": "http.response.body", "body": _FLOOD_CHUNK, "more_body": True})
                await asyncio.sleep(0)
                if gone.done():
                    return
            await self.send({"type": "http.response.body", "body": b"{}"})
        finally:
            gone.cancel()

    async def _start(self, captured: Captured) -> None:
        headers = captured.headers_with_length()
        await self.send({"type": "http.response.start", "status": captured.status, "headers": headers})
