"""The platforms' reference documents, read at test time, never copied here.

They are in the directory that $CENTRA_MIRAKL_REFERENCE names, else in `shared/reference` beside the checkout.
Where they are absent, a test module that needs them is skipped as a whole, with a warning that says so.
"""

import functools
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_REPOSITORY = Path(__file__).resolve().parents[2]
_DOCUMENT_URI = "urn:mirakl-seller"
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

_formats = FormatChecker(formats=())


@_formats.checks("date-time")
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or _DATE_TIME.fullmatch(value) is not None


def reference_file(name: str) -> Path:
    """A document of the reference by its path within it; skips the calling test or module when absent."""
    root = os.environ.get("CENTRA_MIRAKL_REFERENCE")
    directory = Path(root) if root else _REPOSITORY.parent / "shared" / "reference"
    found = directory / name
    if not found.exists():
        reason = f"CONTRACT NOT CHECKED: {name} is not in the reference; set CENTRA_MIRAKL_REFERENCE"
        warnings.warn(reason, stacklevel=2)
        pytest.skip(reason, allow_module_level=True)
    return found


class OpenApi:
    """Validators for the operations of an OpenAPI 3.1 document, found by operationId (the Mirakl code)."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_DOCUMENT_URI, resource)
        self._places: dict[str, tuple[str, str]] = {
            operation["operationId"]: (path, method)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if isinstance(operation, dict) and "operationId" in operation
        }

    def codes(self) -> list[str]:
        return list(self._places)

    def operation(self, code: str) -> dict[str, Any]:
        path, method = self._places[code]
        operation: dict[str, Any] = self._document["paths"][path][method]
        return operation

    def path(self, code: str) -> str:
        """The path template, e.g. `/api/orders/{order_id}/accept`."""
        path, _ = self._places[code]
        return path

    def method(self, code: str) -> str:
        _, method = self._places[code]
        return method.upper()

    def query_parameters(self, code: str) -> dict[str, Draft202012Validator]:
        """Validators of the query parameters by name."""
        path, method = self._places[code]
        found: dict[str, Draft202012Validator] = {}
        for position in range(len(self.operation(code).get("parameters", ()))):
            pointer = self._follow(("paths", path, method, "parameters", str(position)))
            parameter = self._at(pointer)
            if parameter["in"] == "query":
                found[parameter["name"]] = self._validator((*pointer, "schema"))
        return found

    def request(self, code: str, content_type: str = "application/json") -> Draft202012Validator:
        """For the decoded request body; KeyError when the operation takes no such content."""
        path, method = self._places[code]
        pointer = self._follow(("paths", path, method, "requestBody"))
        return self._validator((*pointer, "content", content_type, "schema"))

    def response(self, code: str, status: int, content_type: str = "application/json") -> Draft202012Validator | None:
        """For the decoded response body; None when the document names no body; KeyError: no such answer."""
        path, method = self._places[code]
        pointer = self._follow(("paths", path, method, "responses", str(status)))
        content = self._at(pointer).get("content")
        if content is None:
            return None
        return self._validator((*pointer, "content", content_type, "schema"))

    def _validator(self, pointer: tuple[str, ...]) -> Draft202012Validator:
        self._at(pointer)  # KeyError here rather than an unresolvable reference later
        steps = "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in pointer)
        reference = f"{_DOCUMENT_URI}#{steps.replace('{', '%7B').replace('}', '%7D').replace('+', '%2B')}"
        return Draft202012Validator({"$ref": reference}, registry=self._registry, format_checker=_formats)

    def _at(self, pointer: tuple[str, ...]) -> Any:
        place: Any = self._document
        for step in pointer:
            place = place[int(step)] if isinstance(place, list) else place[step]
        return place

    def _follow(self, pointer: tuple[str, ...]) -> tuple[str, ...]:
        """The pointer, or where the `$ref` that stands there leads."""
        place = self._at(pointer)
        return tuple(place["$ref"].removeprefix("#/").split("/")) if "$ref" in place else pointer


@functools.cache
def mirakl_openapi() -> OpenApi:
    """Mirakl's seller API; skips when the reference is absent."""
    text = reference_file("mirakl-seller.openapi.json").read_text(encoding="utf-8")
    return OpenApi(json.loads(text))
