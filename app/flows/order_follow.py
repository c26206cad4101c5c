"""What happens to a marketplace order in Centra after it was let go is noted, each fact once.

A key is an order: an event of Centra marks it, and so does a refund that the marketplace shows; the key `open` looks at
all orders that are not shipped yet, `sent` once a day at those that were. Parcels that left, cancelled units and
completed returns become intents; one that is changed or gone later is a newer version of its intent. Nothing is sent
from here: the flows of the intents do that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from app import failpoints
from app.centra.after_sale import AFTER_SALE_LIMIT, OrderAfterSale
from app.centra.lists import by_number
from app.centra.returns import COMPLETED, ReturnRead
from app.centra.shipments import ShipmentRead
from app.domain.after_sale import Cancelled, Credit, Given, Invoice, Parcel, ReturnedLine, taken
from app.domain.ids import CentraNumber, OrderLineId
from app.domain.money import major, minor
from app.domain.progress import Record
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.retry import after_failure
from app.failpoints import fail_point
from app.flows.after_sale.money import MONEY
from app.policies.refunds import allocate
from app.store import intents, orders, settlement
from app.store.effects import doubt_of
from app.store.intents import ORDER_FOLLOW, Intent, Kind
from app.store.marks import Mark
from app.store.outbox import Claim, Settled, Verdict
from app.store.pool import Transaction
from app.wire.outcome import Applied, Outcome

OPEN, SENT = "open", "sent"
"""Keys that look at many orders; Mirakl's order ids are never these words."""
DAY_SECONDS = 86_400.0
PAGE = 500
GATHER_SECONDS = 0.03


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Look at one order, or have many looked at."""
    claim = turn.claims[0]
    if claim.key in (OPEN, SENT):
        return {claim: await _sweep(turn, claim.key)}
    return {claim: await _follow(turn, claim)}


async def _sweep(turn: Pass, key: str) -> Verdict:
    services, settings = turn.services, turn.services.channel(turn.scope).after_sale
    since = services.clock.now() - timedelta(days=settings.follow_days) if key == SENT else None
    last = ""
    while True:
        async with services.database.work.acquire() as connection:
            found = await intents.orders_to_follow(connection, turn.scope, since, last, PAGE)
        await services.database.mark([Mark(turn.scope, ORDER_FOLLOW, order_id, priority=2) for order_id in found])
        if len(found) < PAGE:
            return Settled(services.clock.after(DAY_SECONDS if key == SENT else settings.follow_seconds))
        last = found[-1]
        if not turn.still_ours:
            await turn.extend()


async def _follow(turn: Pass, claim: Claim) -> Verdict:
    services, scope = turn.services, turn.scope
    async with services.database.work.acquire() as connection:
        record = await orders.read(connection, scope, claim.key)
    if record is None or record.number is None or record.completed_at is None:
        return Settled()
    numbers, read_at = [record.number, *record.parts], services.clock.now()
    found: list[OrderAfterSale] = []
    for number in numbers:
        answer = await services.together.ask(
            "after the sale in Centra",
            number,
            lambda wanted: _read(services, wanted),
            seconds=GATHER_SECONDS,
            at_most=AFTER_SALE_LIMIT,
        )
        if not isinstance(answer, Applied):
            return after_failure(answer, claim, services.clock, services.pauses, services.source)
        found.append(answer.value)
    await services.database.transact(lambda tx: _note(tx, turn, record, found, read_at))
    await fail_point(failpoints.FOLLOW_NOTED)
    return Settled()


async def _read(services: Services, numbers: list[CentraNumber]) -> Mapping[CentraNumber, Outcome[OrderAfterSale]]:
    return by_number(await services.centra.read_after_sale(numbers), numbers)


async def _note(
    tx: Transaction, turn: Pass, record: Record, found: Sequence[OrderAfterSale], read_at: datetime
) -> None:
    scope, order_id = turn.scope, record.order.order_id
    doubt = await doubt_of(tx.connection, scope, order_id, MONEY)  # first: a call decided after this is in `known`
    known = await intents.of_order(tx.connection, scope, order_id)
    facts = [
        *facts_of(found, known, record),
        *(_invoice(found, record, read_at) if turn.services.channel(scope).after_sale.documents.folder else ()),
    ]
    if doubt is None:  # else what is new may be what is in doubt
        facts += given_there(known, record)
    is_news = False
    for kind, source_id, body, amount in facts:
        is_news |= await intents.note(
            tx.connection,
            scope,
            kind,
            source_id,
            order_id,
            body,
            read_at,
            amount=amount,
            currency=record.order.currency,
        )
    tx.mark(await intents.marks(tx.connection, scope, [order_id]))
    if is_news and turn.services.channel(scope).settlement.on:
        tx.mark([settlement.mark_of_order(scope, order_id)])


Noted = tuple[Kind, str, object, Decimal | None]
"""A fact: its kind, what told it, what it says, and the money at stake."""


def facts_of(found: Sequence[OrderAfterSale], known: Sequence[Intent], record: Record) -> list[Noted]:
    """What an order's parcels, returns and cancelled units in Centra come to, as facts."""
    return [*_parcels(found, known), *_credits(found, known), *_cancellations(found, known, record)]


def _parcels(found: Sequence[OrderAfterSale], known: Sequence[Intent]) -> list[Noted]:
    """Parcels that left, and those that were noted before and are not there any more."""
    before = {i.source_id: i.read(Parcel) for i in known if i.kind is Kind.SHIPMENT}
    now = {f"centra:shipment:{s.id}": parcel_of(s) for order in found for s in order.shipments}
    left = {source: parcel for source, parcel in now.items() if parcel.complete or source in before}
    gone = {source: replace(parcel, complete=False) for source, parcel in before.items() if source not in now}
    return [(Kind.SHIPMENT, source, parcel, None) for source, parcel in {**left, **gone}.items()]


