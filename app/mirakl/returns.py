"""Returns at Mirakl: listed, decided, received, checked and closed. None of it moves money.

Where the platform has no returns every call is refused as *missing*. A repeated step is refused ("invalid state"):
the list says where a return really stands.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Unpack

from app.mirakl.after_calls import PAGE_LIMIT, AfterCalls, checked, each
from app.mirakl.after_schema import Page, Return, ReturnCheck, ReturnDecision
from app.mirakl.calls import Sending, instant
from app.wire.outcome import Outcome
from app.wire.permit import Permit

RETURNS_LIMIT = 100
"""The most returns of one call."""


class ReturnCalls(AfterCalls):
    """The return calls of a shop."""

    async def rt11_list_returns(
        self,
        updated_since: datetime | None = None,
        *,
        return_ids: Sequence[str] = (),
        page_token: str | None = None,
        permit: Permit | None = None,
    ) -> Outcome[Page[Return]]:
        """One page of returns, oldest first: those updated since then (all if None), or up to 100 named ones.

        A list is begun once in five minutes; its further pages and named returns have ceilings of their own.
        """
        if return_ids:
            query = [("return_id", id_) for id_ in checked(return_ids, PAGE_LIMIT)]
        else:
            query = [("return_last_updated_from", instant(updated_since))] if updated_since else []
        charged_as = "RT11.page" if page_token else "RT11.read" if return_ids else "RT11"
        return await self._page(
            "RT11", "/api/returns", query, Return, page_token=page_token, permit=permit, charged_as=charged_as
        )

    async def rt21_decide_returns(
        self,
        decisions: Sequence[ReturnDecision],
        **sending: Unpack[Sending],
    ) -> Outcome[dict[str, Outcome[None]]]:
        """Accept or reject returns that wait for it."""
        ids = [decision.id for decision in decisions]
        return await self._step("RT21", "accept", decisions, ids, **sending)

    async def rt25_receive_returns(
        self,
        ids: Sequence[str],
        **sending: Unpack[Sending],
    ) -> Outcome[dict[str, Outcome[None]]]:
        """Say that returns have arrived."""
        return await self._step("RT25", "receive", _named(ids), ids, **sending)

    async def rt26_check_returns(
        self,
        checks: Sequence[ReturnCheck],
        **sending: Unpack[Sending],
    ) -> Outcome[dict[str, Outcome[None]]]:
        """Say what the check of received returns found, for every line of each."""
        ids = [check.id for check in checks]
        return await self._step("RT26", "compliance", checks, ids, **sending)

    async def rt27_close_returns(
        self,
        ids: Sequence[str],
        **sending: Unpack[Sending],
    ) -> Outcome[dict[str, Outcome[None]]]:
        """Close returns, after their refunds."""
        return await self._step("RT27", "close", _named(ids), ids, **sending)

    async def _step(
        self,
        code: str,
        verb: str,
        items: Collection[object],
        ids: Collection[str],
        **sending: Unpack[Sending],
    ) -> Outcome[dict[str, Outcome[None]]]:
        answer = await self._write(
            code,
            "PUT",
            f"/api/returns/{verb}",
            {"returns": checked(items, RETURNS_LIMIT)},
            **sending,
        )
        return each(answer, ids)


def _named(ids: Sequence[str]) -> list[dict[str, str]]:
    return [{"id": id_} for id_ in ids]
