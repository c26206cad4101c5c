"""SQL is source code: every statement prepares; those of the loops keep to their index whatever the statistics say."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from app.store.outbox import BEGINNING
from app.store.pool import COMMON, PINNED
from app.store.statements import FOLDER, names, sql

ROWS = 100_000
SLICE = 1000
FAR = datetime(2100, 1, 1, tzinfo=UTC)
KEYS = [f"SKU-{n:06d}" for n in range(SLICE)]
OTHERS = [f"SKU-{n:06d}" for n in range(SLICE, 2 * SLICE)]
LANES = [f"LANE-{n:06d}" for n in range(SLICE)]
LINES = [f"T-{n:06d}" for n in range(SLICE)]
NUMBERS = [0] * SLICE
UNTIL = [FAR] * SLICE
WORDS = ["because"] * SLICE
NO = [False] * SLICE

LOOP: dict[str, tuple[Any, ...]] = {
    "outbox/claim": ("c", "stock", 1, BEGINNING, SLICE, 30.0),
    "outbox/claim_suspects": ("c", "stock", 1, BEGINNING, 3, 62, 30.0, False),
    "outbox/suspects": ("c", "stock", 1, BEGINNING),
    "outbox/look": (["c"] * 3, ["stock"] * 3, [0, 1, 2], [BEGINNING] * 3),
    "outbox/lock": ("c", "stock", KEYS, NUMBERS),
    "outbox/mark": (KEYS, [], [], [], [], [], [], [], "c", "stock", 0, 1, None),
    "outbox/settle": ("c", "stock", KEYS, NUMBERS, [None] * SLICE),
    "outbox/settle_placed": (KEYS, NUMBERS, [], [(n // 50, n % 50 + 1) for n in range(SLICE)]),
    "outbox/wait": ("c", "stock", KEYS, NUMBERS, UNTIL, WORDS),
    "outbox/hold": ("c", "stock", KEYS, NUMBERS, WORDS, NO),
    "outbox/postpone": ("c", "stock", KEYS, NUMBERS, UNTIL, WORDS, NO, NO),
    "outbox/ways": ("c", ["stock"], KEYS),
    "outbox/extend": ("c", "stock", KEYS, NUMBERS, 30.0),
    "outbox/hold_unclaimed": ("c", "stock", OTHERS, [1] * SLICE, WORDS),
    "lane/candidates": ("c", "orders", 1, BEGINNING, SLICE, 1),
    "lane/suspects": ("c", "orders", 1, BEGINNING, 1),
    "lane/take": ("c", LANES, "orders", 30.0),
    "lane/refuse": ("c", "orders", KEYS, 1.0, LANES),
    "lane/claim": ([(n // 50, n % 50 + 1) for n in range(SLICE)], 17, 30.0, False),
    "lane/extend": ("c", LANES, [0] * SLICE, 30.0),
    "lane/let_go": ("c", LANES, [0] * SLICE),
    "lane/wake": ("c", LANES),
    "offer/for_stock": ("c", "centra", KEYS),
    "offer/want_stock": ("c", KEYS, [1] * SLICE, ["free"] * SLICE, [None] * SLICE),
    "offer/sent_stock": ("c", KEYS, [1] * SLICE, [1] * SLICE),
    "offer/confirm_stock": ("c", 1, []),
    "offer/void_stock": ("c", KEYS),
    "offer/drifted": ("c", KEYS, FAR, FAR),
    "offer/listed": (["c", "d"], KEYS),
    "offer/read_back": ("c", KEYS, [1] * SLICE, [True] * SLICE, FAR, [None] * SLICE),
    "publication/read": ("c", "offers", KEYS),
    "publication/want": ("c", "offers", KEYS, ["held"] * SLICE, [None] * SLICE, [None] * SLICE, [None] * SLICE),
    "publication/sent": ("c", "offers", KEYS, WORDS, [1] * SLICE),
    "publication/confirm": ("c", "offers", 1, [], "live"),
    "publication/void": ("c", "offers", KEYS),
    "publication/turn": ("c", "offers", KEYS, ["live"] * SLICE, [None] * SLICE),
    "live_offer/write": ("c", KEYS, ["{}"] * SLICE, WORDS, FAR),
    "live_offer/of_skus": ("c", KEYS),
    "live_offer/confirmed": ("c", ["offers", "prices"], FAR, BEGINNING, "", SLICE),
    "live_offer/to_compare": ("c", ["offers", "prices"], KEYS, FAR),
    "live_offer/correct": ("c", "offers", KEYS),
    "product_code/of_skus": ("c", KEYS),
    "product_code/bearers": ("c", ["EAN"] * SLICE, KEYS),
    "product_code/add": ("c", ["EAN"] * SLICE, OTHERS, OTHERS, FAR),
    "product_code/drop": ("c", ["EAN"] * SLICE, KEYS, KEYS, FAR),
    "plan/approve": ("c", "offers", KEYS, WORDS),
    "plan/approve_stock": ("c", KEYS, [1] * SLICE),
    "plan/decide": (1, "offers", KEYS, KEYS),
    "size/write": ("centra", list(range(SLICE)), KEYS, list(range(SLICE)), ["{}"] * SLICE, [0] * SLICE, NO, NO, FAR),
    "size/lock": ("centra", list(range(SLICE))),
    "size/of_variants": ("centra", list(range(SLICE))),
    "import/keys": (1,),
    "import/in_flight": ("c", "stock"),
    "import/count_repeated": ("c", "stock"),
    "parity_difference/before": ("c", "stock", KEYS, WORDS),
    "parity_difference/write": (
        *("c", "stock", "ecommerce", KEYS, WORDS, WORDS, WORDS, WORDS, WORDS, ["held"] * SLICE, FAR, FAR),
    ),
    "parity_difference/close": ("c", ["stock"], BEGINNING, "unread"),
    "permit/take": ("c", ["OR11", "STO01"], [1.0, 1.0], 1.0),
    "marketplace_order/known": ("c", LANES),
    "marketplace_order/read": ("c", LANES[0]),
    "marketplace_order/read_again": ("c", LANES, FAR),
    "marketplace_order/take_unmarked": ("c", None),
    "marketplace_order/take_number": ("c", LANES[0], 17, 0, "centra"),
    "marketplace_order/references": ("c", LANES),
    "marketplace_order/watch": (),
    "marketplace_order/silence": (["c", "d"],),
    "rated_line/count": ("c", FAR),
    "line_incident/store": ("c", LANES[0], ["1", "2"], [None, None], FAR),
    "thread_reply/store": ("c", KEYS, [FAR] * SLICE, [FAR] * SLICE, LANES),
    "thread_reply/count": ("c", FAR),
    "intent/untold": (),
    "effect/doubtful": (),
    "buyer/read": ("c", LANES[0]),
    "reservation/lock": ("centra", KEYS),
    "reservation/write": ("centra", "c", LANES[0], ["1", "2"], KEYS[:2], [1, 1]),
    "reservation/before": ("c", LANES[0], "centra"),
    "reservation/placed": ("c", LANES[0], ["1", "2"], [1, 1], FAR),
    "reservation/absorb": ("centra", KEYS, FAR),
    "reservation/free": ("c", LANES[0], ["1", "2"]),
    "centra_order/known": ("centra", list(range(SLICE))),
    "offer_price/history": ("c", KEYS, FAR),
    "effect/open_of_lane": ("c", LANES[0], "OR21"),
    "effect/all_open_of_lane": ("c", LANES[0], "order_entry"),
    "effect/count_refused": ("c", LANES[0], "OrderCreate"),
    "effect/doubt_of": ("c", LANES[0], "money"),
    "intent/of_order": ("c", LANES[0]),
    "intent/keys": ("c", LANES),
    "intent/keys_of_kind": ("c", "shipment"),
    "marketplace_return/of_order": ("c", LANES[0]),
    "marketplace_return/states": ("c", LANES),
    "outbox/is_worked": ("c", "stock", KEYS[0]),
    "size/by_skus": ("centra", KEYS),
    "size/by_former_skus": ("centra", KEYS),
    "transaction_line/known": ("c", LINES),
    "transaction_line/of_orders": ("c", LANES[:100]),
    "transaction_line/taxes_of_orders": ("c", LANES[:100]),
    "transaction_line/of_day": ("c", BEGINNING, FAR),
    "billing_cycle/read": ("c", ["C-1"]),
    "billing_cycle/totals_before": ("c", "EUR", FAR, "C-9"),
    "billing_cycle/unpaid": ("c",),
    "settlement_difference/of_subjects": ("c", LANES),
    "settlement_difference/count": (),
    "order_settlement/write": ("c", LANES, ["EUR"] * SLICE, NUMBERS, UNTIL, NO),
    "order_settlement/unpaid": (),
    "marketplace_order/facts_of": ("c", LANES),
    "marketplace_order/to_settle": ("c", BEGINNING, "", ["CLOSED"], SLICE),
    "intent/of_orders": ("c", LANES, ["shipment", "refund"]),
}
"""The statements of the worker loops, each with 1,000 keys or a limit of 1,000."""
RARE = ("outbox/suspects", "outbox/claim_suspects", "lane/suspects")
"""Asked only once a look has met a key that was lost three times; these may walk what is due."""

FILL = """
INSERT INTO outbox (scope, flow, key, lane, lane_rank, due_at, dirty_since, claim, claimed_version, lease_until, lost)
SELECT 'c', flow, 'SKU-' || lpad(g::text, 6, '0'),
       CASE WHEN flow = 'orders' THEN 'LANE-' || lpad(g::text, 6, '0') END, 1,
       now() - g * interval '1 ms', now(), 0, 1, now() - interval '1 s', 0
