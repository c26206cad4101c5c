"""An order that nobody accepts is noticed: from a row in Postgres to a message at a person, through the real programs.

Our own page of metrics is scraped by a real Prometheus with our rules, which tells a real Alertmanager with our routes,
which calls a webhook. The channel is paused, and neither Centra nor the marketplace answers. Copies of both files are
used whose times are cut to a second; nothing else in them is changed, but for the address of the receivers.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.commands.lab import free_port
from app.domain.progress import Acceptor
from app.engine import gauges
from app.store import orders
from app.web.server import State, bind, create_metrics, server
from tests.deadlines import seen, watching
from tests.flows.service import until

ROOT = Path(__file__).parents[2]
RULES = ROOT / "observability" / "rules" / "orders.yml"
ROUTES = ROOT / "observability" / "alertmanager" / "alertmanager.yml"
RECEIVERS = "https://alerts.example"
CHANNEL = "alerting-fr"
Json = dict[str, Any]


PROGRAMS = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "amtool": ("amtool",),
}
"""Under which names we know them: Debian's first."""


@pytest.fixture(scope="module")
def programs() -> Mapping[str, str]:
    """Where the programs are. CI must have them; elsewhere the tests are skipped, and say so."""
    places = {program: next(filter(None, map(shutil.which, names)), None) for program, names in PROGRAMS.items()}
    if missing := [program for program, place in places.items() if place is None]:
        words = f"ALERTS NOT TRIED: no {', '.join(missing)} (Debian: prometheus and prometheus-alertmanager)"
        pytest.fail(words) if os.environ.get("CI") else pytest.skip(words)
    return {program: str(place) for program, place in places.items()}


@dataclass
class Inbox:
    """Messages as they came: by path, the newest state of each alert of our channel."""

    alerts: dict[tuple[str, str], Json] = field(default_factory=dict)

    async def take(self, request: Request) -> Response:
        for alert in (await request.json())["alerts"]:
            if alert["labels"].get("scope") == CHANNEL:
                self.alerts[request.url.path, alert["labels"]["alertname"]] = alert
        return Response()

    async def receives(self, path: str, name: str, status: str) -> Json:
        async def arrived() -> Json | None:
            alert = self.alerts.get((path, name))
            return alert if alert is not None and alert["status"] == status else None

        return await until(arrived, f"{name} is {status} at {path}", seconds=30)


@contextlib.asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[str]:
    """An application on a port of the loopback; gives host and port."""
    listener = bind("127.0.0.1", 0)
    web = server(app)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: web.serve(sockets=[listener]))
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            web.should_exit = True


@contextlib.contextmanager
def running(folder: Path, *command: str) -> Iterator[None]:
    """A program until the block ends; what it said is shown where the test fails."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=folder)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        print(f"{log.name}:\n{log.read_text(errors='replace')[-4000:]}")


def checked(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def cut_short(text: str, *members: str) -> str:
    """The file with these members set to one second."""
    return re.sub(rf"\b({'|'.join(members)}): \d+[smhd]\b", r"\1: 1s", text)


def prometheus(folder: Path, programs: Mapping[str, str], target: str, alerts_to: str) -> list[str]:
    """The command that watches `target` by our rules."""
    (folder / "orders.yml").write_text(cut_short(RULES.read_text(), "interval", "for"))
    config = folder / "prometheus.json"  # JSON is YAML too
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(folder / "orders.yml")],
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alerts_to]}]}]},
                "scrape_configs": [{"job_name": "centra-mirakl", "static_configs": [{"targets": [target]}]}],
            }
        )
    )
    checked(programs["promtool"], "check", "config", str(config))
    return [
        programs["prometheus"],
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{free_port()}",
    ]


def alertmanager(folder: Path, programs: Mapping[str, str], receivers: str, listens_at: str) -> list[str]:
    """The command that sends what it is told by our routes, all to `receivers`."""
    routes = cut_short(ROUTES.read_text(), "group_wait", "group_interval")
    assert RECEIVERS in routes
    config = folder / "alertmanager.yml"
    config.write_text(routes.replace(RECEIVERS, f"http://{receivers}"))
    checked(programs["amtool"], "check-config", str(config))
    return [
        programs["alertmanager"],
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={listens_at}",
        "--cluster.listen-address=",
    ]


async def test_an_order_that_nobody_accepts_reaches_a_person_and_so_does_its_acceptance(
    database_url: str, tmp_path: Path, programs: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauges, "EVERY_SECONDS", 0.5)
    inbox, alerts_to = Inbox(), f"127.0.0.1:{free_port()}"
    receiver = Starlette(routes=[Route("/{path:path}", inbox.take, methods=["POST"])])
    async with (
        watching(database_url, tmp_path, {CHANNEL: "on"}) as parts,
        served(create_metrics(State())) as page,
        served(receiver) as receivers,
    ):
        parts.pauses.pause(CHANNEL, "the key is refused")
        await seen(parts, CHANNEL, "N-1-A", hours_ago=13.2)
        with (
            running(tmp_path, *alertmanager(tmp_path, programs, receivers, alerts_to)),
            running(tmp_path, *prometheus(tmp_path, programs, page, alerts_to)),
        ):
            ticket = await inbox.receives("/tickets/operations", "OrdersUnaccepted", "firing")
            assert ticket["labels"] | {"severity": "ticket", "team": "operations"} == ticket["labels"]
            assert ticket["annotations"]["runbook"] == "docs/runbook/OrdersUnaccepted.md"
            assert f"An order of {CHANNEL} has used 55" in ticket["annotations"]["summary"]
            words = "Orders that wait for a decision: 1; the first has 10h 4"
            assert ticket["annotations"]["description"].startswith(words)
            assert ("/pages", "OrdersAboutToLapse") not in inbox.alerts

            await seen(parts, CHANNEL, "N-2-A", hours_ago=19.2)
            paged = await inbox.receives("/pages", "OrdersAboutToLapse", "firing")
            assert paged["annotations"]["runbook"] == "docs/runbook/OrdersAboutToLapse.md"
            assert f"An order of {CHANNEL} has used 80" in paged["annotations"]["summary"]
            words = "Orders that wait for a decision: 2; the first has 4h 4"
            assert paged["annotations"]["description"].startswith(words)

            for order_id in ("N-1-A", "N-2-A"):
                async with parts.database.work.acquire() as connection:
                    assert await orders.accepted(connection, CHANNEL, order_id, Acceptor.US)
            await inbox.receives("/pages", "OrdersAboutToLapse", "resolved")
            await inbox.receives("/tickets/operations", "OrdersUnaccepted", "resolved")


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("severity=page team=finance", "pages"),
        ("severity=page team=operations", "pages"),
        ("severity=ticket team=operations", "tickets-operations"),
        ("severity=ticket team=ecommerce", "tickets-ecommerce"),
        ("severity=ticket team=finance", "tickets-finance"),
        ("severity=ticket team=warehouse", "tickets-warehouse"),
        ("severity=ticket", "tickets-operations"),
    ],
)
def test_an_alert_goes_to_whom_its_labels_name(programs: Mapping[str, str], labels: str, receiver: str) -> None:
    checked(programs["amtool"], "check-config", str(ROUTES))
    found = checked(programs["amtool"], "config", "routes", "test", f"--config.file={ROUTES}", *labels.split())
    assert found.strip() == receiver
