"""A shop at work: stock changes at a steady rate of app time, some SKUs far more often than others.

The generator is a chain of jobs on the sandbox clock, so that advancing the clock makes the changes that
fall due and each has its own instant. The same seed makes the same changes on the same shop.
"""

import math
import random
from dataclasses import dataclass
from typing import Any

from app.sandbox.centra.entities import ProductSize, Warehouse
from app.sandbox.centra.shop import Shop
from app.sandbox.centra.stock import cell_of, set_free
from app.sandbox.clock import iso

# Changes are made in bursts this far apart in real time; one by one when they are rarer.
_BURST_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class LoadSettings:
    changes_per_second: float
    seconds: float
    seed: int
    hot_share: float
    hot_skus: int

    @classmethod
    def read(cls, members: dict[str, Any]) -> "LoadSettings":
        settings = cls(
            float(members.get("changes_per_second", 100)),
            float(members.get("seconds", 300)),
            int(members.get("seed", 1)),
            float(members.get("hot_share", 0.2)),
            int(members.get("hot_skus", 10)),
        )
        if not (0 < settings.changes_per_second <= 100_000 and settings.seconds > 0 and settings.hot_skus >= 0):
            raise ValueError("changes_per_second, seconds and hot_skus must be above 0")
        return settings


class Load:
    """One run of the generator; a new one replaces it."""

    def __init__(self, shop: Shop, settings: LoadSettings) -> None:
        if not shop.sizes or not shop.warehouses:
            raise ValueError("seed the shop first")
        self._shop = shop
        self._settings = settings
        self._dice = random.Random(settings.seed)  # noqa: S311 - dice for tests
        self._sizes: list[ProductSize] = list(shop.sizes.values())
        self._hot = self._sizes[: settings.hot_skus]
        # Only where stock counts for a marketplace, so that every change matters to who watches.
        direct = [w for w in shop.warehouses.values() if w.allocation_policy == "DIRECT"]
        self._warehouses: list[Warehouse] = direct or list(shop.warehouses.values())
        self._planned = max(1, math.floor(settings.changes_per_second * settings.seconds))
        self._began_at = shop.now()
        self._stopped = False
        self.made = 0
        self._schedule()

    def stop(self) -> None:
        self._stopped = True

    def public(self) -> dict[str, Any]:
        return {
            "made": self.made,
            "planned": self._planned,
            "done": self._stopped or self.made >= self._planned,
            "began_at": iso(self._began_at),
            "changes_per_second": self._settings.changes_per_second,
        }

    def _schedule(self) -> None:
        gap = max(1 / self._settings.changes_per_second, _BURST_SECONDS * self._shop.clock.scale)
        self._shop.clock.at(self._shop.now() + gap, self._burst)

    def _burst(self) -> None:
        """Makes all changes that are due by now, then plans the next burst."""
        if self._stopped:
            return
        elapsed = self._shop.now() - self._began_at
        due = min(self._planned, math.floor(elapsed * self._settings.changes_per_second + 1e-6))
        while self.made < due:
            self.made += 1
            self._change()
        if self.made < self._planned:
            self._schedule()

    def _change(self) -> None:
        """Mostly one to three units sold elsewhere, now and then a restock."""
        hot = bool(self._hot) and self._dice.random() < self._settings.hot_share
        size = self._dice.choice(self._hot if hot else self._sizes)
        warehouse = self._dice.choice(self._warehouses)
        if size.id not in self._shop.sizes:
            return
        free = cell_of(size, warehouse).free_to_allocate_quantity
        sold = self._dice.randint(1, 3)
        fta = free - sold if free >= sold and self._dice.random() < 0.8 else free + self._dice.randint(5, 30)
        set_free(self._shop, size, warehouse, fta, "Load")
