"""The command line of what people do after the sale: `carriers`, `held`, `audit`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.commands import audit as audits
from app.commands import carriers as mapping
from app.commands import held as showing
from app.commands import held_acts as acting
from app.commands.context import Exit
from app.commands.line import WHO, Who, Why, do, end, out
from app.domain.after_sale import Carrier
from app.domain.teams import Team

carriers = typer.Typer(help="Say what Centra's carriers are at a marketplace.", no_args_is_help=True)
held = typer.Typer(help="Look into everything that needs a person, and end it.", no_args_is_help=True)
audit = typer.Typer(help="Export who changed what.", no_args_is_help=True)

Channel = Annotated[str, typer.Argument(help="the channel")]
AnyChannel = Annotated[str | None, typer.Argument(help="only this channel")]
Item = Annotated[str, typer.Argument(help="the item, as `held list` names it")]
Alike = Annotated[bool, typer.Option("--alike", help="all items with the same cause")]
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@audit.callback()
@held.callback()
@carriers.callback()
def _group() -> None:
    """A group stays one, also with a single command."""


@carriers.command(name="list")
def list_carriers(channel: Channel) -> None:
    """Show a channel's carrier table, and which rows the marketplace does not take any more."""
    do(lambda: mapping.list_carriers(out, channel))


@carriers.command(name="unmapped")
def list_unmapped(channel: AnyChannel = None) -> None:
    """Show what held parcels wait for, by carrier, with the registered carriers that read alike."""
    do(lambda: mapping.list_unmapped(out, channel))


@carriers.command(name="map")
def map_carrier(
    channel: Channel,
    text: Annotated[str, typer.Argument(help="Centra's words: the carrier, or `carrier / service`")],
    code: Annotated[str | None, typer.Argument(help="the marketplace's carrier code (SH21)")] = None,
    name: Annotated[str, typer.Option("--name", help="instead of a code: a name of its own")] = "",
    url: Annotated[str, typer.Option("--url", help="its tracking page, with {trackingId} for the number")] = "",
    who: Who = WHO,
    why: Why = "mapped by hand",
) -> None:
    """Write one row, and release the parcels that wait for it."""
    do(lambda: mapping.map_carrier(out, channel, text, Carrier(code or "", name, url), who=who, why=why))


@carriers.command(name="unmap")
def unmap_carrier(
    channel: Channel,
    text: Annotated[str, typer.Argument(help="Centra's words, as `carriers list` shows them")],
    who: Who = WHO,
    why: Why = "unmapped by hand",
) -> None:
    """Take one row out; parcels of that carrier are held until it is mapped again."""
    do(lambda: mapping.unmap_carrier(out, channel, text, who=who, why=why))


@carriers.command(name="import")
def import_carriers(
    channel: Channel,
    file: Annotated[Path, typer.Argument(help="CSV with the header text,code,name,url")],
    who: Who = WHO,
    why: Why = "imported",
) -> None:
    """Write all rows of a file, or none where one is wrong; rows that it does not name stay."""
    do(lambda: mapping.import_carriers(out, channel, file, who=who, why=why))


@carriers.command(name="export")
def export_carriers(
    channel: Channel, file: Annotated[Path | None, typer.Argument(help="where to; else it is printed")] = None
) -> None:
    """Write a channel's table as CSV, as `carriers import` reads it."""
    do(lambda: mapping.export_carriers(out, channel, file))


@held.command(name="list")
def list_held(
    channel: AnyChannel = None,
    team: Annotated[Team | None, typer.Option("--team", help="only what this team owns")] = None,
) -> None:
    """Show what needs a person: owner, deadline, money at stake, why and what to do. One cause is one line."""
    do(lambda: showing.list_held(out, channel=channel, team=team))


@held.command(name="show")
def show_held(item: Item) -> None:
    """Show one item with its evidence, and the names of all with the same cause."""
    do(lambda: showing.show(out, item))


@held.command(name="retry")
def retry_held(item: Item, alike: Alike = False, who: Who = WHO, why: Why = "retried by hand") -> None:
    """Let it go, past the channel's policy where that holds it."""
    do(lambda: acting.retry(out, item, alike=alike, who=who, why=why))


@held.command(name="resolve")
def resolve_held(item: Item, why: Why, alike: Alike = False, who: Who = WHO) -> None:
    """It was done by hand: the service does nothing more about it. --why is the note."""
    do(lambda: acting.resolve(out, item, alike=alike, who=who, why=why))


@held.command(name="decide")
def decide_held(
    item: Item,
    decision: Annotated[acting.Decision, typer.Argument(help="what the marketplace's back office shows")],
    why: Why,
    who: Who = WHO,
) -> None:
    """Say whether a call was applied whose answer was lost; one that was not is sent anew."""
    do(lambda: acting.decide(out, item, decision, who=who, why=why))


@audit.command(name="export")
def export_audit(
    file: Annotated[Path | None, typer.Argument(help="where to; else it is printed")] = None,
    written: Annotated[audits.Format, typer.Option("--format", help="how it is written")] = audits.Format.CSV,
    order: Annotated[str | None, typer.Option("--order", help="one order, as for `orders show`")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="only this channel, or the source")] = None,
    since: Annotated[datetime | None, typer.Option("--since", formats=TIMES, help="from then on, UTC")] = None,
    until: Annotated[datetime | None, typer.Option("--until", formats=TIMES, help="before then, UTC")] = None,
    team: Annotated[
        Team | None, typer.Option("--team", help="what flows of this team did, and people about it")
    ] = None,
) -> None:
    """Write who changed what, oldest first, as CSV (safe in spreadsheets) or JSON lines."""
    if since and until and until <= since:
        end(Exit.CONFIGURATION, f"--until {until} is not after --since {since}")
    wanted = {"order": order, "channel": channel}
    do(lambda: audits.export(out, file, written, **wanted, since=since, until=until, team=team))
