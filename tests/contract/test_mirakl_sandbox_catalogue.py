"""The Mirakl stand-in's catalogue against Mirakl's own document: reference data, products, offers, prices.

One sandbox process for the module; each test begins two days later by the sandbox clock, with products and offers of
its own.
"""

import csv
import io
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.contract.reference import mirakl_openapi, reference_file
from tests.contract.test_mirakl_sandbox import KEY, SHOP_ID, TWO_DAYS_SECONDS, Market, sandbox

API = mirakl_openapi()
NUMBERS = itertools.count(1)
PRICE_HEADER = "offer-sku;price;discount-price;discount-start-date;discount-end-date"
OFFER = {"product_id_type": "EAN", "state_code": "11", "price": 59.9, "update_delete": "update"}
CHOICES = {
    "fr": {"MARQUES": "FJW", "COULEURS": "C012", "TAILLES": "T38", "MATIERES": "COT|LAI"},
    "se": {"farg": "marinbla", "storlek": "m", "material": "bomull#ull"},
}
TEXTS = {"TEXT": "Robe en coton", "LONG_TEXT": "Une robe qui va à tout le monde", "BOOLEAN": "true"}
IMAGE = "https://images.fjordwear.example/robe.jpg"


def ean(number: int) -> str:
    digits = f"734{number:09}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"


def table(text: str, delimiter: str = ";") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


