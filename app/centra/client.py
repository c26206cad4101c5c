"""Centra's Integration API, one method an operation. All share one allowance with the client's other tools.

`headroom` is the share of the allowance a caller may reach into: orders all of it, after-sale, stock and
catalogue ever less, so that a report job never keeps an order waiting.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.centra import schema
from app.centra.after_sale import AfterSaleOperations
from app.centra.answers import Message, changed, rows_of, whole, words
from app.centra.catalogue import CatalogueOperations
from app.centra.events import VARIANT_SIZES, events_operation, read_events
from app.centra.lists import AFTER_SALE as AFTER_SALE
from app.centra.lists import CATALOGUE as CATALOGUE
from app.centra.operations import Operation, operation
from app.centra.orders import OrderOperations
from app.centra.returns import ReturnOperations
from app.centra.topology import Assembly
from app.wire.decode import Unreadable, read_items
from app.wire.outcome import Applied, Outcome, Unknown

STOCK = 0.75

LIST_LIMIT = 200
"""Centra's largest list, and the most ids of one question."""
_TOPOLOGY_PAGES = 20
_RULE_LIMIT = 20


class _ListenersPayload(msgspec.Struct, rename="camel"):
    user_errors: list[Message]
    user_warnings: list[Message] | None = None
    event_listeners: tuple[schema.EventListener, ...] | None = None


class _ConfirmedEvent(msgspec.Struct):
    id: int


class _ConfirmPayload(msgspec.Struct, rename="camel"):
    user_errors: list[Message]
    user_warnings: list[Message] | None = None
    events: tuple[_ConfirmedEvent, ...] | None = None


class _RateLimitRow(msgspec.Struct, rename="camel"):
    type: str
    interval_seconds: str
    quota: int
    used_quota: int
    remaining_quota: int


_BUCKETS = {"REQUEST_COUNT": "requests", "MUTATION_COUNT": "mutations", "QUERY_COMPLEXITY": "complexity"}
_WINDOWS = {"TEN_SECONDS": "10s", "ONE_HOUR": "1h"}


