"""What an act of the demo is: the deployment that it needs, what is played on it, and how that is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

from app.commands.demo.report import Report
from app.commands.lab import Lab, Replica, Shape
from app.store.pool import Database

Show = Callable[[Console], None]
"""Prints what came of a scene, once the act is over."""


@dataclass(frozen=True, slots=True)
class Play:
    """One act in play: the deployment, a superuser's view of its database, and where its figures are written."""

    running: Lab
    database: Database
    progress: Progress
    found: Report


Scene = Callable[[Play], Awaitable[Show]]


def counted() -> tuple[ProgressColumn, ...]:
    """Columns of what has a number: so many of so many."""
    return SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed()


async def _nothing(_running: Lab) -> None:
    """Most acts need no preparation."""


async def _as_it_is(_running: Lab, replica: Replica) -> Replica:
    """Most acts are kept as they end."""
    return replica


@dataclass(frozen=True, slots=True)
class Act:
    """`prepare`: before the service starts. `codes`: calls that belong to it and are shown; None: all of them.

    `keep`: what happens before everything is left running for a person.
    """

    name: str
    shape: Shape
    scene: Scene
    prepare: Callable[[Lab], Awaitable[None]] = _nothing
    keep: Callable[[Lab, Replica], Awaitable[Replica]] = _as_it_is
    codes: Sequence[str] | None = None
    columns: Callable[[], tuple[ProgressColumn, ...]] = counted
    shows_calls: bool = True
