"""Field cases about accepting and cancelling (part C), each as a test of its kind; 42 by value is a policy's test."""

from datetime import timedelta

import pytest

from app.domain.progress import Choice, Outcome
from app.store import orders
from tests.flows.service import FR, SE, Service, counted, deployed, order_shape, running, serving, until
from tests.standins import Json

AT_ONCE: Json = {"address_seconds": 0}
THREE = {FR: "hold", SE: "refuse", "demo-de": "accept"}
"""Channels, and what becomes of an order with some lines short where the marketplace takes one answer for all."""


async def test_field_case_42_partial_acceptance_is_not_allowed(database_url: str) -> None:
    """One refusal teaches it: the channel's policy decides that order and the next, and no other answer is refused."""
    lines = {channel: f'partial = "{policy}"' for channel, policy in THREE.items()}
    whole_only: Json = {"orders": {"partial_acceptance": False}}
    wanted = order_shape(channels=tuple(THREE), order_lines=lines, mirakl=whole_only)
    async with deployed(database_url, wanted) as place:
        there, gone = (size["sku"] for size in (await place.sizes())[:2])
        await place.sell(gone, 0)
        async with serving(place) as service:
            for order_id in ("D-3001-A", "D-3002-A"):
                both: Json = {"order_id": order_id, "lines": [{"sku": there}, {"sku": gone}]}
                for channel in THREE:
                    await service.place(both, channel=channel)
                assert "all or none" in await service.asks(order_id, FR)
                await service.ends(Outcome.REFUSED, order_id, channel=SE)
                await service.ends(Outcome.RELEASED, order_id, channel="demo-de")
                [line, short] = (await service.entry(order_id, "demo-de"))["lines"]
                assert (sum(line["allocated"].values()), sum(short["demand"].values())) == (1, 1)
                for channel in THREE:
                    answers = [call["status"] for call in await service.calls(service.mirakl(channel), "OR21")]
                    assert answers.count(400) == 1, f"{channel} was told once"
            assert await service.decided(FR) == []
            assert await service.decided(SE) == ["D-3001-A", "D-3002-A"]

            await service.choose("D-3001-A", Choice.ACCEPT)
            await service.choose("D-3002-A", Choice.REFUSE)
            await service.ends(Outcome.REFUSED, "D-3002-A")

            async def both_decided() -> bool:
                return sorted(await service.decided(FR)) == ["D-3001-A", "D-3002-A"]

            await until(both_decided, "what a person decides is sent")


async def test_field_case_44_paused_is_not_blind(database_url: str) -> None:
    """Nothing is written, 61 of 72 hours are gone: the watch says so from live data, and the lapse is seen."""
    lines = {FR: f"accept_within_seconds = {72 * 3_600}"}
    async with deployed(database_url, order_shape(orders="dry_run", order_lines=lines)) as place:
        sku = (await place.sizes())[0]["sku"]
        await place.place({"order_id": "D-3003-A", "lines": [{"sku": sku}], "created_ago_seconds": 61 * 3_600})
        async with serving(place) as service:
            await service.becomes("D-3003-A", lambda record: record.decided)
            watch = (await orders.watch(service.parts.database))[FR]
            assert watch.unaccepted == 1
            assert watch.used_window == pytest.approx(61 / 72, abs=0.01)
            assert watch.first_deadline is not None
            left = watch.first_deadline - service.parts.clock.now()
            assert timedelta(hours=10) < left <= timedelta(hours=11)
            lapsed = counted("orders_ended_total", scope=FR, outcome="lapsed")
            another = await service.buy(sku)
            await service.becomes(another, lambda record: record.order)  # it goes on reading
            await service.jump(left.total_seconds())
            await service.ends(Outcome.LAPSED, "D-3003-A")
            assert counted("orders_ended_total", scope=FR, outcome="lapsed") == lapsed + 1
            assert await service.decided() == []


async def test_field_case_46_cancelled_in_the_shop_and_alive_at_the_marketplace(database_url: str) -> None:
    """Held with the reason, whether the order waits for payment or was released already; nothing is sent on a guess."""
    async with running(database_url, order_shape()) as service:
        sku = (await service.sizes())[0]["sku"]
        await service.webhooks_on()
        line: Json = {"lines": [{"sku": sku}], **AT_ONCE}
        waiting, released = await service.place(
            {"order_id": "D-3004-B", "debit": None, **line}, {"order_id": "D-3004-A", **line}
        )
        await service.ends(Outcome.RELEASED, released)
        await service.becomes(waiting, lambda r: r.order.state == "WAITING_DEBIT_PAYMENT" and r.checked_at)
        for order_id in (waiting, released):
            await _cancel_in_centra(service, order_id)
            assert "cancelled in Centra" in await service.asks(order_id)
        assert {order["state"] for order in (await service.bought()).values()} == {"WAITING_DEBIT_PAYMENT", "SHIPPING"}
        assert await service.calls(service.mirakl(), "OR29") == []


async def _cancel_in_centra(service: Service, order_id: str) -> None:
    number = (await service.entry(order_id))["number"]
    await service.admin.post(service.centra, "/_sandbox/orders/cancel", {"number": number})


async def test_field_case_16_a_price_far_below_ours_waits_for_a_person(database_url: str) -> None:
    """Held before anything is accepted or entered; whoever decides, decides once.

    Beside it an order of which a part is accepted, where that is allowed: one call, and that part goes to Centra.
    """
    async with deployed(database_url, order_shape()) as place:
        sku, gone = (size["sku"] for size in (await place.sizes())[:2])
        await place.sell(gone, 0)
        cheap: Json = {"lines": [{"sku": sku, "price_unit": 19.90}]}
        async with serving(place) as service:
            await service.at_rest()  # our own prices are read
            yes, no, fair, part = await service.place(
                {**cheap, **AT_ONCE},
                cheap,
                {"lines": [{"sku": sku, "price_unit": 44.90}]},
                {"lines": [{"sku": sku}, {"sku": gone}], **AT_ONCE},
            )
            await service.ends(Outcome.RELEASED, fair, part)
            assert [line["sku"] for line in (await service.entry(part))["lines"]] == [sku]
            states = {line["sku"]: line["state"] for line in (await service.bought())[part]["lines"].values()}
            assert states == {sku: "SHIPPING", gone: "REFUSED"}
            for order_id in (yes, no):
                words = await service.asks(order_id)
                assert "19.90 EUR" in words
                assert "59.9" in words
                assert await service.entered(order_id) == []
            assert sorted(await service.decided()) == sorted([fair, part])

            await service.choose(yes, Choice.ACCEPT)
            await service.choose(no, Choice.REFUSE)
            await service.ends(Outcome.RELEASED, yes)
            await service.ends(Outcome.REFUSED, no)
            assert sorted(await service.decided()) == sorted([fair, part, yes, no])
            assert (await service.entry(yes))["totals"]["grand_total"] == 19.90
            assert await service.entered(no) == []
