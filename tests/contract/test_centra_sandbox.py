"""The Centra stand-in against the reference: its schema, the published samples, limits, events, webhooks,
faults.

One real process serves all tests of this module over real sockets. Each test seeds the shop anew and calls
with a token of its own, hence with an event queue of its own.
"""

import hashlib
import hmac
import itertools
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    is_required_argument,
    is_required_input_field,
    print_ast,
)

from app.sandbox.centra.webhooks import form_body, signature
from tests.child import ROOT
from tests.standins import Sandbox, start_sandbox

Json = dict[str, Any]
OWN_SDL = ROOT / "app/sandbox/centra/schema.graphql"
REFERENCE = Path(os.environ.get("CENTRA_MIRAKL_REFERENCE") or ROOT.parent / "shared/reference")
SAMPLES = (
    "events_set_listeners",
    "events_fetch",
    "events_confirm",
    "topology",
    "stock_by_size_ids",
    "stock_full_page",
    "stock_totals_by_size_ids",
    "rate_limits",
)
CONFIRM = (
    "mutation Confirm($ids: [Int!]!) {"
    " confirmEvents(input: {eventsIds: $ids}) { events { id } userErrors { message } } }"
)
LISTEN = (
    "mutation Listen($input: [EventListenerSetInput!]!) {"
    " setEventListeners(input: $input) { eventListeners { objectType changeTypes } userErrors { message } } }"
)
UNLISTEN = (
    "mutation Unlisten($input: [EventListenerUnsetInput!]!) {"
    " unsetEventListeners(input: $input) {"
    " eventListeners { objectType changeTypes } userErrors { message } } }"
)
EVENTS = """
query Events($where: EventFilter, $limit: Int) {
  events(where: $where, limit: $limit) {
    id objectType changeType objectReference createdAt store { id } market { id }
    object {
      __typename
      ... on StockChange {
        changeId: id
        lines { productSize { id SKU stock { freeToAllocateQuantity } } }
      }
      ... on Order {
        number status
        lines { quantity productSize { SKU } allocations { quantity warehouse { id } } }
      }
      ... on ProductSize { sizeId: id }
    }
  }
}"""
SIZES = """
query Sizes($where: ProductSizeFilter, $sort: [ProductSizeSort!], $limit: Int = 20, $page: Int = 1) {
  productSizes(where: $where, sort: $sort, limit: $limit, page: $page) {
    id SKU EAN preorder isActive
    productVariant { id status stockOffset }
    stock(limit: 10) { freeToAllocateQuantity allocatedQuantity warehouse { id threshold allocationPolicy } }
  }
}"""
RATE_LIMITS = "query Limits { rateLimits { type intervalSeconds quota usedQuota remainingQuota } }"


def reference(name: str) -> Path:
    path = REFERENCE / name
    if not path.exists():
        pytest.skip(f"REFERENCE ABSENT: {name} is not there; set CENTRA_MIRAKL_REFERENCE to check against it")
    return path


# ---------------------------------------------------------------- the schema


def differences(own: GraphQLSchema, other: GraphQLSchema) -> list[str]:
    """What our schema says that the reference does not; empty for a subset that is true to it."""
    found: list[str] = []
    for name, kind in own.type_map.items():
        if name.startswith("__"):
            continue
        theirs = other.type_map.get(name)
        if theirs is None or type(theirs) is not type(kind):
            found.append(f"{name} is not there, or is another kind of type")
        elif isinstance(kind, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
            found += [f"{name}.{value}" for value in kind.values if value not in theirs.values]
        elif isinstance(kind, GraphQLUnionType) and isinstance(theirs, GraphQLUnionType):
            members = {member.name for member in theirs.types}
            found += [f"{name} | {member.name}" for member in kind.types if member.name not in members]
        elif isinstance(kind, GraphQLInputObjectType) and isinstance(theirs, GraphQLInputObjectType):
            found += _input_differences(kind, theirs)
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            assert isinstance(theirs, GraphQLObjectType | GraphQLInterfaceType)
            found += _output_differences(kind, theirs)
    return found


def _input_differences(kind: GraphQLInputObjectType, theirs: GraphQLInputObjectType) -> list[str]:
    found = []
    for name, member in kind.fields.items():
        if name not in theirs.fields or str(theirs.fields[name].type) != str(member.type):
            found.append(f"{kind.name}.{name}: {member.type}")
    required = [name for name, member in theirs.fields.items() if is_required_input_field(member)]
    return found + [f"{kind.name} lacks {name}" for name in required if name not in kind.fields]


def _output_differences(
    kind: GraphQLObjectType | GraphQLInterfaceType, theirs: GraphQLObjectType | GraphQLInterfaceType
) -> list[str]:
    interfaces = {interface.name for interface in theirs.interfaces}
    found = [f"{kind.name} implements {i.name}" for i in kind.interfaces if i.name not in interfaces]
    for name, member in kind.fields.items():
        at = f"{kind.name}.{name}"
        if name not in theirs.fields or str(theirs.fields[name].type) != str(member.type):
            found.append(f"{at}: {member.type}")
            continue
        their_arguments = theirs.fields[name].args
        for argument, own in member.args.items():
            known = their_arguments.get(argument)
            if known is None or _written(known) != _written(own):
                found.append(f"{at}({argument}: {own.type})")
        required = [a for a, known in their_arguments.items() if is_required_argument(known)]
        found += [f"{at} lacks ({argument})" for argument in required if argument not in member.args]
    return found


def _written(argument: GraphQLArgument) -> str:
    """Type and default value."""
    node = argument.ast_node
    return f"{argument.type} = {print_ast(node.default_value) if node and node.default_value else None}"


def test_schema_is_a_subset_of_the_reference() -> None:
    theirs = build_schema(reference("centra-integration.graphql").read_text(encoding="utf-8"))
    assert differences(build_schema(OWN_SDL.read_text(encoding="utf-8")), theirs) == []


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("stockOffset: Int", "stockOffset: Int!"),
        ("  CHECK_FIRST\n", "  ASK_FIRST\n"),
        ("limit: Int = 20", "limit: Int = 50"),
        ("type StockTotals {", "type StockTotals {\n  surplus: Int"),
        ("  quantity: Int!\n}\n\ninput StockSetProductSizeInput", "}\n\ninput StockSetProductSizeInput"),
    ],
)
def test_every_kind_of_difference_is_seen(written: str, instead: str) -> None:
    sdl = OWN_SDL.read_text(encoding="utf-8")
    assert written in sdl
    changed = build_schema(sdl.replace(written, instead))
    assert differences(changed, build_schema(sdl)) != []


