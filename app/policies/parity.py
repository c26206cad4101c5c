"""What is done about a difference, and what it means for the score.

A difference that a flow can mend is given to it again, so often at most: what comes back every time needs a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.parity import SETTLES_ITSELF, Before, Cause, Deed, Found


@dataclass(frozen=True, slots=True)
class ParityPolicy:
    """`tries`: how often a key is marked before a person is asked; `on_its_way`: for how long that is no difference."""

    tries: int = 3
    on_its_way: timedelta = timedelta(hours=1)


def deed(found: Found, before: Before, as_of: datetime, policy: ParityPolicy) -> Deed:
    """What is done now. `as_of`: when the copy that it was found in was made, which shows nothing done since."""
    if found.mended:
        return Deed.MENDED
    if before.resolved:
        return Deed.RESOLVED
    if found.cause in SETTLES_ITSELF:
        return Deed.NOTHING
    if found.mend is not None and before.tries < policy.tries:
        is_shown = before.mended_at is None or before.mended_at < as_of
        return Deed.MENDED if is_shown else Deed.NOTHING
    return Deed.HELD if found.asks else Deed.NOTHING


def counts(found: Found, done: Deed, now: datetime, policy: ParityPolicy) -> bool:
    """Whether it lowers the score: not while it is freshly on its way, nor where a person let it be."""
    if done is Deed.RESOLVED:
        return False
    is_fresh = found.since is not None and now - found.since <= policy.on_its_way
    return not (found.cause in (Cause.ON_ITS_WAY, Cause.PAUSED) and is_fresh)


def score(compared: int, differing: int) -> float:
    """The share that agrees, from 0 to 1; nothing to compare agrees."""
    return 1.0 if compared <= 0 else max(0.0, 1.0 - differing / compared)