FROM generate_series(0, $1::integer / 2 - 1) AS g, unnest(ARRAY['stock', 'orders']) AS flow
"""
FILL_OFFERS = """
WITH effects AS (
    INSERT INTO effect (scope, flow, code, class, state, planned_at)
    SELECT 'c', 'stock', 'STO01', 'safe', 'applied', now() FROM generate_series(1, 100) RETURNING id
), imports AS (
    INSERT INTO import (id, scope, kind, effect_id, state, lines, dirty_since, sent_at)
    OVERRIDING SYSTEM VALUE
    SELECT row_number() OVER (), 'c', 'stock', id, 'done', 1000, now(), now() FROM effects RETURNING id
), lines AS (
    INSERT INTO import_line (import_id, key, version, value, dirty_since)
    SELECT i.id, 'SKU-' || lpad(g::text, 6, '0'), 1, 1, now() FROM imports AS i, generate_series(0, 999) AS g
), sizes AS (
    INSERT INTO size (scope, size_id, sku, variant_id, free, active, preorder, read_at)
    SELECT 'centra', g, 'SKU-' || lpad(g::text, 6, '0'), g, '{}', true, false, now() FROM generate_series(0, 99999) AS g
)
INSERT INTO offer (scope, sku, seen_at)
SELECT s, 'SKU-' || lpad(g::text, 6, '0'), now() FROM generate_series(0, 49999) AS g, unnest(ARRAY['c', 'd']) AS s
"""
FILL_PUBLICATIONS = """
INSERT INTO publication (scope, kind, key, since, state)
SELECT 'c', k, 'SKU-' || lpad(g::text, 6, '0'), now(), 'live'
FROM generate_series(0, 49999) AS g, unnest(ARRAY['offers', 'prices']) AS k
"""
FILL_LIVE = """
WITH shown AS (
    INSERT INTO live_offer (scope, sku, facts, digest, read_at)
    SELECT 'c', 'SKU-' || lpad(g::text, 6, '0'), '{}', 'd', now() FROM generate_series(0, 99999) AS g
), planned AS (
    INSERT INTO plan (number, scope, made_at, made_by) OVERRIDING SYSTEM VALUE VALUES (1, 'c', now(), 'x')
    RETURNING number
)
INSERT INTO plan_line (plan, kind, key, digest)
SELECT number, 'offers', 'SKU-' || lpad(g::text, 6, '0'), 'd' FROM planned, generate_series(0, 99999) AS g
"""
FILL_CODES = """
INSERT INTO product_code (scope, kind, code, sku, since)
SELECT 'c', 'EAN', k, k, now() FROM generate_series(0, 99999) AS g, concat('SKU-', lpad(g::text, 6, '0')) AS k
"""
FILL_PARITY = """
INSERT INTO parity_difference (scope, kind, key, member, ours, theirs, cause, words, team, deed, first_seen_at,
                               last_seen_at)
