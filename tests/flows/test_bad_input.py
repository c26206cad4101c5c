"""Bad input from either platform: a clear error at its place, one item or channel affected, the others flow on."""

import resource

import pytest

from app.commands.lab import CENTRA_KEY
from tests.flows.service import FR, SE, SOURCE, Service, counted, deployed, running, serving, shape, until
from tests.standins import Json

BOTH = (FR, SE)


async def _paused(scope: str) -> bool:
    return counted("scope_paused", scope=scope) == 1


async def _reasons(service: Service, scope: str) -> str:
    rows = await service.database.fetch("SELECT reason FROM outbox WHERE scope = $1 AND reason IS NOT NULL", scope)
    return " | ".join(sorted({row["reason"] for row in rows}))


async def test_a_wrong_mirakl_key_stops_its_channel_until_the_file_is_mended(database_url: str) -> None:
    async with deployed(database_url, shape(channels=BOTH)) as place:
        key = place.secrets / f"mirakl_key_{FR.replace('-', '_')}"
        key.write_text("k-mistyped")
        async with serving(place) as service:
            await service.at_rest(SE)
            await until(lambda: _paused(FR), "the channel is paused")
            await service.bump([(await service.sizes())[0]["sku"]])
            await service.at_rest(SE)
            assert not await _paused(SE)
            reasons = await _reasons(service, FR)
            assert "Unauthorized" in reasons
            assert "k-mistyped" not in reasons
            assert await service.held(FR, "read_back") == {}
            assert await service.offers(FR) == dict.fromkeys(await service.offers(FR), 0)

            key.write_text(f"k-{FR}")  # no restart, and no wait for the daily calls that nobody answered
            await service.at_rest()
            assert not await _paused(FR)


async def test_a_wrong_centra_token_publishes_nothing_and_never_a_zero(database_url: str) -> None:
    async with deployed(database_url, shape(channels=BOTH)) as place:
        offers: list[Json] = [{"sku": size["sku"], "quantity": 7} for size in await place.sizes()]
        for channel in BOTH:
            await place.admin.post(place.mirakl(channel), "/_sandbox/offers", {"offers": offers})
        (place.secrets / "centra_token").write_text("t-mistyped")
        async with serving(place) as service:
            await until(lambda: _paused(SOURCE), "the source is paused")
            listed = "SELECT count(*) FROM offer WHERE live"
            await until(
                lambda: service.count(f"{listed} HAVING count(*) = {2 * len(offers)}"), "both channels are read"
            )
            await service.jump(7_200)
            await until(lambda: service.count("SELECT count(*) FROM mirror WHERE name = 'PC01'"), "as is the rest")
            assert "Unauthorized" in await _reasons(service, SOURCE)
            for channel in BOTH:
                assert set((await service.offers(channel)).values()) == {7}
                assert await service.pushed(channel) == []

            (place.secrets / "centra_token").write_text(CENTRA_KEY)
            await service.at_rest()


async def test_a_closed_shop_is_said_aloud_and_stock_stays_right(database_url: str) -> None:
    async with deployed(database_url, shape(channels=BOTH)) as place:
        await place.admin.post(place.mirakl(), "/_sandbox/shop", {"state": "SUSPENDED", "suspension_type": "HOLIDAYS"})
        async with serving(place) as service:
            await service.at_rest()
            closed = "SELECT count(*) FROM mirror WHERE name = 'A01'"
            await until(lambda: service.count(f"{closed} HAVING count(*) = 2"), "both accounts are read")
            assert counted("shop_open", scope=FR) == 0
            assert counted("shop_open", scope=SE) == 1

            await place.admin.post(place.mirakl(), "/_sandbox/shop", {"state": "OPEN"})
            await service.jump(90_000)

            async def opened() -> bool:
                return counted("shop_open", scope=FR) == 1

            await until(opened, "the next day's read sees it open")


