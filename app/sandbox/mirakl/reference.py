"""The marketplace's reference data: what a shop may only read (A01, PC01, AF01, OF61, SH12, SH21, RE01, OR75,
DO01).

Invented values in the documented shapes. Tests change them through POST /_sandbox/shop: `configuration` and
`account` are merged member by member, the lists are replaced whole.
"""

import copy
from typing import Any
from zoneinfo import ZoneInfo

from app.sandbox.mirakl.catalogue_seeds import Seed

_NO_TAX_NUMBER: dict[str, Any] = {"mandatory": False, "validation_regex": None}

_FEATURES: dict[str, Any] = {
    "catalog": {
        "allow_shop_contribution_to_all_channels": False,
        "exclude_invalid_products": True,
        "list_of_multiple_values_separator": "|",
        "product_acceptance_by_channel": False,
        "product_data_validation_by_channel": False,
        "product_import_only_on_leaf": True,
    },
    "circular_economy_data_collection": False,
    "competitive_pricing_tool": False,
    "direct_payment_customer_store": {"activated": False, "refund_cancel_authorized": False},
    "disable_seller_alternative_carrier": False,
    "dropship": {"retail_pricing_edition_enabled": "NO", "retail_pricing_enabled": False},
    "kyc_status_per_seller": False,
    "lead_time_to_ship_by_sellers_enabled": "NO",
    "multi_currency": False,
    "multi_payout_psp_per_seller": False,
    "no_reply_needed": True,
    "offer_prices_decimals": "2",
    "operator_csv_delimiter": "SEMICOLON",
    "order_conditions": dict.fromkeys(
        ("maximum_order_quantity", "minimum_order_quantity", "package_order_quantity"), False
    ),
    "order_tax_mode": "TAX_INCLUDED",
    "order_workflows": {
        "no_customer_payment_confirmation": False,
        "order_acceptance": "NOT_AUTOMATIC",
        "pause_debit_workflow": False,
        "pay_on_due_date": False,
        "pay_on_shipment": False,
        "sellers_edit_shipping_origin": False,
        "shipping_and_billing_details_before_acceptance": False,
    },
    "payment_confirmation": False,
    "pricing": {
        "channel_pricing": "DISABLED",
        "discount_period_required": False,
        "discount_price_creation_in_the_past_blocked": False,
        "scheduled_pricing": False,
        "volume_discount": False,
        "volume_pricing": False,
    },
    "promotion": dict.fromkeys(("cart_promotion_campaign", "discount_campaign", "seller_promotion"), False),
    "returns": {"drop_ship": False, "marketplace": True, "one_creditor": False},
    "shipment": {"multi_part_item_shipment": False, "multi_shipment": True},
    "shop_tax_options": {"local_tax_number": _NO_TAX_NUMBER, "tax_identification_number": _NO_TAX_NUMBER},
    "tax_collection": {
        "activated": "NO",
        "product_tax_code_mandatory": False,
        "tax_collection_by_operator": False,
    },
    "tax_id_number": _NO_TAX_NUMBER,
    "warehouses": {"geolocation": False, "restricted_countries": []},
}

_CONFIGURATION: dict[str, Any] = {
    "features": _FEATURES,
    "modules": {
        "mirakl_catalog_integrator": True,
        "mirakl_catalog_manager": False,
        "mirakl_catalog_transformer": False,
        "mirakl_platform_services": False,
        "offer_management": True,
        "offer_management_mode": "SIMPLE",
        "order_management": True,
        "order_management_mode": "SIMPLE",
        "quotes": False,
    },
    "platform_configuration": {
        "customer_model": {"b2b": False, "b2c": True},
        "enhanced_seller_invoicing": {"enabled": False},
        "platform_model": {"drop_ship": False, "marketplace": True, "one_creditor": False},
    },
    "platform_name": "Demo Bazaar",
    "tenant_name": "demo-bazaar-sandbox",
    "timezone": "Europe/Paris",
}

