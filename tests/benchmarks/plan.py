"""A plan against many live offers: its memory and time, and its figures beside the stand-in's own: by command only.

    python -m tests.benchmarks.plan --offers 200000

Centra has as many SKUs as there are offers, four a product, and they are not quite the same: the first thousand offers
are of SKUs that it does not know, the last thousand SKUs have no offer, and some prices, quantities and logistic
classes differ. The live offers are read back from the export by the service's own flow. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from app.commands.lab import LIST, MARKET
from app.domain.catalogue import (
    OWN,
    AttributeValue,
    CatalogueDisplay,
    CatalogueProduct,
    CatalogueSize,
    CatalogueVariant,
    Category,
    Price,
)
from app.domain.ids import MarketId, Scope, SizeId, Sku
from app.domain.stock import Topology
from app.flows.catalogue_sweep import CATALOGUE_SWEEP, Walk
from app.flows.publishing.book import open_book
from app.flows.read_back import READ_BACK, Export
from app.flows.sweep import SWEPT
from app.policies.catalogue_map import CatalogueMap, Rule
from app.store import mirrors, products
from app.store.embedded import local_postgres
from tests.benchmarks.load import say
from tests.child import ROOT
from tests.flows.catalogue import map_of, put_map
from tests.flows.service import FR, SOURCE, Deployment, Service, deployed, serving, shape, until

SHIFT = 1_000
A_PRODUCT = 4
AT_ONCE = 1_000
DRY = '[channel.prices]\nmode = "dry_run"\nprice_list = 7'
SIZE = """
INSERT INTO size (scope, size_id, sku, variant_id, free, active, preorder, read_at)
VALUES ($1, $2, $3, $2, $4::text::jsonb, true, false, $5)
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What Centra has of the n-th offer of the stand-in."""

    number: int

    @property
    def sku(self) -> Sku:
        return Sku(f"LOAD-{self.number:06d}")

    @property
    def ean(self) -> str:
        digits = f"200{self.number:09d}"
        weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
        return f"{digits}{-weighted % 10}"

    @property
    def live_price(self) -> Decimal:
        return Decimal(10 + self.number % 90) + Decimal("0.90")

    @property
    def price(self) -> Decimal:
        return self.live_price + (1 if self.number % 7 == 0 else 0)

    @property
    def live_quantity(self) -> int:
        return self.number % 50

    @property
    def quantity(self) -> int:
        if self.number % 5 == 0:
            return self.live_quantity + 3
        return self.live_quantity - 4 if self.number % 13 == 0 and self.live_quantity > 10 else self.live_quantity

    @property
    def logistic_class(self) -> str:
        return "M" if self.number % 11 == 0 else ""

    @property
    def told(self) -> dict[str, object]:
        """As the stand-in compares it."""
        members: dict[str, object] = {"sku": self.sku, "price": float(self.price), "quantity": self.quantity}
        return members | ({"logistic_class": self.logistic_class} if self.logistic_class else {})


def at_stake(offers: int) -> Decimal:
    """Price x the larger quantity, of all that would change."""
    total = sum((one.live_price * one.live_quantity for one in map(Wanted, range(1, SHIFT + 1))), Decimal(0))
    for one in all_wanted(offers):
        if one.number > offers:
            total += one.price * one.quantity
        elif one.price != one.live_price or one.quantity != one.live_quantity or one.logistic_class:
            total += one.price * max(one.quantity, one.live_quantity)
    return total


def all_wanted(offers: int) -> Iterator[Wanted]:
    return (Wanted(number) for number in range(SHIFT + 1, offers + SHIFT + 1))


def product_of(number: int, skus: Sequence[Wanted]) -> CatalogueProduct:
    """A product with a variant for each SKU, so that each has its own price and class."""
    texts = {
        OWN: {"name": f"Northern jumper {number}", "description": "A warm jumper of virgin wool. " * 5},
        "fr": {"name": f"Pull nordique {number}", "description": "Un pull chaud, en laine vierge du nord. " * 5},
    }
    return CatalogueProduct(
        number,
        f"Northern jumper {number}",
        active=True,
        number=f"P{number:06d}",
        brand="Fjordwear",
        country_of_origin="PT",
        attributes={"pr_material": (AttributeValue("text", "100% wool"),)},
        variants=tuple(_variant(one, texts) for one in skus),
    )


def _variant(one: Wanted, texts: Mapping[str, Mapping[str, str]]) -> CatalogueVariant:
    display = CatalogueDisplay(
        one.number,
        active=True,
        texts=texts,
        categories=(Category(7, "Jumpers", "women/knitwear/jumpers"),),
        media=(f"https://media.northwater.example/{one.number}.jpg",),
        prices={LIST: Price(one.price, "EUR")},
        attributes={"class": (AttributeValue("text", one.logistic_class),)} if one.logistic_class else {},
    )
    return CatalogueVariant(
        one.number,
        "Navy",
        active=True,
        sizes=(CatalogueSize(SizeId(one.number), one.sku, "M", ean=one.ean),),
        display=display,
        attributes={"var_colour": (AttributeValue("text", "Navy"),)},
    )


def terms() -> CatalogueMap:
    """The demo's map; offers say no more than the stand-in's do, but for their logistic class."""
    catalogue = map_of(FR)
    silent = {"lead_time_days": None, "additional": {}, "logistic_class": Rule(field="attribute.class")}
    return msgspec.structs.replace(catalogue, offer=msgspec.structs.replace(catalogue.offer, **silent))


# ------------------------------------------------------------------------------------------------------------- filling


async def fill(service: Service, offers: int) -> None:
    """Centra's products and sizes, as the flows would have read them."""
    read_at, wanted = datetime.now(UTC), list(all_wanted(offers))
    async with service.parts.database.desk.acquire() as connection:
        topology = await mirrors.read_mirror(connection, SOURCE, mirrors.TOPOLOGY, Topology)
        warehouses = topology.value.sold_from(MarketId(MARKET)) if topology is not None else None
        assert warehouses
        kept_back = sum(max(0, warehouse.threshold) for warehouse in warehouses)
        place = str(warehouses[0].warehouse_id)
        for start in range(0, offers, AT_ONCE):
            page = wanted[start : start + AT_ONCE]
            made = [
                product_of(1 + (start + first) // A_PRODUCT, page[first : first + A_PRODUCT])
                for first in range(0, len(page), A_PRODUCT)
            ]
            await products.write(connection, SOURCE, made, read_at)
            free = ((one, json.dumps({place: one.quantity + kept_back})) for one in page)
            await connection.executemany(SIZE, [(SOURCE, one.number, one.sku, said, read_at) for one, said in free])
        await mirrors.write_cursor(connection, SOURCE, CATALOGUE_SWEEP, Walk(whole_at=read_at.isoformat()))
        await mirrors.write_cursor(connection, SOURCE, SWEPT, read_at.isoformat())
        await connection.execute("ANALYZE")


async def known(service: Service) -> bool:
    async with service.parts.database.desk.acquire() as connection:
        book = await open_book(connection, Scope(FR))
        topology = await mirrors.read_mirror(connection, SOURCE, mirrors.TOPOLOGY, Topology)
    return bool(book is not None and book.declared and book.value_lists and topology is not None)


async def is_read(service: Service) -> bool:
    async with service.parts.database.desk.acquire() as connection:
        export = await mirrors.read_cursor(connection, FR, READ_BACK, Export)
    return export is not None and export.has_all


# ----------------------------------------------------------------------------------------------------------- measuring


async def planned(place: Deployment, file: Path) -> dict[str, Any]:
    """Make the plan in a process of its own; its figures, seconds and peak memory."""
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: ASYNC220 - starting does not block
        [sys.executable, "-m", "app", "plan", FR, "--csv", str(file)],
        env=place.lab.environment(),
        cwd=ROOT,
        stdout=sys.stderr,
    )
    _, status, used = await asyncio.to_thread(os.wait4, process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 1), f"plan ended with {code}"
    summary = await place.database.fetchval("SELECT summary FROM plan ORDER BY number DESC LIMIT 1")
    return {
        "seconds": round(time.monotonic() - began, 1),
        "peak_mib": round(used.ru_maxrss / 1024, 1),
        "csv_mib": round(file.stat().st_size / 2**20, 1),
        "summary": json.loads(summary),
    }


