"""What a live offer has otherwise than we sent it: accepted, and not applied (field cases 2, 3).

Compared is what we manage. Where we leave a member to the marketplace, whatever it chose is right. Instants count
as such, amounts by value; what is over does not count on either side.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from app.domain.listing import Offer
from app.domain.live_offer import LiveOffer, LivePrice
from app.policies.pricing import ALWAYS, Period, PriceSet, Tag

NOTHING = "nothing"


class Difference(NamedTuple):
    """A member by its name for people, and what stands in it on either side."""

    member: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.member}: sent {self.ours}, live is {self.theirs}"


def differences(sent: Offer | None, prices: PriceSet | None, live: LiveOffer | None, now: datetime) -> list[Difference]:
    """Each member that differs; of the offer, of its prices, or of both, as they are given."""
    if live is None:
        return [Difference("offer", "listed", "not there")]
    found = [] if sent is None else _of_offer(sent, live)
    return found if prices is None else [*found, *_of_prices(prices, live, now)]


def _of_offer(sent: Offer, live: LiveOffer) -> list[Difference]:
    found = [
        Difference(member, ours or NOTHING, theirs or NOTHING)
        for member, ours, theirs in (
            ("state", sent.state, live.state),
            ("description", _plain(sent.description), _plain(live.description)),
            ("logistic class", sent.logistic_class, live.logistic_class),
            ("tax code", sent.product_tax_code, live.product_tax_code),
            ("available from", _instant(sent.available_from), _instant(live.available_from)),
            ("available until", _instant(sent.available_until), _instant(live.available_until)),
        )
        if ours != theirs and (ours or member not in _CHOSEN_THERE)
    ]
    lead = sent.lead_time_days
    if lead is not None and live.lead_time_days not in ((0, 1) if lead == 0 else (lead,)):  # 0 reads back as 1
        found.append(Difference("lead time", str(lead), _number(live.lead_time_days)))
    for member, ours_, theirs_, none in (
        ("least quantity of an order", sent.min_order_quantity, live.min_order_quantity, (None, 0, 1)),
        ("largest quantity of an order", sent.max_order_quantity, live.max_order_quantity, (None, 0)),
        ("package quantity", sent.package_quantity, live.package_quantity, (None, 0, 1)),
    ):
        if theirs_ not in (none if ours_ in none else (ours_,)):
            found.append(Difference(member, _number(ours_), _number(theirs_)))
    return found + _of_fields(sent.additional, live.additional)


_CHOSEN_THERE = frozenset({"logistic class", "tax code"})
"""Members that the marketplace fills in where we say nothing."""


def _of_fields(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(code, value, theirs.get(code) or NOTHING)
        for code, value in ours.items()
        if not _same_value(value, theirs.get(code, ""))
    ]


def _same_value(ours: str, theirs: str) -> bool:
    """A number by its value, a date or a truth in any spelling of case."""
    if ours.strip().casefold() == theirs.strip().casefold():
        return True
    try:
        return Decimal(ours) == Decimal(theirs)
    except InvalidOperation:
        return False


# ------------------------------------------------------------------------------------------------------------ prices

Place = tuple[str, datetime | None, datetime | None]
"""To whom a price is, and when."""


def _of_prices(sent: PriceSet, live: LiveOffer, now: datetime) -> list[Difference]:
    ours = {(tag.channel, *_bounds(tag.period)): tag for tag in sent.tags if not _is_over(tag.period.ends_at, now)}
    theirs = {
        (channel, price.starts_at, price.ends_at): price
        for price in live.prices
        if not _is_over(price.ends_at, now)
        for channel in price.channels or ("",)
    }
    found: list[Difference] = []
    for place in dict.fromkeys((*ours, *theirs)):
        found += _of_price(_named(place), ours.get(place), theirs.get(place), now)
    return found


def _of_price(name: str, tag: Tag | None, price: LivePrice | None, now: datetime) -> list[Difference]:
    if tag is None or price is None:
        sent = NOTHING if tag is None else f"{tag.amount}"
        return [Difference(name, sent, NOTHING if price is None else f"{price.amount}")]
    found: list[Difference] = []
    if tag.amount != price.amount:
        found.append(Difference(name, f"{tag.amount}", f"{price.amount}"))
    when = Period(price.discount_starts_at, price.discount_ends_at)
    ours, theirs = _discount(tag.discount, tag.discount_period, now), _discount(price.discount, when, now)
    if ours != theirs:
        found.append(Difference(f"discount of the {name}", _said(ours), _said(theirs)))
    ranges = tuple((quantity, amount) for quantity, amount in price.ranges if quantity > 1)  # 1 is the price itself
    if tag.ranges != ranges:
        found.append(Difference(f"quantities of the {name}", _steps(tag.ranges), _steps(ranges)))
    return found


def _discount(amount: Decimal | None, period: Period, now: datetime) -> tuple[Decimal, Period] | None:
    """A discount that is over is none; when one began that holds by now does not matter."""
    if amount is None or _is_over(period.ends_at, now):
        return None
    has_begun = period.starts_at is None or period.starts_at <= now
    return amount, Period(None if has_begun else period.starts_at, period.ends_at)


def _bounds(period: Period) -> tuple[datetime | None, datetime | None]:
    return period.starts_at, period.ends_at


def _is_over(ends_at: datetime | None, now: datetime) -> bool:
    return ends_at is not None and ends_at <= now


# ------------------------------------------------------------------------------------------------------------- words


def _named(place: Place) -> str:
    channel, starts_at, ends_at = place
    when = "" if starts_at is None and ends_at is None else f" {_when(Period(starts_at, ends_at))}"
    return f"price of channel {channel}{when}" if channel else f"price{when}"


def _said(discount: tuple[Decimal, Period] | None) -> str:
    if discount is None:
        return NOTHING
    amount, period = discount
    return f"{amount}" if period == ALWAYS else f"{amount} {_when(period)}"


def _when(period: Period) -> str:
    begin = f"from {_instant(period.starts_at)}" if period.starts_at is not None else ""
    end = f"until {_instant(period.ends_at)}" if period.ends_at is not None else ""
    return f"{begin} {end}".strip()


def _steps(ranges: tuple[tuple[int, Decimal], ...]) -> str:
    return ", ".join(f"{amount} from {quantity}" for quantity, amount in ranges) or NOTHING


def _instant(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _number(value: int | None) -> str:
    return NOTHING if value is None else str(value)


def _plain(text: str) -> str:
    """Blanks and ends of lines come back otherwise."""
    return " ".join(text.split())
