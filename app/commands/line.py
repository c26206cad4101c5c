"""What all commands share: consoles, options, and how an error becomes a sentence and an exit code."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Annotated, NoReturn

import anyio
import typer
from rich.console import Console
from rich.markup import escape

from app.commands.context import Exit, UnreachableError
from app.commands.orders import DeclinedError
from app.settings import SettingsError
from app.store.migrate import MigrationError
from app.store.pool import DATABASE_AWAY
from app.store.retention import RetentionError
from app.wire.target import WrongAddress

out = Console()
err = Console(stderr=True)

WHO = os.environ.get("USER") or "somebody"
Who = Annotated[str, typer.Option("--who", help="who decides this, for the audit")]
Why = Annotated[str, typer.Option("--why", help="the reason, for the audit")]
Order = Annotated[str, typer.Argument(help="the marketplace's order id, a commercial id, or a Centra number")]
Where = Annotated[str | None, typer.Option("--channel", help="the channel, where several know such an order")]


def end(code: Exit, message: str) -> NoReturn:
    """End the process with a message."""
    err.print(f"[red]centra-mirakl:[/] {escape(message)}", highlight=False)
    raise typer.Exit(int(code))


def do(work: Callable[[], Awaitable[object]]) -> object:
    """Run a command's coroutine; turn what can go wrong into a sentence and an exit code."""
    how: tuple[Exit, str] = (Exit.DONE, "")
    try:
        return anyio.run(work, backend_options={"use_uvloop": True})
    except* (SettingsError, MigrationError, RetentionError, WrongAddress) as group:
        how = (Exit.CONFIGURATION, "\n".join(str(e) for e in _leaves(group)))
    except* DeclinedError as group:
        how = (Exit.DIFFERENCES, "\n".join(str(e) for e in _leaves(group)))
    except* UnreachableError as group:
        how = (Exit.UNREACHABLE, "\n".join(str(e) for e in _leaves(group)))
    except* DATABASE_AWAY as group:
        how = (Exit.UNREACHABLE, f"the database went away: {_leaves(group)[0]}")
    end(*how)


def ended(found: object) -> NoReturn:
    """End with what a command's work says of itself."""
    raise typer.Exit(int(found) if isinstance(found, Exit) else 0)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for inner in group.exceptions:
        found += _leaves(inner) if isinstance(inner, BaseExceptionGroup) else [inner]
    return found
