"""Workers, calls and Postgres. For platform and whoever is on call."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.parts import (
    BUDGET,
    NONE_OR_PAGE,
    Panel,
    bars,
    curve,
    else_zero,
    figure,
    frame,
    label,
    once,
    quantile,
    rate,
    rows,
    selector,
    total,
)

NAME = "platform"
DAY = 86_400


PAUSED = else_zero(f"sum(max by (scope) (centra_mirakl_scope_paused{selector()}))")
EXPIRES = f"min(min without (instance, pod) (centra_mirakl_credential_expires_timestamp_seconds{selector()})) - time()"
LOOP = "sum by (instance, le) (rate(centra_mirakl_loop_delay_seconds_bucket[$__rate_interval]))"
NOW: list[Panel] = [
    figure(
        "Replicas at work",
        "Processes that reach their database. Good is as many as were deployed.",
        "short",
        "sum(centra_mirakl_ready)",
        (("red", None), ("green", 1)),
        width=5,
    ),
    figure(
        "Paused, and unreadable",
        "Scopes whose key was refused: mount the new one, and they go on. Facts set aside: `status` says why.",
        "short",
        f"{label(PAUSED, 'what', 'paused')} or {label(total('dead_letters'), 'what', 'dead letters')}",
        NONE_OR_PAGE,
        legend="{{what}}",
        width=5,
    ),
    figure(
        "First credential ends in",
        "A token or a certificate of a platform. Below two weeks, ask for the next one.",
        "s",
        EXPIRES,
        (("red", None), ("orange", 3 * DAY), ("green", 14 * DAY)),
        width=5,
    ),
    figure(
        "Database size",
        "All of our tables and indexes. Growth without end means that housekeeping does not run.",
        "bytes",
        "max(centra_mirakl_database_bytes)",
        (("green", None), ("orange", 50e9)),
        decimals=1,
        width=5,
    ),
    figure(
        "Event loop late, p99",
        "How late the busiest replica turns. Good is under 50 ms; over a second, claims are at risk.",
        "s",
        f"max(histogram_quantile(0.99, {LOOP}))",
        (("green", None), ("orange", 0.25), ("red", 1)),
        decimals=3,
    ),
]
"""Is it up?"""

SINCE = f"time() - max by (scope, flow) (centra_mirakl_last_success_timestamp_seconds{selector()} > 0)"
WORK: list[Panel] = [
    curve(
        "Keys due, by flow",
        "Work that could be done now. Good falls back to 0 after each rush.",
        "short",
        (f"{total('due_keys', 'flow')} > 0 or {total('due_keys', 'flow', flow='stock')}", "{{flow}}"),
        stacked=True,
        width=8,
    ),
    curve(
        "Keys worked, by how they ended",
        "Settled is done. Failed passes and lost claims are repeated; a steady rate of them is a fault.",
        "ops",
        (rate("keys_settled", "verdict"), "{{verdict}}"),
        (rate("passes_failed", ""), "pass failed"),
        (rate("claims_lost", ""), "claim lost"),
        width=8,
    ),
    rows(
        "Longest without success",
        "Time since a flow last finished a pass, the ten longest. Compare with how often it should run.",
        f"topk(10, clamp_min({SINCE}, 0))",
        ("scope", "flow"),
        value="Since",
        unit="s",
    ),
]
"""Does work flow?"""

LIMITS: list[Panel] = [
    curve(
        "Calls that went wrong or waited",
        "Unknown is a lost answer, notsent a connection that never stood. To wait for a permit is normal.",
        "ops",
        (else_zero(rate("calls", "scope, outcome", outcome="!applied"), "outcome"), "{{scope}} {{outcome}}"),
        (rate("permit_waits", "scope"), "{{scope}} waited"),
        width=8,
    ),
    curve(
        "Duration of a call, p99",
        "By platform, in real seconds. A rise at one platform alone is theirs.",
        "s",
        (quantile(0.99, "call_seconds"), "{{scope}}"),
        width=8,
    ),
    bars(
        "Call budget used at Centra",
        "Our part of its plan, by bucket. At 100 % the next call waits; for long, another integration may use it up.",
        "percentunit",
        (f"{once('budget_used_ratio')} and on (scope) {once('lag_seconds', flow='allowance')}", "{{code}}"),
        BUDGET,
        most=1,
    ),
    curve(
        "Memory, by replica",
        "Resident memory should be flat. Compare with the limit of the container.",
        "bytes",
        ("process_resident_memory_bytes and on (instance) centra_mirakl_ready", "{{instance}}"),
        width=8,
    ),
    curve(
        "Connections to Postgres",
        "By state. Idle in transaction for long holds rows back; near the server's maximum, nobody else gets in.",
        "short",
        ("max without (instance, pod) (centra_mirakl_database_connections)", "{{state}}"),
        width=8,
    ),
    curve(
        "Dead rows, the five largest tables",
        "Estimated. They rise and are vacuumed away; where they only rise, end the oldest transaction.",
        "short",
        ("topk(5, max without (instance, pod) (centra_mirakl_table_dead_rows))", "{{table}}"),
        width=8,
    ),
]
"""Do the platforms answer, and are we near a limit?"""


def build() -> Dashboard:
    """Is it up; does work flow; do the platforms answer; are we near a limit."""
    return frame(
        NAME,
        "Platform",
        "Does work flow, do the platforms answer, and are we near a limit?",
        [*NOW, *WORK, *LIMITS],
    )
