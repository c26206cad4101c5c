"""Accounting documents: IV01 lists them, IV02 gives the file.

Each cycle has its AUTO_INVOICE of what the operator bills with it. The operator's MANUAL_INVOICE and MANUAL_CREDIT
are lines of the log at once, and are settled with the cycle that takes them. The face of a document is above 0,
whichever way its money goes [QA]. Its number in the log (`accounting_document_number`) is its `invoice_id` here.
"""

import itertools
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.clock import iso
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.money.log import MoneyLog
from app.sandbox.mirakl.money.rows import PSP, SHOP_TAX, Paper
from app.sandbox.mirakl.money.summary import Cycle
from app.sandbox.mirakl.order_lists import instant, offset_page, one_of, page_links
from app.sandbox.mirakl.state import Shop

MANUAL = ("MANUAL_INVOICE", "MANUAL_CREDIT")
_TYPES = ("ALL", "AUTO_INVOICE", *MANUAL)
_PAYMENT_STATES = ("PENDING", "PAID", "FAILED")
_FIRST_NUMBER = 10_001


@dataclass(slots=True, kw_only=True)
class AccountingDocument:
    """Instants are app time in Unix seconds, amounts cents. `cycle`: the one it is settled with."""

    invoice_id: int
    id: str
    type: str
    currency: str
    created_at: float
    net: int
    gross: int
    cycle: Cycle | None = None
    description: str | None = None
    order_id: str | None = None

    @property
    def number(self) -> str:
        return str(self.invoice_id)

    @property
    def issuer(self) -> str:
        return "BATCH" if self.type == "AUTO_INVOICE" else "OPERATOR"

    @property
    def payment_state(self) -> str:
        state = "TO_PAY" if self.cycle is None else self.cycle.state
        return "PENDING" if state == "TO_PAY" else state


