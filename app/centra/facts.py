"""What Centra's answers mean in our own terms: sizes with their free stock, and where a market sells from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from app.centra import schema
from app.domain.ids import MarketId, SizeId, Sku, WarehouseId
from app.domain.stock import Market, PriceList, Size, Topology, Warehouse

SkuFrom = Literal["sku", "ean", "upc", "joined"]
_SOLD = frozenset({"ACTIVE"})
_NOT_SOLD = frozenset({"INACTIVE", "CANCELLED", "PREVIEW"})


@dataclass(frozen=True, slots=True)
class Unclear:
    """A size that can't be used as it is, and why in words for a person."""

    size_id: SizeId
    reason: str


def size_of(answer: schema.Size, sku_from: SkuFrom) -> Size | Unclear | None:
    """The size, or why it can't be used; None for a size without a SKU, which nobody sells on a marketplace."""
    variant = answer.variant
    product = variant.product if variant else None
    sku = chosen_sku(
        sku_from,
        sku=answer.sku,
        ean=answer.ean,
        upc=answer.upc,
        parts=(
            product.product_number if product else None,
            variant.variant_number if variant else None,
            answer.size_number,
        ),
    )
    if not sku:
        return None
    statuses = {s for s in (variant.status if variant else None, product.status if product else None) if s}
    unknown = sorted(statuses - _SOLD - _NOT_SOLD)
    if unknown:
        return Unclear(SizeId(answer.id), f"{sku}: Centra gives the status {', '.join(unknown)}, which is new to us")
    return Size(
        size_id=SizeId(answer.id),
        sku=Sku(sku),
        free={WarehouseId(row.warehouse_id): row.free for row in answer.stock},
        offset=(variant.stock_offset or 0) if variant else 0,
        active=answer.is_active is not False and not statuses & _NOT_SOLD,
        preorder=answer.preorder is True,
    )


def chosen_sku(
    sku_from: SkuFrom, *, sku: str | None, ean: str | None, upc: str | None, parts: Iterable[str | None]
) -> str:
    """What a size is called on marketplaces, or nothing; `parts`: the numbers of product, variant and size."""
    match sku_from:
        case "sku":
            return sku or ""
        case "ean":
            return ean or ""
        case "upc":
            return upc or ""
        case "joined":
            return "".join(part or "" for part in parts)


def is_sold(status: str) -> bool:
    """Whether something of that status is on sale. Raises ValueError for one that is new to us."""
    if status in _SOLD or status in _NOT_SOLD:
        return status in _SOLD
    raise ValueError(f"Centra gives the status {status}, which is new to us")


def topology_of(answer: schema.Topology) -> Topology:
    """Markets, warehouses and price lists as the policies use them.

    A warehouse belongs to a rule that it names, or that names it in one of its priorities by geography.
    """
    named: dict[int, set[int]] = {}
    for market in answer.markets:
        rule = market.allocation_rule
        for place in (rule.geography_allocation_priorities or ()) if rule else ():
            for warehouse_id in place.warehouse_ids:
                named.setdefault(warehouse_id, set()).add(rule.id if rule else 0)
    return Topology(
        markets={
            MarketId(m.id): Market(
                MarketId(m.id),
                m.name or str(m.id),
                m.allocation_rule.id if m.allocation_rule else None,
                frozenset(m.country_codes),
            )
            for m in answer.markets
        },
        warehouses={
            WarehouseId(w.id): Warehouse(
                WarehouseId(w.id),
                w.name or str(w.id),
                w.threshold or 0,
                w.allocation_policy == "DIRECT",
                frozenset(w.rule_ids) | frozenset(named.get(w.id, ())),
            )
            for w in answer.warehouses
        },
        price_lists={p.id: PriceList(p.id, p.name or str(p.id), p.currency_code or "") for p in answer.pricelists},
    )
