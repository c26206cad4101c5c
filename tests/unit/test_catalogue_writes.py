"""What is written to Mirakl of offers, prices and products: any text survives, no member and no price is lost, and what
makes no sense cannot be said.
"""

import inspect
import json
import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from app.engine.bulk import SPELLINGS
from app.mirakl import offer_schema
from app.mirakl.imports import UnwritableText, csv_file, read_csv
from app.mirakl.offer_files import OFFER_COLUMNS, offers_file
from app.mirakl.offer_schema import (
    ChannelPrice,
    Discount,
    EcoContribution,
    FieldValue,
    LiveOffer,
    OfferDelete,
    OfferUpsert,
    VolumePrice,
    spelled,
)
from app.mirakl.offers import OfferCalls
from app.mirakl.prices import OfferPrices, PriceRow, prices_file
from app.mirakl.product_files import ProductFile, delimiter_of, read_products
from app.mirakl.schema import Features, PlatformConfiguration
from app.wire.decode import Rows, UnreadableItem

AT = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
NASTY = st.text(st.sampled_from('"\\;,|\t\n\r\ufeff\u2028🧥é a0')) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
)
encoder = msgspec.json.Encoder(decimal_format="number")

# -------------------------------------------------------------------------------------------------- files


TABLES = st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(NASTY, min_size=n, max_size=n), min_size=1))


@given(TABLES, st.sampled_from(";,\t"))
def test_any_text_survives_a_file(rows: list[list[str]], delimiter: str) -> None:
    columns = [f"column {number}" for number in range(len(rows[0]))]
    assert read_csv(csv_file(columns, rows, delimiter), delimiter) == [columns, *rows]


@given(st.lists(NASTY, min_size=1, max_size=5, unique=True), st.data())
def test_any_product_survives_its_file(columns: list[str], data: st.DataObject) -> None:
    row = tuple(data.draw(st.lists(NASTY, min_size=len(columns), max_size=len(columns))))
    file = ProductFile(tuple(columns), (row, row))
    assert read_products(file.encoded(","), ",") == [dict(zip(columns, row, strict=True))] * 2


def test_quotes_are_doubled_and_a_backslash_is_only_a_backslash() -> None:
    assert csv_file(["d"], [['1\\" approx; "raw"']]) == b'"d"\n"1\\"" approx; ""raw"""\n'


@pytest.mark.parametrize(("text", "words"), [("a\0b", "NUL"), ("\ud83e", "half a character")])
def test_a_text_that_no_file_carries_is_refused_by_its_place(text: str, words: str) -> None:
    with pytest.raises(UnwritableText, match=f"name of line 3 holds.*{words}"):
        csv_file(["ean", "name"], [["1", "fine"], ["2", text]])


def test_a_delimiter_within_a_column_name_is_not_taken_for_one() -> None:
    assert read_csv(csv_file(["a,b,c", "d"], [["1", "2"]], ";")) == [["a,b,c", "d"], ["1", "2"]]


def test_the_delimiter_is_the_platforms() -> None:
    assert delimiter_of(PlatformConfiguration(features=Features(operator_csv_delimiter="COMMA"))) == ","
    assert delimiter_of(PlatformConfiguration()) == ";"


@pytest.mark.parametrize(
    ("columns", "rows"),
    [(("a", "a"), (("1", "2"),)), (("a",), (("1", "2"),)), (("a",), ()), ((), (("",),))],
)
def test_a_file_of_products_that_makes_no_sense_is_none(columns: Any, rows: Any) -> None:
    with pytest.raises(ValueError):
        ProductFile(columns, rows)


# ------------------------------------------------------------------------------------------------- offers

MONEY = st.decimals("10.00", "9999.99", places=2)
COUNT = st.integers(0, offer_schema.MOST_UNITS)
_FIRST, _LAST = date(2026, 1, 1), date(2027, 1, 1)
WHEN = st.dates(_FIRST, _LAST) | st.dates(_FIRST, _LAST).map(lambda day: datetime.combine(day, AT.timetz()))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return strategy | st.just(UNSET)


VOLUMES = st.lists(
    st.builds(VolumePrice, quantity_threshold=st.integers(2, 50), unit_origin_price=MONEY), max_size=3
).map(tuple)


