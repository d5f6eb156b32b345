"""`bench backends`: whether a slow backend holds up a fast one. The same items of the fast one, alone and beside the
slow one, each time by a run of the program itself with its own job file, settings and journal.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from batchrun.bench.statistics import mean_of, ratio
from batchrun.errors import BatchrunError, ExitCode
from batchrun.journal.record import Checkpoint, is_header, parse_checkpoint
from batchrun.journal.scan import scan
from batchrun.journal.state import StateDir
from batchrun.outcome import Status
from batchrun.simulator.process import SimulatorProcess, start_simulator

FAST, SLOW = "fast", "slow"
ALONE, BESIDE = "alone", "beside the slow one"
FIRST_TOKEN_SECONDS, TOKENS_A_SECOND = 0.1, 80.0  # of the fast one
START_SECONDS = 30.0  # of a run, on a slow machine
KEY = "BENCH_KEY"  # the variable that holds the key of the fast one, which the embedded provider does not look at
# Fixed slots: under the law, what other programs do to this host would be in the ratio.
SETTINGS = """
[backends.fast]
kind = "anthropic"
base_url = "{fast}"
key_env = "{key}"
min_slots = {slots}
max_slots = {slots}
[backends.slow]
kind = "openai"
base_url = "{slow}/v1"
model = "slow-model"
min_slots = {slots}
max_slots = {slots}
"""


@dataclass(frozen=True, slots=True)
class BackendsPlan:
    """`items` of the fast backend, on `slots` of its own; the slow one takes `slower` times as long for a token, has as
    many slots, and items enough to be at work until the fast one is done. `rounds` of both, the order turned."""

    items: int = 144
    slots: int = 8
    slower: float = 20.0
    tokens: int = 30
    rounds: int = 3

    @property
    def item_seconds(self) -> float:
        """Of the fast one."""
        return FIRST_TOKEN_SECONDS + self.tokens / TOKENS_A_SECOND

    @property
    def fast_seconds(self) -> float:
        return self.item_seconds * ceil(self.items / self.slots)

    @property
    def slow_items(self) -> int:
        return self.slots * ceil(1.1 * self.fast_seconds / (self.item_seconds * self.slower))

    @property
    def most_seconds(self) -> float:
        """The longest that a run may take."""
        return START_SECONDS + 3 * (self.fast_seconds + self.item_seconds * self.slower)


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The runs of one kind. `seconds` is how long the fast backend's items took, from the first begun to the last
    finished, by round; `slow_seconds` the slow one's, empty where it was not asked. Each counts its own failures."""

    kind: str
    answered: int
    failed: int
    seconds: tuple[float, ...]
    slow_answered: int
    slow_failed: int
    slow_seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BackendsFigures:
    """`ratio` is beside over alone, of the means over the rounds; None where nothing was answered."""

    plan: BackendsPlan
    runs: tuple[RunFigures, RunFigures]
    ratio: float | None


def measure_backends(plan: BackendsPlan) -> BackendsFigures:
    """Run both kinds, the one that begins turned from round to round.

    Raises:
        BatchrunError: a run did not end well.
    """
    told: dict[str, list[list[Checkpoint]]] = {ALONE: [], BESIDE: []}
    with ExitStack() as stack:
        fast = stack.enter_context(_provider(1.0))
        slow = stack.enter_context(_provider(plan.slower))
        for number in range(plan.rounds):
            for kind in (ALONE, BESIDE) if number % 2 == 0 else (BESIDE, ALONE):
                told[kind].append(_run(plan, fast, slow, kind))
    return backends_figures(plan, told)


def backends_figures(plan: BackendsPlan, told: Mapping[str, Sequence[Sequence[Checkpoint]]]) -> BackendsFigures:
    """The figures in the records of each run, by its kind."""
    alone, beside = (_figures(kind, told[kind]) for kind in (ALONE, BESIDE))
    return BackendsFigures(plan, (alone, beside), ratio(mean_of(beside.seconds), mean_of(alone.seconds)))


def _provider(slower: float) -> SimulatorProcess:
    pace = ("--ttft", str(FIRST_TOKEN_SECONDS * slower), "--tokens-per-second", str(TOKENS_A_SECOND / slower))
    return start_simulator("calm", extra=pace)


def _run(plan: BackendsPlan, fast: SimulatorProcess, slow: SimulatorProcess, kind: str) -> list[Checkpoint]:
    with TemporaryDirectory(prefix="batchrun bench ") as name:
        here = Path(name)
        # The slow ones first: a run that read lines ahead in their order would find nothing else for a long time.
        lines = [*_lines(SLOW, plan.slow_items if kind == BESIDE else 0, plan), *_lines(FAST, plan.items, plan)]
        (here / "jobs.jsonl").write_bytes(b"".join(lines))
        settings = SETTINGS.format(fast=fast.base_url, slow=slow.base_url, slots=plan.slots, key=KEY)
        (here / "batchrun.toml").write_text(settings, encoding="utf-8")
        words = [sys.executable, "-P", "-m", "batchrun", "run", "jobs.jsonl", "--quiet"]
        try:
            done = subprocess.run(
                words, cwd=here, env=_environment(here), capture_output=True, timeout=plan.most_seconds, check=False
            )
        except subprocess.TimeoutExpired:
            message = f"a run took more than {plan.most_seconds:.0f} s; ask for fewer items, or try on a calmer machine"
            raise BatchrunError(message) from None
        if done.returncode not in (ExitCode.OK, ExitCode.SOME_FAILED):
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise BatchrunError(f"a run did not end well (exit {done.returncode}): {said[-1]}")
        log = StateDir.for_jobs(here / "jobs.jsonl").checkpoint
        return [parse_checkpoint(line) for _, line, is_sound in scan(log) if is_sound and not is_header(line)]


def _lines(backend: str, count: int, plan: BackendsPlan) -> Iterable[bytes]:
    for number in range(count):
        prompt = f"[[tokens={plan.tokens}]] What has the number {number} been used for?"
        yield orjson.dumps({"id": f"{backend}-{number}", "prompt": prompt, "backend": backend}) + b"\n"


def _environment(here: Path) -> dict[str, str]:
    """Nobody's settings but those in `here`, and nothing left behind that `batchrun status` would find."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("BATCHRUN_", "ANTHROPIC_"))}
    return plain | {KEY: "simulated", "XDG_STATE_HOME": str(here)}


def _figures(kind: str, runs: Sequence[Sequence[Checkpoint]]) -> RunFigures:
    fast = [[record for record in run if record.backend == FAST] for run in runs]
    slow = [[record for record in run if record.backend == SLOW] for run in runs]
    return RunFigures(
        kind=kind,
        answered=sum(map(_answered, fast)),
        failed=sum(map(_failed, fast)),
        seconds=tuple(_seconds(run) for run in fast if _answered(run)),
        slow_answered=sum(map(_answered, slow)),
        slow_failed=sum(map(_failed, slow)),
        slow_seconds=tuple(_seconds(run) for run in slow if _answered(run)),
    )


def _answered(records: Iterable[Checkpoint]) -> int:
    return sum(record.status is Status.DONE for record in records)


def _failed(records: Iterable[Checkpoint]) -> int:
    return sum(record.status is not Status.DONE for record in records)


def _seconds(records: Sequence[Checkpoint]) -> float:
    begun = min(datetime.fromisoformat(record.started) for record in records)
    return (max(datetime.fromisoformat(record.finished) for record in records) - begun).total_seconds()
