"""What would change on a channel, as its flows would decide it, against the live offers as they were last read.

Products are walked page by page with what is live of them, then the live offers that no product bears. Nothing is
called, and nothing written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from app.domain.ids import Sku
from app.domain.listing import Fault, Item, Offer, Row
from app.domain.stock import Topology, Unreadable
from app.flows.prices import may_go, price_before, prices_of
from app.flows.products import described
from app.flows.publishing.book import Book, Sold, renamed, renaming, sold
from app.flows.publishing.wire import deletion_of
from app.flows.stock import stock_policy
from app.policies.differences import differences
from app.policies.items import items_of
from app.policies.offer_terms import offer_of
from app.policies.pricing import PricePolicy, PriceSet, jump, price_set, shown_set
from app.policies.product_rules import codes_of, shared_codes
from app.policies.stock import available
from app.settings import Channel
from app.store import live_offers, offers, plans, product_codes, publications
from app.store.live_offers import Shown
from app.store.offers import STOCK, StockOffer
from app.store.pool import Connection
from app.store.products import Known, digest_of
from app.store.publications import Kind, Publication, Standing

PRODUCTS_AT_ONCE = 200
STRAYS_AT_ONCE = 1_000
OFFERS, PRICES, PRODUCTS = Kind.OFFERS.value, Kind.PRICES.value, Kind.PRODUCTS.value


class Action(StrEnum):
    """What would happen. HELD waits for a person, and nothing would be sent of it."""

    NEW = "new"
    CHANGE = "change"
    DELETE = "delete"
    LEAVE = "leave"
    """Not sold any more, and stays listed; its stock goes to 0."""
    UP = "up"
    DOWN = "down"
    ZERO = "zero"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that would change. `digest` of what would be sent; None: nothing would.

    `share`: by which a price moves. `asks`: a person would be asked first.
    """

    kind: str
    action: Action
    key: str
    member: str = ""
    ours: str = ""
    theirs: str = ""
    reasons: tuple[str, ...] = ()
    digest: str | None = None
    members: tuple[str, ...] = ()
    share: Decimal = Decimal(0)
    asks: bool = False


@dataclass(slots=True)
class Page:
    """What would change of some SKUs. `same`: how many would not, by kind; `stakes`: price x quantity, by SKU."""

    products: int = 0
    skus: int = 0
    lines: list[Line] = field(default_factory=list)
    same: Counter[str] = field(default_factory=Counter)
    stakes: dict[str, Decimal] = field(default_factory=dict)
    ones: dict[str, One] = field(default_factory=dict)
    """What the lines were derived from, by SKU."""
    last: Place = ("", "")


Place = tuple[str, str]
"""How far a walk over the pages has come: the last product's id, then the last SKU that no product bears."""


@dataclass(frozen=True)
class Around:
    """What is the same for all SKUs. `book` None: the channel publishes neither offers nor products."""

    source: str
    channel: Channel
    book: Book | None
    prices: PricePolicy | None
    topology: Topology | None
    now: datetime


@dataclass(frozen=True, slots=True)
class One:
    """A SKU: what Centra has of it, what is live, and what was told of it."""

    sku: Sku
    sold: Sold | None
    shown: Shown | None
    stock: StockOffer
    told: Mapping[Kind, Publication | None]

    @property
    def item(self) -> Item | None:
        return None if self.sold is None else self.sold.item


async def pages(connection: Connection, around: Around, begin: Place = ("", "")) -> AsyncIterator[Page]:
    """All that would change, page by page, from a place on."""
    after, last = int(begin[0] or 0), begin[1]
    if around.channel.publishes and not last:
        while found := await plans.page(connection, around.source, after, PRODUCTS_AT_ONCE):
            page = await _page(connection, around, _sold(found.values(), around), {})
            page.products, after = len(found), max(found)
            page.last = (str(after), "")
            yield page
    source = around.source if around.channel.publishes else ""  # then all of them are
    while shown := await live_offers.strays(connection, around.channel.id, source, last, STRAYS_AT_ONCE):
        left = await sold(connection, source, shown, "")
        last = max(shown)
        page = await _page(connection, around, {sku: left.get(sku) for sku in shown}, shown)
        page.last = (str(after), last)
        yield page


def _sold(products: Iterable[Sequence[Known]], around: Around) -> dict[Sku, Sold | None]:
    """Each SKU of the products with the item that it is, where it is sold."""
    language = around.book.map.language if around.book is not None else ""
    found: dict[Sku, Sold | None] = {}
    for known in products:
        items = {item.sku: item for item in items_of(known[0].product, language)} if known else {}
        found |= {one.sku: Sold(one, items.get(one.sku)) for one in known}
    return found


