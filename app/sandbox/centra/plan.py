"""What a GraphQL text asks for, worked out once and kept: its price, the permissions it needs, its
mutations.

Price. The reference only says that complexity grows with nested lists, roughly by multiplying limits, that
simple calls score 110 to 230, that free-to-allocate is free and the other stock figures are dear. Here: 100
for a call, 10 for each mutation, and for a list its limit (a list asked for by id: no more than the ids)
times one plus what stands inside it. 200 sizes with stock in pages of 20 score 4,300.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    parse,
    type_from_ast,
    validate,
    value_from_ast_untyped,
)

_BASE = 100
_MUTATION = 10
_RATE_LIMITS = 10
_DEFAULT_LIMIT = 20
_KEPT_PLANS = 200
# (type, field) -> price of one value. The stock figures beside free-to-allocate are summed over orders.
_DEAR_IN_STOCK = 25
_DEAR_IN_TOTALS = 250
_DEAR_FIELDS = ("physicalQuantity", "allocatedQuantity", "demandQuantity", "availableNowQuantity")
_DEAR = {("Stock", f): _DEAR_IN_STOCK for f in _DEAR_FIELDS} | {
    ("StockTotals", f): _DEAR_IN_TOTALS for f in _DEAR_FIELDS
}
# Type -> permission that reading it takes; types that are not named need none.
_READ = {
    "Event": "Event:read",
    "EventListener": "Event:read",
    "Store": "Store:read",
    "Market": "Market:read",
    "Pricelist": "Pricelist:read",
    "ShippingOption": "ShippingOption:read",
    "Warehouse": "Warehouse:read",
    "AllocationRule": "AllocationRule:read",
    "Product": "Product:read",
    "ProductVariant": "ProductVariant:read",
    "ProductSize": "ProductSize:read",
    "Display": "Display:read",
    "DisplayItem": "Display:read",
    "Stock": "ProductSize.stock:read",
    "StockTotals": "ProductSize.stockTotals:read",
    "StockChange": "StockChange:read",
    "Order": "Order:read",
    "DirectToConsumerOrder": "Order:read",
    "Shipment": "Shipment:read",
    "DirectToConsumerShipment": "Shipment:read",
    "Return": "Return:read",
    "DirectToConsumerReturn": "Return:read",
    "Allocation": "Allocation:read",
    "Brand": "Brand:read",
    "Collection": "Collection:read",
    "Folder": "Folder:read",
    "Category": "Category:read",
    "Price": "Price:read",
    "ProductMedia": "ProductMedia:read",
    "SizeChart": "SizeChart:read",
    "Customer": "Customer:read",
    "PaymentHistoryEntry": "PaymentHistory:read",
}
# Field -> permission that it takes whatever it gives.
_OF_FIELD = {
    ("Mutation", "setEventListeners"): "Event:write",
    ("Mutation", "unsetEventListeners"): "Event:write",
    ("Mutation", "confirmEvents"): "Event:write",
    ("Mutation", "setStock"): "StockChange:write",
    ("Mutation", "changeStock"): "StockChange:write",
    ("Mutation", "setIdConversions"): "IdConversion:write",
    ("Mutation", "confirmOrder"): "Order:write",
    ("Mutation", "updateDirectToConsumerOrder"): "Order:write",
    ("Mutation", "cancelDirectToConsumerOrder"): "Order:write",
    ("Mutation", "allocateOrder"): "Order:write",
    ("Mutation", "createShipment"): "Shipment:write",
    ("Mutation", "updateShipment"): "Shipment:write",
    ("Mutation", "completeShipment"): "Shipment:write",
    ("Mutation", "createReturn"): "Return:write",
    ("Mutation", "completeReturn"): "Return:write",
    ("Mutation", "uncompleteReturn"): "Return:write",
    ("Mutation", "deleteReturn"): "Return:write",
    ("Query", "idConversions"): "IdConversion:read",
    ("Order", "attributes"): "Order.attributes:read",
    ("DirectToConsumerOrder", "attributes"): "Order.attributes:read",
    ("Product", "attributes"): "Product.attributes:read",
    ("ProductVariant", "attributes"): "ProductVariant.attributes:read",
    ("Display", "attributes"): "Display.attributes:read",
    ("Order", "shippingAddress"): "Order.shippingAddress:read",
    ("Order", "billingAddress"): "Order.billingAddress:read",
    ("DirectToConsumerOrder", "shippingAddress"): "Order.shippingAddress:read",
    ("DirectToConsumerOrder", "billingAddress"): "Order.billingAddress:read",
    ("Return", "comment"): "Return.comment:read",
    ("DirectToConsumerReturn", "comment"): "Return.comment:read",
}

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType


@dataclass(frozen=True, slots=True)
class Needed:
    """A permission, and the first field that takes it."""

    permission: str
    field: str
    path: tuple[str, ...]
    line: int
    column: int


@dataclass(slots=True)
class Plan:
    """One operation of one text. `errors` is set when it cannot be run at all."""

    document: DocumentNode | None = None
    operation: OperationDefinitionNode | None = None
    errors: list[GraphQLError] = field(default_factory=list)
    mutations: int = 0
    root_fields: list[str] = field(default_factory=list)
    fields: frozenset[str] = frozenset()
    needed: list[Needed] = field(default_factory=list)
    deprecated: list[str] = field(default_factory=list)
    name: str = "unknown"


@dataclass(frozen=True, slots=True)
class _Seen:
    """A field met on the way through the text."""

    node: FieldNode
    definition: GraphQLField
    parent: Composite
    path: tuple[str, ...]

    @property
    def returned(self) -> GraphQLNamedType:
        return get_named_type(self.definition.type)


class Planner:
    """Plans by text and operation name; the last 200 are kept."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._plans: OrderedDict[tuple[str, str | None], Plan] = OrderedDict()

    def plan(self, query: str, operation_name: str | None) -> Plan:
        key = (query, operation_name)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._made(query, operation_name)
            if len(self._plans) > _KEPT_PLANS:
                self._plans.popitem(last=False)
        return plan

    def complexity(self, plan: Plan, variables: dict[str, Any]) -> int:
        """The price of running the plan with these variables."""
        if plan.operation is None or plan.document is None:
            return 0
        if plan.root_fields == ["rateLimits"]:
            return _RATE_LIMITS
        known = _with_defaults(plan.operation, variables)
        root = self._schema.get_root_type(plan.operation.operation)
        inside = self._price(plan.document, plan.operation.selection_set, root, known) if root else 0
        return _BASE + _MUTATION * plan.mutations + inside

    def _made(self, query: str, operation_name: str | None) -> Plan:
        try:
            document = parse(query)
        except GraphQLError as error:
            return Plan(errors=[error], name=operation_name or "unknown")
        problems = validate(self._schema, document)
        operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        chosen = [o for o in operations if operation_name is None or (o.name and o.name.value == operation_name)]
        if not problems and len(chosen) != 1:
            text = "Must provide operation name" if operation_name is None else f"No operation {operation_name!r}"
            problems = [GraphQLError(text)]
        if problems:
            return Plan(errors=problems, name=operation_name or "unknown")
        return self._described(document, chosen[0])

    def _described(self, document: DocumentNode, operation: OperationDefinitionNode) -> Plan:
        root = self._schema.get_root_type(operation.operation)
        if root is None:
            return Plan(errors=[GraphQLError(f"no {operation.operation.value} here")])
        seen = list(self._walk(document, operation.selection_set, root, ()))
        roots = [s.node.name.value for s in seen if len(s.path) == 1]
        name = operation.name.value if operation.name else (roots[0] if roots else "unknown")
        plan = Plan(document=document, operation=operation, root_fields=roots, name=name)
        plan.mutations = len(roots) if operation.operation is OperationType.MUTATION else 0
        plan.fields = frozenset(s.node.name.value for s in seen)
        plan.needed = _needed(seen)
        for found in seen:
            if found.definition.deprecation_reason is not None:
                where = f"{found.parent.name}.{found.node.name.value}"
                plan.deprecated.append(f"Field: {where}, reason: {found.definition.deprecation_reason}")
        return plan

    def _walk(
        self, document: DocumentNode, selections: SelectionSetNode, parent: Composite, path: tuple[str, ...]
    ) -> Iterator[_Seen]:
        """Every field in the order of the text, through fragments; introspection is left out."""
        for node in selections.selections:
            if isinstance(node, FieldNode):
                definition = _definition(parent, node)
                if definition is None:
                    continue
                here = (*path, node.alias.value if node.alias else node.name.value)
                seen = _Seen(node, definition, parent, here)
                yield seen
                returned = seen.returned
                if node.selection_set is not None and isinstance(returned, Composite):
                    yield from self._walk(document, node.selection_set, returned, here)
            else:
                inner, condition = self._fragment(document, node, parent)
                yield from self._walk(document, inner, condition, path)

    def _price(
        self, document: DocumentNode, selections: SelectionSetNode, parent: Composite, known: dict[str, Any]
    ) -> int:
        total = 0
        for node in selections.selections:
            if not isinstance(node, FieldNode):
                inner, condition = self._fragment(document, node, parent)
                total += self._price(document, inner, condition, known)
                continue
            definition = _definition(parent, node)
            if definition is None:
                continue
            returned = get_named_type(definition.type)
            if node.selection_set is None or not isinstance(returned, Composite):
                total += _DEAR.get((parent.name, node.name.value), 0)
                continue
            inside = self._price(document, node.selection_set, returned, known)
            total += _length(node, definition, known) * (1 + inside) if _is_list(definition) else inside
        return total

    def _fragment(self, document: DocumentNode, node: Any, parent: Composite) -> tuple[SelectionSetNode, Composite]:
        found: InlineFragmentNode | FragmentDefinitionNode = node
        if isinstance(node, FragmentSpreadNode):
            found = next(
                d
                for d in document.definitions
                if isinstance(d, FragmentDefinitionNode) and d.name.value == node.name.value
            )
        condition = type_from_ast(self._schema, found.type_condition) if found.type_condition else parent
        return found.selection_set, condition if isinstance(condition, Composite) else parent


