"""The next step of a marketplace return, from where it stands on both sides (field case 61; reference, section 5.5).

Accept, receive, check, refund, close, in this order: what is missing is made up for step by step, each once, however
the facts came. A return that was refused, cancelled or never received has an end, and so has one without a parcel. A
return moves no money at the marketplace: the refund is the credit that Centra completed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Literal

from app.domain.after_sale import Advice, Credit, Stop
from app.domain.ids import OrderId, OrderLineId
from app.policies.order_steps import Wait

RETURNLESS = "RETURN_METHOD_RETURNLESS"
MISSING_ITEM = "RETURN_NON_COMPLIANT_MISSING_ITEM"


class ReturnState(StrEnum):
    """The states of Mirakl's return."""

    WAITING_ACCEPTANCE = "WAITING_ACCEPTANCE"
    IN_PROGRESS = "IN_PROGRESS"
    RECEIVED = "RECEIVED"
    CLOSED = "CLOSED"
    REFUSED = "REFUSED"
    CANCELED = "CANCELED"
    NO_RECEPTION = "NO_RECEPTION"


class Action(StrEnum):
    """What may be done for a return; each is taken once."""

    ACCEPT = "accept"
    REJECT = "reject"
    EXPECT = "expect it in Centra"
    RECEIVE = "receive"
    COMPLY = "tell the check"
    REFUND = "refund"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class MarketplaceReturnLine:
    """`compliant`: what the marketplace was told of the check, None before."""

    line_id: OrderLineId
    quantity: int
    compliant: bool | None = None


@dataclass(frozen=True, slots=True)
class MarketplaceReturn:
    """A return as RT11 tells it, without its addresses."""

    return_id: str
    order_id: OrderId
    state: str
    lines: tuple[MarketplaceReturnLine, ...]
    method: str = ""
    reason: str = ""

    @property
    def returnless(self) -> bool:
        """Whether the buyer keeps the goods."""
        return self.method == RETURNLESS


@dataclass(frozen=True, slots=True)
class CentraReturn:
    """Where it stands in Centra. `back`: units by line of what was received and completed, None before."""

    expected: bool = False
    back: Mapping[OrderLineId, int] | None = None


@dataclass(frozen=True, slots=True)
class ReturnPolicy:
    """What a channel decides.

    `accept`: what to answer to a buyer who wants to return. `expect`: whether a pending return is made in Centra.
    `missing`: what becomes of announced units that Centra did not get. `returnless`, `late`: whether money goes back
    for goods that stay with the buyer, or came after the marketplace gave them up.
    """

    accept: Literal["accept", "reject", "hold"] = "accept"
    rejection: str = "RETURN_REJECTION_NOT_ELIGIBLE"
    expect: bool = True
    missing: Literal["hold", "not_compliant"] = "hold"
    returnless: Literal["refund", "hold"] = "hold"
    late: Literal["refund", "hold"] = "hold"


LET_GO = ReturnPolicy(missing="not_compliant", returnless="refund", late="refund")
"""What a person means who lets a held return go."""


