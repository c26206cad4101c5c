"""Centra's products as last read, and which product each SKU is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from app.domain.catalogue import CatalogueProduct
from app.domain.ids import Sku
from app.store.pool import Connection
from app.store.statements import sql

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""In JSON, and not after a backslash that is a text's own."""
_NONE = rb"\1" + "\N{REPLACEMENT CHARACTER}".encode()


@dataclass(frozen=True, slots=True)
class Known:
    """The product of a SKU. `named_before`: other SKUs that the same size bore, or bears now (field case 67).

    `let_go`: a person said that its size bears another one now. `left_behind`: SKUs that its size let go for it.
    """

    sku: Sku
    product: CatalogueProduct
    gone: bool
    named_before: tuple[Sku, ...] = ()
    let_go: bool = False
    left_behind: tuple[Sku, ...] = ()

    @property
    def is_borne(self) -> bool:
        """Whether a size of it still bears this SKU."""
        return any(size.sku == self.sku for variant in self.product.variants for size in variant.sizes)


def digest_of(value: object) -> str:
    """A name for what something says: equal for equal values, whatever the order of their members."""
    return hashlib.blake2b(_said(value), digest_size=12).hexdigest()


def _said(value: object) -> bytes:
    """As JSON, members in one order; msgspec sorts members only where all names are texts. Postgres stores no NUL."""
    said = msgspec.json.encode(msgspec.to_builtins(value, str_keys=True), order="deterministic")
    return _NUL.sub(_NONE, said) if b"\\u0000" in said else said


async def write(
    connection: Connection, source: str, products: Iterable[CatalogueProduct], read_at: datetime
) -> list[Sku]:
    """Store products told by a call that began then; the SKUs of those that changed, the ones they had before among
    them.
    """
    rows = sorted({product.product_id: product for product in products}.values(), key=lambda one: one.product_id)
    facts = [_said(product).decode() for product in rows]
    ids = [product.product_id for product in rows]
    changed = await connection.fetch(
        sql("product/write"), source, ids, facts, [digest_of(product) for product in rows], read_at
    )
    named = sorted(
        (size.sku, product.product_id, size.size_id)
        for product in rows
        for variant in product.variants
        for size in variant.sizes
    )
    unique = list({sku: (sku, product_id, size_id) for sku, product_id, size_id in named}.values())
    await connection.execute(
        sql("product/name_skus"), source, [n[0] for n in unique], [n[1] for n in unique], [n[2] for n in unique]
    )
    return await skus_of(connection, source, [row["product_id"] for row in changed])


async def skus_of(connection: Connection, source: str, product_ids: Sequence[int]) -> list[Sku]:
    """The SKUs of products."""
    return [Sku(row["sku"]) for row in await connection.fetch(sql("product/skus"), source, list(product_ids))]


async def of_skus(connection: Connection, source: str, skus: Iterable[str]) -> dict[Sku, Known]:
    """The product of each SKU; one that no product bears is missing."""
    rows = await connection.fetch(sql("product/of_skus"), source, sorted(set(skus)))
    return {
        Sku(row["sku"]): Known(
            Sku(row["sku"]),
            msgspec.json.decode(row["facts"], type=CatalogueProduct),
            row["gone"],
            () if row["let_go"] else tuple(Sku(sku) for sku in row["sharing"] or () if sku != row["sku"]),
            row["let_go"],
            tuple(map(Sku, row["before"] or ())),
        )
        for row in rows
    }


async def page(connection: Connection, source: str, after: int, limit: int) -> list[CatalogueProduct]:
    """The next living products, in order of their ids."""
    rows = await connection.fetch(sql("product/page"), source, after, limit)
    return [msgspec.json.decode(row["facts"], type=CatalogueProduct) for row in rows]


async def unseen(connection: Connection, source: str, since: datetime) -> list[int]:
    """Products that a walk which began then did not meet."""
    return [row["product_id"] for row in await connection.fetch(sql("product/unseen"), source, since)]


async def delete(connection: Connection, source: str, product_ids: Sequence[int]) -> list[Sku]:
    """Centra does not have these any more; their SKUs."""
    rows = await connection.fetch(sql("product/gone"), source, list(product_ids))
    return await skus_of(connection, source, [row["product_id"] for row in rows])


async def let_go(connection: Connection, source: str, sku: str) -> bool:
    """A SKU that its size bears no more: its offer may leave."""
    return await connection.fetchval(sql("product/let_go"), source, sku) is not None


async def renamed(connection: Connection, source: str, skus: Sequence[str]) -> dict[Sku, Sku]:
    """Of SKUs that no size bears any more, the one that their size bears now (field case 67)."""
    rows = await connection.fetch(sql("size/by_former_skus"), source, list(skus))
    return {Sku(row["former"]): Sku(row["sku"]) for row in rows}
