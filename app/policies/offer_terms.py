"""The whole offer of a SKU, from the channel's terms and what Centra has (field cases 1, 2, 4).

An OF24 that leaves a member out takes it away, so an offer is built whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from app.domain.listing import Fault, Item, Offer
from app.policies.catalogue_map import OfferTerms, Rule
from app.policies.mapping import IN_MAP, values_of
from app.policies.product_rules import IN_CENTRA, is_gtin

LONGEST_SKU = 40
LONGEST_DESCRIPTION = 2000
LONGEST_LEAD_DAYS = 44
_SHORT_TEXT = re.compile(r"[^/]{1,40}")


@dataclass(frozen=True, slots=True)
class OfferChoices:
    """What the marketplace lets an offer say; None: not read yet, and not checked."""

    states: Collection[str] | None = None
    logistic_classes: Collection[str] | None = None
    required_fields: Collection[str] = ()


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
    if choices.states is not None and terms.state not in choices.states:
        faults.append(Fault("state_code", f"the marketplace has no state {terms.state}", "set `state` of the channel"))
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
        additional=additional,
    )


def _one(item: Item, rule: Rule | None, language: str) -> str:
    found = () if rule is None else values_of(item, rule, rule.language or language)
    return found[0] if found else rule.default if rule is not None else ""
