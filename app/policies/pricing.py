"""The full price set of an offer, and the guards before it is sent (field cases 7, 10, 11, 12).

PRI01 replaces all prices of an offer, so a set is complete or nothing. Prices come from Centra's price lists only: one
bound to the channel, others for channels of the marketplace, quantities, planned prices and sales. No currency is ever
converted and no percentage ever computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.domain.catalogue import Price
from app.domain.live_offer import LiveOffer, LivePrice

MOST_PRICES = 50
"""Of one offer, by PRI01."""


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when, both with their zone, or always: no marketplace takes half of it."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None


ALWAYS = Period()


@dataclass(frozen=True, slots=True)
class Sale:
    """A price list that is the discount for a time."""

    price_list: int
    period: Period = ALWAYS


@dataclass(frozen=True, slots=True)
class PricePolicy:
    """What a channel decides. Price lists are Centra's ids.

    `channels`: by the marketplace's channel code. `volumes`: by quantity. `planned`: prices that hold for a time only.
    `floor`: the lowest price that may leave. `largest_change`: the largest share by which a price may move unasked.
    `decimals`: those that the marketplace takes. `dates_required`: it takes no discount without both dates.
    """

    currency: str
    price_list: int
    channels: Mapping[str, int]
    volumes: Mapping[int, int]
    planned: Sequence[Sale]
    sales: Sequence[Sale]
    floor: Decimal
    largest_change: Decimal
    decimals: int = 2
    dates_required: bool = False


@dataclass(frozen=True, slots=True)
class Tag:
    """One price of an offer: for everybody or a channel of the marketplace, always or for a time.

    `ranges`: the price of each unit from a quantity on.
    """

    amount: Decimal
    channel: str = ""
    period: Period = ALWAYS
    discount: Decimal | None = None
    discount_period: Period = ALWAYS
    ranges: tuple[tuple[int, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class PriceSet:
    """All prices of an offer, the default one first."""

    tags: tuple[Tag, ...]

    @property
    def default(self) -> Tag:
        return self.tags[0]


def price_set(prices: Mapping[int, Price], policy: PricePolicy, now: datetime) -> PriceSet | list[str]:
    """The whole set by Centra's price lists, or everything that is wrong with it."""
    faults: list[str] = []
    base = _amount(prices, policy.price_list, policy, faults)
    if base is None:
        return faults or [f"Centra has no price for it in price list {policy.price_list}; give it one there"]
    sale = _sale(prices, policy, now, faults)
    ranges = tuple(
        (quantity, amount)
        for quantity, list_id in sorted(policy.volumes.items())
        if (amount := _amount(prices, list_id, policy, faults)) is not None
    )
    tags = [_tag(base, "", ALWAYS, sale, ranges, faults)]
    for code, list_id in sorted(policy.channels.items()):
        if (amount := _amount(prices, list_id, policy, faults)) is not None:
            tags.append(_tag(amount, code, ALWAYS, None, (), faults))
    for planned in policy.planned:
        amount = _amount(prices, planned.price_list, policy, faults)
        if amount is not None and not _is_over(planned.period, now):
            tags.append(_tag(amount, "", planned.period, None, (), faults))
    faults += [
        f"the price {_lowest(tag)} is below the floor of {policy.floor}; mend it in Centra, or set another `floor`"
        for tag in tags
        if _lowest(tag) < policy.floor
    ]
    faults += [words for tag in tags if (words := _ranges_problem(tag)) is not None]
    if len(tags) > MOST_PRICES:
        faults.append(f"it has {len(tags)} prices, a marketplace takes {MOST_PRICES}; name fewer in [channel.prices]")
    return faults or PriceSet(tuple(tags))


def shown_set(live: LiveOffer, now: datetime) -> PriceSet | list[str]:
    """The prices that a live offer has, to be said again with the whole offer where somebody else manages them.

    OF24 takes away what it does not say, and can't say all that an offer may have: then why not.
    """
    default = live.default_price
    open_ = [price for price in live.prices if price.ends_at is None or price.ends_at > now]
    discounts = [price for price in open_ if price.discount is not None]
    channels = [channel for price in open_ for channel in price.channels or ("",)]
    problems = {
        "it has no default price": default is None,
        "one is 0": any(amount <= 0 for price in open_ for amount in _amounts(price)),
        "some hold for a time": any(price.starts_at is not None or price.ends_at is not None for price in open_),
        "some are of single customers, or discounts by quantity": live.has_more_prices,
        "a discount has one date of two": any(
            (price.discount_starts_at is None) is not (price.discount_ends_at is None) for price in discounts
        ),
        "a channel has two": len(set(channels)) < len(channels),
        f"there are more than {MOST_PRICES}": len(channels) > MOST_PRICES,
    }
    why = [problem for problem, is_so in problems.items() if is_so]
    if why or default is None:
        mend = "change the offer in the back office, or publish its prices from here"
        return [f"its live prices can't be said with the whole offer ({', '.join(why)}): {mend}"]
    others = [price for price in open_ if price is not default]
    return PriceSet(
        tuple(_shown_tag(price, channel, now) for price in (default, *others) for channel in price.channels or ("",))
    )


