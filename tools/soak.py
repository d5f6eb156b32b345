"""Runs the slow tests and the long seeded suites within a budget: what `make soak` calls.

The suites learn seed and budget from the environment (see `tests/soak.py`), so that a test can be replayed alone.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys

SECONDS = {"s": 1, "m": 60, "h": 3600}
NO_TESTS_RAN = 5  # pytest's exit code


def seconds(text: str) -> int:
    """`90s`, `15m` or `1h` in seconds."""
    match = re.fullmatch(r"(\d+)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 90s, 15m or 1h")
    return int(match[1]) * SECONDS[match[2]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=seconds, required=True, help="for all suites together, such as 15m")
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    print(f"soak: seed {options.seed}, budget {options.budget} s", flush=True)
    # A suite may rightly run longer than the time after which a hanging test is ended elsewhere.
    command = [sys.executable, "-m", "pytest", "-m", "slow or soak", "-o", "faulthandler_timeout=0"]
    environment = {"BATCHRUN_SOAK_SEED": str(options.seed), "BATCHRUN_SOAK_BUDGET": str(options.budget)}
    code = subprocess.run(
        [*command, f"--hypothesis-seed={options.seed}"], env=os.environ | environment, check=False
    ).returncode
    if code == NO_TESTS_RAN:
        print("soak: no test is marked slow or soak yet; none ran.")
        return 0
    if code != 0:
        print(f"soak: replay with make soak SEED={options.seed}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
