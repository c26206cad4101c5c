"""The Mirakl stand-in against Mirakl's own document, and against what it promises to the other tests.

One sandbox process for the module; each test begins two days later by the sandbox clock, so that no ceiling
of the one before is in its way.
"""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest

from app.sandbox.mirakl.limits import CallLimits, ceilings
from tests.contract.reference import mirakl_openapi

API = mirakl_openapi()
KEY = "k-fr"
SHOP_ID = 2001
TWO_DAYS_SECONDS = 200_000
HEADER = "offer-sku;quantity;warehouse-code;update-delete"
STATUS = "/api/offers/stock/imports/{}/status"
REPORT = "/api/offers/stock/imports/{}/error_report"
TRACKING = "/api/offers/export/async/status/{}"

READS = {
    "V01": "/api/version",
    "A01": "/api/account",
    "PC01": "/api/platform/configuration",
    "AF01": "/api/additional_fields",
    "OF61": "/api/offers/states",
    "SH21": "/api/shipping/carriers",
    "RE01": "/api/reasons",
    "OR75": "/api/orders/taxes",
}


@contextmanager
def sandbox(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A sandbox process that dies with this one; yields the addresses it announced."""
    command = [sys.executable, "-m", "app.sandbox", "--config", "-", "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(config) + "\n")
        process.stdin.flush()
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            assert process.wait(10) == 0


class Market:
    """One marketplace listener: calls as a seller, looks and acts as the tests' admin."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=5, verify=False, headers={"Authorization": KEY})

    def call(self, code: str, path: str, **options: Any) -> httpx.Response:
        """Calls and checks the answer against the document, whatever its status."""
        answer = self.http.request(API.method(code), path, **options)
        check_answer(code, answer)
        return answer

    def admin(self, name: str, members: dict[str, Any] | None = None, *, method: str = "") -> Any:
        verb = method or ("GET" if members is None else "POST")
        answer = self.http.request(verb, f"/_sandbox/{name}", json=members)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def advance(self, seconds: float) -> None:
        self.admin("clock", {"advance_seconds": seconds})

    def faults(self, *faults: dict[str, Any], seed: int = 1) -> None:
        self.admin("faults", {"faults": list(faults), "seed": seed})

    def seed(self, **quantities: int) -> None:
        offers = [{"sku": sku, "quantity": quantity, "price": 59.9} for sku, quantity in quantities.items()]
        self.admin("offers", {"offers": offers})

    def quantities(self) -> dict[str, int]:
        offers: dict[str, int] = self.admin("offers")["offers"]
        return offers

    def applied(self, since: int = 0) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.admin(f"ledger?code=STO01&after={since}")["entries"]
        return entries

    def ledger_length(self) -> int:
        return int(self.admin("ledger?after=1000000000")["total"])

    def violations(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.admin("calls")["violations"]
        return found

    def post_stock(self, *rows: str, header: str = HEADER, effect: str | None = None) -> httpx.Response:
        text = "\n".join((header, *rows)) + "\n"
        headers = {"X-Effect-Id": effect} if effect else None
        files = {"file": ("stock.csv", text.encode(), "text/csv")}
        return self.call("STO01", "/api/offers/stock/imports", files=files, headers=headers)

    def import_stock(self, *rows: str) -> str:
        answer = self.post_stock(*rows)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["import_id"])

    def status(self, import_id: str) -> dict[str, Any]:
        """STO02, at its own pace."""
        self.advance(15)
        found: dict[str, Any] = self.call("STO02", STATUS.format(import_id)).json()
        return found

    def export(self, **members: Any) -> list[httpx.Response]:
        """OF52 to OF54: the files."""
        API.request("OF52").validate(members)
        started = self.call("OF52", "/api/offers/export/async", json=members)
        assert started.status_code == 200, started.text
        self.advance(10)
        state = self.call("OF53", TRACKING.format(started.json()["tracking_id"])).json()
        assert state["status"] == "COMPLETED"
        return [self.call("OF54", url) for url in state["urls"]]

    def exported(self, **members: Any) -> dict[str, dict[str, Any]]:
        files = self.export(export_type="application/json", **members)
        return {row["shop_sku"]: row for file in files for row in file.json()}


def check_answer(code: str, answer: httpx.Response) -> None:
    """KeyError when the document does not know this answer at all."""
    content_type = answer.headers.get("content-type", "application/json").split(";")[0]
    validator = API.response(code, answer.status_code, content_type)
    if validator is None:
        return
    body = answer.json() if content_type == "application/json" else answer.text
    validator.validate(body)
    if answer.status_code == 429:
        assert int(answer.headers["retry-after"]) > 0


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    plain: dict[str, Any] = {"port": 0, "key": KEY, "shop_id": SHOP_ID, "currency": "EUR"}
    shops = [
        {"id": "plain", "warehouses": ["NORTH", "SOUTH"], **plain},
        {"id": "small-files", "export_chunk": 2, **plain},
        {"id": "slow-lines", "import_line_seconds": 10, **plain},
        {"id": "lenient", "enforce": False, **plain},
    ]
    with sandbox({"mirakl": shops}) as announced:
        yield announced["mirakl"]


@pytest.fixture
def markets(addresses: dict[str, str]) -> Iterator[dict[str, Market]]:
    """All listeners, cleaned, two days after the last test."""
    opened = {name: Market(url) for name, url in addresses.items()}
    opened["plain"].advance(TWO_DAYS_SECONDS)
    for market in opened.values():
        market.admin("faults", method="DELETE")
        market.admin("calls", method="DELETE")
        market.admin("offers/delete", {"skus": list(market.quantities())})
        market.admin("keys", {"valid": [KEY]})
        market.admin("forbid", {"codes": []})
        market.admin("shop", {"state": "OPEN", "suspension_type": None})
    yield opened
    for market in opened.values():
        market.http.close()


@pytest.fixture
def market(markets: dict[str, Market]) -> Market:
    return markets["plain"]


class TestReferenceReads:
    @pytest.mark.parametrize("code", READS)
    def test_each_read_answers_as_documented(self, market: Market, code: str) -> None:
        assert READS[code] == API.path(code)
        assert market.call(code, READS[code]).status_code == 200

    def test_account_shows_the_shop_and_its_state(self, market: Market) -> None:
        market.seed(A=1, B=0)
        market.admin("shop", {"state": "SUSPENDED", "suspension_type": "MANUAL", "currency": "SEK"})
        account = market.call("A01", READS["A01"]).json()
        assert (account["shop_id"], account["shop_state"], account["suspension_type"]) == (
            SHOP_ID,
            "SUSPENDED",
            "MANUAL",
        )
        assert (account["currency_iso_code"], account["offers_count"]) == ("SEK", 2)
        market.admin("shop", {"currency": "EUR"})

    def test_configuration_is_merged_and_lists_are_replaced(self, market: Market) -> None:
        before = market.call("PC01", READS["PC01"]).json()
        changes = {"features": {"shipment": {"multi_shipment": False}}}
        market.admin("shop", {"configuration": changes, "carriers": [{"code": "BIKE", "label": "Bike"}]})
        after = market.call("PC01", READS["PC01"]).json()
        assert (before["features"]["shipment"]["multi_shipment"], before["timezone"]) == (
            True,
            after["timezone"],
        )
        assert after["features"]["shipment"] == {"multi_part_item_shipment": False, "multi_shipment": False}
        carriers = market.call("SH21", READS["SH21"]).json()["carriers"]
        assert [carrier["code"] for carrier in carriers] == ["BIKE"]

    def test_filters(self, market: Market) -> None:
        fields = market.call("AF01", READS["AF01"], params={"entities": "ORDER,SHOP"}).json()
        assert {field["entity"] for field in fields["additional_fields"]} == {"ORDER"}
        states = market.call("OF61", READS["OF61"], params={"active": "true"}).json()
        assert [state["code"] for state in states["offer_states"]] == ["11"]

    def test_nonsense_for_the_shop_is_refused(self, market: Market) -> None:
        nonsense: list[dict[str, Any]] = [{"state": "ASLEEP"}, {"no_such_thing": 1}, {"configuration": []}]
        for members in nonsense:
            assert market.http.post("/_sandbox/shop", json=members).status_code == 400

    def test_unknown_path_and_wrong_method_have_the_common_error_body(self, market: Market) -> None:
        for method, path, status in (("GET", "/api/nothing", 404), ("DELETE", "/api/account", 405)):
            answer = market.http.request(method, path)
            assert (answer.status_code, answer.json()["status"]) == (status, status)


class TestKeysAndRights:
    @pytest.mark.parametrize("given", [None, "", f"Bearer {KEY}", "other"])
    def test_only_the_raw_key_opens(self, market: Market, given: str | None) -> None:
        with httpx.Client(base_url=market.url) as stranger:
            headers = {} if given is None else {"Authorization": given}
            answer = stranger.get("/api/account", headers=headers)
        check_answer("A01", answer)
        assert answer.status_code == 401
        # The stranger has not used up the shop's one call of the day.
        assert market.call("A01", READS["A01"]).status_code == 200

    def test_keys_overlap_during_a_change_and_are_revoked_after_it(self, market: Market) -> None:
        def status_with(key: str) -> int:
            return market.call("V01", READS["V01"], headers={"Authorization": key}).status_code

        market.admin("keys", {"valid": [KEY, "k-new"]})
        assert (status_with(KEY), status_with("k-new")) == (200, 200)
        market.admin("keys", {"valid": ["k-new"]})
        assert (status_with(KEY), status_with("k-new")) == (401, 200)

    def test_a_code_can_be_forbidden(self, market: Market) -> None:
        market.admin("forbid", {"codes": ["PC01"]})
        assert market.call("PC01", READS["PC01"]).status_code == 403
        assert market.call("SH21", READS["SH21"]).status_code == 200

    @pytest.mark.parametrize(("shop_id", "status"), [(SHOP_ID, 200), (SHOP_ID + 1, 403), ("demo", 400)])
    def test_shop_id_must_be_this_keys_shop(self, market: Market, shop_id: Any, status: int) -> None:
        answer = market.call("V01", READS["V01"], params={"shop_id": shop_id})
        assert answer.status_code == status


class TestStockImport:
    def test_life_of_an_import(self, market: Market) -> None:
        market.seed(A=1, B=2)
        start = market.ledger_length()
        answer = market.post_stock('"A";"7";"";""', '"B";"0";"";"update"', effect="e-1")
        assert answer.status_code == 201
        import_id = answer.json()["import_id"]
        assert answer.headers["location"] == STATUS.format(import_id)
        waiting = market.call("STO02", STATUS.format(import_id)).json()
        assert (waiting["status"], waiting["lines_in_success"], waiting["shop_id"]) == ("WAITING", 0, SHOP_ID)
        market.advance(1.5)
        assert market.quantities() == {"A": 1, "B": 2}
        market.advance(1.5)
        assert market.quantities() == {"A": 7, "B": 0}
        done = market.status(import_id)
        assert (done["status"], done["lines_in_success"], done["lines_in_error"]) == ("COMPLETE", 2, 0)
        assert done["has_error_report"] is False
        entries = market.applied(start)
        assert [(e["sku"], e["quantity"], e["line"]) for e in entries] == [("A", 7, 2), ("B", 0, 3)]
        assert {(e["import_id"], e["effect"]) for e in entries} == {(import_id, "e-1")}

    def test_running_is_seen_between_waiting_and_complete(self, market: Market) -> None:
        market.seed(A=1)
        import_id = market.import_stock("A;7;;")
        market.advance(1.5)
        assert market.call("STO02", STATUS.format(import_id)).json()["status"] == "RUNNING"

    def test_it_is_applied_at_its_own_time_though_nobody_looks(self, market: Market) -> None:
        market.seed(A=1)
        start = market.ledger_length()
        import_id = market.import_stock("A;7;;")
        market.advance(3600)
        (entry,) = market.applied(start)
        created = market.call("STO02", STATUS.format(import_id)).json()["date_created"]
        took = datetime.fromisoformat(entry["at"]) - datetime.fromisoformat(created)
        assert took.total_seconds() == pytest.approx(3, abs=0.01)

    def test_files_are_worked_one_after_the_other(self, markets: dict[str, Market]) -> None:
        market = markets["slow-lines"]
        market.seed(A=1, B=1, C=1)
        first = market.import_stock("A;5;;", "B;5;;", "C;5;;", *(f"X{n};1;;" for n in range(7)))
        market.advance(61)
        second = market.import_stock("A;9;;")
        assert market.status(second)["status"] == "WAITING"
        market.advance(27.5)
        assert (market.status(first)["status"], market.quantities()["A"]) == ("COMPLETE", 9)

    def test_bad_lines_fail_alone_and_are_reported(self, market: Market) -> None:
        market.seed(A=1, B=1, C=1, D=1)
        rows = (
            "A;7;;",
            "NOBODY;1;;",
            "B;-2;;",
            "C;2147483648;;",
            "D;3.0;;",
            "A;8;;",
            "B;;;",
            "C;4;EAST;",
            "D;4",
            "D;4;;remove",
            ";4;;",
        )
        import_id = market.import_stock(*rows)
        done = market.status(import_id)
        assert (done["lines_in_success"], done["lines_in_error"], done["has_error_report"]) == (1, 10, True)
        assert market.quantities() == {"A": 7, "B": 1, "C": 1, "D": 1}
        report = market.call("STO03", REPORT.format(import_id))
        assert report.text.startswith('"error-line";"error-message";"offer-sku";"quantity"')
        table = list(csv.reader(io.StringIO(report.text), delimiter=";"))
        assert [row[0] for row in table[1:]] == [str(number) for number in range(3, 13)]
        assert all(row[1] for row in table[1:])
        assert [";".join(row[2:]) for row in table[1:]] == list(rows[1:])

    def test_the_largest_quantity_is_taken(self, market: Market) -> None:
        market.seed(A=1)
        market.import_stock("A;2147483647;;")
        market.advance(3)
        assert market.quantities() == {"A": 2_147_483_647}

    def test_warehouses_add_up_and_can_be_removed(self, market: Market) -> None:
        market.seed(A=1)
        market.import_stock("A;7;NORTH;", "A;3;SOUTH;")
        market.advance(60)
        assert market.quantities() == {"A": 10}
        market.import_stock("A;;NORTH;delete")
        market.advance(60)
        assert market.quantities() == {"A": 3}
        market.import_stock("A;4;;")
        market.advance(60)
        assert market.quantities() == {"A": 4}

    def test_columns_may_stand_in_any_order_and_optional_ones_may_be_missing(self, market: Market) -> None:
        market.seed(A=1)
        assert market.post_stock("7;A", header="quantity;offer-sku").status_code == 201
        market.advance(3)
        assert market.quantities() == {"A": 7}

    def test_quoting_is_by_doubled_quotes(self, market: Market) -> None:
        odd = 'BELT "32";\\ raw\nedge'
        market.admin("offers", {"offers": [{"sku": odd, "quantity": 1, "price": 25}]})
        quoted = odd.replace('"', '""')
        market.import_stock(f'"{quoted}";"7";"";""')
        market.advance(3)
        assert market.quantities() == {odd: 7}

    @pytest.mark.parametrize(
        ("header", "row"),
        [
            ("offer-sku,quantity", "A,1"),
            ("offer-sku;warehouse-code", "A;1"),
            ("offer-sku;quantity;price", "A;1;2"),
            ("offer-sku;quantity;quantity", "A;1;2"),
            ("\ufeffoffer-sku;quantity", "A;1"),
            ("offer-sku;quantity", '"A"B;1'),
        ],
    )
    def test_a_file_that_is_not_one_is_refused_whole(self, market: Market, header: str, row: str) -> None:
        assert market.post_stock(row, header=header).status_code == 400

    def test_a_body_without_the_file_part_is_refused(self, market: Market) -> None:
        path = "/api/offers/stock/imports"
        assert market.call("STO01", path, json={"offer-sku": "A"}).status_code == 400
        market.advance(60)
        assert market.call("STO01", path, files={"other": ("a.csv", b"A")}).status_code == 400

    def test_unknown_ids_and_clean_imports_have_nothing_to_show(self, market: Market) -> None:
        assert market.call("STO02", STATUS.format("nobody")).status_code == 404
        assert market.call("STO03", REPORT.format("nobody")).status_code == 404
        market.seed(A=1)
        import_id = market.import_stock("A;7;;")
        market.advance(60)
        assert market.call("STO03", REPORT.format(import_id)).status_code == 404

    def test_twenty_thousand_lines_take_well_under_a_second(self, market: Market) -> None:
        skus = [f"VX-{number}" for number in range(20_000)]
        market.admin("offers", {"offers": [{"sku": sku, "quantity": 1, "price": 5} for sku in skus]})
        rows = [f'"{sku}";"{number}";"";""' for number, sku in enumerate(skus)]
        began = time.monotonic()
        import_id = market.import_stock(*rows)
        posted = time.monotonic()
        market.advance(3)
        assert time.monotonic() - posted < 1
        assert posted - began < 1
        assert market.status(import_id)["lines_in_success"] == 20_000
        assert market.quantities()["VX-19999"] == 19_999

    def test_a_buyer_lowers_the_quantity(self, market: Market) -> None:
        market.seed(A=3)
        assert market.admin("buy", {"sku": "A", "quantity": 2}) == {"sku": "A", "quantity": 1}
        for members in ({"sku": "A", "quantity": 2}, {"sku": "NOBODY", "quantity": 1}):
            assert market.http.post("/_sandbox/buy", json=members).status_code == 400
        assert market.quantities() == {"A": 1}


class TestImportFaults:
    @pytest.fixture(autouse=True)
    def offers(self, market: Market) -> None:
        market.seed(A=1, B=1)

    def test_import_failed(self, market: Market) -> None:
        market.faults({"code": "STO01", "kind": "import_failed"})
        state = market.status(market.import_stock("A;7;;"))
        assert (state["status"], state["lines_in_success"], market.quantities()["A"]) == ("FAILED", 0, 1)

    def test_import_stuck_holds_nobody_else_up(self, market: Market) -> None:
        market.faults({"code": "STO01", "kind": "import_stuck"})
        stuck = market.import_stock("A;7;;")
        market.advance(60)
        market.import_stock("B;8;;")
        market.advance(86_400)
        assert market.status(stuck)["status"] == "RUNNING"
        assert market.quantities() == {"A": 1, "B": 8}

    def test_import_unknown(self, market: Market) -> None:
        market.faults({"code": "STO02", "kind": "import_unknown"})
        import_id = market.import_stock("A;7;;")
        assert market.call("STO02", STATUS.format(import_id)).status_code == 404
        assert market.status(import_id)["status"] == "COMPLETE"

    def test_report_missing_and_garbage(self, market: Market) -> None:
        import_id = market.import_stock("NOBODY;7;;")
        market.advance(60)
        market.faults({"code": "STO03", "kind": "report_missing"}, {"code": "STO03", "kind": "report_garbage"})
        assert market.call("STO03", REPORT.format(import_id)).status_code == 404
        market.advance(60)
        garbage = market.call("STO03", REPORT.format(import_id))
        assert garbage.status_code == 200
        assert "error-line" not in garbage.text
        market.advance(60)
        assert "Offer not found" in market.call("STO03", REPORT.format(import_id)).text

    def test_counts_off_only_once_finished(self, market: Market) -> None:
        market.faults({"code": "STO02", "kind": "counts_off"})
        import_id = market.import_stock("A;7;;", "B;8;;")
        assert market.call("STO02", STATUS.format(import_id)).json()["lines_in_success"] == 0
        assert market.status(import_id)["lines_in_success"] == 1
        assert market.status(import_id)["lines_in_success"] == 2

    def test_line_error_waits_for_its_sku(self, market: Market) -> None:
        market.faults({"code": "STO01", "kind": "line_error", "skus": ["B"], "message": "Offer is frozen"})
        market.import_stock("A;7;;")
        market.advance(60)
        import_id = market.import_stock("A;8;;", "B;8;;")
        market.advance(60)
        assert market.quantities() == {"A": 8, "B": 1}
        assert '"3";"Offer is frozen";"B";"8"' in market.call("STO03", REPORT.format(import_id)).text
        market.import_stock("B;9;;")
        market.advance(60)
        assert market.quantities() == {"A": 8, "B": 9}

    def test_accepted_not_applied(self, market: Market) -> None:
        market.faults({"code": "STO01", "kind": "accepted_not_applied", "skus": ["A"]})
        start = market.ledger_length()
        state = market.status(market.import_stock("A;7;;", "B;8;;"))
        assert (state["status"], state["lines_in_success"], state["lines_in_error"]) == ("COMPLETE", 2, 0)
        assert market.quantities() == {"A": 1, "B": 8}
        assert [entry["sku"] for entry in market.applied(start)] == ["B"]

    def test_repeat_import_id(self, market: Market) -> None:
        first = market.import_stock("A;7;;")
        market.advance(60)
        market.faults({"code": "STO01", "kind": "repeat_import_id"})
        assert market.import_stock("A;9;;") == first
        market.advance(60)
        assert market.quantities()["A"] == 7

    def test_new_enum_for_some_polls(self, market: Market) -> None:
        import_id = market.import_stock("A;7;;")
        market.faults({"code": "STO02", "kind": "new_enum", "count": 2})
        seen = []
        for _ in range(3):
            market.advance(15)
            seen.append(market.http.get(STATUS.format(import_id)).json()["status"])
        assert seen == ["PAUSED", "PAUSED", "COMPLETE"]

    def test_extra_fields_at_any_depth(self, market: Market) -> None:
        market.faults({"code": "*", "kind": "extra_fields"})
        carriers = market.call("SH21", READS["SH21"]).json()
        assert "x_new_text" in carriers
        assert "x_new_object" in carriers["carriers"][0]


def post_until_it_breaks(market: Market) -> int | str:
    """The status of an STO01, or how it ended without one."""
    files = {"file": ("stock.csv", f"{HEADER}\nA;7;;\n".encode(), "text/csv")}
    try:
        answer = market.http.post("/api/offers/stock/imports", files=files, timeout=0.7)
    except httpx.HTTPError as error:
        return type(error).__name__
    return answer.status_code


class TestTransportFaults:
    @pytest.mark.parametrize(
        ("fault", "ends", "applied"),
        [
            ({"kind": "status", "status": 502}, 502, False),
            ({"kind": "status_after", "status": 503}, 503, True),
            ({"kind": "drop"}, "RemoteProtocolError", False),
            ({"kind": "drop_after"}, "RemoteProtocolError", True),
            ({"kind": "hang"}, "ReadTimeout", False),
            ({"kind": "hang_after"}, "ReadTimeout", True),
            ({"kind": "cut", "at_byte": 9}, "RemoteProtocolError", True),
            ({"kind": "slow", "seconds": 2.0}, "ReadTimeout", True),
            ({"kind": "html"}, 200, False),
            ({"kind": "html_after"}, 200, True),
            ({"kind": "too_many", "retry_after": "7"}, 429, False),
            ({"kind": "bad_json"}, 200, False),
            ({"kind": "bad_json", "status": 201, "apply": True}, 201, True),
            ({"kind": "deep_json"}, 200, False),
            ({"kind": "empty"}, 200, False),
            ({"kind": "redirect", "body": "https://elsewhere.example/"}, 302, False),
        ],
        ids=lambda value: value["kind"] if isinstance(value, dict) else "",
    )
    def test_how_a_call_ends_and_whether_it_took_effect(
        self, market: Market, fault: dict[str, Any], ends: int | str, applied: bool
    ) -> None:
        market.seed(A=1)
        market.faults({"code": "STO01", **fault})
        assert post_until_it_breaks(market) == ends
        market.advance(60)
        assert market.quantities()["A"] == (7 if applied else 1)
        (shown,) = market.admin("faults")["faults"]
        assert (shown["fired"], shown["count"]) == (1, 0)
        assert post_until_it_breaks(market) == 201

    def test_a_fault_about_some_calls_lets_the_others_pass(self, market: Market) -> None:
        fault = {"code": "V01", "kind": "status", "status": 502}
        market.faults({**fault, "about": "elsewhere"}, {**fault, "about": "/api/version", "after": 1})
        assert [market.http.get(READS["V01"]).status_code for _ in range(3)] == [200, 502, 200]

    def test_huge_goes_on_for_megabytes_and_stops_with_the_client(self, market: Market) -> None:
        market.faults({"code": "SH21", "kind": "huge"})
        received = 0
        with market.http.stream("GET", READS["SH21"]) as answer:
            for chunk in answer.iter_raw():
                received += len(chunk)
                if received > 4_000_000:
                    break
        assert received > 4_000_000
        assert market.call("RE01", READS["RE01"]).status_code == 200

    def test_bodies_that_break_parsers(self, market: Market) -> None:
        market.faults({"code": "V01", "kind": "deep_json"}, {"code": "V01", "kind": "bad_json"})
        deep, bad = (market.http.get(READS["V01"]) for _ in range(2))
        assert deep.text == "[" * 10_000 + "]" * 10_000
        with pytest.raises(ValueError):
            bad.json()

    def test_a_late_call_is_applied_later_with_the_value_and_the_time_it_then_has(self, market: Market) -> None:
        market.seed(A=1)
        start = market.ledger_length()
        market.faults({"code": "STO01", "kind": "late", "seconds": 90})
        assert post_until_it_breaks(market) == "RemoteProtocolError"
        market.advance(61)
        market.import_stock("A;5;;")
        market.advance(20)
        assert market.quantities()["A"] == 5
        market.advance(600)
        assert market.quantities()["A"] == 7
        newer, late = market.applied(start)
        gap = datetime.fromisoformat(late["at"]) - datetime.fromisoformat(newer["at"])
        assert (newer["quantity"], late["quantity"]) == (5, 7)
        assert gap.total_seconds() == pytest.approx(29, abs=1)

    def test_after_and_count_and_order_of_the_menu(self, market: Market) -> None:
        market.faults(
            {"code": "V01", "kind": "status", "status": 500},
            {"code": "*", "kind": "status", "status": 502, "after": 2, "count": None},
        )
        statuses = [market.http.get(READS["V01"]).status_code for _ in range(4)]
        assert statuses == [500, 200, 502, 502]

    def test_dice_fall_the_same_way_with_the_same_seed(self, market: Market) -> None:
        def run(seed: int) -> list[int]:
            fault = {"code": "V01", "kind": "status", "status": 500, "count": None, "probability": 0.5}
            market.faults(fault, seed=seed)
            return [market.http.get(READS["V01"]).status_code for _ in range(20)]

        first = run(7)
        assert set(first) == {200, 500}
        assert run(7) == first
        assert run(8) != first

    def test_a_misspelt_kind_is_refused(self, market: Market) -> None:
        menu = {"faults": [{"code": "STO01", "kind": "import_faled"}]}
        assert market.http.post("/_sandbox/faults", json=menu).status_code == 400

    def test_the_log_names_call_effect_status_and_fault(self, market: Market) -> None:
        market.faults({"code": "V01", "kind": "drop_after"})
        with pytest.raises(httpx.RemoteProtocolError):
            market.http.get(READS["V01"], headers={"X-Effect-Id": "e-9"})
        market.http.get(READS["RE01"])
        calls = market.admin("calls?code=V01")
        assert calls["calls"] == {"V01": 1, "RE01": 1}
        (logged,) = calls["log"]
        assert (logged["effect"], logged["status"], logged["fault"]) == ("e-9", None, "drop_after")
        assert abs(logged["at_real"] - time.time()) < 60


class TestCeilings:
    @pytest.mark.parametrize(
        ("code", "interval_seconds"),
        [
            ("STO01", 60),
            ("STO02", 15),
            ("STO03", 60),
            ("OF53", 10),
            *((code, 86_400) for code in READS if code not in ("V01", "PC01", "RE01")),
        ],
    )
    def test_one_call_in_the_published_interval(self, market: Market, code: str, interval_seconds: int) -> None:
        path = READS.get(code) or API.path(code).replace("{import_id}", "x").replace("{tracking_id}", "x")

        def refused() -> bool:
            answer = market.call(code, path)
            if answer.status_code != 429:
                return False
            assert int(answer.headers["retry-after"]) in (interval_seconds, interval_seconds - 1)
            return True

        assert not refused()
        assert refused()
        market.advance(interval_seconds)
        assert not refused()
        (violation,) = market.violations()
        assert (violation["code"], violation["ceiling"]) == (code, f"1/{interval_seconds} s")
        assert market.admin("calls")["refused_429"] == {code: 1}

    def test_exports_have_one_ceiling_for_changes_and_one_for_everything(self, market: Market) -> None:
        def status(**members: Any) -> int:
            return market.call("OF52", API.path("OF52"), json=members).status_code

        since = "2026-01-01T00:00:00Z"
        assert (status(last_request_date=since), status()) == (200, 200)
        assert status(last_request_date=since) == 429
        market.advance(60)
        assert status(last_request_date=since) == 200
        assert status() == 429

    def test_a_return_during_the_wait_is_a_violation(self, market: Market) -> None:
        market.faults({"code": "V01", "kind": "too_many", "retry_after": "41"})
        assert market.call("V01", READS["V01"]).headers["retry-after"] == "41"
        market.advance(30)
        early = market.call("V01", READS["V01"])
        assert (early.status_code, early.headers["retry-after"]) == (429, "11")
        market.advance(11)
        assert market.call("V01", READS["V01"]).status_code == 200
        assert [violation["ceiling"] for violation in market.violations()] == ["Retry-After"]

    @pytest.mark.parametrize("text", [None, "-5", "soon", "99999999"])
    def test_an_absurd_wait_is_sent_as_it_is_and_binds_nobody(self, market: Market, text: str | None) -> None:
        market.faults({"code": "V01", "kind": "too_many", "retry_after": text})
        assert market.http.get(READS["V01"]).headers.get("retry-after") == text
        assert market.call("V01", READS["V01"]).status_code == 200
        assert market.violations() == []

    def test_not_enforced_means_recorded_only(self, markets: dict[str, Market]) -> None:
        market = markets["lenient"]
        assert [market.call("A01", READS["A01"]).status_code for _ in range(2)] == [200, 200]
        assert [violation["code"] for violation in market.violations()] == ["A01"]

    def test_the_table_is_the_documents(self) -> None:
        table = ceilings("standard", 1)
        for code in API.codes():
            frequency = API.operation(code).get("x-call-frequency", {})
            # OF51 is deprecated and not offered; OR07's interval stands for its 60 an hour.
            if "max_interval_s" not in frequency or code in ("OF51", "OR07"):
                continue
            bucket = {"OF52": "OF52 differential", "OR13": "OR13 differential", "OR11": "OR11 pass"}
            (ceiling,) = table[bucket.get(code, code)]
            assert (code, ceiling.calls, ceiling.seconds) == (code, 1, frequency["max_interval_s"])
        (per_minute, per_hour) = table["TL02"]
        note = API.operation("TL02")["x-call-frequency"]
        assert (per_minute.calls, per_hour.calls) == (
            note["max_calls_per_minute"],
            note["max_calls_per_hour"],
        )
        assert table["OR31"][0].calls == API.operation("OR31")["x-call-frequency"]["max_calls_per_second"]

    @pytest.mark.parametrize(("profile", "seconds"), [("standard", 60), ("external_partner", 900)])
    def test_profiles_differ_in_polling_orders(self, profile: str, seconds: int) -> None:
        limits = CallLimits({"profile": profile}, enforced=True)

        def refused(query: bytes, at: float) -> bool:
            return limits.admit("OR11", at, {"query_string": query}, b"") is not None

        assert not refused(b"start_update_date=2026-03-02", 1_000.0)
        assert not refused(b"order_ids=A,B", 1_000.1)
        assert not refused(b"start_update_date=2026-03-02&offset=100", 1_000.2)
        assert refused(b"start_update_date=2026-03-02&offset=200", 1_000.3)
        assert refused(b"", 1_000.0 + seconds - 0.5)
        assert not refused(b"", 1_000.0 + seconds)

    def test_the_wait_is_rounded_up_and_a_millisecond_is_rounding(self) -> None:
        limits = CallLimits({}, enforced=True)

        def wait(at: float) -> str | None:
            refused = limits.admit("STO02", at, {"query_string": b""}, b"")
            return refused.retry_after if refused else None

        assert [wait(0.0), wait(0.5), wait(13.9), wait(14.9)] == [None, "15", "2", "1"]
        assert wait(14.998) == "1"
        assert wait(14.9995) is None

    def test_sliding_windows_count_arrivals(self) -> None:
        limits = CallLimits({}, enforced=True)

        def refusal(at: float) -> str | None:
            refused = limits.admit("TL02", at, {"query_string": b""}, b"")
            return refused.ceiling if refused else None

        assert [refusal(float(n)) for n in range(20)] == [None] * 20
        assert refusal(30.0) == "20/60 s"
        assert [refusal(100.0 + n) for n in range(20)] == [None] * 20
        assert [refusal(200.0 + n) for n in range(20)] == [None] * 20
        assert refusal(3_599.0) == "60/3600 s"
        assert refusal(3_600.0) is None


class TestExport:
    def test_life_of_an_export(self, market: Market) -> None:
        market.seed(A=5)
        started = market.call("OF52", API.path("OF52"), json={})
        path = TRACKING.format(started.json()["tracking_id"])
        pending = market.call("OF53", path).json()
        assert pending["status"] == "PENDING"
        assert not pending.get("urls")
        market.advance(10)
        done = market.call("OF53", path).json()
        (url,) = done["urls"]
        assert (done["status"], url.startswith(market.url)) == ("COMPLETED", True)
        with httpx.Client() as stranger:
            assert stranger.get(url).status_code == 401
        assert market.call("OF54", url).headers["content-type"].startswith("text/csv")
        assert market.http.get(url).status_code == 410
        market.advance(10)
        (fresh,) = market.call("OF53", path).json()["urls"]
        assert market.call("OF54", fresh).status_code == 200

    def test_full_export_in_both_formats(self, market: Market) -> None:
        market.admin("offers", {"offers": [{"sku": "A", "quantity": 5, "price": 9.5, "product_sku": "P1"}]})
        row = market.exported()["A"]
        assert (row["quantity"], row["product_sku"], row["active"], row["deleted"]) == (5, "P1", True, False)
        assert row["prices"][0]["origin_price"] == 9.5
        market.advance(TWO_DAYS_SECONDS)
        (file,) = market.export(export_type="text/csv")
        (csv_row,) = csv.DictReader(io.StringIO(file.text), delimiter=";")
        assert (csv_row["shop-sku"], csv_row["quantity"], csv_row["active"]) == ("A", "5", "true")
        columns = API.operation("OF54")["responses"]["200"]["content"]["text/csv"]["x-csv-columns"]
        assert set(csv_row) <= set(columns)

    def test_fields_are_chosen_and_renamed(self, market: Market) -> None:
        market.seed(A=5)
        fields = ["shop_sku", "quantity", "msrp"]
        (file,) = market.export(
            export_type="application/json", include_fields=fields, rename_fields={"quantity": "stock"}
        )
        assert file.json() == [{"shop_sku": "A", "stock": 5, "msrp": None}]

    def test_inactive_offers_only_on_request(self, market: Market) -> None:
        market.seed(A=5, EMPTY=0)
        market.admin("offers", {"offers": [{"sku": "OFF", "quantity": 5, "price": 1, "active": False}]})
        assert set(market.exported()) == {"A"}
        market.advance(TWO_DAYS_SECONDS)
        everything = market.exported(include_inactive_offers=True)
        assert {sku: row["active"] for sku, row in everything.items()} == {
            "A": True,
            "EMPTY": False,
            "OFF": False,
        }
        market.advance(TWO_DAYS_SECONDS)
        market.admin("shop", {"state": "CLOSE"})
        assert market.exported() == {}

    def test_differential_has_what_changed_and_what_went(self, market: Market) -> None:
        market.seed(STAYS=1, SOLD=5, PUSHED=1, GONE=1)
        market.advance(60)
        since = market.admin("clock")["now"]
        market.advance(60)
        market.admin("buy", {"sku": "SOLD", "quantity": 2})
        market.import_stock("PUSHED;9;;")
        market.admin("offers/delete", {"skus": ["GONE"]})
        market.advance(5)
        changed = market.exported(last_request_date=since)
        assert {sku: (row["quantity"], row["deleted"]) for sku, row in changed.items()} == {
            "SOLD": (3, False),
            "PUSHED": (9, False),
            "GONE": (1, True),
        }
        assert "GONE" not in market.exported()
        assert "GONE" not in market.quantities()

    def test_large_exports_come_in_several_files(self, markets: dict[str, Market]) -> None:
        market = markets["small-files"]
        market.seed(A=1, B=2, C=3, D=4, E=5)
        files = market.export(export_type="application/json")
        assert [len(file.json()) for file in files] == [2, 2, 1]
        assert {row["shop_sku"] for file in files for row in file.json()} == set("ABCDE")

    def test_nothing_to_export_is_one_empty_file(self, market: Market) -> None:
        (file,) = market.export(export_type="application/json")
        assert file.json() == []

    def test_the_same_request_while_pending_is_the_same_export(self, markets: dict[str, Market]) -> None:
        market = markets["lenient"]
        first, second = (market.call("OF52", API.path("OF52"), json={}).json() for _ in range(2))
        assert first == second
        market.advance(10)
        assert market.call("OF52", API.path("OF52"), json={}).json() != first

    @pytest.mark.parametrize(
        "members",
        [
            {"export_type": "text/xml"},
            {"items_per_chunk": 9_999},
            {"megabytes_per_chunk": 5},
            {"last_request_date": "yesterday"},
            {"include_fields": ["no_such_field"]},
            {"include_inactive_offers": "yes"},
            [],
        ],
    )
    def test_nonsense_is_refused(self, market: Market, members: Any) -> None:
        assert market.call("OF52", API.path("OF52"), json=members).status_code == 400

    def test_unknown_exports_and_files(self, market: Market) -> None:
        assert market.call("OF53", TRACKING.format("nobody")).status_code == 404
        assert market.call("OF54", "/exports/offers/nothing").status_code == 404

    def test_export_faults(self, market: Market) -> None:
        market.faults({"code": "OF52", "kind": "export_failed"})
        failed = market.call("OF52", API.path("OF52"), json={}).json()["tracking_id"]
        market.advance(10)
        state = market.call("OF53", TRACKING.format(failed)).json()
        assert (state["status"], bool(state["error"]["code"]), state.get("urls")) == ("FAILED", True, None)
        market.advance(TWO_DAYS_SECONDS)
        market.faults(
            {"code": "OF53", "kind": "new_enum"},
            {"code": "OF53", "kind": "foreign_url", "body": "https://evil.example/f.json"},
        )
        good = market.call("OF52", API.path("OF52"), json={}).json()["tracking_id"]
        market.advance(10)
        assert market.http.get(TRACKING.format(good)).json()["status"] == "QUEUED"
        market.advance(10)
        assert market.call("OF53", TRACKING.format(good)).json()["urls"] == ["https://evil.example/f.json"]
        market.advance(10)
        (own,) = market.call("OF53", TRACKING.format(good)).json()["urls"]
        assert market.call("OF54", own).status_code == 200


class TestProcess:
    def run(self, config: Any, *, text: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app.sandbox", "--config", "-"]
        given = json.dumps(config) if text is None else text
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=20, check=False)

    @pytest.mark.parametrize(
        ("config", "says"),
        [
            ({"mirakl": [{"id": "a", "host": "0.0.0.0"}]}, "127.0.0.1 only"),
            ({"mirakl": [{"id": "a"}, {"id": "a"}]}, "two marketplaces"),
            ({"mirakl": [{"id": "a", "profile": "generous"}]}, "no such profile"),
            ({}, "neither"),
            ("not json", "neither"),
        ],
    )
    def test_a_config_that_cannot_be_used_ends_it(self, config: Any, says: str) -> None:
        ended = self.run(config)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert says in ended.stderr
        assert "Traceback" not in ended.stderr

    def test_it_stops_on_sigterm(self, tmp_path: Any) -> None:
        file = tmp_path / "sandbox.json"
        file.write_text(json.dumps({"clock": {"scale": 60}, "mirakl": [{"id": "demo-fr", "key": KEY}]}))
        command = [sys.executable, "-m", "app.sandbox", "--config", str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            url = json.loads(process.stdout.readline())["mirakl"]["demo-fr"]
            assert httpx.get(f"{url}/_sandbox/clock").json()["scale"] == 60
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0

    def test_the_clock_runs_at_its_scale_and_can_be_changed(self, market: Market) -> None:
        def now() -> datetime:
            return datetime.fromisoformat(market.admin("clock")["now"])

        begin = now()
        market.advance(3_600)
        assert 3_600 <= (now() - begin).total_seconds() < 3_700
        market.admin("clock", {"scale": 1_000})
        outer = time.monotonic()
        before = now()
        inner = time.monotonic()
        market.http.get(READS["V01"])
        at_least = time.monotonic() - inner
        after = now()
        at_most = time.monotonic() - outer
        market.admin("clock", {"scale": 1})
        assert 1_000 * at_least - 0.01 <= (after - before).total_seconds() <= 1_000 * at_most + 0.01
        for members in ({"scale": 0}, {"advance_seconds": -1}, {"scale": "fast"}):
            assert market.http.post("/_sandbox/clock", json=members).status_code == 400
