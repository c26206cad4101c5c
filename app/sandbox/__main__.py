"""Runs the stand-ins: `python -m app.sandbox --config FILE [--until-eof]`.

The config is JSON, from a file or (`--config -`) from stdin; together with `--until-eof` it is stdin's first
line::

    {"clock": {"scale": 6.0, "start_at": "2026-03-02T08:00:00Z"},
     "centra": {"port": 0, "token": "t-centra", ...},
     "mirakl": [{"id": "demo-fr", "port": 0, "key": "k-fr", "shop_id": 2001, "currency": "EUR", ...}]}

When every listener accepts, one line goes to stdout::

    {"centra": "http://127.0.0.1:PORT", "mirakl": {"demo-fr": "http://127.0.0.1:PORT"}}

It then serves until SIGTERM or SIGINT, or until stdin ends when `--until-eof` is given. It listens on the
loopback only: the admin routes have no authentication. Exit codes: 0 after a stop, 2 for an unusable config.
"""

import argparse
import asyncio
import json
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.sandbox.clock import Clock
from app.sandbox.listener import LOOPBACK, Listener


class UnusableConfig(Exception):  # noqa: N818 - says what it is
    """The config cannot be used; the message is for the person who wrote it."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.sandbox", description="Stand-ins for Centra and Mirakl.")
    parser.add_argument("--config", required=True, metavar="FILE", help="JSON file, or - for stdin")
    parser.add_argument("--until-eof", action="store_true", help="stop when stdin ends")
    options = parser.parse_args(arguments)
    try:
        config = _read_config(options.config, one_line=options.until_eof)
        asyncio.run(_serve(config, until_eof=options.until_eof))
    except UnusableConfig as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    return 0


def _read_config(name: str, *, one_line: bool) -> dict[str, Any]:
    try:
        if name == "-":
            text = sys.stdin.readline() if one_line else sys.stdin.read()
        else:
            text = Path(name).read_text(encoding="utf-8")
        config = json.loads(text)
    except (OSError, ValueError) as error:
        raise UnusableConfig(f"cannot read the config: {error}") from error
    if not isinstance(config, dict) or not (config.get("centra") or config.get("mirakl")):
        raise UnusableConfig("the config names neither centra nor mirakl")
    return config


def _clock(config: dict[str, Any]) -> Clock:
    start_at = config.get("start_at")
    moment = datetime.fromisoformat(start_at) if start_at else None
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Clock(scale=float(config.get("scale", 1.0)), start_at=moment)


def _listener(app: Any, config: dict[str, Any]) -> Listener:
    if config.get("host", LOOPBACK) != LOOPBACK:
        raise UnusableConfig(f"listeners are on {LOOPBACK} only, not on {config['host']}")
    try:
        return Listener(app, int(config.get("port", 0)))
    except OSError as error:
        raise UnusableConfig(f"cannot listen on port {config.get('port')}: {error}") from error


def _listeners(config: dict[str, Any]) -> tuple[Listener | None, dict[str, Listener]]:
    clock = _clock(config.get("clock", {}))
    centra: Listener | None = None
    marketplaces: dict[str, Listener] = {}
    if config.get("centra"):
        from app.sandbox import centra as centra_stand_in

        centra = _listener(centra_stand_in.create_app(config["centra"], clock), config["centra"])
    if config.get("mirakl"):
        from app.sandbox import mirakl as mirakl_stand_in

        for shop in config["mirakl"]:
            if shop["id"] in marketplaces:
                raise UnusableConfig(f"two marketplaces are called {shop['id']}")
            marketplaces[shop["id"]] = _listener(mirakl_stand_in.create_app(shop, clock), shop)
    return centra, marketplaces


async def _serve(config: dict[str, Any], *, until_eof: bool) -> None:
    try:
        centra, marketplaces = _listeners(config)
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableConfig(f"the config does not make sense: {type(error).__name__}: {error}") from error
    listeners = [*([centra] if centra else []), *marketplaces.values()]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_eof:
        _stop_at_eof(loop, stop)
    async with asyncio.TaskGroup() as group:
        for listener in listeners:
            group.create_task(listener.run_until_told())
        for listener in listeners:
            await listener.accepting.wait()
        _announce(centra, marketplaces)
        await stop.wait()
        for listener in listeners:
            listener.should_exit = True


def _announce(centra: Listener | None, marketplaces: dict[str, Listener]) -> None:
    addresses: dict[str, Any] = {"mirakl": {name: listener.url for name, listener in marketplaces.items()}}
    if centra is not None:
        addresses["centra"] = centra.url
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()


def _stop_at_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    def watch() -> None:
        while sys.stdin.readline():
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="sandbox-stdin", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
