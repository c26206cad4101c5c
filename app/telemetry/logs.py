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
    teams detail slow dropped flows
    """.split()  # noqa: SIM905 - a list of quoted words is four times as long
)

log: structlog.stdlib.BoundLogger = structlog.get_logger("centra-mirakl")


def _only_allowed(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    dropped = [name for name in event if name not in ALLOWED]
    for name in dropped:
        del event[name]
    if dropped:
        event["dropped"] = len(dropped)
    return event


def configure_logs(shape: Literal["json", "console"]) -> None:
    """Send all log lines to standard error, in one shape: ours, and the warnings of libraries."""
    finish: list[structlog.typing.Processor] = [structlog.processors.TimeStamper(fmt="iso", utc=True)]
    if shape == "json":
        finish += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        plain = structlog.dev.plain_traceback  # a rich one shows local variables, which may hold secrets
        finish += [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _only_allowed,
            *finish,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _only_allowed, *finish],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[libraries], force=True)
