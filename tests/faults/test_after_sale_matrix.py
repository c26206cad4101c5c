"""Kill -9 at every fail point of every flow after the sale: whoever comes next finishes, and each thing happens once.

One replica after the other is started with another point armed and dies there, over what the one before left behind;
the last one has no point armed and is to bring everything to its end.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from app import failpoints
from app.domain.after_sale import Carrier, CarrierRow
from app.flows import all_flows
from app.store import carriers, intents
from app.store import time as app_time
from app.store.effects import EffectState, decide_held
from tests.faults.after_sale import OPEN
from tests.faults.deployment import Deployment, Json, deployed, ended, eventually, shape
from tests.faults.every import by_command
from tests.faults.orders import done, stocked
from tests.postgres import Databases

pytestmark = pytest.mark.slow

POLICY = 'returns = {unannounced = "refund", poll_seconds = 300.0}\nmarketplace_refunds = "return"'
STRIKE_SECONDS = 40.0
FINISH_SECONDS = 40.0
DECIDED_SECONDS = 700.0
"""Twice so long, and every doubt is decided."""
FIRST = ("order_follow", "shipments", "cancellations")
SECOND = ("refunds", "credits", "return_intake", "returns")
MONEY = (failpoints.MONEY_SENT, failpoints.MONEY_ANSWERED, failpoints.MONEY_WRITTEN)
SHARED = {
    "cancellations": MONEY,
    "returns": (failpoints.CENTRA_RETURN_SENT, failpoints.CENTRA_RETURN_ANSWERED),
}
"""Points on the way of these flows that other flows name as theirs."""
BY_FLOW = {flow.name: (*flow.fail_points, *SHARED.get(flow.name, ())) for flow in all_flows()}
UNITS = 3
PERSON = "Ilva Testberg"
WALKED = ("ST01", "RT21", "RT25", "RT26", "RT27", "OR28")


@dataclass(frozen=True, slots=True)
class Case:
    """A flow killed at a point, while it works on an order of its own."""

    flow: str
    point: str
    order_id: str

    @property
    def is_unpaid(self) -> bool:
        return self.point == failpoints.CANCEL_ANSWERED

    @property
    def is_held(self) -> bool:
        """A call about money that never left, and that nobody but a person can know of."""
        return self.point == failpoints.MONEY_SENT

    @property
    def wanted(self) -> Sequence[str]:
        """What the marketplace's ledger must have once."""
        by_flow: Mapping[str, Sequence[str]] = {
            "cancellations": ("OR29",) if self.is_unpaid else ("ST01", "OR28"),
            "refunds": ("ST01", "OR28"),
            "credits": ("ST01", "REFUND"),
            "return_intake": WALKED,
            "returns": WALKED,
        }
        return by_flow.get(self.flow, ("ST01",))


@by_command
@pytest.mark.timeout(240)
@pytest.mark.parametrize("flows", [FIRST, SECOND], ids=["sent", "back"])
async def test_whoever_comes_next_finishes(databases: Databases, flows: Sequence[str]) -> None:
    dsn = await databases.create(databases.template)
    lines = {"demo-fr": "stock.full_push_seconds = 864000.0"}
    of = shape(
        sizes=30, orders="on", after_sale=POLICY, channel_lines=lines, mirakl={"orders": {"debit_seconds": 10.0}}
    )
    async with deployed(dsn, of, replicas=1) as deployment:
        cases = await _sold(deployment, [(flow, point) for flow in flows for point in BY_FLOW[flow]])
        await deployment.replicas[0].stop()
        for case in cases:
            await _begin(deployment, case)
            victim = await deployment.start(f"{case.point}=kill", wait=False)
            assert await ended(victim.process, STRIKE_SECONDS) == -signal.SIGKILL, f"{case} was not met"
        await deployment.start()
        await _finish(deployment, cases)
        await _judge(deployment, cases)
    await databases.drop(dsn)


def test_every_point_after_the_sale_is_met() -> None:
    names = ("follow.", "shipment.", "money.", "cancel.", "returns.", "return.", "centra_return.")
    met = {point for flow in (*FIRST, *SECOND) for point in BY_FLOW[flow]}
    assert met == {point for point in failpoints.ALL if point.startswith(names)}


# ------------------------------------------------------------------------------------------------ before


async def _sold(deployment: Deployment, wanted: Sequence[tuple[str, str]]) -> list[Case]:
    """An order for each case, with the warehouse; those whose matter comes after the dispatch are sent."""
    await stocked(deployment)
    async with deployment.database.work.acquire() as connection:
        await carriers.put(connection, deployment.channel, [CarrierRow("postnord", Carrier("POSTNORD"))], PERSON)
    line = {"sku": deployment.skus(1)[0], "quantity": UNITS}
    orders: Any = [
        {"lines": [line]} | ({"payment_workflow": "PAY_ON_DELIVERY"} if point == failpoints.CANCEL_ANSWERED else {})
        for _, point in wanted
    ]
    told: Any = await deployment.lab.ask(deployment.marketplace, "/_sandbox/orders", {"orders": orders})
    cases = [Case(flow, point, order_id) for (flow, point), order_id in zip(wanted, told["orders"], strict=True)]
    await done(deployment, told["orders"])
    sent = [case for case in cases if case.flow in SECOND]
    for case in sent:
        await _ship(deployment, case.order_id)
    query = "SELECT count(*) FROM intent WHERE kind = 'shipment' AND state = 'done'"

    async def told_of() -> int:
        return int(await deployment.database.desk.fetchval(query) or 0)

    await eventually(told_of, lambda count: count == len(sent), 40, "all parcels are told")
    return cases


