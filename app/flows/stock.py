"""A changed quantity reaches a marketplace.

A key is a SKU of the channel. A pass waits until no stock import is in flight and STO01 may be called, claims every SKU
that is due, derives the newest available quantity of each and posts one file; the first change after a quiet spell so
leaves at once, and under load one file a minute carries the newest value of every changed SKU. A quantity counts as
confirmed only when the import that carried this version is complete and its line is good (flow `imports`).

STO01 is a *safe* effect: an unknown answer frees the slot, pushes the keys again, and once more ten minutes later,
since the lost import may still be applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from app import failpoints
from app.domain.ids import EffectId, ImportId, MarketId, Scope, Sku
from app.domain.stock import Available, Topology, Unreadable
from app.domain.teams import Team
from app.engine.flow import Flow, Gate, Pass, Services
from app.engine.give_up import ORPHANED_SECONDS, give_up, push_all_again
from app.engine.retry import after_failure, retry_at
from app.failpoints import fail_point
from app.flows.order_intake import WATERMARK, Passed
from app.flows.sweep import SWEPT
from app.mirakl.quotas import spacing_seconds
from app.mirakl.schema import StockLine
from app.policies import guard
from app.policies.stock import StockPolicy, available
from app.settings import Channel
from app.store import imports, mirrors, offers
from app.store.effects import EffectState, decide, record
from app.store.imports import Line, SlotTakenError
from app.store.marks import Mark
from app.store.offers import STOCK, StockOffer, Wanted
from app.store.outbox import Claim, Held, Postponed, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.outcome import Applied, Failure, NotSent, RefusalKind, Refused, Unknown
from app.wire.permit import PermitWait

CODE = "STO01"
KIND = "stock"
LARGEST_FILE = 50_000
READ_SLICE = 2_000
SLOT_SECONDS = 1.0
FIRST_POLL_SECONDS = 2.0
LONGEST_FIRST_POLL_SECONDS = 60.0
"""One import that took half an hour must not keep the slot of the next five that long."""
UNREAD_SECONDS = 60.0
SCARCE_UNITS = 5
BOUNCE = "an increase of a scarce SKU waits for the next pass over the orders"


async def gate(services: Services, scope: Scope) -> Gate:
    """The slot of stock imports, then STO01's permit."""
    if await imports.slot_taken(services.database, scope, KIND):
        return PermitWait(SLOT_SECONDS)
    return await services.mirakl[scope].permit(CODE)


