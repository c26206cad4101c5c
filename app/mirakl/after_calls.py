"""What the after-sale calls share: a write's answer item by item, and lists with a token for the next page."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

import msgspec

from app.mirakl.after_schema import Page
from app.mirakl.calls import ShopCalls, charges_of
from app.wire.decode import decoded, read_items
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused, Unknown
from app.wire.permit import Permit
from app.wire.request import WireRequest, WireResponse

T = TypeVar("T")

PAGE_LIMIT = 100
"""The largest page, and the most ids of one filter."""


class _Told(msgspec.Struct):
    id: str | None = None
    message: str | None = None


class _Batch(msgspec.Struct):
    """Deletions are told under either name: schema and example of ST06 differ."""

    shipment_success: tuple[_Told, ...] | None = None
    shipment_errors: tuple[_Told, ...] | None = None
    deletion_success: tuple[_Told, ...] | None = None
    deletion_errors: tuple[_Told, ...] | None = None
    return_success: tuple[_Told, ...] | None = None
    return_errors: tuple[_Told, ...] | None = None


class _Listed(msgspec.Struct):
    data: list[msgspec.Raw]
    next_page_token: str | None = None


class AfterCalls(ShopCalls):
    """Lists of a shop."""

    async def _page(
        self,
        code: str,
        path: str,
        query: Iterable[tuple[str, str]],
        row: type[T],
        *,
        page_token: str | None,
        permit: Permit | None,
        charged_as: str | None = None,
        limit: int = PAGE_LIMIT,
    ) -> Outcome[Page[T]]:
        """The first page of what `query` asks for, or the one of a token, which holds all that was asked for."""
        asked = (("page_token", page_token),) if page_token else (*query, ("limit", str(limit)))
        request = WireRequest(code, "GET", path, query=asked)
        answer = await self._send(request, permit=permit, charges=charges_of(charged_as or code))

        def shape(body: _Listed) -> Outcome[Page[T]]:
            if page_token and body.next_page_token == page_token:
                return Unknown("the next page is this one again")
            return Applied(Page(read_items(body.data, row), body.next_page_token or None))

        return decoded(answer, _Listed, shape)


def each(answer: Outcome[WireResponse], ids: Collection[str]) -> Outcome[dict[str, Outcome[None]]]:
    """What became of each item: one that is in no list of the answer, or in both, is in doubt."""

    def shape(body: _Batch) -> Outcome[dict[str, Outcome[None]]]:
        made = (*(body.shipment_success or ()), *(body.deletion_success or ()), *(body.return_success or ()))
        failed = (*(body.shipment_errors or ()), *(body.deletion_errors or ()), *(body.return_errors or ()))
        good, bad = {told.id for told in made}, {told.id: told.message for told in failed}
        return Applied({id_: _one(id_ in good, id_ in bad, bad.get(id_)) for id_ in ids})

    return decoded(answer, _Batch, shape)


def refused_item(message: str | None, status: int) -> Refused:
    """An item's own error, in an answer whose status is a yes."""
    return Refused((message or "no message")[:500], status, RefusalKind.INVALID)


def checked(items: Collection[T], at_most: int) -> Collection[T]:
    """Raises ValueError for none or too many."""
    if not 0 < len(items) <= at_most:
        raise ValueError(f"between 1 and {at_most} items in one call, not {len(items)}")
    return items


def _one(made: bool, failed: bool, message: str | None) -> Outcome[None]:
    if made == failed:
        return Unknown("in Mirakl's answer twice, as done and as failed" if made else "not in Mirakl's answer")
    return Applied(None) if made else refused_item(message, 200)
