"""Seek pages: rows by an instant and then by id, the token of the next page holds all that was asked for.

With a token every other parameter is ignored. A row that moves while pages are read (its instant changed, or it
no longer matches) is shown where it stands then, never twice for standing still.
"""

import base64
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request

from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.order_lists import instant, whole

Place = tuple[float, str]
Row = TypeVar("Row")

_LARGEST_PAGE = 100
_MOST_VALUES = 100


class Asked:
    """What a call of a seek list wants: its own parameters, or those of its token."""

    def __init__(
        self,
        request: Request,
        sort: str,
        size: int = 10,
        default_order: str = "ASC",
        *,
        largest: int = _LARGEST_PAGE,
        sorts: tuple[str, ...] = (),
    ) -> None:
        """`sort`: the field that is sorted by, unless the call names another of `sorts`.

        Refused (400) for a token or a sort nobody gave.
        """
        token = request.query_params.get("page_token")
        self.query = request.query_params
        self.after: Place | None = None
        if token is not None:
            self.query, self.after = _opened(token)
        self._size = whole(self.query, "limit", size, least=1)
        if self._size > largest:
            raise Refused(400, f"limit is at most {largest}")
        self.field, _, direction = self.query.get("sort", f"{sort},{default_order}").partition(",")
        if self.field not in (sort, *sorts) or direction not in ("", "ASC", "DESC"):
            raise Refused(400, "Error with parameter sort. Please check its type.")
        self.backwards = direction == "DESC"

    def values(self, name: str, known: Iterable[str] = ()) -> list[str]:
        """Of a repeated parameter; Refused (400) for too many, or for one that is not among the known."""
        given = self.query.getlist(name)
        if len(given) > _MOST_VALUES:
            raise Refused(400, f"The limit of {_MOST_VALUES} is exceeded for the parameter : {name}")
        if known and not set(given) <= set(known):
            raise Refused(400, f"Error with parameter {name}. Please check its type.")
        return given

    def within(self, name_from: str, name_to: str, timestamp: float) -> bool:
        """Both ends are inclusive; one that is not given is open."""
        start, end = self.query.get(name_from), self.query.get(name_to)
        return (not start or instant(name_from, start) <= timestamp) and (not end or timestamp <= instant(name_to, end))

    def is_beyond(self, place: Place) -> bool:
        """It comes after the page that the token ended."""
        if self.after is None:
            return True
        return place < self.after if self.backwards else place > self.after

    def page(
        self, rows: Iterable[Row], place: Callable[[Row], Place], show: Callable[[Row], Mapping[str, Any]]
    ) -> Json:
        ordered = sorted(rows, key=place, reverse=self.backwards)
        return self.cut((row for row in ordered if self.is_beyond(place(row))), place, show)

    def cut(
        self, ordered: Iterable[Row], place: Callable[[Row], Place], show: Callable[[Row], Mapping[str, Any]]
    ) -> Json:
        """The page of rows that are in order already, and begin where it does; only one more is looked at."""
        rows = list(itertools.islice(ordered, self._size + 1))
        chosen = rows[: self._size]
        body: dict[str, Any] = {"data": [show(row) for row in chosen]}
        if len(rows) > len(chosen):
            body["next_page_token"] = self._token(place(chosen[-1]))
        return Json(body)

    def _token(self, after: Place) -> str:
        given = [(name, value) for name, value in self.query.multi_items() if name != "page_token"]
        return base64.urlsafe_b64encode(json.dumps([urlencode(given), *after]).encode()).decode()


def _opened(token: str) -> tuple[QueryParams, Place]:
    try:
        query, instant_, row_id = json.loads(base64.urlsafe_b64decode(token))
        return QueryParams(parse_qsl(query)), (float(instant_), str(row_id))
    except (ValueError, TypeError) as error:
        raise Refused(400, "Error with parameter page_token. Please check its type.") from error
