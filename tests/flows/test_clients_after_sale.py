"""The calls after the sale against both stand-ins, with the policies between them, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio

from app.centra.after_sale import OrderAfterSale
from app.centra.client import CentraClient
from app.centra.returns import COMPLETED, NewReturn
from app.domain.after_sale import Advice, Cancelled, Credit, ReturnedLine, Stop, taken
from app.domain.orders import Order
from app.mirakl.after_schema import (
    Document,
    LineCheck,
    NewShipment,
    Packed,
    ReturnCheck,
    ReturnDecision,
    Tracking,
)
from app.mirakl.client import MiraklClient
from app.mirakl.order_facts import told_of
from app.mirakl.order_schema import OrderQuery
from app.mirakl.refunds import cancelation_line, refund_line, refund_refusal
from app.policies.cancellations import CancelPolicy, Part, how_to_cancel
from app.policies.refund_match import Found, match
from app.policies.refunds import RefundPolicy, kind_of_stop, refund_for
from app.wire.outcome import Applied, RefusalKind, Refused
from tests.flows.test_clients_against_sandbox import Both, transport_to, value_of
from tests.permits_in_memory import PermitsInMemory
from tests.standins import Json, Sandbox

SHOP_ID = 2001
POSTNORD = Tracking(carrier_code="POSTNORD", tracking_number="PN-1")
POLICY = RefundPolicy()
TAXES = [{"code": "VAT", "amount": 11.98}, {"code": "ECO", "amount": 0.20}]
LINE: Json = {
    "sku": "VX-1-M",
    "quantity": 2,
    "price_unit": 29.95,
    "shipping_price": 4.90,
    "taxes": TAXES,
    "shipping_taxes": [{"code": "VAT", "amount": 0.98}],
}
PDF = Document("invoice-1.pdf", b"%PDF-1.7 invented")


@pytest_asyncio.fixture
async def both(sandbox: Callable[[Json], Sandbox]) -> AsyncIterator[Both]:
    shop: Json = {"key": "k-fr", "shop_id": SHOP_ID, "currency": "EUR"}
    single = {"configuration": {"features": {"shipment": {"multi_shipment": False}}}}
    stand_ins = await asyncio.to_thread(
        sandbox,
        {
            "clock": {"scale": 60.0},
            "centra": {"token": "t-centra", "plan": "Enterprise", "catalogue": {"sizes": 30}},
            "mirakl": [
                {"id": "demo-fr", "offers": [{"sku": "VX-1-M", "quantity": 9}], **shop},
                {"id": "single", "offers": [{"sku": "VX-1-M", "quantity": 9}], "shop": single, **shop},
            ],
        },
    )
    permits = PermitsInMemory()
    async with (
        transport_to(stand_ins.centra, "Bearer t-centra") as to_centra,
        transport_to(stand_ins.mirakl["demo-fr"], "k-fr") as to_mirakl,
    ):
        centra = CentraClient(to_centra, permits, "source")
        yield Both(stand_ins, centra, MiraklClient(to_mirakl, permits, "demo-fr", SHOP_ID), permits)


async def placed(both: Both, *, shop: str | None = None, line: Json | None = None, **members: object) -> str:
    """An order of two units, to be shipped."""
    order = {"lines": [{**LINE, **(line or {})}], "state": "SHIPPING", **members}
    answer = await both.sandbox.post(shop or both.shop, "/_sandbox/orders", {"orders": [order]})
    return str(answer["orders"][0])


async def read(both: Both, order_id: str) -> Order:
    await both.sandbox.advance(5)
    page = value_of(await both.mirakl.or11_list_orders(OrderQuery(order_ids=(order_id,))))
    (raw,) = page.orders.items
    return told_of(raw).order


async def true_line(both: Both, order_id: str) -> Json:
    """What the marketplace really did with the order's only line."""
    found = await both.sandbox.get(both.shop, f"/_sandbox/after?order_id={order_id}")
    line: Json = found["lines"][f"{order_id}-1"]
    return line


