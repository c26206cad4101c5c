"""What is counted of publications: why they are not live, without names and figures, and how many leave at a time."""

from __future__ import annotations

from datetime import timedelta

from app.store import mirrors, publications
from app.store.pool import connect
from app.store.publications import Kind, Standing, Wanted
from app.store.time import advance

FR = "demo-fr"
HOUR = 3600.0
DELETION = {"sku": "VX", "deleted": True}


async def test_equal_faults_are_one_reason_whatever_they_quote_and_count(database_url: str) -> None:
    words = [
        "Couleur (couleur): Centra's value 'Saffron' is not mapped; add it to [values.COULEURS] of the channel's map",
        "Couleur (couleur): Centra's value 'Écru' is not mapped; add it to [values.COULEURS] of the channel's map",
        "Titre (titre_fr): has 180 characters, at most 120 are taken; mend it in Centra",
        "Titre (titre_fr): has 199 characters, at most 120 are taken; mend it in Centra",
        "L'image n'est pas nette",
    ]
    async with connect(database_url) as database, database.desk.acquire() as connection:
        held = [Wanted(f"VX-{place}", Standing.HELD, (text, "and more")) for place, text in enumerate(words)]
        await publications.want(connection, FR, Kind.PRODUCTS, [*held, Wanted("VX-9", Standing.LIVE)])
        assert {row[3:]: row[:3] for row in await publications.reasons(connection)} == {
            ("Couleur (couleur): Centra's value … is not mapped", 2): (FR, "products", "held"),
            ("Titre (titre_fr): has N characters, at most N are taken", 2): (FR, "products", "held"),
            ("L'image n'est pas nette", 1): (FR, "products", "held"),
        }
        many = [Wanted(f"VY-{place}", Standing.REJECTED, (f"reason {'x' * place}",)) for place in range(20)]
        await publications.want(connection, FR, Kind.OFFERS, many)
        assert sum(row[1] == "offers" for row in await publications.reasons(connection)) == 8


async def test_what_left_within_the_hour_is_counted_and_what_waits_to_be_deleted_for_as_long_as_it_does(
    database_url: str,
) -> None:
    async with connect(database_url) as database, database.desk.acquire() as connection:
        gone = [Wanted("VX-1", Standing.GONE), Wanted("VX-2", Standing.GONE)]
        asked = [
            Wanted("VX-3", Standing.HELD, ("mass change",), DELETION, "d"),
            Wanted("VX-4", Standing.HELD, ("fault",)),
        ]
        await publications.want(connection, FR, Kind.OFFERS, [*gone, *asked, Wanted("VX-5", Standing.LIVE)])
        assert await publications.left(connection, FR, HOUR, []) == 3
        assert await publications.left(connection, FR, HOUR, ["VX-1", "VX-3"]) == 1
        await advance(connection, HOUR + 60)
        assert await publications.left(connection, FR, HOUR, []) == 1


async def test_the_age_of_what_we_go_by_is_known_of_copies_cursors_and_plans(database_url: str) -> None:
    async with connect(database_url) as database, database.desk.acquire() as connection:
        await mirrors.write_mirror(connection, FR, "PM11", [])
        [(scope, name, at)] = await mirrors.ages(connection)
        assert (scope, name) == (FR, "PM11")
        await mirrors.write_cursor(
            connection, FR, "read_back", {"last_asked_at": (at - timedelta(hours=1)).isoformat()}
        )
        await mirrors.write_cursor(connection, "centra", "catalogue_sweep", {"last_at": None})
        found = {(scope, name): at for scope, name, at in await mirrors.ages(connection)}
        assert found == {(FR, "PM11"): at, (FR, "live offers"): at - timedelta(hours=1)}
