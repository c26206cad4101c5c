"""Some runs of refunds at a time on one shop: sold, shipped, given back under faults, judged, decided, judged again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from app.clock import monotonic
from app.store import intents
from app.store.effects import EffectState, decide_held
from tests.faults.refund_shop import PERSON, RefundShop
from tests.faults.refunds import HANGING, UNKNOWN, OrderPlan, Stands, Wanted, faults_of, given_by, planned
from tests.standins import Json

JUMPS_SECONDS = (70.0, 560.0, 640.0)
"""From doubt to doubt, beyond the last look at 20 minutes."""
SETTLE_SECONDS = 240.0
POLL_SECONDS = 0.03
ROUNDS = 8

RELEASED = "SELECT order_id FROM marketplace_order WHERE order_id = ANY ($1) AND outcome = 'released'"
NUMBERS = "SELECT order_id, centra_number FROM marketplace_order WHERE order_id = ANY ($1)"
STANDS = """
SELECT i.id, i.kind, i.source_id, i.order_id, i.state, i.reason, d.id AS call, d.state AS call_state,
       d.intent AS call_intent,
       EXISTS (SELECT 1 FROM outbox AS o WHERE o.scope = i.scope AND o.key = i.order_id AND o.flow = d.flow
                                           AND o.claim IS NOT NULL) AS at_work
FROM intent AS i
LEFT JOIN effect AS d ON d.scope = i.scope AND d.lane = i.order_id AND d.doubt = 'money'
                     AND d.state IN ('sent', 'unknown', 'held')
