"""Decoding: exact, bounded, and never an exception that is not Unreadable."""

import contextlib
import json
import time
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.decode import DEPTH_LIMIT, Unreadable, checked_json, read_items, typed


class Row(msgspec.Struct):
    id: int
    amount: Decimal | None = None
    state: str | None = None


@pytest.mark.parametrize("number", ["1234567890123456.78", "0.1", "1E+400", "-0.00", "79228162514264337593.5"])
def test_numbers_keep_every_digit(number: str) -> None:
    body = checked_json(b'{"id":1,"amount":' + number.encode() + b"}")
    assert typed(body, Row).amount == Decimal(number)


def test_numbers_may_come_as_text() -> None:
    assert typed(checked_json(b'{"id":"7","amount":"1.10"}'), Row) == Row(7, Decimal("1.10"))


def test_depth_is_limited_before_decoding_and_brackets_in_text_do_not_count() -> None:
    fits = b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT
    assert checked_json(fits) == fits
    with pytest.raises(Unreadable, match="deeper"):
        checked_json(b"[" + fits + b"]")
    text = json.dumps({"a": "[" * 1000 + '\\"' * 50}).encode()
    assert checked_json(text) == text


@pytest.mark.parametrize(
    "body",
    [b'{"a":1,"a":1}', b'[{"b":{"a":1,"c":2,"a":3}}]', b'{"a":1,"\\u0061":2}', b'{"":1,"":2}'],
)
def test_equal_keys_are_refused_wherever_they_stand(body: bytes) -> None:
    with pytest.raises(Unreadable, match="twice"):
        checked_json(body)


def test_a_byte_order_mark_is_taken_off() -> None:
    assert checked_json(b"\xef\xbb\xbf[1]") == b"[1]"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_honest_json_passes_unchanged(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        body = text.encode("utf-8", "surrogatepass")
        assert checked_json(body) == body


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()[:-1]))
def test_other_bytes_are_unreadable_and_nothing_else(body: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert isinstance(typed(checked_json(body), dict[str, Row]), dict)


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 2_000_000, b'"' * 4_000_001, b"[" * 4_000_000, b'{"":' * 1_000_000])
def test_hostile_bytes_take_linear_time(body: bytes) -> None:
    started_at = time.process_time()
    with pytest.raises(Unreadable):
        checked_json(body)
    assert time.process_time() - started_at < 2.0


def test_one_odd_item_holds_only_itself() -> None:
    raw = msgspec.json.decode(
        b'[{"id":1},{"id":"x"},{"id":3,"state":5},null,{"id":4,"state":"NEW"}]', type=list[msgspec.Raw]
    )
    found = read_items(raw, Row, skip={4})
    assert found.items == (Row(1),)
    assert found.places == (0,)
    assert [(bad.index, bad.id) for bad in found.unreadable] == [(1, "x"), (2, "3"), (3, "")]
