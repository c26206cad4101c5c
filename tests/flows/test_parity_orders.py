"""Orders and what follows their sale with planted differences, on both stand-ins and where the loss is ours: all are
found and no other; those that a flow can mend are gone after it has worked, and people are asked about the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from app.domain.after_sale import Carrier, CarrierRow
from app.domain.progress import Outcome
from app.flows.order_look_back import LOOK_BACK, LOOKED, Looked
from app.flows.parity import PARITY, Walk
from app.flows.read_back import READ_BACK, Export
from app.store import carriers, mirrors
from app.store.marks import Mark
from tests.faults.every import EVERY
from tests.flows.after_sale import AT_ONCE, back, cancel, intent_becomes, ship
from tests.flows.service import FR, Deployment, Service, deployed, order_shape, serving, until
from tests.standins import Json

EACH = 15 if EVERY else 1
"""So many orders of each story: by command 200 differences and more, in CI one of each kind."""
SOLD, KINDS = 10 * EACH, 8
REASONS = 'refund_reason_by_return = {X = "901", Y = "902"}'
POLICY = f'returns = {{unannounced = "refund"}}\n{REASONS}'
Difference = tuple[str, str, str, str, str]
"""Kind, key, member, cause, what was done."""


@dataclass
class Shop:
    """A shop with orders, and the differences that must be found. `sold`: orders that nothing was done to yet."""

    place: Deployment
    sold: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    told: dict[str, list[str]] = field(default_factory=dict)
    wanted: set[Difference] = field(default_factory=set)

    def take(self, count: int) -> list[str]:
        taken, self.sold = self.sold[:count], self.sold[count:]
        return taken

    def expect(self, kind: str, key: str, member: str, cause: str, deed: str) -> None:
        self.wanted.add((kind, key, member, cause, deed))

    async def execute(self, statement: str, *arguments: object) -> None:
        """The loss is ours."""
        await self.place.database.execute(statement, *arguments)

    async def at_marketplace(self, path: str, **members: Any) -> Json:
        """Somebody does something in the marketplace's back office."""
        found: Json = await self.place.admin.post(self.place.mirakl(), f"/_sandbox/{path}", members)
        return found

    async def found(self) -> set[Difference]:
        rows = await self.place.database.fetch(
            "SELECT kind, key, member, cause, deed FROM parity_difference WHERE gone_at IS NULL"
        )
        return {(row["kind"], row["key"], row["member"], row["cause"], row["deed"]) for row in rows}

    async def scores(self) -> dict[str, tuple[int, int]]:
        """Compared and differing, by kind."""
        rows = await self.place.database.fetch("SELECT kind, compared, differing FROM parity_run")
        return {row["kind"]: (row["compared"], row["differing"]) for row in rows}


async def in_business(service: Service, shop: Shop) -> None:
    """Orders that the warehouse has, two that were over before we came; some are shipped, refunded or to come back."""
    rows = [CarrierRow("postnord", Carrier("POSTNORD")), *(CarrierRow(f"gone {n}", Carrier(f"G{n}")) for n in range(3))]
    async with service.parts.database.work.acquire() as connection:
        await carriers.put(connection, FR, rows, "Ilva Testberg")
    await service.at_rest()
    skus = [size["sku"] for size in await service.sizes()]
    placed: list[Json] = [{"lines": [{"sku": skus[n % 20], "quantity": 2}], **AT_ONCE} for n in range(SOLD)]
    shop.over = await service.place(
        *({"lines": [{"sku": sku}], "state": "CLOSED", "created_ago_seconds": 86_400} for sku in skus[:EACH])
    )
    shop.sold = await service.place(*placed)
    await service.ends(Outcome.RELEASED, *shop.sold, seconds=120)
    shop.told = {name: shop.take(EACH) for name in ("back later", "refunded", "announced", "given")}
    shipped = [order_id for group in shop.told.values() for order_id in group]
    parcels = {order_id: await ship(service, order_id) for order_id in shipped}
    for order_id in shipped:
        await intent_becomes(service, order_id, "shipment", "done")
    for order_id in shop.told["refunded"]:
        await back(service, parcels[order_id])
    for order_id in shop.told["announced"]:
        await shop.at_marketplace("returns", order_id=order_id, lines=one_of(order_id))
    for order_id in shop.told["refunded"]:
        await intent_becomes(service, order_id, "refund", "done")

    await shop.at_marketplace("refunds", settle="all")
    await service.jump(1_000)

    async def settled() -> bool:
        """As far as the marketplace goes by itself, all of it is stored."""
        counted = [
            await service.count(f"SELECT count(*) FROM {what}")
            for what in (
                "marketplace_order WHERE state = 'SHIPPED'",
                "marketplace_order WHERE facts::text LIKE '%REFUNDED%'",
                "marketplace_return WHERE facts ->> 'state' = 'IN_PROGRESS'",
            )
        ]
        return counted == [len(shipped), EACH, EACH]

    await until(settled, "parcels, refunds and returns are read back")
    await service.at_rest()


