"""Named places where a test may strike: kill the process, or stop it for a while.

A flow writes `await fail_point(STOCK_SENT)` where the order of two steps matters. Nothing happens unless
`CENTRA_MIRAKL_FAIL_POINTS` arms the name, as in `stock.sent=kill` or `stock.posted=pause:40,import.polled=kill`.
`kill` is SIGKILL to ourselves: no finally, no commit, no goodbye. `stop` is SIGSTOP, a frozen process.
"""

from __future__ import annotations

import os
import re
import signal
from typing import Final

import anyio

STOCK_CLAIMED: Final = "stock.claimed"  # keys claimed under a permit, nothing written
STOCK_SENT: Final = "stock.sent"  # import, lines and effect committed as sent, no byte has left
STOCK_POSTED: Final = "stock.posted"  # Mirakl answered, its import id is not stored
STOCK_STORED: Final = "stock.stored"  # import id stored, keys not settled
PUBLISH_SENT: Final = "publish.sent"  # offers, prices or products: as stock.sent
PUBLISH_POSTED: Final = "publish.posted"  # as stock.posted
PUBLISH_STORED: Final = "publish.stored"  # as stock.stored
IMPORT_POLLED: Final = "import.polled"  # the report is read, nothing of it is written
IMPORT_CONFIRMED: Final = "import.confirmed"  # offers confirmed, the import's own key is not settled
EVENTS_FETCHED: Final = "events.fetched"  # events read, nothing committed
EVENTS_STORED: Final = "events.stored"  # committed here, not confirmed at Centra
EVENTS_CONFIRMED: Final = "events.confirmed"  # confirmed at Centra, the key is not settled
SIZES_READ: Final = "sizes.read"  # Centra answered, nothing committed
SIZES_STORED: Final = "sizes.stored"  # stock facts and marks committed, keys not settled
ORDERS_STORED: Final = "orders.stored"  # a page of orders is stored, none of them is marked
ORDERS_MARKED: Final = "orders.marked"  # marked and the watermark moved, the pass not settled
ORDER_DECIDED: Final = "order.decided"  # the decision is written, nothing was sent
ORDER_ACCEPT_SENT: Final = "order.accept_sent"  # OR21 committed as sent, no byte has left
ORDER_ACCEPT_ANSWERED: Final = "order.accept_answered"  # Mirakl answered OR21, nothing is written
ORDER_ACCEPTED: Final = "order.accepted"  # the acceptance is written, the key not settled
ENTRY_CREATE_SENT: Final = "entry.create_sent"  # createOnly committed as sent, no byte has left
ENTRY_CREATE_ANSWERED: Final = "entry.create_answered"  # Centra gave a number, it is not stored
ENTRY_NUMBERED: Final = "entry.numbered"  # the number is stored, Centra does not know our id
ENTRY_CONVERTED: Final = "entry.converted"  # Centra knows our id, the order is not placed
ENTRY_COMPLETE_ANSWERED: Final = "entry.complete_answered"  # Centra placed the order, nothing is written
ENTRY_COMPLETED: Final = "entry.completed"  # placed and written, not read back
ENTRY_CHECKED: Final = "entry.checked"  # read back and written
ENTRY_RELEASE_ANSWERED: Final = "entry.release_answered"  # unblocked in Centra, nothing is written
ENTRY_CONFIRM_ANSWERED: Final = "entry.confirm_answered"  # confirmed in Centra, nothing is written
FOLLOW_NOTED: Final = "follow.noted"  # facts of Centra are written down, the key not settled
SHIPMENT_SENT: Final = "shipment.sent"  # ST01 committed as sent, no byte has left
SHIPMENT_ANSWERED: Final = "shipment.answered"  # Mirakl has the parcel, nothing is written
SHIPMENT_WRITTEN: Final = "shipment.written"  # the parcel is written as told, the key not settled
MONEY_SENT: Final = "money.sent"  # OR28 or OR30 committed as sent, no byte has left
MONEY_ANSWERED: Final = "money.answered"  # Mirakl gave money back, nothing is written
MONEY_WRITTEN: Final = "money.written"  # ids and amounts are written, the key not settled
CANCEL_ANSWERED: Final = "cancel.answered"  # Mirakl answered OR29, nothing is written
RETURNS_STORED: Final = "returns.stored"  # a page of returns is stored, the watermark not moved
RETURN_ANSWERED: Final = "return.answered"  # Mirakl answered a step of a return, nothing is written
CENTRA_RETURN_SENT: Final = "centra_return.sent"  # createReturn committed as sent, no byte has left
CENTRA_RETURN_ANSWERED: Final = "centra_return.answered"  # Centra made the return, nothing is written
LOG_STORED: Final = "log.stored"  # a page or file of the transaction log is stored and marked, the key is not settled

ALL: Final = tuple(value for name, value in sorted(globals().items()) if name.isupper() and isinstance(value, str))

ENVIRONMENT: Final = "CENTRA_MIRAKL_FAIL_POINTS"
_ACTION: Final = re.compile(r"kill|stop|pause:[0-9]+(\.[0-9]+)?")


def _armed(text: str) -> dict[str, str]:
    parts = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    points = {name: action for name, _, action in parts}
    wrong = sorted(name for name, action in points.items() if not _ACTION.fullmatch(action))
    if wrong:
        raise ValueError(f"{ENVIRONMENT}: use NAME=kill, NAME=stop or NAME=pause:SECONDS for {', '.join(wrong)}")
    unknown = sorted(set(points) - set(ALL))
    if unknown:
        raise ValueError(f"{ENVIRONMENT} names unknown fail points: {', '.join(unknown)}; known: {', '.join(ALL)}")
    return points


_points = _armed(os.environ.get(ENVIRONMENT, ""))


async def fail_point(name: str) -> None:
    """Do what the environment armed for this place; normally nothing."""
    action = _points.get(name)
    if action is None:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        del _points[name]  # once: the woken process goes on
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        await anyio.sleep(float(action.removeprefix("pause:")))
