"""Products in Centra's Integration API: paged by their last change, or read by id, as one store presents them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.centra.facts import SkuFrom
from app.centra.graphql import CentraCalls
from app.centra.lists import CATALOGUE, instant, listed
from app.centra.products import ProductRead, product_of
from app.domain.catalogue import CatalogueProduct
from app.wire.decode import Items, UnreadableItem
from app.wire.outcome import Applied, Outcome

PAGE_PRODUCTS = 25
"""Lists in lists multiply what a page costs: 25 products are 9,000 of complexity."""
_PAGE = {"displays": 4, "variants": 8, "sizes": 30}
_WHOLE = {"displays": 20, "variants": 100, "sizes": 100}


@dataclass(frozen=True)
class ProductsPage:
    """Products by rising time of their last change. Not `is_last`: there may be more.

    `cut_ids`: products whose lists of displays, variants or sizes were longer than a page takes; read them one by one.
    """

    products: Items[CatalogueProduct]
    cut_ids: tuple[int, ...]
    is_last: bool


@dataclass(frozen=True)
class ProductsFound:
    """Products asked for by id; `missing_ids` are deleted, or in a part of the answer that is not to be believed."""

    products: Items[CatalogueProduct]
    missing_ids: tuple[int, ...]


class CatalogueOperations:
    """The catalogue operations of a Centra environment. They leave most of its allowance to others."""

    _calls: CentraCalls

    async def page_products(
        self,
        store_id: int,
        page: int,
        *,
        sku_from: SkuFrom,
        updated_since: datetime | None = None,
        limit: int = PAGE_PRODUCTS,
        headroom: float = CATALOGUE,
    ) -> Outcome[ProductsPage]:
        """One page of the products changed since then (None: of all), of every status; pages begin at 1.

        A product that changes meanwhile moves to the end and the one behind it slips onto the page before: begin the
        next sweep at an earlier time than this one began.
        """
        updated = {"from": instant(updated_since)} if updated_since else None
        variables = {"updated": updated, "storeId": [store_id], "page": page, "limit": limit, **_PAGE}
        answer = await listed(self._calls, "products_page", variables, "products", ProductRead, "id", headroom)
        if not isinstance(answer, Applied):
            return answer
        rows = answer.value
        cut = tuple(read.id for read in rows.items if read.is_cut(**_PAGE))
        # A row under an error may be left out, so that a full page looks short.
        is_last = not rows.unreadable and len(rows.items) < limit
        return Applied(ProductsPage(_facts(rows, sku_from, without=cut), cut, is_last))

    async def read_products(
        self, store_id: int, ids: Sequence[int], *, sku_from: SkuFrom, headroom: float = CATALOGUE
    ) -> Outcome[ProductsFound]:
        """Up to 25 products by id. Asked for alone, a product may have up to 100 variants of 100 sizes each."""
        if not 0 < len(ids) <= PAGE_PRODUCTS:
            raise ValueError(f"between 1 and {PAGE_PRODUCTS} product ids, not {len(ids)}")
        lengths = _WHOLE if len(ids) == 1 else _PAGE
        variables = {"ids": list(ids), "storeId": [store_id], "limit": len(ids), **lengths}
        answer = await listed(self._calls, "products_by_id", variables, "products", ProductRead, "id", headroom)
        if not isinstance(answer, Applied):
            return answer
        rows = answer.value
        cut = tuple(read.id for read in rows.items if read.is_cut(**lengths))
        facts = _facts(rows, sku_from, without=cut)
        too_long = tuple(
            UnreadableItem(place, "it has more displays, variants or sizes than were asked for", str(read.id))
            for place, read in zip(rows.places, rows.items, strict=True)
            if read.id in cut
        )
        told = {str(read.id) for read in rows.items} | {bad.id for bad in facts.unreadable}
        missing = tuple(id_ for id_ in dict.fromkeys(ids) if str(id_) not in told)
        return Applied(ProductsFound(Items(facts.items, (*facts.unreadable, *too_long), facts.places), missing))


def _facts(rows: Items[ProductRead], sku_from: SkuFrom, without: Sequence[int]) -> Items[CatalogueProduct]:
    good: list[CatalogueProduct] = []
    places: list[int] = []
    bad = list(rows.unreadable)
    for place, read in zip(rows.places, rows.items, strict=True):
        if read.id in without:
            continue
        try:
            good.append(product_of(read, sku_from))
            places.append(place)
        except ValueError as exc:
            bad.append(UnreadableItem(place, str(exc), str(read.id)))
    return Items(tuple(good), tuple(bad), tuple(places))
