"""Returns of what was shipped. A return hangs on one completed shipment and needs units: there is no credit of an
amount alone, and none before dispatch.

PENDING it only says what is expected. Completed, the units count as returned and stand on the shelf again, unless
they were to be removed. Completing can be undone, and a return of either status can be deleted. No update time is
kept. A refund here is the payment provider's; an order whose marketplace pays back has none.

Ledger: RETURN, RETURN_COMPLETE, RETURN_UNCOMPLETE, RETURN_DELETE, RETURN_REFUND, each with the order's `number`, the
`return_id` and its `grand_total`.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.sandbox.centra.after_entities import Return, ReturnLine, Shipment, ShipmentLine
from app.sandbox.centra.order_entities import PaymentHistoryEntry
from app.sandbox.centra.order_stock import NotPossible, put_back
from app.sandbox.centra.orders import note
from app.sandbox.centra.shop import Shop

_ZERO = Decimal(0)
_REFUND_STATUS = {"REFUND": "SUCCESS", "REFUND_REQUEST": "PENDING", "REFUND_FAILED": "FAILED"}


@dataclass(frozen=True, slots=True)
class Costs:
    """What is given back beside the goods, with tax, and the fee that is kept (`return_cost`)."""

    shipping: Decimal = _ZERO
    handling: Decimal = _ZERO
    return_cost: Decimal = _ZERO


_NO_COSTS = Costs()


def create(
    shop: Shop,
    shipment: Shipment,
    units: list[tuple[ShipmentLine, int]],
    costs: Costs = _NO_COSTS,
    *,
    release: bool = True,
    comment: str | None = None,
    created_at: float | None = None,
) -> Return:
    """A PENDING return; `release` says whether its units will go back to the shelf that they came from."""
    if not shipment.is_shipped:
        raise NotPossible(f"shipment {shipment.number} is not completed")
    _check_units(units)
    made = Return(
        id=next(shop.numbers.returned),
        shipment=shipment,
        lines=[ReturnLine(next(shop.numbers.return_line), quantity, line) for line, quantity in units],
        created_at=shop.now() if created_at is None else created_at,
        return_warehouse=units[0][0].taken_from[0].warehouse if release else None,
        shipping=costs.shipping,
        handling=costs.handling,
        return_cost=costs.return_cost,
        comment=comment,
    )
    if min(costs.shipping, costs.handling, costs.return_cost) < 0 or made.grand_total.amount < 0:
        raise NotPossible("costs are not below 0, and the return cost is not above what is given back")
    if costs.shipping > shipment.shipping_left:
        raise NotPossible(f"shipping cost cannot exceed {shipment.shipping_left}, what remains on the shipment")
    for line, quantity in units:
        line.claimed_quantity += quantity
    shipment.order.returns.append(made)
    shop.returns[made.id] = made
    _tell(shop, made, "CREATED", "RETURN")
    return made


def complete(shop: Shop, made: Return) -> None:
    if made.return_status == "COMPLETED":
        raise NotPossible(f"return {made.id} is completed already")
    _count(shop, made, 1, "returned")
    made.return_status = "COMPLETED"
    _tell(shop, made, "COMPLETED", "RETURN_COMPLETE")


def uncomplete(shop: Shop, made: Return) -> None:
    """Pending again; its units leave the shelf, even if somebody has been promised them since."""
    if made.return_status != "COMPLETED":
        raise NotPossible(f"return {made.id} is not completed")
    _undo(shop, made)
    _tell(shop, made, "UPDATED", "RETURN_UNCOMPLETE")


def delete(shop: Shop, made: Return) -> None:
    if made.return_status == "COMPLETED":
        _undo(shop, made)
    for line in made.lines:
        line.shipment_line.claimed_quantity -= line.quantity
    made.order.returns.remove(made)
    shop.forget_names("Return", made.external_ids)
    del shop.returns[made.id]
    _tell(shop, made, "DELETED", "RETURN_DELETE")


def refund(shop: Shop, made: Return, entry_type: str = "REFUND", reference: str | None = None) -> PaymentHistoryEntry:
    """The payment provider pays a completed return back (REFUND), is asked to (REFUND_REQUEST), or cannot
    (REFUND_FAILED).
    """
    if made.return_status != "COMPLETED" or _is_paid_back(made):
        raise NotPossible(f"return {made.id} is not completed, or is paid back already")
    entry = PaymentHistoryEntry(
        id=next(shop.numbers.payment),
        created_at=shop.now(),
        entry_type=entry_type,
        status=_REFUND_STATUS[entry_type],
        external_reference=reference,
        value=made.grand_total,
        payment_method=None,
    )
    made.refund_payment_history.append(entry)
    made.order.payment_history.append(entry)
    _tell(shop, made, "UPDATED", "RETURN_REFUND", payment=entry.id, entry_type=entry_type)
    return entry


def _check_units(units: list[tuple[ShipmentLine, int]]) -> None:
    wanted: dict[int, int] = {}
    for line, quantity in units:
        wanted[line.id] = wanted.get(line.id, 0) + quantity
        left = line.quantity - line.claimed_quantity
        if quantity < 1 or wanted[line.id] > left:
            raise NotPossible(f"shipment line {line.id} has {left} units that can be returned")
    if not wanted:
        raise NotPossible("a return has units")


def _is_paid_back(made: Return) -> bool:
    return any(entry.status == "SUCCESS" for entry in made.refund_payment_history)


def _undo(shop: Shop, made: Return) -> None:
    if _is_paid_back(made):
        raise NotPossible(f"return {made.id} is paid back")
    _count(shop, made, -1, "return_undone")
    made.return_status = "PENDING"


def _count(shop: Shop, made: Return, sign: int, cause: str) -> None:
    for line in made.lines:
        quantity = sign * line.quantity
        line.shipment_line.returned_quantity += quantity
        line.order_line.returned_quantity += quantity
        if made.return_warehouse is not None:
            put_back(shop, line.order_line.product_size, made.return_warehouse, quantity, cause)


def _tell(shop: Shop, made: Return, change_type: str, code: str, **facts: Any) -> None:
    shop.emit("Return", change_type, made.id, made.store, made.market)
    note(shop, made.order, code, return_id=made.id, grand_total=made.grand_total.value, **facts)
