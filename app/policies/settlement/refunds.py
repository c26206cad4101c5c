"""Refunds in the transaction log against those of the order and of Centra, by their ids (field case 58).

The order says what was given back; Centra's credits bear the ids that OR28 gave, or that the marketplace made by
itself. What of a fee was given back is not in our facts, so it is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.ids import OrderLineId
from app.domain.money import words
from app.domain.orders import Order, OrderLine, Refunded
from app.domain.settlement import Difference, Kind, Transaction
from app.policies.order_entry import TAX_INCLUDED
from app.policies.settlement.amounts import REFUNDED_PARTS, Component, gaps, given_back, only_cycle, told_of
from app.policies.settlement.commission import Fee, told_fee, wrong_refund
from app.policies.settlement.terms import Credited, Subject
from app.policies.settlement.types import meaning_of

Taken = Mapping[OrderLineId, tuple[Sequence[OrderLine], Fee | None]]
"""By order line: the commission that the log took, and of which lines in all."""


@dataclass(frozen=True, slots=True)
class Refunds:
    """One order's refunds as everybody tells them. `booked`: the log's lines in the order's currency, by refund id."""

    subject: Subject
    order: Order
    booked: Mapping[str, Sequence[Transaction]]
    taken: Taken
    credited: Sequence[Credited] | None
    """None where the channel's refunds are not followed in Centra."""

    def differences(self) -> Iterator[Difference]:
        """Everything that differs, at most once for each refund and part."""
        entries = (entry for line in self.order.lines for entry in line.taken)
        shown = {entry.refund_id: entry for entry in entries if not entry.cancelation}
        in_centra = {id_ for credit in self.credited or () for id_ in credit.refund_ids}
        for refund_id, entry in shown.items():
            rows = self.booked.get(refund_id, ())
            if any(meaning_of(row.type).part for row in rows):
                yield from self._of_booked(entry, rows)
                yield from self._not_in_centra(entry, in_centra)
            else:
                yield from self._missing(entry)
        for refund_id, rows in self.booked.items():
            if refund_id not in {*shown, *in_centra}:
                yield from self._unknown(refund_id, rows)
        for credit in self.credited or ():
            yield from self._of_credit(credit, shown)

    def _of_booked(self, entry: Refunded, rows: Sequence[Transaction]) -> Iterator[Difference]:
        subject, currency = self.subject, self.subject.currency
        if not subject.has_had_time(max(self._made_at(entry), *(row.created_at for row in rows))):
            return
        cycle, included = only_cycle(rows), self.order.tax_mode == TAX_INCLUDED
        for gap in gaps(self._expected(entry), told_of(rows), REFUNDED_PARTS, tax_included=included):
            text = (
                f"{gap.name} of refund {entry.refund_id}: the order gives back {words(-gap.expected, currency)},"
                f" the log {words(-gap.told, currency)}"
            )
            yield subject.difference(
                Kind.AMOUNT,
                f"{entry.refund_id}:{gap.name}",
                gap.expected,
                gap.told,
                text,
                line_id=entry.line_id,
                cycle=cycle,
            )
        lines, taken = self.taken.get(entry.line_id, ((), None))
        if taken is None:
            return
        wrong = wrong_refund(entry, lines, taken, told_fee(rows), subject.terms.commission, currency)
        if wrong is not None:
            text = f"refund {entry.refund_id}: {wrong.words}"
            yield subject.difference(
                Kind.COMMISSION, entry.refund_id, wrong.expected, wrong.told, text, line_id=entry.line_id, cycle=cycle
            )

    def _missing(self, entry: Refunded) -> Iterator[Difference]:
        total = sum(self._expected(entry).values())
        if total and self._is_late(self._made_at(entry)):
            text = f"refund {entry.refund_id} of {words(-total, self.subject.currency)} is not in the log"
            yield self.subject.difference(Kind.REFUND_MISSING, entry.refund_id, total, 0, text, line_id=entry.line_id)

    def _not_in_centra(self, entry: Refunded, in_centra: set[str]) -> Iterator[Difference]:
        if self.credited is None or entry.refund_id in in_centra or not self._is_late(self._made_at(entry)):
            return
        total = sum(self._expected(entry).values())
        text = f"refund {entry.refund_id} of {words(-total, self.subject.currency)} has no credit in Centra"
        yield self.subject.difference(Kind.ORDER_UNKNOWN, entry.refund_id, None, total, text, line_id=entry.line_id)

    def _unknown(self, refund_id: str, rows: Sequence[Transaction]) -> Iterator[Difference]:
        if self.subject.has_had_time(max(row.created_at for row in rows)):
            total = sum(row.amount for row in rows)
            shown = words(total, self.subject.currency)
            text = f"the log has {shown} for refund {refund_id}, which the order does not show"
            yield self.subject.difference(
                Kind.ORDER_UNKNOWN, refund_id, None, total, text, line_id=rows[0].line_id, cycle=only_cycle(rows)
            )

    def _of_credit(self, credit: Credited, shown: Mapping[str, Refunded]) -> Iterator[Difference]:
        subject, currency = self.subject, self.subject.currency
        ids, amount = ", ".join(credit.refund_ids), credit.amount
        if not credit.refund_ids or not set(credit.refund_ids) <= {*shown, *self.booked}:
            if self._is_late(credit.at):
                named = f" as refund {ids}" if ids else ""
                money = "the buyer" if amount is None else words(amount, currency)
                text = f"{credit.source}: Centra credits {money}{named}, the marketplace shows no such refund"
                expected = None if amount is None else -amount
                yield subject.difference(Kind.REFUND_MISSING, credit.source, expected, 0, text)
            return
        if amount is None or not set(credit.refund_ids) <= set(shown):
            return
        entries = [shown[id_] for id_ in credit.refund_ids]
        given = -sum(sum(self._expected(entry).values()) for entry in entries)
        rounding = sum(entry.quantity for entry in entries) + 1  # Centra's, as `refund_match.is_given` allows it
        if abs(given - amount) > rounding and self._is_late(credit.at):
            text = (
                f"{credit.source}: Centra credits {words(amount, currency)},"
                f" refund {ids} gave back {words(given, currency)}"
            )
            yield subject.difference(Kind.AMOUNT, credit.source, -amount, -given, text)

    def _expected(self, entry: Refunded) -> dict[Component, int]:
        return {place: -units for place, units in given_back(self.order, entry).items()}

    def _made_at(self, entry: Refunded) -> datetime:
        return entry.created_at or self.order.updated_at

    def _is_late(self, since: datetime) -> bool:
        return self.subject.now - since >= self.subject.terms.refund_after
