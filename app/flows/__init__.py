"""One file, one flow, the whole story of a fact. A new flow is a new file here; nothing else lists it.

`order_stock` and the folder `entry` hold longer steps of the two flows of an order.
"""

from __future__ import annotations

import importlib
import pkgutil

from app.engine.flow import Flow


def all_flows() -> tuple[Flow, ...]:
    """Every flow of this folder, by name."""
    modules = (importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    found = [module.FLOW for module in modules if hasattr(module, "FLOW")]
    return tuple(sorted(found, key=lambda flow: flow.name))
