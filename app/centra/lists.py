"""Lists of Centra, row by row, and the instants that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from app.centra.answers import T, rows_of
from app.centra.graphql import CentraCalls
from app.centra.operations import operation
from app.domain.ids import CentraNumber
from app.wire.decode import Items, UnreadableItem, read_items
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused, Unknown

AFTER_SALE = 0.9
"""The share of the allowance that reads and writes after the sale may reach into."""


CATALOGUE = 0.4
"""The share that reads of the catalogue may reach into."""


async def listed(
    calls: CentraCalls,
    file_name: str,
    variables: Mapping[str, object],
    member: str,
    type_: type[T],
    id_member: str,
    headroom: float = AFTER_SALE,
) -> Outcome[Items[T]]:
    """Run a query for a list. Places under an error count as unreadable: nothing in part of an answer looks absent."""
    rows = rows_of(await calls.run(operation(file_name), variables, headroom=headroom), member)
    if not isinstance(rows, Applied):
        return rows
    raw, spoiled, errors = rows.value
    read = read_items(raw, type_, id_member, skip=spoiled)
    reason = "; ".join(error.words for error in errors)[:500]
    lost = (UnreadableItem(place, reason) for place in sorted(spoiled))
    return Applied(Items(read.items, (*read.unreadable, *lost), read.places))


def instant(moment: datetime) -> str:
    """Raises ValueError for an instant without its zone."""
    if moment.tzinfo is None:
        raise ValueError("an instant sent to Centra needs its zone")
    return moment.isoformat(timespec="seconds")


class _Numbered(Protocol):
    @property
    def number(self) -> int: ...


N = TypeVar("N", bound=_Numbered)


def by_number(answer: Outcome[Items[N]], numbers: Sequence[CentraNumber]) -> dict[CentraNumber, Outcome[N]]:
    """What an answer about some order numbers says of each: one that it leaves out is unknown to Centra, unless
    something in the answer can't be read.
    """
    if not isinstance(answer, Applied):
        return dict.fromkeys(numbers, answer)
    told: dict[CentraNumber, Outcome[N]] = {CentraNumber(order.number): Applied(order) for order in answer.value.items}
    absent: Outcome[N] = (
        Unknown("Centra's answer could not be read in part")
        if answer.value.unreadable
        else Refused("Centra does not know this order number", 200, RefusalKind.MISSING)
    )
    return {number: told.get(number, absent) for number in numbers}
