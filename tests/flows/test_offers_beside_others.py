"""Offers beside what others do: another tool manages prices, the operator takes a class away, two share a code."""

from __future__ import annotations

import msgspec

from app.store.marks import Mark
from tests.faults.every import by_command
from tests.flows.catalogue import clothes, edit, live, map_of, put_map, shop, skus_of, stand, told
from tests.flows.service import FR, Service, until
from tests.flows.test_live_offers import priced

WITHOUT_PRICES = '[channel.stock]\nread_back_seconds = 60\n[channel.prices]\nmode = "off"\nprice_list = 7'


SCARVES = {"catalogue": {"sizes": 0, "fta": 9, "clothing": {"products": 2, "fta": 9, "kinds": ["Scarf"]}}}
"""One of two colours, and one of one."""


async def slower(service: Service, days: int) -> None:
    """Every offer of the channel is another one."""
    terms = {**msgspec.to_builtins(map_of(FR).offer), "lead_time_days": days}
    await put_map(service.parts.database, FR, map_of(FR, offer=terms))


async def test_field_case_10_prices_that_another_tool_manages_stay_as_they_are(database_url: str) -> None:
    async with shop(database_url, centra=SCARVES, catalogue={FR: WITHOUT_PRICES}) as service:
        product = (await clothes(service))[1]
        [sku] = skus_of(product)
        await stand(service, "offers", "live", [sku])
        assert (await live(service))[sku]["price"] == float(product["prices"]["7"]), "of a new offer Centra's, once"
        await priced(service, sku, str(product["prices"]["7"]))

        await service.admin.post(service.mirakl(), "/_sandbox/offers", {"offers": [{"sku": sku, "price": 71.0}]})
        await priced(service, sku, "71")
        await edit(service, {"product": product["id"], "display": {"prices": {"7": "88.50"}}})
        await slower(service, 5)

        async def late() -> bool:
            return bool((await live(service))[sku]["leadtime_to_ship"] == 5)

        await until(late, "the offer is another one")
        assert (await live(service))[sku]["price"] == 71.0
        assert await service.calls(service.mirakl(), "PRI01") == []
        await stand(service, "offers", "live", [sku])


@by_command
async def test_a_logistic_class_that_is_gone_holds_the_offers_that_name_it(database_url: str) -> None:
    async with shop(database_url, centra=SCARVES) as service:
        product = (await clothes(service))[1]
        [sku] = skus_of(product)
        await stand(service, "offers", "live", [sku])
        await service.admin.post(service.mirakl(), "/_sandbox/catalogue", {"logistic_classes": {"S": None}})
        await service.jump(86_500)  # as often as it may be read
        await service.parts.database.mark([Mark(FR, "reference", "SH31")])
        rows = await stand(service, "offers", "held", [sku])
        assert "the marketplace has no class 'S'" in rows[sku]["reasons"]

        async def said() -> bool:
            return "the logistic class S is gone" in (await service.held(FR, "catalogue_watch")).get(
                "catalogue_watch", ""
            )

        await until(said, "the watch says it once for all")
        terms = {**msgspec.to_builtins(map_of(FR).offer), "logistic_class": {"constant": "M"}}
        await put_map(service.parts.database, FR, map_of(FR, offer=terms))
        await stand(service, "offers", "live", [sku])
        assert (await live(service))[sku]["logistic_class"]["code"] == "M"


@by_command
async def test_a_code_that_another_product_has_holds_the_later_one_until_it_is_let_go(database_url: str) -> None:
    async with shop(database_url, centra=SCARVES) as service:
        second, first = await clothes(service)
        [sku], other = skus_of(first), skus_of(second)[0]
        await stand(service, "products", "live", [sku, other])
        await edit(service, {"sku": other, "ean": first["variants"][0]["sizes"][0]["ean"]})
        rows = await stand(service, "products", "held", [other])
        assert f"is the EAN of {sku} too" in rows[other]["reasons"]
        await edit(service, {"product": first["id"], "display": {"status": "INACTIVE"}})

        async def sent() -> bool:
            return (await told(service, "products"))[other]["state"] in ("sent", "waiting", "live")

        await until(sent, "the other one may have it")
