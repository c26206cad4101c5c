"""Calls after the sale whose answers are lost, late or refused: each parcel, cancellation, refund and step of a return
happens once, and only what nobody can know is held.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.domain.after_sale import Advice
from app.store import intents
from app.store.effects import EffectState, decide_held
from tests.faults.after_sale import (
    LOST,
    NOT_DONE,
    each_once,
    faulty_shop,
    give_up_after,
    menu,
    passes,
    settled,
    sold,
    struck,
)
from tests.faults.every import by_command
from tests.flows.after_sale import UNPAID, cancel, intent_becomes, line, line_becomes, ship
from tests.flows.service import FR, Service
from tests.standins import Json

pytestmark = pytest.mark.slow

KINDS = (*LOST, *NOT_DONE, "late")
ONE_TRACKING: Json = {"shop": {"configuration": {"features": {"shipment": {"multi_shipment": False}}}}}
REFUND = "returns = {on = false}"
NONSENSE = (None, "0", "-7", "soon")
UNTIL_DECIDED_SECONDS = 1_300.0
TOO_LATE_SECONDS = 6_000.0


async def _sku(service: Service, place: int = 0) -> str:
    sku: str = (await service.sizes())[place]["sku"]
    return sku


# ------------------------------------------------------------------------------------------------ parcels


@by_command
async def test_answers_about_parcels_are_lost(database_url: str) -> None:
    async with faulty_shop(database_url) as service:
        ids = await sold(service, len(KINDS), {"sku": await _sku(service), "quantity": 2})
        await menu(service, "ST01", KINDS, ids)
        for order_id in ids:
            await ship(service, order_id)
        await struck(service)
        await settled(service, ids)
        await each_once(service, ids, "ST01")
        for order_id in ids:
            assert (await line(service, order_id))["order_state"] == "SHIPPED"


@by_command
async def test_a_parcel_that_is_there_and_not_shipped_is_shipped(database_url: str) -> None:
    """ST01 never arrived, a person made the shipment and did not send it off; and each ST24 goes wrong first."""
    async with faulty_shop(database_url, scale=60.0) as service:  # a person is quicker than our second attempt
        kinds = (*LOST, *NOT_DONE)
        ids = await sold(service, len(kinds), {"sku": await _sku(service)})
        await menu(service, "ST01", ["drop"] * len(ids), ids)
        parcels = {order_id: await ship(service, order_id) for order_id in ids}
        await struck(service)
        made = [await _by_hand(service, order_id, parcels[order_id]) for order_id in ids]
        await menu(service, "ST24", kinds, made)
        await _struck_later(service, ids)
        await settled(service, ids)
        await each_once(service, ids, "ST01", "ST24")


async def _struck_later(service: Service, ids: list[str]) -> None:
    await passes(service, ids, 120)
    await struck(service)


async def _by_hand(service: Service, order_id: str, parcel: Json) -> str:
    """A person makes the shipment in the back office; its id."""
    told = {
        "order_id": order_id,
        "shipment_lines": [{"order_line_id": f"{order_id}-1", "quantity": 1}],
        "tracking": {"carrier_code": "POSTNORD", "tracking_number": parcel["tracking_number"]},
        "shipped": False,
    }
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"k-{FR}"}) as client:
        answer = await client.post(f"{service.mirakl()}/api/shipments", json={"shipments": [told]})
    return str(answer.json()["shipment_success"][0]["id"])


@by_command
@pytest.mark.parametrize("code", ["OR23", "OR24"])
async def test_answers_about_orders_with_one_tracking_are_lost(database_url: str, code: str) -> None:
    async with faulty_shop(database_url, mirakl=ONE_TRACKING) as service:
        kinds = ("status_after", "drop_after", "html_after", *NOT_DONE, "late")
        ids = await sold(service, len(kinds), {"sku": await _sku(service), "quantity": 2})
        await menu(service, code, kinds, ids)
        for order_id in ids:
            await ship(service, order_id)
        await struck(service)
        await settled(service, ids)
        await each_once(service, ids, "OR24")
        orders = await service.bought()
        assert {orders[order_id]["state"] for order_id in ids} == {"SHIPPED"}


# ------------------------------------------------------------------------------------------------ cancellations


async def test_answers_about_cancelled_orders_are_lost(database_url: str) -> None:
    async with faulty_shop(database_url) as service:
        ids = await sold(service, len(KINDS), {"sku": await _sku(service)}, **UNPAID)
        await menu(service, "OR29", KINDS, ids)
        for order_id in ids:
            await cancel(service, order_id)
        await struck(service)
        await settled(service, ids)
        orders = await service.bought()
        assert {orders[order_id]["state"] for order_id in ids} == {"CANCELED"}
        await each_once(service, ids, "OR29")


@by_command
async def test_answers_about_cancelled_lines_are_lost(database_url: str) -> None:
    """What never arrived is held, since OR30 is never sent again on a guess; and all the rest was cancelled once."""
    async with faulty_shop(database_url, "or30 = true", mirakl={"orders": {"or30": True}}) as service:
        sku = await _sku(service)
        ids = await sold(service, len(KINDS), {"sku": sku, "quantity": 3}, **UNPAID)
        await menu(service, "OR30", KINDS, ids)
        for order_id in ids:
            await cancel(service, order_id, (sku, 1))
        await struck(service)
        await passes(service, ids, UNTIL_DECIDED_SECONDS)
        lost = [order_id for order_id, kind in zip(ids, KINDS, strict=True) if kind in NOT_DONE]
        for order_id in lost:
            await intent_becomes(service, order_id, "cancellation", "held", "does not show it")
            await _never_was(service, order_id, "cancellation")
        await settled(service, ids)
        await each_once(service, ids, "OR30")
        assert [(await line(service, order_id))["cancelled"] for order_id in ids] == [1] * len(ids)


async def _never_was(service: Service, order_id: str, kind: str) -> None:
    """A person says that the call in doubt never was applied."""
    held = await intent_becomes(service, order_id, kind, "held")
    query = "SELECT id FROM effect WHERE lane = $1 AND doubt = 'money' AND state = 'held'"
    call = await service.database.fetchval(query, order_id)
    async with service.parts.database.work.acquire() as connection:
        assert await decide_held(connection, call, EffectState.NOT_APPLIED, "Ilva Testberg", "not there")
        marks = await intents.reopen(connection, held["id"], "not there")
    await service.parts.database.mark(marks)


# ------------------------------------------------------------------------------------------------ refunds


async def _sent(service: Service, count: int, quantity: int = 2) -> list[str]:
    """Orders that were sent, of which units may come back."""
    sku = await _sku(service)
    ids = await sold(service, count, {"sku": sku, "quantity": quantity, "price_unit": 45.0})
    for order_id in ids:
        await ship(service, order_id)
    for order_id in ids:
        await line_becomes(service, order_id, shipped=quantity)
    return ids


async def _take_back(service: Service, order_id: str, units: int = 1) -> Json:
    number = (await service.entry(order_id))["number"]
    told = {"number": number, "lines": [{"sku": await _sku(service), "quantity": units}]}
    made: Json = await service.admin.post(service.centra, "/_sandbox/returns", told)
    return made


async def test_the_second_of_two_equal_refunds_never_arrives(database_url: str) -> None:
    """The first one's refund is not taken for it."""
    async with faulty_shop(database_url, REFUND) as service:
        (order_id,) = await _sent(service, 1)
        fault = {"code": "OR28", "kind": "drop", "about": order_id, "after": 1}
        await service.faults(service.mirakl(), fault)
        await _take_back(service, order_id)
        await _take_back(service, order_id)
        await struck(service)
        await passes(service, [order_id], UNTIL_DECIDED_SECONDS)
        await intent_becomes(service, order_id, "refund", "held", "does not show it")
        assert (await line(service, order_id))["refunded"] == 1
        await _never_was(service, order_id, "refund")
        await settled(service, [order_id])
        assert (await line(service, order_id))["refunded_amount"] == 90.0


