"""Offers at Mirakl: written whole, by OF24 or as a file; followed, their errors read; and read back in full.

The mode that deletes every offer which a file leaves out cannot be asked for here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import msgspec

from app.mirakl.after_calls import AfterCalls, checked
from app.mirakl.calls import Sending, numbered
from app.mirakl.imports import ReportLine, read_report
from app.mirakl.offer_files import offers_file
from app.mirakl.offer_schema import LiveOffer, OfferImportStatus, OfferWrite
from app.wire.decode import Rows, Unreadable, decoded
from app.wire.outcome import Applied, Outcome, Unknown
from app.wire.permit import Permit
from app.wire.request import FilePart, WireRequest
from app.wire.target import path_part

OFFERS_LIMIT = 2_000
"""The most offers of one OF24, a figure of our own; more go as a file."""
FILE_LIMIT = 10_000
"""The most offers of one file, a figure of our own: it stands in memory."""
_MODE = b"NORMAL"


class _Accepted(msgspec.Struct):
    import_id: int | None = None


class OfferCalls(AfterCalls):
    """The offer calls of a shop, beside its exports."""

    async def of24_write_offers(
        self,
        offers: Sequence[OfferWrite],
        **sending: Unpack[Sending],
    ) -> Outcome[str]:
        """Queue whole offers; the value is the import's id, an earlier one's where the very same was sent before.

        One offer of a wrong type refuses all (400): split the batch until it stands alone.
        """
        answer = await self._write(
            "OF24",
            "POST",
            "/api/offers",
            {"offers": _each_once(offers, OFFERS_LIMIT)},
            **sending,
        )
        return decoded(answer, _Accepted, lambda body: numbered(body.import_id))

    async def of01_import_offers(
        self,
        offers: Sequence[OfferWrite],
        delimiter: str = ";",
        **sending: Unpack[Sending],
    ) -> Outcome[str]:
        """As OF24, as a file."""
        file = offers_file(_each_once(offers, FILE_LIMIT), delimiter)
        answer = await self._upload(
            "OF01",
            "/api/offers/imports",
            FilePart("file", "offers.csv", file, "text/csv"),
            FilePart("import_mode", None, _MODE, "text/plain"),
            **sending,
        )
        return decoded(answer, _Accepted, lambda body: numbered(body.import_id))

    async def of02_get_offer_import(
        self, import_id: str, *, permit: Permit | None = None
    ) -> Outcome[OfferImportStatus]:
        """How far an import is. Refused (missing): Mirakl does not know it."""
        request = WireRequest("OF02", "GET", f"/api/offers/imports/{path_part(import_id)}")
        answer = await self._send(request, permit=permit)

        def shape(status: OfferImportStatus) -> Outcome[OfferImportStatus]:
            if str(status.import_id) != import_id:
                return Unknown("the answer is about another import")
            return Applied(status)

        return decoded(answer, OfferImportStatus, shape)

    async def of03_get_offer_import_errors(
        self, import_id: str, *, permit: Permit | None = None
    ) -> Outcome[list[ReportLine]]:
        """The offers that an import refused, each with its columns (`sku` is our SKU)."""
        path = f"/api/offers/imports/{path_part(import_id)}/error_report"
        return await self._report("OF03", path, lambda body: read_report(body, "sku"), permit)

    async def of54_read_live_offers(self, url: str, *, permit: Permit | None = None) -> Outcome[Rows[LiveOffer]]:
        """One file of an export, with prices and all other members, decoded offer by offer as it is walked.

        An export is cut into files of 10,000 offers, so that the whole of it never stands in memory.
        """
        answer = await self._downloaded("OF54", url, permit)
        if not isinstance(answer, Applied):
            return answer
        try:
            rows = Rows(answer.value.body, LiveOffer, "shop_sku")
            named = (shop for shop in rows.members("shop_id") if isinstance(shop, int))
            foreign = next((shop for shop in named if shop != self._shop_id), None)
        except Unreadable as exc:
            return Unknown(f"unreadable answer: {exc}")
        return self._ours(foreign, rows)


def _each_once(offers: Sequence[OfferWrite], at_most: int) -> Sequence[OfferWrite]:
    checked(offers, at_most)
    if len({offer.shop_sku for offer in offers}) != len(offers):
        raise ValueError("an offer stands twice in one call")
    return offers
