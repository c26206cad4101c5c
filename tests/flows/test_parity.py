"""Stock, prices and offers with planted differences: every one is found and no other, and why it stands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.clock import monotonic
from app.domain.ids import Scope
from app.domain.parity import Deed, Found, Kind
from app.engine.flow import Pass, Services
from app.engine.wakeups import Wakeups
from app.flows.catalogue_sweep import CATALOGUE_SWEEP
from app.flows.catalogue_sweep import Walk as Swept
from app.flows.parity import PARITY, Progress, Walk, cursor_of, work
from app.flows.publishing.book import MAP
from app.flows.publishing.preview import pages
from app.flows.publishing.ready import around
from app.flows.read_back import READ_BACK, Export
from app.flows.sweep import SWEPT
from app.settings import Channels, Process, Secrets
from app.store import mirrors, parity, products
from app.store.outbox import Claim, Settled, Verdict, Waiting
from app.store.pool import Connection, connect
from app.supervisor import Configuration, services
from tests.flows.test_preview import BOOK, FR, LIST, SOURCE, TOPOLOGY, product, sell, show

SKUS = 240
TOLD = timedelta(hours=1)
"""So old are the copies of the far side, and older still what was confirmed."""
CHANNEL = {
    "id": FR,
    "url": "http://127.0.0.1:9",
    "shop_id": 2001,
    "market": 4,
    "catalogue": {"offers": "on"},
    "prices": {"mode": "on", "price_list": LIST},
}

PLANTED: Mapping[str, int] = {
    "stock: changed by hand": 30,
    "stock: no flow noticed": 20,
    "stock: on its way": 10,
    "stock: held": 10,
    "price: changed by hand": 20,
    "price: no flow noticed": 20,
    "price: refused": 10,
    "offer: another member": 20,
    "offer: absent": 20,
    "offer: waits for the operator": 10,
    "offer: left the assortment": 10,
    "offer: not ours": 20,
}
"""200 in all, each with SKUs of its own; the other SKUs are the same at both ends."""


@asynccontextmanager
async def parts_of(dsn: str, folder: Path, **members: Any) -> AsyncIterator[Services]:
    """Services over this database; nobody answers at their platforms."""
    for name in ("centra_token", "mirakl_key_demo_fr"):
        (folder / name).write_text("k")
    told = {"centra": {"id": SOURCE, "url": "http://127.0.0.1:9", "store": 1}, "channel": [{**CHANNEL, **members}]}
    configuration = Configuration(Process(), Channels.model_validate(told), Secrets(folder))
    async with connect(dsn) as database, services(configuration, database, Wakeups()) as parts:
        yield parts


async def compared(parts: Services, walk: Walk = Walk.OFFERS) -> Verdict:
    """The flow's work on a walk, as a worker gives it one."""
    now = parts.clock.now()

    async def extend() -> None:
        turn.usable_until = monotonic() + 30

    claim = Claim(walk.value, 1, 1, 1, now, now)
    turn = Pass(parts, Scope(FR), PARITY, [claim], monotonic() + 30, extend)
    return (await work(turn))[claim]


async def differences(connection: Connection) -> set[tuple[str, ...]]:
    rows = await connection.fetch(
        "SELECT kind, key, member, cause, deed FROM parity_difference WHERE scope = $1 AND gone_at IS NULL", FR
    )
    return {tuple(row.values()) for row in rows}


async def scores(connection: Connection) -> dict[str, tuple[int, int]]:
    """Compared and differing, by kind."""
    rows = await connection.fetch("SELECT kind, compared, differing FROM parity_run WHERE scope = $1", FR)
    return {row["kind"]: (row["compared"], row["differing"]) for row in rows}


async def read_back(connection: Connection, at: datetime) -> None:
    """The copy of the live offers was made then."""
    done = Export(last_asked_at=at.isoformat(), last_full_at=at.isoformat(), has_all=True)
    await mirrors.write_cursor(connection, FR, READ_BACK, done)


async def alike(connection: Connection, now: datetime, skus: int = SKUS) -> None:
    """A channel that has everything as Centra wants it."""
    await products.write(connection, SOURCE, [product(number) for number in range(1, skus + 1)], now)
    for number in range(1, skus + 1):
        await sell(connection, number)
        await show(connection, number)
    await mirrors.write_mirror(connection, SOURCE, mirrors.TOPOLOGY, TOPOLOGY)
    await mirrors.write_cursor(connection, SOURCE, SWEPT, now.isoformat())
    await mirrors.write_cursor(connection, SOURCE, CATALOGUE_SWEEP, Swept(whole_at=now.isoformat()))
    for name, value in (
        (MAP, BOOK.map),
        ("H11", BOOK.hierarchies),
        ("PM11", BOOK.declared),
        ("PC01", {}),
        ("VL11", []),
    ):
        await mirrors.write_mirror(connection, FR, name, value)
    await read_back(connection, now - TOLD)


