"""A shop to begin with: stores, a market with its warehouses, and as many sizes as asked for.

The same request always makes the same shop: names, SKUs, EANs, quantities and instants follow from the
counters and `rng_seed` alone (instants from the clock too). Seeding again replaces the shop.
"""

import gc
import random
from typing import Any

from app.sandbox.centra.clothing import Clothing, check_digit
from app.sandbox.centra.entities import (
    AllocationRule,
    Country,
    Currency,
    Display,
    DisplayItem,
    Market,
    Pricelist,
    PrioritySet,
    Product,
    ProductSize,
    ProductVariant,
    ShippingOption,
    Size,
    StockCell,
    Store,
    Warehouse,
    WarehousePriority,
)
from app.sandbox.centra.shop import Shop

# Code, name, value added tax in percent.
_COUNTRIES = (
    ("SE", "Sweden", 25.0),
    ("FR", "France", 20.0),
    ("DE", "Germany", 19.0),
    ("BE", "Belgium", 21.0),
    ("ES", "Spain", 21.0),
    ("IT", "Italy", 22.0),
    ("NL", "Netherlands", 21.0),
    ("PL", "Poland", 23.0),
    ("DK", "Denmark", 25.0),
    ("AT", "Austria", 20.0),
    ("FI", "Finland", 25.5),
    ("IE", "Ireland", 23.0),
    ("LU", "Luxembourg", 17.0),
    ("PT", "Portugal", 23.0),
    ("XK", "Kosovo", 18.0),
    ("GB", "United Kingdom", 20.0),
    ("NO", "Norway", 25.0),
    ("CH", "Switzerland", 8.1),
    ("US", "United States", 0.0),
    ("AE", "United Arab Emirates", 5.0),
)
_WAREHOUSES: tuple[dict[str, Any], ...] = (
    {"id": 1, "name": "Main warehouse", "threshold": 2, "country": "SE"},
    {"id": 2, "name": "South warehouse", "threshold": 0, "country": "DE"},
    {"id": 3, "name": "Harbour shop", "threshold": 0, "country": "FR", "allocation_policy": "CHECK_FIRST"},
)
_MARKETS: tuple[dict[str, Any], ...] = (
    {"id": 1, "name": "Online Europe", "countries": ["SE", "DE", "FR", "BE", "ES", "IT", "NL", "PL", "DK"]},
    {"id": 4, "name": "Marketplace FR", "countries": ["FR"]},
    {"id": 5, "name": "Marketplace SE", "countries": ["SE"]},
    {"id": 6, "name": "Marketplace DE", "countries": ["DE", "AT"]},
    {"id": 7, "name": "Marketplace BE", "countries": ["BE", "NL", "LU"]},
)
_SIZE_NAMES = ("XS", "S", "M", "L", "XL", "XXL", "3XL")
_NOUNS = ("parka", "jumper", "scarf", "shirt", "trousers", "cap", "coat", "dress")
_PLACES = ("Fjord", "Birch", "Harbour", "Moor", "Granite", "Lantern", "Willow", "Island", "Meadow")
_COLOURS = ("Black", "Ecru", "Moss", "Rust", "Slate")


def seed(shop: Shop, members: dict[str, Any]) -> dict[str, Any]:
    """Replaces the shop; returns what was made.

    Members, all optional: `sizes` (100), `variants_of` (5: sizes of a variant), `variants_per_product` (2),
    `warehouses` ([{"id", "name", "threshold", "allocation_policy", "country"}]), `markets` ([{"id", "name",
    "countries", "warehouses": [ids by precedence]}]; the allocation rule of each is called "Rule of " and its
    name), `tax_included` (true: prices of the price lists contain tax), `fta` (a number for every cell, or
    null for 0 to 20 by dice), `stock_offset` (0), `preorder_every`, `inactive_every` (every nth size or
    variant; 0 for none), `rng_seed` (1), `clothing` (products of it, or the members that clothing.py names; none
    by default).
    """
    shop.clear()
    _topology(shop, members)
    _catalogue(shop, members)
    clothing = members.get("clothing")
    if clothing:
        Clothing(shop, clothing if isinstance(clothing, dict) else {"products": int(clothing)})
    _settle()
    return {
        "sizes": len(shop.sizes),
        "variants": len(shop.variants),
        "products": len(shop.products),
        "displays": len(shop.displays),
        "warehouses": list(shop.warehouses),
        "markets": list(shop.markets),
        "first_size_id": min(shop.sizes, default=None),
    }


