"""python -m tests.rolling PREVIOUS [--new REF] [pytest arguments]: do two releases bear the schema of a rolling deploy?

While replicas are rolled, the previous release and the new one work on one schema: the new one's, without its last post
files. So the tests of the flows run twice on it, with the code of each, both taken out of git into a temporary folder:
what is not committed is not tested. Both run with the packages of this environment. Exits with 1 when either fails.

    python -m tests.rolling v1.4.0                              all flow tests, two at a time
    python -m tests.rolling HEAD~20 tests/flows/test_outbox.py  some of them
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from app.store.migrate import before_post, read_migrations
from tests.child import ROOT


def tree(ref: str, folder: Path) -> Path:
    """The files of a commit, in a folder of their own."""
    archive = folder.with_suffix(".tar")
    subprocess.run(["git", "archive", f"--output={archive}", ref], cwd=ROOT, check=True)
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return folder


def give_schema(old: Path, new: Path) -> list[str]:
    """Both trees get the new migrations without the last post files; returns those that the previous release lacks."""
    migrations = read_migrations(new / "migrations")
    between = {each.name for each in before_post(migrations)}
    known = {path.name for path in (old / "migrations").glob("*.sql")}
    for each in migrations:
        if each.name not in between:
            (new / "migrations" / each.name).unlink()
    shutil.rmtree(old / "migrations")
    shutil.copytree(new / "migrations", old / "migrations")
    return sorted(between - known)


def passes(tree: Path, arguments: list[str]) -> bool:
    """Whether the tests of a tree pass, with its own code."""
    told = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=tree, env=told).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rolling", description=__doc__.split("\n", 1)[0])
    parser.add_argument("previous", help="the commit or tag of the release that is replaced")
    parser.add_argument("--new", default="HEAD", help="that of the release that replaces it")
    told, arguments = parser.parse_known_args()
    arguments = arguments or ["tests/flows", "-n", "2"]
    with tempfile.TemporaryDirectory(prefix="centra-mirakl-rolling-") as name:
        old, new = tree(told.previous, Path(name) / "old"), tree(told.new, Path(name) / "new")
        brought = give_schema(old, new)
        print(f"{told.previous} does not know: {', '.join(brought) or 'nothing; both have one schema'}", flush=True)
        failed = []
        for which, code in ((told.previous, old), (told.new, new)):
            print(f"\n{which} on the schema of {told.new} before its post step", flush=True)
            if not passes(code, arguments):
                failed.append(which)
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nboth pass: replicas may be rolled one by one")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
