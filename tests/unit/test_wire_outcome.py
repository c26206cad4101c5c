"""The one table of outcomes, and the words it takes from error bodies."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.outcome import (
    NotSent,
    RefusalDetail,
    RefusalKind,
    Refused,
    Unknown,
    outcome_of_exception,
    outcome_of_status,
    words_of,
)

KINDS = {
    **dict.fromkeys((401, 403), RefusalKind.CREDENTIALS),
    **dict.fromkeys((404, 410), RefusalKind.MISSING),
    **dict.fromkeys((400, 405, 406, 411, 413, 414, 415, 422, 431), RefusalKind.INVALID),
}


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_one_outcome(status: int) -> None:
    outcome = outcome_of_status(status)
    if status in (200, 201, 202, 204):
        assert outcome is None
    elif status == 429:
        assert isinstance(outcome, NotSent)
        assert outcome.turned_away
    elif status in KINDS:
        assert isinstance(outcome, Refused)
        assert (outcome.kind, outcome.status) == (KINDS[status], status)
    else:
        assert isinstance(outcome, Unknown)


@pytest.mark.parametrize(
    ("error", "is_sent"),
    [
        (httpx.ConnectError, False),
        (httpx.ConnectTimeout, False),
        (httpx.PoolTimeout, False),
        (httpx.UnsupportedProtocol, False),
        (httpx.ReadTimeout, True),
        (httpx.WriteTimeout, True),
        (httpx.ReadError, True),
        (httpx.WriteError, True),
        (httpx.CloseError, True),
        (httpx.RemoteProtocolError, True),
        (httpx.LocalProtocolError, True),
        (httpx.DecodingError, True),
        (httpx.TooManyRedirects, True),
        (RuntimeError, True),
    ],
)
def test_exceptions_split_into_not_sent_and_unknown(error: type[Exception], is_sent: bool) -> None:
    outcome = outcome_of_exception(error("secret words"), first_byte_left=True)
    assert isinstance(outcome, Unknown if is_sent else NotSent)
    assert ("secret words" in outcome.reason) == (error is httpx.ConnectError)
    assert isinstance(outcome_of_exception(error("x"), first_byte_left=False), NotSent)


@pytest.mark.parametrize(
    ("body", "reason", "details"),
    [
        (b'{"status":400,"message":"Return is in invalid state"}', "Return is in invalid state", ()),
        (
            b'{"errors":[{"code":"MISSING","field":"order_lines","message":"Line missing"}]}',
            "Line missing",
            (RefusalDetail("Line missing", "MISSING", "order_lines"),),
        ),
        (
            b"""{"errors":[{"message":"You need Order:read","extensions":{"category":"authorization"},
                "path":["orders",0]}]}""",
            "You need Order:read",
            (RefusalDetail("You need Order:read", "authorization", "orders.0"),),
        ),
        (
            b'{"status":400,"code":"ORDER_INVALID_STATE","message":"not now"}',
            "not now",
            (RefusalDetail("not now", "ORDER_INVALID_STATE"),),
        ),
        (b'{"status":"no","code":-2,"msg":"stock missing"}', "stock missing", (RefusalDetail("stock missing", "-2"),)),
        (b"<html><title>\n Closed\n</title>", "HTML page 'Closed'", ()),
        (b"plain  words\n", "plain words", ()),
        (b'{"errors":[7,null,{"message":null}]}', "", (RefusalDetail(""),)),
        (b"", "", ()),
        (b"[" * 10_000, "[" * 499 + "…", ()),
    ],
)
def test_words_of_error_bodies(body: bytes, reason: str, details: tuple[RefusalDetail, ...]) -> None:
    assert words_of(body) == (reason, details)


@given(st.binary(max_size=300))
def test_no_error_body_breaks_the_table(body: bytes) -> None:
    for status in (400, 429, 500):
        outcome = outcome_of_status(status, body)
        assert outcome is not None
        assert len(outcome.reason) <= 600
