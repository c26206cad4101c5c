"""Field cases about dispatch, cancellations, refunds and returns (parts C, D and E), each as a test of its kind."""

from __future__ import annotations

import json
from datetime import datetime

from app.domain.after_sale import Carrier, CarrierRow
from app.domain.progress import Outcome
from app.store import carriers, intents
from app.store.intents import Kind
from tests.flows.after_sale import (
    AT_ONCE,
    back,
    cancel,
    intent_becomes,
    line,
    line_becomes,
    released,
    ship,
    shop,
    there,
)
from tests.flows.service import FR, Service, until
from tests.standins import Json

SINGLE: Json = {"shop": {"configuration": {"features": {"shipment": {"multi_shipment": False}}}}}
UNANNOUNCED = 'returns = {unannounced = "refund"}'


async def _sku(service: Service) -> str:
    sku: str = (await service.sizes())[0]["sku"]
    return sku


async def _ledger(service: Service, order_id: str, *codes: str) -> list[Json]:
    """What the marketplace applied to an order, of these codes, oldest first."""
    entries = (await service.admin.ledger(service.mirakl()))["entries"]
    return [entry for entry in entries if entry.get("order_id") == order_id and entry["code"] in codes]


# ------------------------------------------------------------------------------------------------ C: cancellations


async def test_field_case_46_cancelled_in_centra_is_refunded_and_leaves_what_is_to_be_shipped(
    database_url: str,
) -> None:
    async with shop(database_url) as service:
        order_id = await released(service, {"sku": await _sku(service), "quantity": 2}, order_id="D-3004-A")
        assert (await service.record(order_id)).order.workflow == "PAY_ON_ACCEPTANCE"
        await cancel(service, order_id)
        await line_becomes(service, order_id, refunded=2, excluded=2, to_ship=0)
        (entry,) = await _ledger(service, order_id, "OR28")
        assert (entry["amount"], entry["reason_code"], entry["excluded"]) == (119.8, "15", 2)
        await intent_becomes(service, order_id, "cancellation", "done")
        assert not await service.calls(service.mirakl(), "OR29")


# ------------------------------------------------------------------------------------------------ D: dispatch


async def test_field_case_48_tracking_goes_before_the_order_is_shipped(database_url: str) -> None:
    async with shop(database_url, mirakl=SINGLE) as service:
        order_id = await released(service, {"sku": await _sku(service)}, order_id="D-4001-A")
        await ship(service, order_id, tracking_number="ZZ000111")
        await line_becomes(service, order_id, order_state="SHIPPED")
        tracked, shipped = await _ledger(service, order_id, "OR23", "OR24")
        assert (tracked["code"], shipped["code"]) == ("OR23", "OR24")
        assert (tracked["carrier_code"], tracked["tracking_number"]) == ("POSTNORD", "ZZ000111")


async def test_field_case_49_a_404_switches_to_one_tracking_and_nothing_is_dropped(database_url: str) -> None:
    """PC01 said otherwise. The earlier parcel waits for the last one, and both are written down."""
    async with shop(database_url, mirakl={"orders": {"or24_with_multi_shipment": True}}) as service:
        sku = await _sku(service)
        one, two = [await released(service, {"sku": sku, "quantity": 2}) for _ in range(2)]
        await service.faults(service.mirakl(), {"code": "ST01", "kind": "status", "status": 404, "count": None})
        await ship(service, one, (sku, 1), tracking_number="PN-1")
        await until(lambda: service.calls(service.mirakl(), "ST01"), "ST01 is tried")
        await intent_becomes(service, one, "shipment", "open")
        assert (await line(service, one))["shipped"] == 0
        await ship(service, one, (sku, 1), tracking_number="PN-2")
        await line_becomes(service, one, order_state="SHIPPED")
        (tracked,) = await _ledger(service, one, "OR23")
        assert tracked["tracking_number"] == "PN-2"
        await intent_becomes(service, one, "shipment", "done", "whole order")
        audit = await service.database.fetch("SELECT detail FROM audit WHERE subject = $1", f"order:{one}")
        assert any("PN-1" in (row["detail"] or "") for row in audit), "the first parcel is not lost from sight"

        await ship(service, two)
        await line_becomes(service, two, order_state="SHIPPED")
        assert len(await service.calls(service.mirakl(), "ST01")) == 1, "what was learnt is remembered"


