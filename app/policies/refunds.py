"""A Centra credit as refunds of the marketplace (field cases 35, 56-59; business rule 21).

What Centra credits is with tax. It is divided by what each line has left of its own price and taxes, in minor units,
so that no rate is ever computed and the last refund of a line takes exactly what is left: all refunds close to the
cent. Nothing goes beyond what a line has left.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from itertools import combinations

from app.domain.after_sale import Advice, Credit, RefundOrder, Stop
from app.domain.ids import OrderLineId
from app.domain.money import major, minor
from app.domain.orders import ENDED_STATES, Order, OrderLine, OrderState, Refunded, Tax
from app.policies.order_entry import TAX_EXCLUDED, TAX_INCLUDED
from app.policies.order_steps import Wait

PROPORTIONAL = "PROPORTIONAL_TO_AMOUNT"
"""OR75's rule of a tax that the marketplace computes itself where a refund does not name it."""
AGAIN_SECONDS = 3600.0
"""After which a refund that has to wait at the marketplace is tried again."""
_CLOSED = Stop("the order is closed, the marketplace refunds nothing on it", Advice.OPERATOR)


@dataclass(frozen=True, slots=True)
class RefundPolicy:
    """What a channel decides: refund reasons of RE01, by the reason of the marketplace's return where there is one.

    `name_proportional`: also name taxes that the marketplace could compute, so that it gives back to the cent what
    Centra credits; off where an instance refuses that.
    """

    reason: str = "17"
    by_return_reason: Mapping[str, str] = field(default_factory=dict)
    name_proportional: bool = True

    def unnamed(self, tax_rules: Mapping[str, str]) -> frozenset[str]:
        """Codes of taxes that are left to the marketplace."""
        if self.name_proportional:
            return frozenset()
        return frozenset(code for code, rule in tax_rules.items() if rule == PROPORTIONAL)


@dataclass(frozen=True, slots=True)
class LineRest:
    """What a line has left to be given back. Amounts in minor units: the net one, then each tax as the order lists it.

    `units` are those not refunded or cancelled, as far as refunds say (their quantities are informative).
    """

    goods: tuple[int, ...]
    shipping: tuple[int, ...]
    units: int


def refund_for(
    credit: Credit,
    order: Order,
    taken: Sequence[Refunded],
    policy: RefundPolicy,
    tax_rules: Mapping[str, str],
    *,
    return_reason: str = "",
) -> tuple[RefundOrder, ...] | Stop:
    """What a completed credit gives back, one entry a line; nothing where its fee takes all of it.

    `taken`: every refund and cancelation of the order's lines. `tax_rules`: OR75, by code. Handling is given back
    with the shipping, on the lines credited as far as theirs goes, then on the others. A difference of one minor
    unit for each unit of a line is Centra's rounding, so all units back are exactly what the line has left.
    """
    if stop := _credit_fault(credit, order):
        return stop
    back, values = _back(credit)
    shipping = minor(credit.shipping, order.currency) + minor(credit.handling, order.currency)
    lines = {line.line_id: line for line in order.live_lines}
    rests = _rests(order, lines, lines if shipping else back, taken)
    if isinstance(rests, Stop):
        return rests
    if strange := sorted(set(back) - set(rests)):
        return Stop(f"the credit holds line {strange[0]}, which the order has no more", Advice.BY_HAND)
    goods: dict[OrderLineId, int] = {}
    for line_id, value in values.items():
        line, rest = lines[line_id], rests[line_id]
        fits = _fitted(value, sum(rest.goods), line.quantity, back[line_id] >= rest.units)
        if fits is None:
            return _beyond(order, line, value, rest, taken)
        goods[line_id] = fits
    shipped = _spread(shipping, goods, rests)
    if shipped is None:
        left = sum(sum(rest.shipping) for rest in rests.values())
        words = f"Centra gives back {_money(shipping, order)} of shipping, the order has {_money(left, order)} left"
        return Stop(words, Advice.BY_HAND)
    goods, shipped = _less(minor(credit.fee, order.currency), goods, shipped)
    reason = policy.by_return_reason.get(return_reason, policy.reason)
    unnamed = policy.unnamed(tax_rules)
    return tuple(
        given(order, lines[line_id], rest, amounts, back[line_id], reason, unnamed)
        for line_id, rest in rests.items()
        if any(amounts := (goods.get(line_id, 0), shipped.get(line_id, 0)))
    )


