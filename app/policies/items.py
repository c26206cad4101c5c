"""A Centra product as rows: one item a size, every value under the name by which a channel's map asks for it.

| Field | Value |
|---|---|
| `product.name`, `.number`, `brand`, `collection`, `folder` | of the product |
| `country_of_origin`, `commodity_code`, `weight`, `tax_group` | as Centra writes them |
| `display.<text>` | name, description and the other texts of the store's display, by language |
| `variant.name`, `.number`, `size.label`, `.sku`, `.ean`, `.upc` | of the variant and the size |
| `attribute.<name>`, `attribute.<name>.<element>` | of the product, the display or the variant, the last one first |
| `media.1`, `media.2`, … | addresses of pictures |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.domain.catalogue import (
    OWN,
    Attributes,
    AttributeValue,
    CatalogueDisplay,
    CatalogueProduct,
    CatalogueSize,
    CatalogueVariant,
)
from app.domain.catalogue import Texts as TextsByLanguage
from app.domain.listing import ANY_LANGUAGE, Item, Texts


def items_of(product: CatalogueProduct, language: str) -> list[Item]:
    """Its items: every active size of an active variant that the store presents. `language`: the shop's own."""
    return [
        Item(size.sku, product.product_id, _categories(display), _fields(product, variant, display, size, language))
        for variant, display, size in _offered(product)
    ]


def _offered(product: CatalogueProduct) -> Iterator[tuple[CatalogueVariant, CatalogueDisplay, CatalogueSize]]:
    for variant in product.variants:
        display = variant.display
        if product.active and variant.active and display is not None and display.active:
            yield from ((variant, display, size) for size in variant.sizes if size.active)


def _categories(display: CatalogueDisplay) -> tuple[str, ...]:
    """Each category by its whole path, then by the paths above it."""
    found: dict[str, None] = {}
    for category in display.categories:
        path = category.path
        for length in range(len(path), 0, -1):
            found["/".join(path[:length])] = None
    return tuple(found)


def _fields(
    product: CatalogueProduct,
    variant: CatalogueVariant,
    display: CatalogueDisplay,
    size: CatalogueSize,
    language: str,
) -> dict[str, Texts]:
    weight = product.weight
    plain = {
        "product.name": product.name,
        "product.number": product.number,
        "brand": product.brand,
        "collection": product.collection,
        "folder": product.folder,
        "country_of_origin": product.country_of_origin,
        "commodity_code": product.commodity_code,
        "weight": f"{weight.amount:f} {weight.unit}" if weight is not None else "",
        "tax_group": display.tax_group,
        "variant.name": variant.name,
        "variant.number": variant.number,
        "size.label": size.label,
        "size.sku": size.sku,
        "size.ean": size.ean,
        "size.upc": size.upc,
    }
    pictures = dict.fromkeys((*display.media, *variant.media))
    plain |= {f"media.{number}": address for number, address in enumerate(pictures, start=1)}
    fields: dict[str, Texts] = {name: {ANY_LANGUAGE: (value,)} for name, value in plain.items() if value}
    fields |= _texts(product.texts, language) | _texts(display.texts, language)
    for attributes in (product.attributes, display.attributes, variant.attributes):
        fields |= _attributes(attributes)
    return fields


def _texts(texts: TextsByLanguage, own: str) -> dict[str, Texts]:
    """A text of one language never serves another."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for language, by_name in texts.items():
        for name, text in by_name.items():
            found.setdefault(f"display.{name}", {})[own if language == OWN else language] = (text,)
    return dict(found)


def _attributes(attributes: Attributes) -> Mapping[str, Texts]:
    found: dict[str, Texts] = {}
    for name, values in attributes.items():
        for value in values:
            found[f"attribute.{name}.{value.key}"] = {ANY_LANGUAGE: _said(value)}
        if values:
            found[f"attribute.{name}"] = {ANY_LANGUAGE: tuple(word for value in values for word in _said(value))}
    return found


def _said(value: AttributeValue) -> tuple[str, ...]:
    """An option by its name, which is what people map."""
    return tuple(word for word in [(value.label or value.value).strip()] if word)