async def _begin(deployment: Deployment, case: Case) -> None:
    """What the flow of a case will have to do with."""
    match case.flow:
        case "order_follow" | "shipments":
            await _ship(deployment, case.order_id)
        case "cancellations":
            number = await _number(deployment, case.order_id)
            part: Json = {} if case.is_unpaid else {"lines": [{"sku": deployment.skus(1)[0], "quantity": 1}]}
            await deployment.lab.ask(deployment.lab.centra, "/_sandbox/orders/cancel", {"number": number, **part})
            if not case.is_unpaid:
                await _ship(deployment, case.order_id)
        case "refunds":
            number = await _number(deployment, case.order_id)
            back: Json = {"number": number, "lines": [{"sku": deployment.skus(1)[0], "quantity": 1}]}
            await deployment.lab.ask(deployment.lab.centra, "/_sandbox/returns", back)
        case _:
            name = "refunds" if case.flow == "credits" else "returns"
            units: Json = {"order_id": case.order_id, "lines": [{"order_line_id": f"{case.order_id}-1"}]}
            units["lines"][0]["quantity"] = 1
            await deployment.lab.ask(deployment.marketplace, f"/_sandbox/{name}", units)
            await _jump(deployment, 300.0)  # the marketplace's returns are read every five minutes


async def _ship(deployment: Deployment, order_id: str) -> None:
    number = await _number(deployment, order_id)
    parcel: Any = {"number": number, "carrier": "PostNord", "tracking_number": f"PN{number}"}
    await deployment.lab.ask(deployment.lab.centra, "/_sandbox/shipments", parcel)


async def _number(deployment: Deployment, order_id: str) -> int:
    query = "SELECT centra_number FROM marketplace_order WHERE order_id = $1"
    return int(await deployment.database.desk.fetchval(query, order_id))


async def _jump(deployment: Deployment, seconds: float) -> None:
    """App time jumps while no replica runs."""
    await deployment.lab.ask(deployment.lab.centra, "/_sandbox/clock", {"advance_seconds": seconds})
    async with deployment.database.desk.acquire() as connection:
        await app_time.advance(connection, seconds)


# ------------------------------------------------------------------------------------------------ after


async def _finish(deployment: Deployment, cases: Sequence[Case]) -> None:
    """Goods come back, doubts are decided, and a person decides those that nobody else can."""
    ids = [case.order_id for case in cases]
    walked = {await _number(deployment, case.order_id) for case in cases if case.wanted is WALKED}
    for _ in range(2):
        await deployment.taken_over()
        await deployment.advance(DECIDED_SECONDS)

    async def open_yet() -> list[str]:
        await _arrived(deployment, walked)
        return [words for words in await _left(deployment, ids) if " held: " not in words]

    await eventually(open_yet, lambda found: not found, FINISH_SECONDS, "only what nobody can know is left")
    held = {case.order_id for case in cases if case.is_held}
    rows = await deployment.rows("SELECT * FROM intent WHERE state = 'held' AND order_id = ANY ($1)", ids)
    assert {row["order_id"] for row in rows} == held, [row["reason"] for row in rows]
    for row in rows:
        await _never_was(deployment, row)
    await _until_nothing(deployment, ids)


async def _arrived(deployment: Deployment, numbers: Collection[int]) -> None:
    found: Any = (await deployment.lab.ask(deployment.lab.centra, "/_sandbox/returns"))["returns"]
    for one in found:
        if one["order"] in numbers and one["status"] == "PENDING":
            await deployment.lab.ask(deployment.lab.centra, "/_sandbox/returns/complete", {"return": one["id"]})


async def _never_was(deployment: Deployment, intent: Json) -> None:
    query = "SELECT id FROM effect WHERE lane = $1 AND doubt = 'money' AND state = 'held'"
    call = await deployment.database.desk.fetchval(query, intent["order_id"])
    async with deployment.database.work.acquire() as connection:
        assert await decide_held(connection, call, EffectState.NOT_APPLIED, PERSON, "not there")
        marks = await intents.reopen(connection, intent["id"], "not there")
    await deployment.database.mark(marks)


async def _left(deployment: Deployment, ids: Sequence[str]) -> list[str]:
    return [row["found"] for row in await deployment.rows(OPEN, list(ids))]


async def _until_nothing(deployment: Deployment, ids: Sequence[str]) -> None:
    what = "what is left comes to its end"
    await eventually(lambda: _left(deployment, ids), lambda found: not found, FINISH_SECONDS, what)


async def _judge(deployment: Deployment, cases: Sequence[Case]) -> None:
    """Each thing once, by the ledgers of both stand-ins."""
    there: Any = (await deployment.lab.ask(deployment.marketplace, "/_sandbox/ledger"))["entries"]
    made: Any = (await deployment.lab.ask(deployment.lab.centra, "/_sandbox/returns"))["returns"]
    codes = {case.order_id: Counter[str]() for case in cases}
    for entry in there:
        if entry.get("order_id") in codes and entry["code"] in {"ST01", "OR28", "OR29", "REFUND", *WALKED}:
            codes[entry["order_id"]][entry["code"]] += 1
    wrong = [f"{case}: {codes[case.order_id]}" for case in cases if codes[case.order_id] != Counter(case.wanted)]
    back = Counter(one["order"] for one in made)
    wanted = {await _number(deployment, case.order_id) for case in cases if case.flow in SECOND}
    assert not wrong, "\n".join(wrong)
    assert back == Counter(wanted), "one return in Centra for each"
    await deployment.check_ceilings()
