"""Products as Centra answers them, and the facts they become.

Read models are tolerant: a member we can live without may be null or missing, and what we do not name passes. A product
that lacks what identifies it or its parts, or that has a status nobody told us of, is one bad item and no fact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from app.centra.facts import SkuFrom, chosen_sku, is_sold
from app.domain.catalogue import (
    OWN,
    Attributes,
    AttributeValue,
    CatalogueDisplay,
    CatalogueProduct,
    CatalogueSize,
    CatalogueVariant,
    Category,
    Price,
    Texts,
    Weight,
)
from app.domain.ids import SizeId, Sku


class _Read(msgspec.Struct, frozen=True, rename="camel"):
    pass


class _Id(_Read, frozen=True):
    id: int


class _Code(_Read, frozen=True):
    code: str


class _Named(_Read, frozen=True):
    name: str | None = None


class _TextField(_Read, frozen=True):
    field: str
    value: str | None = None


class _Translation(_Read, frozen=True):
    language: _Code
    fields: tuple[_TextField, ...] = ()


class _Element(_Read, frozen=True):
    key: str
    value: str | None = None
    selected_value: str | None = None
    selected_value_name: str | None = None
    file_url: str | None = None
    image_url: str | None = None

    @property
    def told(self) -> AttributeValue | None:
        text = self.value or self.selected_value or self.selected_value_name or self.file_url or self.image_url
        return AttributeValue(self.key, text, self.selected_value_name or "") if text else None


class _AttributeType(_Read, frozen=True):
    name: str


class _Attribute(_Read, frozen=True):
    type: _AttributeType
    elements: tuple[_Element, ...] = ()


class _Source(_Read, frozen=True):
    url: str
    type: str | None = None


class _Medium(_Read, frozen=True):
    source: _Source | None = None


class _Category(_Read, frozen=True):
    id: int
    name: str
    uri: str


class _Money(_Read, frozen=True):
    value: Decimal
    currency: _Code


class _Price(_Read, frozen=True):
    pricelist: _Id
    price: _Money


class _Weight(_Read, frozen=True):
    value: Decimal
    unit: str


class _Item(_Read, frozen=True):
    product_variant: _Id


class _Display(_Read, frozen=True):
    id: int
    status: str
    prices: tuple[_Price, ...]
    display_items: tuple[_Item, ...]
    name: str | None = None
    description: str | None = None
    short_description: str | None = None
    meta_title: str | None = None
    meta_description: str | None = None
    canonical_category: _Category | None = None
    categories: tuple[_Category, ...] | None = None
    tax_group: _Named | None = None
    media: tuple[_Medium, ...] | None = None
    translations: tuple[_Translation, ...] | None = None
    attributes: tuple[_Attribute, ...] | None = None


class _Size(_Read, frozen=True):
    id: int
    sku: str | None = msgspec.field(default=None, name="SKU")
    ean: str | None = msgspec.field(default=None, name="EAN")
    upc: str | None = msgspec.field(default=None, name="UPC")
    size_number: str | None = None
    description: str | None = None
    preorder: bool | None = None
    is_active: bool | None = None
    size: _Named | None = None


class _Variant(_Read, frozen=True):
    id: int
    name: str
    status: str
    product_sizes: tuple[_Size, ...]
    variant_number: str | None = None
    size_chart: _Named | None = None
    media: tuple[_Medium, ...] | None = None
    attributes: tuple[_Attribute, ...] | None = None


class ProductRead(_Read, frozen=True):
    """A product with its variants and one store's displays of it."""

    id: int
    name: str
    status: str
    displays: tuple[_Display, ...]
    product_variants: tuple[_Variant, ...]
    product_number: str | None = None
    updated_at: str | None = None
    brand: _Named | None = None
    collection: _Named | None = None
    folder: _Named | None = None
    country_of_origin: _Code | None = None
    harmonized_commodity_code: str | None = None
    weight: _Weight | None = None
    translations: tuple[_Translation, ...] | None = None
    attributes: tuple[_Attribute, ...] | None = None

    def is_cut(self, displays: int, variants: int, sizes: int) -> bool:
        """Whether one of its lists is as long as was asked for, so that there may be more."""
        return (
            len(self.displays) >= displays
            or len(self.product_variants) >= variants
            or any(len(variant.product_sizes) >= sizes for variant in self.product_variants)
        )