def kind_of_stop(refusal: str, words: str = "") -> Stop | Wait:
    """What a refused OR28 waits for. `refusal`: the name of the refusal's kind, `words` the marketplace's own."""
    said = {"said": words} if words else {}
    match refusal:
        case "BALANCE":
            return Stop("the shop's balance at the marketplace does not cover the refund", Advice.RETRY_DAILY, said)
        case "CLOSED":
            return replace(_CLOSED, evidence=said)
        case "IN_PROCESS":
            return Wait("another refund of the line is in process", AGAIN_SECONDS)
        case "NOT_DEBITED":
            return Wait("the buyer is not debited yet", AGAIN_SECONDS)
        case "OVER":
            return Stop("the marketplace says that it is more than the line has left", Advice.BY_HAND, said)
        case "TAXES":
            return Stop("the marketplace does not take the taxes of the refund", Advice.BY_HAND, said)
        case _:
            return Stop("the marketplace refused the refund", Advice.BY_HAND, said)


def rest_of(order: Order, line: OrderLine, taken: Iterable[Refunded]) -> LineRest | Stop:
    """What the line has left, or why that is not clear."""
    mine = [entry for entry in taken if entry.line_id == line.line_id]
    if line.total_price > line.price + line.shipping_price:
        fees = line.total_price - line.price - line.shipping_price
        return Stop(f"line {line.line_id} has fees of {fees} {order.currency}, which we do not divide", Advice.BY_HAND)
    if sum(entry.quantity for entry in mine if entry.cancelation) < line.cancelled_quantity:
        return Stop(f"line {line.line_id}: the amounts of its cancelations are not known", Advice.BY_HAND)
    goods = _left(order, line.price, line.taxes, ((entry.amount, entry.taxes) for entry in mine))
    shipping = _left(
        order, line.shipping_price, line.shipping_taxes, ((entry.shipping, entry.shipping_taxes) for entry in mine)
    )
    if goods is None or shipping is None:
        words = f"line {line.line_id}: its refunds took other taxes than it has, or more"
        return Stop(words, Advice.BY_HAND, {"refunds": ", ".join(entry.refund_id for entry in mine)})
    return LineRest(goods, shipping, max(0, line.quantity - sum(entry.quantity for entry in mine)))


def given(
    order: Order,
    line: OrderLine,
    rest: LineRest,
    amounts: tuple[int, int],
    quantity: int,
    reason: str,
    unnamed: frozenset[str] = frozenset(),
    *,
    not_shipped: bool = False,
) -> RefundOrder:
    """An entry that gives back `amounts` (goods, shipping: minor units with tax, no more than the rest)."""
    goods, taxes = _parted(order, line.taxes, allocate(amounts[0], rest.goods), unnamed)
    shipping, shipping_taxes = _parted(order, line.shipping_taxes, allocate(amounts[1], rest.shipping), unnamed)
    return RefundOrder(
        line_id=line.line_id,
        quantity=quantity,
        amount=goods,
        shipping=shipping,
        currency=order.currency,
        reason=reason,
        taxes=taxes,
        shipping_taxes=shipping_taxes,
        not_shipped=not_shipped,
    )


def of_units(
    order: Order,
    units: Mapping[OrderLineId, int],
    taken: Sequence[Refunded],
    reason: str,
    unnamed: frozenset[str] = frozenset(),
    *,
    not_shipped: bool = False,
) -> tuple[RefundOrder, ...] | Stop:
    """What the units of live lines cost, goods and shipping, as far as it is left: a fee that an earlier refund kept
    back is not given with them.
    """
    entries: list[RefundOrder] = []
    for line in order.live_lines:
        count = units.get(line.line_id, 0)
        if not count:
            continue
        rest = rest_of(order, line, taken)
        if isinstance(rest, Stop):
            return rest
        if count > rest.units:
            words = f"line {line.line_id}: {count} units, {rest.units} are neither refunded nor cancelled"
            return Stop(words, Advice.BY_HAND)
        amounts = (
            _of_count(order, line.price, line.taxes, line, count, rest.units, sum(rest.goods)),
            _of_count(order, line.shipping_price, line.shipping_taxes, line, count, rest.units, sum(rest.shipping)),
        )
        if not any(amounts):
            return Stop(f"line {line.line_id} has nothing left to give back for {count} units", Advice.BY_HAND)
        entries.append(given(order, line, rest, amounts, count, reason, unnamed, not_shipped=not_shipped))
    return tuple(entries)


