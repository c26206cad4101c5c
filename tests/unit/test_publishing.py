"""What a pass decides, and that what it sends is whole: every member of an offer, every price of a set."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.catalogue import CatalogueProduct, Price
from app.domain.ids import Sku
from app.domain.listing import ANY_LANGUAGE, Item, Offer
from app.flows.prices import rows_of
from app.flows.product_status import standing_of
from app.flows.publishing.plan import Plan
from app.flows.publishing.wire import deleted, deletion_of, is_deletion, upsert
from app.mirakl.catalogue_schema import IntegrationDetail, ProductError, Rejection, SourceProduct
from app.mirakl.imports import read_csv
from app.mirakl.prices import prices_file
from app.policies.catalogue_map import OfferTerms, Rule
from app.policies.offer_terms import OfferChoices, offer_of
from app.policies.pricing import Period, PricePolicy, PriceSet, Sale, price_set
from app.sandbox.centra.clothing import check_digit
from app.store.outbox import Claim, Held
from app.store.products import digest_of
from app.store.publications import Kind, Publication, Standing

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30).filter(
    lambda text: bool(text.strip())
)
COUNT = st.none() | st.integers(1, 40)
MANAGED = {
    "description": "description",
    "lead_time_days": "leadtime_to_ship",
    "logistic_class": "logistic_class",
    "product_tax_code": "product_tax_code",
    "min_order_quantity": "min_order_quantity",
    "max_order_quantity": "max_order_quantity",
    "package_quantity": "package_quantity",
    "min_quantity_alert": "min_quantity_alert",
    "available_from": "available_started",
    "available_until": "available_ended",
}
"""Members of an offer that the channel's terms decide, by their name in OF24."""
ALWAYS_THERE = {"shop_sku", "product_id", "product_id_type", "state_code", "price", "quantity", "all_prices"}


@st.composite
def sold(draw: st.DrawFn) -> tuple[Item, OfferTerms]:
    """A size and the terms under which a channel sells it; texts come from Centra or are constants."""
    twelve = draw(st.text("0123456789", min_size=12, max_size=12))
    fields = {"size.ean": {ANY_LANGUAGE: (twelve + check_digit(twelve),)}}
    rules: dict[str, Any] = {}
    for name in ("description", "logistic_class", "product_tax_code"):
        text = draw(st.none() | TEXT)
        if text is not None:
            fields[f"attribute.{name}"] = {ANY_LANGUAGE: (text,)}
            rules[name] = draw(st.sampled_from([Rule(field=f"attribute.{name}"), Rule(constant=text.strip())]))
    for name, day in (("available_from", "2026-11-20"), ("available_until", "2026-11-30")):
        if draw(st.booleans()):
            rules[name] = Rule(constant=day)
    texts = ("description", "logistic_class", "product_tax_code", "available_from", "available_until")
    counts = {name: draw(COUNT) for name in MANAGED if name not in texts}
    additional = {code: Rule(constant=text.strip()) for code, text in draw(st.dictionaries(CODES, TEXT)).items()}
    return Item(Sku("VX-1"), 1, (), fields), OfferTerms(**rules, **counts, additional=additional)


CODES = st.sampled_from(["made-in", "care", "returns"])


def set_of(amount: Decimal) -> PriceSet:
    found = price_set({7: Price(amount, "EUR")}, policy(), NOW)
    assert isinstance(found, PriceSet)
    return found


def policy(**members: Any) -> PricePolicy:
    usual: dict[str, Any] = {"channels": {}, "volumes": {}, "planned": [], "sales": []}
    usual |= {"currency": "EUR", "price_list": 7, "floor": Decimal(1), "largest_change": Decimal("0.5")}
    return PricePolicy(**{**usual, **members})


