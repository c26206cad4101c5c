"""Orders under faults: how a test places them, and what must hold of each when everything is at rest.

The judges are the stand-ins: what the marketplace decided, and which orders Centra made, placed and cancelled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app.commands.lab import Shape
from app.store.pool import DATABASE_AWAY
from tests.faults.deployment import Deployment, Json, eventually, shape

ACCEPT_WITHIN_SECONDS = 3_600.0
"""The marketplace refuses what is not accepted by then, and our own policy says so too."""
DEBIT_SECONDS = 10.0
CHANNEL = "demo-fr"
DONE_SECONDS = 40.0
PLENTY = 400
SKUS = 3
NUMBERS = """
SELECT centra_number AS number FROM marketplace_order WHERE centra_number IS NOT NULL
UNION ALL SELECT number FROM centra_order
"""


class Path(Enum):
    """When the marketplace shows the buyer's address (business rule 12)."""

    A = "address first"
    B = "address after acceptance"


def orders_shape(**members: Any) -> Shape:
    """A small shop whose orders are on; full pushes are ten days apart, so that none corrects what others should."""
    return shape(
        sizes=30,
        orders="on",
        order_lines={CHANNEL: f"accept_within_seconds = {ACCEPT_WITHIN_SECONDS}"},
        channel_lines={CHANNEL: "stock.full_push_seconds = 864000.0"},
        mirakl={"orders": {"acceptance_seconds": ACCEPT_WITHIN_SECONDS, "debit_seconds": DEBIT_SECONDS}},
        **members,
    )


async def begin(deployment: Deployment, path: Path = Path.A) -> None:
    """A test begins, with PC01's switch where its path wants it."""
    await deployment.begin()
    switch = {"shipping_and_billing_details_before_acceptance": path is Path.A}
    switches: Any = {"configuration": {"features": {"order_workflows": switch}}}
    await deployment.lab.ask(deployment.marketplace, "/_sandbox/shop", switches)


# ------------------------------------------------------------------------------------------------ placing


async def stocked(deployment: Deployment) -> None:
    """Enough units of the SKUs that buyers will want, published."""
    await deployment.change(dict.fromkeys(deployment.skus(SKUS), PLENTY))
    await deployment.rest()


async def placed(deployment: Deployment, count: int = 1, **members: Any) -> list[str]:
    """A buyer orders two SKUs, so often; the ids of the orders. `members`: as the stand-in's route has them."""
    lines = [{"sku": sku, "quantity": 1 + number} for number, sku in enumerate(deployment.skus(SKUS)[:2])]
    given: Any = {"orders": [{"lines": lines, **members} for _ in range(count)]}
    answer: Any = await deployment.lab.ask(deployment.marketplace, "/_sandbox/orders", given)
    return list(answer["orders"])


async def changed(deployment: Deployment, order_id: str, **changes: Any) -> None:
    """Somebody else does something to an order at the marketplace."""
    await deployment.lab.ask(deployment.marketplace, "/_sandbox/orders/change", {"order_id": order_id, **changes})


# ------------------------------------------------------------------------------------------------ what became of it


async def centra_orders(deployment: Deployment, order_id: str) -> list[Json]:
    """The Centra orders that bear an order's mark, by number."""
    mark = f"mirakl:{deployment.channel}:{order_id}"
    answer: Any = await deployment.lab.ask(deployment.lab.centra, "/_sandbox/orders")
    return sorted(
        (o for o in answer["orders"] if o["internal_comment"] == mark), key=lambda order: int(order["number"])
    )


async def record(deployment: Deployment, order_id: str) -> Json:
    """Our row of an order; empty before it was read."""
    rows = await deployment.rows("SELECT * FROM marketplace_order WHERE order_id = $1", order_id)
    return rows[0] if rows else {}


async def effects(deployment: Deployment, order_id: str, code: str) -> list[str]:
    """How the calls of a code about an order ended, oldest first."""
    query = "SELECT state FROM effect WHERE lane = $1 AND code = $2 ORDER BY id"
    return [row["state"] for row in await deployment.rows(query, order_id, code)]


async def done(
    deployment: Deployment, ids: Collection[str], outcome: str = "released", seconds: float = DONE_SECONDS
) -> None:
    """Until these orders have ended so for us, and nothing is left to do."""
    query = "SELECT order_id, outcome FROM marketplace_order WHERE order_id = ANY ($1)"

    async def left() -> list[str]:
        try:
            rows = await deployment.rows(query, sorted(ids))
        except DATABASE_AWAY as exc:
            return [f"the database is away: {exc}"]
        found = {row["order_id"]: row["outcome"] for row in rows}
        other = [f"{i}: {found.get(i, 'not read')}" for i in ids if found.get(i) != outcome]
        return await deployment.unrest() + other

    await eventually(left, lambda left: not left, seconds, f"these orders are {outcome}")


