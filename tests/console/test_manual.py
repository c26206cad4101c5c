"""The manual and the runbook: every command in them is run against one running demo, as its pages write it.

The demo's act `morning` leaves a shop in which every kind of work waits for somebody. Words in capitals stand for names
that the reader has: they are taken from what waits there. Commands that differ in their reasons alone are run once.
"""

import os
import re
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import asyncpg
import pytest
from rich.progress import Progress

from app.cli import main
from app.commands.demo.act import Play
from app.commands.demo.morning import SHAPE, play_morning, prepare_morning
from app.commands.demo.report import Report
from app.commands.lab import lab
from app.store.pool import connect
from tests.child import ROOT
from tests.console.orders_desk import said
from tests.console.words import DONE
from tests.faults.every import by_command
from tests.flows.catalogue import map_file
from tests.flows.service import FR, SOURCE, until

MANUAL, RUNBOOK = ROOT / "docs" / "manual", ROOT / "docs" / "runbook"
PAGES = (*sorted(MANUAL.glob("*.md")), *sorted(RUNBOOK.glob("*.md")))
LONGEST_PAGE = 150
OTHERS = frozenset({"kubectl", "promtool", "amtool", "psql", "pg_dump", "pg_restore", "createdb", "curl", "openssl"})
"""Programs that are not ours: their lines are not run."""
ENDLESS = frozenset({"run", "demo", "sandbox"})
"""Commands of ours that go on until they are stopped: only their help is asked for."""
OURS = frozenset(command.name or command.callback.__name__ for command in main.registered_commands if command.callback)
GROUPS = frozenset(group.name for group in main.registered_groups)
ACTS = (
    *("catalogue import", "catalogue release", "apply", "stock release"),
    *("orders hold", "orders release", "orders retry", "held retry", "held resolve", "held decide"),
    *("orders accept", "orders refuse", "carriers map", "carriers unmap", "carriers import"),
    "privacy erase",
)
"""Commands that change what waits, in an order that leaves each something to do; all others go first."""
ENDING = ("held resolve", "held decide", "orders accept", "orders refuse")
"""Commands after which an item or order waits no more."""
CARRIERS = "text,code,name,url\nnord express,DHL,,\n"
HOPE_SECONDS = 120.0


@dataclass(frozen=True)
class Command:
    """A command of a page, the exit code that the page names, and the headings of the output that it shows."""

    page: Path
    words: tuple[str, ...]
    code: int = DONE
    headings: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[str, ...]:
        """The command, whatever its reason is."""
        pairs = zip(("", *self.words), self.words, strict=False)
        return tuple("..." if before == "--why" else word for before, word in pairs)

    @property
    def verb(self) -> str:
        return " ".join(self.words[: 2 if self.words[0] in GROUPS else 1])

    @property
    def rank(self) -> int:
        return ACTS.index(self.verb) + 1 if self.verb in ACTS else 0


# -------------------------------------------------------------------------------------------------------- the pages

AGAIN = 10
NOT_NOW = ("say it again then", "somebody dealt with")
"""A ceiling of the marketplace, and an item that tried itself again meanwhile: no page can know of them."""
OWNER = "OWNER_URL"
BY_OWNER = {"migrate", "retention"}
"""Commands that change the schema's objects or delete: a page says so, and the demo's reader has no such role."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
CODE = re.compile(r"\s+# exit code (\d)$")
PLACE = re.compile(r"[A-Z][A-Z_]+")


def blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Of the `console` blocks: each line after a `$`, with the lines of output below it."""
    for kind, body in FENCE.findall(text):
        if kind == "console":
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                line, *shown = part.replace("\\\n", " ").splitlines()
                yield line, shown


def spans(text: str) -> Iterator[str]:
    """Commands in running text: they begin with our name, or have a word in capitals and may leave the reason out."""
    for span in SPAN.findall(FENCE.sub("", text)):
        line = " ".join(span.split())
        first, *rest = line.split()
        if first == "centra-mirakl" and rest:
            yield line
        elif first in OURS | GROUPS and any(PLACE.fullmatch(word) for word in rest):
            reasoned = "--why" in rest or " ".join((first, rest[0])) not in ACTS
            yield f"centra-mirakl {line}{'' if reasoned else ' --why ...'}"