async def test_field_case_49_no_other_error_is_silent(database_url: str) -> None:
    async with shop(database_url) as service:
        order_id = await released(service, {"sku": await _sku(service)})
        refused = {"status": 400, "body": '{"status": 400, "message": "carrier unknown"}'}
        await service.faults(service.mirakl(), {"code": "ST01", "kind": "status", **refused})
        await ship(service, order_id)
        held = await intent_becomes(service, order_id, "shipment", "held", "carrier unknown")
        assert held["team"] == "operations"


async def test_field_case_51_a_carrier_that_nobody_knows_is_never_replaced(database_url: str) -> None:
    listed = [
        {"code": code, "label": label, "standard_code": None, "tracking_url": None}
        for code, label in (("NEX", "Nord Express"), ("other", "Other"), ("POSTNORD", "PostNord"))
    ]
    async with shop(database_url, mirakl={"shop": {"carriers": listed}}) as service:
        sku = await _sku(service)
        plain, express = [
            await released(service, {"sku": sku}, shipping_type={"code": code, "label": code})
            for code in ("STD", "EXP")
        ]
        for order_id in (plain, express):
            await ship(service, order_id, carrier="NordExpress Home 2-Mann", tracking_number="")
            held = await intent_becomes(service, order_id, "shipment", "held", "NordExpress Home 2-Mann")
            assert "NEX (Nord Express)" in held["evidence"]
        assert not await service.calls(service.mirakl(), "ST01")

        async with service.parts.database.work.acquire() as connection:
            row = CarrierRow("nordexpress home 2-mann", Carrier("NEX"))
            await carriers.put(connection, FR, [row], "Ilva Testberg")
            marks = await intents.marks_of_kind(connection, FR, Kind.SHIPMENT)
        await service.parts.database.mark(marks)
        await line_becomes(service, plain, order_state="SHIPPED")
        (parcel,) = (await there(service, plain))["shipments"]
        assert (parcel["tracking"]["carrier_code"], parcel["tracking"]["tracking_number"]) == ("NEX", None)
        await intent_becomes(service, express, "shipment", "held", "tracking")
        assert (await line(service, express))["shipped"] == 0, "express parcels must have a tracking number"


async def test_field_case_53_a_parcel_that_left_too_early_waits_and_is_told(database_url: str) -> None:
    async with shop(database_url) as service:
        order_id = await service.buy(await _sku(service), debit=None, **AT_ONCE)
        await service.becomes(order_id, lambda r: r.order.state == "WAITING_DEBIT_PAYMENT" and r.checked_at)
        await service.change(order_id, debited=True, state="SHIPPING")
        await service.ends(Outcome.RELEASED, order_id)
        await service.change(order_id, state="WAITING_DEBIT_PAYMENT")  # the payment is taken back, the order is out
        await service.becomes(order_id, lambda r: r.order.state == "WAITING_DEBIT_PAYMENT")
        parcel = await ship(service, order_id)
        await intent_becomes(service, order_id, "shipment", "held", "left while the order is WAITING_DEBIT_PAYMENT")
        await service.jump(3_600)
        noted = await intent_becomes(service, order_id, "shipment", "held")
        assert noted["team"] == "warehouse"
        left_at = datetime.fromisoformat(json.loads(noted["body"])["shipped_at"])
        assert left_at == datetime.fromisoformat(parcel["shipped_at"]).replace(microsecond=0), "the true time is kept"
        assert not await service.calls(service.mirakl(), "ST01"), "and it is not tried again and again"
        await service.change(order_id, state="SHIPPING")
        await line_becomes(service, order_id, shipped=1, order_state="SHIPPED")
        assert len(await _ledger(service, order_id, "ST01")) == 1


