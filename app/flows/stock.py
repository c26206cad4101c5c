"""A changed quantity reaches a marketplace.

A key is a SKU of the channel. A pass waits until no stock import is in flight and STO01 may be called, claims every SKU
that is due, derives the newest available quantity of each and posts one file; the first change after a quiet spell so
leaves at once, and under load one file a minute carries the newest value of every changed SKU. A quantity counts as
confirmed only when the import that carried this version is complete and its line is good (flow `imports`). Where a
channel names warehouses, an offer has a row for each of them; they are one line here, good or bad together.

STO01 is a *safe* effect: an unknown answer frees the slot, pushes the keys again, and once more ten minutes later,
since the lost import may still be applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from app import failpoints
from app.domain.ids import EffectId, MarketId, Scope, Sku, WarehouseId
from app.domain.stock import Available, Cause, Topology, Unreadable
from app.domain.teams import Team
from app.engine.bulk import Bulk, LineError, Progress, Upload, hand_back, progress_of, send
from app.engine.flow import Flow, Pass, Services
from app.failpoints import fail_point
from app.flows.order_intake import WATERMARK, Passed
from app.flows.sweep import SWEPT
from app.mirakl.quotas import spacing_seconds
from app.mirakl.schema import StockLine
from app.policies import guard
from app.policies.stock import StockPolicy, available, nothing
from app.settings import Channel
from app.store import mirrors, offers
from app.store.imports import Line
from app.store.offers import STOCK, StockOffer, Wanted
from app.store.outbox import Claim, Held, Postponed, Verdict, Waiting
from app.store.pool import Connection
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.outcome import Applied, Outcome

LARGEST_FILE = 50_000
READ_SLICE = 2_000
UNREAD_SECONDS = 60.0
SCARCE_UNITS = 5
BOUNCE = "an increase of a scarce SKU waits for the next pass over the orders"


@dataclass(slots=True)
class Plan:
    """What a pass decided: verdicts, what is wanted, and the lines to send with their claims and rows of the file."""

    verdicts: dict[Claim, Verdict] = field(default_factory=dict)
    wanted: list[Wanted] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    rows: list[StockLine] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Derive the newest quantities of the claimed SKUs and post those that the marketplace does not have."""
    services, channel = turn.services, turn.services.channel(turn.scope)
    await fail_point(failpoints.STOCK_CLAIMED)
    async with services.database.work.acquire() as connection:
        mirror = await mirrors.read_mirror(connection, services.source, mirrors.TOPOLOGY, Topology)
        swept = await mirrors.read_cursor(connection, services.source, SWEPT, str) is not None
    if mirror is None:
        await hand_back(turn)
        until = services.clock.after(5)
        return {c: Postponed(until, "the topology of Centra is not read yet", called=False) for c in turn.claims}
    plan = await _plan(turn, channel, mirror.value, swept)
    plan.lines.sort(key=lambda line: line.key)
    plan.rows.sort(key=lambda row: row.sku)
    if not plan.lines or channel.stock.dry_run:
        await hand_back(turn)
        await services.database.transact(lambda tx: offers.write_wanted(tx.connection, turn.scope, plan.wanted))
        return plan.verdicts
    return plan.verdicts | await _send(turn, plan)


# ------------------------------------------------------------------------------------------------------ deciding


