"""Who changed what is exported by order, period, channel and team: safe in a spreadsheet, and never all in memory."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.commands.audit import COLUMNS
from app.store.effects import audit
from tests.console.after_desk import LOST, in_doubt, refund
from tests.console.orders_desk import Desk, an_order, desk
from tests.console.words import CONFIGURATION, DIFFERENCES, DONE, sentence
from tests.flows.service import FR, SE, Ended

ILVA = ("--who", "Ilva Testberg", "--why", "seen in the back office")


async def wrote(at: Desk, actor: str, subject: str, detail: str | None, *, channel: str = FR, days: int = 0) -> None:
    """A row of the audit, so many days ago."""
    async with at.database.desk.acquire() as connection:
        await audit(connection, channel, actor, subject, None, "done", detail)
    await at.run("UPDATE audit SET at = at - $1::interval WHERE subject = $2", timedelta(days=days), subject)


def read(ended: Ended) -> list[dict[str, str]]:
    assert ended.code == DONE, ended.errors
    return list(csv.DictReader(io.StringIO(ended.out)))


def subjects(ended: Ended) -> list[str]:
    return [found["subject"] for found in read(ended)]


async def test_by_period_channel_and_team(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await wrote(at, "refunds", "order:R-1-A", "29.95 EUR", days=40)
        await wrote(at, "stock", "stock:VX-1", "released", days=2)
        await wrote(at, "Ilva Testberg", "stock:VX-2", "it is meant", channel=SE)
        assert subjects(await at.say("audit", "export")) == ["order:R-1-A", "stock:VX-1", "stock:VX-2"]
        assert subjects(await at.say("audit", "export", "--channel", SE)) == ["stock:VX-2"]
        assert subjects(await at.say("audit", "export", "--team", "finance")) == ["order:R-1-A"]
        assert subjects(await at.say("audit", "export", "--team", "ecommerce")) == ["stock:VX-1", "stock:VX-2"]
        days = [f"{datetime.now(UTC) - timedelta(days=n):%Y-%m-%d}" for n in (41, 1)]
        assert subjects(await at.say("audit", "export", "--since", days[0], "--until", days[1])) == [
            "order:R-1-A",
            "stock:VX-1",
        ]
        assert subjects(await at.say("audit", "export", "--since", days[1])) == ["stock:VX-2"]
        backwards = await at.say("audit", "export", "--since", days[1], "--until", days[0])
        assert "is not after" in sentence(backwards, CONFIGURATION)
        assert "there is no channel" in sentence(await at.say("audit", "export", "--channel", "xx"), CONFIGURATION)


async def test_one_order_with_its_calls_and_what_people_did(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        for order_id in ("R-1-A", "R-2-A"):
            await at.place(an_order(order_id))
        number = await refund(at, 601, LOST)
        effect = await in_doubt(at, number)
        await refund(at, 602, order_id="R-2-A")
        assert (await at.say("held", "decide", f"i{number}", "not-applied", *ILVA)).code == DONE
        rows = read(await at.say("audit", "export", "--order", "R-1-A"))
        assert {found["subject"] for found in rows} == {"order:R-1-A", f"effect:{effect}"}
        steps = [
            (found["actor"], found["from"], found["to"]) for found in rows if found["subject"] == f"effect:{effect}"
        ]
        assert steps == [
            ("refunds", "", "sent"),
            ("refunds", "sent", "unknown"),
            ("refunds", "unknown", "held"),
            ("Ilva Testberg", "held", "not_applied"),
        ]
        assert rows == sorted(rows, key=lambda found: found["at"])
        assert [found["detail"] for found in rows][-1] == "decided as not applied: seen in the back office"
        finance = read(await at.say("audit", "export", "--order", "R-1", "--team", "finance"))
        assert "Ilva Testberg" in {found["actor"] for found in finance}
        assert "nobody knows the order" in sentence(await at.say("audit", "export", "--order", "R-9-A"), DIFFERENCES)


async def test_a_spreadsheet_takes_no_cell_for_a_formula_and_json_says_what_it_is(
    database_url: str, tmp_path: Path
) -> None:
    async with desk(database_url, tmp_path) as at:
        await wrote(at, "=cmd()", "stock:VX-1", '+1, "quoted"\nand more', days=1)
        await wrote(at, "Ilva [bold]Testberg[/]", "stock:VX-2", None)
        [odd, plain] = read(await at.say("audit", "export"))
        assert (odd["actor"], odd["detail"]) == ("'=cmd()", '\'+1, "quoted"\nand more')
        assert (plain["actor"], plain["detail"], plain["from"]) == ("Ilva [bold]Testberg[/]", "", "")
        ended = await at.say("audit", "export", "--format", "jsonl")
        lines = [json.loads(line) for line in ended.out.splitlines()]
        assert [tuple(found) for found in lines] == [COLUMNS, COLUMNS]
        assert (lines[0]["actor"], lines[1]["detail"]) == ("=cmd()", None)
        assert datetime.fromisoformat(lines[0]["at"]).utcoffset() == timedelta(0)


async def test_many_rows_go_through_a_cursor_into_a_file(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await at.run(
            "INSERT INTO audit (at, scope, actor, subject, to_state) SELECT app_now(), 'demo-fr', 'stock',"
            " 'stock:' || g, 'done' FROM generate_series(1, 5000) AS g"
        )
        file = tmp_path / "audit.csv"
        assert "5000 rows are in" in (await at.say("audit", "export", str(file))).words
        with file.open(newline="", encoding="utf-8") as written:
            assert [found["subject"] for found in csv.DictReader(written)] == [f"stock:{n}" for n in range(1, 5001)]
        nowhere = await at.say("audit", "export", str(tmp_path / "no" / "where.csv"))
        assert "can't be written" in sentence(nowhere, CONFIGURATION)
