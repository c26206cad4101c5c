"""The body of `POST /order`, checked against the shop and made into a `NewOrder`."""

from decimal import Decimal, InvalidOperation
from typing import Any

from graphql import GraphQLError

from app.sandbox.centra.attributes import Attribute, AttributeStringElement, AttributeType
from app.sandbox.centra.dates import ShopZone
from app.sandbox.centra.entities import AllocationRule, Market, Pricelist, ProductSize, ShippingOption
from app.sandbox.centra.order_entities import Address, cents
from app.sandbox.centra.orders import LIST_PRICE, NewLine, NewOrder
from app.sandbox.centra.shop import Shop

NOT_ADDABLE, SHORT, EMPTY, MISSING, NUMBER_TAKEN, GENERAL = -1, -2, -3, -4, -5, -7
_NOT_ADDABLE = "product cannot be added to the order (status, market or price list)"
_MISSING = "required field missing"
# Name in the body -> name of the address's field. A mobile number alone shows as the phone number.
_ADDRESS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "company": "company_name",
    "attn": "attention",
    "address": "address1",
    "coaddress": "address2",
    "zipcode": "zip_code",
    "city": "city",
    "state": "state_or_province",
    "email": "email",
    "tele": "phone_number",
    "cell": "cell_phone_number",
}
_MARKETPLACE_ATTRIBUTE = "ord_marketplace"


