"""A marketplace changes its categories or lists, or a person imports a map: what that means is said at once.

One key for each channel, marked by both. What the map lacks for a category that it uses, and what it names and the
marketplace has no more, is held for ecommerce before it blocks a product; then every product of the channel is checked
anew, after everything more urgent.
"""

from __future__ import annotations

from app.domain.listing import Fault
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.flows.publishing.book import NEEDED, Book, open_book
from app.policies.mapping import IN_MAP, stale_codes
from app.store import products
from app.store.marks import Mark
from app.store.outbox import Claim, Held, Settled, Verdict, Waiting
from app.store.pool import Transaction

CATALOGUE_WATCH = "catalogue_watch"
BACKGROUND = 2
PAGE = 500
SAID = 5
"""So many faults stand in the reason; `catalogue coverage` shows all."""
DAY_SECONDS = 86_400.0
UNREAD_SECONDS = 60.0


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Hold the map against what the marketplace says now, and have everything checked anew."""
    claim, services = turn.claims[0], turn.services
    async with services.database.work.acquire() as connection:
        book = await open_book(connection, turn.scope)
    if book is None or book.unread & NEEDED:
        words = "no map yet: `centra-mirakl catalogue import`" if book is None else "the catalogue is not read yet"
        return {claim: Waiting(services.clock.after(UNREAD_SECONDS), words)}
    await _check_again(turn)
    faults = gaps(book)
    if faults:
        more = f"; and {len(faults) - SAID} more (`centra-mirakl catalogue coverage`)" if len(faults) > SAID else ""
        return {claim: Held("; ".join(str(fault) for fault in faults[:SAID]) + more)}
    return {claim: Settled(services.clock.after(DAY_SECONDS))}


def gaps(book: Book) -> list[Fault]:
    """What the map lacks, and what it names in vain."""
    found = stale_codes(book.map, [one.code for one in book.hierarchies], book.lists)
    for hierarchy in sorted(set(book.map.categories.values())):
        for attribute in book.attributes(hierarchy):
            is_ours = attribute.code == book.map.category
            if attribute.required and not is_ours and book.map.rule_for(hierarchy, attribute.code) is None:
                words = f"is required in category {hierarchy} and not mapped"
                found.append(Fault(attribute.named, words, "add it to [attributes] of the channel's map"))
    return found + _class_gaps(book)


def _class_gaps(book: Book) -> list[Fault]:
    """Logistic classes that the map names for all offers; one that comes from Centra is said by its own offer."""
    rule, known = book.map.offer.logistic_class, book.choices.logistic_classes
    named = () if rule is None else (rule.constant, rule.default)
    words = "the logistic class {} is gone at the marketplace"
    return [Fault("", words.format(code), IN_MAP) for code in named if code and known is not None and code not in known]


async def _check_again(turn: Pass) -> None:
    """Every product and offer of the channel, page by page."""
    services, scope = turn.services, turn.scope
    flows = services.channel(scope).publishes
    after = 0
    while True:
        async with services.database.work.acquire() as connection:
            page = await products.page(connection, services.source, after, PAGE)
        if not page:
            return
        after = page[-1].product_id
        skus = sorted({size.sku for one in page for variant in one.variants for size in variant.sizes})

        async def steps(tx: Transaction) -> None:
            tx.mark(Mark(scope, flow, sku, priority=BACKGROUND) for flow in flows for sku in skus)  # noqa: B023 - awaited here

        await services.database.transact(steps)
        if not turn.still_ours:
            await turn.extend()


FLOW = Flow(
    name=CATALOGUE_WATCH,
    team=Team.ECOMMERCE,
    scoped="channel",
    work=work,
    keys=lambda _settings, _scope: {CATALOGUE_WATCH: 0.0},
    on=lambda settings, scope: bool(settings.by_id()[scope].publishes),
)