# ---------------------------------------------------------------- a shop to talk to


@dataclass(frozen=True, slots=True)
class Shop:
    """The stand-in as one integration sees it, and its admin routes."""

    sandbox: Sandbox
    client: httpx.Client
    token: str
    integration: str

    def post(self, query: str, variables: Json | None = None, *, token: str | None = None) -> httpx.Response:
        return self.client.post(
            "/graphql",
            json={"query": query, "variables": variables or {}},
            headers={"Authorization": f"Bearer {token or self.token}"},
        )

    def answer(self, query: str, **variables: Any) -> Json:
        response = self.post(query, variables)
        assert response.status_code == 200, response.text
        body: Json = response.json()
        return body

    def data(self, query: str, **variables: Any) -> Json:
        body = self.answer(query, **variables)
        assert "errors" not in body, body["errors"]
        found: Json = body["data"]
        return found

    def admin(self, path: str, body: Json | None = None, *, method: str | None = None) -> Json:
        chosen = method or ("GET" if body is None else "POST")
        response = self.client.request(chosen, f"/_sandbox/{path}", json=body)
        assert response.is_success, response.text
        found: Json = response.json()
        return found

    def listen(self, *object_types: str) -> None:
        self.data(LISTEN, input=[{"objectType": name} for name in object_types])

    def events(self, limit: int = 200, **where: Any) -> list[Json]:
        found: list[Json] = self.data(EVENTS, where=where, limit=limit)["events"]
        return found

    def set_fta(self, sku: str, fta: int, warehouse_id: int = 1) -> None:
        self.admin("stock", {"changes": [{"sku": sku, "warehouse_id": warehouse_id, "fta": fta}]})

    def sellable(self, sku: str, market: int = 4) -> int:
        found: int = self.admin(f"sellable?market={market}&sku={sku}")["sellable"][sku]
        return found

    def fault(self, **members: Any) -> None:
        self.admin("faults", {"faults": [members]})


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    config = {"centra": {"port": 0, "token": "t-first", "catalogue": {"sizes": 10}}}
    running = start_sandbox(config, tmp_path_factory.mktemp("centra"))
    yield running
    running.child.stop(seconds=10)
    assert running.child.stderr() == ""


_numbers = itertools.count(1)


@pytest.fixture
def shop(process: Sandbox) -> Iterator[Shop]:
    name = f"integration-{next(_numbers)}"
    with httpx.Client(base_url=process.centra, trust_env=False, timeout=20) as client:
        made = Shop(process, client, f"t-{name}", name)
        made.admin("tokens", {"add": {"token": made.token, "integration": name}})
        made.admin("clock", {"scale": 1.0})
        made.admin("faults", method="DELETE")
        made.admin("limits", {"plan": "Enterprise", "retry_after_form": "unix"})
        made.admin("calls", method="DELETE")
        made.admin("events", {"enabled": True, "duplicate": 0.0})
        made.admin("webhooks", {"url": None, "retries": 0, "loss": 0, "duplicate": 0, "reorder": False})
        made.admin("seed", {"sizes": 40, "fta": 10})
        yield made


