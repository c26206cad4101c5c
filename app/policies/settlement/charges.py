"""What no order line explains: charges and credits of the operator, and types that nobody here knows (field case 63).

Each charge is one difference, with its tax, so that a person says once what it is for. One that the contract names, to
the minor unit, is explained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from app.domain.money import minor, words
from app.domain.settlement import Difference, Document, Kind, Transaction
from app.policies.settlement.terms import Terms
from app.policies.settlement.types import Group, meaning_of

NO_DOCUMENTS: Mapping[str, Document] = {}
_TOGETHER = timedelta(hours=1)
"""Within which a charge and its tax are booked."""
_BASE = {f"{group}_tax": group for group in Group}
_NAMES: Mapping[Group, str] = {
    Group.SUBSCRIPTION: "subscription",
    Group.SELLER_FEE: "fee on an order",
    Group.PENALTY: "penalty",
    Group.MANUAL_CREDIT: "manual credit",
    Group.MANUAL_INVOICE: "manual invoice",
    Group.ONE_OFF_CREDIT: "one-off credit",
    Group.ONE_OFF_DEBIT: "one-off debit",
}


def types_unknown(lines: Iterable[Transaction]) -> Iterator[Difference]:
    """Lines of a type that nobody here knows: one difference each."""
    for line in lines:
        if meaning_of(line.type).group is Group.UNKNOWN:
            text = f"{words(line.amount, line.currency)} of type {line.type}, which is not known here"
            yield _difference(Kind.TYPE_UNKNOWN, line, line.amount, _labelled(text, line.label))


def charges(
    lines: Iterable[Transaction], terms: Terms, documents: Mapping[str, Document] = NO_DOCUMENTS
) -> Iterator[Difference]:
    """One difference for each charge or credit of the operator, and one for what a dropship purchase came to.

    `documents`: accounting documents by number, where a line's own label says nothing.
    """
    told = list(lines)
    for line, amount in _with_tax(told):
        group = meaning_of(line.type).group
        name = _NAMES.get(_BASE.get(group, group), str(group))
        document = documents.get(line.document or "")
        label = line.label or (document.label if document else "")
        numbered = f" on document {line.document}" if line.document else ""
        yield _difference(
            Kind.CHARGE,
            line,
            amount,
            _labelled(f"{name} of {words(amount, line.currency)}{numbered}", label),
            explained=_explained(line, terms),
        )
    if bought := [line for line in told if meaning_of(line.type).group is Group.PURCHASE]:
        total = sum(line.amount for line in bought)
        text = f"dropship purchase: {words(total, bought[0].currency)} of commission and tax"
        why = "what the operator buys the goods for is not in the order, so there is nothing to compare with"
        yield _difference(Kind.CHARGE, bought[0], total, text, explained=why)


def _with_tax(lines: Iterable[Transaction]) -> Iterator[tuple[Transaction, int]]:
    """Each charge with its amount and tax. A tax goes with the charge of its kind that was booked with it; by itself
    it is a charge.
    """
    booked: defaultdict[tuple[object, ...], list[Transaction]] = defaultdict(list)
    for line in lines:
        meaning = meaning_of(line.type)
        if meaning.is_charge:
            base = _BASE.get(meaning.group, meaning.group)
            booked[base, line.currency, line.order_id, line.document, line.label].append(line)
    for together in booked.values():
        amounts = {line.id: line.amount for line in together if not meaning_of(line.type).tax}
        for tax in together:
            if meaning_of(tax.type).tax:
                bases = [line for line in together if line.id in amounts and not meaning_of(line.type).tax]
                base_id = _booked_with(tax, bases)
                amounts[base_id] = amounts.get(base_id, 0) + tax.amount
        yield from ((line, amounts[line.id]) for line in sorted(together, key=lambda one: one.id) if line.id in amounts)


def _booked_with(tax: Transaction, charges: Iterable[Transaction]) -> str:
    """The id of the charge that was booked closest to it, within an hour; else its own."""
    apart = [(abs(line.created_at - tax.created_at), line.id) for line in charges]
    return min((one for one in apart if one[0] <= _TOGETHER), default=(_TOGETHER, tax.id))[1]


def _explained(line: Transaction, terms: Terms) -> str | None:
    agreed: Mapping[Group, Decimal | None] = {
        Group.SUBSCRIPTION: terms.subscription,
        Group.SELLER_FEE: terms.order_fee,
    }
    amount = agreed.get(meaning_of(line.type).group)
    if amount is None or line.amount != -minor(amount, line.currency):
        return None
    return "the contract's"


def _labelled(text: str, label: str) -> str:
    return f"{text}: {label}" if label else text


def _difference(kind: Kind, line: Transaction, amount: int, text: str, explained: str | None = None) -> Difference:
    sign = meaning_of(line.type).sign
    against = ", against its usual sign" if sign * amount < 0 else ""
    return Difference(
        kind,
        f"{kind}:{line.id}",
        line.currency,
        None,
        amount,
        text + against,
        cycle=line.cycle,
        order_id=line.order_id,
        line_id=line.line_id,
        explained=explained,
    )
