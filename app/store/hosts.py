"""One connection, to whichever of an address's hosts may be worked on: a primary, or its standby once that is promoted.

An address may name several hosts, as `postgresql://user@a:5432,b:5432/name?target_session_attrs=read-write`. The driver
tries them in turn, but within one time limit: a host that is gone without a word, as a machine without power is, would
use it up each time, and the next host would never be asked. So each is asked here, with a time limit of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

if TYPE_CHECKING:
    Opened: TypeAlias = asyncpg.Connection[asyncpg.Record]

Address: TypeAlias = "str | Callable[[], str]"
"""A DSN, or what is asked for it at each new connection, so that a rotated password is used without a restart."""

CONNECT_SECONDS = 5.0

_NEXT_HOST = (
    OSError,  # nobody there, or no answer in time
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,  # starting, or ending
    asyncpg.InternalClientError,  # not what target_session_attrs asks for
)


def each_host(dsn: str) -> list[str]:
    """The addresses of the hosts that an address names, in its order.

    Hosts stand in the authority, or in the members `host` and `port` of the query, as libpq has them; one port is that
    of all hosts.
    """
    parts = urlsplit(dsn)
    login, at, places = parts.netloc.rpartition("@")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    hosts = query.get("host", "").split(",")
    if "," in places:
        return [parts._replace(netloc=f"{login}{at}{place}").geturl() for place in places.split(",")]
    if places or len(hosts) == 1:
        return [dsn]
    ports = query.pop("port", "5432").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [
        f"{parts.scheme}://{parts.netloc}{parts.path}?{urlencode(query | {'host': host, 'port': port})}"
        for host, port in zip(hosts, ports, strict=True)
    ]


async def open_connection(address: Address, *, timeout: float = CONNECT_SECONDS, **options: Any) -> Opened:
    """A connection to the first host that answers within `timeout` seconds and is what `target_session_attrs` asks for.

    `options` are those of `asyncpg.connect`. Raises what the last host raised.
    """
    *others, last = each_host(address if isinstance(address, str) else address())
    for one in others:
        try:
            return await asyncpg.connect(one, timeout=timeout, **options)
        except _NEXT_HOST:
            continue
    return await asyncpg.connect(last, timeout=timeout, **options)
