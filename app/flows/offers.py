"""The offer of a SKU reaches a marketplace, always whole.

A key is a SKU. A pass takes the slot and the permit of OF24, builds every due offer from Centra's product
and the channel's map and terms, and posts those that the marketplace does not have; many go as a file (OF01). OF24
takes away what it does not mention, so each carries the quantity and the prices of the moment too, and when its import
ends, stock and prices of its SKUs go out anew. An offer whose product the marketplace does not know yet waits for
it; one of a product that is not sold any more leaves as the channel says; a SKU that was renamed waits for a person.
Where prices are not published from here, a new offer takes Centra's once and one that is there keeps those that it was
last seen with (field case 10).

A call that is refused for one offer is divided until that one stands alone. OF24 is a *safe* effect (`engine/bulk`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import msgspec

from app import failpoints
from app.domain.ids import EffectId, ImportId, Scope, Sku
from app.domain.listing import Offer
from app.domain.teams import Team
from app.engine.bulk import Bulk, LineError, Progress, hand_back, progress_of, send
from app.engine.flow import Flow, Pass, Services
from app.flows.prices import PRICES, may_go, price_policy, prices_of
from app.flows.publishing.book import Book, Sold, open_book, renamed, renaming, sold
from app.flows.publishing.leaving import ask_first
from app.flows.publishing.plan import Plan, upload
from app.flows.publishing.wire import deleted, deletion_of, is_deletion, upsert
from app.flows.read_back import READ_BACK, Export
from app.mirakl.offer_schema import OfferWrite
from app.mirakl.offers import FILE_LIMIT, OFFERS_LIMIT
from app.policies.offer_terms import offer_of
from app.policies.pricing import PricePolicy, PriceSet, price_set, shown_set
from app.settings import Channel
from app.store import live_offers, mirrors, offers, publications
from app.store.live_offers import Shown
from app.store.marks import Mark
from app.store.offers import StockOffer
from app.store.outbox import Claim, Held, Postponed, Verdict, Waiting
from app.store.pool import Connection
from app.store.products import digest_of
from app.store.publications import Kind, Publication, Standing
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused

OFFERS = Kind.OFFERS.value
MOST = "offers.most"
"""The cursor that says how many may leave at once, while a culprit is looked for."""
UNREAD_SECONDS = 60.0
EMPTY_SECONDS = 120.0
"""Between two looks whether the stock of what leaves is 0."""
IS_DELETED = "it is not sold any more, and is deleted"
UNREAD = "the prices that it has at the marketplace are not read yet"
NO_MAP = "the channel has no map yet: `centra-mirakl catalogue import`"


@dataclass(frozen=True, slots=True)
class Around:
    """What a pass knows beside the SKUs themselves."""

    channel: Channel
    book: Book
    now: datetime
    policy: PricePolicy
    products: Mapping[str, Publication]
    prices: Mapping[str, Publication]
    quantities: Mapping[Sku, int]
    left_behind: Mapping[str, Publication]
    """Offers under SKUs that sizes bore before."""
    live: Live | None
    """Where somebody else manages the prices."""
    before: Mapping[Sku, Shown]
    """Offers that were there before we sent any price of them, as last seen."""


@dataclass(frozen=True, slots=True)
class Live:
    """What is live, as far as it was read. `read_whole`: all offers were read once; `listed`: those that are there."""

    read_whole: bool
    listed: Collection[Sku]
    shown: Mapping[Sku, Shown]


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Build the offers of the claimed SKUs and post those that the marketplace does not have."""
    services, scope = turn.services, turn.scope
    channel = services.channel(scope)
    async with services.database.work.acquire() as connection:
        book = await open_book(connection, scope)
        most = await mirrors.read_cursor(connection, scope, MOST, int)
        plan = None if book is None else await _plan(turn, connection, channel, book)
    if plan is None:
        await hand_back(turn)
        until = services.clock.after(UNREAD_SECONDS)
        return {claim: Waiting(until, NO_MAP) for claim in turn.claims}
    await plan.write(turn)
    await services.database.mark(Mark(scope, offers.STOCK, key) for key in plan.moved(Standing.GONE))
    later = _cut(turn, plan, most)
    if not plan.lines:
        await hand_back(turn)
        return plan.verdicts
    refused: list[Refused] = []

    async def post(effect_id: EffectId, spelling: int) -> Outcome[str]:
        outcome = await _post(turn, plan.bodies, effect_id, spelling)
        if isinstance(outcome, Refused):
            refused.append(outcome)
        return outcome

    verdicts = await send(turn, BULK, upload(turn, plan, post))
    if refused and refused[0].kind is RefusalKind.INVALID:
        verdicts = await _divide(turn, plan, refused[0].reason)
    elif most is not None and not later:
        await _remember(turn, None)
    return plan.verdicts | later | verdicts


# ------------------------------------------------------------------------------------------------------ deciding


