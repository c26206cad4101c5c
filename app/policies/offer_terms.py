"""The whole offer of a SKU, from the channel's terms and what Centra has (field cases 1, 2, 4).

An OF24 that leaves a member out takes it away, so an offer is built whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo

from app.domain.listing import Fault, Item, Offer
from app.policies.catalogue_map import OfferTerms, Rule
from app.policies.mapping import IN_MAP, values_of
from app.policies.product_rules import IN_CENTRA, is_gtin

LONGEST_SKU = 40
LONGEST_DESCRIPTION = 2000
LONGEST_LEAD_DAYS = 44
IN_FIELDS = "add it to [offer.additional] of the channel's map"
LAST_MOMENT = time(23, 59, 59)
"""Of a day that is named as an end: as OF01 takes it."""
_SHORT_TEXT = re.compile(r"[^/]{1,40}")


@dataclass(frozen=True, slots=True)
class OfferChoices:
    """What the marketplace lets an offer say; None: not read yet, and not checked."""

    states: Collection[str] | None = None
    logistic_classes: Collection[str] | None = None
    required_fields: Collection[str] = ()
    fields: Collection[str] | None = None
    zone: tzinfo = UTC
    """The marketplace's own (PC01), in which a day begins and ends."""


def zone_of(name: str | None) -> tzinfo:
    """The zone of this name; UTC where there is none, or one that nobody knows."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, OSError, ValueError):  # not found, a folder, no name at all
        return UTC


def stray_terms(terms: OfferTerms, choices: OfferChoices) -> list[Fault]:
    """What no offer of the channel can be sent with, whatever its product: said once, before it holds them all."""
    faults = _state_faults(terms, choices)
    if choices.fields is not None:
        mend = "mend its code in [offer.additional] of the channel's map"
        faults += [
            Fault(code, "the marketplace has no such field of offers", mend)
            for code in terms.additional
            if code not in choices.fields
        ]
    return faults + [
        Fault(code, "the marketplace requires this field of every offer, and it is not mapped", IN_FIELDS)
        for code in choices.required_fields
        if code not in terms.additional
    ]


def offer_of(item: Item, terms: OfferTerms, choices: OfferChoices, language: str) -> Offer | list[Fault]:
    """The whole offer, or everything that is wrong with it."""
    faults: list[Fault] = []
    if not _SHORT_TEXT.fullmatch(item.sku):
        faults.append(Fault("shop_sku", f"{item.sku!r} is longer than {LONGEST_SKU} characters or has a /", IN_CENTRA))
    code = _one(item, terms.product_code, language)
    if not code:
        faults.append(Fault("product_id", f"it has no {terms.product_code_type}", "fill it in Centra"))
    elif terms.product_code_type in ("EAN", "GTIN", "UPC") and not is_gtin(code):
        faults.append(Fault("product_id", f"{code!r} is no valid {terms.product_code_type}", IN_CENTRA))
    faults += _state_faults(terms, choices)
    if terms.lead_time_days is not None and not 0 <= terms.lead_time_days <= LONGEST_LEAD_DAYS:
        faults.append(Fault("leadtime_to_ship", f"{terms.lead_time_days} days are not taken", "set it below 45 days"))
    logistic_class = _one(item, terms.logistic_class, language)
    if logistic_class and choices.logistic_classes is not None and logistic_class not in choices.logistic_classes:
        faults.append(Fault("logistic_class", f"the marketplace has no class {logistic_class!r}", IN_MAP))
    description = _one(item, terms.description, language)
    if len(description) > LONGEST_DESCRIPTION:
        words = f"has {len(description)} characters, at most {LONGEST_DESCRIPTION} are taken"
        faults.append(Fault("description", words, IN_CENTRA))
    additional = {name: value for name, rule in terms.additional.items() if (value := _one(item, rule, language))}
    faults += [
        Fault(name, "the marketplace requires this field of an offer, and it is empty", IN_MAP)
        for name in choices.required_fields
        if name not in additional
    ]
    available = _availability(item, terms, language, choices.zone, faults)
    if faults:
        return faults
    return Offer(
        sku=item.sku,
        product_code=code,
        product_code_type=terms.product_code_type,
        state=terms.state,
        description=description,
        lead_time_days=terms.lead_time_days,
        logistic_class=logistic_class,
        product_tax_code=_one(item, terms.product_tax_code, language),
        min_order_quantity=terms.min_order_quantity,
        max_order_quantity=terms.max_order_quantity,
        package_quantity=terms.package_quantity,
        min_quantity_alert=terms.min_quantity_alert,
        available_from=available[0],
        available_until=available[1],
        additional=additional,
    )


def _state_faults(terms: OfferTerms, choices: OfferChoices) -> list[Fault]:
    if choices.states is None or terms.state in choices.states:
        return []
    return [Fault("state_code", f"the marketplace has no state {terms.state}", "set `state` in [offer] of the map")]


def _availability(
    item: Item, terms: OfferTerms, language: str, zone: tzinfo, faults: list[Fault]
) -> tuple[datetime | None, datetime | None]:
    """From when until when it is on offer. A day without an hour is the marketplace's, whole."""
    begin = _moment(_one(item, terms.available_from, language), time.min, zone, "available_started", faults)
    end = _moment(_one(item, terms.available_until, language), LAST_MOMENT, zone, "available_ended", faults)
    if begin is not None and end is not None and end <= begin:
        faults.append(Fault("available_ended", f"{end} is not after {begin}", IN_CENTRA))
    return begin, end


def _moment(text: str, hour: time, zone: tzinfo, member: str, faults: list[Fault]) -> datetime | None:
    if not text:
        return None
    try:
        is_day = len(text) == len("2026-11-27")
        found = datetime.combine(date.fromisoformat(text), hour) if is_day else datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        faults.append(Fault(member, f"{text!r} is neither a day as 2026-11-27 nor an instant", IN_CENTRA))
        return None


def _one(item: Item, rule: Rule | None, language: str) -> str:
    found = () if rule is None else values_of(item, rule, rule.language or language)
    return found[0] if found else rule.default if rule is not None else ""
