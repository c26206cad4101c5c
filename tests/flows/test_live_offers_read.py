"""An offer and its prices, written by our client, read back as the same: whatever a marketplace makes of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from app.domain.ids import Sku
from app.domain.listing import Offer
from app.domain.live_offer import LiveOffer
from app.flows.prices import rows_of
from app.flows.publishing.live import live_offer
from app.flows.publishing.wire import upsert
from app.mirakl import offer_schema
from app.mirakl.client import MiraklClient
from app.policies.differences import differences
from app.policies.pricing import Period, PriceSet, Tag
from app.wire.outcome import Applied
from tests.flows.test_clients_against_sandbox import SHOP_ID, transport_to, until, value_of
from tests.permits_in_memory import PermitsInMemory
from tests.standins import Json, Sandbox

SCALE = 600.0
SKU = Sku("LOAD-000001")
EAN = "2000000000015"
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
SALE = Period(NOW - DAY, (NOW + 30 * DAY).astimezone(timezone(timedelta(hours=2))))


def money(text: str) -> Decimal:
    return Decimal(text)


PLAIN = Offer(SKU, EAN, "EAN", "11")
RICH_FR = Offer(
    SKU,
    EAN,
    "EAN",
    "11",
    description='Laine  vierge; "du nord"\\\n2 × 30 °',
    lead_time_days=0,
    logistic_class="M",
    min_order_quantity=2,
    max_order_quantity=10,
    package_quantity=2,
    min_quantity_alert=3,
    available_from=NOW - DAY,
    available_until=NOW + 300 * DAY,
    additional={"made-in": "PT", "indice-reparabilite": "7"},
)
RICH_SE = Offer(SKU, EAN, "EAN", "11", lead_time_days=3, logistic_class="PAKET", additional={"lagerplats": "norr"})
SIMPLE = PriceSet((Tag(money("19.90"), discount=money("15"), discount_period=SALE),))
FULL = PriceSet(
    (
        Tag(
            money("19.90"), discount=money("15"), discount_period=SALE, ranges=((5, money("14.50")), (10, money("14")))
        ),
        Tag(money("18"), channel="BE"),
        Tag(money("17.5"), period=Period(NOW + 40 * DAY, NOW + 50 * DAY)),
    )
)


@pytest.mark.parametrize(
    ("channel", "offer", "prices"),
    [("demo-fr", PLAIN, SIMPLE), ("demo-fr", RICH_FR, FULL), ("demo-se", RICH_SE, SIMPLE)],
    ids=["plain", "fr", "se"],
)
async def test_what_is_written_reads_back_as_the_same(
    sandbox: Callable[[Json], Sandbox], channel: str, offer: Offer, prices: PriceSet
) -> None:
    shop: Json = {"id": channel, "key": "k", "shop_id": SHOP_ID, "currency": "EUR", "import_seconds": 1.0}
    config = {"clock": {"scale": SCALE}, "mirakl": [shop | {"many_offers": {"count": 1}}]}
    stand_ins = await asyncio.to_thread(sandbox, config)
    async with transport_to(stand_ins.mirakl[channel], "k") as transport:
        mirakl = MiraklClient(transport, PermitsInMemory(lambda: 0.95 * SCALE * time.monotonic()), channel, SHOP_ID)
        before = await read(mirakl)
        assert differences(offer, prices, before, NOW), "it is another one before"

        written = value_of(await mirakl.of24_write_offers([upsert(offer, prices, 4)]))
        await until(
            lambda: mirakl.of02_get_offer_import(written),
            lambda answer: isinstance(answer, Applied) and answer.value.status == "COMPLETE",
        )
        sent = value_of(await mirakl.pri01_import_prices([rows_of(SKU, prices)]))
        await until(
            lambda: mirakl.pri02_get_price_import(sent),
            lambda answer: isinstance(answer, Applied) and answer.value.status == "COMPLETE",
        )
        assert differences(offer, prices, await read(mirakl), NOW) == []


async def read(mirakl: MiraklClient) -> LiveOffer:
    """As an export of all changes ever shows it."""

    asked_for = await until(
        lambda: mirakl.of52_export_offers(datetime(2000, 1, 1, tzinfo=UTC)),
        lambda answer: isinstance(answer, Applied),
    )
    assert isinstance(asked_for, Applied)
    done = await until(
        lambda: mirakl.of53_get_export(str(asked_for.value)),
        lambda answer: isinstance(answer, Applied) and answer.value.status == "COMPLETED",
    )
    assert isinstance(done, Applied)
    [row] = [one for url in done.value.urls for one in value_of(await mirakl.of54_read_live_offers(url))]
    assert isinstance(row, offer_schema.LiveOffer), row
    return live_offer(row)
