"""Prices at Mirakl. A file replaces all prices of each offer that it names, so an offer's prices are sent together or
not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Unpack

import msgspec

from app.mirakl.after_calls import checked
from app.mirakl.calls import Sending, ShopCalls, named
from app.mirakl.imports import ReportLine, csv_file, read_report
from app.mirakl.offer_files import ranges_text, text_of
from app.mirakl.offer_schema import MOST_PRICES, VolumePrice, When, check_discount, check_period, given
from app.wire.decode import decoded
from app.wire.outcome import Outcome, RefusalKind, Refused, Unknown
from app.wire.permit import Permit
from app.wire.request import FilePart, WireRequest
from app.wire.target import path_part

FILE_LIMIT = 10_000
"""The most offers of one file, a figure of our own: it stands in memory."""
_COLUMNS = ("offer-sku", "price", "discount-price", "discount-start-date", "discount-end-date")
_RARER = (
    *("price-ranges", "discount-ranges", "channels", "start-date", "end-date"),
    *("customer-organization-ids", "customer-group-ids"),
)


@dataclass(frozen=True)
class PriceRow:
    """One price of an offer: for all or for some channels or customers, always or in a period (`starts`, `ends`).

    Raises ValueError for a price that is none, a discount that is not below it, and half a period.
    """

    price: Decimal
    discount_price: Decimal | None = None
    discount_starts: When | None = None
    discount_ends: When | None = None
    channels: tuple[str, ...] = ()
    starts: When | None = None
    ends: When | None = None
    volumes: tuple[VolumePrice, ...] = ()
    customer_organization_ids: tuple[str, ...] = ()
    customer_group_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for amount in (self.price, self.discount_price):
            if amount is not None and not (isinstance(amount, Decimal) and amount.is_finite() and amount > 0):
                raise ValueError(f"{amount} is no price")
        check_discount(self.price, self.discount_price)
        check_period("a discount", self.discount_starts, self.discount_ends)
        check_period("a scheduled price", self.starts, self.ends)
        if self.discount_starts is not None and self.discount_price is None:
            raise ValueError("dates of a discount without its price")
        if any("|" in text for text in (*self.channels, *self.customer_organization_ids, *self.customer_group_ids)):
            raise ValueError("a code with a bar cannot stand in a list")

    @property
    def applies_to(self) -> tuple[object, ...]:
        """When and to whom; empty in all parts: the default price."""
        return (
            tuple(sorted(self.channels)),
            self.starts,
            self.ends,
            tuple(sorted(self.customer_organization_ids)),
            tuple(sorted(self.customer_group_ids)),
        )


_DEFAULT = PriceRow(Decimal(1)).applies_to


@dataclass(frozen=True)
class OfferPrices:
    """All prices that an offer is to have: the default one, and at most 49 more. What is not here will be gone."""

    sku: str
    rows: tuple[PriceRow, ...]

    def __post_init__(self) -> None:
        places = {row.applies_to for row in self.rows}
        if not self.sku or _DEFAULT not in places:
            raise ValueError(f"the prices of {self.sku or 'an offer'} need a SKU and the default price")
        if len(places) != len(self.rows) or len(self.rows) > MOST_PRICES:
            raise ValueError(f"the prices of {self.sku}: at most {MOST_PRICES}, and one for each case")


def prices_file(offers: Sequence[OfferPrices], delimiter: str = ";") -> bytes:
    """The PRI01 file; rarer columns only where a price needs them. Raises UnwritableText."""
    if len({offer.sku for offer in offers}) != len(offers):
        raise ValueError("an offer stands twice in one file")
    used = {name for line in _lines(offers) for name in _RARER if line[name]}
    columns = (*_COLUMNS, *(name for name in _RARER if name in used))
    return csv_file(columns, ([line[name] for name in columns] for line in _lines(offers)), delimiter)


def _lines(offers: Sequence[OfferPrices]) -> Iterator[dict[str, str]]:
    return (_line(offer.sku, row) for offer in offers for row in offer.rows)


def _line(sku: str, row: PriceRow) -> dict[str, str]:
    return {
        "offer-sku": sku,
        "price": text_of(row.price),
        "discount-price": text_of(row.discount_price),
        "discount-start-date": text_of(row.discount_starts),
        "discount-end-date": text_of(row.discount_ends),
        "price-ranges": ranges_text((v.quantity_threshold, v.unit_origin_price) for v in row.volumes),
        "discount-ranges": ranges_text((v.quantity_threshold, given(v.unit_discount_price)) for v in row.volumes),
        "channels": "|".join(row.channels),
        "start-date": text_of(row.starts),
        "end-date": text_of(row.ends),
        "customer-organization-ids": "|".join(row.customer_organization_ids),
        "customer-group-ids": "|".join(row.customer_group_ids),
    }


class PriceImportStatus(msgspec.Struct, frozen=True):
    """PRI02. `status` is WAITING, RUNNING, COMPLETE, FAILED or something newer.

    Where an operator approves prices, those of a complete import may still be pending.
    """

    import_id: str
    status: str
    shop_id: int | None = None
    date_created: str | None = None
    reason_status: str | None = None
    has_error_report: bool | None = None
    lines_in_success: int | None = None
    lines_in_error: int | None = None
    offers_updated: int | None = None
    offers_in_error: int | None = None


class _Accepted(msgspec.Struct):
    import_id: str | None = None
    older: str | None = msgspec.field(default=None, name="importId")


class _Listed(msgspec.Struct):
    data: tuple[PriceImportStatus, ...]


class PriceCalls(ShopCalls):
    """The price calls of a shop."""

    async def pri01_import_prices(
        self,
        offers: Sequence[OfferPrices],
        delimiter: str = ";",
        **sending: Unpack[Sending],
    ) -> Outcome[str]:
        """Queue all prices of each offer; the value is the import's id. Touches prices only."""
        checked(offers, FILE_LIMIT)
        file = FilePart("file", "prices.csv", prices_file(offers, delimiter), "text/csv")
        answer = await self._upload("PRI01", "/api/offers/pricing/imports", file, **sending)
        return decoded(answer, _Accepted, lambda body: named(body.import_id or body.older, "import_id"))

    async def pri02_get_price_import(
        self, import_id: str, *, permit: Permit | None = None
    ) -> Outcome[PriceImportStatus]:
        """How far an import is. Refused (missing): Mirakl does not know it."""
        request = WireRequest("PRI02", "GET", "/api/offers/pricing/imports", query=(("import_id", import_id),))
        answer = await self._send(request, permit=permit)

        def shape(body: _Listed) -> Outcome[PriceImportStatus]:
            found = next((status for status in body.data if status.import_id == import_id), None)
            if found is not None:
                return self._ours(found.shop_id, found)
            if body.data:
                return Unknown("the answer is about other imports")
            return Refused("Mirakl does not know this import of prices", 200, RefusalKind.MISSING)

        return decoded(answer, _Listed, shape)

    async def pri03_get_price_import_errors(
        self, import_id: str, *, permit: Permit | None = None
    ) -> Outcome[list[ReportLine]]:
        """The lines that an import refused, each with its columns (`offer-sku` is our SKU)."""
        path = f"/api/offers/pricing/imports/{path_part(import_id)}/error_report"
        return await self._report("PRI03", path, lambda body: read_report(body, "offer-sku"), permit)
