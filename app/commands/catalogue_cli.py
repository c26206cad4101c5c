"""The command line of the catalogue: `catalogue`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands import catalogue as acting
from app.commands.context import Exit
from app.commands.line import WHO, Who, Why, do, end, out
from app.store.publications import Kind, Standing

catalogue = typer.Typer(help="See what marketplaces are told of products, and why not.", no_args_is_help=True)

Channel = Annotated[str, typer.Argument(help="the channel")]
What = Annotated[Kind, typer.Option("--kind", help="products, offers or prices")]


@catalogue.callback()
def _group() -> None:
    """A group stays one, also with a single command."""


@catalogue.command(name="import")
def import_map(
    channel: Channel,
    file: Annotated[Path, typer.Argument(help="the channel's map, TOML")],
    who: Who = WHO,
    why: Why = "imported",
) -> None:
    """Make a file the channel's map, say what it lacks, and have everything of the channel checked anew."""
    do(lambda: acting.import_map(out, channel, file, who=who, why=why))


@catalogue.command(name="coverage")
def coverage(channel: Channel) -> None:
    """Show for each category that the map uses what is mapped, required and missing."""
    do(lambda: acting.coverage(out, channel))


@catalogue.command(name="suggest")
def suggest(channel: Channel) -> None:
    """Show for what is not mapped the marketplace's closest words. Nothing is applied."""
    do(lambda: acting.suggest(out, channel))


@catalogue.command(name="list")
def list_publications(
    channel: Channel,
    kind: What = Kind.PRODUCTS,
    state: Annotated[
        Standing | None, typer.Option("--state", help="only what stands so; else all that is not live")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="at most so many")] = 50,
) -> None:
    """Show how products, offers or prices stand, those that are not live with the reasons."""
    do(lambda: acting.list_publications(out, channel, kind, state, limit=limit))


@catalogue.command(name="release")
def release(
    channel: Channel,
    skus: Annotated[list[str] | None, typer.Argument(help="these SKUs")] = None,
    kind: What = Kind.PRICES,
    everything: Annotated[bool, typer.Option("--all", help="all that is held")] = False,
    who: Who = WHO,
    why: Why = "released by hand",
) -> None:
    """Let held prices, offers or products go as they are wanted now."""
    if bool(skus) == everything:
        end(Exit.CONFIGURATION, "name SKUs, or give --all")
    do(lambda: acting.release(out, channel, kind, None if everything else skus, who=who, why=why))


@catalogue.command(name="rename")
def rename(
    channel: Channel,
    old: Annotated[str, typer.Argument(help="the SKU that the size bore before")],
    who: Who = WHO,
    why: Why = "renamed in Centra",
) -> None:
    """Move the offers of a SKU that was changed in Centra to the new one, on every channel."""
    do(lambda: acting.rename(out, channel, old, who=who, why=why))