@st.composite
def offers(draw: st.DrawFn) -> OfferUpsert:
    price = draw(MONEY)
    cheaper = price - Decimal("0.01")
    default = ChannelPrice(
        channel_code=None,
        unit_origin_price=price,
        unit_discount_price=draw(maybe(st.just(cheaper))),
        volume_prices=draw(VOLUMES),
    )
    others = draw(st.lists(st.sampled_from(["FR", "PRO", "B2B"]), unique=True))
    by_channel = (default, *(ChannelPrice(channel_code=code, unit_origin_price=draw(MONEY)) for code in others))
    prices = draw(maybe(st.just(by_channel)))
    discount = draw(maybe(st.just(Discount(price=cheaper)))) if prices is UNSET else UNSET
    return OfferUpsert(
        shop_sku=draw(st.text("ABC-123", min_size=1, max_size=40)),
        product_id=draw(st.text("0123456789", min_size=1)),
        product_id_type="EAN",
        state_code="11",
        price=price,
        quantity=draw(COUNT),
        description=draw(maybe(NASTY)),
        internal_description=draw(maybe(NASTY)),
        price_additional_info=draw(maybe(NASTY)),
        discount=discount,
        all_prices=prices,
        available_started=draw(maybe(WHEN)),
        available_ended=draw(maybe(WHEN)),
        leadtime_to_ship=draw(maybe(COUNT)),
        logistic_class=draw(maybe(NASTY)),
        min_quantity_alert=draw(maybe(COUNT)),
        min_order_quantity=draw(maybe(COUNT)),
        max_order_quantity=draw(maybe(COUNT)),
        package_quantity=draw(maybe(COUNT)),
        allow_quote_requests=draw(maybe(st.booleans())),
        product_tax_code=draw(maybe(NASTY)),
        pricing_unit=draw(maybe(NASTY)),
        msrp=draw(maybe(MONEY)),
        offer_additional_fields=draw(maybe(st.just((FieldValue(code="made-in", value="PRT"),)))),
        eco_contributions=draw(maybe(st.just((EcoContribution(epr_category_code="FR-TLC", producer_id="7"),)))),
    )


@settings(max_examples=25)
@given(offers())
def test_no_member_that_was_said_is_missing_from_the_body(offer: OfferUpsert) -> None:
    body = json.loads(encoder.encode(offer))
    said = {name for name in offer.__struct_fields__ if getattr(offer, name) is not UNSET}
    assert set(body) == said | {"update_delete"}
    assert body["quantity"] == offer.quantity
    assert body["update_delete"] == "update"


@settings(max_examples=25)
@given(st.lists(offers(), min_size=1, max_size=4, unique_by=lambda offer: offer.shop_sku))
def test_a_file_of_offers_has_every_column_and_every_text_as_it_was(written: list[OfferUpsert]) -> None:
    header, *rows = read_csv(offers_file(written, ";"), ";")
    assert tuple(header[: len(OFFER_COLUMNS)]) == OFFER_COLUMNS
    for offer, row in zip(written, rows, strict=True):
        line = dict(zip(header, row, strict=True))
        assert line["sku"] == offer.shop_sku
        assert Decimal(line["price"]) == offer.price
        assert line["description"] == ("" if offer.description is UNSET else offer.description)
        assert line["quantity"] == str(offer.quantity)
        for price in () if isinstance(offer.all_prices, msgspec.UnsetType) else offer.all_prices:
            suffix = f"[channel={price.channel_code}]" if price.channel_code else ""
            assert Decimal(line[f"price{suffix}"]) == price.unit_origin_price


@settings(max_examples=25)
@given(offers(), st.integers(0, 7))
def test_an_offer_spelled_otherwise_says_nothing_else(offer: OfferUpsert, spelling: int) -> None:
    body, other = (json.loads(encoder.encode(spelled(offer, n))) for n in (0, spelling))
    defaults = {"allow_quote_requests": False, "internal_description": "", "price_additional_info": ""}
    assert defaults | body == defaults | other
    assert body == json.loads(encoder.encode(offer))


def test_each_spelling_of_an_offer_and_of_its_deletion_is_another_request(members: dict[str, Any]) -> None:
    base = {name: members[name] for name in OfferDelete.__struct_fields__}
    for offer in (OfferUpsert(**members), OfferDelete(**base)):
        bodies = {encoder.encode(spelled(offer, spelling)) for spelling in range(SPELLINGS)}
        assert len(bodies) == SPELLINGS


@pytest.fixture
def members() -> dict[str, Any]:
    base = dict.fromkeys(OfferUpsert.__struct_fields__, UNSET)
    whole = {"shop_sku": "A", "product_id": "1", "product_id_type": "EAN", "state_code": "11"}
    return base | whole | {"price": Decimal("59.90"), "quantity": 4}


