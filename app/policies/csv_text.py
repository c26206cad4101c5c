"""Rows as CSV (RFC 4180: commas, quotes doubled, lines ended by CR LF), safe to open in a spreadsheet.

A spreadsheet takes a text that begins like a formula for one, so such a text gets an apostrophe before it (CSV
injection, OWASP). Numbers stay numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

Cell = str | int | Decimal | None
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_lines(rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """One piece of text a row; None is an empty cell."""
    line = _Line()
    written = csv.writer(line)
    for row in rows:
        written.writerow([_cell(cell) for cell in row])
        yield line.text


def _cell(cell: Cell) -> str | int | None:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


class _Line:
    """Where the writer leaves the row that it wrote last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text
