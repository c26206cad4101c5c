"""People say what a carrier of Centra is at a marketplace; strict, all or nothing, and parcels go on by themselves."""

import re
from pathlib import Path

from app.domain.after_sale import Carrier, CarrierRow
from app.store import carriers
from tests.console.after_desk import DUE, HELD, carriers_known, key, parcel
from tests.console.orders_desk import Desk, desk, said
from tests.console.words import CONFIGURATION, DIFFERENCES, DONE, sentence
from tests.flows.after_sale import line_becomes, released, ship, shop, there
from tests.flows.service import FR, SE, until

ILVA = ("--who", "Ilva Testberg", "--why", "agreed with the warehouse")


async def audited(at: Desk) -> list[tuple[str, str, str | None, str, str]]:
    rows = await at.database.desk.fetch(
        "SELECT actor, subject, from_state, to_state, detail FROM audit WHERE subject LIKE 'carrier:%' ORDER BY at, id"
    )
    return [tuple(row) for row in rows]


async def table(at: Desk, channel: str = FR) -> dict[str, Carrier]:
    async with at.database.desk.acquire() as connection:
        return {mapped.row.text: mapped.row.carrier for mapped in await carriers.read(connection, channel)}


async def test_what_waits_is_grouped_and_goes_on_once_it_is_mapped(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        assert "no parcel waits" in (await at.say("carriers", "unmapped")).words
        await carriers_known(at)
        for number, carrier in ((1, "Nord Express AB"), (2, "Nord Express AB"), (3, "Unheard Of")):
            await parcel(at, number, carrier, order_id=f"R-{number}-A")
        await parcel(at, 4, "Nord Express AB", order_id="R-4-A", channel=SE)
        waiting = await at.say("carriers", "unmapped", FR)
        [nord] = [line for line in waiting.out.splitlines() if "Nord Express AB" in line]
        cells = [cell.strip() for cell in nord.split("│")[1:-1]]
        assert (cells[2], cells[5]) == ("2", "NORDEXP (Nord Express)")
        assert re.fullmatch(r"\d+ s", cells[3])
        assert "Unheard Of" in waiting.out
        assert (await at.say("carriers", "unmapped")).out.count("Nord Express AB") == 2

        ended = await at.say("carriers", "map", FR, " Nord  Express AB", "NORDEXP", *ILVA)
        assert "1 rows of demo-fr are written" in ended.words
        assert "3 orders with parcels" in ended.words
        assert [await key(at, "shipments", f"R-{n}-A") for n in (1, 2, 3)] == [DUE, DUE, DUE]
        assert await key(at, "shipments", "R-4-A", SE) == HELD, "another channel's table is another one"
        assert await table(at) == {"nord express ab": Carrier("NORDEXP")}
        assert "Nord Express" not in (await at.say("carriers", "unmapped", FR)).out
        assert await audited(at) == [
            ("Ilva Testberg", "carrier:nord express ab", None, "NORDEXP", "agreed with the warehouse")
        ]
        listed = await at.say("carriers", "list", FR)
        assert "nord express ab │ NORDEXP" in listed.words
        assert "Ilva Testberg" in listed.out


async def test_a_row_is_taken_out_once_and_by_name(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await carriers_known(at)
        await parcel(at, 1, "Nord Express AB")
        row = CarrierRow("nord express ab", Carrier("NORDEXP"))
        async with at.database.desk.acquire() as connection:
            for channel in (FR, SE):
                await carriers.put(connection, channel, [row], "Rask Proberg")
        ended = await at.say("carriers", "unmap", FR, " Nord  Express AB", *ILVA)
        assert ended.code == DONE, ended.errors
        assert "it was NORDEXP" in ended.words
        assert await table(at) == {}
        assert await table(at, SE) == {"nord express ab": Carrier("NORDEXP")}, "another channel's table is another one"
        assert await key(at, "shipments") == DUE, "it is looked at anew"
        undone = [("Ilva Testberg", "carrier:nord express ab", "NORDEXP", "unmapped", "agreed with the warehouse")]
        assert await audited(at) == undone
        words = sentence(await at.say("carriers", "unmap", FR, "Nord Express AB", *ILVA), DIFFERENCES)
        assert "is not in the table of demo-fr: `carriers list demo-fr`" in words
        assert await audited(at) == undone


async def test_the_table_takes_only_what_the_marketplace_does(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        mapped = ("carriers", "map", FR, "PostNord")
        free = ("--name", "Cykelbud", "--url", "https://cykel.example/{trackingId}")
        assert "were never read" in sentence(await at.say(*mapped, "POSTNORD"), DIFFERENCES)
        await carriers_known(at)
        words = sentence(await at.say(*mapped, "POSTNRD", *ILVA), DIFFERENCES)
        assert "does not list the mapped carrier" in words
        assert "closest are POSTNORD (PostNord)" in words
        assert "registered carriers only" in sentence(await at.say(*mapped, *free), DIFFERENCES)
        for wrong in ((), ("DHL", "--name", "Cykelbud")):
            assert "either a code or a name" in sentence(await at.say(*mapped, *wrong), DIFFERENCES)
        assert "there is no channel xx" in sentence(await at.say("carriers", "map", "xx", "a", "DHL"), CONFIGURATION)
        assert await table(at) == {}
        assert await audited(at) == []
        await carriers_known(at, free=True)
        assert (await at.say(*mapped, *free)).code == DONE
        assert await table(at) == {"postnord": Carrier("", "Cykelbud", "https://cykel.example/{trackingId}")}
        assert "0 rows of demo-fr are written, 1 were so already" in (await at.say(*mapped, *free)).words
        assert len(await audited(at)) == 1
        await carriers_known(at)
        assert "registered carriers only" in (await at.say("carriers", "list", FR)).words


async def test_an_import_is_all_or_nothing_and_an_export_reads_back(database_url: str, tmp_path: Path) -> None:
    file, copy = tmp_path / "carriers.csv", tmp_path / "copy.csv"
    async with desk(database_url, tmp_path) as at:
        await carriers_known(at)
        await parcel(at, 1)
        async with at.database.desk.acquire() as connection:
            await carriers.put(connection, FR, [CarrierRow("kept", Carrier("DHL"))], "Rask Proberg")
        file.write_text(
            "text;code\nPostNord;POSTNORD\nNord Express;NOBODY\n=HYPERLINK(1);DHL\n;DHL\n", encoding="utf-8-sig"
        )
        words = sentence(await at.say("carriers", "import", FR, str(file), *ILVA), DIFFERENCES)
        assert "nothing is imported, 2 of its lines are wrong" in words
        assert "carriers.csv, line 3: NOBODY" in words
        assert "carriers.csv, line 5: it has no text" in words
        assert list(await table(at)) == ["kept"]
        assert await key(at, "shipments") == HELD

        file.write_text(file.read_text(encoding="utf-8-sig").replace("NOBODY", "NORDEXP").replace("\n;DHL", ""))
        ended = await at.say("carriers", "import", FR, str(file), *ILVA)
        assert "3 rows of demo-fr are written" in ended.words
        assert await key(at, "shipments") == DUE
        assert sorted(await table(at)) == ["=hyperlink(1)", "kept", "nord express", "postnord"]
        assert {act[0] for act in await audited(at)} == {"Ilva Testberg"}

        printed = await at.say("carriers", "export", FR)
        assert printed.out.splitlines()[:2] == ["text,code,name,url", "'=hyperlink(1),DHL,,"]
        assert "4 rows are in" in (await at.say("carriers", "export", FR, str(copy))).words
        assert copy.read_text() == printed.out
        again = await at.say("carriers", "import", FR, str(copy), *ILVA)
        assert "0 rows of demo-fr are written, 4 were so already" in again.words


async def test_a_file_that_can_not_be_read_is_said(database_url: str, tmp_path: Path) -> None:
    async with desk(database_url, tmp_path) as at:
        await carriers_known(at)
        file = tmp_path / "odd.csv"
        missing = await at.say("carriers", "import", FR, str(file))
        assert "can't be read: No such file" in sentence(missing, CONFIGURATION)
        file.write_bytes("text,code\nJörg,DHL\n".encode("latin-1"))
        assert "is no UTF-8" in sentence(await at.say("carriers", "import", FR, str(file)), CONFIGURATION)
        for text, words in (("text,code\n", "no rows"), ("name,code\na,DHL\n", "line 1: the header must name")):
            file.write_text(text)
            assert words in sentence(await at.say("carriers", "import", FR, str(file)), DIFFERENCES)
        nowhere = await at.say("carriers", "export", FR, str(tmp_path / "no" / "where.csv"))
        assert "can't be written" in sentence(nowhere, CONFIGURATION)


async def test_a_held_parcel_is_told_by_itself_once_its_carrier_is_mapped(database_url: str) -> None:
    async with shop(database_url) as service:
        sku = (await service.sizes())[0]["sku"]
        order_id = await released(service, {"sku": sku})
        await ship(service, order_id, carrier="Cykelbudet Nord", tracking_number="CB-1")

        async def waits() -> bool:
            return "Cykelbudet Nord" in (await said(service.lab.environment(), "carriers", "unmapped")).out

        await until(waits, "its carrier is asked for")
        ended = await said(service.lab.environment(), "carriers", "map", FR, "Cykelbudet Nord", "DHL", *ILVA)
        assert ended.code == DONE, ended.errors
        await line_becomes(service, order_id, order_state="SHIPPED")
        [told] = (await there(service, order_id))["shipments"]
        assert told["tracking"]["carrier_code"] == "DHL"
        assert "nothing needs a person" in (await said(service.lab.environment(), "held", "list")).words
