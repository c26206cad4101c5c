"""The sixty orders of the demo: what buyers order, and how each order must end. Everybody in it is invented."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.commands.lab import Json

ORDERS = 60
DEBIT_SECONDS = 40.0
"""App seconds from acceptance: over before the next pass, which comes a minute after the one that saw the order."""
ADDRESS_SECONDS = 61.0
"""App seconds from creation: after the pass that sees the order first."""
PRICE, POSTAGE = 59.9, 4.9
COUNTRIES = ("FRA", "DEU", "SWE", "DNK", "FIN", "NLD", "POL")
ORDINARY = "an order"
OPERATED = "DEMO-21-A"
"""The order that the marketplace's operator ships: none of our units are promised to it."""
RELAY = "f3a9c1.77d20b@notification.mirakl.example"
GIFT = "Grattis på dagen! · С днём рождения! · عيد ميلاد سعيد · 誕生日おめでとう"
KOSOVO: Json = {"country": "Kosovo", "city": "Prizren", "zip_code": "20000", "street_1": "Rruga e Ura 3"}


@dataclass(frozen=True, slots=True)
class Bought:
    """A line of an order."""

    sku: str
    quantity: int = 1
    postage: float = 0.0
    short: bool = False
    """We can't deliver it."""

    @property
    def total(self) -> float:
        return self.quantity * PRICE + self.postage


@dataclass(frozen=True, slots=True)
class Scene:
    """One order. `more`: further members of what the stand-in is told; `words`: what the warehouse must read."""

    story: str
    channel: str
    order_id: str
    bought: tuple[Bought, ...]
    ends: str = "released"
    more: Mapping[str, Json] = field(default_factory=dict)
    cancels: bool = False
    """The buyer cancels once the order was accepted."""
    buyer: tuple[str, str] | None = None
    """First and last name, where it is not the stand-in's choice; the address is `RELAY` then."""
    words: str = ""

    @property
    def enters(self) -> bool:
        """Whether an order is placed in Centra, if only for a while."""
        return self.ends in ("released", "waiting for payment", "cancelled")

    @property
    def delivered(self) -> dict[str, Bought]:
        """By line id: what is to be in Centra."""
        named = {f"{self.order_id}-{place}": line for place, line in enumerate(self.bought, 1)}
        return {line_id: line for line_id, line in named.items() if not line.short}

    @property
    def told(self) -> dict[str, Json]:
        """The order as the stand-in of the marketplace takes it."""
        lines: list[Json] = [
            {"sku": line.sku, "quantity": line.quantity, "price_unit": PRICE, "shipping_price": line.postage}
            for line in self.bought
        ]
        told: dict[str, Json] = {"order_id": self.order_id, "lines": lines, "debit": {"seconds": DEBIT_SECONDS}}
        if self.buyer:
            told |= {"email": RELAY, "customer": {"firstname": self.buyer[0], "lastname": self.buyer[1]}}
        return {**told, **self.more}


def cast(channels: Sequence[str], skus: Iterable[str], sold_out: str) -> list[Scene]:
    """The orders, over two channels; the first shows addresses at once, the second when an order may be shipped.

    Of each of `skus` there are units to spare, of `sold_out` none are left.
    """
    fr, se = channels
    of = iter(skus)
    twice, shared, gone = next(of), next(of), Bought(sold_out, short=True)

    def one(quantity: int = 1) -> tuple[Bought, ...]:
        return (Bought(next(of), quantity),)

    scenes = [
        Scene("two lines of one SKU", fr, "DEMO-11-A", (Bought(twice), Bought(twice, 2))),
        Scene("a line short of stock", se, "DEMO-12-A", (*one(), gone)),
        Scene("all of it short of stock", fr, "DEMO-13-A", (gone,), "refused"),
        Scene("an address that comes late", fr, "DEMO-14-A", one(), more={"address_seconds": ADDRESS_SECONDS}),
        Scene("a debit that never comes", fr, "DEMO-15-A", one(), "waiting for payment", {"debit": None}),
        Scene("the buyer cancels", fr, "DEMO-16-A", one(2), "cancelled", {"debit": None}, cancels=True),
        Scene("a basket over two shops", fr, "DEMO-17-A", (Bought(shared),), more={"commercial_id": "DEMO-17"}),
        Scene("its other half", se, "DEMO-17-B", (Bought(shared),), more={"commercial_id": "DEMO-17"}),
        Scene("two buyers, one relay address", se, "DEMO-18-A", one(), buyer=("Maren", "Ostergaard")),
        Scene("the other buyer", se, "DEMO-19-A", one(), buyer=("Tibor", "Vantongeren")),
        Scene("an address in Kosovo", fr, "DEMO-20-A", one(), more={"country": "XKX", "address": KOSOVO}),
        Scene("the operator ships it", se, OPERATED, one(), "recorded", {"fulfillment": "HUB", "take_stock": False}),
        Scene("a gift text in four scripts", se, "DEMO-22-A", one(), more={"additional_fields": [_gift()]}, words=GIFT),
    ]
    return scenes + [_ordinary(n, channels[n % 2], next(of)) for n in range(ORDERS - len(scenes))]


def _gift() -> Json:
    return {"code": "gift-message", "type": "STRING", "value": GIFT}


def _ordinary(number: int, channel: str, sku: str) -> Scene:
    more: dict[str, Json] = {"country": COUNTRIES[number % len(COUNTRIES)]}
    if number % 9 == 0:
        more["shipping_type"] = {"code": "EXP", "label": "Express"}
    line = Bought(sku, 1 + number % 3, POSTAGE if number % 4 else 0.0)
    return Scene(ORDINARY, channel, f"DEMO-{number + 31}-A", (line,), more=more)
