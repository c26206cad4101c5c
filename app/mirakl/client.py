"""Mirakl's seller API, one method an API code. Every call names the shop and waits for no permit.

A method takes its permit itself unless it is given one; without a permit it answers *NotSent* with the wait.
An answer that names a shop must name ours: a key of another shop is refused before anything is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Unpack

import msgspec

from app.mirakl import schema
from app.mirakl.calls import Sending, instant, named
from app.mirakl.catalogue import CatalogueCalls
from app.mirakl.documents import DocumentCalls
from app.mirakl.finance import FinanceCalls
from app.mirakl.imports import read_stock_report, stock_file
from app.mirakl.offers import OfferCalls
from app.mirakl.orders import OrderCalls
from app.mirakl.prices import PriceCalls
from app.mirakl.products import ProductCalls
from app.mirakl.refunds import RefundCalls
from app.mirakl.returns import ReturnCalls
from app.mirakl.shipments import ShipmentCalls
from app.wire.decode import Items, decoded
from app.wire.outcome import Applied, Outcome, Unknown
from app.wire.permit import Permit
from app.wire.request import Expected, FilePart, WireRequest
from app.wire.target import path_part


class _ImportAccepted(msgspec.Struct):
    import_id: str | None = None


class MiraklClient(
    OrderCalls,
    ShipmentCalls,
    RefundCalls,
    ReturnCalls,
    DocumentCalls,
    CatalogueCalls,
    ProductCalls,
    OfferCalls,
    PriceCalls,
    FinanceCalls,
):
    """One shop on one instance; `scope` is its channel, whose permits it uses."""

    # ------------------------------------------------------------------------------ account and platform

    async def v01_check_version(self, *, permit: Permit | None = None) -> Outcome[None]:
        """Whether the instance answers; the body means nothing."""
        answer = await self._send(WireRequest("V01", "GET", "/api/version", expects=Expected.NOTHING), permit=permit)
        return Applied(None) if isinstance(answer, Applied) else answer

    async def a01_get_account(self, *, permit: Permit | None = None) -> Outcome[schema.Account]:
        """Our shop. Refused (credentials) when the key belongs to another shop."""
        answer = await self._send(WireRequest("A01", "GET", "/api/account"), permit=permit)
        return decoded(answer, schema.Account, lambda account: self._ours(account.shop_id, account))

    async def pc01_get_configuration(self, *, permit: Permit | None = None) -> Outcome[schema.PlatformConfiguration]:
        """The instance's switches. A restricted key may not read them (refused, credentials)."""
        answer = await self._send(WireRequest("PC01", "GET", "/api/platform/configuration"), permit=permit)
        return decoded(answer, schema.PlatformConfiguration, Applied)

    async def af01_list_additional_fields(
        self, *, permit: Permit | None = None
    ) -> Outcome[Items[schema.AdditionalField]]:
        """Custom fields of offers, shops, orders and order lines."""
        return await self._listed(
            WireRequest("AF01", "GET", "/api/additional_fields", query=(("entities", "OFFER,SHOP,ORDER,ORDER_LINE"),)),
            "additional_fields",
            schema.AdditionalField,
            permit,
        )

    async def of61_list_offer_states(self, *, permit: Permit | None = None) -> Outcome[Items[schema.OfferState]]:
        request = WireRequest("OF61", "GET", "/api/offers/states")
        return await self._listed(request, "offer_states", schema.OfferState, permit)

    async def sh21_list_carriers(self, *, permit: Permit | None = None) -> Outcome[Items[schema.Carrier]]:
        request = WireRequest("SH21", "GET", "/api/shipping/carriers")
        return await self._listed(request, "carriers", schema.Carrier, permit)

    async def sh12_list_shipping_types(self, *, permit: Permit | None = None) -> Outcome[Items[schema.ShippingType]]:
        request = WireRequest("SH12", "GET", "/api/shipping/types")
        return await self._listed(request, "shipping_types", schema.ShippingType, permit)

    async def re01_list_reasons(self, *, permit: Permit | None = None) -> Outcome[Items[schema.Reason]]:
        request = WireRequest("RE01", "GET", "/api/reasons")
        return await self._listed(request, "reasons", schema.Reason, permit)

    async def or75_list_taxes(self, *, permit: Permit | None = None) -> Outcome[Items[schema.OrderTax]]:
        request = WireRequest("OR75", "GET", "/api/orders/taxes")
        return await self._listed(request, "taxes", schema.OrderTax, permit)

    # --------------------------------------------------------------------------------------------- stock

    async def sto01_import_stock(
        self,
        lines: Sequence[schema.StockLine],
        **sending: Unpack[Sending],
    ) -> Outcome[str]:
        """Queue absolute quantities; the value is the import's id. Touches stock only."""
        file = FilePart("file", "stock.csv", stock_file(lines), "text/csv")
        answer = await self._upload("STO01", "/api/offers/stock/imports", file, **sending)
        return decoded(answer, _ImportAccepted, lambda body: named(body.import_id, "import_id"))

    async def sto02_get_stock_import(
        self, import_id: str, *, permit: Permit | None = None
    ) -> Outcome[schema.StockImportStatus]:
        """How far an import is. Refused (missing): Mirakl does not know it."""
        path = f"/api/offers/stock/imports/{path_part(import_id)}/status"
        answer = await self._send(WireRequest("STO02", "GET", path), permit=permit)

        def shape(status: schema.StockImportStatus) -> Outcome[schema.StockImportStatus]:
            if status.import_id != import_id:
                return Unknown("the answer is about another import")
            return self._ours(status.shop_id, status)

        return decoded(answer, schema.StockImportStatus, shape)

    async def sto03_get_stock_import_errors(
        self, import_id: str, *, permit: Permit | None = None
    ) -> Outcome[list[schema.StockLineError]]:
        """The lines an import refused. A report that cannot be split is Unknown: read it again."""
        path = f"/api/offers/stock/imports/{path_part(import_id)}/error_report"
        return await self._report("STO03", path, read_stock_report, permit)

    # -------------------------------------------------------------------------------------------- offers

    async def of52_export_offers(self, since: datetime | None, *, permit: Permit | None = None) -> Outcome[str]:
        """Ask for an export, inactive offers included; the value is its tracking id.

        `since`: only what changed from then on, deleted offers included (once a minute); None: all (daily).
        """
        body: dict[str, object] = {"export_type": "application/json", "include_inactive_offers": True}
        if since is not None:
            body["last_request_date"] = instant(since)
        charged_as = "OF52" if since is not None else "OF52.full"
        return await self._asked_export("OF52", "/api/offers/export/async", body, permit, charged_as)

    async def of53_get_export(self, tracking_id: str, *, permit: Permit | None = None) -> Outcome[schema.ExportStatus]:
        return await self._polled_export("OF53", "/api/offers/export/async/status/", tracking_id, permit)
