"""What the Mirakl stand-in does after the sale, against Mirakl's own document: dispatch, refunds, returns, the rest.

One sandbox process for the module; each test begins a week later by the sandbox clock, with its own orders.
"""

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.contract.reference import mirakl_openapi, reference_file
from tests.contract.test_mirakl_sandbox import KEY, SHOP_ID, sandbox
from tests.contract.test_mirakl_sandbox_orders import DAY_SECONDS, OrderMarket

API = mirakl_openapi()
TRACKING = {"carrier_code": "DHL", "tracking_number": "JD0001"}
RULES: dict[str, Any] = {
    "acceptance_seconds": 3 * DAY_SECONDS,
    "refund_seconds": 120,
    "refund_shown_seconds": 0,
    "one_refund_at_a_time": False,
    "refunded_order_state": None,
    "or30": False,
    "order_level_taxes": False,
    "or24_with_multi_shipment": False,
    "tracking_after_shipping": False,
}
FEATURES = {"returns": {"marketplace": True}, "disable_seller_alternative_carrier": False}
VAT = {"code": "VAT", "amount": 20, "rate": 20.0}
LOCAL = {"code": "LOCAL", "amount": 1, "rate": 1.0, "tax_calculation_rule": "NONE"}


class AfterMarket(OrderMarket):
    """With the calls after the sale. Each checks its body and its answer against the document."""

    def send(self, code: str, body: Any = None, *, effect: str | None = None, **parameters: str) -> Any:
        """The decoded answer (None without a body) of a call that must succeed."""
        status, answer = self.try_(code, body, effect=effect, **parameters)
        assert status in (200, 201, 204), answer
        return answer

    def try_(self, code: str, body: Any = None, *, effect: str | None = None, **parameters: str) -> tuple[int, Any]:
        """Status and decoded answer."""
        if body is not None:
            API.request(code).validate(body)
        options: dict[str, Any] = {} if body is None else {"json": body}
        if effect is not None:
            options["headers"] = {"X-Effect-Id": effect}
        answer = self.call(code, API.path(code).format(**parameters), **options)
        return answer.status_code, answer.json() if answer.content else None

    def refusal(self, code: str, body: Any = None, **parameters: str) -> str:
        """The message of a 400."""
        status, answer = self.try_(code, body, **parameters)
        assert status == 400, answer
        return str(answer["message"])

    def rules(self, **rules: Any) -> None:
        self.admin("shop", {"orders": rules})

    def features(self, **features: Any) -> None:
        self.admin("shop", {"configuration": {"features": features}})

    def shipping(self, *skus: str, **members: Any) -> str:
        """An order that can be shipped, paid for unless its workflow says otherwise."""
        return self.place(*skus, **{"state": "SHIPPING", **members})

    def line(self, order_id: str, number: int = 1) -> dict[str, Any]:
        """As the seller sees it."""
        line = self.look(order_id)["order_lines"][number - 1]
        assert isinstance(line, dict)
        return line

    def after(self, order_id: str, number: int = 1) -> dict[str, Any]:
        found = self.admin(f"after?order_id={order_id}")["lines"][f"{order_id}-{number}"]
        assert isinstance(found, dict)
        return found

    def refund(self, order_id: str, amount: float, number: int = 1, **members: Any) -> dict[str, Any]:
        """One entry of OR28."""
        return {
            "order_line_id": f"{order_id}-{number}",
            "amount": amount,
            "shipping_amount": 0,
            "reason_code": "17",
            "currency_iso_code": "EUR",
            "quantity": 1,
            **members,
        }

    def refunded(self, *entries: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
        made = self.send("OR28", {"refunds": list(entries), **members})["refunds"]
        assert isinstance(made, list)
        return made

    def refund_refusal(self, *entries: dict[str, Any], **members: Any) -> str:
        return self.refusal("OR28", {"refunds": list(entries), **members})

    def parcel(self, order_id: str, units: dict[int, int], **members: Any) -> dict[str, Any]:
        lines = [{"order_line_id": f"{order_id}-{number}", "quantity": n} for number, n in units.items()]
        return {"order_id": order_id, "shipment_lines": lines, **members}

    def ship(self, order_id: str, units: dict[int, int], **members: Any) -> dict[str, Any]:
        answer = self.send("ST01", {"shipments": [self.parcel(order_id, units, **members)]})
        assert answer["shipment_errors"] == []
        (made,) = answer["shipment_success"]
        assert isinstance(made, dict)
        return made

    def errors(self, code: str, *items: dict[str, Any], of: str = "shipment") -> list[str]:
        """Messages of a call's items that failed."""
        answer = self.send(code, {f"{of}s": list(items)})
        return [error["message"] for error in answer[f"{of}_errors"]]

    def pages(self, code: str, **parameters: Any) -> list[Any]:
        """All rows of a seek list, by its tokens."""
        answer = self.call(code, API.path(code), params=parameters)
        assert answer.status_code == 200, answer.text
        rows = list(answer.json()["data"])
        while token := answer.json().get("next_page_token"):
            answer = self.call(code, API.path(code), params={"page_token": token})
            rows += answer.json()["data"]
        return rows

    def open_return(self, order_id: str, units: int = 1, **members: Any) -> str:
        lines = [{"order_line_id": f"{order_id}-1", "quantity": units}]
        return str(self.admin("returns", {"order_id": order_id, "lines": lines, **members})["id"])


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    plain: dict[str, Any] = {"port": 0, "key": KEY, "shop_id": SHOP_ID, "currency": "EUR"}
    single = {"configuration": {"features": {"shipment": {"multi_shipment": False}}}}
    shops = [{"id": "plain", **plain}, {"id": "single", "shop": single, **plain}]
    with sandbox({"mirakl": shops}) as announced:
        yield announced["mirakl"]


@pytest.fixture
def markets(addresses: dict[str, str]) -> Iterator[dict[str, AfterMarket]]:
    opened = {name: AfterMarket(url) for name, url in addresses.items()}
    opened["plain"].advance(7 * DAY_SECONDS)
    for market in opened.values():
        market.admin("faults", method="DELETE")
        market.admin("calls", method="DELETE")
        market.admin("balance", {"pending": None, "payable": None})
        market.rules(**RULES)
        market.features(**FEATURES)
        market.admin("shop", {"platform_currency": "EUR"})
        market.seed(A=100, B=100)
    yield opened
    for market in opened.values():
        market.http.close()


@pytest.fixture
def market(markets: dict[str, AfterMarket]) -> AfterMarket:
    """With multi-shipment."""
    return markets["plain"]


@pytest.fixture
def single(markets: dict[str, AfterMarket]) -> AfterMarket:
    """One parcel for each order."""
    return markets["single"]


class TestOneParcel:
    def test_tracking_then_shipped(self, single: AfterMarket) -> None:
        order_id = single.shipping("A", "B")
        single.send("OR23", TRACKING, order_id=order_id, effect="e-23")
        single.send("OR24", order_id=order_id, effect="e-24")
        order = single.look(order_id)
        assert (order["order_state"], order["can_shop_ship"], order["shipping_tracking"]) == (
            "SHIPPED",
            False,
            "JD0001",
        )
        assert (order["shipping_carrier_code"], order["shipping_company"]) == ("DHL", "DHL")
        assert order["shipping_tracking_url"] == "https://track.dhl.example/JD0001"
        assert [line["shipped_date"] is not None for line in order["order_lines"]] == [True, True]
        (tracked,), (shipped,) = single.entries("OR23", order_id), single.entries("OR24", order_id)
        assert (tracked["effect"], tracked["tracking_number"]) == ("e-23", "JD0001")
        assert (shipped["effect"], shipped["lines"]) == ("e-24", {f"{order_id}-1": 1, f"{order_id}-2": 1})

    def test_tracking_is_overwritten_until_it_left(self, single: AfterMarket) -> None:
        order_id = single.shipping("A")
        single.send("OR23", TRACKING, order_id=order_id)
        single.send(
            "OR23",
            {"carrier_name": "Rowan & Son", "carrier_url": "https://rowan.example/7"},
            order_id=order_id,
        )
        order = single.look(order_id)
        assert (order["shipping_carrier_code"], order["shipping_company"]) == (None, "Rowan & Son")
        assert (order["shipping_tracking"], order["shipping_tracking_url"]) == (None, "https://rowan.example/7")
        single.send("OR24", order_id=order_id)
        assert "'SHIPPED'" in single.refusal("OR23", TRACKING, order_id=order_id)
        assert "'SHIPPED'" in single.refusal("OR24", order_id=order_id)
        single.rules(tracking_after_shipping=True)
        single.send("OR23", TRACKING, order_id=order_id)
        assert single.look(order_id)["shipping_tracking"] == "JD0001"

    @pytest.mark.parametrize(
        ("tracking", "word"),
        [
            ({"carrier_code": "NOBODY", "tracking_number": "1"}, "does not exist"),
            ({"carrier_code": "DHL"}, "tracking number"),
            ({"tracking_number": "1"}, "mandatory"),
        ],
    )
    def test_bad_tracking_is_refused(self, single: AfterMarket, tracking: dict[str, str], word: str) -> None:
        order_id = single.shipping("A")
        assert word in single.refusal("OR23", tracking, order_id=order_id)
        assert single.look(order_id)["shipping_company"] is None

    def test_other_carriers_may_be_forbidden(self, single: AfterMarket) -> None:
        single.features(disable_seller_alternative_carrier=True)
        order_id = single.shipping("A")
        assert "registered" in single.refusal("OR23", {"carrier_name": "Rowan & Son"}, order_id=order_id)

    def test_some_methods_need_a_tracking(self, single: AfterMarket) -> None:
        order_id = single.shipping("A", shipping_type={"code": "EXP", "label": "Express"})
        assert single.refusal("OR24", order_id=order_id) == "Tracking details are mandatory for this shipping method"
        single.send("OR23", {"carrier_code": "OWNVAN"}, order_id=order_id)
        assert "mandatory" in single.refusal("OR24", order_id=order_id)
        single.send("OR23", TRACKING, order_id=order_id)
        single.send("OR24", order_id=order_id)
        assert single.state(order_id) == "SHIPPED"

    def test_only_from_shipping(self, single: AfterMarket) -> None:
        order_id = single.place("A")
        assert "'WAITING_ACCEPTANCE'" in single.refusal("OR24", order_id=order_id)
        assert single.try_("OR24", order_id="NOBODY")[0] == 404

    def test_it_is_for_shops_without_shipments(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        assert "shipments" in market.refusal("OR23", TRACKING, order_id=order_id)
        assert "shipments" in market.refusal("OR24", order_id=order_id)
        market.rules(or24_with_multi_shipment=True)
        market.send("OR24", order_id=order_id)
        assert market.state(order_id) == "SHIPPED"

    @pytest.mark.parametrize("code", ["ST11", "ST12"])
    def test_shipment_lists_are_not_found(self, single: AfterMarket, code: str) -> None:
        assert single.try_(code)[0] == 404

    @pytest.mark.parametrize("code", ["ST06", "ST24"])
    def test_shipment_calls_are_not_found(self, single: AfterMarket, code: str) -> None:
        assert single.try_(code, {"shipments": [{"id": "x"}]})[0] == 404

    def test_no_shipment_is_made(self, single: AfterMarket) -> None:
        order_id = single.shipping("A")
        assert single.try_("ST01", {"shipments": [single.parcel(order_id, {1: 1})]})[0] == 404
        assert single.after(order_id)["to_ship"] == 1


class TestShipments:
    def test_two_parcels_and_what_is_left_between(self, market: AfterMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "quantity": 3}, {"sku": "B"}])
        first = market.ship(order_id, {1: 2}, shipped=True, tracking=TRACKING)
        assert (first["status"], first["tracking"]["tracking_number"]) == ("SHIPPED", "JD0001")
        order = market.look(order_id)
        assert (order["order_state"], order["can_cancel"], order["shipping_tracking"]) == ("SHIPPING", False, "JD0001")
        assert {name: market.after(order_id)[name] for name in ("shipped", "to_ship", "allotted")} == {
            "shipped": 2,
            "to_ship": 1,
            "allotted": 0,
        }
        second = market.ship(order_id, {1: 1, 2: 1})
        assert (second["status"], second["shipped_date"], second["tracking"]) == ("SHIPPING", None, None)
        assert market.after(order_id)["allotted"] == 1
        answer = market.send("ST23", {"shipments": [{"id": second["id"], "tracking": {"carrier_name": "Rowan & Son"}}]})
        assert answer["shipment_success"] == [{"id": second["id"]}]
        market.send("ST24", {"shipments": [{"id": second["id"]}]}, effect="e-st24")
        assert market.state(order_id) == "SHIPPED"
        shown = {row["id"]: row for row in market.pages("ST11", order_id=order_id)}
        assert shown[first["id"]]["shipment_lines"][0]["quantity"] == 2
        assert shown[second["id"]]["tracking"]["validity_status"] == "MISSING_TRACKING"
        assert shown[second["id"]]["shipped_date"] is not None
        made, sent = market.entries("ST01", order_id), market.entries("ST24", order_id)
        assert [(entry["lines"], entry["shipped"]) for entry in made] == [
            ({f"{order_id}-1": 2}, True),
            ({f"{order_id}-1": 1, f"{order_id}-2": 1}, False),
        ]
        assert [(entry["shipment_id"], entry["effect"]) for entry in sent] == [(second["id"], "e-st24")]

    def test_a_line_is_shipped_before_its_order(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", "B")
        market.ship(order_id, {1: 1}, shipped=True)
        order = market.look(order_id)
        assert order["order_state"] == "SHIPPING"
        assert [line["order_line_state"] for line in order["order_lines"]] == ["SHIPPED", "SHIPPING"]
        assert [line["shipped_date"] is None for line in order["order_lines"]] == [False, True]

    def test_a_call_fares_item_by_item(self, market: AfterMarket) -> None:
        good, early = market.shipping("A"), market.place("A")
        express = market.shipping("A", shipping_type={"code": "EXP", "label": "Express"})
        parcels = [
            market.parcel("NOBODY", {1: 1}),
            market.parcel(early, {1: 1}),
            market.parcel(good, {1: 2}),
            market.parcel(good, {9: 1}),
            market.parcel(good, {1: 1}, tracking={"carrier_code": "NOBODY", "tracking_number": "1"}),
            market.parcel(express, {1: 1}, shipped=True, tracking={"carrier_code": "OWNVAN"}),
            market.parcel(good, {1: 1}),
        ]
        answer = market.send("ST01", {"shipments": parcels})
        assert [made["order_id"] for made in answer["shipment_success"]] == [good]
        errors = [(error["order_id"], error["message"]) for error in answer["shipment_errors"]]
        assert [order_id for order_id, _ in errors] == ["NOBODY", early, good, good, good, express]
        words = [message for _, message in errors]
        assert words[1] == "The order status must be 'SHIPPING' but it is 'WAITING_ACCEPTANCE'."
        assert words[2] == "Shipment quantity is invalid."
        assert "NOBODY" in words[4]
        assert words[5] == "Tracking details are mandatory for this shipping method"
        assert len(market.entries("ST01", good)) == 1

    def test_the_same_units_leave_once(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        made = market.ship(order_id, {1: 1}, shipped=True)
        assert market.errors("ST01", market.parcel(order_id, {1: 1})) == [
            "The order status must be 'SHIPPING' but it is 'SHIPPED'."
        ]
        for code, verb in (("ST24", "shipped"), ("ST06", "deleted")):
            words = f"Shipment with id '{made['id']}' is not in SHIPPING status and cannot be {verb}."
            assert market.errors(code, {"id": made["id"]}) == [words]
            assert market.errors(code, {"id": "nobody"}) == ["No shipment with id 'nobody'."]

    def test_tracking_of_one_that_left(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        made = market.ship(order_id, {1: 1}, shipped=True)
        late = {"id": made["id"], "tracking": TRACKING}
        assert "cannot be updated" in market.errors("ST23", late)[0]
        market.rules(tracking_after_shipping=True)
        assert market.errors("ST23", late) == []
        assert market.look(order_id)["shipping_tracking"] == "JD0001"

    def test_a_deleted_shipment_gives_its_units_back(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        made = market.ship(order_id, {1: 1})
        assert market.after(order_id)["to_ship"] == 0
        assert market.look(order_id)["can_shop_ship"] is True
        market.send("ST06", {"shipments": [{"id": made["id"]}]})
        assert market.after(order_id)["to_ship"] == 1
        assert market.pages("ST11", order_id=order_id) == []

    def test_offers_may_name_lines(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", "B")
        lines = [{"offer_sku": "B", "quantity": 1, "package_reference": "P-1"}]
        answer = market.send("ST01", {"shipments": [{"order_id": order_id, "shipment_lines": lines}]})
        assert answer["shipment_success"][0]["shipment_lines"] == [
            {"offer_sku": "B", "order_line_id": f"{order_id}-2", "quantity": 1, "package_reference": "P-1"}
        ]

    def test_pages_hold_what_was_asked_for(self, market: AfterMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "quantity": 5}])
        made = [market.ship(order_id, {1: 1}, shipped=number % 2 == 0) for number in range(5)]
        rows = market.pages("ST11", order_id=order_id, limit=2)
        assert {row["id"] for row in rows} == {row["id"] for row in made}
        assert len(rows) == 5
        left = market.pages("ST11", order_id=order_id, shipment_state_code="SHIPPING", limit=1, sort="dateCreated,DESC")
        assert [row["status"] for row in left] == ["SHIPPING", "SHIPPING"]
        newest, older = (datetime.fromisoformat(row["created_date"]) for row in left)
        assert newest >= older
        for bad in ({"limit": "101"}, {"sort": "status"}, {"page_token": "x"}, {"shipment_state_code": "LOST"}):
            assert market.call("ST11", API.path("ST11"), params=bad).status_code == 400

    def test_what_is_to_ship_is_listed(self, market: AfterMarket) -> None:
        market.advance(DAY_SECONDS)
        order_id = market.shipping(lines=[{"sku": "A", "quantity": 3}, {"sku": "B"}])
        market.ship(order_id, {1: 1, 2: 1})
        (row,) = market.pages("ST12", order_id=order_id)
        assert [(line["order_line_id"], line["quantity"]) for line in row["shipment_lines"]] == [(f"{order_id}-1", 2)]
        assert row["shipping_address"]["city"] == "Lyon"

    def test_paid_on_shipment_waits_for_its_debit(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", payment_workflow="PAY_ON_SHIPMENT", debit={"seconds": 60})
        made = market.ship(order_id, {1: 1}, shipped=True)
        assert (made["status"], made["status_customer_debit"]) == ("SHIPMENT_PREPARED", "WAITING_DEBIT_CONFIRMATION")
        assert market.look(order_id)["order_state"] == "SHIPPING"
        market.advance(60)
        (row,) = market.pages("ST11", order_id=order_id)
        assert (row["status"], row["status_customer_debit"]) == ("SHIPPED", "DEBIT_OK")
        assert row["payment_details"]["transaction_number"]
        order = market.look(order_id)
        assert (order["order_state"], order["customer_debited_date"] is None) == ("SHIPPED", False)

    def test_a_refused_debit_cancels_the_shipment(self, market: AfterMarket) -> None:
        workflow = {"payment_workflow": "PAY_ON_SHIPMENT", "debit": {"seconds": 60, "refused": True}}
        order_id = market.shipping("A", **workflow)
        market.ship(order_id, {1: 1}, shipped=True)
        market.advance(60)
        (row,) = market.pages("ST11", order_id=order_id)
        assert (row["status"], market.after(order_id)["to_ship"]) == ("CANCELED", 1)

    def test_received_and_closed_by_the_clock(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        market.ship(order_id, {1: 1}, shipped=True)
        market.advance(7 * DAY_SECONDS)
        assert (market.state(order_id), market.line(order_id)["received_date"] is None) == ("RECEIVED", False)
        assert [row["status"] for row in market.pages("ST11", order_id=order_id)] == ["RECEIVED"]
        market.advance(115 * DAY_SECONDS)
        order = market.look(order_id)
        assert (order["order_state"], order["order_lines"][0]["order_line_state_reason_code"]) == (
            "CLOSED",
            "AUTO_CLOSED",
        )


class TestRefunds:
    def test_a_refund_is_shown_and_settles(self, market: AfterMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "quantity": 2, "price_unit": 50, "shipping_price": 5}])
        entry = market.refund(order_id, 50, shipping_amount=2.5)
        answer = market.send("OR28", {"order_tax_mode": "TAX_INCLUDED", "refunds": [entry]}, effect="e-28")
        (made,) = answer["refunds"]
        assert (made["amount"], made["shipping_amount"], made["quantity"], made["reason_code"]) == (50, 2.5, 1, "17")
        line = market.line(order_id)
        (shown,) = line["refunds"]
        assert (shown["id"], shown["order_refund_id"]) == (made["refund_id"], made["order_refund_id"])
        assert (shown["refund_state"], shown["transaction_number"]) == ("WAITING_REFUND", None)
        assert (line["order_line_state"], line["quantity"], line["can_refund"]) == ("SHIPPING", 2, True)
        market.advance(60)
        assert market.line(order_id)["refunds"][0]["refund_state"] == "WAITING_REFUND_PAYMENT"
        market.advance(60)
        settled = market.line(order_id)["refunds"][0]
        assert (settled["refund_state"], settled["transaction_number"]) == ("REFUNDED", f"RF-{made['refund_id']}")
        assert settled["transaction_date"] is not None
        (entry,) = market.entries("OR28", order_id)
        expected = {"refund_id": made["refund_id"], "amount": 50, "shipping_amount": 2.5, "effect": "e-28"}
        assert {name: entry[name] for name in expected} == expected

    def test_it_shows_every_member_of_the_sample(self, market: AfterMarket) -> None:
        text = reference_file("samples/mirakl/or11_received_partially_refunded.json").read_text(encoding="utf-8")
        sample = json.loads(text)["orders"][0]["order_lines"][0]["refunds"][0]
        order_id = market.shipping("A")
        market.refunded(market.refund(order_id, 1))
        assert sample.keys() <= market.line(order_id)["refunds"][0].keys()

    def test_the_same_call_twice_is_two_refunds(self, market: AfterMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "price_unit": 50}])
        first, second = (market.refunded(market.refund(order_id, 20))[0] for _ in range(2))
        assert first["refund_id"] != second["refund_id"]
        assert first["order_refund_id"] != second["order_refund_id"]
        assert "left" in market.refund_refusal(market.refund(order_id, 20))
        assert (market.after(order_id)["refunded_amount"], market.after(order_id)["refunded"]) == (40, 2)

    def test_one_call_is_taken_whole_or_not_at_all(self, market: AfterMarket) -> None:
        one = market.shipping(lines=[{"sku": "A", "price_unit": 50}, {"sku": "B", "price_unit": 30}])
        other = market.shipping(lines=[{"sku": "A", "price_unit": 50}])
        entries = [market.refund(one, 10), market.refund(one, 30, 2), market.refund(other, 10)]
        assert "left" in market.refund_refusal(*entries, market.refund(one, 41))
        assert market.line(one)["refunds"] == []
        made = market.refunded(*entries)
        groups = [refund["order_refund_id"] for refund in made]
        assert groups[0] == groups[1] != groups[2]

    def test_fully_refunded_lines_and_orders(self, market: AfterMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "price_unit": 50, "shipping_price": 5}, {"sku": "B"}])
        market.ship(order_id, {1: 1, 2: 1}, shipped=True)
        market.refunded(market.refund(order_id, 50, shipping_amount=5))
        order = market.look(order_id)
        assert (order["fully_refunded"], order["order_lines"][0]["order_line_state"]) == (False, "SHIPPED")
        market.advance(120)
        order = market.look(order_id)
        assert [line["order_line_state"] for line in order["order_lines"]] == ["REFUNDED", "SHIPPED"]
        assert [line["can_refund"] for line in order["order_lines"]] == [False, True]
        assert "REFUNDED" in market.refund_refusal(market.refund(order_id, 1))
        market.refunded(market.refund(order_id, 59.9, 2))
        assert market.look(order_id)["fully_refunded"] is True
        market.advance(120)
        assert market.look(order_id)["order_state"] == "SHIPPED"

    def test_an_order_may_end_with_its_last_refund(self, market: AfterMarket) -> None:
        market.rules(refunded_order_state="CLOSED")
        order_id = market.shipping(lines=[{"sku": "A", "price_unit": 50}])
        market.refunded(market.refund(order_id, 50))
        market.advance(120)
        order = market.look(order_id)
        assert (order["order_state"], order["order_lines"][0]["order_line_state"]) == ("CLOSED", "REFUNDED")

    @pytest.mark.parametrize(
        ("members", "word"),
        [
            ({"amount": 50.01}, "left"),
            ({"shipping_amount": 5.01}, "left"),
            ({"amount": 0}, "no amount"),
            ({"amount": 1.005}, "refunds"),
            ({"reason_code": "14"}, "reason"),
            ({"reason_code": "35"}, "reason"),
            ({"currency_iso_code": "SEK"}, "currency"),
            ({"taxes": [{"code": "VAT", "amount": 1}]}, "VAT"),
            ({"fees": [{"code": "WRAP", "amount": 1}]}, "WRAP"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, market: AfterMarket, members: dict[str, Any], word: str) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "price_unit": 50, "shipping_price": 5}])
        assert word in market.refund_refusal({**market.refund(order_id, 10), **members})
        assert market.entries("OR28", order_id) == []

    def test_unknown_lines_are_not_found_and_texts_are_numbers(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        entry = market.refund(order_id, 10)
        body = {"refunds": [{**entry, "order_line_id": "nobody"}]}
        assert market.try_("OR28", body)[0] == 404
        texts = {"refunds": [{**entry, "amount": "10.5", "shipping_amount": "0"}]}
        answer = market.call("OR28", API.path("OR28"), json=texts)
        assert answer.json()["refunds"][0]["amount"] == 10.5
        del entry["shipping_amount"]
        assert market.call("OR28", API.path("OR28"), json={"refunds": [entry]}).status_code == 400

    def test_currency_is_named_where_the_shop_has_another(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        entry = market.refund(order_id, 10)
        del entry["currency_iso_code"]
        market.refunded(entry)
        market.admin("shop", {"platform_currency": "GBP"})
        assert "currency" in market.refund_refusal(entry)
        assert market.refunded(market.refund(order_id, 10))[0]["currency_iso_code"] == "EUR"

    def test_states_in_which_nothing_is_refunded(self, market: AfterMarket) -> None:
        waiting, closed = market.place("A"), market.shipping("A", state="CLOSED")
        unpaid = market.shipping("A", payment_workflow="PAY_ON_DELIVERY")
        assert "'WAITING_ACCEPTANCE'" in market.refund_refusal(market.refund(waiting, 1))
        assert "'CLOSED'" in market.refund_refusal(market.refund(closed, 1))
        assert "debited" in market.refund_refusal(market.refund(unpaid, 1))
        market.change(unpaid, debited=True)
        market.refunded(market.refund(unpaid, 1))

    def test_one_at_a_time_where_the_operator_says_so(self, market: AfterMarket) -> None:
        market.rules(one_refund_at_a_time=True)
        order_id = market.shipping("A", "B")
        market.refunded(market.refund(order_id, 1))
        assert "in process" in market.refund_refusal(market.refund(order_id, 1))
        market.refunded(market.refund(order_id, 1, 2))
        market.admin("refunds", {"settle": "all"})
        market.refunded(market.refund(order_id, 1))

    def test_balances_pay_for_it(self, market: AfterMarket) -> None:
        shipped, received = market.shipping("A"), market.shipping("A", state="RECEIVED")
        market.admin("balance", {"pending": 10, "payable": 5.5})
        refusal = market.refund_refusal(market.refund(shipped, 10.01))
        assert refusal == "The shop does not have a sufficient pending balance for the refund"
        assert "payable balance" in market.refund_refusal(market.refund(received, 6))
        market.refunded(market.refund(shipped, 10), market.refund(received, 5))
        market.advance(DAY_SECONDS)
        paid = market.call("A01", "/api/account").json()["payment_details"]
        assert (paid["pending_balance"], paid["payable_balance"]) == (0, 0.5)

    def test_units_refunded_before_dispatch_are_not_shipped(self, market: AfterMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "quantity": 3, "price_unit": 10}])
        market.ship(order_id, {1: 1}, shipped=True)
        excluded: dict[str, Any] = {"reason_code": "15", "excluded_from_shipment": True}
        assert "2 units" in market.refund_refusal(market.refund(order_id, 30, quantity=3, **excluded))
        market.refunded(market.refund(order_id, 20, quantity=2, **excluded))
        after = market.after(order_id)
        assert (after["to_ship"], after["excluded"], market.state(order_id)) == (0, 2, "SHIPPED")

    def test_a_refund_may_be_shown_later(self, market: AfterMarket) -> None:
        market.rules(refund_shown_seconds=30)
        order_id = market.shipping("A")
        market.refunded(market.refund(order_id, 1))
        assert market.line(order_id)["refunds"] == []
        market.advance(30)
        assert len(market.line(order_id)["refunds"]) == 1

    def test_the_operators_refund(self, market: AfterMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "quantity": 3, "price_unit": 10, "shipping_price": 3}])
        market.admin("balance", {"pending": 0})
        lines = [{"sku": "A", "quantity": 1}]
        (refund_id,) = market.admin("refunds", {"order_id": order_id, "lines": lines})["refunds"]
        (shown,) = market.line(order_id)["refunds"]
        assert (shown["id"], shown["amount"], shown["shipping_amount"]) == (refund_id, 10, 1)
        assert (shown["reason_code"], len(market.entries("REFUND", order_id))) == ("14", 1)
        assert market.admin("refunds", {"settle": [refund_id]}) == {"settled": [refund_id]}
        assert market.line(order_id)["refunds"][0]["refund_state"] == "REFUNDED"

    def test_a_doubtful_refund_is_made_once_whatever_the_caller_saw(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        market.faults({"code": "OR28", "kind": "status_after"}, {"code": "OR28", "kind": "status"})
        body = {"refunds": [market.refund(order_id, 1)]}
        statuses = [market.http.put(API.path("OR28"), json=body).status_code for _ in range(2)]
        assert (statuses, len(market.entries("OR28", order_id))) == ([503, 503], 1)


class TestTaxes:
    @staticmethod
    def order(market: AfterMarket, *taxes: dict[str, Any], **members: Any) -> str:
        line = {"sku": "A", "quantity": 1, "price_unit": 100, "shipping_price": 10, "taxes": list(taxes)}
        shipping_taxes = [{**tax, "amount": tax["amount"] / 10} for tax in taxes]
        line["shipping_taxes"] = shipping_taxes
        return market.shipping(lines=[line], **members)

    @staticmethod
    def taxes(refund: dict[str, Any], name: str = "taxes") -> list[tuple[str, float]]:
        return [(tax["code"], tax["amount"]) for tax in refund[name]]

    def test_proportional_ones_are_computed_to_the_cent(self, market: AfterMarket) -> None:
        order_id = self.order(market, VAT)
        parts = [market.refunded(market.refund(order_id, amount))[0] for amount in (33.33, 33.33, 33.34)]
        assert [self.taxes(part) for part in parts] == [[("VAT", 6.67)], [("VAT", 6.67)], [("VAT", 6.66)]]
        (last,) = market.refunded(market.refund(order_id, 0, shipping_amount=10))
        assert self.taxes(last, "shipping_taxes") == [("VAT", 2)]
        market.advance(120)
        assert market.line(order_id)["order_line_state"] == "REFUNDED"
        assert market.after(order_id)["refunded_total"] == 110

    def test_without_tax_they_come_on_top(self, market: AfterMarket) -> None:
        order_id = self.order(market, VAT, tax_mode="TAX_EXCLUDED")
        (part,) = market.refunded(market.refund(order_id, 50), order_tax_mode="TAX_EXCLUDED")
        assert (part["amount"], self.taxes(part)) == (50, [("VAT", 10)])
        assert market.after(order_id)["refunded_total"] == 60
        market.advance(1)
        parameters = {"order_ids": order_id, "order_tax_mode": "TAX_INCLUDED"}
        (order,) = market.call("OR11", "/api/orders", params=parameters).json()["orders"]
        assert order["order_lines"][0]["refunds"][0]["amount"] == 60

    def test_the_mode_of_the_call_counts(self, market: AfterMarket) -> None:
        order_id = self.order(market, VAT, tax_mode="TAX_EXCLUDED")
        answer = market.send("OR28", {"refunds": [market.refund(order_id, 60)]})
        # The platform's mode is with tax: of 60 the tax is 10.
        assert (answer["order_tax_mode"], self.taxes(answer["refunds"][0])) == ("TAX_INCLUDED", [("VAT", 10)])
        assert market.line(order_id)["refunds"][0]["amount"] == 50

    def test_others_are_given_back_as_they_are_named(self, market: AfterMarket) -> None:
        order_id = self.order(market, VAT, LOCAL)
        assert "mandatory" in market.refund_refusal(market.refund(order_id, 50))
        (named,) = market.refunded(market.refund(order_id, 50, taxes=[{"code": "LOCAL", "amount": 0.5}]))
        assert self.taxes(named) == [("VAT", 10), ("LOCAL", 0.5)]
        (unnamed,) = market.refunded(market.refund(order_id, 25, taxes=[]))
        assert self.taxes(unnamed) == [("VAT", 5)]
        too_much = [{"code": "LOCAL", "amount": 0.51}]
        assert "exceed" in market.refund_refusal(market.refund(order_id, 25, taxes=too_much))
        assert "no code" in market.refund_refusal(market.refund(order_id, 25, taxes=[{"code": "GST", "amount": 0}]))

    def test_two_taxes_of_one_code_stay_two(self, market: AfterMarket) -> None:
        state, city = ({"code": "STATE", "rate": rate, "amount": rate} for rate in (6.25, 1.0))
        order_id = self.order(market, state, city, tax_mode="TAX_EXCLUDED")
        given = [{"code": "STATE", "amount": 3.13}, {"code": "STATE", "amount": 0.5}]
        (refund,) = market.refunded(market.refund(order_id, 50, taxes=given), order_tax_mode="TAX_EXCLUDED")
        assert [(tax["rate"], tax["amount"]) for tax in refund["taxes"]] == [(6.25, 3.13), (1.0, 0.5)]

    def test_fees_have_their_own_rest(self, market: AfterMarket) -> None:
        line = {"sku": "A", "price_unit": 100, "fees": [{"code": "WRAP", "amount": 4}]}
        order_id = market.shipping(lines=[line])
        assert market.line(order_id)["total_price"] == 104
        entry = market.refund(order_id, 100, fees=[{"code": "WRAP", "amount": 3}])
        assert market.refunded(entry)[0]["fees"] == [{"code": "WRAP", "amount": 3}]
        assert market.look(order_id)["fully_refunded"] is False
        assert "exceed" in market.refund_refusal(market.refund(order_id, 0, fees=[{"code": "WRAP", "amount": 1.01}]))

    def test_taxes_of_the_order(self, market: AfterMarket) -> None:
        market.rules(order_level_taxes=True)
        order_id = self.order(market, VAT, tax_mode="TAX_EXCLUDED")
        assert market.look(order_id)["order_taxes"] == [{"code": "VAT", "rate": 20.0, "total_amount": 22}]


class TestCancelations:
    @staticmethod
    def entry(order_id: str, quantity: int, amount: float, **members: Any) -> dict[str, Any]:
        return {
            "order_line_id": f"{order_id}-1",
            "quantity": quantity,
            "amount": amount,
            "shipping_amount": 0,
            "reason_code": "35",
            **members,
        }

    @staticmethod
    def unpaid(market: AfterMarket, **members: Any) -> str:
        members = {"payment_workflow": "PAY_ON_DELIVERY", **members}
        return market.shipping(lines=[{"sku": "A", "quantity": 2, "price_unit": 10, "taxes": [VAT]}], **members)

    def test_units_of_a_line_then_the_rest(self, market: AfterMarket) -> None:
        market.rules(or30=True)
        order_id = self.unpaid(market)
        answer = market.send("OR30", {"cancelations": [self.entry(order_id, 1, 10)]}, effect="e-30")
        (made,) = answer["cancelations"]
        assert (made["quantity"], made["taxes"][0]["amount"]) == (1, 10)
        line = market.line(order_id)
        (shown,) = line["cancelations"]
        assert (shown["id"], shown["quantity"], shown["reason_code"]) == (made["cancelation_id"], 1, "35")
        assert (line["quantity"], line["order_line_state"], market.after(order_id)["to_ship"]) == (2, "SHIPPING", 1)
        market.send("OR30", {"cancelations": [self.entry(order_id, 1, 10)]})
        order = market.look(order_id)
        assert (order["order_state"], order["order_lines"][0]["order_line_state"]) == ("CANCELED", "CANCELED")
        assert [entry["effect"] for entry in market.entries("OR30", order_id)] == ["e-30", None]

    def test_it_is_a_feature(self, market: AfterMarket) -> None:
        order_id = self.unpaid(market)
        assert market.try_("OR30", {"cancelations": [self.entry(order_id, 1, 10)]})[0] == 404

    def test_workflows_states_and_units(self, market: AfterMarket) -> None:
        market.rules(or30=True)

        def refusal(order_id: str, quantity: int = 1, **members: Any) -> str:
            return market.refusal("OR30", {"cancelations": [self.entry(order_id, quantity, 10, **members)]})

        assert "cannot be canceled" in refusal(self.unpaid(market, payment_workflow="PAY_ON_ACCEPTANCE"))
        paid = self.unpaid(market)
        market.change(paid, debited=True)
        assert "cannot be canceled" in refusal(paid)
        assert "'SHIPPED'" in refusal(self.unpaid(market, state="SHIPPED"))
        begun = self.unpaid(market, payment_workflow="NO_CUSTOMER_PAYMENT_CONFIRMATION")
        market.ship(begun, {1: 1}, shipped=True)
        assert "cannot be canceled" in refusal(begun)
        assert "units left" in refusal(self.unpaid(market), quantity=3)
        assert "reason" in refusal(self.unpaid(market), reason_code="17")

    def test_an_orders_own_taxes_are_not_named(self, market: AfterMarket) -> None:
        market.rules(or30=True, order_level_taxes=True)
        order_id = self.unpaid(market, tax_mode="TAX_EXCLUDED")
        named = self.entry(order_id, 1, 10, taxes=[{"code": "VAT", "amount": 10}])
        body = {"order_tax_mode": "TAX_EXCLUDED", "cancelations": [named]}
        assert "must not be sent" in market.refusal("OR30", body)
        body["cancelations"] = [self.entry(order_id, 1, 10)]
        assert market.send("OR30", body)["cancelations"][0]["taxes"][0]["amount"] == 10

    def test_the_rest_may_be_shipped_already(self, market: AfterMarket) -> None:
        market.rules(or30=True)
        order_id = self.unpaid(market)
        market.ship(order_id, {1: 1}, shipped=True)
        market.send("OR30", {"cancelations": [self.entry(order_id, 1, 10)]})
        assert market.state(order_id) == "SHIPPED"

    def test_others_cancel_units_and_orders(self, market: AfterMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "quantity": 3, "price_unit": 10, "shipping_price": 6}])
        market.admin("cancelations", {"order_id": order_id, "lines": [{"sku": "A", "quantity": 1}]})
        (shown,) = market.line(order_id)["cancelations"]
        assert (shown["amount"], shown["shipping_amount"], shown["reason_code"]) == (10, 2, "34")
        market.change(order_id, cancel=True)
        order = market.look(order_id)
        assert [given["quantity"] for given in order["order_lines"][0]["cancelations"]] == [1, 2]
        after = market.after(order_id)
        assert (order["order_state"], after["cancelled"], after["cancelled_total"]) == ("CANCELED", 3, 36)

    def test_the_last_line_ends_an_order_that_waits(self, market: AfterMarket) -> None:
        order_id = market.place("A", "B")
        for sku in "AB":
            assert market.state(order_id) == "WAITING_ACCEPTANCE"
            market.admin("cancelations", {"order_id": order_id, "lines": [{"sku": sku}]})
        assert market.state(order_id) == "CANCELED"

    def test_a_whole_order_by_the_shop(self, market: AfterMarket) -> None:
        order_id = market.place("A")
        market.send("OR29", order_id=order_id)
        (shown,) = market.line(order_id)["cancelations"]
        assert (shown["amount"], shown["reason_code"]) == (59.9, "35")


