"""The /_sandbox routes of the Centra stand-in, beside those that every stand-in has and those of orders,
shipments and returns, which are in `order_admin`, `after_admin` and (the catalogue) in `catalogue_admin`.

POST /_sandbox/seed {"sizes": n, ...}   replaces the shop (see seed.py), empties the queues; GET
POST /_sandbox/stock {"changes": [{"size_id"|"sku", "warehouse_id"?, "fta"|"delta": n}]}
         -> {"stock_changes": [ids], "version": n}
POST /_sandbox/sizes {"changes": [{"size_id"|"sku", "preorder"?, "is_active"?, "status"?, "stock_offset"?}]}
GET  /_sandbox/sizes?from=5001&limit=100
         -> {"sizes": [{"id", "sku", "ean", "variant_id", "display_items", "fta": {warehouse: n}}]}
POST /_sandbox/warehouses {"id", "threshold"?, "allocation_policy"?}
POST /_sandbox/delete {"object_type": "ProductSize"|"ProductVariant"|"Product", "id"}
GET  /_sandbox/sellable?market=ID[&sku=..&sku=..] -> {"market", "version", "sellable": {sku: quantity}}
POST /_sandbox/load {"changes_per_second", "seconds", "seed", "hot_share", "hot_skus"}; GET; DELETE
POST /_sandbox/webhooks {"url", "secret", "kinds", "retries", "max_events", "loss", "duplicate",
         "reorder"}; GET -> {"settings", "deliveries"}
POST /_sandbox/consume {"requests", "mutations", "complexity"}   another integration's share
POST /_sandbox/limits {"plan"?, "retry_after_form"?: "unix"|"http_date"|"delta"}; GET the six buckets
POST /_sandbox/tokens {"add": {"token", "integration"?, "permissions"?}} | {"revoke": token}
                      | {"token", "remove": [permissions]?, "restore": [permissions]?}
POST /_sandbox/events {"enabled"?, "duplicate"?, "poison"?: n}; GET -> queue lengths and listeners
GET  /_sandbox/ledger?since=N[&code=stock] -> {"entries", "total"}; `seq` is the running version
"""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.sandbox.admin import json_object, refusing_nonsense
from app.sandbox.centra import edits, seed, stock
from app.sandbox.centra.endpoint import Endpoint, Token
from app.sandbox.centra.entities import ProductSize
from app.sandbox.centra.events import EventSystem
from app.sandbox.centra.limits import Allowance
from app.sandbox.centra.load import Load, LoadSettings
from app.sandbox.centra.order_admin import market_of
from app.sandbox.centra.sellable import sellable
from app.sandbox.centra.shop import Shop
from app.sandbox.centra.webhooks import Webhooks
from app.sandbox.faults import Kernel

RETRY_AFTER_FORMS = ("unix", "http_date", "delta")


