"""Parcels at Mirakl: one tracking for the whole order (OR23, OR24), or shipments of its units (ST).

Where multi-shipment is off every ST call is refused as *missing*. Nothing here names a shipment of ours to Mirakl:
an ST01 in doubt is decided by what ST11 lists for the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Unpack

import msgspec

from app.mirakl.after_calls import PAGE_LIMIT, AfterCalls, checked, each, refused_item
from app.mirakl.after_schema import NewShipment, Page, Shipment, Tracking
from app.mirakl.calls import Sending, done
from app.wire.decode import decoded
from app.wire.outcome import Applied, Outcome, Unknown
from app.wire.permit import Permit
from app.wire.request import Expected
from app.wire.target import path_part

SHIPMENTS_LIMIT = 1000
"""The most shipments of one ST06, ST23 or ST24."""


class _Failed(msgspec.Struct):
    message: str | None = None


class _Created(msgspec.Struct):
    shipment_success: tuple[Shipment, ...] | None = None
    shipment_errors: tuple[_Failed, ...] | None = None


class ShipmentCalls(AfterCalls):
    """The shipment calls of a shop."""

    async def or23_update_tracking(
        self,
        order_id: str,
        tracking: Tracking,
        **sending: Unpack[Sending],
    ) -> Outcome[None]:
        """Set the order's one tracking, in place of what it had."""
        body = msgspec.structs.asdict(tracking)
        body["carrier_url"] = body.pop("tracking_url")  # OR23 alone calls it so
        answer = await self._write(
            "OR23",
            "PUT",
            f"/api/orders/{path_part(order_id)}/tracking",
            {name: value for name, value in body.items() if value},
            expects=Expected.NOTHING,
            **sending,
        )
        return done(answer)

    async def or24_ship_order(
        self,
        order_id: str,
        **sending: Unpack[Sending],
    ) -> Outcome[None]:
        """Mark the whole order as shipped, from SHIPPING only; where tracking is mandatory it must be there."""
        answer = await self._write(
            "OR24",
            "PUT",
            f"/api/orders/{path_part(order_id)}/ship",
            None,
            expects=Expected.NOTHING,
            **sending,
        )
        return done(answer)

    async def st01_create_shipment(
        self,
        shipment: NewShipment,
        **sending: Unpack[Sending],
    ) -> Outcome[Shipment]:
        """Create one shipment; its own error inside the answer is a refusal (status 201). Never safe to repeat."""
        answer = await self._write(
            "ST01",
            "POST",
            "/api/shipments",
            {"shipments": [shipment]},
            **sending,
        )

        def shape(body: _Created) -> Outcome[Shipment]:
            match body.shipment_success or (), body.shipment_errors or ():
                case (made,), () if made.order_id == shipment.order_id:
                    return Applied(made)
                case (), (failed,):
                    return refused_item(failed.message, 201)
                case made, errors:
                    return Unknown(f"{len(made)} shipments and {len(errors)} errors for one shipment")

        return decoded(answer, _Created, shape)

    async def st23_update_tracking(
        self,
        trackings: Mapping[str, Tracking],
        **sending: Unpack[Sending],
    ) -> Outcome[dict[str, Outcome[None]]]:
        """Set the tracking of shipments, by id."""
        items = [{"id": id_, "tracking": tracking} for id_, tracking in trackings.items()]
        answer = await self._write(
            "ST23",
            "POST",
            "/api/shipments/tracking",
            {"shipments": checked(items, SHIPMENTS_LIMIT)},
            **sending,
        )
        return each(answer, trackings)

    async def st24_ship_shipments(
        self,
        ids: Sequence[str],
        **sending: Unpack[Sending],
    ) -> Outcome[dict[str, Outcome[None]]]:
        """Mark shipments as shipped."""
        answer = await self._write(
            "ST24",
            "PUT",
            "/api/shipments/ship",
            {"shipments": [{"id": id_} for id_ in checked(ids, SHIPMENTS_LIMIT)]},
            **sending,
        )
        return each(answer, ids)

    async def st06_delete_shipments(
        self,
        ids: Sequence[str],
        **sending: Unpack[Sending],
    ) -> Outcome[dict[str, Outcome[None]]]:
        """Delete shipments that are still in SHIPPING."""
        answer = await self._write(
            "ST06",
            "PUT",
            "/api/shipments/delete",
            {"shipments": [{"id": id_} for id_ in checked(ids, SHIPMENTS_LIMIT)]},
            **sending,
        )
        return each(answer, ids)

    async def st11_list_shipments(
        self, order_ids: Sequence[str], *, page_token: str | None = None, permit: Permit | None = None
    ) -> Outcome[Page[Shipment]]:
        """One page of the shipments of up to 100 orders, oldest first."""
        query = [("order_id", id_) for id_ in checked(order_ids, PAGE_LIMIT)]
        return await self._page("ST11", "/api/shipments", query, Shipment, page_token=page_token, permit=permit)
