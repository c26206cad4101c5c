"""One GraphQL call to Centra and its three layers of errors.

HTTP says whether the call arrived; top-level errors say whether it ran, and in a query may spoil only a part
of the answer; payload errors (`userErrors`) say whether a mutation did what it was asked, under HTTP 200.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import msgspec

from app.centra.operations import Operation
from app.wire.charged import ChargedCalls
from app.wire.decode import Unreadable, decoded, typed
from app.wire.outcome import (
    Applied,
    Failure,
    Outcome,
    RefusalDetail,
    RefusalKind,
    Refused,
    Unknown,
    joined_path,
)
from app.wire.permit import Charge, Permits
from app.wire.request import WireRequest, WireResponse
from app.wire.transport import Transport

T = TypeVar("T")

WINDOWS = ("10s", "1h")
FIRST_COST = 1_000.0
"""Charged for an operation whose cost no answer has told yet."""

_NO_RIGHT = frozenset({"authorization", "authentication"})
_RETRY_FALLBACK_SECONDS = 10.0


@dataclass(frozen=True)
class PartialError:
    """A top-level error beside data: what stands under `path` in the answer is not to be believed."""

    message: str
    path: tuple[str | int, ...] = ()

    @property
    def words(self) -> str:
        return f"{joined_path(self.path)}: {self.message}" if self.path else self.message


@dataclass(frozen=True)
class Answer:
    """The members of `data`, still encoded, and the errors that came beside them (queries only)."""

    data: Mapping[str, msgspec.Raw]
    errors: tuple[PartialError, ...] = ()

    def member(self, name: str, type_: type[T]) -> T:
        """One decoded member of the data. Raises Unreadable."""
        raw = self.data.get(name)
        if raw is None:
            raise Unreadable(f"no {name} in the answer")
        return typed(bytes(raw), type_)

    def spoiled(self, name: str) -> tuple[bool, frozenset[int]]:
        """Whether the whole list `name` is under an error, and which of its places are."""
        places: set[int] = set()
        for error in self.errors:
            if error.path[:1] not in ((), (name,)):
                continue
            place = error.path[1] if len(error.path) > 1 else None
            if not isinstance(place, int):
                return True, frozenset()
            places.add(place)
        return False, frozenset(places)


_CostKey: TypeAlias = tuple[str, object, object]


class _Error(msgspec.Struct):
    message: str | None = None
    path: list[str | int] | None = None
    extensions: dict[str, object] | None = None

    @property
    def category(self) -> str:
        return str((self.extensions or {}).get("category", ""))


class _Envelope(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"")
    errors: list[_Error] | None = None
    extensions: msgspec.Raw = msgspec.Raw(b"")


class _Extensions(msgspec.Struct):
    complexity: float | None = None


class CentraCalls:
    """Runs operations of one Centra environment; `scope` is the source, whose allowance they share."""

    def __init__(self, transport: Transport, permits: Permits, scope: str) -> None:
        self._calls = ChargedCalls(transport, permits, scope)
        self._permits = permits
        self._scope = scope
        self._last_cost: dict[_CostKey, float] = {}

    async def run(
        self,
        operation: Operation,
        variables: Mapping[str, object],
        *,
        headroom: float,
        effect_id: str | None = None,
        usable_until: float | None = None,
    ) -> Outcome[Answer]:
        """Run one operation. A query may come back in part (`Answer.errors`), a mutation never does."""
        key = (operation.name, variables.get("limit"), variables.get("stockLimit"))
        cost = self._last_cost.get(key, FIRST_COST)
        request = WireRequest(
            operation.name,
            "POST",
            "/graphql",
            json=msgspec.json.encode(
                {"query": operation.text, "operationName": operation.name, "variables": variables}
            ),
            effect_id=effect_id,
            retry_after_fallback_seconds=_RETRY_FALLBACK_SECONDS,
        )
        answer = await self._calls.send(
            request, charges_of(operation, cost), headroom=headroom, usable_until=usable_until
        )
        envelope = decoded(_named_refusal(answer), _Envelope, Applied)
        if not isinstance(envelope, Applied):
            return envelope
        await self._correct(key, envelope.value, cost)
        return _judged(operation, envelope.value)

    async def _correct(self, key: _CostKey, envelope: _Envelope, charged: float) -> None:
        """Learn what the operation really cost with lists of these lengths, and charge the difference."""
        try:
            told = typed(bytes(envelope.extensions) or b"{}", _Extensions).complexity
        except Unreadable:
            return
        if told is None or told <= 0:
            return
        self._last_cost[key] = told
        if told == charged:
            return
        with contextlib.suppress(Exception):  # bookkeeping: it must not lose the answer
            for window in WINDOWS:
                await self._permits.correct(self._scope, f"complexity.{window}", told - charged)


def charges_of(operation: Operation, cost: float) -> tuple[Charge, ...]:
    """What one operation spends; the first charge is the bucket that a 429 closes."""
    counts = ("requests", "mutations") if operation.is_mutation else ("requests",)
    return (
        *(Charge(f"{count}.{window}") for count in counts for window in WINDOWS),
        *(Charge(f"complexity.{window}", cost) for window in WINDOWS),
    )


def _named_refusal(answer: Outcome[WireResponse]) -> Outcome[WireResponse]:
    """A missing permission is a matter of credentials, whichever status carries it."""
    if isinstance(answer, Refused) and any(detail.code in _NO_RIGHT for detail in answer.errors):
        return replace(answer, kind=RefusalKind.CREDENTIALS)
    return answer


def _judged(operation: Operation, envelope: _Envelope) -> Outcome[Answer]:
    errors = envelope.errors or []
    data = bytes(envelope.data)
    if errors:
        failure = _failure(operation, errors, data)
        if failure is not None:
            return failure
    if data in (b"", b"null"):
        return Unknown("unreadable answer: neither data nor errors")
    try:
        members = typed(data, dict[str, msgspec.Raw])
    except Unreadable as exc:
        return Unknown(f"unreadable answer: {exc}")
    partial = tuple(PartialError(error.message or "no message", tuple(error.path or ())) for error in errors)
    return Applied(Answer(members, partial))


def _failure(operation: Operation, errors: list[_Error], data: bytes) -> Failure | None:
    """What top-level errors mean for the whole call; None: a query that came back in part."""
    details = tuple(
        RefusalDetail(error.message or "no message", error.category, joined_path(error.path or ())) for error in errors
    )
    words = "; ".join(dict.fromkeys(detail.message for detail in details))[:500]
    if any(error.category in _NO_RIGHT for error in errors):
        return Refused(words, 200, RefusalKind.CREDENTIALS, details)
    if data == b"" and not any(error.path for error in errors):
        # Without data and without a path nothing was run: the request itself was refused.
        return Refused(words, 200, RefusalKind.INVALID, details)
    if data in (b"", b"null") or operation.is_mutation:
        return Unknown(f"Centra answered with errors: {words}")
    return None
