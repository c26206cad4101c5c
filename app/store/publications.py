"""What a channel is to have, was sent and is known to have: each offer, each offer's prices, each product.

Stock is apart (`offers`): it changes a hundred times as often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from app.store.marks import Mark
from app.store.pool import Connection
from app.store.statements import sql


class Kind(StrEnum):
    """Kinds of publications, named as the flow that publishes them."""

    OFFERS = "offers"
    PRICES = "prices"
    PRODUCTS = "products"


class Standing(StrEnum):
    """How a publication stands at the marketplace."""

    NEW = "new"
    HELD = "held"
    """It has a fault of ours, or waits for a person: `reasons` say which."""
    SENT = "sent"
    WAITING = "waiting"
    """Taken, and the operator has not decided yet."""
    LIVE = "live"
    REJECTED = "rejected"
    DIFFERS = "differs"
    """Accepted and not applied: the live offer is another one."""
    PENDING = "pending"
    """A price that waits for the operator's approval."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Publication:
    """What is known of one key. Digests name what was wanted, sent and confirmed; `known`: the marketplace has it, if
    not as it is wanted now.
    """

    key: str
    state: Standing
    known: bool
    since: datetime
    reasons: tuple[str, ...]
    wanted: str | None
    sent: str | None
    sent_body: Any
    sent_version: int
    confirmed: str | None
    confirmed_version: int
    voided_version: int
    approved: str | None

    def is_live(self, digest: str) -> bool:
        """Whether it stands so, with nothing to do."""
        return self.state is Standing.LIVE and self.is_settled(digest)

    def is_settled(self, digest: str) -> bool:
        """Whether the marketplace is known to have this, with nothing else on its way."""
        is_void = self.confirmed_version <= self.voided_version
        return digest == self.confirmed and self.sent_version <= self.confirmed_version and not is_void


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a pass decided for a key; `body` and `digest` where it could be derived."""

    key: str
    state: Standing
    reasons: tuple[str, ...] = ()
    body: object = None
    digest: str | None = None


async def read(connection: Connection, scope: str, kind: Kind, keys: Iterable[str]) -> dict[str, Publication]:
    """By key; one never seen is missing."""
    rows = await connection.fetch(sql("publication/read"), scope, kind.value, list(keys))
    return {row["key"]: _of(row) for row in rows}


async def open_ones(
    connection: Connection, scope: str, kind: Kind, state: Standing | None, limit: int
) -> list[Publication]:
    """What is not live, or what stands in one way, longest first."""
    named = None if state is None else state.value
    return [_of(row) for row in await connection.fetch(sql("publication/open_ones"), scope, kind.value, named, limit)]


async def count(connection: Connection, scope: str, kind: Kind) -> dict[str, int]:
    """How many stand how."""
    return {row["state"]: row["keys"] for row in await connection.fetch(sql("publication/count_of"), scope, kind.value)}


async def left(connection: Connection, scope: str, seconds: float, but: Iterable[str]) -> int:
    """How many offers left the assortment within so many seconds, or wait for a person before they do."""
    found: int = await connection.fetchval(sql("publication/left"), scope, seconds, list(but))
    return found


async def undecided_since(connection: Connection, scope: str, kind: Kind) -> datetime | None:
    """When the oldest was sent that nobody has decided yet."""
    found: datetime | None = await connection.fetchval(sql("publication/undecided_since"), scope, kind.value)
    return found


@dataclass(frozen=True, slots=True)
class Count:
    """How many keys stand so, and since when the longest of them does."""

    scope: str
    kind: Kind
    state: Standing
    keys: int
    oldest: datetime


async def watch(connection: Connection) -> list[Count]:
    """How everything stands, on all channels."""
    rows = await connection.fetch(sql("publication/count"))
    return [Count(r["scope"], Kind(r["kind"]), Standing(r["state"]), r["keys"], r["oldest"]) for r in rows]


async def reasons(connection: Connection) -> list[tuple[str, str, str, str, int]]:
    """Scope, kind, state, reason and how many: why things are held or rejected, the most frequent reasons of each."""
    rows = await connection.fetch(sql("publication/reasons"))
    return [(row["scope"], row["kind"], row["state"], row["reason"], row["keys"]) for row in rows]


async def want(connection: Connection, scope: str, kind: Kind, wanted: Iterable[Wanted]) -> None:
    """Write down what was decided."""
    rows = sorted(wanted, key=lambda one: one.key)
    await connection.execute(
        sql("publication/want"),
        scope,
        kind.value,
        [one.key for one in rows],
        [one.state.value for one in rows],
        [_json(one.reasons) if one.reasons else None for one in rows],
        [None if one.body is None else _json(one.body) for one in rows],
        [one.digest for one in rows],
    )


async def write_sent(connection: Connection, scope: str, kind: Kind, lines: Iterable[tuple[str, str, int]]) -> None:
    """What an import about to leave carries: (key, digest, version)."""
    rows = sorted(lines)
    await connection.execute(
        sql("publication/sent"), scope, kind.value, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]
    )


async def confirm(
    connection: Connection,
    scope: str,
    import_id: int,
    bad: Mapping[str, str],
    *,
    kind: Kind,
    state: Standing = Standing.LIVE,
) -> list[tuple[str, datetime]]:
    """Confirm the good lines of a finished import; the keys newly confirmed and since when each was dirty.

    The `bad` ones are rejected with the report's words.
    """
    await turn(connection, scope, kind, {key: (Standing.REJECTED, [words]) for key, words in bad.items()})
    rows = await connection.fetch(sql("publication/confirm"), scope, kind.value, import_id, list(bad), state.value)
    return [(row["key"], row["dirty_since"]) for row in rows]


async def push_again(connection: Connection, scope: str, keys: Sequence[str], *, kind: Kind) -> list[Mark]:
    """What is confirmed for these keys is no longer believed. Gives the marks to write in the same transaction."""
    await connection.execute(sql("publication/void"), scope, kind.value, sorted(keys))
    return [Mark(scope, kind.value, key) for key in keys]


async def turn(
    connection: Connection, scope: str, kind: Kind, found: Mapping[str, tuple[Standing, Sequence[str]]]
) -> list[str]:
    """How keys stand now, and why; those that are known."""
    keys = sorted(found)
    rows = await connection.fetch(
        sql("publication/turn"),
        scope,
        kind.value,
        keys,
        [found[key][0].value for key in keys],
        [_json(tuple(found[key][1])) if found[key][1] else None for key in keys],
    )
    return [row["key"] for row in rows]


async def approve(connection: Connection, scope: str, kind: Kind, keys: Sequence[str] | None) -> list[Mark]:
    """A person lets what is wanted go: these keys, or all that is held. Gives the marks that send it."""
    rows = await connection.fetch(sql("publication/approve"), scope, kind.value, None if keys is None else sorted(keys))
    return [Mark(scope, kind.value, row["key"]) for row in rows]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _of(row: Any) -> Publication:
    return Publication(
        row["key"],
        Standing(row["state"]),
        row["known"],
        row["since"],
        tuple(msgspec.json.decode(row["reasons"] or "[]")),
        row["wanted"],
        row["sent"],
        None if row["sent_body"] is None else msgspec.json.decode(row["sent_body"]),
        row["sent_version"],
        row["confirmed"],
        row["confirmed_version"],
        row["voided_version"],
        row["approved"],
    )
