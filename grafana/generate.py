"""Writes the dashboards: `python grafana/generate.py`. The JSON beside this file is never edited by hand.

One function a dashboard, one call a panel. Flow and scope are labels, so a new flow shows up by itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.builders import common as shapes
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model

FOLDER = Path(__file__).resolve().parent / "dashboards"
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
STALE_SECONDS = 360
"""From here on a change counts as stale: the promise of docs/guarantees.md."""

ONCE = "max without (instance, pod)"
"""Every replica exports the database gauges alike."""


def query(expression: str, legend: str) -> prometheus.Dataquery:
    """One PromQL expression; `legend` names labels as {{scope}}."""
    return prometheus.Dataquery().expr(expression).legend_format(legend).datasource(SOURCE)


def figure(title: str, why: str, unit: str, expression: str, *, width: int = 6) -> stat.Panel:
    """One number, as of now."""
    return (
        stat.Panel()
        .title(title)
        .description(why)
        .datasource(SOURCE)
        .unit(unit)
        .decimals(0 if unit == "s" else 2)
        .height(4)
        .span(width)
        .graph_mode(kinds.BigValueGraphMode.AREA)
        .reduce_options(shapes.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(query(expression, ""))
    )


def curve(title: str, why: str, unit: str, *queries: prometheus.Dataquery, width: int = 12) -> timeseries.Panel:
    """One or several lines over time."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(why)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .height(8)
        .span(width)
        .line_width(1)
        .fill_opacity(8)
        .show_points(kinds.VisibilityMode.NEVER)
        .legend(
            shapes.VizLegendOptions()
            .show_legend(True)
            .display_mode(kinds.LegendDisplayMode.TABLE)
            .placement(kinds.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
        )
    )
    for each in queries:
        panel = panel.with_target(each)
    return panel


def _limits(*steps: tuple[str, float | None]) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(color=color, value=value) for color, value in steps])
    )


def _percentile(share: float) -> str:
    buckets = (
        'sum by (scope, le) (rate(centra_mirakl_change_to_confirmed_seconds_bucket{scope=~"$scope"}[$__rate_interval]))'
    )
    return f"histogram_quantile({share}, {buckets})"


def _rate(metric: str, by: str) -> str:
    return f'sum by (scope, {by}) (rate({metric}{{scope=~"$scope"}}[$__rate_interval]))'


def stock_lag() -> dashboard.Dashboard:
    """Is stock fresh, where does it wait, and what do the platforms answer?"""
    late = _limits(("green", None), ("orange", STALE_SECONDS / 2), ("red", STALE_SECONDS))
    fresh = _limits(("red", None), ("green", 0.995))
    held = _limits(("green", None), ("orange", 1))
    lag = f'{ONCE} (centra_mirakl_lag_seconds{{scope=~"$scope"'
    return (
        dashboard.Dashboard("Stock lag")
        .uid("centra-mirakl-stock-lag")
        .description("From a change in Centra to its confirmation by each marketplace's own import report.")
        .tags(["centra-mirakl", "stock"])
        .timezone("utc")
        .readonly()
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("scope")
            .label("Scope")
            .datasource(SOURCE)
            .query("label_values(centra_mirakl_lag_seconds, scope)")
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
        .with_panel(
            figure(
                "Oldest change not confirmed",
                "Over all channels; from 6 min on a minute counts as stale.",
                "s",
                f'max({lag}, flow="stock"}}))',
            ).thresholds(late)
        )
        .with_panel(
            figure(
                "Fresh minutes, 30 days",
                "Share of minutes with every change under 6 min old; promised are 99.5 %.",
                "percentunit",
                '1 - max(avg_over_time(scope_flow:centra_mirakl_lag_seconds:stale{scope=~"$scope"}[30d]))',
            ).thresholds(fresh)
        )
        .with_panel(
            figure(
                "Held for a person",
                "Keys that wait for a decision; `centra-mirakl status` lists them.",
                "short",
                f'sum({ONCE} (centra_mirakl_held_keys{{scope=~"$scope"}}))',
            )
            .decimals(0)
            .thresholds(held)
        )
        .with_panel(
            figure(
                "Stale values corrected, 24 h",
                "Found different at the marketplace and pushed again; 0 unless an import was in doubt.",
                "short",
                'sum(increase(centra_mirakl_stale_values_corrected_total{scope=~"$scope"}[24h]))',
            )
            .decimals(0)
            .thresholds(held)
        )
        .with_panel(
            curve(
                "Lag by step",
                "Age of the oldest due key, or of the oldest line sent and not confirmed.",
                "s",
                query(f"{lag}}})", "{{scope}} {{flow}}"),
            ).thresholds(late)
        )
        .with_panel(
            curve(
                "Change to confirmed",
                "From the change in Centra to the import report that confirms it.",
                "s",
                query(_percentile(0.5), "{{scope}} median"),
                query(_percentile(0.99), "{{scope}} p99"),
            )
        )
        .with_panel(
            curve(
                "Keys due, waiting, held",
                "Due now; due later; waiting for a person.",
                "short",
                query(f'{ONCE} (centra_mirakl_due_keys{{scope=~"$scope"}})', "{{scope}} {{flow}} due"),
                query(f'{ONCE} (centra_mirakl_waiting_keys{{scope=~"$scope"}})', "{{scope}} {{flow}} waiting"),
                query(f'{ONCE} (centra_mirakl_held_keys{{scope=~"$scope"}})', "{{scope}} {{flow}} held by {{team}}"),
            )
        )
        .with_panel(
            curve(
                "Outside writes by outcome",
                "applied, refused, notsent or unknown; unknown is decided by reading.",
                "ops",
                query(_rate("centra_mirakl_effects_total", "code, outcome"), "{{scope}} {{code}} {{outcome}}"),
            )
        )
        .with_panel(
            curve(
                "Call budget used",
                "Used share of each call allowance; 1 means that the next call waits.",
                "percentunit",
                query(f'{ONCE} (centra_mirakl_budget_used_ratio{{scope=~"$scope"}})', "{{scope}} {{code}}"),
            ).max(1)
        )
        .with_panel(
            curve(
                "Calls that waited for a permit",
                "Waiting is normal under load: the ceiling is the marketplace's.",
                "ops",
                query(_rate("centra_mirakl_permit_waits_total", "code"), "{{scope}} {{code}}"),
            )
        )
        .with_panel(
            curve(
                "Lines of an import, p90",
                "How many SKUs one file carries: coalescing at work.",
                "short",
                query(
                    "histogram_quantile(0.9, sum by (scope, kind, le) (rate("
                    'centra_mirakl_import_size_lines_bucket{scope=~"$scope"}[$__rate_interval])))',
                    "{{scope}} {{kind}}",
                ),
            )
        )
        .with_panel(
            curve(
                "Import lines by result",
                "As the marketplace's own report says; a bad line holds its key.",
                "ops",
                query(_rate("centra_mirakl_import_lines_total", "kind, result"), "{{scope}} {{kind}} {{result}}"),
            )
        )
    )


DASHBOARDS = {"stock-lag.json": stock_lag}


def written(name: str) -> str:
    """The text of one dashboard's file."""
    return json.dumps(DASHBOARDS[name]().build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write every dashboard."""
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / name).write_text(written(name), encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")


if __name__ == "__main__":
    main()
