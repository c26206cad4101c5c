"""One type for each identity, so that a SKU is never passed for a key."""

from __future__ import annotations

from typing import NewType

Scope = NewType("Scope", str)
"""A channel's id, or the id of the Centra environment (the source)."""

Sku = NewType("Sku", str)
"""Our shop SKU: `offer_sku` at Mirakl, by the mapping of the settings a ProductSize's SKU at Centra."""

SizeId = NewType("SizeId", int)
WarehouseId = NewType("WarehouseId", int)
MarketId = NewType("MarketId", int)
EffectId = NewType("EffectId", int)
ImportId = NewType("ImportId", int)
"""Our number of an import; Mirakl's own is the remote id."""

OrderId = NewType("OrderId", str)
"""Mirakl's order id: the logistic order, opaque, the key of all its calls."""

OrderLineId = NewType("OrderLineId", str)
CentraNumber = NewType("CentraNumber", int)
"""The number of an order in Centra, as people see it."""
