"""The stage of the demo's last act: what people can do to an order at both ends, and how what follows is waited for.

One look at both ends, again and again, serves all stories that are on stage at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import msgspec
from rich.markup import escape
from rich.progress import Progress, TaskID

from app.clock import monotonic
from app.commands.context import UnreachableError
from app.commands.demo.after_sale_ends import AfterSale, SoldLine, read_after_sale
from app.commands.lab import MARKET, Json, Lab
from app.domain.after_sale import Carrier, CarrierRow
from app.store import carriers, intents
from app.store.intents import Intent, Kind, State
from app.store.pool import Database

T = TypeVar("T")

DEBIT_SECONDS = 20.0
LOOK_SECONDS = 0.25
PATIENCE_SECONDS = 45.0
"""Real seconds, as the one above: when what must follow is waited for in vain."""
PLENTY = 12
CARRIER = CarrierRow("postnord", Carrier("POSTNORD"))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an order; `sku` is a place in the list of SKUs with units to spare. Amounts in the order's tax mode."""

    sku: int
    quantity: int = 1
    price: float = 59.9
    more: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Story:
    """One order. `steps`: how often its script says something; `waits`: until the warehouse has the order."""

    title: str
    channel: int
    order_id: str
    lines: tuple[Line, ...]
    script: Callable[[Scene], Awaitable[None]]
    steps: int
    more: Mapping[str, Json] = field(default_factory=dict)
    waits: bool = True


class InVainError(Exception):
    """Something that must follow did not; the message says what."""


