"""One shop on one marketplace: its keys, its state, its offers, the operator's rules for its orders."""

import itertools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from app.sandbox.clock import iso
from app.sandbox.faults import Kernel
from app.sandbox.mirakl.answers import Refused
from app.sandbox.mirakl.catalogue import Catalogue, seed_of
from app.sandbox.mirakl.money.rules import MoneyRules
from app.sandbox.mirakl.offer_values import OFFER, details_of, prices_of, typed
from app.sandbox.mirakl.offers import Offer
from app.sandbox.mirakl.products import ProductBook
from app.sandbox.mirakl.reference import Mirrors

SHOP_STATES = ("OPEN", "CLOSE", "SUSPENDED")
# The calls that the accountancy role has and that of a shop's admin has not: `x-api-key-roles` of the OpenAPI document.
ACCOUNTANCY_CODES = ("TL02", "TL03", "TL04", "TL05")
# What a key with the accountancy role alone may call at most, where the operator gives it more.
FINANCE_CODES = frozenset({*ACCOUNTANCY_CODES, "SBC11", "IV01", "IV02", "V01"})


@dataclass(frozen=True, slots=True)
class OrderRules:
    """How the operator treats this shop's orders; no seller can read these settings. Seconds of app time.

    `acceptance_seconds` count from the creation, `debit_seconds` and `debit_timeout_seconds` from the
    acceptance, `receive_seconds` from SHIPPED and `close_seconds` from RECEIVED (null: never).
    `zero_on_refusal`: an offer that was refused or lapsed goes to 0.

    After the sale: a refund is REFUNDED after `refund_seconds` (null: when the admin settles it) and in OR11 from
    `refund_shown_seconds` on; `one_refund_at_a_time`: none while another of the line is in process;
    `refunded_order_state`: where an order goes whose lines are all REFUNDED (null: it stays). `or30`: the feature
    is switched on. `order_level_taxes`: taxes are the order's, OR30 without tax names none.
    `or24_with_multi_shipment`: OR23 and OR24 work there too. `tracking_after_shipping`: OR23 and ST23 too.
    """

    acceptance_seconds: float = 3 * 86_400.0
    state_delay_seconds: float = 1.0
    debit_seconds: float | None = 60.0
    debit_timeout_seconds: float = 72 * 3_600.0
    zero_on_refusal: bool = True
    partial_acceptance: bool = True
    receive_seconds: float | None = 7 * 86_400.0
    close_seconds: float | None = 115 * 86_400.0
    refund_seconds: float | None = 120.0
    refund_shown_seconds: float = 0.0
    one_refund_at_a_time: bool = False
    refunded_order_state: str | None = None
    or30: bool = False
    order_level_taxes: bool = False
    or24_with_multi_shipment: bool = False
    tracking_after_shipping: bool = False