class CentraClient(OrderOperations, AfterSaleOperations, ReturnOperations, CatalogueOperations):
    """One Centra environment; `scope` is the source, whose permits all its calls use."""

    # ------------------------------------------------------------------------------------------- events

    async def set_event_listeners(
        self, object_types: Sequence[str], *, headroom: float = STOCK, effect_id: str | None = None
    ) -> Outcome[schema.ListenersAnswer]:
        """Listen to every change of these types, in addition to what is listened to. Safe to repeat."""
        return await self._listeners("set_event_listeners", "setEventListeners", object_types, headroom, effect_id)

    async def unset_event_listeners(
        self, object_types: Sequence[str], *, headroom: float = STOCK, effect_id: str | None = None
    ) -> Outcome[schema.ListenersAnswer]:
        """Stop listening to these types; their queued events are deleted. Safe to repeat."""
        return await self._listeners("unset_event_listeners", "unsetEventListeners", object_types, headroom, effect_id)

    async def list_event_listeners(self, *, headroom: float = STOCK) -> Outcome[tuple[schema.EventListener, ...]]:
        answer = await self._calls.run(operation("event_listeners"), {}, headroom=headroom)
        return whole(answer, "eventListeners", tuple[schema.EventListener, ...])

    async def fetch_events(
        self,
        object_types: Sequence[str],
        limit: int = LIST_LIMIT,
        *,
        warehouse_ids: Sequence[int] = (),
        headroom: float = STOCK,
    ) -> Outcome[schema.EventsAnswer]:
        """The oldest unconfirmed events of these types, the same ones until they are confirmed.

        StockChange and ProductSize bring the sizes' stock along, at `warehouse_ids` (if none are given, at
        the first 200 warehouses, which is dear); the other types only name the sizes they touch. Order, Shipment
        and Return are a queue of their own.
        """
        query = events_operation(object_types)
        variables: dict[str, object] = {"types": list(object_types), "limit": limit}
        if query.name == "StockEvents":
            variables |= {"variantSizes": VARIANT_SIZES, **_stock_at(warehouse_ids)}
        answer = await self._calls.run(query, variables, headroom=headroom)
        return read_events(answer.value, limit) if isinstance(answer, Applied) else answer

    async def confirm_events(
        self, ids: Sequence[int], *, headroom: float = STOCK, effect_id: str | None = None
    ) -> Outcome[schema.Confirmed]:
        """Take events off the queue, after what they say is committed."""
        answer = await self._calls.run(
            operation("confirm_events"), {"ids": list(ids)}, headroom=headroom, effect_id=effect_id
        )

        def confirmed(body: _ConfirmPayload) -> schema.Confirmed:
            return schema.Confirmed(tuple(event.id for event in body.events or ()), words(body.user_warnings))

        return changed(answer, "confirmEvents", _ConfirmPayload, confirmed, "events")

    # -------------------------------------------------------------------------------- sizes and catalogue

    async def read_sizes(
        self, ids: Sequence[int], warehouse_ids: Sequence[int], *, headroom: float = STOCK
    ) -> Outcome[schema.SizesAnswer]:
        """Up to 200 sizes with their stock at these warehouses; `missing_ids` are not to be believed."""
        if not 0 < len(ids) <= LIST_LIMIT:
            raise ValueError(f"between 1 and {LIST_LIMIT} size ids, not {len(ids)}")
        variables = {"ids": list(ids), "limit": LIST_LIMIT, **_stock_at(warehouse_ids)}
        return await self._sizes(operation("sizes_by_id"), variables, ids, headroom)

    async def read_variant_sizes(
        self,
        variant_ids: Sequence[int],
        warehouse_ids: Sequence[int],
        page: int = 1,
        *,
        headroom: float = STOCK,
    ) -> Outcome[schema.SizesAnswer]:
        """One page of the sizes of up to 200 variants, for variant events that are unclear."""
        if not 0 < len(variant_ids) <= LIST_LIMIT:
            raise ValueError(f"between 1 and {LIST_LIMIT} variant ids, not {len(variant_ids)}")
        variables = {
            "ids": list(variant_ids),
            "page": page,
            "limit": LIST_LIMIT,
            **_stock_at(warehouse_ids),
        }
        return await self._sizes(operation("sizes_by_variant"), variables, (), headroom)

    async def page_sizes(
        self, page: int, warehouse_ids: Sequence[int], limit: int = LIST_LIMIT, *, headroom: float = CATALOGUE
    ) -> Outcome[schema.SizesAnswer]:
        """One page of all sizes, by id; pages begin at 1 and shift when sizes are deleted meanwhile."""
        variables = {"page": page, "limit": limit, **_stock_at(warehouse_ids)}
        return await self._sizes(operation("sizes_page"), variables, (), headroom, limit)

    async def page_display_items(
        self, page: int, limit: int = 100, *, headroom: float = CATALOGUE
    ) -> Outcome[schema.DisplayItemsAnswer]:
        """One page of display items with the sizes behind them: the map that storefront webhooks need."""
        answer = await self._calls.run(
            operation("display_items_page"), {"page": page, "limit": limit}, headroom=headroom
        )
        listed = rows_of(answer, "displayItems")
        if not isinstance(listed, Applied):
            return listed
        rows, spoiled, errors = listed.value
        items = read_items(rows, schema.DisplayItem, skip=spoiled)
        return Applied(schema.DisplayItemsAnswer(items.items, errors, items.unreadable, is_last=len(rows) < limit))

    async def read_topology(self, *, headroom: float = CATALOGUE) -> Outcome[schema.Topology]:
        """Stores, markets with their rules, price lists and warehouses: all of them, or no success."""
        assembly = Assembly(LIST_LIMIT, _RULE_LIMIT)
        for page in range(1, _TOPOLOGY_PAGES + 1):
            variables = {"page": page, "limit": LIST_LIMIT, "ruleLimit": _RULE_LIMIT}
            answer = await self._calls.run(operation("topology"), variables, headroom=headroom)
            if not isinstance(answer, Applied):
                return answer
            try:
                is_last = assembly.add(answer.value)
            except Unreadable as exc:
                return Unknown(f"unreadable answer: {exc}")
            if is_last:
                return Applied(assembly.topology())
        return Unknown(f"the topology does not end after {_TOPOLOGY_PAGES} pages")

    async def read_rate_limits(self, *, headroom: float = CATALOGUE) -> Outcome[tuple[schema.RateLimit, ...]]:
        """What is left of the allowance, spent by whomever. Buckets of a kind we do not know are left out."""
        answer = await self._calls.run(operation("rate_limits"), {}, headroom=headroom)
        rows = whole(answer, "rateLimits", tuple[_RateLimitRow, ...])
        if not isinstance(rows, Applied):
            return rows
        return Applied(
            tuple(
                schema.RateLimit(
                    f"{_BUCKETS[row.type]}.{_WINDOWS[row.interval_seconds]}",
                    row.quota,
                    row.used_quota,
                    row.remaining_quota,
                )
                for row in rows.value
                if row.type in _BUCKETS and row.interval_seconds in _WINDOWS
            )
        )

    # ------------------------------------------------------------------------------------------- inside

    async def _listeners(
        self,
        file_name: str,
        member: str,
        object_types: Sequence[str],
        headroom: float,
        effect_id: str | None,
    ) -> Outcome[schema.ListenersAnswer]:
        variables = {"input": [{"objectType": type_} for type_ in object_types]}
        answer = await self._calls.run(operation(file_name), variables, headroom=headroom, effect_id=effect_id)

        def listening(body: _ListenersPayload) -> schema.ListenersAnswer:
            return schema.ListenersAnswer(body.event_listeners or (), words(body.user_warnings))

        return changed(answer, member, _ListenersPayload, listening, "listeners")

    async def _sizes(
        self,
        query: Operation,
        variables: dict[str, object],
        asked: Sequence[int],
        headroom: float,
        limit: int = LIST_LIMIT,
    ) -> Outcome[schema.SizesAnswer]:
        answer = await self._calls.run(query, variables, headroom=headroom)
        listed = rows_of(answer, "productSizes")
        if not isinstance(listed, Applied):
            return listed
        rows, spoiled, errors = listed.value
        items = read_items(rows, schema.Size, skip=spoiled)
        read = {size.id for size in items.items}
        missing = tuple(id_ for id_ in dict.fromkeys(asked) if id_ not in read)
        return Applied(schema.SizesAnswer(items.items, missing, errors, items.unreadable, is_last=len(rows) < limit))


def _stock_at(warehouse_ids: Sequence[int]) -> dict[str, object]:
    """Which stock rows to select. Cost grows with the limit, so it is no higher than it must be."""
    if not warehouse_ids:
        return {"stockLimit": LIST_LIMIT}
    return {
        "stockWhere": {"warehouseId": list(warehouse_ids)},
        "stockLimit": min(len(warehouse_ids), LIST_LIMIT),
    }
