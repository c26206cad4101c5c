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
IMPORT_POLLED: Final = "import.polled"  # the report is read, nothing of it is written
IMPORT_CONFIRMED: Final = "import.confirmed"  # offers confirmed, the import's own key is not settled
EVENTS_FETCHED: Final = "events.fetched"  # events read, nothing committed
EVENTS_STORED: Final = "events.stored"  # committed here, not confirmed at Centra
EVENTS_CONFIRMED: Final = "events.confirmed"  # confirmed at Centra, the key is not settled
SIZES_READ: Final = "sizes.read"  # Centra answered, nothing committed
SIZES_STORED: Final = "sizes.stored"  # stock facts and marks committed, keys not settled

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