SELECT 'c', 'stock', 'SKU-' || lpad(g::text, 6, '0'), 'because', '1', '2', 'missed', '', 'ecommerce', 'mended', now(),
       now()
FROM generate_series(0, 99999) AS g
"""
FILL_LINES = """
SET session_replication_role = replica;
INSERT INTO import_line (import_id, key, version, value, dirty_since)
SELECT g % 100, g::text, 1, 1, now() FROM generate_series(1, 100000) AS g;
SET session_replication_role = origin
"""
FILL_ORDERS = """
WITH orders AS (
    INSERT INTO marketplace_order (scope, order_id, commercial_id, state, fulfilled_by, created_at, updated_at,
                                   accept_by, facts, read_at, unmarked, seen_at, ended_at)
    SELECT 'c', 'LANE-' || lpad(g::text, 6, '0'), 'B-' || g, 'CLOSED', 'DEFAULT', now() - g * interval '1 s', now(),
           now(), '{}', now(), g < 100, now(), CASE WHEN g >= 1000 THEN now() END
    FROM generate_series(0, 49999) AS g
), buyers AS (
    INSERT INTO buyer (scope, order_id, body, seen_at)
    SELECT 'c', 'LANE-' || lpad(g::text, 6, '0'), '{}', now() FROM generate_series(0, 49999) AS g
), reserved AS (
    INSERT INTO reservation (scope, channel, order_id, line_id, sku, quantity, absorbed, reserved_at)
    SELECT 'centra', 'c', 'LANE-' || lpad((g / 2)::text, 6, '0'), (g % 2 + 1)::text,
           'SKU-' || lpad((g % 50000)::text, 6, '0'), 1, (g % 50 <> 0)::integer, now()
    FROM generate_series(0, 99999) AS g
), prices AS (
    INSERT INTO offer_price SELECT 'c', 'SKU-' || lpad(g::text, 6, '0'), 1, now() FROM generate_series(0, 49999) AS g
)
INSERT INTO effect (scope, flow, code, class, lane, state, planned_at)
SELECT 'c', 'orders', 'OR21', 'state', 'LANE-' || lpad((g % 50000)::text, 6, '0'), 'applied', now()
FROM generate_series(0, 99999) AS g
"""
FILL_AFTER_SALE = """
WITH returned AS (
    INSERT INTO marketplace_return (scope, return_id, order_id, facts, read_at, seen_at, ended_at)
    SELECT 'c', 'R-' || g, 'LANE-' || lpad((g % 50000)::text, 6, '0'), '{}', now(), now(), now()
    FROM generate_series(0, 99999) AS g
)
INSERT INTO intent (scope, kind, source_id, order_id, state, body, read_at, noted_at, changed_at)
SELECT 'c', 'shipment', 'centra:shipment:' || g, 'LANE-' || lpad((g % 50000)::text, 6, '0'),
       CASE WHEN g % 100 = 0 THEN 'open' ELSE 'done' END, '{}', now(), now(), now()
