"""A product as Centra describes it: what a marketplace may be told of it.

Texts are kept by language; `OWN` is the shop's own language, whichever that is. Nothing here is translated, rounded or
filled in: what Centra did not give is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from app.domain.ids import SizeId, Sku

OWN = ""
"""The language that the shop itself is written in."""

Texts = Mapping[str, Mapping[str, str]]
"""By language (`OWN`, `fr`), then by field (`name`, `description`). Empty texts are left out."""


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """One element of a custom attribute. `value` is a text, a URL or an option's code; `label` the option's name.

    Where several options are chosen, both hold all of them as Centra joined them.
    """

    key: str
    value: str
    label: str = ""


Attributes = Mapping[str, tuple[AttributeValue, ...]]
"""By the name of the attribute; elements without a value are left out."""


@dataclass(frozen=True, slots=True)
class Price:
    """The list price in a price list; whether it contains tax is the price list's to say."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Category:
    """`uri` is its path from the root, `women/knitwear/jumpers`; `name` the last part of it in words."""

    category_id: int
    name: str
    uri: str

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(part for part in self.uri.split("/") if part)


@dataclass(frozen=True, slots=True)
class Weight:
    """`unit` as Centra names it: KILOGRAMS, GRAMS, POUNDS, OUNCES."""

    amount: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class CatalogueSize:
    """What is sold: one size of one variant. `label` is the size as people read it, `chart` what it is a size of."""

    size_id: SizeId
    sku: Sku
    label: str
    ean: str = ""
    upc: str = ""
    chart: str = ""
    active: bool = True
    preorder: bool = False


@dataclass(frozen=True, slots=True)
class CatalogueDisplay:
    """How a store presents a variant. The first of `categories` is the canonical one where there is one.

    `media` are URLs, the first picture first; `prices` are by price list.
    """

    display_id: int
    active: bool
    texts: Texts = field(default_factory=dict)
    categories: tuple[Category, ...] = ()
    media: tuple[str, ...] = ()
    prices: Mapping[int, Price] = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)
    tax_group: str = ""


@dataclass(frozen=True, slots=True)
class CatalogueVariant:
    """One colour of a product, with its sizes. `display`: None where the store does not present it.

    Of several displays an active one goes before others, then the one with the lowest id.
    """

    variant_id: int
    name: str
    active: bool
    number: str = ""
    sizes: tuple[CatalogueSize, ...] = ()
    display: CatalogueDisplay | None = None
    media: tuple[str, ...] = ()
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CatalogueProduct:
    """A product with its variants as one store presents them; `updated_at` is ISO 8601, as Centra wrote it."""

    product_id: int
    name: str
    active: bool
    number: str = ""
    updated_at: str = ""
    brand: str = ""
    collection: str = ""
    folder: str = ""
    country_of_origin: str = ""
    commodity_code: str = ""
    weight: Weight | None = None
    texts: Texts = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)
    variants: tuple[CatalogueVariant, ...] = ()
