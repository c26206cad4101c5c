"""The live offers of a channel are kept whole, and compared with what was sent: accepted is not applied.

What differs, with nothing newer on its way, is a state of its own that names the members, and is sent again, once a day
at most. A price that the operator has to approve is pending until it shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from app.domain.ids import Sku
from app.domain.listing import Offer
from app.domain.live_offer import LiveOffer, LivePrice
from app.engine.flow import Pass
from app.flows.publishing.wire import is_deletion
from app.mirakl import offer_schema
from app.policies.differences import Difference, differences
from app.policies.pricing import PriceSet
from app.settings import Channel
from app.store import live_offers, publications
from app.store.live_offers import Compared
from app.store.pool import Connection, Transaction
from app.store.publications import Kind, Standing
from app.telemetry import metrics
from app.telemetry.logs import log

PAGE = 1_000


def compared_kinds(channel: Channel) -> tuple[Kind, ...]:
    """What of a channel is compared with its live offers."""
    return tuple(kind for kind in (Kind.OFFERS, Kind.PRICES) if kind.value in channel.publishes)


async def store(connection: Connection, scope: str, page: Iterable[offer_schema.LiveOffer], read_at: datetime) -> None:
    """Keep offers of an export; one that can't be understood is kept as it was."""
    listed = []
    for offer in page:
        try:
            listed.append(live_offer(offer))
        except ValueError as exc:
            log.warning("offer_unreadable", scope=scope, key=offer.shop_sku, reason=str(exc))
    await live_offers.write(connection, scope, listed, read_at)


def live_offer(read: offer_schema.LiveOffer) -> LiveOffer:
    """An offer of OF54 in our terms. Raises ValueError for an instant that is none."""
    return LiveOffer(
        sku=Sku(read.shop_sku),
        state=read.state_code or "",
        prices=tuple(price for one in read.prices or () if (price := _price(one)) is not None),
        active=read.active is not False,
        description=read.description or "",
        lead_time_days=read.leadtime_to_ship,
        logistic_class=read.logistic_class_code or "",
        product_tax_code=read.product_tax_code or "",
        min_order_quantity=read.min_order_quantity,
        max_order_quantity=read.max_order_quantity,
        package_quantity=read.package_quantity,
        available_from=_instant(read.available_start_date),
        available_until=_instant(read.available_end_date),
        additional={one.code: one.value or "" for one in read.offer_additional_fields or ()},
        has_more_prices=any(map(_is_of_some, read.prices or ())),
    )


def _is_of_some(read: offer_schema.LivePrice) -> bool:
    """A price that is not kept, or not whole."""
    context = read.context or offer_schema.PriceContext()
    is_of_customers = bool(context.customer_organization_ids or context.customer_group_ids)
    return is_of_customers or any(one.unit_discount_price is not None for one in read.volume_prices or ())


def _price(read: offer_schema.LivePrice) -> LivePrice | None:
    """None for those of single customers, and without an amount."""
    context = read.context or offer_schema.PriceContext()
    if read.origin_price is None or context.customer_organization_ids or context.customer_group_ids:
        return None
    return LivePrice(
        amount=read.origin_price,
        channels=read.channel_codes,
        starts_at=_instant(context.start_date),
        ends_at=_instant(context.end_date),
        discount=read.discount_price,
        discount_starts_at=_instant(read.discount_start_date),
        discount_ends_at=_instant(read.discount_end_date),
        ranges=tuple(
            (one.quantity_threshold, one.unit_origin_price)
            for one in read.volume_prices or ()
            if one.quantity_threshold is not None and one.unit_origin_price is not None
        ),
    )


def _instant(text: str | None) -> datetime | None:
    found = datetime.fromisoformat(text) if text else None
    if found is not None and found.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return found


# --------------------------------------------------------------------------------------------------------- comparing


async def compare_confirmed(turn: Pass, since: datetime | None, asked_at: datetime) -> None:
    """Compare what was confirmed since the last export was asked for, until this one was: nothing of it may show."""
    kinds = compared_kinds(turn.services.channel(turn.scope))
    if not kinds:
        return
    async with turn.services.database.work.acquire() as connection:
        async for skus in live_offers.confirmed(connection, turn.scope, kinds, since, asked_at, PAGE):
            await turn.services.database.transact(lambda tx: compare(tx, turn, skus, asked_at))  # noqa: B023 - awaited here
            if not turn.still_ours:
                await turn.extend()


async def compare(transaction: Transaction, turn: Pass, skus: Sequence[str], asked_at: datetime) -> None:
    """Say how what was confirmed before an export was asked for stands, and send again what was not applied."""
    connection, scope = transaction.connection, turn.scope
    channel, now = turn.services.channel(scope), turn.services.clock.now()
    kinds = compared_kinds(channel)
    if not kinds:
        return
    stands: dict[Kind, dict[str, tuple[Standing, Sequence[str]]]] = defaultdict(dict)
    differing: dict[Kind, list[str]] = defaultdict(list)
    for one in await live_offers.to_compare(connection, scope, kinds, skus, asked_at):
        if one.kind is Kind.PRICES and one.live is None:
            continue  # what is not there has no prices; the offer says so
        state, reasons = _standing(one.kind, _found(one, now), awaits_approval=channel.prices.approval)
        if (state, reasons) != (one.state, one.reasons):
            stands[one.kind][one.key] = (state, reasons)
        if state is Standing.DIFFERS:
            differing[one.kind].append(one.key)
    for kind, turned in stands.items():
        await publications.turn(connection, scope, kind, turned)
    for kind, keys in differing.items():
        marks = await live_offers.correct(connection, scope, kind, keys)
        transaction.mark(marks)
        if marks:
            metrics.stale_corrected.labels(scope, kind.value).inc(len(marks))
            log.warning("drift_found", scope=scope, kind=kind.value, skus=len(marks))


def _found(one: Compared, now: datetime) -> list[Difference]:
    match one.kind:
        case Kind.OFFERS if is_deletion(one.sent):
            return [] if one.live is None else [Difference("offer", "deleted", "listed")]
        case Kind.OFFERS:
            return differences(msgspec.convert(one.sent, Offer), None, one.live, now)
        case _:
            return differences(None, msgspec.convert(one.sent, PriceSet), one.live, now)


def _standing(kind: Kind, found: Sequence[Difference], *, awaits_approval: bool) -> tuple[Standing, tuple[str, ...]]:
    if not found:
        return Standing.LIVE, ()
    if kind is Kind.PRICES and awaits_approval:
        return Standing.PENDING, ("the operator has not approved it yet", *map(str, found))
    return Standing.DIFFERS, ("accepted and not applied", *map(str, found))
