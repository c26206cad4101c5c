"""The whole offer of a SKU, from the channel's terms and what Centra has (field cases 1, 2, 4).

An OF24 that leaves a member out takes it away, so an offer is built whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from app.domain.listing import Fault, Item, Offer
from app.policies.mapping import IN_MAP, Rule, values_of
from app.policies.product_rules import IN_CENTRA, is_gtin

LONGEST_SKU = 40
LONGEST_DESCRIPTION = 2000
LONGEST_LEAD_DAYS = 44
BY_EAN = Rule(field="size.ean")
_SHORT_TEXT = re.compile(r"[^/]{1,40}")


@dataclass(frozen=True, slots=True)
class OfferPolicy:
    """What a channel decides. Rules read Centra's fields as the product map does; `language` is the map's.

    `product_code_type`: EAN where offers are tied to products by it, else SHOP_SKU or the operator's own.
    """

    language: str
    state: str = "11"
    product_code: Rule = BY_EAN
    product_code_type: str = "EAN"
    description: Rule | None = None
    lead_time_days: int | None = None
    logistic_class: Rule | None = None
    product_tax_code: Rule | None = None
    min_order_quantity: int | None = None
    max_order_quantity: int | None = None
    package_quantity: int | None = None
    min_quantity_alert: int | None = None
    additional: Mapping[str, Rule] | None = None


@dataclass(frozen=True, slots=True)
class OfferChoices:
    """What the marketplace lets an offer say; None: not read yet, and not checked."""

    states: Collection[str] | None = None
    logistic_classes: Collection[str] | None = None
    required_fields: Collection[str] = ()


def offer_of(item: Item, policy: OfferPolicy, choices: OfferChoices) -> Offer | list[Fault]:
    """The whole offer, or everything that is wrong with it."""
    faults: list[Fault] = []
    if not _SHORT_TEXT.fullmatch(item.sku):
        faults.append(Fault("shop_sku", f"{item.sku!r} is longer than {LONGEST_SKU} characters or has a /", IN_CENTRA))
    code = _one(item, policy.product_code, policy.language)
    if not code:
        faults.append(Fault("product_id", f"it has no {policy.product_code_type}", "fill it in Centra"))
    elif policy.product_code_type in ("EAN", "GTIN", "UPC") and not is_gtin(code):
        faults.append(Fault("product_id", f"{code!r} is no valid {policy.product_code_type}", IN_CENTRA))
    if choices.states is not None and policy.state not in choices.states:
        faults.append(Fault("state_code", f"the marketplace has no state {policy.state}", "set `state` of the channel"))
    if policy.lead_time_days is not None and not 0 <= policy.lead_time_days <= LONGEST_LEAD_DAYS:
        faults.append(Fault("leadtime_to_ship", f"{policy.lead_time_days} days are not taken", "set it below 45 days"))
    logistic_class = _one(item, policy.logistic_class, policy.language)
    if logistic_class and choices.logistic_classes is not None and logistic_class not in choices.logistic_classes:
        faults.append(Fault("logistic_class", f"the marketplace has no class {logistic_class!r}", IN_MAP))
    description = _one(item, policy.description, policy.language)
    if len(description) > LONGEST_DESCRIPTION:
        words = f"has {len(description)} characters, at most {LONGEST_DESCRIPTION} are taken"
        faults.append(Fault("description", words, IN_CENTRA))
    additional = {
        name: value for name, rule in (policy.additional or {}).items() if (value := _one(item, rule, policy.language))
    }
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
        product_code_type=policy.product_code_type,
        state=policy.state,
        description=description,
        lead_time_days=policy.lead_time_days,
        logistic_class=logistic_class,
        product_tax_code=_one(item, policy.product_tax_code, policy.language),
        min_order_quantity=policy.min_order_quantity,
        max_order_quantity=policy.max_order_quantity,
        package_quantity=policy.package_quantity,
        min_quantity_alert=policy.min_quantity_alert,
        additional=additional,
    )


def _one(item: Item, rule: Rule | None, language: str) -> str:
    found = () if rule is None else values_of(item, rule, rule.language or language)
    return found[0] if found else ""
