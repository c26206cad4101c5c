"""The GraphQL documents of this folder's `queries`, with the fragments they import."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_QUERIES = Path(__file__).parent / "queries"
_IMPORT = re.compile(r"^# import (\w+)$", re.MULTILINE)
_HEAD = re.compile(r"^(query|mutation) (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Operation:
    """One document with exactly one operation; `text` is complete, fragments included."""

    name: str
    text: str
    is_mutation: bool


@cache
def operation(file_name: str) -> Operation:
    """The operation in `queries/<file_name>.graphql`."""
    text = _complete(file_name)
    heads = _HEAD.findall(text)
    if len(heads) != 1:
        raise ValueError(f"{file_name}.graphql must hold exactly one operation")
    kind, name = heads[0]
    return Operation(name, text, kind == "mutation")


def all_operations() -> tuple[Operation, ...]:
    """Every operation of the folder, by file name; files that hold only fragments are left out."""
    names = sorted(path.stem for path in _QUERIES.glob("*.graphql"))
    return tuple(operation(name) for name in names if _HEAD.search(_text(name)))


def _complete(file_name: str) -> str:
    text = _text(file_name)
    fragments = [_text(name) for name in _IMPORT.findall(text)]
    lines = [line for line in "\n".join([text, *fragments]).splitlines() if not line.startswith("#")]
    return "\n".join(lines)


def _text(file_name: str) -> str:
    return (_QUERIES / f"{file_name}.graphql").read_text(encoding="utf-8")
