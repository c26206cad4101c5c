"""Which carrier of the marketplace a Centra parcel went with (field cases 48 and 51).

A table for each channel says it, by the exact text of Centra's carrier and service. Nothing is ever chosen by
closeness: what the table does not name is held, with the closest registered carriers for people.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from app.domain.after_sale import Carrier, CarrierRow, Registered

COLUMNS = ("text", "code", "name", "url")
CLOSEST = 3
_FORMULA = "=+-@'\t\r"
"""First characters that a spreadsheet takes for a formula, and the mark that tells it not to."""


class Why(StrEnum):
    """Why a parcel has no carrier of the marketplace."""

    UNNAMED = "Centra names no carrier for the parcel"
    UNMAPPED = "the carrier is not in the channel's table"
    VANISHED = "the marketplace does not list the mapped carrier any more"
    FREE_REFUSED = "the marketplace takes registered carriers only"


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A parcel that waits for a row of the table. `closest`: registered carriers that read alike, best first."""

    reason: Why
    closest: tuple[Registered, ...] = ()


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with a CSV row; `line` counts from 1, the header's."""

    line: int
    words: str


def fold(text: str) -> str:
    """A text as the table compares it: single blanks, no case."""
    return " ".join(text.split()).casefold()


def carrier_for(
    text: str, service: str, rows: Iterable[CarrierRow], registered: Sequence[Registered], *, free_allowed: bool
) -> Carrier | Unmapped:
    """The carrier of a parcel. A row for "carrier / service" goes before one for the carrier alone.

    `registered`: all of SH21, which must have been read. `free_allowed`: whether names of its own are taken (PC01).
    """
    if not fold(text):
        return Unmapped(Why.UNNAMED)
    table = {fold(row.text): row.carrier for row in rows}
    carrier = table.get(fold(f"{text} / {service}")) or table.get(fold(text))
    if carrier is None:
        return Unmapped(Why.UNMAPPED, _closest(f"{text} {service}", text, registered))
    if fault := _fault(carrier, registered, free_allowed):
        return Unmapped(fault, _closest(carrier.code or carrier.name, text, registered))
    return carrier


def tracking_fault(carrier: Carrier, registered: Iterable[Registered], tracking: str, mandatory: bool) -> str | None:
    """Why the marketplace will not take the parcel without a tracking number, known before the call; else None.

    `mandatory`: the shipping method's (SH12). A registered carrier whose URL uses the number wants one as well.
    """
    if tracking.strip():
        return None
    if mandatory:
        return "the shipping method demands a tracking number, the parcel has none"
    if any(known.code == carrier.code and known.wants_tracking for known in registered):
        return f"the carrier {carrier.code} demands a tracking number, the parcel has none"
    return None


def read_rows(
    text: str, registered: Sequence[Registered] | None = None, *, free_allowed: bool = True
) -> tuple[tuple[CarrierRow, ...], tuple[RowFault, ...]]:
    """The rows of a CSV table (comma or semicolon, with a header of `COLUMNS`), and what is wrong, by line.

    Texts come back folded. `registered`: all of SH21, against which codes are checked where it is given.
    """
    text = text.removeprefix("\ufeff")
    header = text.partition("\n")[0]
    read = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in header else ",")
    if "text" not in (read.fieldnames or ()) or not set(read.fieldnames or ()) <= set(COLUMNS):
        return (), (RowFault(1, f"the header must name {', '.join(COLUMNS)}, it is {header.strip()!r}"),)
    rows: dict[str, CarrierRow] = {}
    faults: list[RowFault] = []
    for cells in read:
        if None in cells:
            faults.append(RowFault(read.line_num, "it has more cells than the header"))
            continue
        given, code, name, url = (_unguarded((cells.get(column) or "").strip()) for column in COLUMNS)
        row = CarrierRow(fold(given), Carrier(code, name, url))
        words = "its text is there twice" if row.text in rows else row_fault(row, registered, free_allowed)
        if words:
            faults.append(RowFault(read.line_num, words))
        else:
            rows[row.text] = row
    return tuple(rows.values()), tuple(faults)


def write_rows(rows: Iterable[CarrierRow]) -> str:
    """The rows as CSV. A cell that a spreadsheet would take for a formula starts with an apostrophe."""
    out = io.StringIO(newline="")
    written = csv.writer(out)
    written.writerow(COLUMNS)
    for row in rows:
        carrier = row.carrier
        written.writerow([guarded(cell.strip()) for cell in (row.text, carrier.code, carrier.name, carrier.url)])
    return out.getvalue()


def _fault(carrier: Carrier, registered: Iterable[Registered], free_allowed: bool) -> Why | None:
    if carrier.registered:
        return None if any(known.code == carrier.code for known in registered) else Why.VANISHED
    return None if free_allowed else Why.FREE_REFUSED


def _closest(wanted: str, text: str, registered: Iterable[Registered]) -> tuple[Registered, ...]:
    """Carriers whose code or label reads like either text, each once."""
    by_name = {fold(name): carrier for carrier in registered for name in (carrier.code, carrier.label)}
    names = (near for seen in (wanted, text) for near in get_close_matches(fold(seen), by_name, CLOSEST))
    return tuple(dict.fromkeys(by_name[name] for name in names))[:CLOSEST]


def row_fault(row: CarrierRow, registered: Sequence[Registered] | None, free_allowed: bool) -> str | None:
    """What is wrong with a row, None when nothing is. `registered`: all of SH21; None where it is not known."""
    return next(_row_faults(row, registered, free_allowed), None)


def _row_faults(row: CarrierRow, registered: Sequence[Registered] | None, free_allowed: bool) -> Iterator[str]:
    carrier = row.carrier
    if not row.text:
        yield "it has no text"
    if bool(carrier.code) == bool(carrier.name):
        yield "it must have either a code or a name"
    if carrier.url and carrier.registered:
        yield "a registered carrier brings its own URL"
    if carrier.url and not carrier.url.startswith(("https://", "http://")):
        yield f"{carrier.url!r} is no web address"
    if registered is not None and (fault := _fault(carrier, registered, free_allowed)):
        yield f"{carrier.code or carrier.name}: {fault}"


def guarded(cell: str) -> str:
    """A cell of a CSV that a spreadsheet takes for text, whatever it starts with."""
    return f"'{cell}" if cell.startswith(tuple(_FORMULA)) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(tuple(_FORMULA)) else cell
