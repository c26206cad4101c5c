"""What an order needs next, from the facts alone: two pure functions, one for each flow of an order.

Path A (the address is there): create in Centra, blocked, then accept, then release. Path B (the address is hidden
until the order may be shipped): accept, wait, then the same create. Both place it blocked, read it back and let it go,
so that a wrong total is never shipped (business rules 12 and 17).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from app.domain.orders import ACCEPTANCE_TIMEOUT, ENDED_STATES, SENT_STATES, OrderState
from app.domain.progress import Acceptor, Choice, EntryCall, EntryLine, Outcome, Record

ACCEPTED_STATES = (OrderState.WAITING_DEBIT, OrderState.WAITING_DEBIT_PAYMENT, OrderState.SHIPPING)
INCOMPLETE, PENDING = "INCOMPLETE", "PENDING"
"""Statuses of Centra: created and not placed, placed and not confirmed."""
REREAD_SECONDS = 60.0
"""After an accepted order that did not move is read again by its id, and an unallocated one in Centra."""


class Action(StrEnum):
    """What the flow `orders` may do."""

    DECIDE = "decide"
    TAKE_AS_ACCEPTED = "take as accepted"
    """Somebody accepted before us: every live line counts as accepted."""
    NOTE_ACCEPTANCE = "note acceptance"
    ENTER = "enter"
    """The flow `order_entry` has its turn."""
    ACCEPT = "accept"
    REREAD = "read again"


class EntryAction(StrEnum):
    """What the flow `order_entry` may do."""

    CREATE = "create"
    CONVERT = "convert"
    COMPLETE = "complete"
    CHECK = "check"
    HOLD_IN_CENTRA = "hold in Centra"
    RELEASE = "release"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    CANCEL_LINES = "cancel lines"


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more to do, unless the marketplace changes its mind."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Wait:
    """Until something happens, or the time comes."""

    reason: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A person has to look; what they change, or a new fact, ends it."""

    reason: str


@dataclass(frozen=True, slots=True)
class StepPolicy:
    """What a channel decides about the course of an order."""

    start_at: datetime | None = None
    accepted_elsewhere: str = "hold"
    confirm: bool = True
    after_sale: bool = False
    """The marketplace is told of what Centra cancels; else a person is asked."""


Step = Action | End | Wait | Ask
EntryStep = EntryAction | Wait | Ask | None


def next_step(record: Record, policy: StepPolicy) -> Step:
    """The next step of deciding, accepting and following an order."""
    order = record.order
    if not order.ours:
        return End(Outcome.RECORDED)
    if is_over(record):
        return _over(record)
    if order.state in SENT_STATES:
        return End(Outcome.RECORDED if record.number is None else Outcome.RELEASED)
    if _is_history(record, policy):
        return End(Outcome.RECORDED)
    match order.state:
        case OrderState.STAGING:
            return Wait("the marketplace checks this order before it may be accepted")
        case OrderState.WAITING_ACCEPTANCE:
            return _undecided(record)
        case OrderState.WAITING_DEBIT | OrderState.WAITING_DEBIT_PAYMENT | OrderState.SHIPPING:
            return _accepted(record, policy)
        case unknown:
            return Ask(f"the marketplace calls this order {unknown}, which we do not know: look into its back office")


def is_over(record: Record) -> bool:
    """Whether nothing of the order will be shipped."""
    return record.order.state in ENDED_STATES or not record.order.live_lines


def _is_history(record: Record, policy: StepPolicy) -> bool:
    return policy.start_at is not None and record.order.created_at < policy.start_at and record.choice is None


def _over(record: Record) -> Step:
    if record.number is not None and not (record.entry is not None and record.entry.is_cancelled):
        return Action.ENTER
    if record.order.state != OrderState.REFUSED:
        return End(Outcome.CANCELLED)
    lapsed = record.order.state_reason == ACCEPTANCE_TIMEOUT and record.accepted_at is None
    return End(Outcome.LAPSED if lapsed else Outcome.REFUSED)


def _undecided(record: Record) -> Step:
    if record.accepted_at is not None:
        since = record.read_at - record.accepted_at
        return Action.REREAD if since < timedelta(0) else Wait("accepted; the marketplace moves it on", REREAD_SECONDS)
    if record.decided is None:
        return Action.DECIDE
    if _enters_first(record) and record.checked_at is None:
        return Action.ENTER
    return Action.ACCEPT


def _enters_first(record: Record) -> bool:
    """Path A; a person who accepts by hand does not wait for Centra."""
    decided = record.decided
    has_goods = decided is not None and bool(decided.accepted_lines)
    return record.order.has_address and has_goods and record.choice is not Choice.ACCEPT


def _accepted(record: Record, policy: StepPolicy) -> Step:
    if record.accepted_at is None:
        return Action.NOTE_ACCEPTANCE
    if is_foreign(record, policy):
        return Ask(
            "somebody else accepted this order, a person or another tool: is it in Centra already?"
            " If not, `orders release` brings it there"
        )
    if record.decided is None:
        return Action.TAKE_AS_ACCEPTED
    if is_released(record, policy):
        return End(Outcome.RELEASED)
    if may_ship(record) and record.number is None and not record.order.has_address:
        return Ask("it may be shipped, and shows no delivery address: look into the marketplace's back office")
    return Action.ENTER


