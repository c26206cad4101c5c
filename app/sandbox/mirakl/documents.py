"""Documents: OR74 uploads to an order, OR72 lists; DR11 lists requests for documents, DR74 answers them.

Each document of an upload fares on its own, and only its failure is named. A document with the type
CUSTOMER_INVOICE gives an order its invoice; where the marketplace asks for it by request, only DR74 answers that.

The ledger gets OR74 (document_id, order_id, file_name, type_code, size) and DR74 (request_id, order_id,
document_number, files).
"""

import json
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from app.sandbox.clock import iso
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.orders import Order, OrderBook, whole_milliseconds
from app.sandbox.mirakl.pages import Asked

_EXTENSIONS = frozenset(
    "csv doc xls xlsx ppt pdf odt ods odp txt rtf png jpg gif zpl mov mp4".split()  # noqa: SIM905 - one line
)
_MOST_DOCUMENTS = 50
_MOST_VALUES = 100
_INVOICE = "CUSTOMER_INVOICE"
_REQUEST_STATES = ("STAGING", "TO_PROCESS", "ISSUED", "CANCELED")
_DUE_SECONDS = 2 * 86_400


@dataclass(frozen=True, slots=True)
class Document:
    document_id: int
    order: Order
    file_name: str
    type_code: str
    size: int
    uploaded_at: float


@dataclass(slots=True, kw_only=True)
class DocumentRequest:
    """The operator asks the shop for an order's invoice or credit note."""

    request_id: str
    order: Order
    kind: str
    created_at: float
    updated_at: float
    state: str = "TO_PROCESS"
    document_number: str | None = None