_ACCOUNT: dict[str, Any] = {
    "approval_delay": 5_400,
    "approval_rate": 99.1,
    "channels": [],
    "contact_informations": {
        "city": "Göteborg",
        "country": "SWE",
        "email": "marketplaces@fjordwear.example",
        "firstname": "Alva",
        "lastname": "Ekdahl",
        "street1": "Magasinsgatan 3",
        "zip_code": "411 18",
    },
    "default_billing_information": {
        "default_language": "en",
        "id": "5a1c6b1e-3a80-4f51-9d53-1c1f1f6d0b21",
        "registration_address": {
            "city": "Göteborg",
            "country_iso_code": "SWE",
            "street_1": "Magasinsgatan 3",
        },
    },
    "domains": ["PRODUCT"],
    "evaluations_count": 41,
    "free_shipping": False,
    "grade": 4.6,
    "is_professional": True,
    "model": "MARKETPLACE",
    "orders_count": 0,
    "payment_details": {"paid_balance": 0, "payable_balance": 0, "pending_balance": 0},
    "payment_method_mandatory": False,
    "premium": False,
    "shipping": {"lead_time_to_ship": 2},
    "shipping_country": "SWE",
    "shippings": [
        {
            "shipping_type_code": "STD",
            "shipping_type_label": "Home delivery",
            "shipping_zone_code": "FR",
            "shipping_zone_label": "France",
        }
    ],
    "shop_additional_fields": [],
}


def _carrier(code: str, label: str, tracking_url: str | None) -> dict[str, Any]:
    return {"code": code, "label": label, "standard_code": code, "tracking_url": tracking_url}


_LISTS: dict[str, list[dict[str, Any]]] = {
    "carriers": [
        _carrier("DHL", "DHL", "https://track.dhl.example/{trackingId}"),
        _carrier("POSTNORD", "PostNord", "https://track.postnord.example/{trackingId}"),
        _carrier("COLISSIMO", "Colissimo", "https://track.colissimo.example/{trackingId}"),
        {"code": "OWNVAN", "label": "Own van", "standard_code": None, "tracking_url": None},
    ],
    "shipping_types": [
        {
            "click_and_collect": False,
            "code": code,
            "delivery_by_operator": False,
            "description": "",
            "ignore_lead_time_to_ship": False,
            "label": label,
            "mandatory_tracking": mandatory_tracking,
            "standard_code": f"CU_ADD-{code}",
        }
        for code, label, mandatory_tracking in (("STD", "Standard", False), ("EXP", "Express", True))
    ],
    "documents": [
        {"code": code, "description": "", "entity": "ORDER", "label": label, "mime_types": ["application/pdf"]}
        for code, label in (("CUSTOMER_INVOICE", "Invoice for the buyer"), ("CREDIT_NOTE", "Credit note"))
    ],
    "reasons": [
        {"code": code, "is_shop_right": by_shop, "label": label, "type": kind}
        for code, by_shop, label, kind in (
            ("2", False, "Parcel has not come", "INCIDENT_OPEN"),
            ("7", True, "Settled with the buyer", "INCIDENT_CLOSE"),
            ("14", False, "No answer from the shop", "REFUND"),
            ("15", True, "Out of stock", "REFUND"),
            ("16", True, "Buyer withdrew before dispatch", "REFUND"),
            ("17", True, "Goods came back", "REFUND"),
            ("19", True, "Settled with the buyer", "REFUND"),
            ("35", True, "Out of stock", "CANCELATION"),
            ("34", True, "Buyer withdrew before dispatch", "CANCELATION"),
            ("26", True, "Something else", "ORDER_MESSAGING"),
            ("TOO_SMALL", True, "Too small", "RETURN"),
            ("TOO_LATE", True, "Return period over", "RETURN_REJECTION"),
            ("WORN", True, "Worn or damaged", "RETURN_NON_COMPLIANT"),
        )
    ],
    "taxes": [{"code": "VAT", "label": "VAT", "tax_calculation_rule": "PROPORTIONAL_TO_AMOUNT"}],
    "offer_states": [
        {"code": "11", "label": "New", "active": True},
        {"code": "10", "label": "Refurbished", "active": False},
    ],
    "additional_fields": [
        {
            "code": "centra-order",
            "editable": True,
            "entity": "ORDER",
            "label": "Shop order number",
            "required": False,
            "type": "STRING",
        },
        {
            "accepted_values": ["summer", "winter"],
            "code": "season",
            "editable": True,
            "entity": "OFFER",
            "label": "Season",
            "required": False,
            "type": "LIST",
        },
    ],
}