async def test_a_shop_with_another_currency_is_held_with_the_place_to_correct(database_url: str) -> None:
    async with deployed(database_url, shape(channels=BOTH)) as place:
        await place.admin.post(place.mirakl(), "/_sandbox/shop", {"currency": "PLN"})
        async with serving(place) as service:
            await service.at_rest()
            held = await until(lambda: service.held(FR, "reference"), "the account is held")
            assert held == {
                "A01": "the shop's currency is PLN, the channel file says EUR: correct `currency` of channel demo-fr"
            }
            assert await service.held(SE, "reference") == {}


ODD_ANSWERS: list[Json] = [{"kind": "html"}, {"kind": "huge"}, {"kind": "deep_json"}, {"kind": "bad_json"}]


@pytest.mark.parametrize("fault", ODD_ANSWERS, ids=lambda fault: fault["kind"])
async def test_an_answer_of_a_marketplace_that_is_no_answer(database_url: str, fault: Json) -> None:
    """Its channel tries again and loses nothing, the other one never notices, memory stays small."""
    async with running(database_url, shape(channels=BOTH)) as service:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await service.faults(service.mirakl(), *({"code": code, **fault} for code in ("STO01", "STO02", "OF53")))
        await service.bump([size["sku"] for size in await service.sizes()][:3])
        await service.at_rest(SE)
        await service.jump(301)  # a read-back too
        await until(lambda: _used_up(service, service.mirakl()), "the odd answers came")
        await service.jump(700)  # a file in doubt is pushed again when it can no longer be applied late
        await service.at_rest()
        assert await service.held(FR, "stock") == {}
        assert await service.held(FR, "imports") == {}
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB


async def _used_up(service: Service, address: str) -> bool:
    return all(fault["count"] == 0 for fault in (await service.admin.faults_left(address))["faults"])


@pytest.mark.parametrize("fault", ODD_ANSWERS, ids=lambda fault: fault["kind"])
async def test_an_answer_of_centra_that_is_no_answer(database_url: str, fault: Json) -> None:
    """The queue is read again, nothing of it was confirmed, and both channels get the change."""
    lines = {"centra": "event_poll_seconds = 30"}
    async with running(database_url, shape(channels=BOTH, channel_lines=lines)) as service:
        await service.webhooks_on()
        faults = [{"code": code, **fault, "count": 2} for code in ("StockEvents", "SizesById", "ConfirmEvents")]
        await service.faults(service.centra, *faults)
        await service.bump([size["sku"] for size in await service.sizes()][:3])
        await until(lambda: _used_up(service, service.centra), "the odd answers came")
        await service.at_rest()
        assert await service.held(SOURCE, "sizes") == {}
        assert await service.held(SOURCE, "events") == {}


async def test_words_that_are_new_to_us_are_waited_out(database_url: str) -> None:
    """An import and an export in a state that nobody has documented: asked again, not given up, not believed."""
    lines = dict.fromkeys(BOTH, "stock = {read_back_seconds = 60}")
    async with running(database_url, shape(channels=BOTH, channel_lines=lines)) as service:
        await service.faults(
            service.mirakl(),
            {"code": "STO02", "kind": "new_enum", "value": "PAUSED_BY_OPERATOR", "count": 3},
            {"code": "OF53", "kind": "new_enum", "value": "QUEUED", "count": 3},
        )
        sku = (await service.sizes())[0]["sku"]
        was = (await service.offer(sku))["stock_confirmed"]
        await service.bump([sku])

        async def waits() -> str | None:
            row = await service.database.fetchrow(
                "SELECT reason FROM outbox WHERE scope = $1 AND flow = 'imports' AND state = 'waiting'", FR
            )
            return row["reason"] if row is not None and "PAUSED" in row["reason"] else None

        assert await until(waits, "the word is shown") == "the import is PAUSED_BY_OPERATOR"
        assert (await service.offer(sku))["stock_confirmed"] == was
        await service.jump(61)
        await until(lambda: _used_up(service, service.mirakl()), "both were met")
        await service.at_rest()
        assert await service.held(FR, "imports") == {}
        assert await service.held(FR, "read_back") == {}
