"""Incidents, threads and documents of orders at Mirakl. A document goes to its order (OR74) or answers the operator's
request for one (DR74), as the marketplace wants it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Unpack

import msgspec

from app.mirakl.after_calls import PAGE_LIMIT, AfterCalls, checked
from app.mirakl.after_schema import Document, DocumentRequest, OrderDocument, Page, Thread
from app.mirakl.calls import Sending, done, instant
from app.wire.decode import Items, decoded
from app.wire.outcome import Applied, Outcome, RefusalDetail, RefusalKind, Refused, Unknown
from app.wire.permit import Permit
from app.wire.request import Expected, FilePart, WireRequest
from app.wire.target import path_part

ORDER = "PRODUCT_LOGISTIC_ORDER"
"""The entity of a request that is about an order of a buyer."""


class _Error(msgspec.Struct):
    message: str | None = None
    code: str | int | None = None
    field: str | None = None


class _Sent(msgspec.Struct):
    errors: tuple[_Error, ...] | None = None


class _OrderAnswer(msgspec.Struct):
    """Only what failed is listed."""

    order_documents: tuple[_Sent, ...]
    errors_count: int | None = None


class _RequestAnswer(msgspec.Struct):
    """Every request is listed."""

    requests: tuple[_Sent, ...]


class DocumentCalls(AfterCalls):
    """The calls about incidents, threads and documents of a shop."""

    async def or64_resolve_incident(
        self,
        order_id: str,
        line_id: str,
        reason_code: str,
        **sending: Unpack[Sending],
    ) -> Outcome[None]:
        """Say that a line's incident is resolved, for a reason of RE01 of type INCIDENT_CLOSE."""
        answer = await self._write(
            "OR64",
            "PUT",
            f"/api/orders/{path_part(order_id)}/lines/{path_part(line_id)}/resolve_incident",
            {"reason_code": reason_code},
            expects=Expected.NOTHING,
            **sending,
        )
        return done(answer)

    async def m11_list_threads(
        self,
        updated_since: datetime | None = None,
        *,
        page_token: str | None = None,
        permit: Permit | None = None,
    ) -> Outcome[Page[Thread]]:
        """One page of threads updated since then (all if None), waiting for us or not. Meant for few calls."""
        query = [("updated_since", instant(updated_since))] if updated_since else []
        return await self._page("M11", "/api/inbox/threads", query, Thread, page_token=page_token, permit=permit)

    async def or72_list_documents(
        self, order_ids: Sequence[str], *, permit: Permit | None = None
    ) -> Outcome[Items[OrderDocument]]:
        """The documents of up to 100 orders."""
        if any("," in id_ for id_ in checked(order_ids, PAGE_LIMIT)):
            raise ValueError("an order id with a comma cannot be asked for")
        request = WireRequest("OR72", "GET", "/api/orders/documents", query=(("order_ids", ",".join(order_ids)),))
        return await self._listed(request, "order_documents", OrderDocument, permit)

    async def or74_upload_document(
        self,
        order_id: str,
        document: Document,
        type_code: str,
        **sending: Unpack[Sending],
    ) -> Outcome[None]:
        """Attach one document, of a type of DO01, to an order. Not safe to repeat: look into OR72 first."""
        described = {"order_documents": [{"file_name": document.file_name, "type_code": type_code}]}
        path, parts = f"/api/orders/{path_part(order_id)}/documents", _parts(document, "order_documents", described)
        answer = await self._upload("OR74", path, *parts, **sending)

        def shape(body: _OrderAnswer) -> Outcome[None]:
            failed = bool(body.errors_count or body.order_documents)
            return _refused(body.order_documents) if failed else Applied(None)

        return decoded(answer, _OrderAnswer, shape)

    async def dr11_list_requests(
        self, order_ids: Sequence[str] = (), *, page_token: str | None = None, permit: Permit | None = None
    ) -> Outcome[Page[DocumentRequest]]:
        """One page of the operator's requests for documents: of up to 100 orders, or (none named) all that wait."""
        of_orders = [("entity_id", id_) for id_ in checked(order_ids, PAGE_LIMIT)] if order_ids else []
        query = [("entity_type", ORDER), *(of_orders or [("state", "TO_PROCESS")])]
        path = "/api/document-request/requests"
        return await self._page("DR11", path, query, DocumentRequest, page_token=page_token, permit=permit)

    async def dr74_upload_document(
        self,
        request_id: str,
        document: Document,
        document_number: str,
        **sending: Unpack[Sending],
    ) -> Outcome[None]:
        """Answer a request with one PDF. Mirakl refuses it once the request is answered."""
        files = [{"name": document.file_name, "format": "PDF"}]
        described = {"requests": [{"request_id": request_id, "document_number": document_number, "files": files}]}
        path, parts = "/api/document-request/documents/upload", _parts(document, "documents_input", described)
        answer = await self._upload("DR74", path, *parts, **sending)

        def shape(body: _RequestAnswer) -> Outcome[None]:
            if len(body.requests) != 1:
                return Unknown(f"{len(body.requests)} answers to one document")
            return _refused(body.requests) if body.requests[0].errors else Applied(None)

        return decoded(answer, _RequestAnswer, shape)


def _parts(document: Document, name: str, described: object) -> tuple[FilePart, FilePart]:
    return (
        FilePart("files", document.file_name, document.content, document.content_type),
        FilePart(name, None, msgspec.json.encode(described), "application/json"),
    )


def _refused(sent: Sequence[_Sent]) -> Refused:
    errors = tuple(
        RefusalDetail(error.message or "no message", str(error.code or ""), error.field or "")
        for one in sent
        for error in one.errors or ()
    )
    words = "; ".join(error.message for error in errors)[:500]
    return Refused(words or "no message", 200, RefusalKind.INVALID, errors)