async def _page(
    connection: Connection, around: Around, found: Mapping[Sku, Sold | None], shown: Mapping[Sku, Shown]
) -> Page:
    scope, skus = around.channel.id, sorted(found)
    if not shown:
        shown = await live_offers.of_skus(connection, scope, skus)
    stock = await offers.read_stock_offers(connection, scope, around.source, skus)
    told = {kind: await publications.read(connection, scope, kind, skus) for kind in Kind}
    page = Page(skus=len(skus))
    ones = [
        One(one.sku, found[one.sku], shown.get(one.sku), one, {kind: told[kind].get(one.sku) for kind in Kind})
        for one in stock
    ]
    kept_back = await _products(connection, page, ones, around) if PRODUCTS in around.channel.publishes else frozenset()
    page.ones = {one.sku: one for one in ones}
    for one in ones:
        began = len(page.lines)
        quantity = _stock(page, one, around)
        price = _price(page, one, around)
        if OFFERS in around.channel.publishes:
            _offer(page, one, around, price, one.sku in kept_back)
        if any(line.action is not Action.HELD for line in page.lines[began:]):
            page.stakes[one.sku] = _stake(one, quantity, price)
    return page


def _stake(one: One, quantity: int | None, price: PriceSet | list[str] | None) -> Decimal:
    """The price, wanted or else live, of the larger quantity of the two."""
    shown = one.shown.offer.default_price if one.shown is not None else None
    amount = price.default.amount if isinstance(price, PriceSet) else shown.amount if shown is not None else Decimal(0)
    return amount * max(quantity or 0, one.shown.quantity if one.shown is not None else 0)


# ------------------------------------------------------------------------------------------------------------- stock


def _stock(page: Page, one: One, around: Around) -> int | None:
    """The wanted quantity; a line where another one is live."""
    settings = around.channel.stock
    if around.topology is None or not settings.on:
        return None
    outcome = available(one.stock.size, around.topology, stock_policy(around.channel), one.stock.unplaced)
    problem = outcome.reason if isinstance(outcome, Unreadable) else ""
    if one.stock.sharing > 1:
        problem = f"{one.stock.sharing} sizes in Centra carry the SKU {one.sku}; give each its own"
    quantity = None if isinstance(outcome, Unreadable) or problem else outcome.quantity
    if one.shown is None:
        return quantity
    live = one.shown.quantity
    if quantity is None:
        page.lines.append(Line(STOCK, Action.HELD, one.sku, "quantity", "", str(live), (problem,)))
    elif quantity == live:
        _stock_apart(page, one, quantity, None if isinstance(outcome, Unreadable) else outcome.by_warehouse)
    else:
        action = Action.ZERO if quantity == 0 else Action.UP if quantity > live else Action.DOWN
        why = (outcome.steps[-1],) if not isinstance(outcome, Unreadable) and quantity == 0 else ()
        line = Line(STOCK, action, one.sku, "quantity", str(quantity), str(live), why, str(quantity), ("quantity",))
        page.lines.append(line)
    return quantity


def _stock_apart(page: Page, one: One, quantity: int, by_warehouse: Mapping[str, int] | None) -> None:
    """The sum is right; so may be each warehouse, where the marketplace shows them."""
    ours, theirs = offers.apart(by_warehouse), one.stock.live_apart
    if ours is None or theirs is None or ours == theirs:
        page.same[STOCK] += 1
        return
    said, live = (", ".join(f"{code} {units}" for code, units in sorted(found.items())) for found in (ours, theirs))
    member = "warehouses"
    page.lines.append(Line(STOCK, Action.CHANGE, one.sku, member, said, live, (), str(quantity), (member,)))


# ------------------------------------------------------------------------------------------------------------ prices


def _price(page: Page, one: One, around: Around) -> PriceSet | list[str] | None:
    """The wanted prices or what is wrong with them; a line where others are live. None: it is not sold here."""
    if around.prices is None or one.sold is None or one.item is None:
        return None
    found = price_set(prices_of(one.sold.known), around.prices, around.now)
    if one.shown is not None and PRICES not in around.channel.publishes:
        return shown_set(one.shown.offer, around.now)  # somebody else's, which an offer keeps
    if one.shown is None or renamed(one.sold):
        return found
    if isinstance(found, list):
        page.lines.append(Line(PRICES, Action.HELD, one.sku, reasons=tuple(found)))
        return found
    differing = differences(None, found, one.shown.offer, around.now)
    if not differing:
        page.same[PRICES] += 1
        return found
    shown = one.shown.offer.default_price
    ours, theirs = found.default.amount, None if shown is None else shown.amount
    action = Action.CHANGE if theirs in (None, ours) else Action.UP if ours > (theirs or 0) else Action.DOWN
    share = abs(ours - theirs) / theirs if theirs else Decimal(0)
    told = one.told[Kind.PRICES]
    may = may_go(told, found, around.prices, one.shown)
    asked = None if may else jump(price_before(told, one.shown), found, around.prices)
    first = differing[0]
    page.lines.append(
        Line(
            PRICES,
            action,
            one.sku,
            first.member,
            first.ours,
            first.theirs,
            (() if asked is None else (asked,)) + tuple(map(str, differing[1:])),
            digest_of(found),
            tuple(difference.member for difference in differing),
            share,
            asked is not None,
        )
    )
    return found


