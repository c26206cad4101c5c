"""What a broken, hostile or overloaded far side does to a call: real sockets, raw bytes.

The numbers are those of the fault list: F27 429 storms, F31 resets, F32 slow bytes, F34 garbage, F35 huge
answers, F36 odd members, F40 maintenance, F43 foreign links.
"""

import asyncio
import gzip
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from app.mirakl.client import MiraklClient
from app.mirakl.offer_schema import LiveOffer
from app.mirakl.schema import StockLine
from app.wire.breaker import Breaker, BreakerLimits
from app.wire.outcome import Applied, NotSent, Outcome, RefusalKind, Refused, Unknown
from app.wire.permit import Permit
from app.wire.request import CallSeen, Limits, WireRequest
from app.wire.transport import Transport
from tests.permits_in_memory import PermitsInMemory
from tests.raw_server import Script, answering, http, raw_server

SHOP_ID = 2001
KEY = "canary-key-5f3c1d2e"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LINES = [StockLine("VX-100-M", 4)]
ACCEPTED = http(201, b'{"import_id":"5f3c1d2e-0b1a"}')


def to(url: str, *, breaker: Breaker | None = None, **options: object) -> Transport:
    limits = options.pop("limits", Limits(total_seconds=3.0))
    return Transport(
        url,
        headers=lambda: {"Authorization": KEY},
        now=lambda: NOW,
        breaker=breaker or Breaker(BreakerLimits(failures=10_000)),
        limits=limits,  # type: ignore[arg-type]
        **options,  # type: ignore[arg-type]
    )


def client(transport: Transport, permits: PermitsInMemory | None = None) -> MiraklClient:
    return MiraklClient(transport, permits or PermitsInMemory(), "demo-fr", SHOP_ID)


async def read_from(script: Script) -> Outcome[object]:
    async with raw_server(script) as server, to(server.url) as transport:
        return await client(transport).sh21_list_carriers()


async def write_to(script: Script) -> Outcome[str]:
    async with raw_server(script) as server, to(server.url) as transport:
        return await client(transport).sto01_import_stock(LINES)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --------------------------------------------------------------------------------------- F27: 429


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 41", 41.0),
        (f"Retry-After: {format_datetime(NOW.replace(minute=2), usegmt=True)}", 120.0),
        (f"Retry-After: {int(NOW.timestamp()) + 75}", 75.0),
        ("X-Nothing: here", 60.0),
        ("Retry-After: 0", 60.0),
        ("Retry-After: -5", 60.0),
        ("Retry-After: soon", 60.0),
        ("Retry-After: 315360000", 3600.0),
    ],
)
async def test_f27_a_429_closes_its_code_for_the_wait_and_no_other(header: str, seconds: float) -> None:
    def turned_away_or_served(request: bytes) -> bytes:
        if b"/stock/imports" in request.split(b"\r\n", 1)[0]:
            return http(429, b'{"message":"Too many requests"}', header)
        return http(200, b'{"carriers":[]}')

    async def script(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(turned_away_or_served(request))

    permits = PermitsInMemory()
    async with raw_server(script) as server, to(server.url) as transport:
        mirakl = client(transport, permits)
        turned_away = await mirakl.sto01_import_stock(LINES)
        assert turned_away == NotSent("the far side asks us to wait (429)", seconds, turned_away=True)
        storm = [await mirakl.sto01_import_stock(LINES) for _ in range(20)]
        assert all(isinstance(outcome, NotSent) and not outcome.turned_away for outcome in storm)
        assert isinstance(await mirakl.sh21_list_carriers(), Applied)
    assert sum(b"/stock/imports" in request for request in server.requests) == 1


# ------------------------------------------------------------------------- F31: resets at each byte


async def test_f31_an_answer_cut_at_any_byte_is_unknown_and_a_whole_one_applied() -> None:
    for kept in range(0, len(ACCEPTED), 3):
        assert isinstance(await write_to(answering(ACCEPTED[:kept])), Unknown), kept
    assert await write_to(answering(ACCEPTED)) == Applied("5f3c1d2e-0b1a")


async def test_f31_a_reset_instead_of_an_answer_is_unknown() -> None:
    async def reset(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(ACCEPTED[:20])
        await writer.drain()
        writer.transport.abort()

    assert isinstance(await write_to(reset), Unknown)


@pytest.mark.parametrize("taken", [0, 1, 40, 300])
async def test_f31_a_request_cut_at_any_byte_is_unknown_since_bytes_have_left(taken: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if taken:
            await reader.readexactly(taken)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as transport:
        assert isinstance(await client(transport).sto01_import_stock(LINES), Unknown)


async def test_f31_a_refused_connection_is_not_sent_and_its_permit_comes_back() -> None:
    permits = PermitsInMemory()
    bucket = permits.open("demo-fr", "STO01", 1.0, 1e-9)
    async with to(f"http://127.0.0.1:{closed_port()}") as transport:
        outcome = await client(transport, permits).sto01_import_stock(LINES)
    assert isinstance(outcome, NotSent)
    assert "ConnectError" in outcome.reason
    assert bucket.tokens == 1.0


# -------------------------------------------------------------------------------- F32: slow bytes


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answering(*(bytes([b]) for b in ACCEPTED), pause_seconds=0.05), id="headers"),
        pytest.param(
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", *([b" "] * 5000), pause_seconds=0.05),
            id="body",
        ),
        pytest.param(
            answering(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                *([b"1\r\n \r\n"] * 5000),
                pause_seconds=0.01,
            ),
            id="endless chunks",
        ),
        pytest.param(answering(*([b"HTTP/1.1 100 Continue\r\n\r\n"] * 5000), pause_seconds=0.01), id="1xx"),
    ],
)
async def test_f32_a_call_has_one_deadline_however_the_bytes_drip(script: Script) -> None:
    async with (
        raw_server(script) as server,
        to(server.url, limits=Limits(total_seconds=0.6)) as transport,
    ):
        started_at = time.monotonic()
        outcome = await transport.send(WireRequest("SH21", "GET", "/api/shipping/carriers"))
        assert outcome == Unknown("no complete answer within 0.6 s")
        assert time.monotonic() - started_at < 2.0


