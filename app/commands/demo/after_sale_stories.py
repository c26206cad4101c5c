"""The thirteen orders of the demo's last act: what the buyer, the warehouse and the marketplace do to each.

A script does what people do, and waits until the other side shows what must follow. On the first channel a parcel has a
tracking of its own, on the second an order has one. Everybody in it is invented.
"""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from app.commands.demo.after_sale_ends import AfterSale
from app.commands.demo.stage import Line, Scene, Story
from app.commands.lab import Json
from app.commands.lab_time import let_pass
from app.store.intents import Intent, Kind

MAPS, RETRIES = "Ilva of operations", "Tove of finance"
STRANGER = "Nord Express"
DAY_SECONDS = 86_400.0
READING_SECONDS = 1.5
"""Real seconds for which a person looks at what is held."""


# ------------------------------------------------------------------------------------------------------ the scripts


async def _unmapped_carrier(scene: Scene) -> None:
    scene.say("a first parcel leaves with PostNord")
    await scene.ship((0, 1))
    await scene.becomes(shipped=1)
    scene.say(f"the second leaves with {STRANGER}")
    await scene.ship(carrier=STRANGER)
    held = await scene.held(Kind.SHIPMENT)
    scene.say(f"[yellow]held:[/] {held.reason}")
    await anyio.sleep(READING_SECONDS)
    scene.say(f'carriers map {scene.channel} "{STRANGER}" DHL')
    await scene.stage.command(
        "carriers", "map", scene.channel, STRANGER, "DHL", "--who", MAPS, "--why", "a new carrier"
    )
    await scene.becomes(2, order_state="SHIPPED")
    scene.say(f"{STRANGER} is mapped, the order shipped")


async def _two_parcels_one_tracking(scene: Scene) -> None:
    scene.say("a first parcel leaves, and is not told yet")
    await scene.ship((1, 1))
    scene.say("the last leaves: now all of it is told")
    await scene.ship()
    await scene.becomes(order_state="SHIPPED")
    scene.say("both told at once, shipped")


async def _cancelled_unpaid(scene: Scene) -> None:
    scene.say("paid on delivery; the shop cancels it")
    await scene.cancel()
    await scene.becomes(order_state="CANCELED")
    scene.say("cancelled there too, nothing was paid")


async def _line_cancelled_paid(scene: Scene) -> None:
    scene.say("a line is sold out, the shop cancels it")
    await scene.cancel((4, 2))
    await scene.becomes(2, refunded=2, excluded=2)
    scene.say("paid back, and not to be shipped any more")
    await scene.ship()
    await scene.becomes(order_state="SHIPPED")
    scene.say("the line paid back, the rest shipped")


async def _unit_cancelled_paid(scene: Scene) -> None:
    scene.say("one of three is damaged, and cancelled")
    await scene.cancel((5, 1))
    await scene.becomes(refunded=1, excluded=1)
    scene.say("paid back, and not to be shipped any more")
    await scene.ship()
    await scene.becomes(shipped=2, order_state="SHIPPED")
    scene.say("one paid back, two shipped")


async def _all_cancelled_paid(scene: Scene) -> None:
    scene.say("the warehouse can't find it: cancelled")
    await scene.cancel()
    await scene.becomes(refunded=2, excluded=2)
    scene.say("all paid back, its shipping too")


async def _part_then_rest(scene: Scene) -> None:
    scene.say("shipped")
    parcel = await scene.ship()
    await scene.becomes(shipped=3)
    scene.say("one comes back, with 2.00 of shipping")
    await scene.come_back(parcel, (7, 1), shipping_cost=2.0)
    await scene.becomes(refunded=1)
    scene.say("the others come back, with all that is left")
    await scene.come_back(parcel, shipping_cost="all")
    await scene.becomes(refunded=3)
    scene.say("two refunds, both taxes to the cent")


async def _all_back(scene: Scene) -> None:
    scene.say("shipped")
    parcel = await scene.ship()
    await scene.becomes(shipped=2)
    scene.say("the parcel comes back, Centra credits it all")
    await scene.come_back(parcel, shipping_cost="all")
    await scene.becomes(refunded=2)
    scene.say("given back in full, both taxes and shipping")


async def _buyers_return(scene: Scene) -> None:
    place = scene.story.lines[0].sku
    await scene.ship()
    scene.say("shipped; the buyer asks to send one back")
    await scene.becomes(shipped=2)
    asked = await scene.there("returns", order_id=scene.order_id, lines=[{"sku": scene.sku(place), "quantity": 1}])
    wanted = str(asked["id"])
    expected = await scene.stage.until(
        lambda ends: next((made for made in ends.returns if made.external_id == wanted), None), "Centra expects it"
    )
    scene.say(f"accepted, expected in Centra as {expected.id}")
    await scene.in_centra("returns/complete", **{"return": expected.id})
    scene.say("the warehouse has it back")
    await scene.becomes(refunded=1)
    await scene.stage.until(lambda ends: ends.sold[scene.channel].returns[wanted].state == "CLOSED", "it is closed")
    scene.say("received, checked, given back, closed")


