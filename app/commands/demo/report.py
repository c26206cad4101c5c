"""What the demo measured, and when that is good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.commands.lab import Json

PLAYED: Mapping[str, Sequence[str]] = {
    "all": ("changes", "orders"),
    "stock": ("changes",),
    "orders": ("orders",),
    "after-sale": ("refunds",),
    "morning": ("morning",),
    "catalogue": ("products",),
    "settlement": ("settlement",),
}
"""What the report of an act must have, or nothing was played."""


@dataclass(slots=True)
class Report:
    """What the demo measured; `--report` writes it as JSON. Seconds are app seconds but for `real_seconds`.

    `held` are keys of stock; `orders` are counted by outcome, `orders_wrong` says what did not end as it should.
    `shipments` and `returns` are Centra's, `refunds` the marketplaces'; `after_sale_wrong` says where the ends differ.
    `morning` counts by team what needs a person, `morning_wrong` says what is not as planned.
    `products` are counted by how they stand, `products_explained` says why some are not live.
    `settlement` has each channel's month, `settlement_wrong` says what is not as it was planted.
    """

    act: str = "all"
    channels: list[str] = field(default_factory=list)
    sizes: int = 0
    scale: float = 1.0
    changes: int = 0
    hottest_sku_changes: int = 0
    pushes: dict[str, int] = field(default_factory=dict)
    imports: dict[str, int] = field(default_factory=dict)
    lag_seconds: dict[str, float] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    orders_held: list[str] = field(default_factory=list)
    orders_wrong: list[str] = field(default_factory=list)
    accepted_seconds: dict[str, float] = field(default_factory=dict)
    shipments: list[dict[str, Json]] = field(default_factory=list)
    refunds: list[dict[str, Json]] = field(default_factory=list)
    returns: list[dict[str, Json]] = field(default_factory=list)
    after_sale_wrong: list[str] = field(default_factory=list)
    morning: dict[str, int] = field(default_factory=dict)
    morning_wrong: list[str] = field(default_factory=list)
    products: dict[str, int] = field(default_factory=dict)
    products_explained: list[dict[str, Json]] = field(default_factory=list)
    products_wrong: list[str] = field(default_factory=list)
    settlement: dict[str, dict[str, Json]] = field(default_factory=dict)
    settlement_wrong: list[str] = field(default_factory=list)
    calls: dict[str, dict[str, int]] = field(default_factory=dict)
    ceilings_exceeded: int = 0
    held: int = 0
    differences: int = 0
    real_seconds: float = 0.0

    @property
    def faults(self) -> list[str]:
        """What did not end as it should."""
        wrong = (self.orders_wrong, self.after_sale_wrong, self.morning_wrong, self.products_wrong)
        return [words for its in (*wrong, self.settlement_wrong) for words in its]

    @property
    def good(self) -> bool:
        """Whether something was played, both ends agree, all ended as it should, and no ceiling was exceeded."""
        played = all(getattr(self, member) for member in PLAYED[self.act])
        return played and not (self.differences or self.ceilings_exceeded or self.held or self.faults)
