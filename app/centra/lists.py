"""Lists of Centra, row by row, and the instants that are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.centra.answers import T, rows_of
from app.centra.graphql import CentraCalls
from app.centra.operations import operation
from app.wire.decode import Items, UnreadableItem, read_items
from app.wire.outcome import Applied, Outcome

AFTER_SALE = 0.9
"""The share of the allowance that reads and writes after the sale may reach into."""


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
