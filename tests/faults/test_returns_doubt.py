"""Steps of returns and returns in Centra whose answers are lost, storms of 429, and everything told once more."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from tests.faults.after_sale import (
    LOST,
    NOT_DONE,
    each_once,
    faulty_shop,
    passes,
    returns_in_centra,
    settled,
    sold,
    struck,
)
from tests.faults.every import by_command
from tests.flows.after_sale import back, cancel, intent_becomes, line_becomes, ship
from tests.flows.service import Service, until
from tests.standins import Json

pytestmark = pytest.mark.slow

STEPS = ("RT21", "RT25", "RT26", "RT27")
KINDS = ("drop_after", "html_after", "status", "late")
NONSENSE = (None, "0", "-7", "soon")
INTAKE_SECONDS = 900.0
FLOWS = ("order_follow", "shipments", "cancellations", "refunds", "credits", "returns")


async def _shipped(service: Service, count: int, quantity: int = 2) -> dict[str, Json]:
    """Orders that were sent, with their parcels."""
    sku = (await service.sizes())[0]["sku"]
    ids = await sold(service, count, {"sku": sku, "quantity": quantity, "price_unit": 45.0})
    parcels = {order_id: await ship(service, order_id) for order_id in ids}
    for order_id in ids:
        await line_becomes(service, order_id, shipped=quantity)
    return parcels


async def _opened(service: Service, order_id: str, units: int = 1) -> str:
    """A buyer wants to send units back; the return's id."""
    told = {"order_id": order_id, "lines": [{"order_line_id": f"{order_id}-1", "quantity": units}]}
    return str((await service.admin.post(service.mirakl(), "/_sandbox/returns", told))["id"])


async def _arrived(service: Service, order_ids: list[str]) -> None:
    """The warehouse completes each pending return, once it is expected."""
    left = {(await service.record(order_id)).number for order_id in order_ids}

    async def all_there() -> bool:
        found = (await service.admin.get(service.centra, "/_sandbox/returns"))["returns"]
        for pending in [one for one in found if one["order"] in left]:
            await service.admin.post(service.centra, "/_sandbox/returns/complete", {"return": pending["id"]})
            left.remove(pending["order"])
        if left:
            await passes(service, order_ids, 60)
        return not left

    await until(all_there, "all returns are expected in Centra", seconds=40)


@by_command
@pytest.mark.timeout(180)
async def test_answers_about_the_steps_of_returns_are_lost(database_url: str) -> None:
    async with faulty_shop(database_url) as service:
        cases = list(product((*STEPS, "CreateReturn"), KINDS))
        ids = list(await _shipped(service, len(cases)))
        returns = [await _opened(service, order_id) for order_id in ids]
        for address, here in ((service.mirakl(), STEPS), (service.centra, ("CreateReturn",))):
            faults = [
                {"code": code, "kind": kind, "about": return_id, "seconds": 300.0}
                for (code, kind), return_id in zip(cases, returns, strict=True)
                if code in here
            ]
            await service.faults(address, *faults)
        await passes(service, ids, INTAKE_SECONDS)
        await _arrived(service, ids)
        await settled(service, ids)
        await struck(service)
        await struck(service, service.centra)
        await each_once(service, ids, "ST01", "OR28", *STEPS)
        made = Counter(
            one["order"] for one in (await service.admin.get(service.centra, "/_sandbox/returns"))["returns"]
        )
        assert set(made.values()) == {1}, made
        assert len(made) == len(ids)


@by_command
async def test_answers_about_a_refund_brought_to_centra_are_lost(database_url: str) -> None:
    async with faulty_shop(database_url, 'marketplace_refunds = "return"') as service:
        cases = list(product(("CreateReturn", "CompleteReturn"), (*LOST, *NOT_DONE)))
        ids = list(await _shipped(service, len(cases)))
        faults = [{"code": code, "kind": kind} for code, kind in cases]
        await service.faults(service.centra, *faults)
        for order_id in ids:
            told = {"order_id": order_id, "lines": [{"order_line_id": f"{order_id}-1", "quantity": 1}]}
            await service.admin.post(service.mirakl(), "/_sandbox/refunds", told)
        await passes(service, ids, 120)
        await struck(service, service.centra)
        await settled(service, ids)
        for order_id in ids:
            await intent_becomes(service, order_id, "credit", "done")
            (made,) = await returns_in_centra(service, (await service.record(order_id)).number or 0)
            assert made["status"] == "COMPLETED"
        await each_once(service, ids, "REFUND")


