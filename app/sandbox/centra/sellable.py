"""What the shop could sell in a market, worked out by the stand-in's own code: the oracle for stock tests.

A size's quantity is the sum of free-to-allocate, each warehouse at least 0, over the DIRECT warehouses of
the market's allocation rule, less safety stock, at least 0. Safety stock is the variant's offset if that is
not 0 (a negative one holds nothing back), else the thresholds of those warehouses together, whether or not
the size has a row in each. Preorder and inactive sizes, variants and products sell nothing.
"""

from app.sandbox.centra.entities import AllocationRule, Market, ProductSize, Warehouse
from app.sandbox.centra.shop import Shop


def counted_warehouses(market: Market) -> list[Warehouse]:
    """Those of the market's rule that ship without asking a shop first."""
    return direct_warehouses(market.allocation_rule or market.store.allocation_rule)


def direct_warehouses(rule: AllocationRule | None) -> list[Warehouse]:
    return [w for w in rule.warehouses() if w.allocation_policy == "DIRECT"] if rule else []


def sellable_quantity(size: ProductSize, warehouses: list[Warehouse]) -> int:
    variant = size.product_variant
    if size.preorder or not size.is_active or variant.status != "ACTIVE" or variant.product.status != "ACTIVE":
        return 0
    free = 0
    for warehouse in warehouses:
        cell = size.stock.get(warehouse.id)
        if cell is not None:
            free += max(0, cell.free_to_allocate_quantity)
    if variant.stock_offset != 0:
        safety = max(0, variant.stock_offset)
    else:
        safety = sum(warehouse.threshold for warehouse in warehouses)
    return max(0, free - safety)


def sellable(shop: Shop, market: Market, skus: list[str] | None = None) -> dict[str, int]:
    """SKU -> quantity, of all sizes or those named; KeyError for a SKU that does not exist."""
    warehouses = counted_warehouses(market)
    sizes = shop.sizes.values() if skus is None else (shop.by_sku[sku] for sku in skus)
    return {size.sku: sellable_quantity(size, warehouses) for size in sizes}
