"""What a person does in the back office: sizes, variants and warehouses edited, catalogue objects deleted."""

from collections.abc import Mapping
from typing import Any

from app.sandbox.centra.catalogue_edits import delete_product
from app.sandbox.centra.entities import ProductSize, ProductVariant
from app.sandbox.centra.shop import Shop

_SIZE_FIELDS = {"preorder": bool, "is_active": bool}
_VARIANT_FIELDS = {"status": str, "stock_offset": int}
_WAREHOUSE_FIELDS = {"threshold": int, "allocation_policy": str}


def edit_size(shop: Shop, members: dict[str, Any]) -> None:
    """`{"sku" | "size_id", "preorder"?, "is_active"?, "status"?, "stock_offset"?}`; the last two are the
    variant's.
    """
    size = shop.size_for(members)
    if _set(size, members, _SIZE_FIELDS):
        shop.touch(size)
        shop.emit("ProductSize", "UPDATED", size.id)
    variant = size.product_variant
    if _set(variant, members, _VARIANT_FIELDS):
        variant.updated_at = shop.now()
        shop.emit("ProductVariant", "UPDATED", variant.id)


def edit_warehouse(shop: Shop, members: dict[str, Any]) -> None:
    """`{"id", "threshold"?, "allocation_policy"?}`"""
    warehouse = shop.warehouses[int(members["id"])]
    if _set(warehouse, members, _WAREHOUSE_FIELDS):
        shop.emit("Warehouse", "UPDATED", warehouse.id)


def delete(shop: Shop, object_type: str, reference: int) -> None:
    """Deletes a ProductSize, a ProductVariant with its sizes or a Product with all of it; events that name them
    have no object any more.
    """
    if object_type == "ProductSize":
        _delete_size(shop, shop.sizes[reference])
    elif object_type == "ProductVariant":
        _delete_variant(shop, shop.variants[reference])
    elif object_type == "Product":
        delete_product(shop, shop.products[reference], _delete_variant)
    else:
        raise ValueError("only ProductSize, ProductVariant and Product can be deleted")


def _delete_variant(shop: Shop, variant: ProductVariant) -> None:
    for size in list(variant.product_sizes):
        _delete_size(shop, size)
    variant.product.product_variants.remove(variant)
    for item in variant.display_items:
        item.display.display_items.remove(item)
        del shop.display_items[item.id]
    del shop.variants[variant.id]
    shop.emit("ProductVariant", "DELETED", variant.id)


def _delete_size(shop: Shop, size: ProductSize) -> None:
    size.product_variant.product_sizes.remove(size)
    del shop.sizes[size.id], shop.by_sku[size.sku], shop.sizes_by_update[size.id]
    if shop.by_ean.get(size.ean) is size:
        del shop.by_ean[size.ean]
    shop.emit("ProductSize", "DELETED", size.id)


def _set(thing: Any, members: dict[str, Any], fields: Mapping[str, type]) -> bool:
    """Sets the fields that are named; whether there were any. TypeError for a value of another type."""
    named = [name for name in fields if name in members]
    for name in named:
        if not isinstance(members[name], fields[name]):
            raise TypeError(f"{name} is a {fields[name].__name__}")
        setattr(thing, name, members[name])
    return bool(named)
