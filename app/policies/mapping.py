"""Centra's words become a marketplace's: its categories, its attributes, the codes of its lists (field case 65).

A channel's map is a file that people write and review. Nothing is guessed: what is not in the map is a fault that says
where to mend it, and holds its own product only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from app.domain.listing import ANY_LANGUAGE, Attribute, Fault, Item, Row, Texts
from app.policies.catalogue_map import CatalogueMap, Rule

IN_MAP = "mend it in the map of the channel"
_HOLE = re.compile(r"\{([^{}]*)\}")


def folded(word: str) -> str:
    """A word as the map compares it."""
    return " ".join(word.casefold().split())


def hierarchy_of(item: Item, catalogue: CatalogueMap) -> str | None:
    """The marketplace's category of an item: the closest of its own that is mapped."""
    mapped = {folded(name): code for name, code in catalogue.categories.items()}
    return next((mapped[folded(name)] for name in item.categories if folded(name) in mapped), None)


def row_of(
    item: Item, catalogue: CatalogueMap, attributes_of: Callable[[str], Sequence[Attribute]], separator: str
) -> tuple[Row, tuple[Fault, ...]] | Fault:
    """The item in the marketplace's words, and what could not be said in them; a fault where it has no category.

    `attributes_of`: those of a category. `separator`: what the marketplace puts between several values.
    """
    hierarchy = hierarchy_of(item, catalogue)
    if hierarchy is None:
        closest = item.categories[0] if item.categories else ""
        words = f"Centra's category {closest!r} is not mapped" if closest else "it has no category in Centra"
        return Fault(catalogue.category, words, "add it to [categories] of the channel's map")
    values: dict[str, str] = {catalogue.category: hierarchy}
    faults: list[Fault] = []
    for attribute in attributes_of(hierarchy):
        rule = catalogue.rule_for(hierarchy, attribute.code)
        if attribute.code == catalogue.category or rule is None:
            continue
        found = values_of(item, rule, _language(rule, attribute, catalogue))
        if not found and rule.default:
            found = (rule.default,)
        elif attribute.value_list and not rule.constant:
            found, unknown = _coded(found, attribute.value_list, catalogue)
            faults += [_not_in_list(attribute, word) for word in unknown]
        if len(found) > 1 and not attribute.takes_several:
            faults.append(Fault(attribute.named, f"has {len(found)} values ({', '.join(found)}), it takes one"))
        elif found:
            values[attribute.code] = separator.join(found)
    return Row(item.sku, hierarchy, values), tuple(faults)


def _language(rule: Rule, attribute: Attribute, catalogue: CatalogueMap) -> str:
    return rule.language or attribute.locale.partition("_")[0].lower() or catalogue.language


def values_of(item: Item, rule: Rule, language: str) -> tuple[str, ...]:
    """What a rule finds; nothing where one of a template's fields is empty."""
    if rule.constant:
        return (rule.constant,)
    if rule.field:
        return _in(item.fields.get(rule.field, {}), language)
    parts = {name: _in(item.fields.get(name, {}), language) for name in _HOLE.findall(rule.template)}
    if not all(parts.values()):
        return ()
    return (_HOLE.sub(lambda hole: " ".join(parts[hole[1]]), rule.template),)


def _in(texts: Texts, language: str) -> tuple[str, ...]:
    """In this language, or where the value has none; never in another one."""
    found = texts.get(language) or texts.get(ANY_LANGUAGE, ())
    return tuple(text for value in found if (text := value.strip()))


def _coded(words: Iterable[str], value_list: str, catalogue: CatalogueMap) -> tuple[tuple[str, ...], list[str]]:
    """Codes of a list, each once, and the words that are not mapped."""
    known = {folded(word): code for word, code in catalogue.values.get(value_list, {}).items()}
    given = list(words)
    codes = dict.fromkeys(known[folded(word)] for word in given if folded(word) in known)
    return tuple(codes), [word for word in given if folded(word) not in known]


def _not_in_list(attribute: Attribute, word: str) -> Fault:
    mend = f"add it to [values.{attribute.value_list}] of the channel's map"
    return Fault(attribute.named, f"Centra's value {word!r} is not mapped", mend)


def stale_codes(catalogue: CatalogueMap, hierarchies: Iterable[str], lists: Mapping[str, Iterable[str]]) -> list[Fault]:
    """What the map names and the marketplace has no more: categories that are gone, codes that left their list."""
    open_ = set(hierarchies)
    used = [(code, f"of {name!r}") for name, code in catalogue.categories.items()]
    used += [(code, "of [by_category]") for code in catalogue.by_category]
    gone = [
        Fault(catalogue.category, f"category {code} {where} is gone at the marketplace", "map it to another one")
        for code, where in used
        if code not in open_
    ]
    for value_list, words in catalogue.values.items():
        known = set(lists.get(value_list, ()))
        gone += [
            Fault(value_list, f"code {code} of {word!r} is gone at the marketplace", "map it to another one")
            for word, code in words.items()
            if code not in known
        ]
    return gone


def stray_rules(
    catalogue: CatalogueMap,
    declared: Mapping[str, Collection[str]],
    lists: Mapping[str, Collection[str]],
    separator: str,
) -> list[Fault]:
    """Rules that say nothing: of an attribute that the marketplace does not have, or with a word of the marketplace's
    that is in none of its lists. `declared`: the value lists of each attribute, an empty one where any text is taken.
    """
    faults = []
    if catalogue.category not in declared:
        faults.append(Fault("category", f"the marketplace has no attribute {catalogue.category}", IN_MAP))
    places = [("[attributes]", catalogue.attributes)]
    places += [(f"[by_category.{hierarchy}]", rules) for hierarchy, rules in catalogue.by_category.items()]
    for place, rules in places:
        for code, rule in rules.items():
            if code not in declared:
                faults.append(Fault(code, "the marketplace has no such attribute", f"mend its code in {place}"))
                continue
            taken = {word for value_list in declared[code] for word in lists.get(value_list, ())}
            said = [word for text in (rule.constant, rule.default) if text for word in text.split(separator)]
            faults += [
                Fault(code, f"{word!r} is not in the list {', '.join(sorted(declared[code]))}", f"mend it in {place}")
                for word in said
                if "" not in declared[code] and word not in taken
            ]
    return faults
