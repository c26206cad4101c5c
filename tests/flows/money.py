"""A service that reads a marketplace's money, and what happens to money at the stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.store.marks import Mark
from tests.flows.service import FR, Deployment, Service, deployed, order_shape, serving, until
from tests.standins import Json

FLOWS = ("order_intake", "settlement", "matching")
DAY = 86_400.0


@asynccontextmanager
async def books(database_url: str, terms: str = "", **members: Any) -> AsyncIterator[Deployment]:
    """Orders are read but not entered, and their money is; cycles are closed and paid when a test says so."""
    contract = terms or "[channel.settlement.commission]\nshare = 0.15\nvat = 0.25"
    async with deployed(database_url, order_shape(orders="dry_run", settlement=contract, **members)) as place:
        await rules(place, cycle_seconds=None, payout_seconds=None)
        yield place


@asynccontextmanager
async def running_books(database_url: str, terms: str = "", **members: Any) -> AsyncIterator[Service]:
    """And the service over it."""
    async with books(database_url, terms, **members) as place, serving(place, *FLOWS) as service:
        yield service


async def rules(place: Deployment, **members: object) -> None:
    """How the operator charges and pays from now on."""
    await place.admin.post(place.mirakl(), "/_sandbox/money/rules", members)


async def plant(place: Deployment, what: str, **members: object) -> Json:
    """Something happens to money there, see `money_admin`."""
    found: Json = await place.admin.post(place.mirakl(), f"/_sandbox/money/{what}", members)
    return found


async def received(service: Service, *lines: Json, count: int = 1, **members: Any) -> list[str]:
    """Orders that the buyers have, and that were read here; Mirakl's ids."""
    skus = [size["sku"] for size in await service.sizes()]
    wanted = [{"sku": skus[n], "price_unit": 59.9, **line} for n, line in enumerate(lines or ({},))]
    placed = await service.place(*[{"lines": wanted, "state": "RECEIVED", **members} for _ in range(count)])

    async def stored() -> bool:
        return len(placed) == await service.count(
            "SELECT count(*) FROM marketplace_order WHERE order_id = ANY ($1)", placed
        )

    await until(stored, "the orders are read")
    return placed


async def close(place: Deployment, *, pay: bool = True, **planted: object) -> str:
    """A billing cycle is closed (its next one, with what is `planted`) and paid; its id."""
    if planted:
        await plant(place, "cycles", next=planted)
    [cycle] = (await plant(place, "cycles", close=True))["cycles"]
    if pay:
        await plant(place, "pay-outs", id=cycle)
    return str(cycle)


KEYS = ("TL02", "SBC11", "IV01", "unsettled")


async def at_rest(service: Service, *keys: str, seconds: float = 30) -> None:
    """Until these keys (all periodic ones) have no work now, and all that was marked is matched."""
    wanted = list(keys or KEYS)

    async def quiet() -> bool:
        row = await service.database.fetchrow(
            "SELECT count(*) FILTER (WHERE flow = 'settlement') AS periodic,"
            " count(*) FILTER (WHERE due_at <= app_now() OR claim IS NOT NULL) AS busy FROM outbox"
            " WHERE scope = $1 AND (flow = 'matching' OR flow = 'settlement' AND key = ANY ($2))",
            FR,
            wanted,
        )
        assert row is not None
        return row["periodic"] == len(wanted) and not row["busy"]

    await until(quiet, "money is read and matched", seconds=seconds)


async def read_again(service: Service, *keys: str) -> None:
    """Have these keys (all periodic ones) read now, as far as their ceilings let them."""
    await service.parts.database.mark([Mark(FR, "settlement", key) for key in keys or KEYS])
    await at_rest(service, *keys)


async def days_later(service: Service, days: float = 1.1) -> None:
    """So much later, with everything read again and matched."""
    await at_rest(service)  # a call that is under way would arrive after the leap
    await service.jump(days * DAY)
    await read_again(service)


async def differences(service: Deployment, *states: str) -> dict[str, tuple[int | None, int | None]]:
    """What differs (is open), by its key: what is expected and what is told."""
    rows = await service.database.fetch(
        "SELECT key, expected, told FROM settlement_difference WHERE state = ANY ($1) ORDER BY key",
        list(states or ("open",)),
    )
    return {row["key"]: (row["expected"], row["told"]) for row in rows}


async def ledger_total(service: Deployment) -> tuple[int, int]:
    """Lines in the ledger, and what they come to."""
    row = await service.database.fetchrow("SELECT count(*), coalesce(sum(amount), 0)::bigint FROM transaction_line")
    assert row is not None
    return row[0], row[1]


async def log_total(service: Deployment) -> tuple[int, int]:
    """The same of the stand-in's own log."""
    states: Sequence[Json] = [
        shown
        for states in (await service.admin.get(service.mirakl(), "/_sandbox/money"))["types"].values()
        for shown in states.values()
    ]
    return sum(one["lines"] for one in states), sum(round(one["amount"] * 100) for one in states)
