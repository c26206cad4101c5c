"""The stand-ins of both platforms as a test sees them: their addresses, and their admin routes.

They run in a process of their own: calls cross real sockets, and a test may block without stopping them.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx

from tests.child import Child

Json = dict[str, Any]
Answer = TypeVar("Answer")
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Admin(Generic[Answer]):
    """The /_sandbox routes; `address` is a stand-in's base URL, from `Sandbox.centra` or `Sandbox.mirakl`.

    Each method gives the route's JSON: at once from `Sandbox.sync`, to be awaited from `Sandbox` itself.
    """

    ask: Callable[[str, str, Json | None], Answer]
    clock_address: str

    def faults(self, address: str, faults: Sequence[Json], *, seed: int | None = None) -> Answer:
        """Replace the fault menu of one stand-in."""
        body: Json = {"faults": list(faults)} | ({} if seed is None else {"seed": seed})
        return self.ask("POST", f"{address}/_sandbox/faults", body)

    def faults_left(self, address: str) -> Answer:
        return self.ask("GET", f"{address}/_sandbox/faults", None)

    def clear_faults(self, address: str) -> Answer:
        return self.ask("DELETE", f"{address}/_sandbox/faults", None)

    def calls(self, address: str, code: str | None = None) -> Answer:
        """Give calls by code, refused ones, violations of ceilings, and the log (of one code where named)."""
        query = f"?{httpx.QueryParams({'code': code})}" if code else ""
        return self.ask("GET", f"{address}/_sandbox/calls{query}", None)

    def ledger(self, address: str) -> Answer:
        """Give what was really applied, in order: `{"entries": [...]}`."""
        return self.ask("GET", f"{address}/_sandbox/ledger", None)

    def advance(self, seconds: float) -> Answer:
        """Move the clock that all stand-ins share."""
        return self.ask("POST", f"{self.clock_address}/_sandbox/clock", {"advance_seconds": seconds})

    def scale(self, factor: float) -> Answer:
        """Set the seconds of the stand-ins' time for each real second."""
        return self.ask("POST", f"{self.clock_address}/_sandbox/clock", {"scale": factor})

    def now(self) -> Answer:
        return self.ask("GET", f"{self.clock_address}/_sandbox/clock", None)

    def get(self, address: str, path: str) -> Answer:
        return self.ask("GET", f"{address}{path}", None)

    def post(self, address: str, path: str, body: Json) -> Answer:
        return self.ask("POST", f"{address}{path}", body)


@dataclass(frozen=True, slots=True)
class Sandbox(Admin[Awaitable[Json]]):
    """Running stand-ins. `centra` is empty where the config names none; `mirakl` maps channel to address."""

    child: Child = field(repr=False)
    centra: str
    mirakl: dict[str, str]
    sync: Admin[Json]

    @property
    def pid(self) -> int:
        return self.child.process.pid


def start_sandbox(config: Json, folder: Path) -> Sandbox:
    """Start `app.sandbox` on a config, written into `folder`. Raises ChildFailedError with its stderr."""
    file = folder / "sandbox.json"
    file.write_text(json.dumps(config))
    child = Child.start("app.sandbox", ["--config", str(file), "--until-eof"])
    centra = child.first_line.get("centra") or ""
    mirakl = child.first_line.get("mirakl") or {}
    clock_address = centra or next(iter(mirakl.values()))
    return Sandbox(ask_async, clock_address, child, centra, mirakl, Admin(ask_sync, clock_address))


def ask_sync(method: str, url: str, body: Json | None) -> Json:
    with httpx.Client(trust_env=False, verify=False, timeout=SECONDS) as client:
        return _json(client.request(method, url, json=body))


async def ask_async(method: str, url: str, body: Json | None) -> Json:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=SECONDS) as client:
        return _json(await client.request(method, url, json=body))


def _json(response: httpx.Response) -> Json:
    asked = f"{response.request.method} {response.url}"
    assert response.is_success, f"{asked}: {response.status_code} {response.text}"
    answer = response.json() if response.content else {}
    assert isinstance(answer, dict)
    return answer
