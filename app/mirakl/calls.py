"""What all calls to one shop share: its permits, its shop id, and exports that are asked for, polled and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypedDict, TypeVar, Unpack

import msgspec

from app.mirakl import schema
from app.mirakl.imports import UnreadableReport
from app.mirakl.quotas import Profile, ceiling_of, longest_wait_seconds
from app.wire.charged import ChargedCalls
from app.wire.decode import Items, decoded, read_items
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused, Unknown
from app.wire.permit import Charge, Permit, Permits, PermitWait
from app.wire.request import Expected, FilePart, WireRequest, WireResponse
from app.wire.target import path_part
from app.wire.transport import Transport

T = TypeVar("T")

EXPORT_CHUNK: dict[str, object] = {"items_per_chunk": 10_000, "megabytes_per_chunk": 10}
"""The smallest files an export may be cut into."""
LARGE_BODY_BYTES = 48 * 1024 * 1024
UPLOAD_SECONDS = 120.0
_NO_CONTENT = 204
TRANSACTION_LOG = frozenset({"TL02", "TL03", "TL04", "TL05"})
"""What a key needs the accountancy role for, which the shop's administrator has not (business rule 22)."""
_FINANCE = TRANSACTION_LOG | {"SBC11", "IV01", "IV02"}
_encoder = msgspec.json.Encoder(decimal_format="number")


class _ExportAccepted(msgspec.Struct):
    tracking_id: str | None = None


class _ExportError(msgspec.Struct):
    code: str | int | None = None
    detail: str | None = None


class _ExportAnswer(msgspec.Struct):
    status: str
    urls: tuple[str, ...] | None = None
    error: _ExportError | None = None


class Sending(TypedDict, total=False):
    """How a write leaves: a permit that is held already, the number of its effect, and until when its claim is ours."""

    permit: Permit | None
    effect_id: str | None
    usable_until: float | None


