"""Mirakl's seller API, one method an API code. Every call names the shop and waits for no permit.

A method takes its permit itself unless it is given one; without a permit it answers *NotSent* with the wait.
An answer that names a shop must name ours: a key of another shop is refused before anything is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from app.mirakl import schema
from app.mirakl.imports import UnreadableReport, read_stock_report, stock_file
from app.mirakl.quotas import Profile, ceiling_of, longest_wait_seconds
from app.wire.charged import ChargedCalls
from app.wire.decode import Items, decoded, read_items
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused, Unknown
from app.wire.permit import Charge, Permit, Permits, PermitWait
from app.wire.request import Expected, FilePart, WireRequest, WireResponse
from app.wire.target import path_part
from app.wire.transport import Transport

T = TypeVar("T")

_EXPORT_CHUNK_ITEMS = 10_000
_EXPORT_CHUNK_MEGABYTES = 10
_EXPORT_BODY_BYTES = 48 * 1024 * 1024
_UPLOAD_SECONDS = 120.0


class _ImportAccepted(msgspec.Struct):
    import_id: str | None = None


class _ExportAccepted(msgspec.Struct):
    tracking_id: str | None = None


class _ExportError(msgspec.Struct):
    code: str | int | None = None
    detail: str | None = None


class _ExportAnswer(msgspec.Struct):
    status: str
    urls: tuple[str, ...] | None = None
    error: _ExportError | None = None


class MiraklClient:
    """One shop on one instance; `scope` is its channel, whose permits it uses."""

    def __init__(
        self,
        transport: Transport,
        permits: Permits,
        scope: str,
        shop_id: int,
        *,
        profile: Profile = "standard",
    ) -> None:
        self._calls = ChargedCalls(transport, permits, scope)
        self._permits = permits
        self._scope = scope
        self._shop_id = shop_id
        self._profile: Profile = profile

    async def permit(self, code: str) -> Permit | PermitWait:
        """The permit for one call of a code (`OF52.full` for a whole export), taken before a batch is claimed."""
        return await self._permits.take(self._scope, _charges_of(code))

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
        *,
        permit: Permit | None = None,
        effect_id: str | None = None,
        usable_until: float | None = None,
    ) -> Outcome[str]:
        """Queue absolute quantities; the value is the import's id. Touches stock only.

        `usable_until` (monotonic): the end of the caller's claim, after which no byte may leave.
        """
        request = WireRequest(
            "STO01",
            "POST",
            "/api/offers/stock/imports",
            file=FilePart("file", "stock.csv", stock_file(lines), "text/csv"),
            effect_id=effect_id,
            total_seconds=_UPLOAD_SECONDS,
        )
        answer = await self._send(request, permit=permit, usable_until=usable_until)
        return decoded(answer, _ImportAccepted, lambda body: _named(body.import_id, "import_id"))

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
        answer = await self._send(WireRequest("STO03", "GET", path, expects=Expected.CSV), permit=permit)
        if not isinstance(answer, Applied):
            return answer
        try:
            return Applied(read_stock_report(answer.value.body))
        except UnreadableReport as exc:
            return Unknown(f"unreadable report: {exc}")

    # -------------------------------------------------------------------------------------------- offers

    async def of52_export_offers(self, since: datetime | None, *, permit: Permit | None = None) -> Outcome[str]:
        """Ask for an export, inactive offers included; the value is its tracking id.

        `since`: only what changed from then on, deleted offers included (once a minute); None: all (daily).
        """
        body: dict[str, object] = {
            "export_type": "application/json",
            "include_inactive_offers": True,
            "items_per_chunk": _EXPORT_CHUNK_ITEMS,
            "megabytes_per_chunk": _EXPORT_CHUNK_MEGABYTES,
        }
        if since is not None:
            body["last_request_date"] = instant(since)
        request = WireRequest("OF52", "POST", "/api/offers/export/async", json=msgspec.json.encode(body))
        charges = _charges_of("OF52" if since is not None else "OF52.full")
        answer = await self._send(request, permit=permit, charges=charges)
        return decoded(answer, _ExportAccepted, lambda body: _named(body.tracking_id, "tracking_id"))

    async def of53_get_export(self, tracking_id: str, *, permit: Permit | None = None) -> Outcome[schema.ExportStatus]:
        path = f"/api/offers/export/async/status/{path_part(tracking_id)}"
        answer = await self._send(WireRequest("OF53", "GET", path), permit=permit)
        return decoded(answer, _ExportAnswer, lambda body: Applied(_export_status(body)))

    async def of54_download_offers(self, url: str, *, permit: Permit | None = None) -> Outcome[Items[schema.Offer]]:
        """One file of an export. The link is used as given (no shop id: it may be signed); it is followed on
        the instance or an allowed host only, and the key goes to the instance only.
        """
        request = WireRequest("OF54", "GET", url, body_bytes=_EXPORT_BODY_BYTES, total_seconds=_UPLOAD_SECONDS)
        answer = await self._send(request, permit=permit, names_shop=False)

        def shape(rows: list[msgspec.Raw]) -> Outcome[Items[schema.Offer]]:
            offers = read_items(rows, schema.Offer, "shop_sku")
            foreign = next((o.shop_id for o in offers.items if o.shop_id not in (None, self._shop_id)), None)
            return self._ours(foreign, offers)

        return decoded(answer, list[msgspec.Raw], shape)

    # ------------------------------------------------------------------------------------------- inside

    async def _send(
        self,
        request: WireRequest,
        *,
        permit: Permit | None,
        charges: Sequence[Charge] | None = None,
        usable_until: float | None = None,
        names_shop: bool = True,
    ) -> Outcome[WireResponse]:
        charges = charges or [Charge(request.code)]
        main = charges[0].name
        shop = (("shop_id", str(self._shop_id)),) if names_shop else ()
        complete = replace(
            request,
            query=(*request.query, *shop),
            retry_after_fallback_seconds=ceiling_of(main, self._profile).spacing_seconds,
            retry_after_cap_seconds=longest_wait_seconds(main, self._profile),
        )
        return await self._calls.send(complete, charges, permit=permit, usable_until=usable_until)

    async def _listed(
        self, request: WireRequest, member: str, item: type[T], permit: Permit | None
    ) -> Outcome[Items[T]]:
        answer = await self._send(request, permit=permit)

        def shape(body: dict[str, msgspec.Raw]) -> Outcome[Items[T]]:
            try:
                rows = msgspec.json.decode(body.get(member, b""), type=list[msgspec.Raw])
            except msgspec.DecodeError:
                return Unknown(f"unreadable answer: no list {member!r}")
            return Applied(read_items(rows, item, "code"))

        return decoded(answer, dict[str, msgspec.Raw], shape)

    def _ours(self, named: int | None, value: T) -> Outcome[T]:
        if named is None or named == self._shop_id:
            return Applied(value)
        words = f"the answer is for shop {named}, this channel is shop {self._shop_id}"
        return Refused(words, 200, RefusalKind.CREDENTIALS)


def _charges_of(code: str) -> Sequence[Charge]:
    """What a call spends: a code that is used in two ways spends its own ceiling and that of the code itself."""
    whole, _, way = code.partition(".")
    return [Charge(code), Charge(whole)] if way == "full" else [Charge(code)]


def instant(moment: datetime) -> str:
    """An aware instant as Mirakl reads it: UTC with `Z`."""
    if moment.tzinfo is None:
        raise ValueError("an instant sent to Mirakl needs its zone")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _named(id_: str | None, member: str) -> Outcome[str]:
    return Applied(id_) if id_ else Unknown(f"accepted, but without {member}")


def _export_status(body: _ExportAnswer) -> schema.ExportStatus:
    error = body.error
    words = " ".join(str(part) for part in (error.code, error.detail) if part) if error else ""
    return schema.ExportStatus(body.status, body.urls or (), words)
