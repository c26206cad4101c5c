"""Resolvers of the catalogue that are more than an attribute."""

from collections.abc import Iterable
from typing import Any

from graphql import GraphQLResolveInfo

from app.sandbox.centra import lists
from app.sandbox.centra.attributes import Attribute
from app.sandbox.centra.call import Lost
from app.sandbox.centra.catalogue_entities import STANDARD, MediaSource, ProductMedia
from app.sandbox.centra.entities import Product
from app.sandbox.centra.reads import Sort, Where, call_of
from app.sandbox.faults import Fault

Info = GraphQLResolveInfo[Any]


def product(_: Any, info: Info, id: int) -> Product | None:  # noqa: A002 - the schema's name
    return call_of(info).shop.products.get(id)


def products(
    _: Any, info: Info, where: Where = None, sort: Sort = None, limit: int | None = 20, page: int | None = 1
) -> list[Product]:
    """`missing_product` leaves one out in silence, `partial_error` with an error: the one that the fault's `product`
    option numbers, else the first.
    """
    call = call_of(info)
    found = lists.page_of(lists.products(call.shop.products, where, sort), limit, page)
    if call.faults.missing_product is not None:
        struck = _struck(found, call.faults.missing_product)
        found = [product for product in found if product is not struck]
    partial = call.faults.partial_product
    for index, product in enumerate(found):
        if partial is not None and product is _struck(found, partial):
            call.lost.append(Lost(str(info.path.key), index, partial.options.get("mode") == "null"))
    return found


def _struck(found: list[Product], fault: Fault) -> Product | None:
    number = fault.options.get("product")
    return next((product for product in found if number in (None, product.product_number)), None)


def attributes(thing: Any, info: Info, where: Where = None) -> Iterable[Attribute]:
    rule = (where or {}).get("type_name")
    return [a for a in thing.attributes if rule is None or lists.text_fits(a.type.name, rule)]


def source(media: ProductMedia, info: Info, size_name: str) -> MediaSource | None:
    return MediaSource(media.type, media.url) if size_name == STANDARD else None


FIELDS = {
    "Query.product": product,
    "Query.products": products,
    "Product.attributes": attributes,
    "ProductVariant.attributes": attributes,
    "Display.attributes": attributes,
    "ProductMedia.source": source,
}
