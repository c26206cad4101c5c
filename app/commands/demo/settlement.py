"""The act of the settlement: a month of two billing cycles on two marketplaces, closed to the cent.

Eleven orders are sold, sent and partly given back, and four things are planted in what the operators write down and
pay. The stand-ins' own books are the judge. Exactly what was planted must be found, the journal of the month must
balance, and at last a person says of each difference why it is so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio
from rich.progress import TaskID

from app.commands.context import UnreachableError
from app.commands.demo.act import Act, Play, Show
from app.commands.demo.after_sale import columns
from app.commands.demo.after_sale_ends import differences, read_after_sale
from app.commands.demo.morning import by_day
from app.commands.demo.settlement_cast import (
    ACROSS,
    CONTRACT,
    FINANCE,
    FIRST,
    LEVELS,
    PLANTED,
    RULES,
    SECOND,
    SKUS,
    Decision,
    Planting,
)
from app.commands.demo.settlement_ends import Journal, Ours, journal_of, read_books, read_ours
from app.commands.demo.settlement_judge import Judged, Money, expected, judge, paired, signed
from app.commands.demo.settlement_shown import in_figures, show_settlement
from app.commands.demo.stage import LOOK_SECONDS, Scene, Stage, Story, set_stage
from app.commands.demo.stock import amid_stock, until_at_rest
from app.commands.lab import Lab, Shape
from app.commands.lab_time import let_pass, time_of
from app.domain.settlement import PayOut
from app.flows.settlement import SETTLEMENT
from app.store.pool import Database
from app.store.readings import read_reading
from app.store.settlement import MATCHING
from app.store.statements import sql

SCALE = 120.0
SIZES = 60
SHAPE = Shape(
    sizes=SIZES,
    scale=SCALE,
    orders="on",
    after_sale='returns = { poll_seconds = 300, unannounced = "refund" }',
    settlement=CONTRACT,
    ratings=LEVELS,
    postgres={"fsync": "off", "full_page_writes": "off"},
)
REST_SECONDS = 20.0
FOLLOW_SECONDS = 30.0
"""Real seconds, as the one above: until what a marketplace did is read and compared."""
BEGINS = timedelta(days=26) - timedelta(hours=8)
CLOSES = {1: timedelta(days=17), 2: timedelta(days=7)}
"""Before the end of the month, in app time. A marketplace counts a parcel as received after a week."""
UNTIL_PAID = timedelta(hours=30)
UNTIL_GRACE = timedelta(days=2)
AFTER_THE_END = (timedelta(hours=1), timedelta(hours=3))
"""Two steps: a service follows the clock within a second, and must know by the second one that the month is over."""
CLOCK_SECONDS = 1.5
"""Real ones, until it does."""


def following_month(now: datetime) -> datetime:
    """When the next month begins, UTC."""
    return (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)


async def prepare_settlement(running: Lab) -> None:
    """Let the next month begin, and its first orders be days away from its end; the operators' terms."""
    now = await time_of(running)
    begins = following_month(following_month(now)) - BEGINS
    await let_pass(running, (begins - now).total_seconds())
    for address in running.mirakl.values():
        await running.ask(address, "/_sandbox/money/rules", RULES)


async def play_settlement(play: Play) -> Show:
    """Two cycles are sold, closed and paid; then what differs is found, the month is booked, and a person decides."""
    found = play.found
    stage = await set_stage(play.running, play.database, play.progress, skus=SKUS)
    month = await Month.now(stage)
    async with anyio.create_task_group() as around:
        around.start_soon(stage.look_on)
        for cycle, stories in ((1, FIRST), (2, (*SECOND, *ACROSS))):
            await month.sell(cycle, stories)
            await month.close(cycle)
        await month.find()
        journals = await month.book()
        around.cancel_scope.cancel()
    judged = await month.judge(journals)
    ended = await month.decide(judged)
    found.settlement = {one.channel: in_figures(one, month.name) for one in ended}
    found.settlement_wrong = [*month.faults, *(fault for one in ended for fault in one.faults)]
    return lambda console: show_settlement(console, ended, found, month.name)


