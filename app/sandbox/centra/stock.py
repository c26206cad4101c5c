"""Stock moved from outside the order flow: by a warehouse system (`setStock`, `changeStock`) or by the admin.

Each change is a StockChange, with an event for whoever listens. Several cells may belong to one change.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.sandbox.centra.entities import ProductSize, StockCell, StockChange, StockChangeLine, Warehouse
from app.sandbox.centra.shop import Shop


@dataclass(frozen=True, slots=True)
class Movement:
    """Units (either sign) that come to or leave one size in one warehouse."""

    size: ProductSize
    warehouse: Warehouse
    quantity: int


def cell_of(size: ProductSize, warehouse: Warehouse) -> StockCell:
    """The cell of a size in a warehouse; made when there is none yet."""
    cell = size.stock.get(warehouse.id)
    if cell is None:
        cell = size.stock[warehouse.id] = StockCell(warehouse, size)
    return cell


def move(shop: Shop, movements: Iterable[Movement], description: str, *, other: Warehouse | None = None) -> StockChange:
    """Books the movements, all in one warehouse, as one StockChange. `other` is the far end of a transfer."""
    lines: list[StockChangeLine] = []
    gained = True
    warehouse: Warehouse | None = None
    for movement in movements:
        warehouse = movement.warehouse
        cell = cell_of(movement.size, warehouse)
        cell.physical_quantity += movement.quantity
        gained = movement.quantity >= 0
        line_id = next(shop.numbers.stock_change_line)
        delivered, free = abs(movement.quantity), cell.free_to_allocate_quantity
        lines.append(StockChangeLine(line_id, delivered, free, movement.size))
        shop.stock_moved(cell, "stock_change")
        if other is not None:
            far = cell_of(movement.size, other)
            far.physical_quantity -= movement.quantity
            shop.stock_moved(far, "stock_change")
    change = StockChange(
        id=next(shop.numbers.stock_change),
        description=description,
        created_at=shop.now(),
        into_warehouse=warehouse if gained else other,
        out_from_warehouse=other if gained else warehouse,
        lines=lines,
    )
    shop.stock_changes[change.id] = change
    shop.emit("StockChange", "CREATED", change.id)
    return change


def set_free(shop: Shop, size: ProductSize, warehouse: Warehouse, fta: int, description: str) -> StockChange:
    """Brings free-to-allocate to an absolute figure; what is allocated stays so."""
    quantity = fta - cell_of(size, warehouse).free_to_allocate_quantity
    return move(shop, [Movement(size, warehouse, quantity)], description)


def set_levels(
    shop: Shop,
    levels: Iterable[tuple[ProductSize, int]],
    warehouse: Warehouse,
    description: str,
    *,
    physical: bool = True,
) -> list[StockChange]:
    """Brings several sizes to absolute figures, silently never below what is allocated.

    What came in and what went out are two StockChanges; figures that were right already make none.
    """
    gains: list[Movement] = []
    losses: list[Movement] = []
    for size, quantity in levels:
        cell = cell_of(size, warehouse)
        target = max(quantity, cell.allocated_quantity) if physical else quantity + cell.allocated_quantity
        difference = target - cell.physical_quantity
        if difference:
            (gains if difference > 0 else losses).append(Movement(size, warehouse, difference))
    return [move(shop, movements, description) for movements in (gains, losses) if movements]


def apply_changes(shop: Shop, changes: list[dict[str, Any]]) -> list[int]:
    """The admin's list: `{"size_id" | "sku", "warehouse_id"?, "fta": n | "delta": n}` each; ids of the
    StockChanges.

    Without a warehouse the first one is meant. KeyError or ValueError at the first change that makes no
    sense; those before it are booked.
    """
    made: list[int] = []
    for members in changes:
        size = shop.size_for(members)
        warehouse = warehouse_for(shop, members)
        if "fta" in members:
            change = set_free(shop, size, warehouse, int(members["fta"]), "Stock take")
        else:
            change = move(shop, [Movement(size, warehouse, int(members["delta"]))], "Adjustment")
        made.append(change.id)
    return made


def warehouse_for(shop: Shop, members: dict[str, Any]) -> Warehouse:
    if members.get("warehouse_id") is None:
        return next(iter(shop.warehouses.values()))
    return shop.warehouses[int(members["warehouse_id"])]
