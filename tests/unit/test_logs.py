"""What leaves as a log line: one shape, from an allow-list, whoever writes it.

Shapes are set for a whole process, so each test speaks in one of its own and reads its standard error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.telemetry.logs import ALLOWED, _only_allowed
from tests.child import ROOT

CANARY = "canary-5f1d9b"


def spoken(program: str, shape: str = "json") -> str:
    """The standard error of a process that configured its logs and ran this."""
    head = f"from app.telemetry.logs import configure_logs, log\nimport logging\nconfigure_logs({shape!r})\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", head + program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")
    return done.stderr


def lines(program: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in spoken(program).splitlines()]


def test_a_line_is_json_with_its_level_and_time() -> None:
    (line,) = lines('log.info("stock_posted", scope="demo-fr", lines=2, key="VX-100-M")')
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "stock_posted", "level": "info", "scope": "demo-fr", "lines": 2, "key": "VX-100-M"}


def test_what_is_not_listed_is_dropped_and_counted() -> None:
    (line,) = lines(f'log.warning("order_held", scope="demo-fr", detail="why", buyer="{CANARY}", email="{CANARY}")')
    line.pop("timestamp")
    assert line == {"event": "order_held", "level": "warning", "scope": "demo-fr", "detail": "why", "dropped": 2}


def test_bound_and_context_members_pass_the_same_list() -> None:
    program = (
        "import structlog\n"
        f"structlog.contextvars.bind_contextvars(flow='stock', token='{CANARY}')\n"
        f"log.bind(scope='demo-fr', phone='{CANARY}').info('x')\n"
    )
    (line,) = lines(program)
    assert (line["flow"], line["scope"], line["dropped"]) == ("stock", "demo-fr", 2)
    assert CANARY not in json.dumps(line)


def test_a_secret_in_a_listed_member_shows_nothing() -> None:
    program = (
        f"from pydantic import SecretStr\nlog.info('x', reason=SecretStr('{CANARY}'), keys=[SecretStr('{CANARY}')])"
    )
    text = spoken(program)
    assert CANARY not in text
    assert "**********" in text


def test_an_exception_is_one_line_and_shows_no_local_values() -> None:
    program = (
        "def fail():\n"
        f"    secret = '{CANARY[:6]}' + '{CANARY[6:]}'\n"
        "    raise ValueError('no stock')\n"
        "try:\n"
        "    fail()\n"
        "except ValueError:\n"
        "    log.exception('pass_failed', flow='stock')\n"
    )
    (line,) = lines(program)
    assert line["exception"].endswith("ValueError: no stock")
    assert CANARY not in json.dumps(line)


def test_below_info_nothing_is_written() -> None:
    assert spoken('log.debug("x")') == ""


def test_lines_of_libraries_have_the_same_shape_and_pass_the_same_list() -> None:
    program = (
        "books = logging.getLogger('library.part')\n"
        "books.info('chatter')\n"
        f"books.warning('%s is slow', 'disk', extra={{'password': '{CANARY}'}})\n"
        "try:\n"
        "    1 / 0\n"
        "except ZeroDivisionError:\n"
        "    books.exception('broken')\n"
    )
    slow, broken = lines(program)
    slow.pop("timestamp")
    assert slow == {"event": "disk is slow", "level": "warning", "logger": "library.part"}
    assert broken["level"] == "error"
    assert broken["exception"].endswith("ZeroDivisionError: division by zero")


def test_the_shape_for_the_eye_has_the_same_list() -> None:
    text = spoken(f'log.warning("order_held", scope="demo-fr", buyer="{CANARY}")', "console")
    assert "order_held" in text
    assert "demo-fr" in text
    assert CANARY not in text
    assert not text.startswith("{")


@given(st.dictionaries(st.sampled_from(sorted(ALLOWED)) | st.text(), st.integers()))
def test_nothing_but_listed_members_ever_passes(event: dict[str, Any]) -> None:
    strange = len(set(event) - ALLOWED)
    listed = {name: value for name, value in event.items() if name in ALLOWED}
    passed = dict(_only_allowed(None, "info", dict(event)))
    assert passed == listed | ({"dropped": strange} if strange else {})


@pytest.mark.parametrize(
    "name", ["buyer", "customer", "email", "phone", "street", "token", "secret", "body", "headers"]
)
def test_members_that_would_hold_buyers_or_secrets_are_not_on_the_list(name: str) -> None:
    assert name not in ALLOWED
