"""What is said of a channel's map and settings before any product or offer is held by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.flows.catalogue_watch import gaps, settings_of
from app.flows.publishing.book import Book
from app.mirakl.catalogue_schema import Attribute, Hierarchy
from app.mirakl.catalogue_schema import Channel as SalesChannel
from app.mirakl.schema import AdditionalField, Features, OfferState, PlatformConfiguration, PricingSwitches
from app.policies.catalogue_map import CatalogueMap, OfferTerms, Rule
from app.settings import Channel

MAP = CatalogueMap(category="category", categories={"women": "K1"}, attributes={"title": Rule(field="display.name")})
ALL = PricingSwitches(channel_pricing="MULTI", scheduled_pricing=True, volume_pricing=True)
BOOK = Book(
    MAP,
    PlatformConfiguration(features=Features(pricing=ALL)),
    (Hierarchy("K1"),),
    (Attribute("category", "TEXT", "REQUIRED"), Attribute("title", "TEXT", "REQUIRED")),
    (),
    (OfferState("11"),),
    (AdditionalField("made-in", entity="OFFER"), AdditionalField("vat", entity="SHOP", required=True)),
    sales_channels=(SalesChannel("BE"),),
)
SALE = {"price_list": 9, "starts_at": datetime(2026, 11, 27, tzinfo=UTC), "ends_at": datetime(2026, 12, 1, tzinfo=UTC)}


def channel(offers: str = "on", **prices: Any) -> Channel:
    return Channel.model_validate(
        {
            "id": "demo-fr",
            "url": "https://demo-fr.mirakl.example",
            "shop_id": 2001,
            "market": 4,
            "catalogue": {"products": "on", "offers": offers},
            "prices": {"mode": "on", "price_list": 7, **prices},
        }
    )


def switched(**members: Any) -> Book:
    return replace(BOOK, configuration=PlatformConfiguration(features=Features(pricing=PricingSwitches(**members))))


def test_a_map_that_fits_lacks_nothing() -> None:
    assert gaps(BOOK, channel(channels={"BE": 8}, volumes={"5": 9}, planned=[SALE])) == []


@pytest.mark.parametrize(
    ("book", "told", "words"),
    [
        (
            replace(BOOK, declared=(*BOOK.declared, Attribute("care", "TEXT", "REQUIRED", "K1"))),
            {},
            "care: is required",
        ),
        (replace(BOOK, declared=(*BOOK.declared, Attribute("care", "TEXT", "REQUIRED", "K2"))), {}, ""),
        (replace(BOOK, declared=BOOK.declared[:1]), {}, "title: the marketplace has no such attribute"),
        (replace(BOOK, hierarchies=()), {}, "category K1 of 'women' is gone"),
        (replace(BOOK, states=(OfferState("10"),)), {}, "the marketplace has no state 11"),
        (replace(BOOK, states=(OfferState("10"),)), {"offers": "off"}, ""),
        (
            replace(BOOK, offer_fields=(AdditionalField("made-in", entity="OFFER", required=True),)),
            {},
            "made-in: the marketplace requires this field of every offer, and it is not mapped",
        ),
        (
            replace(BOOK, map=CatalogueMap("category", offer=OfferTerms(additional={"care": Rule(constant="30")}))),
            {},
            "care: the marketplace has no such field of offers",
        ),
        (BOOK, {"channels": {"SE": 8}}, "channels: the marketplace has no sales channel SE"),
        (switched(channel_pricing="DISABLED"), {"channels": {"BE": 8}}, "takes no prices by sales channel"),
        (switched(volume_pricing=False), {"volumes": {"5": 9}}, "takes no prices by quantity"),
        (switched(scheduled_pricing=False), {"planned": [SALE]}, "takes no prices for a time"),
        (switched(channel_pricing="DISABLED"), {"channels": {"BE": 8}, "mode": "off"}, ""),
        (replace(BOOK, configuration=None, sales_channels=None), {"channels": {"SE": 8}}, ""),
    ],
)
def test_what_would_hold_everything_is_said_once(book: Book, told: dict[str, Any], words: str) -> None:
    found = "; ".join(map(str, gaps(book, channel(**told))))
    assert words in found if words else not found


def test_the_version_is_of_all_that_products_and_offers_are_checked_by() -> None:
    assert BOOK.version == replace(BOOK, unread=frozenset({"VL11"})).version
    others = [
        replace(BOOK, map=CatalogueMap(category="category")),
        replace(BOOK, hierarchies=()),
        replace(BOOK, states=()),
        replace(BOOK, sales_channels=()),
        switched(volume_pricing=False),
    ]
    assert len({BOOK.version, *(book.version for book in others)}) == 1 + len(others)


def test_a_mode_that_is_switched_is_a_change_of_settings() -> None:
    assert settings_of(channel()) == settings_of(channel())
    assert (
        len({settings_of(channel(**told)) for told in ({}, {"offers": "dry_run"}, {"mode": "dry_run"}, {"floor": 2})})
        == 4
    )
