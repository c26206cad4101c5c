"""The command line of plans: `plan` and `apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands import plan as planning
from app.commands.line import WHO, Who, Why, do, ended, err, out


def plan(
    channel: Annotated[str, typer.Argument(help="the channel")],
    csv: Annotated[Path | None, typer.Option("--csv", help="write every line to this file")] = None,
    who: Annotated[str, typer.Option("--who", help="who makes it")] = WHO,
) -> None:
    """Show what stock, offers, prices and products would change against the live offers as last read. Calls nothing.

    The plan is stored with a number; `apply` lets exactly that go. Exit code 1: something would change.
    """
    ended(do(lambda: planning.plan(out, err, channel, csv, who=who)))


def apply(
    number: Annotated[int, typer.Argument(min=1, help="the plan's number")],
    who: Who = WHO,
    why: Why = "applied by hand",
) -> None:
    """Let go what a plan said, past guards and dry run; what is wanted otherwise by now is named, and left.

    Exit code 1: something has changed since.
    """
    ended(do(lambda: planning.apply(out, err, number, who=who, why=why)))
