"""What a channel publishes by: its map, and what the marketplace says of categories, attributes, lists and offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TypeVar

from app.domain.ids import Scope, Sku
from app.domain.listing import Attribute, Fault, Item
from app.mirakl import catalogue_schema as schema
from app.mirakl.product_files import delimiter_of
from app.mirakl.schema import AdditionalField, OfferState, PlatformConfiguration
from app.policies.catalogue_map import CatalogueMap
from app.policies.items import items_of
from app.policies.offer_terms import OfferChoices, zone_of
from app.store import mirrors, products
from app.store.pool import Connection
from app.store.products import Known, digest_of

T = TypeVar("T")
MAP = "catalogue.map"
"""The mirror that holds a channel's map, as a person imported it."""
SEPARATOR = "|"
"""Between several values of an attribute, where the marketplace names no other."""
NEEDED = frozenset({"PC01", "H11", "PM11", "VL11"})
"""What products are checked by, and the form of their files."""
DISABLED, REQUIRED, RECOMMENDED = "DISABLED", "REQUIRED", "RECOMMENDED"


@dataclass(frozen=True)
class Book:
    """Mirrors of one channel; an empty one was not read yet."""

    map: CatalogueMap
    configuration: PlatformConfiguration | None
    hierarchies: tuple[schema.Hierarchy, ...]
    declared: tuple[schema.Attribute, ...]
    value_lists: tuple[schema.ValuesList, ...]
    states: tuple[OfferState, ...] | None
    offer_fields: tuple[AdditionalField, ...]
    sales_channels: tuple[schema.Channel, ...] | None = None
    logistic_classes: tuple[schema.LogisticClass, ...] | None = None
    unread: frozenset[str] = frozenset()
    """Codes that were never read: nothing can be checked by them."""

    @property
    def version(self) -> str:
        """A name for the map and all that the marketplace says: another one as soon as anything of it is."""
        return digest_of([getattr(self, field.name) for field in fields(self) if field.name != "unread"])

    @cached_property
    def delimiter(self) -> str:
        return ";" if self.configuration is None else delimiter_of(self.configuration)

    @cached_property
    def separator(self) -> str:
        """Between several values of an attribute."""
        features = self.configuration.features if self.configuration is not None else None
        catalog = features.catalog if features is not None else None
        return (catalog.list_of_multiple_values_separator if catalog is not None else None) or SEPARATOR

    @cached_property
    def lists(self) -> Mapping[str, frozenset[str]]:
        """The codes of each value list."""
        return {one.code: frozenset(value.code for value in one.values or ()) for one in self.value_lists}

    @cached_property
    def declared_lists(self) -> Mapping[str, set[str]]:
        """The value lists of each attribute in whichever category; an empty one where any text is taken."""
        found: dict[str, set[str]] = {}
        for one in self.declared:
            found.setdefault(one.code, set()).add(one.list_code or "")
        return found

    @cached_property
    def _above(self) -> Mapping[str, frozenset[str]]:
        """Each category with those above it."""
        parents = {one.code: one.parent_code or "" for one in self.hierarchies}
        found: dict[str, frozenset[str]] = {}
        for code in parents:
            line, place = {code}, parents[code]
            while place and place not in line:
                line.add(place)
                place = parents.get(place, "")
            found[code] = frozenset(line)
        return found

    @cached_property
    def _attributes(self) -> dict[str, list[Attribute]]:
        """By category, as far as they were asked for."""
        return {}

    def attributes(self, hierarchy: str) -> list[Attribute]:
        """What the marketplace wants to know of the products of a category."""
        found = self._attributes.get(hierarchy)
        if found is None:
            line = self._above.get(hierarchy, frozenset({hierarchy}))
            wanted = (one for one in self.declared if not one.hierarchy_code or one.hierarchy_code in line)
            found = [attribute_of(one) for one in wanted if one.requirement_level != DISABLED]
            self._attributes[hierarchy] = found
        return found

    @cached_property
    def choices(self) -> OfferChoices:
        """What the marketplace lets an offer say."""
        fields = [one for one in self.offer_fields if one.entity == "OFFER"]
        zone = self.configuration.timezone if self.configuration is not None else None
        classes = self.logistic_classes
        return OfferChoices(
            states=None if self.states is None else {state.code for state in self.states},
            logistic_classes=None if classes is None else {one.code for one in classes},
            required_fields=tuple(one.code for one in fields if one.required),
            fields=None if "AF01" in self.unread else {one.code for one in fields},
            zone=zone_of(zone),
        )

    @property
    def has_catalog_manager(self) -> bool:
        """Whether the operator tells of each product by CM11."""
        modules = self.configuration.modules if self.configuration is not None else None
        return bool(modules and modules.mirakl_catalog_manager)


