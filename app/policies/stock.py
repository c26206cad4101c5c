"""Available to sell, as business rule 1 has it: a pure function that shows its steps.

Available = Σ over the DIRECT warehouses of the market's allocation rule of max(0, FTA) − safety − unplaced,
floored at 0 and capped for the channel. Safety is the variant's offset when it is not 0 (a negative one is no
safety), else the thresholds of the warehouses counted. Incoming stock, backorders and preorders never count.

Where a channel tells stock by warehouse, the same units are told apart, and their sum stays the same. Each warehouse
keeps its own threshold back; what it has not for that, and all else that is kept back (offset, buffer, unplaced units,
what is above the cap), comes off the warehouse that the channel names last, then off the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.domain.ids import MarketId, WarehouseId
from app.domain.stock import Available, Cause, Size, Topology, Unreadable, Warehouse

MIRAKL_LARGEST = 2_147_483_647
"""STO01 takes a 32-bit integer."""


@dataclass(frozen=True, slots=True)
class StockPolicy:
    """What a channel decides about its stock.

    `warehouses`: the marketplace's code of each warehouse that is sold from, the one to empty last first; others do not
    count then. None are named: all count, and one figure is told.
    """

    market_id: MarketId
    buffer: int = 0
    cap: int = MIRAKL_LARGEST
    offset_per_warehouse: bool = False
    sell_preorders: bool = False
    warehouses: Mapping[WarehouseId, str] = field(default_factory=dict)


def available(size: Size | None, topology: Topology, policy: StockPolicy, unplaced: int = 0) -> Available | Unreadable:
    """Units of `size` that the channel may offer.

    `unplaced`: units of marketplace orders that are not in Centra yet (business rule 2). Gives `Unreadable`
    when Centra gave no number for a warehouse that counts.
    """
    if size is None or size.deleted:
        return nothing(Cause.MISSING, "no size in Centra has this SKU", policy)
    if not size.active:
        return nothing(Cause.POLICY, "the size or its variant is not active", policy)
    if size.preorder and not policy.sell_preorders:
        return nothing(Cause.POLICY, "the size is a preorder", policy)
    warehouses = topology.sold_from(policy.market_id)
    if not warehouses:
        why = "is unknown" if warehouses is None else "has no DIRECT warehouse"
        return nothing(Cause.MAPPING, f"market {policy.market_id} or its allocation rule {why}", policy)
    if policy.warehouses:
        warehouses = tuple(w for w in warehouses if w.warehouse_id in policy.warehouses)
        if not warehouses:
            return nothing(Cause.MAPPING, "the channel names no warehouse that its market sells from", policy)
    found = _count(size, warehouses, policy, unplaced)
    if isinstance(found, Unreadable) or not policy.warehouses:
        return found
    apart = _apart(size, warehouses, policy, found.quantity)
    words = f"by warehouse: {', '.join(f'{code} {units}' for code, units in apart.items())}"
    return replace(found, by_warehouse=apart, steps=(*found.steps[:-1], words, found.steps[-1]))


def nothing(cause: Cause, why: str, policy: StockPolicy) -> Available:
    """None may be offered, at any warehouse."""
    by_warehouse = dict.fromkeys(policy.warehouses.values(), 0) if policy.warehouses else None
    return Available(0, cause, (f"{why}: 0",), by_warehouse=by_warehouse)


def _apart(size: Size, warehouses: Sequence[Warehouse], policy: StockPolicy, quantity: int) -> dict[str, int]:
    """`quantity` by code, as the rule above has it."""
    left = {w.warehouse_id: max(0, size.free.get(w.warehouse_id) or 0) for w in warehouses}
    if not size.offset:
        left = {w.warehouse_id: max(0, left[w.warehouse_id] - max(0, w.threshold)) for w in warehouses}
    kept_back = sum(left.values()) - quantity
    apart = dict.fromkeys(policy.warehouses.values(), 0)
    for warehouse_id, code in reversed(tuple(policy.warehouses.items())):
        units = left.get(warehouse_id, 0)
        taken = min(units, kept_back)
        kept_back -= taken
        apart[code] += units - taken
    return apart


def _count(size: Size, warehouses: tuple[Warehouse, ...], policy: StockPolicy, unplaced: int) -> Available | Unreadable:
    steps: list[str] = []
    total, negative = 0, False
    for warehouse in warehouses:
        free = size.free.get(warehouse.warehouse_id, 0)  # no row is no stock (business rule 5)
        if free is None:
            return Unreadable(f"Centra gives no free quantity for warehouse {warehouse.name}", tuple(steps))
        negative = negative or free < 0
        total += max(0, free)
        steps.append(f"{warehouse.name}: free to allocate {free}" + (" counts as 0" if free < 0 else ""))
    safety, why = _safety(size, warehouses, policy)
    steps.append(f"sum {total}")
    for amount, name in (
        (safety, why),
        (policy.buffer, "the channel's buffer"),
        (unplaced, "not in Centra yet"),
    ):
        if amount:
            total -= amount
            steps.append(f"less {amount} ({name}): {total}")
    if total < 0:
        steps.append("not below 0")
    if not any(warehouse.warehouse_id in size.free for warehouse in warehouses):
        return nothing(Cause.MISSING, "Centra gives no stock row in a warehouse that counts", policy)
    capped = min(max(0, total), policy.cap, MIRAKL_LARGEST)
    if capped < total:
        steps.append(f"capped at {capped}")
    steps.append(f"available to sell: {capped}")
    return Available(capped, Cause.FREE, tuple(steps), negative)


def _safety(size: Size, warehouses: tuple[Warehouse, ...], policy: StockPolicy) -> tuple[int, str]:
    if size.offset:
        times = len(warehouses) if policy.offset_per_warehouse else 1
        return max(0, size.offset) * times, "offset of the variant"
    return sum(max(0, w.threshold) for w in warehouses), "thresholds of the warehouses"


def free_units(size: Size, topology: Topology, market_id: MarketId) -> int | None:
    """Units that an order of the market can be given now; None when Centra gave no figure for a warehouse that counts.

    Safety stock is not subtracted: it keeps offers back, not orders (business rule 11).
    """
    warehouses = topology.sold_from(market_id)
    if warehouses is None:
        return None
    free = [size.free.get(warehouse.warehouse_id, 0) for warehouse in warehouses]
    return None if None in free else sum(max(0, units or 0) for units in free)
