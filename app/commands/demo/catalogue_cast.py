"""The twelve products of the demo that are broken, each in a way of its own, and how three of them are mended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from app.commands.lab import LIST, Json

PRODUCTS = 300
BAD_EAN, GOOD_EAN, SHARED_EAN = "7310000000001", "7311111111114", "7312222222225"
LONG = " that keeps you warm and dry when the wind turns north" * 3
PICTURE = "media.northwater.example/new.jpg"


class SoldSize(msgspec.Struct, frozen=True):
    sku: str
    ean: str | None = None


class SoldVariant(msgspec.Struct, frozen=True):
    id: int
    sizes: list[SoldSize]


class SoldProduct(msgspec.Struct, frozen=True):
    """A product in Centra, as its stand-in shows it. Prices by price list."""

    id: int
    number: str
    name: str
    prices: dict[str, str]
    variants: list[SoldVariant]

    @property
    def sizes(self) -> list[SoldSize]:
        return [size for variant in self.variants for size in variant.sizes]

    @property
    def skus(self) -> list[str]:
        return [size.sku for size in self.sizes]

    @property
    def price(self) -> float:
        """In the marketplaces' price list; 0 where it has none."""
        return float(self.prices.get(str(LIST), 0))


Changes = Callable[[SoldProduct], Sequence[dict[str, Json]]]


@dataclass(frozen=True, slots=True)
class Broken:
    """A way to be broken. `place`: in the list of products; `words`: what people must read of it.

    `changes`: what somebody does to it in Centra. `mends`: how it is mended, if it is. `reason`: of the operator, who
    rejects it.
    """

    way: str
    place: int
    words: str
    changes: Changes
    mends: Changes | None = None
    reason: str = ""


def _display(**members: Json) -> Changes:
    return lambda product: [{"product": product.id, "display": dict(members)}]


def _sizes(change: Callable[[str], dict[str, Json]]) -> Changes:
    return lambda product: [{"sku": sku, **change(sku)} for sku in product.skus]


def _first(**members: Json) -> Changes:
    return lambda product: [{"sku": product.skus[0], **members}]


def _titles(text: str) -> Changes:
    return _display(texts={"fr": {"name": f"Pull du fjord{text}"}, "sv": {"name": f"Fjordens tröja{text}"}})


def _colour(product: SoldProduct) -> list[dict[str, Json]]:
    attributes: Json = {"var_colour": {"options": ["Saffron"]}}
    return [{"variant": variant.id, "attributes": attributes} for variant in product.variants]


BROKEN = (
    Broken("no EAN", 14, "is required and empty", _sizes(lambda _: {"ean": None})),
    Broken("a wrong check digit", 37, "check digit", _first(ean=BAD_EAN), _first(ean=GOOD_EAN)),
    Broken("one EAN for all sizes", 61, "is the EAN of", _sizes(lambda _: {"ean": SHARED_EAN})),
    Broken("a category that is not mapped", 85, "category 'women' is not mapped", _display(category="women")),
    Broken("a colour that is not mapped", 109, "'Saffron' is not mapped", _colour),
    Broken("a title that is too long", 130, "characters, at most", _titles(LONG), _titles("")),
    Broken("a picture without https", 153, "https address", _display(media=[f"http://{PICTURE}"])),
    Broken("no translation", 177, "is required and empty", _display(texts={"fr": None, "sv": None})),
    Broken("a price below the floor", 201, "below the floor", _display(prices={str(LIST): "0.50"})),
    Broken("a price in another currency only", 225, "has no price for it", _display(prices={str(LIST): None})),
    Broken(
        "the operator rejects its picture",
        249,
        "Blurred picture",
        lambda _: [],
        _display(media=[f"https://{PICTURE}"]),
        reason="Blurred picture",
    ),
    Broken("a SKU with a slash", 273, "has a /", _sizes(lambda sku: {"new_sku": sku.replace("-", "/")})),
)
