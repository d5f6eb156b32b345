"""The installed program, run as a user runs it: in a directory of its own, as a process of its own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.reader import check_jobs
from batchrun.simulator.answers import answer_for
from batchrun.simulator.process import SimulatorProcess

PROGRAM = Path(sys.executable).with_name("batchrun")
CANARY = "sk-ant-canary-3141592653589793"  # a key that must be found nowhere afterwards
LIMIT_SECONDS = 120.0  # far above what any test needs; a program that hangs must not hang the tests


def batchrun(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        [PROGRAM, *words],
        cwd=cwd,
        env=os.environ | dict(env or {}),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


class Started(subprocess.Popen[str]):
    """A program at work. As a context it is waited for; where the test has failed it is killed, for it might wait for
    what that test would have done next."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, trace)


def start_batchrun(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Started:
    """Start the program; the caller ends it."""
    return Started(
        [PROGRAM, *words],
        cwd=cwd,
        env=os.environ | dict(env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class RequestPipe:
    """A named pipe as the simulator's log: what it is asked can be waited for without looking again and again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = b""
        self._lines: list[dict[str, Any]] = []
        os.mkfifo(path)
        # Open for both, so that the server's open does not wait for a reader nor ours for a writer.
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self) -> RequestPipe:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def wait_for(self, count: int, event: str = "request") -> None:
        """Until so many requests have arrived at the provider (or, by `end`, have been served) since the beginning."""
        while self._count(event) < count:
            readable, _, _ = select.select([self._fd], [], [], LIMIT_SECONDS)
            assert readable, f"only {self._lines} in {LIMIT_SECONDS} s"
            self._read()

    def requests(self) -> list[dict[str, Any]]:
        """Every request so far."""
        while select.select([self._fd], [], [], 0)[0]:
            self._read()
        return [line for line in self._lines if line["event"] == "request"]

    def count(self, event: str) -> int:
        """How many such events there were so far."""
        self.requests()
        return self._count(event)

    def _count(self, event: str) -> int:
        return sum(line["event"] == event for line in self._lines)

    def _read(self) -> None:
        *lines, self._partial = (self._partial + os.read(self._fd, 1 << 16)).split(b"\n")
        self._lines += [json.loads(line) for line in lines]


def write_jobs(path: Path, jobs: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(job, ensure_ascii=False) + "\n" for job in jobs), encoding="utf-8")
    return path


def prompts(count: int, text: str = "Tell me about number {}.") -> list[dict[str, Any]]:
    """So many simple jobs."""
    return [{"id": f"item-{number:04d}", "prompt": text.format(number)} for number in range(count)]


def records(path: Path) -> list[dict[str, Any]]:
    """The lines of a journal file below its header; a torn last line is left out."""
    lines = path.read_bytes().split(b"\n")[1:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def expected_texts(jobs: Path) -> dict[str, str]:
    """What the embedded provider answers to each job of a file, by id."""
    backends = {"claude": BackendSpeech("claude")}
    file = check_jobs(jobs, RequestFlags(), backends, lambda id, request: True)
    return {job.id: answer_for(job.body).text for job in file.jobs("claude")}


def assert_each_answered_once(jobs: Path) -> None:
    """Every id of the job file has one checkpoint that says done and one result, which holds the right text."""
    state = jobs.with_suffix(".batchrun")
    expected = expected_texts(jobs)
    checkpoints, results = records(state / "checkpoint.jsonl"), records(state / "results.jsonl")
    assert sorted(line["id"] for line in checkpoints) == sorted(expected)
    assert sorted(line["id"] for line in results) == sorted(expected)
    assert {line["status"] for line in checkpoints} == {"done"}
    assert {line["id"]: line["text"] for line in results} == expected


def asking(server: SimulatorProcess) -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": CANARY, "ANTHROPIC_BASE_URL": server.base_url}


def statuses(state: Path) -> dict[str, str]:
    return {line["id"]: line["status"] for line in records(state / "checkpoint.jsonl")}
