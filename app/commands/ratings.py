"""`ratings show` and `ratings orders`: what the marketplace says of the shop, what we count, and what it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.clock import Clock
from app.commands.context import configuration, database_of
from app.commands.orders import DeclinedError, known_channel
from app.commands.status import age
from app.domain.ratings import Measure, Rating, Source
from app.flows.ratings import counts, our_ratings
from app.mirakl.schema import Reason
from app.policies.ratings import Standing, left_until, span, standing, why
from app.rating_settings import RatingSettings
from app.settings import Channel
from app.store import mirrors, ratings
from app.store.pool import Connection, Database
from app.store.ratings import Count
from app.store.time import read_clock
from app.supervisor import Configuration

REASONS = "RE01"
COLOURS: Mapping[Standing, str] = {
    Standing.FINE: "green",
    Standing.NEAR: "yellow",
    Standing.OVER: "red",
    Standing.UNRATED: "dim",
}


async def show(console: Console, *, channel: str | None) -> None:
    """One table a channel: both figures, the operator's levels, and how many more until each."""
    told = configuration()
    wanted = _channels(told, channel)
    async with database_of(told) as database, database.desk.acquire() as connection:
        clock = await _clock(connection)
        stored = await ratings.read(connection)
        for one in wanted:
            counted = await counts(connection, one.id, one.ratings, clock)
            theirs = {r.measure: r for r in stored.get(one.id, ()) if r.source is Source.MARKETPLACE}
            console.print(_table(one, counted, theirs, clock.now()))
    console.print("`ratings orders MEASURE` names the orders behind one of ours")


async def orders(console: Console, measure: Measure, *, channel: str | None, limit: int) -> None:
    """The orders, lines or answers that count as bad for a measure, each with the reason on our side."""
    told = configuration()
    async with database_of(told) as database:
        for one in _channels(told, channel):
            console.print(await _behind(database, one, measure, limit))


def _channels(told: Configuration, channel: str | None) -> list[Channel]:
    """The channels whose orders are read: the one named, or all. Raises DeclinedError, SettingsError."""
    named = None if channel is None else known_channel(told, channel)
    found = [one for one in told.channels.channel if one.orders.is_read and named in (None, one.id)]
    if not found:
        raise DeclinedError("no orders are read here, so there is nothing to rate: set orders.mode of the channel")
    return found


async def _clock(connection: Connection) -> Clock:
    return Clock((await read_clock(connection)).rate)


def _table(
    channel: Channel, counted: Mapping[Measure, Count], theirs: Mapping[Measure, Rating], now: datetime
) -> Table:
    settings = channel.ratings
    read = max((rating.told_at for rating in theirs.values() if rating.told_at), default=None)
    when = "not read yet" if read is None else f"counted {age(now, read)} ago"
    table = Table(title=f"{channel.id}: the marketplace's figures were {when}", title_justify="left")
    for name in ("measure", "marketplace", "ours", "warning", "limit", "until warning", "until limit"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for ours in our_ratings(counted, settings):
        measure, levels = ours.measure, settings.of(ours.measure).levels
        tally = counted[measure].tallies[measure]
        table.add_row(
            f"{measure.words}\n[dim]{measure}[/]",
            _figure(theirs.get(measure), settings),
            _figure(ours, settings),
            _level(measure, levels.warning),
            _level(measure, levels.limit),
            _left(measure, left_until(measure, tally, levels.warning, reached=True), levels.warning),
            _left(measure, left_until(measure, tally, levels.limit, reached=False), levels.limit),
        )
    return table


def _figure(rating: Rating | None, settings: RatingSettings) -> str:
    if rating is None:
        return ""
    levels = settings.of(rating.measure).levels
    found = standing(rating.measure, rating.value, levels, orders=rating.orders, least_orders=settings.least_orders)
    behind = "" if rating.orders is None else f", {rating.orders} orders"
    return f"[{COLOURS[found]}]{_level(rating.measure, rating.value) or 'none'}[/]\n[dim]{rating.span}{behind}[/]"


def _level(measure: Measure, value: Decimal | None) -> str:
    if value is None:
        return ""
    if measure.is_seconds:
        return span(float(value))
    return f"{value:.2f} %" if measure.is_percent else f"{value:.0f}"


def _left(measure: Measure, more: int | None, level: Decimal | None) -> str:
    if level is None:
        return ""
    if more is None:
        return "-"
    return "[red]there[/]" if more == 0 else f"{more} more"


async def _behind(database: Database, channel: Channel, measure: Measure, limit: int) -> Table:
    async with database.desk.acquire() as connection:
        clock = await _clock(connection)
        since = clock.now() - channel.ratings.window(measure)
        found = await ratings.causes(connection, channel.id, measure, since, limit)
        labels = await _labels(connection, channel.id)
    days = channel.ratings.window(measure).days
    more = f", the first {limit}" if len(found) == limit else ""
    table = Table(title=f"{channel.id}: {measure.words} in {days} days{more}", title_justify="left")
    for name in ("order", "of", "sku", "why"):
        table.add_column(name)
    for cause in found:
        words = escape(why(measure, cause, labels))
        table.add_row(cause.order_id, f"{cause.at:%m-%d %H:%M}", escape(cause.sku or ""), words)
    return table


async def _labels(connection: Connection, scope: str) -> dict[str, str]:
    mirrored = await mirrors.read_mirror(connection, scope, REASONS, tuple[Reason, ...])
    return {reason.code: reason.label for reason in mirrored.value if reason.label} if mirrored else {}