@dataclass(frozen=True, slots=True)
class Month:
    """The month in play; `ends`: in app time."""

    stage: Stage
    ends: datetime

    @classmethod
    async def now(cls, stage: Stage) -> Month:
        return cls(stage, following_month(await time_of(stage.lab)))

    @property
    def name(self) -> str:
        """As 2026-03."""
        return f"{self.ends - timedelta(days=1):%Y-%m}"

    @property
    def faults(self) -> list[str]:
        return self.stage.faults

    @property
    def lab(self) -> Lab:
        return self.stage.lab

    async def pass_until(self, at: datetime) -> None:
        """Days go by, once what is under way has come to rest."""
        await until_at_rest(self.stage.database, REST_SECONDS)
        await let_pass(self.lab, max(0.0, (at - await time_of(self.lab)).total_seconds()))

    def task(self, name: str, total: int, said: str = "") -> TaskID:
        return self.stage.progress.add_task(name, total=total, said=said)

    def say(self, task: TaskID, words: str, *, completed: int) -> None:
        self.stage.progress.update(task, completed=completed, said=words)

    # ---------------------------------------------------------------------------------------------- two cycles

    async def sell(self, cycle: int, stories: Sequence[Story]) -> None:
        """Play the orders of a cycle, all at once."""
        stage, total = self.stage, sum(story.steps for story in stories)
        task = self.task(f"cycle {cycle}: orders", total, "buyers order")

        async def play(story: Story) -> None:
            scene = Scene(stage, story, list(self.lab.mirakl)[story.channel], task)
            with stage.noting(scene):
                await story.script(scene)

        async with anyio.create_task_group() as group:
            for story in stories:
                group.start_soon(play, story)

    async def close(self, cycle: int) -> None:
        """The day comes on which the operators close it, with what is planted; a day later it is paid."""
        task = self.task(f"cycle {cycle}: pay-outs", len(self.lab.mirakl), "the buyers receive their parcels")
        closes_at = self.ends - CLOSES[cycle]
        await self.pass_until(closes_at)
        for channel, planting in self._planted():
            if planting.cycle == cycle:
                path = f"/_sandbox/money/{planting.route}"
                await self.lab.ask(self.lab.mirakl[channel], path, dict(planting.told))
        for address in self.lab.mirakl.values():
            await self.lab.ask(address, "/_sandbox/money/cycles", {"close": True})
        self.say(task, "closed by the operators", completed=0)
        await self.pass_until(closes_at + UNTIL_PAID)

        async def are_paid() -> bool:
            last = {channel: (await self.ours(channel)).cycles[-1:] for channel in self.lab.mirakl}
            paid = {
                channel: one.cycle.paid
                for channel, newest in last.items()
                for one in newest
                if one.cycle.created_at >= closes_at and one.cycle.state == PayOut.PAID and one.total is not None
            }
            said = "paid: " + " and ".join(signed(amount) for amount in paid.values())
            self.say(task, said, completed=len(paid))
            return len(paid) == len(last)

        await self._until(are_paid, f"the pay-outs of cycle {cycle} are read")

    # ------------------------------------------------------------------------------------------- the month's end

    async def find(self) -> None:
        """Until all that was planted is found, and nothing is left to be compared."""
        total = len(PLANTED)
        task = self.task("differences found", total, "every line is compared")
        await self.pass_until(self.ends - CLOSES[2] + UNTIL_PAID + UNTIL_GRACE)

        async def are_found() -> bool:
            count = 0
            for channel in self.lab.mirakl:
                wanted = expected(await read_books(self.lab, channel), self._words(channel))
                pairs = paired(wanted, await self.ours(channel)).pairs
                count += sum(found is not None for _, found in pairs)
            self.say(task, f"{count} of {total} that were planted", completed=count)
            return count == total and await _is_compared(self.stage.database)

        await self._until(are_found, "what was planted is found")

    async def book(self) -> Mapping[str, Journal]:
        """The month ends, its log is read to the end, and finance exports the journal."""
        task = self.task(f"journal of {self.name}", 2, "the month ends")
        for later in AFTER_THE_END:
            await self.pass_until(self.ends + later)
            await anyio.sleep(CLOCK_SECONDS)

        async def is_whole() -> bool:
            async with self.stage.database.desk.acquire() as connection:
                read = [(await read_reading(connection, channel)).whole_at for channel in self.lab.mirakl]
            return all(at is not None and at >= self.ends for at in read) and await _is_compared(self.stage.database)

        await self._until(is_whole, f"the log of {self.name} is read to its end")
        self.say(task, f"settlement export --period {self.name}", completed=1)
        file = self.lab.folder / f"journal-{self.name}.csv"
        if not await self._command("settlement", "export", "--period", self.name, "--out", str(file)):
            return {}
        journals = await anyio.to_thread.run_sync(journal_of, file)
        debit, credit = (sum(getattr(j, side) for j in journals.values()) for side in ("debit", "credit"))
        self.say(task, f"debit {signed(debit)}, credit {signed(credit)}", completed=2)
        return journals

    async def judge(self, journals: Mapping[str, Journal]) -> list[Judged]:
        """Both ends of every order, and each channel by its marketplace's books."""
        ends = await read_after_sale(self.lab)
        self.faults.extend(differences(ends))
        judged = []
        for place, channel in enumerate(self.lab.mirakl):
            told = Money(channel, await read_books(self.lab, channel), await self.ours(channel), ends)
            across = [story.order_id for story in ACROSS if story.channel == place]
            judged.append(judge(told, journals.get(channel, Journal()), self._words(channel), across))
        return judged

    async def decide(self, judged: Sequence[Judged]) -> Sequence[Judged]:
        """A person says of each difference why it is so; what stands then."""
        task = self.task(f"{FINANCE} decides", len(PLANTED))
        wanted = {(channel, planting.words): planting.decision for channel, planting in self._planted()}
        numbers: dict[Decision, list[str]] = {}
        for one in judged:
            for planted, noted in one.paired.pairs:
                if noted is not None:
                    numbers.setdefault(wanted[one.channel, planted.words], []).append(f"d{noted.number}")
        done = 0
        for decision, items in numbers.items():
            self.say(task, f"settlement {decision.command} {' '.join(items)}", completed=done)
            said = ("--who", FINANCE, "--note", decision.note)
            done += len(items) * await self._command("settlement", decision.command, *items, *said)
        self.say(task, f"{done} differences have a note", completed=done)
        for one in judged:
            one.read_again(await self.ours(one.channel))
            one.faults += [
                f"{one.channel}: d{noted.number} is {noted.state} ({noted.note}), and {FINANCE} said otherwise"
                for planted, noted in one.paired.pairs
                if noted is not None and noted.note != wanted[one.channel, planted.words].note
            ]
        return judged

    # ------------------------------------------------------------------------------------------------- its parts

    async def ours(self, channel: str) -> Ours:
        return await read_ours(self.stage.database, channel, self.ends - timedelta(days=31), self.ends)

    def _planted(self) -> list[tuple[str, Planting]]:
        channels = list(self.lab.mirakl)
        return [(channels[planting.channel], planting) for planting in PLANTED]

    def _words(self, channel: str) -> list[str]:
        return [planting.words for its, planting in self._planted() if its == channel]

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        with anyio.move_on_after(FOLLOW_SECONDS):
            while not await condition():  # noqa: ASYNC110 - other processes have no event
                await anyio.sleep(LOOK_SECONDS)
            return
        self.faults.append(f"waited in vain until {what}")

    async def _command(self, *arguments: str) -> bool:
        try:
            await self.lab.command(*arguments)
        except UnreachableError as exc:
            self.faults.append(str(exc))
            return False
        return True


async def _is_compared(database: Database) -> bool:
    """Whether no money waits to be read or compared."""
    rows = await database.desk.fetch(sql("outbox/census"))
    return not any(row["due"] for row in rows if row["flow"] in (SETTLEMENT, MATCHING))


ACT = Act(
    "settlement",
    SHAPE,
    amid_stock(play_settlement),
    prepare=prepare_settlement,
    keep=by_day,
    columns=columns,
    shows_calls=False,
)