def figures(summary: Mapping[str, Any]) -> dict[str, int]:
    """What the stand-in counts, out of a plan."""
    counts, members = summary["counts"], summary["members"]
    return {
        "missing": counts.get("offers.new", 0),
        "unwanted": counts.get("offers.leave", 0),
        "quantity": counts.get("stock.up", 0) + counts.get("stock.down", 0),  # what is unwanted goes to 0
        "price": members.get("prices.price", 0),
        "logistic_class": members.get("offers.logistic class", 0),
    }


async def run(offers: int) -> dict[str, object]:
    many = {"many_offers": {"count": offers}, "export_chunk": 10_000}
    wanted = shape(channels=(FR,), sizes=0, scale=60.0, catalogue={FR: DRY}, mirakl=many)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with local_postgres(folder / "postgres") as dsn, deployed(dsn, wanted) as place:
            async with serving(place, "reference", "topology") as service:
                await put_map(service.parts.database, FR, terms())
                await until(lambda: known(service), "the marketplace is known", seconds=60)
                say(f"{offers} SKUs are written down")
                await fill(service, offers)
            say("the live offers are read back")
            began = time.monotonic()
            async with serving(place, "read_back") as service:
                await until(lambda: is_read(service), "the live offers are known", seconds=900)
            read_seconds = time.monotonic() - began
            say("the plan is made")
            told = await planned(place, folder / "plan.csv")
            say("the stand-in counts")
            members = {"offers": [one.told for one in all_wanted(offers)]}
            theirs = await place.admin.post(place.mirakl(), "/_sandbox/offers/differences", members)
    ours, money = figures(told["summary"]), at_stake(offers)
    return {
        "what": "plan",
        "offers": offers,
        "products": offers // A_PRODUCT,
        "read_back_seconds": round(read_seconds, 1),
        "plan": told,
        "ours": ours,
        "theirs": {name: theirs[name] for name in ours},
        "at_stake": str(money),
        "equal": all(ours[name] == theirs[name] for name in ours) and Decimal(told["summary"]["at_stake"]) == money,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.plan", description=__doc__)
    parser.add_argument("--offers", type=int, default=200_000)
    found = asyncio.run(run(parser.parse_args().offers))
    print(json.dumps(found, indent=1))
    return 0 if found["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
