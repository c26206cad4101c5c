"""What merchandisers do: products, displays, variants and sizes described anew, priced, pictured, taken off sale.

One change names what it is about by `product` (id or number), `variant` (id) or `sku`, and gives new values; what it
does not name stays. `display` holds what is changed of each display of the product. A `quiet` change moves no
updatedAt: whoever only pages by it never learns of that.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from app.sandbox.centra.attributes import (
    Attribute,
    AttributeElement,
    AttributeFileElement,
    AttributeImageElement,
    AttributeStringElement,
)
from app.sandbox.centra.catalogue_entities import LanguageTranslation, Price, ProductMedia, TranslatedField, Weight
from app.sandbox.centra.clothing import attribute, choice
from app.sandbox.centra.entities import Display, Product, ProductSize, ProductVariant
from app.sandbox.centra.order_entities import MonetaryValue
from app.sandbox.centra.shop import Shop

T = TypeVar("T")

_PRODUCT_TEXTS = ("name", "status", "product_number", "harmonized_commodity_code")
_DISPLAY_TEXTS = ("name", "status", "uri", "description", "short_description", "meta_title", "meta_description")
_VARIANT_TEXTS = ("name", "status", "variant_number")
_SIZE_TEXTS = ("upc", "size_number", "description")


def edit_catalogue(shop: Shop, change: dict[str, Any]) -> None:
    """Make one change and tell of it. KeyError for what is not there, ValueError for what makes no sense."""
    if "product" in change:
        _edit_product(shop, product_named(shop, change["product"]), change)
    elif "variant" in change:
        _edit_variant(shop, shop.variants[int(change["variant"])], change)
    elif "sku" in change:
        _edit_size(shop, shop.by_sku[str(change["sku"])], change)
    else:
        raise ValueError("a change names a product, a variant or a sku")


def product_named(shop: Shop, reference: Any) -> Product:
    """By id or number; KeyError where there is none."""
    if isinstance(reference, int):
        return shop.products[reference]
    return _found(shop.products, "product_number", reference)


def _edit_product(shop: Shop, product: Product, change: dict[str, Any]) -> None:
    own = _texts(product, change, _PRODUCT_TEXTS)
    if "brand" in change:
        own = True
        product.brand = None if change["brand"] is None else _found(shop.brands, "name", change["brand"])
    if "weight" in change:
        own = True
        product.weight = None if change["weight"] is None else Weight(float(change["weight"]))
    if "country_of_origin" in change:
        own = True
        code = change["country_of_origin"]
        product.country_of_origin = None if code is None else shop.countries[code]
    own |= _attributes(product.attributes, "Product", change)
    if own:
        _touch(shop, product, change)
        shop.emit("Product", "UPDATED", product.id)
    for display in product.displays if "display" in change else ():
        _edit_display(shop, display, change["display"], change)


def _edit_display(shop: Shop, display: Display, wanted: dict[str, Any], change: dict[str, Any]) -> None:
    own = _texts(display, wanted, _DISPLAY_TEXTS)
    own |= _attributes(display.attributes, "Display", wanted)
    for code, fields in (wanted.get("texts") or {}).items():
        own = True
        display.translations = _translated(shop, display.translations, code, fields)
    if "category" in wanted:
        own = True
        category = None if wanted["category"] is None else _found(shop.categories, "uri", wanted["category"])
        display.canonical_category = category
        display.categories = [] if category is None else [category]
    if "media" in wanted:
        own = True
        display.media = _pictured(shop, display, wanted["media"])
    for pricelist, amount in (wanted.get("prices") or {}).items():
        _price(shop, display, int(pricelist), amount)
    _touch(shop, display, change)
    _touch(shop, display.product, change)
    shop.emit("Display", "UPDATED" if own else "DEPENDENT_DATA_CHANGED", display.id, display.store)
    shop.emit("Product", "DEPENDENT_DATA_CHANGED", display.product.id)


def _edit_variant(shop: Shop, variant: ProductVariant, change: dict[str, Any]) -> None:
    _texts(variant, change, _VARIANT_TEXTS)
    _attributes(variant.attributes, "ProductVariant", change)
    if "media" in change:
        variant.media = _media(shop, change["media"])
    _touch(shop, variant, change)
    _touch(shop, variant.product, change)
    shop.emit("ProductVariant", "UPDATED", variant.id)
    shop.emit("Product", "DEPENDENT_DATA_CHANGED", variant.product.id)


def _edit_size(shop: Shop, size: ProductSize, change: dict[str, Any]) -> None:
    _texts(size, change, _SIZE_TEXTS)
    if "ean" in change:
        if shop.by_ean.get(size.ean) is size:
            del shop.by_ean[size.ean]
        size.ean = str(change["ean"] or "")
        if size.ean:
            shop.by_ean.setdefault(size.ean, size)
    if "new_sku" in change:
        del shop.by_sku[size.sku]
        size.sku = str(change["new_sku"])
        shop.by_sku[size.sku] = size
    if not change.get("quiet"):
        shop.touch(size)
    _touch(shop, size.product_variant.product, change)
    shop.emit("ProductSize", "UPDATED", size.id)
    shop.emit("Product", "DEPENDENT_DATA_CHANGED", size.product_variant.product.id)


def delete_product(shop: Shop, product: Product, delete_variant: Callable[[Shop, ProductVariant], None]) -> None:
    """The product with its displays, variants and sizes."""
    for variant in list(product.product_variants):
        delete_variant(shop, variant)
    for display in product.displays:
        del shop.displays[display.id]
        shop.emit("Display", "DELETED", display.id, display.store)
    del shop.products[product.id]
    shop.emit("Product", "DELETED", product.id)


# ------------------------------------------------------------------------------------------------------- parts


def _touch(shop: Shop, thing: Product | Display | ProductVariant, change: dict[str, Any]) -> None:
    if not change.get("quiet"):
        thing.updated_at = shop.now()


def _texts(thing: Any, wanted: dict[str, Any], names: tuple[str, ...]) -> bool:
    named = [name for name in names if name in wanted]
    for name in named:
        setattr(thing, name, wanted[name])
    return bool(named)


def _found(entries: Mapping[int, T], member: str, value: str) -> T:
    for entry in entries.values():
        if getattr(entry, member) == value:
            return entry
    raise KeyError(value)


def _translated(
    shop: Shop, present: list[LanguageTranslation], code: str, fields: dict[str, str | None] | None
) -> list[LanguageTranslation]:
    """With new texts of one language; fields None: without that language."""
    others = [entry for entry in present if entry.language.code != code]
    if fields is None:
        return others
    kept = {f.field: f.value for entry in present if entry.language.code == code for f in entry.fields}
    merged = [TranslatedField(name, value) for name, value in (kept | fields).items()]
    return [*others, LanguageTranslation(shop.languages[code], merged)]


def _pictured(shop: Shop, display: Display, urls: list[str]) -> list[ProductMedia]:
    for medium in display.media:
        del shop.media[medium.id]
        shop.emit("ProductMedia", "DELETED", medium.id, display.store)
    made = _media(shop, urls)
    for medium in made:
        shop.emit("ProductMedia", "CREATED", medium.id, display.store)
    return made


def _media(shop: Shop, urls: list[str]) -> list[ProductMedia]:
    made = [ProductMedia(next(shop.numbers.media), url) for url in urls]
    shop.media |= {medium.id: medium for medium in made}
    return made


def _price(shop: Shop, display: Display, pricelist_id: int, amount: str | None) -> None:
    """Set the display's price in a price list, or (None) take it out of it."""
    present = next((price for price in display.prices if price.pricelist.id == pricelist_id), None)
    if amount is None:
        if present is not None:
            display.prices.remove(present)
            del shop.prices[present.id]
            shop.emit("Price", "DELETED", present.id, display.store)
        return
    pricelist = shop.pricelists[pricelist_id]
    value = MonetaryValue(Decimal(amount), pricelist.currency)
    if present is not None:
        present.price = value
        shop.emit("Price", "UPDATED", present.id, display.store)
        return
    made = Price(next(shop.numbers.price), pricelist, value)
    display.prices.append(made)
    shop.prices[made.id] = made
    shop.emit("Price", "CREATED", made.id, display.store)


def _attributes(present: list[Attribute], object_type: str, wanted: dict[str, Any]) -> bool:
    """`attributes` by name: a text, `{"options": [..]}`, `{"file": url}`, `{"image": url}`, or null for none."""
    for name, value in (wanted.get("attributes") or {}).items():
        before = next((a for a in present if a.type.name == name), None)
        if before is not None:
            present.remove(before)
        if value is not None:
            key = before.elements[0].key if before else "text"
            mapped = isinstance(value, dict) and "options" in value
            present.append(attribute(object_type, name, _element(key, value), mapped=mapped))
    return bool(wanted.get("attributes"))


def _element(key: str, value: Any) -> AttributeElement:
    match value:
        case str():
            return AttributeStringElement(key, value)
        case {"options": [*labels]}:
            return choice(key, *labels)
        case {"file": str(url)}:
            return AttributeFileElement(key, url)
        case {"image": str(url)}:
            return AttributeImageElement(key, url)
        case _:
            raise ValueError(f"an attribute is a text, options, a file or an image, not {value!r}")