class CatalogueMarket(Market):
    """With the calls of the catalogue; `kind` is its seed."""

    def __init__(self, url: str, kind: str) -> None:
        super().__init__(url)
        self.kind = kind
        self.delimiter = {"fr": ";", "se": ","}[kind]

    def read(self, call: str, **query: Any) -> Any:
        """An hour later, so that no ceiling is in the way. The parameters are the document's."""
        assert query.keys() <= API.query_parameters(call).keys()
        self.advance(3_600)
        return self.call(call, API.path(call), params=query).json()

    def attributes(self, hierarchy: str) -> dict[str, dict[str, Any]]:
        found = self.read("PM11", hierarchy=hierarchy, max_level=0)["attributes"]
        return {attribute["code"]: attribute for attribute in found}

    def role(self, name: str) -> str:
        """The code of the attribute with this role."""
        return next(a["code"] for a in self.every_attribute() if a["roles"] and a["roles"][0]["type"] == name)

    def every_attribute(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.read("PM11")["attributes"]
        return found

    @property
    def leaf(self) -> str:
        return {"fr": "111", "se": "klader-klanningar"}[self.kind]

    def product(self, sku: str, **changes: str) -> dict[str, str]:
        """A row that is right; changes by attribute code."""
        values: dict[str, str] = {}
        for code, attribute in self.attributes(self.leaf).items():
            if attribute["requirement_level"] != "REQUIRED":
                continue
            role = next((role["type"] for role in attribute["roles"]), "")
            kind, lists = attribute["type"], CHOICES[self.kind]
            given = {"CATEGORY": self.leaf, "SHOP_SKU": sku, "VARIANT_GROUP_CODE": f"G-{sku}", "MAIN_IMAGE": IMAGE}
            parameters = {p["name"]: p["value"] for p in attribute["type_parameters"]}
            value = given.get(role) or lists.get(parameters.get("LIST_CODE", "")) or TEXTS.get(kind, "")
            values[code] = ean(next(NUMBERS)) if attribute["unique_code"] else value
        assert all(values.values()), values
        return values | changes

    def post_products(self, *rows: dict[str, str], effect: str = "", **parts: str) -> httpx.Response:
        columns = list(dict.fromkeys(itertools.chain(*rows)))
        sheet = io.StringIO(newline="")
        writer = csv.DictWriter(sheet, columns, delimiter=self.delimiter, restval="")
        writer.writeheader()
        writer.writerows(rows)
        return self.post_product_file(sheet.getvalue().encode(), effect=effect, **parts)

    def post_product_file(self, content: bytes, *, effect: str = "", **parts: str) -> httpx.Response:
        self.advance(900)
        files = {"file": ("products.csv", content, "text/csv")}
        data = {"operator_format": "true", **parts}
        return self.call("P41", API.path("P41"), files=files, data=data, headers={"X-Effect-Id": effect})

    def import_products(self, *rows: dict[str, str]) -> int:
        answer = self.post_products(*rows)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["import_id"])

    def look(self, code: str, import_id: Any) -> httpx.Response:
        """A status or a report of an import, at its own pace."""
        self.advance(60)
        return self.call(code, API.path(code).replace("{import}", str(import_id)).format(import_id=import_id))

    def state(self, code: str, import_id: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.look(code, import_id).json()
        return found

    def statuses(self, *skus: str) -> dict[str, dict[str, Any]]:
        self.advance(300)
        answer = self.call("CM11", API.path("CM11"), params={"provider_unique_identifier": list(skus)})
        if answer.status_code == 204:
            return {}
        return {row["provider_unique_identifier"]: row for row in answer.json()}

    def live_product(self, sku: str) -> str:
        """One that the operator has; its EAN."""
        row = self.product(sku)
        self.import_products(row)
        self.advance(100)
        assert self.statuses(sku)[sku]["status"] == "LIVE"
        return next(value for code, value in row.items() if code in ("ean", "gtin"))

    def send_offers(self, *offers: dict[str, Any], effect: str = "") -> int:
        self.advance(60)
        body = {"offers": list(offers)}
        API.request("OF24").validate(body)
        answer = self.call("OF24", API.path("OF24"), json=body, headers={"X-Effect-Id": effect})
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"/api/offers/imports/{answer.json()['import_id']}"
        return int(answer.json()["import_id"])

    def offer(self, sku: str) -> dict[str, Any]:
        """As OF21 shows the one offer."""
        (found,) = self.call("OF21", API.path("OF21"), params={"sku": sku}).json()["offers"]
        assert isinstance(found, dict)
        return found

    def errors(self, import_id: int) -> list[str]:
        return [row["error-message"] for row in table(self.look("OF03", import_id).text)]

    def post_file(self, code: str, text: str, **parts: str) -> httpx.Response:
        self.advance(60)
        files = {"file": ("file.csv", text.encode(), "text/csv")}
        return self.call(code, API.path(code), files=files, data=parts)

    def send_prices(self, *rows: str, header: str = PRICE_HEADER) -> str:
        answer = self.post_file("PRI01", "\n".join((header, *rows)) + "\n")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["import_id"])

    def price_state(self, import_id: str) -> dict[str, Any]:
        self.advance(60)
        (found,) = self.call("PRI02", API.path("PRI02"), params={"import_id": import_id}).json()["data"]
        assert isinstance(found, dict)
        return found

    def ledger(self, code: str, since: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.admin(f"ledger?code={code}&after={since}")["entries"]
        return found


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    plain: dict[str, Any] = {"port": 0, "key": KEY, "shop_id": SHOP_ID, "currency": "EUR"}
    shops = [
        {"id": "fr", "catalogue": "fr", **plain},
        {"id": "market-se", **plain},
        {"id": "large", "many_offers": {"count": 3}, "many_products": {"count": 4}, "enforce": False, **plain},
    ]
    with sandbox({"mirakl": shops}) as announced:
        yield announced["mirakl"]


@pytest.fixture
def markets(addresses: dict[str, str]) -> Iterator[dict[str, CatalogueMarket]]:
    kinds = {"market-se": "se"}
    opened = {name: CatalogueMarket(url, kinds.get(name, "fr")) for name, url in addresses.items()}
    opened["fr"].advance(TWO_DAYS_SECONDS)
    for market in opened.values():
        market.admin("faults", method="DELETE")
        market.admin("calls", method="DELETE")
    yield opened
    for market in opened.values():
        assert market.violations() == []
        market.http.close()


@pytest.fixture
def market(markets: dict[str, CatalogueMarket]) -> CatalogueMarket:
    return markets["fr"]


@pytest.fixture(params=["fr", "market-se"])
def either(request: pytest.FixtureRequest, markets: dict[str, CatalogueMarket]) -> CatalogueMarket:
    return markets[request.param]


@pytest.fixture
def sku() -> str:
    return f"VX-{next(NUMBERS)}"


class TestReferenceData:
    @pytest.mark.parametrize("code", ["H11", "PM11", "VL11", "CH11", "CUR01", "L01", "AF01", "SH31", "OF61", "PC01"])
    def test_each_read_answers_as_documented(self, either: CatalogueMarket, code: str) -> None:
        assert either.call(code, API.path(code)).status_code == 200

    def test_the_two_operators_share_no_code(self, markets: dict[str, CatalogueMarket]) -> None:
        def codes(market: CatalogueMarket) -> set[str]:
            hierarchies = {row["code"] for row in market.read("H11")["hierarchies"]}
            attributes = {row["code"] for row in market.every_attribute()}
            lists = {row["code"] for row in market.read("VL11")["values_lists"]}
            return hierarchies | attributes | lists - {"material"}

        fr, se = codes(markets["fr"]), codes(markets["market-se"])
        assert min(len(fr), len(se)) > 25
        assert not fr & se
        features = [markets[name].read("PC01")["features"] for name in ("fr", "market-se")]
        assert [f["operator_csv_delimiter"] for f in features] == ["SEMICOLON", "COMMA"]
        assert [f["catalog"]["list_of_multiple_values_separator"] for f in features] == ["|", "#"]

    def test_a_category_comes_with_parents_and_children(self, market: CatalogueMarket) -> None:
        def codes(**query: Any) -> set[str]:
            return {row["code"] for row in market.read("H11", **query)["hierarchies"]}

        assert codes(hierarchy="110") == {"100", "110", "111", "112", "113"}
        assert codes(hierarchy="110", max_level=0) == {"100", "110"}
        assert codes(max_level=1) == {"100"}
        market.advance(3_600)
        assert market.call("H11", API.path("H11"), params={"max_level": "deep"}).status_code == 400
        market.advance(3_600)
        assert market.call("H11", API.path("H11"), params={"hierarchy": "999"}).status_code == 404

    def test_attributes_of_a_category_and_of_all(self, either: CatalogueMarket) -> None:
        own = either.attributes(either.leaf)
        assert {a["hierarchy_code"] for a in own.values()} == {"", either.leaf}
        assert all(a["requirement_level"] != "DISABLED" for a in own.values())
        lists = {row["code"] for row in either.read("VL11")["values_lists"]}
        everything = either.read("PM11", all_operator_attributes="true")["attributes"]
        for attribute in everything:
            parameters = {p["name"]: p["value"] for p in attribute["type_parameters"]}
            assert ("LIST_CODE" in parameters) == attribute["type"].startswith("LIST")
            assert parameters.get("LIST_CODE", next(iter(lists))) in lists
        assert any(a["variant"] for a in own.values())
        assert {a["unique_code"] for a in own.values()} == {None, "EAN"}

    def test_all_types_are_there(self, markets: dict[str, CatalogueMarket]) -> None:
        types = {a["type"] for name in ("fr", "market-se") for a in markets[name].every_attribute()}
        assert types == {
            *("TEXT", "LONG_TEXT", "LIST", "LIST_MULTIPLE_VALUES", "INTEGER", "DECIMAL"),
            *("MEASUREMENT", "BOOLEAN", "DATE", "MEDIA"),
        }

    def test_attributes_as_a_file(self, market: CatalogueMarket) -> None:
        answer = market.call("PM11", API.path("PM11"), headers={"Accept": "text/csv"})
        rows = table(answer.text)
        assert {"code", "type", "requirement-level"} <= set(rows[0])
        assert "titre_fr" in {row["code"] for row in rows}
        columns = API.operation("PM11")["responses"]["200"]["content"]["text/csv"]["x-csv-columns"]
        assert set(rows[0]) <= set(columns)

    def test_one_list(self, market: CatalogueMarket) -> None:
        (found,) = market.read("VL11", code="COULEURS")["values_lists"]
        assert {"code": "C012", "label": "Bleu marine"}.items() <= found["values"][2].items()

    def test_the_operator_changes_its_mind(self, either: CatalogueMarket) -> None:
        leaf = either.leaf
        name = next(code for code in CHOICES[either.kind] if code in ("COULEURS", "farg"))
        either.admin("catalogue", {"attributes": [{"code": "new-one", "requirement_level": "REQUIRED"}]})
        either.admin("catalogue", {"values": {name: {"new": "New", CHOICES[either.kind][name]: None}}})
        either.admin("catalogue", {"hierarchies": [{"code": "new-leaf", "label": "New", "parent_code": leaf}]})
        assert either.attributes("new-leaf")["new-one"]["required"] is True
        (changed,) = either.read("VL11", code=name)["values_lists"]
        codes = {value["code"] for value in changed["values"]}
        assert ("new" in codes, CHOICES[either.kind][name] in codes) == (True, False)
        either.admin("catalogue", {"close": ["new-leaf"]})
        assert "new-leaf" not in {row["code"] for row in either.read("H11")["hierarchies"]}
        either.admin("catalogue", {"attributes": [{"code": "new-one", "requirement_level": "DISABLED"}]})
        assert "new-one" not in either.attributes(leaf)
        either.admin("catalogue", {"values": {name: {CHOICES[either.kind][name]: "Bleu marine"}}})
        nonsense = {"attributes": [{"code": "x", "colour": "red"}]}
        assert either.http.post("/_sandbox/catalogue", json=nonsense).status_code == 400

    def test_a_seed_nobody_has_is_refused(self) -> None:
        command = [sys.executable, "-m", "app.sandbox", "--config", "-"]
        config = json.dumps({"mirakl": [{"id": "a", "catalogue": "no"}]})
        ended = subprocess.run(command, input=config, capture_output=True, text=True, timeout=20, check=False)
        assert (ended.returncode, "catalogue is one of fr, se" in ended.stderr) == (2, True)


class TestProducts:
    def test_life_of_a_product(self, either: CatalogueMarket, sku: str) -> None:
        since, row = either.ledger_length(), either.product(sku)
        answer = either.post_products(row, effect="e-1")
        import_id = answer.json()["import_id"]
        assert answer.headers["location"] == f"/api/products/imports/{import_id}"
        either.advance(5)
        sent = either.call("P42", API.path("P42").replace("{import}", str(import_id))).json()
        assert (sent["import_status"], sent["has_transformed_file"]) == ("SENT", True)
        waiting = either.call("CM11", API.path("CM11"), params={"provider_unique_identifier": sku}).json()[0]
        assert waiting["status"] == "NOT_LIVE"
        assert [error["code"] for error in waiting["errors"]] == ["MCM-04014", "MCM-0L000"]
        done = either.state("P42", import_id)
        assert (done["import_status"], done["has_error_report"], done["has_new_product_report"]) == (
            "COMPLETE",
            False,
            True,
        )
        assert done["integration_details"]["products_successfully_synchronized"] == 1
        live = either.statuses(sku)[sku]
        assert (live["status"], live["errors"]) == ("LIVE", [])
        (new,) = table(either.look("P45", import_id).text, either.delimiter)
        assert new == row
        (entry,) = either.ledger("P41", since)
        assert (entry["sku"], entry["effect"], entry["values"]) == (sku, "e-1", row)

    def test_states_in_turn(self, market: CatalogueMarket, sku: str) -> None:
        market.import_products(market.product(sku))
        seen = []
        for seconds in (0.1, 1, 1, 1, 1, 60):
            market.advance(seconds)
            seen.append(market.admin("products")["imports"][-1]["import_status"])
        assert seen == [
            *("TRANSFORMATION_WAITING", "TRANSFORMATION_RUNNING", "WAITING", "RUNNING", "SENT", "COMPLETE"),
        ]

    def test_bad_rows_are_left_behind_and_explained(self, either: CatalogueMarket, sku: str) -> None:
        title, group = either.role("TITLE"), either.role("VARIANT_GROUP_CODE")
        category = either.role("CATEGORY")
        good = either.product(sku)
        unknown = either.product(f"{sku}-a", **{category: "nowhere"})
        untitled = either.product(f"{sku}-b", **{title: ""})
        twin = either.product(f"{sku}-c", **{group: good[group]})
        import_id = either.import_products(good, unknown, untitled, twin)
        state = either.state("P42", import_id)
        counted = [state[f"transform_lines_{name}"] for name in ("read", "in_success", "in_error")]
        assert (counted, state["has_transformation_error_report"]) == ([4, 1, 3], True)
        rows = table(either.look("P47", import_id).text, either.delimiter)
        wrong = {row["line number"]: row["errors"] for row in rows if row["errors"]}
        assert wrong["3"] == "1001|Category nowhere is unknown"
        assert wrong["4"].startswith(f"1000|The attribute '{title}' (")
        assert wrong["5"].startswith("1007|Variant of")
        (passed,) = table(either.look("P46", import_id).text, either.delimiter)
        assert {code: passed[code] for code in good} == good
        either.advance(60)
        assert set(either.statuses(sku, f"{sku}-a", f"{sku}-b")) == {sku}

    @pytest.mark.parametrize(
        ("verdict", "counted", "code"),
        [
            (
                {"kind": "REJECTED", "reason_label": "Too dark", "message": "The image is dark"},
                "rejected_products",
                "04012",
            ),
            ({"kind": "NOT_ACCEPTED_IN_TIME"}, "products_not_accepted_in_time", "04013"),
            (
                {"kind": "SYNCHRONIZATION_ISSUE", "attribute": "couleur"},
                "products_with_synchronization_issues",
                "04000",
            ),
        ],
        ids=lambda value: value["kind"] if isinstance(value, dict) else "",
    )
    def test_the_operator_says_no_and_a_mended_product_is_taken(
        self, market: CatalogueMarket, sku: str, verdict: dict[str, str], counted: str, code: str
    ) -> None:
        row = market.product(sku)
        market.admin("products", {"verdicts": [{"sku": sku, **verdict}]})
        import_id = market.import_products(row)
        market.advance(100)
        state = market.state("P42", import_id)
        assert (state["has_error_report"], state["integration_details"][counted]) == (True, 1)
        (refused,) = table(market.look("P44", import_id).text)
        assert refused["errors"].startswith(f"MCM-{code}|")
        assert refused["sku_vendeur"] == sku
        told = market.statuses(sku)[sku]
        assert (told["status"], told["errors"][0]["code"]) == ("NOT_LIVE", f"MCM-{code}")
        market.import_products(row)
        market.advance(100)
        assert market.statuses(sku)[sku]["status"] == "LIVE"

    def test_a_live_product_is_withdrawn_with_its_offer(self, market: CatalogueMarket, sku: str) -> None:
        reference = market.live_product(sku)
        market.send_offers({**OFFER, "shop_sku": sku, "product_id": reference, "quantity": 3})
        market.advance(10)
        assert market.offer(sku)["active"] is True
        market.admin("products", {"verdicts": [{"sku": sku, "kind": "REJECTED", "reason_label": "Recalled"}]})
        told = market.statuses(sku)[sku]
        assert told["errors"][0]["rejection_details"]["reason_label"] == "Recalled"
        offer = market.offer(sku)
        assert (offer["active"], offer["inactivity_reasons"]) == (False, ["PRODUCT_STATUS_REJECTED"])

    def test_sent_may_last_until_somebody_decides(self, market: CatalogueMarket, sku: str) -> None:
        market.admin("products", {"sent_seconds": None})
        import_id = market.import_products(market.product(sku))
        market.advance(3 * 86_400)
        assert market.state("P42", import_id)["import_status"] == "SENT"
        market.admin("products", {"decide": True, "sent_seconds": 60})
        assert market.state("P42", import_id)["import_status"] == "COMPLETE"

    def test_identifiers_of_another_product_are_wrong(self, market: CatalogueMarket, sku: str) -> None:
        reference = market.live_product(sku)
        import_id = market.import_products(market.product(f"{sku}-b", ean=reference))
        market.advance(100)
        state = market.state("P42", import_id)
        assert state["integration_details"]["products_with_wrong_identifiers"] == 1
        assert "MCM-04031|" in market.look("P44", import_id).text

    @pytest.mark.parametrize(
        "content",
        [b"", b"titre_fr;ean\nA;1\n", b"categorie;categorie\n1;1\n", b'categorie;ean\n111;"A"B\n', b"\xff\xfe"],
    )
    def test_a_file_that_is_none_is_not_transformed(self, market: CatalogueMarket, content: bytes) -> None:
        import_id = market.post_product_file(content).json()["import_id"]
        state = market.state("P42", import_id)
        assert (state["import_status"], bool(state["reason_status"])) == ("TRANSFORMATION_FAILED", True)
        for code in ("P44", "P45", "P46", "P47"):
            assert market.look(code, import_id).status_code == 404

    def test_only_the_operators_format_is_known(self, market: CatalogueMarket, sku: str) -> None:
        import_id = market.post_products(market.product(sku), operator_format="false").json()["import_id"]
        assert market.state("P42", import_id)["import_status"] == "TRANSFORMATION_FAILED"
        assert market.post_products(market.product(sku), conversion_type="MAGIC").status_code == 400

    def test_faults(self, market: CatalogueMarket, sku: str) -> None:
        for kind, ends in (
            ("transformation_failed", "TRANSFORMATION_FAILED"),
            ("import_failed", "FAILED"),
            ("import_stuck", "RUNNING"),
        ):
            market.faults({"code": "P41", "kind": kind})
            import_id = market.import_products(market.product(sku))
            market.advance(86_400)
            assert market.state("P42", import_id)["import_status"] == ends
        market.faults({"code": "P42", "kind": "import_unknown"}, {"code": "P47", "kind": "report_garbage"})
        import_id = market.import_products(market.product(sku, titre_fr=""))
        assert market.look("P42", import_id).status_code == 404
        assert "no, such" in market.look("P47", import_id).text
        assert market.look("P42", 1).status_code == 404

    def test_imports_are_listed(self, market: CatalogueMarket, sku: str) -> None:
        for name in (sku, f"{sku}-b"):
            import_id = market.import_products(market.product(name))
        market.advance(100)
        query = {"status": "COMPLETE", "has_transformed_file": "true", "order": "desc", "max": 1}
        answer = market.call("P51", API.path("P51"), params=query)
        assert 'rel="next"' in answer.headers["link"]
        found = answer.json()
        assert [row["import_id"] for row in found["product_import_trackings"]] == [import_id]
        assert found["total_count"] >= 1
        market.advance(60)
        assert market.call("P51", API.path("P51"), params={"status": "GONE"}).status_code == 400

    def test_which_references_exist(self, market: CatalogueMarket, sku: str) -> None:
        reference = market.live_product(sku)
        known = {"sku": f"OP-{sku}", "category": "112", "title": "Haut", "ean": ean(next(NUMBERS))}
        market.admin("products", {"products": [known]})
        asked = f"EAN|{reference},EAN|{known['ean']},EAN|{ean(next(NUMBERS))}"
        found = market.call("P31", API.path("P31"), params={"product_references": asked}).json()["products"]
        assert [row["product_id"] for row in found] == [reference, known["ean"]]
        assert (found[1]["product_sku"], found[1]["category_label"]) == (known["sku"], "Hauts")
        for wrong in ("", f"SHOP_SKU|{sku}", "EAN|", ",".join(f"EAN|{n}" for n in range(101))):
            answer = market.call("P31", API.path("P31"), params={"product_references": wrong})
            assert answer.status_code == 400

    def test_statuses_are_filtered(self, market: CatalogueMarket, sku: str) -> None:
        market.live_product(sku)

        def found(**query: Any) -> list[str]:
            market.advance(300)
            answer = market.call("CM11", API.path("CM11"), params=query)
            return [row["provider_unique_identifier"] for row in answer.json()] if answer.content else []

        now = market.admin("clock")["now"]
        assert found(provider_unique_identifier=sku, status="LIVE") == [sku]
        assert found(provider_unique_identifier=sku, status="NOT_LIVE") == []
        assert found(provider_unique_identifier=sku, updated_since=now) == []
        assert sku in found(updated_since="2020-01-01T00:00:00Z", updated_to=now)
        market.advance(300)
        assert market.call("CM11", API.path("CM11"), params={"updated_since": now, "status": "GONE"}).status_code == 400

    def test_everything_is_asked_for_less_often_than_what_changed(self, markets: dict[str, CatalogueMarket]) -> None:
        market = markets["market-se"]
        since = {"updated_since": market.admin("clock")["now"]}
        path = API.path("CM11")
        assert 429 not in [market.call("CM11", path, params=query).status_code for query in ({}, since)]
        market.advance(300)
        assert [market.call("CM11", path, params=query).status_code == 429 for query in (since, {})] == [False, True]
        assert [v["ceiling"] for v in market.violations()] == ["1/14400 s"]
        market.admin("calls", method="DELETE")

    def test_nothing_to_tell_is_an_empty_answer(self, markets: dict[str, CatalogueMarket]) -> None:
        answer = markets["large"].call("CM11", API.path("CM11"))
        assert (answer.status_code, answer.content) == (204, b"")

    def test_without_the_catalog_manager_there_is_no_status(self, market: CatalogueMarket) -> None:
        market.admin("shop", {"configuration": {"modules": {"mirakl_catalog_manager": False}}})
        assert market.call("CM11", API.path("CM11")).status_code == 404
        market.admin("shop", {"configuration": {"modules": {"mirakl_catalog_manager": True}}})


@pytest.fixture
def reference(market: CatalogueMarket) -> str:
    """The EAN of a product that the operator has."""
    code = ean(next(NUMBERS))
    market.admin("products", {"products": [{"sku": f"OP-{code}", "category": "111", "title": "Robe", "ean": code}]})
    return code


class TestOffers:
    def whole(self, sku: str, reference: str, **members: Any) -> dict[str, Any]:
        return {**OFFER, "shop_sku": sku, "product_id": reference, "quantity": 4, **members}

    def test_the_sample_is_taken(self, market: CatalogueMarket) -> None:
        steps = json.loads(reference_file("samples/mirakl/of24_import_lifecycle.json").read_text())["steps"]
        body = steps[0]["request"]
        products = [{"sku": f"S-{n}", "ean": o["product_id"]} for n, o in enumerate(body["offers"]) if n != 1]
        market.admin("products", {"products": products})
        import_id = market.send_offers(*body["offers"])
        market.advance(10)
        state = market.state("OF02", import_id)
        assert (state["status"], state["lines_in_error"], state["offer_inserted"]) == ("COMPLETE", 2, 1)
        assert {row["error-line"] for row in table(market.look("OF03", import_id).text)} == {"2", "3"}
        prices = market.offer("AW26-RIBTOP-ECR-S")["all_prices"]
        assert prices[0]["unit_discount_price"] == 29.95

    def test_life_of_an_import(self, market: CatalogueMarket, sku: str, reference: str) -> None:
        since = market.ledger_length()
        import_id = market.send_offers(self.whole(sku, reference), effect="e-7")
        waiting = market.call("OF02", API.path("OF02").replace("{import}", str(import_id))).json()
        assert (waiting["status"], waiting["lines_read"], waiting["mode"]) == ("WAITING", 0, "NORMAL")
        state = market.state("OF02", import_id)
        counted = [state[name] for name in ("lines_read", "lines_in_success", "offer_inserted", "offer_updated")]
        assert (state["status"], counted) == ("COMPLETE", [1, 1, 1, 0])
        assert market.look("OF03", import_id).status_code == 404
        (entry,) = market.ledger("OF24", since)
        assert (entry["sku"], entry["quantity"], entry["effect"]) == (sku, 4, "e-7")
        shown = market.offer(sku)
        assert (shown["product_title"], shown["category_label"], shown["active"]) == ("Robe", "Robes", True)
        same = market.call("OF22", API.path("OF22").format(offer=shown["offer_id"])).json()
        assert (same["shop_sku"], same["price"]) == (sku, 59.9)
        assert market.call("OF22", API.path("OF22").format(offer=1)).status_code == 404

    def test_what_is_left_out_goes_back_to_its_default(self, market: CatalogueMarket, sku: str, reference: str) -> None:
        full = self.whole(
            sku,
            reference,
            description="Robe",
            leadtime_to_ship=5,
            logistic_class="L",
            min_order_quantity=2,
            max_order_quantity=9,
            min_quantity_alert=1,
            available_started="2020-01-01",
            available_ended="2099-12-31",
            discount={"price": 39.9, "start_date": "2020-01-01T00:00:00Z", "end_date": "2099-01-01T00:00:00Z"},
            offer_additional_fields=[{"code": "season", "value": "winter"}, {"code": "made-in", "value": "PRT"}],
        )
        market.send_offers(full)
        market.advance(10)
        row = market.exported()[sku]
        assert (row["leadtime_to_ship"], row["logistic_class"], row["description"]) == (5, {"code": "L"}, "Robe")
        assert {f["code"]: f["value"] for f in row["offer_additional_fields"]} == {"season": "winter", "made-in": "PRT"}
        assert (row["prices"][0]["discount_price"], row["available_end_date"]) == (39.9, "2099-12-31T22:59:59Z")
        assert (row["min_order_quantity"], row["max_order_quantity"]) == (2, 9)
        lean = {name: value for name, value in self.whole(sku, reference).items() if name != "quantity"}
        market.send_offers(lean)
        market.advance(TWO_DAYS_SECONDS)
        row = market.exported(include_inactive_offers=True)[sku]
        assert (row["quantity"], row["description"], row["logistic_class"]) == (0, None, None)
        assert (row["offer_additional_fields"], row["prices"][0]["discount_price"]) == ([], None)
        assert (row["leadtime_to_ship"], row["available_end_date"], row["max_order_quantity"]) == (2, None, None)

    def test_members_nobody_knows_are_passed_over(self, market: CatalogueMarket, sku: str, reference: str) -> None:
        import_id = market.send_offers(self.whole(sku, reference, discount_price=39.9, discount={"prise": 39.9}))
        market.advance(10)
        assert market.state("OF02", import_id)["lines_in_success"] == 1
        assert market.offer(sku)["all_prices"][0]["unit_discount_price"] is None

    @pytest.mark.parametrize(
        "members",
        [
            {"logistic_class": {"code": "S", "label": "Small"}},
            {"price": "cheap"},
            {"quantity": 1.5},
            {"quantity": 2_147_483_648},
            {"all_prices": {"channel_code": "FR"}},
            {"discount": 39.9},
            {"update_delete": "remove"},
            {"allow_quote_requests": "perhaps"},
        ],
        ids=lambda members: next(iter(members)),
    )
    def test_a_member_of_the_wrong_type_sinks_the_call(
        self, market: CatalogueMarket, sku: str, reference: str, members: dict[str, Any]
    ) -> None:
        body = {"offers": [self.whole(sku, reference), self.whole(f"{sku}-b", reference, **members)]}
        answer = market.call("OF24", API.path("OF24"), json=body)
        assert (answer.status_code, next(iter(members)) in answer.text) == (400, True)
        market.advance(10)
        assert market.call("OF21", API.path("OF21"), params={"sku": sku}).json()["total_count"] == 0

    def test_numbers_may_be_strings(self, market: CatalogueMarket, sku: str, reference: str) -> None:
        body = {"offers": [self.whole(sku, reference, price="59.90", quantity="7", description=None)]}
        assert market.call("OF24", API.path("OF24"), json=body).status_code == 201
        market.advance(10)
        assert market.quantities()[sku] == 7

    @pytest.mark.parametrize(
        ("members", "says"),
        [
            ({"product_id": "7340000000008"}, "The product does not exist"),
            ({"product_id": None}, "mandatory for a new offer"),
            ({"state_code": "10"}, "state '10' is unknown"),
            ({"logistic_class": "XXL"}, "logistic class 'XXL' is unknown"),
            ({"leadtime_to_ship": 45}, "lead time"),
            ({"leadtime_to_ship": -1}, "lead time"),
            ({"price": -1}, "negative"),
            ({"price": 59.999}, "more than 2 decimals"),
            ({"quantity": -2}, "negative"),
            ({"discount": {"price": 59.9}}, "below the price"),
            ({"discount": {"price": 9, "start_date": "", "end_date": "2026-01-01"}}, "is invalid: ''"),
            ({"discount": {"price": 9, "start_date": "2026-02-01", "end_date": "2026-01-01"}}, "ends before"),
            ({"all_prices": [{"channel_code": "US", "unit_origin_price": 9}]}, "channel 'US' is unknown"),
            ({"offer_additional_fields": [{"code": "colour", "value": "red"}]}, "'colour' is unknown"),
            ({"offer_additional_fields": [{"code": "season", "value": "spring"}]}, "'season' is invalid"),
            ({"available_started": "2026-02-01", "available_ended": "2026-01-01"}, "before it starts"),
            ({"min_order_quantity": 5, "max_order_quantity": 4}, "below the minimum"),
            ({"description": "x" * 2001}, "longer than 2000"),
        ],
    )
    def test_a_line_that_makes_no_sense_fails_alone(
        self, market: CatalogueMarket, sku: str, reference: str, members: dict[str, Any], says: str
    ) -> None:
        good = ean(next(NUMBERS))
        market.admin("products", {"products": [{"sku": f"OP-{good}", "ean": good}]})
        bad = {n: v for n, v in self.whole(sku, reference, **members).items() if v is not None}
        import_id = market.send_offers(bad, self.whole(f"{sku}-ok", good))
        market.advance(10)
        (words,) = self.errors_of(market, import_id)
        assert says in words
        assert (sku in market.quantities(), f"{sku}-ok" in market.quantities()) == (False, True)

    def errors_of(self, market: CatalogueMarket, import_id: int) -> list[str]:
        return market.errors(import_id)

    def test_platform_rules_decide(self, markets: dict[str, CatalogueMarket], sku: str) -> None:
        market = markets["market-se"]
        code = ean(next(NUMBERS))
        market.admin("products", {"products": [{"sku": f"OP-{code}", "ean": code}]})
        offer = self.whole(sku, code)
        for members, says in (
            ({"discount": {"price": 9, "start_date": "2026-01-01"}}, "needs a start and an end date"),
            ({"all_prices": [{"channel_code": "SE", "unit_origin_price": 9}]}, "by channel are not activated"),
        ):
            (words,) = market.errors(market.send_offers({**offer, **members}))
            assert says in words
        market.admin("shop", {"configuration": {"features": {"lead_time_to_ship_by_sellers_enabled": "NO"}}})
        market.send_offers({**offer, "leadtime_to_ship": 5})
        market.advance(10)
        assert market.offer(sku)["leadtime_to_ship"] == 2
        market.admin("shop", {"configuration": {"features": {"lead_time_to_ship_by_sellers_enabled": "YES"}}})

    def test_one_product_has_one_offer_of_the_shop(self, market: CatalogueMarket, sku: str, reference: str) -> None:
        market.send_offers(self.whole(sku, reference))
        (words,) = market.errors(market.send_offers(self.whole(f"{sku}.M", reference)))
        assert f"already, with the SKU '{sku}'" in words
        other = ean(next(NUMBERS))
        market.admin("products", {"products": [{"sku": f"OP-{other}", "ean": other}]})
        (words,) = market.errors(market.send_offers(self.whole(sku, other)))
        assert words == "The offer is linked to another product"

    def test_delete_and_create_again(self, market: CatalogueMarket, sku: str, reference: str) -> None:
        market.send_offers(self.whole(sku, reference))
        gone = market.send_offers(self.whole(sku, reference, quantity=0, update_delete="delete"))
        assert market.state("OF02", gone)["offer_deleted"] == 1
        assert sku not in market.quantities()
        (words,) = market.errors(market.send_offers(self.whole(sku, reference, update_delete="delete")))
        assert words == "The offer does not exist"
        market.send_offers(self.whole(sku, reference, quantity=9))
        market.advance(10)
        assert market.quantities()[sku] == 9

    def test_an_identical_request_is_the_earlier_import(
        self, market: CatalogueMarket, sku: str, reference: str
    ) -> None:
        first = market.send_offers(self.whole(sku, reference, quantity=4))
        market.send_offers(self.whole(sku, reference, quantity=5))
        assert market.send_offers(self.whole(sku, reference, quantity=4)) == first
        market.advance(10)
        assert market.quantities()[sku] == 5
        market.advance(TWO_DAYS_SECONDS)
        assert market.send_offers(self.whole(sku, reference, quantity=4)) > first

    def test_an_offer_waits_for_its_product(self, market: CatalogueMarket, sku: str) -> None:
        market.admin("products", {"sent_seconds": None})
        row = market.product(sku)
        market.import_products(row)
        market.advance(10)
        other = market.product(f"{sku}-no")
        market.admin("products", {"verdicts": [{"sku": f"{sku}-no", "kind": "REJECTED"}]})
        market.import_products(other)
        market.advance(10)
        import_id = market.send_offers(
            self.whole(sku, row["ean"]), self.whole(f"{sku}-no", other["ean"]), self.whole(f"{sku}-x", "123")
        )
        waiting = market.state("OF02", import_id)
        assert (waiting["status"], waiting["lines_in_pending"], waiting["lines_in_error"]) == (
            "WAITING_SYNCHRONIZATION_PRODUCT",
            2,
            1,
        )
        market.admin("products", {"decide": True, "sent_seconds": 60})
        done = market.state("OF02", import_id)
        assert (done["status"], done["lines_in_pending"], done["lines_in_success"]) == ("COMPLETE", 0, 1)
        lines = [row["error-line"] for row in table(market.look("OF03", import_id).text)]
        assert lines == ["2", "3"]
        assert market.quantities()[sku] == 4

    def test_a_stock_file_changes_nothing_but_stock(self, market: CatalogueMarket, sku: str, reference: str) -> None:
        market.send_offers(self.whole(sku, reference, description="Robe", discount={"price": 39.9}))
        market.advance(60)
        market.import_stock(f"{sku};9;;")
        market.advance(10)
        shown = market.offer(sku)
        assert (shown["quantity"], shown["description"]) == (9, "Robe")
        assert shown["all_prices"][0]["unit_discount_price"] == 39.9

    def test_faults(self, market: CatalogueMarket, sku: str, reference: str) -> None:
        market.faults({"code": "OF24", "kind": "accepted_not_applied", "skus": [sku]})
        import_id = market.send_offers(self.whole(sku, reference))
        state = market.state("OF02", import_id)
        assert (state["status"], state["lines_in_success"], state["has_error_report"]) == ("COMPLETE", 1, False)
        assert sku not in market.quantities()
        market.faults({"code": "OF24", "kind": "import_failed"})
        import_id = market.send_offers(self.whole(sku, reference, quantity=5))
        assert market.state("OF02", import_id)["status"] == "FAILED"
        market.faults({"code": "OF24", "kind": "line_error", "skus": [sku], "message": "Offer is frozen"})
        assert market.errors(market.send_offers(self.whole(sku, reference, quantity=6))) == ["Offer is frozen"]
        market.faults({"code": "OF24", "kind": "repeat_import_id"})
        again = market.send_offers(self.whole(sku, reference, quantity=7))
        assert market.state("OF02", again)["lines_in_error"] == 1
        market.faults({"code": "OF02", "kind": "import_unknown"}, {"code": "OF03", "kind": "report_missing"})
        assert market.look("OF02", again).status_code == 404
        assert market.look("OF03", again).status_code == 404
        market.faults({"code": "OF24", "kind": "late", "seconds": 90})
        with pytest.raises(httpx.RemoteProtocolError):
            market.http.post("/api/offers", json={"offers": [self.whole(sku, reference, quantity=8)]})
        market.advance(100)
        assert market.quantities()[sku] == 8


FILE = "sku;product-id;product-id-type;price;quantity;state;update-delete"


class TestOfferFiles:
    def send(self, market: CatalogueMarket, *rows: str, header: str = FILE, mode: str = "NORMAL") -> int:
        answer = market.post_file("OF01", "\n".join((header, *rows)) + "\n", import_mode=mode)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["import_id"])

    def test_a_file_creates_offers_and_keeps_what_it_has_no_columns_for(
        self, market: CatalogueMarket, sku: str, reference: str
    ) -> None:
        header = f"{FILE};description;season;price[channel=BE];our-own"
        import_id = self.send(market, f"{sku};{reference};EAN;59.90;4;11;update;Robe;winter;62.00;x", header=header)
        assert market.state("OF02", import_id)["offer_inserted"] == 1
        row = market.exported()[sku]
        assert (row["description"], row["offer_additional_fields"][0]["value"]) == ("Robe", "winter")
        assert [p["context"]["channel_codes"] for p in row["prices"]] == [[], ["BE"]]
        self.send(market, f"{sku};7", header="sku;quantity")
        market.advance(10)
        shown = market.offer(sku)
        assert (shown["quantity"], shown["description"], len(shown["all_prices"])) == (7, "Robe", 2)
        self.send(market, f"{sku};;", header="sku;quantity;description")
        market.advance(10)
        assert (market.offer(sku)["quantity"], market.offer(sku)["description"]) == (0, "")

    def test_bad_lines_come_back_as_they_were_sent(self, market: CatalogueMarket, sku: str, reference: str) -> None:
        rows = (
            f"{sku};{reference};EAN;59.90;4;11;;corr-1",
            f"{sku}-b;{reference};EAN;cheap;4;11;;corr-2",
            f"{sku}-c;{reference};EAN;1;4",
            f"{sku}-d;{reference};EAN;1;4;11;erase;corr-4",
        )
        import_id = self.send(market, *rows, header=f"{FILE};our-own")
        report = market.look("OF03", import_id).text
        assert report.splitlines()[0].endswith('"our-own";"error-line";"error-message"')
        lines = {row["error-line"]: row for row in table(report) if row["our-own"]}
        assert lines["3"]["our-own"] == "corr-2"
        assert lines["3"]["error-message"] == "Not a number: 'cheap'"
        assert lines["5"]["error-message"] == "Unknown value in update-delete"

    def test_replace_deletes_what_the_file_does_not_name(self, markets: dict[str, CatalogueMarket], sku: str) -> None:
        market = markets["market-se"]
        market.seed(KEPT=1, LOST=2)
        since = market.ledger_length()
        import_id = self.send(market, "KEPT;5", header="sku;quantity", mode="REPLACE")
        state = market.state("OF02", import_id)
        assert (state["mode"], "LOST" in market.quantities(), market.quantities()["KEPT"]) == ("REPLACE", False, 5)
        assert state["offer_deleted"] == sum(e["action"] == "delete" for e in market.ledger("OF01", since)) >= 1

    def test_what_is_refused_whole(self, market: CatalogueMarket) -> None:
        for parts in ({"import_mode": "PARTIAL_UPDATE"}, {}, {"import_mode": "NORMAL", "with_products": "true"}):
            assert market.post_file("OF01", FILE, **parts).status_code == 400
        assert market.post_file("OF01", "price\n1\n", import_mode="NORMAL").status_code == 400

    def test_imports_are_listed(self, market: CatalogueMarket, sku: str, reference: str) -> None:
        ids = [self.send(market, f"{sku};{reference};EAN;59.90;{n};11;") for n in range(3)]
        market.advance(60)
        page = market.call("OF04", API.path("OF04"), params={"limit": 2, "mode": "NORMAL"}).json()
        token = page["next_page_token"]
        assert [row["import_id"] for row in page["data"]] == [ids[2], ids[1]]
        more = market.call("OF04", API.path("OF04"), params={"page_token": token}).json()
        assert more["data"][0]["import_id"] == ids[0]
        market.advance(60)
        assert market.call("OF04", API.path("OF04"), params={"status": "GONE"}).status_code == 400