async def _plan(turn: Pass, connection: Connection, channel: Channel, book: Book) -> Plan[OfferWrite]:
    scope, source = turn.scope, turn.services.source
    by_key = {claim.key: claim for claim in turn.claims}
    keys = sorted(by_key)
    told = await publications.read(connection, scope, Kind.OFFERS, keys)
    found = await sold(connection, source, keys, book.map.language)
    stock = await offers.read_stock_offers(connection, scope, source, keys)
    prices = await publications.read(connection, scope, Kind.PRICES, keys)
    unsent = [s.sku for s in stock if s.live and (s.sku not in prices or prices[s.sku].sent_body is None)]
    around = Around(
        channel,
        book,
        turn.services.clock.now(),
        price_policy(channel, book.configuration),
        await publications.read(connection, scope, Kind.PRODUCTS, keys),
        prices,
        {one.sku: one.confirmed if one.confirmed is not None else 0 for one in stock},
        await publications.read(
            connection, scope, Kind.OFFERS, [s for f in found.values() for s in f.known.left_behind]
        ),
        None if PRICES in channel.publishes else await _live(connection, scope, stock),
        await live_offers.of_skus(connection, scope, unsent) if PRICES in channel.publishes else {},
    )
    plan = Plan[OfferWrite](Kind.OFFERS, told, channel.catalogue.offers == "dry_run")
    for key in keys:
        if key in found:
            _decide(plan, by_key[key], found[key], around)
    await ask_first(turn, connection, plan, {key for key, one in found.items() if one.known.let_go})
    return plan


def _decide(plan: Plan[OfferWrite], claim: Claim, one: Sold, around: Around) -> None:
    told = plan.told.get(claim.key)
    if renamed(one):
        plan.hold(claim, [str(renaming(one))])
    elif one.item is None:
        _leave(plan, claim, told, one, around)
    elif around.channel.catalogue.products != "off" and not _is_known(around.products.get(claim.key)):
        plan.stands(claim, Standing.WAITING, ["the marketplace does not know its product yet"])
    elif any(_is_there(around.left_behind.get(sku)) for sku in one.known.left_behind):
        plan.stands(claim, Standing.WAITING, ["its offer under the SKU before is deleted first"])
        plan.verdicts[claim] = Waiting(around.now + timedelta(seconds=EMPTY_SECONDS), "the offer before it is there")
    else:
        offer = offer_of(one.item, around.book.map.offer, around.book.choices, around.book.map.language)
        if around.live is not None and told is not None and isinstance(offer, Offer) and told.is_live(digest_of(offer)):
            return  # no price is needed
        prices = _prices(one, around)
        if prices is None:
            plan.stands(claim, Standing.WAITING, [UNREAD])
            plan.verdicts[claim] = Waiting(around.now + timedelta(seconds=UNREAD_SECONDS), UNREAD)
            return
        faults = [str(fault) for fault in offer] if isinstance(offer, list) else []
        faults += prices if isinstance(prices, list) else []
        if isinstance(offer, Offer) and isinstance(prices, PriceSet):
            plan.send(claim, offer, upsert(offer, prices, around.quantities.get(one.item.sku, 0)))
        else:
            plan.hold(claim, faults)


async def _live(connection: Connection, scope: Scope, stock: Sequence[StockOffer]) -> Live:
    export = await mirrors.read_cursor(connection, scope, READ_BACK, Export)
    listed = {one.sku for one in stock if one.live}
    return Live(export is not None and export.has_all, listed, await live_offers.of_skus(connection, scope, [*listed]))


def _prices(one: Sold, around: Around) -> PriceSet | list[str] | None:
    """The prices of the moment; while those are kept back (flow `prices`), the ones that were sent last, or of an offer
    that was there before us the live ones.

    Where somebody else manages them, the live ones, and Centra's of an offer that is not there. None: not read yet.
    """
    found = price_set(prices_of(one.known), around.policy, around.now)
    if around.live is not None:
        sku, shown = one.known.sku, around.live.shown.get(one.known.sku)
        if shown is not None:
            return shown_set(shown.offer, around.now)
        return None if sku in around.live.listed or not around.live.read_whole else found
    told, shown = around.prices.get(one.known.sku), around.before.get(one.known.sku)
    if isinstance(found, PriceSet) and may_go(told, found, around.policy, shown):
        return found
    if told is not None and told.sent_body is not None:
        return msgspec.convert(told.sent_body, PriceSet)
    return found if shown is None or isinstance(found, list) else shown_set(shown.offer, around.now)


def _is_known(product: Publication | None) -> bool:
    return product is not None and product.known


def _is_there(before: Publication | None) -> bool:
    """A marketplace takes one offer of a shop for a product."""
    if before is None or before.sent_body is None:
        return False
    return not before.is_settled(digest_of(deletion_of(before.sent_body)))


def _leave(plan: Plan[OfferWrite], claim: Claim, told: Publication | None, one: Sold, around: Around) -> None:
    """What is not sold here any more has no stock (flow `stock`), and then it is deleted, if the channel wants that."""
    if told is None or told.sent_body is None:
        return
    deletion = deletion_of(told.sent_body)
    if told.is_settled(digest_of(deletion)):
        plan.stands(claim, Standing.GONE, [IS_DELETED])
    elif around.channel.catalogue.leaving == "zero" and not one.known.let_go:
        plan.stands(claim, Standing.GONE, ["it is not sold any more, and stays listed without stock"])
    elif around.quantities.get(one.known.sku) and around.channel.stock.on:
        plan.stands(claim, Standing.GONE, ["it is not sold any more; once its stock is 0, it is deleted"])
        plan.verdicts[claim] = Waiting(around.now + timedelta(seconds=EMPTY_SECONDS), "its stock goes to 0 first")
    else:
        plan.send(claim, deletion, deleted(deletion, around.channel.prices.floor))


