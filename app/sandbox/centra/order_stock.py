"""What orders do to stock.

Allocating takes from the DIRECT warehouses of the order's rule by precedence: allocated goes up, free-to-allocate
goes down, nothing moves on the shelf. What no warehouse has becomes demand (a backorder). No StockChange is made,
so that a listener of StockChange alone misses the movement; the Order event tells of it. Only shipping, and
cancelling without release, take units off the shelf; only returns put them back.
"""

from app.sandbox.centra.entities import ProductSize, Warehouse
from app.sandbox.centra.order_entities import Allocation, OrderLine
from app.sandbox.centra.shop import Shop
from app.sandbox.centra.stock import cell_of


class NotPossible(ValueError):  # noqa: N818 - says what it is
    """The order does not allow it."""


class NotEnoughStock(NotPossible):
    """No warehouse of the rule has the units and no backorder was allowed."""


def check_stock(wanted: list[tuple[ProductSize, int]], warehouses: list[Warehouse]) -> None:
    """Raises NotEnoughStock. Safety stock does not hold an order back."""
    needed: dict[int, int] = {}
    for size, quantity in wanted:
        needed[size.id] = needed.get(size.id, 0) + quantity
        cells = [size.stock[w.id] for w in warehouses if w.id in size.stock]
        if sum(max(0, cell.free_to_allocate_quantity) for cell in cells) < needed[size.id]:
            raise NotEnoughStock(f"not enough stock of {size.sku}")


def allocate(shop: Shop, line: OrderLine, quantity: int, warehouses: list[Warehouse]) -> int:
    """Takes what there is and owes the rest; how much that is."""
    missing = quantity
    for warehouse in warehouses:
        cell = cell_of(line.product_size, warehouse)
        taken = min(missing, max(0, cell.free_to_allocate_quantity))
        if taken > 0:
            cell.allocated_quantity += taken
            line.allocations.append(Allocation(next(shop.numbers.allocation), taken, warehouse))
            missing -= taken
            shop.stock_moved(cell, "order_placed")
    if missing > 0 and warehouses:
        cell_of(line.product_size, warehouses[0]).demand_quantity += missing
        line.demand[warehouses[0].id] = line.demand.get(warehouses[0].id, 0) + missing
    return missing


def let_go(shop: Shop, line: OrderLine, quantity: int, *, release: bool) -> None:
    """Gives up units of a line, owed ones first. Without `release` allocated ones leave the shelf for good."""
    for warehouse_id, owed in list(line.demand.items()):
        given_up = min(quantity, owed)
        line.product_size.stock[warehouse_id].demand_quantity -= given_up
        line.demand[warehouse_id] -= given_up
        quantity -= given_up
        if not line.demand[warehouse_id]:
            del line.demand[warehouse_id]
    _take_off(shop, line, quantity, "order_cancelled", off_the_shelf=not release)


def ship_out(shop: Shop, line: OrderLine, quantity: int) -> list[Allocation]:
    """Allocated units leave the shelf; where they stood."""
    line.shipped_quantity += quantity
    return _take_off(shop, line, quantity, "order_shipped", off_the_shelf=True)


def ship_back(shop: Shop, line: OrderLine, taken_from: list[Allocation]) -> None:
    """Undoes `ship_out`: the units stand on the shelf again, allocated to the line."""
    for allocation in taken_from:
        cell = cell_of(line.product_size, allocation.warehouse)
        cell.physical_quantity += allocation.quantity
        cell.allocated_quantity += allocation.quantity
        line.shipped_quantity -= allocation.quantity
        line.allocations.append(allocation)
        shop.stock_moved(cell, "shipment_removed")


def put_back(shop: Shop, size: ProductSize, warehouse: Warehouse, quantity: int, cause: str) -> None:
    """Returned units stand on the shelf, free for anybody; a negative quantity takes them off again."""
    cell = cell_of(size, warehouse)
    cell.physical_quantity += quantity
    shop.stock_moved(cell, cause)


def _take_off(shop: Shop, line: OrderLine, quantity: int, cause: str, *, off_the_shelf: bool) -> list[Allocation]:
    """Undoes allocations, the latest first, and says which; a line whose stock was never taken has none."""
    undone: list[Allocation] = []
    while quantity > 0 and line.allocations:
        allocation = line.allocations[-1]
        taken = min(quantity, allocation.quantity)
        cell = cell_of(line.product_size, allocation.warehouse)
        cell.allocated_quantity -= taken
        if off_the_shelf:
            cell.physical_quantity -= taken
        allocation.quantity -= taken
        quantity -= taken
        if allocation.quantity == 0:
            line.allocations.pop()
        undone.append(Allocation(allocation.id, taken, allocation.warehouse))
        shop.stock_moved(cell, cause)
    return undone
