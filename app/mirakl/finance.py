"""Money at Mirakl: the transaction log, billing cycles with their pay-outs, and accounting documents.

The log (TL02 to TL05) wants a key with the accountancy role, the rest the shop's usual one (business rule 22).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from app.domain.settlement import Cycle, Transaction
from app.mirakl import schema
from app.mirakl.after_calls import PAGE_LIMIT, AfterCalls
from app.mirakl.after_schema import Page
from app.mirakl.calls import LARGE_BODY_BYTES, UPLOAD_SECONDS, charges_of, instant
from app.mirakl.finance_schema import (
    DocumentPage,
    ToldCycle,
    ToldDocument,
    ToldTransaction,
    Transactions,
    in_our_terms,
)
from app.wire.decode import Items, Rows, Unreadable, decoded, read_items
from app.wire.outcome import Applied, Outcome, Unknown
from app.wire.permit import Permit
from app.wire.request import Expected, WireRequest
from app.wire.target import path_part

TRANSACTIONS_LIMIT = 2_000
"""The largest page of TL02."""
CYCLES_LIMIT = 1_000
"""The largest page of SBC11."""
_LOG = "/api/sellerpayment/transactions_logs"


class _Listed(msgspec.Struct):
    invoices: list[msgspec.Raw] | None
    total_count: int | None = None


class _File(msgspec.Struct):
    data: msgspec.Raw


class FinanceCalls(AfterCalls):
    """The finance calls of a shop. A key that lacks the right is refused as *role*: the shop's other calls go on."""

    async def tl02_list_transactions(
        self,
        updated_since: datetime,
        page_token: str | None = None,
        *,
        limit: int = TRANSACTIONS_LIMIT,
        permit: Permit | None = None,
    ) -> Outcome[Page[Transaction]]:
        """One page of the lines that changed since then, the oldest change first."""
        query = [("last_updated_from", instant(updated_since)), ("sort", "lastUpdated,ASC")]
        answer = await self._page(
            "TL02", _LOG, query, ToldTransaction, page_token=page_token, permit=permit, limit=limit
        )
        if not isinstance(answer, Applied):
            return answer
        return Applied(Page(in_our_terms(answer.value.rows, ToldTransaction.ours), answer.value.next_token))

    async def tl03_export_transactions(self, updated_since: datetime, *, permit: Permit | None = None) -> Outcome[str]:
        """Ask for a file of the lines that changed since then (daily); the value is its tracking id."""
        body: dict[str, object] = {"last_updated_from": instant(updated_since), "format": "JSON"}
        return await self._asked_export("TL03", f"{_LOG}/async", body, permit, "TL03")

    async def tl04_get_export(self, tracking_id: str, *, permit: Permit | None = None) -> Outcome[schema.ExportStatus]:
        """How far an export is: PENDING, COMPLETED, FAILED, CANCELED or something newer."""
        return await self._polled_export("TL04", f"{_LOG}/async/status/", tracking_id, permit)

    async def tl05_fetch_transactions(self, url: str, *, permit: Permit | None = None) -> Outcome[Transactions]:
        """One file of an export, decoded line by line as it is walked.

        An export is cut into files of 10,000 lines, so that the whole of it never stands in memory.
        """
        answer = await self._downloaded("TL05", url, permit)
        if not isinstance(answer, Applied):
            return answer
        try:
            file = msgspec.json.decode(answer.value.body.removeprefix(b"\xef\xbb\xbf"), type=_File)
            return Applied(Transactions(Rows(bytes(file.data), ToldTransaction)))
        except (ValueError, RecursionError, Unreadable):
            return Unknown("unreadable answer: no list 'data'")

    async def sbc11_list_billing_cycles(
        self, since: datetime | None, page_token: str | None = None, *, permit: Permit | None = None
    ) -> Outcome[Page[Cycle]]:
        """One page of the cycles that began since then (all), the oldest first. The first page is a daily call."""
        query = [("sort", "dateCreated,ASC"), *([("start_date", instant(since))] if since else [])]
        answer = await self._page(
            "SBC11",
            "/api/seller-billing-cycles",
            query,
            ToldCycle,
            page_token=page_token,
            permit=permit,
            charged_as="SBC11.page" if page_token else "SBC11",
            limit=CYCLES_LIMIT,
        )
        if not isinstance(answer, Applied):
            return answer
        told = answer.value.rows
        return self._ours(self._foreign(told), Page(in_our_terms(told, ToldCycle.ours), answer.value.next_token))

    async def iv01_list_documents(
        self, since: datetime | None, offset: int = 0, *, permit: Permit | None = None
    ) -> Outcome[DocumentPage]:
        """One page of documents of all kinds made since then (all), the oldest first. The first is a daily call."""
        query = (
            ("type", "ALL"),
            *([("start_date", instant(since))] if since else []),
            *(("sort", "dateCreated"), ("order", "asc"), ("max", str(PAGE_LIMIT)), ("offset", str(offset))),
        )
        request = WireRequest("IV01", "GET", "/api/invoices", query=query, body_bytes=LARGE_BODY_BYTES)
        answer = await self._send(request, permit=permit, charges=charges_of("IV01.page" if offset else "IV01"))

        def shape(body: _Listed) -> Outcome[DocumentPage]:
            rows = body.invoices or []
            end = offset + len(rows)
            has_next = len(rows) == PAGE_LIMIT if body.total_count is None else end < body.total_count
            if has_next and not rows:
                return Unknown(f"an empty page at {offset} of {body.total_count} documents")
            told = read_items(rows, ToldDocument, "invoice_id")
            page = DocumentPage(in_our_terms(told, ToldDocument.ours), end if has_next else None)
            return self._ours(self._foreign(told), page)

        return decoded(answer, _Listed, shape)

    async def iv02_get_document(self, number: str, *, permit: Permit | None = None) -> Outcome[bytes]:
        """The file of a document, by its number; a PDF as a rule."""
        request = WireRequest(
            "IV02",
            "GET",
            f"/api/invoices/{path_part(number)}",
            expects=Expected.FILE,
            body_bytes=LARGE_BODY_BYTES,
            total_seconds=UPLOAD_SECONDS,
        )
        answer = await self._send(request, permit=permit)
        return Applied(answer.value.body) if isinstance(answer, Applied) else answer

    def _foreign(self, told: Items[ToldCycle] | Items[ToldDocument]) -> int | None:
        """Another shop that a row names."""
        named = (row.shop_id for row in told.items)
        return next((shop for shop in named if shop is not None and shop != self._shop_id), None)
