"""`sandbox`: both stand-ins alone, to point a service of one's own at."""

from __future__ import annotations

import tempfile
from pathlib import Path

import anyio
from rich.console import Console

from app.clock import wall_now
from app.commands.lab import CENTRA_KEY, WEBHOOK_SECRET, Shape, start_sandbox


async def sandbox(console: Console, *, sizes: int, channels: list[str]) -> None:
    """Run the stand-ins until interrupted."""
    shape = Shape(channels=channels, sizes=sizes)
    with tempfile.TemporaryDirectory(prefix="centra-mirakl-sandbox-") as name:
        process, (centra, mirakl) = await start_sandbox(shape, Path(name), wall_now())
        try:
            console.print(f"Centra      {centra}   token {CENTRA_KEY}", highlight=False)
            for channel, address in mirakl.items():
                console.print(f"{channel:11} {address}   key k-{channel}", highlight=False)
            console.print(
                f"webhook secret {WEBHOOK_SECRET}; admin routes under /_sandbox; Ctrl-C ends it", highlight=False
            )
            while process.poll() is None:  # noqa: ASYNC110 - a process has no event
                await anyio.sleep(0.5)
        finally:
            process.terminate()
