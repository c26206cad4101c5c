"""The act `morning` of the demo: a shop as people find it after a night, with work for every team that owns some.

Orders come in the evening, and each meets something that the service must not decide by itself; so do three products of
the clothing that one of the marketplaces is told of. Thirteen hours go by, and nobody looks. Played for `--keep`: the
manual's morning round is walked on it, by people and by a test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import anyio
from rich.console import Console
from rich.progress import Progress

from app.clock import Rate, wall_now
from app.commands import held as showing
from app.commands.demo.act import Act, Play, Show
from app.commands.demo.after_sale import columns
from app.commands.demo.catalogue import break_products, products_of
from app.commands.demo.catalogue_cast import BROKEN
from app.commands.demo.catalogue_words import MAPS
from app.commands.demo.orders import sell_out
from app.commands.demo.stage import LOOK_SECONDS, PATIENCE_SECONDS, PLENTY, Line, Scene, Story, set_stage
from app.commands.demo.stock import amid_stock
from app.commands.lab import Json, Lab, Replica, Shape
from app.commands.lab_time import let_pass
from app.domain.teams import Team
from app.flows.after_sale.money import MONEY
from app.store import held
from app.store.effects import doubt_of
from app.store.intents import Kind
from app.store.pool import Database
from app.store.time import set_rate_at

SCALE = 120.0
NIGHT_SECONDS = 13 * 3_600.0
"""App seconds: more than half of the day that the marketplaces give for accepting."""
PRODUCTS = 16
ORDERS = 'short = "hold"'
UNTOLD = 'products = "off"\noffers = "off"\n[channel.prices]\nmode = "off"'
SHAPE = Shape(
    sizes=0,
    scale=SCALE,
    centra={"catalogue": {"sizes": 0, "clothing": {"products": PRODUCTS, "fta": 2 * PLENTY}}},
    catalogue={"demo-se": UNTOLD},
    orders="on",
    order_lines={"demo-fr": ORDERS, "demo-se": ORDERS},
    after_sale="returns = { poll_seconds = 300 }",
    settlement="",
    postgres={"fsync": "off", "full_page_writes": "off"},
)
STRANGER = "Nord Express"


@dataclass(slots=True)
class Found:
    """What the morning finds: items that need a person, by team; `faults`: what is not as it was planned."""

    teams: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


# ------------------------------------------------------------------------------------------------------ the scripts


async def _short(scene: Scene) -> None:
    scene.say("[yellow]held:[/] the last unit was sold in the shop")


async def _stranger(scene: Scene) -> None:
    await scene.ship(carrier=STRANGER)
    await scene.held(Kind.SHIPMENT)
    scene.say(f"[yellow]held:[/] nobody has mapped {STRANGER}")


async def _untracked(scene: Scene) -> None:
    await scene.ship(tracked=False)
    await scene.held(Kind.SHIPMENT)
    scene.say("[yellow]held:[/] the parcel has no tracking number")


async def _unannounced(scene: Scene) -> None:
    await scene.come_back(await scene.ship())
    await scene.held(Kind.REFUND)
    scene.say("[yellow]held:[/] goods came back that no return announced")


async def _no_balance(scene: Scene) -> None:
    await scene.there("balance", pending=0)
    await scene.cancel((scene.story.lines[0].sku, 1))
    await scene.held(Kind.CANCELLATION)
    scene.say("[yellow]held:[/] the balance does not cover its refund")


async def _doubt(scene: Scene) -> None:
    """The answer to its refund is lost (see `_play`), and the refund does not show."""
    await scene.cancel((scene.story.lines[0].sku, 1))
    with anyio.move_on_after(PATIENCE_SECONDS):
        while True:
            async with scene.stage.database.desk.acquire() as connection:
                if await doubt_of(connection, scene.channel, scene.order_id, MONEY) is not None:
                    break
            await anyio.sleep(LOOK_SECONDS)
    scene.say("[yellow]in doubt:[/] the answer to its refund was lost")


async def _sent(scene: Scene) -> None:
    await scene.ship()
    await scene.becomes(order_state="SHIPPED")
    scene.say("shipped, and told")


# --------------------------------------------------------------------------------------------------------- the cast

FR, SE = 0, 1
SOLD_OUT = 0
STORIES: tuple[Story, ...] = (
    Story("short of stock", FR, "NIGHT-11-A", (Line(SOLD_OUT),), _short, 1, waits=False),
    Story("short of stock", FR, "NIGHT-12-A", (Line(SOLD_OUT),), _short, 1, waits=False),
    Story("short of stock", SE, "NIGHT-13-A", (Line(SOLD_OUT),), _short, 1, waits=False),
    Story("a new carrier", FR, "NIGHT-14-A", (Line(1),), _stranger, 1),
    Story("a new carrier", FR, "NIGHT-15-A", (Line(2),), _stranger, 1),
    Story("no tracking number", FR, "NIGHT-16-A", (Line(3),), _untracked, 1),
    Story("a lost answer", FR, "NIGHT-17-A", (Line(4, 2),), _doubt, 1),
    Story("a lost answer", FR, "NIGHT-18-A", (Line(5, 2),), _doubt, 1),
    Story("back unannounced", FR, "NIGHT-19-A", (Line(6),), _unannounced, 1),
    Story("no balance", SE, "NIGHT-20-A", (Line(7, 2),), _no_balance, 1),
    Story("an order as most are", SE, "NIGHT-21-A", (Line(8, 2),), _sent, 1),
)
EXPECTED: Mapping[str, int] = {
    Team.OPERATIONS: 5,
    Team.WAREHOUSE: 1,
    Team.ECOMMERCE: 16,
    Team.FINANCE: 3,
    Team.CUSTOMER_SERVICE: 1,
}
SKUS = 9
CHEAP = "a price below the floor"
ODD = {
    13: "a colour that is not mapped",
    14: CHEAP,
    15: "the operator rejects its picture",
}
"""Products that ecommerce has to look at, by their places."""


# --------------------------------------------------------------------------------------------------------- playing


async def prepare_morning(running: Lab) -> None:
    """Both marketplaces have the offers already; one of them is told of products, three of which are odd."""
    products = await products_of(running)
    known: list[Json] = [
        {"sku": f"P-{size.sku}", "category": "112", "title": one.name, "ean": size.ean}
        for place, one in enumerate(products)
        for size in (one.sizes if place not in ODD or ODD[place] == CHEAP else ())
    ]
    offers: list[Json] = [
        {"sku": sku, "quantity": 0, "price": one.price, "product_sku": f"P-{sku}"}
        for one in products
        for sku in one.skus
    ]
    told = list(running.mirakl)[FR]
    for channel, address in running.mirakl.items():
        if channel == told:
            await running.ask(address, "/_sandbox/products", {"products": known})
        await running.ask(address, "/_sandbox/offers", {"offers": offers})
    by_way = {one.way: one for one in BROKEN}
    await break_products(running, [told], {place: by_way[way] for place, way in ODD.items()})
    await running.command("catalogue", "import", told, str(MAPS / f"{told}.toml"))


async def play_morning(play: Play) -> Show:
    """Let the evening and the night go by; what needs a person then."""
    morning = await _play(play.running, play.database, play.progress)
    play.found.morning, play.found.morning_wrong = morning.teams, morning.faults
    return lambda console: show_morning(console, morning)


async def _play(running: Lab, database: Database, progress: Progress) -> Found:
    stage = await set_stage(running, database, progress, skus=SKUS)
    await sell_out(running, stage.skus[SOLD_OUT])
    for channel, address in running.mirakl.items():
        doubted = [s.order_id for s in STORIES if s.script is _doubt and list(running.mirakl)[s.channel] == channel]
        lost: list[Json] = [{"code": "OR28", "kind": "drop", "about": f'"{order_id}-'} for order_id in doubted]
        await running.ask(address, "/_sandbox/faults", {"faults": lost})
    async with anyio.create_task_group() as around:
        around.start_soon(stage.look_on)
        async with anyio.create_task_group() as evening:
            for story in STORIES:
                evening.start_soon(stage.play, story)
        around.cancel_scope.cancel()
    await let_pass(running, NIGHT_SECONDS)
    found = Found(faults=stage.faults)
    with anyio.move_on_after(PATIENCE_SECONDS):
        while found.teams != EXPECTED:
            await anyio.sleep(LOOK_SECONDS)
            found.teams = await _teams(database)
    if found.teams != EXPECTED:
        found.faults.append(f"teams have {_words(found.teams)} to look at, not {_words(EXPECTED)}")
    return found


async def by_day(running: Lab, replica: Replica) -> Replica:
    """From now on time passes as everywhere, so that nothing lapses while somebody reads; the service starts anew."""
    await replica.stop()
    now = (await running.ask(running.centra, "/_sandbox/clock", {"scale": 1.0}))["now"]
    await set_rate_at(running.dsn, Rate(datetime.fromisoformat(str(now)), wall_now()))
    awake = await running.start_replica()
    await running.send_webhooks_to(awake)
    return awake


async def _teams(database: Database) -> dict[str, int]:
    """How many items need a person, by team."""
    async with database.desk.acquire() as connection:
        causes = await held.causes(connection, None)
    teams: Counter[str] = Counter()
    for cause in causes:
        teams[showing.team_of(cause.flow, cause.team)] += cause.items
    return dict(teams)


def _words(teams: Mapping[str, int]) -> str:
    return ", ".join(f"{team} {items}" for team, items in sorted(teams.items())) or "nothing"


# --------------------------------------------------------------------------------------------------------- showing


def show_morning(console: Console, found: Found) -> None:
    """How much waits, and where to begin."""
    console.print(f"thirteen hours later {sum(found.teams.values())} items need a person: {_words(found.teams)}")
    for words in found.faults:
        console.print(words, style="red", markup=False)
    console.print("begin with the morning round of docs/manual/operations.md\n", highlight=False)


ACT = Act(
    "morning",
    SHAPE,
    amid_stock(play_morning),
    prepare=prepare_morning,
    keep=by_day,
    columns=columns,
    shows_calls=False,
)
