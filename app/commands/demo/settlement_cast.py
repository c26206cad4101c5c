"""What the act of the settlement plays: eleven orders, what the operator charges, and what is planted among it.

A month of two billing cycles on two marketplaces: sold and paid in the first, partly given back in the second. Four
things are not as they should be; nothing else may differ. Everybody in it is invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, NamedTuple

from app.commands.demo.after_sale_stories import POSTAGE, TAXED, WITHOUT_TAX
from app.commands.demo.stage import Line, Scene, Story
from app.commands.lab import Json

FINANCE = "Tove of finance"
FR, SE = 0, 1
SKUS = 12

# --------------------------------------------------------------------------------------------------- the contract

RULES: Json = {"cycle_seconds": None, "subscription": 39.0}
"""The operator closes cycles by hand; the rest is the stand-in's: 15 % of price and shipping, and a tax of 25 %."""
ACCOUNTS: Mapping[str, str] = {
    "1580": "owed by the marketplace",
    "1930": "bank",
    "2611": "tax on sales",
    "2641": "tax on fees",
    "3041": "sales",
    "3990": "credits of the operator",
    "6050": "commission",
    "6061": "subscription",
    "6062": "penalties",
    "9999": "what has no account",
}
CLEARING, BANK, SUSPENSE = "1580", "1930", "9999"
GROUPS: Mapping[str, str] = {
    **dict.fromkeys(("order", "shipping", "refund", "refunded_shipping"), "3041"),
    **dict.fromkeys(("order_tax", "shipping_tax", "refund_tax", "refunded_shipping_tax"), "2611"),
    **dict.fromkeys(("commission", "refunded_commission"), "6050"),
    **dict.fromkeys(("commission_tax", "refunded_commission_tax", "subscription_tax", "penalty_tax"), "2641"),
    "manual_credit_tax": "2641",
    "manual_credit": "3990",
    "subscription": "6061",
    "penalty": "6062",
}


def _inline(table: Mapping[str, str]) -> str:
    return "{ " + ", ".join(f'{name} = "{value}"' for name, value in table.items()) + " }"


CONTRACT = f"""subscription = 39
commission = {{ share = 0.15, vat = 0.25 }}
accounts = {{ clearing = "{CLEARING}", bank = "{BANK}", suspense = "{SUSPENSE}", by_group = {_inline(GROUPS)} }}"""
"""Lines of [channel.settlement]."""
LEVELS = """acceptance_percent = { warning = 97, limit = 95 }
lapsed_in_a_row = { warning = 1, limit = 2 }
late_percent = { warning = 8, limit = 10 }
tracked_percent = { warning = 91, limit = 90 }
refunded_percent = { limit = 60 }"""
"""What the operators ask of their sellers."""

# ------------------------------------------------------------------------------------------------------ the scripts


async def _sold(scene: Scene) -> None:
    await scene.buy()
    await scene.ship()
    await scene.becomes(order_state="SHIPPED")
    scene.say(f"{scene.order_id} is shipped")


async def _sold_and_back(scene: Scene) -> None:
    await _sold(scene)
    await _comes_back(scene)


async def _comes_back(scene: Scene) -> None:
    """One unit of the first line."""
    number, first = scene.number, scene.story.lines[0]
    parcel = next(parcel.id for parcel in scene.stage.ends.parcels if parcel.order == number)
    await scene.come_back(parcel, (first.sku, 1))
    await scene.becomes(refunded=1)
    scene.say(f"{scene.order_id} is given back")


# --------------------------------------------------------------------------------------------------------- the cast


def _line(sku: int, quantity: int, price: float, shipping: float = 0.0) -> Line:
    """Prices contain a tax of 25 %."""
    more: dict[str, Json] = {"taxes": [_vat(quantity * price)]}
    if shipping:
        more |= {"shipping_price": shipping, "shipping_taxes": [_vat(shipping)]}
    return Line(sku, quantity, price, more)


