"""The executable schema: our SDL with resolvers on it.

A field without a resolver of its own reads the attribute of the same name in snake case. Arguments and input
fields reach resolvers in snake case too. Instants are written by the shop's zone.
"""

import re
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
)

from app.sandbox.centra import (
    after_entities,
    after_reads,
    after_writes,
    catalogue_reads,
    order_entities,
    order_reads,
    order_writes,
    reads,
    writes,
)
from app.sandbox.centra.dates import DEFAULT_PATTERN, ShopZone

SDL = Path(__file__).with_name("schema.graphql")
_INNER_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Class -> concrete type, where a field's type is an interface or a union.
_TYPE_NAMES = {
    order_entities.Order: "DirectToConsumerOrder",
    order_entities.OrderLine: "ProductOrderLine",
    after_entities.Shipment: "DirectToConsumerShipment",
    after_entities.Return: "DirectToConsumerReturn",
}
Resolver = Callable[..., Any]
Info = GraphQLResolveInfo[Any]


def snake(name: str) -> str:
    return name.lower() if name.isupper() else _INNER_CAPITAL.sub("_", name).lower()


def executable_schema(zone: ShopZone) -> GraphQLSchema:
    schema = build_schema(SDL.read_text(encoding="utf-8"))
    modules = (reads, writes, order_reads, order_writes, after_reads, after_writes, catalogue_reads)
    own: dict[str, Resolver] = {name: resolve for module in modules for name, resolve in module.FIELDS.items()}
    for kind in schema.type_map.values():
        if kind.name.startswith("__"):
            continue
        if isinstance(kind, GraphQLObjectType):
            for name, field in kind.fields.items():
                _name_arguments(field)
                field.resolve = own.pop(f"{kind.name}.{name}", None) or _plain_resolver(name, field, zone)
        elif isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            kind.resolve_type = _concrete_type
        elif isinstance(kind, GraphQLInputObjectType):
            for name, member in kind.fields.items():
                member.out_name = snake(name)
        elif isinstance(kind, GraphQLEnumType):
            # State holds names of the enum already; an unlisted one is let out when a fault asks for it.
            kind.coerce_output_value = str  # type: ignore[method-assign, assignment]
        elif isinstance(kind, GraphQLScalarType) and kind.name == "DateTimeTz":
            kind.coerce_input_value = zone.read
    if own:
        raise LookupError(f"resolvers without a field: {', '.join(own)}")
    return schema


def _name_arguments(field: GraphQLField) -> None:
    for name, argument in field.args.items():
        argument.out_name = snake(name)


def _plain_resolver(name: str, field: GraphQLField, zone: ShopZone) -> Resolver:
    read = attrgetter(snake(name))
    if get_named_type(field.type).name == "DateTimeTz":

        def instant(
            source: Any,
            info: Info,
            format: str | None = DEFAULT_PATTERN,  # noqa: A002 - the schema's own name of the argument
        ) -> str | None:
            return zone.written(read(source), format)

        return instant
    if name == "status":

        def status(source: Any, info: Info) -> Any:
            fault = info.context.faults.unknown_enum
            return read(source) if fault is None else fault.options.get("value", "SUSPENDED")

        return status

    def attribute(source: Any, info: Info) -> Any:
        return read(source)

    return attribute


def _concrete_type(value: Any, _info: Info, _kind: Any) -> str:
    return _TYPE_NAMES.get(type(value), type(value).__name__)