def credit(order: Order, units: int, value: str, shipping: str) -> Credit:
    lines = (ReturnedLine(order.lines[0].line_id, units, Decimal(value)),)
    return Credit(501, 40_001, True, lines, order.currency, Decimal(shipping))


@pytest.mark.parametrize("mode", ["TAX_INCLUDED", "TAX_EXCLUDED"])
async def test_credits_become_refunds_until_nothing_is_left(both: Both, mode: str) -> None:
    """Each is found again by what the order shows, and the last one takes what is left of every tax."""
    order_id = await placed(both, tax_mode=mode)
    before = await read(both, order_id)
    line = before.lines[0]
    excluded = mode == "TAX_EXCLUDED"
    whole = line.price + (sum(tax.amount for tax in line.taxes) if excluded else 0)
    shipping = line.shipping_price + (sum(tax.amount for tax in line.shipping_taxes) if excluded else 0)
    first = (whole / 3).quantize(Decimal("0.01"))
    for units, value, of_shipping in ((1, first, Decimal("1.01")), (1, whole - first, shipping - Decimal("1.01"))):
        order = await read(both, order_id)
        known = frozenset(entry.refund_id for entry in taken(order))
        entries = refund_for(credit(order, units, str(value), str(of_shipping)), order, taken(order), POLICY, {})
        assert not isinstance(entries, Stop), entries
        made = value_of(await both.mirakl.or28_refund([refund_line(entry) for entry in entries], order.tax_mode))
        now = await read(both, order_id)
        found = match(entries, known, taken(now), currency=now.currency)
        assert found == Found(tuple(refund.refund_id for refund in made.refunds))
        assert {entry.group for entry in taken(now)} >= {refund.order_refund_id for refund in made.refunds}
    truth = await true_line(both, order_id)
    assert truth["refunded_total"] == float(whole + shipping)
    assert truth["refunded_taxes"] == pytest.approx(13.16)


async def test_too_little_balance_has_its_own_advice(both: Both) -> None:
    order = await read(both, await placed(both))
    await both.sandbox.post(both.shop, "/_sandbox/balance", {"pending": 1})
    entries = refund_for(credit(order, 1, "29.95", "0"), order, taken(order), POLICY, {})
    assert not isinstance(entries, Stop)
    refused = await both.mirakl.or28_refund([refund_line(entry) for entry in entries], order.tax_mode)
    assert isinstance(refused, Refused)
    stop = kind_of_stop(refund_refusal(refused), refused.reason)
    assert isinstance(stop, Stop)
    assert stop.advice is Advice.RETRY_DAILY
    assert taken(await read(both, order.order_id)) == ()


async def test_a_cancelled_unit_is_told_and_seen_once(both: Both) -> None:
    await both.sandbox.post(both.shop, "/_sandbox/shop", {"orders": {"or30": True}})
    members: Json = {"payment_workflow": "PAY_ON_DELIVERY", "debit": None}
    order = await read(both, await placed(both, **members))
    lines = (Cancelled(order.lines[0].line_id, 1),)
    how = how_to_cancel(order, lines, taken(order), CancelPolicy(), or30=True)
    assert isinstance(how, Part), how
    value_of(await both.mirakl.or30_cancel([cancelation_line(entry) for entry in how.lines], order.tax_mode))
    now = await read(both, order.order_id)
    (entry,) = taken(now)
    assert (entry.cancelation, entry.quantity, now.lines[0].cancelled_quantity) == (True, 1, 1)
    assert [tax.code for tax in entry.taxes] == ["VAT", "ECO"]
    assert how_to_cancel(now, lines, taken(now), CancelPolicy(), or30=True) is None
    assert (await true_line(both, order.order_id))["cancelled"] == 1


async def test_the_operators_refund_and_cancelation_are_seen(both: Both) -> None:
    order_id = await placed(both, line={"quantity": 3})
    lines = [{"sku": "VX-1-M", "quantity": 1}]
    await both.sandbox.post(both.shop, "/_sandbox/refunds", {"order_id": order_id, "lines": lines})
    await both.sandbox.post(both.shop, "/_sandbox/refunds", {"settle": "all"})
    await both.sandbox.post(both.shop, "/_sandbox/cancelations", {"order_id": order_id, "lines": lines})
    refund, cancelation = taken(await read(both, order_id))
    assert (refund.state, refund.reason, bool(refund.transaction), refund.paid_at is None) == (
        "REFUNDED",
        "14",
        True,
        False,
    )
    assert (cancelation.cancelation, cancelation.reason) == (True, "34")