async def open_book(connection: Connection, scope: Scope) -> Book | None:
    """The channel's book; None until a map was imported."""
    found = await mirrors.read_mirror(connection, scope, MAP, CatalogueMap)
    if found is None:
        return None

    unread: set[str] = set()

    async def read(code: str, kind: type[T]) -> T | None:
        mirror = await mirrors.read_mirror(connection, scope, code, kind)
        if mirror is None:
            unread.add(code)
        return None if mirror is None else mirror.value

    return Book(
        found.value,
        await read("PC01", PlatformConfiguration),
        await read("H11", tuple[schema.Hierarchy, ...]) or (),
        await read("PM11", tuple[schema.Attribute, ...]) or (),
        await read("VL11", tuple[schema.ValuesList, ...]) or (),
        await read("OF61", tuple[OfferState, ...]),
        await read("AF01", tuple[AdditionalField, ...]) or (),
        await read("CH11", tuple[schema.Channel, ...]),
        await read("SH31", tuple[schema.LogisticClass, ...]),
        frozenset(unread),
    )


def attribute_of(read: schema.Attribute) -> Attribute:
    """An attribute of PM11 in our terms; `validations` are `MIN_LENGTH|3,MAX_LENGTH|80`."""
    rules = [rule.partition("|") for rule in (read.validations or "").split(",") if rule.strip()]
    return Attribute(
        code=read.code,
        label=read.label or "",
        type=read.type,
        required=read.requirement_level == REQUIRED,
        recommended=read.requirement_level == RECOMMENDED,
        value_list=read.list_code or "",
        locale=read.locale or "",
        unique_code=read.unique_code or "",
        role=next((role.type for role in read.roles or ()), ""),
        parameters={one.name: one.value or "" for one in read.type_parameters or ()},
        rules=tuple((name.strip(), argument.strip()) for name, _, argument in rules),
    )


@dataclass(frozen=True, slots=True)
class Sold:
    """A SKU as Centra has it; `item` None: it is not sold here any more."""

    known: Known
    item: Item | None


async def sold(connection: Connection, source: str, keys: Iterable[str], language: str) -> dict[str, Sold]:
    """What Centra has under these SKUs; one that no product bears is missing."""
    found: dict[str, Sold] = {}
    for sku, known in (await products.of_skus(connection, source, keys)).items():
        items: Sequence[Item] = () if known.gone else items_of(known.product, language)
        found[sku] = Sold(known, next((item for item in items if item.sku == sku), None))
    return found


def renamed(one: Sold) -> Sku | None:
    """The SKU that the size bears instead of, or beside, this one (field case 67)."""
    return next(iter(one.known.named_before), None)


def renaming(one: Sold) -> Fault:
    """What a person is told of it."""
    names = " and ".join(sorted({one.known.sku, *one.known.named_before}))
    words = f"one size bears the SKUs {names}: its SKU was changed in Centra"
    return Fault("", words, "`centra-mirakl catalogue rename CHANNEL OLD` moves its offer")
