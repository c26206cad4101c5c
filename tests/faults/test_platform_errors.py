"""Both platforms answer with errors, before and after they did what was asked, and with nonsense as a Retry-After."""

from __future__ import annotations

import pytest

from app.wire.retry_after import CAP_SECONDS
from tests.faults.deployment import Deployment, Json, eventually
from tests.faults.every import by_command, in_ci

pytestmark = pytest.mark.asyncio(loop_scope="module")

NONSENSE = (None, "0", "-7", "soon", "Wed, 21 Oct 1998 07:28:00 GMT")
TEN_YEARS = "315360000"


async def _all_fired(pair: Deployment, address: str, seconds: float) -> None:
    async def left() -> list[Json]:
        menu = (await pair.lab.ask(address, "/_sandbox/faults"))["faults"]
        assert isinstance(menu, list)
        return [dict(fault) for fault in menu if isinstance(fault, dict) and fault["count"] != 0]

    await eventually(left, lambda left: not left, seconds, "every fault has struck")


async def test_errors_before_and_after_the_effect(pair: Deployment) -> None:
    await pair.begin()
    await pair.load()
    await pair.faults(
        pair.marketplace,
        {"code": "STO01", "kind": "status", "status": 503},
        {"code": "STO01", "kind": "status_after", "status": 500},
        {"code": "STO02", "kind": "status", "status": 502},
        {"code": "STO02", "kind": "bad_json"},
    )
    await pair.faults(
        pair.lab.centra,
        {"code": "*", "kind": "status", "status": 500, "count": 2},
        {"code": "*", "kind": "status_after", "status": 504, "count": 2},
        {"code": "*", "kind": "html_after"},
    )
    await _all_fired(pair, pair.marketplace, 30)
    await _all_fired(pair, pair.lab.centra, 30)
    assert await pair.calm() > 0
    await pair.rest()
    await pair.check()


@by_command
async def test_a_storm_of_429_with_nonsense_as_retry_after(pair: Deployment) -> None:
    await pair.begin()
    await pair.load()
    storm = [{"kind": "too_many"} | ({} if text is None else {"retry_after": text}) for text in NONSENSE]
    await pair.faults(pair.marketplace, *({"code": "STO01", **fault} for fault in storm))
    await pair.faults(pair.lab.centra, *({"code": "*", **fault} for fault in storm))
    await _all_fired(pair, pair.marketplace, 40)
    await _all_fired(pair, pair.lab.centra, 40)
    assert await pair.calm() > 0
    await pair.rest()
    await pair.check()


async def test_a_retry_after_of_ten_years_is_capped(pair: Deployment) -> None:
    await pair.begin()
    sku = pair.skus(1)[0]
    await pair.faults(pair.marketplace, {"code": "STO01", "kind": "too_many", "retry_after": TEN_YEARS})
    await pair.change({sku: 33})
    await _all_fired(pair, pair.marketplace, 20)
    assert (await pair.lab.differences())[pair.channel] != {}
    await pair.advance(CAP_SECONDS)
    await pair.rest()
    await pair.check()


@pytest.mark.parametrize("code", in_ci(["STO01", "STO02"], ["STO01"]))
async def test_a_retry_after_is_kept(pair: Deployment, code: str) -> None:
    """The stand-in counts a call during the time it gave as a violation."""
    await pair.begin()
    sku = pair.skus(1)[0]
    await pair.faults(pair.marketplace, {"code": code, "kind": "too_many", "retry_after": "150"})
    await pair.change({sku: 44 if code == "STO01" else 45})
    await _all_fired(pair, pair.marketplace, 20)
    await pair.rest()
    await pair.check()
