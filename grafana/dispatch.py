"""Does the marketplace know of every parcel, in time, with a carrier it knows? For the warehouse and operations."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.parts import (
    NEUTRAL,
    NONE_IS_GOOD,
    TOLD,
    Panel,
    bars,
    curve,
    else_zero,
    figure,
    frame,
    once,
    quantile,
    rate,
    total,
    within,
    worst,
)

NAME = "dispatch"
PARCELS = "shipments"


QUICK = within("24h", "shipped_to_told_seconds_bucket", le="600|600.0")
TAKEN = within("24h", "shipped_to_told_seconds_count")
NOW: list[Panel] = [
    figure(
        "Not told yet",
        "Parcels shipped in Centra that the marketplace does not have. Good is few, and none of them old.",
        "short",
        total("untold_shipments"),
        NEUTRAL,
        width=5,
    ),
    figure(
        "Oldest of them",
        "Good is under 15 min. After a day the marketplace counts late shipments, and buyers ask.",
        "s",
        worst("untold_shipments_oldest_seconds"),
        TOLD,
        width=5,
    ),
    figure(
        "Carrier unknown",
        "Parcels held since no row of the table names their carrier. `carriers map` lets them go at once.",
        "short",
        else_zero(total("held_items", flow=PARCELS, advice="map_carrier")),
        NONE_IS_GOOD,
        width=5,
    ),
    figure(
        "Told in 24 h",
        "Parcels that the marketplaces took, with their tracking where there is one.",
        "short",
        TAKEN,
        NEUTRAL,
        width=5,
    ),
    figure(
        "Within 10 min, 24 h",
        "Share of parcels told within 10 min of leaving. Good is 99 %. Less: look where they wait.",
        "percentunit",
        f"{QUICK} / ({TAKEN} > 0)",
        (("red", None), ("orange", 0.95), ("green", 0.99)),
        decimals=1,
    ),
]
"""The parcels on their way."""

COURSE: list[Panel] = [
    curve(
        "From shipped to told",
        "From a parcel's leaving Centra's warehouse to the marketplace having it. A mark opens its trace.",
        "s",
        (quantile(0.5, "shipped_to_told_seconds"), "{{scope}} median"),
        (quantile(0.99, "shipped_to_told_seconds"), "{{scope}} p99"),
        steps=TOLD,
        exemplars=True,
    ),
    curve(
        "Oldest parcel not told",
        "By marketplace. A line that climbs without end is a held parcel, or a marketplace that is away.",
        "s",
        (once("untold_shipments_oldest_seconds"), "{{scope}}"),
        steps=TOLD,
    ),
    curve(
        "Parcels told in the last hour",
        "By marketplace. Compare with the warehouse's own count at the end of a shift.",
        "short",
        (within("1h", "shipped_to_told_seconds_count", by="scope"), "{{scope}}"),
        whole=True,
        width=8,
    ),
]
"""How long they took."""

STUCK: list[Panel] = [
    bars(
        "What do held parcels need?",
        "By the first action: map_carrier, by_hand in the back office, decide what became of a call.",
        "short",
        (else_zero(total("held_items", "advice", flow=PARCELS), "advice"), "{{advice}}"),
        NONE_IS_GOOD,
    ),
    bars(
        "Parcel calls in doubt",
        "Sent, and the answer was lost. They are decided by reading within 20 min; what stays is for a person.",
        "short",
        (else_zero(total("doubtful_effects", "scope", flow=PARCELS), "scope"), "{{scope}}"),
        NONE_IS_GOOD,
    ),
    curve(
        "What the marketplaces answer",
        "Calls about parcels by outcome. Refused means a wrong carrier code or an order that is already closed.",
        "ops",
        (rate("effects", "code, outcome", flow=PARCELS), "{{code}} {{outcome}}"),
        width=8,
    ),
    curve(
        "Lag by step",
        "Age of the oldest due work: following orders in Centra, parcels, documents.",
        "s",
        (once("lag_seconds", flow="order_follow|shipments|documents"), "{{scope}} {{flow}}"),
        width=8,
    ),
    curve(
        "Cancelled in Centra, by how it went",
        "What the warehouse can't ship goes to the marketplace as a cancelation. Held ones are under Money.",
        "ops",
        (else_zero(rate("effects", "code, outcome", flow="cancellations"), "outcome"), "{{code}} {{outcome}}"),
        width=8,
    ),
]
"""What can't go, and why."""


def build() -> Dashboard:
    """Parcels on their way to the marketplace, those that can't go, and what Centra cancels."""
    return frame(
        NAME,
        "Dispatch and carriers",
        "Does the marketplace know of every parcel in time?",
        [*NOW, *COURSE, *STUCK],
    )
