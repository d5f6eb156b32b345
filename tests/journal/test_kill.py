"""A real process, really killed: what it said was finished is finished."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from batchrun.journal.reader import read_result
from batchrun.journal.state import StateDir
from tests.journal.builders import checkpoints, text_of

ROOT = Path(__file__).resolve().parents[2]
TOTAL = 1_200
KILLS = 12


def test_a_run_that_is_killed_again_and_again_comes_to_its_end(tmp_path: Path) -> None:
    """Killed a dozen times in mid-commit: one record an id, the right texts, nothing that finished is asked again."""
    state = StateDir(tmp_path / "jobs.batchrun")
    finished: set[str] = set()
    for kill in range(KILLS + 1):
        # Each start is let live for another number of words, so that the kills fall into different moments.
        words = worker_until(state, 150 + 7 * kill if kill < KILLS else None)
        asked = [id for word, id in words if word == "asked"]
        assert finished.isdisjoint(asked)
        finished |= {id for word, id in words if word == "finished"}
    everyone = checkpoints(state)
    assert Counter(checkpoint.id for checkpoint in everyone) == Counter(str(number) for number in range(TOTAL))
    for checkpoint in everyone:
        assert read_result(state, checkpoint)["text"] == text_of(checkpoint.id)


def worker_until(state: StateDir, words: int | None) -> list[list[str]]:
    """What a worker says, to its end or until it is killed after so many words, with what was on its lips then."""
    command = [sys.executable, "-m", "tests.journal.worker", str(state.path), str(TOTAL)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if len(said) == words:
                process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.returncode in (0, -signal.SIGKILL)
    # The last word may be cut short by the kill.
    return [line.split() for line in said if line.endswith("\n")]