@dataclass(slots=True)
class Plan:
    """What a pass decided: verdicts, what is wanted, and the lines to send with their claims."""

    verdicts: dict[Claim, Verdict] = field(default_factory=dict)
    wanted: list[Wanted] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Derive the newest quantities of the claimed SKUs and post those that the marketplace does not have."""
    services, channel = turn.services, turn.services.channel(turn.scope)
    await fail_point(failpoints.STOCK_CLAIMED)
    async with services.database.work.acquire() as connection:
        mirror = await mirrors.read_mirror(connection, services.source, mirrors.TOPOLOGY, Topology)
        swept = await mirrors.read_cursor(connection, services.source, SWEPT, str) is not None
    if mirror is None:
        await _hand_back(turn)
        until = services.clock.after(5)
        return {c: Postponed(until, "the topology of Centra is not read yet", called=False) for c in turn.claims}
    plan = await _plan(turn, channel, mirror.value, swept)
    plan.lines.sort(key=lambda line: line.key)
    if not plan.lines or channel.stock.dry_run:
        await _hand_back(turn)
        await services.database.transact(lambda tx: offers.write_wanted(tx.connection, turn.scope, plan.wanted))
        return plan.verdicts
    if not turn.still_ours:
        await turn.extend()
    return plan.verdicts | await _send(turn, plan)


# ------------------------------------------------------------------------------------------------------ deciding


async def _plan(turn: Pass, channel: Channel, topology: Topology, swept: bool) -> Plan:
    by_key = {c.key: c for c in turn.claims}
    keys = sorted(by_key)
    plan, decided = Plan(), []
    policy = StockPolicy(
        MarketId(channel.market),
        channel.stock.buffer,
        channel.stock.cap,
        channel.stock.offset_per_warehouse,
        channel.stock.sell_preorders,
    )
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


def _decide(offer: StockOffer, topology: Topology, policy: StockPolicy) -> Available | Held | None:
    """The quantity to offer; None when the marketplace does not list the SKU, so that there is nothing to do."""
    if not offer.live:
        return None
    if offer.sharing > 1:
        return Held(f"{offer.sharing} sizes in Centra carry the SKU {offer.sku}; give each its own")
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
        elif not offer.is_settled(outcome.quantity):
            plan.lines.append(Line(claim.key, claim.version, outcome.quantity, claim.dirty_since))
            plan.claims.append(claim)


def _guard_words(offer: StockOffer, outcome: Available, kind: guard.Suspicion, policy: guard.GuardPolicy) -> str:
    step = f"{'unknown' if offer.confirmed is None else offer.confirmed} → {outcome.quantity}"
    jump = f"more than {policy.jump_factor} times and {policy.jump_units} units"
    why = outcome.steps[-1] if kind is guard.Suspicion.VANISHED else jump
    return f"mass change, {step} ({why}); check Centra, then `stock release`"


# ------------------------------------------------------------------------------------------------------ sending


async def _send(turn: Pass, plan: Plan) -> dict[Claim, Verdict]:
    services, scope = turn.services, turn.scope
    orphaned_at = services.clock.after(ORPHANED_SECONDS * services.clock.scale)

    async def write_sent(transaction: Transaction) -> tuple[ImportId, EffectId]:
        await offers.write_wanted(transaction.connection, scope, plan.wanted)
        opened = await imports.open_import(transaction, scope, STOCK, KIND, CODE, plan.lines, orphaned_at)
        rows = [(line.key, line.value, line.version) for line in plan.lines]
        await offers.write_sent(transaction.connection, scope, rows)
        return opened

    try:
        import_id, effect_id = await services.database.transact(write_sent)
    except SlotTakenError as exc:
        await _hand_back(turn)
        until = services.clock.after(SLOT_SECONDS)
        return {c: Postponed(until, str(exc), called=False) for c in plan.claims}
    await fail_point(failpoints.STOCK_SENT)
    outcome = await services.mirakl[scope].sto01_import_stock(
        [StockLine(line.key, line.value) for line in plan.lines],
        permit=turn.permit,
        effect_id=str(effect_id),
        usable_until=turn.usable_until,
    )
    await fail_point(failpoints.STOCK_POSTED)
    metrics.effects.labels(scope, STOCK, CODE, type(outcome).__name__.lower()).inc()
    metrics.import_size_lines.labels(scope, KIND).observe(len(plan.lines))
    if isinstance(outcome, Applied):
        await _store_id(services, scope, import_id, effect_id, outcome.value)
        await fail_point(failpoints.STOCK_STORED)
        services.pauses.resume(scope)
        log.info("stock_posted", scope=scope, import_id=import_id, lines=len(plan.lines))
        return {}
    return await _after(turn, plan, import_id, effect_id, outcome)


async def _store_id(services: Services, scope: Scope, import_id: ImportId, effect_id: EffectId, remote_id: str) -> None:
    usual = await imports.usual_seconds(services.database, scope, KIND)
    expected = FIRST_POLL_SECONDS if usual is None else max(1.0, usual + 0.5)
    first_poll = services.clock.after(min(expected, LONGEST_FIRST_POLL_SECONDS))

    async def steps(transaction: Transaction) -> None:
        connection = transaction.connection
        state = await imports.posted(connection, scope, KIND, import_id, remote_id)
        if state == "repeated":  # the far side took it for an earlier file and did nothing
            await decide(connection, effect_id, EffectState.NOT_APPLIED, f"earlier import id {remote_id}")
            await push_all_again(transaction, scope, import_id)
            return
        await decide(connection, effect_id, EffectState.APPLIED, remote_id)
        transaction.mark([Mark(scope, imports.FLOW, str(import_id), due_at=first_poll)])

    await services.database.transact(steps)


async def _after(
    turn: Pass, plan: Plan, import_id: ImportId, effect_id: EffectId, failure: Failure
) -> dict[Claim, Verdict]:
    """The file was not taken, or nobody knows."""
    services, scope = turn.services, turn.scope

    async def steps(transaction: Transaction) -> None:
        connection = transaction.connection
        await record(connection, effect_id, failure)
        match failure:
            case Unknown(reason):
                await give_up(transaction, scope, import_id, reason)
            case Refused(reason):
                await imports.finish(connection, import_id, "refused", note=reason)
            case NotSent(reason):
                await imports.finish(connection, import_id, "not_sent", note=reason)

    await services.database.transact(steps)
    log.warning("stock_not_posted", scope=scope, outcome=type(failure).__name__, reason=failure.reason)
    if isinstance(failure, Unknown):
        return {}  # marked again already, and due when the next file may leave
    if isinstance(failure, Refused) and failure.kind is not RefusalKind.CREDENTIALS:
        return {c: Postponed(retry_at(services.clock, c, 60, 600), failure.reason) for c in plan.claims}
    return {c: after_failure(failure, c, services.clock, services.pauses, scope) for c in plan.claims}


async def _hand_back(turn: Pass) -> None:
    if turn.permit is not None:
        await turn.services.permits.give_back(turn.permit)


FLOW = Flow(
    name=STOCK,
    team=Team.ECOMMERCE,
    scoped="channel",
    work=work,
    batch=LARGEST_FILE,
    gate=gate,
    gather_seconds=0.05,
    on=lambda settings, scope: settings.by_id()[scope].stock.on,
    effects=True,
    fail_points=(
        failpoints.STOCK_CLAIMED,
        failpoints.STOCK_SENT,
        failpoints.STOCK_POSTED,
        failpoints.STOCK_STORED,
    ),
)
