"""The finance requests, against Mirakl's description, its sample and the roles that it names."""

import json
from collections import Counter
from typing import Any

import pytest

from app.mirakl.calls import TRANSACTION_LOG
from app.mirakl.finance import FinanceCalls
from app.wire.outcome import Applied, Outcome
from tests.contract import test_requests_after as after
from tests.contract import test_requests_mirakl as mirakl
from tests.contract.reference import mirakl_openapi, reference_file

API = mirakl_openapi()
Json = dict[str, Any]
AT = after.AT
UUID = "7e2b1c00-0000-4000-8000-000000000010"

DAY = "2026-01-19T13:25:52Z"
ROW: Json = {"id": UUID, "amount": 1.25, "currency_iso_code": "EUR", "date_created": DAY}
CYCLE: Json = {"id": UUID, "currency_iso_code": "EUR", "date_created": DAY, "amount_transferred_to_seller": 12.5}
DOCUMENT: Json = {
    "invoice_id": 40321,
    "type": "AUTO_INVOICE",
    "currency_iso_code": "EUR",
    "date_created": DAY,
    "total_amount_excl_taxes": 10,
    "total_amount_incl_taxes": 12.5,
}
CALLS: dict[str, tuple[mirakl.Call, Json | bytes]] = {
    "TL02": (lambda c: c.tl02_list_transactions(AT), {"data": [], "next_page_token": "a=="}),
    "TL02 next": (lambda c: c.tl02_list_transactions(AT, "a=="), {"data": []}),
    "TL02 one": (lambda c: c.tl02_list_transactions(AT, limit=1), {"data": []}),
    "TL03": (lambda c: c.tl03_export_transactions(AT), {"tracking_id": "t-1"}),
    "TL04": (lambda c: c.tl04_get_export("t/1"), {"status": "COMPLETED", "urls": ["https://files.example/1"]}),
    "SBC11": (lambda c: c.sbc11_list_billing_cycles(AT), {"data": [CYCLE], "next_page_token": None}),
    "SBC11 all": (lambda c: c.sbc11_list_billing_cycles(None), {"data": []}),
    "SBC11 next": (lambda c: c.sbc11_list_billing_cycles(AT, "a=="), {"data": []}),
    "IV01": (lambda c: c.iv01_list_documents(AT), {"invoices": [DOCUMENT], "total_count": 1}),
    "IV01 all": (lambda c: c.iv01_list_documents(None), {"invoices": [], "total_count": 0}),
    "IV01 next": (lambda c: c.iv01_list_documents(AT, 100), {"invoices": [], "total_count": 100}),
    "IV02": (lambda c: c.iv02_get_document("40321"), b"%PDF-1.7"),
}


async def value_of(call: mirakl.Call, body: Json | bytes) -> Any:
    outcome: Outcome[Any] = (await after.sent(call, body))[2]
    assert isinstance(outcome, Applied), outcome
    return outcome.value


@pytest.mark.parametrize("name", CALLS)
async def test_a_request_is_the_one_the_description_asks_for(name: str) -> None:
    call, answer = CALLS[name]
    code = name.split()[0]
    if not isinstance(answer, bytes):
        schema = API.response(code, 200)
        assert schema is not None
        schema.validate(answer)  # what the test answers is an answer of Mirakl's
    head, body, outcome = await after.sent(call, answer)
    assert isinstance(outcome, Applied), outcome
    after.check_request(code, head, body)


async def test_what_is_asked_for_is_said_whole() -> None:
    head, _, _ = await after.sent(*CALLS["TL02"])
    asked = {"last_updated_from": ["2026-03-02T08:00:00Z"], "sort": ["lastUpdated,ASC"], "limit": ["2000"]}
    assert after.query_of(head) == {**asked, "shop_id": ["2001"]}
    head, _, _ = await after.sent(*CALLS["TL02 next"])
    assert after.query_of(head) == {"page_token": ["a=="], "shop_id": ["2001"]}
    head, _, _ = await after.sent(*CALLS["IV01 next"])
    assert after.query_of(head)["type"] == ["ALL"]
    assert after.query_of(head)["offset"] == ["100"]
    _, body, _ = await after.sent(*CALLS["TL03"])
    chunk = {"items_per_chunk": 10_000, "megabytes_per_chunk": 10}
    assert json.loads(body) == {"last_updated_from": "2026-03-02T08:00:00Z", "format": "JSON", **chunk}


def test_every_finance_call_is_held_against_the_description() -> None:
    methods = {name.split("_")[0].upper() for name in vars(FinanceCalls) if not name.startswith("_")}
    assert methods - {"TL05"} == {name.split()[0] for name in CALLS}  # TL05's address is Mirakl's own


def test_the_second_key_is_for_what_the_description_keeps_from_a_shops_administrator() -> None:
    finance = ("TL02", "TL03", "TL04", "TL05", "SBC11", "IV01", "IV02")
    kept = {code for code in finance if "ROLE_SHOP_ADMIN" not in API.operation(code)["x-api-key-roles"]}
    assert kept == TRANSACTION_LOG


async def test_every_type_and_state_of_the_description_is_read() -> None:
    page = API.operation("TL02")["responses"]["200"]["content"]["application/json"]["schema"]
    row = mirakl.resolved(after.DOCUMENT, page)["properties"]["data"]["items"]
    members = mirakl.resolved(after.DOCUMENT, row)["properties"]
    types = [type_ for type_ in members["type"]["enum"] if type_]
    states = [state for state in members["payment_state"]["enum"] if state]
    assert len(types) > 40
    rows = [{**ROW, "type": type_, "payment_state": state} for type_ in types for state in states]
    body = {"data": rows}
    validator = API.response("TL02", 200)
    assert validator is not None
    validator.validate(body)
    read = (await value_of(CALLS["TL02"][0], body)).rows
    assert not read.unreadable
    assert Counter(line.type for line in read.items) == Counter(dict.fromkeys(types, len(states)))
    assert {line.state for line in read.items} == set(states)


async def test_the_sample_page_is_read_to_the_cent() -> None:
    sample = after.sample("mirakl/tl02_transaction_page")
    page = await value_of(CALLS["TL02"][0], sample)
    assert not page.rows.unreadable
    assert page.next_token == (sample["next_page_token"] or None)
    told = {row["id"]: row for row in sample["data"]}
    assert len(page.rows.items) == len(told)
    for line in page.rows.items:
        row = told[line.id]
        assert (line.type, line.currency, line.state) == (row["type"], row["currency_iso_code"], row["payment_state"])
        assert line.amount == round(row["amount"] * 100)
        assert line.order_id == ((row["entities"].get("order") or {}).get("id"))
        assert line.cycle == row["seller_billing_cycle_id"]
    taxed = next(line for line in page.rows.items if line.type == "COMMISSION_VAT")
    assert (taxed.amount, taxed.tax, taxed.tax_rate) == (-682, "TAXDEFAULT", 25)
    body = json.dumps({"data": sample["data"]}).encode()
    file = await value_of(lambda c: c.tl05_fetch_transactions("/files/1?file=f"), body)
    assert tuple(file) == page.rows.items


def test_the_sample_is_of_the_description() -> None:
    validator = API.response("TL02", 200)
    assert validator is not None
    validator.validate(json.loads(reference_file("samples/mirakl/tl02_transaction_page.json").read_text("utf-8")))
