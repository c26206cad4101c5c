"""Every row belongs to a scope, and its key says so first: one channel's trouble stays in its own rows, and claims stay
cheap however many channels there are.
"""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest_asyncio

from app.store.pool import COMMON, PINNED
from app.store.statements import names, sql
from tests.flows.test_statements import LOOP

OTHER_KEYS = {
    "app_clock": "one row: the clock of the whole database, in sandboxes only",
    "schema_migration": "the history of the whole database",
    "audit": "partitioned by month, so that retention drops whole months; its index leads with the scope",
    "webhook_seen": "signatures of one endpoint, forgotten after minutes; a signature is as good as a key of its own",
    "effect": "numbered in the order of the calls; its indexes lead with the scope",
    "import": "numbered in the order of the files; its indexes lead with the scope",
    "import_line": "under its import, which has a scope",
    "reservation": "numbered in the order in which units were promised; its index of open ones leads with the scope",
    "intent": "numbered, so that people can name it; unique by scope, kind and source",
    "plan": "numbered, so that people can name it",
    "plan_line": "under its plan, which has a scope",
}
"""Tables whose primary key does not lead with the scope, and why."""
INDEXED_BY_SCOPE = {"audit", "effect", "import", "reservation", "intent"}

BY_NUMBER = {
    *("effect/decide", "effect/decide_held", "import/add_lines", "import/count_report_read", "import/finish"),
    *("import/keys", "import/one", "import/posted", "intent/done", "intent/hold", "intent/lock", "intent/reopen"),
    *("parity_difference/lock", "parity_difference/settle"),
    "settlement_difference/one",
    *("plan/add_lines", "plan/apply", "plan/close", "plan/count_open", "plan/decide", "plan/next", "plan/read"),
}
"""About one row, by the number that a statement with a scope gave."""
BY_PLACE = {"lane/claim", "outbox/settle_placed"}
"""About rows where a statement with a scope has just locked or claimed them."""
OF_ALL_SCOPES = {
    "import/lags": "the demo's figures",
    "import/last": "status, by scope",
    "import/newest": "the demo: where it begins",
    "cursor/all_of": "gauges, by scope",
    "held/one": "people, by the item's name, in which the scope is",
    "offer/unsettled": "the demo waits for all channels",
    "parity_run/all": "gauges and `parity show`, by scope",
    "permit/all": "gauges and status, by scope",
    "seller_rating/all": "gauges and people, by scope",
    "buyer/by_email": "a person who asks to be erased is one for all channels",
    "marketplace_order/centra_changed": "Centra names its own number, which one order of one channel bears",
}
"""Statements that read all scopes and do not count by scope, as those for gauges do; and for whom."""
NO_ROWS_OF_A_SCOPE = {
    *("database/connections", "database/size", "database/tables"),
    *("app_clock/read", "app_clock/write", "outbox/notify", "reservation/lock", "webhook/expire", "webhook/seen"),
}

BOUND = re.compile(
    r"\b(?:scope|channel) = (?:ANY \()?(?:ARRAY\[)?(?:\$\d|\w+\.\w+)|INSERT INTO \w+(?: AS \w+)? \([^)]*\bscope\b"
)
BY_SCOPE = re.compile(r"GROUP BY (?:\w+\.)?scope\b")
FOUND = re.compile(r"\b(?:scope|channel|import_id|plan) = |\bctid\b")
"""How a loop may find rows: by scope, under an import or a plan, or where the same transaction just found them so."""


@pytest_asyncio.fixture
async def connection(database_url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    found = await asyncpg.connect(database_url, server_settings=COMMON | PINNED)
    yield found
    await found.close()


KEYS = """
SELECT t.relname AS name, x.indisprimary, array_agg(a.attname ORDER BY k.place) AS members
FROM pg_class AS t
JOIN pg_index AS x ON x.indrelid = t.oid
CROSS JOIN unnest(x.indkey) WITH ORDINALITY AS k (number, place)
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.number
WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition
GROUP BY t.relname, x.indexrelid, x.indisprimary
"""


async def test_every_primary_key_leads_with_its_scope(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    rows = await connection.fetch(KEYS)
    others = {row["name"] for row in rows if row["indisprimary"] and row["members"][0] != "scope"}
    assert others == set(OTHER_KEYS), "either the key leads with the scope, or the reason stands here"
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'audit\\_%'"
    keyed = {row["name"] for row in rows if row["indisprimary"]}
    assert {row["tablename"] for row in await connection.fetch(tables)} == keyed, "every table has a primary key"
    assert {row["name"] for row in rows if row["members"][0] == "scope"} & others == INDEXED_BY_SCOPE


def test_every_statement_is_bound_to_a_scope_or_says_why_not() -> None:
    ours = {name for name in names() if not name.startswith("retention/")}  # by age, in all scopes, once a day
    unbound = {name for name in ours if not BOUND.search(_code(name)) and not BY_SCOPE.search(_code(name))}
    allowed = BY_NUMBER | BY_PLACE | set(OF_ALL_SCOPES) | NO_ROWS_OF_A_SCOPE
    assert sorted(unbound - allowed) == [], "give it a scope, or a reason here"
    assert sorted(allowed - ours) == []
    assert all(
        re.search(r"\b(?:(?:import_)?id|plan|number) = \$1|INSERT INTO (?:import|plan)_line", _code(name))
        for name in BY_NUMBER
    )
    assert all("ctid" in _code(name) for name in BY_PLACE)


async def test_every_table_that_a_loop_reads_is_read_by_scope(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """As Postgres plans them, so that a filter in the text which binds another table does not count."""
    wrong: dict[str, Any] = {}
    for name in (each for each in LOOP if not BY_SCOPE.search(_code(each)) and each not in OF_ALL_SCOPES):
        plan = json.loads(await connection.fetchval("EXPLAIN (FORMAT JSON) " + sql(name), *LOOP[name]))
        for node in _scans(plan[0]["Plan"]):
            conditions = " ".join(
                str(node[kind]) for kind in ("Index Cond", "Recheck Cond", "Filter", "TID Cond") if kind in node
            )
            if not FOUND.search(conditions):
                wrong[f"{name}: {node['Relation Name']}"] = conditions
    assert not wrong, json.dumps(wrong, indent=1)


def _scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    found = [plan] if "Relation Name" in plan and plan["Node Type"] != "ModifyTable" else []
    return found + [node for part in plan.get("Plans", ()) for node in _scans(part)]


def _code(name: str) -> str:
    return "\n".join(line.split("--")[0] for line in sql(name).splitlines())