class Mirrors:
    """This marketplace's own copy of the reference data."""

    def __init__(self, seed: Seed) -> None:
        self.configuration = copy.deepcopy(_CONFIGURATION)
        merge(self.configuration, copy.deepcopy(seed.configuration))
        self.account = copy.deepcopy(_ACCOUNT)
        self.lists = copy.deepcopy(_LISTS)
        self.lists["additional_fields"].extend(copy.deepcopy(seed.offer_fields))

    def change(self, name: str, value: Any) -> None:
        """`configuration` and `account` are merged, a list is replaced; ValueError for an unknown name."""
        if name == "configuration":
            merge(self.configuration, value)
        elif name == "account":
            merge(self.account, value)
        elif name in self.lists and isinstance(value, list):
            self.lists[name] = value
        else:
            raise ValueError(f"a shop has no {name} that could be set so")

    def public(self) -> dict[str, Any]:
        return {"configuration": self.configuration, "account": self.account, **self.lists}

    @property
    def zone(self) -> ZoneInfo:
        """Where a date without a zone is meant."""
        return ZoneInfo(self.configuration["timezone"])

    def feature(self, *path: str) -> Any:
        """A member of PC01's `features`."""
        found = self.configuration["features"]
        for name in path:
            found = found[name]
        return found

    @property
    def offer_fields(self) -> dict[str, dict[str, Any]]:
        """AF01's fields of offers by code."""
        return {field["code"]: field for field in self.lists["additional_fields"] if field["entity"] == "OFFER"}

    def order_workflow(self, name: str) -> Any:
        """A switch of PC01's `features.order_workflows`."""
        return self.configuration["features"]["order_workflows"][name]

    @property
    def multi_shipment(self) -> bool:
        return bool(self.configuration["features"]["shipment"]["multi_shipment"])

    @property
    def returns(self) -> bool:
        """Whether shops of this model have the returns feature."""
        model = "drop_ship" if self.account["model"] == "DROPSHIP" else str(self.account["model"]).lower()
        return bool(self.configuration["features"]["returns"][model])

    @property
    def order_tax_mode(self) -> str:
        return str(self.configuration["features"]["order_tax_mode"])

    def may_use(self, kind: str, code: Any) -> bool:
        """Whether RE01 has a reason of this type and code that a shop may give."""
        wanted = (kind, str(code), True)
        return any((r["type"], r["code"], r["is_shop_right"]) == wanted for r in self.lists["reasons"])

    def carriers(self) -> dict[str, Any]:
        return {"carriers": self.lists["carriers"]}

    def shipping_types(self) -> dict[str, Any]:
        return {"shipping_types": self.lists["shipping_types"]}

    def documents(self) -> dict[str, Any]:
        return {"documents": self.lists["documents"]}

    def reasons(self) -> dict[str, Any]:
        return _counted("reasons", self.lists["reasons"])

    def taxes(self) -> dict[str, Any]:
        return {"taxes": self.lists["taxes"]}

    def offer_states(self, active: str | None) -> dict[str, Any]:
        """`active` is the query parameter: true, false or not given."""
        chosen = [s for s in self.lists["offer_states"] if active in (None, str(s.get("active", True)).lower())]
        shown = [{"code": s["code"], "label": s["label"]} for s in chosen]
        return _counted("offer_states", shown)

    def additional_fields(self, entities: str | None) -> dict[str, Any]:
        """`entities` is a comma list; without it all fields are given."""
        wanted = set(entities.split(",")) if entities else None
        chosen = [f for f in self.lists["additional_fields"] if wanted is None or f.get("entity") in wanted]
        return _counted("additional_fields", chosen)


def merge(target: dict[str, Any], changes: Any) -> None:
    """Deep: objects are merged, everything else is replaced."""
    if not isinstance(changes, dict):
        raise TypeError("an object is expected")
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            merge(target[name], value)
        else:
            target[name] = value


def _counted(name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: items, "total_count": len(items)}
