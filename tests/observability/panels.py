"""python -m tests.observability.panels: does every query of every dashboard find data in the running demo?

Plays the demo's acts, each with a real Prometheus that reads it every second, and asks what Grafana would ask. A query
must find a value in one of the acts. The exit code is 1 where one does not. About five minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.observability.place import ROOT, Prometheus, act

Json = dict[str, Any]
FOLDER = ROOT / "grafana" / "dashboards"
ACTS: Mapping[str, tuple[str, ...]] = {
    "all": ("orders", "stock", "platform"),
    "after-sale": ("overview", "dispatch"),
    "catalogue": ("catalogue",),
    "settlement": ("money",),
}
"""The acts to play, and the dashboards whose picture is of this act."""
WORK = {"catalogue": 'sum(max without (instance, pod) (centra_mirakl_publication_keys{state=~"held|rejected"}))'}
"""What tells how much there is for people, where it is not the items held."""
VARIABLES = {"$__rate_interval": "15s", "$scope": ".*"}


@dataclass(slots=True)
class Answers:
    """What Prometheus said of one act, by dashboard, title of the panel, and expression."""

    act: str
    series: dict[tuple[str, str, str], list[Json]] = field(default_factory=dict)


def dashboards() -> dict[str, Json]:
    """All of them, by the names of their files."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def queries() -> Iterator[tuple[str, Json, Json]]:
    """Dashboard, panel and target of every query."""
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield name, panel, target


def filled(expression: str) -> str:
    """The expression with the variables of a dashboard replaced."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def has_data(series: list[Json]) -> bool:
    """Whether there is a number in it: NaN is none."""
    return any(not math.isnan(float(value)) for one in series for _, value in one["values"])


def busiest(watching: Prometheus, act: str) -> float:
    """When most was held for people (the end, where nothing was), in Unix time: what a picture should show."""
    held = watching.ask(WORK.get(act, "sum(centra_mirakl_held_items)"), time.time())
    moments = [(float(value), float(at)) for one in held for at, value in one["values"]]
    return max(moments)[1] if moments else time.time()


def ask_all(name: str, watching: Prometheus, progress: Progress, until: float) -> Answers:
    """Every query of every dashboard, one after the other."""
    found, asked = Answers(name), list(queries())
    for dashboard, panel, target in progress.track(asked, description=f"{name}: queries of the dashboards"):
        series = watching.ask(filled(target["expr"]), until, instant=bool(target.get("instant")))
        found.series[dashboard, panel["title"], target["expr"]] = series
    return found


def show(console: Console, answers: list[Answers]) -> int:
    """Say which queries found nothing in any act; how many these are."""
    empty = Table("dashboard", "panel", "query", title="without data in every act", title_justify="left")
    asked = list(queries())
    for dashboard, panel, target in asked:
        place = (dashboard, panel["title"], target["expr"])
        if not any(has_data(found.series[place]) for found in answers):
            empty.add_row(dashboard, panel["title"], target["expr"])
    if empty.row_count:
        console.print(empty)
    for found in answers:
        console.print(f"{found.act}: {sum(map(has_data, found.series.values()))} of {len(asked)} queries have data")
    console.print(f"{len(asked) - empty.row_count} of {len(asked)} queries have data in one of the acts")
    return empty.row_count


async def main() -> int:
    """Play, ask, and draw if told to."""
    parser = argparse.ArgumentParser(prog="python -m tests.observability.panels", description=__doc__)
    parser.add_argument("--act", action="append", choices=sorted(ACTS), help="only this one; may be repeated")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw each dashboard there, as PNG")
    told = parser.parse_args()
    if told.pictures:
        from tests.observability import pictures  # its library is not one of the project's
    console, answers, shown = Console(stderr=True), [], []
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    for name in told.act or ACTS:
        with Progress(*columns, console=console) as progress:
            async with act(name, progress) as watching:
                answers.append(ask_all(name, watching, progress, time.time()))
                shown.append(ask_all(name, watching, progress, busiest(watching, name)))
    if told.pictures:
        for found in shown:
            for dashboard in ACTS[found.act]:
                console.print(await pictures.draw(told.pictures, dashboard, dashboards()[dashboard], found))
    return 1 if show(console, answers) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
