"""Event queues, one for each integration name.

Nothing is queued before a listener is set. Listeners add up; taking one away also deletes what it had
queued. The oldest unconfirmed events come first, on every call, until they are confirmed: there is no
cursor, so an event that nobody can read blocks the head of the queue. Changes are not coalesced.

While Centra's staff have not enabled the system (`enabled` false) nothing is queued and every list is
empty.
"""

import heapq
import itertools
import random
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from app.sandbox.centra.entities import Market, ProductSize, Store
from app.sandbox.centra.shop import Shop
from app.sandbox.faults import FaultMenu

CHANGE_TYPES = ("CREATED", "UPDATED", "DELETED", "DEPENDENT_DATA_CHANGED", "COMPLETED")
_COMPLETABLE = frozenset({"Order", "Shipment", "Return"})


@dataclass(slots=True, eq=False)
class Event:
    """One entry of a queue. A poisoned one can be listed and confirmed but its object can never be read."""

    id: int
    object_type: str
    change_type: str
    object_reference: int
    created_at: float
    store: Store | None
    market: Market | None
    poisoned: bool = False


@dataclass(slots=True, eq=False)
class EventListener:
    integration_name: str
    object_type: str
    change_types: list[str]
    created_at: float
    updated_at: float


class Queue:
    """The unconfirmed events of one integration, by object type, oldest first."""

    def __init__(self, integration: str) -> None:
        self.integration = integration
        self.listeners: dict[str, EventListener] = {}
        # Linked lists: taking from the front of a plain dict with thousands of gaps is slow.
        self._by_type: dict[str, OrderedDict[int, Event]] = {}

    def __len__(self) -> int:
        return sum(len(events) for events in self._by_type.values())

    def listens_to(self, object_type: str, change_type: str) -> bool:
        listener = self.listeners.get(object_type)
        return listener is not None and change_type in listener.change_types

    def append(self, event: Event) -> None:
        self._by_type.setdefault(event.object_type, OrderedDict())[event.id] = event

    def oldest(self, where: dict[str, Any], limit: int) -> list[Event]:
        negated = set(where.get("negate") or ())
        types = _wanted(where.get("object_type"), "objectType" in negated, self._by_type)
        streams: Iterable[Iterator[Event]] = [iter(self._by_type[name].values()) for name in types]
        merged = heapq.merge(*streams, key=lambda event: event.id)
        matching = (event for event in merged if _matches(event, where, negated))
        return list(itertools.islice(matching, limit))

    def confirm(self, ids: Iterable[int]) -> list[Event]:
        """Takes events out; ids that are not queued (confirmed before, purged, never there) are passed
        over.
        """
        confirmed: list[Event] = []
        for event_id in ids:
            for events in self._by_type.values():
                event = events.pop(event_id, None)
                if event is not None:
                    confirmed.append(event)
                    break
        return confirmed

    def forget(self) -> None:
        """Empties the queue; the listeners stay."""
        self._by_type.clear()

    def purge(self, object_type: str, change_types: Iterable[str]) -> None:
        events = self._by_type.get(object_type, OrderedDict())
        gone = set(change_types)
        self._by_type[object_type] = OrderedDict(
            (key, event) for key, event in events.items() if event.change_type not in gone
        )


class EventSystem:
    """All queues of the environment."""

    def __init__(self, shop: Shop, menu: FaultMenu, *, enabled: bool, duplicate: float, seed: int) -> None:
        self._shop = shop
        self._menu = menu
        self.enabled = enabled
        self.duplicate = duplicate
        self.queues: dict[str, Queue] = {}
        self._ids = itertools.count(880_101)
        self._dice = random.Random(seed)  # noqa: S311 - dice for tests

    def queue(self, integration: str) -> Queue:
        return self.queues.setdefault(integration, Queue(integration))

    def set_listeners(self, integration: str, wanted: list[dict[str, Any]]) -> list[EventListener]:
        """Adds to what is listened to; the listeners named, as they are now."""
        queue, now = self.queue(integration), self._shop.now()
        named: dict[str, EventListener] = {}
        for entry in wanted:
            object_type = entry["object_type"]
            change_types = _possible(object_type, entry.get("change_types"))
            listener = queue.listeners.get(object_type)
            if listener is None:
                listener = EventListener(integration, object_type, [], now, now)
                queue.listeners[object_type] = listener
            listener.change_types += [c for c in change_types if c not in listener.change_types]
            listener.updated_at = now
            named[object_type] = listener
        return list(named.values())

    def unset_listeners(self, integration: str, wanted: list[dict[str, Any]]) -> list[EventListener]:
        """Stops listening and deletes the queued events of those kinds; the listeners that remain."""
        queue = self.queue(integration)
        for entry in wanted:
            object_type = entry["object_type"]
            change_types = entry.get("change_types") or list(CHANGE_TYPES)
            listener = queue.listeners.get(object_type)
            if listener is None:
                continue
            queue.purge(object_type, change_types)
            listener.change_types = [c for c in listener.change_types if c not in change_types]
            listener.updated_at = self._shop.now()
            if not listener.change_types:
                del queue.listeners[object_type]
        return list(queue.listeners.values())

    def changed(
        self, object_type: str, change_type: str, reference: int, store: Store | None, market: Market | None
    ) -> None:
        """Part of `Listening`: queues an event for every integration that listens."""
        if not self.enabled:
            return
        listening = [q for q in self.queues.values() if q.listens_to(object_type, change_type)]
        # One throw for a change: poison is in the object, so every integration meets it.
        poisoned = bool(listening) and self._menu.take(object_type, "poison") is not None
        for queue in listening:
            times = 2 if self.duplicate > 0 and self._dice.random() < self.duplicate else 1
            for _ in range(times):
                now = self._shop.now()
                event = Event(next(self._ids), object_type, change_type, reference, now, store, market)
                event.poisoned = poisoned
                queue.append(event)

    def stock_moved(self, size: ProductSize) -> None:
        """Part of `Listening`. Whether a moved figure alone makes an event is not documented: here it does
        not.
        """

    def poison_oldest(self, count: int) -> list[int]:
        """Poisons the oldest events of every queue; their ids."""
        chosen = [event for queue in self.queues.values() for event in queue.oldest({}, count)]
        for event in chosen:
            event.poisoned = True
        return [event.id for event in chosen]


def _possible(object_type: str, change_types: list[str] | None) -> list[str]:
    possible = [c for c in CHANGE_TYPES if c != "COMPLETED" or object_type in _COMPLETABLE]
    return possible if change_types is None else [c for c in possible if c in change_types]


def _wanted(named: list[str] | None, negated: bool, queued: Iterable[str]) -> list[str]:
    if named is None:
        return list(queued)
    return [name for name in queued if (name in named) != negated]


def _matches(event: Event, where: dict[str, Any], negated: set[str]) -> bool:
    for key, name, value in (
        ("change_type", "changeType", event.change_type),
        ("store_id", "storeId", event.store.id if event.store else None),
        ("market_id", "marketId", event.market.id if event.market else None),
    ):
        allowed = where.get(key)
        if allowed is not None and (value in allowed) == (name in negated):
            return False
    return True
