"""The judge of orders is itself judged: each thing that must not happen to an order is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.deployment import Json
from tests.faults.orders import Seen, faults_of


def _order(number: int, status: str = "CONFIRMED", **members: Any) -> Json:
    line = {"quantity": 2, "allocated": {"1": 2}}
    flags = {"is_on_hold": False, "is_waiting_for_payment": False}
    return {"number": number, "status": status, "lines": [line], **flags, **members}


def _completion(number: int, *, placed: bool = True) -> Json:
    return {"number": number, "placed": placed}


ACCEPTED = {"code": "OR21", "refused": []}
GOOD = Seen("SHIPPING", [ACCEPTED], [_order(1)], [_completion(1)], {1})
WITH_ORPHAN = replace(GOOD, orders=[_order(1), _order(2, "CANCELLED")], known={1, 2})


@pytest.mark.parametrize(
    "seen", [GOOD, WITH_ORPHAN, replace(GOOD, completions=[_completion(1), _completion(1, placed=False)])]
)
def test_what_is_well(seen: Seen) -> None:
    assert faults_of(seen) == []


@pytest.mark.parametrize(
    "seen",
    [
        replace(GOOD, orders=[], completions=[]),
        replace(GOOD, decisions=[]),
        replace(GOOD, decisions=[ACCEPTED, ACCEPTED]),
        replace(GOOD, decisions=[{**ACCEPTED, "refused": ["line"]}]),
        replace(GOOD, decisions=[{"code": "LAPSED"}], state="REFUSED"),
        replace(GOOD, state="WAITING_DEBIT"),
        replace(GOOD, orders=[_order(1, "PENDING")]),
        replace(GOOD, orders=[_order(1, is_on_hold=True)]),
        replace(GOOD, orders=[_order(1, is_waiting_for_payment=True)]),
        replace(GOOD, orders=[_order(1, lines=[{"quantity": 2, "allocated": {"1": 1}}])]),
        replace(WITH_ORPHAN, known={1}),
        replace(WITH_ORPHAN, orders=[_order(1), _order(2, "INCOMPLETE")]),
        replace(WITH_ORPHAN, completions=[_completion(1), _completion(2)]),
    ],
)
def test_what_is_not(seen: Seen) -> None:
    assert faults_of(seen)


def test_what_the_buyer_cancelled() -> None:
    gone = replace(GOOD, state="CANCELED", orders=[_order(1, "CANCELLED")])
    assert faults_of(gone, is_cancelled=True) == []
    assert faults_of(replace(gone, orders=[], completions=[], decisions=[]), is_cancelled=True) == []
    assert faults_of(replace(gone, orders=[_order(1)]), is_cancelled=True)
    assert faults_of(replace(gone, completions=[_completion(1), _completion(2)]), is_cancelled=True)