async def test_field_case_54_the_list_of_shipments_is_not_a_queue(database_url: str) -> None:
    """Listed again and again, each parcel is told once; a new tracking number is told as a change."""
    async with shop(database_url, mirakl={"orders": {"tracking_after_shipping": True}}) as service:
        sku = await _sku(service)
        order_id = await released(service, {"sku": sku, "quantity": 2})
        first = await ship(service, order_id, (sku, 1), tracking_number="PN-502")
        await line_becomes(service, order_id, shipped=1)
        await ship(service, order_id, (sku, 1), tracking_number="PN-503")
        await line_becomes(service, order_id, shipped=2)
        sent_at = [one["shipped_date"] for one in (await there(service, order_id))["shipments"]]
        for _ in range(3):
            await service.jump(3_600)  # orders that may still be shipped are looked at every hour, sent ones daily
            await service.jump(86_400)
        change = {"shipment": first["id"], "tracking_number": "PN-NEW"}
        await service.admin.post(service.centra, "/_sandbox/shipments/change", change)

        async def changed() -> list[Json]:
            return await _ledger(service, order_id, "ST23")

        (told,) = await until(changed, "the new tracking is told")
        assert told["tracking_number"] == "PN-NEW"
        assert len(await _ledger(service, order_id, "ST01")) == 2
        assert [one["shipped_date"] for one in (await there(service, order_id))["shipments"]] == sent_at


# ------------------------------------------------------------------------------------------------ E: refunds


async def test_field_case_56_taxes_are_named_and_the_last_refund_takes_what_is_left(database_url: str) -> None:
    async with shop(database_url, UNANNOUNCED) as service:
        taxes = [{"code": "TAXDEFAULT", "amount": 29.95}, {"code": "ECO", "amount": 0.1}]
        sku = await _sku(service)
        wanted = {"sku": sku, "quantity": 3, "price_unit": 59.9, "taxes": taxes, "shipping_price": 5.0}
        order_id = await released(service, wanted, order_id="D-5001-A", tax_mode="TAX_INCLUDED")
        parcel = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=3)
        for count in (1, 2, 3):
            shipping: Json = {"shipping_cost": "all"} if count == 3 else {}
            await back(service, parcel, (sku, 1), **shipping)
            await line_becomes(service, order_id, refunded=count)
        entries = await _ledger(service, order_id, "OR28")
        for entry in entries:
            assert {tax["code"] for tax in entry["taxes"]} == {"TAXDEFAULT", "ECO"}
        cents = [sum(round(100 * tax["amount"]) for tax in entry["taxes"]) for entry in entries]
        assert sum(cents) == 3_005
        assert sum(round(100 * entry["amount"]) for entry in entries) == 17_970
        assert (await line(service, order_id))["refunded_shipping_amount"] == 5.0


async def test_field_case_57_no_money_and_a_shut_door_are_two_holds(database_url: str) -> None:
    async with shop(database_url, UNANNOUNCED) as service:
        sku = await _sku(service)
        poor, closed = [await released(service, {"sku": sku, "price_unit": 45.0}) for _ in range(2)]
        parcels = {order_id: await ship(service, order_id) for order_id in (poor, closed)}
        for order_id in (poor, closed):
            await line_becomes(service, order_id, shipped=1)
        await service.admin.post(service.mirakl(), "/_sandbox/balance", {"pending": 0, "payable": 0})
        await service.change(closed, state="CLOSED")
        await service.becomes(closed, lambda record: record.order.state == "CLOSED")
        for order_id in (poor, closed):
            await back(service, parcels[order_id])
        daily = await intent_becomes(service, poor, "refund", "held", "balance")
        shut = await intent_becomes(service, closed, "refund", "held", "closed")
        assert daily["advice"] != shut["advice"]
        for held in (daily, shut):
            assert (held["team"], str(held["amount"]), held["currency"]) == ("finance", "45.0", "EUR")
            assert held["held_at"] is not None