def _vat(amount: float) -> dict[str, Json]:
    tax = (Decimal(str(amount)) / 5).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return {"code": "VAT25", "amount": float(tax), "rate": 25}


LATE, DEAR = "SETTLE-13-A", "SETTLE-22-A"
"""The orders that the operator fines for, and charges too much for."""
FIRST: tuple[Story, ...] = (
    Story("with shipping", FR, "SETTLE-11-A", (_line(0, 1, 59.9, 4.9),), _sold, 1),
    Story("one of three comes back later", FR, "SETTLE-12-A", (Line(1, 3, 79.7, TAXED),), _sold, 1, WITHOUT_TAX),
    Story("sent late, by the operator's clock", FR, LATE, (_line(2, 2, 75.0),), _sold, 1),
    Story(
        "a unit comes back at once",
        FR,
        "SETTLE-14-A",
        (_line(3, 2, 54.9), _line(4, 1, 49.9)),
        _sold_and_back,
        2,
    ),
    Story("all of it comes back later", SE, "SETTLE-21-A", (_line(5, 1, 129.0),), _sold, 1),
    Story("charged too much for", SE, DEAR, (_line(6, 1, 80.0, 4.0),), _sold, 1),
    Story("three of one", SE, "SETTLE-23-A", (_line(7, 3, 64.5, 4.9),), _sold, 1),
)
"""What is sold for the first cycle."""
SECOND: tuple[Story, ...] = (
    Story("two of one", FR, "SETTLE-15-A", (_line(8, 2, 64.5),), _sold, 1),
    Story("with shipping", FR, "SETTLE-16-A", (_line(9, 1, 149.0, 4.9),), _sold, 1),
    Story("two taxes, and shipping", SE, "SETTLE-24-A", (Line(10, 1, 119.45, TAXED),), _sold, 1, WITHOUT_TAX),
    Story("a unit comes back at once", SE, "SETTLE-25-A", (Line(11, 4, 69.9, POSTAGE),), _sold_and_back, 2),
)
"""What is sold for the second."""
ACROSS: tuple[Story, ...] = tuple(
    Story(story.title, story.channel, story.order_id, story.lines, _comes_back, 1)
    for story in FIRST
    if story.order_id in ("SETTLE-12-A", "SETTLE-21-A")
)
"""What was paid with the first cycle, and is given back in the second."""


class Decision(NamedTuple):
    """What a person says of a difference: a command of `settlement`, and why."""

    command: Literal["explain", "accept"]
    note: str


CLAIM = Decision("explain", "claimed from the operator, ticket OP-4711")
AGREED = Decision("accept", "agreed with the operator by mail")


@dataclass(frozen=True, slots=True)
class Planting:
    """What an operator does, by the stand-in's route and what it is told. `cycle`: in the first or in the second.

    `decision`: what finance says of the difference that comes of it.
    """

    words: str
    channel: int
    cycle: int
    route: str
    told: Mapping[str, Json]
    decision: Decision


PLANTED: tuple[Planting, ...] = (
    Planting(
        "a penalty",
        FR,
        1,
        "lines",
        {"type": "SELLER_PENALTY_FEE", "amount": -12.0, "tax": -3.0, "order_id": LATE, "description": "sent late"},
        AGREED,
    ),
    Planting(
        "a commission of 18 %, agreed are 15 %",
        SE,
        1,
        "commission",
        {"order_line_id": f"{DEAR}-1", "percent": 18},
        CLAIM,
    ),
    Planting(
        "a manual credit",
        SE,
        2,
        "documents",
        {"type": "MANUAL_CREDIT", "amount": 29.95, "tax": 7.49, "description": "a parcel that the carrier lost"},
        AGREED,
    ),
    Planting(
        "a pay-out one cent short",
        FR,
        2,
        "cycles",
        {"next": {"off_cents": -1}},
        AGREED,
    ),
)