async def test_parcels_from_made_to_shipped(both: Both) -> None:
    mirakl, order_id = both.mirakl, await placed(both)
    line_id = f"{order_id}-1"
    parcel = NewShipment(order_id=order_id, shipment_lines=(Packed(order_line_id=line_id, quantity=1),))
    made = value_of(await mirakl.st01_create_shipment(parcel))
    assert made.units == {line_id: 1}
    assert value_of(await mirakl.st23_update_tracking({made.id: POSTNORD})) == {made.id: Applied(None)}
    sent = value_of(await mirakl.st24_ship_shipments([made.id, "unknown"]))
    assert sent[made.id] == Applied(None)
    assert isinstance(sent["unknown"], Refused)
    other = value_of(await mirakl.st01_create_shipment(parcel))
    beyond = await mirakl.st01_create_shipment(parcel)
    assert isinstance(beyond, Refused)
    assert value_of(await mirakl.st06_delete_shipments([other.id])) == {other.id: Applied(None)}
    listed = value_of(await mirakl.st11_list_shipments([order_id]))
    assert [(one.id, one.status) for one in listed.rows.items] == [(made.id, "SHIPPED")]
    assert listed.next_token is None
    assert (await true_line(both, order_id))["shipped"] == 1


async def test_one_tracking_where_shipments_are_off(both: Both) -> None:
    shop = both.sandbox.mirakl["single"]
    order_id = await placed(both, shop=shop)
    async with transport_to(shop, "k-fr") as transport:
        single = MiraklClient(transport, both.permits, "single", SHOP_ID)
        parcel = NewShipment(order_id=order_id, shipment_lines=(Packed(order_line_id=f"{order_id}-1", quantity=2),))
        refused = await single.st01_create_shipment(parcel)
        assert isinstance(refused, Refused)
        assert refused.kind is RefusalKind.MISSING
        value_of(await single.or23_update_tracking(order_id, POSTNORD))
        value_of(await single.or24_ship_order(order_id))
    told = await both.sandbox.get(shop, f"/_sandbox/after?order_id={order_id}")
    assert told["lines"][f"{order_id}-1"]["shipped"] == 2


async def test_a_return_walks_to_its_end(both: Both) -> None:
    mirakl, order_id = both.mirakl, await placed(both, state="SHIPPED")
    line_id = f"{order_id}-1"
    lines = [{"order_line_id": line_id, "quantity": 1}]
    opened = await both.sandbox.post(both.shop, "/_sandbox/returns", {"order_id": order_id, "lines": lines})
    return_id = str(opened["id"])
    (found,) = value_of(await mirakl.rt11_list_returns(datetime.now(UTC) - timedelta(days=9))).rows.items
    assert (found.id, found.state, found.return_lines[0].order_line_id) == (return_id, "WAITING_ACCEPTANCE", line_id)
    check = ReturnCheck(id=return_id, return_lines=(LineCheck(order_line_id=line_id, compliant=True),))
    steps = (
        await mirakl.rt21_decide_returns([ReturnDecision(id=return_id, accepted=True)]),
        await mirakl.rt25_receive_returns([return_id]),
        await mirakl.rt26_check_returns([check]),
        await mirakl.rt27_close_returns([return_id]),
    )
    assert [value_of(step) for step in steps] == [{return_id: Applied(None)}] * 4
    again = value_of(await mirakl.rt25_receive_returns([return_id]))[return_id]
    assert isinstance(again, Refused)
    (closed,) = value_of(await mirakl.rt11_list_returns(return_ids=[return_id])).rows.items
    assert (closed.state, closed.return_lines[0].compliant) == ("CLOSED", True)


