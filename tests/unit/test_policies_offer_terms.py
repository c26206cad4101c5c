"""Whole offers: every member that we manage is there, or the offer is not sent (field cases 1 and 4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from app.domain.ids import Sku
from app.domain.listing import Item, Offer
from app.policies.catalogue_map import OfferTerms, Rule
from app.policies.offer_terms import OfferChoices, offer_of, stray_terms, zone_of

ITEM = Item(
    Sku("VX-100-M"),
    210,
    ("women",),
    {"size.ean": {"": ("7300000000011",)}, "display.description": {"fr": ("Pull en laine",)}, "class": {"": ("S",)}},
)
TERMS = OfferTerms(
    description=Rule(field="display.description"),
    lead_time_days=2,
    logistic_class=Rule(field="class"),
    min_order_quantity=1,
    additional={"made-in": Rule(constant="PT")},
)
CHOICES = OfferChoices(states={"11"}, logistic_classes={"S", "M"}, required_fields=("made-in",))


def test_an_offer_is_built_whole() -> None:
    assert offer_of(ITEM, TERMS, CHOICES, "fr") == Offer(
        sku=Sku("VX-100-M"),
        product_code="7300000000011",
        product_code_type="EAN",
        state="11",
        description="Pull en laine",
        lead_time_days=2,
        logistic_class="S",
        min_order_quantity=1,
        additional={"made-in": "PT"},
    )


@pytest.mark.parametrize(
    ("item", "terms", "words"),
    [
        ({"sku": Sku("VX/100")}, {}, "longer than 40 characters or has a /"),
        ({"sku": Sku("X" * 41)}, {}, "longer than 40 characters or has a /"),
        ({"fields": {}}, {}, "it has no EAN"),
        ({"fields": {"size.ean": {"": ("7300000000012",)}}}, {}, "no valid EAN"),
        ({}, {"state": "99"}, "the marketplace has no state 99"),
        ({}, {"lead_time_days": 45}, "45 days are not taken"),
        ({}, {"logistic_class": Rule(constant="XL")}, "the marketplace has no class 'XL'"),
        ({}, {"additional": {}}, "requires this field of an offer"),
        ({}, {"description": Rule(constant="x" * 2001)}, "has 2001 characters"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_cut(
    item: dict[str, object], terms: dict[str, object], words: str
) -> None:
    found = offer_of(replace(ITEM, **item), msgspec.structs.replace(TERMS, **terms), CHOICES, "fr")  # type: ignore[arg-type]
    assert isinstance(found, list)
    assert words in "; ".join(map(str, found))


def test_what_was_not_read_yet_is_not_held_against_it() -> None:
    assert isinstance(offer_of(ITEM, msgspec.structs.replace(TERMS, state="99"), OfferChoices(), "fr"), Offer)


# ------------------------------------------------------------------------------------------------ availability

PARIS = OfferChoices(zone=zone_of("Europe/Paris"))


def on_offer(begin: str, end: str) -> Offer | list[object]:
    own = {"attribute.from": {"": (begin,) if begin else ()}, "attribute.until": {"": (end,) if end else ()}}
    terms = msgspec.structs.replace(
        TERMS, available_from=Rule(field="attribute.from"), available_until=Rule(field="attribute.until")
    )
    found = offer_of(replace(ITEM, fields={**ITEM.fields, **own}), terms, PARIS, "fr")
    return found if isinstance(found, Offer) else list(found)


@pytest.mark.parametrize(
    ("begin", "end", "wanted"),
    [
        ("", "", (None, None)),
        (
            "2026-11-20",
            "2026-11-30",
            (datetime(2026, 11, 19, 23, tzinfo=UTC), datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC)),
        ),
        ("2026-11-20T08:00:00+01:00", "", (datetime(2026, 11, 20, 7, tzinfo=UTC), None)),
        ("", "2026-10-25T02:30:00+02:00", (None, datetime(2026, 10, 25, 0, 30, tzinfo=UTC))),
        (
            "2026-10-25",
            "2026-10-25",
            (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC)),
        ),
    ],
)
def test_field_case_7_a_day_on_offer_is_the_marketplaces_day_whole(
    begin: str, end: str, wanted: tuple[datetime | None, datetime | None]
) -> None:
    """Also the 25 hours of the clock change; an instant keeps its own zone, and absent stays absent."""
    found = on_offer(begin, end)
    assert isinstance(found, Offer), found
    assert (found.available_from, found.available_until) == wanted


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [
        ("20.11.2026", "", "'20.11.2026' is neither a day as 2026-11-27 nor an instant"),
        ("2026-11-30", "2026-11-20", "is not after"),
        ("0001-01-01", "", "neither a day"),
    ],
)
def test_dates_that_make_no_sense_are_said_and_not_guessed(begin: str, end: str, words: str) -> None:
    found = on_offer(begin, end)
    assert isinstance(found, list)
    assert words in "; ".join(map(str, found))


def test_a_zone_that_nobody_knows_is_utc() -> None:
    assert (zone_of("Mars/Olympus"), zone_of(""), zone_of(None)) == (UTC, UTC, UTC)


# ------------------------------------------------------------------------------------- what holds all offers at once


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, ""),
        ({"state": "99"}, "state_code: the marketplace has no state 99; set `state` in [offer] of the map"),
        ({"additional": {}}, "made-in: the marketplace requires this field of every offer, and it is not mapped"),
        (
            {"additional": {**TERMS.additional, "made_in": Rule(constant="PT")}},
            "made_in: the marketplace has no such field of offers",
        ),
    ],
)
def test_what_no_offer_can_be_sent_with_is_said_once(terms: dict[str, object], words: str) -> None:
    choices = replace(CHOICES, fields={"made-in"})
    found = stray_terms(msgspec.structs.replace(TERMS, **terms), choices)
    assert [words in str(fault) for fault in found] == ([True] if words else [])
    assert not stray_terms(msgspec.structs.replace(TERMS, state="99"), OfferChoices()), "nothing was read yet"
