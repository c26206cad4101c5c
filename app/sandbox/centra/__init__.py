"""The Centra stand-in: GraphQL Integration API, Order API, shared rate limits, event queues, webhooks and a
shop behind them.

Config members, all optional but one of `token` and `tokens`: `token` | `tokens` [{"token", "integration",
"permissions"}], `integration` ("centra-mirakl"), `plan` ("Growth", "Enhanced", "High volume", "Enterprise":
the default), `retry_after_form` ("unix", "http_date", "delta"), `events_enabled` (true), `event_duplicate`
(0), `webhook_url`, `webhook_secret`, `webhook_kinds`, `webhook_retries`, `utc_offset_minutes` (60), `seed`
(dice of faults, events and webhooks), `catalogue` (a seed request, see seed.py; 100 sizes by default),
`order_api_secret` ("s-order-api-of-the-lab"), `order_options` (see order_admin.py).
"""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Scope

from app.sandbox.centra import seed
from app.sandbox.centra.admin import RETRY_AFTER_FORMS, Admin, read_token
from app.sandbox.centra.after_admin import AfterAdmin
from app.sandbox.centra.catalogue_admin import CatalogueAdmin
from app.sandbox.centra.dates import ShopZone
from app.sandbox.centra.endpoint import PATH, Endpoint, error_body
from app.sandbox.centra.events import EventSystem
from app.sandbox.centra.limits import Allowance
from app.sandbox.centra.order_admin import OrderAdmin
from app.sandbox.centra.order_api import OrderApi
from app.sandbox.centra.order_api import code_of as order_code_of
from app.sandbox.centra.shop import Shop
from app.sandbox.centra.webhooks import Webhooks, WebhookSettings
from app.sandbox.clock import Clock
from app.sandbox.faults import Kernel, instrument

__all__ = ["create_app"]

_ORDER_API_SECRET = "s-order-api-of-the-lab"  # noqa: S105 - invented, public


def create_app(config: dict[str, Any], clock: Clock) -> Starlette:
    """Raises ValueError or KeyError for a config that makes no sense."""
    kernel = Kernel.of(clock, config)
    shop = Shop(clock, kernel.ledger)
    zone = ShopZone(int(config.get("utc_offset_minutes", 60)))
    dice = int(config.get("seed") or 1)
    integration = config.get("integration", "centra-mirakl")
    named = config.get("tokens") or [{"token": config["token"]}]
    tokens = {token.value: token for token in (read_token(entry, integration) for entry in named)}
    events = EventSystem(
        shop,
        kernel.menu,
        enabled=bool(config.get("events_enabled", True)),
        duplicate=float(config.get("event_duplicate", 0.0)),
        seed=dice,
    )
    webhooks = Webhooks(clock, zone, _webhook_settings(config), dice)
    shop.listening += [events, webhooks]
    allowance = Allowance(config.get("plan", "Enterprise"), clock.timestamp())
    form = config.get("retry_after_form", "unix")
    if form not in RETRY_AFTER_FORMS:
        raise ValueError(f"retry_after_form is one of {', '.join(RETRY_AFTER_FORMS)}")
    endpoint = Endpoint(shop, events, allowance, kernel, tokens, zone, form)
    seed.seed(shop, config.get("catalogue", {}))
    shop.order_options = shop.order_options.changed(config.get("order_options", {}))
    admin = Admin(shop, events, allowance, webhooks, endpoint, tokens, kernel, integration)
    orders = OrderApi(shop, kernel, zone, config.get("order_api_secret", _ORDER_API_SECRET))
    graphql = Route(PATH, endpoint.answer, methods=["POST"])
    after = [*OrderAdmin(shop).routes(), *AfterAdmin(shop).routes(), *CatalogueAdmin(shop).routes()]
    app = Starlette(routes=[graphql, *orders.routes(), *admin.routes(), *after])

    def code_of(scope: Scope, body: bytes) -> str | None:
        return order_code_of(scope) or endpoint.code_of(scope, body)

    return instrument(app, kernel, code_of=code_of, admit=endpoint.admit, error_body=error_body)


def _webhook_settings(config: dict[str, Any]) -> WebhookSettings:
    prefix = "webhook_"
    members = {name.removeprefix(prefix): value for name, value in config.items() if name.startswith(prefix)}
    return WebhookSettings().changed(members)
