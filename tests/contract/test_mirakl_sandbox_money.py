"""The marketplace's money against Mirakl's own document: the transaction log, cycles, documents, and what is planted.

One sandbox process for the module; each test begins a week later by the sandbox clock, with no line left unpaid, and
looks at what changed since. Every answer is checked against the document, also without its optional members.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.contract.reference import mirakl_openapi, reference_file
from tests.contract.test_mirakl_sandbox import KEY, SHOP_ID, sandbox
from tests.contract.test_mirakl_sandbox_after import AfterMarket
from tests.contract.test_mirakl_sandbox_orders import DAY_SECONDS

API = mirakl_openapi()
RULES: dict[str, Any] = {
    "taxes_apart": False,
    "operator_remits_taxes": False,
    "payable_state": "RECEIVED",
    "cycle_seconds": None,
    "payout_seconds": None,
    "subscription": 0,
    "reserve_percent": 0,
}
VAT = {"code": "VAT", "amount": 20, "rate": 20.0}
LOCAL = {"code": "LOCAL", "amount": 1, "rate": 1.0}
TAXED = {
    "sku": "A",
    "price_unit": 100,
    "shipping_price": 10,
    "taxes": [VAT, LOCAL],
    "shipping_taxes": [{**VAT, "amount": 2}],
}


class MoneyMarket(AfterMarket):
    """With the calls for money. `since`: when the test began."""

    since = ""

    def plant(self, what: str, **members: Any) -> Any:
        return self.admin(f"money/{what}", members)

    def lines(self, **parameters: Any) -> list[dict[str, Any]]:
        """The lines that changed since the test began, oldest first, or those that are asked for."""
        asked = {"last_updated_from": self.since, "sort": "lastUpdated,ASC", "limit": 100, **parameters}
        self.advance(60)
        rows: list[dict[str, Any]] = self.pages("TL02", **asked)
        return rows

    def amounts(self, **parameters: Any) -> dict[str, float]:
        found: Counter[str] = Counter()
        for row in self.lines(**parameters):
            found[row["type"]] += round(row["amount"] * 100)
        return {type_: cents / 100 for type_, cents in found.items()}

    def states(self, **parameters: Any) -> set[str]:
        return {row["payment_state"] for row in self.lines(**parameters)}

    def received(self, order_id: str) -> str:
        self.change(order_id, state="RECEIVED")
        return order_id

    def close(self) -> dict[str, Any]:
        """The cycle that is closed now, as SBC11 shows it."""
        (cycle_id,) = self.plant("cycles", close=True)["cycles"]
        return self.cycle(cycle_id)

    def cycle(self, cycle_id: str) -> dict[str, Any]:
        self.advance(DAY_SECONDS)
        (cycle,) = self.pages("SBC11", id=cycle_id)
        assert isinstance(cycle, dict)
        return cycle

    def documents(self, **parameters: Any) -> list[dict[str, Any]]:
        self.advance(DAY_SECONDS)
        answer = self.call("IV01", API.path("IV01"), params={"start_date": self.since, **parameters})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["invoices"]
        return found

    def export(self, **members: Any) -> list[httpx.Response]:
        """TL03 to TL05: the files."""
        API.request("TL03").validate(members)
        self.advance(DAY_SECONDS)
        started = self.call("TL03", API.path("TL03"), json=members)
        assert started.status_code == 200, started.text
        state = self.exported_state(started.json()["tracking_id"])
        assert state["status"] == "COMPLETED"
        return [self.call("TL05", url) for url in state["urls"]]

    def exported_state(self, tracking_id: str) -> dict[str, Any]:
        self.advance(10)
        found: dict[str, Any] = self.call("TL04", API.path("TL04").format(tracking_id=tracking_id)).json()
        return found


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    plain: dict[str, Any] = {"port": 0, "key": KEY, "shop_id": SHOP_ID, "currency": "EUR"}
    orders = {"receive_seconds": None, "close_seconds": None, "refund_seconds": 120}
    shops = [
        {"id": "plain", "money": RULES, "orders": orders, **plain},
        {"id": "small-files", "export_chunk": 4, "money": RULES, "orders": orders, **plain},
        {"id": "new-types", "money": RULES, **plain},
    ]
    with sandbox({"mirakl": shops}) as announced:
        yield announced["mirakl"]


@pytest.fixture
def markets(addresses: dict[str, str]) -> Iterator[dict[str, MoneyMarket]]:
    opened = {name: MoneyMarket(url) for name, url in addresses.items()}
    opened["plain"].advance(7 * DAY_SECONDS)
    for market in opened.values():
        market.admin("faults", method="DELETE")
        market.admin("calls", method="DELETE")
        market.admin("keys", {"valid": [KEY], "accountancy": []})
        market.plant("rules", **RULES)
        # Enough to pay what an earlier test left owing: then nothing is left.
        market.plant("documents", type="MANUAL_CREDIT", amount=1_000)
        market.plant("cycles", close=True)
        market.plant("pay-outs")
        market.seed(A=100, B=100)
        market.since = market.now()
        market.advance(1)
    yield opened
    for market in opened.values():
        market.http.close()


@pytest.fixture
def market(markets: dict[str, MoneyMarket]) -> MoneyMarket:
    return markets["plain"]


@pytest.fixture
def small(markets: dict[str, MoneyMarket]) -> MoneyMarket:
    """Four lines in a file."""
    return markets["small-files"]


class TestOrderLives:
    def test_taxes_have_lines_of_their_own_where_prices_are_without(self, market: MoneyMarket) -> None:
        order_id = market.shipping(lines=[{**TAXED, "fees": [{"code": "GIFT", "amount": 3}]}], tax_mode="TAX_EXCLUDED")
        rows = market.lines(order_id=order_id)
        assert [(row["type"], row["amount"]) for row in sorted(rows, key=lambda row: -row["amount"])] == [
            ("ORDER_AMOUNT", 100),
            ("ORDER_AMOUNT_TAX", 20),
            ("ORDER_SHIPPING_AMOUNT", 10),
            ("ORDER_FEE_AMOUNT", 3),
            ("ORDER_SHIPPING_AMOUNT_TAX", 2),
            ("ORDER_AMOUNT_TAX", 1),
            ("COMMISSION_VAT", -4.13),
            ("COMMISSION_FEE", -16.5),
        ]
        taxes = {row["amount"]: row["entities"]["order_tax"] for row in rows if row["type"] == "ORDER_AMOUNT_TAX"}
        assert taxes == {20: {"code": "VAT", "rate": 20.0}, 1: {"code": "LOCAL", "rate": 1.0}}
        assert {row["entities"]["order_line"]["id"] for row in rows} == {f"{order_id}-1"}
        assert {(row["payment_state"], row["seller_billing_cycle_id"]) for row in rows} == {("PENDING", None)}
        (fee,) = (row["entities"]["order_fee"] for row in rows if row["type"] == "ORDER_FEE_AMOUNT")
        assert fee == {"code": "GIFT"}

    @pytest.mark.parametrize("mode", ["TAX_INCLUDED", "TAX_EXCLUDED"])
    def test_the_order_shows_the_commission_that_is_charged(self, market: MoneyMarket, mode: str) -> None:
        order_id = market.shipping(lines=[TAXED], tax_mode=mode)
        line, amounts = market.line(order_id), market.amounts(order_id=order_id)
        assert amounts["COMMISSION_FEE"] == -line["commission_fee"]
        assert amounts["COMMISSION_VAT"] == -line["commission_taxes"][0]["amount"]

    def test_taxes_within_prices_have_none_unless_the_operator_says_so(self, market: MoneyMarket) -> None:
        charged = {"COMMISSION_FEE": -16.5, "COMMISSION_VAT": -4.13}
        order_id = market.shipping(lines=[TAXED], tax_mode="TAX_INCLUDED")
        assert market.amounts(order_id=order_id) == {"ORDER_AMOUNT": 100, "ORDER_SHIPPING_AMOUNT": 10, **charged}
        market.plant("rules", taxes_apart=True)
        apart = market.shipping(lines=[TAXED], tax_mode="TAX_INCLUDED")
        assert market.amounts(order_id=apart) == {
            "ORDER_AMOUNT": 79,
            "ORDER_AMOUNT_TAX": 21,
            "ORDER_SHIPPING_AMOUNT": 8,
            "ORDER_SHIPPING_AMOUNT_TAX": 2,
            **charged,
        }

    def test_taxes_that_the_operator_remits_are_taken_back(self, market: MoneyMarket) -> None:
        market.plant("rules", operator_remits_taxes=True)
        order_id = market.received(market.shipping(lines=[TAXED], tax_mode="TAX_EXCLUDED"))
        market.refunded(market.refund(order_id, 100), order_tax_mode="TAX_EXCLUDED")
        market.advance(120)
        amounts = market.amounts(order_id=order_id)
        assert amounts["OPERATOR_REMITTED_ORDER_AMOUNT_TAX"] == -amounts["ORDER_AMOUNT_TAX"] == -21
        assert amounts["OPERATOR_REMITTED_ORDER_SHIPPING_AMOUNT_TAX"] == -2
        assert amounts["OPERATOR_REMITTED_REFUND_ORDER_AMOUNT_TAX"] == -amounts["REFUND_ORDER_AMOUNT_TAX"] == 21

    def test_a_line_moves_with_its_order_its_cycle_and_its_pay_out(self, market: MoneyMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "price_unit": 100}])
        seen = {row["last_updated"] for row in market.lines(order_id=order_id)}
        market.received(order_id)
        payable = market.lines(order_id=order_id, payment_state="PAYABLE")
        seen |= {row["last_updated"] for row in payable}
        cycle = market.close()
        taken = market.lines(order_id=order_id, seller_billing_cycle_id=cycle["id"])
        seen |= {row["last_updated"] for row in taken}
        assert {row["payment_state"] for row in taken} == {"PAYABLE"}
        market.plant("pay-outs", id=cycle["id"])
        paid = market.lines(order_id=order_id)
        seen |= {row["last_updated"] for row in paid}
        assert {row["payment_state"] for row in paid} == {"PAID"}
        assert len(seen) == 4
        assert len({row["date_created"] for row in paid}) == 1
        (payment,) = market.lines(transaction_type="PAYMENT")
        assert (payment["amount"], payment["seller_billing_cycle_id"]) == (-81.25, cycle["id"])
        again = market.cycle(cycle["id"])
        assert again["pay_out"] == {
            "failure_reason": None,
            "reference": payment["entities"]["transaction_info"]["number"],
            "state": "PAID",
            "transaction_date": payment["entities"]["transaction_info"]["date"],
        }

    def test_a_refund_is_in_a_later_cycle(self, market: MoneyMarket) -> None:
        order_id = market.received(
            market.shipping(lines=[{"sku": "A", "price_unit": 100}, {"sku": "B", "price_unit": 50}])
        )
        first = market.close()
        (made,) = market.refunded(market.refund(order_id, 40))
        assert "REFUND_ORDER_AMOUNT" not in market.amounts(order_id=order_id)
        market.advance(120)
        market.received(market.shipping(lines=[{"sku": "A", "price_unit": 60}]))
        second = market.close()
        rows = market.lines(order_id=order_id, seller_billing_cycle_id=second["id"])
        assert {row["type"]: row["amount"] for row in rows} == {
            "REFUND_ORDER_AMOUNT": -40,
            "REFUND_COMMISSION_FEE": 6,
            "REFUND_COMMISSION_VAT": 1.5,
        }
        assert {row["entities"]["refund"]["id"] for row in rows} == {made["refund_id"]}
        refund = market.line(order_id)["refunds"][0]
        assert (refund["commission_amount"], refund["commission_taxes"][0]["amount"]) == (6, 1.5)
        assert first["amount_transferred_to_seller"] == 150 - 28.13
        assert second["amount_transferred_to_seller"] == 60 - 11.25 - 40 + 7.5

    def test_what_was_never_debited_is_not_there(self, market: MoneyMarket) -> None:
        cancelled = market.shipping("A", payment_workflow="PAY_ON_SHIPMENT")
        market.send("OR29", order_id=cancelled)
        refused = market.place("A", "B")
        market.decide(refused, {f"{refused}-1": False, f"{refused}-2": True})
        market.advance(120)
        assert market.lines(order_id=cancelled) == []
        assert {row["entities"]["order_line"]["id"] for row in market.lines(order_id=refused)} == {f"{refused}-2"}


class TestPlanted:
    def test_penalties_and_fees_name_their_order(self, market: MoneyMarket) -> None:
        order_id = market.received(market.shipping("A"))
        market.plant("lines", type="SELLER_PENALTY_FEE", amount=-10, tax=-2.5, order_id=order_id)
        market.plant("lines", type="SELLER_FEE_ON_ORDER", amount=-1, tax=-0.25, order_id=order_id)
        amounts = market.amounts(order_id=order_id)
        assert (amounts["SELLER_PENALTY_FEE"], amounts["SELLER_PENALTY_FEE_TAX"]) == (-10, -2.5)
        assert (amounts["SELLER_FEE_ON_ORDER"], amounts["SELLER_FEE_ON_ORDER_TAX"]) == (-1, -0.25)
        summary = market.close()["summary"]
        assert summary["total_seller_penalty_fees_incl_tax"] == -12.5
        assert summary["total_seller_fees_on_orders_excl_tax"] == -1

    def test_manual_documents_are_lines_and_documents(self, market: MoneyMarket) -> None:
        market.received(market.shipping("A"))
        credit = market.plant("documents", type="MANUAL_CREDIT", amount=29.95, description="Lost parcel")
        market.plant("documents", type="MANUAL_INVOICE", amount=8, tax=2, description="Photographs")
        rows = market.lines(accounting_document_number=credit["number"])
        assert [(row["type"], row["amount"]) for row in rows] == [("MANUAL_CREDIT", 29.95)]
        assert rows[0]["entities"]["manual_accounting_document"] == {"number": credit["number"]}
        assert market.lines(accounting_document_id=rows[0]["accounting_document_id"]) == rows
        assert [document["payment"]["state"] for document in market.documents(type="MANUAL_CREDIT")] == ["PENDING"]
        cycle = market.close()
        market.plant("pay-outs", id=cycle["id"])
        known = {document["type"]: document for document in market.documents(type="ALL")}
        assert known.keys() == {"MANUAL_CREDIT", "MANUAL_INVOICE", "AUTO_INVOICE"}
        bill = known["MANUAL_INVOICE"]
        assert (bill["total_amount_excl_taxes"], bill["total_amount_incl_taxes"]) == (8, 10)
        assert (bill["details"][0]["description"], bill["payment"]["state"]) == ("Photographs", "PAID")
        assert (
            cycle["summary"]["total_other_credits_incl_tax"],
            cycle["summary"]["total_other_invoices_incl_tax"],
        ) == (
            29.95,
            -10,
        )

    def test_a_one_off_item(self, market: MoneyMarket) -> None:
        market.plant("lines", type="INVOICEABLE_ONE_OFF_DEBIT", amount=-5, tax=-1.25, description="Labels")
        rows = market.lines(other_reference="Labels")
        assert {row["type"]: row["amount"] for row in rows} == {
            "INVOICEABLE_ONE_OFF_DEBIT": -5,
            "INVOICEABLE_ONE_OFF_DEBIT_TAX": -1.25,
        }
        assert rows[0]["entities"]["one_off_item"]["description"] == "Labels"

    def test_a_wrong_commission_before_the_debit(self, market: MoneyMarket) -> None:
        line = {"sku": "A", "price_unit": 100, "commission_percent": 18}
        order_id = market.shipping(lines=[line])
        assert market.amounts(order_id=order_id)["COMMISSION_FEE"] == -18
        waiting = market.place(lines=[{"sku": "B", "price_unit": 100}])
        assert market.plant("commission", order_line_id=f"{waiting}-1", percent=12.5)["ids"] == []
        market.accept(waiting)
        market.advance(120)
        assert market.amounts(order_id=waiting)["COMMISSION_FEE"] == -12.5

    def test_a_commission_that_is_corrected(self, market: MoneyMarket) -> None:
        order_id = market.shipping(lines=[{"sku": "A", "price_unit": 100}])
        made = market.plant("commission", order_line_id=f"{order_id}-1", percent=18)["ids"]
        amounts = market.amounts(order_id=order_id)
        assert (amounts["COMMISSION_FEE"], amounts["COMMISSION_VAT"], len(made)) == (-18, -4.5, 2)
        assert market.line(order_id)["commission_fee"] == 18

    def test_a_pay_out_that_is_off(self, market: MoneyMarket) -> None:
        market.received(market.shipping(lines=[{"sku": "A", "price_unit": 100}]))
        market.plant("cycles", next={"off_cents": -1})
        cycle = market.close()
        market.plant("pay-outs", id=cycle["id"])
        rows = market.lines(seller_billing_cycle_id=cycle["id"])
        total = sum(round(row["amount"] * 100) for row in rows if row["type"] != "PAYMENT")
        (payment,) = (row for row in rows if row["type"] == "PAYMENT")
        assert (total, payment["amount"], cycle["amount_transferred_to_seller"]) == (8_125, -81.24, 81.24)
        market.received(market.shipping(lines=[{"sku": "A", "price_unit": 100}]))
        assert market.close()["amount_transferred_to_seller"] == 81.25

    def test_a_failed_pay_out_can_be_paid_later(self, market: MoneyMarket) -> None:
        market.received(market.shipping("A"))
        market.plant("rules", payout_seconds=3_600)
        market.plant("cycles", next={"fail": "INCOMPLETE_KYC"})
        cycle = market.close()
        assert (cycle["pay_out"]["state"], cycle["pay_out"]["failure_reason"]) == ("FAILED", "INCOMPLETE_KYC")
        assert market.states(seller_billing_cycle_id=cycle["id"]) == {"PAYABLE"}
        (document,) = market.documents(payment_status="FAILED")
        assert document["payment"]["failure_reason"] == "INCOMPLETE_KYC"
        market.plant("pay-outs", id=cycle["id"])
        assert market.cycle(cycle["id"])["pay_out"]["state"] == "PAID"
        assert market.states(seller_billing_cycle_id=cycle["id"]) == {"PAID"}

    def test_what_nobody_knows(self, markets: dict[str, MoneyMarket]) -> None:
        """The document's list of types is open: a new one passes no validation, and comes all the same."""
        market = markets["new-types"]
        market.plant("lines", type="GREEN_LEVY", amount=-1.5, order_id="NOBODY-1-A", order_line_id="NOBODY-1-A-1")
        market.advance(60)
        answer = market.http.get(API.path("TL02"), params={"transaction_type": "GREEN_LEVY"})
        (row,) = answer.json()["data"]
        assert (row["amount"], row["entities"]["order"]["id"]) == (-1.5, "NOBODY-1-A")
        assert row["entities"]["order"]["commercial_id"] == "NOBODY-1"

    def test_the_ledger_counts_what_was_planted_and_paid(self, market: MoneyMarket) -> None:
        start = market.ledger_length()
        order_id = market.received(market.shipping(lines=[{"sku": "A", "price_unit": 100}]))
        market.plant("lines", type="SELLER_PENALTY_FEE", amount=-10, order_id=order_id)
        market.plant("commission", order_line_id=f"{order_id}-1", percent=18)
        market.plant("documents", type="MANUAL_CREDIT", amount=5, description="Goodwill")
        market.plant("cycles", next={"off_cents": 1})
        cycle = market.close()
        market.plant("pay-outs", id=cycle["id"])
        entries = market.admin(f"ledger?after={start}")["entries"]
        planted = [(entry["what"], entry.get("amount")) for entry in entries if entry["code"] == "PLANTED"]
        assert planted == [("lines", -1_000), ("commission", -375), ("document", 500), ("pay-out", None)]
        (closed,) = (entry for entry in entries if entry["code"] == "CYCLE")
        assert (closed["cycle_id"], closed["lines"], closed["off_cents"]) == (cycle["id"], 7, 1)
        (paid,) = (entry for entry in entries if entry["code"] == "PAYOUT")
        assert (paid["cycle_id"], paid["amount"]) == (cycle["id"], closed["total"] + 1)

    @pytest.mark.parametrize(
        ("what", "members"),
        [
            ("lines", {"type": "MANUAL_CREDIT", "amount": 1, "state": "LOST"}),
            ("lines", {"amount": 1}),
            ("documents", {"type": "AUTO_INVOICE", "amount": 1}),
            ("documents", {"type": "MANUAL_CREDIT", "amount": -1}),
            ("commission", {"order_line_id": "NOBODY", "percent": 1}),
            ("cycles", {"next": {"fail": "NO_MONEY"}}),
            ("pay-outs", {"id": "NOBODY"}),
            ("rules", {"tip": 1}),
            ("history", {"lines": 10, "cycles": 0}),
        ],
    )
    def test_nonsense_is_refused(self, market: MoneyMarket, what: str, members: dict[str, Any]) -> None:
        assert market.http.post(f"/_sandbox/money/{what}", json=members).status_code == 400