def _needed(seen: list[_Seen]) -> list[Needed]:
    first: dict[str, Needed] = {}
    for found in seen:
        name = found.node.name.value
        start = found.node.loc.start_token if found.node.loc else None
        wanted = []
        if (found.parent.name, name) in _OF_FIELD:
            wanted.append(_OF_FIELD[found.parent.name, name])
        wanted += [_READ[t] for t in (found.parent.name, found.returned.name) if t in _READ]
        for permission in wanted:
            line, column = (start.line, start.column) if start else (1, 1)
            first.setdefault(permission, Needed(permission, name, found.path, line, column))
    return list(first.values())


def _definition(parent: Composite, node: FieldNode) -> GraphQLField | None:
    if isinstance(parent, GraphQLUnionType):
        return None
    found: GraphQLField | None = parent.fields.get(node.name.value)
    return found


def _is_list(definition: GraphQLField) -> bool:
    kind = definition.type.of_type if isinstance(definition.type, GraphQLNonNull) else definition.type
    return isinstance(kind, GraphQLList)


def _length(node: FieldNode, definition: GraphQLField, known: dict[str, Any]) -> int:
    """How many members the list is priced at; lists without a limit count as one."""
    if "limit" not in definition.args:
        return 1
    given = {argument.name.value: value_from_ast_untyped(argument.value, known) for argument in node.arguments or ()}
    limit = given.get("limit", _DEFAULT_LIMIT)
    length = limit if isinstance(limit, int) else _DEFAULT_LIMIT
    where = given.get("where")
    if isinstance(where, dict) and where.get("id") is not None:
        ids = where["id"]
        length = min(length, len(ids) if isinstance(ids, list) else 1)
    return max(1, length)


def _with_defaults(operation: OperationDefinitionNode, variables: dict[str, Any]) -> dict[str, Any]:
    defaults = {
        d.variable.name.value: value_from_ast_untyped(d.default_value)
        for d in operation.variable_definitions or ()
        if d.default_value is not None
    }
    return {**defaults, **variables}
