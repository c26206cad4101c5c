"""What a marketplace says about itself is mirrored once a day.

A key is an API code: the shop (A01), its switches (PC01), shipping types, carriers, reasons, conditions, taxes and
custom fields; where the catalogue is published also categories, attributes, value lists, logistic classes, channels,
currencies and locales. Everything that varies between marketplaces is read from these mirrors and never hard-coded. A
shop that is not open is said aloud; parcels that wait for a carrier, and the map of the catalogue, look again once
these were read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from app.domain.ids import Scope
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.retry import after_failure
from app.flows.catalogue_watch import CATALOGUE_WATCH
from app.mirakl.client import MiraklClient
from app.mirakl.quotas import spacing_seconds
from app.mirakl.schema import Account
from app.settings import Channels
from app.store import intents, mirrors
from app.store.intents import Kind
from app.store.marks import Mark
from app.store.outbox import Claim, Held, Settled, Verdict
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.decode import Items
from app.wire.outcome import Applied, Outcome

REFERENCE = "reference"
CARRIERS = "SH21"
OPEN = "OPEN"
DAY_SECONDS = 86_400.0

OF_OFFERS = ("PC01", "OF61", "AF01")
"""What the map of the catalogue is held against besides."""

READS: Mapping[str, Callable[[MiraklClient], Awaitable[Outcome[object]]]] = {
    "A01": lambda mirakl: mirakl.a01_get_account(),
    "PC01": lambda mirakl: mirakl.pc01_get_configuration(),
    "SH12": lambda mirakl: mirakl.sh12_list_shipping_types(),
    "SH21": lambda mirakl: mirakl.sh21_list_carriers(),
    "RE01": lambda mirakl: mirakl.re01_list_reasons(),
    "OR75": lambda mirakl: mirakl.or75_list_taxes(),
    "OF61": lambda mirakl: mirakl.of61_list_offer_states(),
    "AF01": lambda mirakl: mirakl.af01_list_additional_fields(),
}

CATALOGUE_READS: Mapping[str, Callable[[MiraklClient], Awaitable[Outcome[object]]]] = {
    "H11": lambda mirakl: mirakl.h11_list_hierarchies(),
    "PM11": lambda mirakl: mirakl.pm11_list_attributes(),
    "VL11": lambda mirakl: mirakl.vl11_list_values(),
    "SH31": lambda mirakl: mirakl.sh31_list_logistic_classes(),
    "CH11": lambda mirakl: mirakl.ch11_list_channels(),
    "CUR01": lambda mirakl: mirakl.cur01_list_currencies(),
    "L01": lambda mirakl: mirakl.l01_list_locales(),
}


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Read one code and store what it says."""
    claim, services, scope = turn.claims[0], turn.services, turn.scope
    channel = services.channel(scope)
    read = {**READS, **CATALOGUE_READS}.get(claim.key)
    if read is None:
        return {}
    answer = await read(services.mirakl[scope])
    if not isinstance(answer, Applied):
        return {claim: after_failure(answer, claim, services.clock, services.pauses, scope)}
    services.pauses.resume(scope)
    value = answer.value
    if isinstance(value, Items):
        for odd in value.unreadable:
            log.warning("reference_entry_unreadable", scope=scope, code=claim.key, key=odd.id, reason=odd.reason)
        value = value.items

    async def steps(tx: Transaction) -> None:
        await mirrors.write_mirror(tx.connection, scope, claim.key, value)
        if claim.key == CARRIERS:
            tx.mark(await intents.marks_of_kind(tx.connection, scope, Kind.SHIPMENT))
        if channel.publishes and claim.key in (*CATALOGUE_READS, *OF_OFFERS):
            tx.mark([Mark(scope, CATALOGUE_WATCH, CATALOGUE_WATCH)])

    await services.database.transact(steps)
    if isinstance(value, Account):
        problem = shop_problem(value, services, scope)
        metrics.shop_open.labels(scope).set(float(value.shop_state == OPEN))
        if problem:
            return {claim: Held(problem)}
    next_seconds = max(DAY_SECONDS, spacing_seconds(claim.key, channel.profile, services.clock.scale))
    return {claim: Settled(services.clock.after(next_seconds))}


def shop_problem(account: Account, services: Services, scope: Scope) -> str | None:
    """What is wrong with the shop behind the key, in words for a person."""
    channel = services.channel(scope)
    if account.currency_iso_code and account.currency_iso_code != channel.currency:
        return (
            f"the shop's currency is {account.currency_iso_code}, the channel file says {channel.currency}:"
            f" correct `currency` of channel {scope}"
        )
    return None


def _keys(settings: Channels, scope: Scope) -> Mapping[str, float]:
    return dict.fromkeys([*READS, *(CATALOGUE_READS if settings.by_id()[scope].publishes else ())], 0.0)


FLOW = Flow(
    name=REFERENCE,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    at_once=2,
    keys=_keys,
)
