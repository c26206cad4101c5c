"""A child process of the tests that says in one line of JSON where it is, and ends when its stdin is closed.

So nothing is left behind even when the test run itself is killed: the pipe closes with it.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]


class ChildFailedError(Exception):
    """The child did not say where it is; the text holds what it wrote to stderr."""


@dataclass(frozen=True, slots=True)
class Child:
    process: "subprocess.Popen[bytes]"
    first_line: dict[str, Any]
    errors: IO[bytes]

    @classmethod
    def start(cls, module: str, arguments: Sequence[str] = (), *, seconds: float = 60.0) -> "Child":
        """Run `python -m module arguments` and wait for its line."""
        errors = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the child
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for pytest, which then closes the pipe
        )
        child = cls(process, {}, errors)
        try:
            line = _line(process, seconds)
            return cls(process, json.loads(line), errors)
        except ValueError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)  # its stdout ends a little before it does
            code = process.poll()
            child.kill()
            said = child.stderr() or "nothing"
            raise ChildFailedError(f"{module} did not start (exit code {code}); it said:\n{said}") from None
        except BaseException:
            child.kill()
            raise

    def stderr(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()[-8000:]

    def stop(self, *, seconds: float = 30.0) -> int:
        """Close its stdin, wait, kill it where that is not enough; return its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def _line(process: "subprocess.Popen[bytes]", seconds: float) -> bytes:
    """Read up to the first line end; less than a line where the child ends or the time is up."""
    assert process.stdout is not None
    deadline = time.monotonic() + seconds
    got = b""
    while not got.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(deadline - time.monotonic(), 0))
        piece = os.read(process.stdout.fileno(), 65536) if ready else b""
        if not piece:
            break
        got += piece
    return got
