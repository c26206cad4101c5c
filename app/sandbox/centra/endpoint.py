"""POST /graphql: who calls, what it costs, what it may see, and the answer with its `extensions`.

Inferred, since no document says: a missing or revoked token gets 401; a text that is not JSON gets 400;
everything else, permission errors included, is 200 with `errors`.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, cast

from graphql import ExecutionResult, GraphQLError, execute
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from app.sandbox.centra.call import Call, Faults, draw
from app.sandbox.centra.dates import ShopZone
from app.sandbox.centra.events import EventSystem
from app.sandbox.centra.limits import Allowance, retry_after_text
from app.sandbox.centra.plan import Needed, Plan, Planner
from app.sandbox.centra.schema import executable_schema
from app.sandbox.centra.shop import Shop
from app.sandbox.faults import Kernel, Refusal
from app.sandbox.journal import LoggedCall

PATH = "/graphql"
_APP_VERSION = "v1.60.0"
_STASH = "centra.call"


@dataclass(slots=True)
class Token:
    """`permissions` None: all of them. Tokens of one integration share its event queue."""

    value: str
    integration: str
    permissions: set[str] | None = None
    removed: set[str] = field(default_factory=set)

    def may(self, permission: str) -> bool:
        return permission not in self.removed and (self.permissions is None or permission in self.permissions)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's body, read once for the ceiling and the answer. `plan` None: it is no GraphQL request."""

    plan: Plan | None
    variables: dict[str, Any]
    complexity: int


