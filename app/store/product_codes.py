"""Codes that are to be unique on a marketplace, and which SKUs of a channel bear them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from app.domain.ids import Sku
from app.domain.listing import Bearers, Code
from app.store.pool import Connection
from app.store.statements import sql


async def write(
    connection: Connection, scope: str, borne: Mapping[Sku, Collection[Code]], at: datetime
) -> tuple[Bearers, list[Sku]]:
    """These SKUs bear these codes and no others, the new ones since `at`.

    Gives the bearers of each of the codes, and the SKUs that share a code which one of these bore before.
    """
    before: dict[Sku, set[Code]] = defaultdict(set)
    for row in await connection.fetch(sql("product_code/of_skus"), scope, list(borne)):
        before[Sku(row["sku"])].add((row["kind"], row["code"]))
    dropped = [(*code, sku) for sku, codes in borne.items() for code in before[sku].difference(codes)]
    added = [(*code, sku) for sku, codes in borne.items() for code in set(codes) - before[sku]]
    if dropped:
        await connection.execute(sql("product_code/drop"), scope, *_columns(dropped), at)
    if added:
        await connection.execute(sql("product_code/add"), scope, *_columns(added), at)
    left = await read(connection, scope, {(kind, code) for kind, code, _ in dropped})
    freed = {sku for bearers in left.values() for sku in bearers}
    return await read(connection, scope, {code for codes in borne.values() for code in codes}), sorted(freed)


async def read(connection: Connection, scope: str, codes: Iterable[Code]) -> Bearers:
    """The SKUs that bear each code, and since when; a code that nobody bears is missing."""
    wanted = sorted(codes)
    found: dict[Code, dict[Sku, datetime]] = defaultdict(dict)
    kinds, values = [kind for kind, _ in wanted], [value for _, value in wanted]
    for row in await connection.fetch(sql("product_code/bearers"), scope, kinds, values) if wanted else ():
        found[row["kind"], row["code"]][Sku(row["sku"])] = row["since"]
    return found


def _columns(rows: Iterable[tuple[str, str, str]]) -> tuple[list[str], list[str], list[str]]:
    kinds, codes, skus = zip(*sorted(rows), strict=True)
    return list(kinds), list(codes), list(skus)