async def test_f32_a_deadline_before_the_first_byte_is_not_sent() -> None:
    async def never() -> NotSent | None:
        await asyncio.sleep(30)
        return None

    async with raw_server(answering(ACCEPTED)) as server, to(server.url) as transport:
        outcome = await transport.send(
            WireRequest("SH21", "GET", "/api/version", before_first_byte=never, total_seconds=0.3)
        )
    assert isinstance(outcome, NotSent)
    assert server.requests in ([], [b""])


# ----------------------------------------------------------------------------------- F34: garbage

LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>"
GARBAGE = {
    "HTML": http(201, LOGIN_PAGE, content_type="text/html"),
    "HTML sold as JSON": http(201, LOGIN_PAGE),
    "empty body": http(201, b""),
    "no content": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "truncated JSON": http(201, b'{"import_id":"5f3c'),
    "invalid UTF-8": http(201, b'{"import_id":"5f\xff\xfe"}'),
    "invalid UTF-8 in a skipped member": http(201, b'{"import_id":"5f","x":"\xff"}'),
    "equal keys": http(201, b'{"import_id":"5f","import_id":"60"}'),
    "equal keys, escaped": http(201, b'{"import_id":"5f","import\\u005fid":"60"}'),
    "equal keys deep in a skipped member": http(201, b'{"import_id":"5f","x":[{"a":1,"a":2}]}'),
    "NaN": http(201, b'{"import_id":"5f","x":NaN}'),
    "10,000 deep": http(201, b'{"import_id":"5f","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "null": http(201, b"null"),
    "a list": http(201, b"[]"),
    "id is null": http(201, b'{"import_id":null}'),
    "id is missing": http(201, b"{}"),
    "two values": http(201, b'{"import_id":"5f"} {"import_id":"60"}'),
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "broken gzip": http(201, b"not gzip at all", "Content-Encoding: gzip"),
    "cut gzip": http(201, gzip.compress(b'{"import_id":"5f"}')[:-9], "Content-Encoding: gzip"),
    "unasked encoding": http(201, b"\x0b\x02\x80{}\x03", "Content-Encoding: br"),
    "proxy error": http(502, b"<html><title>Bad Gateway</title></html>", content_type="text/html"),
    "redirect": http(302, b"", "Location: https://status.example/"),
    "unnamed status": http(409, b'{"message":"conflict"}'),
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_f34_garbage_is_unknown_for_a_write(name: str) -> None:
    outcome = await write_to(answering(GARBAGE[name]))
    assert isinstance(outcome, Unknown), outcome
    assert outcome.reason


@pytest.mark.parametrize(
    "body",
    [LOGIN_PAGE, b"", b'{"carriers":', b'{"carriers":null}', b'{"carriers":{}}', b'{"carriers":[],"x":NaN}'],
)
async def test_f34_garbage_is_unknown_for_a_read(body: bytes) -> None:
    assert isinstance(await read_from(answering(http(200, body))), Unknown)


async def test_a_page_says_in_the_reason_what_it_was() -> None:
    outcome = await write_to(answering(GARBAGE["proxy error"]))
    assert outcome == Unknown("HTTP 502: HTML page 'Bad Gateway'")


# -------------------------------------------------------------------------------------- F35: huge


async def test_f35_a_200_mb_answer_is_left_at_the_limit() -> None:
    sent = 0

    async def flood(request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 200000000\r\n\r\n")
        for _ in range(200):
            writer.write(b" " * 1_000_000)
            await writer.drain()
            sent += 1_000_000

    outcome = await read_from(flood)
    assert isinstance(outcome, Unknown)
    assert "larger than" in outcome.reason
    assert sent < 40_000_000


async def test_f35_a_decompression_bomb_is_left_at_the_limit() -> None:
    folded = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join([*(folded.compress(bytes(1_000_000)) for _ in range(300)), folded.flush()])
    tracemalloc.start()
    outcome = await read_from(answering(http(200, bomb, "Content-Encoding: gzip")))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(outcome, Unknown)
    assert peak_bytes < 64_000_000


async def test_f35_headers_of_a_megabyte_are_refused() -> None:
    assert isinstance(await read_from(answering(http(200, b"{}", "X-Long: " + "a" * 1_000_000))), Unknown)
    many = [f"X-{n}: {'a' * 60}" for n in range(1_200)]
    outcome = await read_from(answering(http(200, b'{"carriers":[]}', *many)))
    assert outcome == Unknown("answer with oversized headers")


# ------------------------------------------------------------------------------- F36: odd members


async def test_f36_odd_members_pass_or_hold_one_item() -> None:
    body = b"""{"new_member": {"deep": [1, 2]}, "carriers": [
        {"code": "DHL", "label": "DHL", "brand_new": true},
        {"code": "ODD /\\u00e9;\\"", "label": null},
        {"label": "no code"},
        {"code": null},
        {"code": 7, "label": "a number where text belongs"},
        {"code": "LEAN"}]}"""
    outcome = await read_from(answering(http(200, body)))
    assert isinstance(outcome, Applied)
    items = outcome.value
    assert [carrier.code for carrier in items.items] == ["DHL", 'ODD /é;"', "LEAN"]  # type: ignore[attr-defined]
    held = items.unreadable  # type: ignore[attr-defined]
    assert [(item.index, item.id) for item in held] == [(2, ""), (3, ""), (4, "7")]
    assert "str" in held[2].reason


async def test_f36_a_new_status_and_numbers_as_text_pass() -> None:
    body = b"""{"import_id": "a/../b?c", "status": "PAUSED_BY_OPERATOR", "shop_id": "2001",
        "lines_in_success": "12", "lines_in_error": null}"""
    async with raw_server(answering(http(200, body))) as server, to(server.url) as transport:
        outcome = await client(transport).sto02_get_stock_import("a/../b?c")
    assert isinstance(outcome, Applied)
    assert (outcome.value.status, outcome.value.lines_in_success) == ("PAUSED_BY_OPERATOR", 12)
    target = server.requests[0].split(b" ")[1]
    assert target == b"/api/offers/stock/imports/a%2F..%2Fb%3Fc/status?shop_id=2001"


@pytest.mark.parametrize("import_id", [".", ".."])
async def test_f36_an_id_of_dots_stays_in_its_place(import_id: str) -> None:
    async with raw_server(answering(http(404, b"{}"))) as server, to(server.url) as transport:
        await client(transport).sto02_get_stock_import(import_id)
    target = server.requests[0].split(b" ")[1]
    assert target.startswith(b"/api/offers/stock/imports/%2E"), target


async def test_an_answer_for_another_shop_is_a_matter_of_credentials() -> None:
    async with (
        raw_server(answering(http(200, b'{"shop_id":2002,"shop_state":"OPEN"}'))) as server,
        to(server.url) as transport,
    ):
        outcome = await client(transport).a01_get_account()
    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.CREDENTIALS
    assert "2002" in outcome.reason
    assert "2001" in outcome.reason


# ------------------------------------------------------------------------------ F43: foreign links


async def test_f43_a_link_to_another_host_is_not_followed() -> None:
    async with raw_server(answering(http(200, b"[]"))) as own, to(own.url) as transport:
        for link in ("http://evil.example/f.json", "//evil.example/f", "file:///etc/passwd", "http://[::1/"):
            outcome = await client(transport).of54_read_live_offers(link)
            assert isinstance(outcome, Refused), link
            assert outcome.status == 0
    assert own.connections == 0


async def test_f43_an_allowed_host_gets_the_call_but_not_the_key() -> None:
    files = b'[{"shop_sku":"VX-100-M","quantity":4,"shop_id":2001}]'
    async with (
        raw_server(answering(http(200, files))) as storage,
        raw_server(answering(http(200, files))) as own,
        to(own.url, allowed_hosts=frozenset({"127.0.0.1"})) as transport,
    ):
        mirakl = client(transport)
        for link in (f"{storage.url}/f.json?signed=1%2F2", f"{own.url}/f.json"):
            outcome = await mirakl.of54_read_live_offers(link)
            assert isinstance(outcome, Applied), outcome
            assert [row.quantity for row in outcome.value if isinstance(row, LiveOffer)] == [4]
    assert KEY.encode() not in storage.requests[0]
    assert storage.requests[0].startswith(b"GET /f.json?signed=1%2F2 HTTP/1.1\r\n")
    assert f"Authorization: {KEY}".encode() in own.requests[0]


async def test_f43_a_redirect_is_not_followed() -> None:
    async with (
        raw_server(answering(http(200, b"[]"))) as elsewhere,
        raw_server(answering(http(307, b"", f"Location: {elsewhere.url}/x"))) as own,
        to(own.url) as transport,
    ):
        assert isinstance(await client(transport).sh21_list_carriers(), Unknown)
        assert elsewhere.connections == 0


async def test_f43_a_name_that_leads_into_our_own_network_gets_no_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rebinding: the name is a public one in the settings, the address behind it is not."""
    real = socket.getaddrinfo

    def rebound(host: str | bytes, *rest: object, **more: object) -> object:
        name = host.decode() if isinstance(host, bytes) else host
        return real("127.0.0.1" if name == "shop.mirakl.example" else host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    async with raw_server(answering(ACCEPTED), read_request=False) as server:
        port = server.url.rsplit(":", 1)[1]
        async with to(f"https://shop.mirakl.example:{port}") as transport:
            outcome = await client(transport).sto01_import_stock(LINES)
    assert outcome == NotSent("the host's name leads to an address that is not public")
    assert server.connections == 1


# ----------------------------------------------------------------------------------- keys, effects


async def test_no_reason_repeats_the_key() -> None:
    echo = f'{{"message":"bad key {KEY}","errors":[{{"message":"{KEY}"}}]}}'.encode()
    for status in (400, 401, 500):
        outcome = await write_to(answering(http(status, echo)))
        assert not isinstance(outcome, Applied)
        assert KEY not in repr(outcome)
        assert "[secret]" in outcome.reason


async def test_a_key_that_cannot_be_sent_is_a_matter_of_credentials() -> None:
    async with raw_server(answering(ACCEPTED)) as server:
        transport = Transport(server.url, headers=lambda: {"Authorization": "k\nX: y"}, now=lambda: NOW)
        async with transport:
            outcome = await client(transport).sto01_import_stock(LINES)
    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.CREDENTIALS
    assert "X: y" not in repr(outcome)
    assert server.connections == 0


async def test_a_rotated_key_takes_effect_with_the_next_call() -> None:
    keys = iter(["first-key", "second-key"])
    async with raw_server(answering(http(200, b'{"carriers":[]}'))) as server:
        transport = Transport(server.url, headers=lambda: {"Authorization": next(keys)}, now=lambda: NOW)
        async with transport:
            await client(transport).sh21_list_carriers()
            await client(transport).sh21_list_carriers()
    assert [b"first-key" in r for r in server.requests] == [True, False]
    assert b"second-key" in server.requests[1]


async def test_an_effect_id_travels_and_the_observer_hears_of_each_call() -> None:
    seen: list[CallSeen] = []
    async with (
        raw_server(answering(ACCEPTED)) as server,
        to(server.url, observer=seen.append) as transport,
    ):
        await client(transport).sto01_import_stock(LINES, effect_id="771")
    assert b"X-Effect-Id: 771\r\n" in server.requests[0]
    [call] = seen
    assert (call.code, call.outcome, call.status) == ("STO01", "applied", 201)
    assert call.sent_bytes > 50
    assert call.received_bytes == len(b'{"import_id":"5f3c1d2e-0b1a"}')
    assert call.seconds > 0


# -------------------------------------------------------------------- permits and claims that age


async def test_a_permit_that_grew_old_is_handed_back_and_taken_anew() -> None:
    permits = PermitsInMemory()
    bucket = permits.open("demo-fr", "STO01", 1.0, 1e-9)
    async with raw_server(answering(ACCEPTED)) as server, to(server.url) as transport:
        mirakl = client(transport, permits)
        permit = await mirakl.permit("STO01")
        assert isinstance(permit, Permit)
        old = Permit(permit.scope, permit.grants, permit.taken_at - 1.0)
        assert await mirakl.sto01_import_stock(LINES, permit=old) == Applied("5f3c1d2e-0b1a")
        assert bucket.grants == 2
        assert bucket.tokens == 0
        waits = await mirakl.sto01_import_stock(LINES)
    assert isinstance(waits, NotSent)
    assert (waits.retry_at_seconds or 0) > 1e6
    assert len(server.requests) == 1


async def test_a_claim_that_ran_out_sends_no_byte_and_gives_its_permit_back() -> None:
    permits = PermitsInMemory()
    bucket = permits.open("demo-fr", "STO01", 1.0, 1e-9)
    async with raw_server(answering(ACCEPTED), read_request=False) as server, to(server.url) as transport:
        outcome = await client(transport, permits).sto01_import_stock(LINES, usable_until=time.monotonic() - 0.001)
    assert outcome == NotSent("the claim ran out before the call left")
    assert server.requests in ([], [b""])
    assert bucket.tokens == 1.0


# -------------------------------------------------------------------------------- F40: maintenance


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: http(503, b"<html>", "Retry-After: 30", content_type="text/html"), id="503"),
        pytest.param(lambda: http(302, b"", "Location: https://status.example/"), id="status page"),
        pytest.param(lambda: http(200, LOGIN_PAGE, content_type="text/html"), id="page under 200"),
    ],
)
async def test_f40_maintenance_costs_few_calls_and_ends_by_itself(answer: Callable[[], bytes]) -> None:
    is_down = True
    time_passed = 0.0

    async def script(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer() if is_down else http(200, b'{"carriers":[]}'))

    breaker = Breaker(BreakerLimits(failures=3), monotonic=lambda: time_passed, jitter=lambda: 0.5)
    async with raw_server(script) as server, to(server.url, breaker=breaker) as transport:
        mirakl = client(transport)
        for _ in range(3 * 60):  # three hours, a try a minute
            await mirakl.sh21_list_carriers()
            for _ in range(3):
                refused = await mirakl.sh21_list_carriers()
                assert isinstance(refused, NotSent) or len(server.requests) < 4
            time_passed += 60.0
        calls_while_down = len(server.requests)
        assert calls_while_down <= 3 + 3 * 60
        is_down = False
        time_passed += 61.0
        assert isinstance(await mirakl.sh21_list_carriers(), Applied)
        assert isinstance(await mirakl.sh21_list_carriers(), Applied)
