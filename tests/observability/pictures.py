"""Draws a dashboard as PNG, from its JSON and from what Prometheus answered. A preview, not Grafana.

Needs Debian's `chromium`, `npm` for uPlot, and `uv run --with playwright==1.65.* python -m tests.observability.panels
--pictures docs/dashboards`.
"""

from __future__ import annotations

import asyncio
import functools
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from tests.observability.panels import Answers, Json

HERE = Path(__file__).parent
UPLOT = "uplot@1.6.32"
MOST_BYTES = 200_000
SAID = "a preview, drawn from a real Prometheus beside the demo; not Grafana"
QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


@functools.cache
def _uplot() -> tuple[str, str]:
    """Its script and its style, from npm."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", UPLOT], cwd=folder, check=True, capture_output=True, timeout=120)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as package:
            package.extractall(folder, filter="data")
        dist = Path(folder) / "package" / "dist"
        return (dist / "uPlot.iife.min.js").read_text(), (dist / "uPlot.min.css").read_text()


async def draw(folder: Path, name: str, dashboard: Json, found: Answers) -> Path:
    """Write one picture; where it is. Raises RuntimeError without a browser, or where the picture is too large."""
    browser = shutil.which("chromium")
    if browser is None:
        raise RuntimeError("no chromium here; install Debian's package of that name")
    script, style = await asyncio.to_thread(_uplot)
    told = _told(name, dashboard, found)
    path = folder / f"{name}.png"
    folder.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=browser, args=list(QUIET))
        page = await chromium.new_page(viewport={"width": 1440, "height": 900})
        for sheet in (style, (HERE / "preview.css").read_text()):
            await page.add_style_tag(content=sheet)
        for code in (script, (HERE / "preview.js").read_text()):
            await page.add_script_tag(content=code)
        await page.evaluate("told => draw(told)", told)
        await page.locator("#page").screenshot(path=path)
        await chromium.close()
    if path.stat().st_size > MOST_BYTES:
        raise RuntimeError(f"{path} has {path.stat().st_size} bytes, more than {MOST_BYTES}; draw fewer points")
    return path


def _told(name: str, dashboard: Json, found: Answers) -> Json:
    """What the page needs: every panel's lines on one axis of time."""
    series = [one for answers in found.series.values() for one in answers]
    times = sorted({float(at) for one in series if len(one["values"]) > 1 for at, _ in one["values"]})
    answers = [
        [
            line
            for target in panel["targets"]
            for one in found.series[name, panel["title"], target["expr"]]
            if (line := _line(target, one, times))
        ]
        for panel in dashboard["panels"]
    ]
    return {"dashboard": dashboard, "answers": answers, "times": times, "said": SAID}


def _line(target: Json, one: Json, times: list[float]) -> Json | None:
    """One series as a line; None where all of it is NaN."""
    labels: dict[str, str] = one["metric"]
    legend = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), target.get("legendFormat", ""))
    values: dict[float, Any] = {float(at): float(value) for at, value in one["values"]}
    numbers = {at: value for at, value in values.items() if value == value}  # NaN is not itself
    if not numbers:
        return None
    shown = list(numbers.values()) if target.get("instant") else [numbers.get(at) for at in times]
    return {"name": legend.strip(), "labels": labels, "values": shown}