class Documents:
    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._clock = book.shop.kernel.clock
        self._ledger = book.shop.kernel.ledger
        self.documents: list[Document] = []
        self.requests: dict[str, DocumentRequest] = {}

    def ask(self, order: Order, kind: str) -> DocumentRequest:
        if kind not in ("INVOICE", "CREDIT_NOTE"):
            raise ValueError("a document that is asked for is an INVOICE or a CREDIT_NOTE")
        now = whole_milliseconds(self._clock.timestamp())
        request = DocumentRequest(request_id=str(uuid.uuid4()), order=order, kind=kind, created_at=now, updated_at=now)
        self.requests[request.request_id] = request
        return request

    async def or74(self, request: Request) -> Json:
        order = self._book.orders.get(request.path_params["order_id"])
        if order is None:
            raise Refused(404, "There is no such order")
        sizes, members = await _uploaded(request, "order_documents")
        given = _list(members, "order_documents")
        failed = []
        for document in given:
            error = self._fault(order, document, sizes)
            if error is None:
                self._keep(order, str(document["file_name"]), str(document["type_code"]), sizes)
            else:
                named = {name: document.get(name) for name in ("file_name", "type_code")}
                failed.append({"input": named, "errors": [error]})
        return Json({"errors_count": len(failed), "order_documents": failed})

    async def or72(self, request: Request) -> Json:
        order_ids = request.query_params.get("order_ids", "").split(",")
        if order_ids == [""] or len(order_ids) > _MOST_VALUES:
            raise Refused(400, f"order_ids holds 1 to {_MOST_VALUES} ids")
        shown = [
            {
                "date_uploaded": iso(document.uploaded_at),
                "file_name": document.file_name,
                "file_size": document.size,
                "id": document.document_id,
                "order_id": document.order.order_id,
                "type": document.type_code,
            }
            for document in self.documents
            if document.order.order_id in order_ids
        ]
        return Json({"order_documents": shown, "total_count": len(shown)})

    async def dr11(self, request: Request) -> Json:
        asked = Asked(request, "dateCreated")
        states, kinds = asked.values("state", _REQUEST_STATES), asked.values("type", ("INVOICE", "CREDIT_NOTE"))
        entity_ids, wanted = asked.values("entity_id"), asked.query.get("id")

        def fits(known: DocumentRequest) -> bool:
            return (
                (not states or known.state in states)
                and (not kinds or known.kind in kinds)
                and (not entity_ids or known.order.order_id in entity_ids)
                and wanted in (None, known.request_id)
                and asked.within("date_created_from", "date_created_to", known.created_at)
                and asked.within("last_updated_from", "last_updated_to", known.updated_at)
            )

        chosen = filter(fits, self.requests.values())
        return asked.page(chosen, lambda known: (known.created_at, known.request_id), self._shown)

    async def dr74(self, request: Request) -> Json:
        sizes, members = await _uploaded(request, "documents_input")
        answers = []
        for given in _list(members, "requests"):
            known = self.requests.get(str(given.get("request_id")))
            error = self._request_fault(known, given, sizes)
            if known is not None and error is None:
                self._issue(known, given)
            names = ("request_id", "document_number", "files", "issue_date", "due_date")
            shown = {name: given.get(name) for name in names}
            answers.append({"input": shown, "errors": [] if error is None else [error]})
        return Json({"requests": answers})

    def _fault(self, order: Order, given: dict[str, Any], sizes: Counter[str]) -> dict[str, str] | None:
        name, kind = str(given.get("file_name", "")), str(given.get("type_code", ""))
        types = {known["code"] for known in self._book.shop.mirrors.lists["documents"] if known["entity"] == "ORDER"}
        mine = [document for document in self.documents if document.order is order]
        if name not in sizes:
            return _error("FILE_NOT_FOUND", "file_name", f"No file '{name}' was sent")
        if not name.isascii() or PurePath(name).suffix.removeprefix(".").lower() not in _EXTENSIONS:
            return _error("FILE_NAME_INVALID", "file_name", f"The file name '{name}' is not allowed")
        if kind not in types:
            return _error("TYPE_CODE_INVALID", "type_code", f"There is no document type '{kind}'")
        if any(document.file_name == name for document in mine):
            return _error("FILE_NAME_DUPLICATED", "file_name", f"The order has a document '{name}' already")
        if len(mine) >= _MOST_DOCUMENTS:
            return _error("TOO_MANY_DOCUMENTS", "file_name", f"An order has at most {_MOST_DOCUMENTS} documents")
        return None

    def _keep(self, order: Order, name: str, kind: str, sizes: Counter[str]) -> None:
        document = Document(int(self._book.number()), order, name, kind, sizes[name], self._now())
        self.documents.append(document)
        order.has_invoice = order.has_invoice or kind == _INVOICE
        self._book.touch(order)
        facts: dict[str, Any] = {"file_name": name, "type_code": kind, "size": document.size}
        self._ledger.record("OR74", document_id=document.document_id, order_id=order.order_id, **facts)

    def _request_fault(
        self, known: DocumentRequest | None, given: dict[str, Any], sizes: Counter[str]
    ) -> dict[str, str] | None:
        files = given.get("files")
        if known is None:
            return _error("REQUEST_NOT_FOUND", "request_id", "There is no such request")
        if known.state != "TO_PROCESS":
            return _error("REQUEST_INVALID_STATE", "request_id", f"The request is {known.state}")
        if not given.get("document_number"):
            return _error("DOCUMENT_NUMBER_MISSING", "document_number", "The document number is mandatory")
        if not isinstance(files, list) or not files or not all(str(file.get("name")) in sizes for file in files):
            return _error("FILE_NOT_FOUND", "files", "Not all of the files were sent")
        return None

    def _issue(self, known: DocumentRequest, given: dict[str, Any]) -> None:
        known.state, known.updated_at = "ISSUED", self._now()
        known.document_number = str(given["document_number"])
        known.order.has_invoice = known.order.has_invoice or known.kind == "INVOICE"
        self._book.touch(known.order)
        files = [file["name"] for file in given["files"]]
        facts: dict[str, Any] = {"document_number": known.document_number, "files": files}
        self._ledger.record("DR74", request_id=known.request_id, order_id=known.order.order_id, **facts)

    def _now(self) -> float:
        return whole_milliseconds(self._clock.timestamp())

    def _shown(self, known: DocumentRequest) -> dict[str, Any]:
        order, shop = known.order, self._book.shop
        net = sum(line.cost.goods + line.cost.shipping for line in order.lines)
        gross = sum(line.cost.total for line in order.lines)
        return {
            "currency_iso_code": order.currency,
            "date_created": iso(known.created_at),
            "document_details": [{"format": "PDF"}],
            "document_number": known.document_number,
            "document_upload_date": None if known.state != "ISSUED" else iso(known.updated_at),
            "due_date": iso(known.created_at + _DUE_SECONDS),
            "entity_id": order.order_id,
            "entity_type": "PRODUCT_LOGISTIC_ORDER",
            "id": known.request_id,
            "initial_payment_state": "PAID" if order.debited_at is not None else "NOT_PAID",
            "issue_date": iso(known.created_at),
            "issuer": {"id": str(shop.shop_id), "organization": {"name": shop.name}, "type": "SHOP"},
            "last_updated": iso(known.updated_at),
            "state": known.state,
            "total_amount_excluding_taxes": net / 100,
            "total_amount_including_taxes": gross / 100,
            "total_tax_amount": (gross - net) / 100,
            "type": known.kind,
        }


async def _uploaded(request: Request, name: str) -> tuple[Counter[str], dict[str, Any]]:
    """Sizes of the `files` by name, and the JSON part `name`, which may come as text or as a file."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Refused(400, "A multipart/form-data body is expected")
    sizes: Counter[str] = Counter()
    async with request.form() as form:
        for part in form.getlist("files"):
            if isinstance(part, UploadFile) and part.filename:
                if part.filename in sizes:
                    raise Refused(400, f"Two files have the name '{part.filename}'")
                sizes[part.filename] = len(await part.read())
        described = form.get(name)
        text = await described.read() if isinstance(described, UploadFile) else described
    if not sizes:
        raise Refused(400, "The part 'files' is missing")
    try:
        members = json.loads(text or b"")
    except ValueError as error:
        raise Refused(400, f"The part '{name}' is not JSON") from error
    if not isinstance(members, dict):
        raise Refused(400, f"The part '{name}' must be an object")
    return sizes, members


def _list(members: dict[str, Any], name: str) -> list[dict[str, Any]]:
    given = members.get(name)
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise Refused(400, f"Error with field {name}. Please check the field datatype.")
    return given


def _error(code: str, field: str, message: str) -> dict[str, str]:
    return {"code": code, "field": field, "message": message}
