"""The prices of a SKU reach a marketplace, all of them at once.

A key is a SKU of the channel that is listed there. A pass takes the slot and the permit of PRI01, derives the full
price set of each due SKU from Centra's price lists, and posts one file: a set is whole or nothing, since the file
takes away what it does not mention. A price that falls below the floor, is in another currency, or moves too far waits
for a person. Where the operator approves prices, a set that was taken is pending until the live offer shows it.

PRI01 is a *safe* effect (`engine/bulk`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial

from app import failpoints
from app.domain.catalogue import Price
from app.domain.ids import EffectId, Scope, Sku
from app.domain.teams import Team
from app.engine.bulk import Bulk, LineError, Progress, hand_back, progress_of, send
from app.engine.flow import Flow, Pass, Services
from app.flows.publishing.plan import Plan, upload
from app.mirakl.offer_schema import VolumePrice
from app.mirakl.prices import FILE_LIMIT, OfferPrices, PriceRow
from app.mirakl.schema import PlatformConfiguration
from app.policies.pricing import Period, PricePolicy, PriceSet, Sale, Tag, jump, price_set
from app.policy_settings import PriceSettings, SaleSettings
from app.settings import Channel
from app.store import live_offers, mirrors, offers, products, publications
from app.store.live_offers import Shown
from app.store.outbox import Claim, Verdict
from app.store.pool import Connection
from app.store.products import Known, digest_of
from app.store.publications import Kind, Publication
from app.wire.outcome import Applied, Outcome

PRICES = Kind.PRICES.value


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Derive the price sets of the claimed SKUs and post those that the marketplace does not have."""
    services, scope = turn.services, turn.scope
    async with services.database.work.acquire() as connection:
        plan = await _plan(turn, connection, services.channel(scope))
    await plan.write(turn)
    if not plan.lines:
        await hand_back(turn)
        return plan.verdicts

    async def post(effect_id: EffectId, spelling: int) -> Outcome[str]:
        return await services.mirakl[scope].pri01_import_prices(
            plan.bodies,
            spelling=spelling,
            permit=turn.permit,
            effect_id=str(effect_id),
            usable_until=turn.usable_until,
        )

    return plan.verdicts | await send(turn, BULK, upload(turn, plan, post))


# ------------------------------------------------------------------------------------------------------ deciding


async def _plan(turn: Pass, connection: Connection, channel: Channel) -> Plan[OfferPrices]:
    by_key = {claim.key: claim for claim in turn.claims}
    keys = sorted(by_key)
    configuration = await mirrors.read_mirror(connection, turn.scope, "PC01", PlatformConfiguration)
    policy = price_policy(channel, None if configuration is None else configuration.value)
    known = await products.of_skus(connection, turn.services.source, keys)
    told = await publications.read(connection, turn.scope, Kind.PRICES, keys)
    unsent = [key for key in keys if key not in told or told[key].sent_body is None]
    shown = await live_offers.of_skus(connection, turn.scope, unsent)
    plan = Plan[OfferPrices](Kind.PRICES, told, channel.prices.mode == "dry_run")
    now = turn.services.clock.now()
    for sku in await offers.listed(connection, turn.scope, keys):  # others have no prices yet
        if sku in known and known[sku].is_borne and not known[sku].gone:
            _decide(plan, by_key[sku], price_set(prices_of(known[sku]), policy, now), policy, shown.get(sku))
    return plan


def _decide(
    plan: Plan[OfferPrices], claim: Claim, found: PriceSet | list[str], policy: PricePolicy, shown: Shown | None
) -> None:
    if isinstance(found, list):
        plan.hold(claim, found)
        return
    told = plan.told.get(claim.key)
    if not may_go(told, found, policy, shown):
        plan.hold(claim, [jump(price_before(told, shown), found, policy) or ""], found)
        return
    plan.send(claim, found, rows_of(Sku(claim.key), found))


def may_go(told: Publication | None, found: PriceSet, policy: PricePolicy, shown: Shown | None) -> bool:
    """Whether these prices pass the guard, or a person let them go."""
    if jump(price_before(told, shown), found, policy) is None:
        return True
    return told is not None and told.approved == digest_of(found)


