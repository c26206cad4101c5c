"""The real Prometheus and Alertmanager with our files, and who their messages reach.

Copies of our files are used whose times are cut to a second and whose receivers are here; nothing else is changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.commands.lab import free_port
from app.web.server import bind, server
from tests.flows.service import until

OBSERVABILITY = Path(__file__).parents[1] / "observability"
RULES = OBSERVABILITY / "rules"
ROUTES = OBSERVABILITY / "alertmanager" / "alertmanager.yml"
RECEIVERS = "https://alerts.example"
MAIL = "mail.shop.example:587"
ARRIVES_SECONDS = 30.0
Json = dict[str, Any]

PROGRAMS = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "amtool": ("amtool",),
}
"""Under which names we know them: Debian's first."""


def found_programs() -> Mapping[str, str]:
    """Where the programs are. CI must have them; elsewhere the tests are skipped, and say so."""
    places = {program: next(filter(None, map(shutil.which, names)), None) for program, names in PROGRAMS.items()}
    if missing := [program for program, place in places.items() if place is None]:
        words = f"ALERTS NOT TRIED: no {', '.join(missing)} (Debian: prometheus and prometheus-alertmanager)"
        pytest.fail(words) if os.environ.get("CI") else pytest.skip(words)
    return {program: str(place) for program, place in places.items()}


def checked(*command: str) -> str:
    """What a program prints, once it has said that all is well."""
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


# ------------------------------------------------------------------------------------------------ who is told


@dataclass
class Inbox:
    """Messages as they came: the newest state of each alert by path, and every mail."""

    alerts: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    web: str = ""
    mail: str = ""

    async def take(self, request: Request) -> Response:
        for alert in (await request.json())["alerts"]:
            labels = alert["labels"]
            self.alerts[request.url.path, labels["alertname"], labels.get("scope", "")] = alert
        return Response()

    async def receives(self, path: str, name: str, status: str, scope: str) -> Json:
        """Until this alert of a channel was told at this path to be firing or resolved; the alert."""

        async def arrived() -> Json | None:
            alert = self.alerts.get((path, name, scope))
            return alert if alert is not None and alert["status"] == status else None

        return await until(arrived, f"{name} is {status} at {path}", seconds=ARRIVES_SECONDS)

    async def gets_mail(self, to: str, subject: str) -> str:
        """Until somebody has a mail whose subject contains these words; its text."""

        async def arrived() -> EmailMessage | None:
            return next((m for m in self.mails if to in m["To"] and subject in m["Subject"]), None)

        mail = await until(arrived, f"{to} has a mail about {subject}", seconds=ARRIVES_SECONDS)
        body = mail.get_body(("plain",))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")

    async def take_mail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One conversation of SMTP: everything is welcome."""
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode().upper().rstrip():
            if line == "DATA":
                writer.write(b"354 go on\r\n")
                content = await reader.readuntil(b"\r\n.\r\n")
                parsed = email.message_from_bytes(content[:-5], policy=email.policy.default)
                self.mails.append(cast("EmailMessage", parsed))
            writer.write(b"221 bye\r\n" if line == "QUIT" else b"250 taken\r\n")
            if line == "QUIT":
                break
        writer.close()


@contextlib.asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[str]:
    """Pages on the loopback; gives host and port."""
    listener = bind("127.0.0.1", 0)
    web = server(app)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: web.serve(sockets=[listener]))
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            web.should_exit = True


@contextlib.asynccontextmanager
async def receivers() -> AsyncIterator[Inbox]:
    """A webhook and a mail server on the loopback."""
    inbox = Inbox()
    mail = await asyncio.start_server(inbox.take_mail, "127.0.0.1", 0)
    inbox.mail = f"127.0.0.1:{mail.sockets[0].getsockname()[1]}"
    async with mail, served(Starlette(routes=[Route("/{path:path}", inbox.take, methods=["POST"])])) as inbox.web:
        yield inbox


# ------------------------------------------------------------------------------------------------ the programs


@contextlib.contextmanager
def running_program(folder: Path, *command: str) -> Iterator[None]:
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


def cut_short(text: str, *members: str) -> str:
    """The file with these members set to one second."""
    return re.sub(rf"\b({'|'.join(members)}): \d+[smhd]\b", r"\1: 1s", text)


def prometheus(folder: Path, programs: Mapping[str, str], target: str, alerts_to: str) -> list[str]:
    """The command that watches `target` by all our rules."""
    for path in RULES.glob("*.yml"):
        (folder / path.name).write_text(cut_short(path.read_text(), "interval", "for"))
    config = folder / "prometheus.json"  # JSON is YAML too
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(folder / path.name) for path in RULES.glob("*.yml")],
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


def alertmanager(folder: Path, programs: Mapping[str, str], inbox: Inbox, listens_at: str) -> list[str]:
    """The command that sends what it is told by our routes and templates, all to `inbox`."""
    routes = cut_short(ROUTES.read_text(), "group_wait", "group_interval")
    assert RECEIVERS in routes
    assert MAIL in routes
    routes = routes.replace(RECEIVERS, f"http://{inbox.web}")
    routes = routes.replace(MAIL, f"{inbox.mail}\n  smtp_require_tls: false")
    config = folder / ROUTES.name
    config.write_text(routes)
    shutil.copytree(ROUTES.parent / "templates", folder / "templates")
    checked(programs["amtool"], "check-config", str(config))
    return [
        programs["alertmanager"],
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={listens_at}",
        "--cluster.listen-address=",
    ]


async def tell(address: str, alerts: Sequence[Json]) -> None:
    """Tell an Alertmanager of alerts, as Prometheus does; it may just be starting."""

    async def told() -> bool:
        with contextlib.suppress(httpx.TransportError):
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.post(f"http://{address}/api/v2/alerts", json=list(alerts))
                assert answer.status_code == 200, answer.text
                return True
        return False

    await until(told, "Alertmanager takes alerts")