async def plant(connection: Connection, now: datetime) -> set[tuple[str, ...]]:
    """Differences by the names of PLANTED; what must be found: kind, key, member, cause, deed."""
    numbers, named = iter(range(1, SKUS + 1)), dict[str, list[int]]()
    for name, count in PLANTED.items():
        named[name] = [next(numbers) for _ in range(count)]
    dearer = [product(n, price=Decimal("99.90")) for name in named if name.startswith("price") for n in named[name]]
    left = [product(number, active=False) for number in named["offer: left the assortment"]]
    await products.write(connection, SOURCE, dearer + left, now)
    for number in named["offer: absent"] + named["offer: waits for the operator"]:
        await connection.execute("UPDATE offer SET live = false WHERE sku = $1", f"VX-{number}")
    sent = await digests(connection)
    return {await _planted(connection, name, number, sent, now) for name, all_ in named.items() for number in all_}


async def _planted(
    connection: Connection, name: str, number: int, sent: Mapping[tuple[str, str], str], now: datetime
) -> tuple[str, ...]:
    sku, long_ago = f"VX-{number}", now - 2 * TOLD
    match name:
        case "stock: changed by hand":
            await show(connection, number, 9)
            await connection.execute(CONFIRMED, sku, long_ago)
            return ("stock", sku, "quantity", "by hand", "mended")
        case "stock: no flow noticed":
            await show(connection, number, 9)
            return ("stock", sku, "quantity", "missed", "mended")
        case "stock: on its way" | "stock: held":
            await show(connection, number, 9)
            cause = name.partition(": ")[2]
            await connection.execute(WORK, FR, sku, "held" if cause == "held" else "ready")
            return ("stock", sku, "quantity", cause, "nothing")
        case "price: changed by hand":
            await told(connection, "prices", sku, "live", sent["prices", sku], long_ago)
            return ("prices", sku, "price", "by hand", "mended")
        case "price: no flow noticed":
            return ("prices", sku, "price", "missed", "mended")
        case "price: refused":
            await told(connection, "prices", sku, "rejected", sent["prices", sku], long_ago)
            return ("prices", sku, "price", "refused", "held")
        case "offer: another member":
            await show(connection, number, lead_time_days=5)
            return ("offers", sku, "lead time", "missed", "mended")
        case "offer: waits for the operator":
            await told(connection, "offers", sku, "waiting", sent["offers", sku], now)
            return ("offers", sku, "offer", "on its way", "nothing")
        case "offer: not ours":
            await show(connection, number + 1_000)
            return ("offers", f"VX-{number + 1_000}", "offer", "not ours", "held")
        case _:  # absent, or left the assortment
            return ("offers", sku, "offer", "missed", "mended")


CONFIRMED = """
UPDATE offer SET stock_confirmed = 4, stock_confirmed_version = 1, stock_sent_version = 1, stock_confirmed_at = $2
WHERE sku = $1
"""
WORK = """
INSERT INTO outbox (scope, flow, key, state, dirty_since, due_at, reason)
VALUES ($1, 'stock', $2, $3, now(), CASE WHEN $3 = 'ready' THEN now() END, 'a mass change')
"""
TOLD_OF = """
INSERT INTO publication (scope, kind, key, state, since, sent, sent_body, sent_version, confirmed, confirmed_version,
                         confirmed_at, reasons)
VALUES ($1, $2, $3, $4, $6, $5, '{"tags": [{"amount": "99.90"}]}', 1, $5, 1, $6,
        CASE WHEN $4 = 'rejected' THEN '["too dear"]'::jsonb END)
"""


async def told(connection: Connection, kind: str, sku: str, state: str, digest: str, at: datetime) -> None:
    """What was sent last, and taken then."""
    await connection.execute(TOLD_OF, FR, kind, sku, state, digest, at)


async def digests(connection: Connection) -> dict[tuple[str, str], str]:
    """Of what the flows would send, by kind and SKU."""
    channel = Channels.model_validate({"centra": {"url": "http://127.0.0.1:9", "store": 1}, "channel": [CHANNEL]})
    whole = await around(connection, channel.channel[0], SOURCE, datetime.now(UTC))
    return {(line.kind, line.key): line.digest or "" async for page in pages(connection, whole) for line in page.lines}


async def marked(connection: Connection) -> dict[str, int]:
    """How many keys were given to each flow again."""
    rows = await connection.fetch("SELECT flow, count(*) FROM outbox WHERE priority = 2 GROUP BY flow")
    return {row["flow"]: row["count"] for row in rows}


async def worked(connection: Connection) -> None:
    """The flows have worked all that was due, and nothing came of it."""
    await connection.execute("UPDATE outbox SET due_at = NULL, dirty_since = NULL WHERE state = 'ready'")
    await read_back(connection, datetime.now(UTC))


