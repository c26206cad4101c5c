"""How the marketplace rates this shop is read daily, and counted from our own tables hourly.

Two keys. A21 gives the marketplace's figures of the day before; ours are counted from the same orders and show a breach
days earlier. Limits are the operator's, from the channel file; figures are stored, and gauges read them from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from app.clock import Clock
from app.domain.ratings import Measure, Rating, Source
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.retry import after_failure
from app.mirakl.quotas import spacing_seconds
from app.mirakl.ratings import Statistics, by_period
from app.policies.ratings import told, value_of
from app.rating_settings import RatingSettings
from app.store import ratings
from app.store.outbox import Claim, Held, Settled, Verdict
from app.store.pool import Connection
from app.store.ratings import Count
from app.wire.outcome import Applied, Refused

RATINGS = "ratings"
A21, OURS = "A21", "ours"
FORBIDDEN = 403
HOUR_SECONDS = 3_600.0
DAY_SECONDS = 86_400.0


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Read the marketplace's figures, or count ours."""
    claim = turn.claims[0]
    if claim.key == A21:
        return {claim: await _read(turn, claim)}
    if claim.key == OURS:
        return {claim: await _count(turn)}
    return {}


async def _read(turn: Pass, claim: Claim) -> Verdict:
    services, scope = turn.services, turn.scope
    answer = await services.mirakl[scope].a21_get_statistics()
    if isinstance(answer, Refused) and answer.status == FORBIDDEN:  # a right of its own: everything else may go on
        return Held(f"{answer.reason}: the key may not read the shop's statistics; ask the operator for the right to")
    if not isinstance(answer, Applied):
        return after_failure(answer, claim, services.clock, services.pauses, scope)
    services.pauses.resume(scope)
    channel = services.channel(scope)
    async with services.database.work.acquire() as connection:
        figures = list(marketplace_ratings(answer.value, channel.ratings))
        await ratings.write(connection, scope, Source.MARKETPLACE, figures)
    return Settled(services.clock.after(max(DAY_SECONDS, spacing_seconds(A21, channel.profile, services.clock.scale))))


async def _count(turn: Pass) -> Verdict:
    services, scope = turn.services, turn.scope
    settings = services.channel(scope).ratings
    async with services.database.work.acquire() as connection:
        counted = await counts(connection, scope, settings, services.clock)
        await ratings.write(connection, scope, Source.OURS, list(our_ratings(counted, settings)))
    return Settled(services.clock.after(HOUR_SECONDS))


def marketplace_ratings(statistics: Statistics, settings: RatingSettings) -> Iterator[Rating]:
    """The marketplace's figures of the periods that the channel compares with; rates in percent, delays in seconds."""
    orders = by_period(statistics.orders_count)
    for measure in Measure:
        found = told(statistics.figures(measure), settings.of(measure).period or settings.period)
        if found is None:
            continue
        period, value = found
        if value is not None and measure.is_percent and settings.rates == "share":
            value *= 100
        behind = orders.get(period)
        yield Rating(
            measure,
            Source.MARKETPLACE,
            value,
            period,
            None if behind is None else int(behind),
            statistics.last_updated_date,
        )


async def counts(connection: Connection, scope: str, settings: RatingSettings, clock: Clock) -> dict[Measure, Count]:
    """Our own counts, each measure over its window: one reading for each window that is used."""
    now = clock.now()
    since: dict[Measure, datetime] = {measure: now - settings.window(measure) for measure in Measure}
    counted = {start: await ratings.count(connection, scope, start) for start in sorted(set(since.values()))}
    return {measure: counted[start] for measure, start in since.items()}


def our_ratings(counted: Mapping[Measure, Count], settings: RatingSettings) -> Iterator[Rating]:
    """Our own figures as they are stored."""
    for measure, count in counted.items():
        value: Decimal | None = value_of(measure, count.tallies[measure])
        yield Rating(measure, Source.OURS, value, f"{settings.window(measure).days} days", count.orders)


FLOW = Flow(
    name=RATINGS,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    on=lambda settings, scope: settings.by_id()[scope].ratings.on and settings.by_id()[scope].orders.is_read,
    keys=lambda _settings, _scope: {A21: 0.0, OURS: 0.0},
)
"""Our figures are of orders, so both are there only where orders are read."""
