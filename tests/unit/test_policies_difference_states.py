"""What becomes of differences: they open and close by themselves, and a person's word stays while the figures do."""

from dataclasses import replace

import pytest

from app.domain.settlement import Difference, Kind, State
from app.policies.settlement.states import Known, transitions

FOUND = Difference(Kind.COMMISSION, "commission:A:line 1", "EUR", -1200, -1500, "12.00 by contract, 15.00 in the log")


def stored(found: Difference, state: State, *, by_person: bool = False, note: str | None = None) -> Known:
    return Known(found.key, state, found.kind, found.currency, found.expected, found.told, note, by_person)


def become(known: list[Known], *found: Difference) -> dict[str, State]:
    return {change.key: change.state for change in transitions("A", known, found)}


def test_one_that_is_new_opens() -> None:
    assert become([], FOUND) == {FOUND.key: State.OPEN}


def test_one_that_a_rule_explains_is_explained_from_the_start() -> None:
    assert become([], replace(FOUND, explained="sold before")) == {FOUND.key: State.EXPLAINED}


def test_one_that_stays_as_it_is_says_nothing() -> None:
    assert become([stored(FOUND, State.OPEN)], FOUND) == {}
    assert become([stored(FOUND, State.OPEN)], replace(FOUND, words="told in other words")) == {}


def test_one_that_is_gone_closes_once() -> None:
    assert become([stored(FOUND, State.OPEN)]) == {FOUND.key: State.CLOSED}
    assert become([stored(FOUND, State.ACCEPTED, by_person=True)]) == {FOUND.key: State.CLOSED}
    assert become([stored(FOUND, State.CLOSED)]) == {}


def test_one_that_comes_back_opens_again() -> None:
    assert become([stored(FOUND, State.CLOSED, by_person=True)], FOUND) == {FOUND.key: State.OPEN}


@pytest.mark.parametrize("state", [State.EXPLAINED, State.ACCEPTED])
def test_a_persons_word_holds_for_its_figures(state: State) -> None:
    known = [stored(FOUND, state, by_person=True, note="the operator looks into it")]
    assert become(known, FOUND) == {}
    assert become(known, replace(FOUND, told=-1600)) == {FOUND.key: State.OPEN}
    assert become(known, replace(FOUND, currency="SEK")) == {FOUND.key: State.OPEN}


def test_a_rules_word_holds_as_long_as_the_rule_says_it() -> None:
    by_rule = stored(FOUND, State.EXPLAINED, note="sold before")
    assert become([by_rule], replace(FOUND, explained="sold before")) == {}
    assert become([by_rule], replace(FOUND, explained="the contract's")) == {FOUND.key: State.EXPLAINED}
    assert become([by_rule], FOUND) == {FOUND.key: State.OPEN}
