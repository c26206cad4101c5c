"""Parcels in Centra, as its people or a warehouse system make them. A shipped one may still be edited or removed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _OrderKey(msgspec.Struct, frozen=True):
    number: int


class _Carrier(msgspec.Struct, frozen=True, rename="camel"):
    carrier_name: str | None = None
    service_name: str | None = None


class _OrderLine(msgspec.Struct, frozen=True):
    id: int
    comment: str | None = None


class ShipmentLineRead(msgspec.Struct, frozen=True, rename="camel"):
    """Units of an order line; its comment is the marketplace's order line id. Completed returns count as returned."""

    id: int
    quantity: int
    order_line: _OrderLine
    returned_quantity: int = 0

    @property
    def comment(self) -> str:
        return (self.order_line.comment or "").strip()


class ShipmentRead(msgspec.Struct, frozen=True, rename="camel"):
    """One parcel. Carrier and service are free text; Centra has no tracking URL here."""

    id: int
    number: str
    is_shipped: bool
    lines: tuple[ShipmentLineRead, ...]
    order: _OrderKey
    shipped_at: _Instant | None = None
    tracking_number: str | None = None
    carrier_information: _Carrier | None = None

    @property
    def carrier(self) -> str:
        return (self.carrier_information.carrier_name if self.carrier_information else None) or ""

    @property
    def service(self) -> str:
        return (self.carrier_information.service_name if self.carrier_information else None) or ""
