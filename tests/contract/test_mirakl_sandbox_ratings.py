"""What the Mirakl stand-in says of the shop (A21), against Mirakl's own document and what happened to its orders.

One sandbox process for the module; each test has a year of its own by the sandbox clock.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.test_mirakl_sandbox import KEY, SHOP_ID, sandbox
from tests.contract.test_mirakl_sandbox_after import TRACKING, AfterMarket
from tests.contract.test_mirakl_sandbox_orders import DAY_SECONDS

PATH = "/api/account/statistics"
PERIODS = {"LAST_MONTH", "LAST_THREE_MONTHS", "LAST_SIX_MONTHS", "LAST_YEAR", "ALL_SINCE_BEGINNING"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    shop = {"id": "plain", "port": 0, "key": KEY, "shop_id": SHOP_ID, "currency": "EUR"}
    with sandbox({"mirakl": [shop]}) as announced:
        yield announced["mirakl"]["plain"]


@pytest.fixture
def market(url: str) -> Iterator[AfterMarket]:
    """Two years after the last test: of what happened then, nothing counts within a year."""
    opened = AfterMarket(url)
    opened.advance(730 * DAY_SECONDS)
    opened.seed(A=100, B=100)
    opened.rules(acceptance_seconds=3 * DAY_SECONDS)
    yield opened
    opened.http.close()


def told(market: AfterMarket, **asked: str) -> dict[str, dict[str, Any]]:
    """The figures by name and period."""
    answer = market.call("A21", PATH, params=asked)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["shop_id"] == SHOP_ID
    return {name: {one["period"]: one["value"] for one in v} for name, v in body.items() if isinstance(v, list)}


def test_lines_are_rated_by_what_became_of_them(market: AfterMarket) -> None:
    kept, split, refused = market.place("A", "B"), market.place("A", "B"), market.place("A")
    lapsed = market.place("A", created_ago_seconds=4 * DAY_SECONDS)
    market.advance(3600)
    market.decide(kept, {f"{kept}-1": True, f"{kept}-2": True})
    market.decide(split, {f"{split}-1": True, f"{split}-2": False})
    market.decide(refused, {f"{refused}-1": False})
    assert market.state(lapsed) == "REFUSED"
    found = told(market)
    assert found["approval_rate"]["LAST_MONTH"] == 50  # three of six lines
    assert found["auto_refused_rate"]["LAST_MONTH"] == pytest.approx(16.6667)
    assert found["approval_delay"]["LAST_MONTH"] == pytest.approx(3600, abs=5)
    assert found["orders_count"]["LAST_MONTH"] == 4
    assert found["late_shipment_rate"]["LAST_MONTH"] is None  # nothing is due yet


def test_what_happens_after_the_sale_is_counted_and_what_ended_stays_counted(market: AfterMarket) -> None:
    good, late, troubled = market.shipping("A"), market.shipping("A"), market.shipping("A")
    market.ship(good, {1: 1}, tracking=TRACKING, shipped=True)
    market.ship(troubled, {1: 1}, tracking={"carrier_name": "Rowan & Son", "tracking_number": "RS-1"}, shipped=True)
    line = {"order_line_id": f"{troubled}-1"}
    market.admin("incidents", line)
    market.admin("incidents", {**line, "close": True})
    market.refunded(market.refund(troubled, 10))
    market.advance(3 * DAY_SECONDS)
    cancelled = market.place("A", payment_workflow="PAY_ON_DELIVERY")
    market.decide(cancelled, {f"{cancelled}-1": True})
    market.admin("orders/change", {"order_id": cancelled, "cancel": True})
    thread = market.admin("threads", {"order_id": good, "ago_seconds": 7200})["id"]
    market.admin("threads", {"id": thread, "answered": True})
    market.admin("threads", {"order_id": good})  # still waits: no answer to be measured

    found = {name: by_period.get("LAST_MONTH") for name, by_period in told(market).items()}
    assert found["late_shipment_rate"] == pytest.approx(33.3333)  # overdue, and not shipped yet
    assert found["valid_tracking_rate"] == 50
    assert (found["incident_rate"], found["refund_rate"], found["cancelation_rate"]) == (25, 25, 25)
    assert found["order_messages_response_delay"] == pytest.approx(7200, abs=5)
    market.ship(late, {1: 1}, tracking=TRACKING, shipped=True)
    market.advance(DAY_SECONDS)
    assert told(market)["late_shipment_rate"]["LAST_MONTH"] == pytest.approx(33.3333)


def test_orders_that_lapse_one_after_the_other_are_counted_until_one_is_answered(market: AfterMarket) -> None:
    for _ in range(2):
        market.place("A", created_ago_seconds=4 * DAY_SECONDS)
        market.advance(60)
    assert told(market)["consecutive_refused_orders_count"] == {"ALL_SINCE_BEGINNING": 2}
    market.advance(DAY_SECONDS)
    answered = market.place("A")
    market.decide(answered, {f"{answered}-1": True})
    assert told(market)["consecutive_refused_orders_count"] == {"ALL_SINCE_BEGINNING": 0}


def test_a_period_and_a_channel_may_be_asked_for(market: AfterMarket) -> None:
    market.place("A", channel={"code": "DE", "label": "Germany"}, created_ago_seconds=40 * DAY_SECONDS, state="SHIPPED")
    found = told(market, channel_code="DE", periods="LAST_MONTH,LAST_YEAR")
    assert found["orders_count"] == {"LAST_MONTH": 0, "LAST_YEAR": 1}
    assert found["approval_rate"] == {"LAST_MONTH": None, "LAST_YEAR": 100}
    assert found["consecutive_refused_orders_count"] == {}
    market.advance(DAY_SECONDS)
    assert set(told(market)["approval_rate"]) == PERIODS
    assert market.call("A21", PATH).status_code == 429  # once a day
    market.advance(DAY_SECONDS)
    assert market.call("A21", PATH, params={"periods": "YESTERDAY"}).status_code == 400
