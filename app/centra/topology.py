"""Putting Centra's topology together from its pages; one odd entry is left out and named, not the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from app.centra.graphql import Answer
from app.centra.schema import AllocationRule, Market, Pricelist, Store, Topology, Warehouse
from app.wire.decode import Items, Unreadable, read_items

_Entry = TypeVar("_Entry", Store, Market, Pricelist, Warehouse, AllocationRule)


@dataclass
class Assembly:
    """Collects pages of `limit` entries a list, rules in pages of `rule_limit`."""

    limit: int
    rule_limit: int
    _stores: tuple[Store, ...] = ()
    _markets: list[Market] = field(default_factory=list)
    _pricelists: list[Pricelist] = field(default_factory=list)
    _warehouses: list[Warehouse] = field(default_factory=list)
    _rules: list[AllocationRule] = field(default_factory=list)
    _unreadable: list[str] = field(default_factory=list)

    def add(self, answer: Answer) -> bool:
        """Take one page in; True: it was the last. Raises Unreadable for a page that is not whole."""
        if answer.errors:
            raise Unreadable("; ".join(error.words for error in answer.errors)[:500])
        rows = {
            member: answer.member(member, list[msgspec.Raw])
            for member in ("stores", "markets", "pricelists", "warehouses", "allocationRules")
        }
        self._stores = self._noted("stores", read_items(rows["stores"], Store))
        self._markets += self._noted("markets", read_items(rows["markets"], Market))
        self._pricelists += self._noted("pricelists", read_items(rows["pricelists"], Pricelist))
        self._warehouses += self._noted("warehouses", read_items(rows["warehouses"], Warehouse))
        self._rules += self._noted("allocationRules", read_items(rows["allocationRules"], AllocationRule))
        longest = max(len(rows[member]) for member in ("markets", "pricelists", "warehouses"))
        return longest < self.limit and len(rows["allocationRules"]) < self.rule_limit

    def topology(self) -> Topology:
        """What was collected; each market has its rule with the priorities that the list of rules gave."""
        rules = {rule.id: rule for rule in self._rules}
        return Topology(
            self._stores,
            tuple(_with_rule(market, rules) for market in _once(self._markets)),
            _once(self._pricelists),
            _once(self._warehouses),
            _once(self._rules),
            tuple(dict.fromkeys(self._unreadable)),
        )

    def _noted(self, member: str, items: Items[_Entry]) -> tuple[_Entry, ...]:
        self._unreadable += [f"{member} {bad.id or bad.index}: {bad.reason}" for bad in items.unreadable]
        return items.items


def _once(entries: Sequence[_Entry]) -> tuple[_Entry, ...]:
    """Pages shift while they are read: an entry that came twice counts as last read."""
    return tuple({entry.id: entry for entry in entries}.values())


def _with_rule(market: Market, rules: Mapping[int, AllocationRule]) -> Market:
    rule = market.allocation_rule
    if rule is None or rule.id not in rules:
        return market
    return msgspec.structs.replace(market, allocation_rule=rules[rule.id])