class MoneyDocuments:
    def __init__(self, shop: Shop, log: MoneyLog) -> None:
        self._shop = shop
        self._log = log
        self._numbers = itertools.count(_FIRST_NUMBER)
        self.all: dict[int, AccountingDocument] = {}

    def issue(self, type_: str, currency: str, net: int, gross: int, **members: Any) -> AccountingDocument:
        """`members` are those of `AccountingDocument`."""
        document = AccountingDocument(
            invoice_id=next(self._numbers),
            id=str(uuid.uuid4()),
            type=type_,
            currency=currency,
            net=net,
            gross=gross,
            **{"created_at": self._log.now(), **members},
        )
        self.all[document.invoice_id] = document
        return document

    def bill(self, type_: str, net: int, tax: int, description: str, order_id: str | None) -> AccountingDocument:
        """The operator's own document, and its lines in the log. ValueError for what is no such document."""
        if type_ not in MANUAL or net <= 0 or tax < 0:
            raise ValueError(f"a document of the operator is one of {', '.join(MANUAL)}, with an amount above 0")
        document = self.issue(type_, self._shop.currency, net, net + tax, description=description, order_id=order_id)
        sign, paper = (1 if type_ == "MANUAL_CREDIT" else -1), Paper(document.id, document.number, document.created_at)
        rate = self._shop.money_rules.commission_vat_percent
        for name, amount, shop_tax in ((type_, net, None), (f"{type_}_VAT", tax, rate)):
            if amount:
                members: dict[str, Any] = {"paper": paper, "manual": document.number, "shop_tax": shop_tax}
                self._log.write(name, sign * amount, document.currency, **members)
        self._log.on_change()
        return document

    def forget(self, cycles: Iterable[Cycle]) -> None:
        gone = {cycle.id for cycle in cycles}
        self.all = {n: known for n, known in self.all.items() if known.cycle is None or known.cycle.id not in gone}

    def join(self, cycle: Cycle) -> None:
        """Manual documents of the cycle's lines are settled with it."""
        for row in cycle.rows:
            if row.manual is not None:
                self.all[int(row.manual)].cycle = cycle

    async def iv01(self, request: Request) -> Json:
        query = request.query_params
        backwards = one_of(query, "order", ("asc", "desc")) == "desc"
        one_of(query, "sort", ("dateCreated",))
        kind, payment = (
            one_of(query, "type", _TYPES) or "AUTO_INVOICE",
            one_of(query, "payment_status", _PAYMENT_STATES),
        )
        start, end = (instant(name, query[name]) if query.get(name) else None for name in ("start_date", "end_date"))
        ids, cycles = query.getlist("invoice_id"), query.getlist("seller_billing_cycle_id")
        issuers, psps = query.getlist("issuing_user_types"), query.getlist("pay_out_psp_codes")

        def fits(known: AccountingDocument) -> bool:
            return (
                kind in ("ALL", known.type)
                and query.get("currency") in (None, known.currency)
                and payment in (None, known.payment_state)
                and (start is None or start <= known.created_at)
                and (end is None or known.created_at <= end)
                and (not ids or known.number in ids)
                and (not cycles or (known.cycle is not None and known.cycle.id in cycles))
                and (not issuers or known.issuer in issuers)
                and (not psps or PSP in psps)
            )

        chosen = sorted(filter(fits, self.all.values()), key=lambda known: (known.created_at, known.invoice_id))
        if backwards:
            chosen.reverse()
        size, offset = offset_page(query)
        page = [self._shown(known) for known in chosen[offset : offset + size]]
        return Json({"invoices": page, "total_count": len(chosen)}, 200, page_links(request, len(chosen)))

    async def iv02(self, request: Request) -> Response:
        known = self.all.get(request.path_params["accounting_document_id"])
        if known is None:
            raise Refused(404, "There is no such document")
        net, tax, gross = (cents / 100 for cents in (known.net, known.gross - known.net, known.gross))
        text = (
            f"{known.type} {known.number}\n{self._shop.name}\n{iso(known.created_at)}\n{known.description or ''}\n"
            f"{net:.2f} + {tax:.2f} = {gross:.2f} {known.currency}\n"
        )
        headers = {"Content-Disposition": f'attachment; filename="{known.number}.txt"'}
        return Response(text.encode(), media_type="application/octet-stream", headers=headers)

    def _shown(self, known: AccountingDocument) -> dict[str, Any]:
        tax, cycle, shop = known.gross - known.net, known.cycle, self._shop
        taxes = [{"amount": tax / 100, "code": SHOP_TAX}] if tax else []
        shown: dict[str, Any] = {
            "currency_iso_code": known.currency,
            "date_created": iso(known.created_at),
            "details": [],
            "due_date": iso(known.created_at),
            "id": known.id,
            "invoice_id": known.invoice_id,
            "issue_date": iso(known.created_at),
            "issuing_user": {"information": None, "type": known.issuer},
            "pay_out_psp_code": PSP,
            "payment": {
                "failure_reason": None if cycle is None else cycle.failure,
                "reference": None if cycle is None else cycle.reference,
                "state": known.payment_state,
                "transaction_date": None if cycle is None or cycle.paid_at is None else iso(cycle.paid_at),
            },
            "shop_address": None,
            "shop_corporate_name": None,
            "shop_id": shop.shop_id,
            "shop_model": "MARKETPLACE",
            "shop_name": shop.name,
            "shop_operator_internal_id": None,
            "shop_tax_number": None,
            "state": "COMPLETE",
            "total_amount_excl_taxes": known.net / 100,
            "total_amount_incl_taxes": known.gross / 100,
            "total_taxes": taxes,
            "type": known.type,
        }
        if known.type == "AUTO_INVOICE" and cycle is not None:
            return shown | _of_cycle(cycle)
        detail = {
            "amount_excl_taxes": known.net / 100,
            "description": known.description,
            "operation_date": iso(known.created_at),
            "order_id": known.order_id,
            "quantity": 1,
            "taxes": taxes,
        }
        return shown | {"details": [detail], "emission_date": iso(known.created_at)}


def _of_cycle(cycle: Cycle) -> dict[str, Any]:
    """What a cycle's invoice shows beyond other documents."""
    amounts = cycle.sums.amounts
    return {
        "end_time": iso(cycle.closed_at),
        "payment_info": None,
        "seller_billing_cycle_id": cycle.id,
        "start_time": iso(cycle.started_at),
        "summary": {
            "amount_transferred": cycle.paid / 100,
            "amount_transferred_to_operator": cycle.sums.operators / 100,
            "reserve_funding": amounts["RESERVE_FUNDING"] / 100,
            "reserve_settlement": amounts["RESERVE_SETTLEMENT"] / 100,
            **{name: cents / 100 for name, cents in cycle.sums.totals().items()},
        },
    }
