"""What a comparison with the live offers goes by, once all of it was read: mirrors, and how old they are."""

from __future__ import annotations

from datetime import datetime

from app.domain.ids import Scope
from app.domain.stock import Topology
from app.flows.catalogue_sweep import CATALOGUE_SWEEP, Walk
from app.flows.prices import price_policy
from app.flows.publishing.book import Book, open_book
from app.flows.publishing.preview import Around
from app.flows.read_back import READ_BACK, Export
from app.flows.sweep import SWEPT
from app.mirakl.schema import PlatformConfiguration
from app.settings import Channel
from app.store import mirrors
from app.store.pool import Connection


class UnreadError(Exception):
    """Something was never read; the message says what, and what to do."""


async def live_at(connection: Connection, scope: str) -> datetime:
    """Of when the live offers are: they were all read once, and after that what changed. Raises UnreadError."""
    export = await mirrors.read_cursor(connection, scope, READ_BACK, Export)
    if export is None or not export.has_all or export.last_asked_at is None:
        raise UnreadError(f"the live offers of {scope} were never read in full: is the service running?")
    return datetime.fromisoformat(export.last_asked_at)


async def around(connection: Connection, channel: Channel, source: str, now: datetime) -> Around:
    """What is the same for all SKUs of a channel. Raises UnreadError."""
    topology = await mirrors.read_mirror(connection, source, mirrors.TOPOLOGY, Topology)
    if channel.stock.on and (topology is None or await mirrors.read_cursor(connection, source, SWEPT, str) is None):
        raise UnreadError("the sizes of Centra are not all read yet: is the service running?")
    book: Book | None = None
    if channel.publishes:
        walk = await mirrors.read_cursor(connection, source, CATALOGUE_SWEEP, Walk)
        if walk is None or walk.whole_at is None:
            raise UnreadError("the products of Centra are not all read yet: is the service running?")
    if {"offers", "products"} & set(channel.publishes):
        book = await open_book(connection, Scope(channel.id))
        if book is None:
            raise UnreadError(f"{channel.id} has no map yet: centra-mirakl catalogue import {channel.id} FILE")
        if not book.declared and "products" in channel.publishes:
            raise UnreadError(f"what {channel.id} requires of products was never read: is the service running?")
    said = await mirrors.read_mirror(connection, channel.id, "PC01", PlatformConfiguration)
    has_prices = channel.prices.price_list is not None
    policy = price_policy(channel, None if said is None else said.value) if has_prices else None
    return Around(source, channel, book, policy, None if topology is None else topology.value, now)
