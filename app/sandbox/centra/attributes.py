"""Custom attributes of orders and of the catalogue: a type that the shop named, and its elements."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class AttributeType:
    """A mapped one is chosen from a list of the shop's; the others are filled in object by object."""

    name: str
    is_mapped: bool = False


@dataclass(slots=True, eq=False)
class AttributeStringElement:
    key: str
    value: str | None
    kind: str = "INPUT"
    description: str | None = None


@dataclass(slots=True, eq=False)
class AttributeChoiceElement:
    """`selected_value` is the option's code, the other one what people read."""

    key: str
    selected_value: str | None
    selected_value_name: str | None
    is_multi: bool = False
    kind: str = "SELECT"
    description: str | None = None


@dataclass(slots=True, eq=False)
class AttributeFileElement:
    key: str
    url: str | None
    kind: str = "FILE"
    description: str | None = None


@dataclass(slots=True, eq=False)
class AttributeImageElement:
    key: str
    url: str | None
    kind: str = "IMAGE"
    description: str | None = None


AttributeElement = AttributeStringElement | AttributeChoiceElement | AttributeFileElement | AttributeImageElement


@dataclass(slots=True, eq=False)
class Attribute:
    """`object_type`: what it is assigned to (Order, Product, ProductVariant, Display)."""

    type: AttributeType
    object_type: str
    elements: list[AttributeElement]
    description: str = ""
