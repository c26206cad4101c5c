"""What is on sale, what is not and why, and is somebody mending it? For ecommerce."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.parts import (
    NEUTRAL,
    NONE_IS_GOOD,
    Panel,
    bars,
    curve,
    figure,
    frame,
    once,
    rate,
    total,
)

NAME = "catalogue"
STATES = "waiting|pending|rejected|held|differs"
"""Those that somebody or something has to end."""
DAY = 86_400.0
AGES = (("green", None), ("orange", 1.5 * DAY), ("red", 3 * DAY))
"""Of copies that are read daily."""
SINCE = (("green", None), ("orange", 2 * DAY), ("red", 7 * DAY))
"""After these an operator is reminded, of prices and of products."""
COPIES = "H11|PM11|VL11|OF61|AF01|live offers|products|catalogue.map|plan"
NAMED = {
    "H11": "categories",
    "PM11": "attributes",
    "VL11": "value lists",
    "OF61": "conditions",
    "AF01": "fields of offers",
    "catalogue.map": "map, imported",
    "plan": "plan, the last",
}


def _named(expression: str) -> str:
    """Copies by what they are, instead of by their code."""
    for code, words in NAMED.items():
        expression = f'label_replace({expression}, "mirror", "{words}", "mirror", "{code}")'
    return expression


NOW: list[Panel] = [
    figure(
        "Offers live",
        "SKUs on sale, over all marketplaces chosen: confirmed by the marketplace's own report, and read back.",
        "locale",
        total("publication_keys", kind="offers", state="live"),
        NEUTRAL,
    ),
    figure(
        "With the operator",
        "Products not decided yet and prices not approved yet. It may take days; see below how long the oldest waits.",
        "short",
        total("publication_keys", kind="products|prices", state="waiting|pending"),
        NEUTRAL,
    ),
    figure(
        "Rejected",
        "Refused by the marketplace or its operator. Good is 0: `catalogue list --state rejected` has their words.",
        "short",
        total("publication_keys", state="rejected"),
        NONE_IS_GOOD,
    ),
    figure(
        "Held here",
        "A fault of ours, or a guard: not sent. Good is 0: `catalogue list` says what is wrong, and where to mend it.",
        "short",
        total("publication_keys", state="held"),
        NONE_IS_GOOD,
    ),
    figure(
        "Accepted, not applied",
        "Clean report, but the live offer is another one. Good is 0; each is sent again once a day.",
        "short",
        total("publication_keys", state="differs"),
        NONE_IS_GOOD,
    ),
    figure(
        "Maps with gaps",
        "Marketplaces that want what their map does not give. Good is 0: `catalogue coverage` says what.",
        "short",
        total("held_keys", flow="catalogue_watch"),
        NONE_IS_GOOD,
    ),
]
"""How much is on sale, and what is in the way."""

TREND: list[Panel] = [
    curve(
        "Offers live, by marketplace",
        "A line that falls is an assortment that leaves. Nothing is emptied as a mass without a person.",
        "short",
        (once("publication_keys", kind="offers", state="live"), "{{scope}}"),
        whole=True,
    ),
    curve(
        "Products that are not live, by how they stand",
        "Waiting comes down by itself. Held and rejected come down when somebody mends them in Centra or in the map.",
        "short",
        (f"{once('publication_keys', kind='products', state='sent|waiting|rejected|held')} > 0", "{{scope}} {{state}}"),
        whole=True,
    ),
]
"""Which way it goes."""

WHY: list[Panel] = [
    bars(
        "Why not: held and rejected SKUs by their first reason",
        "The longest bar is the mend that helps most; what a reason quotes or counts is left out (…, N).",
        "short",
        (f"topk(8, {total('publication_reason_keys', 'state, reason')})", "{{state}}: {{reason}}"),
        NONE_IS_GOOD,
        width=16,
    ),
    bars(
        "The oldest of each, by how it stands",
        "Red after a week: ask the operator, or mend it. What is held here for a day is an alert of its own.",
        "s",
        (f"{once('publication_oldest_seconds', state=STATES)} > 0", "{{scope}} {{kind}} {{state}}"),
        SINCE,
    ),
]
"""What to mend first."""

MONEY: list[Panel] = [
    curve(
        "Prices that do not leave or do not show",
        "Held: below the floor, or too far a move. Pending: not approved. Differs: accepted, and another one is live.",
        "short",
        (f"{once('publication_keys', kind='prices', state='held|pending|differs')}", "{{scope}} {{state}}"),
        whole=True,
        width=8,
    ),
    curve(
        "Lines by what became of them",
        "Lines of imports of products, offers and prices, as the marketplaces' own reports say.",
        "ops",
        (rate("import_lines", "kind, result", kind="products|offers|prices"), "{{kind}} {{result}}"),
        width=8,
    ),
    bars(
        "Age of what we go by",
        "Copies of what marketplaces say are read daily, live offers every few minutes; a plan is as good as those.",
        "s",
        (
            "sort_desc(" + _named(f"max by (mirror) ({once('mirror_age_seconds', mirror=COPIES)})") + ")",
            "{{mirror}}",
        ),
        AGES,
    ),
]
"""Prices, the marketplaces' answers, and how old our copies are."""


def build() -> Dashboard:
    """From what is on sale to what is in the way."""
    return frame(
        NAME,
        "Catalogue, offers and prices",
        "What is on sale, what is not and why, and is somebody mending it?",
        [*NOW, *TREND, *WHY, *MONEY],
    )
