"""What describes a product beside its sizes and stock. Attribute names are the schema's field names in snake case."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.sandbox.centra.entities import Pricelist, Size
from app.sandbox.centra.order_entities import MonetaryValue

STANDARD = "standard"
"""The one size of pictures that every shop has."""


@dataclass(slots=True, eq=False)
class Brand:
    id: int
    name: str


@dataclass(slots=True, eq=False)
class Collection:
    id: int
    name: str
    status: str = "ACTIVE"


@dataclass(slots=True, eq=False)
class Folder:
    id: int
    name: str


@dataclass(slots=True, eq=False)
class Category:
    """`uri` holds the path from the root: `women/knitwear/jumpers`."""

    id: int
    name: str
    uri: str
    child_categories: list[Category] = field(default_factory=list)
    meta_description: str | None = None


@dataclass(slots=True, eq=False)
class Weight:
    value: float
    unit: str = "KILOGRAMS"

    @property
    def formatted_value(self) -> str:
        return f"{self.value:g} {self.unit.lower()}"


@dataclass(slots=True, eq=False)
class Language:
    id: int
    code: str
    name: str


@dataclass(slots=True, eq=False)
class TranslatedField:
    field: str
    value: str | None


@dataclass(slots=True, eq=False)
class LanguageTranslation:
    language: Language
    fields: list[TranslatedField]


@dataclass(slots=True, eq=False)
class SizeChart:
    id: int
    name: str
    sizes: list[Size]
    horizontal_labels: list[str]
    vertical_labels: list[str] = field(default_factory=list)
    divider_symbol: str | None = None


@dataclass(slots=True, eq=False)
class TaxGroup:
    id: int
    name: str


@dataclass(slots=True, eq=False)
class Price:
    """A display's list price in a price list. The schema shows no id; events name it by this one."""

    id: int
    pricelist: Pricelist
    price: MonetaryValue


@dataclass(slots=True, eq=False)
class MediaSource:
    type: str
    url: str


@dataclass(slots=True, eq=False)
class ProductMedia:
    id: int
    url: str
    type: str = "image"
