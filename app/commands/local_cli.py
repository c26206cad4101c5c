"""`sandbox` and `demo`: everything on one machine. Left out of the image, with the stand-ins and the local Postgres."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from app.commands import sandbox as sandboxes
from app.commands.context import Exit
from app.commands.demo import play as playing
from app.commands.line import do, end, ended, out


def add_to(main: typer.Typer) -> None:
    """The command line has both commands from here on."""
    main.command()(sandbox)
    main.command()(demo)


def sandbox(
    sizes: Annotated[int, typer.Option(help="sizes in the Centra shop")] = 100,
    channels: Annotated[list[str] | None, typer.Option("--channel", help="a marketplace; repeat for more")] = None,
) -> None:
    """Run the stand-ins of Centra and Mirakl alone, on this machine, until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        do(lambda: sandboxes.sandbox(out, sizes=sizes, channels=channels or ["demo-fr"]))


def demo(
    act: Annotated[str, typer.Option(help=f"what to play: {', '.join(playing.ACTS)}")] = "all",
    report: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave everything running and print the addresses")] = False,
) -> None:
    """Start everything on this machine, play stock and orders (or one act alone), and compare both ends."""
    if act not in playing.ACTS:
        end(Exit.CONFIGURATION, f"there is no act {act}; there are {', '.join(playing.ACTS)}")
    found: object = None
    with contextlib.suppress(KeyboardInterrupt):
        found = do(lambda: playing.demo(out, act=playing.ACTS[act], report=report, keep=keep))
    ended(found)
