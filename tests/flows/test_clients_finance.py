"""The finance calls over real sockets: pages, keys, links and files."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.settlement import Transaction
from app.mirakl.client import MiraklClient
from app.wire.outcome import Applied, NotSent, Outcome, RefusalKind, Refused, Unknown
from app.wire.request import Limits
from app.wire.transport import Transport
from tests.permits_in_memory import PermitsInMemory
from tests.raw_server import answering, http, raw_server
from tests.unit.test_finance_schema import CYCLE, DOCUMENT, TRANSACTION

Json = dict[str, Any]
Call = Callable[[MiraklClient], Awaitable[Outcome[Any]]]
SHOP_ID = 2001
AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
USUAL, FINANCE = "k-usual-1d2e", "k-finance-5f3c"

LOG: dict[str, Call] = {
    "TL02": lambda c: c.tl02_list_transactions(AT),
    "TL02 next": lambda c: c.tl02_list_transactions(AT, "a=="),
    "TL03": lambda c: c.tl03_export_transactions(AT),
    "TL04": lambda c: c.tl04_get_export("t/1"),
    "TL05": lambda c: c.tl05_fetch_transactions("/files/1?file=f%2F1"),
}
OTHERS: dict[str, Call] = {
    "SBC11": lambda c: c.sbc11_list_billing_cycles(AT),
    "IV01": lambda c: c.iv01_list_documents(None),
    "IV02": lambda c: c.iv02_get_document("40321"),
}


def to(url: str, key: str = USUAL, **options: Any) -> Transport:
    limits = Limits(total_seconds=5.0)
    return Transport(url, headers=lambda: {"Authorization": key}, now=lambda: AT, limits=limits, **options)


async def answered(call: Call, body: Json | bytes, status: int = 200, **options: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with raw_server(answering(http(status, raw, **options))) as server, to(server.url) as transport:
        return await call(MiraklClient(transport, PermitsInMemory(), "demo-fr", SHOP_ID))


def value_of(outcome: Outcome[Any]) -> Any:
    assert isinstance(outcome, Applied), outcome
    return outcome.value


# ---------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("name", [*LOG, *OTHERS])
async def test_the_second_key_is_for_the_transaction_log_alone(name: str) -> None:
    for second in (True, False):
        async with (
            raw_server(answering(http(200, b"{}"))) as server,
            to(server.url) as usual,
            to(server.url, FINANCE) as finance,
        ):
            accountancy = finance if second else None
            client = MiraklClient(usual, PermitsInMemory(), "demo-fr", SHOP_ID, accountancy=accountancy)
            await {**LOG, **OTHERS}[name](client)
        [request] = server.requests
        key = FINANCE if second and name in LOG else USUAL
        assert f"\r\nAuthorization: {key}\r\n".encode() in request


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("name", [*LOG, *OTHERS])
async def test_a_key_without_the_right_does_not_pause_the_channel(name: str, status: int) -> None:
    refused = await answered({**LOG, **OTHERS}[name], {"message": "Forbidden"}, status)
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.status) == (RefusalKind.ROLE, status)
    assert f"Forbidden: the key may not call {name.split()[0]}" in refused.reason
    other = await answered(lambda c: c.or75_list_taxes(), {"message": "Forbidden"}, status)
    assert isinstance(other, Refused)
    assert other.kind is RefusalKind.CREDENTIALS


async def test_both_keys_share_the_permits_of_the_channel() -> None:
    permits = PermitsInMemory()
    permits.open("demo-fr", "TL02", 1.0, 1 / 61.2)
    async with (
        raw_server(answering(http(200, b'{"data":[]}'))) as server,
        to(server.url) as usual,
        to(server.url, FINANCE) as finance,
    ):
        client = MiraklClient(usual, permits, "demo-fr", SHOP_ID, accountancy=finance)
        value_of(await client.tl02_list_transactions(AT))
        second = await MiraklClient(usual, permits, "demo-fr", SHOP_ID).tl02_list_transactions(AT)
    assert isinstance(second, NotSent)
    assert second.retry_at_seconds == pytest.approx(61.2, abs=2)
    assert len(server.requests) == 1


async def test_no_key_leaves_the_instance_with_a_link() -> None:
    body = json.dumps({"data": [TRANSACTION]}).encode()
    async with (
        raw_server(answering(http(200, body))) as storage,
        raw_server(answering(http(200, body))) as own,
        to(own.url, allowed_hosts=frozenset({"127.0.0.1"})) as usual,
        to(own.url, FINANCE, allowed_hosts=frozenset({"127.0.0.1"})) as finance,
    ):
        client = MiraklClient(usual, PermitsInMemory(), "demo-fr", SHOP_ID, accountancy=finance)
        for link in (f"{storage.url}/f?file=1%2F2", f"{own.url}/f?file=1"):
            [line] = value_of(await client.tl05_fetch_transactions(link))
            assert isinstance(line, Transaction)
        foreign = await client.tl05_fetch_transactions("https://evil.example/f?file=1")
        assert isinstance(foreign, Refused)
        assert foreign.status == 0
    assert storage.requests[0].startswith(b"GET /f?file=1%2F2 HTTP/1.1\r\n")
    assert USUAL.encode() not in storage.requests[0]
    assert FINANCE.encode() not in storage.requests[0]
    assert FINANCE.encode() in own.requests[0]


# --------------------------------------------------------------------------------------------------- pages


async def test_a_page_of_the_log_holds_an_odd_line_and_names_the_next_page() -> None:
    rows = [TRANSACTION, {**TRANSACTION, "id": "t-2", "amount": None}, {**TRANSACTION, "id": "t-3"}]
    page = value_of(await answered(LOG["TL02"], {"data": rows, "next_page_token": "b=="}))
    assert [line.id for line in page.rows.items] == ["t-1", "t-3"]
    assert page.rows.places == (0, 2)
    assert [(bad.index, bad.id) for bad in page.rows.unreadable] == [(1, "t-2")]
    assert page.next_token == "b=="
    again = await answered(LOG["TL02 next"], {"data": rows, "next_page_token": "a=="})
    assert again == Unknown("the next page is this one again")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data":null}', b"{}", b"<html>", b'{"data":[{}]'])
@pytest.mark.parametrize("name", ["TL02", "TL05", "SBC11"])
async def test_what_is_no_list_is_no_answer(name: str, body: bytes) -> None:
    assert isinstance(await answered({**LOG, **OTHERS}[name], body), Unknown)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
async def test_a_file_of_the_log_is_read_line_by_line(mark: bytes) -> None:
    rows = [TRANSACTION, {"id": "t-2"}, {**TRANSACTION, "id": "t-3"}]
    file = value_of(await answered(LOG["TL05"], mark + json.dumps({"data": rows, "more": 1}).encode()))
    assert [row.id for row in file] == ["t-1", "t-2", "t-3"]
    assert [isinstance(row, Transaction) for row in file] == [True, False, True]


async def test_cycles_and_documents_of_another_shop_are_refused() -> None:
    cycles = {"data": [CYCLE, {**CYCLE, "shop": {"shop_id": 77}}]}
    documents = {"invoices": [{**DOCUMENT, "shop_id": SHOP_ID}, {**DOCUMENT, "shop_id": 77}], "total_count": 2}
    for name, body in (("SBC11", cycles), ("IV01", documents)):
        foreign = await answered(OTHERS[name], body)
        assert isinstance(foreign, Refused), name
        assert foreign.kind is RefusalKind.CREDENTIALS
        assert "77" in foreign.reason


@pytest.mark.parametrize(
    ("offset", "rows", "total", "next_offset"),
    [(0, 2, 2, None), (0, 2, 3, 2), (100, 2, 102, None), (0, 0, 0, None), (0, 100, None, 100), (100, 2, None, None)],
)
async def test_a_page_of_documents_says_where_the_next_one_begins(
    offset: int, rows: int, total: int | None, next_offset: int | None
) -> None:
    body = {"invoices": [DOCUMENT] * rows, "total_count": total}
    page = value_of(await answered(lambda c: c.iv01_list_documents(AT, offset), body))
    assert (len(page.rows.items), page.next_offset) == (rows, next_offset)


async def test_an_empty_page_before_the_last_document_is_no_end() -> None:
    assert isinstance(await answered(OTHERS["IV01"], {"invoices": [], "total_count": 101}), Unknown)
    assert value_of(await answered(OTHERS["IV01"], {"invoices": None})).next_offset is None
    assert isinstance(await answered(OTHERS["IV01"], {"total_count": 0}), Unknown)


# --------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("body", [b"%PDF-1.7\r\n\x00\xff", b'<?xml version="1.0"?><Invoice/>', b""])
async def test_a_document_is_its_bytes_whatever_they_are(body: bytes) -> None:
    assert value_of(await answered(OTHERS["IV02"], body, content_type="application/octet-stream")) == body


async def test_a_page_instead_of_a_document_is_none() -> None:
    for body, kind in ((b"<!DOCTYPE html>\n<p>", "application/octet-stream"), (b"Sign in", "text/html; charset=utf-8")):
        assert isinstance(await answered(OTHERS["IV02"], body, content_type=kind), Unknown)