async def _plan(turn: Pass, channel: Channel, topology: Topology, swept: bool) -> Plan:
    by_key = {c.key: c for c in turn.claims}
    keys = sorted(by_key)
    plan, decided = Plan(), []
    policy = stock_policy(channel)
    unread_until = turn.services.clock.after(UNREAD_SECONDS)
    patience = _patience(turn, channel)
    async with turn.services.database.work.acquire() as connection:
        passed = await mirrors.read_cursor(connection, turn.scope, WATERMARK, Passed) if patience else None
        for start in range(0, len(keys), READ_SLICE):
            found = await offers.read_stock_offers(
                connection, turn.scope, turn.services.source, keys[start : start + READ_SLICE]
            )
            for offer in found:
                outcome = _decide(offer, topology, policy)
                if offer.live and offer.size is None and not swept:
                    plan.verdicts[by_key[offer.sku]] = Waiting(unread_until, "the sizes of Centra are not all read yet")
                elif isinstance(outcome, Held):
                    plan.verdicts[by_key[offer.sku]] = outcome
                elif patience and outcome and _may_bounce(offer, outcome, passed, patience, turn):
                    plan.verdicts[by_key[offer.sku]] = Waiting(turn.services.clock.after(patience), BOUNCE)
                elif outcome is not None:
                    decided.append((offer, outcome, by_key[offer.sku]))
            await anyio.lowlevel.checkpoint()  # a large pass must not keep health checks waiting
        before = await offers.suspected(connection, turn.scope)
        live = await offers.count_live(connection, turn.scope)
    metrics.negative_stock.labels(turn.scope).inc(sum(1 for _, a, _ in decided if a.negative))
    _guard(plan, decided, before, live, channel, turn.scope)
    return plan


def stock_policy(channel: Channel) -> StockPolicy:
    """What the channel's settings say of its stock."""
    own = channel.stock
    warehouses = {WarehouseId(int(number)): code for number, code in own.warehouses.items()}
    market = MarketId(channel.market)
    return StockPolicy(market, own.buffer, own.cap, own.offset_per_warehouse, own.sell_preorders, warehouses)


def _decide(offer: StockOffer, topology: Topology, policy: StockPolicy) -> Available | Held | None:
    """The quantity to offer; None when the marketplace does not list the SKU, so that there is nothing to do."""
    if not offer.live:
        return None
    if offer.sharing > 1:
        return Held(f"{offer.sharing} sizes in Centra carry the SKU {offer.sku}; give each its own")
    if offer.left:
        return nothing(Cause.POLICY, "it is not sold on this channel any more", policy)
    outcome = available(offer.size, topology, policy, offer.unplaced)
    if isinstance(outcome, Unreadable):
        return Held(outcome.reason)
    return outcome


def _patience(turn: Pass, channel: Channel) -> float:
    """App seconds that an increase of a scarce SKU may wait for a pass over the orders; 0 when none are read."""
    if not channel.orders.is_read:
        return 0.0
    ceiling = spacing_seconds("OR11.pass", channel.profile, turn.services.clock.scale)
    return 2 * max(channel.orders.pass_seconds, ceiling)


def _may_bounce(offer: StockOffer, outcome: Available, passed: Passed | None, patience: float, turn: Pass) -> bool:
    """Whether the marketplace may just have lowered the SKU for an order not seen here (business rule 3).

    What is pushed again since it is no longer believed counts as an increase: it may be a unit that was just sold.
    """
    if offer.confirmed is None or offer.confirmed > SCARCE_UNITS or offer.read_at is None or not outcome.quantity:
        return False
    if outcome.quantity <= offer.confirmed and not offer.is_void:
        return False
    known_at = max(offer.read_at, offer.live_read_at or offer.read_at) if offer.is_void else offer.read_at
    if passed is not None and passed.began_at > known_at:
        return False
    return (turn.services.clock.now() - known_at).total_seconds() < patience


def _guard(
    plan: Plan,
    decided: Sequence[tuple[StockOffer, Available, Claim]],
    before: dict[guard.Suspicion, frozenset[Sku]],
    live: int,
    channel: Channel,
    scope: Scope,
) -> None:
    """Split what was decided into lines to send and keys to hold (business rule 4)."""
    settings = channel.guard
    policy = guard.GuardPolicy(settings.least, settings.share, settings.jump_factor, settings.jump_units)
    suspicions: dict[Sku, guard.Suspicion] = {}
    for offer, outcome, claim in decided:
        change = guard.Change(
            offer.sku, offer.confirmed, outcome.quantity, outcome.cause, claim.version, offer.approved_version
        )
        found = guard.suspicion(change, policy)
        if found is not None:
            suspicions[offer.sku] = found
    mass = guard.tripped(suspicions, before, live, policy)
    held = set(guard.held(suspicions, mass))
    for kind in mass:
        metrics.guard_alarms.labels(scope, kind.value).inc()
        log.warning("mass_change", scope=scope, kind=kind.value, skus=list(suspicions.values()).count(kind))
    for offer, outcome, claim in decided:
        plan.wanted.append(Wanted(offer.sku, outcome.quantity, outcome.cause.value, suspicions.get(offer.sku)))
        if offer.sku in held:
            plan.verdicts[claim] = Held(_guard_words(offer, outcome, suspicions[offer.sku], policy))
        elif not offer.is_settled(outcome.quantity, outcome.by_warehouse):
            apart = offers.apart_text(outcome.by_warehouse)
            plan.lines.append(Line(claim.key, claim.version, outcome.quantity, claim.dirty_since, apart))
            plan.rows += rows_of(offer, outcome)
            plan.claims.append(claim)


