"""An offer as the platform shows it: the members of OF54 in JSON and in CSV, and of OF21 and OF22."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from app.sandbox.clock import iso
from app.sandbox.mirakl.offers import Offer, Price, Volume
from app.sandbox.mirakl.state import Shop

Reader = Callable[[Shop, Offer], Any]


def amount(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _instant(timestamp: float | None) -> str | None:
    return None if timestamp is None else iso(timestamp)


def context(price: Price) -> dict[str, Any]:
    return {
        "channel_codes": list(price.channels),
        "customer_group_ids": list(price.groups),
        "customer_organization_ids": list(price.organisations),
        "end_date": _instant(price.end),
        "start_date": _instant(price.start),
    }


def _exported_price(price: Price) -> dict[str, Any]:
    return {
        "context": context(price),
        "discount_end_date": _instant(price.discount_end),
        "discount_price": amount(price.discount),
        "discount_start_date": _instant(price.discount_start),
        "origin_price": amount(price.origin),
        "volume_prices": [_volume(volume) for volume in price.volumes],
    }


def _volume(volume: Volume) -> dict[str, Any]:
    return {
        "quantity_threshold": volume.threshold,
        "unit_discount_price": amount(volume.discount),
        "unit_origin_price": amount(volume.origin),
    }


def _fields(shop: Shop, offer: Offer) -> list[dict[str, Any]]:
    known = shop.mirrors.offer_fields
    return [
        {
            "code": code,
            "type": known[code]["type"] if code in known else "STRING",
            "value": ",".join(value) if isinstance(value, tuple) else value,
        }
        for code, value in offer.details.additional_fields
    ]


def lead_time(shop: Shop, offer: Offer) -> int:
    own = offer.details.leadtime_to_ship
    return shop.default_lead_time if own is None else own


def _logistic_class(offer: Offer) -> str | None:
    return offer.details.logistic_class


JSON_FIELDS: dict[str, Reader] = {
    "allow_quote_requests": lambda shop, offer: offer.details.allow_quote_requests,
    "available_end_date": lambda shop, offer: _instant(offer.details.available_ended),
    "available_start_date": lambda shop, offer: _instant(offer.details.available_started),
    "channels": lambda shop, offer: [],
    "currency_iso_code": lambda shop, offer: shop.currency,
    "date_created": lambda shop, offer: iso(offer.created_at),
    "deleted": lambda shop, offer: offer.deleted,
    "description": lambda shop, offer: offer.details.description or None,
    "eco_contributions": lambda shop, offer: [_eco(given) for given in offer.details.eco_contributions],
    "last_updated": lambda shop, offer: iso(offer.updated_at),
    "leadtime_to_ship": lead_time,
    "logistic_class": lambda shop, offer: {"code": _logistic_class(offer)} if _logistic_class(offer) else None,
    "max_order_quantity": lambda shop, offer: offer.details.max_order_quantity,
    "min_order_quantity": lambda shop, offer: offer.details.min_order_quantity,
    "msrp": lambda shop, offer: amount(offer.details.msrp),
    "offer_additional_fields": _fields,
    "offer_id": lambda shop, offer: offer.offer_id,
    "package_quantity": lambda shop, offer: offer.details.package_quantity,
    "price_additional_info": lambda shop, offer: offer.details.price_additional_info or None,
    "prices": lambda shop, offer: [_exported_price(price) for price in offer.prices],
    "product_sku": lambda shop, offer: offer.product_sku,
    "product_tax_code": lambda shop, offer: offer.details.product_tax_code,
    "quantity": lambda shop, offer: offer.quantity,
    "shop_id": lambda shop, offer: shop.shop_id,
    "shop_name": lambda shop, offer: shop.name,
    "shop_sku": lambda shop, offer: offer.sku,
    "state_code": lambda shop, offer: offer.state_code,
    "warehouses": lambda shop, offer: [{"code": c, "quantity": q} for c, q in offer.warehouses.items()],
}


def _eco(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "eco_contribution_amount": amount(given.get("eco_contribution_amount"))}


def _now(shop: Shop, offer: Offer) -> float | None:
    default = offer.default_price
    return None if default is None else float(default.at(shop.kernel.clock.timestamp()))


def _default(read: Callable[[Price], Any]) -> Reader:
    def reader(_: Shop, offer: Offer) -> Any:
        return None if offer.default_price is None else read(offer.default_price)

    return reader


def _ranges(read: Callable[[Volume], Decimal | None]) -> Callable[[Price], str]:
    def text(price: Price) -> str:
        steps = ((volume.threshold, read(volume)) for volume in price.volumes)
        return ",".join(f"{threshold}|{value}" for threshold, value in steps if value is not None)

    return text


CSV_FIELDS: dict[str, Reader] = {
    **{
        name.replace("_", "-"): read
        for name, read in JSON_FIELDS.items()
        if name
        not in ("channels", "eco_contributions", "logistic_class", "offer_additional_fields", "prices", "warehouses")
    },
    "channels": lambda shop, offer: "",
    "discount-end-date": _default(lambda price: _instant(price.discount_end)),
    "discount-price": _default(lambda price: amount(price.discount)),
    "discount-ranges": _default(_ranges(lambda volume: volume.discount)),
    "discount-start-date": _default(lambda price: _instant(price.discount_start)),
    "logistic-class": lambda shop, offer: _logistic_class(offer),
    "origin-price": _default(lambda price: amount(price.origin)),
    "price": _now,
    "price-ranges": _default(_ranges(lambda volume: volume.origin)),
    "total-price": _now,
}


def listed(shop: Shop, offer: Offer) -> dict[str, Any]:
    """As OF21 and OF22 show it."""
    at, details = shop.kernel.clock.timestamp(), offer.details
    product = shop.products.products.get(offer.product_sku)
    category = product.category if product else ""
    references = product.references if product else {}
    classes = shop.products.catalogue.logistic_classes
    logistic_class = _logistic_class(offer) or next(iter(classes))
    default = offer.default_price
    shared = ("channels", "currency_iso_code", "offer_id", "product_sku", "quantity", "state_code", "warehouses")
    dates = ("available_end_date", "available_start_date", "eco_contributions", "msrp", "offer_additional_fields")
    return {
        **{name: JSON_FIELDS[name](shop, offer) for name in (*shared, *dates)},
        "active": shop.is_active(offer),
        "all_prices": [_listed_price(price, at) for price in offer.prices],
        "allow_quote_requests": details.allow_quote_requests,
        "applicable_pricing": None if default is None else _listed_price(default, at),
        "category_code": category,
        "category_label": shop.products.category_label(category),
        "description": details.description,
        "fulfillment": {"center": {"code": "DEFAULT"}},
        "inactivity_reasons": shop.inactivity_reasons(offer),
        "internal_description": details.internal_description,
        "leadtime_to_ship": lead_time(shop, offer),
        "logistic_class": {"code": logistic_class, "label": classes.get(logistic_class, logistic_class)},
        "max_order_quantity": details.max_order_quantity or 0,
        "min_order_quantity": details.min_order_quantity or 0,
        "min_quantity_alert": details.min_quantity_alert or 0,
        "min_shipping_price": 0,
        "min_shipping_price_additional": 0,
        "min_shipping_type": "STD",
        "min_shipping_zone": "DEFAULT",
        "package_quantity": details.package_quantity or 0,
        "price": _now(shop, offer),
        "price_additional_info": details.price_additional_info,
        "product_references": [{"reference": v, "reference_type": kind} for kind, v in references.items()],
        "product_tax_code": details.product_tax_code,
        "product_title": product.title if product else "",
        "shipping_deadline": iso(at + 86_400 * lead_time(shop, offer)),
        "shop_sku": offer.sku,
        "total_price": _now(shop, offer),
    }


def _listed_price(price: Price, at: float) -> dict[str, Any]:
    # OF21 wants a volume's discount to be a number: without one it is left at the price.
    volumes = [
        {
            "price": float(volume.discount or volume.origin),
            "quantity_threshold": volume.threshold,
            "unit_discount_price": float(volume.discount or volume.origin),
            "unit_origin_price": float(volume.origin),
        }
        for volume in price.volumes
    ]
    return {
        "channel_code": price.channels[0] if len(price.channels) == 1 else None,
        "context": context(price),
        "discount_end_date": _instant(price.discount_end),
        "discount_start_date": _instant(price.discount_start),
        "price": float(price.at(at)),
        "unit_discount_price": amount(price.discount),
        "unit_origin_price": float(price.origin),
        "volume_prices": volumes,
    }
