"""The walk over the marketplace's returns: as they are stored here, and as far as they are in Centra.

The list may be begun once in five minutes, and the flow that reads it needs it too: so this walk is one of its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from app.centra.returns import COMPLETED
from app.domain.parity import Cause, Found, Kind
from app.engine.flow import Pass
from app.engine.patience import patiently
from app.flows import return_intake
from app.flows.comparing.causes import Seen, Step, Stopped, under_way
from app.flows.comparing.sales import There, read_centra
from app.mirakl.after_schema import Return
from app.policies.returns import ReturnState
from app.settings import Channel
from app.store import intents, mirrors, orders, parity, returns
from app.store.parity import NO_WAY
from app.wire.outcome import Applied, RefusalKind, Refused

UNRECEIVED = (ReturnState.WAITING_ACCEPTANCE, ReturnState.IN_PROGRESS)
FLOW = intents.Kind.RETURN.flow


def kinds_of(channel: Channel) -> tuple[Kind, ...]:
    """Returns, where they are followed."""
    return (Kind.RETURNS,) if channel.after_sale.is_followed and channel.after_sale.returns.on else ()


async def walk(turn: Pass, token: str | None, began_at: datetime) -> AsyncGenerator[Step, None]:
    """Every return updated of late, from a page on. What was not stored so is stored, which mends it."""
    services, scope = turn.services, turn.scope
    since = began_at - timedelta(days=services.channel(scope).parity.days)
    async with services.database.work.acquire() as connection:
        watermark = await mirrors.read_cursor(connection, scope, return_intake.WATERMARK, datetime)
    while True:
        asked_at = services.clock.now()
        answer = await patiently(
            turn,
            lambda: services.mirakl[scope].rt11_list_returns(since, page_token=token),  # noqa: B023 - awaited here
        )
        if isinstance(answer, Refused) and answer.kind is RefusalKind.MISSING:
            return  # the platform has no returns
        if not isinstance(answer, Applied):
            yield Stopped(answer, scope)
            return
        rows, token = answer.value.rows, answer.value.next_token
        seen = Seen(place=(token or "", ""))
        seen.compared[Kind.RETURNS] += len(rows.items)
        seen.found += await _unread(turn, rows.items, watermark)
        await return_intake.store_returns(services, scope, rows, asked_at)
        there = await _in_centra(turn, rows.items)
        if isinstance(there, Stopped):
            yield there
            return
        seen.found += there
        yield seen
        if token is None:
            return


async def _unread(turn: Pass, rows: Sequence[Return], watermark: datetime | None) -> list[Found]:
    """Returns that a pass should have read so, and did not."""
    async with turn.services.database.work.acquire() as connection:
        states = await returns.states(connection, turn.scope, [row.id for row in rows])
    return [
        Found(
            *(Kind.RETURNS, row.order_id, f"return {row.id}, state"),
            ours=states.get(row.id, "absent"),
            theirs=row.state,
            mended=True,
        )
        for row in rows
        if watermark is not None and row.last_updated <= watermark and states.get(row.id) != row.state
    ]


async def _in_centra(turn: Pass, rows: Sequence[Return]) -> list[Found] | Stopped:
    """Returns that Centra has back, and the marketplace still waits for."""
    waited = {row.order_id for row in rows if row.state in UNRECEIVED}
    scope, found = turn.scope, list[Found]()
    async with turn.services.database.work.acquire() as connection:
        numbers = await orders.centra_numbers(connection, scope, sorted(waited))
        ways = await parity.ways(connection, scope, [FLOW], sorted(numbers))
    there = await read_centra(turn, sorted(numbers.values()), follows=True)
    if not isinstance(there, There):
        return Stopped(there, turn.services.source)
    async with turn.services.database.work.acquire() as connection:
        for order_id, number in numbers.items():
            order = there.after.get(number)
            back = {one.external_id for one in order.returns if one.return_status == COMPLETED} if order else set()
            for walked in await returns.of_order(connection, scope, order_id):
                if walked.return_id not in back or walked.facts.state not in UNRECEIVED:
                    continue
                words = (f"return {walked.return_id}", "completed", walked.facts.state)
                one = Found(Kind.RETURNS, order_id, *words, mend=FLOW)
                if walked.held_at is not None:
                    found.append(replace(one, cause=Cause.HELD, words=walked.reason or ""))
                else:
                    found.append(under_way(one, [ways.get((FLOW, order_id), NO_WAY)]))
    return found
