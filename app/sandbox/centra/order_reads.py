"""Resolvers of orders that are more than an attribute."""

from typing import Any

from graphql import GraphQLResolveInfo

from app.sandbox.centra import lists
from app.sandbox.centra.names import Named
from app.sandbox.centra.order_entities import IdConversion, Order, OrderLine
from app.sandbox.centra.reads import Sort, Where, call_of

Info = GraphQLResolveInfo[Any]


def order(_: Any, info: Info, id: str) -> Order | None:  # noqa: A002 - the schema's name
    return call_of(info).shop.order_by_hash.get(id)


def orders(
    _: Any,
    info: Info,
    where: Where = None,
    sort: Sort = None,
    limit: int | None = 20,
    page: int | None = 1,
) -> list[Order]:
    return lists.page_of(lists.orders(call_of(info).shop, where, sort), limit, page)


def order_lines(order: Order, info: Info, include_fully_cancelled: bool | None = False) -> list[OrderLine]:
    return [line for line in order.order_lines if include_fully_cancelled or not line.is_gone]


def external_id(named: Named, info: Info) -> str | None:
    """What the caller's own integration calls it."""
    entry = named.external_ids.get(call_of(info).integration)
    return entry.external_id if entry else None


def id_conversions(
    _: Any, info: Info, where: Where = None, limit: int | None = 20, page: int | None = 1
) -> list[IdConversion]:
    call = call_of(info)
    return lists.page_of(lists.conversions(call.shop, call.integration, where), limit, page)


FIELDS = {
    "Query.order": order,
    "Query.orders": orders,
    "Query.idConversions": id_conversions,
    "DirectToConsumerOrder.lines": order_lines,
    "DirectToConsumerOrder.externalId": external_id,
}
