"""A marketplace changes its categories or lists, or a person the map or the settings: what that means is said at once.

One key for each channel, marked by each of them. What the map lacks for a category that it uses, and what it names and
the marketplace has no more, is held for ecommerce before it blocks a product. Where anything became another one, and
once a day, every product of the channel is checked anew, after everything more urgent.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from app.domain.listing import Fault
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.flows.publishing.book import NEEDED, Book, open_book
from app.mirakl.schema import PricingSwitches
from app.policies.mapping import IN_MAP, stale_codes, stray_rules
from app.policies.offer_terms import stray_terms
from app.settings import Channel, Channels
from app.store import mirrors, products
from app.store.marks import Mark
from app.store.outbox import Claim, Held, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.store.products import digest_of

CATALOGUE_WATCH = "catalogue_watch"
BACKGROUND = 2
PAGE = 500
SAID = 5
"""So many faults stand in the reason; `catalogue coverage` shows all."""
DAY_SECONDS = 86_400.0
UNREAD_SECONDS = 60.0


class Checked(msgspec.Struct, frozen=True):
    """By what everything was checked last, and when that was (ISO)."""

    settings: str
    book: str
    at: str

    @property
    def next_at(self) -> datetime:
        """When it is checked again, whatever changed."""
        return datetime.fromisoformat(self.at) + timedelta(seconds=DAY_SECONDS)

    def differs(self, other: Checked) -> bool:
        """Whether anything has changed since."""
        return (self.settings, self.book) != (other.settings, other.book)


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Hold the map against what the marketplace says now, and have everything checked anew."""
    claim, services = turn.claims[0], turn.services
    async with services.database.work.acquire() as connection:
        book = await open_book(connection, turn.scope)
    if book is None or book.unread & NEEDED:
        words = "no map yet: `centra-mirakl catalogue import`" if book is None else "the catalogue is not read yet"
        return {claim: Waiting(services.clock.after(UNREAD_SECONDS), words)}
    channel, now = services.channel(turn.scope), services.clock.now()
    version = Checked(settings_of(channel), book.version, now.isoformat())
    async with services.database.work.acquire() as connection:
        last = await mirrors.read_cursor(connection, turn.scope, CATALOGUE_WATCH, Checked)
    if last is None or last.differs(version) or now >= last.next_at:
        await _check_again(turn)
        async with services.database.work.acquire() as connection:
            await mirrors.write_cursor(connection, turn.scope, CATALOGUE_WATCH, version)
        last = version
    faults = gaps(book, channel)
    if faults:
        more = f"; and {len(faults) - SAID} more (`centra-mirakl catalogue coverage`)" if len(faults) > SAID else ""
        return {claim: Held("; ".join(str(fault) for fault in faults[:SAID]) + more)}
    return {claim: Settled(last.next_at)}


def settings_of(channel: Channel) -> str:
    """A name for how a channel publishes: its modes too, so that what a dry run kept back leaves once it is over."""
    return digest_of([channel.catalogue.model_dump(mode="json"), channel.prices.model_dump(mode="json")])


async def look_again(tx: Transaction, settings: Channels) -> None:
    """Mark the channels whose settings are others than those that everything was checked by."""
    for channel in settings.channel:
        last = await mirrors.read_cursor(tx.connection, channel.id, CATALOGUE_WATCH, Checked)
        if channel.publishes and last is not None and last.settings != settings_of(channel):
            tx.mark([Mark(channel.id, CATALOGUE_WATCH, CATALOGUE_WATCH)])


def gaps(book: Book, channel: Channel) -> list[Fault]:
    """What the map lacks, what it names in vain, and what the marketplace does not take of offers and prices."""
    found = stale_codes(book.map, [one.code for one in book.hierarchies], book.lists)
    found += stray_rules(book.map, book.declared_lists, book.lists, book.separator)
    for hierarchy in sorted(set(book.map.categories.values())):
        for attribute in book.attributes(hierarchy):
            is_ours = attribute.code == book.map.category
            if attribute.required and not is_ours and book.map.rule_for(hierarchy, attribute.code) is None:
                words = f"is required in category {hierarchy} and not mapped"
                found.append(Fault(attribute.named, words, "add it to [attributes] of the channel's map"))
    if channel.catalogue.offers != "off":
        found += stray_terms(book.map.offer, book.choices) + _class_gaps(book)
    return found + _price_faults(book, channel) if channel.prices.mode != "off" else found


def _price_faults(book: Book, channel: Channel) -> list[Fault]:
    """Prices that the channel sends and the marketplace does not take (PC01, CH11)."""
    features = book.configuration.features if book.configuration is not None else None
    switches = (features.pricing if features is not None else None) or PricingSwitches()
    own, known = channel.prices, book.sales_channels
    refused = [
        ("channels", switches.channel_pricing == "DISABLED" and own.channels, "prices by sales channel"),
        ("volumes", switches.volume_pricing is False and own.volumes, "prices by quantity"),
        ("planned", switches.scheduled_pricing is False and own.planned, "prices for a time"),
    ]
    mend = "correct [channel.prices] of the channel file"
    faults = [Fault(member, f"the marketplace takes no {what}", mend) for member, is_so, what in refused if is_so]
    strange = sorted(set(own.channels) - {one.code for one in known}) if known is not None else []
    return faults + [Fault("channels", f"the marketplace has no sales channel {code}", mend) for code in strange]


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