@by_command
async def test_a_lost_refund_is_sent_again_where_the_channel_wants_it(database_url: str) -> None:
    async with faulty_shop(database_url, f"{REFUND}\nresend_refunds = true") as service:
        ids = await _sent(service, len(KINDS))
        await menu(service, "OR28", KINDS, ids)
        for order_id in ids:
            await _take_back(service, order_id)
        await struck(service)
        await settled(service, ids)
        await each_once(service, ids, "OR28")
        for order_id in ids:
            found = await line(service, order_id)
            assert (found["refunded"], found["refunded_amount"]) == (1, 45.0)


@pytest.mark.parametrize("resend", [False, pytest.param(True, marks=by_command)])
async def test_a_refund_is_applied_more_than_twenty_minutes_late(database_url: str, resend: bool) -> None:
    """Held, or given back once: a second one that takes all is refused. One that does not is found and shown."""
    policy = f"{REFUND}\nresend_refunds = {str(resend).lower()}"
    async with faulty_shop(database_url, policy) as service:
        whole, part = await _sent(service, 2)
        late = {"code": "OR28", "kind": "late", "seconds": TOO_LATE_SECONDS}
        await service.faults(service.mirakl(), {**late, "about": whole}, {**late, "about": part})
        await _take_back(service, whole, 2)
        await _take_back(service, part, 1)
        await struck(service)
        await passes(service, [whole, part], UNTIL_DECIDED_SECONDS)
        if resend:
            await line_becomes(service, whole, refunded=2)
            await line_becomes(service, part, refunded=1)
        else:
            for order_id in (whole, part):
                await intent_becomes(service, order_id, "refund", "held", "does not show it")
        await passes(service, [whole, part], TOO_LATE_SECONDS)
        assert (await line(service, whole))["refunded_amount"] == 90.0
        if resend:
            await intent_becomes(service, part, "credit", "held", "by itself")
            assert (await line(service, part))["refunded_amount"] == 90.0, "what the assumption L excludes"
        else:
            assert (await line(service, part))["refunded_amount"] == 45.0
            assert not await _intents(service, part, "credit"), "while a person has to decide, it may be ours"


