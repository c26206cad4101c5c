"""The invoice of an order reaches the marketplace once, through the door that the marketplace uses.

A key is an order, in its lane; its work is the invoice that is due once a parcel left. Whatever makes invoices puts
each into the channel's folder as <Centra number>.pdf: it is attached to the order (OR74), or answers the operator's
request (DR74). One that is not there in time is asked about.

Both uploads are *create* effects: a lost answer is decided by the documents that the order shows (OR72), or by the
request that is still open (DR11).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import anyio

from app.domain.after_sale import Advice, Invoice, Stop
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.flows.after_sale.turn import Hold, Sale, Step, advance
from app.mirakl.after_schema import Document, DocumentRequest
from app.store.effects import EffectState, OpenDoubtError
from app.store.intents import RANKS, Intent, Kind
from app.store.outbox import Claim, Verdict, Waiting
from app.wire.outcome import Applied, Outcome, Unknown

DOUBT = "document"
LOOK_SECONDS, LATE_SECONDS = 15.0, 660.0
AGAIN_SECONDS = 1800.0
TO_PROCESS = "TO_PROCESS"


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Upload what one order owes."""
    return await advance(turn, Kind.DOCUMENT, _step)


async def _step(sale: Sale, intent: Intent) -> Step:
    invoice, settings = intent.read(Invoice), sale.settings.documents
    if settings.folder is None:
        return await sale.end(intent, None, "invoices are not uploaded here any more")
    content = await _content(settings.folder / f"{invoice.number}.pdf")
    doubt = await sale.doubt(DOUBT)
    if content is None and doubt is None:
        due_at = invoice.shipped_at + timedelta(seconds=settings.within_seconds)
        if sale.now < due_at:
            return Waiting(min(due_at, sale.after(AGAIN_SECONDS)), "its invoice is not there yet")
        words = f"the invoice {invoice.number}.pdf is not in the folder"
        return Hold(Stop(words, Advice.BY_HAND), Team.FINANCE, sale.after(AGAIN_SECONDS))
    request = await _request(sale) if settings.door == "request" else Applied(None)
    if not isinstance(request, Applied):
        return sale.failed(request, sale.scope, "requests for documents can't be read", Team.FINANCE)
    there = await _is_there(sale, invoice, request.value)
    if not isinstance(there, Applied):
        return sale.failed(there, sale.scope, "the order's documents can't be read", Team.FINANCE)
    if there.value:
        if doubt is not None:
            await sale.decided(doubt, EffectState.APPLIED, "the marketplace has it")
        return await sale.end(intent, invoice.name, "the marketplace has the invoice")
    if doubt is not None:
        since = (sale.now - doubt.sent_at).total_seconds()
        if since < LATE_SECONDS:
            return Waiting(sale.after(min(LOOK_SECONDS, LATE_SECONDS - since)), "an upload in doubt is looked for")
        await sale.decided(doubt, EffectState.NOT_APPLIED, "the marketplace does not have it")
        return Waiting(sale.now, "it is uploaded again")
    if settings.door == "request" and request.value is None:
        return Waiting(sale.after(AGAIN_SECONDS), "the operator has not asked for the invoice yet")
    assert content is not None
    return await _upload(sale, intent, Document(invoice.name, content), request.value)


async def _content(file: Path) -> bytes | None:
    try:
        return await anyio.Path(file).read_bytes()
    except FileNotFoundError:
        return None


async def _request(sale: Sale) -> Outcome[DocumentRequest | None]:
    """The operator's last request for a document of the order."""
    page = await sale.services.mirakl[sale.scope].dr11_list_requests([sale.order_id])
    if not isinstance(page, Applied):
        return page
    if page.value.rows.unreadable:
        return Unknown("a request for a document can't be read")
    return Applied(page.value.rows.items[-1] if page.value.rows.items else None)


async def _is_there(sale: Sale, invoice: Invoice, request: DocumentRequest | None) -> Outcome[bool]:
    if sale.settings.documents.door == "request":
        return Applied(request is not None and request.state != TO_PROCESS)
    listed = await sale.services.mirakl[sale.scope].or72_list_documents([sale.order_id])
    if not isinstance(listed, Applied):
        return listed
    return Applied(any(document.file_name == invoice.name for document in listed.value.items))


async def _upload(sale: Sale, intent: Intent, document: Document, request: DocumentRequest | None) -> Step:
    code = "OR74" if request is None else "DR74"
    try:
        effect_id = await sale.call_once(code, DOUBT, intent, document.file_name)
    except OpenDoubtError:
        return Waiting(sale.after(LOOK_SECONDS), "another document of the order is in doubt")
    mirakl, until = sale.services.mirakl[sale.scope], sale.turn.usable_until
    if request is None:
        kind = sale.settings.documents.type
        outcome = await mirakl.or74_upload_document(
            sale.order_id, document, kind, effect_id=str(effect_id), usable_until=until
        )
    else:
        number = document.file_name.removesuffix(".pdf")
        outcome = await mirakl.dr74_upload_document(
            request.id, document, number, effect_id=str(effect_id), usable_until=until
        )
    await sale.call_ended(effect_id, code, outcome)
    if isinstance(outcome, Applied):
        return await sale.end(intent, document.file_name, f"uploaded by {code}")
    if isinstance(outcome, Unknown):
        return Waiting(sale.after(LOOK_SECONDS), f"the answer of {code} was lost; it is looked for")
    return sale.failed(outcome, sale.scope, "the marketplace does not take the invoice", Team.FINANCE)


FLOW = Flow(
    name=Kind.DOCUMENT.flow,
    team=Team.FINANCE,
    scoped="channel",
    work=work,
    at_once=4,
    lane_rank=RANKS[Kind.DOCUMENT],
    on=lambda settings, scope: settings.by_id()[scope].after_sale.is_followed,
    effects=True,
    person_after_seconds=86_400.0,
)