def _settle() -> None:
    """Takes the new shop out of the collector's sight: walking 200,000 objects would show as slow answers."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _topology(shop: Shop, members: dict[str, Any]) -> None:
    for position, (code, name, vat) in enumerate(_COUNTRIES, start=1):
        shop.countries[code] = Country(position, code, name, is_eu=True, vat_percent=vat)
    shop.currencies = {"EUR": Currency(1, "EUR", is_base=True), "SEK": Currency(2, "SEK", is_base=False)}
    retail = shop.stores[1] = Store(1, "Online shop", "DIRECT_TO_CONSUMER")
    shop.stores[2] = Store(2, "Wholesale", "WHOLESALE")
    for entry in members.get("warehouses") or _WAREHOUSES:
        known = {**entry, "country": shop.countries.get(entry.get("country", "SE"))}
        warehouse = Warehouse(**{"name": f"Warehouse {entry['id']}", **known})
        shop.warehouses[warehouse.id] = warehouse
    for position, entry in enumerate(members.get("markets") or _MARKETS):
        _market(shop, retail, entry, rule_id=3 + position)
    retail.allocation_rule = next(iter(shop.allocation_rules.values()), None)
    for number, currency, use in ((7, "EUR", "marketplace"), (8, "SEK", "marketplace"), (9, "EUR", "sale")):
        shop.pricelists[number] = Pricelist(
            number,
            f"{currency} {use}",
            "ACTIVE",
            shop.currencies[currency],
            retail,
            _all_countries(shop),
            tax_included=bool(members.get("tax_included", True)),
        )
    shop.shipping_options = {
        11: ShippingOption(11, "Marketplace standard", "mkp-standard"),
        12: ShippingOption(12, "Marketplace express", "mkp-express"),
    }


def _all_countries(shop: Shop) -> list[Country]:
    return list(shop.countries.values())


def _market(shop: Shop, store: Store, entry: dict[str, Any], rule_id: int) -> None:
    wanted = entry.get("warehouses") or list(shop.warehouses)
    priorities = [WarehousePriority(float(n), shop.warehouses[w]) for n, w in enumerate(wanted, start=1)]
    rule = AllocationRule(rule_id, f"Rule of {entry['name']}", [PrioritySet(_all_countries(shop), priorities)])
    countries = [shop.countries[code] for code in entry.get("countries", [])] or _all_countries(shop)
    market = Market(entry["id"], entry["name"], store, countries, rule)
    rule.markets.append(market)
    rule.stores.append(store)
    for priority in priorities:
        priority.warehouse.allocation_rules.append(rule)
    shop.markets[market.id] = market
    shop.allocation_rules[rule.id] = rule


def _catalogue(shop: Shop, members: dict[str, Any]) -> None:
    wanted = int(members.get("sizes", 100))
    per_variant = int(members.get("variants_of", 5))
    per_product = int(members.get("variants_per_product", 2))
    if wanted < 0 or per_variant < 1 or per_product < 1:
        raise ValueError("sizes, variants_of and variants_per_product are counts")
    dice = random.Random(members.get("rng_seed", 1))  # noqa: S311 - dice for tests
    made = variant_number = 0
    product: Product | None = None
    while made < wanted:
        if product is None or variant_number % per_product == 0:
            product = _product(shop)
        variant_number += 1
        variant = _variant(shop, product, variant_number, members)
        for position in range(min(per_variant, wanted - made)):
            made += 1
            _size(shop, variant, variant_number, position, made, members, dice)


def _product(shop: Shop) -> Product:
    number, now = next(shop.numbers.product), shop.now()
    name = f"{_PLACES[number % len(_PLACES)]} {_NOUNS[number % len(_NOUNS)]}"
    product = Product(number, name, f"P{number:06d}", now, now)
    store, markets = shop.stores[1], list(shop.markets.values())
    display_id = next(shop.numbers.display)
    uri = f"{name.lower().replace(' ', '-')}-{number}"
    display = Display(display_id, name, uri, store, product, now, markets)
    product.displays.append(display)
    shop.products[number] = product
    shop.displays[display_id] = display
    return product


def _variant(shop: Shop, product: Product, variant_number: int, members: dict[str, Any]) -> ProductVariant:
    inactive_every = int(members.get("inactive_every", 0))
    inactive = inactive_every > 0 and variant_number % inactive_every == 0
    variant = ProductVariant(
        id=next(shop.numbers.variant),
        name=_COLOURS[variant_number % len(_COLOURS)],
        variant_number=f"{variant_number:06d}",
        product=product,
        updated_at=shop.now(),
        status="INACTIVE" if inactive else "ACTIVE",
        stock_offset=int(members.get("stock_offset", 0)),
    )
    product.product_variants.append(variant)
    shop.variants[variant.id] = variant
    for display in product.displays:
        item = DisplayItem(next(shop.numbers.display_item), display, variant)
        display.display_items.append(item)
        variant.display_items.append(item)
        shop.display_items[item.id] = item
    return variant


def _size(
    shop: Shop,
    variant: ProductVariant,
    variant_number: int,
    position: int,
    ordinal: int,
    members: dict[str, Any],
    dice: random.Random,
) -> None:
    label = _SIZE_NAMES[position] if position < len(_SIZE_NAMES) else f"S{position + 1}"
    size_name = shop.size_names.setdefault(label, Size(len(shop.size_names) + 1, label))
    twelve = f"730{ordinal:09d}"
    preorder_every = int(members.get("preorder_every", 0))
    now = shop.now()
    size = ProductSize(
        id=next(shop.numbers.size),
        sku=f"VX-{variant_number:06d}-{label}",
        ean=twelve + check_digit(twelve),
        size_number=label,
        size=size_name,
        product_variant=variant,
        created_at=now,
        updated_at=now,
        preorder=preorder_every > 0 and ordinal % preorder_every == 0,
    )
    fixed = members.get("fta")
    for warehouse in shop.warehouses.values():
        quantity = dice.randint(0, 20) if fixed is None else int(fixed)
        size.stock[warehouse.id] = StockCell(warehouse, size, quantity)
    variant.product_sizes.append(size)
    shop.add_size(size)
