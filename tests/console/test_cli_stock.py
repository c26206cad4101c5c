"""Commands beside a running service: what is held and why, letting it go, and the mass-change guard end to end."""

from app.domain.ids import OrderLineId, Sku
from app.store import reservations
from app.store.reservations import Reserved
from tests.console.words import CONFIGURATION, DIFFERENCES, DONE, nothing_secret, sentence
from tests.faults.every import by_command
from tests.flows.service import FR, SE, SOURCE, Service, counted, running, shape, until
from tests.standins import Json

CLOSE = {"centra": "event_poll_seconds = 30"}


async def test_status_explain_and_replay(database_url: str) -> None:
    async with running(database_url, shape(channels=(FR, SE))) as service:
        bad, good = [size["sku"] for size in await service.sizes()][:2]
        await service.faults(
            service.mirakl(), {"code": "STO01", "kind": "line_error", "skus": [bad], "message": "Offer is locked"}
        )
        await service.bump([bad, good])
        await until(lambda: service.held(FR, "stock"), "the bad line is held")
        await service.at_rest(SE)

        for arguments in (("status", "--held"), ("status", FR)):
            ended = await service.command(*arguments)
            assert ended.code == DONE, ended.errors
            assert "Offer is locked" in ended.out
            assert bad in ended.out
            assert (SE in ended.out) is (FR not in arguments)
            nothing_secret(ended)
        assert "lines, done" in ended.words

        explained = await service.command("stock", "explain", good)
        assert explained.code == DONE, explained.errors
        quantity = (await service.sellable())[good]
        for words in (
            "Main warehouse: free to allocate",
            "thresholds of the warehouses",
            f"available to sell: {quantity}",
        ):
            assert words in explained.words
        assert explained.out.count("confirmed") == 2
        held = await service.command("stock", "explain", bad)
        assert "held" in held.out
        assert "Offer is locked" in held.out
        async with service.parts.database.work.acquire() as connection:
            promised = [Reserved(OrderLineId("R-1-A-1"), Sku(good), 1)]
            await reservations.write(connection, SOURCE, FR, "R-1-A", promised)
        explained = await service.command("stock", "explain", good)
        assert f"1 promised to {FR}'s order R-1-A" in explained.words
        assert f"available to sell: {quantity - 1}" in explained.words
        unknown = await service.command("stock", "explain", "VX-NOWHERE")
        assert "nobody knows the SKU VX-NOWHERE" in sentence(unknown, DIFFERENCES)

        assert "there is no flow sotck" in sentence(await service.command("replay", FR, "sotck"), CONFIGURATION)
        assert "demo-xx" in sentence(await service.command("replay", "demo-xx", "stock"), CONFIGURATION)
        released = await service.command("replay", FR, "stock", bad, "--who", "Ilva Testberg", "--why", "unlocked")
        assert "1 keys of stock on demo-fr are due now" in released.words
        await service.at_rest()
        audit = "SELECT count(*) FROM audit WHERE actor = 'Ilva Testberg' AND subject = $1 AND detail = 'unlocked'"
        assert await service.count(audit, f"stock:{bad}") == 1


async def _sells_nothing_more(service: Service, skus: list[str], **change: object) -> None:
    """A person edits sizes in the back office."""
    changes: list[Json] = [{"sku": sku, **change} for sku in skus]
    await service.admin.post(service.centra, "/_sandbox/sizes", {"changes": changes})


async def _held_exactly(service: Service, skus: set[str]) -> dict[str, str] | None:
    reasons = await service.held(FR, "stock")
    return reasons if set(reasons) == skus else None


