"""`parity`, and what `held` does about differences, over a database in which a service has compared."""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime
from pathlib import Path

from app.domain.parity import Cause, Deed, Found, Kind
from app.store import parity
from app.store.pool import Connection, connect
from tests.console.orders_desk import said
from tests.console.words import DIFFERENCES, DONE
from tests.flows.test_preview import FR

NOW = datetime.now(UTC)
CHANNELS = f"""
[centra]
url = "http://127.0.0.1:9"
[[channel]]
id = "{FR}"
url = "http://127.0.0.1:9"
shop_id = 2001
market = 4
"""
HELD = [Found(Kind.OFFERS, f"=VX-{n}", "offer", "not known", "listed", Cause.NOT_OURS, "[red]earlier") for n in (1, 2)]
MENDED = Found(Kind.STOCK, "VX-3", "quantity", "4", "9", mend="stock")


async def differ(connection: Connection) -> list[str]:
    """Two differences are held, one is mended; the names of the held ones."""
    await parity.write(connection, FR, [(one, Deed.HELD) for one in HELD], NOW, NOW)
    await parity.write(connection, FR, [(MENDED, Deed.MENDED)], NOW, NOW)
    await parity.write_run(connection, FR, Kind.OFFERS, NOW, NOW, (3_000_000, 2, 0))
    await parity.write_run(connection, FR, Kind.STOCK, NOW, NOW, (200, 0, 1))
    return [row["item"] for row in await connection.fetch("SELECT item FROM held ORDER BY item")]


def environment(dsn: str, folder: Path) -> dict[str, str]:
    (folder / "channels.toml").write_text(CHANNELS)
    return {**os.environ, "DATABASE_URL": dsn, "CENTRA_MIRAKL_CHANNELS_FILE": str(folder / "channels.toml")}


async def test_differences_are_shown_listed_and_ended_by_people(database_url: str, tmp_path: Path) -> None:
    told, file = environment(database_url, tmp_path), tmp_path / "differences.csv"
    async with connect(database_url) as database, database.desk.acquire() as connection:
        shown = await said(told, "parity", "show")
        assert (shown.code, shown.words) == (DONE, "nothing was compared yet: `centra-mirakl parity run`")
        first, second = await differ(connection)

        shown = await said(told, "parity", "show", "--channel", FR)
        assert shown.code == DONE
        assert "99.99 % │ 3000000 │ 2" in shown.words, "never 100 % while anything differs"
        assert "100.00 % │ 200 │ 0 │ 1" in shown.words
        listed = await said(told, "parity", "differences", "--csv", str(file))
        assert (listed.code, "not ours: [red]earlier" in listed.words) == (DONE, True)
        with file.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.DictReader(opened))
        assert [(row["item"], row["key"], row["cause"], row["done"], row["tries"]) for row in rows] == [
            (first, "'=VX-1", "not ours", "held", "0"),
            (second, "'=VX-2", "not ours", "held", "0"),
            ("p3", "VX-3", "missed", "mended", "1"),
        ]
        listed = await said(told, "parity", "differences", "--kind", "prices")
        assert (listed.code, listed.words) == (DONE, "nothing differs, as last compared")

        waits = await said(told, "held", "list", "--team", "ecommerce")
        assert "offers differ: not ours" in waits.words
        assert "held resolve" in waits.words
        ended = await said(told, "held", "resolve", first, "--who", "Ilva Testberg", "--why", "a display piece")
        assert (ended.code, ended.words) == (DONE, f"{first}: it may stay so, until either end changes")
        again = await said(told, "held", "retry", first, "--who", "Odo Testman")
        assert again.code == DIFFERENCES
        assert "Ilva Testberg dealt with" in again.errors
        ended = await said(told, "held", "retry", second, "--who", "Odo Testman")
        assert ended.code == DONE
        rows_left = await connection.fetch("SELECT key, deed FROM parity_difference WHERE kind = 'offers' ORDER BY key")
        assert [tuple(row) for row in rows_left] == [("=VX-1", "resolved"), ("=VX-2", "nothing")]
        assert await connection.fetchval("SELECT count(*) FROM held") == 0