class TestCyclesAndDocuments:
    def test_the_summary_is_that_of_the_lines(self, market: MoneyMarket) -> None:
        market.plant("rules", subscription=39, reserve_percent=10)
        order_id = market.received(market.shipping(lines=[TAXED], tax_mode="TAX_EXCLUDED"))
        market.refunded(market.refund(order_id, 50), order_tax_mode="TAX_EXCLUDED")
        market.advance(120)
        cycle = market.close()
        amounts, summary = market.amounts(seller_billing_cycle_id=cycle["id"]), cycle["summary"]
        assert summary["total_payable_orders_excl_tax"] == 110
        assert summary["total_payable_orders_incl_tax"] == 133
        assert summary["total_refund_orders_excl_tax"] == amounts["REFUND_ORDER_AMOUNT"] == -50
        assert summary["total_subscription_incl_tax"] == -48.75
        assert cycle["amount_transferred_to_seller"] == pytest.approx(sum(amounts.values()))
        own = ("COMMISSION_FEE", "COMMISSION_VAT", "REFUND_COMMISSION_FEE", "REFUND_COMMISSION_VAT")
        taken = sum(amounts[type_] for type_ in own) - 48.75
        assert cycle["amount_transferred_to_operator"] == pytest.approx(-taken)
        (invoice,) = market.documents(seller_billing_cycle_id=cycle["id"])
        assert invoice["total_amount_incl_taxes"] == pytest.approx(-taken)
        assert invoice["summary"]["reserve_funding"] == amounts["RESERVE_FUNDING"]
        assert invoice["summary"].items() >= summary.items()
        numbers = {row["type"]: row["accounting_document_number"] for row in market.lines(order_id=order_id)}
        assert (numbers["COMMISSION_FEE"], numbers["ORDER_AMOUNT"]) == (str(invoice["invoice_id"]), None)

    def test_cycles_end_and_are_paid_by_the_clock(self, market: MoneyMarket) -> None:
        market.plant("rules", cycle_seconds=10 * DAY_SECONDS, payout_seconds=DAY_SECONDS)
        market.received(market.shipping("A"))
        market.advance(11 * DAY_SECONDS)
        (cycle,) = market.pages("SBC11", start_date=market.since)
        assert cycle["pay_out"]["state"] == "PAID"
        market.advance(20 * DAY_SECONDS)
        assert len(market.pages("SBC11", start_date=market.since)) == 1

    def test_lists_of_cycles(self, market: MoneyMarket) -> None:
        cycles = []
        for currency in ("EUR", "EUR", "SEK"):
            market.received(market.shipping("A", currency=currency))
            cycles.append(market.close()["id"])
        market.plant("pay-outs", id=cycles[0])
        since = {"start_date": market.since}

        def listed(**parameters: Any) -> list[str]:
            market.advance(DAY_SECONDS)
            return [cycle["id"] for cycle in market.pages("SBC11", **since, **parameters)]

        assert listed(limit=1) == cycles
        assert listed(sort="dateCreated,DESC") == cycles[::-1]
        assert listed(pay_out_state=["TO_PAY", "FAILED"]) == cycles[1:]
        assert listed(currency="SEK") == cycles[2:]
        assert listed(end_date=market.since) == []
        assert listed(pay_out_psp_code="MANGOPAY") == []
        market.advance(DAY_SECONDS)
        for bad in ({"limit": 1_001}, {"sort": "amount"}, {"pay_out_state": "LOST"}, {"page_token": "x"}):
            market.advance(DAY_SECONDS)
            assert market.call("SBC11", API.path("SBC11"), params=bad).status_code == 400

    def test_lists_of_documents(self, market: MoneyMarket) -> None:
        for number in range(3):
            market.plant("documents", type="MANUAL_CREDIT", amount=10, description=f"Goodwill {number}")
            market.advance(1)
        assert market.documents() == []
        market.advance(DAY_SECONDS)
        asked = {"type": "ALL", "start_date": market.since, "max": 2}
        answer = market.call("IV01", API.path("IV01"), params=asked)
        assert (answer.json()["total_count"], len(answer.json()["invoices"])) == (3, 2)
        assert 'rel="next"' in answer.headers["link"]
        (last,) = market.call("IV01", API.path("IV01"), params={**asked, "offset": 2}).json()["invoices"]
        backwards = market.documents(type="ALL", order="desc")
        assert backwards[0] == last
        assert [known["invoice_id"] for known in market.documents(type="ALL", invoice_id=last["invoice_id"])] == [
            last["invoice_id"]
        ]
        nothing = (
            {"currency": "SEK"},
            {"issuing_user_types": "BATCH"},
            {"payment_status": "PAID"},
            {"type": "MANUAL_INVOICE"},
        )
        for filters in nothing:
            assert market.documents(**{"type": "ALL", **filters}) == []
        market.advance(DAY_SECONDS)
        assert market.call("IV01", API.path("IV01"), params={"type": "LETTER"}).status_code == 400

    def test_a_document_is_a_file(self, market: MoneyMarket) -> None:
        number = market.plant("documents", type="MANUAL_CREDIT", amount=29.95, description="Lost parcel")["number"]
        path = API.path("IV02")
        answer = market.call("IV02", path.format(accounting_document_id=number))
        assert "29.95 EUR" in answer.text
        assert f'filename="{number}' in answer.headers["content-disposition"]
        assert market.call("IV02", path.format(accounting_document_id=1)).status_code == 404


