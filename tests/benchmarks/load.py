"""The service under load, as whole processes against both stand-ins: by command, never as a timed test.

    python -m tests.benchmarks.load load --replicas 3          100 changes a second for 5 minutes over 20,000 sizes
    python -m tests.benchmarks.load load --rate 1000 --seconds 10     a burst
    python -m tests.benchmarks.load load --plan Growth --rate 20      Centra's default plan
    python -m tests.benchmarks.load idle --rounds 100          from a storefront webhook to STO01, after an idle spell
    python -m tests.benchmarks.load idle --no-webhooks --rounds 20    the same by events alone

Prints one JSON object. The stand-ins' ledgers judge; time is real (scale 1) under load.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import datetime

import anyio

from app.commands.lab import Lab, Shape, lab

CALL_INTERVAL_SECONDS = 61.2
IMPORT_SECONDS = 3.0
STATUS_INTERVAL_SECONDS = 15.3


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def share(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3) if ordered else 0.0


def instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


async def equal(running: Lab, seconds: float) -> int:
    """Wait until no quantity differs; how many still do."""
    different = -1
    with anyio.move_on_after(seconds):
        while different != 0:
            await anyio.sleep(0.5)
            different = sum(len(d) for d in (await running.differences()).values())
    return different


async def violations(running: Lab) -> dict[str, int]:
    found = {}
    for name, address in {"centra": running.centra, **running.mirakl}.items():
        seen = await running.ask(address, "/_sandbox/calls")
        found[name] = len(seen["violations"])  # type: ignore[arg-type]
    return found


async def load(options: argparse.Namespace) -> dict[str, object]:
    shape = Shape(sizes=options.sizes, plan=options.plan, scale=options.scale, channels=("demo-fr", "demo-se"))
    async with lab(shape) as running:
        replicas = [await running.start_replica() for _ in range(options.replicas)]
        if options.webhooks:
            await running.send_webhooks_to(replicas[0])
        say(f"{options.replicas} replicas; first push of {options.sizes} sizes")
        began = time.monotonic()
        if await equal(running, 900):
            raise SystemExit("the first push did not finish")
        first_push = time.monotonic() - began
        before = int((await running.ask(running.centra, "/_sandbox/ledger?code=stock&since=999999999"))["total"])  # type: ignore[arg-type]
        wanted = {"changes_per_second": options.rate, "seconds": options.seconds, "seed": 3}
        say(f"load: {options.rate} a second for {options.seconds} s")
        await running.ask(running.centra, "/_sandbox/load", wanted)
        loaded: dict[str, object] = {}
        while not loaded.get("done"):
            await anyio.sleep(2)
            loaded = dict(await running.ask(running.centra, "/_sandbox/load"))
        say("load done; settling")
        different = await equal(running, 1200)
        await anyio.sleep(20)
        lags = await newest_lags(running, before)
        bound = 2 * CALL_INTERVAL_SECONDS + IMPORT_SECONDS
        return {
            "what": "load",
            "replicas": options.replicas,
            "plan": options.plan,
            "sizes": options.sizes,
            "changes_per_second": options.rate,
            "seconds": options.seconds,
            "changes": loaded["made"],
            "first_push_seconds": round(first_push, 1),
            "differences": different,
            "calls_over_a_ceiling": await violations(running),
            "sizes_changed": len(lags),
            "newest_value_lag_seconds": {
                "median": share(lags, 0.5),
                "p99": share(lags, 0.99),
                "max": round(max(lags, default=0.0), 1),
            },
            "bound_seconds": bound,
            "within_bound": max(lags, default=0.0) <= bound and different == 0,
            "pushed_lines": await pushed(running),
        }


async def newest_lags(running: Lab, before: int) -> list[float]:
    """For each (channel, size) changed under load: from its last change until the marketplace has its newest value."""
    entries = (await running.ask(running.centra, f"/_sandbox/ledger?code=stock&since={before}"))["entries"]
    last = {str(e["sku"]): instant(e["at"]) for e in entries}  # type: ignore[union-attr, index, call-overload]
    lags: list[float] = []
    for address in running.mirakl.values():
        ledger = (await running.ask(address, "/_sandbox/ledger"))["entries"]
        since: dict[str, tuple[object, datetime]] = {}
        for e in ledger:  # type: ignore[union-attr]
            sku, quantity = str(e["sku"]), e["quantity"]  # type: ignore[index, call-overload]
            if sku not in since or since[sku][0] != quantity:
                since[sku] = (quantity, instant(e["at"]))  # type: ignore[index, call-overload]
        lags += [max(0.0, (since[sku][1] - at).total_seconds()) for sku, at in last.items() if sku in since]
    return lags


async def pushed(running: Lab) -> dict[str, int]:
    return {
        channel: len((await running.ask(address, "/_sandbox/ledger"))["entries"])  # type: ignore[arg-type]
        for channel, address in running.mirakl.items()
    }


async def idle(options: argparse.Namespace) -> dict[str, object]:
    """Rounds of: wait until STO01 may be called again, change one SKU, time the next STO01 of each channel."""
    scale = 30.0 if options.webhooks else 6.0
    async with lab(Shape(sizes=2_000, scale=scale)) as running:
        replica = await running.start_replica()
        if options.webhooks:
            await running.send_webhooks_to(replica)
        await equal(running, 120)
        seconds: list[float] = []
        for number in range(options.rounds):
            await anyio.sleep((CALL_INTERVAL_SECONDS + 4 + number % 7) / scale + 0.5)
            began = time.time()
            change = {"sku": f"VX-{number * 13 % 1900 + 1:06d}", "delta": 50 + number}
            skus = (await running.ask(running.centra, "/_sandbox/sizes?limit=2000"))["sizes"]
            change["sku"] = skus[number * 13 % 1900]["sku"]  # type: ignore[index, call-overload]
            began = time.time()
            await running.ask(running.centra, "/_sandbox/stock", {"changes": [change]})  # type: ignore[dict-item]
            seconds += [await posted(address, running, began, 120 / scale + 20) for address in running.mirakl.values()]
            if number % 10 == 9:
                say(f"{number + 1} rounds, median {statistics.median(seconds):.3f} s")
        factor = 1.0 if options.webhooks else scale
        app = [s * factor for s in seconds]
        limit = 1.0 if options.webhooks else 65.0
        return {
            "what": "idle, storefront webhook to STO01" if options.webhooks else "idle, events alone to STO01",
            "unit": "real seconds" if options.webhooks else "app seconds",
            "rounds": options.rounds,
            "samples": len(app),
            "median": share(app, 0.5),
            "p99": share(app, 0.99),
            "max": round(max(app), 3),
            "limit": limit,
            "met": share(app, 0.99) <= limit,
            "calls_over_a_ceiling": await violations(running),
        }


async def posted(address: str, running: Lab, since: float, seconds: float) -> float:
    """Real seconds from `since` until the next STO01 arrived."""
    with anyio.fail_after(seconds):
        while True:
            log = (await running.ask(address, "/_sandbox/calls?code=STO01"))["log"]
            times = [float(e["at_real"]) for e in log if float(e["at_real"]) > since]  # type: ignore[union-attr, index, call-overload, arg-type]
            if times:
                return min(times) - since
            await anyio.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.load")
    parser.add_argument("what", choices=["load", "idle"])
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--sizes", type=int, default=20_000)
    parser.add_argument("--plan", default="Enterprise", choices=["Growth", "Enhanced", "High volume", "Enterprise"])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--no-webhooks", dest="webhooks", action="store_false")
    options = parser.parse_args()
    result = anyio.run(load if options.what == "load" else idle, options)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
