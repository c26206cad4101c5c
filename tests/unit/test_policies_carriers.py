"""The carrier table: exact, never by closeness, and a CSV that survives spreadsheets."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.after_sale import Carrier, CarrierRow, Registered
from app.policies.carriers import RowFault, Unmapped, Why, carrier_for, fold, read_rows, tracking_fault, write_rows

NEX = Registered("NEX", "Nord Express", "https://nex.example/?id={trackingId}")
HOME = Registered("HOME", "Local courier")
OTHER = Registered("other", "Other")
SH21 = (NEX, HOME, OTHER)
FREE = Carrier(name="Nordic Bikes", url="https://bikes.example/track")
ROWS = (
    CarrierRow("nordexpress", Carrier("NEX")),
    CarrierRow("nordexpress / home 2-mann", Carrier("HOME")),
    CarrierRow("bikes", FREE),
    CarrierRow("old", Carrier("GONE")),
)


def found(text: str, service: str = "", *, free: bool = True) -> Carrier | Unmapped:
    return carrier_for(text, service, ROWS, SH21, free_allowed=free)


@pytest.mark.parametrize(
    ("text", "service", "code"),
    [
        ("NordExpress", "", "NEX"),
        ("  nordEXPRESS ", "Parcel", "NEX"),
        ("NordExpress", " Home   2-Mann", "HOME"),
    ],
)
def test_the_row_of_carrier_and_service_goes_first_whatever_the_blanks_and_case(
    text: str, service: str, code: str
) -> None:
    assert found(text, service) == Carrier(code)


def test_a_carrier_that_only_reads_alike_is_held_with_the_closest_ones() -> None:
    assert found("NordExpress Home 2-Mann") == Unmapped(Why.UNMAPPED, (NEX,))  # field case 51
    assert found("Zzz") == Unmapped(Why.UNMAPPED, ())
    assert found(" ") == Unmapped(Why.UNNAMED)


@given(st.text(max_size=30), st.text(max_size=30))
def test_only_a_text_of_the_table_gives_a_carrier(text: str, service: str) -> None:
    known = {fold(row.text) for row in ROWS}
    mapped = not isinstance(found(text, service), Unmapped) or fold(text) == "old"
    assert mapped == bool(fold(text) and {fold(text), fold(f"{text} / {service}")} & known)


def test_a_carrier_that_the_marketplace_lists_no_more_is_held() -> None:
    assert found("old") == Unmapped(Why.VANISHED)


def test_a_name_of_its_own_goes_only_where_it_is_allowed() -> None:
    assert found("bikes") == FREE
    refused = found("bikes", free=False)
    assert isinstance(refused, Unmapped)
    assert refused.reason is Why.FREE_REFUSED


@pytest.mark.parametrize(
    ("carrier", "tracking", "mandatory", "words"),
    [
        (Carrier("NEX"), "", False, "the carrier NEX demands"),
        (Carrier("NEX"), " ", True, "the shipping method demands"),
        (Carrier("HOME"), "", True, "the shipping method demands"),
        (Carrier("HOME"), "", False, None),
        (FREE, "", False, None),
        (Carrier("NEX"), "ZZ000111", True, None),
    ],
)
def test_tracking_is_demanded_by_the_method_or_by_the_carriers_url(
    carrier: Carrier, tracking: str, mandatory: bool, words: str | None
) -> None:
    fault = tracking_fault(carrier, SH21, tracking, mandatory)
    assert fault is None if words is None else fault is not None and fault.startswith(words)


# ------------------------------------------------------------------------------------------- the table as a file

cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=15).map(str.strip)
named = cells.filter(bool)
carriers = st.one_of(
    named.map(Carrier),
    st.builds(lambda name, path: Carrier(name=name, url=path and f"https://t.example/{path}"), named, cells),
)
tables = st.lists(
    st.builds(CarrierRow, cells.map(fold).map(fold).filter(lambda text: text == fold(text) != ""), carriers),
    unique_by=lambda row: row.text,
)


@given(tables)
def test_what_is_written_is_read(rows: list[CarrierRow]) -> None:
    assert read_rows(write_rows(rows)) == (tuple(rows), ())


@given(tables)
def test_no_written_cell_is_a_formula(rows: list[CarrierRow]) -> None:
    written = csv.reader(io.StringIO(write_rows(rows), newline=""))
    assert not [cell for row in written for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize("name", ["=1+1", "'=1+1", "''=", "'s-Hertogenbosch Koeriers", "@home", "'"])
def test_a_name_that_reads_like_a_formula_stays_itself(name: str) -> None:
    row = CarrierRow("x", Carrier(name=name))
    assert read_rows(write_rows([row])) == ((row,), ())


def test_blanks_around_a_cell_hide_no_formula() -> None:
    assert "'=1" in write_rows([CarrierRow("x", Carrier(name="\t=1"))])


def test_a_file_of_a_spreadsheet_is_read() -> None:
    text = '\ufefftext;code;name;url\r\nNord  Express;NEX;;\r\n"Bikes; by night";;Bikes;https://b.example/p\r\n'
    rows = (
        CarrierRow("nord express", Carrier("NEX")),
        CarrierRow("bikes; by night", Carrier("", "Bikes", "https://b.example/p")),
    )
    assert read_rows(text) == (rows, ())


def test_columns_may_be_missing_at_the_end() -> None:
    assert read_rows("text,code\nnex,NEX\n") == ((CarrierRow("nex", Carrier("NEX")),), ())


def test_each_fault_names_its_line_and_spoils_no_other_row() -> None:
    text = (
        "text,code,name,url\n"
        "nex,NEX,,\n"
        ",NEX,,\n"
        "none,,,\n"
        "both,NEX,Nord,\n"
        "NEX ,HOME,,\n"
        "url,NEX,,https://x.example\n"
        "odd,,Bikes,javascript:x\n"
        "gone,GONE,,\n"
        "long,NEX,,,,\n"
        "home,HOME,,\n"
    )
    rows, faults = read_rows(text, SH21)
    assert [row.text for row in rows] == ["nex", "home"]
    assert faults == (
        RowFault(3, "it has no text"),
        RowFault(4, "it must have either a code or a name"),
        RowFault(5, "it must have either a code or a name"),
        RowFault(6, "its text is there twice"),
        RowFault(7, "a registered carrier brings its own URL"),
        RowFault(8, "'javascript:x' is no web address"),
        RowFault(9, "GONE: the marketplace does not list the mapped carrier any more"),
        RowFault(10, "it has more cells than the header"),
    )


def test_a_free_name_is_a_fault_where_the_marketplace_takes_none() -> None:
    rows, faults = read_rows("text,code,name\nbikes,,Bikes\n", SH21, free_allowed=False)
    assert (rows, [fault.line for fault in faults]) == ((), [2])


@pytest.mark.parametrize("text", ["", "nex,NEX\n", "text,code,colour\nnex,NEX,red\n"])
def test_a_file_with_another_header_is_refused_whole(text: str) -> None:
    rows, faults = read_rows(text)
    assert (rows, [fault.line for fault in faults]) == ((), [1])