async def _marketplace_refund(scene: Scene) -> None:
    place = scene.story.lines[0].sku
    await scene.ship()
    scene.say("shipped")
    await scene.becomes(shipped=2)
    scene.say("the marketplace gives money back by itself")
    await scene.there("refunds", order_id=scene.order_id, lines=[{"sku": scene.sku(place), "quantity": 1}])
    number = scene.number

    def credited(ends: AfterSale) -> bool:
        return any(made.order == number and made.is_completed for made in ends.returns)

    await scene.stage.until(credited, "Centra has the return")
    scene.say("credited in Centra, and not refunded twice")


async def _no_balance(scene: Scene) -> Intent:
    """A return that the balance does not cover, when all other refunds are made."""
    scene.say("shipped; waits until the balance is low")
    parcel = await scene.ship()
    await scene.becomes(shipped=1)
    await scene.stage.others_done.wait()
    scene.say("comes back, and the balance is too low")
    await scene.there("balance", pending=0)
    await scene.come_back(parcel, shipping_cost="all")
    held = await scene.held(Kind.REFUND)
    scene.say(f"[yellow]held for finance:[/] {held.amount} {held.currency}, no balance")
    await anyio.sleep(READING_SECONDS)
    await scene.there("balance", pending=None)
    return held


async def _balance_and_a_person(scene: Scene) -> None:
    try:
        held = await _no_balance(scene)
        scene.say(f"held retry i{held.id}")
        await scene.stage.command("held", "retry", f"i{held.id}", "--who", RETRIES, "--why", "the balance is topped up")
        await scene.becomes(refunded=1)
    finally:
        scene.stage.retried.set()
    scene.say("held, given back once the balance is there")


async def _balance_and_a_day(scene: Scene) -> None:
    await _no_balance(scene)
    await scene.stage.retried.wait()
    scene.say("the balance is there again; a day goes by")
    await let_pass(scene.stage.lab, DAY_SECONDS)
    await scene.becomes(refunded=1)
    scene.say("held, given back by itself a day later")


# --------------------------------------------------------------------------------------------------------- the cast

_TAXES: Json = [{"code": "STATE", "amount": 11.37, "rate": 4.75}, {"code": "STATE", "amount": 2.39, "rate": 1.0}]
_SHIPPING_TAXES: Json = [{"code": "STATE", "amount": 0.47}, {"code": "STATE", "amount": 0.05}]
TAXED: Mapping[str, Json] = {"shipping_price": 4.9, "taxes": _TAXES, "shipping_taxes": _SHIPPING_TAXES}
"""Two taxes of one code, on goods and shipping."""
POSTAGE: Mapping[str, Json] = {"shipping_price": 4.9}
WITHOUT_TAX: Mapping[str, Json] = {"tax_mode": "TAX_EXCLUDED"}
ON_DELIVERY: Mapping[str, Json] = {"payment_workflow": "PAY_ON_DELIVERY"}
AUDITED = "AFTER-17-A"
"""The order whose refund the audit is shown of."""

FR, SE = 0, 1
STORIES: tuple[Story, ...] = (
    Story("two parcels, new carrier", FR, "AFTER-11-A", (Line(0, 2), Line(1)), _unmapped_carrier, 5),
    Story("cancelled before payment", FR, "AFTER-12-A", (Line(2, 2),), _cancelled_unpaid, 2, ON_DELIVERY),
    Story("a paid line is cancelled", FR, "AFTER-13-A", (Line(3), Line(4, 2)), _line_cancelled_paid, 3),
    Story("comes back in two parts", FR, "AFTER-14-A", (Line(7, 3, 79.7, TAXED),), _part_then_rest, 4, WITHOUT_TAX),
    Story("the buyer returns one", FR, "AFTER-15-A", (Line(8, 2),), _buyers_return, 4),
    Story("the marketplace refunds", FR, "AFTER-16-A", (Line(9, 2),), _marketplace_refund, 3),
    Story("no balance, a person", FR, AUDITED, (Line(13, 1, 119.45, TAXED),), _balance_and_a_person, 5, WITHOUT_TAX),
    Story("parcels, one tracking", SE, "AFTER-21-A", (Line(1), Line(10)), _two_parcels_one_tracking, 3),
    Story("a paid unit is cancelled", SE, "AFTER-22-A", (Line(5, 3),), _unit_cancelled_paid, 3),
    Story("all is cancelled, paid", SE, "AFTER-23-A", (Line(6, 2, 59.9, POSTAGE),), _all_cancelled_paid, 2),
    Story("all of it comes back", SE, "AFTER-24-A", (Line(11, 2, 85.69, TAXED),), _all_back, 3),
    Story("the buyer returns one", SE, "AFTER-25-A", (Line(12, 2),), _buyers_return, 4),
    Story("no balance for a day", SE, "AFTER-26-A", (Line(14, 1, 89.0, POSTAGE),), _balance_and_a_day, 5),
)
LAST = (_balance_and_a_person, _balance_and_a_day)
"""Scripts that wait until the others are done."""
SKUS = 15