def headings(shown: list[str]) -> tuple[str, ...]:
    """The words in the heading of a table."""
    return tuple(word for line in shown if "┃" in line for word in re.findall(r"[a-z]{3,}", line))


def commands(page: Path) -> Iterator[Command]:
    text = page.read_text()
    lines = [*blocks(text), *((line, []) for line in spans(text))]
    for line, shown in lines:
        named = CODE.search(line)
        program, *words = shlex.split(CODE.sub("", line))
        if program in OTHERS:
            continue
        assert program == "centra-mirakl", f"{page.name}: {program} is neither ours nor among {sorted(OTHERS)}"
        words = words[: next((n for n, word in enumerate(words) if word in (">", "|")), None)]
        yield Command(page, tuple(words), int(named[1]) if named else DONE, headings(shown))


# --------------------------------------------------------------------------------------------------------- the demo


@asynccontextmanager
async def played(database_url: str) -> AsyncIterator[Mapping[str, str]]:
    """The demo's act on the tests' own Postgres, and its fast clock; the environment of its commands."""
    async with lab(SHAPE, dsn=database_url) as running, connect(running.dsn, work_size=2, desk_size=2) as database:
        await prepare_morning(running)
        replica = await running.start_replica()
        await running.send_webhooks_to(replica)
        found = Report("morning")
        await play_morning(Play(running, database, Progress(disable=True), found))
        assert not found.faults
        yield {**running.told(), OWNER: running.dsn}


@asynccontextmanager
async def kept(_: str) -> AsyncIterator[Mapping[str, str]]:
    """The demo as a reader starts it; the environment that it tells them to set."""
    plain = {**os.environ, "COLUMNS": "400", "NO_COLOR": "1", "TERM": "dumb"}
    arguments = [sys.executable, "-m", "app", "demo", "--act", "morning", "--keep"]
    async with await anyio.open_process(arguments, env=plain, cwd=ROOT, stderr=None) as demo:
        assert demo.stdout is not None
        words, told = "", dict[str, str]()
        with anyio.fail_after(HOPE_SECONDS):
            async for chunk in demo.stdout:
                words += chunk.decode()
                told = dict(re.findall(r"^  export (\w+)='(.*)'$", words, re.MULTILINE))
                if words.endswith("centra-mirakl status\n"):
                    break
        assert told, words
        try:
            yield told
        finally:
            demo.terminate()


class Reader:
    """Somebody who follows the pages: knows what waits, and types it where a page has a word in capitals."""

    def __init__(self, database: asyncpg.Connection, folder: Path) -> None:
        self.database, self.folder, self.ended = database, folder, set[str]()

    async def typed(self, command: Command) -> list[str]:
        words = list(command.words)
        for place, word in enumerate(words):
            if PLACE.fullmatch(word):
                words[place] = await self.name(word, command)
        return words

    async def name(self, word: str, command: Command) -> str:
        match word:
            case "CHANNEL":
                return FR
            case "SOURCE":
                return SOURCE
            case "ITEM":
                return await self.item(command)
            case "ID" | "ORDER":
                return await self.order(command)
            case "MAP":
                return str(map_file(FR))
            case "NUMBER":
                return str(await self.database.fetchval("SELECT max(number) FROM plan"))
            case "SKU":
                return str(await self.database.fetchval("SELECT min(sku) FROM offer WHERE scope = $1", FR))
            case "MEASURE":
                return "late_percent"
            case "FLOW":
                return "stock"
            case "TEXT":
                return "Nord Express"
            case "CODE":
                return "DHL"
            case "FOLDER":
                return str(self.folder / "folder")
            case "FILE":
                file = self.folder / "file.csv"
                if command.verb == "carriers import":
                    file.write_text(CARRIERS)
                return str(file)
            case _:
                raise AssertionError(f"{command.page.name}: nobody knows what {word} stands for")

    async def item(self, command: Command) -> str:
        """An item that waits for this command."""
        advices = {"held decide": ["decide"], "held retry": ["retry_daily"]}.get(command.verb, ["by_hand", "let_go"])
        return await self._next(command, "SELECT item FROM held WHERE advice = ANY($1) ORDER BY item", advices)

    async def order(self, command: Command) -> str:
        """An order that is still to be decided; for a release one that is held."""
        held = "SELECT key FROM held WHERE flow = 'orders' ORDER BY key"
        undecided = "SELECT order_id FROM marketplace_order WHERE accepted_at IS NULL AND state = 'WAITING_ACCEPTANCE'"
        return await self._next(command, held if command.verb == "orders release" else undecided)

    async def _next(self, command: Command, statement: str, *wanted: object) -> str:
        """The first of what waits now, or where the command ends what it is about, the first that was not taken."""

        async def left() -> list[str]:
            return [row[0] for row in await self.database.fetch(statement, *wanted) if row[0] not in self.ended]

        name = (await until(left, f"{command.page.name}: something waits for `{command.verb}`"))[0]
        if command.verb in ENDING:
            self.ended.add(name)
        return name