# ------------------------------------------------------------------------------------------------ judging


@dataclass(frozen=True, slots=True)
class Seen:
    """What the stand-ins and our own list of orphans say of one order; entries of ledgers as they are."""

    state: str
    decisions: Sequence[Json]
    """OR21 and whatever else decided it, at the marketplace."""
    orders: Sequence[Json]
    """The Centra orders with its mark."""
    completions: Sequence[Json]
    known: Collection[int]
    """Numbers that we have written down, as that of the order or as an orphan."""


def faults_of(seen: Seen, *, is_cancelled: bool = False) -> list[str]:
    """What is wrong with an order that should be with the warehouse, or gone."""
    wrong: list[str] = []
    living = [order for order in seen.orders if order["status"] != "CANCELLED"]
    completed = sorted({entry["number"] for entry in seen.completions})
    codes = [entry["code"] for entry in seen.decisions]
    times = sum(entry["placed"] for entry in seen.completions)
    if len(completed) > 1 or times > 1 or (times == 0 and not is_cancelled):
        wrong.append(f"placed {times} times: {completed}")
    unknown = {order["number"] for order in seen.orders} - set(seen.known)
    if unknown:
        wrong.append(f"made in Centra, and written down by nobody: {sorted(unknown)}")
    if is_cancelled:
        wrong += [f"cancelled, and alive in Centra: {order['number']} {order['status']}" for order in living]
        return wrong + ([] if codes in ([], ["OR21"]) else [f"decided by {codes}"])
    if seen.state != "SHIPPING":
        wrong.append(f"the marketplace calls it {seen.state}")
    if codes != ["OR21"] or seen.decisions[0]["refused"]:
        wrong.append(f"not accepted once and whole: {codes}")
    if [order["number"] for order in living] != completed:
        wrong.append(f"alive in Centra: {[order['number'] for order in living]}, placed: {completed}")
    for order in living:
        short = [line for line in order["lines"] if sum(line["allocated"].values()) != line["quantity"]]
        if order["status"] != "CONFIRMED" or order["is_on_hold"] or order["is_waiting_for_payment"] or short:
            wrong.append(f"not free to be shipped: {order}")
    return wrong


async def judge(deployment: Deployment, ids: Collection[str], *, cancelled: Collection[str] = ()) -> None:
    """At rest: each order is placed once, accepted once, released; or gone, and its units are free again."""
    lab, mirakl, centra = deployment.lab, deployment.marketplace, deployment.lab.centra
    bought: Any = (await lab.ask(mirakl, "/_sandbox/orders"))["orders"]
    entries: Any = (await lab.ask(mirakl, "/_sandbox/ledger"))["entries"]
    completions: Any = (await lab.ask(centra, "/_sandbox/ledger?code=COMPLETE"))["entries"]
    known = {row["number"] for row in await deployment.rows(NUMBERS)}
    wrong: list[str] = []
    for order_id in (*ids, *cancelled):
        seen = Seen(
            state=bought[order_id]["state"],
            decisions=[
                e for e in entries if e.get("order_id") == order_id and e["code"] in ("OR21", "ACCEPTED", "LAPSED")
            ],
            orders=await centra_orders(deployment, order_id),
            completions=[e for e in completions if e["comment"] == f"mirakl:{deployment.channel}:{order_id}"],
            known=known,
        )
        wrong += [f"{order_id}: {words}" for words in faults_of(seen, is_cancelled=order_id in cancelled)]
    wrong += await missing_units(deployment)
    assert not wrong, "\n".join(wrong)
    await deployment.check_ceilings()


async def missing_units(deployment: Deployment) -> list[str]:
    """SKUs of which not each unit is free or in a living Centra order, after `stocked`."""
    sizes: Any = (await deployment.lab.ask(deployment.lab.centra, "/_sandbox/sizes?limit=100000"))["sizes"]
    orders: Any = (await deployment.lab.ask(deployment.lab.centra, "/_sandbox/orders"))["orders"]
    promised: dict[str, int] = {}
    for line in (line for order in orders if order["status"] != "CANCELLED" for line in order["lines"]):
        promised[line["sku"]] = promised.get(line["sku"], 0) + line["quantity"]
    free: Mapping[str, int] = {row["sku"]: sum(row["fta"].values()) for row in sizes}
    return [
        f"{sku}: {free[sku]} free and {promised.get(sku, 0)} in orders, of {PLENTY}"
        for sku in deployment.skus(SKUS)
        if free[sku] + promised.get(sku, 0) != PLENTY
    ]