def _credits(found: Sequence[OrderAfterSale], known: Sequence[Intent]) -> list[Noted]:
    """Completed returns, and those that were noted before and are undone. One that answers the marketplace's own refund
    is no claim of the buyer.
    """
    prefix = "centra:return:"
    before = {i.source_id: i.read(Credit) for i in known if i.kind is Kind.REFUND and i.source_id.startswith(prefix)}
    now = {f"{prefix}{r.id}": credit_of(r) for order in found for r in order.returns}
    ours = {source: credit for source, credit in now.items() if not credit.reference.startswith("mirakl:refund:")}
    left = {source: credit for source, credit in ours.items() if credit.completed or source in before}
    gone = {source: replace(credit, completed=False) for source, credit in before.items() if source not in now}
    return [(Kind.REFUND, source, credit, credit.total) for source, credit in {**left, **gone}.items()]


def _cancellations(found: Sequence[OrderAfterSale], known: Sequence[Intent], record: Record) -> list[Noted]:
    """All cancelled units, as one fact of the order; noted once it has more than the marketplace cancelled."""
    units: Counter[OrderLineId] = Counter()
    for order in found:
        units.update({OrderLineId(line_id): count for line_id, count in order.cancelled.items()})
    if all(order.is_cancelled for order in found):  # nothing of it will be shipped, however Centra counts
        units |= Counter({line.line_id: line.quantity for line in record.order.live_lines if line.line_id in units})
    there = {line.line_id: line.cancelled_quantity if line.live else line.quantity for line in record.order.lines}
    noted = any(intent.kind is Kind.CANCELLATION for intent in known)
    if not noted and all(count <= there.get(line_id, 0) for line_id, count in units.items()):
        return []
    body = tuple(Cancelled(line_id, count) for line_id, count in sorted(units.items()))
    return [(Kind.CANCELLATION, f"centra:order:{record.number}", body, None)]


def _invoice(found: Sequence[OrderAfterSale], record: Record, read_at: datetime) -> list[Noted]:
    """The invoice is owed from the first parcel on."""
    left = [shipment.shipped_at or read_at for order in found for shipment in order.shipments if shipment.is_shipped]
    if not left or record.number is None:
        return []
    return [(Kind.DOCUMENT, f"centra:invoice:{record.number}", Invoice(record.number, min(left)), None)]


def given_there(known: Sequence[Intent], record: Record) -> list[Noted]:
    """Refunds that the marketplace shows and that no call of ours made."""
    ours = {
        refund_id
        for intent in known
        if intent.kind in (Kind.REFUND, Kind.CANCELLATION)
        for given in intent.answer(tuple[Given, ...]) or ()
        for refund_id in given.ids
    }
    foreign = [entry for entry in taken(record.order) if not entry.cancelation and entry.refund_id not in ours]
    before = {intent.source_id for intent in known}
    sources = [(f"mirakl:refund:{entry.refund_id}", entry) for entry in foreign]
    return [
        (Kind.CREDIT, source, entry, entry.amount + entry.shipping) for source, entry in sources if source not in before
    ]


def parcel_of(shipment: ShipmentRead) -> Parcel:
    """A shipment of Centra by the marketplace's order lines."""
    units: dict[OrderLineId, int] = {}
    for line in shipment.lines:
        line_id = OrderLineId(line.comment)
        units[line_id] = units.get(line_id, 0) + line.quantity
    return Parcel(
        shipment_id=shipment.id,
        number=shipment.number,
        units=dict(sorted(units.items())),
        carrier=shipment.carrier,
        service=shipment.service,
        tracking=shipment.tracking_number or "",
        shipped_at=shipment.shipped_at,
        complete=shipment.is_shipped,
    )


def credit_of(found: ReturnRead) -> Credit:
    """A return of Centra with all its amounts as the buyer sees them: tax that Centra adds is put on each part."""
    totals, currency = found.totals, found.currency_code or ""
    parts = [*(line.line_value.value for line in found.lines), totals.shipping.value, totals.handling.value]
    added = totals.tax_added.value if totals.tax_added else Decimal(0)
    if added:
        whole = [minor(part, currency) for part in parts]
        shares = allocate(minor(added, currency), whole)
        parts = [major(part + share, currency) for part, share in zip(whole, shares, strict=True)]
    *values, shipping, handling = parts
    return Credit(
        return_id=found.id,
        order_number=found.order.number,
        completed=found.return_status == COMPLETED,
        lines=tuple(
            ReturnedLine(OrderLineId(line.comment), line.quantity, value)
            for line, value in zip(found.lines, values, strict=True)
        ),
        currency=currency,
        shipping=shipping,
        handling=handling,
        fee=totals.return_cost.value,
        total=found.grand_total.value,
        payment_entry=next((entry.id for entry in found.refund_payment_history), None),
        reference=found.external_id or "",
    )


FLOW = Flow(
    name=ORDER_FOLLOW,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    at_once=32,
    on=lambda settings, scope: settings.by_id()[scope].after_sale.is_followed,
    keys=lambda _settings, _scope: {OPEN: 0.0, SENT: 60.0},
    retry_cap_seconds=60.0,
    fail_points=(failpoints.FOLLOW_NOTED,),
)
