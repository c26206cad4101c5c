"""The one place that shapes a log line: JSON or for the eye, from an allow-list of members.

A member that is not listed is dropped and counted in the line, so that buyer data and secrets can't slip in.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

ALLOWED = frozenset(
    """
    event level timestamp logger exception exc_info stack_info scope flow key keys code outcome
    reason verdict kind state version versions import_id effect_id lines bad_lines count pages
    events sizes skus marks seconds attempts address path method status signal name fail_point url
    teams detail slow
    """.split()  # noqa: SIM905 - a list of quoted words is four times as long
)

log: structlog.stdlib.BoundLogger = structlog.get_logger("centra-mirakl")


def _only_allowed(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    dropped = [name for name in event if name not in ALLOWED]
    for name in dropped:
        del event[name]
    if dropped:
        event["detail"] = f"{len(dropped)} members dropped: not on the list of what may be logged"
    return event


def configure_logs(shape: Literal["json", "console"]) -> None:
    """Send all log lines to standard error, in one shape."""
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if shape == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _only_allowed,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
