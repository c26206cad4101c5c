"""Orders under load, as whole processes against both stand-ins: by command, never as a timed test.

    python -m tests.benchmarks.orders --rate 2 --seconds 300 --stock-rate 100    2 a second beside a full stock push
    python -m tests.benchmarks.orders --burst 100                                100 orders at once
    python -m tests.benchmarks.orders --burst 50 --plan Growth                   on Centra's default plan
    ... --path b                                                                 addresses hidden until dispatch

From an order being stored to its acceptance, by our own clock; the stand-ins' ledgers judge the rest: every
order accepted once, one placed Centra order each, no ceiling exceeded. Prints one JSON object. Time is real (scale 1).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter

import anyio
import asyncpg

from app.commands.lab import Lab, Shape, lab
from tests.benchmarks.load import equal, say, share, violations

PLACED = ("PENDING", "CONFIRMED", "PROCESSING", "SHIPPED")


def shape(options: argparse.Namespace) -> Shape:
    early = {"features": {"order_workflows": {"shipping_and_billing_details_before_acceptance": options.path == "a"}}}
    return Shape(
        sizes=options.sizes,
        plan=options.plan,
        channels=("demo-fr", "demo-se"),
        orders="on",
        mirakl={"shop": {"configuration": early}, "orders": {"debit_seconds": 20}},
    )


async def place(running: Lab, skus: list[str], number: int, first: int) -> None:
    """Orders one by one in turn over the channels, each of one or two lines."""
    channels = list(running.mirakl)
    by_channel: dict[str, list[dict[str, object]]] = {c: [] for c in channels}
    for n in range(first, first + number):
        lines = [{"sku": skus[n % len(skus)], "quantity": 1}]
        if n % 3 == 0:
            lines.append({"sku": skus[(n * 7 + 1) % len(skus)], "quantity": 1})
        by_channel[channels[n % len(channels)]].append({"lines": lines, "country": "FRA" if n % 2 else "SWE"})
    for channel, orders in by_channel.items():
        if orders:
            await running.ask(running.mirakl[channel], "/_sandbox/orders", {"orders": orders})  # type: ignore[dict-item]


async def run(options: argparse.Namespace) -> dict[str, object]:
    async with lab(shape(options)) as running:
        replicas = [await running.start_replica() for _ in range(options.replicas)]
        await running.send_webhooks_to(replicas[0])
        say(f"{options.replicas} replicas; first push of {options.sizes} sizes")
        if await equal(running, 600):
            raise SystemExit("the first push did not finish")
        sizes = (await running.ask(running.centra, "/_sandbox/sellable?market=4"))["sellable"]
        assert isinstance(sizes, dict)
        skus = sorted(sku for sku, free in sizes.items() if isinstance(free, int) and free > 8)
        if options.stock_rate:
            wanted = {"changes_per_second": options.stock_rate, "seconds": options.seconds + 120, "seed": 3}
            await running.ask(running.centra, "/_sandbox/load", wanted)
        total = await play(running, options, skus)
        connection = await asyncpg.connect(running.dsn)
        try:
            waited = await accepted(connection, total, options.patience)
            await running.ask(running.centra, "/_sandbox/load", method="DELETE")
            say("waiting until every order is released, and stock agrees")
            await released(connection, options.patience)
            different = await equal(running, 300)
            seconds = [row["seconds"] for row in waited]
            return {
                "what": "orders",
                "path": options.path,
                "plan": options.plan,
                "replicas": options.replicas,
                "orders": total,
                "accepted": len(seconds),
                "stored_to_accepted_seconds": {
                    "median": share(seconds, 0.5),
                    "p99": share(seconds, 0.99),
                    "max": round(max(seconds, default=0.0), 2),
                },
                **await judged(running, connection),
                "differences_of_stock": different,
                "calls_over_a_ceiling": await violations(running),
            }
        finally:
            await connection.close()


async def play(running: Lab, options: argparse.Namespace, skus: list[str]) -> int:
    if options.burst:
        say(f"a burst of {options.burst} orders")
        await place(running, skus, options.burst, 0)
        return int(options.burst)
    say(f"{options.rate} orders a second for {options.seconds} s, stock at {options.stock_rate} changes a second")
    total, began = 0, time.monotonic()
    while (passed := time.monotonic() - began) < options.seconds:
        due = int(passed * options.rate) - total
        if due > 0:
            await place(running, skus, due, total)
            total += due
        await anyio.sleep(0.2)
    return total


async def accepted(connection: asyncpg.Connection[asyncpg.Record], total: int, patience: float) -> list[asyncpg.Record]:
    """Until all are accepted: from stored to accepted, for each."""
    rows: list[asyncpg.Record] = []
    with anyio.move_on_after(patience):
        while len(rows) < total:
            await anyio.sleep(1)
            rows = await connection.fetch(
                "SELECT extract(epoch FROM accepted_at - seen_at)::float8 AS seconds FROM marketplace_order"
                " WHERE accepted_at IS NOT NULL"
            )
    say(f"{len(rows)} of {total} accepted")
    return rows


async def released(connection: asyncpg.Connection[asyncpg.Record], patience: float) -> None:
    with anyio.move_on_after(patience):
        while await connection.fetchval(  # noqa: ASYNC110 - a table has no event
            "SELECT count(*) FROM marketplace_order WHERE outcome IS NULL"
        ):
            await anyio.sleep(1)


async def judged(running: Lab, connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, object]:
    """What the stand-ins say: OR21 once an order, one placed Centra order each."""
    or21: Counter[str] = Counter()
    wanted: set[str] = set()
    for channel, address in running.mirakl.items():
        ledger = (await running.ask(address, "/_sandbox/ledger?code=OR21"))["entries"]
        or21.update(f"mirakl:{channel}:{entry['order_id']}" for entry in ledger)  # type: ignore[union-attr, index, call-overload]
        orders = (await running.ask(address, "/_sandbox/orders"))["orders"]
        wanted |= {f"mirakl:{channel}:{order_id}" for order_id in orders}  # type: ignore[union-attr]
    centra = (await running.ask(running.centra, "/_sandbox/orders"))["orders"]
    placed = Counter(str(o["internal_comment"]) for o in centra if o["status"] in PLACED)  # type: ignore[union-attr, index, call-overload]
    outcomes = await connection.fetch(
        "SELECT coalesce(outcome, 'open') AS outcome, count(*) AS n FROM marketplace_order GROUP BY 1"
    )
    return {
        "accepted_twice": sum(1 for n in or21.values() if n > 1),
        "placed_twice": sum(1 for n in placed.values() if n > 1),
        "not_placed": len(wanted - set(placed)),
        "outcomes": {row["outcome"]: row["n"] for row in outcomes},
        "held": await connection.fetchval("SELECT count(*) FROM outbox WHERE state = 'held'"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.orders")
    parser.add_argument("--rate", type=float, default=2)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--burst", type=int, default=0)
    parser.add_argument("--stock-rate", type=float, default=100)
    parser.add_argument("--sizes", type=int, default=5_000)
    parser.add_argument("--plan", default="Enterprise", choices=["Growth", "Enhanced", "High volume", "Enterprise"])
    parser.add_argument("--path", default="b", choices=["a", "b"])
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--patience", type=float, default=400)
    print(json.dumps(anyio.run(run, parser.parse_args()), indent=2))


if __name__ == "__main__":
    main()