class TestTransactionList:
    def test_it_shows_every_member_of_the_sample(self, market: MoneyMarket) -> None:
        text = reference_file("samples/mirakl/tl02_transaction_page.json").read_text(encoding="utf-8")
        sample = json.loads(text)["data"][0]
        row = market.lines(order_id=market.shipping("A"))[0]
        assert sample.keys() == row.keys()
        assert sample["entities"].keys() <= row["entities"].keys()

    def test_pages_in_both_orders(self, market: MoneyMarket) -> None:
        for _ in range(3):
            market.shipping("A")
            market.advance(1)
        rows = market.lines(limit=2)
        assert (len(rows), len({row["id"] for row in rows})) == (9, 9)
        newest = market.lines(limit=4, sort="dateCreated,DESC", date_created_from=market.since)
        assert [row["id"] for row in newest] == [row["id"] for row in reversed(rows)]
        market.advance(60)
        first = market.call("TL02", API.path("TL02")).json()["data"]
        assert len(first) == 10
        assert first[0]["id"] == newest[0]["id"]

    def test_filters(self, market: MoneyMarket) -> None:
        one, other = market.shipping("A", reference_for_customer="C-1"), market.shipping("A", "B")
        market.advance(1)
        expected: list[tuple[dict[str, Any], int]] = [
            ({"order_id": [one, other]}, 9),
            ({"order_line_id": f"{other}-2"}, 3),
            ({"order_reference_for_customer": "C-1"}, 3),
            ({"transaction_type": ["ORDER_AMOUNT", "COMMISSION_FEE"]}, 6),
            ({"payment_state": "PAID"}, 0),
            ({"shop_model": "DROPSHIP"}, 0),
            ({"pay_out_psp_codes": "NOT_SPECIFIED"}, 9),
            ({"date_created_to": market.since}, 0),
            ({"transaction_date_from": market.since}, 0),
            ({"last_updated_from": market.now()}, 0),
        ]
        for filters, count in expected:
            assert len(market.lines(**filters)) == count, filters

    def test_what_it_refuses(self, market: MoneyMarket) -> None:
        bad: list[dict[str, Any]] = [
            {"limit": 2_001},
            {"limit": 0},
            {"sort": "amount"},
            {"page_token": "x"},
            {"payment_state": "LOST"},
            {"last_updated_from": "yesterday"},
            {"order_id": [str(number) for number in range(101)]},
        ]
        for parameters in bad:
            market.advance(60)
            assert market.call("TL02", API.path("TL02"), params=parameters).status_code == 400
        market.advance(60)
        assert market.call("TL02", API.path("TL02"), params={"limit": 2_000}).status_code == 200

    def test_twenty_calls_a_minute_and_sixty_an_hour(self, market: MoneyMarket) -> None:
        market.advance(3_600)
        answers = []
        for _ in range(61):
            answers.append(market.call("TL02", API.path("TL02"), params={"limit": 1}))
            market.advance(3)
        assert [answer.status_code for answer in answers] == [200] * 60 + [429]
        market.advance(3_600)
        quick = [market.call("TL02", API.path("TL02"), params={"limit": 1}).status_code for _ in range(21)]
        assert quick == [200] * 20 + [429]

    @pytest.mark.parametrize("code", ["TL03", "SBC11", "IV01"])
    def test_once_a_day(self, market: MoneyMarket, code: str) -> None:
        options: dict[str, Any] = {"json": {}} if code == "TL03" else {}
        market.advance(DAY_SECONDS)
        statuses = [market.call(code, API.path(code), **options).status_code for _ in range(2)]
        assert statuses == [200, 429]

    def test_the_accountancy_role_is_a_key_of_its_own(self, market: MoneyMarket) -> None:
        market.admin("keys", {"accountancy": ["k-money"]})
        accountancy = {"headers": {"Authorization": "k-money"}}
        market.advance(DAY_SECONDS)
        for code in ("TL02", "SBC11", "IV01"):
            assert market.call(code, API.path(code), **accountancy).status_code == 200
        assert market.call("OR11", API.path("OR11"), **accountancy).status_code == 403
        assert market.call("TL02", API.path("TL02")).status_code == 403
        assert market.call("TL03", API.path("TL03"), json={}).status_code == 403
        assert market.call("TL04", API.path("TL04").format(tracking_id="x")).status_code == 403
        market.advance(DAY_SECONDS)
        assert market.call("SBC11", API.path("SBC11")).status_code == 200
        market.admin("keys", {"accountancy_codes": ["TL02", "SBC11", "IV01"]})
        assert market.call("SBC11", API.path("SBC11")).status_code == 403
        market.admin("keys", {"accountancy_codes": ["TL02", "TL03", "TL04", "TL05"]})
        assert market.violations() == []

    def test_optional_members_may_be_absent(self, market: MoneyMarket) -> None:
        market.received(market.shipping("A"))
        cycle_id = market.close()["id"]
        market.faults(*({"code": code, "kind": "lean"} for code in ("TL02", "SBC11", "IV01")))
        for row in market.lines():
            assert None not in row.values()
        assert "failure_reason" not in market.cycle(cycle_id)["pay_out"]
        assert "shop_address" not in market.documents()[0]
        market.faults(*({"code": code, "kind": "extra_fields"} for code in ("TL02", "SBC11", "IV01")))
        assert "x_new_text" in market.lines()[0]


