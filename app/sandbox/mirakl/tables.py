"""CSV as the platform reads and writes it: strict, doubled quotes, no escape character."""

import csv
import io
from collections.abc import Iterable

from app.sandbox.mirakl.answers import Refused


def read_table(content: bytes, delimiter: str, encoding: str = "utf-8") -> list[list[str]]:
    """The rows of a strict CSV file (doubled quotes); Refused (400) when it is none or empty."""
    try:
        text = content.decode(encoding)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refused(400, f"The file cannot be read: {error}") from error
    if not rows:
        raise Refused(400, "The file is empty")
    return rows


def write_table(rows: Iterable[Iterable[object]], delimiter: str = ";") -> bytes:
    sheet = io.StringIO(newline="")
    csv.writer(sheet, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return sheet.getvalue().encode()