async def test_incidents_threads_and_documents(both: Both) -> None:
    mirakl, order_id = both.mirakl, await placed(both, state="SHIPPED")
    incident = {"order_line_id": f"{order_id}-1"}
    await both.sandbox.post(both.shop, "/_sandbox/incidents", incident)
    assert (await read(both, order_id)).has_incident
    reasons = value_of(await mirakl.re01_list_reasons()).items
    ending = next(reason.code for reason in reasons if reason.type == "INCIDENT_CLOSE")
    value_of(await mirakl.or64_resolve_incident(order_id, f"{order_id}-1", ending))
    assert not (await read(both, order_id)).has_incident

    written = {"order_id": order_id, "body": "Where is it?", "topic": "Delivery"}
    thread = await both.sandbox.post(both.shop, "/_sandbox/threads", written)
    (found,) = value_of(await mirakl.m11_list_threads()).rows.items
    assert (found.id, found.metadata.shop_reply_needed_since is None) == (thread["id"], False)

    value_of(await mirakl.or74_upload_document(order_id, PDF, "CUSTOMER_INVOICE"))
    assert isinstance(await mirakl.or74_upload_document(order_id, PDF, "CUSTOMER_INVOICE"), Refused)
    (kept,) = value_of(await mirakl.or72_list_documents([order_id])).items
    assert (kept.order_id, kept.file_name) == (order_id, PDF.file_name)

    asked = await both.sandbox.post(both.shop, "/_sandbox/document-requests", {"order_id": order_id})
    (request,) = value_of(await mirakl.dr11_list_requests()).rows.items
    assert (request.id, request.entity_id) == (asked["id"], order_id)
    value_of(await mirakl.dr74_upload_document(request.id, PDF, "INV-1"))
    await both.sandbox.advance(60)
    assert value_of(await mirakl.dr11_list_requests()).rows.items == ()


async def test_centras_shipments_and_returns(both: Both) -> None:
    centra, at = both.centra, both.sandbox.centra
    size = value_of(await centra.page_sizes(1, (), limit=1)).sizes[0]
    await both.sandbox.post(at, "/_sandbox/stock", {"changes": [{"size_id": size.id, "fta": 9}]})
    order = await both.sandbox.post(at, "/_sandbox/orders", {"sku": size.sku, "quantity": 2})
    number = int(order["number"])
    packed = {"number": number, "carrier": "PostNord", "service": "MyPack", "tracking_number": "PN-1"}
    shipment = await both.sandbox.post(at, "/_sandbox/shipments", packed)
    (found,) = (await _after_sale(centra, number)).shipments
    assert found.id == int(shipment["id"])
    assert (found.is_shipped, found.carrier, found.service, found.tracking_number) == (
        True,
        "PostNord",
        "MyPack",
        "PN-1",
    )
    change = {"shipment": shipment["id"], "tracking_number": "PN-2"}
    await both.sandbox.post(at, "/_sandbox/shipments/change", change)
    assert [one.tracking_number for one in (await _after_sale(centra, number)).shipments] == ["PN-2"]
    new = NewReturn(found.id, {found.lines[0].id: 1}, str(order["totals"]["currency"]), comment="late parcel")
    made = value_of(await centra.create_return(new, effect_id="e-1"))
    assert value_of(await centra.complete_return(made.id)).status == COMPLETED
    taken_back = {"number": number, "comment": "too small"}
    by_people = await both.sandbox.post(at, "/_sandbox/returns", taken_back)
    returns = (await _after_sale(centra, number)).returns
    assert {one.id for one in returns} == {made.id, by_people["id"]}
    [back] = [one for one in returns if one.id == by_people["id"]]
    assert (back.return_status, float(back.grand_total.value)) == (COMPLETED, by_people["grand_total"])
    await both.sandbox.post(at, "/_sandbox/returns/delete", {"return": made.id})
    assert [one.id for one in (await _after_sale(centra, number)).returns] == [by_people["id"]]


async def _after_sale(centra: CentraClient, number: int) -> OrderAfterSale:
    [order] = value_of(await centra.read_after_sale([number])).items
    return order
