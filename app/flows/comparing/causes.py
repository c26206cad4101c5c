"""Why both ends differ, by how the work on the key stands; and what a walk gives page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from app.domain.parity import Cause, Found, Kind
from app.store.parity import Way
from app.wire.outcome import Failure


@dataclass(slots=True)
class Seen:
    """What a page of a walk has shown: how much of each kind was compared, and what differs.

    `step` and `place`: from where the walk goes on.
    """

    step: str = ""
    place: tuple[str, str] = ("", "")
    compared: Counter[Kind] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A read failed; the walk goes on from where it is. `scope`: whose read."""

    failure: Failure
    scope: str


@dataclass(frozen=True, slots=True)
class Unread:
    """What the walk compares with was never read."""

    words: str


Step = Seen | Stopped | Unread


def under_way(found: Found, ways: Iterable[Way]) -> Found:
    """With the cause, where work on it is held or open."""
    given = list(ways)
    held = next((way.held for way in given if way.held is not None), None)
    if held is not None:
        return replace(found, cause=Cause.HELD, words=held)
    open_ = [(way.since, way.kept_back) for way in given if way.since is not None]
    if not open_:
        return found
    since, kept_back = min(open_, key=lambda pair: pair[0])
    cause = Cause.ON_ITS_WAY if kept_back is None else Cause.PAUSED
    return replace(found, cause=cause, words=kept_back or "", since=since)
