"""Buyer data: one table, keyed by order, searchable by a keyed hash of the e-mail address only (business rule 24)."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from app.domain.ids import OrderId
from app.domain.orders import Buyer
from app.store.pool import Connection
from app.store.statements import sql

ERASURES = "erasures"
"""The flow that carries an erasure to Centra; its key is the order id."""


def email_hash(key: bytes, email: str) -> bytes | None:
    """The keyed hash by which an address is found; None for no address."""
    plain = email.strip().casefold()
    return hmac.new(key, plain.encode(), hashlib.sha256).digest() if plain else None


async def store(
    connection: Connection, scope: str, order_id: str, buyer: Buyer, hashed: bytes | None, *, anonymised: bool
) -> None:
    """Keep the buyer, unless it was erased, or this copy is anonymised and we have a better one."""
    body = msgspec.json.encode(buyer).decode().replace("\\u0000", "\\ufffd")
    await connection.execute(sql("buyer/store"), scope, order_id, body, hashed, anonymised)


async def read(connection: Connection, scope: str, order_id: str) -> Buyer | None:
    """The buyer; None when erased, or never seen."""
    row = await connection.fetchrow(sql("buyer/read"), scope, order_id)
    return None if row is None or row["body"] is None else msgspec.json.decode(row["body"], type=Buyer)


async def by_email(connection: Connection, hashed: bytes) -> list[tuple[str, OrderId]]:
    """(channel, order id) of every order with this address."""
    return [(r["scope"], OrderId(r["order_id"])) for r in await connection.fetch(sql("buyer/by_email"), hashed)]


async def erase(connection: Connection, scope: str, order_id: str) -> int | None:
    """Erase for good, with a tombstone; the Centra customer that is still to be erased, if there is one."""
    customer: int | None = await connection.fetchval(sql("buyer/erase"), scope, order_id)
    return customer


async def to_erase(connection: Connection, scope: str, order_id: str) -> int | None:
    """The Centra customer of an erased buyer, until Centra has erased it too."""
    customer: int | None = await connection.fetchval(sql("buyer/to_erase"), scope, order_id)
    return customer


async def customer_of_erased(connection: Connection, scope: str, order_id: str, customer: int) -> bool:
    """Centra's customer of an order became known; True when its buyer was erased meanwhile, so that Centra must too."""
    return await connection.fetchrow(sql("buyer/customer_of_erased"), scope, order_id, customer) is not None


async def erased_in_centra(connection: Connection, scope: str, order_id: str) -> None:
    """Centra has erased the customer."""
    await connection.execute(sql("buyer/erased_in_centra"), scope, order_id)
