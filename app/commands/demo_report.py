"""What the demo measured, and when that is good."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.commands.lab import Json


@dataclass(slots=True)
class Report:
    """What the demo measured; `--report` writes it as JSON. Seconds are app seconds but for `real_seconds`.

    `held` are keys of stock; `orders` are counted by outcome, `orders_wrong` says what did not end as it should.
    `shipments` and `returns` are Centra's, `refunds` the marketplaces'; `after_sale_wrong` says where the ends differ.
    `products` are counted by how they stand, `products_explained` says why some are not live.
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
    products: dict[str, int] = field(default_factory=dict)
    products_explained: list[dict[str, Json]] = field(default_factory=list)
    products_wrong: list[str] = field(default_factory=list)
    calls: dict[str, dict[str, int]] = field(default_factory=dict)
    ceilings_exceeded: int = 0
    held: int = 0
    differences: int = 0
    real_seconds: float = 0.0

    @property
    def plays_stock(self) -> bool:
        return self.act in ("all", "stock")

    @property
    def plays_orders(self) -> bool:
        return self.act in ("all", "orders")

    @property
    def plays_after_sale(self) -> bool:
        return self.act == "after-sale"

    @property
    def plays_catalogue(self) -> bool:
        return self.act == "catalogue"

    @property
    def good(self) -> bool:
        """Whether both ends agree, every order ended as it should, and no ceiling was exceeded."""
        played = (
            (self.changes > 0 or not self.plays_stock)
            and (bool(self.orders) or not self.plays_orders)
            and (bool(self.refunds) or not self.plays_after_sale)
            and (bool(self.products) or not self.plays_catalogue)
        )
        wrong = (self.orders_wrong, self.after_sale_wrong, self.products_wrong)
        return played and not (self.differences or self.ceilings_exceeded or self.held or any(wrong))