@dataclass(frozen=True, slots=True)
class Act:
    """A step to take. `reason`: of a rejection, or of lines that do not comply; `lines`: the check, for COMPLY."""

    action: Action
    reason: str = ""
    lines: Mapping[OrderLineId, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more to do, unless a side changes."""

    reason: str


ReturnStep = Act | Wait | Stop | Done


_NEVER_CAME = (ReturnState.REFUSED, ReturnState.CANCELED)


class _Reached(IntEnum):
    ASKED = 0
    ACCEPTED = 1
    RECEIVED = 2
    CHECKED = 3
    CLOSED = 4


def next_return_step(
    found: MarketplaceReturn, centra: CentraReturn, policy: ReturnPolicy, taken: frozenset[Action]
) -> ReturnStep:
    """The next step of a return. `taken`: steps that were taken and answered, which RT11 may not show yet."""
    if Action.REFUND in taken and centra.back is None and not found.returnless:
        return Stop("the return was refunded, and is not completed in Centra any more", Advice.BY_HAND)
    match found.state:
        case ReturnState.WAITING_ACCEPTANCE | ReturnState.IN_PROGRESS | ReturnState.RECEIVED | ReturnState.CLOSED:
            return (
                _returnless(found, centra, policy, taken) if found.returnless else _walk(found, centra, policy, taken)
            )
        case ReturnState.REFUSED | ReturnState.CANCELED:
            return _ended(found, centra, "hold", taken)
        case ReturnState.NO_RECEPTION:
            return _ended(found, centra, policy.late, taken)
        case unknown:
            return Stop(f"the marketplace calls this return {unknown}, which we do not know", Advice.BY_HAND)


def _walk(found: MarketplaceReturn, centra: CentraReturn, policy: ReturnPolicy, taken: frozenset[Action]) -> ReturnStep:
    reached = _reached(found, taken)
    if reached < _Reached.ACCEPTED:
        return _answer(centra, policy, taken)
    if centra.back is None:
        return _goods_out(found, centra, policy, taken, reached)
    if reached < _Reached.RECEIVED:
        return Act(Action.RECEIVE)
    if reached < _Reached.CHECKED:
        return _check(found, centra.back, policy)
    if Action.REFUND not in taken:
        return _refund(found, centra.back)
    return Act(Action.CLOSE) if reached < _Reached.CLOSED else Done("received, refunded and closed")


def _reached(found: MarketplaceReturn, taken: frozenset[Action]) -> _Reached:
    checked = all(line.compliant is not None for line in found.lines)
    steps = {
        _Reached.ACCEPTED: found.state == ReturnState.IN_PROGRESS or Action.ACCEPT in taken,
        _Reached.RECEIVED: found.state == ReturnState.RECEIVED or Action.RECEIVE in taken,
        _Reached.CHECKED: (found.state == ReturnState.RECEIVED and checked) or Action.COMPLY in taken,
        _Reached.CLOSED: found.state == ReturnState.CLOSED or Action.CLOSE in taken,
    }
    return max((step for step, done in steps.items() if done), default=_Reached.ASKED)


def _answer(centra: CentraReturn, policy: ReturnPolicy, taken: frozenset[Action]) -> ReturnStep:
    if Action.REJECT in taken:
        return Wait("rejected; the marketplace moves it on")
    if centra.back is not None or policy.accept == "accept":  # goods that Centra took back are never rejected
        return Act(Action.ACCEPT)
    if policy.accept == "reject":
        return Act(Action.REJECT, policy.rejection)
    return Stop("a buyer wants to return: accept or reject it", Advice.BY_HAND)


def _goods_out(
    found: MarketplaceReturn, centra: CentraReturn, policy: ReturnPolicy, taken: frozenset[Action], reached: _Reached
) -> ReturnStep:
    """The step while Centra has completed nothing."""
    if reached is _Reached.CLOSED:
        return Done("closed at the marketplace, nothing came back to Centra")
    if policy.expect and not centra.expected and Action.EXPECT not in taken:
        return Act(Action.EXPECT)
    got = "is told as received" if found.state == ReturnState.RECEIVED else "is under way"
    return Wait(f"the return {got}; Centra has not completed it")


def _check(found: MarketplaceReturn, back: Mapping[OrderLineId, int], policy: ReturnPolicy) -> ReturnStep:
    """What the warehouse found, for every line, as the marketplace wants it."""
    announced = _announced(found)
    complies = {line_id: back.get(line_id, 0) >= units for line_id, units in announced.items()}
    if all(complies.values()):
        return Act(Action.COMPLY, lines=complies)
    if policy.missing == "not_compliant":
        return Act(Action.COMPLY, MISSING_ITEM, complies)
    short = {str(key): f"{back.get(key, 0)} of {announced[key]}" for key, ok in complies.items() if not ok}
    return Stop("fewer units came back than the buyer announced", Advice.BY_HAND, short)


def _refund(found: MarketplaceReturn, back: Mapping[OrderLineId, int]) -> ReturnStep:
    announced = _announced(found)
    refused = {line.line_id for line in found.lines if line.compliant is False}
    if whole := sorted(line_id for line_id in refused if back.get(line_id, 0) >= announced[line_id]):
        words = "the check at the marketplace says that goods do not comply, and Centra credits all of them"
        return Stop(words, Advice.BY_HAND, {"lines": ", ".join(whole)})
    return Act(Action.REFUND)


def _announced(found: MarketplaceReturn) -> Counter[OrderLineId]:
    units: Counter[OrderLineId] = Counter()
    for line in found.lines:
        units[line.line_id] += line.quantity
    return units


def _returnless(
    found: MarketplaceReturn, centra: CentraReturn, policy: ReturnPolicy, taken: frozenset[Action]
) -> ReturnStep:
    """Nothing is received, so nothing can be checked or closed: it ends with the refund."""
    if _reached(found, taken) < _Reached.ACCEPTED:
        return _answer(centra, policy, taken)
    if Action.REFUND in taken:
        return Done("refunded, the buyer keeps the goods")
    if centra.back is not None or policy.returnless == "refund":
        return Act(Action.REFUND)
    return Stop("the buyer keeps the goods: decide whether money goes back", Advice.BY_HAND)


def _ended(
    found: MarketplaceReturn, centra: CentraReturn, late: Literal["refund", "hold"], taken: frozenset[Action]
) -> ReturnStep:
    if centra.back is None or Action.REFUND in taken:
        return Done(f"the marketplace has it as {found.state}")
    if late == "refund":
        return Act(Action.REFUND)
    return Stop(f"goods came back for a return that is {found.state}: decide whether money goes back", Advice.BY_HAND)


def answers(credit: Credit, found: Sequence[MarketplaceReturn]) -> MarketplaceReturn | None:
    """The marketplace's return that a credit of Centra answers: by its id, else the only one of the same units."""
    named = [told for told in found if told.return_id == credit.reference]
    if credit.reference:
        return named[0] if named else None
    units: Counter[OrderLineId] = Counter()
    for line in credit.lines:
        units[line.line_id] += line.quantity
    alike = [told for told in found if _announced(told) == units and told.state not in _NEVER_CAME]
    return alike[0] if len(alike) == 1 else None
