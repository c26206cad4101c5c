"""A service that follows its orders after the sale, and what people do to them on both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from app.domain.after_sale import Carrier, CarrierRow
from app.domain.progress import Outcome
from app.store import carriers
from tests.flows.service import FR, Deployment, Service, order_shape, running, until
from tests.standins import Json

AT_ONCE: Json = {"address_seconds": 0}
UNPAID: Json = {"payment_workflow": "PAY_ON_DELIVERY"}


@asynccontextmanager
async def shop(database_url: str, policy: str = "", **members: Any) -> AsyncIterator[Service]:
    """Orders are followed, changes are known at once, and Centra's PostNord is mapped."""
    async with running(database_url, order_shape(after_sale=policy, **members)) as service:
        await service.webhooks_on()
        async with service.parts.database.work.acquire() as connection:
            row = CarrierRow("postnord", Carrier("POSTNORD"))
            await carriers.put(connection, FR, [row], "Ilva Testberg")
        yield service


async def released(service: Service, *lines: Json, **members: Any) -> str:
    """An order that the warehouse has; its Mirakl id."""
    order_id = await service.buy(*lines, **{**AT_ONCE, **members})
    await service.ends(Outcome.RELEASED, order_id)
    return order_id


async def ship(service: Deployment, order_id: str, *units: tuple[str, int], **members: Any) -> Json:
    """The warehouse sends a parcel of these units by SKU (all that is left), with PostNord."""
    number = (await service.entry(order_id))["number"]
    lines = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in units]} if units else {}
    told: Json = {"number": number, "carrier": "PostNord", "tracking_number": f"PN{number}", **lines, **members}
    parcel: Json = await service.admin.post(service.centra, "/_sandbox/shipments", told)
    return parcel


async def back(service: Deployment, shipment: Json, *units: tuple[str, int], **members: Any) -> Json:
    """The warehouse gets units of a parcel back (all of them), and completes the return."""
    lines = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in units]} if units else {}
    told: Json = {"shipment": shipment["id"], **lines, **members}
    found: Json = await service.admin.post(service.centra, "/_sandbox/returns", told)
    return found


async def cancel(service: Deployment, order_id: str, *units: tuple[str, int]) -> None:
    """Somebody cancels units, or the whole order, in Centra's back office."""
    number = (await service.entry(order_id))["number"]
    lines = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in units]} if units else {}
    await service.admin.post(service.centra, "/_sandbox/orders/cancel", {"number": number, **lines})


async def there(service: Deployment, order_id: str) -> Json:
    """Shipments and lines of an order at the marketplace, by the stand-in's ledger."""
    found: Json = await service.admin.get(service.mirakl(), f"/_sandbox/after?order_id={order_id}")
    return found


async def line(service: Deployment, order_id: str, number: int = 1) -> Json:
    """One line of an order there."""
    found: Json = (await there(service, order_id))["lines"][f"{order_id}-{number}"]
    return found


async def line_becomes(service: Deployment, order_id: str, number: int = 1, **members: object) -> Json:
    """Until a line there shows all of these members, and the line."""
    last: Json = {}

    async def shown() -> Json | None:
        nonlocal last
        last = await line(service, order_id, number)
        return last if all(last[name] == value for name, value in members.items()) else None

    try:
        return await until(shown, f"line {number} of {order_id} becomes {members}")
    except AssertionError as exc:
        raise AssertionError(f"{exc}; it is {last}, with {await intents(service, order_id)}") from exc


async def intents(service: Deployment, order_id: str) -> list[Mapping[str, Any]]:
    rows = await service.database.fetch("SELECT * FROM intent WHERE order_id = $1 ORDER BY id", order_id)
    return [dict(row) for row in rows]


async def intent_becomes(
    service: Deployment, order_id: str, kind: str, state: str, words: str = ""
) -> Mapping[str, Any]:
    """Until an intent of an order is in a state, for a reason that contains these words; and the intent."""

    async def found() -> Mapping[str, Any] | None:
        rows = [row for row in await intents(service, order_id) if (row["kind"], row["state"]) == (kind, state)]
        return next((row for row in rows if words in (row["reason"] or "")), None)

    try:
        return await until(found, f"{kind} of {order_id} is {state}: {words}")
    except AssertionError as exc:
        raise AssertionError(f"{exc}; there is {await intents(service, order_id)}") from exc
