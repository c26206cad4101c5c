"""The command line of money: `settlement`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app.commands import settlement as money
from app.commands import settlement_month as months
from app.commands.line import WHO, Where, Who, Why, do, out
from app.domain.settlement import Kind, State

settlement = typer.Typer(help="Look into what marketplaces pay, and what differs.", no_args_is_help=True)

Channel = Annotated[str, typer.Argument(help="the channel")]
AnyChannel = Annotated[str | None, typer.Argument(help="only this channel")]
Items = Annotated[list[str], typer.Argument(help="differences, as `settlement open` names them: d17")]
Note = Annotated[str, typer.Option("--note", help="why, for whoever looks at it later, and for the audit")]
Month = Annotated[str, typer.Option("--period", help="the month, as 2026-03")]
Zone = Annotated[str | None, typer.Option("--zone", help="time zone of the month, instead of the channel's")]


@settlement.command()
def status(channel: AnyChannel = None) -> None:
    """Show billing cycles with their pay-outs, how old what is read is, and how much differs."""
    do(lambda: money.status(out, channel))


@settlement.command(name="open")
def list_open(
    channel: AnyChannel = None,
    kind: Annotated[Kind | None, typer.Option("--kind", help="only this kind")] = None,
    cycle: Annotated[str | None, typer.Option("--cycle", help="only of this billing cycle")] = None,
    order: Annotated[str | None, typer.Option("--order", help="only of this order, by the marketplace's id")] = None,
    everything: Annotated[bool, typer.Option("--all", help="accepted ones too")] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="write them to this file")] = None,
) -> None:
    """Show what differs: both figures, the money at stake, and what was said of it."""
    do(lambda: money.list_open(out, channel, kind=kind, cycle=cycle, order=order, everything=everything, file=csv))


@settlement.command()
def explain(items: Items, note: Note, who: Who = WHO) -> None:
    """Say why something differs, while it is not settled yet, as a claim that the operator looks into."""
    do(lambda: money.decide(out, items, State.EXPLAINED, who=who, note=note))


@settlement.command()
def accept(items: Items, note: Note, who: Who = WHO) -> None:
    """Take a difference as it is. With other figures it opens again."""
    do(lambda: money.decide(out, items, State.ACCEPTED, who=who, note=note))


@settlement.command()
def unpaid(
    channel: Channel,
    days: Annotated[float, typer.Option("--days", min=0, help="only those sent so many days ago")] = 0,
    csv: Annotated[Path | None, typer.Option("--csv", help="write them to this file")] = None,
) -> None:
    """Show orders that were sent and are in no billing cycle yet, oldest first."""
    do(lambda: money.list_unpaid(out, channel, days=days, file=csv))


@settlement.command()
def report(
    period: Month,
    channel: Where = None,
    zone: Zone = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="write each part as CSV into this folder")] = None,
) -> None:
    """Show a month: sums by kind, taxes, fees, refunds, and what is open."""
    do(lambda: months.report(out, period, channel=channel, zone=zone, folder=csv))


@settlement.command()
def export(
    period: Month,
    file: Annotated[Path, typer.Option("--out", help="the file")],
    channel: Where = None,
    zone: Zone = None,
) -> None:
    """Write a month's journal as CSV, balanced to zero. The same month is the same file each time."""
    do(lambda: months.export(out, period, file, channel=channel, zone=zone))


@settlement.command()
def backfill(
    channel: Channel,
    since: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="what changed since this day, UTC")],
    who: Who = WHO,
    why: Why = "asked by hand",
) -> None:
    """Have the transaction log filled in from an export, once a day at most; the running service does it."""
    do(lambda: money.back_fill(out, channel, since, who=who, why=why))
