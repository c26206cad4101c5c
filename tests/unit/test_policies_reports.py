"""What an import report asks for, and the file behind it: nothing but stock leaves, and any text survives."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.bulk import LineError
from app.flows.imports import _sort_out
from app.mirakl.imports import STOCK_COLUMNS, csv_file, read_stock_report, stock_file
from app.mirakl.schema import StockLine
from app.policies.reports import adds_up, is_transient
from app.store.imports import Line

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "words",
    [
        "Temporary failure, the offer is being updated",
        "The catalogue is temporarily locked",
        "Please TRY AGAIN later",
        "Request timed out",
        "timeout while writing",
        "Internal error",
        "Service unavailable",
    ],
)
def test_words_that_promise_another_outcome_are_tried_again(words: str) -> None:
    assert is_transient(words)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "The offer does not exist",
        "Unknown SKU VX-100-M",
        "The quantity must be an integer",
        "This product is unavailable in the catalogue",  # for a person: it would be sent once a minute for ever
    ],
)
def test_other_words_are_for_a_person(words: str) -> None:
    assert not is_transient(words)


@pytest.mark.parametrize(
    ("lines", "good", "bad", "covered"),
    [(3, 2, 1, True), (3, 3, 0, True), (3, 2, 0, False), (3, 3, 1, False), (3, None, 1, True), (3, 2, None, True)],
)
def test_the_counts_of_a_report_cover_its_lines_or_nothing_is_confirmed(
    lines: int, good: int | None, bad: int | None, covered: bool
) -> None:
    assert adds_up(lines, good, bad) is covered


def test_field_case_1_the_stock_file_touches_stock_alone() -> None:
    rows = list(csv.reader(io.StringIO(stock_file([StockLine("VX-100-M", 4)]).decode()), delimiter=";"))
    assert STOCK_COLUMNS == ("offer-sku", "quantity", "warehouse-code", "update-delete")
    assert rows == [list(STOCK_COLUMNS), ["VX-100-M", "4", "", ""]]  # neither price nor state nor description


CASE_6 = 'Width 1\\" approx; "raw" edge'


def test_field_case_6_a_backslash_before_a_quote_keeps_its_row() -> None:
    body = csv_file(("shop_sku", "description", "price"), [("BELT-32", CASE_6, "25.00"), ("BELT-34", "plain", "25.00")])
    assert b'"Width 1\\"" approx; ""raw"" edge"' in body
    rows = list(csv.reader(io.StringIO(body.decode(), newline=""), delimiter=";"))
    assert rows[1:] == [["BELT-32", CASE_6, "25.00"], ["BELT-34", "plain", "25.00"]]


awkward = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from('\\";\n\r,\t\ufeff👟'), max_size=20
)


@given(st.lists(st.tuples(awkward, awkward), min_size=1, max_size=5))
def test_field_case_6_any_text_survives_write_and_parse(rows: list[tuple[str, str]]) -> None:
    body = csv_file(("a", "b"), rows)
    read = list(csv.reader(io.StringIO(body.decode(), newline=""), delimiter=";"))
    assert read[1:] == [list(row) for row in rows]


skus = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20)


@given(st.lists(skus, min_size=1, max_size=5, unique=True))
def test_a_report_gives_back_the_skus_that_were_sent(sent: list[str]) -> None:
    columns = ("line-number", "error-message", *STOCK_COLUMNS)
    body = csv_file(columns, [(str(n), "Unknown SKU", sku, "4", "", "") for n, sku in enumerate(sent, start=2)])
    lines = read_stock_report(body)
    assert [(line.line, line.sku, line.message) for line in lines] == [
        (n, sku, "Unknown SKU") for n, sku in enumerate(sent, start=2)
    ]


# ----------------------------------------------------------------------------------------- reports of imports


def line(sku: str, version: int = 1) -> Line:
    return Line(sku, version, 4, NOON)


def bad(sku: str, number: int = 0, message: str = "Unknown SKU") -> LineError:
    return LineError(message, sku, number)


THREE = [line("A"), line("B"), line("C")]
TRANSIENT = "Temporary failure"


def test_a_clean_report_asks_for_nothing() -> None:
    assert _sort_out(THREE, []) == ([], [], False)


def test_a_bad_line_is_held_with_the_reports_words_and_a_transient_one_tried_again() -> None:
    held, again, unnamed = _sort_out(THREE, [bad("B"), bad("C", message=TRANSIENT)])
    assert held == [(THREE[1], "Unknown SKU")]
    assert again == [(THREE[2], TRANSIENT)]
    assert not unnamed


def test_a_line_is_found_by_its_sku_whatever_number_it_carries() -> None:
    assert _sort_out(THREE, [bad("C", number=2)])[0] == [(THREE[2], "Unknown SKU")]


@pytest.mark.parametrize(("number", "place"), [(2, 0), (3, 1), (4, 2)])
def test_without_a_sku_it_is_found_by_its_number_below_the_header(number: int, place: int) -> None:
    assert _sort_out(THREE, [bad("", number)])[0] == [(THREE[place], "Unknown SKU")]


@pytest.mark.parametrize("strange", [bad("D"), bad("D", 2), bad("", 1), bad("", 5), bad("", 0), bad("b")])
def test_a_line_that_is_not_ours_spoils_the_report(strange: LineError) -> None:
    assert _sort_out(THREE, [bad("A"), strange]) == ([], [], True)


@pytest.mark.parametrize("words", [(TRANSIENT, "Unknown SKU"), ("Unknown SKU", TRANSIENT)])
def test_a_line_with_two_complaints_is_held_if_one_of_them_lasts(words: tuple[str, str]) -> None:
    held, again, _ = _sort_out(THREE, [bad("A", message=words[0]), bad("A", message=words[1])])
    assert held == [(THREE[0], "; ".join(words))]
    assert again == []  # a mark would end the hold, and the line would be sent once a minute for ever


def test_the_same_complaint_twice_is_told_once() -> None:
    assert _sort_out(THREE, [bad("A"), bad("", 2)])[0] == [(THREE[0], "Unknown SKU")]


ours = st.sampled_from([f"VX-{n}" for n in range(12)])


@given(
    st.lists(ours, unique=True),
    st.lists(st.tuples(ours, st.integers(0, 14), st.sampled_from([TRANSIENT, "Unknown SKU"]), st.booleans())),
)
def test_each_reported_line_gets_one_answer_and_no_other_line_any(
    sent: list[str], report: list[tuple[str, int, str, bool]]
) -> None:
    lines = [line(sku) for sku in sent]
    complaints = [bad(sku if by_sku else "", number, words) for sku, number, words, by_sku in report]
    held, again, unnamed = _sort_out(lines, complaints)
    answered = [found.key for found, _ in (*held, *again)]
    assert len(answered) == len(set(answered))
    numbered = dict(enumerate(sent, start=2))
    named = {sku if by_sku else numbered.get(number, "") for sku, number, _, by_sku in report}
    assert unnamed == (not named <= set(sent))
    assert set(answered) == (set() if unnamed else named)
