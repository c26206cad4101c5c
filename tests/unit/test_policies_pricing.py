"""Full price sets and their guards: nothing partial, nothing converted, nothing that jumps unseen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.catalogue import Price
from app.domain.ids import Sku
from app.domain.listing import Offer
from app.domain.live_offer import LiveOffer, LivePrice
from app.flows.publishing.wire import upsert
from app.policies.differences import differences
from app.policies.pricing import Period, PricePolicy, PriceSet, Sale, jump, price_set, shown_set

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
WEB, SHOP, PRO, TEN, SALE, NEXT = 1, 7, 8, 9, 10, 11
BOTH = Period(NOW - timedelta(days=1), NOW + timedelta(days=3))
POLICY = PricePolicy(
    currency="EUR",
    price_list=SHOP,
    channels={},
    volumes={},
    planned=(),
    sales=(),
    floor=Decimal(5),
    largest_change=Decimal("0.5"),
)


def eur(amount: str) -> Price:
    return Price(Decimal(amount), "EUR")


def made(prices: dict[int, Price], policy: PricePolicy = POLICY) -> PriceSet:
    found = price_set(prices, policy, NOW)
    assert isinstance(found, PriceSet), found
    return found


def refused(prices: dict[int, Price], policy: PricePolicy = POLICY) -> str:
    found = price_set(prices, policy, NOW)
    assert isinstance(found, list)
    return "; ".join(found)


def test_field_case_10_the_price_list_of_the_channel_and_no_other() -> None:
    prices = {WEB: Price(Decimal(599), "SEK"), SHOP: eur("59.90")}
    assert made(prices).default.amount == Decimal("59.90")
    assert "is in SEK, the channel in EUR" in refused(prices, replace(POLICY, price_list=WEB))
    assert "no price for it in price list 7" in refused({WEB: eur("59.90")})


def test_field_case_11_a_percentage_sent_as_a_price_is_stopped() -> None:
    words = jump(Decimal("59.90"), made({SHOP: eur("10.00")}), POLICY)
    assert words is not None
    assert "moves by 83 % (59.90 → 10.00 EUR)" in words
    assert jump(Decimal("59.90"), made({SHOP: eur("39.90")}), POLICY) is None
    assert jump(None, made({SHOP: eur("10.00")}), POLICY) is None


def test_field_case_11_a_discount_that_jumps_is_stopped_as_well() -> None:
    policy = replace(POLICY, sales=(Sale(SALE, BOTH),))
    assert jump(Decimal("59.90"), made({SHOP: eur("59.90"), SALE: eur("10.00")}, policy), policy) is not None


def test_field_case_12_all_prices_of_an_offer_or_none() -> None:
    policy = replace(POLICY, channels={"PRO": PRO}, volumes={10: TEN}, planned=(Sale(NEXT, BOTH),))
    found = made({SHOP: eur("62.90"), PRO: eur("55.00"), TEN: eur("60.00"), NEXT: eur("58.00")}, policy)
    assert [(tag.channel, tag.amount) for tag in found.tags] == [
        ("", Decimal("62.90")),
        ("PRO", Decimal("55.00")),
        ("", Decimal("58.00")),
    ]
    assert found.default.ranges == ((10, Decimal("60.00")),)
    assert found.tags[2].period == BOTH


def test_field_case_7_dates_have_zones_and_both_where_they_must() -> None:
    paris = ZoneInfo("Europe/Paris")
    ambiguous = datetime(2026, 10, 25, 2, 30, tzinfo=paris)
    first, second = ambiguous.replace(fold=0), ambiguous.replace(fold=1)
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)
    before = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    prices = {SHOP: eur("59.90"), SALE: eur("39.90")}
    for ends_at, is_on in ((first, False), (second, True)):
        policy = replace(POLICY, sales=(Sale(SALE, Period(before - timedelta(days=1), ends_at)),))
        found = price_set(prices, policy, before)
        assert isinstance(found, PriceSet)
        assert (found.default.discount is not None) is is_on
    half = replace(POLICY, sales=(Sale(SALE, Period(ends_at=BOTH.ends_at)),))
    none = replace(POLICY, sales=(Sale(SALE),), dates_required=True)
    assert all("needs a start and an end" in refused(prices, policy) for policy in (half, none))


@pytest.mark.parametrize(
    ("prices", "policy", "words"),
    [
        ({SHOP: eur("59.90"), SALE: eur("59.90")}, {"sales": (Sale(SALE),)}, "is not below the price"),
        ({SHOP: eur("4.99")}, {}, "below the floor of 5"),
        ({SHOP: eur("59.90"), SALE: eur("4.00")}, {"sales": (Sale(SALE),)}, "below the floor of 5"),
        ({SHOP: eur("59.905")}, {}, "more decimals than the 2 taken"),
        ({SHOP: eur("59.90")}, {"decimals": 0}, "more decimals than the 0 taken"),
        ({SHOP: eur("59.90"), TEN: eur("70.00")}, {"volumes": {10: TEN}}, "is not below 59.90"),
        ({SHOP: eur("59.90")}, {"channels": {f"C{n}": SHOP for n in range(50)}}, "it has 51 prices"),
    ],
)
def test_what_may_not_leave_says_why(prices: dict[int, Price], policy: dict[str, object], words: str) -> None:
    assert words in refused(prices, replace(POLICY, **policy))  # type: ignore[arg-type]


def test_a_sale_that_is_over_is_gone_and_the_running_one_goes_before_the_next() -> None:
    over = Sale(PRO, Period(NOW - timedelta(days=9), NOW))
    later = Sale(NEXT, Period(NOW + timedelta(days=5), NOW + timedelta(days=6)))
    policy = replace(POLICY, sales=(later, over, Sale(SALE, BOTH)))
    prices = {SHOP: eur("59.90"), PRO: eur("20.00"), NEXT: eur("30.00"), SALE: eur("40.00")}
    assert made(prices, policy).default.discount == Decimal("40.00")


@given(
    st.dictionaries(st.sampled_from([SHOP, PRO, TEN, SALE]), st.integers(500, 100_000), min_size=1),
    st.booleans(),
)
def test_a_set_is_whole_and_within_the_guards_or_says_why(cents: dict[int, int], with_sale: bool) -> None:
    prices = {list_id: Price(Decimal(amount) / 100, "EUR") for list_id, amount in cents.items()}
    sales = (Sale(SALE, BOTH),) if with_sale else ()
    found = price_set(prices, replace(POLICY, channels={"PRO": PRO}, volumes={10: TEN}, sales=sales), NOW)
    if isinstance(found, list):
        assert found
        return
    assert found.default.amount == prices[SHOP].amount
    assert (PRO in prices) == any(tag.channel == "PRO" for tag in found.tags)
    assert (TEN in prices) == bool(found.default.ranges)
    assert (with_sale and SALE in prices) == (found.default.discount is not None)
    for tag in found.tags:
        assert (
            min(tag.amount, tag.discount or tag.amount, *(amount for _, amount in tag.ranges), tag.amount)
            >= POLICY.floor
        )
        assert tag.discount is None or tag.discount < tag.amount


# --------------------------------------------------------------------------------- prices that somebody else manages

moments = st.sampled_from([None, NOW - timedelta(days=2), NOW, NOW + timedelta(days=2)])
amounts = st.integers(0, 9_000).map(lambda cents: Decimal(cents) / 100)
live_prices = st.builds(
    LivePrice,
    amounts,
    st.lists(st.sampled_from(["BE", "PRO"]), unique=True, max_size=2).map(tuple),
    starts_at=st.sampled_from([None, None, None, NOW]),
    ends_at=st.sampled_from([None, None, None, NOW, NOW + timedelta(days=2)]),
    discount=st.none() | amounts,
    discount_starts_at=moments,
    discount_ends_at=moments,
    ranges=st.sampled_from([(), ((1, Decimal(9)), (5, Decimal(8)))]),
)


@given(
    st.lists(live_prices, max_size=4, unique_by=lambda price: (bool(price.channels), price.starts_at, price.ends_at)),
    st.booleans(),
)
def test_field_case_10_live_prices_said_again_differ_in_nothing_or_are_not_said(
    prices: list[LivePrice], has_more: bool
) -> None:
    assume(all(price.discount is None or price.discount < price.amount for price in prices))
    live = LiveOffer(Sku("VX-100-M"), "11", tuple(prices), has_more_prices=has_more)
    found = shown_set(live, NOW)
    if isinstance(found, list):
        [words] = found
        assert "in the back office, or publish its prices from here" in words
        return
    assert not has_more
    assert live.default_price is not None
    assert differences(None, found, live, NOW) == []
    said = upsert(Offer(Sku("VX-100-M"), "7300000000011", "EAN", "11"), found, 4)
    assert said.price == live.default_price.amount


@pytest.mark.parametrize(
    ("prices", "members", "words"),
    [
        ((), {}, "it has no default price"),
        ((LivePrice(Decimal(9), channels=("BE",)),), {}, "it has no default price"),
        ((LivePrice(Decimal(0)),), {}, "one is 0"),
        ((LivePrice(Decimal(9)), LivePrice(Decimal(8), ("BE",)), LivePrice(Decimal(7), ("BE", "PRO"))), {}, "has two"),
        ((LivePrice(Decimal(9)), LivePrice(Decimal(8), starts_at=NOW)), {}, "some hold for a time"),
        ((LivePrice(Decimal(9)),), {"has_more_prices": True}, "some are of single customers"),
        ((LivePrice(Decimal(9), discount=Decimal(8), discount_ends_at=BOTH.ends_at),), {}, "one date of two"),
        ((LivePrice(Decimal(9)), LivePrice(Decimal(8), tuple(map(str, range(50))))), {}, "more than 50"),
    ],
)
def test_prices_that_a_whole_offer_cannot_carry_are_named(
    prices: tuple[LivePrice, ...], members: dict[str, bool], words: str
) -> None:
    found = shown_set(LiveOffer(Sku("VX-100-M"), "11", prices, **members), NOW)  # type: ignore[arg-type]
    assert isinstance(found, list)
    assert words in found[0]