def one_of(order_id: str) -> list[Json]:
    return [{"order_line_id": f"{order_id}-1", "quantity": 1}]


async def plant(shop: Shop, centra: Service) -> None:
    """Each difference that parity knows of orders, stock and mappings; the service stands."""
    service = shop.place
    for order_id in shop.take(EACH):
        await cancel(service, order_id)
        number = (await service.entry(order_id))["number"]
        shop.expect("cancellations", order_id, f"centra:order:{number}", "missed", "mended")
    for order_id in shop.take(EACH):
        parcel = await ship(service, order_id)
        shop.expect("shipments", order_id, f"centra:shipment:{parcel['id']}", "missed", "mended")
    for order_id in shop.take(EACH):
        await service.change(order_id, state="SHIPPED")
        shop.expect("shipments", order_id, "state", "by hand", "held")
    for order_id in shop.take(EACH):
        number = (await service.entry(order_id))["number"]
        await centra.parts.centra.hold_order(number, True, "a person asks")
        shop.expect("orders", order_id, "block", "by hand", "held")
    for order_id in shop.take(EACH):
        number = (await service.entry(order_id))["number"]
        await shop.execute(
            "UPDATE marketplace_order SET centra_number = 9000000 + $2 WHERE order_id = $1", order_id, number
        )
        shop.expect("orders", order_id, "Centra order", "missed", "held")
        shop.expect("orders", order_id, f"second order {number}", "missed", "held")
    for order_id in shop.take(EACH):
        await shop.execute(
            "UPDATE marketplace_order SET state = 'WAITING_DEBIT', facts = facts || '{\"state\": \"WAITING_DEBIT\"}'"
            " WHERE order_id = $1",
            order_id,
        )
        shop.expect("orders", order_id, "unread", "missed", "mended")
    for order_id in shop.over:
        await shop.execute("DELETE FROM marketplace_order WHERE order_id = $1", order_id)
        shop.expect("orders", order_id, "unread", "missed", "mended")
    await plant_after_sale(shop)
    for n in range(3):
        shop.expect("carriers", f"gone {n}", "code", "missed", "held")
    for code in ("901", "902"):
        shop.expect("mappings", f"REFUND {code}", "code", "missed", "held")
    live = await service.offers()
    for sku in sorted(live)[:3]:
        await shop.at_marketplace("offers", offers=[{"sku": sku, "quantity": live[sku] + 7, "price": 59.9}])
        shop.expect("stock", sku, "quantity", "on its way", "nothing")  # the read-back has marked it


async def plant_after_sale(shop: Shop) -> None:
    service = shop.place
    shipments = (await service.admin.get(service.centra, "/_sandbox/shipments"))["shipments"]
    for order_id in shop.told["back later"]:
        number = (await service.entry(order_id))["number"]
        made = await back(service, next(parcel for parcel in shipments if parcel["number"].startswith(f"{number}-")))
        shop.expect("refunds", order_id, f"centra:return:{made['id']}", "missed", "mended")
    for order_id in shop.told["refunded"]:
        told = await service.database.fetchval(
            "SELECT told -> 0 -> 'ids' ->> 0 FROM intent WHERE kind = 'refund' AND order_id = $1", order_id
        )
        await shop.execute(
            "UPDATE intent SET told = jsonb_set(told, '{0,ids,0}', '\"nowhere\"')"
            " WHERE kind = 'refund' AND order_id = $1",
            order_id,
        )
        shop.expect("refunds", order_id, "refund nowhere", "missed", "held")
        shop.expect("refunds", order_id, f"mirakl:refund:{told}", "missed", "mended")
    for order_id in shop.told["announced"]:
        row = await service.database.fetchval("SELECT return_id FROM marketplace_return WHERE order_id = $1", order_id)
        await shop.execute("DELETE FROM marketplace_return WHERE order_id = $1", order_id)
        shop.expect("returns", order_id, f"return {row}, state", "missed", "mended")
    for order_id in shop.told["given"]:
        given = await shop.at_marketplace("refunds", order_id=order_id, lines=one_of(order_id))
        [refund_id] = given["refunds"]
        shop.expect("refunds", order_id, f"mirakl:refund:{refund_id}", "on its way", "nothing")


