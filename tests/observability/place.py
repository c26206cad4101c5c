"""The demo with a real Prometheus beside it from its first second on, and what that Prometheus answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.progress import Progress

from app.clock import wall_now
from app.commands.demo import play as playing
from app.commands.lab import free_port, lab
from app.engine.gauges import SLOWLY_SECONDS

ROOT = Path(__file__).parents[2]
SETTLE_SECONDS = 12
"""Until the gauges, read every 5 s, have seen the end; those of money are read once a minute."""
TOKEN_LASTS = timedelta(days=90)
POINTS = 240
"""Of a curve, at most."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that watches an act; `began` in Unix time."""

    address: str
    began: float

    def ask(self, expression: str, until: float, *, instant: bool = False) -> list[dict[str, Any]]:
        """Series as Prometheus gives them, of the act until then, or as of then. Raises RuntimeError."""
        told: dict[str, object] = {"query": expression, "time": until}
        if not instant:
            step = max(1, round((until - self.began) / POINTS))
            told = {"query": expression, "start": self.began, "end": until, "step": step}
        path = "query" if instant else "query_range"
        body = urllib.parse.urlencode(told).encode()
        try:
            with urllib.request.urlopen(f"{self.address}/api/v1/{path}", body, timeout=30) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"Prometheus refuses {expression}: {error.read().decode()}") from error
        for series in found:
            series.setdefault("values", [series.pop("value")] if "value" in series else [])
        return found


@contextlib.asynccontextmanager
async def act(name: str, progress: Progress) -> AsyncIterator[Prometheus]:
    """Play an act of the demo under the eyes of a Prometheus; everything still runs when this gives it."""
    played = playing.ACTS[name]
    shape = played.shape
    ends_on = f"token_expires_on = {wall_now().date() + TOKEN_LASTS}"
    async with lab(replace(shape, channel_lines=dict.fromkeys(shape.channels, ends_on))) as running:
        await played.prepare(running)
        replica = await running.start_replica()
        await running.send_webhooks_to(replica)
        with _prometheus(running.folder, replica.address.removeprefix("http://")) as watching:
            await playing.play_act(running, progress, played, playing.Report(name))
            await asyncio.sleep(SETTLE_SECONDS if shape.settlement is None else SLOWLY_SECONDS + SETTLE_SECONDS)
            yield watching


@contextlib.contextmanager
def _prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None:
        raise RuntimeError("no prometheus here; install Debian's package of that name")
    for rules in (ROOT / "observability" / "rules").glob("*.yml"):
        (folder / rules.name).write_text(re.sub(r"\binterval: \d+s", "interval: 1s", rules.read_text()))
    config = folder / "prometheus.json"  # JSON is YAML too
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(folder / "*.yml")],
                "scrape_configs": [{"job_name": "centra-mirakl", "static_configs": [{"targets": [target]}]}],
            }
        )
    )
    listens, log = f"127.0.0.1:{free_port()}", folder / "prometheus.log"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={listens}",
    ]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=folder)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{listens}/-/ready", timeout=1):
                break
            if process.poll() is not None:
                raise RuntimeError(f"Prometheus has ended:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        else:
            raise RuntimeError(f"Prometheus is not ready after 10 s:\n{log.read_text(errors='replace')[-2000:]}")
        yield Prometheus(f"http://{listens}", time.time())
    finally:
        process.terminate()
        process.wait()