def until(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


# ---------------------------------------------------------------- the published samples


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_query_answers_with_the_fields_it_asks(shop: Shop, name: str) -> None:
    query = reference(f"samples/centra/{name}.graphql").read_text(encoding="utf-8")
    variables = json.loads(reference(f"samples/centra/{name}.variables.json").read_text(encoding="utf-8"))
    sample = json.loads(reference(f"samples/centra/{name}.response.json").read_text(encoding="utf-8"))
    shop.listen("StockChange", "Order")
    shop.set_fta("VX-000001-M", 3)
    if name == "stock_by_size_ids" or name == "stock_totals_by_size_ids":
        variables["warehouseIds"] = [1]
    body = shop.answer(query, **variables)
    assert "errors" not in body
    assert set(body["data"]) == set(sample["data"])
    for field, expected in sample["data"].items():
        got = body["data"][field]
        if isinstance(expected, list):
            assert got, field
            assert all(set(row) == set(expected[0]) for row in got)
        else:
            assert set(got) == set(expected)
            assert got["userErrors"] == []
    assert set(sample["extensions"]) == set(body["extensions"])
    assert set(body["extensions"]["permissionsUsed"]) == set(sample["extensions"]["permissionsUsed"])
    assert (
        sample["extensions"]["complexity"] / 3
        <= body["extensions"]["complexity"]
        <= 3 * sample["extensions"]["complexity"]
    )


def test_introspection_is_open(shop: Shop) -> None:
    assert "EventTarget" in {t["name"] for t in shop.data("{ __schema { types { name } } }")["__schema"]["types"]}


# ---------------------------------------------------------------- who may ask


def test_token_is_checked_and_can_be_revoked(shop: Shop) -> None:
    assert shop.post(RATE_LIMITS, token="t-nobody").status_code == 401
    cookie = shop.client.post(
        "/graphql", json={"query": RATE_LIMITS}, headers={"Cookie": f"graphql-access={shop.token}"}
    )
    assert cookie.status_code == 200
    shop.admin("tokens", {"revoke": shop.token})
    assert shop.post(RATE_LIMITS).status_code == 401


def test_missing_permission_is_named(shop: Shop) -> None:
    shop.admin("tokens", {"token": shop.token, "remove": ["Warehouse:read"]})
    body = shop.answer("query Places {\n  warehouses { id }\n}")
    assert "data" not in body
    assert body["errors"] == [
        {
            "message": "You need Warehouse:read permission to access warehouses.",
            "extensions": {"category": "authorization"},
            "locations": [{"line": 2, "column": 3}],
            "path": ["warehouses"],
        }
    ]
    assert body["extensions"]["permissionsUsed"] == ["Warehouse:read"]
    shop.admin("tokens", {"token": shop.token, "restore": ["Warehouse:read"]})
    assert shop.data("{ warehouses { id } }")["warehouses"]


def test_nonsense_is_refused(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {shop.token}"}
    assert shop.client.post("/graphql", content=b"{", headers=headers).status_code == 400
    assert shop.client.post("/graphql", content=b"[]", headers=headers).status_code == 400
    unknown = shop.answer("{ warehouses { id shelf } }")
    assert "data" not in unknown
    assert "shelf" in unknown["errors"][0]["message"]
    for limit, page in ((0, 1), (201, 1), (20, 0)):
        body = shop.answer(SIZES, limit=limit, page=page)
        assert body["data"] is None
        assert body["errors"][0]["path"] == ["productSizes"]


def test_deprecated_field_is_reported(shop: Shop) -> None:
    body = shop.answer("{ productSizes(limit: 1) { GTIN } }")
    assert "Field: ProductSize.GTIN" in body["extensions"]["deprecatedFieldsUsed"][0]


# ---------------------------------------------------------------- rate limits


def limits_of(shop: Shop) -> dict[tuple[str, str], Json]:
    found = shop.data(RATE_LIMITS)["rateLimits"]
    return {(entry["type"], entry["intervalSeconds"]): entry for entry in found}


def still(shop: Shop, plan: str) -> None:
    """Full buckets of a plan on a clock that hardly moves."""
    shop.admin("clock", {"scale": 0.0001})
    shop.admin("limits", {"plan": plan})


@pytest.mark.parametrize(
    ("plan", "quotas"),
    [
        ("Growth", [60, 5_000, 250_000, 30_000_000, 20, 1_800]),
        ("Enhanced", [150, 20_000, 900_000, 90_000_000, 50, 4_500]),
        ("High volume", [450, 40_000, 1_800_000, 180_000_000, 150, 7_000]),
        ("Enterprise", [1_500, 85_000, 4_000_000, 400_000_000, 500, 25_000]),
    ],
)
def test_plan_has_its_published_quotas(shop: Shop, plan: str, quotas: list[int]) -> None:
    still(shop, plan)
    found = list(limits_of(shop).values())
    assert [entry["quota"] for entry in found] == quotas
    assert all(entry["usedQuota"] + entry["remainingQuota"] == entry["quota"] for entry in found)


def test_each_call_is_paid_from_six_buckets(shop: Shop) -> None:
    still(shop, "Growth")
    before = limits_of(shop)
    cost = shop.answer(CONFIRM, ids=[])["extensions"]["complexity"]
    after = limits_of(shop)
    for window in ("TEN_SECONDS", "ONE_HOUR"):
        spent = {
            kind: after[kind, window]["usedQuota"] - before[kind, window]["usedQuota"]
            for kind in ("REQUEST_COUNT", "MUTATION_COUNT", "QUERY_COMPLEXITY")
        }
        assert spent == {"REQUEST_COUNT": 2, "MUTATION_COUNT": 1, "QUERY_COMPLEXITY": cost + 10}


def test_several_mutations_in_a_call_cost_several_tokens(shop: Shop) -> None:
    still(shop, "Growth")
    confirm = "confirmEvents(input: {eventsIds: []}) { userErrors { message } }"
    shop.data(f"mutation Three {{ a: {confirm} b: {confirm} c: {confirm} }}")
    assert limits_of(shop)["MUTATION_COUNT", "TEN_SECONDS"]["usedQuota"] == 3


def test_61st_request_waits_and_coming_early_waits_longer(shop: Shop) -> None:
    still(shop, "Growth")
    assert all(shop.post(RATE_LIMITS).status_code == 200 for _ in range(60))
    refused = shop.post(RATE_LIMITS)
    assert refused.status_code == 429
    assert refused.json() == {"errors": [{"message": "Too Many Requests"}]}
    early = shop.post("{ warehouses { id } }")
    assert early.status_code == 429
    assert int(early.headers["Retry-After"]) == int(refused.headers["Retry-After"]) + 1
    ceilings = [violation["ceiling"] for violation in shop.admin("calls")["violations"]]
    assert ceilings == ["REQUEST_COUNT 60/10 s", "Retry-After (REQUEST_COUNT 60/10 s)"]
    shop.admin("clock", {"advance_seconds": 2.0})
    shop.admin("clock", {"advance_seconds": 1.0})
    assert shop.post(RATE_LIMITS).status_code == 200
    # A constant rate: six a second came back, and none more.
    used = limits_of(shop)["REQUEST_COUNT", "TEN_SECONDS"]["usedQuota"]
    assert 40 <= used <= 48


@pytest.mark.parametrize("form", ["unix", "http_date", "delta"])
def test_retry_after_comes_in_three_forms(shop: Shop, form: str) -> None:
    still(shop, "Growth")
    shop.admin("limits", {"retry_after_form": form})
    shop.admin("consume", {"mutations": 1_800})
    sandbox_now = _instant(shop.admin("clock")["now"])
    refused = shop.post(CONFIRM, {"ids": []})
    assert refused.status_code == 429
    text = refused.headers["Retry-After"]
    # One mutation comes back after two seconds of the hour's bucket (0.5 a second).
    waited = {
        "unix": lambda: float(text) - sandbox_now,
        "http_date": lambda: parsedate_to_datetime(text).timestamp() - sandbox_now,
        "delta": lambda: float(text),
    }[form]()
    assert 2 <= waited <= 4
    assert shop.post(RATE_LIMITS).status_code == 429  # reads wait too: the wait is the caller's


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_complexity_of_others_counts(shop: Shop) -> None:
    still(shop, "Growth")
    assert shop.answer(SIZES, limit=200)["extensions"]["complexity"] == 100 + 200 * (1 + 10 * (1 + 25))
    shop.admin("consume", {"complexity": 249_000})
    assert shop.post(SIZES, {"limit": 200}).status_code == 429
    calls = shop.admin("calls?code=Sizes")
    assert calls["violations"][0]["ceiling"] == "QUERY_COMPLEXITY 250000/10 s"
    assert calls["refused_429"] == {"Sizes": 1}


# ---------------------------------------------------------------- events


def test_events_come_oldest_first_until_confirmed(shop: Shop) -> None:
    shop.set_fta("VX-000001-M", 1)
    assert shop.events() == []  # nobody listened: no history
    shop.listen("StockChange")
    for fta in (4, 5, 6):
        shop.set_fta("VX-000001-M", fta)
    first = shop.events(limit=2)
    assert first == shop.events(limit=2)
    assert [event["objectType"] for event in first] == ["StockChange"] * 2
    assert first[0]["id"] < first[1]["id"]
    # The object is as it is now, not as it was.
    assert first[0]["object"]["lines"][0]["productSize"]["stock"][0]["freeToAllocateQuantity"] == 6
    confirmed = shop.data(CONFIRM, ids=[first[0]["id"], 1])["confirmEvents"]
    assert confirmed == {"events": [{"id": first[0]["id"]}], "userErrors": []}
    left = shop.events()
    assert len(left) == 2
    assert left[0]["id"] == first[1]["id"]


def test_listeners_add_up_and_unset_purges(shop: Shop) -> None:
    shop.data(LISTEN, input=[{"objectType": "ProductVariant", "changeTypes": ["CREATED"]}])
    added = shop.data(LISTEN, input=[{"objectType": "ProductVariant", "changeTypes": ["UPDATED"]}])
    listeners = added["setEventListeners"]["eventListeners"]
    assert listeners == [{"objectType": "ProductVariant", "changeTypes": ["CREATED", "UPDATED"]}]
    shop.listen("StockChange", "Order")
    found = shop.data("{ eventListeners { integrationName objectType changeTypes } }")["eventListeners"]
    completing = {entry["objectType"]: "COMPLETED" in entry["changeTypes"] for entry in found}
    assert completing == {"ProductVariant": False, "StockChange": False, "Order": True}
    assert {entry["integrationName"] for entry in found} == {shop.integration}
    shop.set_fta("VX-000001-M", 1)
    shop.admin("sizes", {"changes": [{"sku": "VX-000001-M", "stock_offset": 3}]})
    assert [event["objectType"] for event in shop.events()] == ["StockChange", "ProductVariant"]
    shop.data(UNLISTEN, input=[{"objectType": "StockChange"}])
    assert [event["objectType"] for event in shop.events()] == ["ProductVariant"]
    shop.set_fta("VX-000001-M", 2)
    assert len(shop.events()) == 1


def test_queues_belong_to_integrations(shop: Shop) -> None:
    shop.admin("tokens", {"add": {"token": "t-twin", "integration": shop.integration}})
    shop.admin("tokens", {"add": {"token": "t-other", "integration": "someone else"}})
    shop.listen("StockChange")
    shop.set_fta("VX-000001-M", 1)
    assert len(shop.post(EVENTS, token="t-twin").json()["data"]["events"]) == 1
    assert shop.post(EVENTS, token="t-other").json()["data"]["events"] == []


def test_event_filters(shop: Shop) -> None:
    shop.listen("StockChange", "Order", "Warehouse")
    shop.set_fta("VX-000001-M", 9)
    shop.admin("orders", {"sku": "VX-000001-M", "quantity": 1})
    shop.admin("warehouses", {"id": 1, "threshold": 5})
    assert [e["objectType"] for e in shop.events()] == ["StockChange", "Order", "Warehouse"]
    assert [e["objectType"] for e in shop.events(objectType=["Order", "Warehouse"])] == ["Order", "Warehouse"]
    negated = shop.events(objectType=["Order"], negate=["objectType"])
    assert [e["objectType"] for e in negated] == ["StockChange", "Warehouse"]
    assert [e["objectType"] for e in shop.events(changeType=["UPDATED"])] == ["Warehouse"]
    assert [e["objectType"] for e in shop.events(marketId=[4])] == ["Order"]


def test_switched_off_events_are_an_empty_list(shop: Shop) -> None:
    shop.admin("events", {"enabled": False})
    shop.listen("StockChange")
    shop.set_fta("VX-000001-M", 9)
    assert shop.events() == []
    shop.admin("events", {"enabled": True})
    assert shop.events() == []  # what happened meanwhile is not made up for


def test_poisoned_event_stays_unreadable_and_can_be_confirmed(shop: Shop) -> None:
    shop.listen("StockChange")
    shop.fault(code="StockChange", kind="poison")
    shop.set_fta("VX-000001-M", 1)
    shop.set_fta("VX-000001-M", 2)
    for _ in range(2):
        body = shop.answer(EVENTS, limit=200)
        assert [event["object"] is None for event in body["data"]["events"]] == [True, False]
        assert body["errors"][0]["path"] == ["events", 0, "object"]
    poisoned = body["data"]["events"][0]["id"]
    assert shop.data(CONFIRM, ids=[poisoned])["confirmEvents"]["events"] == [{"id": poisoned}]
    assert "errors" not in shop.answer(EVENTS, limit=200)
    assert shop.admin("events", {"poison": 1})["poisoned"] != []
    assert "errors" in shop.answer(EVENTS, limit=200)


def test_duplicate_events_have_ids_of_their_own(shop: Shop) -> None:
    shop.admin("events", {"duplicate": 1.0})
    shop.listen("StockChange")
    shop.set_fta("VX-000001-M", 1)
    one, two = shop.events()
    assert one["objectReference"] == two["objectReference"]
    assert one["id"] != two["id"]


def test_deleted_object_is_null(shop: Shop) -> None:
    shop.listen("ProductSize", "ProductVariant", "StockChange")
    size = shop.admin("sizes?limit=1")["sizes"][0]
    shop.set_fta(size["sku"], 1)
    shop.admin("delete", {"object_type": "ProductVariant", "id": size["variant_id"]})
    change, *deleted = shop.events()
    assert change["object"]["lines"] == [{"productSize": None}]
    assert {event["changeType"] for event in deleted} == {"DELETED"}
    assert all(event["object"] is None for event in deleted)
    assert deleted[-1]["objectReference"] == size["variant_id"]


# ---------------------------------------------------------------- stock and orders


def test_pages_of_sizes(shop: Shop) -> None:
    pages = [shop.data(SIZES, sort=["id_ASC"], limit=15, page=page)["productSizes"] for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [15, 15, 10, 0]
    ids = [size["id"] for page in pages for size in page]
    assert ids == list(range(5001, 5041))
    shop.set_fta("VX-000001-M", 1)
    newest_last = shop.data(SIZES, sort=["updatedAt_ASC"], limit=200)["productSizes"]
    assert newest_last[-1]["SKU"] == "VX-000001-M"
    newest_first = shop.data(SIZES, sort=["updatedAt_DESC"], limit=1)["productSizes"]
    assert newest_first[0]["SKU"] == "VX-000001-M"


def test_filters_of_sizes(shop: Shop) -> None:
    def skus(where: Json) -> list[str]:
        return [size["SKU"] for size in shop.data(SIZES, where=where, limit=200)["productSizes"]]

    assert skus({"SKU": {"equals": "VX-000002-S"}}) == ["VX-000002-S"]
    assert len(skus({"SKU": {"startsWith": "VX-000002-"}})) == 5
    assert skus({"id": [5003, 5001, 9999]}) == ["VX-000001-XS", "VX-000001-M"]
    assert len(skus({"productVariantId": 301})) == 5
    assert len(skus({"productId": [201]})) == 10
    shop.admin("clock", {"advance_seconds": 60})
    since = shop.admin("clock")["now"]
    shop.admin("clock", {"advance_seconds": 60})
    shop.set_fta("VX-000003-L", 2)
    assert skus({"updatedAt": {"from": since}}) == ["VX-000003-L"]


def test_eans_have_their_check_digit(shop: Shop) -> None:
    for size in shop.data(SIZES, limit=200)["productSizes"]:
        digits = [int(digit) for digit in size["EAN"]]
        assert len(digits) == 13
        assert sum(digits[0::2]) % 10 == -3 * sum(digits[1::2]) % 10


def test_catalogue_and_topology_hang_together(shop: Shop) -> None:
    data = shop.data(
        "{ productVariants(limit: 1) { id product { id"
        " displays { displayItems { id productVariant { id } } } } }"
        " displays(limit: 1) { id displayItems { id display { id } } } displayItems(limit: 200) { id }"
        " allocationRules { id markets { id } geographyAllocationPriorities"
        " { warehousePriorities { priority warehouse { id } } } } }"
    )
    variant = data["productVariants"][0]
    items = [item for display in variant["product"]["displays"] for item in display["displayItems"]]
    assert variant["id"] in [item["productVariant"]["id"] for item in items]
    assert {item["id"] for item in items} <= {item["id"] for item in data["displayItems"]}
    own = shop.admin("sizes?limit=1")["sizes"][0]
    assert own["display_items"] == [i["id"] for i in items if i["productVariant"]["id"] == own["variant_id"]]
    order = data["allocationRules"][0]["geographyAllocationPriorities"][0]["warehousePriorities"]
    assert [entry["warehouse"]["id"] for entry in order] == [1, 2, 3]


def test_sellable_arithmetic(shop: Shop) -> None:
    sku = "VX-000001-M"
    # Warehouses 1 (threshold 2) and 2 (threshold 0) ship directly; 3 asks first and does not count.
    assert shop.sellable(sku) == 10 + 10 - 2
    shop.set_fta(sku, -4, warehouse_id=2)
    assert shop.sellable(sku) == 10 - 2  # below 0 is 0, for each warehouse
    shop.set_fta(sku, 99, warehouse_id=3)
    assert shop.sellable(sku) == 8
    shop.admin("sizes", {"changes": [{"sku": sku, "stock_offset": 5}]})
    assert shop.sellable(sku) == 10 - 5  # the offset beats the thresholds
    shop.admin("sizes", {"changes": [{"sku": sku, "stock_offset": -2}]})
    assert shop.sellable(sku) == 10
    shop.admin("sizes", {"changes": [{"sku": sku, "stock_offset": 11}]})
    assert shop.sellable(sku) == 0
    shop.admin("sizes", {"changes": [{"sku": sku, "stock_offset": 0, "preorder": True}]})
    assert shop.sellable(sku) == 0
    shop.admin("sizes", {"changes": [{"sku": sku, "preorder": False, "status": "INACTIVE"}]})
    assert shop.sellable(sku) == 0
    shop.admin("sizes", {"changes": [{"sku": sku, "status": "ACTIVE", "is_active": False}]})
    assert shop.sellable(sku) == 0
    shop.admin("sizes", {"changes": [{"sku": sku, "is_active": True}]})
    shop.admin("warehouses", {"id": 1, "allocation_policy": "CHECK_FIRST"})
    assert shop.sellable(sku) == 0
    assert len(shop.admin("sellable?market=4")["sellable"]) == 40


def test_order_moves_stock_and_cancelling_moves_it_back(shop: Shop) -> None:
    shop.listen("StockChange", "Order")
    sku = "VX-000001-M"
    placed = shop.admin("orders", {"sku": sku, "quantity": 13})
    assert placed["lines"][0]["allocated"] == {"1": 10, "2": 3}
    stock = shop.data(SIZES, where={"SKU": {"equals": sku}})["productSizes"][0]["stock"]
    assert [(c["freeToAllocateQuantity"], c["allocatedQuantity"]) for c in stock] == [
        (0, 10),
        (7, 3),
        (10, 0),
    ]
    (event,) = shop.events()  # no StockChange tells of it
    assert (event["objectType"], event["changeType"], event["market"]) == ("Order", "CREATED", {"id": 4})
    assert event["objectReference"] == placed["number"]
    assert event["object"]["lines"][0]["allocations"] == [
        {"quantity": 10, "warehouse": {"id": 1}},
        {"quantity": 3, "warehouse": {"id": 2}},
    ]
    refused = shop.client.post("/_sandbox/orders", json={"sku": sku, "quantity": 8})
    assert refused.status_code == 409
    shop.admin("orders/cancel", {"number": placed["number"]})
    assert shop.sellable(sku) == 18
    assert [e["changeType"] for e in shop.events()] == ["CREATED", "UPDATED"]
    order = shop.data("query O($id: String!) { order(id: $id) { status lines { id } } }", id=placed["id"])["order"]
    assert order == {"status": "CANCELLED", "lines": []}


def test_stock_is_set_and_changed_by_mutation(shop: Shop) -> None:
    shop.listen("StockChange")
    set_stock = (
        "mutation Set($input: StockSetInput!) { setStock(input: $input) {"
        " stockChanges { intoWarehouse { id } outFromWarehouse { id } lines { deliveredQuantity } }"
        " userErrors { message path } } }"
    )
    level = {
        "warehouse": {"id": 1},
        "description": "count",
        "stockQuantityType": "PHYSICAL",
        "productSizes": [
            {"productSize": {"SKU": "VX-000001-M"}, "quantity": 4},
            {"productSize": {"id": 5001}, "quantity": 12},
        ],
    }
    changes = shop.data(set_stock, input=level)["setStock"]["stockChanges"]
    assert changes == [
        {"intoWarehouse": {"id": 1}, "outFromWarehouse": None, "lines": [{"deliveredQuantity": 2}]},
        {"intoWarehouse": None, "outFromWarehouse": {"id": 1}, "lines": [{"deliveredQuantity": 6}]},
    ]
    assert shop.sellable("VX-000001-M") == 4 + 10 - 2
    refused = shop.data(set_stock, input={**level, "warehouse": {"id": 77}})["setStock"]
    assert refused["stockChanges"] == []
    assert refused["userErrors"][0]["path"] == ["input", "warehouse"]
    change_stock = (
        "mutation Move($input: StockChangeInput!) { changeStock(input: $input) {"
        " stockChange { id } userErrors { message } } }"
    )
    moved = {
        "intoWarehouse": {"id": 3},
        "outFromWarehouse": {"id": 1},
        "productVariants": [
            {"productVariant": {"id": 301}, "sizeChanges": [{"size": {"name": "M"}, "deliveredQuantity": 3}]}
        ],
    }
    change = shop.data(change_stock, input=moved)["changeStock"]["stockChange"]
    assert shop.sellable("VX-000001-M") == 1 + 10 - 2
    assert [event["object"]["changeId"] for event in shop.events()][-1] == change["id"]


def test_ledger_tells_every_figure_in_order(shop: Shop) -> None:
    version = shop.admin("sellable?market=4&sku=VX-000001-M")["version"]
    shop.admin("stock", {"changes": [{"sku": "VX-000001-M", "fta": n} for n in (7, 3, 5)]})
    entries = shop.admin(f"ledger?since={version}&code=stock")["entries"]
    assert [(entry["seq"] - version, entry["fta"]) for entry in entries] == [(1, 7), (2, 3), (3, 5)]
    assert {entry["sku"] for entry in entries} == {"VX-000001-M"}


def test_load_runs_on_the_sandbox_clock(shop: Shop) -> None:
    shop.listen("StockChange")
    shop.admin("clock", {"scale": 0.0001})
    shop.admin("load", {"changes_per_second": 50, "seconds": 20, "seed": 3, "hot_share": 0.5, "hot_skus": 2})
    version = shop.admin("sellable?market=4&sku=VX-000001-M")["version"]
    shop.admin("clock", {"advance_seconds": 10.5})
    half = shop.admin("load")
    assert not half["done"]
    assert 520 <= half["made"] <= 526
    shop.admin("clock", {"advance_seconds": 10})
    assert shop.admin("load")["done"]
    entries = shop.admin(f"ledger?since={version}&code=stock")["entries"]
    assert len(entries) == 1000
    hot = [entry for entry in entries if entry["size_id"] in (5001, 5002)]
    assert 400 < len(hot) < 640
    assert len({entry["at"] for entry in entries}) > 900  # each change has its own instant
    assert len(shop.events()) == 200
    shop.admin("load", {"changes_per_second": 1, "seconds": 500})
    assert shop.admin("load", method="DELETE")["done"]


# ---------------------------------------------------------------- faults


def test_partial_error_takes_one_size_out(shop: Shop) -> None:
    shop.fault(code="Sizes", kind="partial_error", sku="VX-000001-M")
    body = shop.answer(SIZES, limit=5)
    assert "VX-000001-M" not in [size["SKU"] for size in body["data"]["productSizes"]]
    assert body["errors"][0]["path"] == ["productSizes", 2]
    shop.fault(code="Sizes", kind="partial_error", mode="null")
    body = shop.answer(SIZES, limit=5)
    assert body["data"]["productSizes"][0] is None
    assert body["errors"][0]["path"] == ["productSizes", 0]
    assert "errors" not in shop.answer(SIZES, limit=5)
    shop.listen("StockChange")
    shop.set_fta("VX-000001-M", 1)
    shop.fault(code="Events", kind="partial_error", sku="VX-000001-M")
    body = shop.answer(EVENTS, limit=5)
    assert body["data"]["events"][0]["object"]["lines"] == [{"productSize": None}]
    assert body["errors"][0]["path"] == ["events", 0, "object", "lines", 0, "productSize"]


def test_missing_size_is_silent(shop: Shop) -> None:
    shop.fault(code="Sizes", kind="missing_size", size_id=5002)
    body = shop.answer(SIZES, where={"id": [5001, 5002, 5003]})
    assert [size["id"] for size in body["data"]["productSizes"]] == [5001, 5003]
    assert "errors" not in body


def test_no_stock_rows(shop: Shop) -> None:
    shop.fault(code="Sizes", kind="no_stock_rows")
    rows = [len(size["stock"]) for size in shop.data(SIZES, limit=3)["productSizes"]]
    assert rows == [0, 3, 3]


def test_user_errors_do_nothing_and_warnings_do(shop: Shop) -> None:
    shop.listen("StockChange")
    shop.set_fta("VX-000001-M", 1)
    (event,) = shop.events()
    shop.fault(code="Confirm", kind="user_errors", body="Not today")
    refused = shop.data(CONFIRM, ids=[event["id"]])["confirmEvents"]
    assert refused == {"events": [], "userErrors": [{"message": "Not today"}]}
    assert len(shop.events()) == 1
    shop.fault(code="*", kind="user_warnings")
    warned = shop.data(
        "mutation C($i: [Int!]!) { confirmEvents(input: {eventsIds: $i}) {"
        " userErrors { message } userWarnings { message path } } }",
        i=[event["id"]],
    )["confirmEvents"]
    assert warned["userErrors"] == []
    assert len(warned["userWarnings"]) == 1
    assert shop.events() == []


def test_unlisted_enum_value_and_lost_permission(shop: Shop) -> None:
    shop.fault(code="Sizes", kind="unknown_enum", value="SLEEPING")
    sizes = shop.data(SIZES, limit=2)["productSizes"]
    assert {size["productVariant"]["status"] for size in sizes} == {"SLEEPING"}
    shop.fault(code="Sizes", kind="permission", permission="ProductSize.stock:read")
    body = shop.answer(SIZES, limit=2)
    assert body["errors"][0]["message"].startswith("You need ProductSize.stock:read permission")
    assert "data" not in body


def test_slow_page_and_lost_answer(shop: Shop) -> None:
    shop.fault(code="Sizes", kind="slow_pages", seconds=0.3)
    began = time.monotonic()
    shop.data(SIZES, limit=2)
    assert time.monotonic() - began >= 0.3
    shop.listen("StockChange")
    shop.set_fta("VX-000001-M", 1)
    (event,) = shop.events()
    shop.fault(code="Confirm", kind="drop_after")
    with pytest.raises(httpx.TransportError):
        shop.post(CONFIRM, {"ids": [event["id"]]})
    assert shop.events() == []  # it was applied all the same


# ---------------------------------------------------------------- webhooks


@dataclass(slots=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> Json:
        (text,) = parse_qs(self.body.decode())["payload"]
        found: Json = json.loads(text)
        return found


@dataclass(slots=True)
class Receiver:
    url: str
    inbox: "queue.Queue[Received]"
    statuses: list[int]

    def next(self) -> Received:
        return self.inbox.get(timeout=8)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    inbox: queue.Queue[Received] = queue.Queue()
    statuses: list[int] = []

    class Post(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.put(Received(dict(self.headers), body))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - named by the library
            pass

    server = HTTPServer(("127.0.0.1", 0), Post)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield Receiver(f"http://127.0.0.1:{server.server_port}/webhooks/centra", inbox, statuses)
    server.shutdown()
    server.server_close()


def test_signature_of_the_published_example() -> None:
    body = form_body({"x": "test"})
    assert body == b"payload=%7B%22x%22%3A%22test%22%7D"
    expected = "0b9cd84f5d583e5e1aadfb9f160aa8080b51d5b85ff85808d6b75bdac356c549"
    assert signature("test123", 12345678, body) == f"t=12345678,v1={expected}"


def test_stock_webhook_names_display_items_and_is_signed(shop: Shop, receiver: Receiver) -> None:
    shop.admin("webhooks", {"url": receiver.url, "secret": "s-1", "kinds": ["storefront"]})
    sizes = shop.admin("sizes?limit=40")["sizes"]
    shop.admin("stock", {"changes": [{"size_id": size["id"], "delta": 1} for size in sizes[:12]]})
    call = receiver.next()
    expected = {str(item) for size in sizes[:12] for item in size["display_items"]}
    assert set(call.payload) == {"products"}
    assert set(call.payload["products"]) == expected
    assert len(call.payload["products"]) == len(expected)  # one call, each item once
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    parts = dict(part.split("=", 1) for part in call.headers["X-Centra-Signature"].split(","))
    signed = f"{parts['t']}.".encode() + call.body
    assert parts["v1"] == hmac.new(b"s-1", signed, hashlib.sha256).hexdigest()
    until(lambda: shop.admin("webhooks")["deliveries"][-1]["outcome"] == "delivered")
    assert receiver.inbox.empty()


def test_order_webhook_is_of_the_integration_kind(shop: Shop, receiver: Receiver) -> None:
    shop.admin("webhooks", {"url": receiver.url, "kinds": ["integration"]})
    placed = shop.admin("orders", {"sku": "VX-000001-M", "quantity": 1})
    (event,) = receiver.next().payload["events"]
    assert (event["type"], event["action"], event["id"]) == ("order", "insert", placed["number"])
    assert len(event["date"]) == len("2025-03-04 10:01:12.120553")
    shop.set_fta("VX-000001-M", 3)  # carries no stock
    shop.admin("orders/cancel", {"number": placed["number"]})
    assert receiver.next().payload["events"][0]["action"] == "update"


def test_failed_webhook_is_dropped_unless_retries_are_on(shop: Shop, receiver: Receiver) -> None:
    receiver.statuses += [500, 503, 200]
    shop.admin("webhooks", {"url": receiver.url, "kinds": ["storefront"]})
    shop.set_fta("VX-000001-M", 1)
    until(lambda: shop.admin("webhooks")["deliveries"][-1]["outcome"] == "failed")
    shop.admin("clock", {"scale": 50.0})
    shop.admin("webhooks", {"retries": 3})
    shop.set_fta("VX-000001-M", 2)
    until(lambda: shop.admin("webhooks")["deliveries"][-1]["outcome"] == "delivered")
    dropped, tried = shop.admin("webhooks")["deliveries"][-2:]
    assert dropped["statuses"] == [500]
    assert tried["statuses"] == [503, 200]


def test_webhooks_get_lost_doubled_and_cut_into_calls(shop: Shop, receiver: Receiver) -> None:
    shop.admin("webhooks", {"url": receiver.url, "kinds": ["storefront"], "loss": 1.0})
    shop.set_fta("VX-000001-M", 1)
    until(lambda: shop.admin("webhooks")["deliveries"][-1]["outcome"] == "lost")
    assert receiver.inbox.empty()
    shop.admin("webhooks", {"loss": 0.0, "duplicate": 1.0})
    shop.set_fta("VX-000001-M", 2)
    assert receiver.next().payload == receiver.next().payload
    shop.admin("webhooks", {"duplicate": 0.0, "max_events": 3})
    shop.admin("stock", {"changes": [{"size_id": 5001 + n, "delta": 1} for n in range(40)]})
    sizes = [len(receiver.next().payload["products"]) for _ in range(3)]
    assert sorted(sizes) == [2, 3, 3]


# ---------------------------------------------------------------- speed


def test_large_shop_answers_fast(shop: Shop) -> None:
    """Generous limits on a shared machine; the usual figures are a fifth of them."""
    assert shop.admin("seed", {"sizes": 20_000})["sizes"] == 20_000
    shop.listen("StockChange")
    shop.admin("stock", {"changes": [{"size_id": 5001 + n, "delta": 1} for n in range(1000)]})
    best = {name: min(_timed(shop, query) for _ in range(5)) for name, query in (("page", SIZES), ("events", EVENTS))}
    assert best["page"] < 0.1
    assert best["events"] < 0.2


def _timed(shop: Shop, query: str) -> float:
    began = time.monotonic()
    body = shop.answer(query, limit=200)
    assert "errors" not in body
    return time.monotonic() - began
