"""The installed program where standard streams are closed, full, or read by nobody."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import LIMIT_SECONDS, PROGRAM, batchrun, prompts, statuses, write_jobs

SIMULATED = "run jobs.jsonl --simulate --scenario instant"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a run of two items behind it."""
    directory = tmp_path_factory.mktemp("finished")
    write_jobs(directory / "jobs.jsonl", prompts(2))
    assert batchrun(*SIMULATED.split(), cwd=directory).returncode == 0
    return directory


def in_shell(words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The program as a shell calls it, with the shell's redirections; of a pipe its own exit code."""
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$0" {words}', PROGRAM],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("report jobs.jsonl | true", 0),
        ("report jobs.jsonl --json | true", 0),
        ("status jobs.jsonl >&-", 0),
        ("report jobs.jsonl <&- >&- 2>&-", 0),
        ("report jobs.jsonl > /dev/full", 74),
        ("report jobs.jsonl --json > /dev/full", 74),
        ("report nowhere.jsonl 2>&-", 66),
        ("report nowhere.jsonl 2>/dev/full", 66),
        ("run jobs.jsonl --simulate --json > /dev/full", 0),
    ],
)
def test_no_stream_has_a_traceback_or_puts_its_own_exit_code(finished: Path, words: str, code: int) -> None:
    """Who reads no further has seen enough; facts that do not arrive are exit 74; a run keeps the code of the run."""
    done = in_shell(words, finished)
    assert (done.returncode, done.stderr.count("Traceback")) == (code, 0), done.stderr
    assert ("standard output cannot be written" in done.stderr) == ("> /dev/full" in words)


@pytest.mark.parametrize("closed", ["2>&-", "--json >&-"])
def test_a_run_goes_on_though_nobody_can_hear_it(tmp_path: Path, closed: str) -> None:
    """`2>&-` is a way to say: no mail. And no file of the state gets the number of a closed stream: what a command
    says there would stand in the journal."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(2))
    done = in_shell(f"{SIMULATED} --each 'echo oops >&2; echo oops' {closed}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(statuses(tmp_path / "jobs.batchrun").values()) == {"done"}
    written = [path.read_text() for path in (tmp_path / "jobs.batchrun").iterdir() if path.name != "runs.jsonl"]
    assert "oops" not in "".join(written)


def test_what_a_function_prints_is_not_mixed_with_the_one_object(tmp_path: Path) -> None:
    """With --json it goes to stderr, as it is imported and as it works, and that of programs that it starts as well."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(1))
    chatter = "import os\nprint('hello')\ndef save(item):\n    print('hello')\n    os.system('echo hello')\n"
    (tmp_path / "publish.py").write_text(chatter)
    done = batchrun(*SIMULATED.split(), "--sink", "publish:save", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 0
    assert done.stderr.count("hello") == 3
