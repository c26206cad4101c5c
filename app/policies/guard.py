"""The mass-change guard (business rule 4): a broken read must not empty or flood a shop.

Over a sliding hour, once more than `least` SKUs *and* more than `share` of the channel's live SKUs are concerned:
zeros that come from an explicit FTA of 0 go out and raise an alert (holding them would oversell); zeros from missing
sizes, mapping or policy, and increases of more than tenfold and 100 units, are held for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.ids import Sku
from app.domain.stock import Cause

WINDOW_SECONDS = 3600


class Suspicion(StrEnum):
    """What kind of unusual change this is."""

    SOLD_OUT = "sold_out"  # an explicit zero: sent, alerted
    VANISHED = "vanished"  # a zero from a missing size, mapping or policy: held
    JUMP = "jump"  # more than tenfold and more than 100 units: held


HELD = frozenset({Suspicion.VANISHED, Suspicion.JUMP})


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    least: int = 50
    share: float = 0.10
    jump_factor: int = 10
    jump_units: int = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One SKU's step from what the marketplace has (None: unknown) to what it should have."""

    sku: Sku
    before: int | None
    after: int
    cause: Cause
    version: int
    approved_version: int | None = None


def suspicion(change: Change, policy: GuardPolicy) -> Suspicion | None:
    """What is unusual about a change; None when nothing is.

    A person's approval of this version clears what could be held; a sold-out zero goes out anyway, and stays counted.
    """
    before = change.before
    if change.after == 0 and before != 0:
        if change.cause is Cause.FREE:
            return None if before is None else Suspicion.SOLD_OUT
        return None if _approved(change) else Suspicion.VANISHED
    if before is None or _approved(change):
        return None
    grown = change.after > before * policy.jump_factor and change.after - before > policy.jump_units
    return Suspicion.JUMP if grown else None


def _approved(change: Change) -> bool:
    return change.approved_version is not None and change.version <= change.approved_version


def tripped(
    suspicions: Mapping[Sku, Suspicion],
    before_this: Mapping[Suspicion, frozenset[Sku]],
    live: int,
    policy: GuardPolicy,
) -> frozenset[Suspicion]:
    """The kinds of change that have become a mass change.

    `before_this`: SKUs under the same suspicion earlier in the window; `live`: SKUs live on the channel.
    """
    found: set[Suspicion] = set()
    for kind in Suspicion:
        concerned = {sku for sku, named in suspicions.items() if named is kind} | before_this.get(kind, frozenset())
        if len(concerned) > policy.least and len(concerned) > policy.share * live:
            found.add(kind)
    return frozenset(found)


def held(suspicions: Mapping[Sku, Suspicion], mass: frozenset[Suspicion]) -> Sequence[Sku]:
    """The SKUs whose change waits for a person."""
    return [sku for sku, kind in suspicions.items() if kind in HELD and kind in mass]
