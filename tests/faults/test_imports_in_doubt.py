"""An STO01 whose answer is lost, and one that is applied long after it was given up.

Its keys are pushed again at once, and once more ten minutes later, since the lost file may still be applied. Only in
between may an older figure stand at the marketplace.
"""

from __future__ import annotations

import pytest

from app.engine.bulk import APPLIED_LATE_SECONDS
from app.mirakl.quotas import spacing_seconds
from tests.faults.deployment import SCALE, Deployment, Json, eventually, went_back
from tests.faults.every import in_ci

pytestmark = pytest.mark.asyncio(loop_scope="module")

_figures = iter(range(50, 1000))
UNKNOWN = {"name": "centra_mirakl_effects_total", "code": "STO01", "outcome": "unknown"}


async def _carriers(pair: Deployment, sku: str, since: int, count: int) -> list[Json]:
    """So many imports that carried the SKU, once they are there."""

    async def found() -> list[Json]:
        return await pair.imports_of(sku, since)

    return await eventually(found, lambda found: len(found) >= count, 20, f"{count} imports carry {sku}")


@pytest.mark.parametrize("kind", in_ci(["drop_after", "status_after", "html_after", "cut"], ["drop_after"]))
async def test_an_answer_is_lost(pair: Deployment, kind: str) -> None:
    await pair.begin()
    since, doubts, (sku, other) = await pair.newest_import(), await pair.metric(**UNKNOWN), pair.skus(2)
    await pair.faults(pair.marketplace, {"code": "STO01", "kind": kind})
    await pair.change({sku: next(_figures), other: next(_figures)})
    await pair.rest()
    assert await pair.fired(pair.marketplace) == [1]
    first, again = await pair.imports_of(sku, since)
    assert (first["state"], again["state"]) == ("unknown", "done")
    assert await pair.metric(**UNKNOWN) == doubts + 1

    await pair.advance(APPLIED_LATE_SECONDS)
    await _carriers(pair, sku, since, 3)  # it might have been applied only now
    await pair.rest()
    assert (await pair.imports_of(sku, since))[-1]["state"] == "done"
    await pair.check()


async def test_a_file_is_applied_after_its_successor(pair: Deployment) -> None:
    await pair.begin()
    since, (sku,) = await pair.newest_import(), pair.skus(1)
    late_seconds = 1.6 * spacing_seconds("STO01", scale=SCALE)
    await pair.faults(pair.marketplace, {"code": "STO01", "kind": "late", "seconds": late_seconds})
    await pair.change({sku: 30})
    await _carriers(pair, sku, since, 1)
    await pair.change({sku: 40})

    async def figures() -> list[int]:
        return [entry["quantity"] for entry in await pair.applied() if entry["sku"] == sku]

    await eventually(figures, lambda found: found[-2:] == [38, 28], 20, "the older figure overwrites the newer one")
    assert went_back(await pair.applied(), await pair.history()), "the judge sees it"
    await pair.advance(APPLIED_LATE_SECONDS)
    await eventually(figures, lambda found: found[-1] == 38, 20, "the newest figure is there again")
    await pair.rest()
    assert (await pair.imports_of(sku, since))[0]["state"] == "unknown"
    assert not any(text for text in went_back(await pair.applied(), await pair.history()) if not text.startswith(sku))
    await pair.check_ceilings()