async def test_field_case_58_a_refund_whose_time_ran_out_is_looked_for(database_url: str) -> None:
    async with shop(database_url, UNANNOUNCED) as service:
        order_id = await released(service, {"sku": await _sku(service), "price_unit": 59.9}, order_id="D-5002-A")
        parcel = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=1)
        await service.faults(service.mirakl(), {"code": "OR28", "kind": "drop_after"})
        await back(service, parcel)
        done = await intent_becomes(service, order_id, "refund", "done", "found when the order was read again")
        (entry,) = await _ledger(service, order_id, "OR28")
        assert (entry["amount"], len(await service.calls(service.mirakl(), "OR28"))) == (59.9, 1)
        assert entry["refund_id"] in done["told"]


async def test_field_case_59_equal_tax_codes_stay_apart(database_url: str) -> None:
    async with shop(database_url, UNANNOUNCED) as service:
        wanted = {
            "sku": await _sku(service),
            "price_unit": 100.0,
            "taxes": [{"code": "STATE", "rate": 6.25, "amount": 6.25}, {"code": "STATE", "rate": 1.0, "amount": 1.0}],
            "shipping_price": 5.0,
            "shipping_taxes": [{"code": "STATE", "rate": 6.25, "amount": 0.31}],
        }
        order_id = await released(service, wanted, tax_mode="TAX_EXCLUDED")
        parcel = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=1)
        made = await back(service, parcel, shipping_cost="all")
        assert made["grand_total"] == 112.56
        await line_becomes(service, order_id, refunded=1, refunded_total=112.56)
        (entry,) = await _ledger(service, order_id, "OR28")
        assert (entry["amount"], entry["shipping_amount"]) == (100.0, 5.0)
        assert [tax["amount"] for tax in entry["taxes"]] == [6.25, 1.0]
        assert [tax["amount"] for tax in entry["shipping_taxes"]] == [0.31]


# ------------------------------------------------------------------------------------------------ E: returns


async def test_field_case_61_the_missing_steps_of_a_return_are_walked_in_order(database_url: str) -> None:
    """Centra has completed it while the marketplace still waits for an answer; received once more, nothing happens."""
    async with shop(database_url, "returns = {expect = false}") as service:
        order_id = await released(service, {"sku": await _sku(service), "price_unit": 45.0})
        parcel = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=1)
        wanted = {"order_id": order_id, "lines": [{"order_line_id": f"{order_id}-1", "quantity": 1}]}
        await service.admin.post(service.mirakl(), "/_sandbox/returns", wanted)
        made = await back(service, parcel)
        await service.jump(900)
        await line_becomes(service, order_id, refunded=1)
        steps = ("RT21", "RT25", "RT26", "OR28", "RT27")

        async def walked() -> bool:
            return [entry["code"] for entry in await _ledger(service, order_id, *steps)] == list(steps)

        await until(walked, "each step is taken once, in order")
        for verb in ("uncomplete", "complete"):
            await service.admin.post(service.centra, f"/_sandbox/returns/{verb}", {"return": made["id"]})
        await service.jump(86_400)
        await service.jump(3_600)
        assert await walked()


async def test_field_case_61_goods_that_nobody_announced_are_held_and_offered(database_url: str) -> None:
    async with shop(database_url) as service:
        order_id = await released(service, {"sku": await _sku(service), "price_unit": 45.0})
        parcel = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=1)
        await back(service, parcel)
        held = await intent_becomes(service, order_id, "refund", "held", "refund them?")
        assert (held["team"], str(held["amount"])) == ("customer service", "45.0")
        assert not await service.calls(service.mirakl(), "OR28")
        async with service.parts.database.work.acquire() as connection:
            marks = await intents.reopen(connection, held["id"], "refund them", by="Ilva Testberg")
        await service.parts.database.mark(marks)
        await line_becomes(service, order_id, refunded=1, refunded_amount=45.0)
