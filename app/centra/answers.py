"""Reading what an operation's answer says: a member as a whole, a list place by place, a payload's errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from app.centra.graphql import Answer, PartialError
from app.wire.decode import Unreadable
from app.wire.outcome import Applied, Outcome, RefusalDetail, RefusalKind, Refused, Unknown, joined_path

T = TypeVar("T")
P = TypeVar("P", bound="Change")


class Message(msgspec.Struct):
    message: str | None = None
    path: list[str | int] | None = None


def whole(answer: Outcome[Answer], member: str, type_: type[T]) -> Outcome[T]:
    """A member that is worth something only if nothing of it is missing."""
    if not isinstance(answer, Applied):
        return answer
    if answer.value.errors:
        return _spoiled(answer.value)
    try:
        return Applied(answer.value.member(member, type_))
    except Unreadable as exc:
        return Unknown(f"unreadable answer: {exc}")


Rows = tuple[list[msgspec.Raw], frozenset[int], tuple[PartialError, ...]]


def rows_of(answer: Outcome[Answer], member: str) -> Outcome[Rows]:
    """A list whose places are read one by one; places under an error are named."""
    if not isinstance(answer, Applied):
        return answer
    whole, places = answer.value.spoiled(member)
    if whole:
        return _spoiled(answer.value)
    try:
        return Applied((answer.value.member(member, list[msgspec.Raw]), places, answer.value.errors))
    except Unreadable as exc:
        return Unknown(f"unreadable answer: {exc}")


def _spoiled(answer: Answer) -> Unknown:
    return Unknown("Centra answered with errors: " + "; ".join(error.words for error in answer.errors)[:500])


def refused_by(errors: Sequence[Message]) -> Refused | None:
    """What a payload's errors make of the call; None: it named none."""
    details = words(errors)
    if not details:
        return None
    return Refused("; ".join(d.message for d in details)[:500], 200, RefusalKind.USER_ERRORS, details)


class Change(Protocol):
    """The payload of a mutation."""

    user_errors: list[Message]


def changed(
    answer: Outcome[Answer], member: str, payload: type[P], made: Callable[[P], T | None], what: str
) -> Outcome[T]:
    """What a mutation made, unless its payload names errors; with neither it is in doubt. `what`: in words."""
    read = whole(answer, member, payload)
    if not isinstance(read, Applied):
        return read
    if (refused := refused_by(read.value.user_errors)) is not None:
        return refused
    value = made(read.value)
    return Unknown(f"neither {what} nor errors") if value is None else Applied(value)


def words(messages: Sequence[Message] | None) -> tuple[RefusalDetail, ...]:
    return tuple(
        RefusalDetail(message.message or "no message", place=joined_path(message.path or ()))
        for message in messages or ()
    )
