"""What all dashboards are made of: PromQL in four shapes, panels of four kinds, one frame.

Gauges marked *database* in `app/telemetry/metrics.py` are exported by every replica alike, so `once` takes one of them;
counters are each replica's own, so they are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any, TypeAlias

from grafana_foundation_sdk.builders import bargauge, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import common as shapes
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as answers

Panel: TypeAlias = stat.Panel | timeseries.Panel | bargauge.Panel | table.Panel
Query: TypeAlias = tuple[str, str]
"""A PromQL expression and a legend that names labels as {{scope}}."""
Steps: TypeAlias = Sequence[tuple[str, float | None]]
"""Colours, each from a value on; the first from nowhere on."""

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
SCOPE = 'scope=~"$scope"'
TAG = "centra-mirakl"
NEUTRAL: Steps = (("blue", None),)
NONE_IS_GOOD: Steps = (("green", None), ("orange", 1))
NONE_OR_PAGE: Steps = (("green", None), ("red", 1))
FRESH_SECONDS = 360
"""A change of stock counts as stale from here on: the promise of docs/guarantees.md."""
FRESH: Steps = (("green", None), ("orange", FRESH_SECONDS / 2), ("red", FRESH_SECONDS))
WINDOW: Steps = (("green", None), ("orange", 0.5), ("red", 0.75))
"""Where a ticket and then a page is sent about an order that nobody answers."""
TOLD: Steps = (("green", None), ("orange", 900), ("red", 3600))
"""From shipped to told: after a quarter of an hour something is wrong, after an hour it is late."""
HELD: Steps = (("green", None), ("orange", 900), ("red", 14_400))
BUDGET: Steps = (("green", None), ("orange", 0.85), ("red", 0.98))

# ------------------------------------------------------------------------------------------------ PromQL


def selector(**labels: str) -> str:
    """The chosen scopes, and labels of these values: `a|b` is one of several, `!a` any other, `!a|b` none of them."""
    found = [SCOPE]
    for name, value in labels.items():
        is_not, several = value.startswith("!"), "|" in value
        sign = ("!" if is_not else "=") + ("~" if several else "=") if is_not or several else "="
        found.append(f'{name}{sign}"{value.removeprefix("!")}"')
    return "{" + ", ".join(found) + "}"


def once(metric: str, **labels: str) -> str:
    """A database gauge, one of all replicas'."""
    return f"max without (instance, pod) (centra_mirakl_{metric}{selector(**labels)})"


def total(metric: str, by: str = "", **labels: str) -> str:
    """The sum of a database gauge."""
    return _grouped("sum", by, once(metric, **labels))


def worst(metric: str, by: str = "", **labels: str) -> str:
    """The greatest of a database gauge."""
    return _grouped("max", by, once(metric, **labels))


def rate(metric: str, by: str, **labels: str) -> str:
    """How often a second, over all replicas."""
    return _grouped("sum", by, f"rate(centra_mirakl_{metric}_total{selector(**labels)}[$__rate_interval])")


def within(span: str, metric: str, by: str = "", **labels: str) -> str:
    """How often in the last hours or days, over all replicas."""
    return _grouped("sum", by, f"increase(centra_mirakl_{metric}{selector(**labels)}[{span}])")


def _grouped(operator: str, by: str, expression: str) -> str:
    return f"{operator} by ({by}) ({expression})" if by else f"{operator}({expression})"


def quantile(share: float, metric: str, by: str = "scope") -> str:
    """A quantile of a histogram, over all replicas."""
    buckets = f"rate(centra_mirakl_{metric}_bucket{selector()}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({by}, le) ({buckets}))"


def else_zero(expression: str, name: str = "") -> str:
    """0 where there is no series, as long as a replica answers: of what nobody has seen yet, there is none.

    `name`: the label that a legend shows, which then says so.
    """
    zero = "0 * max(centra_mirakl_ready)"
    return f"{expression} or on () {label(zero, name, 'none') if name else zero}"


def label(expression: str, name: str, value: str) -> str:
    """With a label of its own, so that several can stand in one panel."""
    return f'label_replace({expression}, "{name}", "{value}", "", "")'


# ------------------------------------------------------------------------------------------------ panels


def figure(title: str, why: str, unit: str, expression: str, steps: Steps, **more: Any) -> stat.Panel:
    """One number, as of now. `more`: width, decimals, detail (the name of a dashboard that says more), legend.

    With a legend it is one number a label, without its course: of what is over, a course would show the last value.
    """
    panel = (
        stat.Panel()
        .height(4)
        .graph_mode(kinds.BigValueGraphMode.AREA)
        .color_mode(kinds.BigValueColorMode.VALUE)
        .text_mode(kinds.BigValueTextMode.AUTO if more.get("legend") else kinds.BigValueTextMode.VALUE)
        .reduce_options(shapes.ReduceDataOptions().calcs(["lastNotNull"]))
        .decimals(more.get("decimals", 0))
        .thresholds(_thresholds(steps))
    )
    if detail := more.get("detail"):
        panel.links([_link(detail.capitalize(), f"/d/{TAG}-{detail}?${{scope:queryparam}}&${{__url_time_range}}")])
    legend = more.get("legend", "")
    _fill(panel, title, why, unit, [(expression, legend)], more.get("width", 4), instant=bool(legend))
    return panel


