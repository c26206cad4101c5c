"""What happens to an order after its sale, through the whole service: parcels, cancellations, refunds and returns."""

from __future__ import annotations

import json
from pathlib import Path

from app.domain.after_sale import Carrier, CarrierRow
from app.store import carriers, intents, threads
from app.store.intents import Kind
from tests.flows.after_sale import (
    UNPAID,
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
from tests.flows.after_sale import intents as noted
from tests.flows.service import FR, until
from tests.standins import Json

TAXED: Json = {
    "price_unit": 100.0,
    "shipping_price": 5.0,
    "taxes": [{"code": "STATE", "amount": 12.5, "rate": 6.25}, {"code": "STATE", "amount": 2.0, "rate": 1.0}],
    "shipping_taxes": [{"code": "STATE", "amount": 0.31, "rate": 6.25}],
}
ONE_TRACKING: Json = {"shop": {"configuration": {"features": {"shipment": {"multi_shipment": False}}}}}


async def test_parcels_are_told_one_by_one_and_the_order_is_shipped_with_the_last(database_url: str) -> None:
    async with shop(database_url) as service:
        one, two = [size["sku"] for size in (await service.sizes())[:2]]
        order_id = await released(service, {"sku": one, "quantity": 2}, {"sku": two, "quantity": 1})
        await ship(service, order_id, (one, 1), tracking_number="PN-1")
        await line_becomes(service, order_id, shipped=1, order_state="SHIPPING")
        await ship(service, order_id, (one, 1), (two, 1), tracking_number="PN-2", carrier="Nord Express")
        held = await intent_becomes(service, order_id, "shipment", "held", "not in the channel's table")
        assert "Nord Express" in held["reason"]
        assert held["team"] == "operations"
        async with service.parts.database.work.acquire() as connection:
            await carriers.put(connection, FR, [CarrierRow("nord express", Carrier("DHL"))], "Ilva Testberg")
            marks = await intents.marks_of_kind(connection, FR, Kind.SHIPMENT)
        await service.parts.database.mark(marks)
        await line_becomes(service, order_id, shipped=2, order_state="SHIPPED")
        parcels = (await there(service, order_id))["shipments"]
        assert [p["tracking"]["tracking_number"] for p in parcels] == ["PN-1", "PN-2"]
        assert [p["tracking"]["carrier_code"] for p in parcels] == ["POSTNORD", "DHL"]


async def test_a_parcel_that_is_edited_or_removed_later_is_for_people(database_url: str) -> None:
    async with shop(database_url) as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku})
        parcel = await ship(service, order_id)
        await intent_becomes(service, order_id, "shipment", "done")
        change = {"shipment": parcel["id"], "tracking_number": "PN-NEW"}
        await service.admin.post(service.centra, "/_sandbox/shipments/change", change)

        await intent_becomes(service, order_id, "shipment", "held", "not in SHIPPING status")
        await service.admin.post(service.centra, "/_sandbox/shipments/remove", {"shipment": parcel["id"]})
        await intent_becomes(service, order_id, "shipment", "held", "removed")


async def test_an_order_with_one_tracking_is_told_when_it_is_complete(database_url: str) -> None:
    async with shop(database_url, mirakl=ONE_TRACKING) as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku, "quantity": 2})
        await ship(service, order_id, (sku, 1), tracking_number="PN-1")
        await intent_becomes(service, order_id, "shipment", "open")
        await ship(service, order_id, (sku, 1), tracking_number="PN-2")
        await line_becomes(service, order_id, order_state="SHIPPED")
        orders = await service.bought()
        assert orders[order_id]["state"] == "SHIPPED"
        assert not (await there(service, order_id))["shipments"]


async def test_centra_cancels_before_and_after_debit(database_url: str) -> None:
    async with shop(database_url) as service:
        one, two = [size["sku"] for size in (await service.sizes())[:2]]
        paid = await released(service, {"sku": one, "quantity": 3, "price_unit": 40.0})
        await cancel(service, paid, (one, 1))
        found = await line_becomes(service, paid, refunded=1, excluded=1)
        assert found["refunded_amount"] == 40.0
        await ship(service, paid)
        await line_becomes(service, paid, shipped=2, order_state="SHIPPED")

        whole = await released(service, {"sku": two, "quantity": 2, "price_unit": 50.0})
        await cancel(service, whole)
        found = await line_becomes(service, whole, refunded=2, state="REFUNDED")
        assert found["refunded_amount"] == 100.0

        unpaid = await released(service, {"sku": two, "quantity": 1}, **UNPAID)
        await cancel(service, unpaid)
        await line_becomes(service, unpaid, order_state="CANCELED")


