"""What a channel decides about stock, catalogue, orders and what comes after the sale: the tables of a [[channel]].

A misspelt member is an error that names it; nothing is ignored, and nothing is taken for something else.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

MINUTE = 60.0
HOUR = 3600.0
Mode = Literal["on", "dry_run", "off"]


class Strict(BaseModel):
    """A table of the channel file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class StockSettings(Strict):
    """How a channel publishes stock."""

    on: bool = True
    dry_run: bool = Field(False, description="decide and write down, send nothing")
    buffer: int = Field(0, ge=0, description="units kept back on this channel, besides Centra's own safety stock")
    cap: int = Field(2_147_483_647, ge=0, description="never offer more units than this")
    offset_per_warehouse: bool = Field(False, description="Centra's stock offset counts for each warehouse")
    sell_preorders: bool = False
    warehouses: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]*$")], Annotated[str, Field(pattern=r"^.{1,255}$")]] = (
        Field({}, description="the marketplace's code of each Centra warehouse, by its id; none: one figure for all")
    )
    full_push_seconds: float = Field(24 * HOUR, ge=10 * MINUTE, description="time between two full pushes")
    read_back_seconds: float = Field(5 * MINUTE, ge=MINUTE, description="time between two differential exports")


class GuardSettings(Strict):
    """When an unusual change becomes a mass change that waits for a person."""

    least: int = Field(50, ge=0)
    share: float = Field(0.10, ge=0, le=1)
    jump_factor: int = Field(10, ge=1)
    jump_units: int = Field(100, ge=0)


class Destination(Strict):
    """Where orders to a country enter Centra."""

    country: Annotated[str, Field(pattern=r"^([A-Z]{2}|\*)$", description="ISO alpha-2, or * for every other")]
    market: int = Field(description="id of the Centra market")
    price_list: int
    shipping_option: str = Field(description="URI of Centra's shipping option")
    shipping_by_type: dict[str, str] = Field(
        {}, description="Mirakl's shipping type code to a shipping option of its own"
    )
    allocation_rule: str | None = Field(None, description="name of an allocation rule, when not the market's own")
    tax_included: bool = Field(True, description="the price list's prices contain tax")


class OrderSettings(Strict):
    """How a channel's orders are taken."""

    mode: Mode = Field(
        "off", description="on; dry_run: read, decide and watch deadlines, send nothing; off: orders are not read here"
    )
    accept_within_seconds: float = Field(
        24 * HOUR, ge=HOUR, description="the channel's window for accepting, from the order's creation"
    )
    start_at: datetime | None = Field(None, description="orders created before are recorded only")
    pass_seconds: float = Field(MINUTE, ge=MINUTE, description="time between two reads of what changed")
    sweep_seconds: float = Field(30 * MINUTE, ge=5 * MINUTE, description="time between two reads of all open orders")
    look_back_days: int = Field(5, ge=1, le=30, description="how far the daily export looks back")
    short: Literal["refuse", "hold", "accept"] = Field("refuse", description="a line that is short of stock")
    partial: Literal["hold", "refuse", "accept"] = Field(
        "hold", description="when lines differ and the marketplace takes one answer for all of them"
    )
    backorder: Literal["backorder", "cancel", "hold"] = Field(
        "hold", description="an accepted order that Centra has no stock for"
    )
    accepted_elsewhere: Literal["hold", "import"] = Field("hold", description="an order that somebody else accepted")
    price_guard: Decimal | None = Field(
        Decimal("0.5"),
        gt=0,
        le=1,
        description="hold an order that is cheaper than our lowest price by more than this share",
        strict=False,
    )
    price_history_days: int = Field(14, ge=1, le=90)
    destinations: tuple[Destination, ...] = Field((), strict=False)
    payment: int | None = Field(None, description="id of the payment plugin that orders are booked under")
    attribute: str = Field(
        "", description="order attribute of Centra that shows Mirakl's order id, as <attribute>_<element>"
    )
    block: Literal["payment", "hold"] = Field("payment", description="what keeps an order from the warehouse")
    confirm: bool = Field(True, description="confirm orders; false where Centra does so by itself")
    shop_mail: bool = Field(False, description="Centra may send its mails to the marketplace's relay address")
    unallocated_seconds: float = Field(10 * MINUTE, ge=MINUTE, description="when an order without stock is asked about")
    oldest_payment_wait_seconds: float = Field(72 * HOUR, ge=HOUR)
    phone: str = Field("", description="a number to give where a buyer gave none")
    phone_required: tuple[str, ...] = Field((), strict=False, description="countries whose carriers want a number")
    line_length: int = Field(255, ge=20, description="longest address line that the warehouse can print")
    email_domain: str = Field("orders.invalid", description="for orders without a relay address; must not be routable")

    @property
    def is_read(self) -> bool:
        """Whether orders are read and watched at all."""
        return self.mode != "off"

    @property
    def acts(self) -> bool:
        """Whether anything is sent."""
        return self.mode == "on"

    @model_validator(mode="after")
    def _can_be_entered(self) -> Self:
        countries = [d.country for d in self.destinations]
        if len(set(countries)) < len(countries):
            raise ValueError("a country has two destinations; leave one")
        if self.mode == "on" and not self.destinations:
            raise ValueError("orders need a [[channel.orders.destinations]] table: where they enter Centra")
        return self


