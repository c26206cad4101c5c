"""What of a live offer is otherwise than it was sent, and what only looks so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import Sku
from app.domain.listing import Offer
from app.domain.live_offer import LiveOffer, LivePrice
from app.policies.differences import Difference, differences
from app.policies.pricing import ALWAYS, Period, PriceSet, Tag

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PARIS = timezone(timedelta(hours=1))
SENT = Offer(
    sku=Sku("VX-1-M"),
    product_code="4006381333931",
    product_code_type="EAN",
    state="11",
    description="Warm  wool\nfrom the north",
    lead_time_days=2,
    logistic_class="S",
    min_order_quantity=2,
    max_order_quantity=9,
    package_quantity=2,
    available_from=NOW,
    additional={"made-in": "PT", "index": "5", "returns": "true"},
)
LIVE = LiveOffer(
    sku=SENT.sku,
    state="11",
    description="Warm wool from the north",
    lead_time_days=2,
    logistic_class="S",
    min_order_quantity=2,
    max_order_quantity=9,
    package_quantity=2,
    available_from=NOW.astimezone(PARIS),
    additional={"made-in": "PT", "index": "5.0", "returns": "TRUE", "of-the-operator": "x"},
)


def money(text: str) -> Decimal:
    return Decimal(text)


SALE = Period(NOW - DAY, NOW + DAY)
PRICES = PriceSet(
    (
        Tag(money("89.90"), discount=money("79.9"), discount_period=SALE, ranges=((5, money("70")),)),
        Tag(money("85"), channel="BE"),
        Tag(money("80"), period=Period(NOW + DAY, NOW + 2 * DAY)),
    )
)
DEFAULT = LivePrice(
    money("89.9"),
    discount=money("79.90"),
    discount_starts_at=(NOW - DAY).astimezone(PARIS),
    discount_ends_at=NOW + DAY,
    ranges=((1, money("89.9")), (5, money("70.00"))),
)
SHOWN = (
    DEFAULT,
    LivePrice(money("85.0"), channels=("BE",)),
    LivePrice(money("80"), starts_at=NOW + DAY, ends_at=NOW + 2 * DAY),
)


def found(**changes: Any) -> list[Difference]:
    return differences(SENT, None, replace(LIVE, **changes), NOW)


def test_an_offer_that_only_reads_otherwise_is_the_same() -> None:
    assert differences(SENT, PRICES, replace(LIVE, prices=SHOWN), NOW) == []


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"state": "10"}, Difference("state", "11", "10")),
        ({"description": ""}, Difference("description", "Warm wool from the north", "nothing")),
        ({"lead_time_days": 4}, Difference("lead time", "2", "4")),
        ({"logistic_class": ""}, Difference("logistic class", "S", "nothing")),
        ({"min_order_quantity": None}, Difference("least quantity of an order", "2", "nothing")),
        ({"max_order_quantity": 10}, Difference("largest quantity of an order", "9", "10")),
        ({"package_quantity": 1}, Difference("package quantity", "2", "1")),
        ({"available_from": None}, Difference("available from", "2026-11-27 12:00:00 UTC", "nothing")),
        ({"available_until": NOW}, Difference("available until", "nothing", "2026-11-27 12:00:00 UTC")),
        ({"additional": {"index": "5", "returns": "true"}}, Difference("made-in", "PT", "nothing")),
    ],
)
def test_each_member_that_differs_is_named(changes: dict[str, Any], wanted: Difference) -> None:
    assert found(**changes) == [wanted]
    assert wanted.member in str(wanted)


def test_what_we_leave_to_the_marketplace_is_right_as_it_chose() -> None:
    silent = Offer(SENT.sku, SENT.product_code, "EAN", "11")
    chosen = LiveOffer(
        SENT.sku,
        "11",
        lead_time_days=3,
        logistic_class="M",
        product_tax_code="20",
        min_order_quantity=1,
        package_quantity=1,
        additional={"of-the-operator": "x"},
    )
    assert differences(silent, None, chosen, NOW) == []


@pytest.mark.parametrize(("live", "same"), [(0, True), (1, True), (2, False), (None, False)])
def test_a_lead_time_of_0_reads_back_as_1(live: int | None, same: bool) -> None:
    offer = replace(SENT, lead_time_days=0)
    assert (differences(offer, None, replace(LIVE, lead_time_days=live), NOW) == []) is same


def test_an_offer_that_is_not_there_is_one_difference() -> None:
    assert differences(SENT, PRICES, None, NOW) == [Difference("offer", "listed", "not there")]


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        ((replace(DEFAULT, amount=money("88")), *SHOWN[1:]), Difference("price", "89.90", "88")),
        (SHOWN[1:], Difference("price", "89.90", "nothing")),
        ((DEFAULT, SHOWN[2]), Difference("price of channel BE", "85", "nothing")),
        (
            (*SHOWN, LivePrice(money("1"), channels=("FR",))),
            Difference("price of channel FR", "nothing", "1"),
        ),
        (
            (replace(DEFAULT, ranges=()), *SHOWN[1:]),
            Difference("quantities of the price", "70 from 5", "nothing"),
        ),
        (
            (replace(DEFAULT, discount=None), *SHOWN[1:]),
            Difference("discount of the price", "79.9 until 2026-11-28 12:00:00 UTC", "nothing"),
        ),
        (
            SHOWN[:2],
            Difference("price from 2026-11-28 12:00:00 UTC until 2026-11-29 12:00:00 UTC", "80", "nothing"),
        ),
    ],
)
def test_each_price_that_differs_is_named(shown: tuple[LivePrice, ...], wanted: Difference) -> None:
    assert differences(None, PRICES, replace(LIVE, prices=shown), NOW) == [wanted]


def test_what_is_over_does_not_count_on_either_side() -> None:
    later = NOW + 3 * DAY
    bare = (LivePrice(money("89.9"), ranges=DEFAULT.ranges), SHOWN[1])
    assert differences(None, PRICES, replace(LIVE, prices=bare), later) == []
    assert differences(None, PRICES, replace(LIVE, prices=SHOWN), later) == []
    plain = PriceSet((Tag(money("89.9"), ranges=((5, money("70")),)), Tag(money("85"), channel="BE")))
    assert differences(None, plain, replace(LIVE, prices=SHOWN), later) == []
    assert differences(None, plain, replace(LIVE, prices=SHOWN), NOW) != []


def test_a_price_of_several_channels_is_one_for_each() -> None:
    shown = (LivePrice(money("9")), LivePrice(money("8"), channels=("BE", "FR")))
    sent = PriceSet((Tag(money("9")), Tag(money("8"), channel="BE"), Tag(money("8"), channel="FR")))
    assert differences(None, sent, replace(LIVE, prices=shown), NOW) == []


amounts = st.decimals("1.00", "999.99", places=2)
tags = st.lists(st.tuples(st.sampled_from(["", "BE", "FR"]), amounts), min_size=1, max_size=3, unique_by=lambda t: t[0])


@given(tags, tags)
def test_price_sets_are_the_same_exactly_where_they_say_the_same(
    ours: list[tuple[str, Decimal]], theirs: list[tuple[str, Decimal]]
) -> None:
    sent = PriceSet(tuple(Tag(amount, channel, ALWAYS) for channel, amount in ours))
    shown = tuple(LivePrice(amount, channels=(channel,) if channel else ()) for channel, amount in theirs)
    assert (differences(None, sent, LiveOffer(SENT.sku, "11", shown), NOW) == []) is (dict(ours) == dict(theirs))


def test_what_was_sent_is_compared_as_it_was_stored() -> None:
    """Amounts and instants survive the way through the database."""
    stored = [msgspec.json.decode(msgspec.json.encode(value)) for value in (SENT, PRICES)]
    sent, prices = msgspec.convert(stored[0], Offer), msgspec.convert(stored[1], PriceSet)
    assert differences(sent, prices, replace(LIVE, prices=SHOWN), NOW) == []