def is_foreign(record: Record, policy: StepPolicy) -> bool:
    """Whether an order that somebody else accepted waits for a person (field case 40)."""
    wanted = record.choice in (Choice.ACCEPT, Choice.IMPORT)
    return record.accepted_by is Acceptor.SOMEBODY and policy.accepted_elsewhere == "hold" and not wanted


def is_released(record: Record, policy: StepPolicy) -> bool:
    """Whether the warehouse has the order, as far as it is to have it."""
    done = record.completed_at is not None and not record.blocked
    return done and (record.confirmed_at is not None or not policy.confirm)


def may_ship(record: Record) -> bool:
    """Released by the marketplace (business rule 13): debit is watched, not waited for."""
    return record.order.state == OrderState.SHIPPING and record.order.can_ship


# ------------------------------------------------------------------------------------------------- the entry


def next_entry_step(record: Record, policy: StepPolicy, now: datetime) -> EntryStep:
    """The next step of bringing an order into Centra, or out of it; None: nothing now."""
    order = record.order
    if not order.ours:
        return None
    if is_over(record):
        cancelled = record.entry is not None and record.entry.is_cancelled
        return None if record.number is None or cancelled else EntryAction.CANCEL
    if not _has_turn(record, policy):
        return None
    if record.number is None:
        return EntryAction.CREATE
    if record.converted_at is None:
        return EntryAction.CONVERT
    if record.completed_at is None:
        return EntryAction.COMPLETE
    return _placed(record, policy, now)


def _has_turn(record: Record, policy: StepPolicy) -> bool:
    order = record.order
    known = order.state == OrderState.WAITING_ACCEPTANCE or order.state in ACCEPTED_STATES
    decided = record.decided is not None and bool(record.decided.accepted_lines)
    accepted_by_hand = record.choice is Choice.ACCEPT and order.state == OrderState.WAITING_ACCEPTANCE
    foreign = is_foreign(record, policy) or _is_history(record, policy)
    placeable = order.has_address or record.number is not None  # a later copy may hide it again
    return known and decided and placeable and not foreign and not accepted_by_hand


def _placed(record: Record, policy: StepPolicy, now: datetime) -> EntryStep:
    entry, checked_at, completed_at = record.entry, record.checked_at, record.completed_at
    if entry is None or checked_at is None or completed_at is None:
        return EntryAction.CHECK
    if record.centra_changed_at is not None and record.centra_changed_at > checked_at:
        return EntryAction.CHECK
    if entry.is_cancelled and policy.after_sale:
        return None
    if entry.is_cancelled:
        return Ask("this order was cancelled in Centra and is alive at the marketplace: cancel or refund it there")
    if record.blocked and not entry.is_blocked:
        return EntryAction.HOLD_IN_CENTRA
    if surplus(record):
        return EntryAction.CANCEL_LINES
    if record.blocked and unallocated(record):  # goes on by itself once stock has come
        left = (checked_at + timedelta(seconds=REREAD_SECONDS) - now).total_seconds()
        return (
            EntryAction.CHECK if left <= 0 else Wait(record.problem or "Centra has not allocated all units yet", left)
        )
    if record.problem is not None and record.blocked:
        return Ask(record.problem)
    if not may_ship(record):
        return None
    if record.blocked:
        return EntryAction.RELEASE
    if policy.confirm and record.confirmed_at is None:
        return EntryAction.CONFIRM
    return None


def surplus(record: Record) -> tuple[tuple[EntryLine, int], ...]:
    """Lines of the Centra order with units that are no longer wanted at the marketplace, not shipped yet."""
    wanted: dict[str, int] = {}
    for line in record.order.live_lines:
        if record.decided is None or line.line_id in record.decided.accepted_lines:
            wanted[line.line_id] = line.quantity - line.cancelled_quantity
    found: list[tuple[EntryLine, int]] = []
    for entered in record.entry.lines if record.entry else ():
        left = wanted.get(entered.line_id, 0)
        taken = min(left, entered.quantity)
        wanted[entered.line_id] = left - taken
        units = min(entered.quantity - taken, entered.quantity - entered.shipped)
        if units > 0:
            found.append((entered, units))
    return tuple(found)


def unallocated(record: Record) -> int:
    """Units of the Centra order that nothing is set aside for; those that are meant to be backorders do not count."""
    short = record.decided.short if record.decided else ()
    lines = record.entry.lines if record.entry else ()
    return sum(max(0, e.quantity - e.allocated - e.shipped) for e in lines if e.line_id not in short)


def is_done(call: EntryCall, record: Record) -> bool:
    """Whether what was read back shows that a *state* call was applied. What a cancelled order does not show any more
    counts as not seen.
    """
    entry = record.entry
    if call is EntryCall.CANCEL_AT_MARKETPLACE:
        return record.order.state == OrderState.CANCELED
    if entry is None or entry.is_cancelled:
        return entry is not None and call is EntryCall.CANCEL
    match call:
        case EntryCall.CREATE | EntryCall.COMPLETE:
            return entry.status != INCOMPLETE
        case EntryCall.HOLD:
            return entry.held == record.blocked
        case EntryCall.RELEASE:
            return not entry.unpaid
        case EntryCall.CONFIRM:
            return entry.status not in (INCOMPLETE, PENDING)
        case EntryCall.CANCEL:
            return False
        case EntryCall.CANCEL_LINES:
            return not surplus(record)
    assert_never(call)
