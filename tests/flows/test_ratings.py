"""Our own figures are the marketplace's: every measure, on orders that went wrong in every way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.after_sale import Carrier, CarrierRow
from app.domain.progress import Outcome
from app.domain.ratings import Measure
from app.flows.ratings import A21, OURS, RATINGS
from app.policies.ratings import why
from app.store import carriers, ratings
from app.store.marks import Mark
from tests.flows.after_sale import AT_ONCE, UNPAID, back, line_becomes, ship, shop
from tests.flows.service import FR, Service, until

DAY = 86_400
FREE = Carrier(name="Nord Express", url="https://nord.example/{trackingId}")


async def figures(service: Service, source: str) -> dict[str, float | None]:
    rows = await service.database.fetch(
        "SELECT measure, value FROM seller_rating WHERE scope = $1 AND source = $2", FR, source
    )
    return {row["measure"]: None if row["value"] is None else float(row["value"]) for row in rows}


async def newer(service: Service, source: str, than: datetime) -> None:
    async def there() -> bool:
        fresh = "SELECT count(*) FROM seller_rating WHERE scope = $1 AND source = $2 AND told_at > $3"
        return await service.count(fresh, FR, source, than) > 0

    await until(there, f"{source} is newer than {than}")


async def days_later(service: Service, days: float) -> None:
    """The marketplace's figures are read by themselves."""
    before = await service.database.fetchval("SELECT app_now()")
    await service.jump(days * DAY)
    await newer(service, "marketplace", before + timedelta(hours=1))


async def counted(service: Service) -> dict[str, float | None]:
    """Our own figures, counted anew."""
    before = await service.database.fetchval("SELECT app_now()")
    await service.parts.database.mark([Mark(FR, RATINGS, OURS)])
    await newer(service, "ours", before)
    return await figures(service, "ours")


async def written(service: Service, table: str) -> Mapping[str, Any]:
    """Until something is in a table, and that."""

    async def there() -> list[Mapping[str, Any]]:
        return [dict(row) for row in await service.database.fetch(f"SELECT * FROM {table}")]

    return (await until(there, f"something is in {table}"))[0]


async def reasons(service: Service, measure: Measure) -> dict[str, str]:
    """Why each order counts as bad."""
    async with service.parts.database.desk.acquire() as connection:
        since = service.parts.clock.now() - timedelta(days=30)
        found = await ratings.causes(connection, FR, measure, since, 50)
    return {cause.order_id: why(measure, cause) for cause in found}


async def test_our_figures_are_the_marketplaces_and_name_the_orders_behind_them(database_url: str) -> None:
    async with shop(database_url, 'returns = {unannounced = "refund"}') as service:
        admin, there = service.admin, service.mirakl()
        one, two, three = [size["sku"] for size in (await service.sizes())[:3]]
        async with service.parts.database.work.acquire() as connection:
            await carriers.put(connection, FR, [CarrierRow("nord express", FREE)], "Ilva Testberg")
        lapsed = await service.buy(one, created_ago_seconds=4 * DAY)
        refused = await service.buy({"sku": two, "quantity": 500, "price_unit": 59.9})
        good, untracked, late = [await service.buy(one, **AT_ONCE) for _ in range(3)]
        cancelled = await service.buy(three, **AT_ONCE, **UNPAID)
        await service.ends(Outcome.RELEASED, good, untracked, late, cancelled)
        parcel = await ship(service, good)
        await ship(service, untracked, carrier="Nord Express")
        for order_id in (good, untracked):
            await line_becomes(service, order_id, shipped=1)
        await service.ends(Outcome.LAPSED, lapsed)
        await service.ends(Outcome.REFUSED, refused)
        await service.change(cancelled, cancel=True)
        await service.ends(Outcome.CANCELLED, cancelled)
        incident = {"order_line_id": f"{untracked}-1"}
        await admin.post(there, "/_sandbox/incidents", incident)
        await written(service, "line_incident")
        await admin.post(there, "/_sandbox/incidents", {**incident, "close": True})
        await back(service, parcel)
        await line_becomes(service, good, refunded=1)
        thread = await admin.post(there, "/_sandbox/threads", {"order_id": good, "ago_seconds": 7200})
        await admin.post(there, "/_sandbox/threads", {"id": thread["id"], "answered": True})
        await service.becomes(good, lambda record: any(line.taken for line in record.order.lines))
        await days_later(service, 3)
        await written(service, "thread_reply")
        assert await counted(service) == pytest.approx(await figures(service, "marketplace"), abs=1)
        assert "nothing of it left Centra's warehouse" in (await reasons(service, Measure.LATE))[late]

        await ship(service, late)
        await line_becomes(service, late, shipped=1)
        await service.becomes(late, lambda record: record.order.lines[0].shipped_at is not None)
        await days_later(service, 1.1)
        ours, theirs = await counted(service), await figures(service, "marketplace")
        assert set(ours) == {measure.value for measure in Measure}
        assert ours == pytest.approx(theirs, abs=1)  # delays are told in whole seconds
        assert {name: round(value or 0, 1) for name, value in ours.items() if name.endswith("_percent")} == {
            "acceptance_percent": 66.7,  # four of six
            "late_percent": 33.3,  # one of three that were shipped
            "tracked_percent": 66.7,
            "cancelled_percent": 25.0,  # of the four that were accepted
            "incident_percent": 25.0,
            "refunded_percent": 25.0,
        }
        assert ours["reply_seconds"] == pytest.approx(7200, abs=300)

        acceptance = await reasons(service, Measure.ACCEPTANCE)
        assert acceptance[lapsed].startswith("lapsed: first read after its time was over")
        assert "500" in acceptance[refused]
        assert "short" in acceptance[refused]
        assert set(acceptance) == {lapsed, refused}
        assert "left the warehouse at" in (await reasons(service, Measure.LATE))[late]
        assert "Nord Express is not a registered carrier" in (await reasons(service, Measure.TRACKED))[untracked]
        assert (await reasons(service, Measure.REFUNDED))[good].startswith("17; ours: given back by OR28")
        assert await reasons(service, Measure.CANCELLED) == {cancelled: "34"}  # the buyer's, not ours
        assert await reasons(service, Measure.INCIDENTS) == {untracked: "2"}
        assert (await reasons(service, Measure.REPLY_TIME))[good].startswith("answered after 2.")
        assert set(await reasons(service, Measure.ACCEPTANCE_TIME)) == {good, untracked, late, cancelled}

        # A right of its own: without it that key waits for a person, and everything else goes on.
        await admin.post(there, "/_sandbox/forbid", {"codes": [A21]})
        await service.jump(1.1 * DAY)

        async def words() -> str | None:
            return (await service.held(FR, RATINGS)).get(A21)

        assert "may not read the shop's statistics" in await until(words, "the key is held")
        assert service.parts.pauses.seconds_left(FR) == 0
        assert await counted(service)
