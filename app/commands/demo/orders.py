"""The orders of the demo are placed, followed and judged.

The stand-ins are the judge: what Centra holds against what each marketplace says, order by order. Our own tables give
words only: the reasons of what is held, and how long an order waited for its answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio
import msgspec
from rich.progress import Progress, TaskID

from app.commands.demo.orders_cast import OPERATED, ORDERS, RELAY, Scene, cast
from app.commands.lab import MARKET, Json, Lab
from app.store.pool import Database, Row
from app.store.statements import sql

PLACING_SECONDS = 6.0
FOLLOW_SECONDS = 75.0
"""Real seconds, as the one above."""
PLENTY = 12
OPEN = frozenset({"STAGING", "WAITING_ACCEPTANCE", "WAITING_DEBIT", "WAITING_DEBIT_PAYMENT", "SHIPPING"})
OUTCOMES = ("released", "waiting for payment", "refused", "cancelled", "held", "recorded", "lapsed", "on its way")


# -------------------------------------------------------------------------------------- what the stand-ins tell


class MarketplaceLine(msgspec.Struct, frozen=True):
    sku: str
    quantity: int
    state: str


class MarketplaceOrder(msgspec.Struct, frozen=True):
    state: str
    reason: str | None
    created_at: datetime
    accepted_at: datetime | None
    lines: dict[str, MarketplaceLine]


class CentraLine(msgspec.Struct, frozen=True):
    sku: str
    quantity: int
    demand: dict[str, int]
    comment: str | None


class Address(msgspec.Struct, frozen=True):
    first_name: str | None
    last_name: str | None


class Warehouse(msgspec.Struct, frozen=True):
    id: int


class Totals(msgspec.Struct, frozen=True):
    grand_total: float


class Change(msgspec.Struct, frozen=True):
    change: str


class CentraOrder(msgspec.Struct, frozen=True):
    number: int
    status: str
    is_on_hold: bool
    is_waiting_for_payment: bool
    internal_comment: str | None
    other_comment: str | None
    email: str | None
    shipping_address: Address | None
    totals: Totals
    lines: list[CentraLine]
    history: list[Change]

    @property
    def was_placed(self) -> bool:
        return any(entry.change == "COMPLETE" for entry in self.history)

    @property
    def stands(self) -> bool:
        return self.was_placed and self.status != "CANCELLED"

    @property
    def is_blocked(self) -> bool:
        return self.is_on_hold or self.is_waiting_for_payment


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends at one moment: orders of the marketplaces by channel and id, of Centra by our mark in them."""

    marketplaces: Mapping[str, Mapping[str, MarketplaceOrder]]
    centra: Mapping[str, Sequence[CentraOrder]]

    def entered(self, channel: str, order_id: str) -> Sequence[CentraOrder]:
        return self.centra.get(f"mirakl:{channel}:{order_id}", ())


async def read_ends(running: Lab) -> Ends:
    """Ask all stand-ins for their orders."""
    marketplaces = {
        channel: msgspec.convert(
            (await running.ask(address, "/_sandbox/orders"))["orders"], dict[str, MarketplaceOrder]
        )
        for channel, address in running.mirakl.items()
    }
    by_mark: dict[str, list[CentraOrder]] = {}
    for order in msgspec.convert((await running.ask(running.centra, "/_sandbox/orders"))["orders"], list[CentraOrder]):
        by_mark.setdefault(order.internal_comment or "", []).append(order)
    return Ends(marketplaces, by_mark)


async def _sellable(running: Lab) -> dict[str, int]:
    answer = await running.ask(running.centra, f"/_sandbox/sellable?market={MARKET}")
    return msgspec.convert(answer["sellable"], dict[str, int])


async def differences(running: Lab) -> int:
    """Offers whose quantity is not what Centra can sell, less what is promised at a marketplace and not in Centra."""
    sellable = await _sellable(running)
    ends, promised, count = await read_ends(running), Counter[str](), 0
    for channel, orders in ends.marketplaces.items():
        for order_id, order in orders.items():
            if order_id != OPERATED and not any(o.stands for o in ends.entered(channel, order_id)):
                for line in order.lines.values():
                    promised[line.sku] += line.quantity if line.state in OPEN else 0
    for address in running.mirakl.values():
        offers = msgspec.convert((await running.ask(address, "/_sandbox/offers"))["offers"], dict[str, int])
        count += sum(offers.get(sku) != max(0, units - promised[sku]) for sku, units in sellable.items())
    return count


# ----------------------------------------------------------------------------------------------------- the judging