async def test_every_one_of_200_planted_differences_is_found_and_no_other(database_url: str, tmp_path: Path) -> None:
    async with parts_of(database_url, tmp_path) as parts, parts.database.desk.acquire() as connection:
        now = datetime.now(UTC)
        await alike(connection, now)
        assert isinstance(await compared(parts), Settled)
        assert await differences(connection) == set()
        assert await scores(connection) == {"stock": (SKUS, 0), "prices": (SKUS, 0), "offers": (SKUS, 0)}

        wanted = await plant(connection, now)
        assert len(wanted) == sum(PLANTED.values()) == 200
        await compared(parts)
        assert await differences(connection) == wanted
        # What is freshly on its way lowers no score; an offer that is not there, or not sold, has no price to compare.
        assert await scores(connection) == {
            "stock": (SKUS - 30, 60),
            "prices": (SKUS - 40, 50),
            "offers": (SKUS + 20, 70),
        }
        assert await marked(connection) == {"stock": 50, "prices": 40, "offers": 50}
        held = await connection.fetch("SELECT key, team, reason FROM held WHERE flow = 'parity'")
        assert {(row["key"], row["team"], row["reason"]) for row in held} == {
            (key, "ecommerce", f"{kind} differ: {cause}") for kind, key, _, cause, deed in wanted if deed == "held"
        }

        before = await connection.fetch("SELECT id, tries FROM parity_difference ORDER BY id")
        await compared(parts)
        assert await connection.fetch("SELECT id, tries FROM parity_difference ORDER BY id") == before, "none twice"


async def test_what_is_mended_is_gone_and_what_comes_back_each_time_is_held(database_url: str, tmp_path: Path) -> None:
    async with parts_of(database_url, tmp_path) as parts, parts.database.desk.acquire() as connection:
        await alike(connection, datetime.now(UTC), 3)
        await show(connection, 1, 9)
        await show(connection, 2, 9)
        await compared(parts)
        await worked(connection)
        await show(connection, 1)  # the marketplace took it
        for tries in (2, 3):
            await compared(parts)
            assert await differences(connection) == {("stock", "VX-2", "quantity", "missed", "mended")}
            assert await connection.fetchval("SELECT tries FROM parity_difference WHERE key = 'VX-2'") == tries
            await worked(connection)
        await compared(parts)
        assert await differences(connection) == {("stock", "VX-2", "quantity", "missed", "held")}
        assert await scores(connection) == {"stock": (3, 1), "prices": (3, 0), "offers": (3, 0)}
        assert await connection.fetchval("SELECT count(*) FROM held WHERE flow = 'parity'") == 1

        number = await connection.fetchval("SELECT id FROM parity_difference WHERE gone_at IS NULL")
        await parity.settle(connection, number, Deed.RESOLVED, "Ilva Testberg", "a display piece")
        await compared(parts)
        assert await differences(connection) == {("stock", "VX-2", "quantity", "missed", "resolved")}
        assert (await scores(connection))["stock"] == (3, 0), "a person let it be"

        await show(connection, 2, 8)
        await compared(parts)
        assert await differences(connection) == {("stock", "VX-2", "quantity", "missed", "mended")}, "another one"
        assert await connection.fetchval("SELECT count(*) FROM held WHERE flow = 'parity'") == 0


async def test_a_walk_goes_on_where_it_was(database_url: str, tmp_path: Path) -> None:
    async with parts_of(database_url, tmp_path) as parts, parts.database.desk.acquire() as connection:
        now = datetime.now(UTC)
        await alike(connection, now, 5)
        for number in (1, 4, 90):
            await show(connection, number, 9)
        began = now - TOLD
        walked = Progress(began, began, place=("3", ""), counts={"stock": (3, 1, 0)})
        await mirrors.write_cursor(connection, FR, cursor_of(Walk.OFFERS), walked)
        seen = Found(Kind.STOCK, "VX-1", "quantity", "4", "9")
        gone = Found(Kind.STOCK, "VX-2", "quantity", "4", "9")
        await parity.write(connection, FR, [(seen, Deed.NOTHING)], began, now)
        await parity.write(connection, FR, [(gone, Deed.NOTHING)], began - TOLD, now)
        await compared(parts)
        assert {row[1] for row in await differences(connection)} == {"VX-1", "VX-4", "VX-90"}
        assert (await scores(connection))["stock"] == (5, 2)
        assert await mirrors.read_cursor(connection, FR, cursor_of(Walk.OFFERS), Progress) is None


async def test_what_was_never_read_is_not_compared(database_url: str, tmp_path: Path) -> None:
    async with parts_of(database_url, tmp_path) as parts, parts.database.desk.acquire() as connection:
        verdict = await compared(parts)
        assert isinstance(verdict, Waiting)
        assert "never read in full" in (verdict.reason or "")
        assert await scores(connection) == {}


async def test_a_dry_run_is_compared_and_never_mended(database_url: str, tmp_path: Path) -> None:
    async with (
        parts_of(database_url, tmp_path, stock={"dry_run": True}) as parts,
        parts.database.desk.acquire() as connection,
    ):
        await alike(connection, datetime.now(UTC), 2)
        await show(connection, 1, 9)
        await compared(parts)
        assert await differences(connection) == {("stock", "VX-1", "quantity", "dry run", "nothing")}
        assert await marked(connection) == {}