class TestReturns:
    def test_the_whole_way(self, market: AfterMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "quantity": 2}], state="SHIPPED")
        return_id = market.open_return(order_id, 2, reason_code="RETURN_PDNT_TOO_BIG")
        item = {"id": return_id}
        line = {"order_line_id": f"{order_id}-1", "compliant": True}
        assert market.after(order_id)["return_expected"] == 2
        steps: list[tuple[str, dict[str, Any], str]] = [
            ("RT21", {**item, "accepted": True}, "IN_PROGRESS"),
            ("RT25", item, "RECEIVED"),
            ("RT26", {**item, "return_lines": [line]}, "RECEIVED"),
            ("RT27", item, "CLOSED"),
        ]
        for code, members, state in steps:
            answer = market.send(code, {"returns": [members]}, effect=f"e-{code}")
            assert answer["return_success"] == [{"id": return_id}]
            (shown,) = market.pages("RT11", return_id=return_id)
            assert shown["state"] == state
            market.advance(1)
            assert market.errors(code, members, of="return") == ["Return is in invalid state"]
            market.advance(1)
        assert shown["return_lines"][0]["compliance"][0]["compliant"] is True
        assert (market.after(order_id)["returned"], market.line(order_id)["refunds"]) == (2, [])
        codes = {code: market.entries(code, order_id) for code in ("RETURN", "RT21", "RT25", "RT26", "RT27")}
        assert [len(found) for found in codes.values()] == [1, 1, 1, 1, 1]
        assert codes["RT27"][0]["effect"] == "e-RT27"

    def test_steps_out_of_turn_and_unknown_returns(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", state="SHIPPED")
        item, line = {"id": market.open_return(order_id)}, {"order_line_id": f"{order_id}-1", "compliant": True}
        for code, members in (("RT25", item), ("RT26", {**item, "return_lines": [line]}), ("RT27", item)):
            assert market.errors(code, members, of="return") == ["Return is in invalid state"]
        assert market.errors("RT25", {"id": str(uuid.UUID(int=7))}, of="return") == ["The return does not exist."]
        assert market.errors("RT25", {"id": "R-1"}, of="return") == ["The return id is incorrect."]
        market.send("RT21", {"returns": [{**item, "accepted": True}]})
        market.send("RT25", {"returns": [item]})
        assert market.errors("RT27", item, of="return") == ["Return is in invalid state"]

    def test_a_rejection_has_its_reason(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", state="SHIPPED")
        item = {"id": market.open_return(order_id), "accepted": False}
        assert "reason" in market.errors("RT21", item, of="return")[0]
        market.send("RT21", {"returns": [{**item, "rejection_reason_code": "RETURN_REJECTION_WINDOW_CLOSED"}]})
        (shown,) = market.pages("RT11", return_id=item["id"])
        assert (shown["state"], shown["rejection_reason_code"]) == ("REFUSED", "RETURN_REJECTION_WINDOW_CLOSED")

    def test_every_line_is_checked_and_a_bad_one_has_its_reason(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", "B", state="SHIPPED")
        lines = [{"sku": "A"}, {"sku": "B"}]
        opened = market.admin("returns", {"order_id": order_id, "lines": lines, "accepted": True})
        market.send("RT25", {"returns": [opened]})
        first, second = ({"order_line_id": f"{order_id}-{number}", "compliant": number == 1} for number in (1, 2))
        assert "every return line" in market.errors("RT26", {**opened, "return_lines": [first]}, of="return")[0]
        assert "reason" in market.errors("RT26", {**opened, "return_lines": [first, second]}, of="return")[0]
        second |= {
            "non_compliance_reason_code": "RETURN_NON_COMPLIANT_DAMAGED_PRODUCT",
            "non_compliance_additional_info": "Stain on the sleeve",
        }
        market.send("RT26", {"returns": [{**opened, "return_lines": [first, second]}]})
        (shown,) = market.pages("RT11", return_id=opened["id"])
        assert [line["compliance"][0]["compliant"] for line in shown["return_lines"]] == [True, False]

    def test_filters_and_pages(self, market: AfterMarket) -> None:
        market.advance(300)
        start = market.now()
        order_id = market.shipping(lines=[{"sku": "A", "quantity": 5}], state="SHIPPED")
        opened = [market.open_return(order_id, accepted=number % 2 == 0) for number in range(5)]

        def found(**parameters: Any) -> set[str]:
            market.advance(300)
            return {row["id"] for row in market.pages("RT11", return_creation_date_from=start, **parameters)}

        assert found(limit=2) == set(opened)
        assert found(return_state="IN_PROGRESS", limit=1) == set(opened[::2])
        assert found(order_line_id=[f"{order_id}-1", "other"]) == set(opened)
        assert found(order_commercial_id="other") == set()
        market.send("RT25", {"returns": [{"id": opened[0]}]})
        moved = {row["id"]: row["last_updated"] for row in market.pages("RT11", return_id=opened)}[opened[0]]
        assert found(return_last_updated_from=moved) == {opened[0]}
        assert market.violations() == []

    def test_polls_are_five_minutes_apart(self, market: AfterMarket) -> None:
        market.advance(300)
        assert [market.try_("RT11")[0] for _ in range(2)] == [200, 429]
        assert market.violations()[0]["ceiling"] == "1/300 s"

    def test_what_the_shop_adds(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", state="SHIPPED")
        item = {"id": market.open_return(order_id, accepted=True), "rma": "RMA-7"}
        bad = {**item, "tracking": {"tracking_url": "ftp://x"}}
        assert market.errors("RT04", bad, of="return") == ["Invalid return tracking URL format"]
        answer = market.send("RT04", {"returns": [{**item, "label_url": "https://labels.example/7"}]})
        assert (answer["return_success"][0]["rma"], answer["return_success"][0]["label_url"]) == (
            "RMA-7",
            "https://labels.example/7",
        )

    def test_no_more_comes_back_than_left(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", "B")
        market.ship(order_id, {1: 1}, shipped=True)

        def status(number: int) -> int:
            lines = [{"order_line_id": f"{order_id}-{number}"}]
            return market.http.post("/_sandbox/returns", json={"order_id": order_id, "lines": lines}).status_code

        assert [status(2), status(1), status(1)] == [400, 200, 400]

    def test_ends_by_others(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", state="SHIPPED")
        item = {"id": market.open_return(order_id, accepted=True)}
        market.admin("returns", {**item, "state": "NO_RECEPTION"})
        assert market.errors("RT25", item, of="return") == ["Return is in invalid state"]
        assert market.admin("returns")["returns"][item["id"]]["state"] == "NO_RECEPTION"

    def test_it_is_a_feature(self, market: AfterMarket) -> None:
        market.features(returns={"marketplace": False})
        assert market.try_("RT11")[0] == 404
        assert market.try_("RT25", {"returns": [{"id": "x"}]})[0] == 404


class TestIncidentsAndThreads:
    def test_an_incident_is_seen_and_resolved(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", "B", state="SHIPPED")
        market.admin("incidents", {"order_line_id": f"{order_id}-1"})
        order = market.look(order_id)
        line = order["order_lines"][0]
        assert (order["has_incident"], line["order_line_state"], line["order_line_state_reason_code"]) == (
            True,
            "INCIDENT_OPEN",
            "2",
        )
        assert market.ids(has_incident="true", order_ids=order_id) == [order_id]
        place = {"order_id": order_id, "line": f"{order_id}-1"}
        assert "reason" in market.refusal("OR64", {"reason_code": "2"}, **place)
        market.send("OR64", {"reason_code": "7"}, effect="e-64", **place)
        assert "no open incident" in market.refusal("OR64", {"reason_code": "7"}, **place)
        order = market.look(order_id)
        assert (order["has_incident"], order["order_lines"][0]["order_line_state"]) == (False, "SHIPPED")
        assert market.entries("OR64", order_id)[0]["effect"] == "e-64"
        assert market.try_("OR64", {"reason_code": "7"}, order_id=order_id, line="nobody")[0] == 404

    def test_an_incident_keeps_an_order_open_and_a_full_refund_ends_it(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", state="RECEIVED")
        market.admin("incidents", {"order_line_id": f"{order_id}-1"})
        market.advance(116 * DAY_SECONDS)
        assert market.state(order_id) == "RECEIVED"
        market.refunded(market.refund(order_id, 59.9))
        market.advance(120)
        assert market.look(order_id)["has_incident"] is False

    def test_threads_wait_until_they_are_answered(self, market: AfterMarket) -> None:
        order_id = market.shipping("A", state="SHIPPED")
        thread = market.admin("threads", {"order_id": order_id, "ago_seconds": 3600})["id"]
        (shown,) = market.pages("M11", entity_type="MMP_ORDER", entity_id=order_id)
        assert (shown["id"], shown["metadata"]["shop_reply_needed_since"]) == (thread, shown["date_updated"])
        assert "messages" not in shown
        market.admin("threads", {"id": thread, "answered": True})
        (shown,) = market.pages("M11", entity_id=order_id, with_messages="true")
        assert (shown["metadata"]["shop_reply_needed_since"], len(shown["messages"])) == (None, 2)
        market.admin("threads", {"id": thread, "order_id": order_id, "body": "And now?"})
        one = market.send("M10", thread_id=thread)
        assert (one["metadata"]["total_count"], one["messages"][2]["from"]["type"]) == (3, "CUSTOMER_USER")
        assert market.pages("M11", entity_id=order_id, updated_since=one["date_updated"]) != []
        assert market.try_("M10", thread_id="nobody")[0] == 404


class TestDocuments:
    @staticmethod
    def upload(market: AfterMarket, code: str, name: str, described: Any, *files: str, **parameters: str) -> Any:
        """The JSON part as text where parts are files, too."""
        parts: list[tuple[str, Any]] = [("files", (file, b"%PDF-1", "application/pdf")) for file in files]
        parts.append((name, (None, json.dumps(described), "application/json")))
        return market.call(code, API.path(code).format(**parameters), files=parts, headers={"X-Effect-Id": "e-doc"})

    def invoice(self, market: AfterMarket, order_id: str, *names: str, kind: str = "CUSTOMER_INVOICE") -> Any:
        described = {"order_documents": [{"file_name": name, "type_code": kind} for name in names]}
        return self.upload(market, "OR74", "order_documents", described, *names, order_id=order_id)

    def test_an_invoice_is_kept_and_listed(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        assert market.look(order_id)["has_invoice"] is False
        assert self.invoice(market, order_id, "invoice-7.pdf").json() == {"errors_count": 0, "order_documents": []}
        (listed,) = market.call("OR72", API.path("OR72"), params={"order_ids": order_id}).json()["order_documents"]
        assert (listed["file_name"], listed["type"], listed["file_size"]) == ("invoice-7.pdf", "CUSTOMER_INVOICE", 6)
        assert market.look(order_id)["has_invoice"] is True
        (entry,) = market.entries("OR74", order_id)
        assert (entry["document_id"], entry["effect"]) == (listed["id"], "e-doc")

    @pytest.mark.parametrize(
        ("name", "kind", "code"),
        [
            ("invoice.exe", "CUSTOMER_INVOICE", "FILE_NAME_INVALID"),
            ("facturé.pdf", "CUSTOMER_INVOICE", "FILE_NAME_INVALID"),
            ("invoice.pdf", "LOVE_LETTER", "TYPE_CODE_INVALID"),
        ],
    )
    def test_what_is_not_kept_is_named(self, market: AfterMarket, name: str, kind: str, code: str) -> None:
        order_id = market.shipping("A")
        answer = self.invoice(market, order_id, name, kind=kind).json()
        assert (answer["errors_count"], answer["order_documents"][0]["errors"][0]["code"]) == (1, code)
        assert market.entries("OR74", order_id) == []

    def test_a_name_is_there_once_and_a_file_has_to_come(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        self.invoice(market, order_id, "a.pdf")
        answer = self.invoice(market, order_id, "a.pdf", "b.pdf").json()
        assert answer["order_documents"][0]["errors"][0]["code"] == "FILE_NAME_DUPLICATED"
        described = {"order_documents": [{"file_name": "c.pdf", "type_code": "CREDIT_NOTE"}]}
        missing = self.upload(market, "OR74", "order_documents", described, "d.pdf", order_id=order_id).json()
        assert missing["order_documents"][0]["errors"][0]["code"] == "FILE_NOT_FOUND"
        assert [entry["file_name"] for entry in market.entries("OR74", order_id)] == ["a.pdf", "b.pdf"]

    def test_a_request_is_answered_once(self, market: AfterMarket) -> None:
        order_id = market.shipping("A")
        request_id = market.admin("document-requests", {"order_id": order_id})["id"]
        (asked,) = market.pages("DR11", state="TO_PROCESS", entity_id=order_id)
        assert (asked["id"], asked["entity_id"], asked["total_amount_including_taxes"]) == (request_id, order_id, 59.9)
        request = {
            "request_id": request_id,
            "document_number": "I-7",
            "files": [{"name": "i-7.pdf", "format": "PDF"}],
        }

        def errors() -> list[str]:
            answer = self.upload(market, "DR74", "documents_input", {"requests": [request]}, "i-7.pdf")
            return [error["code"] for one in answer.json()["requests"] for error in one["errors"]]

        assert (errors(), errors()) == ([], ["REQUEST_INVALID_STATE"])
        (asked,) = market.pages("DR11", id=request_id)
        assert (asked["state"], asked["document_number"], market.look(order_id)["has_invoice"]) == (
            "ISSUED",
            "I-7",
            True,
        )
        assert [entry["effect"] for entry in market.entries("DR74", order_id)] == ["e-doc"]


class TestReferenceLists:
    @pytest.mark.parametrize("code", ["SH12", "DO01"])
    def test_they_answer_as_documented(self, market: AfterMarket, code: str) -> None:
        market.advance(DAY_SECONDS)
        assert market.try_(code)[0] == 200


def test_all_lines_of_all_orders_are_shown_to_the_admin(market: AfterMarket) -> None:
    order_id = market.shipping(lines=[{"sku": "A", "quantity": 4, "price_unit": 10, "shipping_price": 4}])
    market.ship(order_id, {1: 2}, shipped=True)
    market.refunded(market.refund(order_id, 10, shipping_amount=1, excluded_from_shipment=True, reason_code="15"))
    market.open_return(order_id)
    expected = {
        "order_state": "SHIPPING",
        "quantity": 4,
        "shipped": 2,
        "to_ship": 1,
        "excluded": 1,
        "cancelled": 0,
        "return_expected": 1,
        "returned": 0,
        "refunded": 1,
        "price": 40,
        "shipping_price": 4,
        "refunded_amount": 10,
        "refunded_shipping_amount": 1,
        "refunded_total": 11,
        "cancelled_total": 0,
    }
    line = market.admin("after")["lines"][f"{order_id}-1"]
    assert {name: line[name] for name in expected} == expected
    assert [(one["amount"], one["reason_code"]) for one in line["refunds"]] == [(10, "15")]
    assert line["cancelations"] == []
    (parcel,) = market.admin(f"after?order_id={order_id}")["shipments"]
    assert (parcel["order_id"], parcel["status"]) == (order_id, "SHIPPED")


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("returns", {"order_id": "NOBODY", "lines": []}),
        ("refunds", {"refunds": [{"order_line_id": "NOBODY", "amount": 1, "shipping_amount": 0}]}),
        ("balance", {"savings": 1}),
        ("incidents", {"order_line_id": "NOBODY"}),
        ("threads", {"id": "NOBODY", "answered": True}),
        ("document-requests", {"order_id": "NOBODY"}),
    ],
)
def test_nonsense_is_refused(market: AfterMarket, name: str, members: dict[str, Any]) -> None:
    assert market.http.post(f"/_sandbox/{name}", json=members).status_code == 400


@pytest.mark.parametrize("name", ["returns", "refunds", "cancelations"])
@pytest.mark.parametrize("lines", [{"order_line_id": "X"}, ["X"], "X", None, 1])
def test_lines_that_are_no_list_are_named(market: AfterMarket, name: str, lines: Any) -> None:
    answer = market.http.post(f"/_sandbox/{name}", json={"order_id": market.shipping("A"), "lines": lines})
    assert (answer.status_code, answer.json()["error"]) == (400, "ValueError: lines is a list of objects")