async def test_a_return_in_centra_is_refunded_with_two_taxes_to_the_cent(database_url: str) -> None:
    async with shop(database_url, 'returns = {unannounced = "refund"}') as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku, "quantity": 2, **TAXED}, tax_mode="TAX_EXCLUDED")
        parcel = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=2)
        await back(service, parcel, (sku, 1))
        found = await line_becomes(service, order_id, refunded=1)
        assert (found["refunded_amount"], found["refunded_shipping_amount"]) == (100.0, 0.0)
        assert found["refunded_taxes"] == 7.25
        await back(service, parcel, (sku, 1), shipping_cost="all")
        found = await line_becomes(service, order_id, refunded=2)
        assert found["refunded_amount"] == 200.0
        assert found["refunded_total"] == found["price"] + found["shipping_price"] + 14.81

        async def both_told() -> list[Json]:  # written down a moment after the marketplace shows it
            rows = [row for row in await noted(service, order_id) if row["kind"] == "refund" and row["told"]]
            return rows if len(rows) == 2 else []

        for refund in await until(both_told, "both ids stand with both returns"):
            assert refund["source_id"].startswith("centra:return:")
            assert json.loads(refund["told"])[0]["ids"]


async def test_a_refund_without_balance_is_tried_again_daily(database_url: str) -> None:
    async with shop(database_url, 'returns = {unannounced = "refund"}') as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku, "price_unit": 40.0})
        parcel = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=1)
        await service.admin.post(service.mirakl(), "/_sandbox/balance", {"pending": 0, "payable": 0})
        await back(service, parcel)
        held = await intent_becomes(service, order_id, "refund", "held", "balance")
        assert held["team"] == "finance"
        assert str(held["amount"]) == "40.0"
        await service.admin.post(service.mirakl(), "/_sandbox/balance", {"pending": None, "payable": None})
        assert (await line(service, order_id))["refunded"] == 0
        await service.jump(86_400)
        found = await line_becomes(service, order_id, refunded=1)
        assert found["refunded_amount"] == 40.0


async def test_a_return_of_the_marketplace_is_walked_to_its_end(database_url: str) -> None:
    async with shop(database_url) as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku, "quantity": 2, "price_unit": 45.0})
        await ship(service, order_id)
        await line_becomes(service, order_id, shipped=2)
        wanted = {"order_id": order_id, "lines": [{"sku": sku, "quantity": 1}]}
        return_id = (await service.admin.post(service.mirakl(), "/_sandbox/returns", wanted))["id"]

        async def pending() -> Json | None:
            found = (await service.admin.get(service.centra, "/_sandbox/returns"))["returns"]
            return found[0] if found else None

        expected = await until(pending, "it is expected in Centra")
        await service.admin.post(service.centra, "/_sandbox/returns/complete", {"return": expected["id"]})
        await line_becomes(service, order_id, refunded=1, refunded_amount=45.0)

        async def closed() -> bool:
            found = (await service.admin.get(service.mirakl(), "/_sandbox/returns"))["returns"]
            return bool(found[return_id]["state"] == "CLOSED")

        await until(closed, "the return is closed")


async def test_a_refund_made_at_the_marketplace_becomes_a_return_in_centra(database_url: str) -> None:
    async with shop(database_url, 'marketplace_refunds = "return"') as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku, "quantity": 2, "price_unit": 45.0})
        await ship(service, order_id)
        await line_becomes(service, order_id, shipped=2)
        told = {"order_id": order_id, "lines": [{"sku": sku, "quantity": 1}]}
        await service.admin.post(service.mirakl(), "/_sandbox/refunds", told)
        await intent_becomes(service, order_id, "credit", "done")
        [made] = (await service.admin.get(service.centra, "/_sandbox/returns"))["returns"]
        assert made["status"] == "COMPLETED"
        found = await line(service, order_id)
        assert found["refunded"] == 1, "and nothing is refunded twice"


async def test_the_invoice_is_uploaded_once_when_it_is_there(database_url: str, tmp_path: Path) -> None:
    """Field case 68, where orders take documents."""
    async with shop(database_url, f"documents = {{folder = '{tmp_path}'}}") as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku})
        await ship(service, order_id)
        waiting = await intent_becomes(service, order_id, "document", "open")
        number = json.loads(waiting["body"])["number"]
        (tmp_path / f"{number}.pdf").write_bytes(b"%PDF-1.7 invented")
        await service.jump(1800)
        await intent_becomes(service, order_id, "document", "done", "OR74")
        await service.jump(7200)
        uploads = [e for e in (await service.admin.ledger(service.mirakl()))["entries"] if e["code"] == "OR74"]
        assert [e["order_id"] for e in uploads] == [order_id]