def price_before(told: Publication | None, shown: Shown | None) -> Decimal | None:
    """The default price that was sent last; of an offer that was there before us, the one that it was seen with."""
    if told is not None and told.sent_body is not None:
        return Decimal(told.sent_body["tags"][0]["amount"])
    live = None if shown is None else shown.offer.default_price
    return None if live is None else live.amount


def price_policy(channel: Channel, configuration: PlatformConfiguration | None) -> PricePolicy:
    """The channel's own settings, and what the marketplace says of prices."""
    own: PriceSettings = channel.prices
    assert own.price_list is not None, "the settings see to it"
    features = configuration.features if configuration is not None else None
    decimals = str(features.offer_prices_decimals if features is not None else "")
    pricing = features.pricing if features is not None else None
    return PricePolicy(
        currency=channel.currency,
        price_list=own.price_list,
        channels=own.channels,
        volumes={int(quantity): list_id for quantity, list_id in own.volumes.items()},
        planned=[_sale(one) for one in own.planned],
        sales=[_sale(one) for one in own.sales],
        floor=own.floor,
        largest_change=own.largest_change,
        decimals=int(decimals) if decimals.isdigit() else 2,
        dates_required=bool(pricing and pricing.discount_period_required),
    )


def prices_of(known: Known) -> Mapping[int, Price]:
    """The prices of a SKU's variant, by price list."""
    for variant in known.product.variants:
        if any(size.sku == known.sku for size in variant.sizes):
            return variant.display.prices if variant.display is not None else {}
    return {}


def _sale(settings: SaleSettings) -> Sale:
    return Sale(settings.price_list, Period(settings.starts_at, settings.ends_at))


# ------------------------------------------------------------------------------------------------------ sending


def rows_of(sku: Sku, found: PriceSet) -> OfferPrices:
    """A price set as PRI01 takes it."""
    return OfferPrices(sku, tuple(_row(tag) for tag in found.tags))


def _row(tag: Tag) -> PriceRow:
    return PriceRow(
        tag.amount,
        discount_price=tag.discount,
        discount_starts=tag.discount_period.starts_at,
        discount_ends=tag.discount_period.ends_at,
        channels=(tag.channel,) if tag.channel else (),
        starts=tag.period.starts_at,
        ends=tag.period.ends_at,
        volumes=tuple(VolumePrice(quantity_threshold=n, unit_origin_price=amount) for n, amount in tag.ranges),
    )


async def _status(services: Services, scope: Scope, remote_id: str) -> Outcome[Progress]:
    answer = await services.mirakl[scope].pri02_get_price_import(remote_id)
    if not isinstance(answer, Applied):
        return answer
    found = answer.value
    # its counts are of lines, of which an offer may have several
    return Applied(progress_of(found.status, has_report=bool(found.has_error_report or found.lines_in_error)))


async def _report(services: Services, scope: Scope, remote_id: str) -> Outcome[list[LineError]]:
    answer = await services.mirakl[scope].pri03_get_price_import_errors(remote_id)
    if not isinstance(answer, Applied):
        return answer
    return Applied([LineError(line.message, line.columns.get("offer-sku", ""), line.line) for line in answer.value])


BULK = Bulk(
    kind=PRICES,
    code="PRI01",
    status_code="PRI02",
    status=_status,
    report=_report,
    confirm=partial(publications.confirm, kind=Kind.PRICES),
    void=partial(publications.push_again, kind=Kind.PRICES),
    points=(failpoints.PUBLISH_SENT, failpoints.PUBLISH_POSTED, failpoints.PUBLISH_STORED),
)

FLOW = Flow(
    name=PRICES,
    team=Team.ECOMMERCE,
    scoped="channel",
    work=work,
    batch=FILE_LIMIT,
    gate=BULK.gate,
    bulk=BULK,
    gather_seconds=0.2,
    on=lambda settings, scope: PRICES in settings.by_id()[scope].publishes,
    effects=True,
)