class TestExports:
    def test_files_hold_what_the_list_shows(self, small: MoneyMarket) -> None:
        for _ in range(2):
            small.received(small.shipping("A"))
        files = small.export(last_updated_from=small.since)
        assert [len(file.json()["data"]) for file in files] == [4, 2]
        rows = {row["id"]: row for file in files for row in file.json()["data"]}
        assert rows == {row["id"]: row for row in small.lines()}

    def test_one_object_on_a_row(self, small: MoneyMarket) -> None:
        order_id = small.shipping("A")
        (file,) = small.export(order_id=[order_id], format="NDJSON", items_per_chunk=100)
        assert file.headers["content-type"] == "application/x-ndjson"
        rows = [json.loads(row) for row in file.text.splitlines()]
        assert sorted(rows, key=lambda row: row["id"]) == small.lines(order_id=order_id)

    def test_without_lines_it_is_one_empty_file(self, small: MoneyMarket) -> None:
        (file,) = small.export(order_id=["NOBODY"])
        assert file.json() == {"data": []}
        (file,) = small.export(order_id=["NOBODY"], format="NDJSON")
        assert file.text == ""

    def test_an_address_works_once(self, market: MoneyMarket) -> None:
        market.advance(DAY_SECONDS)
        tracking_id = market.call("TL03", API.path("TL03"), json={}).json()["tracking_id"]
        state = market.call("TL04", API.path("TL04").format(tracking_id=tracking_id)).json()
        assert (state["status"], "urls" in state) == ("PENDING", False)
        (url,) = market.exported_state(tracking_id)["urls"]
        statuses = [market.http.get(url).status_code for _ in range(2)]
        assert statuses == [200, 410]
        (fresh,) = market.exported_state(tracking_id)["urls"]
        assert market.http.get(fresh, headers={"Authorization": "k-other"}).status_code == 401
        assert market.http.get(fresh).status_code == 200
        market.advance(10)
        assert market.call("TL04", API.path("TL04").format(tracking_id="nobody")).status_code == 404

    def test_what_can_go_wrong(self, market: MoneyMarket) -> None:
        def started() -> str:
            market.advance(DAY_SECONDS)
            return str(market.call("TL03", API.path("TL03"), json={}).json()["tracking_id"])

        market.faults({"code": "TL03", "kind": "export_failed"})
        assert market.exported_state(started())["error"]["code"] == "INTERNAL_ERROR"
        market.faults({"code": "TL04", "kind": "foreign_url"})
        assert market.exported_state(started())["urls"] == ["https://files.bucket.example/transactions-1.json"]
        market.faults({"code": "TL04", "kind": "new_enum"})
        tracking_id = started()
        market.advance(10)
        answer = market.http.get(API.path("TL04").format(tracking_id=tracking_id))
        assert answer.json()["status"] == "QUEUED"

    @pytest.mark.parametrize(
        "members", [{"format": "XML"}, {"items_per_chunk": 0}, {"shop_domain": ["x"]}, {"order_id": 5}, [], "x"]
    )
    def test_nonsense_is_refused(self, market: MoneyMarket, members: Any) -> None:
        market.advance(DAY_SECONDS)
        assert market.call("TL03", API.path("TL03"), json=members).status_code == 400