class ShopCalls:
    """One shop on one instance; `scope` is its channel, whose permits it uses.

    `accountancy`: the same instance with the key for the transaction log; None: the one key is for that too.
    """

    def __init__(
        self,
        transport: Transport,
        permits: Permits,
        scope: str,
        shop_id: int,
        *,
        profile: Profile = "standard",
        accountancy: Transport | None = None,
    ) -> None:
        self._calls = ChargedCalls(transport, permits, scope)
        self._log_calls = ChargedCalls(accountancy or transport, permits, scope)
        self._permits = permits
        self._scope = scope
        self._shop_id = shop_id
        self._profile: Profile = profile

    async def permit(self, code: str) -> Permit | PermitWait:
        """The permit for one call of a code (`OF52.full` for a whole export), taken before a batch is claimed."""
        return await self._permits.take(self._scope, charges_of(code))

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
        calls = self._log_calls if request.code in TRANSACTION_LOG else self._calls
        answer = await calls.send(complete, charges, permit=permit, usable_until=usable_until)
        if request.code in _FINANCE and isinstance(answer, Refused) and answer.kind is RefusalKind.CREDENTIALS:
            words = f"{answer.reason}: the key may not call {request.code}, `centra-mirakl check` says what it lacks"
            return replace(answer, kind=RefusalKind.ROLE, reason=words)
        return answer

    async def _write(
        self,
        code: str,
        method: str,
        path: str,
        body: object,
        *,
        expects: Expected = Expected.JSON,
        **sending: Unpack[Sending],
    ) -> Outcome[WireResponse]:
        """`body` None: none is sent."""
        json = None if body is None else _encoder.encode(body)
        request = WireRequest(code, method, path, json=json, expects=expects, effect_id=sending.get("effect_id"))
        return await self._send(request, permit=sending.get("permit"), usable_until=sending.get("usable_until"))

    async def _upload(
        self, code: str, path: str, *parts: FilePart, **sending: Unpack[Sending]
    ) -> Outcome[WireResponse]:
        request = WireRequest(
            code, "POST", path, files=parts, effect_id=sending.get("effect_id"), total_seconds=UPLOAD_SECONDS
        )
        return await self._send(request, permit=sending.get("permit"), usable_until=sending.get("usable_until"))

    async def _asked_export(
        self, code: str, target: str, body: dict[str, object], permit: Permit | None, charged_as: str
    ) -> Outcome[str]:
        request = WireRequest(code, "POST", target, json=msgspec.json.encode(EXPORT_CHUNK | body))
        answer = await self._send(request, permit=permit, charges=charges_of(charged_as))
        return decoded(answer, _ExportAccepted, lambda body: named(body.tracking_id, "tracking_id"))

    async def _polled_export(
        self, code: str, target: str, tracking_id: str, permit: Permit | None
    ) -> Outcome[schema.ExportStatus]:
        answer = await self._send(WireRequest(code, "GET", target + path_part(tracking_id)), permit=permit)
        return decoded(answer, _ExportAnswer, lambda body: Applied(_export_status(body)))

    async def _downloaded(self, code: str, url: str, permit: Permit | None) -> Outcome[WireResponse]:
        """The link is used as given (no shop id: it may be signed); it is followed on the instance or an allowed
        host only, and the key goes to the instance only.
        """
        request = WireRequest(code, "GET", url, body_bytes=LARGE_BODY_BYTES, total_seconds=UPLOAD_SECONDS)
        return await self._send(request, permit=permit, names_shop=False)

    async def _listed(
        self, request: WireRequest, member: str, item: type[T], permit: Permit | None, *, or_null: bool = False
    ) -> Outcome[Items[T]]:
        """`or_null`: the description allows null for an empty list here; elsewhere it is no answer."""
        answer = await self._send(request, permit=permit)

        def shape(body: dict[str, msgspec.Raw]) -> Outcome[Items[T]]:
            try:
                rows = msgspec.json.decode(body.get(member, b""), type=list[msgspec.Raw] | None)
            except msgspec.DecodeError:
                return Unknown(f"unreadable answer: no list {member!r}")
            if rows is None and not or_null:
                return Unknown(f"unreadable answer: no list {member!r}")
            return Applied(read_items(rows or (), item, "code"))

        return decoded(answer, dict[str, msgspec.Raw], shape)

    async def _report(self, code: str, path: str, read: Callable[[bytes], T], permit: Permit | None) -> Outcome[T]:
        """A report as `read` splits it. One that cannot be split is Unknown: read it again."""
        request = WireRequest(
            code, "GET", path, expects=Expected.CSV, body_bytes=LARGE_BODY_BYTES, total_seconds=UPLOAD_SECONDS
        )
        answer = await self._send(request, permit=permit)
        if not isinstance(answer, Applied):
            return answer
        try:
            return Applied(read(answer.value.body))
        except UnreadableReport as exc:
            return Unknown(f"unreadable report: {exc}")

    def _ours(self, named: int | None, value: T) -> Outcome[T]:
        if named is None or named == self._shop_id:
            return Applied(value)
        words = f"the answer is for shop {named}, this channel is shop {self._shop_id}"
        return Refused(words, 200, RefusalKind.CREDENTIALS)


def done(answer: Outcome[WireResponse]) -> Outcome[None]:
    """Only 204 is a yes: a page that some proxy answers with 200 is none. An error page may quote the buyer."""
    if isinstance(answer, Unknown):
        return Unknown(answer.reason.partition(":")[0])
    if not isinstance(answer, Applied):
        return answer
    status = answer.value.status
    return Applied(None) if status == _NO_CONTENT else Unknown(f"HTTP {status} instead of {_NO_CONTENT}")


def charges_of(code: str) -> Sequence[Charge]:
    """What a call spends: a code that is used in two ways spends its own ceiling and that of the code itself."""
    whole, _, way = code.partition(".")
    return [Charge(code), Charge(whole)] if way == "full" else [Charge(code)]


def instant(moment: datetime) -> str:
    """An aware instant as Mirakl reads it: UTC with `Z`."""
    if moment.tzinfo is None:
        raise ValueError("an instant sent to Mirakl needs its zone")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def named(id_: str | None, member: str) -> Outcome[str]:
    return Applied(id_) if id_ else Unknown(f"accepted, but without {member}")


def numbered(id_: int | None) -> Outcome[str]:
    """The number of an import, as the other imports' ids are: as text."""
    return Applied(str(id_)) if id_ is not None else Unknown("accepted, but without import_id")


def _export_status(body: _ExportAnswer) -> schema.ExportStatus:
    error = body.error
    words = " ".join(str(part) for part in (error.code, error.detail) if part) if error else ""
    return schema.ExportStatus(body.status, body.urls or (), words)
