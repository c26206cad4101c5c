"""What has served its time is deleted, under the migrate role: the service's own role may not.

Nothing that is open, held or in doubt is ever deleted. The audit loses whole months only, and an order its buyer only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import asyncpg

from app.store.hosts import open_connection
from app.store.statements import sql, template
from app.store.time import read_clock

MONTHS_AHEAD = 3


class RetentionError(Exception):
    """Nothing may be deleted by whoever asks; the message says who may."""


_MONTH = re.compile(r"audit_(\d{4})_(\d{2})")


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days each kind of row is kept after it ended; the audit in months."""

    import_lines: int = 2
    imports: int = 90
    effects: int = 400
    inbox: int = 400
    ratings: int = 400
    """What seller ratings are counted from besides orders: incidents and answers."""
    buyers: int = 30
    unlisted_offers: int = 180
    plans: int = 90
    ledger: int = 2557
    """Seven years, as the audit."""
    differences: int = 90
    audit_months: int = 84


async def trim(dsn: str, keep: Keep) -> dict[str, int]:
    """Delete what is past its time and make the audit's coming months; how many rows (or months) of each.

    Raises RetentionError for a role that may not.
    """
    connection = await open_connection(dsn)
    try:
        found = {
            "import lines": await _in_slices(connection, "retention/import_lines", keep.import_lines),
            "transaction lines": await _in_slices(connection, "retention/transaction_lines", keep.ledger),
        }
        for name, statement, days in (
            ("keys of imports", "retention/import_keys", keep.import_lines),
            ("imports", "retention/imports", keep.imports),
            ("effects", "retention/effects", keep.effects),
            ("facts", "retention/inbox", keep.inbox),
            ("incidents", "retention/incidents", keep.ratings),
            ("answers to buyers", "retention/replies", keep.ratings),
            ("buyers", "retention/buyers", keep.buyers),
            ("keys of unlisted offers", "retention/offers", keep.unlisted_offers),
            ("plans", "retention/plans", keep.plans),
            ("billing cycles", "retention/cycles", keep.ledger),
            ("accounting documents", "retention/documents", keep.ledger),
            ("differences of money", "retention/differences", keep.ledger),
            ("settled orders", "retention/settled_orders", keep.ledger),
            ("differences that are gone", "retention/parity", keep.differences),
        ):
            found[name] = _count(await connection.execute(sql(statement), days))
        found["audit months"] = await _audit(connection, keep.audit_months)
        return found
    except asyncpg.InsufficientPrivilegeError as exc:
        raise RetentionError(f"{exc}: give the DATABASE_URL of the role centra_mirakl_migrate") from None
    finally:
        await connection.close()


async def _in_slices(connection: asyncpg.Connection[asyncpg.Record], statement: str, days: int) -> int:
    total = 0
    while deleted := _count(await connection.execute(sql(statement), days)):
        total += deleted
    return total


def _count(tag: str) -> int:
    """`DELETE 17` → 17."""
    return int(tag.rpartition(" ")[2])


async def _audit(connection: asyncpg.Connection[asyncpg.Record], keep_months: int) -> int:
    now = (await read_clock(connection)).rate.app_at
    for ahead in range(1, MONTHS_AHEAD + 1):  # the present month may have rows in the default partition already
        first, following = _month(now.date(), ahead), _month(now.date(), ahead + 1)
        values = {"month": f"{first:%Y_%m}", "first": first.isoformat(), "next": following.isoformat()}
        await connection.execute(template("retention/audit_month") % values)
    oldest = _month(now.date(), -keep_months)
    dropped = 0
    for row in await connection.fetch(sql("retention/audit_partitions")):
        named = _MONTH.fullmatch(row["name"])
        if named and date(int(named[1]), int(named[2]), 1) < oldest:
            await connection.execute(template("retention/drop_audit_month") % {"name": row["name"]})
            dropped += 1
    return dropped


def _month(day: date, ahead: int) -> date:
    """The first day of the month so many months from now."""
    months = day.year * 12 + day.month - 1 + ahead
    return date(months // 12, months % 12 + 1, 1)
