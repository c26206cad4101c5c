"""The command line of comparisons: `parity run`, `show`, `differences`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands import parity as comparing
from app.commands.line import do, ended, err, out
from app.domain.parity import Kind

parity = typer.Typer(help="Compare both ends, and see what they have otherwise.", no_args_is_help=True)
Channel = Annotated[str | None, typer.Option("--channel", help="only this channel")]
Of = Annotated[Kind | None, typer.Option("--kind", help="only this kind")]
Csv = Annotated[Path | None, typer.Option("--csv", help="write every line to this file")]


@parity.command()
def run(
    channel: Channel = None,
    kind: Of = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="read live offers and orders anew before, by export")] = False,
) -> None:
    """Have the service compare now, and wait for it. Exit code 1: something differs."""
    ended(do(lambda: comparing.run(out, err, channel, kind, fresh=fresh)))


@parity.command()
def show(channel: Channel = None, csv: Csv = None) -> None:
    """Show how much of each kind agrees, as last compared."""
    do(lambda: comparing.show(out, channel, csv))


@parity.command()
def differences(channel: Channel = None, kind: Of = None, csv: Csv = None) -> None:
    """List what differs: both ends, why, since when, and what was done."""
    do(lambda: comparing.differences(out, channel, kind, csv))
