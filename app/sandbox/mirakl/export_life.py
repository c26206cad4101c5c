"""The life of an asynchronous export, whatever it holds: ordered, PENDING for a while, then files that each go once.

It is PENDING for `export_seconds` of app time (default 3). Each status of a finished one gives fresh addresses on this
listener; each works once, with the key, then it is gone (410).

Fault kinds, by the codes of the order and of the status: `export_failed` (order), `foreign_url` (status; the address
is the fault's `body`), `new_enum` (status; `value`, default QUEUED).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from starlette.requests import Request

from app.sandbox.clock import iso
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.state import Shop

KEPT = 8


@dataclass(slots=True, kw_only=True)
class Export:
    """What every export has. `request`: the body that ordered it; `updated_at`: app time in Unix seconds."""

    request: bytes
    updated_at: float
    tracking_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "PENDING"

    def files(self) -> int:
        """How many; at least one."""
        raise NotImplementedError


E = TypeVar("E", bound=Export)


class Exports(Generic[E]):
    """All exports of one kind. `place`: where its files are, under /exports; `kept`: so many of the newest, or all."""

    def __init__(self, shop: Shop, order: str, status: str, place: str, kept: int | None = KEPT) -> None:
        self._menu = shop.kernel.menu
        self._clock = shop.kernel.clock
        self._order, self._status, self._place, self._kept = order, status, place, kept
        self._exports: dict[str, E] = {}
        self._addresses: dict[str, tuple[E, int]] = {}
        self._spent: set[str] = set()
        self._export_seconds = float(shop.config.get("export_seconds", 3.0))

    def pending(self) -> list[E]:
        return [export for export in self._exports.values() if export.status == "PENDING"]

    def begin(self, export: E) -> None:
        """It ends by the clock; the oldest one above `kept` is forgotten with its addresses."""
        self._exports[export.tracking_id] = export
        if self._kept is not None and len(self._exports) > self._kept:
            gone = self._exports.pop(next(iter(self._exports)))
            self._addresses = {token: place for token, place in self._addresses.items() if place[0] is not gone}
        outcome = "COMPLETED" if self._menu.take(self._order, "export_failed") is None else "FAILED"

        def finish() -> None:
            export.status, export.updated_at = outcome, self._clock.timestamp()

        self._clock.at(self._clock.timestamp() + self._export_seconds, finish)

    def status(self, request: Request, *, says_why: bool = True) -> Json:
        """How far one is, and why one failed; Refused (404) where nobody knows it."""
        export = self._exports.get(request.path_params["tracking_id"])
        if export is None:
            raise Refused(404, "No export with this tracking id")
        body: dict[str, Any] = {"status": export.status, "last_updated": iso(export.updated_at)}
        odd = self._menu.take(self._status, "new_enum")
        if odd is not None:
            return Json({**body, "status": odd.options.get("value", "QUEUED")})
        if export.status == "FAILED" and says_why:
            body["error"] = {"code": "INTERNAL_ERROR", "detail": "The export could not be written"}
        elif export.status == "COMPLETED":
            foreign = self._menu.take(self._status, "foreign_url")
            own = [self._address(request, export, number) for number in range(export.files())]
            other = f"https://files.bucket.example/{self._place}-1.json"
            body["urls"] = own if foreign is None else [foreign.body or other] * len(own)
        return Json(body)

    def take(self, request: Request) -> tuple[E, int]:
        """The export and number of a file, by its address; Refused (410, 404) where it was taken or is none."""
        token = request.path_params["token"]
        if token in self._spent:
            raise Refused(410, "This file was already taken; ask for the status of the export again")
        found = self._addresses.pop(token, None)
        if found is None:
            raise Refused(404, "No such file")
        self._spent.add(token)
        return found

    def _address(self, request: Request, export: E, number: int) -> str:
        token = uuid.uuid4().hex
        self._addresses[token] = (export, number)
        return f"{str(request.base_url).rstrip('/')}/exports/{self._place}/{token}"


async def one_by_one(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Lets other calls in between two pieces of a file."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)
