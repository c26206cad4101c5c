"""Centra's products reach two marketplaces in their own words, and whatever changes goes there and nothing else."""

from __future__ import annotations

from tests.flows.catalogue import clothes, edit, live, published, shop, skus_of, stand, told
from tests.flows.service import FR, SE, until
from tests.standins import Json


async def test_clothing_is_live_on_two_marketplaces_in_their_own_words(database_url: str) -> None:
    async with shop(database_url, FR, SE) as service:
        for channel in (FR, SE):
            skus = await published(service, channel)
            await service.alike(channel)
            offers = await live(service, channel)
            assert sorted(offers) == sorted(skus)
