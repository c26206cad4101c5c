"""The act of the catalogue: 300 products for two marketplaces that share no category, no list and no language.

Twelve are broken, each in its own way. The stand-ins are the judge of what is live, with its price and its stock; our
own tables must say of every other product, in words, why it is not. Then three are mended in Centra, and go live.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from app.commands.demo.act import Act, Play, Show
from app.commands.demo.catalogue_cast import BROKEN, PRODUCTS, Broken, SoldProduct
from app.commands.demo.catalogue_words import MAPS, Words, show_words, words_of
from app.commands.lab import MARKET, Json, Lab, Shape
from app.store import publications
from app.store.pool import Database
from app.store.publications import Kind, Standing

SCALE = 240.0
SHAPE = Shape(
    sizes=0,
    scale=SCALE,
    import_seconds=2.0,
    centra={"catalogue": {"sizes": 0, "clothing": {"products": PRODUCTS}}},
    catalogue={},
    postgres={"fsync": "off", "full_page_writes": "off"},
)
CODES = (
    *("ProductsPage", "ProductsById"),
    *("H11", "PM11", "VL11", "P31", "P41", "P42", "P47", "CM11"),
    *("OF24", "OF01", "OF02", "OF03", "PRI01", "PRI02", "PRI03", "STO01", "STO02"),
)
"""Calls that belong to the catalogue, and are shown."""
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.3
MOST = 10_000
ASIDE = frozenset({Standing.HELD, Standing.REJECTED})


class LiveOffer(msgspec.Struct, frozen=True):
    """An offer that buyers see."""

    price: float
    quantity: int


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends at one moment: Centra's products and what it can sell by SKU; live offers by channel and SKU."""

    products: Sequence[SoldProduct]
    sellable: Mapping[str, int]
    live: Mapping[str, Mapping[str, LiveOffer]]

    def is_live(self, channel: str, product: SoldProduct) -> bool:
        """Every size of it, with its price and its stock."""
        there = self.live[channel]
        return all(there.get(sku) == LiveOffer(product.price, self.sellable[sku]) for sku in product.skus)


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a broken product is not live: the words by channel."""

    broken: Broken
    number: str
    words: Mapping[str, str]

    def is_complete(self, channels: Iterable[str]) -> bool:
        """Whether each channel's words name what is wrong."""
        return all(self.broken.words in self.words.get(channel, "") for channel in channels)


@dataclass(slots=True)
class Told:
    """How the act ended. `products`: counts of them; `words`: one of them, as the marketplaces were told of it."""

    products: dict[str, int] = field(default_factory=dict)
    words: Words = field(default_factory=dict)
    channels: Sequence[str] = ()
    explained: list[Explained] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def rows(self) -> list[dict[str, Json]]:
        """The explained ones, for the report."""
        return [
            {
                "product": one.number,
                "way": one.broken.way,
                "mended": one.number in self.mended,
                "words": dict(one.words),
            }
            for one in self.explained
        ]


# --------------------------------------------------------------------------------------------------------- playing


async def prepare_catalogue(running: Lab) -> None:
    """Break twelve products, and import the map of each marketplace."""
    await break_products(running, list(running.mirakl), {one.place: one for one in BROKEN})
    async with anyio.create_task_group() as group:
        for channel in running.mirakl:
            group.start_soon(running.command, "catalogue", "import", channel, str(MAPS / f"{channel}.toml"))


async def break_products(running: Lab, channels: Iterable[str], broken: Mapping[int, Broken]) -> None:
    """Break products in Centra, by their places in its list, or have the operators of these channels reject them."""
    products = await products_of(running)
    changes: list[Json] = [change for place, one in broken.items() for change in one.changes(products[place])]
    await running.ask(running.centra, "/_sandbox/catalogue", {"changes": changes})
    rejected: list[Json] = [
        {"sku": sku, "kind": "REJECTED", "reason_code": "IMAGE", "reason_label": one.reason, "message": "see the guide"}
        for place, one in broken.items()
        for sku in (products[place].skus if one.reason else ())
    ]
    for channel in channels:
        await running.ask(running.mirakl[channel], "/_sandbox/products", {"verdicts": rejected})


async def play_catalogue(play: Play) -> Show:
    """Until all that can be live is, and the rest is explained; then mend three, and until those are live too."""
    found, told = play.found, await _play(play.running, play.database, play.progress)
    found.products, found.products_explained, found.products_wrong = told.products, told.rows(), told.faults
    return lambda console: show_catalogue(console, told)