def curve(title: str, why: str, unit: str, *queries: Query, **more: Any) -> timeseries.Panel:
    """Lines over time. `more`: width, steps (drawn as dashed lines), most (end of the axis), exemplars,
    stacked, whole (no decimals: rates of Prometheus are no whole numbers).
    """
    legend = (
        shapes.VizLegendOptions()
        .show_legend(True)
        .display_mode(kinds.LegendDisplayMode.TABLE)
        .placement(kinds.LegendPlacement.BOTTOM)
        .calcs(["last", "max"])
    )
    panel = (
        timeseries.Panel()
        .height(8)
        .min(0)
        .line_width(1)
        .fill_opacity(30 if more.get("stacked") else 8)
        .show_points(kinds.VisibilityMode.NEVER)
        .legend(legend)
    )
    if steps := more.get("steps"):
        lines = shapes.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
        panel.thresholds(_thresholds(steps)).thresholds_style(lines)
    if most := more.get("most"):
        panel.max(most)
    if more.get("whole"):
        panel.decimals(0)
    if more.get("stacked"):
        panel.stacking(shapes.StackingConfig().mode(kinds.StackingMode.NORMAL))
    _fill(panel, title, why, unit, queries, more.get("width", 12), exemplars=more.get("exemplars", False))
    return panel


def bars(title: str, why: str, unit: str, query: Query, steps: Steps, **more: Any) -> bargauge.Panel:
    """One bar a label, as of now. `more`: width, height, decimals, most (end of the bars)."""
    panel = (
        bargauge.Panel()
        .height(more.get("height", 8))
        .min(0)
        .decimals(more.get("decimals", 0))
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .value_mode(kinds.BarGaugeValueMode.COLOR)
        .reduce_options(shapes.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(steps))
    )
    if most := more.get("most"):
        panel.max(most)
    _fill(panel, title, why, unit, [query], more.get("width", 8), instant=True)
    return panel


def rows(title: str, why: str, expression: str, columns: Sequence[str], **more: Any) -> table.Panel:
    """A table of labels, as of now. `more`: width, height, value (its heading; else it is hidden), unit."""
    value = more.get("value")
    hidden = {"Time": True} | ({} if value else {"Value": True})
    order = {name: place for place, name in enumerate((*columns, "Value"))}
    named = {name: name.capitalize() for name in columns} | ({"Value": value} if value else {})
    options = {"excludeByName": hidden, "indexByName": order, "renameByName": named}
    panel = (
        table.Panel()
        .height(more.get("height", 8))
        .with_transformation(model.DataTransformerConfig("organize", options=options))
    )
    unit = more.get("unit", "short")
    _fill(panel, title, why, unit, [(expression, "")], more.get("width", 8), instant=True, as_table=True)
    return panel


def _fill(
    panel: Panel,
    title: str,
    why: str,
    unit: str,
    queries: Sequence[Query],
    width: int,
    *,
    instant: bool = False,
    as_table: bool = False,
    exemplars: bool = False,
) -> None:
    panel.title(title).description(why).datasource(SOURCE).unit(unit).span(width)
    for letter, (expression, legend) in zip(ascii_uppercase, queries, strict=False):
        target = prometheus.Dataquery().expr(expression).legend_format(legend).datasource(SOURCE).ref_id(letter)
        if instant:
            target.instant()
        if as_table:
            target.format(answers.PromQueryFormat.TABLE)
        if exemplars:
            target.exemplar(True)
        panel.with_target(target)


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    config = dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE)
    return config.steps([model.Threshold(color=color, value=value) for color, value in steps])


# ------------------------------------------------------------------------------------------------ the frame


class _Pages(model.AnnotationQuery):
    """What was paged, as a mark over every curve. The SDK does not know the members that name such a mark."""

    def to_json(self) -> dict[str, object]:
        """With its query where today's Grafana reads it, the name of the alert, and what it is about."""
        target = {"refId": "Anno", "expr": self.expr}
        named = {"titleFormat": "{{alertname}}", "textFormat": "{{scope}}", "tagKeys": "team"}
        return super().to_json() | named | {"target": target}


class _Built(Builder[model.AnnotationQuery]):
    def __init__(self, query: model.AnnotationQuery) -> None:
        self.query = query

    def build(self) -> model.AnnotationQuery:
        """As the frame wants it."""
        return self.query


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).type(model.DashboardLinkType.LINK).url(url)


def frame(name: str, title: str, question: str, panels: Sequence[Panel]) -> dashboard.Dashboard:
    """A dashboard with its variables, its links to all others, and marks where somebody was paged."""
    others = (
        dashboard.DashboardLink("centra-mirakl")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
    )
    paged = _Pages("Pages", SOURCE, icon_color="red", expr='ALERTS{alertstate="firing", severity="page", team!=""}')
    scope = (
        dashboard.QueryVariable("scope")
        .label("Marketplace or Centra")
        .datasource(SOURCE)
        .query("label_values(centra_mirakl_lag_seconds, scope)")
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )
    built = (
        dashboard.Dashboard(title)
        .uid(f"{TAG}-{name}")
        .description(question)
        .tags([TAG])
        .timezone("browser")
        .readonly()
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(others)
        .annotation(_Built(paged))
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(scope)
    )
    for number, panel in enumerate(panels, start=1):
        built.with_panel(panel.id(number))
    return built
