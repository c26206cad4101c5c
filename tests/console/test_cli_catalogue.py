"""`catalogue`: a map is imported and covered, what is not mapped is suggested, what is held is let go."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.commands.catalogue import read_map
from app.commands.lab import LIST
from app.settings import SettingsError
from tests.child import ROOT
from tests.console.words import CONFIGURATION, DIFFERENCES, DONE, nothing_secret, sentence
from tests.faults.every import by_command
from tests.flows.catalogue import clothes, edit, live, map_file, published, shop, skus_of, stand
from tests.flows.service import FR, until


@by_command
async def test_a_merchandiser_maps_sees_and_lets_go(database_url: str, tmp_path: Path) -> None:
    async with shop(database_url, products=3) as service:
        await published(service)
        one, two, three = await clothes(service)
        ended = await service.command("catalogue", "import", FR, str(map_file(FR)), "--who", "Ilva", "--why", "spring")
        assert ended.code == DONE, ended.errors
        assert "is the map of demo-fr: 13 categories, 13 attributes" in ended.words
        assert await service.count("SELECT count(*) FROM audit WHERE actor = 'Ilva' AND detail = 'spring'") == 1
        covered = await service.command("catalogue", "coverage", FR)
        assert covered.code == DONE, covered.errors
        assert "Hauts (112)" in covered.words
        assert "products: 14 live" in covered.words

        colour = {"attributes": {"var_colour": {"options": ["Écrue"]}}}
        await edit(service, *({"variant": variant["id"], **colour} for variant in one["variants"]))
        await stand(service, "products", "held", skus_of(one))
        suggested = await service.command("catalogue", "suggest", FR)
        assert "values.COULEURS" in suggested.words
        assert "C044 (Écru)" in suggested.words
        listed = await service.command("catalogue", "list", FR)
        assert "held" in listed.words
        assert "Centra's value 'Écrue' is not mapped" in listed.words

        await edit(service, {"product": two["id"], "display": {"prices": {str(LIST): "500.00"}}})
        sku = skus_of(two)[0]
        rows = await stand(service, "prices", "held", skus_of(two))
        assert "more than the channel allows" in rows[sku]["reasons"]
        assert "name SKUs, or give --all" in sentence(await service.command("catalogue", "release", FR), CONFIGURATION)
        released = await service.command("catalogue", "release", FR, "--all", "--who", "Ilva", "--why", "a new price")
        assert f"{len(skus_of(two))} prices of demo-fr are let go" in released.words

        async def dear() -> bool:
            return bool((await live(service))[sku]["price"] == 500.0)

        await until(dear, "the price is live")
        refused = await service.command("catalogue", "rename", FR, skus_of(three)[0])
        assert "no size in Centra bears" in sentence(refused, DIFFERENCES)
        nothing_secret(ended, covered, suggested, listed, released)

        wrong = tmp_path / "map.toml"
        wrong.write_text('category = "categorie"\n[attributes]\nean = { feld = "size.ean" }\n')
        words = sentence(await service.command("catalogue", "import", FR, str(wrong)), CONFIGURATION)
        assert "attributes" in words
        assert "feld" in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("category =", "is no TOML"),
        ("[categories]", "category"),
        ('category = "c"\n[attributes]\nean = { field = "size.ean", constant = "1" }', "give one of"),
    ],
)
async def test_a_map_that_is_wrong_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "map.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=words):
        await read_map(file)


async def test_the_example_map_is_a_map() -> None:
    found = await read_map(ROOT / "catalogue.example.toml")
    assert found.rule_for("111", "taille") is not None
    assert found.offer.additional
