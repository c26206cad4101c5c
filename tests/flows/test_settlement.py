"""A marketplace's money, from its log into the ledger and held against what is expected, through the whole service."""

from __future__ import annotations

from app.engine.money_gauges import read_money
from tests.deadlines import gauge
from tests.flows.money import (
    DAY,
    FLOWS,
    books,
    close,
    days_later,
    differences,
    ledger_total,
    log_total,
    plant,
    read_again,
    received,
    running_books,
)
from tests.flows.service import FR, counted, serving, until

VAT = {"taxes": [{"code": "TVA", "amount": 9.98, "rate": 20.0}]}


async def test_a_truthful_marketplace_gives_no_difference(database_url: str) -> None:
    async with running_books(database_url) as service:
        orders = await received(service, {"quantity": 2, **VAT}, {"shipping_price": 4.9}, count=2)
        orders += await received(service, VAT, tax_mode="TAX_EXCLUDED")
        await days_later(service)
        assert await ledger_total(service) == await log_total(service)
        assert await differences(service) == {}
        unpaid = await service.database.fetch(
            "SELECT order_id, owed, since FROM order_settlement WHERE settled_at IS NULL"
        )
        assert {row["order_id"] for row in unpaid if row["since"]} == set(orders)
        cycle = await close(service)
        await days_later(service)
        assert await differences(service, "open", "explained") == {}
        assert await service.count("SELECT count(*) FROM order_settlement WHERE settled_at IS NULL") == 0
        paid = await service.database.fetchrow(
            "SELECT state, paid, total FROM billing_cycle WHERE cycle_id = $1", cycle
        )
        assert paid is not None
        assert paid["state"] == "PAID"
        assert paid["paid"] == paid["total"] > 0
        assert await ledger_total(service) == await log_total(service)
        assert await service.violations(service.mirakl()) == []


async def test_what_is_planted_is_found_and_nothing_else_and_is_gone_once_it_is_mended(database_url: str) -> None:
    async with running_books(database_url) as service:
        orders = await received(service, {"quantity": 2, **VAT}, {"shipping_price": 4.9}, count=6)
        wrong = f"{orders[0]}-1"
        await plant(service, "commission", order_line_id=wrong, percent=18)
        await plant(service, "lines", type="SELLER_PENALTY_FEE", amount=-10, tax=-2.5, order_id=orders[1])
        await plant(service, "documents", type="MANUAL_CREDIT", amount=29.95, description="goodwill, claim 7")
        [strange] = (await plant(service, "lines", type="CARBON_FEE", amount=-0.4))["ids"]
        await plant(service, "lines", type="ORDER_AMOUNT", amount=12, order_id="NOBODY-A", order_line_id="NOBODY-A-1")
        cycle = await close(service, pay=False, off_cents=1)
        await plant(service, "pay-outs", id=cycle, fail="INCOMPLETE_KYC")
        await days_later(service)

        found = await differences(service)
        kinds = [key.partition(":")[0] for key in found]
        assert sorted(kinds) == sorted(
            ["commission", "charge", "charge", "type_unknown", "order_unknown", "payout_sum", "payout_failed"]
        ), found
        expected, told = found[f"commission:{orders[0]}:line {wrong}"]
        assert expected is not None
        assert told == round(expected * 1.2)
        charges = sorted(told or 0 for key, (_, told) in found.items() if key.startswith("charge:"))
        assert charges == [-1250, 2995]
        assert found[f"type_unknown:{strange}"] == (None, -40)
        sums = [pair for key, pair in found.items() if key.startswith("payout_sum:")]
        assert [(told or 0) - (expected or 0) for expected, told in sums] == [1]

        await read_money(service.parts, {})
        for name, value, labels in (
            ("settlement_differences", 2, {"kind": "charge", "state": "open"}),
            ("settlement_differences", 0, {"kind": "unpaid", "state": "open"}),
            ("payouts", 1, {"state": "FAILED"}),
            ("unpaid_orders", 0, {}),
        ):
            assert gauge(name, FR, **labels) == value, name
        assert (gauge("settlement_at_stake_minor", FR, currency="EUR") or 0) > 92_451  # the pay-out, and the rest
        assert (gauge("settlement_read_age_seconds", FR) or DAY) < 6 * 3_600

        await plant(service, "commission", order_line_id=wrong, percent=15)
        await plant(service, "pay-outs", id=cycle)
        await days_later(service)
        now = await differences(service)
        assert set(found) - set(now) == {f"commission:{orders[0]}:line {wrong}", f"payout_failed:{cycle}"}
        assert set(now) <= set(found)
        steps = await service.database.fetch(
            "SELECT a.from_state, a.to_state FROM settlement_difference AS d JOIN audit AS a"
            " ON a.subject = 'difference:' || d.number WHERE d.key = $1 ORDER BY a.id",
            f"payout_failed:{cycle}",
        )
        assert [tuple(row) for row in steps] == [(None, "open"), ("open", "closed")]


async def test_a_key_without_the_role_is_for_finance_and_a_pass_that_is_cut_short_goes_on_at_its_page(
    database_url: str,
) -> None:
    async with books(database_url) as place:
        await place.admin.post(place.mirakl(), "/_sandbox/keys", {"accountancy": ["k-of-finance"]})
        history = await plant(place, "history", lines=4_100, cycles=2)
        [odd] = (await plant(place, "lines", type="SUBSCRIPTION_FEE", amount=-0.5, currency="JPY"))["ids"]
        before = counted("ledger_lines_total", scope=FR)
        async with serving(place, *FLOWS) as service:

            async def asks() -> str | None:
                return (await service.held(FR, "settlement")).get("TL02")

            assert "may not call TL02" in await until(asks, "the log is held")
            await received(service)  # and nothing else stands still

            (place.secrets / "mirakl_finance_key_demo_fr").write_text("k-of-finance")
            cut = {"code": "TL02", "kind": "status", "status": 500, "after": 1, "count": 1}
            await place.faults(place.mirakl(), cut)
            await read_again(service, "TL02")
            assert (await ledger_total(service))[0] == (await log_total(service))[0] - 1 + history["lines"]
            lines_read = counted("ledger_lines_total", scope=FR) - before
            assert lines_read < history["lines"] + 2_000, "a page was read twice"

            await read_again(service, "TL02")  # an odd line stops no other, and told again it is the same one
            assert f"unreadable:unreadable-{odd}" in await differences(service)
            [row] = await service.database.fetch("SELECT * FROM held WHERE key = 'unreadable'")
            assert (row["items"], row["team"]) == (1, "finance")


async def test_what_lies_further_back_is_filled_in_from_files(database_url: str) -> None:
    async with books(database_url, "start_at = 2100-01-01T00:00:00Z") as place:
        history = await plant(place, "history", lines=1_000, cycles=2)
        async with serving(place, *FLOWS) as service:
            await read_again(service, "TL02")
            assert await ledger_total(service) == (0, 0)
            asked = await service.command("settlement", "backfill", FR, "--from", "2020-01-01")
            assert asked.code == 0, asked.errors

            async def filled() -> bool:
                return (await ledger_total(service))[0] == history["lines"]

            await until(filled, "the files are stored")
            await read_again(service, "TL02")
            assert len(await service.calls(service.mirakl(), "TL03")) == 1
            assert await service.violations(service.mirakl()) == []
