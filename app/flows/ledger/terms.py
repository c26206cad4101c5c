"""What a channel's settings say of its contract and of its books, as the policies take it."""

from __future__ import annotations

from datetime import timedelta

from app.policies.settlement.journal import Accounts
from app.policies.settlement.terms import Commission, Terms
from app.policies.settlement.types import Group
from app.settings import Channel, SettingsError


def terms_of(channel: Channel) -> Terms:
    """The contract and the usual rhythm of a channel."""
    told = channel.settlement
    commission = told.commission
    return Terms(
        commission=Commission(
            share=commission.share,
            by_category=commission.by_category,
            minimum=commission.minimum,
            vat=commission.vat,
            refunded=commission.refunded,
        ),
        subscription=told.subscription,
        order_fee=told.order_fee,
        grace=timedelta(days=told.grace_days),
        refund_after=timedelta(days=told.refund_after_days),
        unpaid_after=timedelta(days=told.unpaid_after_days),
        pay_out_after=timedelta(days=told.pay_out_after_days),
        since=channel.orders.start_at,
    )


def accounts_of(channel: Channel) -> Accounts:
    """The accounts of a channel's journal. Raises SettingsError for a group that there is not."""
    told = channel.settlement.accounts
    strange = sorted(set(told.by_group) - {group.value for group in Group})
    if strange:
        raise SettingsError(
            f"channel {channel.id}, settlement.accounts.by_group: there is no group {strange[0]};"
            f" there are {', '.join(group.value for group in Group)}"
        )
    return Accounts(
        clearing=told.clearing,
        bank=told.bank,
        suspense=told.suspense,
        by_group={Group(name): account for name, account in told.by_group.items()},
        by_tax=told.by_tax,
        dimensions=told.dimensions,
    )
