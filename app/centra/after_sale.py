"""What happened to orders in Centra since they were placed: cancelled units, parcels and returns, in one question."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.centra.graphql import CentraCalls
from app.centra.lists import AFTER_SALE, listed
from app.centra.returns import ReturnRead
from app.centra.shipments import ShipmentRead
from app.wire.decode import Items
from app.wire.outcome import Outcome

AFTER_SALE_LIMIT = 50
"""The most orders of one question."""
CANCELLED = "CANCELLED"


class LineAfterSale(msgspec.Struct, frozen=True, rename="camel"):
    """Units of an order line; its comment is the marketplace's order line id. Cancelling lines lowers `quantity`,
    cancelling the whole order leaves it.
    """

    id: int
    quantity: int
    cancelled_quantity: int
    comment: str | None = None


class OrderAfterSale(msgspec.Struct, frozen=True):
    """An order with its parcels and returns as they are now; one that is not among them was removed."""

    number: int
    status: str
    lines: tuple[LineAfterSale, ...]
    shipments: tuple[ShipmentRead, ...]
    returns: tuple[ReturnRead, ...]

    @property
    def is_cancelled(self) -> bool:
        return self.status == CANCELLED

    @property
    def cancelled(self) -> dict[str, int]:
        """All cancelled units by the marketplace's order line id."""
        units: dict[str, int] = {}
        for line in self.lines:
            line_id = (line.comment or "").strip()
            whole = line.quantity if self.is_cancelled else 0  # which `cancelled_quantity` may contain
            units[line_id] = units.get(line_id, 0) + max(line.cancelled_quantity, whole)
        return {line_id: count for line_id, count in units.items() if count}


class AfterSaleOperations:
    """The reads of what happened after the sale."""

    _calls: CentraCalls

    async def read_after_sale(
        self, numbers: Sequence[int], *, headroom: float = AFTER_SALE
    ) -> Outcome[Items[OrderAfterSale]]:
        """Up to 50 orders, by number. One is known to be gone only if nothing is unreadable."""
        if not 0 < len(numbers) <= AFTER_SALE_LIMIT:
            raise ValueError(f"between 1 and {AFTER_SALE_LIMIT} numbers, not {len(numbers)}")
        variables = {"numbers": list(numbers), "limit": len(numbers)}
        return await listed(self._calls, "order_after_sale", variables, "orders", OrderAfterSale, "number", headroom)