@dataclass(slots=True)
class Stage:
    """What all scripts share: both ends, read again and again, and what went wrong."""

    lab: Lab
    database: Database
    progress: Progress
    skus: Sequence[str]
    ends: AfterSale
    faults: list[str] = field(default_factory=list)
    others_done: anyio.Event = field(default_factory=anyio.Event)
    """All refunds but those of the low balance are made."""
    retried: anyio.Event = field(default_factory=anyio.Event)
    """A person had one of the two refunds tried again; the other waits for its day."""
    _looked: anyio.Event = field(default_factory=anyio.Event)

    async def look(self) -> None:
        """Read both ends, and let everybody see."""
        self.ends = await read_after_sale(self.lab)
        seen, self._looked = self._looked, anyio.Event()
        seen.set()

    async def look_on(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.look()
            await anyio.sleep(LOOK_SECONDS)

    async def until(self, shown: Callable[[AfterSale], T | None], what: str) -> T:
        """Until both ends show something, and that. Raises InVainError."""
        ends_at = monotonic() + PATIENCE_SECONDS
        while True:
            found = shown(self.ends)
            if found:
                return found
            if monotonic() > ends_at:
                raise InVainError(what)
            await self._looked.wait()

    async def command(self, *arguments: str) -> None:
        """A person types a command of the service. Raises InVainError with its words where it fails."""
        try:
            await self.lab.command(*arguments)
        except UnreachableError as exc:
            raise InVainError(f"a command is done: {exc}") from exc

    async def play(self, story: Story) -> None:
        """Play one story; what does not follow in time is a fault."""
        channel = list(self.lab.mirakl)[story.channel]
        name = f"{channel}  {story.title}"
        scene = Scene(self, story, channel, self.progress.add_task(name, total=story.steps, said="the buyer orders"))
        with self.noting(scene):
            await scene.buy()
            await story.script(scene)

    @contextlib.contextmanager
    def noting(self, scene: Scene) -> Iterator[None]:
        """What does not follow in time ends the story, and is a fault."""
        try:
            yield
        except InVainError as exc:
            self.faults.append(f"{scene.order_id}, {scene.story.title}: waited in vain until {exc}")
            self.progress.update(scene.task, said=f"[red]waited in vain until {escape(str(exc))}")


async def set_stage(running: Lab, database: Database, progress: Progress, *, skus: int) -> Stage:
    """Both ends as they are, so many SKUs with units to spare, and the one carrier that is mapped everywhere."""
    async with database.desk.acquire() as connection:
        for channel in running.mirakl:
            await carriers.put(connection, channel, [CARRIER], "the demo")
    answer = await running.ask(running.centra, f"/_sandbox/sellable?market={MARKET}")
    sellable = msgspec.convert(answer["sellable"], dict[str, int])
    chosen = [sku for sku, units in sellable.items() if units >= PLENTY][:skus]
    return Stage(running, database, progress, chosen, await read_after_sale(running))


@dataclass(frozen=True, slots=True)
class Scene:
    """One story on stage, and what people can do in it."""

    stage: Stage
    story: Story
    channel: str
    task: TaskID

    @property
    def order_id(self) -> str:
        return self.story.order_id

    def sku(self, place: int) -> str:
        return self.stage.skus[place]

    def say(self, words: str) -> None:
        """The next step of the story begins."""
        self.stage.progress.update(self.task, advance=1, said=words)

    async def there(self, path: str, **body: Json) -> dict[str, Json]:
        """Somebody does something at the marketplace."""
        return await self.stage.lab.ask(self.stage.lab.mirakl[self.channel], f"/_sandbox/{path}", dict(body))

    async def in_centra(self, path: str, **body: Json) -> dict[str, Json]:
        """Somebody does something in Centra's back office."""
        return await self.stage.lab.ask(self.stage.lab.centra, f"/_sandbox/{path}", dict(body))

    async def buy(self) -> None:
        """The buyer orders; until the warehouse has it, where the story waits for that."""
        lines: list[Json] = [
            {"sku": self.sku(line.sku), "quantity": line.quantity, "price_unit": line.price, **line.more}
            for line in self.story.lines
        ]
        told: dict[str, Json] = {"order_id": self.order_id, "lines": lines, "address_seconds": 0}
        await self.there("orders", orders=[{**told, "debit": {"seconds": DEBIT_SECONDS}, **self.story.more}])

        def let_go(ends: AfterSale) -> bool:
            entered, sold = ends.of(self.channel, self.order_id), self._lines(ends)
            states = {line.order_state for line in sold.values()}
            return entered is not None and entered.is_let_go and states == {"SHIPPING"}

        if self.story.waits:
            await self.stage.until(let_go, "the warehouse has it")

    async def ship(self, *units: tuple[int, int], carrier: str = "PostNord", tracked: bool = True) -> int:
        """The warehouse sends a parcel (all that is left); its id."""
        number = self.number
        count = sum(parcel.order == number for parcel in self.stage.ends.parcels)
        tracking = f"PN{number}-{count + 1}" if tracked else ""
        made = await self.in_centra(
            "shipments", number=number, carrier=carrier, tracking_number=tracking, **self._units(units)
        )
        await self.stage.look()
        return int(str(made["id"]))

    async def come_back(self, parcel: int, *units: tuple[int, int], **members: Json) -> None:
        """The warehouse gets units of a parcel back (all of them), and completes the return."""
        await self.in_centra("returns", shipment=parcel, **self._units(units), **members)

    async def cancel(self, *units: tuple[int, int]) -> None:
        """Centra's back office cancels units, or the whole order."""
        await self.in_centra("orders/cancel", number=self.number, **self._units(units))

    async def becomes(self, place: int = 1, **members: object) -> None:
        """Until a line at the marketplace shows all of these."""

        def shown(ends: AfterSale) -> bool:
            line = self._lines(ends).get(f"{self.order_id}-{place}")
            return line is not None and all(getattr(line, name) == value for name, value in members.items())

        words = ", ".join(f"{name.replace('_', ' ')} is {value}" for name, value in members.items())
        await self.stage.until(shown, f"line {place}: {words}")

    async def held(self, kind: Kind) -> Intent:
        """Until something about the order waits for a person."""
        found: list[Intent] = []

        with anyio.move_on_after(PATIENCE_SECONDS):
            while not found:
                async with self.stage.database.desk.acquire() as connection:
                    known = await intents.of_order(connection, self.channel, self.order_id)
                found = [intent for intent in known if intent.kind is kind and intent.state is State.HELD]
                await anyio.sleep(0 if found else LOOK_SECONDS)
        if not found:
            raise InVainError(f"its {kind} is held")
        return found[0]

    def _lines(self, ends: AfterSale) -> Mapping[str, SoldLine]:
        lines = ends.sold[self.channel].lines
        return {line_id: line for line_id, line in lines.items() if line.order_id == self.order_id}

    @property
    def number(self) -> int:
        """Centra's."""
        entered = self.stage.ends.of(self.channel, self.order_id)
        assert entered is not None, "the warehouse has it"
        return entered.number

    def _units(self, units: Sequence[tuple[int, int]]) -> dict[str, Json]:
        lines: list[Json] = [{"sku": self.sku(place), "quantity": quantity} for place, quantity in units]
        return {"lines": lines} if lines else {}