class Shop:
    """State that survives calls. `config` is this marketplace's part of the sandbox's config."""

    def __init__(self, config: dict[str, Any], kernel: Kernel) -> None:
        self.kernel = kernel
        self.config = config
        self.shop_id = int(config.get("shop_id", 2001))
        self.name = str(config.get("shop_name", f"Shop {self.shop_id}"))
        self.currency = str(config.get("currency", "EUR"))
        self.platform_currency = str(config.get("platform_currency", self.currency))
        self.state = "OPEN"
        self.suspension_type: str | None = None
        self.closed_from: str | None = None
        self.closed_to: str | None = None
        self.created_at = kernel.clock.timestamp()
        self.updated_at = self.created_at
        self.valid_keys: set[str] = set(config.get("keys", [config.get("key", "k-sandbox")]))
        # Keys with the accountancy role alone; with none, what needs that role is open to every key.
        self.accountancy_keys: set[str] = set(config.get("accountancy_keys", ()))
        self.accountancy_codes: set[str] = set(config.get("accountancy_codes", ACCOUNTANCY_CODES))
        self.forbidden_codes: set[str] = set()
        self.warehouse_codes: set[str] = set(config.get("warehouses", ()))
        seed = seed_of(config)
        self.mirrors = Mirrors(seed)
        self.products = ProductBook(Catalogue(seed), kernel.clock)
        self.order_rules = OrderRules()
        self.money_rules = MoneyRules(**config.get("money", {}))
        # Whether new prices wait for the operator.
        self.price_approval = False
        # In cents of the shop's currency; None is as much as it takes.
        self.balances: dict[str, int | None] = {"pending": None, "payable": None}
        self.offers: dict[str, Offer] = {}
        self._offer_ids = itertools.count(10_001)
        self.change({"orders": config.get("orders", {}), **config.get("shop", {})})
        self.put_offers(config.get("offers", ()))

    def change(self, members: dict[str, Any]) -> None:
        """Takes the members of POST /_sandbox/shop; ValueError or TypeError for one unknown or impossible."""
        for name, value in members.items():
            match name:
                case "state":
                    if value not in SHOP_STATES:
                        raise ValueError(f"state is one of {', '.join(SHOP_STATES)}")
                    self.state = value
                case "suspension_type" | "closed_from" | "closed_to" | "currency" | "platform_currency" | "name":
                    setattr(self, name, value)
                case "price_approval":
                    self.price_approval = bool(value)
                case "warehouses":
                    self.warehouse_codes = set(value)
                case "orders":
                    self.order_rules = replace(self.order_rules, **value)
                case _:
                    self.mirrors.change(name, value)
        if members:
            self.updated_at = self.kernel.clock.timestamp()

    def public(self) -> dict[str, Any]:
        return {
            "shop_id": self.shop_id,
            "name": self.name,
            "state": self.state,
            "suspension_type": self.suspension_type,
            "closed_from": self.closed_from,
            "closed_to": self.closed_to,
            "currency": self.currency,
            "platform_currency": self.platform_currency,
            "warehouses": sorted(self.warehouse_codes),
            "orders": asdict(self.order_rules),
            "price_approval": self.price_approval,
            **self.mirrors.public(),
        }

    def put_offers(self, given: Iterable[dict[str, Any]]) -> int:
        """Creates offers, or overwrites members of known ones; returns how many were given.

        `warehouses` are {code: quantity}; members beside that, `sku`, `active`, `ean` and `product_sku` are named and
        typed as OF24's.
        """
        at, zone, count = self.kernel.clock.timestamp(), self.mirrors.zone, 0
        for members in given:
            count += 1
            sku = str(members["sku"])
            offer = self.live_offer(sku) or self.new_offer(sku, f"P-{sku}")
            offer.product_sku = members.get("product_sku", offer.product_sku)
            offer.enabled = bool(members.get("active", offer.enabled))
            references = {"EAN": str(members["ean"])} if "ean" in members else {}
            self.products.put(offer.product_sku, "", sku, references)
            told = _typed_offer(members)
            offer.state_code = told.get("state_code", offer.state_code)
            if not offer.prices or {"price", "discount", "all_prices"} & told.keys():
                offer.prices = prices_of({"price": Decimal(str(offer.price))} | told, zone)
            offer.details = details_of(told, zone, offer.details)
            offer.updated_at = at
            if "quantity" in told:
                offer.set_quantity(told["quantity"], "", at)
            for code, quantity in members.get("warehouses", {}).items():
                offer.set_quantity(int(quantity), str(code), at)
        return count

    def new_offer(self, sku: str, product_sku: str) -> Offer:
        """An offer of nothing yet; what had this SKU before is forgotten."""
        at = self.kernel.clock.timestamp()
        offer = self.offers[sku] = Offer(next(self._offer_ids), sku, product_sku, True, at, at)
        return offer

    def may_call(self, key: str, code: str) -> bool:
        """False: the key's role does not have this call."""
        if code in self.forbidden_codes:
            return False
        if key in self.accountancy_keys and code in FINANCE_CODES:
            return True
        return key in self.valid_keys and not (self.accountancy_keys and code in self.accountancy_codes)

    def live_offer(self, sku: str) -> Offer | None:
        offer = self.offers.get(sku)
        return None if offer is None or offer.deleted else offer

    def delete_offers(self, skus: Iterable[str]) -> int:
        at, count = self.kernel.clock.timestamp(), 0
        for sku in skus:
            offer = self.live_offer(sku)
            if offer is not None:
                offer.deleted, offer.updated_at, count = True, at, count + 1
        return count

    def buy(self, sku: str, units: int) -> int:
        """A buyer's order lowers the offer's quantity; returns what is left. ValueError when it cannot be."""
        offer = self.live_offer(sku)
        if offer is None:
            raise ValueError(f"no offer {sku}")
        if not 0 < units <= offer.quantity:
            raise ValueError(f"{units} of {sku} cannot be bought: {offer.quantity} on offer")
        offer.take(units, self.kernel.clock.timestamp())
        self.kernel.ledger.record("BUY", sku=sku, quantity=units, left=offer.quantity)
        return offer.quantity

    def inactivity_reasons(self, offer: Offer) -> list[str]:
        """Why it is not on sale, in the words of OF21; none for an offer that is, or that only was switched off."""
        at, details, quantity = self.kernel.clock.timestamp(), offer.details, offer.quantity
        product = self.products.products.get(offer.product_sku)
        started = details.available_started is None or details.available_started <= at
        ended = details.available_ended is not None and details.available_ended < at
        holds = {
            "SHOP_NOT_OPEN": self.state != "OPEN",
            "ZERO_QUANTITY": quantity <= 0,
            "PRODUCT_STATUS_REJECTED": product is not None and not product.live,
            "NOT_IN_AVAILABILITY_PERIOD": ended or not started,
            "AVAILABLE_QUANTITY_LESS_THAN_MIN_ORDER_QUANTITY": 0 < quantity < (details.min_order_quantity or 0),
            "NO_ACTIVE_PRICE": not any(price.holds(at) for price in offer.prices),
        }
        return [reason for reason, does in holds.items() if does]

    def is_active(self, offer: Offer) -> bool:
        """On sale: enabled, not deleted, and nothing speaks against it."""
        return offer.enabled and not offer.deleted and not self.inactivity_reasons(offer)

    @property
    def default_lead_time(self) -> int:
        return int(self.mirrors.account["shipping"]["lead_time_to_ship"])

    def account(self) -> dict[str, Any]:
        """The answer of A01."""
        balances = {f"{name}_balance": cents / 100 for name, cents in self.balances.items() if cents is not None}
        return {
            **self.mirrors.account,
            "payment_details": {**self.mirrors.account["payment_details"], **balances},
            "shop_id": self.shop_id,
            "shop_name": self.name,
            "shop_state": self.state,
            "suspension_type": self.suspension_type,
            "closed_from": self.closed_from,
            "closed_to": self.closed_to,
            "currency_iso_code": self.currency,
            "date_created": iso(self.created_at),
            "last_updated_date": iso(self.updated_at),
            "offers_count": sum(not offer.deleted for offer in self.offers.values()),
        }


def _typed_offer(members: dict[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = typed(OFFER, members)
    except Refused as refusal:
        raise ValueError(refusal.message) from refusal
    return found
