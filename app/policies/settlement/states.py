"""What becomes of differences that were known when others are found: which open, stay, change and close.

A person's word about a difference holds for its figures. A rule's explanation holds as long as the rule gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.domain.settlement import Difference, Kind, State


@dataclass(frozen=True, slots=True)
class Known:
    """A difference as it is stored. `by_person`: somebody explained or accepted it."""

    key: str
    state: State
    kind: Kind
    currency: str
    expected: int | None
    told: int | None
    note: str | None
    by_person: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What to write about a difference. `difference` None: it is gone, and closes."""

    subject: str
    key: str
    state: State
    difference: Difference | None


def transitions(subject: str, known: Sequence[Known], found: Iterable[Difference]) -> list[Written]:
    """What is to be written about the differences of one subject; nothing about those that are as they were."""
    before = {one.key: one for one in known}
    now = {one.key: one for one in found}
    changes = [
        Written(subject, one.key, _state(one), one) for one in now.values() if not _stands(before.get(one.key), one)
    ]
    gone = [one for one in known if one.key not in now and one.state is not State.CLOSED]
    return changes + [Written(subject, one.key, State.CLOSED, None) for one in gone]


def _state(found: Difference) -> State:
    return State.OPEN if found.explained is None else State.EXPLAINED


def _stands(known: Known | None, found: Difference) -> bool:
    """Whether it is the one that is known, and nothing is to be said anew."""
    if known is None or known.state is State.CLOSED:
        return False
    before = (known.kind, known.currency, known.expected, known.told)
    if before != (found.kind, found.currency, found.expected, found.told):
        return False
    return known.by_person or (known.state is _state(found) and known.note == found.explained)
