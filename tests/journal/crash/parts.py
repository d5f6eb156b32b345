"""The model on all cores: each process tries the workloads of its part, and what they found is put together.

Both ends of that conversation are here, JSON in argv and JSON on stdout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from tests.journal.crash.model import Findings, Model
from tests.journal.crash.workloads import workloads

ROOT = Path(__file__).resolve().parents[3]


def explore_on_all_cores(wanted: int, seed: int) -> Findings:
    """About `wanted` distinct states of all workloads; `seconds` is what that took by the clock."""
    began = time.perf_counter()
    parts = os.cpu_count() or 1
    orders = [{"wanted": wanted // parts, "seed": seed, "part": part, "parts": parts} for part in range(parts)]
    words = [sys.executable, "-m", "tests.journal.crash.parts"]
    started = [
        subprocess.Popen([*words, json.dumps(order)], cwd=ROOT, stdout=subprocess.PIPE, text=True) for order in orders
    ]
    told = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * parts
    findings = Findings()
    for each in told:
        fields = json.loads(each)
        part = Findings(**fields | {"keys": set(fields["keys"])})
        findings.take(part)
        findings.legal += part.legal
    findings.seconds = time.perf_counter() - began
    return findings


def memory() -> Path | None:
    """Where files cost least: states are laid down by the thousand."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else None


def main(wanted: int, seed: int, part: int, parts: int) -> None:
    with tempfile.TemporaryDirectory(dir=memory()) as place:
        findings = Model(Path(place), seed).explore(list(workloads())[part::parts], wanted)
    json.dump(asdict(findings) | {"keys": list(findings.keys)}, sys.stdout)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
