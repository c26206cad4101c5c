"""CSV as Mirakl reads and writes it: import files out, error reports in.

Every field is quoted and quotes are doubled; there is no escape character (a backslash before a quote has
shifted columns in other connectors). Reports carry a line number and a reason either before the original
columns (stock, prices) or after them (offers), under header names that no document fixes.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.mirakl.schema import StockLine, StockLineError

STOCK_COLUMNS = ("offer-sku", "quantity", "warehouse-code", "update-delete")
_DELIMITERS = (";", ",", "\t")
_QUOTED = re.compile(r'"[^"]*"')
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


class UnwritableText(ValueError):  # noqa: N818 - a verdict on a text
    """A text that no file can carry; the message names its place."""


class UnreadableReport(Exception):  # noqa: N818 - a verdict on a report
    """Why a report could not be split into lines."""


@dataclass(frozen=True)
class ReportLine:
    """One line of an error report: what Mirakl says of it, and the columns as they were sent."""

    line: int
    message: str
    columns: dict[str, str]


def csv_file(
    columns: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str = ";", *, spelling: int = 0
) -> bytes:
    """A file in Mirakl's dialect: every field quoted, quotes doubled, LF, UTF-8 without a mark.

    `spelling`: the same in other bytes, with all columns but the first in another order; 0 is the usual one.

    Any text survives, line breaks and delimiters included, but two: UnwritableText for a NUL character and for half
    a surrogate pair, which no reader takes.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(
        text, delimiter=delimiter, quotechar='"', quoting=csv.QUOTE_ALL, doublequote=True, lineterminator="\n"
    )
    order = _order(len(columns), spelling)
    for number, row in enumerate(itertools.chain([columns], rows), start=1):
        for column, cell in zip(columns, row, strict=True):
            _check(cell, column, number)
        writer.writerow([row[place] for place in order])
    return text.getvalue().encode("utf-8")


def _order(columns: int, spelling: int) -> list[int]:
    """The permutation of this number, in which the first column stays: a report is known by it."""
    order, rest = [0], list(range(1, columns))
    while rest:
        spelling, place = divmod(spelling, len(rest))
        order.append(rest.pop(place))
    return order


def _check(cell: str, column: str, line: int) -> None:
    if "\0" in cell:
        raise UnwritableText(f"{column} of line {line} holds a NUL character: take it out")
    if not cell.isascii() and _LONE_SURROGATE.search(cell):
        raise UnwritableText(f"{column} of line {line} holds half a character (a lone surrogate): take it out")


def read_csv(body: bytes, delimiter: str | None = None) -> list[list[str]]:
    """The lines of a file, blank ones left out; without a delimiter it is guessed from the first line.

    Raises UnreadableReport.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableReport("the report is not UTF-8") from None
    if text.lstrip().startswith("<"):
        raise UnreadableReport("the report is an HTML page")
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter or _guessed(text),
        quotechar='"',
        doublequote=True,
        strict=True,
    )
    try:
        return [row for row in reader if row]
    except csv.Error as exc:
        raise UnreadableReport(f"line {reader.line_num} of the report is no CSV ({exc})") from None


def _guessed(text: str) -> str:
    """The delimiter that stands most often in the first line, quoted fields aside."""
    bare = _QUOTED.sub("", text.split("\n", 1)[0])
    return max(_DELIMITERS, key=bare.count)


def stock_file(lines: Sequence[StockLine], spelling: int = 0) -> bytes:
    """The STO01 file: all lines of an offer stand together, in the order in which offers first appear."""
    by_sku: dict[str, list[StockLine]] = {}
    for line in lines:
        by_sku.setdefault(line.sku, []).append(line)
    rows = ((line.sku, str(line.quantity), line.warehouse_code, "") for group in by_sku.values() for line in group)
    return csv_file(STOCK_COLUMNS, rows, spelling=spelling)


def read_report(body: bytes, key_column: str) -> list[ReportLine]:
    """Split an error report; `key_column` is the first column of the file we sent. Raises UnreadableReport.

    Two columns before the key, or two after the last original one, are line number and reason.
    """
    rows = read_csv(body)
    if not rows:
        raise UnreadableReport("the report is empty")
    header = [name.strip().lower() for name in rows[0]]
    if len(header) < 3 or key_column not in (header[0], header[2]):
        raise UnreadableReport(f"the report has no column {key_column}")
    leads = header[0] != key_column
    return [_line(row, header, leads=leads) for row in rows[1:]]


def read_stock_report(body: bytes) -> list[StockLineError]:
    """The lines of an STO03 report. Raises UnreadableReport."""
    return [
        StockLineError(
            line=line.line,
            message=line.message,
            sku=line.columns["offer-sku"],
            quantity=line.columns.get("quantity", ""),
            warehouse_code=line.columns.get("warehouse-code", ""),
        )
        for line in read_report(body, "offer-sku")
    ]


def _line(row: list[str], header: list[str], *, leads: bool) -> ReportLine:
    if len(row) != len(header):
        raise UnreadableReport(f"a line of the report has {len(row)} fields instead of {len(header)}")
    number, message = row[:2] if leads else row[-2:]
    names, values = (header[2:], row[2:]) if leads else (header[:-2], row[:-2])
    if not (number.isascii() and number.isdigit()):
        raise UnreadableReport("a line of the report does not say which line it is about")
    return ReportLine(int(number), message, dict(zip(names, values, strict=True)))
