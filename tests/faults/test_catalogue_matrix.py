"""Kill -9 at each fail point of the bulk writes of the catalogue: whoever comes next finishes, and no doubt is left.

A flow is alone in its row: products that the operator has already need no file of ours, and prices no offers.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping

import pytest

from app import failpoints
from app.commands.lab import LIST
from tests.faults.deployment import Deployment, Json, deployed, ended, eventually, shape
from tests.faults.every import in_ci
from tests.flows.catalogue import map_of, put_map
from tests.postgres import Databases

pytestmark = pytest.mark.slow

FR = "demo-fr"
SCALE = 200.0
STRIKE_SECONDS = 40.0
FINISH_SECONDS = 60.0
POINTS = [point for point in failpoints.ALL if point.startswith("publish.")]
CODES = {"products": "P41", "offers": "OF24", "prices": "PRI01"}
OFF = {
    "products": "",
    "offers": 'products = "off"',
    "prices": f'products = "off"\noffers = "off"\n[channel.prices]\nmode = "on"\nprice_list = {LIST}',
}
ROWS = [f"{flow} {point}" for flow in CODES for point in POINTS]
IN_CI = {"offers publish.posted"}
"""The call was answered, and nobody knows what."""


@pytest.mark.parametrize("row", in_ci(ROWS, IN_CI))
async def test_whoever_comes_next_finishes(databases: Databases, row: str) -> None:
    flow, point = row.split()
    dsn = await databases.create(databases.template)
    centra = {"catalogue": {"sizes": 0, "clothing": {"products": 4, "fta": 9}}}
    of = shape(sizes=0, scale=SCALE, import_seconds=1.0, catalogue={FR: OFF[flow]}, centra=centra)
    async with deployed(dsn, of, replicas=0) as deployment:
        await put_map(deployment.database, FR, map_of(FR))
        wanted = await _prepared(deployment, flow)
        victim = await deployment.start(f"{point}=kill", wait=False)
        assert await ended(victim.process, STRIKE_SECONDS) == -signal.SIGKILL
        [killed] = await deployment.rows("SELECT code, state FROM effect WHERE code = $1", CODES[flow])
        assert killed["state"] == ("applied" if point == failpoints.PUBLISH_STORED else "sent")
        await deployment.start()

        async def live() -> Mapping[str, float]:
            offers: Json = (await deployment.lab.ask(deployment.marketplace, "/_sandbox/offers/live"))["offers"]  # type: ignore[assignment]
            return {sku: offer["price"] for sku, offer in offers.items()}

        await eventually(live, lambda found: found == wanted, FINISH_SECONDS, "all of it is live")
        await eventually(lambda: _unrest(deployment), lambda found: not found, FINISH_SECONDS, "all is confirmed")
        applied: Json = await deployment.lab.ask(deployment.marketplace, "/_sandbox/calls")
        assert applied["violations"] == []
    await databases.drop(dsn)


async def _prepared(deployment: Deployment, flow: str) -> Mapping[str, float]:
    """What the operator and the marketplace have before; and the prices that are to be live, by SKU."""
    products: Json = (await deployment.lab.ask(deployment.lab.centra, "/_sandbox/catalogue?limit=100"))["products"]  # type: ignore[assignment]
    sizes: dict[str, tuple[str, float]] = {
        size["sku"]: (size["ean"], float(product["prices"][str(LIST)]))
        for product in products
        for variant in product["variants"]
        for size in variant["sizes"]
    }
    if flow == "offers":
        known: list[Json] = [{"sku": f"MP-{sku}", "ean": ean} for sku, (ean, _) in sizes.items()]
        await deployment.lab.ask(deployment.marketplace, "/_sandbox/products", {"products": known})  # type: ignore[dict-item]
    if flow == "prices":
        # near enough to what is to be live that nobody has to be asked about the change
        offers: list[Json] = [{"sku": sku, "quantity": 0, "price": price + 1} for sku, (_, price) in sizes.items()]
        await deployment.lab.ask(deployment.marketplace, "/_sandbox/offers", {"offers": offers})  # type: ignore[dict-item]
    return {sku: price for sku, (_, price) in sizes.items()}


async def _unrest(deployment: Deployment) -> list[Json]:
    """Imports on their way, keys that are due or held, and what is not confirmed."""
    return await deployment.rows(
        """SELECT 'import ' || kind AS found FROM import WHERE state IN ('sent', 'running')
           UNION ALL SELECT flow || ' ' || key FROM outbox
           WHERE flow IN ('products', 'offers', 'prices')
             AND (due_at IS NOT NULL OR state = 'held' OR claim IS NOT NULL)
           UNION ALL SELECT kind || ' ' || key || ' ' || state FROM publication WHERE state <> 'live'"""
    )
