"""python -m tests.benchmarks.order_pages [--orders 44000]: orders read by page while pages shift, as JSON on stdout.

The stand-in lets three orders that were read leave the window behind every page, and at times one that was not read
yet. What counts is that none is lost and none is stored twice; the seconds are real ones, at one page each 0.1 s, where
a marketplace allows one a second.
"""

import argparse
import asyncio
import contextlib
import io
import json
import sys
import time

from app.flows.order_intake import INTAKE, WATERMARK, Passed
from app.store import mirrors
from tests.benchmarks.place import fresh_database, server
from tests.flows.service import FR, Service, counted, deployed, order_shape, serving, until
from tests.standins import Json

SCALE = 400.0
DAYS_3 = 3 * 86_400


async def measure(count: int) -> Json:
    """Two passes over `count` orders: the first while they shift, the second for those updated meanwhile."""
    async with server() as dsn:
        database = await fresh_database(dsn, "order_pages")
        wanted = order_shape(
            scale=SCALE,
            order_lines={FR: "sweep_seconds = 8640000"},
            mirakl={"orders": {"acceptance_seconds": 30 * 86_400}},  # nothing but the faults moves an order
        )
        async with deployed(database, wanted) as place:
            sku = (await place.sizes())[0]["sku"]
            bulk: Json = {"count": count, "spread_seconds": DAYS_3, "sku": sku}
            await place.admin.post(place.mirakl(), "/_sandbox/orders/bulk", bulk)
            await place.faults(place.mirakl(), *_shifts(count))
            seen = counted("orders_seen_total", scope=FR)
            async with serving(place, INTAKE) as service:
                began = time.perf_counter()
                first = await until(lambda: _passed(service), "the first pass", seconds=7_200)
                first_seconds = time.perf_counter() - began
                pages = len(await service.calls(service.mirakl(), "OR11"))
                await service.admin.clear_faults(service.mirakl())
                await until(lambda: _passed(service, first), "the second pass", seconds=7_200)
                stored = await service.database.fetch("SELECT order_id, state FROM marketplace_order")
                told = {order_id: order["state"] for order_id, order in (await service.bought()).items()}
                found = {row["order_id"]: row["state"] for row in stored}
                return {
                    "orders": count,
                    "lost": len(told.keys() - found.keys()),
                    "stored_twice": int(counted("orders_seen_total", scope=FR) - seen) - len(found),
                    "stale": sum(found.get(order_id) != state for order_id, state in told.items()),
                    "first_pass_seconds": round(first_seconds, 1),
                    "both_passes_seconds": round(time.perf_counter() - began, 1),
                    "first_pass_calls": pages,
                    "violations": len(await service.violations(service.mirakl())),
                }


def _shifts(count: int) -> list[Json]:
    unread = [
        {"code": "OR11", "kind": "shift", "ids": [f"BULK-{n:06d}-A"], "state": None, "after": n // 100}
        for n in range(50, count, 900)
    ]
    return [*unread, {"code": "OR11", "kind": "shift", "first": 3, "count": None}]


async def _passed(service: Service, before: Passed | None = None) -> Passed | None:
    passed = await mirrors.read_cursor(service.database, FR, WATERMARK, Passed)
    return passed if passed and (before is None or passed.began_at > before.began_at) else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.order_pages", description=__doc__)
    parser.add_argument("--orders", type=int, default=44_000)
    told = parser.parse_args()
    with contextlib.redirect_stdout(io.StringIO()):  # the service's log
        found = asyncio.run(measure(told.orders))
    print(json.dumps(found, indent=1))
    return int(bool(found["lost"] or found["stored_twice"] or found["stale"]))


if __name__ == "__main__":
    sys.exit(main())
