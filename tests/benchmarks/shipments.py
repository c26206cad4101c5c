"""From a parcel leaving Centra's warehouse to the marketplace having it, as whole processes: by command only.

    python -m tests.benchmarks.shipments --orders 120 --rate 4

Orders are placed and released first; then their parcels leave one by one. Both instants are the stand-ins' own, of
one clock. Prints one JSON object; an order told twice makes the figures worthless. Time is real.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from datetime import datetime

import anyio
import asyncpg

from app.commands.lab import Lab, Shape, lab
from tests.benchmarks.load import equal, say, share, violations
from tests.benchmarks.orders import accepted, place, released

CARRIERS = "INSERT INTO carrier_map VALUES ($1, 'postnord', 'POSTNORD', '', '', 'Ilva Testberg', app_now())"


async def run(options: argparse.Namespace) -> dict[str, object]:
    early = {"features": {"order_workflows": {"shipping_and_billing_details_before_acceptance": True}}}
    shape = Shape(
        sizes=options.sizes,
        plan=options.plan,
        channels=("demo-fr", "demo-se"),
        orders="on",
        after_sale="",
        mirakl={"shop": {"configuration": early}, "orders": {"debit_seconds": 1}},
    )
    async with lab(shape) as running:
        replicas = [await running.start_replica() for _ in range(options.replicas)]
        await running.send_webhooks_to(replicas[0])
        if await equal(running, 600):
            raise SystemExit("the first push did not finish")
        sizes = (await running.ask(running.centra, "/_sandbox/sellable?market=4"))["sellable"]
        assert isinstance(sizes, dict)
        skus = sorted(sku for sku, free in sizes.items() if isinstance(free, int) and free > 8)
        say(f"{options.orders} orders are placed and released")
        await place(running, skus, options.orders, 0)
        connection = await asyncpg.connect(running.dsn)
        try:
            for channel in running.mirakl:
                await connection.execute(CARRIERS, channel)
            await accepted(connection, options.orders, options.patience)
            await released(connection, options.patience)
            say(f"parcels leave, {options.rate} a second")
            left = await leave(running, options.rate)
            told = await told_at(running, connection, len(left), options.patience)
            seconds = [(at - left[order]).total_seconds() for order, at in told.items() if order in left]
            return {
                "what": "shipments",
                "replicas": options.replicas,
                "plan": options.plan,
                "parcels": len(left),
                "told": len(seconds),
                "left_to_told_seconds": {
                    "median": share(seconds, 0.5),
                    "p99": share(seconds, 0.99),
                    "max": round(max(seconds, default=0.0), 2),
                },
                "told_twice": sum(1 for n in (await shipped(running)).values() if n > 1),
                "calls_over_a_ceiling": await violations(running),
            }
        finally:
            await connection.close()


async def leave(running: Lab, rate: float) -> dict[str, datetime]:
    """Every order's parcel leaves; when, by our mark."""
    orders = (await running.ask(running.centra, "/_sandbox/orders"))["orders"]
    assert isinstance(orders, list)
    began = time.monotonic()
    for n, order in enumerate(o for o in orders if isinstance(o, dict)):
        await anyio.sleep(max(0.0, began + n / rate - time.monotonic()))
        parcel = {"number": order["number"], "carrier": "PostNord", "tracking_number": f"PN{order['number']}"}
        await running.ask(running.centra, "/_sandbox/shipments", parcel)
    marks = {order["number"]: str(order["internal_comment"]) for order in orders if isinstance(order, dict)}
    ledger = (await running.ask(running.centra, "/_sandbox/ledger?code=SHIP"))["entries"]
    assert isinstance(ledger, list)
    entries = [entry for entry in ledger if isinstance(entry, dict)]
    return {marks[e["number"]]: datetime.fromisoformat(str(e["at"])) for e in entries if e["number"] in marks}


async def told_at(
    running: Lab, connection: asyncpg.Connection[asyncpg.Record], total: int, patience: float
) -> dict[str, datetime]:
    """When each order's parcel arrived at its marketplace, by our mark."""
    with anyio.move_on_after(patience):
        while await connection.fetchval("SELECT count(*) FROM intent WHERE state = 'done'") < total:  # noqa: ASYNC110
            await anyio.sleep(0.5)
    found: dict[str, datetime] = {}
    for channel, address in running.mirakl.items():
        ledger = (await running.ask(address, "/_sandbox/ledger?code=ST01"))["entries"]
        assert isinstance(ledger, list)
        for entry in ledger:
            assert isinstance(entry, dict)
            found[f"mirakl:{channel}:{entry['order_id']}"] = datetime.fromisoformat(str(entry["at"]))
    return found


async def shipped(running: Lab) -> Counter[str]:
    """How often each order was told as shipped."""
    found: Counter[str] = Counter()
    for address in running.mirakl.values():
        ledger = (await running.ask(address, "/_sandbox/ledger?code=ST01"))["entries"]
        assert isinstance(ledger, list)
        found.update(str(entry["order_id"]) for entry in ledger if isinstance(entry, dict))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.shipments")
    parser.add_argument("--orders", type=int, default=120)
    parser.add_argument("--rate", type=float, default=4, help="parcels a second")
    parser.add_argument("--sizes", type=int, default=500)
    parser.add_argument("--plan", default="Enterprise", choices=["Growth", "Enhanced", "High volume", "Enterprise"])
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--patience", type=float, default=300)
    print(json.dumps(anyio.run(run, parser.parse_args()), indent=2))


if __name__ == "__main__":
    main()
