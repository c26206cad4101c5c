"""Accepted is not applied: what was confirmed is compared with what the marketplace's next export shows."""

from __future__ import annotations

from decimal import Decimal

from app.domain.live_offer import LiveOffer
from app.store import live_offers
from tests.faults.every import by_command
from tests.flows.catalogue import clothes, edit, live, published, shop, skus_of, stand, told
from tests.flows.service import FR, Service, counted, until

OFTEN = '[channel.stock]\nread_back_seconds = 60\n[channel.prices]\nmode = "on"\nprice_list = 7'
APPROVED = OFTEN + "\napproval = true"
ANEW = {"duplicate_seconds": 0}
"""The same file again is another import."""
SCARVES = {"catalogue": {"sizes": 0, "fta": 9, "clothing": {"products": 2, "fta": 9, "kinds": ["Scarf"]}}}
"""One of two colours, and one of one."""


async def shown(service: Service, sku: str) -> LiveOffer | None:
    async with service.parts.database.work.acquire() as connection:
        found = await live_offers.of_skus(connection, FR, [sku])
    return found[sku].offer if sku in found else None  # type: ignore[index]


async def priced(service: Service, sku: str, amount: str, seconds: float = 30) -> None:
    """Until the live offer is kept with this price."""

    async def so() -> bool:
        offer = await shown(service, sku)
        price = None if offer is None else offer.default_price
        return price is not None and price.amount == Decimal(amount)

    await until(so, f"{sku} is kept with {amount}", seconds=seconds)


async def test_a_change_that_was_accepted_and_not_applied_is_named_and_sent_again_once(database_url: str) -> None:
    async with shop(database_url, products=1, mirakl=ANEW, catalogue={FR: OFTEN}) as service:
        await published(service)
        product = (await clothes(service))[0]
        skus = skus_of(product)
        before = (await live(service))[skus[0]]["price"]
        await priced(service, skus[0], str(before))
        corrected = counted("stale_values_corrected_total", scope=FR, flow="prices")
        await service.faults(service.mirakl(), {"code": "PRI01", "kind": "accepted_not_applied"})
        await edit(service, {"product": product["id"], "display": {"prices": {"7": "88.50"}}})
        rows = await stand(service, "prices", "differs", skus)
        assert f"price: sent 88.50, live is {before}" in rows[skus[0]]["reasons"]
        assert "accepted and not applied" in rows[skus[0]]["reasons"]
        await stand(service, "prices", "live", skus)
        assert counted("stale_values_corrected_total", scope=FR, flow="prices") == corrected + len(skus)
        await priced(service, skus[0], "88.5")


@by_command
async def test_what_differs_again_is_named_and_sent_again_on_the_next_day(database_url: str) -> None:
    """Somebody changes prices in the marketplace's back office, twice."""
    async with shop(database_url, products=1, mirakl=ANEW, catalogue={FR: OFTEN}) as service:
        skus = await published(service)
        before = (await live(service))[skus[0]]["price"]
        await priced(service, skus[0], str(before))
        prices = [{"sku": sku, "price": 71.0} for sku in skus]
        await service.admin.post(service.mirakl(), "/_sandbox/offers", {"offers": prices})
        await stand(service, "prices", "differs", skus)
        await stand(service, "prices", "live", skus)
        await priced(service, skus[0], str(before))
        corrected = counted("stale_values_corrected_total", scope=FR, flow="prices")
        prices = [{"sku": sku, "price": 70.0} for sku in skus]
        await service.admin.post(service.mirakl(), "/_sandbox/offers", {"offers": prices})
        rows = await stand(service, "prices", "differs", skus)
        assert f"price: sent {before:.2f}, live is 70.0" in rows[skus[0]]["reasons"]
        assert counted("stale_values_corrected_total", scope=FR, flow="prices") == corrected
        await service.jump(86_400 + 600)
        await priced(service, skus[0], str(before))
        await stand(service, "prices", "live", skus)
        assert counted("stale_values_corrected_total", scope=FR, flow="prices") == corrected + len(skus)


@by_command
async def test_an_offer_that_is_not_there_is_made_again(database_url: str) -> None:
    async with shop(database_url, products=1, mirakl=ANEW, catalogue={FR: OFTEN}) as service:
        await service.faults(service.mirakl(), {"code": "OF24", "kind": "accepted_not_applied"})
        skus = skus_of((await clothes(service))[0])
        rows = await stand(service, "offers", "differs", skus)
        assert "offer: sent listed, live is not there" in rows[skus[0]]["reasons"]
        await stand(service, "offers", "live", skus)
        assert sorted(await live(service)) == sorted(skus)


@by_command
async def test_a_price_that_waits_for_the_operator_is_pending_until_it_shows(database_url: str) -> None:
    async with shop(database_url, products=1, mirakl=ANEW, catalogue={FR: APPROVED}) as service:
        await published(service)
        product = (await clothes(service))[0]
        skus = skus_of(product)
        await service.admin.post(service.mirakl(), "/_sandbox/shop", {"price_approval": True})
        await edit(service, {"product": product["id"], "display": {"prices": {"7": "88.50"}}})
        rows = await stand(service, "prices", "pending", skus)
        assert "the operator has not approved it yet" in rows[skus[0]]["reasons"]
        since = rows[skus[0]]["since"]
        await service.jump(3600)
        assert (await told(service, "prices"))[skus[0]]["since"] == since
        await service.admin.post(service.mirakl(), "/_sandbox/prices", {"approve": "all"})
        await stand(service, "prices", "live", skus)
        await priced(service, skus[0], "88.5")


async def test_a_price_that_goes_and_comes_back_within_a_day_is_spelled_otherwise(database_url: str) -> None:
    """The very same file within a day is an import that the marketplace had already, and goes nowhere."""
    async with shop(database_url, centra=SCARVES, catalogue={FR: OFTEN}) as service:
        await published(service)
        product = (await clothes(service))[1]
        [sku] = skus_of(product)
        ended = "SELECT count(*) FROM import WHERE scope = $1 AND kind = 'prices' AND state = $2"

        async def repeated() -> int:
            return await service.count(ended, FR, "repeated")

        for amount in ("88.5", "77.5", "88.5"):
            await edit(service, {"product": product["id"], "display": {"prices": {"7": amount}}})
            await priced(service, sku, amount, seconds=30)
        await stand(service, "prices", "live", [sku])
        assert await repeated() == 1
        assert (await live(service))[sku]["price"] == 88.5
        assert await service.violations(service.mirakl()) == []
