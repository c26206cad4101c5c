"""SQL is source code: one statement a file, `sql/<table>/<verb>.sql`, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "sql"


@cache
def sql(name: str) -> str:
    """The statement `table/verb`; KeyError names one that does not exist."""
    path = FOLDER / f"{name}.sql"
    if not path.is_file():
        raise KeyError(f"there is no statement {name}: {path} is missing")
    return path.read_text(encoding="utf-8")


def storable(text: str | None) -> str | None:
    """A text as Postgres can store it: the far side and some errors quote bytes that are no text."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


@cache
def template(name: str) -> str:
    """A statement that takes no parameters where it needs values: they are put in by `%`, and are never input."""
    return (FOLDER / f"{name}.template").read_text(encoding="utf-8")


def names() -> list[str]:
    """Every statement there is."""
    return sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.sql"))
