"""What a marketplace says about itself, as the flows after the sale need it: carriers, taxes, switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.after_sale import CarrierRow, Registered
from app.engine.flow import Services
from app.mirakl import schema
from app.store import carriers, mirrors
from app.store.pool import Connection

SINGLE = "shipments.single"
"""Cursor: an ST call was answered with 404, so an order has one tracking here, whatever PC01 says."""


@dataclass(frozen=True, slots=True)
class Market:
    """One channel's marketplace, as it was last read. `registered` None: its carriers never were."""

    registered: tuple[Registered, ...] | None
    rows: tuple[CarrierRow, ...]
    tax_rules: Mapping[str, str]
    one_tracking: bool
    """An order has one tracking only (OR23, OR24); else each parcel has its own (ST01)."""
    free_carriers: bool
    """Carriers that SH21 does not list are taken by name."""
    with_tracking: frozenset[str]
    """Shipping types whose parcels must have a tracking number."""
    has_returns: bool


async def market_of(services: Services, scope: str) -> Market:
    """What is mirrored of a channel's marketplace, and its carrier table."""
    async with services.database.work.acquire() as connection:
        return await read_market(connection, scope)


async def read_market(connection: Connection, scope: str) -> Market:
    """As `market_of`, on a connection."""
    listed = await mirrors.read_mirror(connection, scope, "SH21", tuple[schema.Carrier, ...])
    taxes = await mirrors.read_mirror(connection, scope, "OR75", tuple[schema.OrderTax, ...])
    types = await mirrors.read_mirror(connection, scope, "SH12", tuple[schema.ShippingType, ...])
    told = await mirrors.read_mirror(connection, scope, "PC01", schema.PlatformConfiguration)
    single = await mirrors.read_cursor(connection, scope, SINGLE, bool)
    rows = await carriers.read(connection, scope)
    features = (told.value.features if told else None) or schema.Features()
    multi = features.shipment.multi_shipment if features.shipment else None
    return Market(
        registered=None if listed is None else registered(listed.value),
        rows=tuple(mapped.row for mapped in rows),
        tax_rules={tax.code: tax.tax_calculation_rule or "" for tax in taxes.value} if taxes else {},
        one_tracking=bool(single) or multi is False,
        free_carriers=features.disable_seller_alternative_carrier is False,
        with_tracking=frozenset(kind.code for kind in types.value if kind.mandatory_tracking) if types else frozenset(),
        has_returns=features.returns is None or features.returns.marketplace is not False,
    )


def registered(listed: tuple[schema.Carrier, ...]) -> tuple[Registered, ...]:
    """SH21 as the policies know it."""
    return tuple(Registered(c.code, c.label or c.code, c.tracking_url or "") for c in listed)


async def note_one_tracking(services: Services, scope: str) -> None:
    """An ST call was answered with 404."""
    async with services.database.work.acquire() as connection:
        await mirrors.write_cursor(connection, scope, SINGLE, True)
