"""Direct-to-consumer orders as far as stock needs them: placed and cancelled by the admin.

Placing allocates from the warehouses of the market's rule by precedence: allocated goes up,
free-to-allocate goes down, nothing moves on the shelf. What no warehouse has becomes demand (a backorder)
if the caller allows it. No StockChange is made, so that a listener of StockChange alone misses the
movement; the Order event tells of it.
"""

import hashlib
from typing import Any

from app.sandbox.centra.entities import Allocation, Market, Order, OrderLine, ProductSize
from app.sandbox.centra.sellable import counted_warehouses
from app.sandbox.centra.shop import Shop
from app.sandbox.centra.stock import cell_of


class NotEnoughStock(Exception):  # noqa: N818 - says what it is
    """No warehouse of the market's rule has the units and no backorder was allowed."""


def place(shop: Shop, lines: list[dict[str, Any]], *, market: Market, backorder: bool = False) -> Order:
    """`lines` are `{"sku" | "size_id", "quantity"}`. Nothing is kept when NotEnoughStock is raised."""
    wanted = [(shop.size_for(members), int(members.get("quantity", 1))) for members in lines]
    if not backorder:
        _check(wanted, market)
    number, now = next(shop.numbers.order), shop.now()
    order = Order(
        id=hashlib.md5(f"order {number}".encode(), usedforsecurity=False).hexdigest(),
        number=number,
        store=market.store,
        market=market,
        pricelist=next((p for p in shop.pricelists.values() if p.store is market.store), None),
        allocation_rule=market.allocation_rule,
        created_at=now,
        updated_at=now,
        order_lines=[_allocated_line(shop, size, quantity, market) for size, quantity in wanted],
    )
    shop.orders[number] = order
    shop.order_by_hash[order.id] = order
    shop.ledger.record("order", number=number, change="placed")
    shop.emit("Order", "CREATED", number, order.store, order.market)
    return order


def cancel(shop: Shop, order: Order, *, release: bool = True) -> None:
    """Cancels what is not shipped. `release` gives the units back; without it they leave the shelf for
    good.
    """
    if order.status == "CANCELLED":
        raise ValueError(f"order {order.number} is cancelled already")
    for line in order.order_lines:
        for allocation in line.allocations:
            cell = cell_of(line.product_size, allocation.warehouse)
            cell.allocated_quantity -= allocation.quantity
            if not release:
                cell.physical_quantity -= allocation.quantity
            shop.stock_moved(cell, "order_cancelled")
        for warehouse_id, quantity in line.demand.items():
            line.product_size.stock[warehouse_id].demand_quantity -= quantity
        line.allocations.clear()
        line.demand.clear()
        line.cancelled_quantity = line.quantity - line.shipped_quantity
    order.status = "CANCELLED"
    order.updated_at = shop.now()
    shop.ledger.record("order", number=order.number, change="cancelled")
    shop.emit("Order", "UPDATED", order.number, order.store, order.market)


def _check(wanted: list[tuple[ProductSize, int]], market: Market) -> None:
    needed: dict[int, int] = {}
    for size, quantity in wanted:
        if quantity < 1:
            raise ValueError("a quantity is at least 1")
        needed[size.id] = needed.get(size.id, 0) + quantity
        cells = [size.stock[w.id] for w in counted_warehouses(market) if w.id in size.stock]
        if sum(max(0, cell.free_to_allocate_quantity) for cell in cells) < needed[size.id]:
            raise NotEnoughStock(f"not enough stock of {size.sku}")


def _allocated_line(shop: Shop, size: ProductSize, quantity: int, market: Market) -> OrderLine:
    line = OrderLine(next(shop.numbers.order_line), size, quantity)
    missing = quantity
    warehouses = counted_warehouses(market)
    for warehouse in warehouses:
        cell = cell_of(size, warehouse)
        taken = min(missing, max(0, cell.free_to_allocate_quantity))
        if taken > 0:
            cell.allocated_quantity += taken
            line.allocations.append(Allocation(next(shop.numbers.allocation), taken, warehouse))
            missing -= taken
            shop.stock_moved(cell, "order_placed")
    if missing > 0 and warehouses:
        cell_of(size, warehouses[0]).demand_quantity += missing
        line.demand[warehouses[0].id] = missing
    return line
