"""The crash-state model: workloads on a recorded disk, the states that a power cut may leave, the verdict on each.

Counts and times only; what is legal and what is right is decided in `medium` and `inspection`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from batchrun.journal.recovery import recover
from tests.journal.builders import HEADER, close
from tests.journal.crash.evidence import told_lines
from tests.journal.crash.files import lay_down
from tests.journal.crash.inspection import Crashed, Inspector
from tests.journal.crash.medium import moments
from tests.journal.crash.recorder import Recorder
from tests.journal.crash.sampling import States
from tests.journal.crash.stage import RecorderThatHoldsTheWriter, Stage
from tests.journal.crash.workloads import Workload

FOLDER = "jobs.batchrun"
_EVERY = 40  # one state in so many is one whose recovery is crashed as well
_INNER = 30  # so many states of that recovery


@dataclass(slots=True)
class Findings:
    """`legal` states could have been tried, `drawn` were; `distinct` of them were unlike all others and inspected."""

    legal: int = 0
    drawn: int = 0
    distinct: int = 0
    in_recovery: int = 0  # of the distinct ones: those that a crash in the recovery from another one leaves
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0
    keys: set[int] = field(default_factory=set)  # of the distinct ones, the same in each process

    def take(self, other: Findings) -> None:
        """Add what others tried and found, another process or another round; how much is legal is not theirs to add."""
        self.drawn += other.drawn
        self.in_recovery += other.in_recovery
        self.violations += other.violations
        self.seconds += other.seconds
        self.keys |= other.keys
        self.distinct = len(self.keys)

    def __str__(self) -> str:
        return (
            f"{self.distinct:,} distinct states ({self.in_recovery:,} of them crashed again in recovery) of "
            f"{self.legal:,} legal ones, {len(self.violations)} violations, {self.seconds:.1f} s"
        )


class Model:
    """Tries states until enough distinct ones were tried, or `most` violations were found."""

    def __init__(self, place: Path, seed: int, *, most: int = 20) -> None:
        self._place = place
        self._chance = random.Random(seed)
        self._inspector = Inspector(place / "inspected")
        self._most = most
        self.findings = Findings()

    def explore(
        self,
        workloads: Iterable[tuple[str, Workload]],
        wanted: int,
        kind: type[RecorderThatHoldsTheWriter] = RecorderThatHoldsTheWriter,
    ) -> Findings:
        """About `wanted` distinct states, an equal share from each workload as far as it has so many."""
        began = time.perf_counter()
        stages = [(name, *self._played(number, workload, kind)) for number, (name, workload) in enumerate(workloads)]
        self.findings.legal += sum(states.count for _, _, states in stages)
        left = sorted(stages, key=lambda each: each[2].count)
        while left and len(self.findings.violations) < self._most:
            name, stage, states = left.pop(0)
            share = max(0, wanted - self.findings.distinct) // (len(left) + 1)
            self._try(name, stage, states, share)
        self.findings.seconds += time.perf_counter() - began
        return self.findings

    def _played(self, number: int, workload: Workload, kind: type[RecorderThatHoldsTheWriter]) -> tuple[Stage, States]:
        place = self._place / str(number)
        place.mkdir()
        stage = Stage(place, kind=kind)
        workload(stage)
        disk = stage.disk
        return stage, States(list(moments(disk.trace, disk.found, disk.folders, stage.first)))

    def _try(self, name: str, stage: Stage, states: States, share: int) -> None:
        enough = self.findings.distinct + share
        # Not all that can be drawn are distinct, but few are alike.
        for state in states.draw(share + share // 4, self._chance):
            if self.findings.distinct >= enough or len(self.findings.violations) >= self._most:
                return
            files = state.moment.after(state.fates)
            inside = {path.removeprefix(f"{FOLDER}/"): data for path, data in files.items()}
            self._inspect(name, Crashed(inside, state.moment.told, stage.handed), depth=0)

    def _inspect(self, name: str, crashed: Crashed, depth: int) -> None:
        self.findings.drawn += 1
        if (key := _key(crashed)) in self.findings.keys:
            return
        self.findings.keys.add(key)
        self.findings.distinct += 1
        self.findings.in_recovery += depth > 0
        found = self._inspector.violations(crashed)
        self.findings.violations += [f"{name}, crashed {depth + 1} times: {violation}" for violation in found]
        if not found and self.findings.distinct % _EVERY == 0:
            self._crash_again(name, crashed, depth + 1)

    def _crash_again(self, name: str, crashed: Crashed, depth: int) -> None:
        """The power goes once more, in the middle of the recovery; what it takes for finished counts as told."""
        state = self._inspector.state
        lay_down(state.path, crashed.files)
        disk = Recorder(state.path.parent)
        disk.tell(crashed.told)
        close(recover(state, HEADER, disk))
        disk.tell(told_lines(state))
        again = States(list(moments(disk.trace, disk.found, disk.folders)))
        for inner in again.draw(_INNER, self._chance):
            files = inner.moment.after(inner.fates)
            inside = {path.removeprefix(f"{FOLDER}/"): data for path, data in files.items()}
            self._inspect(name, Crashed(inside, inner.moment.told, crashed.handed), depth)


def _key(crashed: Crashed) -> int:
    digest = blake2b(digest_size=8)
    for name, data in sorted(crashed.files.items()):
        digest.update(b"%s %d " % (name.encode(), len(data)))
        digest.update(data)
    for line in sorted(crashed.told):
        digest.update(line[-20:])  # the CRC, by which lines differ
    return int.from_bytes(digest.digest(), "big")