async def _play(running: Lab, database: Database, progress: Progress) -> Told:
    told = Told()
    products = await products_of(running)
    places = {one.place: one for one in BROKEN}
    broken = {products[place].number: one for place, one in places.items()}
    whole = [product for place, product in enumerate(products) if place not in places]
    tasks = {c: progress.add_task(f"offers live on {c}", total=0) for c in running.mirakl}
    said = progress.add_task("broken products explained", total=len(BROKEN))
    await _until_live(running, progress, tasks, whole)

    async def is_explained() -> bool:
        told.explained = await _explained(running, database, products)
        complete = sum(one.is_complete(running.mirakl) for one in told.explained)
        progress.update(said, completed=complete)
        return complete == len(BROKEN)

    await _until(is_explained)
    told.faults += [
        f"{one.number}, {one.broken.way}: {dict(one.words) or 'nothing is said of it'}"
        for one in told.explained
        if not one.is_complete(running.mirakl)
    ]
    ends = await _read(running)
    live = live_ones(ends)
    told.products = {"all": len(products), "live": len(live), "explained": len(products) - len(live)}
    told.faults += differences(live, {product.number for product in whole})

    mended = [product for product in products if (one := broken.get(product.number)) and one.mends]
    told.mended = [product.number for product in mended]
    changes: list[Json] = [c for product in mended if (mends := broken[product.number].mends) for c in mends(product)]
    await running.ask(running.centra, "/_sandbox/catalogue", {"changes": changes})
    whole += mended
    await _until_live(running, progress, tasks, whole)
    live = live_ones(await _read(running))
    told.words, told.channels = await words_of(running, whole[0].skus), list(running.mirakl)
    told.products |= {"mended": len(mended), "live_after_mending": len(live)}
    told.faults += differences(live, {product.number for product in whole})
    return told


async def products_of(running: Lab) -> list[SoldProduct]:
    """The clothing in Centra."""
    answer = await running.ask(running.centra, f"/_sandbox/catalogue?limit={PRODUCTS}")
    return msgspec.convert(answer["products"], list[SoldProduct])


async def _read(running: Lab) -> Ends:
    sellable = (await running.ask(running.centra, f"/_sandbox/sellable?market={MARKET}"))["sellable"]
    live = {
        channel: msgspec.convert((await running.ask(address, "/_sandbox/offers/live"))["offers"], dict[str, LiveOffer])
        for channel, address in running.mirakl.items()
    }
    return Ends(await products_of(running), msgspec.convert(sellable, dict[str, int]), live)


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    """For at most so long; the end is judged later."""
    with anyio.move_on_after(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - other processes have no event
            await anyio.sleep(LOOK_SECONDS)


async def _until_live(
    running: Lab, progress: Progress, tasks: Mapping[str, TaskID], products: Sequence[SoldProduct]
) -> None:
    """Until each marketplace has every size of these, with its price and its stock, by its own count."""
    numbers = {product.number for product in products}
    ends = await _read(running)
    wanted: list[Json] = [
        {"sku": sku, "quantity": ends.sellable[sku], "price": product.price}
        for product in ends.products
        if product.number in numbers
        for sku in product.skus
    ]

    async def are_live() -> bool:
        same = 0
        for channel, address in running.mirakl.items():
            found = await running.ask(address, "/_sandbox/offers/differences", {"offers": wanted})
            progress.update(tasks[channel], total=len(wanted), completed=int(str(found["same"])))
            same += int(str(found["same"]))
        return same == len(wanted) * len(running.mirakl)

    await _until(are_live)


def live_ones(ends: Ends) -> set[str]:
    """The numbers of products that are live everywhere."""
    return {one.number for one in ends.products if all(ends.is_live(channel, one) for channel in ends.live)}


def differences(live: set[str], wanted: set[str]) -> list[str]:
    missing = [f"{number} is not live everywhere" for number in sorted(wanted - live)]
    return missing + [f"{number} is broken, and live" for number in sorted(live - wanted)]


async def _explained(running: Lab, database: Database, products: Sequence[SoldProduct]) -> list[Explained]:
    """What our tables say of each broken product."""
    words: dict[str, dict[str, str]] = {}
    async with database.desk.acquire() as connection:
        for channel in running.mirakl:
            rows = [
                row
                for kind in (Kind.OFFERS, Kind.PRODUCTS)
                for row in await publications.open_ones(connection, channel, kind, None, MOST)
            ]
            words[channel] = {row.key: "; ".join(row.reasons) for row in rows if row.state in ASIDE}
    found: list[Explained] = []
    for one in BROKEN:
        product = products[one.place]
        said = {c: next((by_sku[sku] for sku in product.skus if sku in by_sku), "") for c, by_sku in words.items()}
        found.append(Explained(one, product.number, {c: text for c, text in said.items() if text}))
    return found


# --------------------------------------------------------------------------------------------------------- showing


def show_catalogue(console: Console, told: Told) -> None:
    """The broken products with the words that a merchandiser reads, and how many are live."""
    show_words(console, told.words, told.channels)
    table = Table("product", "what is wrong", title_justify="left")
    table.add_column("what a merchandiser reads", overflow="fold")
    table.title = "products that are not live, and why"
    for one in told.explained:
        way = one.broken.way + (" [green](mended)[/]" if one.number in told.mended else "")
        words = "\n".join(f"{channel}: {text}" for channel, text in one.words.items())
        table.add_row(one.number, way, escape(words))
    console.print(table)
    counts = told.products
    console.print(
        f"{counts['live']} of {counts['all']} products live on both marketplaces, {counts['explained']} explained;"
        f" {counts['mended']} mended in Centra, then {counts['live_after_mending']} live\n"
        "(live: every size is on offer, with its price and its stock, by the marketplace's own list; a product that is"
        " broken holds itself and no other)\n"
    )
    for words in told.faults:
        console.print(words, style="red", markup=False)


ACT = Act("catalogue", SHAPE, play_catalogue, prepare=prepare_catalogue, codes=CODES)
