"""Calls about orders whose answers are lost, late, refused for their number, or overtaken by the buyer: each order is
placed once, accepted once and released, or gone; what nobody wants is listed and cancelled.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path as FilePath

import pytest
import pytest_asyncio

from app.supervisor import CLOCK_SECONDS
from tests.faults.deployment import SCALE, Deployment, Json, deployed, eventually, frozen, metric_of
from tests.faults.every import by_command, in_ci
from tests.faults.orders import (
    Path,
    begin,
    centra_orders,
    changed,
    done,
    effects,
    judge,
    orders_shape,
    placed,
    record,
    stocked,
)
from tests.faults.test_postgres_killed import OwnPostgres
from tests.postgres import Databases

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

PATHS = [pytest.param(Path.A, id="A"), pytest.param(Path.B, id="B", marks=by_command)]
LOST = ("status_after", "drop_after", "hang_after", "cut", "html_after")
NONSENSE = (None, "0", "-7", "soon", "Wed, 21 Oct 1998 07:28:00 GMT")
CENTRA_CODES = ("OrderCreate", "SetIdConversions", "OrderComplete", "ConfirmOrder")
FIRED_SECONDS = 20.0
PASS_SECONDS = 1.2 * 60.0 / SCALE
TOO_LATE_SECONDS = 120.0
"""App seconds after which nobody looks for a lost create any more."""
SLOW = {"code": "OrderCreate", "kind": "slow", "seconds": 0.1}
"""The order is made at once, and its number takes three real seconds to arrive."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(databases: Databases) -> AsyncIterator[Deployment]:
    """Two replicas that take orders, at rest."""
    dsn = await databases.create(databases.template)
    async with deployed(dsn, orders_shape()) as deployment:
        await stocked(deployment)
        yield deployment
    await databases.drop(dsn)


def _place_of(shop: Deployment, code: str) -> str:
    return shop.lab.centra if code in CENTRA_CODES else shop.marketplace


async def _struck(shop: Deployment, address: str, times: int) -> None:
    """Until the faults of a menu have struck so often together."""

    async def fired() -> int:
        return sum(await shop.fired(address))

    await eventually(fired, lambda fired: fired >= times, FIRED_SECONDS, f"{times} faults have struck")


# ------------------------------------------------------------------------------------------------ lost answers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("code", in_ci([*CENTRA_CODES, "OR21"], ("OrderCreate", "OR21")))
async def test_answers_are_lost(shop: Deployment, code: str, path: Path) -> None:
    await begin(shop, path)
    await shop.faults(_place_of(shop, code), *({"code": code, "kind": kind} for kind in LOST))
    ids = await placed(shop, len(LOST))
    await done(shop, ids)
    assert await shop.fired(_place_of(shop, code)) == [1] * len(LOST)
    await judge(shop, ids)
    if code == "OrderCreate":
        for order_id in ids:
            assert await effects(shop, order_id, code) == ["applied"], "what was made is adopted, not made again"
            assert len(await centra_orders(shop, order_id)) == 1


@by_command
async def test_a_create_that_is_applied_long_after_it_was_given_up(shop: Deployment) -> None:
    await begin(shop)
    await shop.faults(shop.lab.centra, {"code": "OrderCreate", "kind": "late", "seconds": TOO_LATE_SECONDS})
    (order_id,) = await placed(shop)
    await done(shop, [order_id])
    assert await effects(shop, order_id, "OrderCreate") == ["not_applied", "applied"]
    await _made(shop, order_id, 2)
    await _nearly_scanned(shop, order_id)
    await _cancelled(shop, order_id)
    await done(shop, [order_id])
    await judge(shop, [order_id])


async def test_an_acceptance_that_is_applied_late(shop: Deployment) -> None:
    """Before it is read again, between that and the next attempt, and after it."""
    await begin(shop)
    late = (3.0, 12.0, 16.0, 20.0, 24.0, 40.0)
    await shop.faults(shop.marketplace, *({"code": "OR21", "kind": "late", "seconds": seconds} for seconds in late))
    ids = await placed(shop, len(late))
    await done(shop, ids)
    assert await shop.fired(shop.marketplace) == [1] * len(late)
    await judge(shop, ids)


@by_command
async def test_the_cancellation_of_an_orphan_is_in_doubt(shop: Deployment) -> None:
    await begin(shop)
    await shop.faults(
        shop.lab.centra,
        {"code": "OrderCreate", "kind": "late", "seconds": TOO_LATE_SECONDS},
        {"code": "CancelOrder", "kind": "status", "status": 502},
        {"code": "CancelOrder", "kind": "status_after", "status": 502},
    )
    (order_id,) = await placed(shop)
    await done(shop, [order_id])
    await _made(shop, order_id, 2)
    await _nearly_scanned(shop, order_id)
    await _struck(shop, shop.lab.centra, 3)
    await done(shop, [order_id])
    await judge(shop, [order_id])