def allocate(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Whole units by weight, which add up to the total; none is above its weight unless the total is above theirs."""
    whole = sum(weights)
    if not whole:
        return (0,) * len(weights)
    shares = [total * weight // whole for weight in weights]
    largest = sorted(range(len(weights)), key=lambda index: -(total * weights[index] % whole))
    for index in largest[: total - sum(shares)]:
        shares[index] += 1
    return tuple(shares)


def _credit_fault(credit: Credit, order: Order) -> Stop | None:
    if not credit.completed:
        return Stop("the return is not completed in Centra", Advice.BY_HAND)
    if credit.currency != order.currency:
        return Stop(f"the credit is in {credit.currency}, the order in {order.currency}", Advice.BY_HAND)
    if order.tax_mode not in (TAX_INCLUDED, TAX_EXCLUDED):
        return Stop(f"the tax mode {order.tax_mode} is not known", Advice.BY_HAND)
    if min(credit.shipping, credit.handling, credit.fee, *(line.value for line in credit.lines)) < 0:
        return Stop("an amount of the credit is negative", Advice.BY_HAND)
    parts = sum((line.value for line in credit.lines), credit.shipping + credit.handling - credit.fee)
    if credit.total is not None and abs(minor(parts - credit.total, credit.currency)) > len(credit.lines) + 1:
        words = f"the return's parts come to {parts} {credit.currency}, Centra credits {credit.total}"
        return Stop(words, Advice.BY_HAND)
    if order.state == OrderState.CLOSED:
        return _CLOSED
    if order.state in ENDED_STATES:
        return Stop(f"the order is {order.state}, the buyer never paid it", Advice.BY_HAND)
    return None


def _rests(
    order: Order, lines: Mapping[OrderLineId, OrderLine], wanted: Iterable[OrderLineId], taken: Sequence[Refunded]
) -> dict[OrderLineId, LineRest] | Stop:
    rests: dict[OrderLineId, LineRest] = {}
    for line_id in wanted:
        if line_id in lines:
            rest = rest_of(order, lines[line_id], taken)
            if isinstance(rest, Stop):
                return rest
            rests[line_id] = rest
    return rests


def _back(credit: Credit) -> tuple[Counter[OrderLineId], dict[OrderLineId, int]]:
    """Units and values by line: Centra may have one order line as two."""
    units: Counter[OrderLineId] = Counter()
    values: dict[OrderLineId, int] = defaultdict(int)
    for line in credit.lines:
        units[line.line_id] += line.quantity
        values[line.line_id] += minor(line.value, credit.currency)
    return units, values


def _fitted(value: int, left: int, rounding: int, all_back: bool) -> int | None:
    """The value as the line can give it, None where it goes beyond what is left by more than rounding."""
    if value > left + rounding:
        return None
    return left if value > left or (all_back and 0 < value >= left - rounding) else value


def _spread(
    shipping: int, first: Mapping[OrderLineId, int], rests: Mapping[OrderLineId, LineRest]
) -> dict[OrderLineId, int] | None:
    """Shipping by line, by what each has left, those of `first` before the others. None where it does not fit."""
    spread: dict[OrderLineId, int] = {}
    for group in ([line_id for line_id in rests if line_id in first], [key for key in rests if key not in first]):
        left = [sum(rests[line_id].shipping) for line_id in group]
        here = min(shipping, sum(left))
        spread |= zip(group, allocate(here, left), strict=True)
        shipping -= here
    return spread if shipping <= 1 else None  # one minor unit is rounding


def _of_count(
    order: Order, amount: Decimal, taxes: Sequence[Tax], line: OrderLine, count: int, units_left: int, left: int
) -> int:
    """The share of `count` units in all of a line, as far as it is left; all shares together close to the cent."""
    whole = sum(_parts(order, amount, [minor(tax.amount, order.currency) for tax in taxes]))
    before = line.quantity - units_left
    share = whole * (before + count) // line.quantity - whole * before // line.quantity
    fits = _fitted(share, left, line.quantity, count >= units_left)
    return left if fits is None else fits


def _less(
    fee: int, goods: dict[OrderLineId, int], shipping: dict[OrderLineId, int]
) -> tuple[dict[OrderLineId, int], dict[OrderLineId, int]]:
    """The amounts without what is kept back: from the goods, then from the shipping, never below 0."""
    kept: list[dict[OrderLineId, int]] = []
    for amounts in (goods, shipping):
        here = min(fee, sum(amounts.values()))
        off = allocate(here, list(amounts.values()))
        kept.append({line_id: amount - less for (line_id, amount), less in zip(amounts.items(), off, strict=True)})
        fee -= here
    return kept[0], kept[1]


def _left(
    order: Order, amount: Decimal, taxes: Sequence[Tax], taken: Iterable[tuple[Decimal, Sequence[Tax]]]
) -> tuple[int, ...] | None:
    """Net amount and each tax less what was taken, None where something is below 0 or a tax is not the line's."""
    left = _parts(order, amount, [minor(tax.amount, order.currency) for tax in taxes])
    for taken_amount, taken_taxes in taken:
        off = _by_place(taxes, taken_taxes, left[1:], taken_amount / amount if amount else Decimal(0), order.currency)
        if off is None:
            return None
        left = [have - less for have, less in zip(left, _parts(order, taken_amount, off), strict=True)]
    return None if min(left) < 0 else tuple(left)


def _by_place(
    taxes: Sequence[Tax], taken: Sequence[Tax], left: Sequence[int], share: Decimal, currency: str
) -> list[int] | None:
    """What a refund took of each tax of the line. None where one is not the line's.

    Taxes of one code are told apart by their order, and never added up (field case 59). A refund that names fewer of
    them than the line has leaves out those of 0: which ones is the guess that fits what is left, and is nearest to
    `share` of each.
    """
    whole, off = [minor(tax.amount, currency) for tax in taxes], [0] * len(taxes)
    for code in dict.fromkeys(tax.code for tax in taken):
        amounts = [minor(tax.amount, currency) for tax in taken if tax.code == code]
        wanted = {place: whole[place] * share for place, tax in enumerate(taxes) if tax.code == code}
        guesses = [dict(zip(places, amounts, strict=True)) for places in combinations(wanted, len(amounts))]
        if not guesses:
            return None
        for place, units in min(guesses, key=partial(_distance, wanted=wanted, left=left)).items():
            off[place] = units
    return off


def _distance(guess: Mapping[int, int], wanted: Mapping[int, Decimal], left: Sequence[int]) -> tuple[bool, Decimal]:
    over = any(units > left[place] for place, units in guess.items())
    return over, sum((abs(units - guess.get(place, 0)) for place, units in wanted.items()), start=Decimal(0))


def _parts(order: Order, amount: Decimal, taxes: list[int]) -> list[int]:
    units = minor(amount, order.currency)
    return [units - sum(taxes) if order.tax_mode == TAX_INCLUDED else units, *taxes]


def _parted(
    order: Order, taxes: Sequence[Tax], parts: Sequence[int], unnamed: frozenset[str]
) -> tuple[Decimal, tuple[Tax, ...]]:
    """The amount in the order's tax mode, and its taxes."""
    amount = sum(parts) if order.tax_mode == TAX_INCLUDED else parts[0]
    named = (
        Tax(tax.code, major(part, order.currency), tax.rate)
        for tax, part in zip(taxes, parts[1:], strict=True)
        if tax.code not in unnamed
    )
    return major(amount, order.currency), tuple(named)


def _beyond(order: Order, line: OrderLine, value: int, rest: LineRest, taken: Sequence[Refunded]) -> Stop:
    mine = [entry for entry in taken if entry.line_id == line.line_id]
    refunded = sum((entry.amount for entry in mine if not entry.cancelation), Decimal(0))
    cancelled = sum((entry.amount for entry in mine if entry.cancelation), Decimal(0))
    left = sum(rest.goods)
    return Stop(
        f"Centra credits {_money(value, order)} for line {line.line_id}, it has {_money(left, order)} left",
        Advice.BY_HAND,
        {
            "credit": _money(value, order),
            "left": _money(left, order),
            "price": f"{line.price} {order.currency} ({order.tax_mode})",
            "refunded": f"{refunded} {order.currency}",
            "cancelled": f"{cancelled} {order.currency}",
        },
    )


def _money(units: int, order: Order) -> str:
    return f"{major(units, order.currency)} {order.currency}"
