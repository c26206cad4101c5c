"""What Centra answers about sizes: parts that fail, are missing or new; and Centra itself when it says no or wait."""

from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest

from app.commands.lab import CENTRA_KEY
from tests.faults.every import in_ci
from tests.flows.service import FR, SE, SOURCE, Service, counted, running, shape, until
from tests.standins import Json

BY_HINT = {"centra": "events = false"}
"""Without events, a webhook alone marks sizes to be read by their ids."""


async def _same(service: Service, *skus: str) -> bool:
    offers, sellable = await service.offers(), await service.sellable()
    return all(offers[sku] == sellable[sku] for sku in skus)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "partial_error"}, "Internal server error"),
        ({"kind": "partial_error", "mode": "null"}, "Internal server error"),
        ({"kind": "missing_size"}, "missing from Centra's answer"),
        ({"kind": "unknown_enum", "value": "ARCHIVED", "count": 1}, "ARCHIVED, which is new to us"),
    ],
    ids=["partial error", "null in its place", "missing", "unknown status"],
)
async def test_a_size_that_cannot_be_understood_is_held_and_heals(database_url: str, fault: Json, words: str) -> None:
    """Only this size waits, with the reason; the others of the same answer flow; the next mark heals it."""
    async with running(database_url, shape(channel_lines=BY_HINT)) as service:
        await service.webhooks_on()
        skus = [size["sku"] for size in await service.sizes()]
        odd, others = skus[0], skus[1:5]
        if fault["kind"] == "unknown_enum":  # strikes a whole answer, so the others come in one of their own
            others = skus[5:10]
        was = (await service.offers())[odd]
        await service.faults(service.centra, {"code": "SizesById", "sku": odd, "count": None, **fault})
        await service.bump([odd])
        reasons = await until(lambda: service.held(SOURCE, "sizes"), "the size is held")
        odd_id = str(next(size["id"] for size in await service.sizes() if size["sku"] == odd))
        assert words in reasons[odd_id]
        if fault["kind"] != "unknown_enum":
            assert list(reasons) == [odd_id]
        await service.bump(others)
        await until(lambda: _same(service, *others), "its neighbours flow")
        assert (await service.offers())[odd] == was

        await service.admin.clear_faults(service.centra)
        await service.bump([odd])
        await service.at_rest()
        assert await service.held(SOURCE, "sizes") == {}


async def test_a_held_size_is_never_published_as_zero(database_url: str) -> None:
    """It is missing from every answer there is, for hours: its quantity stays, and it stays held."""
    async with running(database_url, shape(channel_lines=BY_HINT)) as service:
        await service.webhooks_on()
        sku = (await service.sizes())[0]["sku"]
        was = (await service.offers())[sku]
        assert was > 0
        await service.faults(service.centra, {"code": "*", "kind": "missing_size", "sku": sku, "count": None})
        await service.sell(sku, 0)
        await until(lambda: service.held(SOURCE, "sizes"), "it is held")
        await service.jump(4_000)  # a sweep does not meet it, and asks for it by its id
        swept = "SELECT count(*) FROM outbox WHERE flow = 'sweep' AND due_at > app_now()"
        await until(lambda: service.count(swept), "the sweep is over")
        other = (await service.sizes())[7]["sku"]
        await service.bump([other])
        await until(lambda: _same(service, other), "a neighbour flows")
        assert (await service.offers())[sku] == was
        assert len(await service.held(SOURCE, "sizes")) == 1


async def test_one_unreadable_size_does_not_end_the_reconciliation(database_url: str) -> None:
    """Its page can't be answered at all; it is read in smaller ones, and the size is held with the reason."""
    lines = {"centra": "events = false\nsweep_seconds = 300"}
    async with running(database_url, shape(sizes=60, channel_lines=lines)) as service:
        sizes = await service.sizes()
        odd, others = sizes[30], [sizes[0]["sku"], sizes[31]["sku"], sizes[59]["sku"]]
        await service.sell(odd["sku"], 2_147_483_648)  # more than GraphQL's integers hold: an error, no data
        await service.bump(others)
        await service.jump(310)
        await until(lambda: _same(service, *others), "the sweep found the others")
        reasons = await until(lambda: service.held(SOURCE, "sizes"), "and the size is held")
        assert list(reasons) == [str(odd["id"])]
        assert "can't be read" in reasons[str(odd["id"])]

        await service.sell(odd["sku"], 7)
        await service.jump(310)
        await until(lambda: _same(service, odd["sku"]), "the next sweep meets it again")


