"""The part of `check` about what comes after the sale: reasons that a shop may give, carriers, invoices."""

from __future__ import annotations

from app.commands.context import Finding
from app.domain.ids import Scope
from app.engine.flow import Services
from app.flows.after_sale.market import market_of
from app.flows.comparing.reference import wanted_reasons
from app.settings import Channel
from app.store import carriers
from app.wire.outcome import Applied, NotSent


async def check_after_sale(parts: Services, channel: Channel) -> list[Finding]:
    """Nothing for a channel that does not follow its orders."""
    settings = channel.after_sale
    if not settings.is_followed:
        return []
    found = [Finding(channel.id, "after sale", True, f"{settings.mode}, returns: {settings.returns.accept}")]
    found += await _reasons(parts, channel)
    found += await _carriers(parts, channel)
    folder = settings.documents.folder
    if folder is not None:
        there = folder.is_dir()
        words = f"{folder}, by {settings.documents.door}" if there else f"{folder} is no folder: mount it"
        found.append(Finding(channel.id, "invoices", there, words))
    return found


async def _reasons(parts: Services, channel: Channel) -> list[Finding]:
    settings = channel.after_sale
    answer = await parts.mirakl[Scope(channel.id)].re01_list_reasons()
    if isinstance(answer, NotSent):
        return [Finding(channel.id, "reasons", None, f"not asked: {answer.reason}")]
    if not isinstance(answer, Applied):
        return [Finding(channel.id, "reasons", False, answer.reason)]
    ours = {(r.type, r.code) for r in answer.value.items if r.is_shop_right is not False}
    wanted = wanted_reasons(settings)
    faults = [f"{name}: no reason {code} of type {kind} for shops" for (kind, code), name in wanted.items()]
    missing = [words for words, key in zip(faults, wanted, strict=True) if key not in ours]
    there = ", ".join(sorted(code for kind, code in ours if kind == "REFUND"))
    words = "; ".join(missing) + f"; refunds may say {there}" if missing else "all are there"
    return [Finding(channel.id, "reasons", not missing, words)]


async def _carriers(parts: Services, channel: Channel) -> list[Finding]:
    market = await market_of(parts, channel.id)
    async with parts.database.work.acquire() as connection:
        rows = await carriers.read(connection, channel.id)
    if market.registered is None:
        return [Finding(channel.id, "carriers", None, "the marketplace's carriers are not read yet: start the service")]
    codes = {carrier.code for carrier in market.registered}
    gone = sorted({m.row.carrier.code for m in rows if m.row.carrier.registered} - codes)
    if gone:
        words = f"{', '.join(gone)} are mapped and not listed any more; `carriers map {channel.id}`"
        return [Finding(channel.id, "carriers", False, words)]
    words = f"{len(rows)} of Centra's texts are mapped" if rows else "none is mapped: every parcel will be held"
    return [Finding(channel.id, "carriers", True if rows else None, words)]