WHERE i.order_id = ANY ($1) AND i.kind IN ('refund', 'cancellation')
"""


@dataclass
class Batch:
    """The runs of some seeds. `orders`: plans by the marketplace's order id; `numbers`: Centra's."""

    shop: RefundShop
    seeds: Sequence[int]
    orders: dict[str, OrderPlan] = field(default_factory=dict)
    seed_of: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    parcels: dict[str, int] = field(default_factory=dict)
    wanted: dict[str, Wanted] = field(default_factory=dict)
    began: int = 0
    wrong: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def ids(self) -> list[str]:
        return list(self.orders)

    async def play(self) -> Mapping[int, list[str]]:
        """What is wrong, by seed; nothing where all is well."""
        await self._sell()
        await self._menu()
        for order_id in self.ids:
            await self._ship(order_id)
        await self._return(late=False)
        await self._drop_in_flight()
        await self._return(late=True)
        await self._drop_in_flight()
        for _ in range(ROUNDS):
            held = await self._decide_doubts()
            if not held:
                break
            for one in held:
                await self._person_says_no(one)
        await self._judge(final=True)
        await self._count()
        return self.wrong

    # ------------------------------------------------------------------------------------------------ what happens

    async def _sell(self) -> None:
        admin, place = self.shop.admin, self.shop.place
        plans = [(seed, plan) for seed in self.seeds for plan in planned(seed, self.shop.skus)]
        told = await admin.post(place.mirakl(), "/_sandbox/orders", {"orders": [plan.placed for _, plan in plans]})
        for order_id, (seed, plan) in zip(told["orders"], plans, strict=True):
            self.orders[order_id], self.seed_of[order_id] = plan, seed

        async def all_released() -> bool:
            return len(await self.shop.rows(RELEASED, self.ids)) == len(self.ids)

        await self._until(all_released, "all orders are released")
        self.numbers = {row["order_id"]: row["centra_number"] for row in await self.shop.rows(NUMBERS, self.ids)}

    async def _menu(self) -> None:
        """Forget old calls, and put the runs' faults on the menu."""
        admin, there = self.shop.admin, self.shop.place.mirakl()
        await admin.ask("DELETE", f"{there}/_sandbox/calls", None)
        self.began = (await admin.get(there, "/_sandbox/ledger?after=1000000000"))["total"]
        await admin.faults(there, [fault for order_id, plan in self.orders.items() for fault in plan.menu(order_id)])

    async def _ship(self, order_id: str) -> None:
        """Some units are cancelled in Centra, and what is left is sent in one parcel."""
        admin, centra, number, plan = (
            self.shop.admin,
            self.shop.place.centra,
            self.numbers[order_id],
            self.orders[order_id],
        )
        if plan.cancelled:
            lines = [{"sku": sku, "quantity": count} for sku, count in plan.cancelled.items()]
            await admin.post(centra, "/_sandbox/orders/cancel", {"number": number, "lines": lines})
            self._want(f"centra:order:{number}", order_id, plan.cancelled_cents)
        parcel = {"number": number, "carrier": "PostNord", "tracking_number": f"PN{number}"}
        self.parcels[order_id] = (await admin.post(centra, "/_sandbox/shipments", parcel))["id"]

    async def _return(self, *, late: bool) -> None:
        for order_id, plan in self.orders.items():
            for back in (one for one in plan.returns if one.late is late):
                told: Json = {
                    "shipment": self.parcels[order_id],
                    "lines": [{"sku": sku, "quantity": count} for sku, count in back.units.items()],
                    "shipping_cost": back.shipping / 100,
                    "return_cost": back.fee / 100,
                }
                made = await self.shop.admin.post(self.shop.place.centra, "/_sandbox/returns", told)
                assert round(100 * made["grand_total"]) == back.cents, (made, back)
                self._want(f"centra:return:{made['id']}", order_id, back.cents)

    def _want(self, source: str, order_id: str, cents: int) -> None:
        self.wanted[source] = Wanted(source, order_id, cents)

    async def _drop_in_flight(self) -> None:
        """The engine is dropped while a call hangs, if one ever does."""

        async def hangs_or_calm() -> str | None:
            log = await self._calls()
            if any(call["fault"] in HANGING and call["status"] is None for call in log):
                return "hangs"
            return "calm" if await self._calm() else None

        if await self._until(hangs_or_calm, "a call hangs, or none is in flight") == "hangs":
            self.shop.counts.dropped += 1
            await self.shop.drop()

    async def _person_says_no(self, held: Mapping[str, Any]) -> None:
        """A person looked at the marketplace: this call never was applied."""
        database = self.shop.service.parts.database
        async with database.work.acquire() as connection:
            words = "not among the refunds of the order"
            assert await decide_held(connection, held["call"], EffectState.NOT_APPLIED, PERSON, words)
            marks = await intents.reopen(connection, held["id"], words)
        await database.mark(marks)

    # ------------------------------------------------------------------------------------------------ where it stands

    async def _calls(self) -> list[Json]:
        found = await self.shop.admin.calls(self.shop.place.mirakl(), "OR28")
        return list(found["log"])

    async def _stands(self) -> dict[str, Mapping[str, Any]]:
        return {row["source_id"]: row for row in await self.shop.rows(STANDS, self.ids)}

    async def _calm(self) -> bool:
        """Everything is noted, and done, held or in doubt, with no call in flight."""
        found = await self._stands()
        return found.keys() >= self.wanted.keys() and all(
            row["state"] != "open" or (row["call"] is not None and not (row["call_state"] == "sent" and row["at_work"]))
            for row in found.values()
        )

    async def _settled(self) -> bool:
        """Everything is done, held, or waits for what is held."""
        found = await self._stands()
        return found.keys() >= self.wanted.keys() and all(
            row["call_state"] in (None, "held") and (row["state"] != "open" or _is_behind(row))
            for row in found.values()
        )

    async def _decide_doubts(self) -> list[Mapping[str, Any]]:
        """Time passes until every doubt is decided or held; judges, and gives what is held."""
        for seconds in JUMPS_SECONDS:
            await self._until(self._calm, "no call is in flight")
            await self.shop.service.jump(seconds)
        await self._until(self._settled, "every doubt is decided")
        return await self._judge()

    async def _judge(self, *, final: bool = False) -> list[Mapping[str, Any]]:
        """Lay the stand-in's ledger beside what is held; gives the held ones."""
        found, there = await self._stands(), self.shop.place.mirakl()
        entries = (await self.shop.admin.get(there, f"/_sandbox/ledger?code=OR28&after={self.began}"))["entries"]
        given = given_by(entries)
        answered = {call["effect"] for call in await self._calls() if call["fault"] is None and call["status"] == 200}
        stands = {source: _stand(row, answered) for source, row in found.items()}
        for seed in self.seeds:
            ids = {order_id for order_id, of in self.seed_of.items() if of == seed}
            wanted = [one for one in self.wanted.values() if one.order_id in ids]
            wrong = faults_of(wanted, [one for one in given if one.order_id in ids], stands, final=final)
            self.wrong[seed] += [words for words in wrong if words not in self.wrong[seed]]
        return [row for row in found.values() if stands[row["source_id"]].state == "held"]

    async def _until(self, condition: Callable[[], Awaitable[Any]], what: str) -> Any:
        ends_at = monotonic() + SETTLE_SECONDS
        while True:
            if found := await condition():
                return found
            if monotonic() > ends_at:
                left = [dict(row) for row in (await self._stands()).values() if row["state"] != "done"]
                raise AssertionError(f"seeds {list(self.seeds)}: not within {SETTLE_SECONDS:g} s: {what}; left: {left}")
            await anyio.sleep(POLL_SECONDS)

    async def _count(self) -> None:
        counts, calls = self.shop.counts, await self._calls()
        counts.runs += len(self.seeds)
        counts.orders += len(self.orders)
        counts.refunds += len(self.wanted)
        counts.calls += len(calls)
        counts.unknown.update(call["fault"] for call in calls if call["fault"] in UNKNOWN)
        query = """SELECT count(*) FILTER (WHERE detail LIKE 'found when%') AS found,
                          count(*) FILTER (WHERE state = 'not_applied') AS held
                   FROM effect WHERE lane = ANY ($1) AND code = 'OR28'"""
        (row,) = await self.shop.rows(query, self.ids)
        counts.found += row["found"]
        counts.held += row["held"]
        counts.violations |= {seed: words for seed, words in self.wrong.items() if words}


def _is_behind(row: Mapping[str, Any]) -> bool:
    """Whether it waits for what is held; its own call held, it is about to be held itself."""
    return row["call_state"] == "held" and row["call_intent"] != row["id"]


def _stand(row: Mapping[str, Any], answered: set[str]) -> Stands:
    if row["state"] == "done":
        return Stands("done")
    if row["call_state"] == "held" and row["call_intent"] == row["id"] and row["state"] == "held":
        return Stands("held", heard=str(row["call"]) in answered)
    if row["state"] == "open" and _is_behind(row):
        return Stands("behind")
    return Stands(f"{row['state']} ({row['reason']}, call {row['call_state']})")
