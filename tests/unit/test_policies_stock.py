"""Available to sell: the field cases by value, and what must hold whatever Centra says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.centra import facts, schema
from app.domain.ids import MarketId, SizeId, Sku, WarehouseId
from app.domain.stock import Available, Cause, Market, Size, Topology, Unreadable, Warehouse
from app.policies.stock import MIRAKL_LARGEST, StockPolicy, available
from app.wire import decode

FRANCE, RULE = MarketId(3), 7
BORAS, LYON, DROPSHIP, OUTLET = WarehouseId(1), WarehouseId(2), WarehouseId(3), WarehouseId(4)
POLICY = StockPolicy(FRANCE)


def topology(*, boras: int = 0, lyon: int = 0, rule: int | None = RULE) -> Topology:
    """Borås and Lyon sell to France; the drop shipper is not DIRECT, the outlet follows another rule."""
    return Topology(
        markets={FRANCE: Market(FRANCE, "France", rule, frozenset({"FR"}))},
        warehouses={
            BORAS: Warehouse(BORAS, "Borås", boras, True, frozenset({RULE, 8})),
            LYON: Warehouse(LYON, "Lyon", lyon, True, frozenset({RULE})),
            DROPSHIP: Warehouse(DROPSHIP, "Drop shipper", 0, False, frozenset({RULE})),
            OUTLET: Warehouse(OUTLET, "Outlet", 0, True, frozenset({8})),
        },
    )


def size(free: dict[WarehouseId, int | None], *, offset: int = 0) -> Size:
    return Size(SizeId(11), Sku("VX-100-M"), free, offset)


def number(outcome: Available | Unreadable) -> Available:
    assert isinstance(outcome, Available)
    return outcome


def quantity(
    free: dict[WarehouseId, int | None],
    *,
    offset: int = 0,
    places: Topology | None = None,
    policy: StockPolicy = POLICY,
    unplaced: int = 0,
) -> int:
    return number(available(size(free, offset=offset), places or topology(), policy, unplaced)).quantity


# ------------------------------------------------------------------------------------------------ business rule 1


def test_only_direct_warehouses_of_the_markets_rule_count() -> None:
    assert quantity({BORAS: 3, LYON: 4, DROPSHIP: 100, OUTLET: 1000}) == 7


def test_a_negative_warehouse_takes_nothing_from_another() -> None:
    outcome = number(available(size({BORAS: -2, LYON: 4}), topology(), POLICY))
    assert (outcome.quantity, outcome.negative, outcome.cause) == (4, True, Cause.FREE)


def test_safety_is_the_sum_of_the_thresholds_counted() -> None:
    assert quantity({BORAS: 10, LYON: 10}, places=topology(boras=2, lyon=3)) == 15


def test_a_threshold_is_kept_back_even_where_the_warehouse_has_nothing() -> None:
    assert quantity({BORAS: 10}, places=topology(boras=2, lyon=3)) == 5


@pytest.mark.parametrize(("offset", "per_warehouse", "left"), [(4, False, 16), (4, True, 12), (-4, False, 20)])
def test_an_offset_replaces_the_thresholds_and_a_negative_one_is_no_safety(
    offset: int, per_warehouse: bool, left: int
) -> None:
    policy = replace(POLICY, offset_per_warehouse=per_warehouse)
    assert quantity({BORAS: 10, LYON: 10}, offset=offset, places=topology(boras=5, lyon=5), policy=policy) == left


def test_units_not_in_centra_yet_and_the_channels_buffer_are_taken_off() -> None:
    assert quantity({BORAS: 10}, policy=replace(POLICY, buffer=2), unplaced=3) == 5


def test_the_steps_name_every_part_in_order() -> None:
    places = topology(boras=1, lyon=0)
    outcome = number(available(size({BORAS: 9, LYON: -1}), places, replace(POLICY, buffer=2, cap=4), unplaced=1))
    assert outcome.steps == (
        "Borås: free to allocate 9",
        "Lyon: free to allocate -1 counts as 0",
        "sum 9",
        "less 1 (thresholds of the warehouses): 8",
        "less 2 (the channel's buffer): 6",
        "less 1 (not in Centra yet): 5",
        "capped at 4",
        "available to sell: 4",
    )


def test_a_quantity_that_just_fits_its_cap_is_not_said_to_be_capped() -> None:
    outcome = number(available(size({BORAS: 4, LYON: 0}), topology(), replace(POLICY, cap=4)))
    assert outcome.steps == (
        "Borås: free to allocate 4",
        "Lyon: free to allocate 0",
        "sum 4",
        "available to sell: 4",
    )


# ------------------------------------------------------------------------------------------------ business rule 5


def test_no_stock_rows_is_zero_but_not_an_explicit_one() -> None:
    outcome = number(available(size({}), topology(), POLICY))
    assert (outcome.quantity, outcome.cause) == (0, Cause.MISSING)


@pytest.mark.parametrize(
    ("given_size", "places", "cause"),
    [
        (None, topology(), Cause.MISSING),
        (replace(size({BORAS: 5}), deleted=True), topology(), Cause.MISSING),
        (replace(size({BORAS: 5}), active=False), topology(), Cause.POLICY),
        (replace(size({BORAS: 5}), preorder=True), topology(), Cause.POLICY),
        (size({BORAS: 5}), topology(rule=None), Cause.MAPPING),
        (size({BORAS: 5}), topology(rule=99), Cause.MAPPING),
        (size({BORAS: 5}), Topology({}, {}), Cause.MAPPING),
    ],
)
def test_zeros_that_no_stock_figure_explains_say_what_they_come_from(
    given_size: Size | None, places: Topology, cause: Cause
) -> None:
    outcome = number(available(given_size, places, POLICY))
    assert (outcome.quantity, outcome.cause) == (0, cause)
    assert outcome.steps[-1].endswith(": 0")


def test_a_deleted_size_is_missing_before_it_is_inactive() -> None:
    gone = replace(size({BORAS: 5}), deleted=True, active=False)
    assert number(available(gone, topology(), POLICY)).cause is Cause.MISSING


# ---------------------------------------------------------------------------------------------------- field cases


def as_centra_says(stock: str, rest: str = "") -> Size:
    """A size from the text of an answer, as the events and sizes queries give it."""
    answer = decode.typed(f'{{"id": 11, "SKU": "VX-100-M", "stock": {stock}{rest}}}'.encode(), schema.Size)
    found = facts.size_of(answer, "sku")
    assert isinstance(found, Size)
    return found


def row(free: str) -> str:
    return f'[{{"warehouse": {{"id": {BORAS}}}, "freeToAllocateQuantity": {free}}}]'


@pytest.mark.parametrize(
    ("free", "offered", "negative"), [("-2", 0, True), ("3.0", 3, False), ("2147483648", 2_147_483_647, False)]
)
def test_field_case_8_impossible_quantities(free: str, offered: int, negative: bool) -> None:
    outcome = number(available(as_centra_says(row(free)), topology(), POLICY))
    assert (outcome.quantity, outcome.negative) == (offered, negative)
    assert type(outcome.quantity) is int


def test_field_case_8_no_cap_of_a_channel_goes_beyond_what_mirakl_takes() -> None:
    assert quantity({BORAS: 2**40}, policy=replace(POLICY, cap=2**40)) == MIRAKL_LARGEST == 2**31 - 1


def test_field_case_8_null_is_never_made_a_number() -> None:
    outcome = available(as_centra_says(row("null")), topology(), POLICY)
    assert isinstance(outcome, Unreadable)
    assert "Borås" in outcome.reason


def test_field_case_8_half_a_piece_is_no_quantity() -> None:
    with pytest.raises(decode.Unreadable):
        as_centra_says(row("3.5"))


def test_field_case_8_a_null_where_the_market_does_not_sell_from_is_no_trouble() -> None:
    assert quantity({BORAS: 3, DROPSHIP: None, OUTLET: None}) == 3


CASE_78 = (
    ', "preorder": true, "isActive": true, "incoming": 40, "overselling_prevention": "off",'
    ' "productVariant": {"status": "ACTIVE", "stockOffset": -2, "product": {"status": "ACTIVE"}}'
)


def test_field_case_78_neither_preorder_nor_incoming_stock_is_sold() -> None:
    case = as_centra_says(row("0"), CASE_78)
    outcome = number(available(case, topology(boras=5), POLICY))
    assert (outcome.quantity, outcome.cause) == (0, Cause.POLICY)
    sold = number(available(case, topology(boras=5), replace(POLICY, sell_preorders=True)))
    assert (sold.quantity, sold.cause) == (0, Cause.FREE)  # what is free, and nothing of what is on its way


def test_field_case_78_the_offset_beats_the_threshold() -> None:
    case = replace(as_centra_says(row("6"), CASE_78), preorder=False)
    assert number(available(case, topology(boras=5), POLICY)).quantity == 6
    assert number(available(replace(case, offset=0), topology(boras=5), POLICY)).quantity == 1


# ----------------------------------------------------------------------------------------------------- invariants

WAREHOUSES = tuple(WarehouseId(n) for n in range(1, 6))
figures = st.integers(-(2**40), 2**40) | st.integers(-5, 50)
small = st.integers(0, 60) | st.integers(0, 2**31)
frees = st.dictionaries(st.sampled_from(WAREHOUSES), figures)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    return Topology(
        {FRANCE: Market(FRANCE, "France", draw(st.sampled_from([RULE, RULE, RULE, None])), frozenset())},
        {
            w: Warehouse(
                w,
                f"W{w}",
                draw(st.integers(-3, 20)),
                draw(st.booleans()),
                draw(st.frozensets(st.sampled_from([RULE, 8]))),
            )
            for w in WAREHOUSES
        },
    )


policies = st.builds(
    StockPolicy, st.just(FRANCE), small, small | st.just(MIRAKL_LARGEST + 5), st.booleans(), st.booleans()
)
sizes = st.builds(
    Size,
    st.just(SizeId(11)),
    st.just(Sku("VX-100-M")),
    frees,
    st.integers(-30, 30),
    active=st.sampled_from([True, True, False]),
    preorder=st.sampled_from([False, False, True]),
)


@given(sizes, topologies(), policies, small)
def test_never_negative_never_above_the_cap_or_what_mirakl_takes(
    a_size: Size, places: Topology, policy: StockPolicy, unplaced: int
) -> None:
    outcome = number(available(a_size, places, policy, unplaced))
    assert 0 <= outcome.quantity <= min(policy.cap, MIRAKL_LARGEST)


@given(sizes, topologies(), policies, small)
def test_the_last_step_is_the_quantity(a_size: Size, places: Topology, policy: StockPolicy, unplaced: int) -> None:
    outcome = number(available(a_size, places, policy, unplaced))
    assert outcome.steps[-1].endswith(f": {outcome.quantity}")


@given(sizes, topologies(), policies, small)
def test_more_is_never_offered_than_is_free_in_the_markets_warehouses(
    a_size: Size, places: Topology, policy: StockPolicy, unplaced: int
) -> None:
    outcome = number(available(a_size, places, policy, unplaced))
    counted = [w.warehouse_id for w in places.warehouses.values() if w.direct and RULE in w.rules]
    assert outcome.quantity <= sum(max(0, a_size.free.get(w) or 0) for w in counted)


@given(sizes, topologies(), policies, small, st.sampled_from(WAREHOUSES), st.integers(0, 1000))
def test_more_free_stock_never_lowers_the_offer(
    a_size: Size, places: Topology, policy: StockPolicy, unplaced: int, where: WarehouseId, more: int
) -> None:
    richer = replace(a_size, free={**a_size.free, where: (a_size.free.get(where) or 0) + more})
    before = number(available(a_size, places, policy, unplaced)).quantity
    after = number(available(richer, places, policy, unplaced)).quantity
    assert before <= after <= before + more


@given(sizes, topologies(), policies, small, st.integers(0, 100))
def test_buffer_and_unplaced_units_lower_the_offer_by_exactly_so_many(
    a_size: Size, places: Topology, policy: StockPolicy, unplaced: int, kept_back: int
) -> None:
    bare = replace(policy, buffer=0, cap=MIRAKL_LARGEST)
    whole = number(available(a_size, places, bare)).quantity
    assume(whole < MIRAKL_LARGEST)  # where the ceiling bites, what is taken off may come from above it
    buffered = number(available(a_size, places, replace(bare, buffer=kept_back))).quantity
    promised = number(available(a_size, places, bare, kept_back)).quantity
    assert buffered == promised == max(0, whole - kept_back)


@given(sizes, topologies(), policies, st.sampled_from(WAREHOUSES))
def test_a_figure_that_is_missing_where_it_counts_is_never_a_number(
    a_size: Size, places: Topology, policy: StockPolicy, where: WarehouseId
) -> None:
    holed = replace(a_size, free={**a_size.free, where: None}, active=True, preorder=False)
    warehouse = places.warehouses[where]
    market_rule = places.markets[FRANCE].rule
    outcome = available(holed, places, policy)
    counts = market_rule is not None and warehouse.direct and market_rule in warehouse.rules
    assert isinstance(outcome, Unreadable) is counts


# --------------------------------------------------------------------------------------- by the marketplace's warehouse

NORTH, SOUTH = "NORTH", "SOUTH"
APART = replace(POLICY, warehouses={BORAS: NORTH, LYON: SOUTH})


def apart(
    free: dict[WarehouseId, int | None],
    *,
    offset: int = 0,
    places: Topology | None = None,
    policy: StockPolicy = APART,
    unplaced: int = 0,
) -> dict[str, int]:
    found = number(available(size(free, offset=offset), places or topology(), policy, unplaced)).by_warehouse
    assert found is not None
    return dict(found)


def test_each_warehouse_is_told_what_it_has_and_one_without_units_is_told_so() -> None:
    assert apart({BORAS: 3, LYON: 4, DROPSHIP: 100}) == {NORTH: 3, SOUTH: 4}
    assert apart({BORAS: 3}) == {NORTH: 3, SOUTH: 0}
    assert number(available(size({BORAS: 3}), topology(), POLICY)).by_warehouse is None


def test_a_warehouse_keeps_its_own_threshold_and_what_it_has_not_comes_off_the_one_named_last() -> None:
    assert apart({BORAS: 10, LYON: 10}, places=topology(boras=4, lyon=1)) == {NORTH: 6, SOUTH: 9}
    assert apart({BORAS: 1, LYON: 10}, places=topology(boras=4, lyon=1)) == {NORTH: 0, SOUTH: 6}
    backwards = replace(APART, warehouses={LYON: SOUTH, BORAS: NORTH})
    assert apart({BORAS: 10, LYON: 1}, places=topology(lyon=4), policy=backwards) == {SOUTH: 0, NORTH: 7}


def test_all_else_that_is_kept_back_comes_off_the_warehouse_named_last_first() -> None:
    stock: dict[WarehouseId, int | None] = {BORAS: 5, LYON: 3}
    assert apart(stock, unplaced=2) == {NORTH: 5, SOUTH: 1}
    assert apart(stock, policy=replace(APART, buffer=4)) == {NORTH: 4, SOUTH: 0}
    assert apart(stock, offset=1, places=topology(boras=5)) == {NORTH: 5, SOUTH: 2}, "the offset beats the thresholds"
    assert apart(stock, policy=replace(APART, cap=6)) == {NORTH: 5, SOUTH: 1}
    assert apart(stock, unplaced=20) == {NORTH: 0, SOUTH: 0}


def test_a_warehouse_without_a_code_is_not_offered_and_two_may_share_one() -> None:
    assert apart({BORAS: 5, LYON: 3}, policy=replace(APART, warehouses={LYON: SOUTH})) == {SOUTH: 3}
    assert apart({BORAS: 5, LYON: 3}, policy=replace(APART, warehouses={BORAS: NORTH, LYON: NORTH})) == {NORTH: 8}
    elsewhere = available(size({BORAS: 5}), topology(), replace(APART, warehouses={OUTLET: SOUTH}))
    assert (number(elsewhere).cause, number(elsewhere).by_warehouse) == (Cause.MAPPING, {SOUTH: 0})


@given(sizes, topologies(), policies, small)
def test_told_by_warehouse_it_is_the_same_quantity_and_none_is_below_zero(
    a_size: Size, places: Topology, policy: StockPolicy, unplaced: int
) -> None:
    named = replace(policy, warehouses={w: f"M{w % 4}" for w in reversed(WAREHOUSES)})
    whole, told = available(a_size, places, policy, unplaced), available(a_size, places, named, unplaced)
    assert number(told).quantity == number(whole).quantity
    found = number(told).by_warehouse
    assert found is not None
    assert found.keys() == set(named.warehouses.values())
    assert sum(found.values()) == number(whole).quantity
    assert min(found.values()) >= 0
    assert number(told).steps[-1] == number(whole).steps[-1]
    for code, units in found.items():
        there = [max(0, a_size.free.get(w) or 0) for w, its in named.warehouses.items() if its == code]
        assert units <= sum(there), "no warehouse is told more than it has"
