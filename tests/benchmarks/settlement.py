"""Many transaction lines into the ledger, and all of them matched: seconds and memory of one replica, by command only.

    python -m tests.benchmarks.settlement --lines 1000000

The stand-in computes a long history of order lives with their lines, refunds and paid cycles; the orders are put into
our tables, and the service reads the log by its own flow (TL02, in pages of 2,000) and matches every order and cycle.
Each size (a tenth, three tenths, all) has a process of its own, so that its peak memory is its own: that of the service
with nothing but its two flows. Prints one JSON object. Exit code 1: something was lost or differs, or the cost of a
line or the memory grows with their number.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.orders import Order, OrderLine, Refunded, Tax
from tests.benchmarks.child import cpu_seconds, rss_mb
from tests.benchmarks.place import fresh_database, postmaster, server, server_cpu_seconds
from tests.child import ROOT
from tests.flows.money import at_rest, differences, plant, rules
from tests.flows.service import FR, Deployment, Service, deployed, order_shape, serving, until
from tests.standins import Json

SCALE = 300.0
"""App seconds in a real one, so that no page waits for the hourly ceiling."""
CYCLES = 24
SHARES = (0.1, 0.3, 1.0)
AT_ONCE = 1_000
REFUNDED = (1, 6)
"""Of ten orders of the history these are refunded by half in the next cycle."""
FIRST_REFUND = 9_000_000_000
TERMS = "subscription = 39\n[channel.settlement.commission]\nshare = 0.15\nvat = 0.25"
COLUMNS = (
    *("scope", "order_id", "commercial_id", "state", "fulfilled_by", "created_at", "updated_at", "accept_by", "facts"),
    *("read_at", "unmarked", "seen_at", "ended_at"),
)
MOST_GROWTH = 1.5
"""What a line may cost at most, beside one of a tenth as many."""
MOST_MORE_MB = 30.0


async def measure(lines: int) -> Json:
    """One size."""
    async with server() as dsn:
        database = await fresh_database(dsn, "settlement")
        async with deployed(database, order_shape(scale=SCALE, orders="dry_run", settlement=TERMS)) as place:
            await rules(place, cycle_seconds=None, payout_seconds=None)
            made = await plant(place, "history", lines=lines, cycles=CYCLES)
            await _put_orders(place, made["orders"])
            await place.database.execute("ANALYZE marketplace_order")
            before, process = rss_mb(), await postmaster(dsn)
            began, cpu, cpu_server = time.perf_counter(), cpu_seconds(), server_cpu_seconds(process)
            async with serving(place, "settlement", "matching") as service:
                await until(lambda: _has(service, made["lines"]), "the log is read", seconds=7_200)
                read = time.perf_counter() - began
                await until(lambda: _is_matched(service), "all of it is matched", seconds=7_200)
                await at_rest(service)
                seconds = time.perf_counter() - began
                found = await differences(service)
                settled = "SELECT count(*) FROM order_settlement WHERE settled_at IS NOT NULL"
                return {
                    "lines": made["lines"],
                    "orders": made["orders"],
                    "cycles": made["cycles"],
                    "differences": len(found),
                    "some": list(found)[:5],
                    "orders_settled": await service.count(settled),
                    "read_seconds": round(read, 1),
                    "seconds": round(seconds, 1),
                    "seconds_for_each_1000_lines": round(seconds / made["lines"] * 1_000, 3),
                    "cpu_ms_for_each_1000_lines": round((cpu_seconds() - cpu) / made["lines"] * 1e6, 1),
                    "server_cpu_ms_for_each_1000_lines": round(
                        (server_cpu_seconds(process) - cpu_server) / made["lines"] * 1e6, 1
                    ),
                    "peak_rss_mb": rss_mb(),
                    "rss_mb_before": before,
                }


async def _has(service: Service, lines: int) -> bool:
    await asyncio.sleep(0.5)
    return await service.count("SELECT count(*) FROM transaction_line") >= lines


async def _is_matched(service: Service) -> bool:
    await asyncio.sleep(0.5)  # seldom enough to cost nothing
    return not await service.count("SELECT 1 FROM outbox WHERE flow = 'matching' AND due_at <= app_now() LIMIT 1")


async def _put_orders(place: Deployment, count: int) -> None:
    """The orders of the history, as the marketplace would tell them, page by page."""
    last = count - count // CYCLES  # those of the last cycle are not refunded yet
    for first in range(0, count, AT_ONCE):
        path = f"/_sandbox/money/history?first={first}&count={AT_ONCE}"
        told: Sequence[Json] = (await place.admin.get(place.mirakl(), path))["orders"]
        orders = [_order(life, first + place_, last) for place_, life in enumerate(told)]
        await place.database.copy_records_to_table("marketplace_order", records=_records(orders), columns=COLUMNS)


def _order(life: Json, number: int, last: int) -> Order:
    at = datetime.fromtimestamp(life["created_at"], UTC)
    line_id, price, shipping = OrderLineId(life["order_line_id"]), _money(life["price"]), _money(life["shipping_price"])
    taken: tuple[Refunded, ...] = ()
    if number % 10 in REFUNDED and number < last:
        half = Decimal(int(price * 100) // 2) / 100
        refund_id = str(FIRST_REFUND + number)
        taken = (Refunded(refund_id, line_id, half, Decimal(0), 0, "17", "REFUNDED", at),)
    line = OrderLine(
        line_id,
        Sku("VX-100-M"),
        1,
        price,
        price,
        shipping,
        price + shipping,
        "RECEIVED",
        taxes=_taxes(life["taxes"]),
        shipping_taxes=_taxes(life["shipping_taxes"]),
        taken=taken,
    )
    return Order(
        OrderId(life["order_id"]),
        life["commercial_id"],
        "RECEIVED",
        at,
        at,
        life["currency"],
        (line,),
        tax_mode=life["tax_mode"],
        total_price=price + shipping,
        debited_at=at,
        country="FR",
    )


def _money(amount: float) -> Decimal:
    return Decimal(str(amount))


def _taxes(told: Sequence[Json]) -> tuple[Tax, ...]:
    return tuple(Tax(tax["code"], _money(tax["amount"]), _money(tax["rate"])) for tax in told)


def _records(orders: Sequence[Order]) -> Iterator[tuple[object, ...]]:
    for order in orders:
        at, facts = order.created_at, msgspec.json.encode(order).decode()
        yield (FR, order.order_id, order.commercial_id, order.state, "DEFAULT", at, at, at, facts, at, False, at, at)


# ---------------------------------------------------------------------------------------------------- all sizes


def _one(lines: int) -> Json:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.settlement", "--one", str(lines)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found: Json = json.loads(ended.stdout)
    return found


def faults(found: Sequence[Json]) -> list[str]:
    """What is not as it should be."""
    smallest, largest = found[0], found[-1]
    wrong = [f"{one['lines']} lines: {one['differences']} differences" for one in found if one["differences"]]
    wrong += [
        f"{one['lines']} lines: not every order is settled" for one in found if one["orders_settled"] != one["orders"]
    ]
    growth = largest["cpu_ms_for_each_1000_lines"] / smallest["cpu_ms_for_each_1000_lines"]
    if growth > MOST_GROWTH:
        wrong.append(f"a line costs {growth:.2f} times as much")
    if largest["peak_rss_mb"] - smallest["peak_rss_mb"] > MOST_MORE_MB:
        wrong.append("memory grows with the lines")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.settlement", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--one", type=int, help="measure this size, here")
    told = parser.parse_args()
    if told.one:
        with contextlib.redirect_stdout(io.StringIO()):  # the service's log
            one = asyncio.run(measure(told.one))
        print(json.dumps(one, indent=1))
        return 0
    found = [_one(round(told.lines * share)) for share in SHARES]
    wrong = faults(found)
    print(json.dumps({"sizes": found, "wrong": wrong}, indent=1))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
