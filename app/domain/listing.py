"""A product as a marketplace is told of it: what Centra has by field, what the marketplace wants, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.ids import Sku

ANY_LANGUAGE = ""

Texts = Mapping[str, tuple[str, ...]]
"""Values by language; `ANY_LANGUAGE` where they do not differ."""

Code = tuple[str, str]
"""A kind of code that is to be unique on a marketplace (EAN), and the code."""

Bearers = Mapping[Code, Mapping[Sku, datetime]]
"""The SKUs that bear each code, and since when."""


@dataclass(frozen=True, slots=True)
class Item:
    """One size as a row of a product file. `fields`: what Centra has, as `display.name` or `attribute.material`.

    `categories`: the names under which its category may be mapped, the closest first.
    """

    sku: Sku
    product_id: int
    categories: tuple[str, ...]
    fields: Mapping[str, Texts]


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a marketplace wants to know of the products of a category (PM11). `rules`: its validations, by name."""

    code: str
    label: str
    type: str
    required: bool = False
    recommended: bool = False
    value_list: str = ""
    locale: str = ""
    unique_code: str = ""
    role: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[tuple[str, str], ...] = ()

    @property
    def named(self) -> str:
        """As people find it in the back office."""
        return f"{self.label} ({self.code})" if self.label and self.label != self.code else self.code

    @property
    def takes_several(self) -> bool:
        return self.type == "LIST_MULTIPLE_VALUES"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a product can't be sent or was rejected: where, what is wrong, and where it is mended."""

    attribute: str
    problem: str
    mend: str = ""

    def __str__(self) -> str:
        place = f"{self.attribute}: " if self.attribute else ""
        return f"{place}{self.problem}" + (f"; {self.mend}" if self.mend else "")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a product file, by attribute codes."""

    sku: Sku
    hierarchy: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Offer:
    """The whole offer of a SKU without stock and prices: what OF24 takes away where it is not given."""

    sku: Sku
    product_code: str
    product_code_type: str
    state: str
    description: str = ""
    lead_time_days: int | None = None
    logistic_class: str = ""
    product_tax_code: str = ""
    min_order_quantity: int | None = None
    max_order_quantity: int | None = None
    package_quantity: int | None = None
    min_quantity_alert: int | None = None
    available_from: datetime | None = None
    available_until: datetime | None = None
    additional: Mapping[str, str] = field(default_factory=dict)
