"""A service that publishes clothing to two marketplaces with hierarchies, lists and languages of their own."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from app.commands.demo.catalogue_words import MAPS
from app.flows.catalogue_watch import CATALOGUE_WATCH
from app.flows.publishing.book import MAP
from app.policies.catalogue_map import CatalogueMap
from app.store import mirrors
from app.store.marks import Mark
from app.store.pool import Database
from tests.flows.service import FR, Deployment, Service, running, shape, until
from tests.standins import Json

SCALE = 300.0
PRODUCTS = 12
"""Of every kind of garment one, and two more: 50 SKUs."""


def map_file(channel: str) -> Path:
    """The map of the demo."""
    return MAPS / f"{channel}.toml"


def map_of(channel: str, **members: Any) -> CatalogueMap:
    """That map, with other members."""
    document = tomllib.loads(map_file(channel).read_text(encoding="utf-8"))
    return msgspec.convert({**document, **members}, CatalogueMap)


@asynccontextmanager
async def shop(database_url: str, *channels: str, products: int = PRODUCTS, **members: Any) -> AsyncIterator[Service]:
    """The catalogue is published to these channels (fr), by the demo's maps; changes are known at once."""
    names = channels or (FR,)
    centra = {"catalogue": {"sizes": 0, "fta": 9, "clothing": {"products": products, "fta": 9}}}
    wanted = {"channels": names, "scale": SCALE, "import_seconds": 1.0, "catalogue": {}, "centra": centra}
    async with running(database_url, shape(**{**wanted, **members}), settle=False) as service:
        await service.webhooks_on()
        for channel in names:
            await put_map(service.parts.database, channel, map_of(channel))
        yield service


async def put_map(database: Database, channel: str, catalogue: CatalogueMap) -> None:
    """A person imports a map."""
    async with database.work.acquire() as connection:
        await mirrors.write_mirror(connection, channel, MAP, catalogue)
    await database.mark([Mark(channel, CATALOGUE_WATCH, CATALOGUE_WATCH)])


async def edit(service: Deployment, *changes: Json) -> None:
    """A merchandiser changes products in Centra, see `catalogue_edits`."""
    await service.admin.post(service.centra, "/_sandbox/catalogue", {"changes": list(changes)})


async def clothes(service: Deployment) -> list[Json]:
    """The products in Centra, with their variants and sizes."""
    found: list[Json] = (await service.admin.get(service.centra, "/_sandbox/catalogue?limit=1000"))["products"]
    return found


def skus_of(product: Json) -> list[str]:
    return [size["sku"] for variant in product["variants"] for size in variant["sizes"]]


async def live(service: Deployment, channel: str = FR) -> dict[str, Json]:
    """The live offers there, as OF21 shows them."""
    found: dict[str, Json] = (await service.admin.get(service.mirakl(channel), "/_sandbox/offers/live"))["offers"]
    return found


async def told(service: Deployment, kind: str, channel: str = FR) -> dict[str, Mapping[str, Any]]:
    """How publications stand, by key."""
    rows = await service.database.fetch("SELECT * FROM publication WHERE scope = $1 AND kind = $2", channel, kind)
    return {row["key"]: dict(row) for row in rows}


async def stand(
    service: Deployment, kind: str, state: str, skus: Sequence[str], channel: str = FR, *, seconds: float = 30.0
) -> dict[str, Mapping[str, Any]]:
    """Until publications of these SKUs are all in a state, and those."""
    last: dict[str, Mapping[str, Any]] = {}

    async def there() -> dict[str, Mapping[str, Any]] | None:
        nonlocal last
        found = await told(service, kind, channel)
        last = {sku: found[sku] for sku in skus if sku in found}
        return last if len(last) == len(skus) and all(row["state"] == state for row in last.values()) else None

    try:
        return await until(there, f"{kind} of {len(skus)} SKUs are {state}", seconds=seconds)
    except AssertionError as exc:
        odd = {sku: (row["state"], row["reasons"]) for sku, row in last.items() if row["state"] != state}
        missing = [sku for sku in skus if sku not in last]
        held = {flow: await service.held(channel, flow) for flow in ("products", "offers", "prices", "catalogue_watch")}
        raise AssertionError(f"{exc}; {odd}; without: {missing}; held: {held}") from exc


async def published(service: Deployment, channel: str = FR, *, seconds: float = 40.0) -> list[str]:
    """Until products, offers and prices of all that Centra sells are live there; the SKUs."""
    skus = [sku for product in await clothes(service) for sku in skus_of(product)]
    for kind in ("products", "offers", "prices"):
        await stand(service, kind, "live", skus, channel, seconds=seconds)
    return skus