def _amounts(price: LivePrice) -> list[Decimal]:
    discount = [] if price.discount is None else [price.discount]
    return [price.amount, *discount, *(amount for _, amount in price.ranges)]


def _shown_tag(price: LivePrice, channel: str, now: datetime) -> Tag:
    """A discount that is over is none, and so is the price from one unit on."""
    ranges = tuple((quantity, amount) for quantity, amount in price.ranges if quantity > 1)
    period = Period(price.discount_starts_at, price.discount_ends_at)
    if price.discount is None or price.discount >= price.amount or _is_over(period, now):
        return Tag(price.amount, channel, ranges=ranges)
    return Tag(price.amount, channel, discount=price.discount, discount_period=period, ranges=ranges)


def jump(before: Decimal | None, now: PriceSet, policy: PricePolicy) -> str | None:
    """Why a person is asked before a price moves so far; None where it may go. `before`: the confirmed default one."""
    if before is None or before <= 0:
        return None
    lowest = min(_lowest(tag) for tag in now.tags)
    highest = max(tag.amount for tag in now.tags)
    for price in (lowest, highest):
        share = abs(price - before) / before
        if share > policy.largest_change:
            percent = (share * 100).quantize(Decimal(1))
            return (
                f"the price moves by {percent} % ({before} → {price} {policy.currency}), more than the channel allows"
            )
    return None


def _amount(prices: Mapping[int, Price], list_id: int, policy: PricePolicy, faults: list[str]) -> Decimal | None:
    """None where the list has none; a fault for a currency that is not the channel's, or digits it does not take."""
    price = prices.get(list_id)
    if price is None:
        return None
    if price.currency != policy.currency:
        words = f"price list {list_id} is in {price.currency}, the channel in {policy.currency}"
        faults.append(f"{words}; name another in [channel.prices]")
        return None
    rounded = price.amount.quantize(Decimal(1).scaleb(-policy.decimals))
    if rounded != price.amount:
        words = f"{price.amount} in price list {list_id} has more decimals than the {policy.decimals} taken"
        faults.append(f"{words}; mend it in Centra")
        return None
    return rounded


def _sale(
    prices: Mapping[int, Price], policy: PricePolicy, now: datetime, faults: list[str]
) -> tuple[Decimal, Period] | None:
    """The sale that runs, else the next one that is planned: a tag holds one discount."""
    open_ = [sale for sale in policy.sales if not _is_over(sale.period, now) and sale.price_list in prices]
    open_.sort(key=lambda sale: sale.period.starts_at or now)
    for sale in open_:
        dates = (sale.period.starts_at, sale.period.ends_at)
        if None in dates and (policy.dates_required or dates != (None, None)):
            faults.append(
                f"the sale of price list {sale.price_list} needs a start and an end; give both in [channel.prices]"
            )
            return None
        amount = _amount(prices, sale.price_list, policy, faults)
        return None if amount is None else (amount, sale.period)
    return None


def _tag(
    amount: Decimal,
    channel: str,
    period: Period,
    sale: tuple[Decimal, Period] | None,
    ranges: tuple[tuple[int, Decimal], ...],
    faults: list[str],
) -> Tag:
    if sale is None:
        return Tag(amount, channel, period, ranges=ranges)
    discount, when = sale
    if discount >= amount:
        faults.append(f"the discount {discount} is not below the price {amount}; mend it in Centra")
    return Tag(amount, channel, period, discount, when, ranges)


def _lowest(tag: Tag) -> Decimal:
    found = [tag.amount, *(amount for _, amount in tag.ranges)]
    return min(found if tag.discount is None else [*found, tag.discount])


def _ranges_problem(tag: Tag) -> str | None:
    """Each larger quantity must be cheaper than the one before."""
    before = tag.amount
    for quantity, amount in tag.ranges:
        if amount >= before:
            return f"the price from {quantity} units on ({amount}) is not below {before}; mend it in Centra"
        before = amount
    return None


def _is_over(period: Period, now: datetime) -> bool:
    return period.ends_at is not None and period.ends_at <= now
