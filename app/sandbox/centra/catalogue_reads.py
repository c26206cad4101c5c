"""Resolvers of the catalogue that are more than an attribute."""

from collections.abc import Iterable
from typing import Any

from graphql import GraphQLResolveInfo

from app.sandbox.centra import lists
from app.sandbox.centra.attributes import Attribute
from app.sandbox.centra.catalogue_entities import STANDARD, MediaSource, ProductMedia
from app.sandbox.centra.entities import Product
from app.sandbox.centra.reads import Sort, Where, call_of

Info = GraphQLResolveInfo[Any]


def product(_: Any, info: Info, id: int) -> Product | None:  # noqa: A002 - the schema's name
    return call_of(info).shop.products.get(id)


def products(
    _: Any, info: Info, where: Where = None, sort: Sort = None, limit: int | None = 20, page: int | None = 1
) -> list[Product]:
    return lists.page_of(lists.products(call_of(info).shop.products, where, sort), limit, page)


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
