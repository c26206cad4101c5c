"""What a line of an import report asks for: a person, or just another try."""

from __future__ import annotations

import re

_TRANSIENT = re.compile(
    r"temporar|try again|timed? ?out|internal error|(service|server|system)( is)? unavailable", re.IGNORECASE
)


def is_transient(message: str) -> bool:
    """Whether the far side's words say that the same line may pass later."""
    return _TRANSIENT.search(message) is not None


def adds_up(lines: int, in_success: int | None, in_error: int | None) -> bool:
    """Whether the counts of a finished import cover its lines; counts that were not given are not held against it."""
    return in_success is None or in_error is None or in_success + in_error == lines