def _cut(turn: Pass, plan: Plan[OfferWrite], most: int | None) -> dict[Claim, Verdict]:
    """Only so many leave while a culprit is looked for, the others in the next pass."""
    if most is None or len(plan.lines) <= most:
        return {}
    until = turn.services.clock.now()
    later: dict[Claim, Verdict] = {c: Waiting(until, "a refused offer is looked for") for c in plan.claims[most:]}
    del plan.bodies[most:], plan.lines[most:], plan.claims[most:]
    return later


# ------------------------------------------------------------------------------------------------------ sending


async def _post(turn: Pass, bodies: Sequence[OfferWrite], effect_id: EffectId, spelling: int) -> Outcome[str]:
    mirakl = turn.services.mirakl[turn.scope]
    call = mirakl.of24_write_offers if len(bodies) <= OFFERS_LIMIT else mirakl.of01_import_offers
    return await call(
        bodies,
        spelling=spelling,
        permit=turn.permit,
        effect_id=str(effect_id),
        usable_until=turn.usable_until,
    )


async def _divide(turn: Pass, plan: Plan[OfferWrite], reason: str) -> dict[Claim, Verdict]:
    """The call was refused as a whole: half of it next time, until the one that is to blame stands alone."""
    if len(plan.claims) == 1:
        claim = plan.claims[0]
        await _remember(turn, None)
        async with turn.services.database.work.acquire() as connection:
            await publications.turn(connection, turn.scope, Kind.OFFERS, {claim.key: (Standing.REJECTED, [reason])})
        return {claim: Held(f"the marketplace refuses it: {reason}")}
    await _remember(turn, max(1, len(plan.claims) // 2))
    now = turn.services.clock.now()
    return {claim: Postponed(now, f"refused together with others: {reason}") for claim in plan.claims}


async def _remember(turn: Pass, most: int | None) -> None:
    async with turn.services.database.work.acquire() as connection:
        await mirrors.write_cursor(connection, turn.scope, MOST, most)


async def _status(services: Services, scope: Scope, remote_id: str) -> Outcome[Progress]:
    answer = await services.mirakl[scope].of02_get_offer_import(remote_id)
    if not isinstance(answer, Applied):
        return answer
    found = answer.value
    has_report = bool(found.has_error_report or found.lines_in_error)
    return Applied(progress_of(found.status, found.lines_in_success, found.lines_in_error, has_report=has_report))


async def _report(services: Services, scope: Scope, remote_id: str) -> Outcome[list[LineError]]:
    answer = await services.mirakl[scope].of03_get_offer_import_errors(remote_id)
    if not isinstance(answer, Applied):
        return answer
    return Applied([LineError(line.message, line.columns.get("sku", ""), line.line) for line in answer.value])


async def _confirm(
    connection: Connection, scope: Scope, import_id: ImportId, bad: Mapping[str, str]
) -> list[tuple[str, datetime]]:
    confirmed = await publications.confirm(connection, scope, import_id, bad, kind=Kind.OFFERS)
    told = await publications.read(connection, scope, Kind.OFFERS, [key for key, _ in confirmed])
    deleted_keys = [key for key, one in told.items() if is_deletion(one.sent_body)]
    await offers.list_new(connection, scope, told.keys() - deleted_keys)
    await offers.unlist_deleted(connection, scope, deleted_keys)
    await publications.turn(connection, scope, Kind.OFFERS, dict.fromkeys(deleted_keys, (Standing.GONE, [IS_DELETED])))
    return confirmed


async def _afterwards(connection: Connection, scope: Scope, keys: Sequence[str]) -> list[Mark]:
    """It wrote quantities and prices too, and those may have moved since (business rule 6)."""
    marks = await offers.push_again(connection, scope, keys)
    return [*marks, *await publications.push_again(connection, scope, keys, kind=Kind.PRICES)]


BULK = Bulk(
    kind=OFFERS,
    code="OF24",
    status_code="OF02",
    status=_status,
    report=_report,
    confirm=_confirm,
    void=partial(publications.push_again, kind=Kind.OFFERS),
    points=(failpoints.PUBLISH_SENT, failpoints.PUBLISH_POSTED, failpoints.PUBLISH_STORED),
    afterwards=_afterwards,
    lost_seconds=6 * 3600.0,
)

FLOW = Flow(
    name=OFFERS,
    team=Team.ECOMMERCE,
    scoped="channel",
    work=work,
    batch=FILE_LIMIT,
    gate=BULK.gate,
    bulk=BULK,
    gather_seconds=0.2,
    on=lambda settings, scope: OFFERS in settings.by_id()[scope].publishes,
    effects=True,
    fail_points=BULK.points,
)
