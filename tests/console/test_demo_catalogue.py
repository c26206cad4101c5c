"""The act `catalogue` of the demo: the real run, and that its judge finds what is live and what is not."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app.commands.demo.catalogue import Ends, Explained, LiveOffer, Told, differences, live_ones
from app.commands.demo.catalogue_cast import BROKEN, PRODUCTS, SoldProduct, SoldSize, SoldVariant
from app.commands.demo.play import Report
from app.commands.lab import LIST
from tests.console.words import DONE
from tests.faults.every import by_command
from tests.flows.service import FR, SE, run_command

Json = dict[str, Any]


@by_command
@pytest.mark.timeout(240)
async def test_the_act_ends_with_288_live_and_12_explained_of_which_three_are_mended(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    ended = await run_command(dict(os.environ), "demo", "--act", "catalogue", "--report", str(file))
    assert ended.code == DONE, ended.out + ended.errors
    told: Json = json.loads(file.read_text())
    counts = {"all": 300, "live": 288, "explained": 12, "mended": 3, "live_after_mending": 291}
    assert told["products"] == counts
    assert (told["products_wrong"], told["ceilings_exceeded"]) == ([], 0)
    assert {one["way"] for one in told["products_explained"]} == {one.way for one in BROKEN}
    for one in told["products_explained"]:
        assert set(one["words"]) == {FR, SE}
    french = {one["way"]: one["words"][FR] for one in told["products_explained"]}
    assert french["no EAN"] == "EAN (ean): is required and empty; fill it in Centra, or map it"
    floor = "the price 0.50 is below the floor of 1; mend it in Centra, or set another `floor`"
    assert french["a price below the floor"] == floor
    assert french["the operator rejects its picture"] == "Blurred picture: see the guide"
    assert (
        "288 of 300 products live on both marketplaces, 12 explained; 3 mended in Centra, then 291 live" in ended.words
    )
    for words in (
        "categorie = 112",
        "category = klader-trojor",
        "couleur = C001",
        "farg = svart",
        "0 faults, 0 calls over a ceiling",
    ):
        assert words in ended.words
    for code in ("P41", "OF24", "PRI01", "STO01"):
        assert told["calls"][FR][code] <= 12, "in files, not one by one"


# ------------------------------------------------------------------------------------------------------- the judge

ONE = SoldProduct(1, "CL1", "Pull", {str(LIST): "59.90"}, [SoldVariant(1, [SoldSize("A-S"), SoldSize("A-M")])])
LIVE = {"A-S": LiveOffer(59.9, 3), "A-M": LiveOffer(59.9, 0)}


@pytest.mark.parametrize(
    ("there", "live"),
    [
        (LIVE, {"CL1"}),
        ({"A-S": LIVE["A-S"]}, set()),
        (LIVE | {"A-S": LiveOffer(59.8, 3)}, set()),
        (LIVE | {"A-S": LiveOffer(59.9, 2)}, set()),
    ],
)
def test_a_product_is_live_when_every_size_is_on_every_marketplace(there: Json, live: set[str]) -> None:
    ends = Ends([ONE], {"A-S": 3, "A-M": 0}, {FR: LIVE, SE: there})
    assert live_ones(ends) == live


def test_the_judge_names_what_is_missing_and_what_is_too_much() -> None:
    assert differences({"A", "B"}, {"B", "C"}) == ["C is not live everywhere", "A is broken, and live"]
    half = Explained(BROKEN[0], "CL1", {FR: "EAN: is required and empty"})
    assert not half.is_complete([FR, SE])
    assert half.is_complete([FR])


def test_the_twelve_are_broken_in_twelve_ways_and_the_report_is_good_only_when_all_of_it_is() -> None:
    assert len({one.way for one in BROKEN}) == len({one.place for one in BROKEN}) == 12
    assert sum(one.mends is not None for one in BROKEN) == 3
    assert all(one.place < PRODUCTS for one in BROKEN)
    assert not Report("catalogue").good, "nothing was played"
    assert Report("catalogue", products={"live": 288}).good
    assert not Report("catalogue", products={"live": 288}, products_wrong=["CL1 is not live everywhere"]).good
    told = Told(explained=[Explained(BROKEN[1], "CL2", {FR: "why"})], mended=["CL2"])
    assert told.rows() == [{"product": "CL2", "way": BROKEN[1].way, "mended": True, "words": {FR: "why"}}]
