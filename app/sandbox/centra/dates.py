"""Instants as Centra writes and reads them: in the shop's own zone, in a PHP date pattern, ISO 8601 by
default.
"""

from datetime import datetime, timedelta, timezone
from typing import Any

from graphql import GraphQLError

DEFAULT_PATTERN = "Y-m-d\\TH:i:sP"

# PHP pattern letter -> strftime directive, for those that correspond.
_LETTERS = {
    "Y": "%Y",
    "y": "%y",
    "m": "%m",
    "d": "%d",
    "H": "%H",
    "i": "%M",
    "s": "%S",
    "D": "%a",
    "l": "%A",
    "M": "%b",
    "F": "%B",
    "u": "%f",
    "O": "%z",
    "e": "%Z",
    "T": "%Z",
}


class ShopZone:
    """The zone of the instance: a fixed offset, so that a shop an hour ahead of UTC stays so in tests."""

    def __init__(self, offset_minutes: int) -> None:
        self._zone = timezone(timedelta(minutes=offset_minutes))

    def written(self, at: float | None, pattern: str | None = DEFAULT_PATTERN) -> str | None:
        """Unix seconds in the zone; None stays None."""
        if at is None:
            return None
        moment = datetime.fromtimestamp(at, self._zone)
        if pattern in (None, DEFAULT_PATTERN):
            return moment.isoformat(timespec="seconds")
        return php_date(moment, pattern or DEFAULT_PATTERN)

    def read(self, text: Any) -> float:
        """ISO 8601 or `YYYY-MM-DD HH:MM:SS`, to Unix seconds. Without an offset the shop's zone is meant."""
        if not isinstance(text, str):
            raise GraphQLError("DateTimeTz cannot represent a value that is not a string")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise GraphQLError(f"DateTimeTz cannot represent {text!r}") from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone)
        return moment.timestamp()


def php_date(moment: datetime, pattern: str) -> str:
    """The letters of PHP's date() that a reader of orders and stock meets; others stand for themselves."""
    parts: list[str] = []
    letters = iter(pattern)
    for letter in letters:
        if letter == "\\":
            parts.append(next(letters, ""))
        elif letter == "P":
            offset = moment.strftime("%z")
            parts.append(f"{offset[:3]}:{offset[3:5]}")
        elif letter == "U":
            parts.append(str(int(moment.timestamp())))
        elif letter == "v":
            parts.append(f"{moment.microsecond // 1000:03d}")
        elif letter == "c":
            parts.append(moment.isoformat(timespec="seconds"))
        elif letter in _LETTERS:
            parts.append(moment.strftime(_LETTERS[letter]))
        else:
            parts.append(letter)
    return "".join(parts)
