"""What a channel maps to the marketplace's words, against its lists as they were last mirrored."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import datetime

from app.domain.parity import Cause, Found, Kind
from app.engine.flow import Pass
from app.flows.after_sale.market import read_market
from app.flows.catalogue_watch import CATALOGUE_WATCH, gaps
from app.flows.comparing.causes import Seen, Step
from app.flows.publishing.book import NEEDED, open_book
from app.mirakl.schema import Reason
from app.policy_settings import AfterSaleSettings
from app.settings import Channel
from app.store import mirrors, parity
from app.store.parity import NO_WAY
from app.store.pool import Connection

REASONS = "RE01"


def kinds_of(channel: Channel) -> tuple[Kind, ...]:
    """What of a channel's mappings is compared."""
    follows, publishes = channel.after_sale.is_followed, bool({"offers", "products"} & set(channel.publishes))
    wanted = {Kind.CARRIERS: follows, Kind.MAPPINGS: follows or publishes}
    return tuple(kind for kind, on in wanted.items() if on)


def wanted_reasons(settings: AfterSaleSettings) -> Mapping[tuple[str, str], str]:
    """The reasons that a channel gives, by type and code: the setting that names each."""
    wanted = {
        ("REFUND", settings.refund_reason): "refund_reason",
        ("REFUND", settings.not_shipped_reason): "not_shipped_reason",
        **{("REFUND", code): "refund_reason_by_return" for code in settings.refund_reason_by_return.values()},
    }
    if settings.or30:
        wanted["CANCELATION", settings.cancel_reason] = "cancel_reason"
    return wanted


async def walk(turn: Pass) -> AsyncGenerator[Step, None]:
    """Every mapped carrier, reason, category and value, at once."""
    seen, channel = Seen(), turn.services.channel(turn.scope)
    async with turn.services.database.work.acquire() as connection:
        if channel.after_sale.is_followed:
            await _carriers(connection, turn.scope, seen)
            await _reasons(connection, channel, seen)
        if {"offers", "products"} & set(channel.publishes):
            await _catalogue(connection, turn, seen)
    yield seen


async def as_of(connection: Connection, scope: str) -> datetime | None:
    """When the oldest of the mirrors was read; None: none was."""
    mirrored = [await mirrors.read_mirror(connection, scope, code, object) for code in ("SH21", REASONS)]
    return min((mirror.read_at for mirror in mirrored if mirror is not None), default=None)


async def _carriers(connection: Connection, scope: str, seen: Seen) -> None:
    market = await read_market(connection, scope)
    if market.registered is None:
        return
    listed = {carrier.code for carrier in market.registered}
    for row in market.rows:
        if row.carrier.registered:
            seen.compared[Kind.CARRIERS] += 1
            if row.carrier.code not in listed:
                seen.found.append(_gone(Kind.CARRIERS, row.text, row.carrier.code, f"`carriers map {scope}`"))


async def _reasons(connection: Connection, channel: Channel, seen: Seen) -> None:
    mirror = await mirrors.read_mirror(connection, channel.id, REASONS, tuple[Reason, ...])
    if mirror is None:
        return
    listed = {(reason.type, reason.code) for reason in mirror.value if reason.is_shop_right is not False}
    for (kind, code), name in wanted_reasons(channel.after_sale).items():
        seen.compared[Kind.MAPPINGS] += 1
        if (kind, code) not in listed:
            words = f"correct after_sale.{name} in the channel file"
            seen.found.append(_gone(Kind.MAPPINGS, f"{kind} {code}", name, words))


async def _catalogue(connection: Connection, turn: Pass, seen: Seen) -> None:
    """The flow `catalogue_watch` holds the same for a person; what it has not seen yet is asked about here."""
    book = await open_book(connection, turn.scope)
    if book is None or book.unread & NEEDED:
        return
    mapped = book.map
    seen.compared[Kind.MAPPINGS] += len(mapped.categories) + sum(len(words) for words in mapped.values.values())
    ways = await parity.ways(connection, turn.scope, [CATALOGUE_WATCH], [CATALOGUE_WATCH])
    held = ways.get((CATALOGUE_WATCH, CATALOGUE_WATCH), NO_WAY).held
    for fault in gaps(book, turn.services.channel(turn.scope)):
        found = Found(Kind.MAPPINGS, fault.attribute or "map", fault.problem, "mapped", "otherwise", words=fault.mend)
        seen.found.append(found if held is None else replace(found, cause=Cause.HELD, words=held))


def _gone(kind: Kind, key: str, ours: str, words: str) -> Found:
    return Found(kind, key, "code", ours, "absent", words=words)
