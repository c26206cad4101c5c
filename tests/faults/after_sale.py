"""Orders after their sale under faults: how a test sells them, lets time pass, and what the stand-ins' ledgers say."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx

from app.clock import monotonic
from app.domain.progress import Outcome
from app.wire.breaker import Breaker, BreakerLimits
from tests.flows.after_sale import shop
from tests.flows.service import FR, Service
from tests.standins import Json

LOST = ("status_after", "drop_after", "cut", "html_after")
"""The far side did it, and we do not hear of it."""
NOT_DONE = ("status", "drop")
LATE_SECONDS = 300.0
"""App seconds until a late call is applied; nobody looks for it longer than twice that."""
STEP_SECONDS = 60.0
SETTLE_SECONDS = 30.0

OPEN = """
SELECT kind || ' ' || source_id || ' ' || state || ': ' || coalesce(reason, '') AS found
FROM intent WHERE order_id = ANY ($1) AND state <> 'done'
UNION ALL
SELECT 'return ' || return_id || ': ' || coalesce(reason, '') FROM marketplace_return
WHERE order_id = ANY ($1) AND ended_at IS NULL
UNION ALL
SELECT 'call ' || code || ' of ' || lane || ' ' || state FROM effect
WHERE lane = ANY ($1) AND state IN ('sent', 'unknown')
UNION ALL
SELECT 'at work: ' || flow || ' ' || key FROM outbox WHERE key = ANY ($1) AND claim IS NOT NULL
"""
CLAIMED = "SELECT count(*) FROM outbox WHERE key = ANY ($1) AND claim IS NOT NULL"


@asynccontextmanager
async def faulty_shop(dsn: str, policy: str = "", **members: Any) -> AsyncIterator[Service]:
    """As `shop`, with plenty of everything, and without the circuit breaker, which is another test's matter."""
    async with shop(dsn, policy, fta=1_000, **members) as service:
        patient(service)
        yield service


def patient(service: Service) -> None:
    """The circuit breaker keeps no call back, however many failed before."""
    for calls in (service.parts.mirakl[FR]._calls, service.parts.centra._calls._calls):
        calls.transport.breaker = Breaker(BreakerLimits(failures=1_000_000))


def give_up_after(service: Service, seconds: float) -> None:
    """A call of the marketplace that hangs ends so soon; half a minute in production."""
    client = service.parts.mirakl[FR]._calls.transport._client
    before = client.timeout
    client.timeout = httpx.Timeout(connect=before.connect, read=seconds, write=before.write, pool=before.pool)


async def sold(service: Service, count: int, *lines: Json, **members: Any) -> list[str]:
    """Orders that the warehouse has."""
    ids = await service.place(*({"lines": list(lines), "address_seconds": 0, **members} for _ in range(count)))
    await service.ends(Outcome.RELEASED, *ids)
    return ids


async def menu(service: Service, code: str, kinds: Sequence[str], about: Sequence[str], address: str = "") -> None:
    """Each of these calls goes wrong in its own way, once."""
    faults = [
        {"code": code, "kind": kind, "about": text, "seconds": LATE_SECONDS}
        for kind, text in zip(kinds, about, strict=True)
    ]
    await service.faults(address or service.mirakl(), *faults)


async def struck(service: Service, address: str = "") -> None:
    """Until every fault of a menu has."""
    await _until(service, [], lambda: _unused(service, address or service.mirakl()))


async def _unused(service: Service, address: str) -> list[Json]:
    found: list[Json] = (await service.admin.faults_left(address))["faults"]
    return [fault for fault in found if not fault["fired"]]


async def settled(service: Service, ids: Collection[str], *, but: str = "") -> None:
    """App time passes until nothing about these orders is open, held, or in doubt; `but`: what may be, by its words."""

    async def left() -> list[str]:
        rows = await service.database.fetch(OPEN, list(ids))
        return [row["found"] for row in rows if not but or but not in row["found"]]

    await _until(service, ids, left)


async def passes(service: Service, ids: Collection[str], seconds: float) -> None:
    """So much app time, in steps; none while a call may be in flight."""
    while seconds > 0:
        await _idle(service, ids)
        await service.jump(min(STEP_SECONDS, seconds))
        seconds -= STEP_SECONDS
    await _idle(service, ids)


async def _until(service: Service, ids: Collection[str], left: Any) -> None:
    ends_at = monotonic() + SETTLE_SECONDS
    while found := await left():
        assert monotonic() < ends_at, f"not within {SETTLE_SECONDS:g} s; left: {found}"
        if ids:
            await _idle(service, ids)
            await service.jump(STEP_SECONDS)
        await anyio.sleep(0.05)


async def _idle(service: Service, ids: Collection[str]) -> None:
    ends_at = monotonic() + SETTLE_SECONDS
    while await service.count(CLAIMED, list(ids)):
        assert monotonic() < ends_at, "work ends"
        await anyio.sleep(0.02)


# ------------------------------------------------------------------------------------------------ the ledgers


async def applied(service: Service, address: str, ids: Collection[str]) -> dict[str, Counter[str]]:
    """How often each code was applied, by order."""
    found = {order_id: Counter[str]() for order_id in ids}
    for entry in (await service.admin.ledger(address))["entries"]:
        if entry.get("order_id") in found:
            found[entry["order_id"]][entry["code"]] += 1
    return found


async def each_once(service: Service, ids: Collection[str], *codes: str) -> None:
    """Each of these codes was applied once for each order, by the marketplace's ledger; and no ceiling was exceeded."""
    found = await applied(service, service.mirakl(), ids)
    wrong = {
        order_id: dict(there)
        for order_id, there in found.items()
        if [there[code] for code in codes] != [1] * len(codes)
    }
    assert not wrong, f"not once each of {codes}: {wrong}"
    assert not await service.violations(service.mirakl())
    assert not await service.violations(service.centra)


async def returns_in_centra(service: Service, number: int) -> list[Json]:
    found: list[Json] = (await service.admin.get(service.centra, "/_sandbox/returns"))["returns"]
    return [one for one in found if one["order"] == number]