class ReturnSettings(Strict):
    """How a channel's returns are taken. The words are those of `policies/returns`."""

    on: bool = Field(True, description="the marketplace has returns")
    poll_seconds: float = Field(15 * MINUTE, ge=5 * MINUTE, description="time between two reads of what changed")
    accept: Literal["accept", "reject", "hold"] = Field("accept", description="a buyer who wants to return")
    rejection: str = Field("RETURN_REJECTION_NOT_ELIGIBLE", description="the reason of a rejection")
    expect: bool = Field(True, description="an accepted return is made in Centra, pending")
    missing: Literal["hold", "not_compliant"] = Field("hold", description="fewer units came back than announced")
    returnless: Literal["refund", "hold"] = Field("hold", description="the buyer keeps the goods")
    late: Literal["refund", "hold"] = Field("hold", description="goods came after the marketplace gave them up")
    unannounced: Literal["refund", "hold"] = Field(
        "hold", description="goods came back that no return at the marketplace announced"
    )


class DocumentSettings(Strict):
    """How invoices reach the marketplace. Whatever makes them puts each as <Centra number>.pdf into the folder."""

    folder: Path | None = Field(None, strict=False, description="where the invoices are; none are uploaded without it")
    door: Literal["order", "request"] = Field(
        "order", description="attached to the order (OR74), or an answer to the operator's request (DR74)"
    )
    type: str = Field("CUSTOMER_INVOICE", description="document type of DO01, for OR74")
    within_seconds: float = Field(48 * HOUR, ge=HOUR, description="after the dispatch; later a person is asked")


class AfterSaleSettings(Strict):
    """What happens to a channel's orders once they are sold."""

    mode: Mode = Field("off", description="on; dry_run: read what happens in Centra, send nothing; off")
    follow_seconds: float = Field(HOUR, ge=5 * MINUTE, description="time between two looks at orders not shipped yet")
    follow_days: int = Field(60, ge=1, le=400, description="how long an order that was sent is looked at, daily")
    refund_reason: str = Field("17", description="reason of RE01 for goods that came back")
    refund_reason_by_return: dict[str, str] = Field({}, description="another one, by the reason of the return")
    not_shipped_reason: str = Field("15", description="reason of RE01 for paid units that are never shipped")
    cancel_reason: str = Field("35", description="reason of RE01 for units that are cancelled before they are paid")
    or30: bool = Field(False, description="the operator lets the shop cancel single lines")
    order_level_taxes: bool = Field(False, description="the marketplace computes taxes for whole orders")
    name_taxes: bool = Field(True, description="name taxes in a refund that the marketplace could compute itself")
    resend_refunds: bool = Field(
        False, description="send a refund again whose answer was lost and that 20 minutes later is not there"
    )
    marketplace_refunds: Literal["return", "hold", "record"] = Field(
        "hold", description="a refund that the marketplace made: a return in Centra, a person, or nothing"
    )
    returns: ReturnSettings = ReturnSettings()
    documents: DocumentSettings = DocumentSettings()
    threads_seconds: float = Field(15 * MINUTE, ge=5 * MINUTE, description="time between two reads of buyers' threads")

    @property
    def is_followed(self) -> bool:
        """Whether Centra is watched at all."""
        return self.mode != "off"

    @property
    def acts(self) -> bool:
        """Whether anything is sent."""
        return self.mode == "on"


class SaleSettings(Strict):
    """A price list that holds for a time."""

    price_list: int
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None


class PriceSettings(Strict):
    """How a channel's prices are published. They are those of Centra's price lists, never computed."""

    mode: Mode = Field("off", description="on; dry_run: decide and write down, send nothing; off")
    price_list: int | None = Field(None, description="id of the price list that is bound to the channel")
    channels: dict[str, int] = Field({}, description="other price lists, by the marketplace's channel code")
    volumes: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]*$")], int] = Field(
        {}, description="price lists by the quantity from which they hold"
    )
    planned: tuple[SaleSettings, ...] = Field((), strict=False, description="prices that hold for a time")
    sales: tuple[SaleSettings, ...] = Field((), strict=False, description="discounts, each a price list of its own")
    floor: Decimal = Field(Decimal(1), gt=0, strict=False, description="no lower price ever leaves")
    largest_change: Decimal = Field(
        Decimal("0.5"), gt=0, strict=False, description="a person is asked before a price moves by a larger share"
    )
    approval: bool = Field(False, description="the operator approves each price before it is live")


class CatalogueSettings(Strict):
    """How a channel's offers and products are published; the map says what they say (`catalogue import`)."""

    products: Mode = Field("off", description="on; dry_run: check, send nothing; off: products come another way")
    offers: Mode = Field("off", description="on; dry_run: decide and write down, send nothing; off")
    leaving: Literal["zero", "delete"] = Field(
        "zero", description="offers of what is not sold here any more: without stock, or deleted"
    )
