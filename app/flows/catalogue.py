"""A product that may have changed is read from Centra, and what channels publish of it looks again.

A key is a product's id. Up to 25 are read in one call; what changed is stored, and the SKUs of it are marked for the
flows `products`, `offers` and `prices` of every channel that publishes them, in one transaction. A product that can't
be understood is held; one that Centra does not have any more leaves the marketplaces by the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from app.centra.catalogue import PAGE_PRODUCTS
from app.domain.catalogue import CatalogueProduct
from app.domain.ids import Sku
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.retry import after_failure
from app.settings import Channels
from app.store import products
from app.store.marks import Mark
from app.store.outbox import Claim, Held, Verdict
from app.store.pool import Transaction
from app.wire.outcome import Applied

CATALOGUE = "catalogue"


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Read the claimed products and pass on what changed."""
    services = turn.services
    by_id = {int(claim.key): claim for claim in turn.claims}
    read_at = services.clock.now()
    answer = await services.centra.read_products(
        store_of(services), sorted(by_id), sku_from=services.settings.centra.sku
    )
    if not isinstance(answer, Applied):
        return {c: after_failure(answer, c, services.clock, services.pauses, turn.scope) for c in turn.claims}
    services.pauses.resume(turn.scope)
    found = answer.value

    async def steps(tx: Transaction) -> None:
        await store_products(tx, services, found.products.items, read_at)
        tx.mark(marks(services, await products.delete(tx.connection, turn.scope, found.missing_ids)))

    await services.database.transact(steps)
    return {
        by_id[int(odd.id)]: Held(f"product {odd.id}: {odd.reason}")
        for odd in found.products.unreadable
        if odd.id.isdigit() and int(odd.id) in by_id
    }


async def store_products(
    tx: Transaction, services: Services, found: Iterable[CatalogueProduct], read_at: datetime
) -> int:
    """Store products read by a call that began then, and mark what changed; how many SKUs that were."""
    changed = await products.write(tx.connection, services.source, found, read_at)
    tx.mark(marks(services, changed))
    return len(changed)


def marks(services: Services, skus: Iterable[Sku]) -> list[Mark]:
    """What every channel publishes of these SKUs looks again."""
    given = list(skus)
    return [Mark(scope, flow, sku) for scope, flow in published(services.settings) for sku in given]


def published(settings: Channels) -> Sequence[tuple[str, str]]:
    """The flows by which channels publish the catalogue."""
    return [(channel.id, flow) for channel in settings.channel for flow in channel.publishes]


def store_of(services: Services) -> int:
    """The store whose displays are published. The settings see to it that there is one."""
    store = services.settings.centra.store
    assert store is not None
    return store


FLOW = Flow(
    name=CATALOGUE,
    team=Team.ECOMMERCE,
    scoped="source",
    work=work,
    batch=PAGE_PRODUCTS,
    slice_size=PAGE_PRODUCTS,
    gather_seconds=0.2,
    on=lambda settings, _: bool(published(settings)),
)