async def _made(shop: Deployment, order_id: str, count: int) -> None:
    async def made() -> list[Json]:
        return await centra_orders(shop, order_id)

    await eventually(made, lambda made: len(made) == count, FIRED_SECONDS, f"Centra has made {count} orders")


async def _nearly_scanned(shop: Deployment, order_id: str) -> None:
    """App time jumps to shortly before Centra is searched for what was applied late, so that all clocks can follow."""
    query = """SELECT extract(epoch FROM due_at - app_now())::float AS left FROM outbox
               WHERE flow = 'orphans' AND key LIKE 'scan%' || $1"""
    (scan,) = await shop.rows(query, order_id)
    await shop.advance(scan["left"] - 3 * CLOCK_SECONDS * SCALE)


async def _cancelled(shop: Deployment, order_id: str, count: int = 1) -> None:
    async def cancelled() -> int:
        return sum(order["status"] == "CANCELLED" for order in await centra_orders(shop, order_id))

    await eventually(cancelled, lambda found: found == count, FIRED_SECONDS, f"{count} Centra orders are cancelled")


# ------------------------------------------------------------------------------------------------ errors and storms


@pytest.mark.parametrize("path", PATHS)
async def test_errors_before_the_effect(shop: Deployment, path: Path) -> None:
    await begin(shop, path)
    error = {"kind": "status", "status": 503}
    await shop.faults(shop.lab.centra, *({"code": code, **error} for code in (*CENTRA_CODES, "OrdersByNumber")))
    await shop.faults(shop.marketplace, *({"code": code, **error} for code in ("OR11", "OR21", "OR04")))
    ids = await placed(shop, 2)
    await done(shop, ids)
    assert await shop.fired(shop.lab.centra) == [1] * 5
    assert await shop.fired(shop.marketplace) == [1] * 3
    await judge(shop, ids)


@by_command
async def test_a_storm_of_429_with_nonsense_as_retry_after(shop: Deployment) -> None:
    await begin(shop)
    storm = [{"kind": "too_many"} | ({} if text is None else {"retry_after": text}) for text in NONSENSE]
    await shop.faults(shop.lab.centra, *({"code": "OrderCreate", **fault} for fault in storm))
    await shop.faults(shop.marketplace, *({"code": code, **fault} for code in ("OR11", "OR21") for fault in storm))
    ids = await placed(shop, 2)
    await done(shop, ids, seconds=60)
    assert await shop.fired(shop.lab.centra) == [1] * len(storm)
    assert await shop.fired(shop.marketplace) == [1] * 2 * len(storm)
    await judge(shop, ids)
    for order_id in ids:
        assert (await effects(shop, order_id, "OrderCreate"))[-1] == "applied"


# ------------------------------------------------------------------------------------------------ the buyer cancels


@pytest.mark.parametrize(
    "fault",
    [
        SLOW,
        pytest.param({"code": "OrderCreate", "kind": "drop_after"}, marks=by_command),
        pytest.param({"code": "OrderCreate", "kind": "status", "status": 503}, marks=by_command),
    ],
    ids=lambda fault: fault["kind"],
)
async def test_the_buyer_cancels_while_the_create_is_in_flight(shop: Deployment, fault: Json) -> None:
    await begin(shop)
    await shop.faults(shop.lab.centra, fault)
    (order_id,) = await placed(shop)
    await _struck(shop, shop.lab.centra, 1)
    await changed(shop, order_id, cancel=True)
    await done(shop, [order_id], "cancelled")
    made = await centra_orders(shop, order_id)  # what failed may be made again before the cancellation is seen
    assert len(made) == 1 or (fault["kind"] == "status" and not made)
    await judge(shop, [], cancelled=[order_id])


@by_command
async def test_a_create_is_applied_long_after_the_buyer_cancelled(shop: Deployment) -> None:
    await begin(shop)
    await shop.faults(shop.lab.centra, {"code": "OrderCreate", "kind": "late", "seconds": TOO_LATE_SECONDS})
    (order_id,) = await placed(shop)
    await _struck(shop, shop.lab.centra, 1)
    await changed(shop, order_id, cancel=True)
    await done(shop, [order_id], "cancelled")
    tries = len(await effects(shop, order_id, "OrderCreate"))  # a second one, if the cancellation was seen later
    await _made(shop, order_id, tries)
    await _nearly_scanned(shop, order_id)
    await _cancelled(shop, order_id, tries)
    await done(shop, [order_id], "cancelled")
    await judge(shop, [], cancelled=[order_id])


