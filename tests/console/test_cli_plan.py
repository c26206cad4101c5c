"""`plan` and `apply` beside a service that may not send anything: what would change, and exactly that let go."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.console.words import DIFFERENCES, sentence
from tests.flows.catalogue import clothes, edit, live, shop, skus_of, stand, told
from tests.flows.service import FR, Ended, Service, until
from tests.standins import Json

QUIET = """[channel.stock]
read_back_seconds = 60
[channel.prices]
mode = "dry_run"
price_list = 7"""


async def differences(service: Service, wanted: list[Json]) -> Json:
    """The stand-in's own count."""
    return await service.admin.post(service.mirakl(), "/_sandbox/offers/differences", {"offers": wanted})


async def planned(service: Service, file: Path) -> tuple[Ended, dict[tuple[str, str, str], dict[str, str]]]:
    """A plan, and its lines by what, how and which."""
    made = await service.command("plan", FR, "--csv", str(file))
    with file.open(newline="", encoding="utf-8") as opened:
        return made, {(row["kind"], row["action"], row["key"]): row for row in csv.DictReader(opened)}


async def read_again(service: Service) -> None:
    """Until an export has been read that was asked for from now on."""
    since = service.parts.clock.now().isoformat()

    async def so() -> bool:
        statement = "SELECT body->>'last_asked_at' FROM cursor WHERE scope = $1 AND name = 'read_back'"
        return (await service.database.fetchval(statement, FR) or "") > since

    await until(so, "an export was read", seconds=30)


async def test_what_would_change_is_shown_and_exactly_that_is_let_go(database_url: str, tmp_path: Path) -> None:
    async with shop(database_url, products=2, catalogue={FR: QUIET}) as service:
        first, second = await clothes(service)
        skus = sorted((*skus_of(first), *skus_of(second)))
        await stand(service, "offers", "live", skus)
        await service.at_rest(FR)
        await read_again(service)
        before = {sku: offer["price"] for sku, offer in (await live(service)).items()}

        await edit(service, {"product": first["id"], "display": {"prices": {"7": "94.90"}}})
        await edit(service, {"product": second["id"], "display": {"prices": {"7": "1.90"}}})
        await stand(service, "prices", "new", skus)
        made, rows = await planned(service, tmp_path / "prices.csv")
        up = [key for key in rows if key[:2] == ("prices", "up")]
        assert up == [("prices", "up", sku) for sku in sorted(skus_of(first))]
        assert sorted(key[2] for key in rows if key[:2] == ("prices", "down")) == sorted(skus_of(second))
        assert len(rows) == len(skus)
        quantities = await service.offers()
        for (_, _, sku), row in rows.items():
            assert (row["member"], row["live"]) == ("price", str(before[sku]))
            price = 94.9 if sku in skus_of(first) else 1.9
            assert float(row["at_stake"]) == round(price * quantities[sku], 2)
        wanted: list[Json] = [{"sku": sku, "price": 94.9 if sku in skus_of(first) else 1.9} for sku in skus]
        assert (await differences(service, wanted))["price"] == len(rows)
        assert {sku: offer["price"] for sku, offer in (await live(service)).items()} == before, "nothing was sent"

        assert made.code == DIFFERENCES
        for words in ("prices", "up", "down", "at stake in all", "live offers as of", "the largest moves of prices"):
            assert words in made.words
        number = made.words.partition("centra-mirakl apply ")[2].split()[0]
        await edit(service, {"product": second["id"], "display": {"prices": {"7": "55.90"}}})

        async def other() -> bool:
            found = await told(service, "prices")
            return all("55.90" in found[sku]["body"] for sku in skus_of(second))

        await until(other, "another price is wanted")
        applied = await service.command("apply", number, "--who", "Ilva Testberg", "--why", "sale")
        assert applied.code == DIFFERENCES
        assert f"{len(skus_of(first))} prices of {FR} let go" in applied.words
        assert f"changed since the plan, and not let go: prices {min(skus_of(second))}" in applied.words
        await stand(service, "prices", "live", skus_of(first))
        offers = await live(service)
        assert {offers[sku]["price"] for sku in skus_of(first)} == {94.9}
        assert {sku: offers[sku]["price"] for sku in skus_of(second)} == {sku: before[sku] for sku in skus_of(second)}

        again = sentence(await service.command("apply", number), DIFFERENCES)
        assert f"Ilva Testberg applied plan {number} at" in again
        audit = "SELECT count(*) FROM audit WHERE actor = 'Ilva Testberg' AND subject = $1 AND detail = 'sale'"
        assert await service.count(audit, f"plan:{number}") == 1
