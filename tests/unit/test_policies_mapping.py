"""Centra's words in a marketplace's, and what it would refuse: values from the map, faults with where to mend them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.catalogue import (
    OWN,
    AttributeValue,
    CatalogueDisplay,
    CatalogueProduct,
    CatalogueSize,
    CatalogueVariant,
    Category,
)
from app.domain.ids import SizeId, Sku
from app.domain.listing import Attribute, Fault, Item, Row
from app.policies.catalogue_map import CatalogueMap, Rule
from app.policies.items import items_of
from app.policies.mapping import row_of, stale_codes, stray_rules
from app.policies.product_rules import codes_of, faults_of, is_gtin, shared_codes

EAN = "7300000000011"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TITLE = Attribute("title", "Title", "TEXT", required=True, locale="de_DE", rules=(("MAX_LENGTH", "20"),))
COLOUR = Attribute("colour", "Colour", "LIST", required=True, value_list="COLOURS")
MATERIAL = Attribute("material", "Material", "LIST_MULTIPLE_VALUES", value_list="MATERIALS")
CODE = Attribute("ean", "EAN", "TEXT", required=True, unique_code="EAN")
ALL = (TITLE, COLOUR, MATERIAL, CODE)
LISTS = {"COLOURS": {"C012", "C044"}, "MATERIALS": {"M1", "M2"}}
MAP = CatalogueMap(
    category="category",
    categories={"women/knitwear": "K1"},
    attributes={
        "title": Rule(field="display.name"),
        "colour": Rule(field="variant.name"),
        "material": Rule(field="attribute.material"),
        "ean": Rule(field="size.ean"),
    },
    values={"COLOURS": {"navy": "C012", "Ecru ": "C044"}, "MATERIALS": {"wool": "M1", "silk": "M2"}},
)


def product(**changes: object) -> CatalogueProduct:
    display = CatalogueDisplay(
        1,
        active=True,
        texts={OWN: {"name": "Jumper"}, "de": {"name": "Pullover"}},
        categories=(Category(3, "Jumpers", "women/knitwear/jumpers"),),
    )
    sizes = (CatalogueSize(SizeId(501), Sku("VX-100-M"), "M", ean=EAN),)
    materials = {"material": (AttributeValue("a", "1", "Wool"), AttributeValue("b", "2", "silk"))}
    variant = CatalogueVariant(7, "Navy", active=True, sizes=sizes, display=display, attributes=materials)
    return replace(CatalogueProduct(210, "Jumper", active=True, variants=(variant,)), **changes)  # type: ignore[arg-type]


def item(**fields: str) -> Item:
    (found,) = items_of(product(), "en")
    named = {name.replace("__", "."): {"": (text,) if text else ()} for name, text in fields.items()}
    return replace(found, fields={**found.fields, **named})


def row(found: Item, catalogue: CatalogueMap = MAP, attributes: tuple[Attribute, ...] = ALL) -> tuple[Row, list[str]]:
    outcome = row_of(found, catalogue, lambda _: attributes, "|")
    assert not isinstance(outcome, Fault)
    return outcome[0], [str(fault) for fault in outcome[1]]


# --------------------------------------------------------------------------------------------------- mapping


def test_field_case_65_codes_lists_and_languages() -> None:
    found, faults = row(item())
    assert not faults
    assert found == Row(
        Sku("VX-100-M"),
        "K1",
        {"category": "K1", "title": "Pullover", "colour": "C012", "material": "M1|M2", "ean": EAN},
    )


def test_field_case_65_a_word_that_is_not_mapped_is_asked_about_and_never_guessed() -> None:
    found, faults = row(item(variant__name="Navy blue"))
    assert "colour" not in found.values
    (words,) = faults
    assert "Centra's value 'Navy blue' is not mapped" in words
    assert "[values.COLOURS]" in words


def test_field_case_65_a_text_of_another_language_is_no_substitute() -> None:
    swedish = replace(TITLE, locale="sv_SE")
    found, _ = row(item(), attributes=(swedish, COLOUR))
    assert "title" not in found.values
    assert [str(fault) for fault in faults_of(found, (swedish,), LISTS, "|")] == [
        "Title (title): is required and empty; fill it in Centra, or map it"
    ]


def test_the_closest_category_that_is_mapped_counts() -> None:
    closer = msgspec.structs.replace(MAP, categories={"women": "W", "Women/Knitwear/Jumpers": "J"})
    assert row(item(), closer)[0].hierarchy == "J"
    outcome = row_of(item(), msgspec.structs.replace(MAP, categories={"men": "M"}), lambda _: ALL, "|")
    assert str(outcome) == (
        "category: Centra's category 'women/knitwear/jumpers' is not mapped;"
        " add it to [categories] of the channel's map"
    )


def test_rules_of_a_category_go_before_those_of_all() -> None:
    own = msgspec.structs.replace(MAP, by_category={"K1": {"colour": Rule(constant="C044")}})
    assert row(item(), own)[0].values["colour"] == "C044"


def test_a_default_is_the_marketplaces_word_and_used_only_where_there_is_nothing() -> None:
    rules = {**MAP.attributes, "colour": Rule(field="variant.name", default="C099")}
    own = msgspec.structs.replace(MAP, attributes=rules)
    assert row(item(), own)[0].values["colour"] == "C012"
    assert row(item(variant__name=""), own)[0].values["colour"] == "C099"
    assert row(item(variant__name="Navy blue"), own)[1], "a word that is not mapped is asked about all the same"


def test_a_template_says_all_or_nothing() -> None:
    named = {**MAP.attributes, "title": Rule(template="{display.name} {size.label}, {brand}")}
    own = msgspec.structs.replace(MAP, attributes=named)
    assert row(item(brand="Vexley"), own)[0].values["title"] == "Pullover M, Vexley"
    assert "title" not in row(item(brand=""), own)[0].values


def test_several_values_for_one_are_a_fault() -> None:
    single = replace(MATERIAL, type="LIST")
    _, faults = row(item(), attributes=(single,))
    assert faults == ["Material (material): has 2 values (M1, M2), it takes one"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"category": "c", "attributes": {"a": {"field": "x", "constant": "y"}}}', "give one of field"),
        ('{"category": "c", "attributes": {"a": {"feild": "x"}}}', "`feild`"),
        ('{"category": "c", "values": {"A": {" ": "x"}}}', "without a name"),
        ('{"categories": {}}', "`category`"),
    ],
)
def test_a_map_that_is_wrong_says_where(text: str, words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.json.decode(text, type=CatalogueMap)


def test_what_is_gone_at_the_marketplace_is_named_before_it_blocks_a_product() -> None:
    gone = stale_codes(MAP, ["K2"], {"COLOURS": ["C012"], "MATERIALS": ["M1", "M2"]})
    assert [str(fault) for fault in gone] == [
        "category: category K1 of 'women/knitwear' is gone at the marketplace; map it to another one",
        "COLOURS: code C044 of 'Ecru ' is gone at the marketplace; map it to another one",
    ]


def test_a_rule_for_a_category_that_is_gone_is_named_too() -> None:
    own = msgspec.structs.replace(MAP, by_category={"K9": {"colour": Rule(constant="C044")}})
    (gone,) = stale_codes(own, ["K1"], LISTS)
    assert str(gone) == "category: category K9 of [by_category] is gone at the marketplace; map it to another one"


DECLARED = {"category": {""}, "title": {""}, "colour": {"COLOURS"}, "material": {"MATERIALS"}, "ean": {""}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"category": "kategorie"}, "category: the marketplace has no attribute kategorie"),
        (
            {"attributes": {"coulour": Rule(field="variant.name")}},
            "coulour: the marketplace has no such attribute; mend its code in [attributes]",
        ),
        (
            {"by_category": {"K1": {"colour": Rule(field="variant.name", default="C999")}}},
            "colour: 'C999' is not in the list COLOURS; mend it in [by_category.K1]",
        ),
        ({"attributes": {"material": Rule(constant="M1|M2")}}, None),
        (
            {"attributes": {"material": Rule(constant="M1|M3")}},
            "material: 'M3' is not in the list MATERIALS; mend it in [attributes]",
        ),
        ({"attributes": {"title": Rule(constant="whatever")}}, None),
    ],
)
def test_a_rule_that_says_nothing_is_named(changes: dict[str, object], words: str | None) -> None:
    found = stray_rules(msgspec.structs.replace(MAP, **changes), DECLARED, LISTS, "|")
    assert [words in str(fault) for fault in found] == [True] if words else not found


@pytest.mark.parametrize(
    "changes",
    [
        {"active": False},
        {"variants": ()},
        {"variants": (replace(product().variants[0], active=False),)},
        {"variants": (replace(product().variants[0], display=None),)},
    ],
)
def test_what_the_store_does_not_present_is_no_item(changes: dict[str, object]) -> None:
    assert items_of(product(**changes), "en") == []


# ---------------------------------------------------------------------------------------------------- checks


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("INTEGER", "3.0", "is not a whole number"),
        ("DECIMAL", "1,5", "is not a number"),
        ("DECIMAL", "NaN", "is not a number"),
        ("BOOLEAN", "yes", "neither true nor false"),
        ("DATE", "27.11.2026", "is not a date"),
        ("MEDIA", "http://pictures.invalid/a.jpg", "https address"),
        ("MEDIA", "https://pictures.invalid/a b.jpg", "https address"),
        ("MEASUREMENT", "3", "needs a unit"),
        ("LIST", "C999", "is not in the list"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(kind: str, value: str, words: str) -> None:
    attribute = Attribute("x", "X", kind, value_list="COLOURS", parameters={"UNITS": "cm|m"})
    (fault,) = faults_of(Row(Sku("A"), "K1", {"x": value}), (attribute,), LISTS, "|")
    assert words in str(fault)
    assert "X (x)" in str(fault)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("INTEGER", "-3"),
        ("DECIMAL", "1.50"),
        ("BOOLEAN", "true"),
        ("DATE", "2026-11-27"),
        ("MEDIA", "https://pictures.invalid/a.jpg"),
        ("MEASUREMENT", "3.5 cm"),
        ("LIST", "C012"),
        ("LIST_MULTIPLE_VALUES", "C012|C044"),
        ("SOMETHING_NEW", "anything"),
    ],
)
def test_a_value_of_the_right_type_passes(kind: str, value: str) -> None:
    attribute = Attribute("x", "X", kind, value_list="COLOURS", parameters={"UNITS": "cm|m", "PRECISION": "2"})
    assert not faults_of(Row(Sku("A"), "K1", {"x": value}), (attribute,), LISTS, "|")


@pytest.mark.parametrize(
    ("rule", "value", "words"),
    [
        (("MAX_LENGTH", "3"), "four", "has 4 characters, at most 3"),
        (("MIN_LENGTH", "5"), "four", "at least 5 are needed"),
        (("MAX", "20"), "21", "21 is above 20"),
        (("MIN", "0"), "-1", "-1 is below 0"),
        (("PATTERN", "^[A-Z]+$"), "abc", "does not have the form"),
        (("PATTERN", "(["), "abc", None),
        (("SOMETHING_NEW", "1"), "abc", None),
    ],
)
def test_declared_rules_are_checked_and_new_ones_left_alone(
    rule: tuple[str, str], value: str, words: str | None
) -> None:
    found = faults_of(Row(Sku("A"), "K1", {"x": value}), (Attribute("x", "X", "TEXT", rules=(rule,)),), {}, "|")
    assert [words in str(fault) for fault in found] == ([True] if words else []) if words else not found


def test_a_code_shared_by_two_skus_holds_the_later_one_and_both_where_none_is_later() -> None:
    rows = [Row(Sku(sku), "K1", {"ean": code}) for sku, code in (("A", EAN), ("B", EAN), ("C", "7300000000028"))]
    borne = {row.sku: codes_of(row, ALL) for row in rows}
    assert borne["A"] == {("EAN", EAN)}
    together = shared_codes(borne, {}, NOW)
    assert {sku: str(fault) for sku, fault in together.items()} == {
        "A": f"{EAN!r} is the EAN of B too; give each its own in Centra",
        "B": f"{EAN!r} is the EAN of A too; give each its own in Centra",
    }
    first = {("EAN", EAN): {Sku("A"): NOW - timedelta(days=1)}}
    assert set(shared_codes(borne, first, NOW)) == {"B"}
    elsewhere = {("EAN", EAN): {Sku("X"): NOW - timedelta(days=1)}, ("UPC", EAN): {Sku("Y"): NOW - timedelta(days=9)}}
    assert "is the EAN of X too" in str(shared_codes({Sku("A"): borne["A"]}, elsewhere, NOW)["A"])
    crowd = {("EAN", EAN): {Sku(f"X{number}"): NOW for number in range(5)}}
    assert "of X0, X1, X2 and 2 more too" in str(shared_codes({Sku("A"): borne["A"]}, crowd, NOW)["A"])


@given(st.text(alphabet="0123456789", min_size=7, max_size=13))
def test_one_digit_closes_a_code_and_any_other_breaks_it(digits: str) -> None:
    closing = [last for last in "0123456789" if is_gtin(digits + last)]
    assert len(closing) == (1 if len(digits) + 1 in (8, 12, 13, 14) else 0)
