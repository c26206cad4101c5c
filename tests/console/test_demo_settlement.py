"""The act `settlement` of the demo: the real run, and that its judge finds whatever is not as the marketplace says."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.commands.demo.after_sale_ends import (
    AfterSale,
    CentraReturn,
    CentraTotals,
    Entered,
    Refund,
    Sold,
    SoldLine,
    Units,
)
from app.commands.demo.play import Report
from app.commands.demo.settlement import following_month
from app.commands.demo.settlement_cast import ACROSS, BANK, CLAIM, CLEARING, FINANCE, FIRST, PLANTED, SECOND, SUSPENSE
from app.commands.demo.settlement_ends import Books, Closed, Journal, Ours, PaidOut, Planted, Sum, read_journal
from app.commands.demo.settlement_judge import Judged, Money, Standing, judge
from app.commands.demo.settlement_shown import in_figures
from app.domain.settlement import Cycle, Kind, State, Transaction
from app.policies.settlement.journal import Accounts, Booking, journal, journal_csv
from app.store.ledger import Listed
from app.store.settlement import Noted
from tests.console.words import DONE
from tests.faults.every import by_command
from tests.flows.service import FR, SE, run_command

Json = dict[str, Any]


@by_command
@pytest.mark.timeout(240)
async def test_the_act_closes_two_cycles_on_both_channels_and_finds_exactly_what_was_planted(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    ended = await run_command(dict(os.environ), "demo", "--act", "settlement", "--report", str(file))
    assert ended.code == DONE, ended.out + ended.errors
    told: Json = json.loads(file.read_text())
    assert (told["settlement_wrong"], told["differences"], told["ceilings_exceeded"], told["held"]) == ([], 0, 0, 0)

    months: dict[str, Json] = told["settlement"]
    assert list(months) == [FR, SE]
    for month in months.values():
        assert [bool(cycle["orders"]) for cycle in month["cycles"]] == [True, True]
        assert month["matched"] + month["explained"] == month["lines"]
        assert month["journal"]["debit"] == month["journal"]["credit"] > 0
    found = [
        (channel, kind, one["planted"], one["expected"], one["told"])
        for channel, month in months.items()
        for kind, ones in month["differences"].items()
        for one in ones
    ]
    off = months[FR]["cycles"][1]
    assert (off["apart"], off["refunds"] < 0) == (-0.01, True)
    assert found == [
        (FR, "charge", "a penalty", None, -15.0),
        (FR, "payout_sum", "a pay-out one cent short", off["total"], off["bank"]),
        (SE, "commission", "a commission of 18 %, agreed are 15 %", -15.75, -18.9),
        (SE, "charge", "a manual credit", None, 37.44),
    ]
    assert (months[FR]["journal"]["balances"][CLEARING], months[SE]["journal"]["balances"][CLEARING]) == (0.01, 0.0)
    for story in ACROSS:
        assert f"{story.order_id} on {(FR, SE)[story.channel]} was paid in the first cycle" in ended.words
    assert f"explained by {FINANCE}: {CLAIM.note}" in ended.words
    assert "4 of 4 planted differences found, 0 others" in ended.words


# ------------------------------------------------------------------------------------------------------- the judge
#
# A month of one channel, in cents: A is sold for 50.00, paid with the first cycle and given back in the second; B is
# sold for 100.00 in the second. A penalty of 12.00 and its tax are in the first, the second pays a cent too little.

AT = datetime(2026, 3, 10, 8, tzinfo=UTC)
C1, C2 = "c-1", "c-2"
WORDS, ACROSS_HERE = ("a penalty", "a short pay-out"), ("A",)
ACCOUNTS = Accounts(clearing=CLEARING, bank=BANK, suspense="3000")


def _line(id_: str, type_: str, amount: int, cycle: str, **members: Any) -> Transaction:
    at = AT if cycle == C1 else AT + timedelta(days=10)
    return Transaction(id_, type_, amount, "EUR", "PAID", at, at, cycle, **members)


A: Json = {"order_id": "A", "line_id": "A-1"}
B: Json = {"order_id": "B", "line_id": "B-1"}
LINES = (
    _line("1", "ORDER_AMOUNT", 5000, C1, **A),
    _line("2", "COMMISSION_FEE", -750, C1, **A),
    _line("3", "SELLER_PENALTY_FEE", -1200, C1, order_id="A"),
    _line("4", "SELLER_PENALTY_FEE_TAX", -300, C1, order_id="A"),
    _line("5", "PAYMENT", -2750, C1, payment="PO-1"),
    _line("6", "ORDER_AMOUNT", 10000, C2, **B),
    _line("7", "REFUND_ORDER_AMOUNT", -5000, C2, refund_id="r-1", **A),
    _line("8", "REFUND_COMMISSION_FEE", 750, C2, refund_id="r-1", **A),
    _line("9", "PAYMENT", -5749, C2, payment="PO-2"),
)


def _cycle(cycle: str, days: int, paid: int) -> Listed:
    return Listed(FR, Cycle(cycle, "EUR", AT + timedelta(days=days), "PAID", paid), paid)


def _noted(number: int, kind: Kind, key: str, expected: int | None, told: int, **members: Any) -> Noted:
    whose = {"order_id": None, "line_id": None, "cycle": None, "note": None, "decided_by": None, "decided_at": None}
    stake = abs(told - (expected or 0))
    figures: Json = {"currency": "EUR", "expected": expected, "told": told, "at_stake": stake, "words": "in words"}
    state: Json = {"state": State.OPEN, "opened_at": AT}
    return Noted(**{"number": number, "scope": FR, "kind": kind, "key": key, **whose, **figures, **state, **members})


PENALTY = _noted(1, Kind.CHARGE, "charge:3", None, -1500, order_id="A")
SHORT = _noted(2, Kind.PAYOUT_SUM, f"payout_sum:{C2}", 5750, 5749, cycle=C2)
BOOKS = Books(
    [Planted("lines", "SELLER_PENALTY_FEE", ["3", "4"], amount=-1200, tax=-300), Planted("pay-out", off_cents=-1)],
    [Closed(C1, 4, 2750, 2750), Closed(C2, 3, 5750, 5749, -1)],
    [PaidOut(C1, "PO-1", 2750), PaidOut(C2, "PO-2", 5749)],
    {line.type: {"PAID": Sum(1, line.amount / 100)} for line in LINES}
    | {"ORDER_AMOUNT": {"PAID": Sum(2, 150.0)}, "PAYMENT": {"PAID": Sum(2, -84.99)}},
)
OURS = Ours(LINES, [_cycle(C1, 1, 2750), _cycle(C2, 11, 5749)], [PENALTY, SHORT])


def _sold(order_id: str, refunds: list[Refund]) -> SoldLine:
    units = dict.fromkeys(("excluded", "cancelled", "return_expected", "returned", "refunded"), 0)
    amounts = dict.fromkeys(("refunded_amount", "refunded_shipping_amount", "refunded_total"), 0.0)
    members: Json = {"order_id": order_id, "order_state": "RECEIVED", "sku": "VX-1", "shipped": 1, "refunds": refunds}
    return msgspec.convert({**units, **amounts, **members}, SoldLine)


def _entered(number: int, order_id: str, total: float) -> Entered:
    units = [Units("VX-1", 1, f"{order_id}-1", unit_price=total)]
    return Entered(number, "SHIPPED", False, False, f"mirakl:{FR}:{order_id}", CentraTotals(0.0, total), units)


GIVEN = Refund("r-1", "g-1", "17", 1, 50.0, 0.0, [], [])
MADE = CentraReturn(5, 7, "COMPLETED", 50.0, 0.0, None, [Units("VX-1", 1, "A-1", value=50.0)])
ENDS = AfterSale(
    {FR: Sold({"A-1": _sold("A", [GIVEN]), "B-1": _sold("B", [])}, [], {})},
    [_entered(7, "A", 50.0), _entered(8, "B", 100.0)],
    [],
    [MADE],
)


def _journal(lines: tuple[Transaction, ...] = LINES) -> Journal:
    """As the export has it."""
    posted = journal([Booking(line, "FRA", ()) for line in lines], ACCOUNTS, FR, UTC)
    return read_journal(journal_csv(posted))[FR]


def _judged(
    *, books: Books = BOOKS, ours: Ours = OURS, ends: AfterSale = ENDS, booked: Journal | None = None
) -> Judged:
    return judge(Money(FR, books, ours, ends), booked or _journal(), WORDS, ACROSS_HERE)


def _ours(change: Callable[[Transaction], Transaction | None]) -> Ours:
    """With each line changed, or left out."""
    return replace(OURS, lines=[line for one in LINES if (line := change(one)) is not None])


def _one(id_: str, **members: Any) -> Callable[[Transaction], Transaction | None]:
    """A change of one line; none: it is left out."""
    return lambda line: line if line.id != id_ else replace(line, **members) if members else None


def test_a_month_that_is_as_it_was_planned_has_no_faults() -> None:
    judged = _judged()
    assert judged.faults == []
    assert judged.counts == {Standing.MATCHED: 6, Standing.EXPLAINED: 3}, "explained: two of the penalty, one payment"
    assert [(wanted.words, found and found.number) for wanted, found in judged.paired.pairs] == [
        ("a penalty", 1),
        ("a short pay-out", 2),
    ]


OTHER = _noted(3, Kind.UNPAID, "unpaid:B", 10000, 0, order_id="B")
SAID = {"state": State.EXPLAINED, "note": "the contract's", "decided_by": None}


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ([SHORT], "a penalty was planted (charge, -15.00), and is not found"),
        ([PENALTY, SHORT, OTHER], "d3 was found (unpaid), and nobody planted it"),
        ([PENALTY, replace(SHORT, told=5748)], "a short pay-out was planted (payout_sum, -0.01), and is not found"),
        ([PENALTY, replace(SHORT, cycle=C1)], "a short pay-out was planted (payout_sum, -0.01), and is not found"),
        ([replace(PENALTY, key="charge:2"), SHORT], "d1 was found (charge), and nobody planted it"),
        ([PENALTY, PENALTY, SHORT], "d1 was found (charge), and nobody planted it"),
        ([replace(PENALTY, **SAID), SHORT], "a penalty was planted"),
    ],
)
def test_exactly_what_was_planted_must_be_found(differences: list[Noted], words: str) -> None:
    faults = _judged(ours=replace(OURS, differences=differences)).faults
    assert any(words in fault for fault in faults), faults


def test_what_a_rule_explains_is_not_taken_for_planted() -> None:
    charged = _line("10", "SUBSCRIPTION_FEE", -3900, C1)
    ours = replace(OURS, lines=[*LINES, charged])
    by_rule = _noted(4, Kind.CHARGE, "charge:10", None, -3900, **SAID)
    explained = _judged(ours=replace(ours, differences=[PENALTY, SHORT, by_rule]))
    assert explained.counts[Standing.EXPLAINED] == 4
    assert explained.paired.besides == []
    words = "SUBSCRIPTION_FEE of -39.00 is neither matched nor explained"
    assert f"{FR}: {words}" in _judged(ours=ours).faults
    assert f"{FR}: {words}" not in explained.faults


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        (_ours(_one("2")), "COMMISSION_FEE PAID: 1 lines of -7.50 there, 0 of 0.00 here"),
        (_ours(_one("2", amount=-751)), "COMMISSION_FEE PAID: 1 lines of -7.50 there, 1 of -7.51 here"),
        (_ours(_one("2", state="PAYABLE")), "COMMISSION_FEE PAYABLE: 0 lines of 0.00 there, 1 of -7.50 here"),
        (_ours(_one("2")), f"cycle {C1} has 4 lines of 27.50 and pays 27.50 there; here 3 of 35.00, 27.50"),
        (_ours(_one("6", cycle=C1)), f"cycle {C2} has 3 lines of 57.50"),
        (_ours(_one("6", line_id="B-9")), "ORDER_AMOUNT of 100.00 is neither matched nor explained"),
        (_ours(_one("7", refund_id="r-9")), "REFUND_ORDER_AMOUNT of -50.00 is neither matched nor explained"),
        (_ours(_one("5", payment="PO-9")), "PAYMENT of -27.50 is neither matched nor explained"),
        (_ours(_one("8", type="LOYALTY_FEE")), "LOYALTY_FEE of 7.50 is neither matched nor explained"),
        (_ours(_one("7", cycle=C1)), "A is not given back across cycles"),
        (replace(OURS, cycles=OURS.cycles[:1]), f"cycle {C2} was closed, and is not read"),
        (replace(OURS, cycles=[*OURS.cycles, _cycle("c-3", 20, 0)]), "cycle c-3 is read, and nobody closed it"),
    ],
)
def test_the_judge_names_the_line_and_the_cycle_that_are_not_the_marketplaces(ours: Ours, words: str) -> None:
    faults = _judged(ours=ours).faults
    assert any(words in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"books": replace(BOOKS, pay_outs=BOOKS.pay_outs[1:])}, f"cycle {C1} is PAID here, and 0.00 left the bank"),
        ({"books": replace(BOOKS, cycles=BOOKS.cycles[:1])}, "1 billing cycles were closed, not 2"),
        ({"ends": replace(ENDS, entered=ENDS.entered[1:])}, "Centra has no order for A"),
        (
            {"ends": replace(ENDS, entered=[_entered(7, "A", 50.02), ENDS.entered[1]])},
            "A, sold: 50.00 in the log, 50.02",
        ),
        ({"ends": replace(ENDS, returns=[])}, "A, given back: -50.00 in the log, 0.00 in Centra"),
        ({"booked": _journal(LINES[1:])}, "1 transactions are only in the log or only in the journal"),
        ({"booked": _journal(LINES[:-1])}, f"account {BANK} is 27.50 in the journal, not 84.99"),
        ({"booked": Journal()}, f"account {CLEARING} is 0.00 in the journal, not 0.01"),
    ],
)
def test_the_judge_asks_centra_the_bank_and_the_journal(told: Json, words: str) -> None:
    faults = _judged(**told).faults
    assert any(words in fault for fault in faults), faults


def test_a_journal_that_does_not_balance_is_a_fault() -> None:
    booked = _journal()
    booked.accounts[SUSPENSE].debit += 5
    booked.transactions["6"] += 5
    faults = _judged(booked=booked).faults
    assert f"{FR}: the journal's lines of 6 come to 0.05, not to 0" in faults
    assert f"{FR}: account {SUSPENSE} is 0.05 in the journal, not 0.00" in faults


def test_the_report_has_both_figures_and_is_good_only_when_all_of_it_is() -> None:
    figures = in_figures(_judged(), "2026-03")
    assert (
        figures["differences"]["payout_sum"][0] | {"expected": 57.5, "told": 57.49}
        == figures["differences"]["payout_sum"][0]
    )
    assert [cycle["apart"] for cycle in figures["cycles"]] == [0.0, -0.01]
    assert {"settlement", "settlement_wrong"} <= asdict(Report("settlement")).keys()
    assert not Report("settlement").good, "nothing was played"
    assert Report("settlement", settlement={FR: figures}).good
    assert not Report("settlement", settlement={FR: figures}, settlement_wrong=["a penalty"]).good


def test_the_cast_plants_in_both_cycles_of_both_channels_and_gives_back_what_was_paid_before() -> None:
    stories = (*FIRST, *SECOND)
    assert len({story.order_id for story in stories}) == len(stories)
    assert {(one.channel, one.cycle) for one in PLANTED} == {(0, 1), (1, 1), (1, 2), (0, 2)}
    assert {story.order_id for story in ACROSS} < {story.order_id for story in FIRST}
    assert {story.channel for story in ACROSS} == {0, 1}


@pytest.mark.parametrize(("now", "then"), [((2027, 1, 31), (2027, 2, 1)), ((2026, 12, 1), (2027, 1, 1))])
def test_the_month_begins_after_this_one(now: tuple[int, int, int], then: tuple[int, int, int]) -> None:
    assert following_month(datetime(*now, 23, 59, tzinfo=UTC)) == datetime(*then, tzinfo=UTC)