@by_command
async def test_a_storm_of_429_with_nonsense_as_retry_after(database_url: str) -> None:
    async with faulty_shop(database_url) as service:
        storm = [{"kind": "too_many"} | ({} if text is None else {"retry_after": text}) for text in NONSENSE]
        codes = ("ST01", "OR28", "OR11", *STEPS)
        await service.faults(service.mirakl(), *({"code": code, **fault} for code in codes for fault in storm))
        await service.faults(service.centra, *({"code": "CreateReturn", **fault} for fault in storm))
        sku = (await service.sizes())[0]["sku"]
        (order_id,) = await sold(service, 1, {"sku": sku, "price_unit": 45.0})
        await ship(service, order_id)
        await passes(service, [order_id], 600)
        await line_becomes(service, order_id, shipped=1)
        await _opened(service, order_id)
        await passes(service, [order_id], INTAKE_SECONDS)
        await _arrived(service, [order_id])
        await settled(service, [order_id])
        await struck(service)
        await struck(service, service.centra)
        await each_once(service, [order_id], "ST01", "OR28", *STEPS)


# ------------------------------------------------------------------------------------------------ told once more


@by_command
async def test_everything_told_once_more_has_no_effect(database_url: str) -> None:
    policy = 'returns = {unannounced = "refund"}\nmarketplace_refunds = "return"'
    async with faulty_shop(database_url, policy) as service:
        walked, given, returned, mixed = await _lives(service)
        ids = [walked, given, returned, mixed]
        await settled(service, ids)
        before = [await _effects(service, address, ids) for address in (service.mirakl(), service.centra)]
        assert {"ST01", "OR28", "REFUND", *STEPS} <= set(before[0])
        await _again(service, ids)
        await passes(service, ids, INTAKE_SECONDS)
        await settled(service, ids)
        after = [await _effects(service, address, ids) for address in (service.mirakl(), service.centra)]
        assert after == before


async def _lives(service: Service) -> list[str]:
    """A return that is walked, a refund of the marketplace, a return in Centra, and cancelled units."""
    parcels = await _shipped(service, 3)
    walked, given, returned = parcels
    await _opened(service, walked)
    told = {"order_id": given, "lines": [{"order_line_id": f"{given}-1", "quantity": 1}]}
    await service.admin.post(service.mirakl(), "/_sandbox/refunds", told)
    await back(service, parcels[returned])
    sku = (await service.sizes())[0]["sku"]
    (mixed,) = await sold(service, 1, {"sku": sku, "quantity": 3, "price_unit": 45.0})
    await cancel(service, mixed, (sku, 1))
    await ship(service, mixed)
    await passes(service, [*parcels, mixed], INTAKE_SECONDS)
    await _arrived(service, [walked])
    return [walked, given, returned, mixed]


async def _again(service: Service, ids: list[str]) -> None:
    """Both platforms are read from the beginning, each fact of the inbox is new, and each key is due."""
    await service.database.execute("DELETE FROM inbox")
    await service.database.execute(
        "UPDATE outbox SET due_at = app_now(), not_before = app_now(), state = 'ready' WHERE flow = ANY ($1)",
        [*FLOWS, "orders", "order_entry"],
    )

    async def all_read() -> bool:
        await service.database.execute("DELETE FROM cursor WHERE name LIKE '%.watermark'")  # a pass may have written it
        await passes(service, ids, INTAKE_SECONDS)
        query = "SELECT count(DISTINCT reference) FROM inbox WHERE reference = ANY ($1)"
        return await service.count(query, ids) == len(ids)

    await until(all_read, "everything is read again", seconds=40)


async def _effects(service: Service, address: str, ids: list[str]) -> Counter[str]:
    """How often each code was applied at a stand-in; stock apart, which lives on."""
    entries = (await service.admin.ledger(address))["entries"]
    return Counter(entry["code"] for entry in entries if entry["code"] not in ("STO01", "stock", "REFUNDED"))
