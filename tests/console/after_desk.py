"""What happened after the sale, put into a desk's database as the flows leave it."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.domain.after_sale import Advice, Credit, Parcel, RefundOrder, ReturnedLine, Stop
from app.domain.ids import OrderId, OrderLineId
from app.domain.teams import Team
from app.flows.after_sale.money import MONEY, OR28, Before
from app.mirakl import schema
from app.policies.returns import MarketplaceReturn, MarketplaceReturnLine
from app.store import effects, intents, mirrors, returns
from app.store.effects import EffectClass, EffectState
from app.store.intents import Intent, Kind
from tests.console.orders_desk import NOW, Desk
from tests.flows.service import FR

BALANCE = Stop("the shop's balance does not cover the refund", Advice.RETRY_DAILY, {"said": "no funds"})
UNMAPPED = Stop("the carrier is not in the channel's table: Nord Express", Advice.MAP_CARRIER)
LOST = Stop("the answer of OR28 was lost, and 20 minutes later the marketplace does not show it", Advice.DECIDE)
DENIED = "does not wait for a person"


async def carriers_known(at: Desk, channel: str = FR, *, free: bool = False) -> None:
    """The marketplace lists three carriers; `free`: and takes others by name."""
    listed = [
        schema.Carrier("POSTNORD", "PostNord", tracking_url="https://pn.example/{trackingId}"),
        schema.Carrier("NORDEXP", "Nord Express"),
        schema.Carrier("DHL"),
    ]
    told = schema.PlatformConfiguration(features=schema.Features(disable_seller_alternative_carrier=not free))
    async with at.database.desk.acquire() as connection:
        await mirrors.write_mirror(connection, channel, "SH21", listed)
        await mirrors.write_mirror(connection, channel, "PC01", told)


async def fact(
    at: Desk,
    kind: Kind,
    source: str,
    body: object,
    *,
    order_id: str = "R-1-A",
    channel: str = FR,
    amount: str | None = None,
    held: tuple[Stop, Team] | None = None,
) -> int:
    """A fact of an order whose key is at rest; held as a flow holds it. Gives its id."""
    async with at.database.desk.acquire() as connection:
        money = None if amount is None else Decimal(amount)
        await intents.note(connection, channel, kind, source, order_id, body, NOW, amount=money, currency="EUR")
        intent = await one(at, source)
        if held is not None:
            await intents.hold(connection, intent, *held)
    mark = intents.mark_of(channel, kind, order_id)
    await at.database.mark([mark])
    state, since = ("held", NOW) if held else ("ready", None)
    await at.run(
        "UPDATE outbox SET state = $4, held_at = $5, due_at = NULL, dirty_since = NULL"
        " WHERE scope = $1 AND flow = $2 AND key = $3",
        *(channel, mark.flow, order_id, state, since),
    )
    return intent.id


async def refund(at: Desk, number: int, stop: Stop = BALANCE, *, order_id: str = "R-1-A", amount: str = "29.95") -> int:
    """A held refund of one unit."""
    line = ReturnedLine(OrderLineId(f"{order_id}-1"), 1, Decimal(amount))
    credit = Credit(number, 4711, completed=True, lines=(line,), currency="EUR")
    held = (stop, Team.FINANCE)
    return await fact(at, Kind.REFUND, f"centra:return:{number}", credit, order_id=order_id, amount=amount, held=held)


async def parcel(
    at: Desk, number: int, carrier: str = "Nord Express", *, order_id: str = "R-1-A", channel: str = FR
) -> int:
    """A parcel held for its carrier."""
    body = Parcel(number, f"P-{number}", {OrderLineId(f"{order_id}-1"): 1}, carrier, "", "T-1", NOW, complete=True)
    stop = Stop(f"the carrier is not in the channel's table: {carrier}", Advice.MAP_CARRIER)
    held = (stop, Team.OPERATIONS)
    return await fact(
        at, Kind.SHIPMENT, f"centra:shipment:{number}", body, order_id=order_id, channel=channel, held=held
    )


async def in_doubt(at: Desk, intent_id: int, before: tuple[str, ...] = (), *, order_id: str = "R-1-A") -> int:
    """A call for a refund whose answer was lost, and that nobody could decide; the effect's id."""
    line = OrderLineId(f"{order_id}-1")
    wanted = RefundOrder(line, 1, Decimal("29.95"), Decimal(0), "EUR", "17")
    async with at.database.desk.acquire() as connection:
        effect = await effects.write_sent(
            connection,
            FR,
            "refunds",
            OR28,
            EffectClass.CREATE,
            lane=order_id,
            key=order_id,
            doubt=MONEY,
            intent=intent_id,
            snapshot=Before(frozenset(before), (wanted,)),
        )
        for state in (EffectState.UNKNOWN, EffectState.HELD):
            await effects.decide(connection, effect, state, LOST.reason)
    return effect


async def held_return(at: Desk, return_id: str = "RET-1", *, order_id: str = "R-1-A") -> str:
    """A return that waits for a person; its item."""
    told = MarketplaceReturn(
        return_id, OrderId(order_id), "WAITING_ACCEPTANCE", (MarketplaceReturnLine(OrderLineId(f"{order_id}-1"), 1),)
    )
    async with at.database.desk.acquire() as connection:
        await returns.store(connection, FR, [told], NOW)
        await returns.hold(connection, FR, return_id, Stop("accept it?", Advice.LET_GO), Team.CUSTOMER_SERVICE)
    await at.database.mark([intents.mark_of(FR, Kind.RETURN, order_id)])
    await at.held_by_flow(order_id, "accept it?", flow="returns")
    return f"r:{FR}:{return_id}"


async def one(at: Desk, source: str) -> Intent:
    """A fact by its source."""
    async with at.database.desk.acquire() as connection:
        number = await connection.fetchval("SELECT id FROM intent WHERE source_id = $1", source)
        found = await intents.lock(connection, number)
    assert found is not None
    return found


async def row(at: Desk, intent_id: int) -> Mapping[str, Any]:
    """A fact as its row is; `told` decoded."""
    found = await at.database.desk.fetchrow("SELECT * FROM intent WHERE id = $1", intent_id)
    assert found is not None
    return {**found, "told": json.loads(found["told"] or "null")}


async def key(at: Desk, flow: str, order_id: str = "R-1-A", channel: str = FR) -> tuple[str, bool]:
    """Held or ready, and whether it is due now."""
    found = await at.database.desk.fetchrow(
        "SELECT state, coalesce(due_at <= app_now(), false) AS due FROM outbox"
        " WHERE scope = $1 AND flow = $2 AND key = $3",
        *(channel, flow, order_id),
    )
    assert found is not None
    return found["state"], found["due"]


DUE, RESTS, HELD = ("ready", True), ("ready", False), ("held", False)