@pytest.mark.parametrize("name", OfferUpsert.__struct_fields__)
def test_a_member_of_an_offer_cannot_be_forgotten(members: dict[str, Any], name: str) -> None:
    assert OfferUpsert(**members)
    del members[name]
    with pytest.raises(TypeError, match=name):
        OfferUpsert(**members)


def test_a_member_that_mirakl_does_not_know_cannot_be_said(members: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="discount_price"):
        OfferUpsert(**members, discount_price=Decimal("39.90"))


def channel(**wrong: Any) -> ChannelPrice:
    return ChannelPrice(**{"channel_code": None, "unit_origin_price": Decimal("59.90")} | wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"price": Decimal(0)}, "no price"),
        ({"price": Decimal("NaN")}, "no price"),
        ({"price": 59.9}, "float"),
        ({"quantity": -2}, "between 0"),
        ({"quantity": 2**31}, "between 0"),
        ({"quantity": 3.0}, "float"),
        ({"shop_sku": "A/B"}, "no SKU"),
        ({"shop_sku": "A" * 41}, "no SKU"),
        ({"product_id": ""}, "its product"),
        ({"available_started": datetime(2026, 1, 1)}, "zone"),  # noqa: DTZ001 - that is the mistake
        ({"discount": lambda: Discount(price=Decimal("59.90"))}, "not below"),
        ({"discount": lambda: Discount(price=Decimal(9), start_date=AT)}, "both dates"),
        ({"discount": lambda: Discount(price=Decimal(9), start_date=AT, end_date=date(2027, 1, 1))}, "mixes"),
        ({"discount": lambda: Discount(price=Decimal(9), start_date=AT, end_date=AT - timedelta(1))}, "before"),
        ({"all_prices": lambda: (channel(unit_discount_price=Decimal("59.90")),)}, "not below"),
        ({"all_prices": lambda: (channel(discount_start_date=AT, discount_end_date=AT),)}, "without its price"),
        ({"all_prices": lambda: (channel(), channel())}, "one a channel"),
        ({"all_prices": lambda: (channel(channel_code="FR"),)}, "default price"),
        ({"all_prices": lambda: (channel(unit_origin_price=Decimal(1)),)}, "default price"),
        ({"all_prices": lambda: (channel(),), "discount": lambda: Discount(price=Decimal(9))}, "said once"),
    ],
)
def test_an_offer_that_makes_no_sense_is_none(members: dict[str, Any], wrong: dict[str, Any], words: str) -> None:
    def made() -> OfferUpsert:
        chosen = {name: value() if callable(value) else value for name, value in wrong.items()}
        return OfferUpsert(**members | chosen)

    with pytest.raises((ValueError, TypeError), match=words):
        made()


def test_what_was_read_of_an_offer_is_not_sent_back(members: dict[str, Any]) -> None:
    live = msgspec.json.decode(b'{"shop_sku":"A","logistic_class":{"code":"S","label":"Small"}}', type=LiveOffer)
    with pytest.raises(TypeError, match="logistic_class"):
        OfferUpsert(**members | {"logistic_class": live.logistic_class})


def test_the_mode_that_deletes_what_a_file_leaves_out_cannot_be_asked_for() -> None:
    assert "mode" not in str(inspect.signature(OfferCalls.of01_import_offers))
    service = [p for p in Path("app").rglob("*.py") if "sandbox" not in p.parts]
    assert service
    assert [str(p) for p in service if '"REPLACE"' in p.read_text() or 'b"REPLACE"' in p.read_text()] == []


# ------------------------------------------------------------------------------------------------- prices


@st.composite
def price_sets(draw: st.DrawFn) -> OfferPrices:
    cases = draw(
        st.lists(
            st.tuples(
                st.lists(st.sampled_from(["FR", "PRO", "B2B"]), unique=True).map(tuple),
                st.sampled_from([None, AT]),
                st.sampled_from([(), ("gold",), ("gold", "silver")]),
            ),
            max_size=12,
            unique_by=lambda case: (tuple(sorted(case[0])), case[1], case[2]),
        )
    )
    rows = [
        PriceRow(
            draw(MONEY),
            draw(st.none() | st.decimals("0.01", "9.99", places=2)),
            channels=channels,
            starts=starts,
            ends=starts and starts + timedelta(days=1),
            customer_group_ids=groups,
            volumes=draw(VOLUMES),
        )
        for channels, starts, groups in cases
        if channels or starts or groups
    ]
    return OfferPrices(draw(st.text("ABC-123", min_size=1, max_size=20)), (PriceRow(draw(MONEY)), *rows))


