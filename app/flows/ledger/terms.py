"""What a channel's settings say of its contract, as the policies take it."""

from __future__ import annotations

from datetime import timedelta

from app.policies.settlement_terms import Commission, Terms
from app.settings import Channel


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
