"""Mirakl's CSV: what we write survives, what we read is split or refused."""

import contextlib
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.bulk import SPELLINGS
from app.mirakl.imports import STOCK_COLUMNS, UnreadableReport, csv_file, read_report, read_stock_report, stock_file
from app.mirakl.schema import StockLine, StockLineError

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def parsed(body: bytes) -> list[list[str]]:
    text = io.StringIO(body.decode("utf-8"), newline="")
    return list(csv.reader(text, delimiter=";", quotechar='"', doublequote=True, strict=True))


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=8))
def test_any_text_survives_writing_and_reading(rows: list[tuple[str, str]]) -> None:
    body = csv_file(("first", "second"), rows)
    assert parsed(body) == [["first", "second"], *(list(row) for row in rows)]


def test_the_field_case_of_the_backslash() -> None:
    body = csv_file(("sku", "description"), [("BELT-32", 'Width 1\\" approx; "raw" edge')])
    assert body == b'"sku";"description"\n"BELT-32";"Width 1\\"" approx; ""raw"" edge"\n'


def test_the_stock_file_keeps_an_offers_lines_together() -> None:
    body = stock_file([StockLine("A", 60, "BORAS-1"), StockLine("B", 7), StockLine("A", 58, "LODZ-2")])
    assert body == (
        b'"offer-sku";"quantity";"warehouse-code";"update-delete"\n'
        b'"A";"60";"BORAS-1";""\n"A";"58";"LODZ-2";""\n"B";"7";"";""\n'
    )


@pytest.mark.parametrize(("sku", "quantity"), [("", 1), ("A", -1)])
def test_impossible_lines_cannot_be_built(sku: str, quantity: int) -> None:
    with pytest.raises(ValueError, match="stock line"):
        StockLine(sku, quantity)


LEADING = b'"error-line";"error-message";"offer-sku";"quantity";"warehouse-code";"update-delete"\n'
TRAILING = b'"offer-sku";"quantity";"warehouse-code";"update-delete";"error-line";"error-message"\n'
FOUND = [StockLineError(5, 'No "offer"; gone', "AW26-X", "3", "")]


@pytest.mark.parametrize(
    "body",
    [
        LEADING + b'"5";"No ""offer""; gone";"AW26-X";"3";"";""\n',
        TRAILING + b'"AW26-X";"3";"";"";"5";"No ""offer""; gone"\n',
        b"\xef\xbb\xbf" + LEADING + b'"5";"No ""offer""; gone";"AW26-X";"3";"";""\n',
        LEADING.replace(b"\n", b"\r\n") + b'5;"No ""offer""; gone";AW26-X;3;;\r\n\r\n',
        b'Line,Reason,offer-sku,quantity\n5,"No ""offer""; gone",AW26-X,3\n',
    ],
)
def test_both_layouts_of_a_report(body: bytes) -> None:
    assert read_stock_report(body) == FOUND


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"<html>login</html>",
        b"\xff\xfe\x00",
        b'"sku";"message"\n"A";"b"\n',
        LEADING + b'"5";"No offer"\n',
        LEADING + b'"five";"No offer";"A";"3";"";""\n',
        LEADING + b'"5";"No offer";"A";"3";"";"\n',
        LEADING + b'"5";"No "offer"";"A";"3";"";""\n',
    ],
)
def test_a_report_that_cannot_be_split_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableReport):
        read_stock_report(body)


@given(st.binary(max_size=120))
def test_no_report_breaks_the_reader(body: bytes) -> None:
    for prefix in (b"", LEADING, TRAILING):
        with contextlib.suppress(UnreadableReport):
            assert all(error.line >= 0 for error in read_stock_report(prefix + body))


@given(st.lists(st.tuples(st.integers(2, 10**6), ANY_TEXT, ANY_TEXT.filter(bool)), max_size=5))
def test_a_report_over_our_own_file_names_our_own_lines(rows: list[tuple[int, str, str]]) -> None:
    body = csv_file(("l", "m", *STOCK_COLUMNS), [(str(n), words, sku, "1", "", "") for n, words, sku in rows])
    assert [(e.line, e.message, e.columns["offer-sku"]) for e in read_report(body, "offer-sku")] == rows


@given(st.integers(1, 8), st.lists(st.lists(ANY_TEXT, min_size=8, max_size=8), max_size=4), st.integers(0, 10**6))
def test_a_file_spelled_otherwise_says_the_same(columns: int, rows: list[list[str]], spelling: int) -> None:
    names = [f"c{number}" for number in range(columns)]
    usual, other = (
        [dict(zip(table[0], row, strict=True)) for row in table[1:]]
        for table in (parsed(csv_file(names, [row[:columns] for row in rows], spelling=s)) for s in (0, spelling))
    )
    assert usual == other
    assert all(next(iter(row)) == "c0" for row in other)


def test_each_spelling_of_a_stock_file_is_another_file() -> None:
    files = {stock_file([StockLine("A", 60, "BORAS-1"), StockLine("B", 7)], spelling) for spelling in range(SPELLINGS)}
    assert len(files) == SPELLINGS
    assert csv_file(("a", "b", "c"), [("1", "2", "3")], spelling=1) == b'"a";"c";"b"\n"1";"3";"2"\n'