# ------------------------------------------------------------------------------------------------------------ offers


def _offer(page: Page, one: One, around: Around, price: PriceSet | list[str] | None, product_is_held: bool) -> None:
    if one.sold is not None and renamed(one.sold):
        page.lines.append(Line(OFFERS, Action.HELD, one.sku, reasons=(str(renaming(one.sold)),)))
        return
    if one.item is None:
        _leaving(page, one, around)
        return
    assert around.book is not None
    offer = offer_of(one.item, around.book.map.offer, around.book.choices, around.book.map.language)
    faults = [str(fault) for fault in offer] if isinstance(offer, list) else []
    if isinstance(price, list) and _needs_price(one, offer, around):
        faults += price
    if product_is_held and one.shown is None:
        faults.append("the marketplace does not know its product yet, which is held")
    if faults or not isinstance(offer, Offer):
        page.lines.append(Line(OFFERS, Action.HELD, one.sku, reasons=tuple(faults)))
    elif one.shown is None:
        page.lines.append(Line(OFFERS, Action.NEW, one.sku, digest=digest_of(offer)))
    elif differing := differences(offer, None, one.shown.offer, around.now):
        first, members = differing[0], tuple(difference.member for difference in differing)
        rest = tuple(map(str, differing[1:]))
        line = Line(OFFERS, Action.CHANGE, one.sku, *first, rest, digest_of(offer), members)
        page.lines.append(line)
    else:
        page.same[OFFERS] += 1


def _needs_price(one: One, offer: Offer | list[Fault], around: Around) -> bool:
    """Whether it can't leave without: else it carries the prices sent last, or does not leave at all."""
    if PRICES in around.channel.publishes:
        sent = one.told[Kind.PRICES]
        return sent is None or sent.sent_body is None
    told = one.told[Kind.OFFERS]
    return not (isinstance(offer, Offer) and told is not None and told.is_live(digest_of(offer)))


def _leaving(page: Page, one: One, around: Around) -> None:
    """What is live and not sold here: deleted where the channel says so and we made it, else left without stock."""
    told = one.told[Kind.OFFERS]
    if one.shown is None:
        return
    sent = None if told is None else told.sent_body
    if around.channel.catalogue.leaving == "zero" or sent is None:
        page.lines.append(Line(OFFERS, Action.LEAVE, one.sku, "offer", "not sold", "listed"))
    else:
        digest = digest_of(deletion_of(sent))
        page.lines.append(Line(OFFERS, Action.DELETE, one.sku, "offer", "not sold", "listed", digest=digest))


# ---------------------------------------------------------------------------------------------------------- products


async def _products(connection: Connection, page: Page, ones: Sequence[One], around: Around) -> frozenset[Sku]:
    """Lines for the products of a page; the SKUs whose product can't be sent and was never there."""
    book = around.book
    assert book is not None
    rows: dict[Sku, Row] = {}
    faults: dict[Sku, tuple[str, ...]] = {}
    for one in ones:
        if one.sold is None:
            continue
        outcome = [renaming(one.sold)] if renamed(one.sold) else described(one.sold, book)
        if isinstance(outcome, Row):
            rows[one.sku] = outcome
        elif outcome is not None:
            faults[one.sku] = tuple(map(str, outcome))
    borne = {sku: codes_of(row, book.attributes(row.hierarchy)) for sku, row in rows.items()}
    bearers = await product_codes.read(
        connection, around.channel.id, {code for codes in borne.values() for code in codes}
    )
    faults |= {sku: (str(fault),) for sku, fault in shared_codes(borne, bearers, around.now).items()}
    by_sku = {one.sku: one for one in ones}
    for sku in sorted(faults):
        page.lines.append(Line(PRODUCTS, Action.HELD, sku, reasons=faults[sku]))
    for sku, row in rows.items():
        if sku not in faults:
            _product(page, by_sku[sku], row)
    return frozenset(sku for sku in faults if not _is_known(by_sku[sku].told[Kind.PRODUCTS]))


def _product(page: Page, one: One, row: Row) -> None:
    told, digest = one.told[Kind.PRODUCTS], digest_of(row)
    if told is None or told.sent is None:
        if one.shown is not None or _is_known(told):  # it is there already: only its offer is ours
            page.same[PRODUCTS] += 1
        else:
            page.lines.append(Line(PRODUCTS, Action.NEW, one.sku, digest=digest))
    elif digest != told.sent:
        page.lines.append(Line(PRODUCTS, Action.CHANGE, one.sku, digest=digest))
    elif told.state is Standing.REJECTED:
        page.lines.append(Line(PRODUCTS, Action.HELD, one.sku, reasons=told.reasons))
    else:
        page.same[PRODUCTS] += 1


def _is_known(told: Publication | None) -> bool:
    return told is not None and told.known
