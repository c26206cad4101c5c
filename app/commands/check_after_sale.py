"""The part of `check` about what comes after the sale: reasons that a shop may give, carriers, invoices.

It asks the marketplace nothing: what the part before has just read, or the service before that, is mirrored.
"""

from __future__ import annotations

from app.commands.context import Finding
from app.engine.flow import Services
from app.flows.after_sale.market import market_of
from app.flows.comparing.reference import wanted_reasons
from app.mirakl import schema
from app.settings import Channel
from app.store import carriers, mirrors


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
    async with parts.database.desk.acquire() as connection:
        read = await mirrors.read_mirror(connection, channel.id, "RE01", tuple[schema.Reason, ...])
    if read is None:
        return [Finding(channel.id, "reasons", None, "the marketplace's reasons could not be read, see RE01")]
    ours = {(r.type, r.code) for r in read.value if r.is_shop_right is not False}
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
        words = f"{', '.join(gone)} are mapped and not listed any more; `carriers map`, `carriers unmap {channel.id}`"
        return [Finding(channel.id, "carriers", False, words)]
    words = f"{len(rows)} of Centra's texts are mapped" if rows else "none is mapped: every parcel will be held"
    return [Finding(channel.id, "carriers", True if rows else None, words)]