@settings(max_examples=25)
@given(st.lists(price_sets(), min_size=1, max_size=4, unique_by=lambda offer: offer.sku))
def test_no_price_is_lost_in_a_file_and_those_of_an_offer_stand_together(written: list[OfferPrices]) -> None:
    header, *rows = read_csv(prices_file(written), ";")
    lines = [dict(zip(header, row, strict=True)) for row in rows]
    sent = Counter((offer.sku, row.price, row.channels) for offer in written for row in offer.rows)
    assert sent == Counter((line["offer-sku"], Decimal(line["price"]), channels_of(line)) for line in lines)
    assert list(dict.fromkeys(line["offer-sku"] for line in lines)) == [offer.sku for offer in written]
    runs = sum(1 for place, line in enumerate(lines) if not place or lines[place - 1]["offer-sku"] != line["offer-sku"])
    assert runs == len(written)


def channels_of(line: dict[str, str]) -> tuple[str, ...]:
    return tuple(text for text in line.get("channels", "").split("|") if text)


def test_a_price_file_names_rarer_columns_only_where_a_price_needs_them() -> None:
    assert read_csv(prices_file([OfferPrices("A", (PriceRow(Decimal("39.90")),))])) == [
        ["offer-sku", "price", "discount-price", "discount-start-date", "discount-end-date"],
        ["A", "39.90", "", "", ""],
    ]


def test_the_ambiguous_hour_of_the_clock_change_is_two_instants() -> None:
    summer, winter = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
    first, second = datetime(2026, 10, 25, 2, 30, tzinfo=summer), datetime(2026, 10, 25, 2, 30, tzinfo=winter)
    [_, line] = read_csv(prices_file([OfferPrices("A", (PriceRow(Decimal(9), Decimal(8), first, second),))]))
    assert line[3:] == ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: PriceRow(Decimal(0)), "no price"),
        (lambda: PriceRow(10.0), "no price"),  # type: ignore[arg-type]
        (lambda: PriceRow(Decimal(10), Decimal(10)), "not below"),
        (lambda: PriceRow(Decimal(10), Decimal(9), AT), "both dates"),
        (lambda: PriceRow(Decimal(10), None, AT, AT), "without its price"),
        (lambda: PriceRow(Decimal(10), starts=AT), "both dates"),
        (lambda: PriceRow(Decimal(10), channels=("A|B",)), "bar"),
        (lambda: OfferPrices("A", (PriceRow(Decimal(1), channels=("PRO",)),)), "default price"),
        (lambda: OfferPrices("", (PriceRow(Decimal(1)),)), "SKU"),
        (lambda: OfferPrices("A", (PriceRow(Decimal(1)), PriceRow(Decimal(2)))), "one for each case"),
        (
            lambda: OfferPrices("A", tuple(PriceRow(Decimal(1), channels=(f"C{n}",) if n else ()) for n in range(51))),
            "at most 50",
        ),
        (lambda: prices_file([OfferPrices("A", (PriceRow(Decimal(1)),))] * 2), "twice"),
    ],
)
def test_prices_that_make_no_sense_are_none(made: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made()


# -------------------------------------------------------------------------------------------------- exports


def test_a_long_export_is_walked_without_standing_in_memory_as_values() -> None:
    prices = [{"origin_price": 59.9, "context": {"channel_codes": ["PRO"]}}, {"origin_price": 62.9}]
    body = json.dumps(
        [{"shop_sku": f"S{n}", "quantity": n, "prices": prices, "description": "d" * 200} for n in range(5_000)]
    ).encode()
    tracemalloc.start()
    rows = Rows(body, LiveOffer, "shop_sku")
    walked = sum(1 for row in rows if not isinstance(row, UnreadableItem))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert walked == len(rows) == 5_000
    assert peak < 2.5 * len(body)


def test_rows_after_an_odd_one_are_read() -> None:
    rows = list(Rows(b'[{"shop_sku":"A"},{"shop_sku":7},{"shop_sku":"B","shop_sku":"C"},{"shop_sku":"D"}]', LiveOffer))
    assert [row.shop_sku if isinstance(row, LiveOffer) else row.index for row in rows] == ["A", 1, 2, "D"]