@settings(max_examples=60)
@given(sold(), st.integers(0, 99), st.integers(100, 99_999))
def test_field_case_1_no_body_lacks_a_member_that_we_manage(
    of: tuple[Item, OfferTerms], quantity: int, cents: int
) -> None:
    item, terms = of
    offer = offer_of(item, terms, OfferChoices(), "en")
    assert isinstance(offer, Offer), offer
    body = json.loads(msgspec.json.encode(upsert(offer, set_of(Decimal(cents) / 100), quantity)))
    assert body.keys() >= ALWAYS_THERE
    assert (body["quantity"], Decimal(str(body["price"]))) == (quantity, Decimal(cents) / 100)
    for ours, theirs in MANAGED.items():
        wanted = getattr(terms, ours)
        assert (theirs in body) is (wanted is not None), theirs
        if isinstance(wanted, Rule):
            told = wanted.constant or item.fields[wanted.field][ANY_LANGUAGE][0].strip()
            assert body[theirs].startswith(told) if theirs.startswith("available") else body[theirs] == told
        elif wanted is not None:
            assert body[theirs] == wanted
    fields = {one["code"]: one["value"] for one in body.get("offer_additional_fields", ())}
    assert fields == {code: rule.constant for code, rule in terms.additional.items()}


LISTS = st.dictionaries(st.integers(8, 30), st.integers(200, 9_000), max_size=12)


@settings(max_examples=60)
@given(LISTS, st.data())
def test_field_case_12_no_price_of_a_set_is_lost_on_its_way_into_the_file(
    cents: dict[int, int], data: st.DataObject
) -> None:
    of = {kind: data.draw(st.lists(st.sampled_from(sorted(cents)), unique=True)) if cents else [] for kind in "cps"}
    ends = NOW + timedelta(days=9)
    wanted = policy(
        channels={f"CH{number}": number for number in of["c"]},
        planned=[
            Sale(number, Period(NOW + timedelta(days=number), ends + timedelta(days=number))) for number in of["p"]
        ],
    )
    prices = {number: Price(Decimal(amount) / 100, "EUR") for number, amount in cents.items()}
    found = price_set({7: Price(Decimal("99.99"), "EUR"), **prices}, wanted, NOW)
    assert isinstance(found, PriceSet), found
    header, *rows = read_csv(prices_file([rows_of(Sku("VX-1"), found)]))
    written = sorted(Decimal(row[header.index("price")]) for row in rows)
    expected = [Decimal("99.99"), *(prices[number].amount for kind in "cp" for number in of[kind])]
    assert written == sorted(expected)
    assert {row[header.index("offer-sku")] for row in rows} == {"VX-1"}


def test_what_is_deleted_is_named_by_what_was_sent_whichever_that_was() -> None:
    sent = msgspec.to_builtins(Offer(Sku("VX-1"), "7300000000011", "EAN", "11", lead_time_days=2))
    deletion = deletion_of(sent)
    again = deletion_of(msgspec.to_builtins(deletion))
    assert (again, is_deletion(sent), is_deletion(msgspec.to_builtins(deletion))) == (deletion, False, True)
    body = json.loads(msgspec.json.encode(deleted(deletion, Decimal("59.90"))))
    assert (body["update_delete"], body["shop_sku"], body["price"]) == ("delete", "VX-1", "59.90")


# ------------------------------------------------------------------------------------------------------ a pass

CLAIM = Claim("VX-1", 4, 1, 0, NOW, NOW)
WANTED = {"title": "Pull"}


def publication(state: Standing, **members: Any) -> Publication:
    usual: dict[str, Any] = {"known": True, "since": NOW, "reasons": (), "wanted": None, "approved": None}
    usual |= {"sent": digest_of(WANTED), "sent_body": WANTED, "sent_version": 3}
    usual |= {"confirmed": digest_of(WANTED), "confirmed_version": 3, "voided_version": 0}
    return Publication(key="VX-1", state=state, **{**usual, **members})