async def test_a_mass_change_waits_for_a_release_and_then_goes_out(database_url: str) -> None:
    """60 of 100 sizes are switched off: held, alarmed; single ones can be released, then all; audited by name."""
    async with running(database_url, shape(sizes=100, channel_lines=CLOSE)) as service:
        before = await service.offers()
        skus = [size["sku"] for size in (await service.sizes())[:60]]
        sold = {sku for sku in skus if before[sku]}
        alarms = counted("mass_change_alarms_total", scope=FR, kind="vanished")
        await _sells_nothing_more(service, skus, is_active=False)
        reasons = await until(lambda: _held_exactly(service, sold), "they are held")
        assert all("mass change" in reason and "not active" in reason for reason in reasons.values())
        assert counted("mass_change_alarms_total", scope=FR, kind="vanished") > alarms
        assert {sku: (await service.offers())[sku] for sku in skus} == {sku: before[sku] for sku in skus}

        for wrong in (("stock", "release", FR), ("stock", "release", FR, skus[0], "--all")):
            assert "name the SKUs to release, or say --all" in sentence(await service.command(*wrong), CONFIGURATION)
        assert "there is no channel demo-xx" in sentence(
            await service.command("stock", "release", "demo-xx", "--all"), CONFIGURATION
        )
        one = min(sold)
        released = await service.command(
            "stock", "release", FR, one, "--who", "Ilva Testberg", "--why", "end of season"
        )
        assert released.code == DONE, released.errors
        assert "1 keys released on demo-fr, 1 changes approved" in released.words

        async def only_this() -> bool:
            return (await service.offers())[one] == 0

        await until(only_this, "the one that was released is gone")
        assert await _held_exactly(service, sold - {one})

        everything = await service.command("stock", "release", FR, "--all", "--who", "Ilva Testberg")
        assert f"{len(sold) - 1} keys released on demo-fr" in everything.words
        await service.at_rest()
        offers = await service.offers()
        assert {offers[sku] for sku in skus} == {0}
        audit = "SELECT count(*) FROM audit WHERE actor = 'Ilva Testberg' AND subject LIKE 'stock:%'"
        assert await service.count(audit) == len(sold)
        assert await service.count(f"{audit} AND detail = 'end of season' AND subject = $1", f"stock:{one}") == 1

        await _sells_nothing_more(service, skus, is_active=True)  # back on sale: no jump, so nothing is held
        await service.at_rest()
        assert await service.offers() == before


@by_command
async def test_a_mass_jump_waits_and_an_explicit_sell_out_does_not(database_url: str) -> None:
    """All sold out goes out at once, with an alarm; a hundredfold of everything is held until it is released."""
    shop = {"catalogue": {"sizes": 60, "fta": 9}}
    async with running(database_url, shape(sizes=60, channel_lines=CLOSE, centra=shop)) as service:
        skus = [size["sku"] for size in await service.sizes()]
        alarms = {kind: counted("mass_change_alarms_total", scope=FR, kind=kind) for kind in ("sold_out", "jump")}
        for warehouse in (1, 2):
            zero: list[Json] = [{"sku": sku, "fta": 0, "warehouse_id": warehouse} for sku in skus]
            await service.admin.post(service.centra, "/_sandbox/stock", {"changes": zero})

        async def all_gone() -> bool:
            return set((await service.offers()).values()) == {0}

        await until(all_gone, "everything is sold out at the marketplace")
        assert await service.held(FR, "stock") == {}
        assert counted("mass_change_alarms_total", scope=FR, kind="sold_out") > alarms["sold_out"]

        await service.jump(3_700)  # the guard looks back an hour
        await service.bump(skus, 12)
        await service.at_rest()
        await service.bump(skus, 900)
        await until(lambda: _held_exactly(service, set(skus)), "they are held")
        assert counted("mass_change_alarms_total", scope=FR, kind="jump") > alarms["jump"]
        assert set((await service.offers()).values()) == {10}
        status = await service.command("status", "--held")
        assert "more than 10 times and 100 units" in status.words
        assert status.out.count("mass change, 10 → 910") == 60

        assert (await service.command("stock", "release", FR, "--all")).code == DONE
        await service.at_rest()
        assert set((await service.offers()).values()) == {910}
