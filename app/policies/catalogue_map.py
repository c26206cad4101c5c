"""The map of a channel, as people write and review it: which of the marketplace's words stand for which of Centra's."""

from __future__ import annotations

import msgspec


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an attribute's value comes from: one of a field of Centra, a constant, or a template with {fields}.

    `default`: in the marketplace's words, where that gives nothing. `language`: of Centra's texts, where it is not the
    one of the attribute's locale or of the map.
    """

    field: str = ""
    constant: str = ""
    template: str = ""
    default: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.field, self.constant, self.template))) != 1:
            raise ValueError("give one of field, constant and template")


BY_EAN = Rule(field="size.ean")


class OfferTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What offers of a channel say beside stock and prices. Those that are rules read Centra's fields.

    `product_code_type`: EAN where offers are tied to products by it, else SHOP_SKU or the operator's own.
    `available_from`, `available_until`: a day (2026-11-27, in the marketplace's zone) or an instant (ISO 8601).
    """

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
    available_from: Rule | None = None
    available_until: Rule | None = None
    additional: dict[str, Rule] = {}


class CatalogueMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The map of a channel. `attributes` hold for all categories, `by_category` (by hierarchy code) go before them.

    `values`: by the code of a value list, Centra's word (case and blanks do not matter) to the list's code. `language`:
    the shop's own, in which Centra's untranslated texts are.
    """

    category: str
    """Code of the attribute that names the category."""
    language: str = "en"
    categories: dict[str, str] = {}
    attributes: dict[str, Rule] = {}
    by_category: dict[str, dict[str, Rule]] = {}
    values: dict[str, dict[str, str]] = {}
    offer: OfferTerms = msgspec.field(default_factory=OfferTerms)

    def __post_init__(self) -> None:
        for name in (*self.categories, *(word for words in self.values.values() for word in words)):
            if not name.strip():
                raise ValueError("a category or value without a name is mapped")

    def rule_for(self, hierarchy: str, code: str) -> Rule | None:
        """Where an attribute comes from in a category."""
        return self.by_category.get(hierarchy, {}).get(code) or self.attributes.get(code)
