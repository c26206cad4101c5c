"""What an endpoint of the stand-in gives back, and how errors look."""

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

from app.sandbox.faults import FaultMenu


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON answer that is not rendered yet, so that unknown members can be added to it."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818 - the platform refuses; nothing broke
    """The platform says no: status and message as in its common error body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def response(self) -> Response:
        return JSONResponse({"status": self.status, "message": self.message}, status_code=self.status)


class OrderRefused(Refused):
    """A 400 or 404 with one of the platform's symbolic codes, in the message and in `errors`."""

    def __init__(self, status: int, code: str, message: str, field_name: str) -> None:
        super().__init__(status, f"{code}: {message}")
        self.error = {"code": code, "field": field_name, "message": message}

    def response(self) -> Response:
        body = {"status": self.status, "message": self.message, "errors": [self.error]}
        return JSONResponse(body, status_code=self.status)


def members_of(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; OrderRefused (400) for anything else."""
    try:
        members = json.loads(body)
    except ValueError as error:
        raise OrderRefused(400, "VALIDATION_ERROR", "The body is not JSON", "") from error
    if not isinstance(members, dict):
        raise OrderRefused(400, "VALIDATION_ERROR", "The body must be an object", "")
    return members


def render(answer: Json | Response, code: str, menu: FaultMenu) -> Response:
    """As a response. The menu may have for its code `extra_fields` (members that nobody documented) and `lean`.

    Members may be null or absent; with `lean` those that are null are absent.
    """
    if isinstance(answer, Response):
        return answer
    body = answer.body
    if menu.take(code, "extra_fields") is not None:
        body = with_extra_fields(body)
    if menu.take(code, "lean") is not None:
        body = without_nulls(body)
    return JSONResponse(body, status_code=answer.status, headers=answer.headers)


def with_extra_fields(value: Any) -> Any:
    """Every object, at any depth, with three new members: a text, a null and an object."""
    if isinstance(value, list):
        return [with_extra_fields(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: with_extra_fields(member) for name, member in value.items()}
    return {"x_new_text": "added yesterday", "x_new_null": None, "x_new_object": {"a": [1]}, **kept}


def without_nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: without_nulls(member) for name, member in value.items() if member is not None}