async def test_a_size_without_stock_rows_is_zero(database_url: str) -> None:
    async with running(database_url, shape(channel_lines=BY_HINT)) as service:
        await service.webhooks_on()
        sku = (await service.sizes())[0]["sku"]
        assert (await service.offers())[sku] > 0
        await service.faults(service.centra, {"code": "SizesById", "kind": "no_stock_rows", "sku": sku})
        await service.bump([sku])

        async def zero() -> bool:
            return (await service.offers())[sku] == 0

        await until(zero, "no row is no stock")
        assert await service.held(SOURCE, "sizes") == {}
        await service.bump([sku])
        await service.at_rest()


async def test_a_revoked_token_pauses_centra_alone_and_is_noticed_when_restored(database_url: str) -> None:
    """No attempts are burnt; the marketplaces' own work goes on; nobody restarts anything."""
    lines = {FR: "stock = {read_back_seconds = 60}", SE: "stock = {read_back_seconds = 60}"}
    async with running(database_url, shape(channels=(FR, SE), channel_lines=lines)) as service:
        await service.admin.post(service.centra, "/_sandbox/tokens", {"revoke": CENTRA_KEY})
        skus = [size["sku"] for size in await service.sizes()]
        await service.bump(skus[:3])
        await service.jump(61)
        await until(lambda: _is_paused(SOURCE, 1), "the source is paused")
        assert await _is_paused(FR, 0)

        drifted = counted("stale_values_corrected_total", scope=FR, flow="stock")
        await service.admin.post(service.mirakl(), "/_sandbox/offers", {"offers": [{"sku": skus[9], "quantity": 1234}]})
        await service.jump(130)

        async def corrected() -> bool:
            return counted("stale_values_corrected_total", scope=FR, flow="stock") == drifted + 1

        await until(corrected, "the channel's own work goes on")
        for _ in range(5):
            await service.jump(600)
        for flow in ("events", "sizes", "sweep", "topology", "allowance"):
            assert await service.held(SOURCE, flow) == {}, flow

        await service.admin.post(service.centra, "/_sandbox/tokens", {"add": {"token": CENTRA_KEY}})
        await service.at_rest()
        assert await _is_paused(SOURCE, 0)


async def test_a_missing_permission_names_itself(database_url: str) -> None:
    async with running(database_url, shape(channel_lines={"centra": "event_poll_seconds = 30"})) as service:
        taken = {"token": CENTRA_KEY, "remove": ["ProductSize:read", "StockChange:read", "Event:read"]}
        await service.admin.post(service.centra, "/_sandbox/tokens", taken)
        await service.jump(31)
        await until(lambda: _is_paused(SOURCE, 1), "the source is paused")

        async def reason() -> str:
            rows = await service.database.fetch(
                "SELECT reason FROM outbox WHERE scope = $1 AND reason LIKE 'You need %'", SOURCE
            )
            return " ".join(row["reason"] for row in rows)

        assert "permission to access" in await until(reason, "the reason names the permission")
        await service.admin.post(service.centra, "/_sandbox/tokens", {"token": CENTRA_KEY, "restore": taken["remove"]})
        await service.bump([(await service.sizes())[0]["sku"]])
        await service.at_rest()


async def _is_paused(scope: str, value: int) -> bool:
    return counted("scope_paused", scope=scope) == value


@pytest.mark.parametrize("form", in_ci(["unix", "http date", "delta"], ["http date"]))
async def test_centras_retry_after_is_kept_in_each_of_its_forms(database_url: str, form: str) -> None:
    async with running(database_url, shape(channel_lines={"centra": "event_poll_seconds = 30"})) as service:
        now = datetime.fromisoformat((await service.admin.now())["now"])
        until_ = (now + timedelta(seconds=240)).replace(microsecond=0)
        text = {
            "unix": str(int(until_.timestamp())),
            "http date": format_datetime(until_, usegmt=True),
            "delta": "240",
        }[form]
        await service.faults(service.centra, {"code": "StockEvents", "kind": "too_many", "retry_after": text})
        await service.bump([(await service.sizes())[0]["sku"]])

        async def turned_away() -> Json | None:
            return next((c for c in await service.calls(service.centra, "StockEvents") if c["status"] == 429), None)

        refused = await until(turned_away, "429")
        await service.at_rest()
        log = (await service.admin.calls(service.centra))["log"]
        later = [c for c in log[log.index(refused) + 1 :] if c["at"] > refused["at"]]
        under_way = [c for c in later if c["at_real"] - refused["at_real"] < 0.1]  # had its permit already
        first = next(c for c in later if c not in under_way)
        waited = datetime.fromisoformat(first["at"]) - datetime.fromisoformat(refused["at"])
        assert waited.total_seconds() >= 200, f"{first['code']} came {waited.total_seconds():.0f} s later"
        assert await service.held(SOURCE, "events") == {}