def product_of(read: ProductRead, sku_from: SkuFrom) -> CatalogueProduct:
    """The fact. Raises ValueError for a status that is new to us, and for two prices of a display in one price list."""
    displays: dict[int, CatalogueDisplay] = {}
    ranked = sorted(((_display(display), display) for display in read.displays), key=_rank)
    for told, display in ranked:
        for item in display.display_items:
            displays.setdefault(item.product_variant.id, told)
    return CatalogueProduct(
        product_id=read.id,
        name=read.name,
        active=is_sold(read.status),
        number=read.product_number or "",
        updated_at=read.updated_at or "",
        brand=_name(read.brand),
        collection=_name(read.collection),
        folder=_name(read.folder),
        country_of_origin=read.country_of_origin.code if read.country_of_origin else "",
        commodity_code=read.harmonized_commodity_code or "",
        weight=Weight(read.weight.value, read.weight.unit) if read.weight else None,
        texts=_texts({"name": read.name}, read.translations),
        attributes=_attributes(read.attributes),
        variants=tuple(
            _variant(variant, displays.get(variant.id), read, sku_from) for variant in read.product_variants
        ),
    )


def _rank(pair: tuple[CatalogueDisplay, _Display]) -> tuple[bool, int]:
    told, _ = pair
    return (not told.active, told.display_id)


def _display(read: _Display) -> CatalogueDisplay:
    own = {
        "name": read.name,
        "description": read.description,
        "shortDescription": read.short_description,
        "metaTitle": read.meta_title,
        "metaDescription": read.meta_description,
    }
    canonical = (read.canonical_category,) if read.canonical_category else ()
    categories = {c.id: Category(c.id, c.name, c.uri) for c in (*canonical, *(read.categories or ()))}
    return CatalogueDisplay(
        display_id=read.id,
        active=is_sold(read.status),
        texts=_texts(own, read.translations),
        categories=tuple(categories.values()),
        media=_urls(read.media),
        prices=_prices(read.prices, read.id),
        attributes=_attributes(read.attributes),
        tax_group=_name(read.tax_group),
    )


def _variant(
    read: _Variant, display: CatalogueDisplay | None, product: ProductRead, sku_from: SkuFrom
) -> CatalogueVariant:
    sizes = (_size(size, read, product, sku_from) for size in read.product_sizes)
    return CatalogueVariant(
        variant_id=read.id,
        name=read.name,
        active=is_sold(read.status),
        number=read.variant_number or "",
        sizes=tuple(size for size in sizes if size.sku),
        display=display,
        media=_urls(read.media),
        attributes=_attributes(read.attributes),
    )


def _size(read: _Size, variant: _Variant, product: ProductRead, sku_from: SkuFrom) -> CatalogueSize:
    """Without a SKU nobody sells it on a marketplace."""
    sku = chosen_sku(
        sku_from,
        sku=read.sku,
        ean=read.ean,
        upc=read.upc,
        parts=(product.product_number, variant.variant_number, read.size_number),
    )
    return CatalogueSize(
        size_id=SizeId(read.id),
        sku=Sku(sku),
        label=_name(read.size) or read.description or read.size_number or "",
        ean=read.ean or "",
        upc=read.upc or "",
        chart=_name(variant.size_chart),
        active=read.is_active is not False,
        preorder=read.preorder is True,
    )


def _name(read: _Named | None) -> str:
    return (read.name if read else None) or ""


def _texts(own: Mapping[str, str | None], translations: Iterable[_Translation] | None) -> Texts:
    found: dict[str, dict[str, str]] = {OWN: {name: text for name, text in own.items() if text}}
    for translation in translations or ():
        fields = found.setdefault(translation.language.code, {})
        fields.update({entry.field: entry.value for entry in translation.fields if entry.value})
    return found


def _attributes(read: Iterable[_Attribute] | None) -> Attributes:
    found: dict[str, tuple[AttributeValue, ...]] = {}
    for attribute in read or ():
        values = tuple(value for value in (element.told for element in attribute.elements) if value is not None)
        if values:
            found[attribute.type.name] = (*found.get(attribute.type.name, ()), *values)
    return found


def _urls(read: Iterable[_Medium] | None) -> tuple[str, ...]:
    return tuple(medium.source.url for medium in read or () if medium.source)


def _prices(read: Sequence[_Price], display_id: int) -> Mapping[int, Price]:
    found = {entry.pricelist.id: Price(entry.price.value, entry.price.currency.code) for entry in read}
    if len(found) != len(read):
        raise ValueError(f"display {display_id} has two prices in one price list")
    return found
