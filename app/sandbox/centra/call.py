"""One GraphQL call under way: who calls, on which shop, and which faults were drawn for it."""

from dataclasses import dataclass, field
from typing import Any

from app.sandbox.centra.entities import ProductSize
from app.sandbox.centra.events import EventSystem
from app.sandbox.centra.limits import Allowance
from app.sandbox.centra.plan import Plan
from app.sandbox.centra.shop import Shop
from app.sandbox.faults import Fault, FaultMenu


@dataclass(slots=True)
class Target:
    """The size a fault strikes: the one its `sku` or `size_id` option names, else the first one met."""

    fault: Fault
    size_id: int | None = None

    def hits(self, size: ProductSize) -> bool:
        sku = self.fault.options.get("sku")
        if sku is not None:
            return size.sku == str(sku)
        if self.size_id is None:
            self.size_id = int(self.fault.options.get("size_id", size.id))
        return size.id == self.size_id


@dataclass(slots=True)
class Lost:
    """A member of a list that a partial error takes out of the answer: left out, or null in its place."""

    key: str
    index: int
    as_null: bool


@dataclass(slots=True)
class Faults:
    """What was drawn from the menu for this call; None where nothing was."""

    permission: Fault | None = None
    slow_pages: Fault | None = None
    poison: Fault | None = None
    partial: Target | None = None
    missing: Target | None = None
    no_stock: Target | None = None
    partial_product: Fault | None = None
    missing_product: Fault | None = None
    user_errors: Fault | None = None
    user_warnings: Fault | None = None
    unknown_enum: Fault | None = None


@dataclass(slots=True)
class Call:
    shop: Shop
    events: EventSystem
    allowance: Allowance
    integration: str
    plan: Plan
    faults: Faults
    lost: list[Lost] = field(default_factory=list)


def draw(menu: FaultMenu, code: str, plan: Plan) -> Faults:
    """Asks the menu for the kinds that this call can show, so that a fault is not used up by one that
    cannot.
    """

    def target(kind: str, possible: bool) -> Target | None:
        fault = menu.take(code, kind) if possible else None
        return Target(fault) if fault else None

    def fault(kind: str, possible: Any) -> Fault | None:
        return menu.take(code, kind) if possible else None

    pages = "productSizes" in plan.root_fields
    return Faults(
        permission=fault("permission", plan.needed),
        slow_pages=fault("slow_pages", plan.operation is not None and not plan.mutations),
        poison=fault("poison", "events" in plan.root_fields),
        partial=target("partial_error", pages or "productSize" in plan.fields),
        missing=target("missing_size", pages),
        partial_product=fault("partial_error", "products" in plan.root_fields),
        missing_product=fault("missing_product", "products" in plan.root_fields),
        no_stock=target("no_stock_rows", not plan.fields.isdisjoint({"stock", "stockTotals"})),
        user_errors=fault("user_errors", plan.mutations),
        user_warnings=fault("user_warnings", plan.mutations),
        unknown_enum=fault("unknown_enum", "status" in plan.fields),
    )