async def _intents(service: Service, order_id: str, kind: str) -> list[Any]:
    return list(await service.database.fetch("SELECT * FROM intent WHERE order_id = $1 AND kind = $2", order_id, kind))


@by_command
@pytest.mark.parametrize("amount", [44.99, 45.0])
async def test_a_person_refunds_in_the_back_office_while_ours_is_in_doubt(database_url: str, amount: float) -> None:
    """Nearly the same, or another one beside ours of the same amount: nobody but a person can tell them apart."""
    async with faulty_shop(database_url, REFUND) as service:
        (order_id,) = await _sent(service, 1, quantity=3)
        give_up_after(service, 2.0)
        kind = "hang" if amount < 45 else "hang_after"  # until the person is done
        await service.faults(service.mirakl(), {"code": "OR28", "kind": kind})
        await _take_back(service, order_id)
        await struck(service)
        entry = {
            "order_line_id": f"{order_id}-1",
            "amount": amount,
            "shipping_amount": 0,
            "quantity": 1,
            "reason_code": "17",
            "currency_iso_code": "EUR",
        }
        await service.admin.post(service.mirakl(), "/_sandbox/refunds", {"refunds": [entry]})
        held = await intent_becomes(service, order_id, "refund", "held", "as ours")
        assert (held["advice"], held["team"]) == (Advice.DECIDE, "finance")
        before = (await line(service, order_id))["refunded_amount"]
        await passes(service, [order_id], UNTIL_DECIDED_SECONDS)
        assert (await line(service, order_id))["refunded_amount"] == before, "nothing more is sent"