async def test_the_buyer_cancels_while_the_acceptance_is_in_flight(shop: Deployment) -> None:
    await begin(shop)
    await shop.faults(shop.marketplace, {"code": "OR21", "kind": "late", "seconds": 20.0})
    (order_id,) = await placed(shop)
    await _struck(shop, shop.marketplace, 1)
    await changed(shop, order_id, cancel=True)
    await done(shop, [order_id], "cancelled")
    await judge(shop, [], cancelled=[order_id])


@pytest.mark.parametrize("code", in_ci(["SetIdConversions", "OrderComplete", "ConfirmOrder"], ["OrderComplete"]))
async def test_the_buyer_cancels_while_a_call_is_in_doubt(shop: Deployment, code: str) -> None:
    await begin(shop)
    await shop.faults(shop.lab.centra, {"code": code, "kind": "drop_after", "count": None})
    (order_id,) = await placed(shop)
    await _struck(shop, shop.lab.centra, 1)
    await changed(shop, order_id, cancel=True)

    async def state() -> str | None:
        return (await record(shop, order_id)).get("state")

    await eventually(state, lambda state: state == "CANCELED", FIRED_SECONDS, "the cancellation is read")
    await shop.faults(shop.lab.centra)
    await done(shop, [order_id], "cancelled")
    await judge(shop, [], cancelled=[order_id])


@by_command
async def test_answers_are_lost_when_released_orders_are_cancelled(shop: Deployment) -> None:
    await begin(shop)
    ids = await placed(shop, len(LOST))
    await done(shop, ids)
    await shop.faults(shop.lab.centra, *({"code": "CancelOrder", "kind": kind} for kind in LOST))
    for order_id in ids:
        await changed(shop, order_id, cancel=True)
    await done(shop, ids, "cancelled")
    assert await shop.fired(shop.lab.centra) == [1] * len(LOST)
    await judge(shop, [], cancelled=ids)


@by_command
async def test_answers_are_lost_when_lines_are_cancelled(shop: Deployment) -> None:
    await begin(shop)
    ids = await placed(shop, len(LOST))
    await done(shop, ids)
    await shop.faults(shop.lab.centra, *({"code": "CancelOrderLines", "kind": kind} for kind in LOST))
    for order_id in ids:
        await changed(shop, order_id, line_state={f"{order_id}-2": "CANCELED"})
    await _struck(shop, shop.lab.centra, len(LOST))
    await done(shop, ids)
    await judge(shop, ids)
    for order_id in ids:
        (order,) = await centra_orders(shop, order_id)
        assert [line["quantity"] for line in order["lines"]] == [1, 0], "the second line, once"


# ------------------------------------------------------------------------------------------------ frozen, and killed


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "point", in_ci(["entry.create_sent", "entry.create_answered", "order.accept_sent"], ["entry.create_sent"])
)
async def test_a_replica_is_frozen_past_its_lease(shop: Deployment, point: str) -> None:
    """The other goes on; the woken one learns that the order is no longer its own, and sends nothing."""
    await begin(shop)
    sleeper = await shop.start(f"{point}=stop")
    ids: list[str] = []

    async def strikes() -> bool:
        ids.extend(
            await placed(shop)
        )  # one in each pass: what is frozen in a transaction keeps its locks half a minute
        try:
            await frozen(sleeper.process, PASS_SECONDS)
        except AssertionError:
            return False
        return True

    await eventually(strikes, bool, 30, "the replica is frozen")
    await done(shop, ids, seconds=75)
    os.kill(sleeper.process.pid, signal.SIGCONT)
    flow = "orders" if point.startswith("order.") else "order_entry"

    async def lost() -> float:
        return await metric_of(sleeper, "centra_mirakl_claims_lost_total", flow=flow)

    await eventually(lost, lambda lost: lost > 0, FIRED_SECONDS, "the woken replica learns that its claim is lost")
    await done(shop, ids)
    await judge(shop, ids)
    assert [len(await centra_orders(shop, order_id)) for order_id in ids] == [1] * len(ids)
    await sleeper.stop()


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("path", PATHS)
async def test_postgres_is_killed_while_orders_are_made(tmp_path: FilePath, path: Path) -> None:
    own = OwnPostgres(tmp_path / "postgres")
    server = await own.start()
    try:
        async with deployed(server.dsn, orders_shape()) as deployment:
            await stocked(deployment)
            await begin(deployment, path)
            await deployment.faults(deployment.lab.centra, {**SLOW, "count": 2})
            ids = await placed(deployment, 3)
            await _struck(deployment, deployment.lab.centra, 2)
            await own.kill()
            ids += await placed(deployment, 2)
            await own.start()
            await done(deployment, ids)
            await judge(deployment, ids)
    finally:
        if own.server is not None:
            await own.server.stop()
