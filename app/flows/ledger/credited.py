"""What Centra, or a person, says that was given back of an order, by the intents that brought it to the marketplace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from app.domain.after_sale import Credit, Given, Parcel
from app.domain.money import minor
from app.domain.orders import Order, Refunded
from app.policies.settlement.terms import Credited
from app.store.intents import Intent, Kind, State

DEEDS = (Kind.REFUND, Kind.CANCELLATION, Kind.CREDIT, Kind.SHIPMENT)
"""What is read of an order's intents."""
OR28 = "OR28"


def shipped_at(deeds: Iterable[Intent]) -> datetime | None:
    """When the first parcel left; None: none did, or it is not known."""
    parcels = (deed.read(Parcel) for deed in deeds if deed.kind is Kind.SHIPMENT)
    return min((parcel.shipped_at for parcel in parcels if parcel.complete and parcel.shipped_at), default=None)


def credited(deeds: Sequence[Intent], order: Order) -> list[Credited]:
    """Everything that was given back with a word of ours about it.

    A refund that a person ended by hand has no id of the marketplace's: it stands for whatever refunds of the order
    nobody else explains.
    """
    found = [one for deed in deeds if (one := _credited(deed, order)) is not None]
    by_hand = [deed for deed in deeds if _is_by_hand(deed)]
    explained = {id_ for one in found for id_ in one.refund_ids}
    shown = {entry.refund_id for line in order.lines for entry in line.taken if not entry.cancelation}
    if by_hand and (left := shown - explained):
        found.append(Credited("done by hand", by_hand[0].noted_at, None, tuple(sorted(left))))
    return found


def _credited(deed: Intent, order: Order) -> Credited | None:
    match deed.kind:
        case Kind.REFUND:
            return _of_return(deed, order)
        case Kind.CANCELLATION:
            ids = _ids(deed)
            return Credited("units cancelled in Centra", deed.noted_at, None, ids) if ids else None
        case Kind.CREDIT if deed.state is State.DONE:
            refund = deed.read(Refunded)
            return Credited(f"refund {refund.refund_id} of the marketplace", deed.noted_at, None, (refund.refund_id,))
        case _:
            return None


def _of_return(deed: Intent, order: Order) -> Credited | None:
    credit = deed.read(Credit)
    given = deed.answer(tuple[Given, ...])
    if not credit.completed or _is_by_hand(deed) or given == ():  # (): its fee took all of it
        return None
    values = sum((line.value for line in credit.lines), Decimal(0))
    amount = values + credit.shipping + credit.handling - credit.fee
    units = None if credit.returnless else minor(amount, order.currency)
    return Credited(f"return {credit.return_id}", deed.noted_at, units, _ids(deed))


def _is_by_hand(deed: Intent) -> bool:
    return deed.kind is Kind.REFUND and deed.state is State.DONE and deed.told is None and deed.read(Credit).completed


def _ids(deed: Intent) -> tuple[str, ...]:
    return tuple(id_ for given in deed.answer(tuple[Given, ...]) or () if given.code == OR28 for id_ in given.ids)
