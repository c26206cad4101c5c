"""The Mirakl stand-in's catalogue without a socket: what it takes of products and offers, and what it replaces."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from app.sandbox.clock import Clock
from app.sandbox.faults import Kernel
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.catalogue import Attribute, Catalogue, seed_of
from app.sandbox.mirakl.catalogue_admin import fill, load_ean
from app.sandbox.mirakl.catalogue_seeds import SEEDS
from app.sandbox.mirakl.limits import CallLimits
from app.sandbox.mirakl.offer_files import read_offer_file, read_offers
from app.sandbox.mirakl.offer_imports import OfferImports
from app.sandbox.mirakl.offer_values import OFFER, Unusable, details_of, moment, prices_of, typed
from app.sandbox.mirakl.offers import NO_DETAILS, Details, Price, Volume
from app.sandbox.mirakl.price_imports import PriceImports, read_prices
from app.sandbox.mirakl.product_rules import check_product, is_gtin, value_fault
from app.sandbox.mirakl.products import ProductBook, Verdict
from app.sandbox.mirakl.state import Shop
from app.sandbox.mirakl.tables import read_table, write_table

PARIS = ZoneInfo("Europe/Paris")
GOOD = {
    "categorie": "111",
    "sku_vendeur": "VX-1",
    "ean": load_ean(7),
    "titre_fr": "Robe en coton",
    "description_fr": "Une robe",
    "marque": "FJW",
    "image_1": "https://images.fjordwear.example/a.jpg",
    "groupe": "VX",
    "couleur": "C012",
    "taille": "T38",
    "matiere": "COT|LAI",
    "saison": "AH26",
}


def request(body: bytes, content_type: str = "application/json") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    headers = [(b"content-type", content_type.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers, "query_string": b""}, receive)


def upload(text: str) -> Request:
    part = f'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n{text}\r\n--b--\r\n'
    return request(part.encode(), "multipart/form-data; boundary=b")


class Bench:
    """A shop with one offer, A, and one more product."""

    def __init__(self, **config: Any) -> None:
        self.clock = Clock()
        self.shop = Shop(config, Kernel.of(self.clock, config))
        self.offers = OfferImports(self.shop)
        self.prices = PriceImports(self.shop)
        self.shop.put_offers([{"sku": "A", "quantity": 5, "price": 59.9, "ean": load_ean(1)}])

    async def send(self, *offers: dict[str, Any]) -> str:
        body = json.dumps({"offers": [{"state_code": "11", "update_delete": "", **offer} for offer in offers]})
        answer = await self.offers.of24(request(body.encode()))
        await self.advance(10)
        return str(answer.body["import_id"])

    async def send_prices(self, *rows: str, header: str = "") -> Json:
        columns = f"offer-sku;price;discount-price;discount-start-date;discount-end-date{header}"
        answer = await self.prices.pri01(upload("\n".join((columns, *rows)) + "\n"))
        await self.advance(10)
        return answer

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.clock.run_due()


@pytest.fixture
async def bench() -> Bench:
    return Bench()


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(SEEDS["fr"])


class TestSeeds:
    @pytest.mark.parametrize("name", SEEDS)
    def test_every_leaf_can_be_described(self, name: str) -> None:
        """Attributes of known categories, lists that exist, and in each leaf about eight that are required."""
        catalogue = Catalogue(SEEDS[name])
        leaves = [code for code in catalogue.categories if catalogue.is_leaf(code)]
        assert len(leaves) == 6
        for attribute in catalogue.attributes.values():
            assert not attribute.hierarchy or attribute.hierarchy in catalogue.categories
            assert attribute.type_parameters.get("LIST_CODE") in (None, *catalogue.values)
        for leaf in leaves:
            attributes = catalogue.attributes_of(leaf)
            assert sum(a.requirement_level == "REQUIRED" for a in attributes) >= 8
            assert sum(a.variant for a in attributes) == 2
        roles = ("CATEGORY", "SHOP_SKU", "TITLE", "DESCRIPTION", "BRAND", "MAIN_IMAGE", "VARIANT_GROUP_CODE")
        assert {catalogue.with_role(role).hierarchy for role in roles} == {""}

    @pytest.mark.parametrize(
        ("config", "name"),
        [
            ({}, "fr"),
            ({"id": "demo-se"}, "se"),
            ({"id": "demo-se", "catalogue": "fr"}, "fr"),
            ({"catalogue": "se"}, "se"),
        ],
    )
    def test_which_one(self, config: dict[str, Any], name: str) -> None:
        assert seed_of(config) is SEEDS[name]

    def test_the_nearest_definition_counts(self, catalogue: Catalogue) -> None:
        catalogue.put_attribute({"code": "couleur", "hierarchy": "111", "requirement_level": "OPTIONAL"})
        levels = {
            leaf: next(a.requirement_level for a in catalogue.attributes_of(leaf) if a.code == "couleur")
            for leaf in ("111", "112")
        }
        assert levels == {"111": "OPTIONAL", "112": "REQUIRED"}

    def test_a_closed_category_takes_its_children_along(self, catalogue: Catalogue) -> None:
        catalogue.close_category("110")
        assert set(catalogue.categories) == {"100", "120", "121", "122", "123"}
        assert catalogue.is_leaf("121")
        with pytest.raises(KeyError):
            catalogue.put_category({"code": "114", "parent_code": "110"})


class TestProductRules:
    def errors(self, catalogue: Catalogue, **changes: str) -> list[str]:
        return [str(fault) for fault in check_product(GOOD | changes, catalogue, "|").errors]

    def test_a_good_product_is_taken(self, catalogue: Catalogue) -> None:
        checked = check_product(GOOD, catalogue, "|")
        assert (checked.errors, checked.warnings) == ((), ())

    @pytest.mark.parametrize("code", [code for code in GOOD if code not in ("categorie", "saison")])
    def test_each_required_attribute_is_missed(self, catalogue: Catalogue, code: str) -> None:
        (words,) = self.errors(catalogue, **{code: ""})
        assert words.startswith(f"1000|The attribute '{code}' (")

    def test_a_recommended_one_is_a_warning(self, catalogue: Catalogue) -> None:
        checked = check_product(GOOD | {"saison": ""}, catalogue, "|")
        assert (checked.errors, [w.attribute for w in checked.warnings]) == ((), ["saison"])

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"categorie": ""}, "1000|The attribute 'categorie'"),
            ({"categorie": "999"}, "1001|Category 999 is unknown"),
            ({"categorie": "110"}, "1002|Category 110 is not a leaf"),
            ({"couleur": "Bleu marine"}, "not in its list: 'Bleu marine'"),
            ({"matiere": "COT|Laine"}, "not in its list: 'Laine'"),
            ({"matiere": "COT,LAI"}, "not in its list: 'COT,LAI'"),
            ({"titre_fr": "Robe"}, "shorter than 5"),
            ({"titre_fr": "R" * 121}, "longer than 120"),
            ({"origine": "Portugal"}, "does not have the form"),
            ({"ean": "7340000000018"}, "no valid check digit"),
            ({"ean": "734-0000"}, "no valid check digit"),
            ({"image_1": "http://images.example/a.jpg"}, "https address of an image"),
            ({"image_1": "https://images.example/a.pdf"}, "https address of an image"),
            ({"image_2": "//a.jpg"}, "https address of an image"),
            ({"doublure": "oui"}, "true or false"),
            ({"longueur": "90"}, "no unit that is known"),
            ({"longueur": "neuf METER"}, "must be a number"),
        ],
    )
    def test_what_is_wrong_is_said(self, catalogue: Catalogue, changes: dict[str, str], says: str) -> None:
        (words,) = self.errors(catalogue, **changes)
        assert says in words

    @pytest.mark.parametrize(
        ("kind", "good", "bad"),
        [
            ("INTEGER", ["0", "-3", "12"], ["1.0", "twelve", " 1"]),
            ("DECIMAL", ["1", "1.25", "-0.5"], ["1.255", "1,2", "NaN"]),
            ("DATE", ["2026-02-28"], ["2026-02-30", "28.02.2026", "2026-02-28T00:00:00Z"]),
            ("MEASUREMENT", ["90 CM", "0.5 M"], ["90CM", "90 FOOT", "CM 90"]),
            ("TEXT", ["anything"], []),
        ],
    )
    def test_types(self, catalogue: Catalogue, kind: str, good: list[str], bad: list[str]) -> None:
        attribute = Attribute("x", "X", kind, "OPTIONAL", type_parameters={"UNITS": "CM|M"})
        fits = {value: value_fault(attribute, value, catalogue, "|") is None for value in [*good, *bad]}
        assert fits == {**dict.fromkeys(good, True), **dict.fromkeys(bad, False)}

    def test_a_branch_is_taken_where_the_platform_takes_it(self, catalogue: Catalogue) -> None:
        row = {code: value for code, value in GOOD.items() if code not in ("taille", "matiere", "saison")}
        assert check_product(row | {"categorie": "110"}, catalogue, "|", only_leaves=False).errors == ()

    def test_limits_of_numbers(self, catalogue: Catalogue) -> None:
        attribute = Attribute("x", "X", "INTEGER", "OPTIONAL", validations="MIN|0,MAX|20")
        assert [value_fault(attribute, text, catalogue, "|") is None for text in ("0", "20", "21", "-1")] == [
            *(True, True, False, False),
        ]

    @given(st.integers(0, 999_999_999_999))
    def test_one_check_digit_of_ten_is_right(self, number: int) -> None:
        texts = [f"{number:012}{last}" for last in range(10)]
        assert sum(map(is_gtin, texts)) == 1
        # One wrong digit is always found.
        (right,) = filter(is_gtin, texts)
        changed = str((int(right[3]) + 1) % 10)
        assert not is_gtin(right[:3] + changed + right[4:])


class TestProductBook:
    @pytest.fixture
    def book(self, catalogue: Catalogue) -> ProductBook:
        return ProductBook(catalogue, Clock())

    def test_a_reference_that_is_given_up_is_free(self, book: ProductBook) -> None:
        book.tell("A", "111", "Robe", {"EAN": "1"})
        book.tell("A", "111", "Robe", {"EAN": "2"})
        assert (book.owner("EAN", "1"), book.owner("EAN", "2")) == (None, "A")
        assert book.is_pending("EAN", "2")
        assert not book.is_pending("EAN", "1")

    def test_a_known_reference_is_joined_not_made_again(self, book: ProductBook) -> None:
        book.put("OP-1", "111", "Robe", {"EAN": "1"})
        joined, new = book.tell("A", "111", "Robe", {"EAN": "1"}), book.tell("B", "112", "Haut", {"EAN": "2"})
        assert [book.take(source) for source in (joined, new)] == [False, True]
        assert joined.product_sku == "OP-1"
        found = [book.find(*pair) for pair in (("EAN", "2"), ("SHOP_SKU", "B"))]
        assert found == [book.products[new.product_sku or ""]] * 2

    def test_what_was_withdrawn_can_be_told_again(self, book: ProductBook) -> None:
        source = book.tell("A", "111", "Robe", {"EAN": "1"})
        book.take(source)
        book.withdraw(source, Verdict("REJECTED"))
        assert (source.is_live, book.find("EAN", "1")) == (False, None)
        again = book.tell("A", "111", "Robe", {"EAN": "1"})
        assert (book.take(again), again.is_live, book.find("EAN", "1") is not None) == (False, True, True)

    def test_an_update_stays_live_until_it_is_decided(self, book: ProductBook) -> None:
        source = book.tell("A", "111", "Robe", {"EAN": "1"})
        book.take(source)
        book.verdicts["A"] = Verdict("REJECTED")
        assert book.tell("A", "111", "Robe longue", {"EAN": "1"}).is_live
        verdict = book.decide(source)
        assert (verdict, source.is_live, book.decide(source)) == (Verdict("REJECTED"), False, None)

    def test_verdicts_are_known_words(self) -> None:
        with pytest.raises(ValueError, match="kind is one of"):
            Verdict("MAYBE")


member_values: Mapping[str, st.SearchStrategy[Any]] = {
    "description": st.text(max_size=20),
    "leadtime_to_ship": st.integers(1, 44),
    "logistic_class": st.sampled_from(["S", "M", "L"]),
    "min_quantity_alert": st.integers(0, 9),
    "min_order_quantity": st.integers(1, 2),
    "max_order_quantity": st.integers(2, 9),
    "package_quantity": st.integers(1, 3),
    "allow_quote_requests": st.booleans(),
    "product_tax_code": st.text(min_size=1, max_size=5),
    "msrp": st.integers(1, 99),
    "quantity": st.integers(0, 99),
    "offer_additional_fields": st.just([{"code": "season", "value": "winter"}]),
    "available_started": st.just("2020-01-01"),
}
offers = st.fixed_dictionaries({}, optional=dict(member_values))


class TestReplacement:
    @settings(max_examples=25)
    @given(first=offers, second=offers)
    async def test_an_offer_is_what_was_sent_last_and_nothing_else(
        self, first: dict[str, Any], second: dict[str, Any]
    ) -> None:
        bench, fresh = Bench(), Bench()
        await bench.send({"shop_sku": "A", "price": 20, "discount": {"price": 10}, **first})
        await bench.send({"shop_sku": "A", "price": 30, **second})
        await fresh.send({"shop_sku": "A", "price": 30, **second})
        after, alone = bench.shop.offers["A"], fresh.shop.offers["A"]
        assert (after.details, after.prices, after.quantity) == (alone.details, alone.prices, alone.quantity)
        assert after.quantity == second.get("quantity", 0)

    async def test_nothing_said_is_every_default(self, bench: Bench) -> None:
        await bench.send({"shop_sku": "A", "price": 30, "description": "x", "quantity": 4})
        await bench.send({"shop_sku": "A", "price": 30})
        offer = bench.shop.offers["A"]
        assert (offer.details, offer.quantity, offer.prices) == (NO_DETAILS, 0, (Price(Decimal(30)),))

    async def test_a_file_leaves_what_it_does_not_name(self, bench: Bench) -> None:
        await bench.send({"shop_sku": "A", "price": 30, "description": "x", "quantity": 4, "logistic_class": "S"})
        answer = bench.offers._accept("OF01", "NORMAL", read_offer_file(b"sku;description\nA;\n", []), b"1")
        await bench.advance(10)
        offer = bench.shop.offers["A"]
        assert answer.status == 201
        assert (offer.details.description, offer.details.logistic_class, offer.quantity) == ("", "S", 4)

    async def test_replace_deletes_the_rest(self, bench: Bench) -> None:
        bench.shop.put_offers([{"sku": "B", "price": 1}])
        bench.offers._accept("OF01", "REPLACE", read_offer_file(b"sku;quantity\nB;1\n", []), b"1")
        await bench.advance(10)
        assert [sku for sku, offer in bench.shop.offers.items() if not offer.deleted] == ["B"]

    async def test_the_ledger_has_what_was_applied(self, bench: Bench) -> None:
        await bench.send({"shop_sku": "A", "price": 30, "quantity": 2}, {"shop_sku": "NEW", "price": 1})
        await bench.send_prices("A;29;;;", "NOBODY;1;;;")
        entries = bench.shop.kernel.ledger.public()["entries"]
        assert [(e["code"], e["sku"], e["price"]) for e in entries] == [("OF24", "A", 30.0), ("PRI01", "A", 29.0)]

    async def test_a_lead_time_of_nothing_reads_back_as_one(self, bench: Bench) -> None:
        await bench.send({"shop_sku": "A", "price": 30, "leadtime_to_ship": 0})
        assert bench.shop.offers["A"].details.leadtime_to_ship == 1
        bench.shop.mirrors.account["shipping"]["lead_time_to_ship"] = 0
        await bench.send({"shop_sku": "A", "price": 31, "leadtime_to_ship": 0})
        assert bench.shop.offers["A"].details.leadtime_to_ship == 0

    async def test_a_warehouse_gives_way_to_the_quantity_of_an_offer(self, bench: Bench) -> None:
        bench.shop.offers["A"].set_quantity(7, "NORTH", 0.0)
        await bench.send({"shop_sku": "A", "price": 30, "quantity": 2})
        assert (bench.shop.offers["A"].warehouses, bench.shop.offers["A"].quantity) == ({}, 2)

    def test_a_snapshot_does_not_move(self, bench: Bench) -> None:
        offer = bench.shop.offers["A"]
        for change in (lambda: offer.set_quantity(7, "NORTH", 1.0), lambda: offer.take(1, 2.0)):
            before, quantity = offer.snapshot(), offer.quantity
            change()
            assert (before.quantity, offer.quantity == quantity) == (quantity, False)

    def test_every_member_of_an_offer_is_read(self) -> None:
        named = {f.name for f in fields(Details)} - {"additional_fields"} | {"offer_additional_fields"}
        # Identity, stock and prices are the offer's own; retail prices are for the dropship model only.
        own = {"shop_sku", "product_id", "product_id_type", "state_code", "update_delete", "price", "quantity"}
        assert set(OFFER) == named | own | {"discount", "all_prices", "retail_prices"}


class TestPriceSets:
    prices = st.lists(
        st.tuples(st.sampled_from(["", "FR", "BE", "FR|BE"]), st.integers(1, 9_999)),
        min_size=1,
        max_size=4,
        unique_by=lambda row: row[0],
    )

    @settings(max_examples=25)
    @given(first=prices, second=prices)
    async def test_an_offer_has_the_prices_of_its_last_file(
        self, first: list[tuple[str, int]], second: list[tuple[str, int]]
    ) -> None:
        bench = Bench()
        for rows in (first, second):
            await bench.send_prices(*(f"A;{p / 100};;;;{channels}" for channels, p in rows), header=";channels")
        shown = {"|".join(reversed(price.channels)): price.origin for price in bench.shop.offers["A"].prices}
        assert shown == {channels: Decimal(p) / 100 for channels, p in second}

    async def test_without_a_price_for_today_nothing_is_on_sale(self, bench: Bench) -> None:
        header = ";channels;start-date"
        await bench.send_prices("A;20;;;;FR;2099-01-01", header=header)
        offer = bench.shop.offers["A"]
        assert (offer.default_price, offer.price) == (None, 0.0)
        assert bench.shop.inactivity_reasons(offer) == ["NO_ACTIVE_PRICE"]
        await bench.send_prices("A;20;;;;FR;", header=header)
        assert bench.shop.inactivity_reasons(offer) == []

    def test_the_hour_that_comes_twice_and_the_one_that_never_comes(self) -> None:
        """2026-10-25 in Paris: 02:30 with an offset is exact; without, the first of the two."""
        exact = moment("2026-10-25T02:30:00+02:00", PARIS, "x")
        later = moment("2026-10-25T02:30:00+01:00", PARIS, "x")
        assert (later or 0) - (exact or 0) == 3_600
        assert moment("2026-10-25T02:30:00", PARIS, "x") == exact
        assert moment("2026-03-29T02:30:00", PARIS, "x") == moment("2026-03-29T03:30:00+02:00", PARIS, "x")
        day = [moment("2026-10-25", PARIS, "x", ends=ends) or 0 for ends in (False, True)]
        assert day[1] - day[0] == 25 * 3_600 - 1

    @pytest.mark.parametrize("text", ["", "25/10/2026", "2026-02-30"])
    def test_a_date_that_is_none(self, text: str) -> None:
        with pytest.raises(Unusable, match="is invalid"):
            moment(text, PARIS, "the discount's start")

    def test_a_discount_holds_in_its_period(self) -> None:
        price = Price(Decimal(20), Decimal(10), 100.0, 200.0)
        assert [int(price.at(at)) for at in (99.0, 100.0, 200.0, 201.0)] == [20, 10, 10, 20]
        assert Price(Decimal(20), Decimal(10)).at(0.0) == 10

    def test_ranges_become_volumes(self) -> None:
        header = b"offer-sku;price;discount-price;discount-start-date;discount-end-date;price-ranges;discount-ranges\n"
        _, (line,) = read_prices(header + b"A;20;;;;5|18,10|15;10|12,20|11\n", PARIS)
        assert line.price
        assert line.price.volumes == (
            Volume(5, Decimal(18)),
            Volume(10, Decimal(15), Decimal(12)),
            Volume(20, Decimal(15), Decimal(11)),
        )

    def test_all_prices_speak_for_the_default_too(self) -> None:
        listed = [
            {"channel_code": None, "unit_origin_price": Decimal(15)},
            {"channel_code": "BE", "unit_origin_price": 9},
        ]
        found = prices_of({"price": Decimal(20), "all_prices": listed}, PARIS)
        assert [(p.channels, p.origin) for p in found] == [((), 15), (("BE",), 9)]
        found = prices_of({"price": Decimal(20), "all_prices": listed[1:]}, PARIS)
        assert [(p.channels, p.origin) for p in found] == [((), 20), (("BE",), 9)]
        with pytest.raises(Unusable):
            prices_of({"all_prices": [{"channel_code": "BE"}]}, PARIS)


class TestReading:
    @given(st.lists(st.lists(st.text(), min_size=3, max_size=3), min_size=1), st.sampled_from([";", ","]))
    def test_a_report_reads_back_as_it_was_written(self, rows: list[list[str]], delimiter: str) -> None:
        written = write_table(rows, delimiter)
        assert list(csv.reader(io.StringIO(written.decode(), newline=""), delimiter=delimiter)) == rows
        assert read_table(written, delimiter) == rows

    def test_unknown_members_are_passed_over_at_any_depth(self) -> None:
        given_ = {"shop_sku": "A", "discount_price": 3, "discount": {"price": 2, "prise": 3}}
        assert typed(OFFER, given_) == {"shop_sku": "A", "discount": {"price": Decimal(2)}}

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"offers": {}}', b'{"offers": [1]}', b'{"offers": [[]]}'])
    def test_a_body_that_is_none(self, body: bytes) -> None:
        with pytest.raises(Refused):
            read_offers(body)

    def test_money_is_read_exactly(self) -> None:
        (line,) = read_offers(b'{"offers": [{"shop_sku": "A", "price": 0.1, "state_code": 11}]}').lines
        assert (line.members["price"], line.members["state_code"]) == (Decimal("0.1"), "11")
        assert line.fault == "The field 'update_delete' is mandatory"

    def test_members_of_a_file_that_are_blank_are_none(self) -> None:
        (line,) = read_offer_file(b"sku;quantity;logistic-class;colour\nA;;S;red\n", ["colour"]).lines
        assert line.members == {
            "quantity": None,
            "logistic_class": "S",
            "offer_additional_fields": [{"code": "colour", "value": "red"}],
        }

    def test_details_keep_what_is_not_named(self) -> None:
        before = Details(description="x", package_quantity=2)
        assert details_of({"description": None}, PARIS, before) == Details(package_quantity=2)


class TestBulk:
    async def test_the_config_fills_the_shop(self) -> None:
        bench = Bench()
        fill(bench.shop, {"many_offers": {"count": 60, "prefix": "L", "digits": 3}, "many_products": {"count": 5}})
        offer = bench.shop.offers["L060"]
        assert (offer.quantity, offer.price) == (10, 70.9)
        products = bench.shop.products
        assert products.find("EAN", load_ean(60)) is products.products["P-L060"]
        assert products.find("EAN", load_ean(65)) is products.products["MP-LOAD-65"]
        assert all(is_gtin(load_ean(number)) for number in (1, 60, 200_000))

    def test_a_full_status_export_has_a_ceiling_of_its_own(self) -> None:
        limits = CallLimits({}, enforced=True)

        def refused(at: float, query: bytes = b"") -> bool:
            return limits.admit("CM11", at, {"query_string": query}, b"") is not None

        since = b"updated_since=2026-03-02T00%3A00%3A00Z"
        assert [refused(0.0), refused(0.0, since), refused(300.0), refused(300.0, since)] == [
            *(False, False, True, False)
        ]
        assert not refused(14_400.0)
        assert not refused(20_000.0, b"provider_unique_identifier=A")