@dataclass(slots=True)
class Played:
    """How the orders ended. Seconds are app seconds from an order being stored to its answer being taken."""

    scenes: Sequence[Scene] = ()
    ended: dict[str, str] = field(default_factory=dict)
    """By order id."""
    numbers: dict[str, list[int]] = field(default_factory=dict)
    """Numbers of orders that were placed in Centra, by order id."""
    held: dict[str, str] = field(default_factory=dict)
    """Reasons by order id."""
    answered: int = 0
    in_time: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def outcomes(self, channel: str | None = None) -> dict[str, int]:
        """How many orders of a channel, or of all, ended in which way."""
        return dict(Counter(self.ended[scene.order_id] for scene in self.scenes if channel in (None, scene.channel)))


@dataclass(frozen=True, slots=True)
class Told:
    """What our own tables say of an order, in words."""

    outcome: str | None
    reason: str | None
    seconds: float | None


def judge(scenes: Sequence[Scene], ends: Ends, told: Mapping[str, Told], window: timedelta) -> Played:
    """Compare both ends with what each scene is to end as."""
    played = Played(scenes)
    for scene in scenes:
        ours = told.get(scene.order_id, Told(None, None, None))
        ended = _ended(scene, ends, ours)
        played.ended[scene.order_id] = ended
        played.numbers[scene.order_id] = [o.number for o in ends.entered(scene.channel, scene.order_id) if o.was_placed]
        if ended == "held":
            played.held[scene.order_id] = ours.reason or ""
        order = ends.marketplaces[scene.channel].get(scene.order_id)
        if order is not None and order.accepted_at is not None:
            played.answered += 1
            played.in_time += order.accepted_at <= order.created_at + window
        played.faults += [f"{scene.order_id}, {scene.story}: {words}" for words in _faults(scene, ends, ended, ours)]
    marks = {f"mirakl:{scene.channel}:{scene.order_id}" for scene in scenes}
    strange = [mark for mark in ends.centra if mark.startswith("mirakl:") and mark not in marks]
    played.faults += [f"Centra has orders of {mark}, which nobody placed" for mark in strange]
    if played.in_time < played.answered:
        played.faults.append(f"{played.answered - played.in_time} orders were answered after their deadline")
    seconds = sorted(ours.seconds for ours in told.values() if ours.seconds is not None)
    if seconds:
        named = {"median": 0.5, "p99": 0.99}
        played.seconds = {n: round(seconds[math.ceil(share * len(seconds)) - 1], 1) for n, share in named.items()}
    return played


def _ended(scene: Scene, ends: Ends, ours: Told) -> str:
    """How an order stands by the word of both stand-ins; ours counts for what is held only."""
    order = ends.marketplaces[scene.channel].get(scene.order_id)
    entered = ends.entered(scene.channel, scene.order_id)
    standing = [o for o in entered if o.stands]
    match order.state if order else None:
        case "REFUSED" if order and not standing:
            return "lapsed" if order.reason == "ACCEPTANCE_TIMEOUT" else "refused"
        case "CANCELED" if not standing:
            return "cancelled"
        case "SHIPPING" if scene.order_id == OPERATED and not entered:
            return "recorded"
        case "SHIPPING" if standing and not any(o.is_blocked or o.status == "PENDING" for o in standing):
            return "released"
        case "WAITING_DEBIT" | "WAITING_DEBIT_PAYMENT" if standing and all(o.is_blocked for o in standing):
            return "waiting for payment"
    return "held" if ours.reason else "on its way"


def _faults(scene: Scene, ends: Ends, ended: str, ours: Told) -> Iterator[str]:
    if ended != scene.ends:
        yield f"is {ended}, not {scene.ends}"
    elif ended not in ("held", "waiting for payment", ours.outcome):
        yield f"is {ended}, and our tables say {ours.outcome}"
    order = ends.marketplaces[scene.channel].get(scene.order_id)
    lines = order.lines if order else {}
    refused = [line_id for line_id, line in lines.items() if line.state == "REFUSED"]
    if scene.ends != "held" and len(lines) - len(refused) != len(scene.delivered):
        yield f"the marketplace has {refused} as refused"
    placed = [o for o in ends.entered(scene.channel, scene.order_id) if o.was_placed]
    if len(placed) != scene.enters:
        yield f"placed {len(placed)} times in Centra, not {int(scene.enters)}"
    for entered in placed:
        if entered.stands:
            yield from _misentered(scene, entered)