FROM generate_series(0, 99999) AS g
"""
FILL_LEDGER = """
WITH lines AS (
    INSERT INTO transaction_line (scope, transaction_id, type, amount, currency, state, created_at, updated_at, cycle,
                                  order_id, tax, read_at)
    SELECT 'c', 'T-' || lpad(g::text, 6, '0'), 'ORDER_AMOUNT', 100, 'EUR', 'PAID', now() - g * interval '1 min', now(),
           'C-' || g % 100, CASE WHEN g % 1000 > 0 THEN 'LANE-' || lpad((g / 4)::text, 6, '0') END, 'VAT', now()
    FROM generate_series(0, 99999) AS g
), cycles AS (
    INSERT INTO billing_cycle (scope, cycle_id, currency, created_at, state, paid, totals, read_at)
    SELECT 'c', 'C-' || g, 'EUR', now() - g * interval '1 day', CASE WHEN g > 0 THEN 'PAID' ELSE 'TO_PAY' END, 1, '{}',
           now()
    FROM generate_series(0, 99) AS g
), orders AS (
    INSERT INTO order_settlement (scope, order_id, currency, owed, since, settled_at, looked_at)
    SELECT 'c', 'LANE-' || lpad(g::text, 6, '0'), 'EUR', 1, now(), CASE WHEN g >= 1000 THEN now() END, now()
    FROM generate_series(0, 49999) AS g
)
INSERT INTO settlement_difference (scope, key, subject, kind, state, currency, at_stake, places, words, opened_at,
                                   changed_at)
