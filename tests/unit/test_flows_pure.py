"""The parts of flows that decide without waiting: times of changes, allowances, offers to send."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import failpoints, flows
from app.centra.client import AFTER_SALE, STOCK
from app.centra.schema import DisplayItem, DisplayItemsAnswer, Event
from app.centra.schema import Size as SizeRow
from app.domain.ids import MarketId, Scope, SizeId, Sku, WarehouseId
from app.domain.stock import Available, Cause, Market, Size, Topology, Warehouse
from app.flows import events, read_back, stock, sweep
from app.flows.allowance import SMALLEST_PLAN, WINDOW_SECONDS, buckets
from app.mirakl.schema import Offer
from app.policies.guard import Suspicion
from app.policies.stock import StockPolicy
from app.policy_settings import GuardSettings, StockSettings
from app.settings import Centra, Channel, Channels
from app.store.marks import Mark
from app.store.offers import StockOffer
from app.store.outbox import Claim, Held
from app.store.sizes import SizeRead
from app.wire.decode import typed
from tests.child import ROOT

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
SCOPE = Scope("demo-fr")
CHANNEL = Channel(id="demo-fr", url="https://demo.mirakl.example", shop_id=2001, market=3)
SWITCHED_OFF = Channel(
    id="demo-se", url="https://demo.mirakl.example", shop_id=2002, market=4, stock=StockSettings(on=False)
)
SETTINGS = Channels(
    centra=Centra(url="https://demo.centra.example/graphql", events=False), channel=(CHANNEL, SWITCHED_OFF)
)


# ---------------------------------------------------------------------------------------- the folder of flows


def test_each_flow_is_a_file_of_its_own_name() -> None:
    names = [flow.name for flow in flows.all_flows()]
    assert names == sorted(set(names))
    assert {"stock", "imports", "events", "sizes", "sweep", "topology", "read_back", "reference"} <= set(names)
    folder = ROOT / "app" / "flows"
    assert [name for name in names if not (folder / f"{name}.py").exists()] == []


def test_a_flow_names_only_fail_points_that_exist_and_no_two_share_one() -> None:
    named = [point for flow in flows.all_flows() for point in flow.fail_points]
    assert sorted(named) == sorted(set(named))
    assert set(named) <= set(failpoints.ALL)


def test_flows_work_where_they_are_switched_on() -> None:
    scopes = {flow.name: flow.scopes(SETTINGS) for flow in flows.all_flows()}
    assert scopes["stock"] == scopes["full_push"] == ["demo-fr"]
    assert scopes["imports"] == scopes["read_back"] == ["demo-fr", "demo-se"]
    assert scopes["sizes"] == scopes["sweep"] == scopes["topology"] == ["centra"]
    assert scopes["events"] == []  # switched off for this environment; the sweep is left


def test_periodic_keys_begin_within_the_interval_of_their_flow() -> None:
    for flow in flows.all_flows():
        for scope in ["centra"] if flow.scoped == "source" else ["demo-fr"]:
            keys = flow.keys(SETTINGS, Scope(scope)) if flow.keys else {}
            assert all(0 <= first <= 86_400 for first in keys.values()), flow.name


# ----------------------------------------------------------------------------------------------- fail points


def armed(text: str) -> subprocess.CompletedProcess[str]:
    program = (
        "import anyio\nfrom app.failpoints import fail_point\nanyio.run(fail_point, 'stock.sent')\nprint('went on')"
    )
    environment = os.environ | {failpoints.ENVIRONMENT: text}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [("", 0), ("stock.posted=kill", 0), ("stock.sent=pause:0.01, stock.posted=kill", 0), ("stock.sent=kill", -9)],
)
def test_an_armed_point_strikes_and_the_others_do_not(text: str, code: int) -> None:
    done = armed(text)
    assert (done.returncode, done.stdout) == (code, "went on\n" if code == 0 else "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stock.sent", "use NAME=kill"),  # would arm nothing, and the fault test would pass for nothing
        ("stock.sent=explode", "use NAME=kill"),
        ("stock.sent=pause:soon", "use NAME=kill"),
        ("stok.sent=kill", "unknown fail points: stok.sent"),
    ],
)
def test_a_point_armed_wrongly_is_an_error_at_start(text: str, words: str) -> None:
    done = armed(text)
    assert done.returncode == 1
    assert words in done.stderr


# --------------------------------------------------------------------------------------------- when it changed


def row(size_id: int) -> SizeRow:
    return SizeRow(id=size_id, stock=())


def event(created_at: str | None, *size_ids: int) -> Event:
    return Event(1, "StockChange", "UPDATED", 1, created_at, sizes=tuple(row(s) for s in size_ids))


def size(size_id: int = 1, sku: str = "VX-100-M", free: int | None = 7) -> Size:
    return Size(SizeId(size_id), Sku(sku), {WarehouseId(1): free})


READS = [SizeRead(size(1, "A"), None), SizeRead(size(2, "B"), None)]


def ago(**length: float) -> str:
    return (NOON - timedelta(**length)).isoformat()


def test_the_first_change_of_each_sku_counts() -> None:
    page = [event(ago(minutes=5), 1), event(ago(minutes=9), 1, 2), event(ago(minutes=1), 2)]
    nine = NOON - timedelta(minutes=9)
    assert events._changed_at(page, READS, NOON) == {"A": nine, "B": nine}


@pytest.mark.parametrize(
    "said", [None, "", "yesterday", "2027-01-01T11:59:00", "2027-02-30T11:59:00Z", "1767225600", ago(days=1, seconds=1)]
)
def test_a_time_that_says_nothing_is_left_out(said: str | None) -> None:
    assert events._changed_at([event(said, 1)], READS, NOON) == {}


@pytest.mark.parametrize(
    "said",
    ["2027-01-01T11:00:00Z", "2027-01-01T12:00:00+01:00", "2027-01-01T12:00:00+0100", "2027-01-01 06:00:00-05:00"],
)
def test_times_come_in_any_zone(said: str) -> None:
    assert events._changed_at([event(said, 1)], READS, NOON) == {"A": NOON - timedelta(hours=1)}


def test_a_clock_that_is_ahead_is_now_and_a_size_that_was_not_read_is_left_out() -> None:
    assert events._changed_at([event(ago(minutes=-5), 1, 99)], READS, NOON) == {"A": NOON}


@given(st.lists(st.tuples(st.integers(-100_000, 200_000), st.sampled_from([1, 2, 3]))))
def test_never_later_than_now_and_never_older_than_a_day(said: list[tuple[int, int]]) -> None:
    page = [event(ago(seconds=seconds), size_id) for seconds, size_id in said]
    found = events._changed_at(page, READS, NOON)
    assert set(found) <= {"A", "B"}
    assert all(NOON - timedelta(days=1) <= at <= NOON for at in found.values())


def test_the_order_queue_comes_before_stock_and_no_type_is_in_both() -> None:
    listed = [object_type for types in events.QUEUES.values() for object_type in types]
    assert len(listed) == len(set(listed))
    assert set(events.HEADROOM) == set(events.QUEUES)
    assert events.HEADROOM == {"order": AFTER_SALE, "stock": STOCK}
    assert events.HEADROOM["order"] > events.HEADROOM["stock"]  # business rule 7


def test_a_display_item_and_its_display_both_lead_to_the_variant_and_one_without_leads_nowhere() -> None:
    rows = (
        b'[{"id": 1, "display": {"id": 5}, "productVariant": {"id": 21}}, {"id": 2, "productVariant": {"id": 22}},'
        b' {"id": 3, "display": {"id": 6}, "productVariant": null}, {"id": 4, "productVariant": {"id": null}}]'
    )
    answer = DisplayItemsAnswer(typed(rows, tuple[DisplayItem, ...]))
    assert sorted(sweep._shown(answer)) == [(1, 21), (2, 22), (5, 21)]


# --------------------------------------------------------------------------------------------------- allowances

GROWTH = {"requests.10s": 60, "requests.1h": 5_000, "mutations.1h": 1_800}
"""Field case 77: the limits of the plan in question."""


def test_field_case_77_of_a_shared_hour_we_plan_with_our_share() -> None:
    assert GROWTH.items() <= SMALLEST_PLAN.items()  # what we believe before Centra's own words are read
    capacity, refill = buckets(GROWTH, 0.7)["requests.1h"]
    assert capacity == pytest.approx(3_500)
    assert refill * 3_600 == pytest.approx(3_500)
    assert buckets(GROWTH, 0.7)["requests.10s"] == pytest.approx((42, 4.2))


def test_the_smallest_plan_has_all_six_buckets() -> None:
    kinds = {"requests", "mutations", "complexity"}
    assert set(SMALLEST_PLAN) == {f"{kind}.{window}" for kind in kinds for window in WINDOW_SECONDS}
    assert all(quota > 0 for quota in SMALLEST_PLAN.values())


@given(st.dictionaries(st.sampled_from(sorted(SMALLEST_PLAN)), st.integers(0, 10**9)), st.floats(0.01, 0.7))
def test_an_emptied_bucket_gives_our_share_and_no_more_in_its_window(quotas_: dict[str, int], share: float) -> None:
    ours = buckets(quotas_, share)
    assert set(ours) == set(quotas_)
    for name, (capacity, refill) in ours.items():
        assert 0 <= capacity <= 0.7 * quotas_[name] + 1e-6
        assert refill * WINDOW_SECONDS[name.rpartition(".")[2]] == pytest.approx(capacity)


# ----------------------------------------------------------------------------------------------- what is offered

PLACES = Topology(
    {MarketId(3): Market(MarketId(3), "France", 7, frozenset({"FR"}))},
    {WarehouseId(1): Warehouse(WarehouseId(1), "Borås", 0, True, frozenset({7}))},
)
POLICY = StockPolicy(MarketId(3))


def offer(
    sku: str = "VX-100-M",
    given_size: Size | None = None,
    *,
    live: bool = True,
    sharing: int = 1,
    confirmed: int | None = 3,
    sent_version: int = 1,
    voided: int = 0,
    approved: int | None = None,
) -> StockOffer:
    return StockOffer(Sku(sku), live, given_size, sharing, confirmed, sent_version, confirmed, 1, voided, approved)


def claim(sku: str, version: int = 2) -> Claim:
    return Claim(sku, version, claim=9, attempts=1, due_at=NOON, dirty_since=NOON)


def test_what_the_marketplace_does_not_list_is_left_alone() -> None:
    assert stock._decide(offer(given_size=size(), live=False), PLACES, POLICY) is None


def test_a_sku_that_two_sizes_carry_is_for_a_person() -> None:
    verdict = stock._decide(offer(given_size=size(), sharing=2), PLACES, POLICY)
    assert verdict == Held("2 sizes in Centra carry the SKU VX-100-M; give each its own")


def test_a_figure_that_centra_does_not_give_holds_the_sku_with_the_reason() -> None:
    verdict = stock._decide(offer(given_size=size(free=None)), PLACES, POLICY)
    assert verdict == Held("Centra gives no free quantity for warehouse Borås")


def test_field_case_72_a_key_carries_no_payload_so_each_try_is_derived_anew() -> None:
    payload = {"payload", "value", "quantity", "body"}
    assert not payload & {f.name for kind in (Mark, Claim) for f in fields(kind)}
    before = stock._decide(offer(given_size=size(free=7)), PLACES, POLICY)
    after = stock._decide(offer(given_size=size(free=5)), PLACES, POLICY)
    assert isinstance(before, Available)
    assert isinstance(after, Available)
    assert (before.quantity, after.quantity) == (7, 5)


@pytest.mark.parametrize(
    ("known", "settled"),
    [
        (offer(confirmed=7), True),
        (offer(confirmed=6), False),
        (offer(confirmed=None), False),
        (offer(confirmed=7, sent_version=2), False),  # something newer is on its way
        (offer(confirmed=7, voided=1), False),  # no longer believed
    ],
)
def test_only_what_was_confirmed_and_nothing_newer_is_settled(known: StockOffer, settled: bool) -> None:
    assert known.is_settled(7) is settled


Decided = tuple[StockOffer, Available, Claim]


def guarded(
    decided: Sequence[Decided],
    *,
    before: dict[Suspicion, frozenset[Sku]] | None = None,
    live: int = 100,
    channel: Channel = CHANNEL,
) -> stock.Plan:
    plan = stock.Plan()
    stock._guard(plan, decided, before or {}, live, channel, SCOPE)
    return plan


def vanishing(count: int, cause: Cause = Cause.MAPPING, approved: int | None = None) -> list[Decided]:
    zero = Available(0, cause, ("market 3 has no DIRECT warehouse: 0",))
    return [(offer(f"VX-{n}", approved=approved), zero, claim(f"VX-{n}")) for n in range(count)]


def test_fifty_zeros_go_out_and_one_more_holds_them_all() -> None:
    assert len(guarded(vanishing(50)).lines) == 50
    plan = guarded(vanishing(51))
    assert (plan.lines, plan.claims, len(plan.verdicts)) == ([], [], 51)
    assert plan.verdicts[claim("VX-0")] == Held(
        "mass change, 3 → 0 (market 3 has no DIRECT warehouse: 0); check Centra, then `stock release`"
    )
    assert {w.suspicion for w in plan.wanted} == {Suspicion.VANISHED}  # written down, so that the hour counts it


def test_sold_out_goes_out_however_many() -> None:
    plan = guarded(vanishing(100, Cause.FREE))
    assert (len(plan.lines), plan.verdicts) == (100, {})


def test_a_change_that_nothing_is_wrong_with_passes_a_mass_change_by() -> None:
    fine = (offer("AB-1"), Available(2, Cause.FREE, ("available to sell: 2",)), claim("AB-1"))
    plan = guarded([*vanishing(60), fine])
    assert [(sent.key, sent.value) for sent in plan.lines] == [("AB-1", 2)]


def test_a_released_version_passes_and_a_later_one_is_held_again() -> None:
    assert len(guarded(vanishing(60, approved=2)).lines) == 60
    assert len(guarded(vanishing(60, approved=1)).verdicts) == 60


def test_the_channel_sets_its_own_guard() -> None:
    careful = CHANNEL.model_copy(update={"guard": GuardSettings(least=5, share=0.01)})
    assert len(guarded(vanishing(6), channel=careful).verdicts) == 6
    assert len(guarded(vanishing(5), channel=careful).lines) == 5


def test_what_the_marketplace_has_already_is_not_sent_again() -> None:
    same = (offer("AB-1", confirmed=2), Available(2, Cause.FREE, ("available to sell: 2",)), claim("AB-1"))
    plan = guarded([same])
    assert (plan.lines, plan.verdicts, len(plan.wanted)) == ([], {}, 1)


skus = st.sampled_from([f"VX-{n}" for n in range(12)])
quantities = st.integers(0, 5000)


@given(st.dictionaries(skus, st.tuples(st.none() | quantities, quantities, st.sampled_from(list(Cause)))))
def test_each_sku_is_sent_held_or_settled_and_never_two_of_them(
    given_skus: dict[str, tuple[int | None, int, Cause]],
) -> None:
    careful = CHANNEL.model_copy(update={"guard": GuardSettings(least=2, share=0)})
    decided = [
        (offer(sku, confirmed=confirmed), Available(wanted, cause, (f"available to sell: {wanted}",)), claim(sku))
        for sku, (confirmed, wanted, cause) in given_skus.items()
    ]
    plan = guarded(decided, channel=careful)
    sent, held = {sent.key for sent in plan.lines}, {c.key for c in plan.verdicts}
    settled = {o.sku for o, outcome, _ in decided if o.is_settled(outcome.quantity)}
    assert not sent & held
    assert sent | held == set(given_skus) - settled
    assert [c.key for c in plan.claims] == [sent.key for sent in plan.lines]
    assert all(sent.value == given_skus[sent.key][1] and sent.version == 2 for sent in plan.lines)
    assert not {o.sku for o, outcome, _ in decided if outcome.cause is Cause.FREE and outcome.quantity == 0} & held


@pytest.mark.parametrize(("deleted", "listed"), [(False, True), (True, False)])
def test_an_offer_read_back_is_listed_unless_it_was_deleted(deleted: bool, listed: bool) -> None:
    text = f'{{"shop-sku": "VX-100-M", "shop_sku": "VX-100-M", "quantity": 4, "deleted": {str(deleted).lower()}}}'
    live = read_back._live(typed(text.encode(), Offer))
    assert (live.sku, live.quantity, live.listed) == ("VX-100-M", 4, listed)
