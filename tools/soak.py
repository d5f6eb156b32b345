"""Runs the slow tests and the long seeded suites within a budget: what `make soak` calls.

Each test has a process of its own, and their order follows from the seed: where the budget is too small for all of
them, another day runs others. The slow tests come first; what is left is shared by the long suites, which learn seed
and budget from the environment (see `tests/soak.py`), so that one can be replayed alone.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

SECONDS = {"s": 1, "m": 60, "h": 3600}
MARKED = "slow or soak"
NO_TESTS_RAN = 5  # pytest's exit code
SLOW_SHARE = 2 / 3  # of the budget, at the most
# After so long a slow test counts as hanging: all stacks are printed, and it has failed.
HANGS_AFTER = 300
# A long suite looks at its budget between two rounds; a round that was begun may end.
ROUND_SECONDS = 30.0
END_SECONDS = 5.0  # for a test that is cut off, to end what it has started


def seconds(text: str) -> int:
    """`90s`, `15m` or `1h` in seconds."""
    match = re.fullmatch(r"(\d+)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 90s, 15m or 1h")
    return int(match[1]) * SECONDS[match[2]]


@dataclass(slots=True)
class Soak:
    """One night of them: what failed and what did not fit, by name."""

    seed: int
    failed: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)

    def run(self, functions: list[str], end: float, *, overrun: float = 0.0, hangs_after: int = 0) -> None:
        """Run them until `end`, by the monotonic clock, or for so much longer if it must be."""
        random.Random(self.seed).shuffle(functions)
        for place, function in enumerate(functions):
            left = end - time.monotonic()
            if left <= 0:
                self.unfit.append(function)
                continue
            words = ("-m", MARKED, "-o", f"faulthandler_timeout={hangs_after}", function)
            code = self._test(words, left / (len(functions) - place), left + overrun)
            if code is None:
                self.unfit.append(f"{function} (cut off after {left + overrun:.0f} s)")
            elif code != 0:
                self.failed.append(function)

    def _test(self, words: tuple[str, ...], budget: float, limit: float) -> int | None:
        """The exit code of pytest; None where it was cut off after `limit` seconds."""
        environment = {"BATCHRUN_SOAK_SEED": str(self.seed), "BATCHRUN_SOAK_BUDGET": f"{budget:.1f}"}
        command = [sys.executable, "-m", "pytest", "-q", f"--hypothesis-seed={self.seed}", *words]
        # A session of its own, so that what a test has started can be ended with it.
        process = subprocess.Popen(
            command,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            told, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return None  # what it said of being cut off is no news
        finally:
            _end(process)
        print(told, end="", flush=True)
        return process.returncode


def collect(marked: str, files: Iterable[str] = ()) -> list[str]:
    """The test functions that are marked so, in these files or anywhere; one with many parameters is one function.
    SystemExit where the tests cannot be read."""
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", marked, *files]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode not in (0, NO_TESTS_RAN):
        sys.exit(f"{done.stdout}{done.stderr}soak: the tests cannot be collected")
    return sorted({line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line})


def _end(process: subprocess.Popen[str]) -> None:
    """As Ctrl-C would, so that fixtures clean up; then for good."""
    for kind in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, kind)
            try:
                process.communicate(timeout=END_SECONDS)
            except subprocess.TimeoutExpired:
                continue


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=seconds, required=True, help="for everything together, such as 15m")
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    began, soak = time.monotonic(), Soak(options.seed)
    print(f"soak: seed {options.seed}, budget {options.budget} s", flush=True)
    functions = collect(MARKED)
    long = collect("soak", {function.partition("::")[0] for function in functions}) if functions else []
    slow_seconds = options.budget * SLOW_SHARE
    soak.run(
        [function for function in functions if function not in long], began + slow_seconds, hangs_after=HANGS_AFTER
    )
    # Their share is theirs, whatever it took to cut off the others.
    end = max(began + options.budget, time.monotonic() + options.budget - slow_seconds)
    soak.run(long, end, overrun=ROUND_SECONDS)
    for name in soak.unfit:
        print(f"soak: did not fit into the budget: {name}")
    for name in soak.failed:
        print(f"soak: failed: {name}; replay with make soak SEED={options.seed}", file=sys.stderr)
    return 1 if soak.failed else 0


if __name__ == "__main__":
    sys.exit(main())