def _guard_words(offer: StockOffer, outcome: Available, kind: guard.Suspicion, policy: guard.GuardPolicy) -> str:
    step = f"{'unknown' if offer.confirmed is None else offer.confirmed} → {outcome.quantity}"
    jump = f"more than {policy.jump_factor} times and {policy.jump_units} units"
    why = outcome.steps[-1] if kind is guard.Suspicion.VANISHED else jump
    return f"mass change, {step} ({why}); check Centra, then `stock release`"


# ------------------------------------------------------------------------------------------------------ sending


def rows_of(offer: StockOffer, outcome: Available) -> list[StockLine]:
    """An offer in the file: one row, or one for each warehouse.

    A warehouse that the marketplace shows and the channel does not name (any more) is emptied: nobody else would do it.
    """
    if outcome.by_warehouse is None:
        return [StockLine(offer.sku, outcome.quantity)]
    units = {**outcome.by_warehouse, **dict.fromkeys((offer.live_apart or {}).keys() - outcome.by_warehouse.keys(), 0)}
    return [StockLine(offer.sku, quantity, code) for code, quantity in units.items()]


async def _send(turn: Pass, plan: Plan) -> dict[Claim, Verdict]:
    scope = turn.scope

    async def write(connection: Connection) -> None:
        await offers.write_wanted(connection, scope, plan.wanted)
        await offers.write_sent(connection, scope, [(line.key, line.value, line.version) for line in plan.lines])

    async def post(effect_id: EffectId, spelling: int) -> Outcome[str]:
        return await turn.services.mirakl[scope].sto01_import_stock(
            plan.rows,
            spelling=spelling,
            permit=turn.permit,
            effect_id=str(effect_id),
            usable_until=turn.usable_until,
        )

    return await send(turn, BULK, Upload(plan.lines, plan.claims, write, post))


async def _status(services: Services, scope: Scope, remote_id: str) -> Outcome[Progress]:
    answer = await services.mirakl[scope].sto02_get_stock_import(remote_id)
    if not isinstance(answer, Applied):
        return answer
    found = answer.value
    has_report = bool(found.has_error_report or found.lines_in_error)
    if services.channel(scope).stock.warehouses:  # its counts are of rows, of which an offer has several
        return Applied(progress_of(found.status, has_report=has_report))
    return Applied(progress_of(found.status, found.lines_in_success, found.lines_in_error, has_report=has_report))


async def _report(services: Services, scope: Scope, remote_id: str) -> Outcome[list[LineError]]:
    answer = await services.mirakl[scope].sto03_get_stock_import_errors(remote_id)
    if not isinstance(answer, Applied):
        return answer
    return Applied([LineError(line.message, line.sku, line.line) for line in answer.value])


BULK = Bulk(
    kind=STOCK,
    code="STO01",
    status_code="STO02",
    status=_status,
    report=_report,
    confirm=offers.confirm,
    void=offers.push_again,
    points=(failpoints.STOCK_SENT, failpoints.STOCK_POSTED, failpoints.STOCK_STORED),
)

FLOW = Flow(
    name=STOCK,
    team=Team.ECOMMERCE,
    scoped="channel",
    work=work,
    batch=LARGEST_FILE,
    gate=BULK.gate,
    bulk=BULK,
    gather_seconds=0.05,
    on=lambda settings, scope: settings.by_id()[scope].stock.on,
    effects=True,
    fail_points=(failpoints.STOCK_CLAIMED, *BULK.points),
)
