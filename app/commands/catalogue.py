"""`catalogue import`, `coverage`, `suggest`, `list`, `release`, `rename`: what marketplaces are told of products.

The map is a file that is written and reviewed elsewhere; importing it makes it the channel's, and has everything of the
channel checked anew.
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import anyio
import msgspec
from rapidfuzz import fuzz, process
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.context import configuration, database_of
from app.commands.orders import DeclinedError, known_channel
from app.commands.status import age
from app.domain.ids import Scope, Sku
from app.domain.listing import Item
from app.flows.catalogue_watch import CATALOGUE_WATCH, gaps
from app.flows.publishing.book import MAP, Book, open_book
from app.policies.catalogue_map import CatalogueMap
from app.policies.items import items_of
from app.policies.mapping import folded, hierarchy_of
from app.settings import SettingsError
from app.store import mirrors, products, publications, reservations
from app.store.effects import audit
from app.store.marks import Mark
from app.store.pool import Connection, Transaction
from app.store.products import digest_of
from app.store.publications import Kind, Standing
from app.store.time import read_clock

PAGE = 500
CLOSE = 70.0
SUGGESTED = 3


async def import_map(console: Console, channel: str, file: Path, *, who: str, why: str) -> None:
    """Make a file the channel's map. Raises SettingsError that names the place of what is wrong in it."""
    told = configuration()
    scope = known_channel(told, channel)
    catalogue = await read_map(file)
    async with database_of(told) as database:

        async def steps(tx: Transaction) -> None:
            before = await mirrors.read_mirror(tx.connection, scope, MAP, CatalogueMap)
            was = None if before is None else digest_of(before.value)
            await mirrors.write_mirror(tx.connection, scope, MAP, catalogue)
            await mirrors.write_cursor(tx.connection, scope, CATALOGUE_WATCH, None)
            await audit(tx.connection, scope, who, "catalogue map", was, digest_of(catalogue), why)
            tx.mark([Mark(scope, CATALOGUE_WATCH, CATALOGUE_WATCH)])

        await database.transact(steps)
        async with database.desk.acquire() as connection:
            book = await open_book(connection, Scope(scope))
    assert book is not None
    values = sum(map(len, catalogue.values.values()))
    console.print(
        f"{file} is the map of {scope}: {len(catalogue.categories)} categories, {len(catalogue.attributes)} attributes,"
        f" {values} values; all of the channel is checked anew",
        markup=False,
    )
    if not book.declared:
        console.print(f"what {scope} requires was never read: is the service running, and the catalogue on?")
        return
    for fault in gaps(book, told.channels.by_id()[scope]):
        console.print(f"  {fault}", markup=False)


async def read_map(file: Path) -> CatalogueMap:
    """A channel's map. Raises SettingsError that names the place of what is wrong in it."""
    try:
        document = tomllib.loads(await anyio.Path(file).read_text(encoding="utf-8"))
        return msgspec.convert(document, CatalogueMap)
    except OSError as exc:
        raise SettingsError(f"{file} can't be read: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is no UTF-8") from None
    except tomllib.TOMLDecodeError as exc:
        raise SettingsError(f"{file} is no TOML: {exc}") from None
    except msgspec.ValidationError as exc:
        raise SettingsError(f"{file}: {exc}".replace(" - at `$.", "; see `").replace("`$`", "the file")) from None