class TestHistory:
    def test_a_long_history_is_served_beside_the_orders(self, small: MoneyMarket) -> None:
        asked = {"lines": 200, "cycles": 2, "cycle_seconds": 3_600, "seed": 5, "prefix": "LONG"}
        planted = small.plant("history", **asked)
        assert planted == {"lines": 178, "cycles": 2, "orders": 40}
        window = {"date_created_from": "2020-01-01T00:00:00Z", "last_updated_from": "2020-01-01T00:00:00Z"}
        old = [row for row in small.lines(limit=2_000, **window) if "LONG" in json.dumps(row["entities"])]
        lives = {life["order_line_id"]: life for life in small.admin("money/history?first=0&count=40")["orders"]}
        sold = {row["entities"]["order_line"]["id"]: row["amount"] for row in old if row["type"] == "ORDER_AMOUNT"}
        assert sold == {line_id: life["price"] for line_id, life in lives.items()}
        small.advance(DAY_SECONDS)
        cycles = [
            cycle for cycle in small.pages("SBC11", limit=1_000) if cycle["pay_out"]["reference"].startswith("PO-OLD")
        ]
        for cycle in cycles:
            rows = small.lines(seller_billing_cycle_id=cycle["id"], limit=2_000, **window)
            assert sum(round(row["amount"] * 100) for row in rows) == 0
            small.advance(DAY_SECONDS)
            (invoice,) = small.call("IV01", API.path("IV01"), params={"seller_billing_cycle_id": cycle["id"]}).json()[
                "invoices"
            ]
            assert invoice["total_amount_incl_taxes"] == cycle["amount_transferred_to_operator"]
        assert len(cycles) == 2
        exported = [row for file in small.export(date_created_to=small.since) for row in file.json()["data"]]
        assert len([row for row in exported if row["id"].startswith("00000005-")]) == 178
        small.plant("history", **{**asked, "lines": 46, "cycles": 1})
        small.advance(DAY_SECONDS)
        again = [cycle["id"] for cycle in small.pages("SBC11", limit=1_000)]
        assert cycles[1]["id"] not in again
