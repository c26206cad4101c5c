"""What we read from Mirakl, as far as we use it.

Read models are tolerant: members we do not name are skipped, members we can live without may be null or
missing, and enums are plain text, since new values may appear at any time. A list is read item by item.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec


class Account(msgspec.Struct, frozen=True):
    """A01: the shop behind the key."""

    shop_id: int
    shop_name: str | None = None
    shop_state: str | None = None
    suspension_type: str | None = None
    closed_from: str | None = None
    closed_to: str | None = None
    currency_iso_code: str | None = None
    model: str | None = None
    channels: tuple[str, ...] | None = None
    approval_delay: int | None = None


class OrderWorkflows(msgspec.Struct, frozen=True):
    order_acceptance: str | None = None
    shipping_and_billing_details_before_acceptance: bool | None = None
    pay_on_shipment: bool | None = None
    pay_on_due_date: bool | None = None
    no_customer_payment_confirmation: bool | None = None
    pause_debit_workflow: bool | None = None
    sellers_edit_shipping_origin: bool | None = None


class ShipmentSwitches(msgspec.Struct, frozen=True):
    multi_shipment: bool | None = None
    multi_part_item_shipment: bool | None = None


class PricingSwitches(msgspec.Struct, frozen=True):
    channel_pricing: str | None = None
    scheduled_pricing: bool | None = None
    volume_pricing: bool | None = None
    volume_discount: bool | None = None
    discount_period_required: bool | None = None
    discount_price_creation_in_the_past_blocked: bool | None = None


class ReturnSwitches(msgspec.Struct, frozen=True):
    marketplace: bool | None = None
    drop_ship: bool | None = None
    one_creditor: bool | None = None


class CatalogSwitches(msgspec.Struct, frozen=True):
    """`list_of_multiple_values_separator`: what stands between several values of an attribute in a product file."""

    list_of_multiple_values_separator: str | None = None
    product_acceptance_by_channel: bool | None = None
    product_data_validation_by_channel: bool | None = None
    product_import_only_on_leaf: bool | None = None
    exclude_invalid_products: bool | None = None


class OrderConditions(msgspec.Struct, frozen=True):
    """Which limits of an order's quantity the platform honours."""

    minimum_order_quantity: bool | None = None
    maximum_order_quantity: bool | None = None
    package_order_quantity: bool | None = None


class TaxCollection(msgspec.Struct, frozen=True):
    activated: str | None = None
    product_tax_code_mandatory: bool | None = None


class Features(msgspec.Struct, frozen=True):
    order_workflows: OrderWorkflows | None = None
    shipment: ShipmentSwitches | None = None
    pricing: PricingSwitches | None = None
    returns: ReturnSwitches | None = None
    tax_collection: TaxCollection | None = None
    catalog: CatalogSwitches | None = None
    order_conditions: OrderConditions | None = None
    order_tax_mode: str | None = None
    offer_prices_decimals: str | int | None = None
    operator_csv_delimiter: str | None = None
    lead_time_to_ship_by_sellers_enabled: str | None = None
    disable_seller_alternative_carrier: bool | None = None
    multi_currency: bool | None = None


class Modules(msgspec.Struct, frozen=True):
    mirakl_catalog_manager: bool | None = None
    mirakl_catalog_integrator: bool | None = None
    mirakl_catalog_transformer: bool | None = None
    offer_management: bool | None = None
    offer_management_mode: str | None = None
    order_management: bool | None = None
    order_management_mode: str | None = None


class PlatformConfiguration(msgspec.Struct, frozen=True):
    """PC01: the switches that change what we do. A member that is None was not told."""

    features: Features | None = None
    modules: Modules | None = None
    platform_name: str | None = None
    tenant_name: str | None = None
    timezone: str | None = None


class AdditionalField(msgspec.Struct, frozen=True):
    """AF01: a custom field of offers, shops, orders or order lines."""

    code: str
    entity: str | None = None
    type: str | None = None
    label: str | None = None
    required: bool | None = None
    editable: bool | None = None
    accepted_values: tuple[str, ...] | None = None
    regex: str | None = None


class OfferState(msgspec.Struct, frozen=True):
    """OF61: a condition such as new or used."""

    code: str
    label: str | None = None


class Carrier(msgspec.Struct, frozen=True):
    """SH21. Without a tracking URL the carrier has none."""

    code: str
    label: str | None = None
    standard_code: str | None = None
    tracking_url: str | None = None


class ShippingType(msgspec.Struct, frozen=True):
    """SH12. `mandatory_tracking`: its parcels are refused without a tracking number."""

    code: str
    label: str | None = None
    mandatory_tracking: bool | None = None


class Reason(msgspec.Struct, frozen=True):
    """RE01: why something is refunded, cancelled, returned or opened."""

    code: str
    type: str | None = None
    label: str | None = None
    is_shop_right: bool | None = None


class OrderTax(msgspec.Struct, frozen=True):
    """OR75: the rule decides whether a refund must name its taxes."""

    code: str
    label: str | None = None
    tax_calculation_rule: str | None = None


class StockImportStatus(msgspec.Struct, frozen=True):
    """STO02. `status` is WAITING, RUNNING, COMPLETE, FAILED or something newer."""

    import_id: str
    status: str
    shop_id: int | None = None
    lines_in_success: int | None = None
    lines_in_error: int | None = None
    has_error_report: bool | None = None
    date_created: str | None = None


class WarehouseQuantity(msgspec.Struct, frozen=True):
    code: str | None = None
    quantity: int | None = None


class OfferPrice(msgspec.Struct, frozen=True):
    """A price of an offer, for all sales channels or one."""

    origin_price: Decimal | None = None
    discount_price: Decimal | None = None


class Offer(msgspec.Struct, frozen=True):
    """OF54: one offer of an export; a deleted one comes in differential exports only."""

    shop_sku: str
    quantity: int | None = None
    active: bool | None = None
    deleted: bool | None = None
    offer_id: int | None = None
    product_sku: str | None = None
    state_code: str | None = None
    currency_iso_code: str | None = None
    last_updated: str | None = None
    shop_id: int | None = None
    warehouses: tuple[WarehouseQuantity, ...] | None = None
    prices: tuple[OfferPrice, ...] | None = None

    @property
    def by_warehouse(self) -> dict[str, int] | None:
        """Its quantity by warehouse code; None where none are shown, or not all of them can be read."""
        found = {one.code: one.quantity for one in self.warehouses or ()}
        known = {code: units for code, units in found.items() if code is not None and units is not None}
        return known if known and len(known) == len(self.warehouses or ()) else None

    @property
    def lowest_price(self) -> Decimal | None:
        """The least that the offer may cost in any sales channel, with or without a discount."""
        asked = (amount for p in self.prices or () for amount in (p.origin_price, p.discount_price))
        return min((amount for amount in asked if amount is not None), default=None)


@dataclass(frozen=True)
class ExportStatus:
    """OF53. `status` is PENDING, COMPLETED, FAILED or something newer; each URL is read once, by OF54."""

    status: str
    urls: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class StockLine:
    """One line of an STO01 file: an offer's absolute quantity, at one warehouse or (empty code) overall."""

    sku: str
    quantity: int
    warehouse_code: str = ""

    def __post_init__(self) -> None:
        if not self.sku or self.quantity < 0:
            raise ValueError(f"a stock line needs a SKU and a quantity of 0 or more, not {self.quantity}")


@dataclass(frozen=True)
class StockLineError:
    """One line of an STO03 report: `line` counts the header, so the first data row is 2."""

    line: int
    message: str
    sku: str
    quantity: str = ""
    warehouse_code: str = ""