async def coverage(console: Console, channel: str) -> None:
    """Print for each category that the map uses what is mapped, required and missing, and how many SKUs it holds."""
    told = configuration()
    scope = known_channel(told, channel)
    async with database_of(told) as database, database.desk.acquire() as connection:
        book = await _book(connection, Scope(scope))
        skus, unmapped = await _counted(connection, told.channels.centra.id, book)
        states = await publications.count(connection, scope, Kind.PRODUCTS)
    table = Table("category", "SKUs", "attributes", "mapped", "required", "missing", title_justify="left")
    table.title = f"the map of {scope}"
    labels = {one.code: one.label or one.code for one in book.hierarchies}
    for code in sorted(set(book.map.categories.values())):
        attributes = [one for one in book.attributes(code) if one.code != book.map.category]
        mapped = [one for one in attributes if book.map.rule_for(code, one.code) is not None]
        missing = [one.named for one in attributes if one.required and one not in mapped]
        required = sum(one.required for one in attributes)
        table.add_row(
            f"{escape(labels.get(code, 'gone'))} ({escape(code)})",
            str(skus[code]),
            str(len(attributes)),
            str(len(mapped)),
            str(required),
            escape(", ".join(missing)) or "nothing",
        )
    console.print(table)
    for name, count in unmapped.most_common():
        console.print(f"{count} SKUs in Centra's category {name or '(none)'} are not mapped", markup=False)
    for fault in gaps(book, told.channels.by_id()[scope]):
        console.print(f"! {fault}", markup=False)
    if states:
        console.print("products: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))


async def _counted(connection: Connection, source: str, book: Book) -> tuple[Counter[str], Counter[str]]:
    """SKUs by the marketplace's category, and by Centra's where that is not mapped."""
    skus, unmapped = Counter[str](), Counter[str]()
    async for item in _items(connection, source, book):
        hierarchy = hierarchy_of(item, book.map)
        if hierarchy is None:
            unmapped[item.categories[0] if item.categories else ""] += 1
        else:
            skus[hierarchy] += 1
    return skus, unmapped


async def _items(connection: Connection, source: str, book: Book) -> AsyncIterator[Item]:
    after = 0
    while page := await products.page(connection, source, after, PAGE):
        after = page[-1].product_id
        for product in page:
            for item in items_of(product, book.map.language):
                yield item


async def suggest(console: Console, channel: str) -> None:
    """Print for each value and category of Centra that is not mapped the marketplace's closest. Nothing is applied."""
    told = configuration()
    scope = known_channel(told, channel)
    wanted: dict[str, Counter[str]] = defaultdict(Counter)
    async with database_of(told) as database, database.desk.acquire() as connection:
        book = await _book(connection, Scope(scope))
        async for item in _items(connection, told.channels.centra.id, book):
            for place, word in _unmapped(item, book):
                wanted[place][word] += 1
    lists = {one.code: {v.code: v.label or v.code for v in one.values or ()} for one in book.value_lists}
    choices = {**lists, "": {one.code: one.label or one.code for one in book.hierarchies}}
    table = Table("where", "in Centra", "SKUs", "closest at the marketplace", title_justify="left")
    for place, words in sorted(wanted.items()):
        for word, count in words.most_common():
            closest = process.extract(
                folded(word.rpartition("/")[2]),
                {code: folded(label) for code, label in choices.get(place, {}).items()},
                scorer=fuzz.WRatio,
                score_cutoff=CLOSE,
                limit=SUGGESTED,
            )
            named = ", ".join(f"{code} ({choices[place][code]})" for _, _, code in closest)
            table.add_row(f"values.{place}" if place else "categories", escape(word), str(count), escape(named))
    if not table.row_count:
        console.print("every value that the map asks for is mapped")
        return
    console.print(table)
    console.print("write those that are right into the map, then: centra-mirakl catalogue import", markup=False)


def _unmapped(item: Item, book: Book) -> Iterable[tuple[str, str]]:
    hierarchy = hierarchy_of(item, book.map)
    if hierarchy is None:
        yield from (("", name) for name in item.categories[:1])
        return
    for attribute in book.attributes(hierarchy):
        rule = book.map.rule_for(hierarchy, attribute.code)
        if attribute.value_list and rule is not None and rule.field:
            known = {folded(word) for word in book.map.values.get(attribute.value_list, {})}
            for texts in item.fields.get(rule.field, {}).values():
                yield from ((attribute.value_list, word) for word in texts if folded(word) not in known)


async def list_publications(console: Console, channel: str, kind: Kind, state: Standing | None, *, limit: int) -> None:
    """Print how products, offers or prices stand, those that are not live first, each with its reasons."""
    told = configuration()
    scope = known_channel(told, channel)
    async with database_of(told) as database, database.desk.acquire() as connection:
        now = (await read_clock(connection)).rate.app_at
        counts = await publications.count(connection, scope, kind)
        rows = await publications.open_ones(connection, scope, kind, state, limit)
    if not counts:
        console.print(f"{scope} has no {kind.value} yet")
        return
    console.print(f"{scope}, {kind.value}: " + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())))
    if not rows:
        return
    table = Table("SKU", "stands", "since", "why", title_justify="left")
    for one in rows:
        table.add_row(escape(one.key), one.state.value, age(now, one.since), escape("\n".join(one.reasons)))
    console.print(table)


async def release(console: Console, channel: str, kind: Kind, skus: list[str] | None, *, who: str, why: str) -> None:
    """Let what is wanted go, past a guard or a dry run: these SKUs, or all that is held."""
    told = configuration()
    scope = known_channel(told, channel)
    async with database_of(told) as database:

        async def steps(tx: Transaction) -> int:
            marks = await publications.approve(tx.connection, scope, kind, skus)
            for mark in marks:
                await audit(tx.connection, scope, who, f"{kind.value}:{mark.key}", "held", "released", why)
            tx.mark(marks)
            return len(marks)

        released = await database.transact(steps)
    console.print(f"{released} {kind.value} of {scope} are let go")


async def rename(console: Console, channel: str, sku: str, *, who: str, why: str) -> None:
    """A size bears another SKU now: the old offer leaves, and the new one is made. Raises DeclinedError."""
    told = configuration()
    scope, source = known_channel(told, channel), told.channels.centra.id
    async with database_of(told) as database:

        async def steps(tx: Transaction) -> tuple[str, ...]:
            known = (await products.of_skus(tx.connection, source, [sku])).get(Sku(sku))
            if known is None or not known.named_before:
                raise DeclinedError(f"no size in Centra bears {sku} beside another SKU")
            borne = {size.sku for variant in known.product.variants for size in variant.sizes}
            if known.sku in borne:
                raise DeclinedError(f"{sku} is what the size bears now; name the SKU that it bore before")
            await products.let_go(tx.connection, source, sku)
            others = known.named_before
            await reservations.lock(tx.connection, source, [sku, *others])
            for now in borne.intersection(others):
                await reservations.rename(tx.connection, source, sku, now)
            await audit(tx.connection, scope, who, f"sku:{sku}", sku, ", ".join(others), why)
            for one in told.channels.channel:
                tx.mark(Mark(one.id, flow, key) for flow in one.publishes for key in (sku, *others))
            return others

        others = await database.transact(steps)
    console.print(f"{sku} is {', '.join(others)} now: its offer leaves, the new one is made", markup=False)


async def _book(connection: Connection, scope: Scope) -> Book:
    book = await open_book(connection, Scope(scope))
    if book is None:
        raise DeclinedError(f"{scope} has no map yet: centra-mirakl catalogue import {scope} FILE")
    return book