class TestPrices:
    @pytest.fixture(autouse=True)
    def offer(self, market: CatalogueMarket, sku: str) -> None:
        market.admin("shop", {"price_approval": False})
        market.admin("offers", {"offers": [{"sku": sku, "quantity": 5, "price": 59.9}]})

    def prices(self, market: CatalogueMarket, sku: str) -> list[tuple[Any, ...]]:
        shown = market.admin(f"offers/live?sku={sku}")["offers"][sku]["all_prices"]
        return [(*price["context"]["channel_codes"], price["unit_origin_price"]) for price in shown]

    def test_life_of_an_import(self, market: CatalogueMarket, sku: str) -> None:
        since = market.ledger_length()
        answer = market.post_file("PRI01", f"{PRICE_HEADER}\n{sku};49.90;39.90;2020-01-01;2099-01-01\n")
        import_id = answer.json()["import_id"]
        assert answer.headers["location"] == f"/api/offers/pricing/imports?import_id={import_id}"
        state = market.price_state(import_id)
        counted = [state[n] for n in ("lines_in_success", "lines_in_error", "offers_updated", "offers_in_error")]
        assert (state["status"], state["origin"], counted) == ("COMPLETE", "API", [1, 0, 1, 0])
        assert market.look("PRI03", import_id).status_code == 404
        shown = market.offer(sku)
        assert (shown["price"], shown["all_prices"][0]["discount_end_date"]) == (39.9, "2099-01-01T22:59:59Z")
        (entry,) = market.ledger("PRI01", since)
        assert (entry["sku"], entry["price"], entry["prices"]) == (sku, 49.9, 1)

    def test_a_price_that_is_not_repeated_is_gone(self, market: CatalogueMarket, sku: str) -> None:
        header = f"{PRICE_HEADER};channels;start-date;end-date;price-ranges;discount-ranges"
        market.send_prices(
            f"{sku};59.90;;;;;;;;",
            f"{sku};62;;;;BE;;;;",
            f"{sku};49;;;;;2026-11-27;2026-11-30;;",
            f"{sku};58;;;;FR|BE;;;10|50,20|45;20|40",
            header=header,
        )
        market.advance(10)
        row = market.exported()[sku]
        assert len(row["prices"]) == 4
        assert row["prices"][3]["volume_prices"] == [
            {"quantity_threshold": 10, "unit_origin_price": 50, "unit_discount_price": None},
            {"quantity_threshold": 20, "unit_origin_price": 45, "unit_discount_price": 40},
        ]
        assert row["prices"][2]["context"]["start_date"] == "2026-11-26T23:00:00Z"
        market.send_prices(f"{sku};55;;;")
        market.advance(10)
        assert self.prices(market, sku) == [(55,)]
        assert market.quantities()[sku] == 5

    def test_one_bad_line_keeps_its_offer_as_it_was(self, market: CatalogueMarket, sku: str) -> None:
        other = f"{sku}-b"
        market.admin("offers", {"offers": [{"sku": other, "quantity": 5, "price": 20}]})
        import_id = market.send_prices(
            f"{sku};40;;;;", f"{sku};cheap;;;;FR", f"{other};19;;;;", "NOBODY;1;;;;", header=f"{PRICE_HEADER};channels"
        )
        state = market.price_state(import_id)
        assert (state["lines_in_success"], state["lines_in_error"], state["offers_in_error"]) == (1, 3, 2)
        rows = table(market.look("PRI03", import_id).text)
        assert [(row["error-line"], row["error-message"]) for row in rows] == [
            ("2", "Another line of this offer is in error"),
            ("3", "Not a number: 'cheap'"),
            ("5", "Offer not found"),
        ]
        assert (self.prices(market, sku), self.prices(market, other)) == ([(59.9,)], [(19,)])

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ("-1;;;;;;", "negative"),
            ("1.999;;;;;;", "decimals"),
            ("20;20;;;;;", "below the price"),
            ("20;10;2026-02-01;2026-01-01;;;", "ends before"),
            ("20;;;;MARS;;", "channel 'MARS' is unknown"),
            ("20;;;;;;1|x", "ranges are invalid"),
            ("20;10;soon;;;;", "is invalid: 'soon'"),
            (";;;;;;", "mandatory"),
            ("20;;;;;RETAIL;", "Retail"),
        ],
    )
    def test_prices_that_make_no_sense(self, market: CatalogueMarket, sku: str, row: str, says: str) -> None:
        header = f"{PRICE_HEADER};channels;price-type;price-ranges"
        import_id = market.send_prices(f"{sku};{row}", header=header)
        market.advance(10)
        assert says in market.look("PRI03", import_id).text
        assert self.prices(market, sku) == [(59.9,)]

    def test_fifty_prices_and_not_one_more(self, market: CatalogueMarket, sku: str) -> None:
        header = f"{PRICE_HEADER};customer-group-ids"
        rows = [f"{sku};{20 + number};;;;G{number}" for number in range(51)]
        market.send_prices(*rows[:50], header=header)
        market.advance(10)
        assert len(self.prices(market, sku)) == 50
        import_id = market.send_prices(*rows, header=header)
        assert market.price_state(import_id)["lines_in_error"] == 51
        twice = market.send_prices(f"{sku};1;;;;A", f"{sku};2;;;;A", header=header)
        assert market.price_state(twice)["offers_in_error"] == 1
        apart = market.send_prices(f"{sku};1;;;;A", "NOBODY;1;;;;", f"{sku};2;;;;B", header=header)
        market.advance(10)
        assert "must stand together" in market.look("PRI03", apart).text

    def test_prices_wait_for_approval(self, market: CatalogueMarket, sku: str) -> None:
        market.admin("shop", {"price_approval": True})
        import_id = market.send_prices(f"{sku};49;;;")
        assert market.price_state(import_id)["status"] == "COMPLETE"
        assert self.prices(market, sku) == [(59.9,)]
        assert market.admin("prices")["pending"] == {sku: 1}
        assert market.admin("prices", {"approve": [sku]}) == {"decided": 1}
        assert self.prices(market, sku) == [(49,)]
        market.send_prices(f"{sku};48;;;")
        market.advance(10)
        market.admin("prices", {"reject": "all"})
        assert (self.prices(market, sku), market.admin("prices")["pending"]) == ([(49,)], {})

    @pytest.mark.parametrize(
        "text", ["", "offer-sku;price\nA;1\n", f"{PRICE_HEADER};colour\nA;1;;;;red\n", "a,b\n1,2\n"]
    )
    def test_a_file_that_is_none_is_refused(self, market: CatalogueMarket, text: str) -> None:
        assert market.post_file("PRI01", text).status_code == 400

    def test_faults_and_duplicates(self, market: CatalogueMarket, sku: str) -> None:
        first = market.send_prices(f"{sku};49;;;")
        assert market.send_prices(f"{sku};49;;;") == first
        market.faults({"code": "PRI01", "kind": "accepted_not_applied"})
        state = market.price_state(market.send_prices(f"{sku};48;;;"))
        assert (state["status"], state["offers_updated"], self.prices(market, sku)) == ("COMPLETE", 1, [(49,)])
        market.faults({"code": "PRI01", "kind": "import_failed"}, {"code": "PRI02", "kind": "counts_off"})
        assert market.price_state(market.send_prices(f"{sku};47;;;"))["status"] == "FAILED"
        assert market.price_state(market.send_prices(f"{sku};46;;;"))["lines_in_success"] == 0
        market.faults({"code": "PRI02", "kind": "import_unknown"})
        market.advance(60)
        assert market.call("PRI02", API.path("PRI02"), params={"import_id": first}).status_code == 404


class TestScale:
    def test_the_config_fills_the_shop(self, markets: dict[str, CatalogueMarket]) -> None:
        market = markets["large"]
        rows = market.exported(include_inactive_offers=True)
        assert {sku: (row["quantity"], row["prices"][0]["origin_price"]) for sku, row in rows.items()} == {
            "LOAD-000001": (1, 11.9),
            "LOAD-000002": (2, 12.9),
            "LOAD-000003": (3, 13.9),
        }
        assert market.admin("products")["products"] == 7

    def test_the_sandbox_counts_differences_itself(self, markets: dict[str, CatalogueMarket]) -> None:
        wanted = [
            {"sku": "LOAD-000001", "quantity": 1, "price": 11.9},
            {"sku": "LOAD-000002", "quantity": 9, "price": 1.5},
            {"sku": "LOAD-000009", "quantity": 1},
        ]
        found = markets["large"].admin("offers/differences", {"offers": wanted})
        assert {name: n for name, n in found.items() if n} == {
            "same": 1,
            "quantity": 1,
            "price": 1,
            "missing": 1,
            "unwanted": 1,
        }