async def compared(service: Service) -> None:
    """The service compares, with fresh exports."""
    began_at = await service.database.fetchval("SELECT app_now()")
    await service.parts.database.mark([Mark(FR, flow, flow) for flow in (READ_BACK, LOOK_BACK)])

    async def is_read() -> bool:
        export = await mirrors.read_cursor(service.database, FR, READ_BACK, Export)
        looked = await mirrors.read_cursor(service.database, FR, LOOKED, Looked)
        ends = (
            export and export.last_asked_at and datetime.fromisoformat(export.last_asked_at),
            looked and looked.asked_at,
        )
        return all(at is not None and at >= began_at for at in ends)

    await until(is_read, "the exports are read")
    await service.parts.database.mark([Mark(FR, PARITY, walk.value) for walk in Walk])

    async def is_compared() -> bool:
        return await service.count("SELECT count(*) FROM parity_run WHERE began_at >= $1", began_at) == KINDS

    await until(is_compared, "the walks are made")


@pytest.mark.timeout(300)
async def test_planted_differences_are_found_mended_or_asked_about(database_url: str) -> None:
    async with deployed(database_url, order_shape(after_sale=POLICY, fta=100)) as place:
        shop = Shop(place)
        async with serving(place) as service:
            await service.webhooks_on()
            await in_business(service, shop)
        async with serving(place, PARITY, READ_BACK, LOOK_BACK) as service:
            await compared(service)
            assert {kind for kind, *_ in await shop.found()} == {"carriers", "mappings"}, "nothing else was planted yet"
            await plant(shop, service)
            assert len(shop.wanted) == 13 * EACH + 8
            await compared(service)
            assert await shop.found() == shop.wanted
            in_centra = SOLD - EACH  # the others have a number that Centra does not know
            assert await shop.scores() == {
                "stock": (20, 0),
                "orders": (SOLD + 3 * EACH, 5 * EACH),
                "shipments": (in_centra, 2 * EACH),
                "cancellations": (in_centra, EACH),
                "refunds": (in_centra, 3 * EACH),
                "returns": (EACH, EACH),
                "carriers": (4, 3),
                "mappings": (4, 2),
            }
        left = {one for one in shop.wanted if one[4] == "held"}
        left |= {
            (*one[:3], "held", "nothing")  # the channel wants a person to say what a refund of the marketplace means
            for one in shop.wanted
            if one[2].startswith("mirakl:refund:")
        }
        async with serving(place) as service:
            await mended(service, shop)
            ended = await place.command("parity", "run", "--fresh", "--channel", FR)
            assert ended.code == 1, ended
            assert await shop.found() == left
            assert await shop.scores() == {
                "stock": (20, 0),
                "orders": (SOLD + EACH, 3 * EACH),
                "shipments": (in_centra, EACH),
                "cancellations": (in_centra, 0),
                "refunds": (in_centra, 3 * EACH),
                "returns": (EACH, 0),
                "carriers": (4, 3),
                "mappings": (4, 2),
            }
            assert "25.00 % │ 4 │ 3" in ended.words, "of the carriers"


async def mended(service: Service, shop: Shop) -> None:
    """Until what the flows were given again has been done."""

    async def done() -> bool:
        open_ = await service.count(
            "SELECT count(*) FROM intent WHERE state = 'open' OR state = 'held' AND kind NOT IN ('credit')"
        )
        return open_ == 0 and await service.offers() == await service.sellable()

    await until(done, "parcels, cancellations and refunds are told")
    await service.jump(1_000)
    await service.at_rest()
