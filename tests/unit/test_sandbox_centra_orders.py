"""Stock under orders in the Centra stand-in: whatever is done to orders, the figures hang together."""

import contextlib
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.centra import orders, seed, shipments
from app.sandbox.centra.order_entities import Order, OrderLine
from app.sandbox.centra.order_request import default_pricelist
from app.sandbox.centra.order_stock import NotEnoughStock, NotPossible
from app.sandbox.centra.shop import Shop
from app.sandbox.clock import Clock
from app.sandbox.journal import Ledger

SIZES, FTA = 2, 5
MARKET = 4
CENT = Decimal("0.01")

deeds = st.lists(
    st.tuples(
        st.sampled_from(["create", "place", "split", "cancel", "remove", "cut", "ship", "allocate", "restock"]),
        st.integers(0, 5),
        st.integers(1, 8),
        st.booleans(),
    ),
    max_size=25,
)


def small_shop(**options: bool | int) -> Shop:
    clock = Clock()
    shop = Shop(clock, Ledger(clock))
    shop.order_options = shop.order_options.changed(options)
    seed.seed(shop, {"sizes": SIZES, "fta": FTA})
    return shop


def new_order(shop: Shop, quantities: tuple[int, ...], *, force: bool = False, price: str = "10.00") -> orders.NewOrder:
    """One line a quantity, of the sizes in turn."""
    sizes = list(shop.sizes.values())
    market = shop.markets[MARKET]
    amount = Decimal(price)
    return orders.NewOrder(
        lines=tuple(
            orders.NewLine(sizes[n % SIZES], quantity, amount, amount) for n, quantity in enumerate(quantities)
        ),
        market=market,
        pricelist=default_pricelist(shop, market),
        rule=market.allocation_rule,
        force_create=force,
        create_only=True,
    )


def do(shop: Shop, deed: str, which: int, quantity: int, flag: bool) -> None:
    """One thing that a shop, its staff or its connector does; what is not possible is refused."""
    if deed == "create":
        orders.create(shop, new_order(shop, (quantity, which + 1), force=flag))
        return
    if deed == "restock":
        cell = list(shop.sizes.values())[which % SIZES].stock[1]
        cell.physical_quantity += quantity
        return
    if not shop.orders:
        return
    order = list(shop.orders.values())[which % len(shop.orders)]
    line = order.order_lines[quantity % len(order.order_lines)]
    if deed in ("place", "split"):
        orders.place(shop, order, split=deed == "split")
    elif deed in ("cancel", "remove"):
        orders.cancel(shop, order, release=deed == "cancel")
    elif deed == "cut":
        orders.cancel_units(shop, order, [(line, quantity, flag)])
    elif deed == "ship":
        shipments.create(shop, order, [(line, quantity)], complete_now=True)
    else:
        orders.allocate_owed(shop, order)


def all_lines(shop: Shop) -> list[OrderLine]:
    return [line for order in shop.orders.values() for line in order.order_lines]


def check(shop: Shop) -> None:
    """What the cells count is what the orders hold, and no line holds more or less than it has open."""
    allocated: Counter[tuple[int, int]] = Counter()
    owed: Counter[tuple[int, int]] = Counter()
    for line in all_lines(shop):
        for allocation in line.allocations:
            assert allocation.quantity > 0
            allocated[line.product_size.id, allocation.warehouse.id] += allocation.quantity
        for warehouse, quantity in line.demand.items():
            owed[line.product_size.id, warehouse] += quantity
        held = sum(a.quantity for a in line.allocations) + sum(line.demand.values())
        assert held == line.open_quantity
    for size in shop.sizes.values():
        for warehouse, cell in size.stock.items():
            assert cell.allocated_quantity == allocated[size.id, warehouse]
            assert cell.demand_quantity == owed[size.id, warehouse]
            assert cell.free_to_allocate_quantity >= 0
            assert cell.physical_quantity >= 0


@settings(max_examples=20)
@given(deeds)
def test_figures_hang_together(done: list[tuple[str, int, int, bool]]) -> None:
    shop = small_shop()
    for deed, which, quantity, flag in done:
        with contextlib.suppress(NotPossible):
            do(shop, deed, which, quantity, flag)
        check(shop)


@settings(max_examples=12)
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans(), st.booleans()), max_size=6))
def test_cancelling_all_gives_all_back(wanted: list[tuple[int, bool, bool]]) -> None:
    shop = small_shop()
    for quantity, force, placed in wanted:
        try:
            order = orders.create(shop, new_order(shop, (quantity,), force=force))
        except NotPossible:
            continue
        if placed:
            orders.place(shop, order)
    for order in list(shop.orders.values()):
        orders.cancel(shop, order)
    cells = [cell for size in shop.sizes.values() for cell in size.stock.values()]
    assert {(c.physical_quantity, c.allocated_quantity, c.demand_quantity) for c in cells} == {(FTA, 0, 0)}


def test_order_too_large_leaves_no_trace() -> None:
    shop = small_shop()
    with pytest.raises(NotEnoughStock):
        orders.create(shop, new_order(shop, (2, 11)))
    assert (shop.orders, shop.customers) == ({}, {})
    check(shop)


@settings(max_examples=20)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.decimals(min_value=0, max_value=5000, places=2),
    st.booleans(),
)
def test_totals_are_the_sum_of_their_parts(quantities: list[int], price: Decimal, included: bool) -> None:
    shop = small_shop(rounding_error=1)
    for pricelist in shop.pricelists.values():
        pricelist.tax_included = included
    order: Order = orders.create(shop, new_order(shop, tuple(quantities), force=True, price=str(price)))
    units = sum(quantities)
    gross = price if included else (price * Decimal("1.2")).quantize(CENT, ROUND_HALF_UP)
    assert order.grand_total.amount == units * (gross + CENT)
    totals = order.totals
    tax = totals.tax_included.amount + totals.tax_added.amount
    assert abs(order.grand_total.amount / 6 - tax) <= CENT / 2
    assert (totals.tax_added.amount == 0) or not included
    assert totals.quantity == units


def test_second_half_of_a_split_holds_its_own_stock() -> None:
    shop = small_shop()
    order = orders.create(shop, new_order(shop, (1, 2, 3)))
    first, second = orders.place(shop, order, split=True)
    assert [line.quantity for line in first.order_lines] == [1, 2]
    orders.cancel(shop, second)
    check(shop)
    assert (first.status, sum(line.open_quantity for line in all_lines(shop))) == ("PENDING", 3)
