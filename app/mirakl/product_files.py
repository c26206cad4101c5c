"""Files of products: what is sent (P41), and what comes back of it (P44 to P47).

Columns are attribute codes, so no document fixes them; the delimiter is the platform's. Reports name their errors in a
column of their own, before or after the columns that were sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.mirakl.imports import UnreadableReport, csv_file, read_csv
from app.mirakl.schema import PlatformConfiguration

_DELIMITERS = {"COMMA": ",", "SEMICOLON": ";"}
_LINES = frozenset({"line number", "error-line", "line", "line-number"})
_ERRORS = frozenset({"errors", "error", "error-message"})
_WARNINGS = frozenset({"warnings", "warning", "warning-message"})
# The next entry of a cell begins with its code: `1001|Category X is unknown,1004|...`
_NEXT = re.compile(r"[,;\n]\s*(?=[\w.-]+\|)")


@dataclass(frozen=True)
class ProductFile:
    """Products to import: one row a product, one cell for each attribute code of `columns`.

    Raises ValueError for a column twice, a row of another length and a file without products.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if not self.rows or not self.columns:
            raise ValueError("a file of products needs columns and at least one product")
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("an attribute has two columns")
        for number, row in enumerate(self.rows, start=2):
            if len(row) != len(self.columns):
                raise ValueError(f"line {number} has {len(row)} cells instead of {len(self.columns)}")

    def encoded(self, delimiter: str, spelling: int = 0) -> bytes:
        """The file's bytes. Raises UnwritableText for a text that no file can carry."""
        return csv_file(self.columns, self.rows, delimiter, spelling=spelling)


@dataclass(frozen=True)
class Words:
    """One thing that is wrong, as the platform puts it; some have a code."""

    message: str
    code: str = ""


@dataclass(frozen=True)
class ProductLine:
    """One product of a report. `line` counts the header; None where the report does not say it."""

    identifier: str
    line: int | None
    errors: tuple[Words, ...]
    warnings: tuple[Words, ...]
    columns: Mapping[str, str]


def delimiter_of(configuration: PlatformConfiguration) -> str:
    """What separates columns on this platform; a semicolon where it does not say."""
    named = configuration.features.operator_csv_delimiter if configuration.features else None
    return _DELIMITERS.get(named or "", ";")


def read_product_report(body: bytes, identifier: str, delimiter: str | None = None) -> list[ProductLine]:
    """The products of an error report (P44, P47); `identifier`: the column that says which one.

    Raises UnreadableReport, also for a report without such a column or without one of errors or warnings.
    """
    header, *rows = _table(body, delimiter)
    names = [name.strip().lower() for name in header]
    places = {
        "line": _first(names, _LINES),
        "errors": _first(names, _ERRORS),
        "warnings": _first(names, _WARNINGS),
    }
    if places["errors"] is None and places["warnings"] is None:
        raise UnreadableReport("the report has no column of errors or warnings")
    if identifier not in header:
        raise UnreadableReport(f"the report has no column {identifier}")
    own = [place for place in range(len(header)) if place not in places.values()]
    return [
        ProductLine(
            identifier=row[header.index(identifier)],
            line=_number(_cell(row, places["line"])),
            errors=_words(_cell(row, places["errors"])),
            warnings=_words(_cell(row, places["warnings"])),
            columns={header[place]: row[place] for place in own},
        )
        for row in rows
    ]


def read_products(body: bytes, delimiter: str | None = None) -> list[dict[str, str]]:
    """The products of a file (P45, P46) by column. Raises UnreadableReport."""
    header, *rows = _table(body, delimiter)
    return [dict(zip(header, row, strict=True)) for row in rows]


def _table(body: bytes, delimiter: str | None) -> Sequence[list[str]]:
    rows = read_csv(body, delimiter)
    if not rows:
        raise UnreadableReport("the report is empty")
    for row in rows:
        if len(row) != len(rows[0]):
            raise UnreadableReport(f"a line of the report has {len(row)} fields instead of {len(rows[0])}")
    return rows


def _first(names: Sequence[str], wanted: frozenset[str]) -> int | None:
    """The first or the last column: those between are attributes, which may bear any name."""
    edges = (*range(min(3, len(names))), *range(max(len(names) - 3, 0), len(names)))
    return next((place for place in edges if names[place] in wanted), None)


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place] if place is not None else ""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _words(cell: str) -> tuple[Words, ...]:
    found = []
    for entry in _NEXT.split(cell) if cell.strip() else ():
        code, bar, message = entry.strip().partition("|")
        found.append(Words(message.strip(), code.strip()) if bar else Words(code))
    return tuple(found)
