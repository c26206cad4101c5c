"""One product of the demo as each marketplace was told of it, beside what it is in Centra."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.lab import Lab
from app.policies.catalogue_map import CatalogueMap, Rule

MAPS = Path(__file__).parent / "maps"
LONGEST = 40
"""Characters of a value that are shown."""


class Told(msgspec.Struct, frozen=True):
    """A row of a product file, as a marketplace's stand-in took it."""

    code: str
    sku: str = ""
    values: dict[str, str] = {}


Words = Mapping[str, Mapping[str, tuple[str, str]]]
"""By Centra's field, then by channel: the marketplace's attribute, and what it was told."""


async def words_of(running: Lab, skus: Sequence[str]) -> Words:
    """What the marketplaces were told of the first of these SKUs that all of them took as a product."""
    told: dict[str, dict[str, dict[str, str]]] = {}
    for channel, address in running.mirakl.items():
        entries = msgspec.convert((await running.ask(address, "/_sandbox/ledger?code=P41"))["entries"], list[Told])
        told[channel] = {one.sku: one.values for one in entries}
    found: dict[str, dict[str, tuple[str, str]]] = {}
    sku = next((sku for sku in skus if all(sku in rows for rows in told.values())), None)
    if sku is None:
        return found
    for channel, rows in told.items():
        text = await anyio.Path(MAPS / f"{channel}.toml").read_text(encoding="utf-8")
        catalogue = msgspec.convert(tomllib.loads(text), CatalogueMap)
        sources = {catalogue.category: "category"} | {c: _source(rule) for c, rule in catalogue.attributes.items()}
        for code, source in sources.items():
            if value := rows[sku].get(code):
                found.setdefault(source, {}).setdefault(channel, (code, value))
    return found


def _source(rule: Rule) -> str:
    return rule.field or rule.template or "the same for all"


def show_words(console: Console, words: Words, channels: Sequence[str]) -> None:
    """The product as a table."""
    table = Table("in Centra", *channels, title="one product, in each marketplace's own words", title_justify="left")
    for source, told in words.items():
        cells = (f"{code} = {_short(value)}" for code, value in (told.get(c, ("", "")) for c in channels))
        table.add_row(escape(source), *(escape(cell) if cell != " = " else "" for cell in cells))
    console.print(table)


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
