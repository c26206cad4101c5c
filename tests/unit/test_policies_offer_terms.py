"""Whole offers: every member that we manage is there, or the offer is not sent (field cases 1 and 4)."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from app.domain.ids import Sku
from app.domain.listing import Item, Offer
from app.policies.catalogue_map import OfferTerms, Rule
from app.policies.offer_terms import OfferChoices, offer_of

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
