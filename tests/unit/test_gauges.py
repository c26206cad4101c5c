"""The watch over deadlines goes by stored orders alone: paused, dry run, platforms away, it is right all the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from app.domain.after_sale import Advice, Parcel, Stop
from app.domain.orders import OrderState
from app.domain.progress import Acceptor, Entry, Outcome
from app.domain.teams import Team
from app.engine import gauges
from app.engine.flow import Services
from app.store import effects, intents, orders
from app.store.effects import EffectClass, EffectState
from app.store.intents import Kind
from app.store.marks import Mark
from app.telemetry import metrics
from app.wire.outcome import Unknown
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
    metrics.held_items_oldest_seconds,
    metrics.untold_shipments,
    metrics.untold_shipments_oldest_seconds,
    metrics.doubtful_effects,
    metrics.doubtful_effects_oldest_seconds,
    metrics.stock_differences,
    metrics.newest_order_age_seconds,
    metrics.usual_order_gap_seconds,
    metrics.credential_expires_timestamp_seconds,
)


@pytest.fixture(autouse=True)
def _as_in_a_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "EVERY_SECONDS", 0.05)
    monkeypatch.setattr(gauges, "SLOWLY_SECONDS", 0.05)
    for watched in WATCHED:
        watched.clear()


async def becomes(name: str, scope: str, value: float, *, within: float = 0.0, **labels: str) -> None:
    async def so() -> bool:
        found = gauge(name, scope, **labels)
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
        assert 0 < (gauge("held_items_oldest_seconds", ON, flow="refunds", team="finance") or 0) < 60
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


# ------------------------------------------------------------------------------------- what left and has no end yet


async def test_a_parcel_is_untold_from_its_shipping_until_the_marketplace_has_it(
    database_url: str, tmp_path: Path
) -> None:
    async with watching(database_url, tmp_path, {ON: "on", DRY: "dry_run"}) as parts:
        now = parts.clock.now()
        early, late = (
            Parcel(1, "40301-1", {}, "DHL", "", "T-1", now - timedelta(hours=hours), complete=True) for hours in (2, 1)
        )
        async with parts.database.work.acquire() as connection:
            await intents.note(connection, ON, Kind.SHIPMENT, "centra:shipment:1", "N-1-A", early, NOW)
            await intents.note(connection, ON, Kind.SHIPMENT, "centra:shipment:2", "N-2-A", late, NOW)
            unsent = replace(late, shipped_at=None, complete=False)
            await intents.note(connection, ON, Kind.SHIPMENT, "centra:shipment:3", "N-3-A", unsent, NOW)
            await intents.note(connection, ON, Kind.REFUND, "centra:return:1", "N-1-A", {}, NOW)
            first, _ = await intents.of_order(connection, ON, "N-1-A")
            await intents.hold(connection, first, Stop("no such carrier", Advice.MAP_CARRIER), Team.OPERATIONS)
        await becomes("untold_shipments", ON, 2)
        await becomes("untold_shipments", DRY, 0)
        await becomes("untold_shipments_oldest_seconds", ON, 7200, within=60)
        async with parts.database.work.acquire() as connection:
            await intents.done(connection, first, None, "told")
        await becomes("untold_shipments", ON, 1)
        await becomes("untold_shipments_oldest_seconds", ON, 3600, within=60)


async def test_a_call_is_in_doubt_until_it_is_decided_unless_it_bears_repetition(
    database_url: str, tmp_path: Path
) -> None:
    async with watching(database_url, tmp_path, {ON: "on"}) as parts:
        async with parts.database.work.acquire() as connection:
            given = [
                await effects.write_sent(connection, ON, "refunds", "OR28", EffectClass.CREATE, lane=f"N-{n}-A")
                for n in range(3)
            ]
            safe = await effects.write_sent(connection, ON, "safe", "STO01", EffectClass.SAFE)
            for effect in (given[0], safe):
                await effects.record(connection, effect, Unknown("the connection was cut"))
            await connection.execute("UPDATE effect SET sent_at = sent_at - interval '1 hour' WHERE id = $1", given[1])
        await becomes("doubtful_effects", ON, 2, flow="refunds")  # the third is under way
        await becomes("doubtful_effects_oldest_seconds", ON, 3600, within=60, flow="refunds")
        assert gauge("doubtful_effects", ON, flow="safe") is None
        async with parts.database.work.acquire() as connection:
            for effect in given[:2]:
                await effects.decide(connection, effect, EffectState.APPLIED)

        async def undoubted() -> bool:
            return not gauge("doubtful_effects", ON, flow="refunds")

        await until(undoubted, "nothing is in doubt any more")


# ------------------------------------------------------------------------------------------ what is counted slowly


async def test_an_offer_differs_when_what_is_live_is_not_what_was_confirmed_before(
    database_url: str, tmp_path: Path
) -> None:
    async with watching(database_url, tmp_path, {ON: "on", DRY: "on"}) as parts:
        await parts.database.work.execute(
            """
            INSERT INTO offer (scope, sku, live, live_quantity, live_read_at, stock_confirmed, stock_sent_version,
                               stock_confirmed_version, stock_confirmed_at, seen_at)
            SELECT $1, sku, live, quantity, app_now(), 5, sent, 7, app_now() - age, app_now()
            FROM (VALUES ('differs', true, 4, 7, interval '1 hour'),
                         ('agrees', true, 5, 7, interval '1 hour'),
                         ('has something on its way', true, 4, 8, interval '1 hour'),
                         ('was just confirmed', true, 4, 7, interval '1 minute'),
                         ('is not listed', false, 4, 7, interval '1 hour')) AS o (sku, live, quantity, sent, age)
            """,
            ON,
        )
        await becomes("stock_differences", ON, 1)
        await becomes("stock_differences", DRY, 0)


async def test_silence_is_measured_against_this_hour_of_the_last_four_weeks(database_url: str, tmp_path: Path) -> None:
    """Half an hour between two orders is usual now; in the second week, when something was broken, it was ten hours."""
    week, minutes = 7 * 24.0, 1 / 60
    async with watching(database_url, tmp_path, {ON: "on", DRY: "on", OFF: "on"}) as parts:
        for weeks in (1, 3, 4):
            for place in (-40, -20, 10):
                await seen(parts, ON, f"N-{weeks}{place}-A", hours_ago=weeks * week - place * minutes)
        await seen(parts, ON, "N-2-A", hours_ago=2 * week + 10)
        await seen(parts, ON, "N-0-A", hours_ago=3)
        await seen(parts, DRY, "N-0-A", hours_ago=3 * week)
        await becomes("newest_order_age_seconds", ON, 3 * 3600, within=60)
        await becomes("usual_order_gap_seconds", ON, 1800, within=60)
        await becomes("newest_order_age_seconds", DRY, 3 * week * 3600, within=60)
        await becomes("usual_order_gap_seconds", DRY, 0)  # it sells since three weeks only
        await becomes("newest_order_age_seconds", OFF, 0)
        await becomes("usual_order_gap_seconds", OFF, 0)


async def test_the_database_itself_is_measured(database_url: str, tmp_path: Path) -> None:
    def sample(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(f"centra_mirakl_{name}", labels) or 0.0

    async def counted() -> bool:
        return sample("table_rows", table="outbox") == 10

    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO outbox (scope, flow, key) SELECT 'a', 'b', n FROM generate_series(1, 10) AS n"
    )
    await connection.close()  # it tells its statistics now
    async with watching(database_url, tmp_path, {ON: "on"}):
        await until(counted, "Postgres has counted the rows", seconds=10)
        assert sample("database_bytes") > 1_000_000
        assert sample("database_connections", state="active") >= 1
        tables = {s.labels["table"] for s in next(iter(metrics.table_dead_rows.collect())).samples}
        assert {"outbox", "audit"} <= tables
        assert "audit_rest" not in tables


async def test_the_end_of_a_token_is_the_one_that_was_written_down(database_url: str, tmp_path: Path) -> None:
    told = "token_expires_on = 2027-01-31\nfinance_token_expires_on = 2027-02-28"
    async with watching(database_url, tmp_path, {ON: "on", DRY: "on"}, {ON: told}):
        for kind, ends_at in (
            ("token", datetime(2027, 1, 31, tzinfo=UTC)),
            ("finance token", datetime(2027, 2, 28, tzinfo=UTC)),
        ):
            await becomes("credential_expires_timestamp_seconds", ON, ends_at.timestamp(), kind=kind)
        assert gauge("credential_expires_timestamp_seconds", DRY, kind="token") is None