@dataclass(slots=True)
class Admin:
    """What the routes work on."""

    shop: Shop
    events: EventSystem
    allowance: Allowance
    webhooks: Webhooks
    endpoint: Endpoint
    tokens: dict[str, Token]
    kernel: Kernel
    integration: str
    load: Load | None = None

    def routes(self) -> list[Route]:
        both, all_three = ["GET", "POST"], ["GET", "POST", "DELETE"]
        table = (
            ("seed", self.at_seed, both),
            ("stock", self.at_stock, ["POST"]),
            ("sizes", self.at_sizes, both),
            ("warehouses", self.at_warehouses, ["POST"]),
            ("delete", self.at_delete, ["POST"]),
            ("sellable", self.at_sellable, ["GET"]),
            ("load", self.at_load, all_three),
            ("webhooks", self.at_webhooks, both),
            ("consume", self.at_consume, ["POST"]),
            ("limits", self.at_limits, both),
            ("tokens", self.at_tokens, ["POST"]),
            ("events", self.at_events, both),
            ("ledger", self.at_ledger, ["GET"]),
        )
        return [Route(f"/_sandbox/{n}", refusing_nonsense(to), methods=methods) for n, to, methods in table]

    async def at_seed(self, request: Request) -> Response:
        if request.method == "POST":
            if self.load is not None:
                self.load.stop()
            made = seed.seed(self.shop, await json_object(request))
            for queue in self.events.queues.values():
                queue.forget()  # their objects are gone, and new ones have the old ids
            return JSONResponse(made)
        warehouses = [
            {"id": w.id, "name": w.name, "threshold": w.threshold, "allocation_policy": w.allocation_policy}
            for w in self.shop.warehouses.values()
        ]
        return JSONResponse(
            {"sizes": len(self.shop.sizes), "markets": list(self.shop.markets), "warehouses": warehouses}
        )

    async def at_stock(self, request: Request) -> Response:
        members = await json_object(request)
        made = stock.apply_changes(self.shop, members["changes"])
        return JSONResponse({"stock_changes": made, "version": len(self.kernel.ledger)})

    async def at_sizes(self, request: Request) -> Response:
        if request.method == "POST":
            for change in (await json_object(request))["changes"]:
                edits.edit_size(self.shop, change)
            return JSONResponse({})
        first = int(request.query_params.get("from", "0"))
        limit = int(request.query_params.get("limit", "100"))
        chosen = [size for key, size in self.shop.sizes.items() if key >= first][:limit]
        return JSONResponse({"sizes": [_public_size(size) for size in chosen]})

    async def at_warehouses(self, request: Request) -> Response:
        edits.edit_warehouse(self.shop, await json_object(request))
        return JSONResponse({})

    async def at_delete(self, request: Request) -> Response:
        members = await json_object(request)
        edits.delete(self.shop, members["object_type"], int(members["id"]))
        return JSONResponse({})

    async def at_sellable(self, request: Request) -> Response:
        market = market_of(self.shop, request.query_params.get("market"))
        skus = request.query_params.getlist("sku") or None
        quantities = sellable(self.shop, market, skus)
        version = len(self.kernel.ledger)
        return JSONResponse({"market": market.id, "version": version, "sellable": quantities})

    async def at_load(self, request: Request) -> Response:
        if request.method == "POST":
            settings = LoadSettings.read(await json_object(request))
            if self.load is not None:
                self.load.stop()
            self.load = Load(self.shop, settings)
        elif request.method == "DELETE" and self.load is not None:
            self.load.stop()
        return JSONResponse(self.load.public() if self.load else {"made": 0, "planned": 0, "done": True})

    async def at_webhooks(self, request: Request) -> Response:
        if request.method == "POST":
            self.webhooks.settings = self.webhooks.settings.changed(await json_object(request))
        return JSONResponse(self.webhooks.public())

    async def at_consume(self, request: Request) -> Response:
        members = await json_object(request)
        named = {name: int(members.get(name, 0)) for name in ("requests", "mutations", "complexity")}
        self.allowance.consume(self.shop.now(), **named)
        return JSONResponse({"buckets": self._buckets()})

    async def at_limits(self, request: Request) -> Response:
        if request.method == "POST":
            members = await json_object(request)
            form = members.get("retry_after_form", self.endpoint.retry_after_form)
            if form not in RETRY_AFTER_FORMS:
                raise ValueError(f"retry_after_form is one of {', '.join(RETRY_AFTER_FORMS)}")
            self.endpoint.retry_after_form = form
            if "plan" in members:
                self.allowance.change_plan(members["plan"], self.shop.now())
        return JSONResponse({"plan": self.allowance.plan, "buckets": self._buckets()})

    async def at_tokens(self, request: Request) -> Response:
        members = await json_object(request)
        if "add" in members:
            token = read_token(members["add"], self.integration)
            self.tokens[token.value] = token
        elif "revoke" in members:
            del self.tokens[members["revoke"]]
        else:
            token = self.tokens[members["token"]]
            token.removed |= set(members.get("remove", ()))
            token.removed -= set(members.get("restore", ()))
        return JSONResponse({"tokens": len(self.tokens)})

    async def at_events(self, request: Request) -> Response:
        poisoned: list[int] = []
        if request.method == "POST":
            members = await json_object(request)
            self.events.enabled = bool(members.get("enabled", self.events.enabled))
            self.events.duplicate = float(members.get("duplicate", self.events.duplicate))
            poisoned = self.events.poison_oldest(int(members.get("poison", 0)))
        queues = {
            name: {"queued": len(queue), "listeners": {k: v.change_types for k, v in queue.listeners.items()}}
            for name, queue in self.events.queues.items()
        }
        return JSONResponse({"enabled": self.events.enabled, "queues": queues, "poisoned": poisoned})

    async def at_ledger(self, request: Request) -> Response:
        asked = request.query_params
        since = int(asked.get("since", asked.get("after", "0")))
        return JSONResponse(self.kernel.ledger.public(code=asked.get("code"), after=since))

    def _buckets(self) -> list[dict[str, Any]]:
        self.allowance.refill(self.shop.now())
        return [
            {"type": b.type, "interval": b.interval, "quota": b.quota, "remaining": b.remaining_quota}
            for b in self.allowance.buckets
        ]


def read_token(members: dict[str, Any], integration: str) -> Token:
    permissions = members.get("permissions")
    return Token(
        members["token"],
        members.get("integration", integration),
        set(permissions) if permissions is not None else None,
    )


def _public_size(size: ProductSize) -> dict[str, Any]:
    return {
        "id": size.id,
        "sku": size.sku,
        "ean": size.ean,
        "variant_id": size.product_variant.id,
        "display_items": [item.id for item in size.product_variant.display_items],
        "fta": {str(key): cell.free_to_allocate_quantity for key, cell in size.stock.items()},
    }