SELECT 'c', 'amount:' || g, 'LANE-' || lpad((g / 2)::text, 6, '0'), 'amount',
       CASE WHEN g < 1000 THEN 'open' ELSE 'closed' END, 'EUR', 1, 2, 'x', now(), now()
FROM generate_series(0, 99999) AS g
"""
TABLES = (
    *("outbox", "lane", "permit", "offer", "size", "import_line", "import", "effect"),
    *(
        "marketplace_order",
        "buyer",
        "reservation",
        "centra_order",
        "offer_price",
        "intent",
        "marketplace_return",
        "publication",
        "live_offer",
        "product_code",
        "parity_difference",
        "plan",
        "plan_line",
        "transaction_line",
        "billing_cycle",
        "order_settlement",
        "settlement_difference",
    ),
)


@dataclass
class Explained:
    connection: "asyncpg.Connection[asyncpg.Record]"
    logged: list[str]

    async def plan(self, name: str) -> dict[str, Any]:
        """Run a statement as the workers do, and give the plan that Postgres used; nothing is kept."""
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            self.logged.clear()
            await self.connection.fetch(sql(name), *LOOP[name])
        finally:
            await transaction.rollback()
        plans = [json.loads(text[text.index("{") :]) for text in self.logged if '"Plan"' in text]
        ours: list[dict[str, Any]] = [plan["Plan"] for plan in plans if plan["Query Text"] == sql(name)]
        assert len(ours) == 1, f"{name} was planned {len(ours)} times"
        return ours[0]


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", ()) for node in nodes(part))]


def rows_read(node: dict[str, Any]) -> float:
    removed = sum(value for name, value in node.items() if name.startswith("Rows Removed by"))
    found: float = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return found


async def empty_statistics(connection: "asyncpg.Connection[asyncpg.Record]", holder_dsn: str) -> None:
    """Make Postgres believe that the tables are empty: analysed after a purge that could not be vacuumed away."""
    holder = await asyncpg.connect(holder_dsn)
    try:
        await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class")
        await connection.execute(FILL.replace("$1", str(ROWS)))
        await connection.execute(
            "INSERT INTO lane (scope, lane) SELECT 'c', 'X' || g FROM generate_series(1, 50000) AS g"
        )
        await connection.execute(FILL_LINES)
        for table in ("outbox", "lane", "permit", "import_line"):  # those whose rows come and go
            await connection.execute(f"DELETE FROM {table}")
            await connection.execute(f"VACUUM ANALYZE {table}")
    finally:
        await holder.close()


@pytest_asyncio.fixture(params=["absent", "stale", "fresh"])
async def explained(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Explained]:
    connection = await asyncpg.connect(database_url, server_settings=COMMON | PINNED)
    try:
        for table in TABLES:
            await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        if request.param == "stale":
            await empty_statistics(connection, database_url)
        await connection.execute(FILL, ROWS)
        await connection.execute(FILL_OFFERS)
        await connection.execute(FILL_PUBLICATIONS)
        await connection.execute(FILL_LIVE)
        await connection.execute(FILL_CODES)
        await connection.execute(FILL_PARITY)
        await connection.execute(FILL_ORDERS)
        await connection.execute(FILL_AFTER_SALE)
        await connection.execute(FILL_LEDGER)
        await connection.execute(
            "INSERT INTO lane (scope, lane, claim) SELECT 'c', 'LANE-' || lpad(g::text, 6, '0'), 0"
            " FROM generate_series(0, 49999) AS g"
        )
        await connection.execute(
            "INSERT INTO permit (scope, name, capacity, refill_per_second, tokens, refreshed_at)"
            " SELECT 'c' || s, n, 1, 1, 1, now() FROM generate_series(0, 500) AS s, unnest(ARRAY['OR11', 'STO01']) AS n"
        )
        await connection.execute("INSERT INTO permit SELECT 'c', name, 1, 1, 1, now() FROM permit WHERE scope = 'c1'")
        if request.param == "fresh":
            for table in TABLES:
                await connection.execute(f"VACUUM ANALYZE {table}")
        await connection.execute("LOAD 'auto_explain'")
        for setting in (
            "log_min_duration = 0",
            "log_analyze = on",
            "log_buffers = on",
            "log_format = json",
            "log_level = notice",
        ):
            await connection.execute(f"SET auto_explain.{setting}")
        logged: list[str] = []
        connection.add_log_listener(lambda _, message: logged.append(str(message.message)))
        yield Explained(connection, logged)
    finally:
        await connection.close(timeout=5)


@pytest.mark.timeout(300)
async def test_loop_statements_read_by_index_and_a_claim_takes_its_limit_whatever_the_statistics(
    explained: Explained,
) -> None:
    await _claim_takes_its_limit(explained)
    wrong: dict[str, Any] = {}
    for name in LOOP:
        plan = await explained.plan(name)
        found = nodes(plan)
        scans = [n["Node Type"] for n in found if n["Node Type"] == "Seq Scan"]
        most = max(rows_read(node) for node in found)
        pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        # A pass of 1,000 keys reads a few times as many rows, and for each a few pages; never the table for each key.
        if scans or most > (ROWS if name in RARE else 5 * SLICE) or pages > (ROWS if name in RARE else 40 * SLICE):
            wrong[name] = {"scans": scans, "most rows read": most, "pages read": pages, "plan": plan}
    assert not wrong, json.dumps(wrong, indent=1)


async def _claim_takes_its_limit(explained: Explained) -> None:
    transaction = explained.connection.transaction()
    await transaction.start()
    try:
        began = datetime.now(UTC)
        rows = await explained.connection.fetch(sql("outbox/claim"), "c", "stock", 1, BEGINNING, 100, 30.0)
        took = datetime.now(UTC) - began
    finally:
        await transaction.rollback()
    assert len(rows) == 100
    assert len({row["claim"] for row in rows}) == 1
    assert took < timedelta(seconds=1)  # the wrong form took ten; the benchmark holds the exact figure


async def test_every_statement_prepares(database_url: str) -> None:
    connection = await asyncpg.connect(database_url, server_settings=COMMON | PINNED)
    try:
        failed = {}
        for name in names():
            try:
                await connection.prepare(sql(name))
            except asyncpg.PostgresError as exc:
                failed[name] = str(exc)
        assert not failed
    finally:
        await connection.close()


def test_every_statement_says_first_what_it_is_for() -> None:
    silent = [name for name in names() if not sql(name).startswith("-- ") or len(sql(name).split("\n", 1)[0]) < 20]
    several = [name for name in names() if ";" in "".join(_code(sql(name)))]
    assert not silent
    assert not several


def test_one_mark_does_what_many_do() -> None:
    one, many = (sql(name).partition("ON CONFLICT")[2] for name in ("outbox/mark_one", "outbox/mark"))
    assert one == many != ""


def test_every_use_of_a_statement_names_one() -> None:
    code = "\n".join(path.read_text() for path in FOLDER.parent.parent.rglob("*.py"))
    used = set(re.findall(r'\bsql\("([^"]+)"\)', code))
    assert used
    assert sorted(used - set(names())) == []


def _code(text: str) -> list[str]:
    return [line.split("--")[0] for line in text.splitlines()]