@pytest.mark.timeout(240)
@pytest.mark.parametrize("morning", [played, pytest.param(kept, marks=by_command)])
async def test_every_command_of_the_pages_does_what_its_page_says(
    morning: Callable[[str], AbstractAsyncContextManager[Mapping[str, str]]], database_url: str, tmp_path: Path
) -> None:
    found = {command.shape: command for page in PAGES for command in commands(page)}
    assert set(ACTS) | {"check", "status", "held list"} <= {command.verb for command in found.values()}
    wrong: list[str] = []
    async with morning(database_url) as told:
        database = await asyncpg.connect(told.get(OWNER, told["DATABASE_URL"]))
        reader = Reader(database, tmp_path)
        for command in sorted(found.values(), key=lambda command: command.rank):
            words = [command.words[0], "--help"] if command.verb in ENDLESS else await reader.typed(command)
            if command.verb in BY_OWNER and OWNER not in told:
                continue
            by_owner = {"DATABASE_URL": told[OWNER]} if command.verb in BY_OWNER else {}
            ended = await said({**told, **by_owner}, *words)
            for _ in range(AGAIN):
                if not any(word in ended.errors for word in NOT_NOW):
                    break
                await anyio.sleep(1)
                words = words if command.verb in ENDLESS else await reader.typed(command)
                ended = await said({**told, **by_owner}, *words)
            missing = [word for word in command.headings if word not in ended.out]
            if ended.code != command.code or missing:
                wrong.append(
                    f"{command.page.name}: {shlex.join(words)}: exit code {ended.code}, without {missing}:"
                    f" {ended.errors or ended.out[:400]}"
                )
        await database.close()
    assert not wrong, "\n".join(wrong)


# ------------------------------------------------------------------------------------------------- how pages are kept


@pytest.mark.parametrize("page", sorted(MANUAL.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_of_the_manual_is_short_and_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    assert len(text.splitlines()) <= LONGEST_PAGE
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), f"{page.name} leads to {target}"


def test_the_way_in_names_every_part() -> None:
    named = (MANUAL / "README.md").read_text()
    for page in sorted(MANUAL.glob("*.md")):
        assert page.name == "README.md" or f"({page.name})" in named, page.name


READERS: Mapping[str, Callable[[str], list[object]]] = {
    "blocks": lambda text: list(blocks(text)),
    "spans": lambda text: list(spans(text)),
}


@pytest.mark.parametrize(
    ("reader", "text", "read"),
    [
        ("blocks", "```console\n$ ours x\nout\n$ curl x\n```\n", [("ours x", ["out"]), ("curl x", [])]),
        ("blocks", "```console\n$ ours \\\n    x\n```\n", [("ours      x", [])]),
        ("blocks", "```toml\n$ centra-mirakl status\n```\n", []),
        ("spans", "see `centra-mirakl held\nlist CHANNEL` and `held retry`", ["centra-mirakl held list CHANNEL"]),
        ("spans", "or `held retry ITEM`", ["centra-mirakl held retry ITEM --why ..."]),
        ("spans", "or `held show ITEM`", ["centra-mirakl held show ITEM"]),
        ("spans", "the table `held`, `centra-mirakl`, `stock_stale FR`", []),
    ],
)
def test_what_counts_as_a_command(reader: str, text: str, read: list[object]) -> None:
    assert READERS[reader](text) == read
