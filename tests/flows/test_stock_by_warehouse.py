"""Stock is told by the marketplace's own warehouse codes: the same sum, a row for each, read back by warehouse."""

from __future__ import annotations

from app.store import outbox
from tests.flows.service import FR, Service, counted, running, shape, until
from tests.standins import Json

NORTH, SOUTH, OLD = "NORD-1", "SUD-2", "ANCIEN"
WAREHOUSES = [{"id": 1, "name": "North", "threshold": 2}, {"id": 2, "name": "South", "threshold": 0}]
NAMED = f'[channel.stock]\nread_back_seconds = 60\nwarehouses = {{1 = "{NORTH}", 2 = "{SOUTH}"}}'


async def shown(service: Service, sku: str) -> dict[str, int]:
    """An offer's units by warehouse, as OF21 shows it."""
    path = f"/_sandbox/offers/live?sku={sku}"
    offer: Json = (await service.admin.get(service.mirakl(), path))["offers"][sku]
    return {row["code"]: row["quantity"] for row in offer["warehouses"]}


async def becomes(service: Service, sku: str, wanted: dict[str, int], seconds: float = 20) -> None:
    async def so() -> bool:
        return await shown(service, sku) == wanted

    try:
        await until(so, f"{sku} is {wanted}", seconds=seconds)
    except AssertionError as exc:
        raise AssertionError(f"{exc}; it is {await shown(service, sku)}; {dict(await service.offer(sku))}") from exc


async def test_each_warehouse_is_told_apart_and_their_sum_is_what_is_sold(database_url: str) -> None:
    wanted = shape(
        scale=300.0,
        sizes=6,
        centra={"catalogue": {"sizes": 6, "fta": 7, "warehouses": WAREHOUSES}},
        mirakl={"warehouses": [NORTH, SOUTH, OLD]},
        channel_lines={FR: NAMED},
    )
    async with running(database_url, wanted) as service:
        await service.at_rest()
        sku, other = (size["sku"] for size in (await service.sizes())[:2])
        before = await shown(service, sku)
        assert set(before) == {NORTH, SOUTH}
        assert sum(before.values()) == (await service.sellable())[sku]

        await service.sell(sku, 5, 1)
        await service.sell(sku, 4, 2)
        await becomes(service, sku, {NORTH: 3, SOUTH: 4})  # less the threshold of the first
        await service.sell(sku, 6, 1)
        await service.sell(sku, 3, 2)
        await becomes(service, sku, {NORTH: 4, SOUTH: 3})  # the same sum
        await service.sell(sku, 0, 2)
        await becomes(service, sku, {NORTH: 4, SOUTH: 0})
        await service.at_rest()
        assert (await service.offer(sku))["stock_confirmed_apart"] == f'{{"{NORTH}": 4}}'
        explained = (await service.command("stock", "explain", sku)).words
        assert f"by warehouse: {NORTH} 4, {SOUTH} 0" in explained
        assert "available to sell: 4" in explained

        corrected = counted("stale_values_corrected_total", scope=FR, flow="stock")
        line = {"sku": sku, "warehouses": {NORTH: 3, OLD: 1}}
        await service.admin.post(service.mirakl(), "/_sandbox/offers", {"offers": [line]})
        await becomes(service, sku, {NORTH: 4, SOUTH: 0, OLD: 0})
        assert counted("stale_values_corrected_total", scope=FR, flow="stock") == corrected + 1

        await service.admin.post(service.mirakl(), "/_sandbox/shop", {"warehouses": [NORTH]})
        await service.sell(other, 9, 1)
        held = await until(lambda: service.held(FR, "stock"), "the line is held")
        assert "Warehouse with code SUD-2 does not exist" in held[other]
        await service.admin.post(service.mirakl(), "/_sandbox/shop", {"warehouses": [NORTH, SOUTH, OLD]})
        await outbox.release(service.parts.database, FR, "stock", [other])
        await service.at_rest()
        assert sum((await shown(service, other)).values()) == (await service.sellable())[other]
        assert await service.violations(service.mirakl()) == []