def planned(told: Publication | None, kind: Kind = Kind.PRODUCTS, *, dry_run: bool = False) -> Plan[str]:
    plan = Plan[str](kind, {} if told is None else {"VX-1": told}, dry_run)
    plan.send(CLAIM, WANTED, "body")
    return plan


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        (None, True),
        (publication(Standing.LIVE), False),
        (publication(Standing.LIVE, confirmed="other"), True),
        (publication(Standing.LIVE, voided_version=3), True),
        (publication(Standing.SENT, sent_version=4), True),
        (publication(Standing.REJECTED), False),
        (publication(Standing.REJECTED, sent="other"), False),
        (publication(Standing.REJECTED, sent="other", confirmed="other"), True),
        (publication(Standing.REJECTED, confirmed=None, approved=digest_of(WANTED)), True),
        (publication(Standing.REJECTED, approved=digest_of(WANTED)), True),
    ],
)
def test_only_what_is_new_or_mended_is_sent(told: Publication | None, sent: bool) -> None:
    assert planned(told).bodies == (["body"] if sent else [])


def test_what_was_rejected_waits_for_a_person_with_its_words() -> None:
    plan = planned(publication(Standing.REJECTED, reasons=("Blurred picture",)))
    assert plan.verdicts == {CLAIM: Held("Blurred picture")}


def test_a_dry_run_sends_what_a_person_let_go() -> None:
    told = publication(Standing.NEW, confirmed=None, sent=None)
    assert planned(told, dry_run=True).bodies == []
    assert planned(replace(told, approved=digest_of(WANTED)), dry_run=True).bodies == ["body"]


@pytest.mark.parametrize(
    ("state", "known", "kind", "becomes"),
    [
        (Standing.HELD, True, Kind.PRODUCTS, Standing.LIVE),
        (Standing.HELD, False, Kind.PRODUCTS, Standing.WAITING),
        (Standing.GONE, True, Kind.OFFERS, Standing.LIVE),
        (Standing.WAITING, True, Kind.OFFERS, Standing.LIVE),
        (Standing.WAITING, False, Kind.PRODUCTS, None),
        (Standing.LIVE, True, Kind.OFFERS, None),
    ],
)
def test_what_kept_it_back_may_be_over(state: Standing, known: bool, kind: Kind, becomes: Standing | None) -> None:
    plan = planned(publication(state, known=known), kind)
    assert [one.state for one in plan.wanted.values()] == ([] if becomes is None else [becomes])
    assert plan.bodies == []
    assert plan.moved(Standing.GONE) == (["VX-1"] if state is Standing.GONE else [])


def test_a_name_does_not_depend_on_the_order_of_members_and_holds_no_character_that_is_none() -> None:
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    odd, plain = CatalogueProduct(1, "a\0b", True), CatalogueProduct(1, "a\N{REPLACEMENT CHARACTER}b", True)
    assert digest_of(odd) == digest_of(plain)
    assert digest_of(CatalogueProduct(1, r"a\u0000b", True)) != digest_of(plain)


# ------------------------------------------------------------------------------------------- what an operator says

REJECTED = ProductError(
    "MCM-05000",
    "Rejected",
    channels=("FR", "BE"),
    rejection_details=Rejection(reason_code="IMG", reason_label="Image floue", message="Voir le guide"),
)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"status": "LIVE"}, (Standing.LIVE, ())),
        ({"status": "NOT_LIVE"}, (Standing.WAITING, ("the operator has not decided yet",))),
        ({"errors": (REJECTED, REJECTED)}, (Standing.REJECTED, ("Image floue: Voir le guide (on FR, BE)",))),
        (
            {"errors": (ProductError("MCM-1", integration_details=(IntegrationDetail("E7", "ean", "unknown"),)),)},
            (Standing.REJECTED, ("ean: unknown",)),
        ),
        ({"errors": (ProductError("MCM-04000"),)}, (Standing.REJECTED, ("error MCM-04000",))),
        ({"status": "SOMETHING_NEW"}, (Standing.WAITING, ("the operator has not decided yet",))),
    ],
)
def test_the_operators_own_words_come_first(members: dict[str, Any], expected: object) -> None:
    assert (
        standing_of(SourceProduct(**{"provider_unique_identifier": "VX-1", "status": "NOT_LIVE", **members}))
        == expected
    )