class Endpoint:
    def __init__(
        self,
        shop: Shop,
        events: EventSystem,
        allowance: Allowance,
        kernel: Kernel,
        tokens: dict[str, Token],
        zone: ShopZone,
        retry_after_form: str,
    ) -> None:
        self._shop = shop
        self._events = events
        self._allowance = allowance
        self._kernel = kernel
        self._tokens = tokens
        self.retry_after_form = retry_after_form
        self._schema = executable_schema(zone)
        self._planner = Planner(self._schema)

    def code_of(self, scope: Scope, body: bytes) -> str | None:
        """The name the fault menu and the call log know this call by: the operation's, else its first
        field's.
        """
        if scope["path"] != PATH:
            return None
        asked = self._asked(scope, body)
        return asked.plan.name if asked.plan else None

    def admit(self, call: LoggedCall, scope: Scope, body: bytes) -> Refusal | None:
        """Pays from the six buckets. Calls without a valid token, and what is no GraphQL, cost nothing."""
        asked = self._asked(scope, body) if scope["path"] == PATH else None
        if asked is None or asked.plan is None or self._token(scope) is None:
            return None
        wait = self._allowance.spend(call.at, requests=1, mutations=asked.plan.mutations, complexity=asked.complexity)
        if wait is None:
            return None
        # The buckets keep their own closing time for all operations together, so the kernel keeps none.
        text = retry_after_text(wait.until, call.at, self.retry_after_form)
        return Refusal(wait.ceiling, text, 0.0)

    async def answer(self, request: Request) -> Response:
        asked = self._asked(request.scope, await request.body())
        token = self._token(request.scope)
        if token is None:
            return JSONResponse(
                {"errors": [{"message": "Unauthorized", "extensions": {"category": "authentication"}}]},
                status_code=401,
            )
        if asked.plan is None:
            problem = {"message": "The body is not a GraphQL request", "extensions": {"category": "request"}}
            return JSONResponse({"errors": [problem]}, status_code=400)
        faults = draw(self._kernel.menu, asked.plan.name, asked.plan)
        if faults.slow_pages is not None:
            await asyncio.sleep(faults.slow_pages.seconds)
        return JSONResponse(self._result(asked.plan, asked, token, faults))

    def _asked(self, scope: Scope, body: bytes) -> Asked:
        asked: Asked | None = scope.get(_STASH)
        if asked is None:
            asked = scope[_STASH] = self._read(body)
        return asked

    def _read(self, body: bytes) -> Asked:
        try:
            members = json.loads(body)
            query, variables = members["query"], members.get("variables") or {}
            name = members.get("operationName")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return Asked(None, {}, 0)
        if not isinstance(query, str) or not isinstance(variables, dict) or not isinstance(name, str | None):
            return Asked(None, {}, 0)
        plan = self._planner.plan(query, name)
        return Asked(plan, variables, self._planner.complexity(plan, variables))

    def _token(self, scope: Scope) -> Token | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        scheme, _, value = headers.get(b"authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._tokens.get(value.strip())
        cookie = SimpleCookie(headers.get(b"cookie", "")).get("graphql-access")
        return self._tokens.get(cookie.value) if cookie else None

    def _result(self, plan: Plan, asked: Asked, token: Token, faults: Faults) -> dict[str, Any]:
        extensions: dict[str, Any] = {
            "complexity": asked.complexity,
            "permissionsUsed": [needed.permission for needed in plan.needed],
        }
        refused = _refused(plan, token, faults)
        if refused:
            return {"errors": [_permission_error(needed) for needed in refused], "extensions": extensions}
        if plan.deprecated:
            extensions["deprecatedFieldsUsed"] = plan.deprecated
        extensions["appVersion"] = _APP_VERSION
        if plan.document is None:
            return {"errors": [_shown(error, "graphql") for error in plan.errors], "extensions": extensions}
        return {**self._executed(plan, asked, token, faults), "extensions": extensions}

    def _executed(self, plan: Plan, asked: Asked, token: Token, faults: Faults) -> dict[str, Any]:
        call = Call(self._shop, self._events, self._allowance, token.integration, plan, faults)
        operation = plan.operation.name.value if plan.operation and plan.operation.name else None
        outcome = cast(
            ExecutionResult,
            execute(
                self._schema,
                plan.document,  # type: ignore[arg-type]
                context_value=call,
                variable_values=asked.variables,
                operation_name=operation,
                is_awaitable=_never,  # type: ignore[arg-type]
            ),
        )
        errors = [_shown(error, "internal" if error.path else "graphql") for error in outcome.errors or ()]
        answer: dict[str, Any] = {"data": outcome.data}
        errors += _take_out(answer["data"], call)
        return {"errors": errors, **answer} if errors else answer


def _never(_value: Any) -> bool:
    """No resolver here waits; asking every value whether it does costs a third of the time."""
    return False


def _refused(plan: Plan, token: Token, faults: Faults) -> list[Needed]:
    missing = [needed for needed in plan.needed if not token.may(needed.permission)]
    if faults.permission is not None and not missing:
        named = faults.permission.options.get("permission")
        missing = [needed for needed in plan.needed if named in (None, needed.permission)][:1]
    return missing


def _permission_error(needed: Needed) -> dict[str, Any]:
    return {
        "message": f"You need {needed.permission} permission to access {needed.field}.",
        "extensions": {"category": "authorization"},
        "locations": [{"line": needed.line, "column": needed.column}],
        "path": list(needed.path),
    }


def _shown(error: GraphQLError, category: str) -> dict[str, Any]:
    shown = dict(error.formatted)
    shown["extensions"] = {"category": category, **(error.extensions or {})}
    return shown


def _take_out(data: dict[str, Any] | None, call: Call) -> list[dict[str, Any]]:
    """Does the partial errors that were drawn: a size left out of its list, or null in its place."""
    errors = []
    for lost in reversed(call.lost):
        if data is None or data.get(lost.key) is None:
            continue
        if lost.as_null:
            data[lost.key][lost.index] = None
        else:
            del data[lost.key][lost.index]
        path = [lost.key, lost.index]
        errors.append({"message": "Internal server error", "extensions": {"category": "internal"}, "path": path})
    return errors


ErrorBody = Callable[[int], Any]


def error_body(status: int) -> Any:
    """Errors that the fault menu injects, shaped as GraphQL answers are."""
    message = {429: "Too Many Requests", 401: "Unauthorized"}.get(status, "Internal server error")
    return {"errors": [{"message": message}]}
