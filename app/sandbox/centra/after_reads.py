"""Resolvers of shipments and returns that are more than an attribute."""

from typing import Any

from graphql import GraphQLResolveInfo

from app.sandbox.centra import lists
from app.sandbox.centra.after_entities import Return, Shipment
from app.sandbox.centra.order_reads import external_id
from app.sandbox.centra.reads import Sort, Where, call_of

Info = GraphQLResolveInfo[Any]


def shipment(_: Any, info: Info, id: int) -> Shipment | None:  # noqa: A002 - the schema's name
    return call_of(info).shop.shipments.get(id)


def shipments(
    _: Any, info: Info, where: Where = None, sort: Sort = None, limit: int | None = 20, page: int | None = 1
) -> list[Shipment]:
    return lists.page_of(lists.shipments(call_of(info).shop, where, sort), limit, page)


def return_(_: Any, info: Info, id: int) -> Return | None:  # noqa: A002 - the schema's name
    return call_of(info).shop.returns.get(id)


def returns(
    _: Any, info: Info, where: Where = None, sort: Sort = None, limit: int | None = 20, page: int | None = 1
) -> list[Return]:
    return lists.page_of(lists.returns(call_of(info).shop, where, sort), limit, page)


FIELDS = {
    "Query.shipment": shipment,
    "Query.shipments": shipments,
    "Query.return": return_,
    "Query.returns": returns,
    "DirectToConsumerShipment.externalId": external_id,
    "DirectToConsumerReturn.externalId": external_id,
}
