"""Fifty runs of refunds of which a third of the calls end unknown (`refund_runs` plays a thousand), and their judge."""

from __future__ import annotations

import pytest

from tests.faults.refund_runs import run, table
from tests.faults.refunds import (
    APPLIED,
    NOT_APPLIED,
    REFUNDS_AT_LEAST,
    Given,
    Stands,
    Wanted,
    faults_of,
    given_by,
    planned,
)
from tests.postgres import Databases

RUNS = 50
SKUS = [f"VX-{number}-M" for number in range(20)]
ORDER = "DEMO-FR-1-A"
ONE, TWO = Wanted("centra:return:1", ORDER, 4000), Wanted("centra:return:2", ORDER, 5000)
TWIN = Wanted("centra:return:3", ORDER, 4000)
GAVE = [Given(ORDER, 4000), Given(ORDER, 5000)]
DONE, HELD, BEHIND = Stands("done"), Stands("held"), Stands("behind")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_refund_is_given_twice_or_lost_and_only_what_nobody_can_know_is_held(databases: Databases) -> None:
    counts = await run(databases, list(range(1, RUNS + 1)), at_once=25)
    print(table(counts, 0))
    assert not counts.violations
    assert counts.runs == RUNS
    assert counts.refunds >= RUNS * REFUNDS_AT_LEAST
    assert sum(counts.unknown.values()) >= 0.3 * counts.calls
    assert counts.dropped
    assert all(counts.unknown[kind] for kind in (*APPLIED, *NOT_APPLIED))
    assert counts.held, "what never arrived is held"
    assert counts.found >= counts.held, "and what arrived is found"


def test_a_seed_is_always_the_same_run() -> None:
    assert planned(7, SKUS) == planned(7, SKUS)
    assert planned(7, SKUS) != planned(8, SKUS)
    for seed in range(30):
        plans = planned(seed, SKUS)
        assert sum(plan.refunds for plan in plans) >= REFUNDS_AT_LEAST
        for plan in plans:
            price = sum((line.unit + line.unit_shipping) * line.quantity for line in plan.lines)
            assert sum(back.cents for back in plan.returns) + plan.cancelled_cents <= price


def test_the_judge_lets_pass_what_is_well() -> None:
    assert not faults_of([ONE, TWO], GAVE, {ONE.source: DONE, TWO.source: DONE}, final=True)
    assert not faults_of([ONE, TWO], GAVE[:1], {ONE.source: DONE, TWO.source: HELD})
    assert not faults_of([ONE, TWO], [], {ONE.source: HELD, TWO.source: BEHIND})
    assert not faults_of([ONE, TWIN], GAVE[:1], {ONE.source: DONE, TWIN.source: HELD})


@pytest.mark.parametrize(
    ("given", "stands", "words"),
    [
        ([*GAVE, GAVE[1]], {ONE.source: DONE, TWO.source: DONE}, "given back 2 times"),
        (GAVE[:1], {ONE.source: DONE, TWO.source: DONE}, "lost"),
        (GAVE[:1], {ONE.source: DONE}, "neither done nor held"),
        (GAVE[:1], {ONE.source: DONE, TWO.source: Stands("open")}, "neither done nor held"),
        (GAVE, {ONE.source: DONE, TWO.source: HELD}, "not done with us"),
        (GAVE[:1], {ONE.source: DONE, TWO.source: Stands("held", heard=True)}, "held without a doubt"),
        ([GAVE[0], Given(ORDER, 4999)], {ONE.source: DONE, TWO.source: DONE}, "nobody wanted it"),
    ],
)
def test_the_judge_sees_what_is_not(given: list[Given], stands: dict[str, Stands], words: str) -> None:
    assert words in " ".join(faults_of([ONE, TWO], given, stands))


def test_the_judge_sees_one_of_two_equal_refunds_lost_or_given_thrice() -> None:
    done = {ONE.source: DONE, TWIN.source: DONE}
    assert "lost" in " ".join(faults_of([ONE, TWIN], GAVE[:1], done))
    assert "given back 3 times" in " ".join(faults_of([ONE, TWIN], GAVE[:1] * 3, done))


def test_the_judge_lets_nothing_be_held_at_the_end() -> None:
    assert "lost" in " ".join(faults_of([ONE, TWO], GAVE[:1], {ONE.source: DONE, TWO.source: HELD}, final=True))


def test_refunds_of_a_call_are_one_sum_with_tax() -> None:
    entry = {"order_id": ORDER, "order_refund_id": "g", "amount": 10.0, "shipping_amount": 1.0}
    taxes = {"taxes": [{"amount": 0.5}, {"amount": 0.25}], "shipping_taxes": [{"amount": 0.1}]}
    without = {**entry, **taxes, "tax_mode": "TAX_EXCLUDED"}
    assert given_by([without, {**without, "order_refund_id": "h"}]) == [Given(ORDER, 1185)] * 2
    assert given_by([without, {**without, "tax_mode": "TAX_INCLUDED"}]) == [Given(ORDER, 2285)]
