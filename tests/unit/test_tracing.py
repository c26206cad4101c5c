"""Traces: off they are nothing, on they say only what is listed, and a dead collector harms nobody.

Tracing is set for a whole process, so what turns it on runs in one of its own.
"""

from __future__ import annotations

import ast
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.telemetry import tracing
from app.telemetry.logs import ALLOWED
from tests.child import ROOT

CANARY = "canary-5f1d9b"

HEAD = """
import json
from dataclasses import dataclass
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from app.telemetry import tracing

tracing.configure_tracing("http://127.0.0.1:9/v1/traces")
kept = InMemorySpanExporter()
tracing._provider.add_span_processor(SimpleSpanProcessor(kept))

@dataclass
class Claim:
    trace: str | None = None
    key: str = "VX-100-M"
    attempts: int = 1

def marked():
    with tracing.span("mark"):
        return tracing.traceparent()

def work(flow, *claims):
    with tracing.pass_span("demo-fr", flow, claims):
        with tracing.call_span("STO01") as saying:
            saying(outcome="unknown", status=502)
            saying.failed()
"""
FOOT = """
print(json.dumps([json.loads(span.to_json()) for span in kept.get_finished_spans()]))
"""


def run(program: str) -> str:
    """The standard output of a process that ran this."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def by_name(program: str) -> dict[str, dict[str, Any]]:
    """The spans that a program made, by name; of several with one name the last."""
    return {span["name"]: span for span in json.loads(run(HEAD + program + FOOT))}


def test_off_nothing_is_made_and_nothing_is_stored() -> None:
    with tracing.span("x", scope="demo-fr") as saying:
        saying(outcome="applied")
        saying.failed()
        assert tracing.traceparent() is None
        assert tracing.exemplar() is None


def test_a_pass_goes_on_in_the_one_trace_that_marked_its_keys_else_it_links_to_theirs() -> None:
    found = by_name("""
with tracing.span("page"):
    first, second = marked(), marked()
work("same", Claim(first, key="1"), Claim(second, attempts=3), Claim(first))
work("apart", Claim(first), Claim(marked()), Claim())
work("alone", Claim(first))
work("periodic", Claim())
work("garbled", Claim("no trace context"))
""")
    page, same, call = found["page"], found["same pass"], found["STO01"]
    assert same["context"]["trace_id"] == page["context"]["trace_id"]
    assert same["parent_id"] is not None
    assert len(same["links"]) == 1
    assert same["attributes"] == {"scope": "demo-fr", "flow": "same", "keys": 3, "attempts": 3}
    assert found["apart pass"]["parent_id"] is None
    assert len(found["apart pass"]["links"]) == 2
    assert found["alone pass"]["context"]["trace_id"] == page["context"]["trace_id"]
    assert found["alone pass"]["attributes"]["key"] == "VX-100-M"
    for name in ("periodic pass", "garbled pass"):
        assert found[name]["parent_id"] is None
        assert found[name]["links"] == []
    assert call["parent_id"] == found["garbled pass"]["context"]["span_id"]
    assert call["attributes"] == {"code": "STO01", "attempts": 1, "outcome": "unknown", "status": 502}
    assert call["status"]["status_code"] == "ERROR"


def test_what_is_not_listed_is_dropped_and_counted_and_an_exception_says_nothing() -> None:
    found = by_name(f"""
try:
    with tracing.span("x", scope="demo-fr", buyer="{CANARY}", reason=None) as saying:
        saying(email="{CANARY}", phone="{CANARY}", outcome="applied")
        raise ValueError("{CANARY}")
except ValueError:
    pass
""")
    assert found["x"]["attributes"] == {"scope": "demo-fr", "outcome": "applied", "dropped": 2}
    assert found["x"]["status"] == {"status_code": "ERROR"}
    assert CANARY not in json.dumps(found)


def test_every_attribute_of_a_span_and_member_of_a_log_line_is_listed() -> None:
    """A new one fails here until somebody has thought about what it may hold, and put it on the list."""
    strange = {
        (path.name, keyword.arg)
        for path in (ROOT / "app").rglob("*.py")
        if "sandbox" not in path.parts
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _speaks(call.func)
        for keyword in call.keywords
        if keyword.arg is not None and keyword.arg not in ALLOWED
    }
    assert strange == set()


def _speaks(called: ast.expr) -> bool:
    match called:
        case ast.Name(id="span" | "saying"):
            return True
        case ast.Attribute(value=ast.Name(id="log"), attr="info" | "warning" | "error" | "exception" | "bind"):
            return True
        case _:
            return False


@pytest.fixture(params=["nobody listens", "it never answers"])
def dead_collector(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a collector that is no use."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are taken by the kernel, and never answered
        port = silent.getsockname()[1]
        if request.param == "nobody listens":
            silent.close()
        yield f"http://127.0.0.1:{port}/v1/traces"


def test_a_dead_collector_slows_neither_work_nor_the_end(dead_collector: str) -> None:
    """Four times as many spans as the queue holds, at once; the longest of a hundred together, and the end."""
    program = f"""
import json, time
from app.telemetry import tracing
tracing.configure_tracing({dead_collector!r})
slowest = 0.0
for _ in range(80):
    began = time.perf_counter()
    for _ in range(100):
        with tracing.span("x", scope="demo-fr"):
            pass
    slowest = max(slowest, time.perf_counter() - began)
began = time.perf_counter()
tracing.end_tracing()
print(json.dumps([slowest, time.perf_counter() - began, time.time()]))
"""
    slowest, end, ended_at = json.loads(run(program))
    assert time.time() - ended_at < 1.5  # and nothing at exit waits for it once more
    assert slowest < 0.5
    assert end < 2.3
