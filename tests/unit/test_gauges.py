"""The watch over deadlines goes by stored orders alone: paused, dry run, platforms away, it is right all the same."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from app.domain.after_sale import Advice, Stop
from app.domain.orders import OrderState
from app.domain.progress import Acceptor, Entry, Outcome
from app.domain.teams import Team
from app.engine import gauges
from app.engine.flow import Services
from app.store import intents, orders
from app.store.intents import Kind
from app.store.marks import Mark
from app.telemetry import metrics
from tests.deadlines import gauge, seen, watching
from tests.flows.service import until

ON, DRY, OFF = "watched-on", "watched-dry", "watched-off"
MODES = {ON: "on", DRY: "dry_run", OFF: "off"}
DAY = 86_400.0
NOW = datetime.now(UTC)


WATCHED = (
    metrics.orders_open,
    metrics.orders_unaccepted,
    metrics.acceptance_window_used_ratio,
    metrics.acceptance_seconds_left,
    metrics.payment_wait_seconds,
    metrics.orders_blocked,
    metrics.centra_orphans,
    metrics.held_items,
    metrics.held_money,
)


@pytest.fixture(autouse=True)
def _as_in_a_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "EVERY_SECONDS", 0.05)
    for watched in WATCHED:
        watched.clear()


async def becomes(name: str, scope: str, value: float, *, within: float = 0.0) -> None:
    async def so() -> bool:
        found = gauge(name, scope)
        return found is not None and abs(found - value) <= within

    await until(so, f"{name} of {scope} is {value:g}", seconds=10)


async def accept(parts: Services, scope: str, order_id: str) -> None:
    async with parts.database.work.acquire() as connection:
        assert await orders.accepted(connection, scope, order_id, Acceptor.US)


async def test_a_channel_without_orders_has_a_value_for_everything(database_url: str, tmp_path: Path) -> None:
    async with watching(database_url, tmp_path, MODES):
        for scope in MODES:
            await becomes("acceptance_left_seconds", scope, DAY)
            for name in (
                "open_orders",
                "unaccepted_orders",
                "acceptance_window_used_ratio",
                "payment_wait_seconds",
                "problem_orders",
            ):
                await becomes(name, scope, 0)
        await becomes("orphan_orders", "centra", 0)


async def test_deadlines_are_watched_while_paused_in_dry_run_and_without_platforms(
    database_url: str, tmp_path: Path
) -> None:
    async with watching(database_url, tmp_path, MODES) as parts:
        parts.pauses.pause(ON, "the key is refused")
        for scope in MODES:  # also where orders are not read any more
            await seen(parts, scope, "N-1-A", hours_ago=18)
            await seen(parts, scope, "N-2-A", hours_ago=6)
            await becomes("acceptance_window_used_ratio", scope, 0.75, within=0.001)
            await becomes("acceptance_left_seconds", scope, 6 * 3600, within=60)
            await becomes("unaccepted_orders", scope, 2)


async def test_the_order_with_the_least_time_left_counts_until_it_is_decided(database_url: str, tmp_path: Path) -> None:
    async with watching(database_url, tmp_path, {ON: "on"}) as parts:
        await seen(parts, ON, "N-1-A", hours_ago=30)  # its time is over, and nobody has said that it lapsed
        await seen(parts, ON, "N-2-A", hours_ago=12)
        await becomes("acceptance_window_used_ratio", ON, 1.25, within=0.001)
        await becomes("acceptance_left_seconds", ON, -6 * 3600, within=60)
        await seen(parts, ON, "N-1-A", hours_ago=30, state=OrderState.REFUSED)
        async with parts.database.work.acquire() as connection:
            await orders.ended(connection, ON, "N-1-A", Outcome.LAPSED)
        await becomes("acceptance_window_used_ratio", ON, 0.5, within=0.001)
        await becomes("open_orders", ON, 1)
        await accept(parts, ON, "N-2-A")  # before the marketplace moves it on
        await becomes("acceptance_window_used_ratio", ON, 0)
        await becomes("acceptance_left_seconds", ON, DAY)
        await becomes("unaccepted_orders", ON, 0)
        await becomes("open_orders", ON, 1)


async def test_an_order_that_can_not_be_decided_yet_is_unaccepted_but_not_late(
    database_url: str, tmp_path: Path
) -> None:
    async with watching(database_url, tmp_path, {ON: "on"}) as parts:
        await seen(parts, ON, "N-1-A", hours_ago=20, state=OrderState.STAGING)
        await seen(parts, ON, "N-2-A", hours_ago=20, fulfilled_by="OPERATOR-WAREHOUSE")
        await becomes("unaccepted_orders", ON, 1)
        await becomes("acceptance_window_used_ratio", ON, 0)
        await becomes("open_orders", ON, 1)


async def test_the_wait_for_payment_is_as_old_as_its_acceptance(database_url: str, tmp_path: Path) -> None:
    async with watching(database_url, tmp_path, {ON: "on"}) as parts:
        await seen(parts, ON, "N-1-A", hours_ago=20)
        await accept(parts, ON, "N-1-A")
        await seen(parts, ON, "N-1-A", hours_ago=20, state=OrderState.WAITING_DEBIT_PAYMENT)

        async def grows() -> bool:
            return 0 < (gauge("payment_wait_seconds", ON) or 0) < 60

        await until(grows, "the wait for payment is counted from its acceptance")
        await seen(parts, ON, "N-1-A", hours_ago=20, state=OrderState.SHIPPING)
        await becomes("payment_wait_seconds", ON, 0)


async def test_what_was_found_wrong_and_orphans_are_counted(database_url: str, tmp_path: Path) -> None:
    async with watching(database_url, tmp_path, {ON: "on"}) as parts:
        await seen(parts, ON, "N-1-A", hours_ago=1)
        async with parts.database.work.acquire() as connection:
            await orders.checked(
                connection,
                ON,
                "N-1-A",
                centra_id="c-1",
                customer=None,
                entry=Entry("PENDING", held=True, unpaid=False),
                problem="the totals differ",
                team=Team.FINANCE,
                known=None,
            )
            await orders.note_number(connection, "centra", 1001, ON, "N-1-A", "orphan")
            await orders.note_number(connection, "centra", 1002, ON, "N-1-A", "part")
        await becomes("problem_orders", ON, 1)
        await becomes("orphan_orders", "centra", 1)
        async with parts.database.work.acquire() as connection:
            assert await orders.settle_problem(connection, ON, "N-1-A")
            await orders.orphan_cancelled(connection, "centra", 1001)
        await becomes("problem_orders", ON, 0)
        await becomes("orphan_orders", "centra", 0)


async def test_what_needs_a_person_is_counted_once_with_its_money_and_gone_with_its_cause(
    database_url: str, tmp_path: Path
) -> None:
    async with watching(database_url, tmp_path, {ON: "on"}) as parts:
        async with parts.database.work.acquire() as connection:
            for source, amount in (("centra:return:1", "10.50"), ("centra:return:2", "4.50")):
                money = Decimal(amount)
                await intents.note(connection, ON, Kind.REFUND, source, "N-1-A", {}, NOW, amount=money, currency="EUR")
            for intent in await intents.of_order(connection, ON, "N-1-A"):
                await intents.hold(connection, intent, Stop("no funds", Advice.RETRY_DAILY), Team.FINANCE)
        for flow in ("refunds", "seller_references"):
            await parts.database.mark([Mark(ON, flow, "N-1-A")])
        await parts.database.work.execute("UPDATE outbox SET state = 'held', held_at = app_now(), due_at = NULL")

        def items() -> dict[tuple[str, ...], float]:
            samples = [s for s in next(iter(metrics.held_items.collect())).samples if s.labels["scope"] == ON]
            return {(s.labels["flow"], s.labels["team"], s.labels["advice"]): s.value for s in samples}

        async def counted() -> bool:
            return items() == {
                ("refunds", "finance", "retry_daily"): 2,
                ("seller_references", "platform", "key"): 1,  # no flow is worked here, so nobody owns its keys
            }

        await until(counted, "each is counted once", seconds=10)
        labels = {"scope": ON, "flow": "refunds", "team": "finance", "currency": "EUR"}
        assert metrics.registry.get_sample_value("centra_mirakl_held_money", labels) == 15.0
        async with parts.database.work.acquire() as connection:
            for intent in await intents.of_order(connection, ON, "N-1-A"):
                await intents.done(connection, intent, None, "given back")
        await parts.database.work.execute("UPDATE outbox SET state = 'ready', held_at = NULL")

        async def gone() -> bool:
            return not items()

        await until(gone, "what nobody waits for has no series", seconds=10)


async def test_what_rules_compare_with_follows_the_channels_settings(database_url: str, tmp_path: Path) -> None:
    partner = "watched-partner"
    lines = {partner: 'profile = "external_partner"'}
    async with watching(database_url, tmp_path, {ON: "on", partner: "on", "never-read": "off"}, lines):
        await becomes("payment_wait_limit_seconds", ON, timedelta(hours=72).total_seconds())
        await becomes("order_pass_interval_seconds", ON, 60, within=2)
        await becomes("order_pass_interval_seconds", partner, 900, within=20)
        assert gauge("order_pass_interval_seconds", "never-read") is None