class Failed(Exception):  # noqa: N818 - says what it is
    """The call does nothing; `code` is the API's own, `status` that of HTTP."""

    def __init__(self, code: int, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def read_order(shop: Shop, zone: ShopZone, members: dict[str, Any]) -> NewOrder:
    """Raises Failed."""
    number = members.get("orderNumber")
    if number is not None and (type(number) is not int or number < 1):
        raise Failed(GENERAL, "orderNumber is a whole number")
    if number in shop.orders:
        raise Failed(NUMBER_TAKEN, "order number already exists")
    products = members.get("products")
    if not products or not isinstance(products, list):
        raise Failed(EMPTY, "order is empty")
    shared = members.get("address")
    billing = _address(shop, members.get("invoiceAddress") or shared or members.get("deliveryAddress"))
    shipping = _address(shop, members.get("deliveryAddress") or shared or members.get("invoiceAddress"))
    market = _market(shop, members, shipping)
    check_payment(members)
    return NewOrder(
        lines=tuple(_line(shop, product) for product in products),
        market=market,
        pricelist=_pricelist(shop, members, market),
        rule=_rule(shop, members.get("warehouseGroup"), market),
        number=number,
        order_date=_date(zone, members.get("orderDate")),
        shipping_address=shipping,
        billing_address=billing,
        shipping_option=_shipping_option(shop, members.get("shippingList")),
        shipping_value=_amount(members.get("shippingValue", 0)),
        comment=_text(members.get("comment")) or "",
        internal_comment=_text(members.get("internalComment")),
        attributes=_attributes(members.get("extraAttributes") or {}),
        send_email=_flag(members, "sendEmail", default=True),
        is_internal=_flag(members, "internalOrder", default=False),
        adjust_stock=_flag(members, "adjustStock", default=True),
        force_create=_flag(members, "forceCreate", default=False),
        create_only=_flag(members, "createOnly", default=False),
    )


def check_payment(members: dict[str, Any]) -> dict[str, Any]:
    """The `payment` member, empty where there is none; Failed when a status or an amount makes no sense."""
    payment = members.get("payment") or {}
    if not isinstance(payment, dict):
        raise Failed(MISSING, _MISSING)
    for kind in ("auth", "capture"):
        entry = payment.get(kind)
        if entry is None:
            continue
        if not isinstance(entry, dict) or entry.get("status") not in (0, 1, 2):
            raise Failed(MISSING, _MISSING)
        if entry.get("amount") is not None:
            _amount(entry["amount"])
    return payment


def _address(shop: Shop, members: Any) -> Address:
    if not isinstance(members, dict) or not members.get("email"):
        raise Failed(MISSING, _MISSING)
    country = shop.countries.get(str(members.get("country") or ""))
    if country is None:
        raise Failed(MISSING, _MISSING)
    address = Address(country=country, **{own: _text(members.get(name)) for name, own in _ADDRESS.items()})
    address.phone_number = address.phone_number or address.cell_phone_number
    return address


def _market(shop: Shop, members: dict[str, Any], address: Address) -> Market:
    """By id or name; without one the first that the destination belongs to, else the first."""
    chosen: Market | None = _named(shop.markets, members, "market")
    if chosen is not None:
        return chosen
    known = list(shop.markets.values())
    return next((market for market in known if address.country in market.assigned_to_countries), known[0])


def _pricelist(shop: Shop, members: dict[str, Any], market: Market) -> Pricelist:
    chosen = _named(shop.pricelists, members, "pricelist") or default_pricelist(shop, market)
    if chosen.status != "ACTIVE" or chosen.store is not market.store:
        raise Failed(NOT_ADDABLE, _NOT_ADDABLE)
    return chosen


def default_pricelist(shop: Shop, market: Market) -> Pricelist:
    return next(pricelist for pricelist in shop.pricelists.values() if pricelist.store is market.store)


def _named(found: dict[int, Any], members: dict[str, Any], name: str) -> Any:
    """What `<name>Id` or `<name>` names; None when neither is there, Failed when there is no such thing."""
    key, text = members.get(f"{name}Id"), members.get(name)
    if key is None and text is None:
        return None
    for thing in found.values():
        if thing.id == key if key is not None else thing.name == text:
            return thing
    raise Failed(NOT_ADDABLE, _NOT_ADDABLE)


def _rule(shop: Shop, name: Any, market: Market) -> AllocationRule | None:
    if not name:
        return market.allocation_rule or market.store.allocation_rule
    for rule in shop.allocation_rules.values():
        if rule.name == name:
            return rule
    raise Failed(MISSING, _MISSING)


def _shipping_option(shop: Shop, uri: Any) -> ShippingOption | None:
    if uri is None:
        return None
    for option in shop.shipping_options.values():
        if option.uri == uri:
            return option
    raise Failed(MISSING, _MISSING)


def _line(shop: Shop, members: Any) -> NewLine:
    if not isinstance(members, dict) or type(members.get("qty")) is not int or members["qty"] < 1:
        raise Failed(MISSING, _MISSING)
    size = _size(shop, members)
    variant = size.product_variant if size else None
    if size is None or variant is None or not size.is_active:
        raise Failed(NOT_ADDABLE, _NOT_ADDABLE)
    if variant.status != "ACTIVE" or variant.product.status != "ACTIVE":
        raise Failed(NOT_ADDABLE, _NOT_ADDABLE)
    price = _amount(members.get("unitPrice", LIST_PRICE))
    return NewLine(
        size, members["qty"], price, _amount(members.get("originalPrice", price)), _text(members.get("comment"))
    )


def _size(shop: Shop, members: dict[str, Any]) -> ProductSize | None:
    if members.get("id") is not None:
        return shop.sizes.get(members["id"])
    if members.get("ean") is not None:
        return shop.by_ean.get(members["ean"])
    return shop.by_sku.get(members.get("sku") or "")


def _attributes(members: dict[str, Any]) -> tuple[Attribute, ...]:
    """Names are `<attribute>_<element>`. Which underscore parts them is the shop's to know: the marketplace
    attribute is known here, of others the last one does.
    """
    found: dict[str, Attribute] = {}
    for name, value in members.items():
        known = name.startswith(f"{_MARKETPLACE_ATTRIBUTE}_")
        kind = _MARKETPLACE_ATTRIBUTE if known else name.rpartition("_")[0]
        attribute = found.setdefault(kind, Attribute(AttributeType(kind), "Order", []))
        attribute.elements.append(AttributeStringElement(name[len(kind) + 1 :], str(value)))
    return tuple(found.values())


def _date(zone: ShopZone, text: Any) -> float | None:
    try:
        return None if text is None else zone.read(text)
    except GraphQLError as error:
        raise Failed(GENERAL, error.message) from error


def _amount(value: Any) -> Decimal:
    """Money in whole cents. Failed unless it is a number of at least 0."""
    try:
        amount = cents(Decimal(str(value)))
    except InvalidOperation as error:
        raise Failed(GENERAL, f"{value!r} is no amount") from error
    if isinstance(value, bool) or amount < 0:
        raise Failed(GENERAL, f"{value!r} is no amount")
    return amount


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None


def _flag(members: dict[str, Any], name: str, *, default: bool) -> bool:
    value = members.get(name, default)
    if not isinstance(value, bool):
        raise Failed(GENERAL, f"{name} is true or false")
    return value
