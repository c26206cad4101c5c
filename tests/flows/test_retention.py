"""What has served its time goes; what is open, held or in doubt stays, however old."""

from datetime import UTC, datetime, timedelta

import asyncpg

from app.store.retention import Keep, trim

OLD = datetime.now(UTC) - timedelta(days=1000)


async def import_with_line(connection: asyncpg.Connection, state: str, effect: str, finished: datetime | None) -> int:
    number = await connection.fetchval(
        "INSERT INTO effect (scope, flow, code, class, state, planned_at, decided_at)"
        " VALUES ('fr', 'stock', 'STO01', 'safe', $1, $2, $2) RETURNING id",
        effect,
        OLD,
    )
    key = await connection.fetchval(
        "INSERT INTO import (scope, kind, effect_id, state, lines, dirty_since, sent_at, finished_at)"
        " VALUES ('fr', 'stock', $1, $2, 1, $3, $3, $4) RETURNING id",
        number,
        state,
        OLD,
        finished,
    )
    await connection.execute("INSERT INTO import_line VALUES ($1, 'VX-1', 1, 5, $2)", key, OLD)
    await connection.execute(
        "INSERT INTO outbox (scope, flow, key, state) VALUES ('fr', 'imports', $1, 'ready')", str(key)
    )
    return int(key)


async def test_old_imports_go_with_lines_effects_and_keys_and_open_ones_stay(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    done = await import_with_line(connection, "done", "applied", OLD)
    open_ones = [
        await import_with_line(connection, "unknown", "unknown", OLD),
        await import_with_line(connection, "late", "applied", OLD),
        await import_with_line(connection, "running", "applied", None),
    ]
    fresh = await import_with_line(connection, "done", "applied", datetime.now(UTC))
    found = await trim(database_url, Keep())
    assert {name: found[name] for name in ("import lines", "imports", "effects", "keys of imports")} == {
        "import lines": 1,
        "imports": 1,
        "effects": 1,
        "keys of imports": 1,
    }
    left = {row["id"] for row in await connection.fetch("SELECT id FROM import")}
    assert left == {*open_ones, fresh}
    assert done not in left
    assert await connection.fetchval("SELECT count(*) FROM import_line") == 4
    await connection.close()


async def test_facts_and_unlisted_offers_go_and_dead_letters_and_held_keys_stay(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    for identity, state in (("1", "stored"), ("2", "dead")):
        await connection.execute(
            "INSERT INTO inbox VALUES ('centra', 'centra.event', $1, 'Order', '7', '{}', $2, NULL, $3)",
            identity,
            state,
            OLD,
        )
    for sku, live, state in (("gone", False, "ready"), ("gone-held", False, "held"), ("here", True, "ready")):
        await connection.execute(
            "INSERT INTO offer (scope, sku, live, seen_at) VALUES ('fr', $1, $2, $3)", sku, live, OLD
        )
        await connection.execute(
            "INSERT INTO outbox (scope, flow, key, state) VALUES ('fr', 'stock', $1, $2)", sku, state
        )
    await trim(database_url, Keep())
    assert [r["identity"] for r in await connection.fetch("SELECT identity FROM inbox")] == ["2"]
    assert {r["sku"] for r in await connection.fetch("SELECT sku FROM offer")} == {"gone-held", "here"}
    assert {r["key"] for r in await connection.fetch("SELECT key FROM outbox")} == {"gone-held", "here"}
    await connection.close()


async def test_buyers_go_some_days_after_their_order_ended_and_leave_a_tombstone(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    for order_id, ended in (("old", OLD), ("fresh", datetime.now(UTC) - timedelta(days=20)), ("open", None)):
        await connection.execute(
            "INSERT INTO marketplace_order (scope, order_id, commercial_id, state, fulfilled_by, facts,"
            " created_at, updated_at, accept_by, read_at, seen_at, ended_at)"
            " VALUES ('fr', $1, $1, 'SHIPPING', 'DEFAULT', '{}', $2, $2, $2, $2, $2, $3)",
            order_id,
            OLD,
            ended,
        )
        await connection.execute(
            "INSERT INTO buyer (scope, order_id, body, email_hash, seen_at) VALUES ('fr', $1, '{}', 'x', $2)",
            order_id,
            OLD,
        )
    assert (await trim(database_url, Keep(buyers=21)))["buyers"] == 1
    assert (await trim(database_url, Keep(buyers=21)))["buyers"] == 0  # bears repetition
    rows = await connection.fetch(
        "SELECT order_id FROM buyer WHERE body IS NULL AND email_hash IS NULL AND erased_at > $1", OLD
    )
    assert [row["order_id"] for row in rows] == ["old"]
    assert await connection.fetchval("SELECT count(*) FROM marketplace_order") == 3
    await connection.close()


async def test_what_no_rating_looks_back_to_any_more_goes(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    for name, at in (("old", OLD), ("fresh", datetime.now(UTC) - timedelta(days=399))):
        await connection.execute("INSERT INTO line_incident VALUES ('fr', $1, '1', '2', $2)", name, at)
        await connection.execute("INSERT INTO thread_reply VALUES ('fr', $1, $2, $2, NULL)", name, at)
    found = await trim(database_url, Keep())
    assert (found["incidents"], found["answers to buyers"]) == (1, 1)
    assert await connection.fetchval("SELECT order_id FROM line_incident") == "fresh"
    assert await connection.fetchval("SELECT thread_id FROM thread_reply") == "fresh"
    await connection.close()


async def test_the_audit_gets_its_coming_months_and_loses_the_oldest(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "CREATE TABLE audit_2001_05 PARTITION OF audit FOR VALUES FROM ('2001-05-01') TO ('2001-06-01')"
    )
    assert (await trim(database_url, Keep()))["audit months"] == 1
    names = [r["relname"] for r in await connection.fetch("SELECT relname FROM pg_class WHERE relname ~ '^audit_2'")]
    now = datetime.now(UTC)
    following = (now.replace(day=1) + timedelta(days=40)).strftime("audit_%Y_%m")
    assert following in names
    assert "audit_2001_05" not in names
    assert (await trim(database_url, Keep()))["audit months"] == 0  # bears repetition
    await connection.close()
