"""`python -m tests.faults.refund_runs --runs 1000 --seed 1`: runs of refunds under faults, and their table.

Exit code 1 when a refund was given back twice or lost, or held without need. `--seed N --runs 1` plays one run again:
the same orders, and the same calls go wrong in the same way.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time

import structlog

from app.clock import monotonic
from tests.child import Child
from tests.faults.refund_batch import Batch
from tests.faults.refund_shop import Counts, refund_shop
from tests.postgres import Databases

AT_ONCE = 10
IN_ONE_SHOP = 100
"""After so many runs a fresh database and fresh stand-ins are taken."""


async def run(databases: Databases, seeds: list[int], *, at_once: int = AT_ONCE, minutes: float = 60.0) -> Counts:
    """Play these seeds, as many as the time allows."""
    counts, ends_at, began = Counts(), monotonic() + 60 * minutes, monotonic()
    for first in range(0, len(seeds), IN_ONE_SHOP):
        left = seeds[first : first + IN_ONE_SHOP]
        dsn = await databases.create(databases.template)
        async with refund_shop(dsn, counts) as shop:
            for place in range(0, len(left), at_once):
                if monotonic() > ends_at:
                    break
                wrong = await Batch(shop, left[place : place + at_once]).play()
                for seed, words in wrong.items():
                    if words:
                        print(f"seed {seed}:", *words, sep="\n  ", flush=True)
                took = monotonic() - began
                print(f"{counts.runs} runs, {counts.refunds} refunds, {took:.0f} s", file=sys.stderr, flush=True)
        await databases.drop(dsn)
    return counts


def table(counts: Counts, seconds: float) -> str:
    """The figures of all runs."""
    unknown = sum(counts.unknown.values())
    words = [words for found in counts.violations.values() for words in found]
    duplicates = [w for w in words if w.startswith("given back ")]
    lost = [w for w in words if w.startswith("lost")]
    others = len(words) - len(duplicates) - len(lost)
    rows = {
        "runs": counts.runs,
        "orders": counts.orders,
        "refunds": counts.refunds,
        "calls of OR28": counts.calls,
        "of which ended unknown": f"{unknown} ({100 * unknown / max(1, counts.calls):.1f} %)",
        **{f"  {kind}": number for kind, number in sorted(counts.unknown.items())},
        "engine dropped in mid-call": counts.dropped,
        "found by reading": counts.found,
        "held as undecidable": counts.held,
        "given back twice": len(duplicates),
        "lost": len(lost),
        "other violations": others,
        "seconds": f"{seconds:.0f} ({seconds / max(1, counts.runs):.2f} a run)",
    }
    return "\n".join(f"{name:<28} {value}" for name, value in rows.items())


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--runs", type=int, default=50)
    reader.add_argument("--seed", type=int, default=1, help="of the first run; the others follow")
    reader.add_argument("--minutes", type=float, default=60.0, help="begin no further runs after so long")
    reader.add_argument("--at-once", type=int, default=AT_ONCE, help="runs that are played side by side")
    told = reader.parse_args()
    began = time.monotonic()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # a dropped engine is what we want
    child = Child.start("tests.postgres", seconds=120)
    try:
        databases = Databases(**child.first_line)
        seeds = list(range(told.seed, told.seed + told.runs))
        counts = asyncio.run(run(databases, seeds, at_once=told.at_once, minutes=told.minutes))
    finally:
        child.stop()
    print(table(counts, time.monotonic() - began))
    if counts.runs < told.runs:
        print(f"only {counts.runs} of {told.runs} runs in time")
    return int(bool(counts.violations) or counts.runs < told.runs)


if __name__ == "__main__":
    sys.exit(main())
