"""What a channel decides about its money: how it is read, what its contract says, and where the journal books it."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AwareDatetime, Field, field_validator

from app.policy_settings import HOUR, Strict


class CommissionSettings(Strict):
    """The contract's commission on price and shipping, as shares of one."""

    share: Decimal | None = Field(
        None, ge=0, le=1, strict=False, description="0.15 is 15 %; without it what each order says is the measure"
    )
    by_category: dict[str, Decimal] = Field(
        {}, strict=False, description="other shares, by the marketplace's category code"
    )
    minimum: Decimal = Field(Decimal(0), ge=0, strict=False, description="of an order line, before tax")
    vat: Decimal | None = Field(None, ge=0, le=1, strict=False, description="0.2 is 20 %; not checked without it")
    refunded: bool = Field(True, description="a refund gives its share of the commission back")


class AccountSettings(Strict):
    """Accounts of the journal. `by_group` is by the groups that `settlement report` shows, as commission or penalty."""

    clearing: str = Field("clearing", description="what the marketplace owes; every line is booked against it")
    bank: str = Field("bank", description="where pay-outs arrive")
    suspense: str = Field("suspense", description="of whatever has no account of its own")
    by_group: dict[str, str] = Field({}, description="accounts of groups")
    by_tax: dict[str, str] = Field({}, description="accounts of taxes on sales and refunds, by the order's tax code")
    dimensions: dict[str, str] = Field({}, description="more columns of each journal line, as cost_centre")


class SettlementSettings(Strict):
    """How a channel's money is read and compared."""

    mode: Literal["on", "off"] = "off"
    start_at: AwareDatetime | None = Field(None, description="what the log last changed before is not read")
    poll_seconds: float = Field(
        1.2 * HOUR,
        ge=HOUR,
        le=3 * HOUR,
        description="time between two reads of the log; the operator's advice: 20 a day",
    )
    zone: str = Field("UTC", description="time zone of months, as Europe/Paris")
    grace_days: float = Field(1, ge=0, description="how long a part of the log may be late")
    refund_after_days: float = Field(7, gt=0, description="from a refund to its lines in the log")
    unpaid_after_days: float = Field(21, gt=0, description="from dispatch to the billing cycle that pays it")
    cycle_days: float = Field(10, gt=0, description="from one billing cycle to the next")
    pay_out_after_days: float = Field(5, gt=0, description="from the end of a billing cycle to its pay-out")
    watch_days: int = Field(
        200, ge=1, description="how old orders may be that are looked at daily until they are settled"
    )
    subscription: Decimal | None = Field(
        None, ge=0, strict=False, description="of a billing cycle, before tax; another one is for a person"
    )
    order_fee: Decimal | None = Field(
        None, ge=0, strict=False, description="the operator's fee on an order, before tax; another one is for a person"
    )
    commission: CommissionSettings = CommissionSettings()
    accounts: AccountSettings = AccountSettings()

    @property
    def on(self) -> bool:
        """Whether money is read at all."""
        return self.mode == "on"

    @property
    def time_zone(self) -> ZoneInfo:
        """Of months."""
        return ZoneInfo(self.zone)

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"{name} is no time zone; name one as Europe/Paris")
        return name
