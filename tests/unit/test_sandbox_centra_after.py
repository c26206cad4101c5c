"""Shipments and returns in the Centra stand-in: whatever is done in whatever order, units and money hang together."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.centra import orders, returns, shipments
from app.sandbox.centra.order_entities import Order
from app.sandbox.centra.order_stock import NotPossible
from app.sandbox.centra.shop import Shop
from tests.unit.test_sandbox_centra_orders import FTA, SIZES, all_lines, new_order, small_shop

QUANTITIES = (3, 2, 1)
SHIPPING = Decimal("6.90")
WAREHOUSES = 3

DEEDS = (
    *("pack", "send", "pack and send", "pay", "remove", "cut"),
    *("expect", "take back", "complete", "undo", "delete", "refund"),
)
deeds = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.integers(0, 5), st.integers(1, 3), st.booleans()),
    max_size=30,
)


def one_order() -> tuple[Shop, Order]:
    shop = small_shop()
    order = orders.create(shop, new_order(shop, QUANTITIES))
    order.shipping_value = SHIPPING
    orders.place(shop, order)
    return shop, order


def do(shop: Shop, order: Order, deed: str, which: int, quantity: int, flag: bool) -> None:
    line = order.order_lines[which % len(order.order_lines)]
    change = shipments.Change(paid=True)
    if deed in ("pack", "pack and send"):
        shipments.create(
            shop, order, [(line, quantity)], change if flag else shipments.Change(), complete_now=" " in deed
        )
    elif deed == "cut":
        orders.cancel_units(shop, order, [(line, quantity, flag)])
    if not order.shipments:
        return
    shipment = order.shipments[which % len(order.shipments)]
    if deed == "send":
        shipments.complete(shop, shipment)
    elif deed == "pay":
        shipments.update(shop, shipment, change)
    elif deed == "remove":
        shipments.remove(shop, shipment)
    elif deed in ("expect", "take back"):
        costs = returns.Costs(shipping=Decimal(which), return_cost=Decimal(quantity))
        made = returns.create(shop, shipment, [(shipment.lines[0], quantity)], costs, release=flag)
        if deed == "take back":
            returns.complete(shop, made)
    if not order.returns:
        return
    made = order.returns[which % len(order.returns)]
    if deed == "refund":
        returns.refund(shop, made)
    elif deed in ("complete", "undo", "delete"):
        {"complete": returns.complete, "undo": returns.uncomplete, "delete": returns.delete}[deed](shop, made)


def check(shop: Shop, order: Order) -> None:
    """Every unit is in one place, every figure is the sum of what it stands for, and no money is given twice."""
    for line in order.order_lines:
        mine = [(s, part) for s in order.shipments for part in s.lines if part.order_line is line]
        back = [(r, part) for r in order.returns for part in r.lines if part.order_line is line]
        assert line.shipped_quantity == sum(part.quantity for s, part in mine if s.is_shipped)
        assert line.packed_quantity == sum(part.quantity for s, part in mine if not s.is_shipped)
        assert line.returned_quantity == sum(part.quantity for r, part in back if r.return_status == "COMPLETED")
        assert line.packed_quantity <= line.allocated_quantity == line.open_quantity
        for shipment, part in mine:
            claimed = sum(entry.quantity for _, entry in back if entry.shipment_line is part)
            assert part.returned_quantity <= part.claimed_quantity == claimed <= part.quantity
            assert sum(a.quantity for a in part.taken_from) == (part.quantity if shipment.is_shipped else 0)
    for size in shop.sizes.values():
        cells = size.stock.values()
        lines = [line for line in all_lines(shop) if line.product_size is size]
        assert sum(cell.allocated_quantity for cell in cells) == sum(line.allocated_quantity for line in lines)
    assert sum(s.shipping_value for s in order.shipments) == (SHIPPING if order.shipments else 0)
    assert all(s.shipping_left >= 0 for s in order.shipments)
    assert 0 <= sum(r.grand_total.amount for r in order.returns) <= order.grand_total.amount
    if order.shipments:
        open_units = any(line.open_quantity for line in order.order_lines)
        finished = all(s.is_paid and s.is_shipped for s in order.shipments) and not open_units
        assert order.status == ("SHIPPED" if finished else "PROCESSING")


@settings(max_examples=30)
@given(deeds)
def test_units_and_money_hang_together(done: list[tuple[str, int, int, bool]]) -> None:
    shop, order = one_order()
    for deed, which, quantity, flag in done:
        with contextlib.suppress(NotPossible):
            do(shop, order, deed, which, quantity, flag)
        check(shop, order)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=6), st.booleans())
def test_all_that_is_taken_back_stands_where_it_stood(parts: list[tuple[int, int]], again: bool) -> None:
    """Undone, deleted, removed and cancelled: nothing is left of it."""
    shop, order = one_order()
    for which, quantity in parts:
        with contextlib.suppress(NotPossible):
            shipments.create(shop, order, [(order.order_lines[which], quantity)], complete_now=True)
    for shipment in order.shipments:
        made = returns.create(shop, shipment, [(line, line.quantity) for line in shipment.lines])
        returns.complete(shop, made)
        if again:
            returns.uncomplete(shop, made)
    for made in list(order.returns):
        returns.delete(shop, made)
    for shipment in list(order.shipments):
        shipments.remove(shop, shipment)
    orders.cancel(shop, order)
    assert (shop.shipments, shop.returns) == ({}, {})
    cells = [cell for size in shop.sizes.values() for cell in size.stock.values()]
    assert len(cells) == SIZES * WAREHOUSES
    assert {(cell.physical_quantity, cell.allocated_quantity) for cell in cells} == {(FTA, 0)}


def test_units_come_back_to_the_warehouse_that_they_left() -> None:
    """Eight units of a size do not stand in one warehouse: the order takes five and three."""
    shop = small_shop()
    order = orders.create(shop, new_order(shop, (8,)))
    orders.place(shop, order)
    shipment = shipments.create(shop, order, [(order.order_lines[0], 8)], complete_now=True)
    assert [(a.warehouse.id, a.quantity) for a in shipment.lines[0].taken_from] == [(2, 3), (1, 5)]
    shipments.remove(shop, shipment)
    cells = order.order_lines[0].product_size.stock
    assert {n: (cells[n].physical_quantity, cells[n].allocated_quantity) for n in (1, 2)} == {1: (5, 5), 2: (5, 3)}


def test_undoing_a_return_takes_promised_units_too() -> None:
    shop, order = one_order()
    shipment = shipments.create(shop, order, [(order.order_lines[0], 3)], complete_now=True)
    made = returns.create(shop, shipment, [(shipment.lines[0], 3)])
    returns.complete(shop, made)
    cell = order.order_lines[0].product_size.stock[1]
    orders.create(shop, new_order(shop, (cell.free_to_allocate_quantity,)))
    assert cell.free_to_allocate_quantity == 0
    returns.uncomplete(shop, made)
    assert cell.free_to_allocate_quantity == -3


def test_refused_shipment_leaves_no_trace() -> None:
    shop, order = one_order()
    with pytest.raises(NotPossible):
        shipments.create(shop, order, [(order.order_lines[0], 1), (order.order_lines[1], 3)], complete_now=True)
    assert (order.shipments, order.status, shop.shipments) == ([], "PENDING", {})
    check(shop, order)