async def test_an_invoice_that_is_not_there_in_time_is_asked_about(database_url: str, tmp_path: Path) -> None:
    """Field case 68, where a request has to come first: its id is waited for."""
    policy = f"documents = {{folder = '{tmp_path}', door = 'request', within_seconds = 3600}}"
    async with shop(database_url, policy) as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku})
        await ship(service, order_id)
        waiting = await intent_becomes(service, order_id, "document", "open")
        await service.jump(7200)
        held = await intent_becomes(service, order_id, "document", "held", "not in the folder")
        assert held["team"] == "finance"
        (tmp_path / f"{json.loads(waiting['body'])['number']}.pdf").write_bytes(b"%PDF-1.7 invented")
        await service.admin.post(service.mirakl(), "/_sandbox/document-requests", {"order_id": order_id})
        await service.jump(3600)
        await intent_becomes(service, order_id, "document", "done", "DR74")


async def test_threads_and_incidents_are_counted(database_url: str) -> None:
    async with shop(database_url, "threads_seconds = 300") as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku})
        written = {"order_id": order_id, "body": "Where is it?", "topic": "Delivery"}
        thread = await service.admin.post(service.mirakl(), "/_sandbox/threads", written)
        await service.admin.post(service.mirakl(), "/_sandbox/incidents", {"order_line_id": f"{order_id}-1"})

        async def counted() -> bool:
            found = (await threads.watch(service.parts.database)).get(FR)
            return found is not None and (found.threads, found.incidents) == (1, 1)

        await until(counted, "both are counted")
        answered = {"id": thread["id"], "answered": True}
        await service.admin.post(service.mirakl(), "/_sandbox/threads", answered)
        await service.admin.post(
            service.mirakl(), "/_sandbox/incidents", {"order_line_id": f"{order_id}-1", "close": True}
        )

        async def nothing() -> bool:
            return not await threads.watch(service.parts.database)

        await until(nothing, "neither is")


async def test_a_return_that_is_told_again_as_it_was_refunded_needs_nobody(database_url: str) -> None:
    async with shop(database_url, 'returns = {unannounced = "refund"}') as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku, "quantity": 3, **TAXED}, tax_mode="TAX_EXCLUDED")
        parcel = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=3)
        made = await back(service, parcel, (sku, 2), shipping_cost="all")
        await line_becomes(service, order_id, refunded=2)
        await intent_becomes(service, order_id, "refund", "done", "given back")

        await service.admin.post(service.centra, "/_sandbox/returns/uncomplete", {"return": made["id"]})
        await intent_becomes(service, order_id, "refund", "held", "undone")
        await service.admin.post(service.centra, "/_sandbox/returns/complete", {"return": made["id"]})
        await intent_becomes(service, order_id, "refund", "done", "what was given back")
        await service.admin.post(service.centra, "/_sandbox/returns/refund", {"return": made["id"]})

        async def paid() -> bool:
            [refund] = [i for i in await noted(service, order_id) if i["kind"] == "refund"]
            return json.loads(refund["body"])["payment_entry"] is not None and refund["state"] == "done"

        await until(paid, "the payment entry is noted, and nobody is asked")
        assert (await line(service, order_id))["refunded"] == 2, "and it is refunded once"


async def test_a_refund_that_is_there_already_and_that_nobody_can_explain_is_asked_about(database_url: str) -> None:
    """Made by hand in the back office, or by us before the database was restored to an older state."""
    async with shop(database_url, 'returns = {unannounced = "refund"}') as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku, "quantity": 2})
        parcel = await ship(service, order_id)
        await line_becomes(service, order_id, shipped=2)
        by_hand = {"order_id": order_id, "lines": [{"sku": sku, "quantity": 1}], "reason_code": "17"}
        await service.admin.post(service.mirakl(), "/_sandbox/refunds", by_hand)
        await back(service, parcel, (sku, 1))

        held = await intent_becomes(service, order_id, "refund", "held", "an equal refund that nobody here made")
        assert (await line(service, order_id))["refunded"] == 1, "nothing is sent on a guess"
        let_go = await service.command("held", "retry", f"i{held['id']}", "--who", "Tove", "--why", "both are owed")
        assert let_go.code == 0, let_go.errors
        await line_becomes(service, order_id, refunded=2)
