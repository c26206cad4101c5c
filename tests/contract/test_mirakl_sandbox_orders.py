"""Orders of the Mirakl stand-in against Mirakl's own document: lists, exports, acceptance, the ways of an order.

One sandbox process for the module; each test begins two days later by the sandbox clock, with its own orders.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.contract.reference import mirakl_openapi, reference_file
from tests.contract.test_mirakl_sandbox import KEY, SHOP_ID, Market, sandbox

API = mirakl_openapi()
ORDERS = "/api/orders"
DAY_SECONDS = 86_400


class OrderMarket(Market):
    """With the calls and the admin of orders."""

    def place(self, *skus: str, **members: Any) -> str:
        """One order, a line for each sku; its id."""
        lines = members.pop("lines", [{"sku": sku} for sku in skus])
        (order_id,) = self.admin("orders", {"orders": [{"lines": lines, **members}]})["orders"]
        return str(order_id)

    def now(self) -> str:
        return str(self.admin("clock")["now"])

    def look(self, order_id: str) -> dict[str, Any]:
        """As the seller sees it, by id."""
        self.advance(0.5)
        answer = self.call("OR11", ORDERS, params={"order_ids": order_id})
        (order,) = answer.json()["orders"]
        assert isinstance(order, dict)
        return order

    def state(self, order_id: str) -> str:
        return str(self.admin("orders")["orders"][order_id]["state"])

    def listed(self, **parameters: Any) -> dict[str, Any]:
        """A pass that opens its own window."""
        self.advance(60)
        answer = self.call("OR11", ORDERS, params=parameters)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ids(self, **parameters: Any) -> list[str]:
        return [order["order_id"] for order in self.listed(**parameters)["orders"]]

    def decide(self, order_id: str, decisions: dict[str, bool], effect: str | None = None) -> int:
        """OR21; its effect is there when this returns."""
        body = {"order_lines": [{"id": line, "accepted": accepted} for line, accepted in decisions.items()]}
        API.request("OR21").validate(body)
        headers = {"X-Effect-Id": effect} if effect else None
        answer = self.call("OR21", f"{ORDERS}/{order_id}/accept", json=body, headers=headers)
        self.advance(1)
        return answer.status_code

    def accept(self, order_id: str) -> int:
        lines = self.admin("orders")["orders"][order_id]["lines"]
        return self.decide(order_id, dict.fromkeys(lines, True))

    def change(self, order_id: str, **members: Any) -> None:
        self.admin("orders/change", {"order_id": order_id, **members})

    def entries(self, code: str, order_id: str) -> list[dict[str, Any]]:
        found = self.admin(f"ledger?code={code}")["entries"]
        return [entry for entry in found if entry["order_id"] == order_id]


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    plain: dict[str, Any] = {"port": 0, "key": KEY, "shop_id": SHOP_ID, "currency": "EUR"}
    shops = [
        {"id": "plain", **plain},
        {"id": "small-files", "export_chunk": 2, "orders": {"state_delay_seconds": 0}, **plain},
    ]
    with sandbox({"mirakl": shops}) as announced:
        yield announced["mirakl"]


@pytest.fixture
def markets(addresses: dict[str, str]) -> Iterator[dict[str, OrderMarket]]:
    opened = {name: OrderMarket(url) for name, url in addresses.items()}
    # Beyond every acceptance and debit: what an earlier test left has come to rest.
    opened["plain"].advance(7 * DAY_SECONDS)
    workflows = {"order_acceptance": "NOT_AUTOMATIC", "shipping_and_billing_details_before_acceptance": False}
    for market in opened.values():
        market.admin("faults", method="DELETE")
        market.admin("calls", method="DELETE")
        market.admin("offers/delete", {"skus": list(market.quantities())})
        market.admin("shop", {"configuration": {"features": {"order_workflows": workflows}}})
        market.admin("shop", {"orders": {"partial_acceptance": True, "zero_on_refusal": True}})
        market.seed(A=10, B=10)
    yield opened
    for market in opened.values():
        market.http.close()


@pytest.fixture
def market(markets: dict[str, OrderMarket]) -> OrderMarket:
    return markets["plain"]


class TestWhatAnOrderShows:
    def test_new_order_waits_without_addresses(self, market: OrderMarket) -> None:
        order_id = market.place(lines=[{"sku": "A", "quantity": 2, "shipping_price": 2.45}, {"sku": "B"}])
        order = market.look(order_id)
        assert (order["order_state"], order["can_cancel"], order["can_shop_ship"]) == (
            "WAITING_ACCEPTANCE",
            True,
            False,
        )
        assert order["customer"]["shipping_address"] is order["customer"]["billing_address"] is None
        assert (order["acceptance_decision_date"], order["shipping_deadline"]) == (None, None)
        assert order["customer_notification_email"].endswith("@notification.mirakl.example")
        first, second = order["order_lines"]
        assert (first["order_line_id"], second["order_line_index"]) == (f"{order_id}-1", 2)
        assert (first["offer_sku"], first["quantity"], first["price"], first["total_price"]) == ("A", 2, 119.8, 122.25)
        assert (order["price"], order["shipping_price"], order["total_price"]) == (179.7, 2.45, 182.15)

    def test_it_shows_every_member_of_the_sample(self, market: OrderMarket) -> None:
        text = reference_file("samples/mirakl/or11_waiting_acceptance_two_lines.json").read_text(encoding="utf-8")
        (sample,) = json.loads(text)["orders"]
        order = market.look(market.place("A"))
        assert sample.keys() <= order.keys()
        assert sample["customer"].keys() == order["customer"].keys()
        assert sample["order_lines"][0].keys() <= order["order_lines"][0].keys()

    def test_given_members_are_shown(self, market: OrderMarket) -> None:
        field = {"code": "gift-wrap", "type": "BOOLEAN", "value": "true"}
        order_id = market.place(
            lines=[{"sku": "GONE", "price_unit": 12.5, "order_line_id": "77", "additional_fields": [field]}],
            commercial_id="WEB-1",
            country="SWE",
            currency="SEK",
            email=None,
            customer={"firstname": "Maj"},
            address={"street_2": "Portkod 4", "firstname": None},
            billing=None,
            additional_fields=[field],
            shipping_type={"code": "EXP", "label": "Express"},
            pudo_id="P-9",
            channel={"code": "SE", "label": "Sweden"},
            state="SHIPPING",
        )
        order = market.look(order_id)
        assert (order_id, order["commercial_id"], order["currency_iso_code"]) == ("WEB-1-A", "WEB-1", "SEK")
        assert (order["customer_notification_email"], order["customer"]["firstname"]) == (None, "Maj")
        address = order["customer"]["shipping_address"]
        assert (address["country_iso_code"], address["street_2"], address["firstname"]) == ("SWE", "Portkod 4", None)
        assert order["customer"]["billing_address"] is None
        assert (order["shipping_type_code"], order["shipping_pudo_id"], order["channel"]["code"]) == (
            "EXP",
            "P-9",
            "SE",
        )
        (line,) = order["order_lines"]
        assert (line["order_line_id"], line["price_unit"]) == ("77", 12.5)
        assert order["order_additional_fields"] == line["order_line_additional_fields"] == [field]

    def test_tax_mode_is_the_orders_own_unless_asked(self, market: OrderMarket) -> None:
        taxes = {
            "taxes": [{"code": "VAT20", "amount": 20, "rate": 20.0}],
            "shipping_taxes": [{"code": "V", "amount": 1}],
        }
        line = {"sku": "A", "quantity": 2, "price_unit": 50, "shipping_price": 5, **taxes}
        order_id = market.place(lines=[line], tax_mode="TAX_EXCLUDED")
        order = market.look(order_id)
        assert (order["order_tax_mode"], order["price"], order["total_price"]) == ("TAX_EXCLUDED", 100, 105)
        assert order["order_lines"][0]["taxes"][0]["amount"] == 20
        market.advance(1)
        parameters = {"order_ids": order_id, "order_tax_mode": "TAX_INCLUDED"}
        (order,) = market.call("OR11", ORDERS, params=parameters).json()["orders"]
        assert (order["order_tax_mode"], order["price"], order["shipping_price"]) == ("TAX_INCLUDED", 120, 6)
        assert order["order_lines"][0]["price_unit"] == 60

    def test_a_buyers_order_lowers_the_offer_and_may_oversell_it(self, market: OrderMarket) -> None:
        order_id = market.place(lines=[{"sku": "A", "quantity": 4}, {"sku": "B", "quantity": 12}])
        assert market.quantities() == {"A": 6, "B": 0}
        bought = [(entry["sku"], entry["quantity"], entry["left"]) for entry in market.entries("BUY", order_id)]
        assert bought == [("A", 4, 6), ("B", 12, 0)]
        market.place("A", take_stock=False)
        assert market.quantities()["A"] == 6

    def test_nonsense_is_refused(self, market: OrderMarket) -> None:
        nonsense: list[dict[str, Any]] = [
            {"lines": []},
            {"lines": [{"sku": "NOBODY"}]},
            {"lines": [{"sku": "A", "quantity": 0}]},
            {"lines": [{"sku": "A"}], "adress": {}},
            {"lines": [{"sku": "A"}], "payment_workflow": "PAY_NEVER"},
        ]
        for order in nonsense:
            assert market.http.post("/_sandbox/orders", json={"orders": [order]}).status_code == 400
        order_id = market.place("A")
        again = {"orders": [{"order_id": order_id, "lines": [{"sku": "A"}]}]}
        assert market.http.post("/_sandbox/orders", json=again).status_code == 400
        assert market.http.post("/_sandbox/shop", json={"orders": {"no_such_rule": 1}}).status_code == 400


class TestOrderList:
    def test_pages_by_creation_then_id_with_links(self, market: OrderMarket) -> None:
        start = market.now()
        market.admin("orders/bulk", {"count": 25, "prefix": "PAGE", "state": "SHIPPED"})
        answer = market.call("OR11", ORDERS, params={"start_date": start, "max": 10})
        seen, total, links = answer.json()["orders"], answer.json()["total_count"], [answer.headers["link"]]
        while 'rel="next"' in links[-1]:
            market.advance(1)
            (url,) = re.findall(r'<([^>]+)>; rel="next"', links[-1])
            answer = market.call("OR11", url)
            seen += answer.json()["orders"]
            links.append(answer.headers["link"])
        assert [order["order_id"] for order in seen] == [f"PAGE-{number:06d}-A" for number in range(1, 26)]
        assert (total, len(links), 'rel="previous"' in links[0]) == (25, 3, False)
        assert 'rel="previous"' in links[1]
        assert market.violations() == []

    def test_ten_by_default_a_hundred_at_most(self, market: OrderMarket) -> None:
        start = market.now()
        market.admin("orders/bulk", {"count": 120, "prefix": "SIZE", "spread_seconds": 0})
        assert len(market.ids(start_date=start)) == 10
        assert len(market.ids(start_date=start, max=5000, order="asc")) == 100
        assert market.ids(start_date=start, max=1, order="desc") == ["SIZE-000120-A"]

    def test_creation_window_and_order(self, market: OrderMarket) -> None:
        old, new = market.place("A", created_ago_seconds=3_600), market.place("B")
        now = datetime.fromisoformat(market.now())
        hour_ago = (now - timedelta(seconds=3_660)).isoformat()
        assert market.ids(start_date=hour_ago) == [old, new]
        assert market.ids(start_date=hour_ago, end_date=(now - timedelta(seconds=60)).isoformat()) == [old]
        assert market.ids(order_ids=f"{new},{old}", start_date=(now - timedelta(seconds=60)).isoformat()) == [new]

    def test_update_window_begins_five_minutes_early(self, market: OrderMarket) -> None:
        market.advance(600)
        order_id = market.place("A")
        placed = datetime.fromisoformat(market.look(order_id)["last_updated_date"])
        assert market.ids(start_update_date=(placed + timedelta(seconds=299)).isoformat()) == [order_id]
        assert market.ids(start_update_date=(placed + timedelta(seconds=301)).isoformat()) == []
        window = {
            "start_update_date": placed.isoformat(),
            "end_update_date": (placed - timedelta(seconds=1)).isoformat(),
        }
        assert market.ids(**window) == []
        market.change(order_id, touch=True)
        moved = datetime.fromisoformat(market.look(order_id)["last_updated_date"])
        assert moved > placed
        assert market.ids(start_update_date=placed.isoformat(), end_update_date=placed.isoformat()) == []
        assert market.ids(start_update_date=placed.isoformat(), end_update_date=moved.isoformat()) == [order_id]

    def test_filters(self, market: OrderMarket) -> None:
        start = market.now()
        one = market.place("A", channel={"code": "FR", "label": "France"}, reference_for_customer="C-1")
        two = market.place("A", state="SHIPPING", payment_workflow="PAY_ON_ACCEPTANCE", fulfillment="OPERATOR")
        three = market.place("A", state="CANCELED", payment_workflow="PAY_ON_DELIVERY")
        market.change(three, state="CANCELED")

        def found(**parameters: Any) -> list[str]:
            return market.ids(start_date=start, **parameters)

        assert found(order_state_codes="SHIPPING,CANCELED") == [two, three]
        assert found(channel_codes="FR,DE") == [one]
        assert found(channel_codes="FR", only_null_channel="true") == [two, three]
        assert found(order_references_for_customer="C-0,C-1") == [one]
        assert found(customer_debited="true") == [two]
        assert found(payment_workflow="PAY_ON_DELIVERY") == [three]
        assert found(has_incident="true") == []
        assert found(fulfillment_center_code=["OPERATOR", "OTHER"]) == [two]
        assert market.ids(order_ids=f"{three},NOBODY,{one}") == [one, three]

    @pytest.mark.parametrize(
        "parameters",
        [
            {"order_ids": ",".join(f"N-{number}" for number in range(101))},
            {"order_references_for_seller": "A," * 101},
            {"order_state_codes": "WAITING_FOR_GODOT"},
            {"start_update_date": "yesterday"},
            {"end_date": "2026-03-02T08:14:51+01:00"},
            {"sort": "dateUpdated"},
            {"order": "up"},
            {"max": "0"},
            {"offset": "-1"},
            {"order_tax_mode": "NONE"},
            {"customer_debited": "yes"},
        ],
        ids=lambda parameters: next(iter(parameters)),
    )
    def test_bad_parameters_are_refused(self, market: OrderMarket, parameters: dict[str, str]) -> None:
        # The plus sign of an offset that is not encoded arrives as a blank.
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        assert market.call("OR11", f"{ORDERS}?{query}").status_code == 400

    def test_a_hundred_ids_are_no_more_than_a_hundred(self, market: OrderMarket) -> None:
        ids = ",".join(f"N-{number}" for number in range(100))
        assert market.call("OR11", ORDERS, params={"order_ids": ids}).json() == {"orders": [], "total_count": 0}

    def test_ceilings_of_pass_page_and_read(self, market: OrderMarket) -> None:
        def status(**parameters: Any) -> int:
            return market.call("OR11", ORDERS, params=parameters).status_code

        window = {"start_update_date": "2026-03-02T08:00:00Z", "end_update_date": "2026-03-02T09:00:00Z", "max": 100}
        assert status(**window) == 200
        assert (status(order_ids="A"), status(**window, offset=100)) == (200, 200)
        market.advance(1)
        assert status(**window, offset=0) == 200
        market.admin("calls", method="DELETE")
        # A window that moves is a new pass, whatever its offset.
        assert status(**{**window, "end_update_date": "2026-03-02T09:00:01Z"}, offset=200) == 429
        (violation,) = market.violations()
        assert (violation["code"], violation["ceiling"]) == ("OR11", "1/60 s")


class TestAcceptance:
    def test_accepted_debited_and_released(self, market: OrderMarket) -> None:
        order_id = market.place("A", "B")
        lines = [f"{order_id}-1", f"{order_id}-2"]
        body = {"order_lines": [{"id": line, "accepted": True} for line in lines]}
        market.advance(60)
        sent = datetime.fromisoformat(market.now())
        answer = market.call("OR21", f"{ORDERS}/{order_id}/accept", json=body, headers={"X-Effect-Id": "e-21"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert market.state(order_id) == "WAITING_ACCEPTANCE"
        market.advance(1)
        order = market.look(order_id)
        assert (order["order_state"], order["can_cancel"]) == ("WAITING_DEBIT", True)
        decided = datetime.fromisoformat(order["acceptance_decision_date"])
        assert abs((decided - sent).total_seconds()) < 1
        (entry,) = market.entries("OR21", order_id)
        assert (entry["accepted"], entry["refused"], entry["effect"]) == (lines, [], "e-21")
        market.advance(1)
        order = market.look(order_id)
        assert (order["order_state"], order["customer_debited_date"]) == ("WAITING_DEBIT_PAYMENT", None)
        assert order["customer"]["shipping_address"] is None
        market.advance(60)
        order = market.look(order_id)
        assert (order["order_state"], order["can_shop_ship"], order["can_cancel"]) == ("SHIPPING", True, False)
        assert {line["order_line_state"] for line in order["order_lines"]} == {"SHIPPING"}
        assert order["customer_debited_date"] == order["order_lines"][0]["debited_date"]
        debited = datetime.fromisoformat(order["customer_debited_date"])
        assert (debited - decided).total_seconds() == pytest.approx(61, abs=0.01)
        assert order["customer"]["shipping_address"]["country_iso_code"] == "FRA"
        assert order["customer"]["billing_address"]["city"] == "Lyon"

    def test_part_of_an_order(self, market: OrderMarket) -> None:
        order_id = market.place("A", "B")
        assert market.decide(order_id, {f"{order_id}-1": True, f"{order_id}-2": False}) == 204
        assert market.quantities() == {"A": 9, "B": 0}
        market.advance(62)
        order = market.look(order_id)
        states = [(line["order_line_state"], line["order_line_state_reason_code"]) for line in order["order_lines"]]
        assert (order["order_state"], states) == ("SHIPPING", [("SHIPPING", None), ("REFUSED", "REFUSED")])
        assert order["order_lines"][1]["debited_date"] is None

    def test_whole_order_refused(self, market: OrderMarket) -> None:
        market.admin("shop", {"orders": {"zero_on_refusal": False}})
        order_id = market.place("A")
        assert market.decide(order_id, {f"{order_id}-1": False}) == 204
        order = market.look(order_id)
        assert (order["order_state"], order["acceptance_decision_date"] is None) == ("REFUSED", False)
        assert market.quantities()["A"] == 9

    def test_nobody_decides(self, market: OrderMarket) -> None:
        order_id = market.place("A", created_ago_seconds=3 * DAY_SECONDS - 120)
        market.advance(119)
        assert market.state(order_id) == "WAITING_ACCEPTANCE"
        market.advance(1)
        order = market.look(order_id)
        assert (order["order_state"], order["order_state_reason_code"]) == ("REFUSED", "ACCEPTANCE_TIMEOUT")
        assert (order["acceptance_decision_date"], order["can_cancel"]) == (None, False)
        assert market.quantities()["A"] == 0
        assert market.accept(order_id) == 400
        assert len(market.entries("LAPSED", order_id)) == 1

    def test_accepted_in_the_last_moment_it_does_not_lapse(self, market: OrderMarket) -> None:
        order_id = market.place("A", created_ago_seconds=3 * DAY_SECONDS - 10)
        market.advance(9.5)
        assert market.accept(order_id) == 204
        market.advance(3_600)
        assert market.state(order_id) == "SHIPPING"

    @pytest.mark.parametrize(
        ("lines", "code"),
        [
            ([{"id": "1", "accepted": True}], "ORDER_LINE_ACCEPTANCE_DECISION_MISSING"),
            ([{"id": "1", "accepted": True}] * 2, "ORDER_LINE_DUPLICATE_ID"),
            ([{"id": n, "accepted": True} for n in ("1", "2", "3")], "ORDER_LINE_NOT_FOUND"),
            ([{"id": "1", "accepted": True}, None], "ORDER_LINE_NULL_ELEMENT"),
            ([{"id": "1", "accepted": True}, {"id": "2", "accepted": False}], "ORDER_PARTIAL_ACCEPTANCE_DISABLED"),
            ([{"id": "1", "accepted": "yes"}], "VALIDATION_ERROR"),
            (None, "VALIDATION_ERROR"),
        ],
    )
    def test_refused_decisions_name_their_code(self, market: OrderMarket, lines: Any, code: str) -> None:
        market.admin("shop", {"orders": {"partial_acceptance": False}})
        named = [{"sku": "A", "order_line_id": "1"}, {"sku": "B", "order_line_id": "2"}]
        order_id = market.place(lines=named)
        answer = market.call("OR21", f"{ORDERS}/{order_id}/accept", json={"order_lines": lines})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
        assert code in answer.json()["message"]
        market.advance(10)
        assert market.state(order_id) == "WAITING_ACCEPTANCE"
        assert market.entries("OR21", order_id) == []

    def test_a_repeat_is_refused_at_once_and_later(self, market: OrderMarket) -> None:
        order_id = market.place("A")
        path, body = f"{ORDERS}/{order_id}/accept", {"order_lines": [{"id": f"{order_id}-1", "accepted": True}]}
        answers = [market.call("OR21", path, json=body) for _ in range(2)]
        market.advance(120)
        answers.append(market.call("OR21", path, json=body))
        assert [answer.status_code for answer in answers] == [204, 400, 400]
        assert {answer.json()["errors"][0]["code"] for answer in answers[1:]} == {"ORDER_INVALID_STATE"}
        assert len(market.entries("OR21", order_id)) == 1

    def test_unknown_order(self, market: OrderMarket) -> None:
        answer = market.call("OR21", f"{ORDERS}/NOBODY-A/accept", json={"order_lines": []})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "ORDER_NOT_FOUND")

    def test_orders_the_operator_fulfils_are_not_ours(self, market: OrderMarket) -> None:
        order_id = market.place("A", fulfillment="OPERATOR")
        assert market.state(order_id) == "SHIPPING"
        body = {"order_lines": [{"id": f"{order_id}-1", "accepted": True}]}
        answer = market.call("OR21", f"{ORDERS}/{order_id}/accept", json=body)
        assert answer.json()["errors"][0]["code"] == "ORDER_FULFILLED_UNAUTHORIZED"

    def test_an_answer_lost_after_the_decision(self, market: OrderMarket) -> None:
        order_id = market.place("A")
        market.faults({"code": "OR21", "kind": "status_after", "status": 500})
        body = {"order_lines": [{"id": f"{order_id}-1", "accepted": True}]}
        assert market.call("OR21", f"{ORDERS}/{order_id}/accept", json=body).status_code == 500
        market.advance(1)
        assert market.state(order_id) == "WAITING_DEBIT"


class TestWaysOfAnOrder:
    @pytest.mark.parametrize(
        "workflow", ["PAY_ON_SHIPMENT", "PAY_ON_DUE_DATE", "PAY_ON_DELIVERY", "NO_CUSTOMER_PAYMENT_CONFIRMATION"]
    )
    def test_other_workflows_are_released_by_the_acceptance(self, market: OrderMarket, workflow: str) -> None:
        order_id = market.place("A", payment_workflow=workflow)
        market.accept(order_id)
        order = market.look(order_id)
        assert (order["order_state"], order["customer_debited_date"]) == ("SHIPPING", None)
        assert (order["can_cancel"], order["can_shop_ship"]) == (True, True)

    def test_automatic_acceptance_has_no_decision_date(self, market: OrderMarket) -> None:
        of_the_order = market.place("A", acceptance="automatic")
        features = {"order_workflows": {"order_acceptance": "AUTOMATIC"}}
        market.admin("shop", {"configuration": {"features": features}})
        of_the_market = market.place("A", payment_workflow="PAY_ON_SHIPMENT")
        assert market.state(of_the_order) == "WAITING_DEBIT"
        assert market.look(of_the_market)["acceptance_decision_date"] is None
        assert market.state(of_the_market) == "SHIPPING"

    def test_staging_comes_first(self, market: OrderMarket) -> None:
        order_id = market.place("A", staging_seconds=100)
        assert (market.state(order_id), market.accept(order_id)) == ("STAGING", 400)
        market.advance(100)
        assert market.state(order_id) == "WAITING_ACCEPTANCE"

    @pytest.mark.parametrize(
        ("debit", "way"),
        [
            ({"seconds": 600}, [(599, "WAITING_DEBIT_PAYMENT"), (2, "SHIPPING")]),
            ({"seconds": 600, "refused": True}, [(599, "WAITING_DEBIT_PAYMENT"), (2, "CANCELED")]),
            (None, [(72 * 3_600 - 60, "WAITING_DEBIT_PAYMENT"), (60, "CANCELED")]),
            ({"seconds": None}, [(72 * 3_600, "CANCELED")]),
            ({"seconds": 0}, [(1, "SHIPPING")]),
        ],
    )
    def test_debit(self, market: OrderMarket, debit: Any, way: list[tuple[float, str]]) -> None:
        order_id = market.place("A", debit=debit)
        market.accept(order_id)
        for seconds, state in way:
            market.advance(seconds)
            assert market.state(order_id) == state

    def test_addresses_by_the_markets_switch_or_the_orders_own_time(self, market: OrderMarket) -> None:
        late, plain = market.place("A", address_seconds=300), market.place("A")

        def has_address(order_id: str) -> bool:
            return market.look(order_id)["customer"]["shipping_address"] is not None

        switch = {"order_workflows": {"shipping_and_billing_details_before_acceptance": True}}
        market.admin("shop", {"configuration": {"features": switch}})
        assert (has_address(late), has_address(plain)) == (False, True)
        market.accept(late)
        market.advance(100)
        before = market.look(late)
        assert (before["order_state"], has_address(late)) == ("SHIPPING", False)
        market.advance(200)
        assert has_address(late)
        assert market.look(late)["last_updated_date"] > before["last_updated_date"]

    def test_cancelled_by_the_seller_before_the_debit_only(self, market: OrderMarket) -> None:
        waiting, paid = market.place("A"), market.place("A", state="SHIPPING")

        def or29(order_id: str) -> int:
            return market.call("OR29", f"{ORDERS}/{order_id}/cancel").status_code

        assert [or29(waiting), or29(waiting), or29(paid), or29("NOBODY")] == [204, 400, 400, 404]
        assert (market.state(waiting), market.state(paid)) == ("CANCELED", "SHIPPING")
        assert len(market.entries("OR29", waiting)) == 1

    def test_a_buyer_cancels_while_the_decision_is_under_way(self, market: OrderMarket) -> None:
        order_id = market.place("A")
        body = {"order_lines": [{"id": f"{order_id}-1", "accepted": True}]}
        assert market.call("OR21", f"{ORDERS}/{order_id}/accept", json=body).status_code == 204
        market.change(order_id, cancel=True)
        market.advance(600)
        assert market.state(order_id) == "CANCELED"
        assert market.entries("OR21", order_id) == []

    def test_others_change_an_order(self, market: OrderMarket) -> None:
        accepted, refused, odd = market.place("A"), market.place("A"), market.place("A", state="SHIPPING")
        market.change(accepted, accept=True)
        assert market.look(accepted)["acceptance_decision_date"] is not None
        assert market.accept(accepted) == 400
        market.accept(refused)
        market.change(refused, refuse_debit=True)
        assert market.state(refused) == "CANCELED"
        market.change(odd, line_state={f"{odd}-1": "INCIDENT_OPEN"}, address={"city": "Nice"})
        order = market.look(odd)
        assert order["order_lines"][0]["order_line_state"] == "INCIDENT_OPEN"
        assert (order["order_state"], order["customer"]["shipping_address"]["city"]) == ("SHIPPING", "Nice")
        market.change(odd, state="CLOSED", anonymise=True)
        order = market.look(odd)
        assert (order["order_state"], order["customer_notification_email"]) == ("CLOSED", None)
        assert (order["customer"]["lastname"], order["customer"]["shipping_address"]) == ("Anonymous", None)
        refusals = ({"fly": True}, {"accept": True}, {"refuse_debit": True})
        for members in refusals:
            answer = market.http.post("/_sandbox/orders/change", json={"order_id": odd, **members})
            assert answer.status_code == 400

    def test_the_admins_list(self, market: OrderMarket) -> None:
        order_id = market.place(lines=[{"sku": "A", "quantity": 2, "shipping_price": 3}])
        shown = market.admin("orders?state=WAITING_ACCEPTANCE")["orders"]
        assert list(shown) == [order_id]
        assert shown[order_id]["lines"] == {f"{order_id}-1": {"state": "WAITING_ACCEPTANCE", "sku": "A", "quantity": 2}}
        assert (shown[order_id]["total"], shown[order_id]["accepted_at"]) == (122.8, None)


class TestReferences:
    def put(self, market: OrderMarket, *orders: dict[str, Any]) -> list[dict[str, Any]]:
        body = {"orders": list(orders)}
        API.request("OR04").validate(body)
        answer = market.call("OR04", ORDERS, json=body)
        assert answer.status_code == 200
        updated: list[dict[str, Any]] = answer.json()["updated_orders"]
        return updated

    def test_stored_cleared_and_refused_one_by_one(self, market: OrderMarket) -> None:
        order_id = market.place("A")
        before = market.look(order_id)
        known = {"order_id": order_id, "references": {"order_reference_for_seller": "100482"}}
        done, failed = self.put(market, known, {"order_id": "NOBODY", "references": {}})
        assert done == {
            "order_id": order_id,
            "updated": {"references": {"order_reference_for_seller": "100482"}},
            "errors": [],
        }
        assert (failed["updated"], failed["errors"][0]["code"]) == (None, "ORDER_NOT_FOUND")
        after = market.look(order_id)
        assert after["references"]["order_reference_for_seller"] == "100482"
        assert after["last_updated_date"] > before["last_updated_date"]
        assert market.ids(order_references_for_seller="100482") == [order_id]
        self.put(market, {"order_id": order_id, "references": {"order_reference_for_seller": None}})
        assert market.look(order_id)["references"]["order_reference_for_seller"] is None
        assert [entry["reference"] for entry in market.entries("OR04", order_id)] == ["100482", None]

    def test_batches_and_lengths(self, market: OrderMarket) -> None:
        order_id = market.place("A")
        for orders in ([], [{"order_id": order_id}] * 101, ["text"]):
            assert market.call("OR04", ORDERS, json={"orders": orders}).status_code == 400
            market.advance(60)
        long = {"order_id": order_id, "references": {"order_reference_for_seller": "x" * 2001}}
        answer = market.call("OR04", ORDERS, json={"orders": [long]})
        assert answer.json()["updated_orders"][0]["errors"][0]["code"] == "VALIDATION_ERROR"
        assert market.call("OR04", ORDERS, json={"orders": [long]}).status_code == 429


class TestExport:
    def export(self, market: OrderMarket, **members: Any) -> list[list[dict[str, Any]]]:
        """OR13 to OR15: the orders, file by file."""
        API.request("OR13").validate(members)
        started = market.call("OR13", API.path("OR13"), json=members)
        assert started.status_code == 200, started.text
        market.advance(4)
        path = API.path("OR14").format(tracking_id=started.json()["tracking_id"])
        done = market.call("OR14", path).json()
        assert done["status"] == "COMPLETED"
        return [market.call("OR15", url).json()["orders"] for url in done["urls"]]

    def test_life_of_an_export(self, market: OrderMarket) -> None:
        start = market.now()
        order_id = market.place("A")
        market.advance(1)
        window = {"start_update_date": start, "end_update_date": market.now()}
        started = market.call("OR13", API.path("OR13"), json=window).json()
        path = API.path("OR14").format(tracking_id=started["tracking_id"])
        assert market.call("OR14", path).json()["status"] == "PENDING"
        market.advance(3)
        (url,) = market.call("OR14", path).json()["urls"]
        (order,) = market.call("OR15", url).json()["orders"]
        assert (order["order_id"], order["order_state"]) == (order_id, "WAITING_ACCEPTANCE")
        assert market.http.get(url).status_code == 410
        assert market.http.get(f"{market.url}/exports/orders/none").status_code == 404
        assert market.call("OR14", API.path("OR14").format(tracking_id="none")).status_code == 429
        market.advance(2)
        assert market.call("OR14", API.path("OR14").format(tracking_id="none")).status_code == 404

    def test_files_filters_and_an_empty_one(self, markets: dict[str, OrderMarket]) -> None:
        market = markets["small-files"]
        start = market.now()
        kept = [market.place("A", channel={"code": "FR", "label": "France"}) for _ in range(3)]
        market.place("A")
        market.place("A", state="CLOSED", channel={"code": "FR", "label": "France"})
        window = {"start_date": start, "end_date": market.now()}
        wanted = {"order_state_codes": ["WAITING_ACCEPTANCE"], "channel_codes": ["FR"]}
        files = self.export(market, **window, **wanted, order_tax_mode="TAX_EXCLUDED", items_per_chunk=10_000)
        assert [[order["order_id"] for order in file] for file in files] == [kept[:2], kept[2:]]
        assert files[0][0]["order_tax_mode"] == "TAX_EXCLUDED"
        market.advance(DAY_SECONDS)
        assert self.export(market, start_date="2020-01-01T00:00:00Z", end_date="2020-01-02T00:00:00Z") == [[]]

    def test_a_window_of_creation_is_a_full_export(self, market: OrderMarket) -> None:
        updates = {"start_update_date": "2026-01-01T00:00:00Z", "end_update_date": "2026-01-02T00:00:00Z"}
        creation = {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-02T00:00:00Z"}
        path = API.path("OR13")

        def status(body: dict[str, str]) -> int:
            market.advance(300)
            market.admin("calls", method="DELETE")
            return market.call("OR13", path, json=body).status_code

        assert [status(updates), status(creation), status(updates), status(creation)] == [200, 200, 200, 429]
        (violation,) = market.violations()
        assert violation["ceiling"] == "1/86400 s"

    def test_one_at_a_time(self, market: OrderMarket) -> None:
        updates = {"start_update_date": "2026-01-01T00:00:00Z", "end_update_date": "2026-01-02T00:00:00Z"}
        creation = {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-02T00:00:00Z"}
        answers = [market.call("OR13", API.path("OR13"), json=body) for body in (updates, creation)]
        assert [answer.status_code for answer in answers] == [200, 400]

    @pytest.mark.parametrize(
        "members",
        [
            {},
            {"start_date": "2026-01-01T00:00:00Z"},
            {"start_update_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-02T00:00:00Z"},
            {"start_date": "then", "end_date": "now"},
            {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-02T00:00:00Z", "items_per_chunk": 10},
            {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-02T00:00:00Z", "order_state_codes": ["X"]},
        ],
    )
    def test_bad_requests_are_refused(self, market: OrderMarket, members: dict[str, Any]) -> None:
        assert market.call("OR13", API.path("OR13"), json=members).status_code == 400

    def test_faults(self, market: OrderMarket) -> None:
        market.faults(
            {"code": "OR13", "kind": "export_failed"},
            {"code": "OR14", "kind": "new_enum", "after": 1},
            {"code": "OR14", "kind": "foreign_url", "body": "https://elsewhere.example/o.json"},
        )
        updates = {"start_update_date": "2026-01-01T00:00:00Z", "end_update_date": "2026-01-02T00:00:00Z"}

        def status_of(tracking_id: str) -> dict[str, Any]:
            market.advance(4)
            found: dict[str, Any] = market.http.get(API.path("OR14").format(tracking_id=tracking_id)).json()
            return found

        failed = market.call("OR13", API.path("OR13"), json=updates).json()["tracking_id"]
        assert [status_of(failed)["status"] for _ in range(2)] == ["FAILED", "QUEUED"]
        market.advance(300)
        done = market.call("OR13", API.path("OR13"), json=updates).json()["tracking_id"]
        assert status_of(done)["urls"] == ["https://elsewhere.example/o.json"]


class TestFaultsOfTheList:
    def test_offsets_shift_after_the_page_is_answered(self, market: OrderMarket) -> None:
        start = market.now()
        ids = [market.place("A") for _ in range(6)]
        market.faults({"code": "OR11", "kind": "shift", "first": 2})
        window = {"start_date": start, "order_state_codes": "WAITING_ACCEPTANCE", "max": 3}
        assert market.ids(**window) == ids[:3]
        market.advance(1)
        second = market.call("OR11", ORDERS, params={**window, "offset": 3}).json()
        # Two left, so that two of those behind were never on a page.
        assert ([order["order_id"] for order in second["orders"]], second["total_count"]) == ([ids[5]], 4)
        assert [market.state(order_id) for order_id in ids[:3]] == ["CANCELED", "CANCELED", "WAITING_ACCEPTANCE"]

    def test_orders_named_to_shift_may_only_be_touched(self, market: OrderMarket) -> None:
        order_id = market.place("A")
        before = market.look(order_id)
        market.faults({"code": "OR11", "kind": "shift", "ids": [order_id], "state": None})
        answered = market.look(order_id)
        after = market.look(order_id)
        assert answered == before
        assert after["last_updated_date"] > before["last_updated_date"]
        assert after["order_state"] == "WAITING_ACCEPTANCE"

    def test_a_state_nobody_knows_and_a_missing_member(self, market: OrderMarket) -> None:
        first, second = market.place("A", state="SHIPPING"), market.place("A")
        market.faults(
            {"code": "OR11", "kind": "unknown_state", "ids": [first], "value": "ON_HOLIDAY"},
            {"code": "OR11", "kind": "drop_member", "ids": [first], "member": "order_lines.0.offer_sku"},
            {"code": "OR11", "kind": "drop_member", "ids": [first], "member": "customer.shipping_address.city"},
        )

        def look(order_id: str) -> dict[str, Any]:
            market.advance(1)
            (order,) = market.http.get(ORDERS, params={"order_ids": order_id}).json()["orders"]
            assert isinstance(order, dict)
            return order

        assert look(second)["order_state"] == "WAITING_ACCEPTANCE"
        spoilt = look(first)
        assert (spoilt["order_state"], "offer_sku" in spoilt["order_lines"][0]) == ("ON_HOLIDAY", False)
        assert "city" not in look(first)["customer"]["shipping_address"]
        whole = market.look(first)
        assert (whole["order_state"], whole["customer"]["shipping_address"]["city"]) == ("SHIPPING", "Lyon")
