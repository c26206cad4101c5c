"""Imports that fail, hang, vanish, or end with a report that can't be relied on: every line still has one outcome."""

from __future__ import annotations

from typing import Any

import pytest

from app.flows.stock import BULK
from tests.faults.deployment import Deployment, Json, eventually
from tests.faults.every import by_command

pytestmark = pytest.mark.asyncio(loop_scope="module")

BAD_LINE = {"code": "STO01", "kind": "line_error", "message": "Offer is locked"}
DAY_SECONDS = 86_400.0
STALE = {"name": "centra_mirakl_stale_values_corrected_total", "scope": "demo-fr"}
_figures = iter(range(50, 1000))


async def _push(pair: Deployment, *faults: Json) -> tuple[int, list[str]]:
    """Change three SKUs with these faults on the marketplace's menu; the last import before, and the SKUs."""
    await pair.begin()
    since, skus = await pair.newest_import(), pair.skus(3)
    await pair.faults(pair.marketplace, *faults)
    await pair.change({sku: next(_figures) for sku in skus})
    return since, skus


async def _states(pair: Deployment, sku: str, since: int) -> list[str]:
    return [found["state"] for found in await pair.imports_of(sku, since)]


async def _first_ends(pair: Deployment, since: int, state: str) -> Json:
    """The first import after `since`, once it has this state."""

    async def first() -> Json:
        found = [row for row in await pair.imports() if row["id"] > since]
        return found[0] if found else {}

    return await eventually(first, lambda row: row.get("state") == state, 20, f"the import is {state}")


@pytest.mark.parametrize(
    ("faults", "state", "note"),
    [
        ([{"code": "STO01", "kind": "import_failed"}], "failed", "failed it"),
        pytest.param([{"code": "STO02", "kind": "import_unknown"}], "lost", "does not know it", marks=by_command),
        pytest.param([{"code": "STO02", "kind": "counts_off"}], "done", "do not cover", marks=by_command),
        ([{"code": "STO01", "kind": "repeat_import_id"}], "repeated", "earlier id"),
        ([BAD_LINE, {"code": "STO03", "kind": "report_missing", "count": 3}], "done", "can't be read"),
        pytest.param(
            [BAD_LINE, {"code": "STO03", "kind": "report_garbage", "count": 3}],
            "done",
            "can't be read",
            marks=by_command,
        ),
    ],
    ids=lambda value: value[-1]["kind"] if isinstance(value, list) else "",
)
async def test_nothing_of_it_is_believed_and_all_is_pushed_again(
    pair: Deployment, faults: list[Json], state: str, note: str
) -> None:
    since, skus = await _push(pair, *faults)
    first = await _first_ends(pair, since, state)
    assert note in first["note"]
    assert first["effect"] == ("not_applied" if state == "repeated" else "applied")
    await pair.rest()
    for sku in skus:
        assert await _states(pair, sku, since) == [state, "done"]
    assert await pair.fired(pair.marketplace) == [fault.get("count", 1) for fault in faults]
    await pair.check()


async def test_an_import_that_never_ends_is_lost_after_half_an_hour(pair: Deployment) -> None:
    since, skus = await _push(pair, {"code": "STO01", "kind": "import_stuck"})
    await _first_ends(pair, since, "running")
    await pair.advance(BULK.lost_seconds)
    first = await _first_ends(pair, since, "lost")
    assert "30 min" in first["note"]
    await pair.rest()
    for sku in skus:
        assert await _states(pair, sku, since) == ["lost", "done"]
    await pair.check()


async def test_a_bad_line_is_held_with_the_reports_words_until_it_changes(pair: Deployment) -> None:
    sku = pair.skus(1)[0]
    since, skus = await _push(pair, {**BAD_LINE, "skus": [sku], "count": None})

    async def held() -> list[Json]:
        return await pair.rows("SELECT key, reason, firm FROM outbox WHERE state = 'held' ORDER BY key")

    found = await eventually(held, bool, 20, "a key is held")
    assert [(row["key"], row["firm"]) for row in found] == [(sku, False)]
    assert BAD_LINE["message"] in found[0]["reason"]
    assert [channel + key for channel, key in await _different(pair)] == [pair.channel + sku], "the others flow on"
    assert len(await pair.imports_of(sku, since)) == 1, "no loop once a minute"

    await pair.faults(pair.marketplace)
    await pair.change({sku: next(_figures)})
    await pair.rest()
    assert await held() == []
    assert await _states(pair, skus[1], since) == ["done"]
    await pair.check()


async def test_a_line_that_may_pass_later_is_tried_again(pair: Deployment) -> None:
    sku = pair.skus(1)[0]
    since, skus = await _push(pair, {**BAD_LINE, "skus": [sku], "message": "Temporary problem, please try again"})
    await pair.rest()
    assert await pair.rows("SELECT key FROM outbox WHERE state = 'held'") == []
    assert await _states(pair, sku, since) == ["done", "done"]
    assert await _states(pair, skus[1], since) == ["done"]
    await pair.check()


@pytest.mark.parametrize(
    "fault",
    [{"kind": "new_enum", "value": "QUARANTINED"}, pytest.param({"kind": "status", "status": 400}, marks=by_command)],
    ids=["word", "refusal"],
)
async def test_a_status_that_says_nothing_is_asked_for_again(pair: Deployment, fault: Json) -> None:
    since, skus = await _push(pair, {"code": "STO02", **fault})
    await pair.rest()
    assert await pair.fired(pair.marketplace) == [1]
    assert await _states(pair, skus[0], since) == ["done"]
    await pair.check()


async def test_a_figure_accepted_but_never_applied_is_found_by_the_full_read_back(pair: Deployment) -> None:
    sku, corrected = pair.skus(1)[0], await pair.metric(**STALE)
    since, _ = await _push(pair, {"code": "STO01", "kind": "accepted_not_applied", "skus": [sku]})
    await _first_ends(pair, since, "done")
    assert await _different(pair) == [(pair.channel, sku)]
    assert await pair.metric(**STALE) == corrected
    await pair.advance(DAY_SECONDS)
    await pair.rest()
    assert await pair.metric(**STALE) == corrected + 1
    states = await _states(pair, sku, since)  # the correction, and the day's full pushes beside it when they came first
    assert len(states) >= 2
    assert states[-1] == "done"
    assert set(states) <= {"done", "unknown"}  # the leap of a day may meet one that was just being posted
    await pair.check()


async def _different(pair: Deployment) -> list[tuple[str, Any]]:
    found = await pair.lab.differences()
    return [(channel, sku) for channel, different in found.items() for sku in different]
