"""The act `after-sale` of the demo: the real run, and that its judge finds whatever the two ends do not agree about."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from app.commands.demo.after_sale_ends import (
    AfterSale,
    BuyersReturn,
    CentraReturn,
    CentraTotals,
    Entered,
    Parcel,
    Refund,
    Sold,
    SoldLine,
    Tax,
    Units,
    compare,
    differences,
)
from app.commands.demo.after_sale_stories import AUDITED, STORIES
from app.commands.demo.play import Report
from tests.console.words import DONE
from tests.faults.every import by_command
from tests.flows.service import FR, SE, run_command

Json = dict[str, Any]


@by_command
@pytest.mark.timeout(240)
async def test_the_act_ends_with_both_ends_agreeing_and_the_audit_of_a_refund(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    ended = await run_command(dict(os.environ), "demo", "--act", "after-sale", "--report", str(file))
    assert ended.code == DONE, ended.out + ended.errors
    told: Json = json.loads(file.read_text())
    assert (told["after_sale_wrong"], told["differences"], told["ceilings_exceeded"], told["held"]) == ([], 0, 0, 0)

    parcels = [(one["channel"], one["carrier"]) for one in told["shipments"]]
    assert (FR, "Nord Express") in parcels
    assert sum(channel == SE for channel, _ in parcels) >= 2
    by_reason = [refund["reason_code"] for refund in told["refunds"]]
    assert (by_reason.count("15"), by_reason.count("14")) == (3, 1), "sold out by the shop, and the marketplace's own"
    taxed = [refund for refund in told["refunds"] if len(refund["taxes"]) == 2]
    assert len({refund["taxes"][0]["code"] for refund in taxed}) == 1
    assert sum(refund["order_id"] == "AFTER-14-A" for refund in taxed) == 2, "a part, then the rest"
    asked_for = [made for made in told["returns"] if made["of_the_marketplace"]]
    assert all(made["status"] == "COMPLETED" for made in told["returns"])
    assert 2 <= len(asked_for) < len(told["returns"]), "asked for at a marketplace, and come back unannounced"

    [refund] = [refund for refund in told["refunds"] if refund["order_id"] == AUDITED]
    [made] = [made for made in told["returns"] if made["order_id"] == AUDITED]
    for words in (
        f"refund {refund['refund_id']}",
        refund["order_refund_id"],
        f"return {made['return_id']} of order",
        "the shop's balance at the marketplace does not cover the refund",
        "Tove of finance",
        "the balance is topped up",
        "11.37 STATE and 2.39 STATE",
    ):
        assert words in ended.words, words
    assert "16 of 16 order lines agree" in ended.words


# ------------------------------------------------------------------------------------------------------- the judge

RETURN = "7f0c5a5e-0000-4000-8000-000000000001"
TAX = Tax("STATE", 1.0)
REFUND = Refund(
    id="1",
    order_refund_id="g-1",
    reason_code="17",
    quantity=1,
    amount=10.0,
    shipping_amount=3.0,
    taxes=[TAX, TAX],
    shipping_taxes=[TAX],
)
THERE = SoldLine(
    order_id="A-1",
    order_state="SHIPPED",
    sku="VX-1",
    shipped=2,
    excluded=0,
    cancelled=0,
    return_expected=0,
    returned=1,
    refunded=1,
    refunded_amount=10.0,
    refunded_shipping_amount=3.0,
    refunded_total=16.0,
    refunds=[REFUND],
)
"""A line of two, one of which came back: 10.00 and 2.00 of tax were given back, and 3.00 and 1.00 for shipping."""
IN_CENTRA = Units("VX-1", 2, "A-1-1", unit_price=12.0)
ENTERED = Entered(7, "SHIPPED", False, False, f"mirakl:{FR}:A-1", CentraTotals(4.0), [IN_CENTRA])
PARCEL = Parcel(1, "7-1", 7, True, "PostNord", "PN1", [IN_CENTRA])
MADE = CentraReturn(5, 7, "COMPLETED", 16.0, 4.0, RETURN, [Units("VX-1", 1, "A-1-1", value=12.0)])


def _there(**members: Any) -> SoldLine:
    return replace(THERE, **members)


def _ends(there: SoldLine = THERE, *, returned: Json | None = None, **units: Any) -> AfterSale:
    """Both ends alike, but for what is given; `units`: of the order line in Centra."""
    sold = Sold({"A-1-1": there}, [], {RETURN: BuyersReturn("A-1", "CLOSED", {"A-1-1": 1})})
    entered = replace(ENTERED, lines=[replace(IN_CENTRA, **units)])
    return AfterSale({FR: sold}, [entered], [PARCEL], [replace(MADE, **(returned or {}))])


def test_two_ends_that_are_alike_have_no_differences() -> None:
    ends = _ends()
    assert list(differences(ends)) == []
    [line], [postage] = compare(ends)
    assert (line.there.goods, postage.there, postage.centra) == (1200, 400, 400)


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (_ends(_there(shipped=1)), "shipped: 1 there, 2 in Centra"),
        (_ends(_there(excluded=1, refunded=2)), "cancelled: 1 there, 0 in Centra"),
        (_ends(cancelled=1), "cancelled: 0 there, 1 in Centra"),
        (_ends(_there(refunded=2)), "returned: 2 there, 1 in Centra"),
        (_ends(_there(returned=0, return_expected=1)), "announced: 0 there, 1 in Centra"),
        (_ends(returned={"status": "PENDING"}), "expected: 0 there, 1 in Centra"),
        (_ends(returned={"external_id": None}), "announced: 1 there, 0 in Centra"),
        (_ends(_there(refunded_total=16.01)), "goods: 12.01 there, 12.00 in Centra"),
        (_ends(returned={"shipping": 3.99}), "shipping: 4.00 there, 3.99 in Centra"),
        (_ends(comment="A-1-9"), "has lines that no marketplace knows: A-1-9"),
    ],
)
def test_the_judge_names_the_line_and_what_differs(ends: AfterSale, words: str) -> None:
    found = list(differences(ends))
    assert any(words in one for one in found), found


def test_an_order_that_is_cancelled_before_it_is_paid_is_given_nothing_back() -> None:
    nothing = dict.fromkeys(("shipped", "returned", "refunded"), 0)
    no_money = dict.fromkeys(("refunded_amount", "refunded_shipping_amount", "refunded_total"), 0.0)
    unpaid = _there(order_state="CANCELED", cancelled=2, refunds=[], **nothing, **no_money)
    entered = [replace(ENTERED, lines=[replace(IN_CENTRA, cancelled=2)])]
    assert list(differences(AfterSale({FR: Sold({"A-1-1": unpaid}, [], {})}, entered, [], []))) == []
    paid = replace(unpaid, order_state="SHIPPING")
    found = list(differences(AfterSale({FR: Sold({"A-1-1": paid}, [], {})}, entered, [], [])))
    assert f"A-1-1 on {FR}, refunded: 0 there, 2 in Centra" in found


def test_the_cast_has_an_order_for_each_story_and_the_report_is_good_only_when_all_of_it_is() -> None:
    assert len({story.order_id for story in STORIES}) == len(STORIES)
    assert {story.channel for story in STORIES} == {0, 1}
    assert {"shipments", "refunds", "returns", "after_sale_wrong"} <= asdict(Report("after-sale")).keys()
    assert not Report("after-sale").good, "nothing was played"
    assert Report("after-sale", refunds=[{"refund_id": "1"}]).good
    assert not Report("after-sale", refunds=[{"refund_id": "1"}], after_sale_wrong=["A-1-1: shipped"]).good
