"""From bytes to values: exact numbers, bounded depth, no equal keys, and one bad item holds only itself.

Platforms may add members, new enum values, send numbers as strings or leave members out: all of that passes.
What is not JSON as we may rely on it (an HTML page, a cut or repeated key, NaN, bytes that are no UTF-8, ten
thousand brackets) is no answer: the caller gets *Unknown*, never an exception and never half a value.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from app.wire.outcome import Applied, Outcome, Unknown
from app.wire.request import WireResponse

T = TypeVar("T")
R = TypeVar("R")

DEPTH_LIMIT = 64

# Possessive, and content with the end of the text in place of a closing quote: linear on any bytes.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BOM = b"\xef\xbb\xbf"
_untyped = msgspec.json.Decoder(float_hook=Decimal)


class Unreadable(Exception):  # noqa: N818 - a verdict on an answer, not an error of ours
    """Why an answer cannot be relied on; the words are safe to log (no values of the answer)."""


@dataclass(frozen=True)
class UnreadableItem:
    """One item of a list that did not fit: its place in the list, why, and its id where it has one."""

    index: int
    reason: str
    id: str = ""


@dataclass(frozen=True)
class Items(Generic[T]):
    """A list read item by item: what could be read (with its place in the list), and what is to be held."""

    items: tuple[T, ...]
    unreadable: tuple[UnreadableItem, ...] = ()
    places: tuple[int, ...] = ()


def checked_json(body: bytes) -> bytes:
    """The body without its byte-order mark, once it is known to be JSON with one meaning, or Unreadable."""
    body = body.removeprefix(_BOM)
    if not body.strip():
        raise Unreadable("empty body instead of JSON")
    if body.lstrip()[:1] == b"<":
        raise Unreadable("HTML or XML page instead of JSON")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("text is not UTF-8") from None
    bare = _STRING.sub(b"", body)
    if _deepest(bare) > DEPTH_LIMIT:
        raise Unreadable(f"nested deeper than {DEPTH_LIMIT}")
    _refuse_equal_keys(body, bare)
    return body


def typed(body: bytes, type_: type[T]) -> T:
    """Decode checked JSON, or Unreadable. Numbers may come as strings; a number is never taken for text."""
    try:
        return msgspec.json.decode(body, type=type_, strict=False)
    except (ValueError, RecursionError) as exc:
        raise Unreadable(_plain(exc)) from None


def decoded(answer: Outcome[WireResponse], type_: type[T], shape: Callable[[T], Outcome[R]]) -> Outcome[R]:
    """Turn an accepted answer into its value; `shape` may still refuse it. Other outcomes pass through."""
    if not isinstance(answer, Applied):
        return answer
    try:
        return shape(typed(checked_json(answer.value.body), type_))
    except Unreadable as exc:
        return Unknown(f"unreadable answer: {exc}")


def read_items(
    raw: Sequence[msgspec.Raw], type_: type[T], id_member: str = "id", *, skip: Container[int] = ()
) -> Items[T]:
    """Decode each item by itself, so that an odd one holds only itself; places in `skip` are passed over."""
    good: list[T] = []
    places: list[int] = []
    bad: list[UnreadableItem] = []
    for index, item in enumerate(raw):
        if index in skip:
            continue
        try:
            good.append(typed(bytes(item), type_))
            places.append(index)
        except Unreadable as exc:
            bad.append(UnreadableItem(index, str(exc), _id_of(item, id_member)))
    return Items(tuple(good), tuple(bad), tuple(places))


class Rows(Generic[T]):
    """A list in an answer, decoded item by item as it is walked, so that a long one never stands in memory as values.

    `body` is a JSON array. Making one raises Unreadable where the array itself cannot be relied on; an odd item only
    is an UnreadableItem in its place.
    """

    def __init__(self, body: bytes, item: type[T], id_member: str = "id") -> None:
        self._item = item
        self._id_member = id_member
        body = body.removeprefix(_BOM)
        if body.lstrip()[:1] != b"[":
            raise Unreadable("no JSON array")
        try:
            body.decode("utf-8")
            self._raw = msgspec.json.decode(body, type=list[msgspec.Raw])
        except UnicodeDecodeError:
            raise Unreadable("text is not UTF-8") from None
        except (ValueError, RecursionError) as exc:
            raise Unreadable(_plain(exc)) from None

    def __len__(self) -> int:
        return len(self._raw)

    def members(self, name: str) -> Iterator[object]:
        """One member of each item that has it, without the rest of the item."""
        only = msgspec.defstruct("Only", [(name, msgspec.Raw)])
        for raw in self._raw:
            with contextlib.suppress(ValueError, RecursionError):
                yield msgspec.json.decode(getattr(msgspec.json.decode(raw, type=only), name))

    def __iter__(self) -> Iterator[T | UnreadableItem]:
        for index, raw in enumerate(self._raw):
            try:
                yield typed(checked_json(bytes(raw)), self._item)
            except Unreadable as exc:
                yield UnreadableItem(index, str(exc), _id_of(raw, self._id_member))


def _id_of(item: msgspec.Raw, member: str) -> str:
    try:
        value = _untyped.decode(item)
    except ValueError:
        return ""
    found = value.get(member) if isinstance(value, dict) else None
    return str(found) if isinstance(found, str | int) else ""


def _deepest(bare: bytes) -> int:
    depth = deepest = 0
    for bracket in bare.translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
        if deepest > DEPTH_LIMIT:
            break
    return deepest


def _refuse_equal_keys(body: bytes, bare: bytes) -> None:
    """The decoder keeps the last of two equal keys; written out again, one colon is then missing."""
    try:
        again = msgspec.json.encode(_untyped.decode(body))
    except (ValueError, RecursionError, OverflowError) as exc:
        raise Unreadable(_plain(exc)) from None
    if _STRING.sub(b"", again).count(b":") != bare.count(b":"):
        raise Unreadable("a key stands twice in one object")


def _plain(exc: Exception) -> str:
    """msgspec names places and types but quotes no values, apart from enum members."""
    return " ".join(str(exc).split())[:200]