def _misentered(scene: Scene, order: CentraOrder) -> Iterator[str]:
    """What of an order in Centra is not as the buyer ordered it."""
    units: Counter[str] = Counter()
    for line in order.lines:
        units[line.comment or ""] += line.quantity
    if units != {line_id: line.quantity for line_id, line in scene.delivered.items()}:
        yield f"its units in Centra are {dict(units)}"
    total = round(sum(line.total for line in scene.delivered.values()), 2)
    if order.totals.grand_total != total:
        yield f"its total in Centra is {order.totals.grand_total}, the buyer paid {total}"
    if any(owed for line in order.lines for owed in line.demand.values()):
        yield "Centra owes units of it"
    person = order.shipping_address
    if scene.buyer and (order.email != RELAY or person is None or (person.first_name, person.last_name) != scene.buyer):
        yield f"its buyer in Centra is {person} at {order.email}"
    if scene.words not in (order.other_comment or ""):
        yield "the warehouse can't read what the buyer wrote"


# ------------------------------------------------------------------------------------------------------ the playing


async def play(running: Lab, database: Database, progress: Progress) -> Played:
    """Place the orders, follow them to their ends, and judge."""
    channels, place = list(running.mirakl), running.settings().by_id()
    window = timedelta(seconds=min(place[channel].orders.accept_within_seconds for channel in channels))
    skus = await _skus(running)
    scenes = cast(channels, skus[1:], skus[0])
    entering = sum(scene.enters for scene in scenes)
    placed = progress.add_task("orders: placed by buyers", total=len(scenes))
    bars = [
        progress.add_task(f"orders: {name}", total=total)
        for name, total in (
            ("in Centra", entering),
            ("accepted", entering),
            ("released", sum(scene.ends == "released" for scene in scenes)),
        )
    ]
    switches: Json = {"shipping_and_billing_details_before_acceptance": True}
    shop: Json = {"configuration": {"features": {"order_workflows": switches}}}
    await running.ask(running.mirakl[channels[0]], "/_sandbox/shop", shop)
    await sell_out(running, skus[0])
    for scene in scenes:
        await running.ask(running.mirakl[scene.channel], "/_sandbox/orders", {"orders": [scene.told]})
        progress.advance(placed)
        await anyio.sleep(PLACING_SECONDS / len(scenes))
    until, cancelled = anyio.current_time() + FOLLOW_SECONDS, set[str]()
    while True:
        told = {row["order_id"]: _told(row) for row in await database.desk.fetch(_LIST, None, False, False, 1_000)}
        ends = await read_ends(running)
        await _cancel(running, scenes, ends, cancelled)
        played = judge(scenes, ends, told, window)
        _show_progress(progress, bars, played, ends)
        if not played.faults or anyio.current_time() > until:
            return played
        await anyio.sleep(0.3)


_LIST = sql("marketplace_order/list")


def _told(row: Row) -> Told:
    reason = row["reason"] if row["key_state"] == "held" else row["problem"]
    accepted_at = None if row["outcome"] == "recorded" else row["accepted_at"]
    seconds = None if accepted_at is None else (accepted_at - row["seen_at"]).total_seconds()
    return Told(row["outcome"], reason, seconds)


async def _skus(running: Lab) -> list[str]:
    """SKUs with units to spare, so that what is short is so by intent."""
    return [sku for sku, units in (await _sellable(running)).items() if units >= PLENTY][: ORDERS + 1]


async def sell_out(running: Lab, sku: str) -> None:
    """The shop itself sells the last units while the marketplaces still offer them."""
    told = (await running.ask(running.centra, "/_sandbox/seed"))["warehouses"]
    warehouses = msgspec.convert(told, list[Warehouse])
    changes: list[Json] = [{"sku": sku, "warehouse_id": warehouse.id, "fta": 0} for warehouse in warehouses]
    await running.ask(running.centra, "/_sandbox/stock", {"changes": changes})


async def _cancel(running: Lab, scenes: Sequence[Scene], ends: Ends, cancelled: set[str]) -> None:
    for scene in scenes:
        order = ends.marketplaces[scene.channel].get(scene.order_id)
        if scene.cancels and scene.order_id not in cancelled and order and order.state == "WAITING_DEBIT_PAYMENT":
            cancelled.add(scene.order_id)
            body: Json = {"order_id": scene.order_id, "cancel": True}
            await running.ask(running.mirakl[scene.channel], "/_sandbox/orders/change", body)


def _show_progress(progress: Progress, bars: Sequence[TaskID], played: Played, ends: Ends) -> None:
    entering = [scene for scene in played.scenes if scene.enters]
    seen = [ends.marketplaces[scene.channel].get(scene.order_id) for scene in entering]
    counts = (
        sum(bool(played.numbers[scene.order_id]) for scene in entering),
        sum(order is not None and order.accepted_at is not None for order in seen),
        sum(ended == "released" for ended in played.ended.values()),
    )
    for bar, count in zip(bars, counts, strict=True):
        progress.update(bar, completed=count)
