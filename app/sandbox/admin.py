"""The /_sandbox routes of every stand-in: the clock, the fault menu, the calls that came, what was applied.

No authentication: the listeners are on the loopback only.

    GET  /_sandbox/clock                    -> {"now", "scale"}
    POST /_sandbox/clock {"advance_seconds": n} and/or {"scale": x} -> the same, all due work done
    GET  /_sandbox/faults                   -> {"faults": [... with remaining count, `fired`]}
    POST /_sandbox/faults {"faults": [...], "seed": 1}  replaces the menu
    DELETE /_sandbox/faults                 clears it
    GET  /_sandbox/calls[?code=STO01]       -> {"calls", "refused_429", "violations", "log"}
    DELETE /_sandbox/calls                  forgets them and any running Retry-After (not the ceilings)
    GET  /_sandbox/ledger[?code=][&after=n] -> {"entries", "total"}
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.sandbox.clock import Clock, iso
from app.sandbox.faults import Kernel

Endpoint = Callable[[Request], Awaitable[Response]]


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; ValueError otherwise. An empty body is an empty object."""
    body = await request.body()
    members = json.loads(body) if body else {}
    if not isinstance(members, dict):
        raise ValueError("a JSON object is expected")
    return members


def refusing_nonsense(endpoint: Endpoint) -> Endpoint:
    """Answers 400 with the reason where an admin call is malformed."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (ValueError, TypeError, KeyError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=400)

    return guarded


def admin_routes(kernel: Kernel) -> list[Route]:
    clock, menu, calls, ledger = kernel.clock, kernel.menu, kernel.calls, kernel.ledger

    async def at_clock(request: Request) -> Response:
        if request.method == "POST":
            await _move(clock, await json_object(request))
        return JSONResponse({"now": iso(clock.timestamp()), "scale": clock.scale})

    async def at_faults(request: Request) -> Response:
        if request.method == "POST":
            members = await json_object(request)
            menu.replace(members.get("faults", ()), members.get("seed"))
        elif request.method == "DELETE":
            menu.replace(())
        return JSONResponse(menu.public())

    async def at_calls(request: Request) -> Response:
        if request.method == "DELETE":
            calls.clear()
        return JSONResponse(calls.public(request.query_params.get("code")))

    async def at_ledger(request: Request) -> Response:
        after = int(request.query_params.get("after", "0"))
        return JSONResponse(ledger.public(code=request.query_params.get("code"), after=after))

    return [
        Route("/_sandbox/clock", refusing_nonsense(at_clock), methods=["GET", "POST"]),
        Route("/_sandbox/faults", refusing_nonsense(at_faults), methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/calls", at_calls, methods=["GET", "DELETE"]),
        Route("/_sandbox/ledger", refusing_nonsense(at_ledger), methods=["GET"]),
    ]


async def _move(clock: Clock, members: dict[str, Any]) -> None:
    if "scale" in members:
        clock.set_scale(float(members["scale"]))
    if "advance_seconds" in members:
        clock.advance(float(members["advance_seconds"]))
        await clock.run_due()
